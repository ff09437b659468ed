"""
What becomes of a message after the dot: holds, deliveries, and the one reply.

For several recipients with different verdicts or upstreams the order is: write every hold as
provisional; deliver, one group after the other; from the first 2xx on nothing can be taken
back, so what fails from there on is queued or held; confirm the holds; reply. The table of
outcomes is in docs/architecture.rst.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Sequence

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mailgate.delivery.answer import is_unknown, kept, not_reached
from mailgate.interfaces import (
    Hold,
    IDelivery,
    IDispatcher,
    IHub,
    IMessage,
    IRewriter,
    Outcome,
    Outgoing,
)
from mailgate.message.envelope import Envelope
from mailgate.message.record import Copy
from mailgate.reply import Reply
from mailgate.verdict import Action, Kind, Verdict
from mailgate.wire.address import Address

DUPLICATE = "duplicate possible"
"""The note that a copy may have been delivered although the sender will come again."""

_FULL = (errno.ENOSPC, errno.EDQUOT)


@frozen
class _Group:
    """
    Recipients with the same verdict and the same upstream.
    """

    verdict: Verdict
    delivery: IDelivery
    recipients: tuple[Address, ...]


@implementer(IDispatcher)
@frozen
class Dispatcher:
    """
    Carries verdicts out.
    """

    hub: IHub
    rewriter: IRewriter
    route_for: Callable[[Address], IDelivery | None]
    clock: IReactorTime

    def dispatch(
        self, envelope: Envelope, message: IMessage, verdicts: Sequence[Verdict], within: float
    ) -> Deferred[Outcome]:
        """
        Settle a message for all its recipients.
        """
        until = self.clock.seconds() + within
        settlement = _Settlement(self, envelope, message, until)
        if len(verdicts) == 1 and verdicts[0].action in (Action.ACCEPT, Action.TAG):
            groups = settlement.groups(verdicts)
            if len(groups) == 1:
                return settlement.settle_one(groups[0])
        return Deferred.fromCoroutine(settlement.settle(verdicts))


@define
class _Settlement:
    """
    One message on its way to its outcome.
    """

    log = Logger()

    dispatcher: Dispatcher
    envelope: Envelope
    message: IMessage
    until: float
    """When the reply is due, on the reactor's clock."""

    copies: dict[Address, Copy] = field(factory=dict)
    refusals: list[Reply] = field(factory=list)
    """What those were told who got a 5xx, by a verdict or by an upstream."""

    provisional: list[str] = field(factory=list)
    undeliverable: list[Hold] = field(factory=list)
    unsent: list[Outgoing] = field(factory=list)
    notes: list[str] = field(factory=list)
    is_delivered: bool = False
    """Whether an upstream has taken a copy: the point of no return."""

    # -- one group -------------------------------------------------------------------

    def settle_one(self, group: _Group) -> Deferred[Outcome]:
        """
        Settle a message that is to be delivered to one upstream, as most are.
        """
        delivering = self._deliver(group)
        return delivering.addCallback(self._delivered_one, group)

    def _delivered_one(
        self, replies: Sequence[Reply], group: _Group
    ) -> Outcome | Deferred[Outcome]:
        deferral = self._take(replies, group)
        if deferral is not None:
            return self._deferred(self._told(deferral), [group.verdict])
        if not self.is_delivered:
            return self._outcome(self.refusals[0])
        if self.unsent or self.undeliverable:
            return Deferred.fromCoroutine(self._keep_the_rest())
        return self._outcome(self._accepted())

    # -- all of them -----------------------------------------------------------------

    async def settle(self, verdicts: Sequence[Verdict]) -> Outcome:
        """
        Settle a message for groups of recipients.

        @raise CancelledError: it was cancelled before anything was delivered; nothing is kept.
        """
        for verdict in verdicts:
            if verdict.action is Action.DEFER and verdict.reply is not None:
                return self._deferred(verdict.reply, verdicts)
        refused = [verdict for verdict in verdicts if verdict.action is Action.REJECT]
        self.refusals += [verdict.reply for verdict in refused if verdict.reply is not None]
        for verdict in refused:
            self._note(verdict.recipients, "refused", verdict.reply)
        if len(refused) == len(verdicts):
            return self._outcome(self.refusals[0])
        for verdict in verdicts:
            if verdict.action is Action.DISCARD:
                self._note(verdict.recipients, "discarded", None)
        groups = self.groups(verdicts)
        holds = list(_holds(verdicts))
        if holds:
            try:
                ids = await self._hold(holds, provisional=bool(groups))
            except OSError as error:
                return self._deferred(self._no_room(error), verdicts)
            for hold, identity in zip(holds, ids, strict=True):
                self._note_hold(hold, identity)
            self.provisional += ids if groups else ()
        if not groups:
            return self._outcome(self._accepted())
        try:
            deferral = await self._deliver_all(groups)
        except CancelledError:
            await self._withdraw()
            raise
        is_kept = any(v.action in (Action.QUARANTINE, Action.DISCARD) for v in verdicts)
        if deferral is not None:
            await self._withdraw()
            return self._deferred(self._told(deferral), verdicts)
        if not (self.is_delivered or is_kept):
            await self._withdraw()
            return self._outcome(self.refusals[0])
        return await self._keep_the_rest()

    async def _deliver_all(self, groups: Sequence[_Group]) -> Reply | None:
        """
        Deliver to one upstream after the other, the least healthy first: what it refuses can
        then still be told to the sender.

        @return: a 4xx that came before anything was delivered, and ends it; else C{None}.
        """
        for group in sorted(groups, key=lambda group: -group.delivery.failures):
            try:
                replies = await self._deliver(group)
            except CancelledError:
                if not self.is_delivered:
                    raise
                replies = [not_reached("cancelled")] * len(group.recipients)
            deferral = self._take(replies, group)
            if deferral is not None:
                return deferral
        return None

    async def _keep_the_rest(self) -> Outcome:
        """
        Queue and hold what could not be delivered, confirm the holds, and accept.
        """
        hub = self.dispatcher.hub
        try:
            if self.unsent:
                ids = await kept(hub.enqueue(self.envelope, self.message, self.unsent))
                for copy, identity in zip(self.unsent, ids, strict=True):
                    self._note((copy.recipient,), "queued", None, copy.reason, identity)
            if self.undeliverable:
                ids = await kept(
                    hub.hold(self.envelope, self.message, self.undeliverable, provisional=False)
                )
                for hold, identity in zip(self.undeliverable, ids, strict=True):
                    self._note_hold(hold, identity)
            if self.provisional:
                await kept(hub.confirm(self.provisional))
        except OSError as error:
            self.log.failure(
                "{event} for {trace}", event="duplicate.possible", trace=self.envelope.trace
            )
            self._note_duplicate()
            return self._outcome(self._no_room(error))
        return self._outcome(self._accepted())

    # -- steps -----------------------------------------------------------------------

    def groups(self, verdicts: Iterable[Verdict]) -> list[_Group]:
        """
        Give those who are to be delivered to, by verdict and upstream.
        """
        groups = []
        for verdict in verdicts:
            if verdict.action not in (Action.ACCEPT, Action.TAG):
                continue
            by_delivery: dict[IDelivery, list[Address]] = {}
            for recipient in verdict.recipients:
                delivery = self.dispatcher.route_for(recipient)
                if delivery is None:
                    raise LookupError(f"{recipient} was accepted but has no route")
                by_delivery.setdefault(delivery, []).append(recipient)
            groups += [
                _Group(verdict, delivery, tuple(recipients))
                for delivery, recipients in by_delivery.items()
            ]
        return groups

    def _deliver(self, group: _Group) -> Deferred[Sequence[Reply]]:
        left = self.until - self.dispatcher.clock.seconds()
        if left <= 0:
            return succeed([not_reached("no time left")] * len(group.recipients))
        message = self.dispatcher.rewriter.apply(
            self.envelope.trace, group.verdict, self.message
        )
        return group.delivery.deliver(self.envelope, group.recipients, message, left)

    def _take(self, replies: Sequence[Reply], group: _Group) -> Reply | None:
        """
        Note what an upstream said.

        @return: a 4xx, where there is one and nothing has been delivered.
        """
        self.is_delivered = self.is_delivered or any(reply.is_positive for reply in replies)
        deferral = None
        for recipient, reply in zip(group.recipients, replies, strict=True):
            upstream = group.delivery.name
            if reply.is_positive:
                self._note((recipient,), "delivered", reply, reference=upstream)
            elif reply.is_permanent:
                self._note((recipient,), "refused", reply, reference=upstream)
                self.refusals.append(reply)
                self.undeliverable.append(
                    Hold(recipient, Kind.UNDELIVERABLE, group.verdict, str(reply))
                )
            else:
                outcome = "unknown" if is_unknown(reply) else "deferred"
                self._note((recipient,), outcome, reply, reference=upstream)
                if outcome == "unknown":
                    self._note_duplicate()
                self.unsent.append(
                    Outgoing(recipient, group.verdict.action, group.verdict.total, str(reply))
                )
                deferral = deferral or reply
        return None if self.is_delivered else deferral

    async def _hold(self, holds: Sequence[Hold], provisional: bool) -> Sequence[str]:
        return await self.dispatcher.hub.hold(
            self.envelope, self.message, holds, provisional=provisional
        )

    async def _withdraw(self) -> None:
        """
        Forget the provisional holds. Where that fails they become ordinary ones at the next
        start: at most a duplicate.
        """
        if not self.provisional:
            return
        try:
            await kept(self.dispatcher.hub.withdraw(self.provisional))
        except OSError:
            self.log.failure(
                "{event} for {trace}", event="hold.not_withdrawn", trace=self.envelope.trace
            )

    # -- what is said ----------------------------------------------------------------

    def _note(
        self,
        recipients: Iterable[Address],
        outcome: str,
        reply: Reply | None,
        words: str = "",
        reference: str = "",
    ) -> None:
        said = str(reply) if reply is not None else words
        for recipient in recipients:
            self.copies[recipient] = Copy(str(recipient), outcome, said, reference)

    def _note_hold(self, hold: Hold, identity: str) -> None:
        self._note((hold.recipient,), "held", None, hold.reason, identity)

    def _note_duplicate(self) -> None:
        if DUPLICATE not in self.notes:
            self.notes.append(DUPLICATE)

    def _accepted(self) -> Reply:
        return Reply(250, "2.0.0", f"accepted ({self.envelope.trace})")

    def _told(self, reply: Reply) -> Reply:
        """
        Give what the client hears of an upstream's trouble: an upstream's own words as they
        are, but not how we failed to reach it.
        """
        trace = self.envelope.trace
        if is_unknown(reply):
            return Reply(451, "4.4.2", f"connection lost further on, try again later ({trace})")
        if (reply.code, reply.enhanced) == (451, "4.4.1"):
            return Reply(451, "4.4.1", f"cannot be delivered now, try again later ({trace})")
        return reply

    def _no_room(self, error: OSError) -> Reply:
        trace = self.envelope.trace
        self.log.failure("{event} for {trace}", event="hold.failed", trace=trace)
        if error.errno in _FULL:
            return Reply(452, "4.3.1", f"no room at the moment ({trace})")
        return Reply(451, "4.3.0", f"local error, try again later ({trace})")

    def _deferred(self, reply: Reply, verdicts: Sequence[Verdict]) -> Outcome:
        """
        Nothing was delivered and nothing is kept: all shall come again.
        """
        for verdict in verdicts:
            for recipient in verdict.recipients:
                known = self.copies.get(recipient)
                if known is None or known.outcome not in ("deferred", "unknown"):
                    self._note((recipient,), "deferred", reply)
        return self._outcome(reply)

    def _outcome(self, reply: Reply) -> Outcome:
        return Outcome(reply, tuple(self.copies.values()), tuple(self.notes))


def _holds(verdicts: Sequence[Verdict]) -> Iterable[Hold]:
    """
    Give what is to be held: what is doubtful, and what is refused while others get a copy.
    """
    for verdict in verdicts:
        if verdict.action is Action.QUARANTINE:
            kind = verdict.kind
        elif verdict.action is Action.REJECT:
            kind = Kind.REFUSED
        else:
            continue
        for recipient in verdict.recipients:
            yield Hold(recipient, kind, verdict, str(verdict.reply or ""))
