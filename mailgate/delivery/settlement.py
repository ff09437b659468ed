"""
What becomes of one message after the dot: holds, deliveries, and the one reply.

If any verdict is C{defer}, nothing is delivered. Otherwise, for several recipients with
different verdicts or upstreams: every hold is written as provisional; then comes one delivery
after the other; from the first 2xx on nothing can be taken back, so that what an upstream
defers is queued from there on, and what it refuses is held; the holds are confirmed; the reply.
Cancelling stops it up to the first 2xx; then it goes on to its end. The table of outcomes is in
docs/architecture.rst.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailgate.delivery.answer import is_full, is_unknown, is_unreached, kept, lost, not_reached
from mailgate.interfaces import Hold, IDelivery, IHub, IMessage, IRewriter, Outcome, Outgoing
from mailgate.message.envelope import Envelope
from mailgate.message.record import Copy
from mailgate.reply import Reply
from mailgate.verdict import Action, Kind, Verdict
from mailgate.wire.address import Address

T = TypeVar("T")

DUPLICATE = "duplicate possible"
"""The note that a copy may have been delivered although the sender will come again."""

DELIVERED = frozenset((Action.ACCEPT, Action.TAG))
HELD = frozenset((Action.QUARANTINE, Action.REJECT))

_STORING_SECONDS = 5.0
"""What deliveries leave of the time, so that what they did not take can still be stored."""


@frozen(eq=False)
class Group:
    """
    Recipients with the same verdict and the same upstream.
    """

    verdict: Verdict
    delivery: IDelivery
    recipients: tuple[Address, ...]


@define(eq=False)
class Settlement:
    """
    One message on its way to its outcome.
    """

    log = Logger()

    hub: IHub
    rewriter: IRewriter
    route_for: Callable[[Address], IDelivery | None]
    clock: IReactorTime
    envelope: Envelope
    message: IMessage
    verdicts: Sequence[Verdict]
    within: float

    until: float = field(init=False)
    """When the reply is due, on the reactor's clock."""

    copies: dict[Address, Copy] = field(init=False, factory=dict)
    refused: dict[Address, tuple[Reply, str]] = field(init=False, factory=dict)
    """The 5xx of those who got one, and the upstream it came from, C{""} for a verdict's."""

    provisional: list[str] = field(init=False, factory=list)
    undeliverable: list[Hold] = field(init=False, factory=list)
    unsent: list[Outgoing] = field(init=False, factory=list)
    notes: list[str] = field(init=False, factory=list)
    is_delivered: bool = field(init=False, default=False)
    """Whether an upstream or the outbox has taken a copy: the point of no return."""

    @until.default
    def _until(self) -> float:
        return self.clock.seconds() + self.within

    # -- one group -------------------------------------------------------------------

    def settle_one(self, group: Group) -> Deferred[Outcome]:
        """
        Settle a message that is to be delivered to one upstream, as most are.
        """
        return self._deliver(group).addCallbacks(
            self._delivered_one, self._broken, callbackArgs=(group,)
        )

    def _delivered_one(self, replies: Sequence[Reply], group: Group) -> Outcome | Deferred[Outcome]:
        deferral = self._take(replies, group)
        if self.unsent or self.undeliverable:
            return Deferred.fromCoroutine(self._conclude(deferral))
        return self._outcome(self._accepted())

    # -- all of them -----------------------------------------------------------------

    async def settle(self) -> Outcome:
        """
        Settle a message for groups of recipients.

        @raise CancelledError: it was cancelled before anything was delivered; nothing is kept.
        """
        try:
            return await self._settle()
        except CancelledError:
            await self._withdraw()
            raise
        except Exception:
            await self._withdraw()
            return self.has_broken()

    async def _settle(self) -> Outcome:
        for verdict in self.verdicts:
            if verdict.action is Action.DEFER and verdict.reply is not None:
                return self._deferred(verdict.reply)
        for verdict in self.verdicts:
            if verdict.action is Action.REJECT and verdict.reply is not None:
                self._refuse(verdict.recipients, verdict.reply)
            elif verdict.action is Action.DISCARD:
                for recipient in verdict.recipients:
                    self._note(recipient, "discarded")
        if all(verdict.action is Action.REJECT for verdict in self.verdicts):
            return self._outcome(self._refusal())
        groups = self.groups()
        try:
            await self._hold(list(self._holds()), is_provisional=bool(groups))
        except (OSError, TimeoutError) as error:
            return self._not_stored(error)
        deferral = await self._deliver_all(groups)
        return await self._conclude(deferral)

    async def _deliver_all(self, groups: Sequence[Group]) -> Reply | None:
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
                replies = [not_reached("the client is gone")] * len(group.recipients)
            except Exception:
                self.log.failure(
                    "{event} for {trace}", event="delivery.failed", trace=self.envelope.trace
                )
                replies = [lost("local error")] * len(group.recipients)
            deferral = self._take(replies, group)
            if deferral is not None:
                return deferral
        return None

    async def _conclude(self, deferral: Reply | None) -> Outcome:
        """
        Answer when all deliveries have ended: keep what they have left over, or nothing.

        @param deferral: a 4xx that came before anything was delivered.
        """
        if deferral is not None:
            await self._withdraw()
            return self._deferred(self._told(deferral))
        is_kept = any(v.action in (Action.QUARANTINE, Action.DISCARD) for v in self.verdicts)
        if not (self.is_delivered or self.unsent or is_kept):
            await self._withdraw()
            for recipient, (reply, upstream) in self.refused.items():
                self._note(recipient, "refused", str(reply), upstream)
            return self._outcome(self._refusal())
        try:
            await self._keep_the_rest()
        except CancelledError:
            raise
        except Exception as error:
            await self._withdraw()
            return self._not_stored(error)
        return self._outcome(self._accepted())

    async def _keep_the_rest(self) -> None:
        """
        Hold and queue what could not be delivered, and confirm the holds.
        """
        await self._hold(self.undeliverable, is_provisional=True)
        if self.unsent:
            queueing = self._in_time(self.hub.enqueue(self.envelope, self.message, self.unsent))
            ids = await (kept(queueing) if self.is_delivered else queueing)
            self.is_delivered = True
            for copy, identity in zip(self.unsent, ids, strict=True):
                self._note(copy.recipient, "queued", copy.reason, identity)
        if self.provisional:
            await kept(self._in_time(self.hub.confirm(self.provisional)))

    # -- steps -----------------------------------------------------------------------

    def groups(self) -> list[Group]:
        """
        Give those who are to be delivered to, by verdict and upstream.

        @raise LookupError: there is no upstream for one who was accepted.
        """
        groups = []
        for verdict in self.verdicts:
            if verdict.action not in DELIVERED:
                continue
            by_delivery: dict[IDelivery, list[Address]] = {}
            for recipient in verdict.recipients:
                delivery = self.route_for(recipient)
                if delivery is None:
                    raise LookupError(f"{recipient} was accepted but has no route")
                by_delivery.setdefault(delivery, []).append(recipient)
            groups += [
                Group(verdict, delivery, tuple(recipients))
                for delivery, recipients in by_delivery.items()
            ]
        return groups

    def _holds(self) -> Iterator[Hold]:
        """
        Give what is to be held: what is doubtful, and what is refused while others get a copy.
        """
        for verdict in self.verdicts:
            if verdict.action in HELD:
                is_refused = verdict.action is Action.REJECT
                kind = Kind.REFUSED if is_refused else verdict.kind
                for recipient in verdict.recipients:
                    yield Hold(recipient, kind, verdict)

    async def _hold(self, holds: Sequence[Hold], is_provisional: bool) -> None:
        if not holds:
            return
        holding = self.hub.hold(self.envelope, self.message, holds, provisional=is_provisional)
        waiting = self._in_time(holding)
        ids = await (kept(waiting) if self.is_delivered else waiting)
        for hold, identity in zip(holds, ids, strict=True):
            self._note(hold.recipient, "held", hold.reason, identity)
        if is_provisional:
            self.provisional += ids

    def _in_time(self, storing: Deferred[T]) -> Deferred[T]:
        """
        Let the hub take back what it has not stored in time.
        """
        left = max(0.0, self.until - self.clock.seconds())
        return storing.addTimeout(left, self.clock)

    def _deliver(self, group: Group) -> Deferred[Sequence[Reply]]:
        left = self.until - self.clock.seconds() - min(_STORING_SECONDS, self.within / 10)
        message = self.rewriter.apply(self.envelope.trace, group.verdict, self.message)
        return group.delivery.deliver(self.envelope, group.recipients, message, left)

    def _take(self, replies: Sequence[Reply], group: Group) -> Reply | None:
        """
        Note what an upstream said.

        @return: a 4xx, where there is one and nothing has been delivered.
        """
        verdict = group.verdict
        deferral = None
        for recipient, reply in zip(group.recipients, replies, strict=True):
            upstream = reply.upstream or group.delivery.name
            said = str(reply)
            if reply.is_positive:
                self.is_delivered = True
                self._note(recipient, "delivered", said, upstream)
            elif reply.is_permanent:
                self._refuse((recipient,), reply, upstream)
                hold = Hold(recipient, Kind.UNDELIVERABLE, verdict, said)
                self.undeliverable.append(hold)
            else:
                is_lost = is_unknown(reply)
                self._note(recipient, "unknown" if is_lost else "deferred", said, upstream)
                if is_lost:
                    self._note_duplicate()
                self.unsent.append(
                    Outgoing(recipient, verdict.action, verdict.total, said, verdict.findings)
                )
                deferral = deferral or reply
        return None if self.is_delivered else deferral

    async def _withdraw(self) -> None:
        """
        Forget the provisional holds. Where that fails they become ordinary ones at the next
        start: at most a duplicate.
        """
        ids, self.provisional = self.provisional, []
        if not ids:
            return
        try:
            await kept(self.hub.withdraw(ids))
        except Exception:
            self.log.failure(
                "{event} for {trace}", event="hold.not_withdrawn", trace=self.envelope.trace
            )

    # -- what is noted and said ------------------------------------------------------

    def _note(self, recipient: Address, outcome: str, said: str = "", reference: str = "") -> None:
        self.copies[recipient] = Copy(str(recipient), outcome, said, reference)

    def _refuse(self, recipients: Sequence[Address], reply: Reply, upstream: str = "") -> None:
        for recipient in recipients:
            self.refused[recipient] = (reply, upstream)
            self._note(recipient, "refused", str(reply), upstream)

    def _note_duplicate(self) -> None:
        if DUPLICATE not in self.notes:
            self.notes.append(DUPLICATE)
            self.log.warn(
                "{event} of {trace}", event="duplicate.possible", trace=self.envelope.trace
            )

    def _accepted(self) -> Reply:
        return Reply(250, "2.0.0", f"accepted ({self.envelope.trace})")

    def _refusal(self) -> Reply:
        """
        Give the first 5xx.
        """
        recipients = (r for verdict in self.verdicts for r in verdict.recipients)
        return next(self.refused[r][0] for r in recipients if r in self.refused)

    def _told(self, reply: Reply) -> Reply:
        """
        Give what the client hears of an upstream's trouble: an upstream's own words as they
        are, but not how we failed to reach it.
        """
        trace = self.envelope.trace
        if is_unknown(reply):
            return Reply(451, "4.4.2", f"connection lost further on, try again later ({trace})")
        if is_unreached(reply):
            return Reply(451, "4.4.1", f"cannot be delivered now, try again later ({trace})")
        return reply

    def _not_stored(self, error: Exception) -> Outcome:
        """
        Let the sender come again, as not everything could be stored.
        """
        return self._deferred(self._storage_trouble(error))

    def _storage_trouble(self, error: Exception) -> Reply:
        """
        Log what could not be stored, the exception that is being handled; give what the client
        hears of it.
        """
        trace = self.envelope.trace
        self.log.failure("{event} for {trace}", event="hold.failed", trace=trace)
        if not self.is_delivered and is_full(error):
            return Reply(452, "4.3.1", f"no room at the moment ({trace})")
        return self._local_error()

    def has_broken(self) -> Outcome:
        """
        Answer for a mistake of ours, the exception that is being handled.
        """
        self.log.failure("{event} for {trace}", event="dispatch.failed", trace=self.envelope.trace)
        return self._deferred(self._local_error())

    def _broken(self, failure: Failure) -> Outcome | Failure:
        if isinstance(failure.value, CancelledError):
            return failure
        self.log.failure(
            "{event} for {trace}", failure, event="dispatch.failed", trace=self.envelope.trace
        )
        return self._deferred(self._local_error())

    def _local_error(self) -> Reply:
        return Reply(451, "4.3.0", f"local error, try again later ({self.envelope.trace})")

    def _deferred(self, reply: Reply) -> Outcome:
        """
        Let the sender come again for all who are not settled.
        """
        if self.is_delivered:
            self._note_duplicate()
        for verdict in self.verdicts:
            for recipient in verdict.recipients:
                copy = self.copies.get(recipient)
                if copy is None or copy.outcome in ("held", "refused", "discarded"):
                    self._note(recipient, "deferred", str(reply))
        return self._outcome(reply)

    def _outcome(self, reply: Reply) -> Outcome:
        copies = [self.copies[r] for verdict in self.verdicts for r in verdict.recipients]
        return Outcome(reply, tuple(copies), tuple(self.notes))
