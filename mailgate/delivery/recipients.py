"""
Who may be sent to: addresses of the routes' domains that exist.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from mailgate.delivery.routes import Routes
from mailgate.interfaces import (
    EXISTS,
    Admission,
    Capabilities,
    IRecipients,
    MaybeDeferred,
    combined,
)
from mailgate.message.envelope import Envelope
from mailgate.reply import Reply
from mailgate.wire.address import Address

if TYPE_CHECKING:
    from mailgate.knowledge.recipients import Directory, Resolution
    from mailgate.knowledge.traps import Bait, TrapRule

NOT_OURS = Reply(550, "5.7.1", "no mail for this domain is taken here")
NO_RELAY = Reply(550, "5.7.1", "no mail is relayed through another address")
NO_SUCH_RECIPIENT = "5.1.1"
# An address inside an address: some mail servers send such mail on to the inner one.
_INNER_ADDRESS = re.compile(r"[%@!]")


@implementer(IRecipients)
class Recipients:
    """
    Admits the recipients that exist.
    """

    def __init__(
        self,
        routes: Routes,
        directory: Directory,
        of_queued: Directory,
        rewrites: bool = False,
        traps: TrapRule | None = None,
        commands: frozenset[str] = frozenset(),
    ) -> None:
        """
        @param directory: knows who exists.
        @param of_queued: the same for mail of people and machines of ours, which is queued.
        @param rewrites: whether an alias decides where its copy goes.
        @param traps: which addresses are traps; without, none is.
        @param commands: the gateway's own addresses, in lower case.
        """
        self._traps = traps
        self._commands = commands
        self._routes = routes
        self._directory = directory
        self._of_queued = of_queued
        self._rewrites = rewrites

    def ask(self, envelope: Envelope, recipient: Address) -> MaybeDeferred[Admission]:
        """
        Say whether a recipient exists.

        Whether somebody elsewhere exists, to whom only people and machines of ours may write, is
        not asked.
        """
        routes, sender = self._routes, envelope.sender
        delivery = routes.route_for(recipient)
        is_sent_from_here = envelope.session.is_trusted
        if is_sent_from_here and recipient.key.lower() in self._commands:
            return Admission(EXISTS, evolve(recipient, is_command=True))
        if delivery is None and not (is_sent_from_here and routes.default is not None):
            return Admission(NOT_OURS, recipient)
        full = routes.full_address(recipient)
        # Every domain has these (RFC 5321 section 4.5.1, RFC 2142).
        is_always = recipient.is_protected
        if not is_always and _INNER_ADDRESS.search(recipient.local):
            return Admission(NO_RELAY, recipient)
        if delivery is None:
            return Admission(EXISTS, recipient)
        bait = None
        if self._traps is not None and not is_sent_from_here:
            bait = self._traps.bait(full, envelope.session.client)
            if bait is not None and bait.is_sure and self._traps.catches:
                return Admission(EXISTS, evolve(recipient, is_trap=True))
        directory = self._of_queued if is_sent_from_here else self._directory
        found = _resolve(directory, full, sender)
        # Where a copy for them goes says nothing of who they are: they stay what they are.
        rewrites = self._rewrites and not is_always
        admission: MaybeDeferred[Admission]
        if isinstance(found, Deferred):
            admission = found.addCallback(_admit, recipient, rewrites, envelope.utf8)
        else:
            admission = _admit(found, recipient, rewrites, envelope.utf8)
        return admission if bait is None else self._trap(admission, bait)

    def _trap(self, admission: MaybeDeferred[Admission], bait: Bait) -> MaybeDeferred[Admission]:
        """
        Admit a trap of which it had to be asked whether it exists.
        """
        if isinstance(admission, Deferred):
            return admission.addCallback(self._trapped, bait)
        return self._trapped(admission, bait)

    def _trapped(self, admission: Admission, bait: Bait) -> Admission:
        recipient = evolve(admission.recipient, is_trap=True)
        if bait.is_sure:
            # It is not caught here, so it is a trap only where it exists.
            return evolve(admission, recipient=recipient)
        assert self._traps is not None
        if admission.reply.enhanced == NO_SUCH_RECIPIENT and self._traps.catches:
            return Admission(EXISTS, recipient)
        return admission

    def explain(self, recipient: Address, sender: Address) -> Deferred[Resolution]:
        """
        Find out how L{ask} has come to its answer for somebody in a domain of the routes.
        """
        full = self._routes.full_address(recipient)
        found = _resolve(self._directory, full, sender, in_full=True)
        return found if isinstance(found, Deferred) else succeed(found)

    def offers(self) -> Capabilities:
        """
        Give what all routes can take.
        """
        return combined([delivery.capabilities for delivery in self._routes.deliveries()])


def _resolve(
    directory: Directory, address: Address, sender: Address, in_full: bool = False
) -> MaybeDeferred[Resolution]:
    if address.is_protected:
        return directory.resolve_always(address, sender)
    return directory.resolve(address, sender, in_full)


def _admit(found: Resolution, recipient: Address, rewrites: bool, utf8: bool) -> Admission:
    if found.is_plain or not found.reply.is_positive:
        return Admission(found.reply, recipient)
    if rewrites and found.is_led and (utf8 or found.target.is_ascii):
        recipient = Address(found.target.local, found.target.host)
    if found.owner.key not in (recipient.key, f"{recipient.local}@"):
        recipient = evolve(recipient, belongs_to=found.owner)
    return Admission(found.reply, recipient)
