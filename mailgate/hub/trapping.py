"""
What is done when somebody has written to a trap: he is marked, and his message is learned as spam.

It is seen in the records of transactions, after the reply, so that it changes no verdict and holds
nobody up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailgate.config.model import Settings
from mailgate.config.values import parse_network
from mailgate.interfaces import ILearner, Mark
from mailgate.knowledge.greylist import network_named
from mailgate.knowledge.trap_store import Guess, News, TrapStore
from mailgate.message.envelope import STRANGERS
from mailgate.message.record import Copy, Record
from mailgate.quarantine.held import Quarantine
from mailgate.store.database import StoreError
from mailgate.wire.address import Address
from mailgate.wire.network import Network, address_of, is_within
from mailgate.wire.normal import normal_address

SYMBOL = "TRAP_RECIPIENT"
"""What the check finds of the copy for a trap."""

WAITING = 10_000
"""How many guesses, and how many addresses that exist, wait to be written; more are left out."""

SEEN = 100_000
"""How many addresses are known to be written already; beyond that they are written again."""

LESSONS_WAITING = 100

_FOR_HIM = ("ALLOWED_", "REPUTATION_GOOD")
"""How the symbols begin of what speaks for a sender: that he is allowed, or known and verified."""

_DAY = 86400.0


class Trapping:
    """
    Reads records, and keeps what they say of traps.
    """

    log = Logger()

    def __init__(
        self,
        store: TrapStore,
        quarantine: Quarantine,
        learner: ILearner,
        settings: Settings,
        marks: Sequence[Mark],
        now: Callable[[], float],
    ) -> None:
        """
        @param marks: are told who has written to a trap.
        @param now: the time in seconds since the epoch.
        """
        self._store = store
        self._quarantine = quarantine
        self._learner = learner
        self.marks = marks
        self._now = now
        self._hits: Counter[str] = Counter()
        self._guesses: dict[Guess, None] = {}
        self._real: dict[str, None] = {}
        self._seen: dict[str, None] = {}
        self._turns = DeferredSemaphore(1)
        self._day = 0
        self._lessons: Counter[str] = Counter()
        self._waiting = 0
        self.take_up(settings)

    def take_up(self, settings: Settings) -> None:
        """
        Take up other settings.
        """
        self._section = settings.checks.traps
        self._domains = settings.domains
        relays = settings.relays.networks
        self._ours: Sequence[Network] = tuple(
            map(parse_network, (*self._section.exempt_networks, *relays))
        )

    def concluded(self, record: Record) -> None:
        """
        Take note of how a transaction ended.
        """
        traps = _traps_of(record)
        if traps:
            self._hit(record, traps)
        for address in self._there(record, traps):
            if address not in self._seen and len(self._real) < WAITING:
                if len(self._seen) >= SEEN:
                    self._seen.clear()
                self._seen[address] = None
                self._real[address] = None
        if self._section.learn_after_guesses and record.session.is_stranger and record.sender:
            self._guess(record)

    def write(self) -> Deferred[None]:
        """
        Write what was seen, and let it count. What cannot be written waits for the next time.

        @raise StoreError: it cannot.
        """
        hits, guesses, real = self._hits, self._guesses, self._real
        news = News(hits, tuple(guesses), tuple(map(_normal, real)))
        if not news:
            return succeed(None)
        self._hits, self._guesses, self._real = Counter(), {}, {}

        def failed(failure: Failure) -> Failure:
            if failure.check(StoreError):
                self._hits += hits
                self._guesses = guesses | self._guesses
                self._real = real | self._real
            return failure

        return self._store.take(news).addErrback(failed)

    # -- inside ------------------------------------------------------------------------

    def _hit(self, record: Record, traps: Sequence[str]) -> None:
        client = self._client(record)
        for trap in traps:
            self._hits[_normal(trap)] += 1
        self.log.info(
            "{event} {address} by {client}",
            event="trap.hit",
            address=traps[0],
            client=client,
            trace=record.trace,
        )
        # Notices come from whoever got mail in the name of the trap, which anybody can send.
        if not record.sender or not client or _is_allowed(record):
            return
        for mark in self.marks:
            mark(client, f"wrote to the trap {traps[0]}")
        held = _held_alone(record, traps)
        if held is not None:
            self._teach(held, client, traps[0])

    def _client(self, record: Record) -> str:
        """
        Give the stranger who is responsible, or C{""} where it is nobody who is known.
        """
        session = record.session
        client = record.origin or (session.client if session.is_stranger else "")
        address = address_of(client)
        return "" if address is None or is_within(address, self._ours) else client

    def _teach(self, held: Copy, client: str, trap: str) -> None:
        """
        Have a message learned, unless too many were learned today, or from there: nobody who knows
        a trap shall teach the classifier what he wants.
        """
        day, network = int(self._now() / _DAY), network_named(client) or ""
        if day != self._day:
            self._day = day
            self._lessons.clear()
        section = self._section
        if (
            self._lessons.total() >= section.lessons_per_day
            or self._lessons[network] >= section.lessons_per_network
            or self._waiting >= LESSONS_WAITING
        ):
            return
        self._lessons[network] += 1
        self._waiting += 1
        lesson = self._turns.run(
            lambda: Deferred.fromCoroutine(self._learn(held.reference, f"trap {trap}"))
        )
        lesson.addErrback(self._not_learned, held.reference).addBoth(self._learned)

    async def _learn(self, identity: str, by: str) -> None:
        held = await self._quarantine.get(identity)
        if held is None or held.is_deadly:
            return
        message = await self._quarantine.open(identity)
        if message is not None and message.path is not None:
            await self._learner.learn(message.path, True, by)

    def _not_learned(self, failure: Failure, identity: str) -> None:
        self.log.failure("{event} {id}", failure, event="trap.not_learned", id=identity)

    def _learned(self, _: Any) -> None:
        self._waiting -= 1

    def _there(self, record: Record, traps: Sequence[str]) -> Iterator[str]:
        """
        Name the addresses of ours that exist, by what became of their copies or by whom they were
        written.
        """
        is_open = record.session.role == STRANGERS
        for copy in record.copies:
            if (copy.has_come or copy.outcome == "held") and copy.recipient not in traps:
                if is_open or self._is_ours(copy.recipient):
                    yield copy.recipient
        yield from record.named
        if record.session.is_trusted and record.sender and self._is_ours(record.sender):
            yield record.sender

    def _is_ours(self, address: str) -> bool:
        return address.rpartition("@")[2].lower() in self._domains

    def _guess(self, record: Record) -> None:
        network = network_named(self._client(record))
        if network is None:
            return
        for copy in record.copies:
            if copy.names_nobody and len(self._guesses) < WAITING:
                if "@" in copy.recipient:
                    self._guesses[Guess(_normal(copy.recipient), network)] = None


def _traps_of(record: Record) -> Sequence[str]:
    """
    Name the traps among those who got a message.
    """
    if record.size is None:
        return ()
    return [
        str(recipient)
        for verdict in record.verdicts
        if any(finding.symbol == SYMBOL for finding in verdict.findings)
        for recipient in verdict.recipients
    ]


def _is_allowed(record: Record) -> bool:
    """
    Tell whether somebody has allowed the sender, or he is well known here.
    """
    return any(
        finding.symbol.startswith(_FOR_HIM) and finding.score < 0
        for verdict in record.verdicts
        for finding in verdict.findings
    )


def _held_alone(record: Record, traps: Sequence[str]) -> Copy | None:
    """
    Give the held copy of a message that went to traps and to nobody else.
    """
    copies = [copy for copy in record.copies if not copy.was_kept_out]
    if not all(copy.recipient in traps for copy in copies):
        return None
    return next((copy for copy in copies if copy.outcome == "held"), None)


def _normal(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return normal_address(Address(local, domain))
