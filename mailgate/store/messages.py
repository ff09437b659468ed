"""
Stored messages: a file, a row about it, and the rows of other tables that name it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred

from mailgate.interfaces import IMessage, IThreads
from mailgate.store.blobs import BEGINNING, Blobs, Sweep
from mailgate.store.database import Database
from mailgate.wire.address import Address

if TYPE_CHECKING:
    from mailgate.message.envelope import Envelope

T = TypeVar("T")

_TEXT_LIMIT = 500


@frozen
class Summary:
    """
    The headers that tell a person which message it is, decoded.
    """

    from_header: str
    subject: str
    message_id: str


@frozen
class StoredMessage:
    """
    What is known of a stored message and of the transaction it came by.
    """

    id: str
    size: int
    trace: str
    session: str
    listener: str
    role: str
    client: str
    port: int
    started: float
    """When the session began, in seconds since the epoch."""

    helo: str
    is_esmtp: bool
    tls: str
    sender: Address
    received: float
    """When MAIL came, in seconds since the epoch."""

    declared: int | None
    """What the client declared as the size, in bytes."""

    body: str
    from_header: str
    subject: str
    message_id: str
    account: str
    """As whom the client had logged in, or C{""}."""

    utf8: bool
    """Whether addresses and header fields may be UTF-8 (RFC 6531)."""

    ret: str
    """How much a notice shall hold (RFC 3461), or C{""}."""

    envid: str
    """The sender's own name for the transaction (RFC 3461), or C{""}."""

    @classmethod
    def of(cls, row: sqlite3.Row) -> StoredMessage:
        """
        Read a row of the table C{messages}, joined to others or not.
        """
        return cls(
            id=row["message"],
            size=row["size"],
            trace=row["trace"],
            session=row["session"],
            listener=row["listener"],
            role=row["role"],
            client=row["client"],
            port=row["port"],
            started=row["started"],
            helo=row["helo"],
            is_esmtp=bool(row["is_esmtp"]),
            tls=row["tls"],
            sender=Address(row["sender_local"], row["sender_domain"]),
            received=row["received"],
            declared=row["declared"],
            body=row["body"],
            from_header=row["from_header"],
            subject=row["subject"],
            message_id=row["message_id"],
            account=row["account"],
            utf8=bool(row["utf8"]),
            ret=row["ret"],
            envid=row["envid"],
        )


class Messages:
    """
    Keeps a message as long as a row of C{held} or C{outbox} names it.
    """

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        threads: IThreads,
        summarise: Callable[[bytes], Summary],
    ) -> None:
        """
        @param summarise: reads the headers at the beginning of a message; it must not raise.
        """
        self.database = database
        self.blobs = blobs
        self._threads = threads
        self._summarise = summarise

    def keep(
        self,
        envelope: Envelope,
        message: IMessage,
        insert: Callable[[sqlite3.Connection, str], T],
    ) -> Deferred[T]:
        """
        Store a message, and the rows that C{insert} adds for its id in the same transaction.

        @return: what C{insert} returned, once file and rows are on the disk.
        @raise OSError: no room, or the disk failed; nothing has been stored.
        """
        return self.keep_all(
            ((envelope, message),), lambda connection, stored, _: insert(connection, *stored)
        )

    def keep_all(
        self,
        messages: Sequence[tuple[Envelope, IMessage]],
        function: Callable[[sqlite3.Connection, Sequence[str], set[str]], T],
    ) -> Deferred[T]:
        """
        Store messages, and call C{function} with their ids in the same transaction; what it adds to
        the set goes as in L{change}.

        @raise OSError: no room, or the disk failed; nothing has been stored or changed.
        """
        return Deferred.fromCoroutine(self._keep_all(messages, function))

    async def _keep_all(
        self,
        messages: Sequence[tuple[Envelope, IMessage]],
        function: Callable[[sqlite3.Connection, Sequence[str], set[str]], T],
    ) -> T:
        summaries: list[Summary] = []
        stored: list[str] = []
        try:
            for _, message in messages:
                beginning = message.head(BEGINNING)
                summaries.append(await self._threads.run(self._summarise, beginning))
                stored.append(await self.blobs.save(message))
        except CancelledError:
            raise
        except Exception:
            if stored:
                self.blobs.remove(stored)
            raise

        def work(connection: sqlite3.Connection, loose: set[str]) -> T:
            for (envelope, message), summary, identity in zip(
                messages, summaries, stored, strict=True
            ):
                _insert(connection, identity, message.size, envelope, summary)
            return function(connection, stored, loose)

        try:
            return await self.change(work)
        except CancelledError:
            # What was asked of the writer happens all the same.
            raise
        except Exception:
            if stored:
                self.blobs.remove(stored)
            raise

    def change(self, function: Callable[[sqlite3.Connection, set[str]], T]) -> Deferred[T]:
        """
        Call C{function} in a transaction; it adds to the set the ids of messages that it took
        rows away from. Those that no row names any more go, and after the commit their files.
        """

        def work(connection: sqlite3.Connection) -> tuple[T, list[str]]:
            loose: set[str] = set()
            result = function(connection, loose)
            return result, _forget_unnamed(connection, loose)

        def committed(answer: tuple[T, list[str]]) -> T:
            result, gone = answer
            if gone:
                self.blobs.remove(gone)
            return result

        return self.database.write(work).addCallback(committed)

    def sweep(self) -> Deferred[Sweep]:
        """
        Remove files without rows. Only at the start, before anything is stored.
        """

        def work(connection: sqlite3.Connection) -> Sweep:
            def known(first: str, before: str) -> set[str]:
                found = connection.execute(
                    "SELECT message FROM messages WHERE message >= ? AND message < ?",
                    (first, before),
                )
                return {message for (message,) in found}

            return self.blobs.sweep(known)

        return self.database.read(work)


def _insert(
    connection: sqlite3.Connection,
    identity: str,
    size: int,
    envelope: Envelope,
    summary: Summary,
) -> None:
    session = envelope.session
    values = (
        identity,
        size,
        envelope.trace,
        session.id,
        session.listener,
        session.role,
        session.client,
        session.port,
        session.started,
        session.helo,
        session.is_esmtp,
        session.tls,
        envelope.sender.local,
        envelope.sender.domain,
        envelope.received,
        envelope.size,
        envelope.body,
        _storable(summary.from_header),
        _storable(summary.subject),
        _storable(summary.message_id),
        session.account,
        envelope.utf8,
        envelope.ret,
        envelope.envid,
    )
    connection.execute(f"INSERT INTO messages VALUES ({', '.join('?' * len(values))})", values)


def _storable(text: str) -> str:
    """
    Make a stranger's text fit for a column: short, and without lone surrogates.
    """
    return text[:_TEXT_LIMIT].encode("utf-8", "replace").decode("utf-8")


def _forget_unnamed(connection: sqlite3.Connection, identities: Iterable[str]) -> list[str]:
    gone = []
    for identity in identities:
        gone += connection.execute(
            "DELETE FROM messages WHERE message = :id"
            " AND NOT EXISTS (SELECT 1 FROM held WHERE message = :id)"
            " AND NOT EXISTS (SELECT 1 FROM outbox WHERE message = :id)"
            " RETURNING message",
            {"id": identity},
        ).fetchall()
    return [identity for (identity,) in gone]
