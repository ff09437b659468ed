"""
What a source of recipients has said, kept for a while.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from mailgate.interfaces import IRecipientSource, Listed, MaybeDeferred
from mailgate.knowledge.recipients import ABOUT_RECIPIENT, NOT_KNOWN_NOW
from mailgate.wire.address import Address
from mailgate.wire.normal import normal_address

NOT_ASKED = frozenset(("4.4.1", "4.4.3"))
"""Enhanced codes that say that a source could not be asked, and nothing of the recipient."""


@frozen
class Times:
    """
    How long an answer counts without being asked for anew, and how many are kept.
    """

    good_seconds: float
    bad_seconds: float
    entries: int
    """Of good ones, and as many of bad ones, so that whoever guesses pushes no good one out."""


@frozen
class _Known:
    listed: Listed
    until: float
    """Until when, on the reactor's clock, it is believed without asking."""


@implementer(IRecipientSource)
class Remembered:
    """
    A source that is asked only for what it has not said lately. While it cannot be asked, what it
    said before still counts, however old. All who ask for the same address at the same time share
    one question.
    """

    def __init__(
        self,
        source: IRecipientSource,
        times: Times,
        seconds: Callable[[], float],
        waiting: int = 1000,
    ) -> None:
        """
        @param seconds: the reactor's clock.
        @param waiting: how many questions may wait for their answer; what goes beyond it is
            answered at once as if the source could not be asked.
        """
        self._source = source
        self._times = times
        self._seconds = seconds
        self._waiting = waiting
        self._good: OrderedDict[str, _Known] = OrderedDict()
        self._bad: OrderedDict[str, _Known] = OrderedDict()
        self._asking: dict[tuple[str, str], list[Deferred[Listed]]] = {}
        self.name = source.name
        self.is_upstream = source.is_upstream

    def find(self, address: Address, sender: Address) -> MaybeDeferred[Listed]:
        """
        Look an address up: what is remembered is given as a value.
        """
        # The case of a local part is the mail server's own business.
        key = address.key if self.is_upstream else normal_address(address)
        known = self._of(key)
        if known is not None and known.until > self._seconds():
            return known.listed
        # Not shared with other senders: a mail server's refusal may be meant for one of them.
        question = (key, str(sender) if self.is_upstream else "")
        sharing = self._asking.get(question)
        if sharing is None:
            if len(self._asking) >= self._waiting:
                return NOT_KNOWN_NOW if known is None else known.listed
            found = self._source.find(address, sender)
            if isinstance(found, Listed):
                return self._take(key, found)
            self._asking[question] = sharing = []
            answer: Deferred[Listed] = Deferred()
            sharing.append(answer)
            found.addCallback(lambda listed: self._take(key, listed))
            found.addBoth(lambda result: self._answer(question, result))
            return answer
        answer = Deferred()
        sharing.append(answer)
        return answer

    def _of(self, key: str) -> _Known | None:
        for kept in (self._good, self._bad):
            known = kept.get(key)
            if known is not None:
                kept.move_to_end(key)
                return known
        return None

    def _take(self, key: str, listed: Listed) -> Listed:
        """
        Keep a lasting answer, and give what is to be said.
        """
        reply = listed.reply
        if reply.is_transient:
            # "Not reached" says nothing of the recipient; any other 4xx is the source's word.
            known = self._of(key)
            return known.listed if known is not None and reply.enhanced in NOT_ASKED else listed
        if reply.is_permanent and reply.enhanced not in ABOUT_RECIPIENT:
            # It may be about the sender, and another one may be welcome: remembered, it would
            # let anybody shut a recipient off from the world.
            return listed
        kept, other, seconds = self._good, self._bad, self._times.good_seconds
        if not reply.is_positive:
            kept, other, seconds = self._bad, self._good, self._times.bad_seconds
        other.pop(key, None)
        kept[key] = _Known(listed, self._seconds() + seconds)
        kept.move_to_end(key)
        if len(kept) > self._times.entries:
            kept.popitem(last=False)
        return listed

    def _answer(self, question: tuple[str, str], result: Listed | Failure) -> None:
        for waiting in self._asking.pop(question):
            if isinstance(result, Failure):
                waiting.errback(result)
            else:
                waiting.callback(result)
