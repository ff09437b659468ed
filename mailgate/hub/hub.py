"""
The hub: the half of the gateway that owns the databases.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime, IReactorUNIX
from twisted.logger import Logger
from zope.interface import implementer

from mailgate.config.model import Settings
from mailgate.delivery.outbox import Outbox
from mailgate.delivery.queue import Queue
from mailgate.delivery.telling import Sending
from mailgate.hub.backlog import SECONDS as BACKLOG_SECONDS
from mailgate.hub.backlog import Backlog
from mailgate.hub.commands import Commands
from mailgate.hub.control import Control
from mailgate.hub.jobs import Job, Jobs
from mailgate.hub.room import Room
from mailgate.hub.storage import Storage, look_of, names_of
from mailgate.hub.trapping import Trapping
from mailgate.interfaces import (
    Attempt,
    Contact,
    Deed,
    Hold,
    IDelivery,
    IHub,
    IMessage,
    IRewriter,
    Outgoing,
    Question,
    Reputation,
    Standing,
)
from mailgate.knowledge.rates import Rates
from mailgate.message.envelope import Envelope
from mailgate.message.record import Record
from mailgate.quarantine.notices import Notices
from mailgate.quarantine.rows import add_undeliverable
from mailgate.reporting.measures import Sums
from mailgate.store import history
from mailgate.wire.address import Address

_MINUTE = 60.0
_HOUR = 3600.0
_PURGE_SECONDS = 150.0
"""How often some are looked at of whom there are many; all of 100,000 within the hour."""

_DAY = 86400
_ROOM_SECONDS = 10.0
_LEARNING_SECONDS = 5.0
_REPUTATION_SECONDS = 5.0
_NOTICES_SECONDS = 60.0
_TELLING_SECONDS = 1.0
"""How often the workers are told who is in the penalty box."""

_WRITING_SECONDS = 10.0
_TRAPS_SECONDS = 10.0


@implementer(IHub)
class Hub:
    """
    Keeps, traces, and delivers from the outbox; everything in this process.
    """

    log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        storage: Storage,
        route_for: Callable[[Address], IDelivery | None],
        rewriter: IRewriter,
        jobs: Sequence[Job] = (),
    ) -> None:
        """
        @param route_for: gives the upstream for a recipient.
        @param jobs: further periodic work.
        """
        settings = storage.settings
        self._clock = reactor
        self._storage = storage
        self._route_for = route_for
        self._traces = storage.traces
        self._statistics = storage.statistics
        self.outbox = Outbox(
            reactor,
            storage.now,
            storage.messages,
            storage.threads,
            settings.outbox,
            self._sending(settings),
            rewriter,
            add_undeliverable,
        )
        self.queue = Queue(storage.messages, storage.now, self.outbox.kick)
        self.quarantine = storage.quarantine(self.outbox.kick)
        base_url = settings.web.base_url
        self.notices = Notices(
            storage.messages,
            storage.now,
            settings.notices,
            settings.hostname,
            settings.postmaster,
            base_url,
            self.outbox.kick,
        )
        self._backlog = Backlog(
            storage.database, storage.now, settings.outbox, self.notices, base_url
        )
        self.lists = storage.lists
        self.learning = storage.learning
        self._greylist = storage.greylist
        self.penalty_box = storage.penalty_box
        self._reputations = storage.reputations
        self._correspondents = storage.correspondents
        self.traps = storage.traps
        self.sums = Sums()
        """What was counted since the start."""

        self.rates = Rates(
            storage.now, settings.checks, settings.relays.networks, self.sums.exceeded
        )
        self.penalty_box.counted = self.sums.done
        self.trapping = Trapping(
            storage.traps,
            self.quarantine,
            storage.learning,
            settings,
            (
                storage.traps.mark,
                self.sums.marked,
                lambda client, reason: self.penalty_box.mark(client, Deed.TRAP),
            ),
            storage.now,
        )
        self.commands = Commands(storage, self.quarantine, self.queue)
        self._control = Control(IReactorUNIX(reactor), settings.data / "control", self.commands)
        self._reputations.rated = self.sums.rated

        self.room = Room(settings.data, settings.limits.free_bytes, storage.threads)
        self._jobs = Jobs(
            reactor,
            (
                Job("free space", _ROOM_SECONDS, self.room.look),
                Job("purge of the quarantine", _HOUR, self.quarantine.purge),
                Job("purge of the traces", _HOUR, self._traces.purge),
                Job("index of the traces", _MINUTE, self._traces.index),
                Job("writing of the statistics", _MINUTE, self._statistics.flush),
                Job("purge of the statistics", _HOUR, self._statistics.purge),
                Job("purge of the history", _HOUR, self._purge_history),
                Job("purge of the audit", _HOUR, storage.audit.purge),
                Job("purge of the lists", _HOUR, self.lists.purge),
                Job("purge of the greylist", _HOUR, self._greylist.purge),
                Job("news of the penalty box", _TELLING_SECONDS, self.penalty_box.tell),
                Job("writing of the penalty box", _WRITING_SECONDS, self.penalty_box.write),
                Job("purge of the penalty box", _PURGE_SECONDS, self.penalty_box.purge),
                Job("writing of what traps have seen", _TRAPS_SECONDS, self.trapping.write),
                Job("purge of the guesses", _HOUR, self.traps.purge),
                Job("purge of the reputation", _HOUR, self._reputations.purge),
                Job("writing of the reputation", _REPUTATION_SECONDS, self._reputations.flush),
                Job("purge of the correspondents", _HOUR, self._correspondents.purge),
                Job(
                    "writing of the correspondents",
                    _REPUTATION_SECONDS,
                    self._correspondents.flush,
                ),
                Job("writing of what was learned", _LEARNING_SECONDS, self.learning.merge),
                Job("purge of what is compared", _HOUR, storage.fuzzy.purge),
                Job("writing of what is compared", _MINUTE, storage.fuzzy_file.write),
                Job("look at the outbox", BACKLOG_SECONDS, self._backlog.look),
                Job("notices", _NOTICES_SECONDS, self.notices.look),
                *jobs,
            ),
        )

    def start(self) -> Deferred[None]:
        """
        Open the storage, recover what a crash has left, and begin to work.

        @raise InUse: another gateway runs on the same data folder.
        @raise SchemaTooNew: a newer program wrote the database.
        @raise OSError: the data folder cannot be used.
        """
        return Deferred.fromCoroutine(self._start())

    def take_up(self, settings: Settings, rewriter: IRewriter) -> None:
        """
        Take up what has changed in the configuration, as far as the hub can while it runs.
        """
        self.room.minimum = settings.limits.free_bytes
        self.lists.domains = settings.domains
        self.commands.policy = settings.policy
        self._greylist.section = settings.checks.greylist
        self.rates.take_up(settings.checks, settings.relays.networks)
        self.penalty_box.take_up(settings.checks.penalty, settings.relays.networks)
        self.traps.section = settings.checks.traps
        self.traps.domains = settings.domains
        self.trapping.take_up(settings)
        self._reputations.section = section = settings.checks.reputation
        self._reputations.names = names_of(section)
        self._reputations.ours = settings.domains
        self._correspondents.section = settings.checks.correspondents
        self._correspondents.ours = settings.domains
        self._storage.fuzzy.section = settings.checks.fuzzy
        self._correspondents.look = look_of(section)
        base_url = settings.web.base_url
        self.notices.take_up(settings.notices, settings.postmaster, base_url)
        self._backlog.take_up(settings.outbox, base_url)
        self.outbox.take_up(settings.outbox, self._sending(settings), rewriter)

    def _sending(self, settings: Settings) -> Sending:
        upstream = settings.accounts.upstream
        return Sending(
            # The name is that of the start.
            self._storage.settings.hostname,
            settings.postmaster,
            self._route_for,
            f"@{upstream.domain}" if upstream is not None and upstream.domain else "",
            settings.mailbox_upstreams,
        )

    def finish(self, seconds: float) -> Deferred[None]:
        """
        Deliver nothing more from the outbox, and wait at most C{seconds} for what has begun.
        """
        return self.outbox.stop(seconds)

    def stop(self) -> Deferred[None]:
        """
        Finish the jobs, write what waits, and close the storage, whatever goes wrong on the way.
        """
        return Deferred.fromCoroutine(self._stop())

    # -- IHub -------------------------------------------------------------------------

    def hold(
        self, envelope: Envelope, message: IMessage, holds: Sequence[Hold], provisional: bool
    ) -> Deferred[Sequence[str]]:
        """
        Store a message and a row for each hold. Cancelling it takes them back.
        """
        return self.quarantine.hold(envelope, message, holds, provisional)

    def confirm(self, ids: Sequence[str]) -> Deferred[None]:
        """
        Turn provisional holds into ordinary ones.
        """
        return self.quarantine.confirm(ids)

    def withdraw(self, ids: Sequence[str]) -> Deferred[None]:
        """
        Forget provisional holds.
        """
        return self.quarantine.withdraw(ids)

    def enqueue(
        self, envelope: Envelope, message: IMessage, copies: Sequence[Outgoing]
    ) -> Deferred[Sequence[str]]:
        """
        Put copies into the outbox. Cancelling it takes them back.
        """
        return self.outbox.enqueue(envelope, message, copies)

    def record(self, record: Record) -> None:
        """
        Note how a transaction ended, and count what it says of who has sent it.
        """
        self._traces.record(record)
        self._statistics.record(record)
        self.sums.count(record)
        self.rates.count(record)
        self.penalty_box.count(record)
        self.trapping.concluded(record)
        self._reputations.record(record)
        self._correspondents.record(record)

    def look_up(self, attempts: Sequence[Attempt]) -> Deferred[Sequence[Standing]]:
        """
        Tell whether those are known who attempt this, and remember that they have.
        """
        return self._greylist.look_up(attempts)

    def reputations(self, names: Sequence[str]) -> Deferred[Sequence[Reputation]]:
        """
        Tell what is known of senders, in the order of C{names}.
        """
        return self._reputations.look_up(names)

    def contact(self, question: Question) -> Deferred[Contact]:
        """
        Tell what is known of an author as a correspondent.
        """
        return self._correspondents.ask(question)

    def has_room(self) -> bool:
        """
        Tell whether the disk had room for another message when it was last looked at.
        """
        return self.room.is_enough

    # ---------------------------------------------------------------------------------

    async def _start(self) -> None:
        await self._storage.open()
        try:
            await self._storage.sweep()
            recovered = await self.quarantine.recover()
            if recovered:
                self.log.info(
                    "{event} {number} provisional holds are held now",
                    event="quarantine.recovered",
                    number=recovered,
                )
            await self.lists.load()
            await self.penalty_box.load()
            await self.traps.load()
            await self.learning.open_at_start()
            await self._storage.fuzzy_file.write_at_start()
            await self.room.look()
            self._control.start()
            await self.outbox.start()
        except BaseException:
            await self._control.stop()
            await self._storage.close()
            raise
        self._traces.start(self._clock)
        self._jobs.start()

    async def _stop(self) -> None:
        for what, end in (
            ("control", self._control.stop),
            ("outbox", lambda: self.outbox.stop(0)),
            ("jobs", self._jobs.stop),
            ("traces", self._traces.stop),
            ("statistics", self._statistics.flush),
            ("penalty box", self.penalty_box.write),
            ("traps", self.trapping.write),
            ("reputation", self._reputations.flush),
            ("correspondents", self._correspondents.flush),
            ("storage", self._storage.close),
        ):
            try:
                await end()
            except Exception:
                self.log.failure("{event} {what}", event="hub.not_stopped", what=what)

    def _purge_history(self) -> Deferred[int]:
        settings = self._storage.settings
        days = max(settings.trace.keep_days, settings.quarantine.keep_days)
        before = self._storage.now() - days * _DAY

        def work(connection: sqlite3.Connection) -> int:
            return history.purge(connection, before)

        return self._storage.database.write(work)
