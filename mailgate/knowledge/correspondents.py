"""
Who of ours has had mail with whom.

Only mail that was delivered and whose author was authenticated counts as heard, and only mail that
somebody of ours has sent as written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailgate.config.checks import CorrespondentsCheck as Section
from mailgate.interfaces import Contact, Question
from mailgate.store.database import Database, count_rows, select
from mailgate.verdict import Action
from mailgate.wire.address import Address
from mailgate.wire.normal import normal_address

if TYPE_CHECKING:
    from mailgate.message.record import Record

DAY = 86400.0

MOST = 200_000
"""How many pairs are known at most."""

MOST_WAITING = 10_000
"""How many pairs may wait to be written; of more nothing is noted until then."""

SLACK = 1_000
"""By how many there may be more than L{MOST}, so that not each one that comes pushes one out."""

MOST_ALIKE = 5
"""How many domains that look alike are told."""

CHECK = "correspondents"
"""The name of the check that says whose mail counts as heard."""

_NOTE = """
INSERT INTO correspondents (theirs, ours, domain, look, heard, written, touched)
VALUES (:theirs, :ours, :domain, :look, :heard, :written, max(:heard, :written))
ON CONFLICT (theirs, ours) DO UPDATE SET
    heard = max(heard, :heard), written = max(written, :written),
    touched = max(touched, :heard, :written)
"""

Look = Callable[[str], tuple[str, str]]
"""
Gives of a domain its organisation, and how the name of that looks; both empty where anybody can
have an address.
"""


class Correspondents:
    """
    Remembers who has had mail with whom, and forgets it when there was none for long.
    """

    log = Logger()

    def __init__(
        self,
        database: Database,
        now: Callable[[], float],
        section: Section,
        ours: Collection[str],
        look: Look,
        most: int = MOST,
        slack: int = SLACK,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        """
        @param now: the time in seconds since the epoch.
        @param ours: our domains: nobody there is a stranger.
        """
        self._database = database
        self._now = now
        self.section = section
        """How long what is known holds."""

        self.ours = ours
        self.look = look
        self._most = most
        self._slack = slack
        self._most_waiting = most_waiting
        self._noted: dict[tuple[str, str], tuple[float, float]] = {}
        self._dropped = 0

    # -- what happens ---------------------------------------------------------------------

    def record(self, record: Record) -> None:
        """
        Note from whom mail was delivered to whom. Returns at once; L{flush} writes.
        """
        if record.session.is_trusted or record.session.account:
            ours = _address(record.sender or "")
            # Notices and automatic answers are no correspondence (RFC 3834).
            if ours is not None and ours.host in self.ours:
                for copy in record.copies:
                    theirs = _address(copy.recipient) if copy.has_come else None
                    if theirs is not None and theirs.host not in self.ours:
                        self._take(theirs, ours, written=record.started)
        elif (author := _address(record.author)) is not None and author.host not in self.ours:
            heard = {
                normal_address(recipient)
                for verdict in record.verdicts
                if verdict.action is Action.ACCEPT and verdict.would is None
                if any(finding.check == CHECK for finding in verdict.findings)
                for recipient in verdict.recipients
            }
            for copy in record.copies:
                ours = _address(copy.recipient) if copy.has_come else None
                if ours is not None and normal_address(ours) in heard:
                    self._take(author, ours, heard=record.started)

    def _take(
        self, theirs: Address, ours: Address, heard: float = 0.0, written: float = 0.0
    ) -> None:
        pair = normal_address(theirs), normal_address(ours)
        self._note(pair, heard, written)

    def _note(self, pair: tuple[str, str], heard: float, written: float) -> None:
        known = self._noted.get(pair)
        if known is None:
            if len(self._noted) >= self._most_waiting:
                self._dropped += 1
                return
            known = 0.0, 0.0
        self._noted[pair] = max(known[0], heard), max(known[1], written)

    def flush(self) -> Deferred[int]:
        """
        Write what was noted, and count the pairs. What cannot be written is noted still.

        @raise StoreError: it cannot.
        """
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self.log.error("{event} {number} pairs", event="correspondents.lost", number=dropped)
        if not self._noted:
            return succeed(0)
        noted, self._noted = self._noted, {}

        def work(connection: sqlite3.Connection) -> int:
            for (theirs, ours), (heard, written) in noted.items():
                domain, look = self.look(theirs.rpartition("@")[2])
                connection.execute(
                    _NOTE,
                    {
                        "theirs": theirs,
                        "ours": ours,
                        "domain": domain,
                        "look": look,
                        "heard": heard,
                        "written": written,
                    },
                )
            self._make_room(connection)
            return len(noted)

        def failed(failure: Failure) -> Failure:
            for pair, (heard, written) in noted.items():
                self._note(pair, heard, written)
            return failure

        return self._database.write(work).addErrback(failed)

    def _make_room(self, connection: sqlite3.Connection) -> None:
        """
        Forget pairs that are too many: first those to whom nobody of ours has written.
        """
        excess = count_rows(connection, "correspondents") - self._most
        if excess > self._slack:
            connection.execute(
                "DELETE FROM correspondents WHERE number IN (SELECT number FROM correspondents"
                " ORDER BY written > 0, touched, number LIMIT ?)",
                (excess,),
            )

    # -- what is known --------------------------------------------------------------------

    def ask(self, question: Question) -> Deferred[Contact]:
        """
        Tell what is known of an author, and whom it looks like.

        @raise StoreError: the database cannot be read.
        """
        since = self._now() - self.section.forget_days * DAY
        domain, look = self.look(question.theirs.rpartition("@")[2])

        def work(connection: sqlite3.Connection) -> Contact:
            heard = written = 0.0
            is_own = False
            for row in select(
                connection,
                "SELECT ours, heard, written FROM correspondents WHERE theirs = ? AND touched > ?",
                (question.theirs, since),
            ):
                heard, written = max(heard, row["heard"]), max(written, row["written"])
                is_own = is_own or (row["written"] > since and row["ours"] in question.ours)
            alike: tuple[str, ...] = ()
            if look and not written:
                found = select(
                    connection,
                    "SELECT DISTINCT domain FROM correspondents"
                    " WHERE look = ? AND look != '' AND written > 0 AND written > ? LIMIT ?",
                    (look, since, MOST_ALIKE + 1),
                )
                names = [row["domain"] for row in found]
                # Whoever has written from there is known by that name.
                alike = () if domain in names else tuple(sorted(names))[:MOST_ALIKE]
            return Contact(
                question.theirs,
                heard,
                written if written > since else 0.0,
                is_own,
                alike,
            )

        return self._database.read(work)

    def count(self) -> Deferred[int]:
        """
        Count the pairs that are known.
        """
        return self._database.read(lambda connection: count_rows(connection, "correspondents"))

    def purge(self) -> Deferred[int]:
        """
        Forget pairs between which there was no mail for long, and count them.
        """
        oldest = self._now() - self.section.forget_days * DAY
        return self._database.write(
            lambda connection: (
                connection.execute(
                    "DELETE FROM correspondents WHERE touched <= ?", (oldest,)
                ).rowcount
            )
        )


def _address(text: str) -> Address | None:
    local, at, domain = text.rpartition("@")
    return Address(local, domain) if at and local and domain else None
