"""
What carries verdicts out: the way of a message after the dot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import evolve, frozen
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from mailgate.delivery.settlement import DELIVERED, Settlement
from mailgate.interfaces import IDelivery, IDispatcher, IHub, IMessage, IRewriter, Outcome
from mailgate.message.envelope import Envelope
from mailgate.verdict import Verdict
from mailgate.wire.address import Address


def _as_it_is(recipient: Address) -> Address:
    return recipient


@implementer(IDispatcher)
@frozen
class Dispatcher:
    """
    Settles one message after the other; see L{Settlement} for the rules.
    """

    hub: IHub
    rewriter: IRewriter
    route_for: Callable[[Address], IDelivery | None]
    clock: IReactorTime
    full_address: Callable[[Address], Address] = _as_it_is
    """Gives C{postmaster} without a domain the domain that is meant."""

    def dispatch(
        self, envelope: Envelope, message: IMessage, verdicts: Sequence[Verdict], within: float
    ) -> Deferred[Outcome]:
        """
        Settle a message for all its recipients.

        @raise CancelledError: (in the Deferred) it was cancelled before anything had been
            delivered, and nothing is kept.
        """
        if not all(recipient.domain for verdict in verdicts for recipient in verdict.recipients):
            verdicts = [self._in_full(verdict) for verdict in verdicts]
        settlement = Settlement(
            self.hub,
            self.rewriter,
            self.route_for,
            self.clock,
            envelope,
            message,
            verdicts,
            within,
        )
        try:
            if len(verdicts) == 1 and verdicts[0].action in DELIVERED:
                groups = settlement.groups()
                if len(groups) == 1:
                    return settlement.settle_one(groups[0])
        except Exception:
            return succeed(settlement.has_broken())
        return Deferred.fromCoroutine(settlement.settle())

    def _in_full(self, verdict: Verdict) -> Verdict:
        return evolve(verdict, recipients=tuple(map(self.full_address, verdict.recipients)))
