"""
A source of recipients as it counts for mail that is queued, whose sender waits for nobody.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError
from zope.interface import implementer

from mailgate.interfaces import EXISTS, IRecipientSource, Listed, MaybeDeferred
from mailgate.wire.address import Address

PRESUMED = Listed(EXISTS)
"""What is said of an address that its source says nothing of for now."""


@implementer(IRecipientSource)
class Presumed:
    """
    Presumes that whoever cannot be looked up exists: only a lasting refusal is one.
    """

    def __init__(
        self, source: IRecipientSource, is_failing: Callable[[], bool] = lambda: False
    ) -> None:
        """
        @param is_failing: tells whether an answer is not worth to be waited for.
        """
        self._source = source
        self._is_failing = is_failing
        self.name = source.name
        self.is_upstream = source.is_upstream

    def find(self, address: Address, sender: Address) -> MaybeDeferred[Listed]:
        """
        Look an address up. An upstream that fails is asked too, and whoever is next has its answer.
        """
        found = self._source.find(address, sender)
        if isinstance(found, Listed):
            return _presumed(found)
        if self.is_upstream and self._is_failing():
            found.addErrback(lambda failure: failure.trap(CancelledError))
            found.cancel()
            return PRESUMED
        return found.addCallback(_presumed)


def _presumed(listed: Listed) -> Listed:
    return PRESUMED if listed.reply.is_transient else listed
