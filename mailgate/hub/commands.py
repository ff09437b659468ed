"""
What can be asked of a gateway on the command line, whether it runs or not.

Arguments and answers are values of JSON, since they travel through the control socket.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from attrs import asdict
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from mailgate.classify.learning import Learner
from mailgate.classify.store import Unusable
from mailgate.config.checks import PenaltyCheck
from mailgate.config.model import Policy
from mailgate.delivery.queue import Outcome, Queue
from mailgate.hub.backup import FOLDER as BACKUP
from mailgate.hub.backup import put_aside
from mailgate.hub.marks import Marks
from mailgate.hub.selectors import selectors_seen
from mailgate.hub.storage import Storage
from mailgate.interfaces import Reputation, SandboxUnavailable
from mailgate.knowledge.entry import Entry, EntryKind, EntryRefused, ListName, make_entry
from mailgate.knowledge.penalty import Penalty
from mailgate.knowledge.trap_store import TrapRefused
from mailgate.message.header import Headers
from mailgate.people.audit import Act, Actor
from mailgate.people.rights import Role
from mailgate.quarantine import rows
from mailgate.quarantine.deciding import Decisions
from mailgate.quarantine.held import HeldMessage, Quarantine
from mailgate.reporting.record import finding_fields
from mailgate.reporting.status import Status
from mailgate.store import history
from mailgate.store.blobs import BEGINNING
from mailgate.store.database import select
from mailgate.store.outbox import OutboxRow
from mailgate.verdict import Kind
from mailgate.web.accounts import Account, AccountRefused

E = TypeVar("E", bound=StrEnum)
Answer = Mapping[str, Any]

HANDED_OVER = "command-"
"""How the names of files begin that commands put into the spool."""


class CommandError(Exception):
    """
    A command could not be carried out; its message is a sentence for the person.
    """


class Commands:
    """
    The commands by name.
    """

    log = Logger()

    def __init__(
        self,
        storage: Storage,
        quarantine: Quarantine,
        queue: Queue,
    ) -> None:
        self._now = storage.now
        self._storage = storage
        self.policy = storage.settings.policy
        """The thresholds that count."""

        self.reload: Callable[[], Awaitable[Sequence[str]]] | None = None
        """Takes the configuration up anew, and says what happened; set by the gateway."""

        self.status: Callable[[], Awaitable[Status]] | None = None
        """Tells how the gateway is; set by the gateway."""

        self._queue = queue
        self._database = storage.database
        self._traces = storage.traces
        self._accounts = storage.accounts
        self._audit = storage.audit
        self._lists = storage.lists
        self._greylist = storage.greylist
        self._penalty_box = storage.penalty_box
        self._traps = storage.traps
        self._reputations = storage.reputations
        self._learning = storage.learning
        self._marks = Marks(storage.threads, storage.traces, storage.reputations)
        self._spool = storage.spool
        self._quarantine = quarantine
        self._decisions = Decisions(quarantine, storage.learning, storage.reputations)
        self._table: Mapping[str, Callable[..., Awaitable[Answer]]] = {
            "quarantine.list": self.quarantine_list,
            "quarantine.show": self.quarantine_show,
            "quarantine.release": self.quarantine_release,
            "quarantine.delete": self.quarantine_delete,
            "outbox.list": self.outbox_list,
            "outbox.show": self.outbox_show,
            "outbox.retry": self.outbox_retry,
            "outbox.hold": self.outbox_hold,
            "outbox.delete": self.outbox_delete,
            "list.add": self.list_add,
            "list.remove": self.list_remove,
            "list.list": self.list_list,
            "greylist.list": self.greylist_list,
            "greylist.clear": self.greylist_clear,
            "penalty.list": self.penalty_list,
            "penalty.clear": self.penalty_clear,
            "trap.list": self.trap_list,
            "trap.add": self.trap_add,
            "trap.delete": self.trap_delete,
            "reputation.list": self.reputation_list,
            "reputation.show": self.reputation_show,
            "reputation.clear": self.reputation_clear,
            "domain.selectors": self.domain_selectors,
            "learn.messages": self.learn_messages,
            "learn.status": self.learn_status,
            "learn.export": self.learn_export,
            "learn.import": self.learn_import,
            "user.add": self.user_add,
            "user.list": self.user_list,
            "trace": self.trace,
            "reload": self.reload_,
            "status": self.status_,
            "backup.begin": self.backup_begin,
            "backup.end": self.backup_end,
        }

    def run(self, name: str, arguments: Mapping[str, Any]) -> Deferred[Answer]:
        """
        Carry a command out.

        @raise CommandError: it cannot be carried out.
        """
        return Deferred.fromCoroutine(self._run(name, arguments))

    async def _run(self, name: str, arguments: Mapping[str, Any]) -> Answer:
        command = self._table.get(name)
        if command is None:
            raise CommandError(f"the gateway does not know the command {name}")
        try:
            return await command(**arguments)
        except CancelledError:
            raise
        except OSError as error:
            raise CommandError(f"the store failed: {error.strerror or error}") from error

    async def reload_(self) -> Answer:
        """
        Take up the configuration anew.
        """
        if self.reload is None:
            raise CommandError("there is nothing to reload: no gateway runs")
        return {"lines": list(await self.reload())}

    async def status_(self) -> Answer:
        """
        Tell how the gateway is.
        """
        if self.status is None:
            raise CommandError("no gateway runs")
        return asdict(await self.status())

    # -- backup -----------------------------------------------------------------------

    async def backup_begin(self) -> Answer:
        """
        Put aside what a backup has, in a folder of the spool, and give its name.
        """
        learner, problems = None, []
        try:
            learner = await self._learner()
        except CommandError as error:
            problems.append(f"{error}; it is left out")
        return {**asdict(await put_aside(self._storage, learner)), "problems": problems}

    async def backup_end(self, name: str) -> Answer:
        """
        Remove what was put aside.
        """
        if not name.startswith(BACKUP) or Path(name).name != name:
            raise CommandError(f"{name} is no backup that was begun")
        await self._storage.threads.run(shutil.rmtree, self._spool / name)
        return {}

    # -- quarantine -------------------------------------------------------------------

    async def quarantine_list(
        self, limit: int | None = None, before: int | None = None, kind: str | None = None
    ) -> Answer:
        """
        Give what is held, the newest first, and how much there is in all.
        """
        if kind is not None and kind not in list(Kind):
            raise CommandError(f"there is no kind {kind}; the kinds are {', '.join(Kind)}")
        wanted = None if kind is None else Kind(kind)
        counts = await self._quarantine.count()
        held = await self._quarantine.list(limit, before, wanted)
        total = sum(counts.values()) if wanted is None else counts.get(wanted, 0)
        return {"rows": [_held(row) for row in held], "total": total}

    async def quarantine_show(self, id: str) -> Answer:
        """
        Give all that is known of a held message, with its headers.
        """
        held = await self._quarantine.get(id)
        if held is None:
            raise _no_held_message(id)
        message = await self._quarantine.open(id)
        beginning = b"" if message is None else message.head(BEGINNING)
        header = beginning[: Headers.parse(beginning).end]
        return {
            "held": _held(held),
            "header": header.decode("utf-8", "replace"),
            "history": await self._history([held.message.trace]),
            "thresholds": _thresholds(self.policy),
        }

    async def quarantine_release(self, id: str, by: str) -> Answer:
        """
        Release a held message.
        """
        if (await self._decisions.release([id], by)).number:
            return {"released": True}
        held = await self._quarantine.get(id)
        if held is None:
            raise _no_held_message(id)
        return {"released": False, "by": held.acted_by, "at": held.acted}

    async def quarantine_delete(self, id: str, by: str, spam: bool = False) -> Answer:
        """
        Delete a held message.

        @param spam: whether to learn that it is spam.
        """
        decisions = self._decisions
        delete = decisions.delete_as_spam if spam else decisions.delete
        return {"deleted": bool((await delete([id], by)).number)}

    # -- outbox -----------------------------------------------------------------------

    async def outbox_list(self, limit: int | None = None, before: int | None = None) -> Answer:
        """
        Give what waits in the outbox, the newest first, and how much there is in all.
        """
        found = await self._queue.list(limit, before)
        return {"rows": [_queued(row) for row in found], "total": await self._queue.count()}

    async def outbox_show(self, id: str) -> Answer:
        """
        Give all that is known of a copy in the outbox.
        """
        row = await self._queue.show(id)
        if row is None:
            raise _no_copy(id)
        return {"queued": _queued(row), "history": await self._history([row.message.trace])}

    async def outbox_retry(self, id: str | None = None, by: str = "") -> Answer:
        """
        Try a copy at once, or all of them but those that somebody has stopped, and give how many
        that are: those that are being tried are none of them.
        """
        if id is None:
            return {"retried": await self._queue.retry_all()}
        outcome = await self._queue.retry(id, by)
        if outcome is Outcome.GONE:
            raise _no_copy(id)
        return {"retried": int(outcome is Outcome.DONE)}

    async def outbox_hold(self, id: str, by: str) -> Answer:
        """
        Try a copy no more until somebody says so.
        """
        return await self._with_copy(id, self._queue.hold, by, "stopped")

    async def outbox_delete(self, id: str, by: str) -> Answer:
        """
        Take a copy out of the outbox. Its recipient does not get it, and nobody is told.
        """
        return await self._with_copy(id, self._queue.delete, by, "deleted")

    async def _with_copy(
        self, id: str, do: Callable[[str, str], Deferred[Outcome]], by: str, done: str
    ) -> Answer:
        row = await self._queue.show(id)
        outcome = await do(id, by)
        if row is None or outcome is Outcome.GONE:
            raise _no_copy(id)
        if outcome is Outcome.TRYING:
            raise CommandError(
                f"copy {id} is being delivered, or was when the gateway ended; it was not {done}"
            )
        return {"recipient": str(row.recipient)}

    # -- allow and block --------------------------------------------------------------

    async def list_add(
        self,
        list: str,
        value: str,
        by: str,
        kind: str | None = None,
        scope: str = "",
        note: str = "",
        expires: float | None = None,
    ) -> Answer:
        """
        Allow or block something; what is there already gets the new note, end and list.
        """
        try:
            entry = make_entry(
                _one_of(ListName, list),
                value,
                by=by,
                kind=None if kind is None else _one_of(EntryKind, kind),
                scope=scope,
                note=note,
                expires=expires,
            )
            return {"entry": _entry(await self._lists.add(entry))}
        except EntryRefused as error:
            raise CommandError(str(error)) from None

    async def list_remove(self, id: int, by: str) -> Answer:
        """
        Remove an entry, and give it as it was.
        """
        gone = await self._lists.remove(id, by)
        if gone is None:
            raise CommandError(f"there is no entry {id}; it was removed, or its time was over")
        return {"entry": _entry(gone)}

    async def list_list(
        self,
        limit: int | None = None,
        before: int | None = None,
        list: str | None = None,
        scope: str | None = None,
    ) -> Answer:
        """
        Give entries, the newest first, and how many there are in all.
        """
        name = None if list is None else _one_of(ListName, list)
        found = await self._lists.newest(limit, before, name, scope)
        total = await self._lists.count(name, scope)
        return {"rows": [_entry(entry) for entry in found], "total": total}

    # -- greylist ---------------------------------------------------------------------

    async def greylist_list(self, limit: int | None = None, before: int | None = None) -> Answer:
        """
        Give the attempts that wait and the networks that are known, the newest first.
        """
        found = await self._greylist.newest(limit, before)
        return {"rows": [asdict(row) for row in found], "total": await self._greylist.count()}

    async def greylist_clear(self, by: str, network: str | None = None) -> Answer:
        """
        Forget all attempts and known networks, or those of one network, and count them.

        @param network: a network, or an address in it.
        """
        try:
            return {"cleared": await self._greylist.clear(by, network)}
        except ValueError as error:
            raise CommandError(str(error)) from None

    # -- penalty box ------------------------------------------------------------------

    async def penalty_list(
        self, limit: int | None = None, before: int | None = None, all: bool = False
    ) -> Answer:
        """
        Give those in the penalty box as they are now, the newest first.

        @param all: also those of whom anything else is remembered.
        """
        box = self._penalty_box
        found = await box.newest(limit, before, not all)
        rows = [_penalized(number, penalty, box.section) for number, penalty in found]
        return {"rows": rows, "total": await box.number(not all)}

    async def penalty_clear(self, by: str, name: str | None = None) -> Answer:
        """
        Forget all that is remembered, or that of an address or a network and all in it, and count
        it.
        """
        try:
            return {"cleared": await self._penalty_box.clear(by, name)}
        except ValueError as error:
            raise CommandError(str(error)) from None

    # -- traps ------------------------------------------------------------------------

    async def trap_list(self, limit: int | None = None, before: int | None = None) -> Answer:
        """
        Give the traps that were made, the newest first, and how many there are in all.
        """
        found = await self._traps.newest(limit, before)
        return {"rows": [asdict(trap) for trap in found], "total": await self._traps.count()}

    async def trap_add(self, address: str, by: str, note: str = "") -> Answer:
        """
        Make an address a trap, and tell whether it has had mail before.
        """
        try:
            trap, is_real = await self._traps.add(address, by, note)
        except TrapRefused as error:
            raise CommandError(str(error)) from None
        return {"trap": asdict(trap), "was_used": is_real}

    async def trap_delete(self, address: str, by: str) -> Answer:
        """
        Let an address be no trap any more, and give it as it was.
        """
        try:
            gone = await self._traps.delete(address, by)
        except TrapRefused as error:
            raise CommandError(str(error)) from None
        if gone is None:
            raise CommandError(f"{address} is none of the traps that were made")
        return {"trap": asdict(gone)}

    # -- reputation -------------------------------------------------------------------

    async def reputation_list(self, limit: int | None = None, before: int | None = None) -> Answer:
        """
        Give the senders that are known, the newest first.
        """
        reputations = self._reputations
        await reputations.flush()
        found = await reputations.newest(limit, before)
        return {
            "rows": [{"number": row.number, **_reputation(row.reputation)} for row in found],
            "total": await reputations.count(),
        }

    async def reputation_show(self, name: str) -> Answer:
        """
        Give what is known of a sender, by its domain or address.
        """
        reputations = self._reputations
        await reputations.flush()
        found = await reputations.show(name)
        if found is None:
            raise CommandError(f"nothing is known of {reputations.names.meant(name)}")
        return {"reputation": _reputation(found)}

    async def reputation_clear(self, by: str, name: str | None = None) -> Answer:
        """
        Forget all senders or one, and count them.
        """
        return {"cleared": await self._reputations.clear(by, name)}

    async def domain_selectors(self, domain: str) -> Answer:
        """
        Give the selectors of a domain's signatures that have passed here, as far as the traces of
        the last days tell.
        """
        return {"selectors": list(await selectors_seen(self._traces, domain))}

    # -- learning: what is too long for the socket lies in the spool, under these names ----

    async def learn_messages(self, names: Sequence[str], spam: bool, by: str) -> Answer:
        """
        Learn the messages in some files, and give what became of each.
        """
        paths = list(map(self._handed_over, names))
        learner = await self._learner()
        try:
            results = list(await learner.learn_many(paths, spam, by))
        except SandboxUnavailable as error:
            raise CommandError(f"messages cannot be read at the moment: {error}") from None
        for path in paths:
            await self._marks.mark(path, spam)
        return {"results": results}

    async def learn_status(self) -> Answer:
        """
        Tell how much was learned, and by whom today.
        """
        status = await (await self._learner()).status()
        teachers = self._learning.teachers
        return {
            **asdict(status),
            "lessons_per_teacher": teachers.most,
            "today": dict(teachers.today()),
        }

    async def learn_export(self, name: str) -> Answer:
        """
        Write all that was learned into a new file.
        """
        path = self._handed_over(name)
        return asdict(await (await self._learner()).export(path))

    async def learn_import(self, name: str, replace: bool) -> Answer:
        """
        Take over what was exported elsewhere.
        """
        path = self._handed_over(name)
        try:
            return asdict(await (await self._learner()).import_(path, replace))
        except (Unusable, ValueError) as error:
            raise CommandError(str(error)) from None

    async def _learner(self) -> Learner:
        try:
            return await self._learning.open()
        except Unusable as error:
            raise CommandError(f"what was learned cannot be read: {error}") from None

    def _handed_over(self, name: str) -> Path:
        """
        Find a file that was put into the spool, and nothing outside of it.
        """
        if not name.startswith(HANDED_OVER) or Path(name).name != name:
            raise CommandError(f"{name} is no file that was handed over")
        return self._spool / name

    # -- accounts ---------------------------------------------------------------------

    async def user_add(
        self,
        name: str,
        password: str | None,
        role: str = Role.ADMINISTRATOR,
        addresses: Sequence[str] = (),
        domains: Sequence[str] = (),
        reads_bodies: bool = True,
    ) -> Answer:
        """
        Make an account for the review pages.

        @param password: C{None} for somebody who signs in by links.
        """
        try:
            account = await self._accounts.add(
                name, password, _one_of(Role, role), addresses, domains, reads_bodies
            )
            await self._audit.note(Actor("command line"), Act.PERSON, f"made {account.name}")
            return {"account": _account(account)}
        except AccountRefused as error:
            raise CommandError(str(error)) from None

    async def user_list(self) -> Answer:
        """
        Give all accounts.
        """
        accounts = [_account(account) for account in await self._accounts.list()]
        return {"rows": accounts, "total": len(accounts)}

    # -- trace ------------------------------------------------------------------------

    async def trace(self, id: str) -> Answer:
        """
        Give all that is known of a transaction, or of those of a session, or of the one by
        which a held message came, also where that is gone.
        """
        identity = await self._quarantine.trace_of(id) or id
        records = await self._traces.find(identity)

        def work(connection: sqlite3.Connection) -> Answer:
            copies = rows.of_transaction(connection, identity)
            queued = [
                OutboxRow.of(row)
                for row in select(
                    connection,
                    "SELECT * FROM outbox JOIN messages USING (message)"
                    " WHERE trace = :id OR session = :id ORDER BY number",
                    {"id": identity},
                )
            ]
            return {"held": [_held(row) for row in copies], "outbox": [_queued(q) for q in queued]}

        stored = await self._database.read(work)
        traces = {record["trace"] for record in records} | {row["trace"] for row in stored["held"]}
        past = await self._history(sorted(traces | {identity}))
        if not records and not stored["held"] and not stored["outbox"] and not past:
            raise CommandError(f"nothing is known of {id}, or it was too long ago")
        return {
            "records": records,
            **stored,
            "history": past,
            "thresholds": _thresholds(self.policy),
        }

    async def _history(self, traces: Sequence[str]) -> Sequence[Answer]:
        def work(connection: sqlite3.Connection) -> Sequence[Answer]:
            return [
                {"trace": trace, **asdict(note)}
                for trace in traces
                for note in history.notes(connection, trace)
            ]

        return await self._database.read(work)


def _no_held_message(identity: str) -> CommandError:
    return CommandError(f"no message {identity} is held; it was deleted, or its time was over")


def _no_copy(identity: str) -> CommandError:
    return CommandError(f"the outbox holds no copy {identity}; it was delivered, held or deleted")


def _held(held: HeldMessage) -> Answer:
    message = held.message
    return (
        asdict(message)
        | asdict(held)
        | asdict(held.wish)
        | {
            "message": message.id,
            "sender": str(message.sender),
            "recipient": str(held.recipient),
            "findings": [finding_fields(finding) for finding in held.findings],
        }
    )


def _queued(row: OutboxRow) -> Answer:
    message = row.message
    return {
        "id": row.id,
        "number": row.number,
        "recipient": str(row.recipient),
        "sender": str(message.sender),
        "subject": message.subject,
        "from_header": message.from_header,
        "message_id": message.message_id,
        "size": message.size,
        "trace": message.trace,
        "action": row.action,
        "total": row.total,
        "released_from": row.released_from,
        "reason": row.reason,
        "queued": row.queued,
        "tries": row.tries,
        "next_try": row.next_try,
        "is_trying": row.is_trying,
        "is_suspended": row.is_suspended,
        "suspended_by": row.suspended_by,
        "upstream": row.destination,
        "role": row.message.role,
    }


def _entry(entry: Entry) -> Answer:
    return asdict(entry) | {"number": entry.id, "unverified": entry.is_unverified}


def _penalized(number: int, penalty: Penalty, section: PenaltyCheck) -> Answer:
    hours = section.half_life_hours
    is_boxed = penalty.is_boxed(penalty.at, section)
    return {
        **asdict(penalty),
        "number": number,
        "is_boxed": is_boxed,
        "is_exported": is_boxed and penalty.bad >= section.export_points,
        # When it is not any more, unless anything else comes from there.
        "boxed_until": penalty.ends(section.from_points, hours),
        "exported_until": penalty.ends(section.export_points, hours),
    }


def _one_of(names: type[E], text: str) -> E:
    try:
        return names(text)
    except ValueError:
        raise CommandError(f"{text} must be one of {', '.join(names)}") from None


def _reputation(known: Reputation) -> Answer:
    standing = "good" if known.is_good else "bad" if known.is_bad else "unclear"
    return {**asdict(known), "standing": standing}


def _account(account: Account) -> Answer:
    return {
        "name": account.name,
        "created": account.created,
        "role": account.role,
        "addresses": sorted(account.addresses),
        "domains": sorted(account.domains),
        "reads_bodies": account.reads_bodies,
        "is_disabled": account.is_disabled,
        "has_password": account.has_password,
        "has_second_factor": account.has_second_factor,
    }


def _thresholds(policy: Policy) -> Mapping[str, float]:
    return {"tag": policy.tag, "quarantine": policy.quarantine, "reject": policy.reject}
