"""
What carries verdicts out: the way of a message after the dot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import evolve, frozen
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from mailgate.delivery.apart import SettlementApart
from mailgate.delivery.queued import QueuedApart, QueuedSettlement
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
        self,
        envelope: Envelope,
        message: IMessage,
        verdicts: Sequence[Verdict],
        within: float,
        alone: bool = False,
    ) -> Deferred[Outcome]:
        """
        Settle a message for all its recipients.

        @raise CancelledError: (in the Deferred) it was cancelled before anything had been
            delivered, and nothing is kept.
        """
        if all(recipient.domain for verdict in verdicts for recipient in verdict.recipients):
            return self._settle(envelope, message, verdicts, within, alone)
        settled = self._in_full(verdicts)
        if envelope.wishes:
            envelope = self._with_wishes_in_full(envelope, verdicts)
        settling = self._settle(envelope, message, settled, within, alone)
        return settling.addCallback(self._told_to_all, settled, verdicts)

    def _settle(
        self,
        envelope: Envelope,
        message: IMessage,
        verdicts: Sequence[Verdict],
        within: float,
        alone: bool,
    ) -> Deferred[Outcome]:
        is_ours = envelope.session.is_trusted
        make: type[Settlement]
        if is_ours:
            make = QueuedApart if alone else QueuedSettlement
        else:
            make = SettlementApart if alone else Settlement
        settlement = make(
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
            if not (alone or is_ours) and len(verdicts) == 1 and verdicts[0].action in DELIVERED:
                groups = settlement.groups()
                if len(groups) == 1:
                    return settlement.settle_one(groups[0])
        except Exception:
            return succeed(settlement.has_broken())
        return Deferred.fromCoroutine(settlement.settle())

    # -- postmaster without a domain ---------------------------------------------------

    def _in_full(self, verdicts: Sequence[Verdict]) -> Sequence[Verdict]:
        """
        Give the recipients their full addresses, each once: whoever was named with the
        domain and without it gets one copy, by the first verdict on it.
        """
        keys: set[str] = set()
        in_full = []
        for verdict in verdicts:
            recipients = []
            for recipient in map(self.full_address, verdict.recipients):
                if recipient.key not in keys:
                    keys.add(recipient.key)
                    recipients.append(recipient)
            if recipients:
                in_full.append(evolve(verdict, recipients=tuple(recipients)))
        return in_full

    def _with_wishes_in_full(self, envelope: Envelope, verdicts: Sequence[Verdict]) -> Envelope:
        """
        Let those who were named without a domain keep what was said of notices for them.
        """
        wishes = dict(envelope.wishes)
        for recipient in (r for verdict in verdicts for r in verdict.recipients):
            if wish := envelope.wish_of(recipient):
                wishes.setdefault(self.full_address(recipient).key, wish)
        return evolve(envelope, wishes=wishes)

    def _told_to_all(
        self, outcome: Outcome, settled: Sequence[Verdict], named: Sequence[Verdict]
    ) -> Outcome:
        """
        Say of everybody who was named what became of the one copy.
        """
        keys = [recipient.key for verdict in settled for recipient in verdict.recipients]
        copies = dict(zip(keys, outcome.copies, strict=True))
        replies = dict(zip(keys, outcome.replies, strict=False))
        everybody = [self.full_address(r) for verdict in named for r in verdict.recipients]
        return evolve(
            outcome,
            copies=tuple(evolve(copies[each.key], recipient=str(each)) for each in everybody),
            replies=tuple(replies[each.key] for each in everybody) if replies else (),
        )
