"""
What can be asked of a gateway on the command line, whether it runs or not.

Arguments and answers are values of JSON, since they travel through the control socket.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from attrs import asdict
from twisted.internet.defer import CancelledError, Deferred

from mailgate.hub.storage import Storage
from mailgate.message.header import Headers
from mailgate.quarantine import rows
from mailgate.quarantine.held import HeldMessage, Quarantine
from mailgate.store import history, outbox
from mailgate.store.blobs import BEGINNING
from mailgate.store.database import select
from mailgate.store.outbox import OutboxRow
from mailgate.verdict import Kind
from mailgate.web.accounts import Account, AccountRefused

Answer = Mapping[str, Any]


class CommandError(Exception):
    """
    A command could not be carried out; its message is a sentence for the person.
    """


class Commands:
    """
    The commands by name.
    """

    def __init__(self, storage: Storage, quarantine: Quarantine) -> None:
        self._database = storage.database
        self._traces = storage.traces
        self._accounts = storage.accounts
        self._quarantine = quarantine
        self._table: Mapping[str, Callable[..., Awaitable[Answer]]] = {
            "quarantine.list": self.quarantine_list,
            "quarantine.show": self.quarantine_show,
            "quarantine.release": self.quarantine_release,
            "quarantine.delete": self.quarantine_delete,
            "outbox.list": self.outbox_list,
            "outbox.show": self.outbox_show,
            "user.add": self.user_add,
            "user.list": self.user_list,
            "trace": self.trace,
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
            "history": await self._history([held.trace]),
        }

    async def quarantine_release(self, id: str, by: str) -> Answer:
        """
        Release a held message.
        """
        if await self._quarantine.release(id, by):
            return {"released": True}
        held = await self._quarantine.get(id)
        if held is None:
            raise _no_held_message(id)
        return {"released": False, "by": held.acted_by, "at": held.acted}

    async def quarantine_delete(self, id: str, by: str) -> Answer:
        """
        Delete a held message.
        """
        return {"deleted": await self._quarantine.delete(id, by)}

    # -- outbox -----------------------------------------------------------------------

    async def outbox_list(self, limit: int | None = None, before: int | None = None) -> Answer:
        """
        Give what waits in the outbox, the newest first, and how much there is in all.
        """

        def work(connection: sqlite3.Connection) -> Answer:
            found = outbox.newest(connection, limit, before)
            return {"rows": [_queued(row) for row in found], "total": outbox.count(connection)}

        return await self._database.read(work)

    async def outbox_show(self, id: str) -> Answer:
        """
        Give all that is known of a copy in the outbox.
        """
        row = await self._database.read(lambda connection: outbox.get(connection, id))
        if row is None:
            raise CommandError(f"the outbox holds no copy {id}")
        return {"queued": _queued(row), "history": await self._history([row.message.trace])}

    # -- accounts ---------------------------------------------------------------------

    async def user_add(self, name: str, password: str) -> Answer:
        """
        Make an account for the review pages.
        """
        try:
            return {"account": _account(await self._accounts.add(name, password))}
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
        which a held message came.
        """
        held = await self._quarantine.get(id)
        identity = id if held is None else held.trace
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
        return {"records": records, **stored, "history": past}

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


def _held(held: HeldMessage) -> Answer:
    return asdict(held) | {"recipient": str(held.recipient), "sender": str(held.sender)}


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
    }


def _account(account: Account) -> Answer:
    return {"name": account.name, "created": account.created}
