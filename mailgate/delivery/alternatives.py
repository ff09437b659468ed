"""
Several upstreams of a route: which one is asked, and who comes next where it cannot be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from mailgate.delivery.answer import (
    NO_ANSWER,
    NO_TIME,
    QUESTION_SECONDS,
    Untaken,
    is_unreached,
)
from mailgate.interfaces import Capabilities, IDelivery, IMessage, Load, combined
from mailgate.message.envelope import Envelope
from mailgate.reply import Reply
from mailgate.wire.address import Address


@define(eq=False)
class Alternative:
    """
    One of the upstreams of a route.
    """

    delivery: IDelivery
    preference: int
    """Those with the lowest number that work are asked."""

    weight: int
    """How large its part is among those with the same preference."""

    credit: int = field(init=False, default=0)


@implementer(IDelivery)
class Alternatives:
    """
    Hands a message over to the first upstream that takes or refuses it.

    The next one is tried only where the one before has certainly not begun to take the message: it
    could not be reached, closed the connection before it said 354, or cannot take this message.
    """

    log = Logger()

    def __init__(self, alternatives: Sequence[Alternative], clock: IReactorTime) -> None:
        """
        @param clock: bounds all tries together.
        """
        ordered = sorted(alternatives, key=lambda each: each.preference)
        self._tiers = [list(tier) for _, tier in groupby(ordered, lambda each: each.preference)]
        self._deliveries = [each.delivery for each in ordered]
        self._clock = clock
        self.name = ", ".join(each.name for each in self._deliveries)

    @property
    def capabilities(self) -> Capabilities:
        """
        What all of them can take.
        """
        return combined([each.capabilities for each in self._deliveries])

    @property
    def failures(self) -> int:
        """
        Failures in a row of the one that works best.
        """
        return min(each.failures for each in self._deliveries)

    @property
    def is_open(self) -> bool:
        """
        Whether all of them have failed too often.
        """
        return all(each.is_open for each in self._deliveries)

    @property
    def load(self) -> Load:
        """
        How busy they are together.
        """
        loads = [each.load for each in self._deliveries]
        return Load(
            sum(load.busy for load in loads),
            sum(load.idle for load in loads),
            sum(load.waiting for load in loads),
        )

    def probe(self) -> Deferred[None]:
        """
        Ask all of them what they can take.
        """
        return DeferredList([each.probe() for each in self._deliveries]).addCallback(_nothing)

    def close(self) -> Deferred[None]:
        """
        End their idle connections and wait for the busy ones.
        """
        return DeferredList([each.close() for each in self._deliveries]).addCallback(_nothing)

    def verify(self, sender: Address, recipient: Address) -> Deferred[Reply]:
        """
        Ask the first that can be asked; all of them together take no longer than one may.
        """
        until = self._clock.seconds() + QUESTION_SECONDS

        def ask(delivery: IDelivery) -> Deferred[Sequence[Reply]]:
            left = until - self._clock.seconds()
            if left <= 0:
                return succeed(Untaken([NO_TIME]))
            asked = delivery.verify(sender, recipient)
            asked.addTimeout(left, self._clock, lambda _, seconds: NO_ANSWER)
            return asked.addCallback(_untaken_if_not_reached)

        return self._first(ask, "").addCallback(_only)

    def deliver(
        self,
        envelope: Envelope,
        recipients: Sequence[Address],
        message: IMessage,
        within: float | None = None,
    ) -> Deferred[Sequence[Reply]]:
        """
        Hand the message over; see L{IDelivery.deliver}.
        """
        until = None if within is None else self._clock.seconds() + within

        def ask(delivery: IDelivery) -> Deferred[Sequence[Reply]]:
            left = None if until is None else until - self._clock.seconds()
            return delivery.deliver(envelope, recipients, message, left)

        return self._first(ask, envelope.trace)

    def _first(
        self, ask: Callable[[IDelivery], Deferred[Sequence[Reply]]], trace: str
    ) -> Deferred[Sequence[Reply]]:
        """
        Ask one after the other, until one has answered.

        What is given is the Deferred of the first, so that it can be cancelled as long as that one
        can, and then as long as the one can that is being asked.
        """
        order = self._order()
        before: list[Sequence[Reply]] = []

        def answered(
            replies: Sequence[Reply], delivery: IDelivery
        ) -> Sequence[Reply] | Deferred[Sequence[Reply]]:
            named = [evolve(reply, upstream=delivery.name) for reply in replies]
            if not isinstance(replies, Untaken):
                return named
            before.append(Untaken(named))
            following = next(order, None)
            if following is None:
                # A refusal is told only where none of them might take it later.
                return next((each for each in before if each[0].is_transient), before[0])
            self.log.warn(
                "{event} {upstream} for {other}: {reply}",
                event="upstream.passed_over",
                upstream=delivery.name,
                other=following.name,
                reply=str(named[0]),
                trace=trace,
            )
            return ask(following).addCallback(answered, following)

        first = next(order)
        return ask(first).addCallback(answered, first)

    def _order(self) -> Iterator[IDelivery]:
        """
        Give them in the order in which they are asked, leaving out those that are known not to
        work as long as there is another one.
        """
        asked = False
        for tier in self._tiers:
            works = [each for each in tier if not each.delivery.is_open]
            first = works[0] if len(works) == 1 else _next(works) if works else None
            if first is not None:
                asked = True
                yield first.delivery
            for each in works:
                if each is not first and not each.delivery.is_open:
                    yield each.delivery
        if not asked:
            yield self._deliveries[0]


def _next(alternatives: Sequence[Alternative]) -> Alternative:
    """
    Choose one by weight, evenly spread: each earns its weight, and the richest pays for all.
    """
    for each in alternatives:
        each.credit += each.weight
    chosen = max(alternatives, key=lambda each: each.credit)
    chosen.credit -= sum(each.weight for each in alternatives)
    return chosen


def _untaken_if_not_reached(reply: Reply) -> Sequence[Reply]:
    return Untaken([reply]) if is_unreached(reply) else [reply]


def _only(replies: Sequence[Reply]) -> Reply:
    return replies[0]


def _nothing(_: object) -> None:
    """
    Give no result.
    """
