"""
An upstream as a source of recipients: it is asked before a recipient is accepted.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailgate.interfaces import NOBODY, IDelivery, IRecipientSource, Listed, MaybeDeferred
from mailgate.reply import Reply
from mailgate.wire.address import Address


@implementer(IRecipientSource)
class CallForward:
    """
    Asks an upstream by MAIL and RCPT, with the real sender.
    """

    is_upstream = True

    def __init__(self, delivery: IDelivery) -> None:
        self._delivery = delivery
        self.name = delivery.name

    def find(self, address: Address, sender: Address) -> MaybeDeferred[Listed]:
        """
        Look an address up. What an upstream takes of all others of a domain, it takes when it is
        asked for them.
        """
        if not address.local:
            return NOBODY
        asked: Deferred[Reply] = self._delivery.verify(sender, address)
        return asked.addCallback(Listed)
