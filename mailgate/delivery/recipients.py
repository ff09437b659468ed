"""
Who may be sent to: the domains of the routes, and what the upstreams say of a recipient.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from mailgate.config.model import Verification
from mailgate.delivery.routes import Routes
from mailgate.interfaces import (
    Capabilities,
    IDelivery,
    IRecipients,
    MaybeDeferred,
    combined,
)
from mailgate.message.envelope import Envelope
from mailgate.reply import Reply
from mailgate.wire.address import Address

RECIPIENT_OK = Reply(250, "2.1.5", "recipient ok")
NOT_OURS = Reply(550, "5.7.1", "no mail for this domain is taken here")
NO_RELAY = Reply(550, "5.7.1", "no mail is relayed through another address")
ALWAYS = frozenset(("postmaster", "abuse"))
"""Local parts that every domain has (RFC 5321 section 4.5.1, RFC 2142)."""

ABOUT_RECIPIENT = frozenset(("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"))
"""Enhanced codes that say that there is no such recipient, whoever asks (RFC 3463)."""

# An address inside an address: some mail servers send such mail on to the inner one.
_INNER_ADDRESS = re.compile(r"[%@!]")


@frozen
class _Known:
    """
    What an upstream has said of a recipient.
    """

    reply: Reply
    until: float
    """Until when, on the reactor's clock, it is believed without asking."""


@implementer(IRecipients)
class Recipients:
    """
    Asks upstreams and remembers what they said.
    """

    def __init__(
        self, routes: Routes, settings: Verification, seconds: Callable[[], float]
    ) -> None:
        """
        @param seconds: the reactor's clock.
        """
        self._routes = routes
        self._settings = settings
        self._seconds = seconds
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._asking: dict[tuple[str, str], list[Deferred[Reply]]] = {}

    def ask(self, envelope: Envelope, recipient: Address) -> MaybeDeferred[Reply]:
        """
        Say whether a recipient exists.

        What an upstream said once is remembered, as long as the configuration says; when it
        cannot be asked, what it said before still counts. All who ask for the same recipient
        at the same time share one question.
        """
        sender = envelope.sender
        delivery = self._routes.route_for(recipient)
        if delivery is None and envelope.session.is_trusted:
            delivery = self._routes.default
        if delivery is None:
            return NOT_OURS
        if recipient.local.lower() in ALWAYS:
            return RECIPIENT_OK
        if _INNER_ADDRESS.search(recipient.local):
            return NO_RELAY
        owner = recipient.owner
        known = self._known.get(owner)
        if known is not None and known.until > self._seconds():
            self._known.move_to_end(owner)
            return known.reply
        # Not shared with other senders: a refusal may be meant for one of them.
        question = (owner, str(sender))
        waiting = self._asking.get(question)
        answer: Deferred[Reply] = Deferred()
        if waiting is not None:
            waiting.append(answer)
            return answer
        self._asking[question] = [answer]
        self._ask_upstream(delivery, sender, recipient)
        return answer

    def offers(self) -> Capabilities:
        """
        Give what all routes can take.
        """
        return combined([delivery.capabilities for delivery in self._routes.deliveries()])

    def _ask_upstream(self, delivery: IDelivery, sender: Address, recipient: Address) -> None:
        owner = recipient.owner
        asked = delivery.verify(sender, recipient)
        asked.addCallback(lambda reply: self._remember(owner, reply))
        asked.addBoth(lambda result: self._answer((owner, str(sender)), result))

    def _remember(self, owner: str, reply: Reply) -> Reply:
        """
        Keep a lasting answer, and give what is to be said.
        """
        if reply.is_transient:
            # "Not reached" says nothing of the recipient; any other 4xx is the upstream's word.
            known = self._known.get(owner)
            return known.reply if known is not None and reply.enhanced == "4.4.1" else reply
        if reply.is_permanent and reply.enhanced not in ABOUT_RECIPIENT:
            # It may be about the sender, and another one may be welcome: remembered, it would
            # let anybody shut a recipient off from the world.
            return reply
        settings = self._settings
        seconds = settings.good_seconds if reply.is_positive else settings.bad_seconds
        self._known[owner] = _Known(reply, self._seconds() + seconds)
        self._known.move_to_end(owner)
        if len(self._known) > settings.entries:
            self._known.popitem(last=False)
        return reply

    def _answer(self, question: tuple[str, str], result: Reply | Failure) -> None:
        for waiting in self._asking.pop(question):
            if isinstance(result, Failure):
                waiting.errback(result)
            else:
                waiting.callback(result)
