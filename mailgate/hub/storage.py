"""
Everything that lies in the data folder, opened under its lock.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mailgate.classify.known import FREE_MAIL
from mailgate.classify.learning import Learner
from mailgate.classify.teachers import Teachers
from mailgate.config.checks import ReputationCheck
from mailgate.config.model import Settings
from mailgate.hub.fuzzy import FuzzyFile
from mailgate.hub.learning import FOLDER, Learning
from mailgate.hub.lock import DataLock
from mailgate.hub.reading import OwnReader
from mailgate.interfaces import IFiles, IReader, IThreads
from mailgate.knowledge.correspondents import Correspondents, Look
from mailgate.knowledge.fuzzy import FuzzyStore
from mailgate.knowledge.greylist import Greylist
from mailgate.knowledge.list_store import ListStore
from mailgate.knowledge.penalty_box import PenaltyBox
from mailgate.knowledge.reputation import Reputations
from mailgate.knowledge.senders import Names
from mailgate.knowledge.trap_store import TrapStore
from mailgate.message.confusable import skeleton
from mailgate.message.header import Headers
from mailgate.message.host import decoded_label
from mailgate.message.record import Record
from mailgate.message.urls import organisation
from mailgate.people.audit import Audit
from mailgate.quarantine.held import Quarantine
from mailgate.quarantine.rows import of_transaction
from mailgate.quarantine.trace import records_of
from mailgate.reporting.log import TransactionLog
from mailgate.reporting.statistics import Statistics
from mailgate.reporting.trace import Traces
from mailgate.store.blobs import Blobs
from mailgate.store.database import COMPANY_SECONDS, Connect, Database
from mailgate.store.messages import Messages, Summary
from mailgate.store.schema import migrations
from mailgate.store.threads import ImmediateThreads, immediate_result
from mailgate.web.accounts import Accounts

SPOOL = "spool"
"""Where messages lie in the data folder while they are received."""


LOOK_LETTERS = 5
"""So many letters the name of an organisation must have to look like another one by design."""


class Storage:
    """
    The databases and files of one gateway.
    """

    log = Logger()

    def __init__(
        self,
        settings: Settings,
        threads: IThreads,
        writer: IThreads,
        files: IFiles,
        now: Callable[[], float] = time.time,
        connect: Connect = sqlite3.connect,
        company: float = COMPANY_SECONDS,
        reader: IReader | None = None,
    ) -> None:
        """
        @param threads: where files are read and written.
        @param writer: where C{state.db} is written; a thread of its own.
        @param now: the time in seconds since the epoch.
        @param connect: makes connections to databases, as L{sqlite3.connect} does.
        @param company: seconds that a first write waits for others.
        @param reader: looks into messages; C{None} does it in C{threads}.
        """
        data = settings.data
        self.settings = settings
        self.threads = threads
        self.files = files
        self.now = now
        self.spool = data / SPOOL
        """Where messages lie while they are received; its content means nothing after a restart."""

        self.database = Database(data / "state.db", writer, threads, connect, company)
        self.blobs = Blobs(data / "blobs", files, threads)
        self.messages = Messages(self.database, self.blobs, threads, _summarise)
        self.accounts = Accounts(self.database, threads, now)
        self.audit = Audit(self.database, now, settings.quarantine.audit_days)
        self.lists = ListStore(self.database, now, settings.domains)
        self.greylist = Greylist(self.database, now, settings.checks.greylist)
        self.penalty_box = PenaltyBox(
            self.database, now, settings.checks.penalty, settings.relays.networks
        )
        self.traps = TrapStore(self.database, now, settings.checks.traps, settings.domains)
        section = settings.checks.reputation
        self.reputations = Reputations(
            self.database,
            now,
            section,
            names_of(section),
            settings.domains,
        )
        self.correspondents = Correspondents(
            self.database, now, settings.checks.correspondents, settings.domains, look_of(section)
        )
        self.classifier = data / FOLDER
        """Where the classifier finds what was learned."""

        self.fuzzy = FuzzyStore(self.database, now, settings.checks.fuzzy)
        self.fuzzy_file = FuzzyFile(self.fuzzy, self.classifier, files, threads)
        """What checks find of it."""

        self.reader = reader or OwnReader(threads)
        """Looks into messages that are kept."""

        self.learning = Learning(
            Learner(
                self.classifier,
                files,
                threads,
                now,
                read=self.reader.lore,
                remember=self.fuzzy.remember,
            ),
            Teachers(settings.checks.bayes.lessons_per_teacher, now),
        )
        transactions = TransactionLog(settings.log.transactions or data / "transactions.jsonl")
        self.traces = Traces(
            data, now, threads, transactions, settings.trace.keep_days, self._records_kept, connect
        )
        self.statistics = Statistics(data / "statistics.db", now, threads, connect)
        self._lock = DataLock(data)

    def open(self) -> Deferred[None]:
        """
        Take the lock, make the folders, and open the database.

        @raise InUse: another process has the lock.
        @raise SchemaTooNew: a newer program wrote the database.
        @raise OSError: the folder cannot be used.
        """
        return Deferred.fromCoroutine(self._open())

    def close(self) -> Deferred[None]:
        """
        Wait for what has been asked of the database, close it, and give the lock back.
        """
        return Deferred.fromCoroutine(self._close())

    def quarantine(self, released: Callable[[], None]) -> Quarantine:
        """
        Give the quarantine.

        @param released: called when the outbox has something new.
        """
        keep_days = self.settings.quarantine.keep_days
        return Quarantine(self.messages, self.threads, self.now, keep_days, released)

    def sweep(self) -> Deferred[None]:
        """
        Remove the files that a crash has left. Only before anything is stored.
        """
        return Deferred.fromCoroutine(self._sweep())

    async def _sweep(self) -> None:
        spooled = await self.threads.run(_empty, self.spool, self.files)
        found = await self.messages.sweep()
        if spooled or found.removed:
            self.log.info(
                "{event} {number} files that no row names",
                event="store.swept",
                number=spooled + found.removed,
            )
        for identity in found.missing:
            self.log.error(
                "{event} the file of stored message {id} is gone",
                event="store.missing",
                id=identity,
                path=str(self.blobs.path(identity)),
            )

    async def _open(self) -> None:
        data = self.settings.data
        await self.threads.run(_make_folder, data, self.files)
        self._lock.acquire()
        try:
            await self.threads.run(_make_folder, self.spool, self.files)
            await self.threads.run(_make_folder, data / "blobs", self.files)
            await self.database.start(migrations())
        except BaseException:
            self._lock.release()
            raise

    def _records_kept(self, identity: str) -> Deferred[Sequence[Record]]:
        """
        Tell of transactions what the held messages that came by them tell.
        """
        return self.database.read(
            lambda connection: records_of(of_transaction(connection, identity))
        )

    async def _close(self) -> None:
        try:
            try:
                await self.learning.close()
                await self.fuzzy_file.write()
            finally:
                await self.database.close()
        finally:
            self._lock.release()


def open_for_command(settings: Settings, files: IFiles) -> Storage:
    """
    Open the storage for one command, without a reactor: whatever is asked of it is done at once.

    @raise InUse: a gateway runs, and the command is to be sent to it.
    """
    threads = ImmediateThreads()
    storage = Storage(settings, threads, threads, files, company=0)
    immediate_result(storage.open())
    return storage


def names_of(section: ReputationCheck) -> Names:
    """
    Give what names senders; the checks name them in the same way.
    """
    return Names(FREE_MAIL.union(section.shared_domains))


def look_of(section: ReputationCheck) -> Look:
    """
    Give what tells the organisation of a domain, and how its name looks.
    """
    shared = FREE_MAIL.union(section.shared_domains)

    def look(domain: str) -> tuple[str, str]:
        name = organisation(domain)
        if name in shared or domain in shared:
            return "", ""
        label = name.partition(".")[0]
        return name, skeleton(decoded_label(label)) if len(label) >= LOOK_LETTERS else ""

    return look


def _summarise(beginning: bytes) -> Summary:
    headers = Headers.parse(beginning)
    return Summary(headers.text("from"), headers.text("subject"), headers.text("message-id"))


def _make_folder(path: Path, files: IFiles) -> None:
    if not path.is_dir():
        path.mkdir(mode=0o700, parents=True)
        files.sync_directory(path.parent)


def _empty(folder: Path, files: IFiles) -> int:
    leftovers = list(folder.iterdir())
    for path in leftovers:
        if path.is_dir():
            # Of a backup that was not finished.
            shutil.rmtree(path)
        else:
            files.remove(path)
    return len(leftovers)
