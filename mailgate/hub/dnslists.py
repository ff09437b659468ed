"""
Whether the lists in the DNS can be believed: they are tested here, once for all workers.

A list is asked once it has passed its test, and until it fails one or a worker sees that it is not
to be believed; then it is off for all until it passes a later test. What is known outlives workers
and reloads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address

from attrs import define, evolve
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mailgate.config.checks import CheckMode, DnsListsCheck
from mailgate.interfaces import IResolver
from mailgate.knowledge.dnslists import ListInDns, ListState, ListTrouble, silence
from mailgate.reporting.status import DnsListStatus
from mailgate.wire.dns.answer import A, Answer, Records, Unknown

SECONDS = 60.0
"""How often it is looked whether a list is to be tested."""

TEST_SECONDS = 20.0
"""How long the test of all lists may take."""

TEST_QUERIES = 400
"""How many look-ups it may take: four for each list, and there are 40 at most."""

AGAIN_SECONDS = 300.0
"""How long a list that fails is left alone before it is tested again."""

SOON_SECONDS = 60.0
"""How long a silent one is: it costs nothing, and it may be the network that is back."""

_HOUR = 3600.0
_REASON = 200


@define(eq=False)
class _Watched:
    """
    A list, and when it was and will be tested.
    """

    one: ListInDns
    since: float
    """Since when it is as it is, in seconds since the epoch."""

    due: float = 0.0
    """When it is tested next, by the clock."""

    tested: float | None = None
    """When it was last, in seconds since the epoch."""

    def status(self) -> DnsListStatus:
        """
        Give how it is.
        """
        one, state = self.one, self.one.state
        trouble = state.trouble.value if state.trouble else ""
        return DnsListStatus(one.name, trouble, state.reason, self.since, self.tested)


class ListWatch:
    """
    Tests the lists of the configuration, and tells how they are.
    """

    log = Logger()

    def __init__(
        self, section: DnsListsCheck, clock: Callable[[], float], now: Callable[[], float]
    ) -> None:
        """
        @param clock: gives seconds that only rise.
        @param now: gives the time in seconds since the epoch.
        """
        self._clock = clock
        self._now = now
        self._watched: dict[str, _Watched] = {}
        self.changed: Callable[[tuple[ListState, ...]], object] = lambda states: None
        """Told of the lists that are not as they were."""

        self.take_up(section)

    def take_up(self, section: DnsListsCheck) -> None:
        """
        Take up the configuration. What is known of a list that is tested as before is kept.
        """
        self._test_seconds = section.test_hours * _HOUR
        known, self._watched = self._watched, {}
        if section.mode is CheckMode.OFF:
            return
        for name, each in section.lists.items():
            one = ListInDns.of_section(name, each)
            old = known.get(name)
            if old is None or old.one.state.points != one.state.points:
                self._watched[name] = _Watched(one, self._now())
                continue
            one.state, old.one = old.one.state, one
            old.due = min(old.due, self._clock() + self._test_seconds)
            self._watched[name] = old

    def states(self) -> tuple[ListState, ...]:
        """
        Give how all lists are.
        """
        return tuple(each.one.state for each in self._watched.values())

    def status(self) -> tuple[DnsListStatus, ...]:
        """
        Give the same for whoever looks how the gateway is.
        """
        return tuple(each.status() for each in self._watched.values())

    def failed(self, told: ListState) -> None:
        """
        Take in that a worker has seen that a list is not to be believed. A worker of an old
        configuration may tell of lists that are no more.
        """
        watched = self._watched.get(told.name)
        if watched is None or watched.one.state.points != told.points:
            return
        # Only who tests it knows whether it passes.
        if watched.one.state.trouble is None and told.trouble in (
            ListTrouble.SILENT,
            ListTrouble.REFUSED,
            ListTrouble.HIJACKED,
        ):
            self._switch_off(watched, told.trouble, told.reason[:_REASON])

    async def test(self, resolver: IResolver) -> None:
        """
        Test each list whose time it is (RFC 5782 section 5), all at the same time.
        """
        now = self._clock()
        due = [each for each in self._watched.values() if each.due <= now]
        asked = [[resolver.look_up(name, A) for name in each.one.state.points] for each in due]
        for watched, points in zip(due, asked, strict=True):
            answers = [await each if isinstance(each, Deferred) else each for each in points]
            # One that was taken out or switched off meanwhile has not passed a later test.
            if self._watched.get(watched.one.name) is watched and watched.due <= now:
                self._judge(watched, answers)

    def _judge(self, watched: _Watched, answers: Sequence[Answer[IPv4Address]]) -> None:
        one = watched.one
        for number, answer in enumerate(answers):
            meaning = one.read(answer)
            if isinstance(answer, Unknown) and meaning.trouble is None:
                # Nobody was asked, so nothing is known of the list.
                watched.due = self._clock() + SOON_SECONDS
                return
            watched.tested = self._now()
            if meaning.trouble is ListTrouble.SILENT:
                self._switch_off(watched, meaning.trouble, silence(meaning.reason))
                return
            if meaning.trouble is not None:
                self._switch_off(watched, meaning.trouble, meaning.reason)
                return
            is_listed = isinstance(answer, Records)
            if is_listed == bool(number % 2):
                point = one.state.points[number].removesuffix(f".{one.zone}")
                words = "lists everything" if is_listed else "does not list its test entry"
                self._switch_off(watched, ListTrouble.SELF_TEST, f"it {words}: {point}")
                return
        watched.due = self._clock() + self._test_seconds
        old = one.state.trouble
        if old is None:
            return
        if old is not ListTrouble.UNTESTED:
            self.log.info("{event} {list} works again", event="dnslist.on", list=one.name)
        self._change(watched, None, "")

    def _switch_off(self, watched: _Watched, trouble: ListTrouble, reason: str) -> None:
        pause = SOON_SECONDS if trouble is ListTrouble.SILENT else AGAIN_SECONDS
        watched.due = self._clock() + pause
        state = watched.one.state
        if state.trouble is not trouble:
            self.log.error(
                "{event} {list} is not asked any more: {reason}",
                event="dnslist.off",
                list=watched.one.name,
                trouble=trouble.value,
                reason=reason,
            )
        if (state.trouble, state.reason) != (trouble, reason):
            self._change(watched, trouble, reason)

    def _change(self, watched: _Watched, trouble: ListTrouble | None, reason: str) -> None:
        if watched.one.state.trouble is not trouble:
            watched.since = self._now()
        watched.one.state = evolve(watched.one.state, trouble=trouble, reason=reason)
        self.changed((watched.one.state,))
