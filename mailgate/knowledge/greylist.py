"""
Who has tried to write to whom, and who has come again as mail servers do and spam robots seldom.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence

from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mailgate.config.checks import GreylistCheck as Section
from mailgate.interfaces import Attempt, Standing
from mailgate.store.database import Database, count_rows, newest_rows
from mailgate.wire.address import Address
from mailgate.wire.network import address_of, named, network_name
from mailgate.wire.normal import normal_address

MOST = 100_000
"""How many attempts wait at most, and how many networks are known."""

MOST_OF_NETWORK = 100
"""How many attempts of one network wait at most, so that none pushes out those of others."""

SLACK = 100
"""By how many there may be more than L{MOST}, since they are not counted at each attempt."""

RETRY_SECONDS = 4 * 86400.0
"""After which an attempt is taken for a first one: mail servers give up after 4 to 5 days (RFC 5321
section 4.5.4.1)."""

_DAY = 86400.0
_HOST = r"[a-z0-9.-]+\.[a-z0-9-]+"
# BATV: prvs=KDDDSSSSSS=ada, and the older prvs=ada/KDDDSSSSSS.
_BATV = re.compile(r"(?:ms)?prvs\d*=(?:[^=/]+=([^=]+)|([^=/]+)/[^=/]+)")
# SRS0=HHH=TT=example.org=ada and SRS1=HHH=relay.example==HHH=TT=example.org=ada.
_SRS0 = re.compile(r"srs0[=+-][^=]+=[^=]+=([^=]+=.+)")
_SRS1 = re.compile(r"srs1[=+-][^=]+=([^=]+)=[=+-][^=]+=[^=]+=([^=]+=.+)")
# The recipient within the sender: news-ada=example.com, news-return-12-ada=example.com.
_VERP = re.compile(rf"[-+][^-+=@]+={_HOST}\Z")
_NUMBERED = re.compile(r"[a-z0-9]*[0-9][a-z0-9]*")
_ROW = re.compile(r"#(?:[-_.=]?#)+")


@frozen
class Remembered:
    """
    An attempt that waits, or the one by which a network became known.
    """

    number: int
    network: str
    sender: str
    recipient: str
    first: float
    """Seconds since the epoch."""

    last: float
    """When a known network was last seen, to within a day."""

    is_known: bool


def attempt_of(client: str, sender: Address, recipient: Address) -> Attempt | None:
    """
    Give what counts as one attempt, whichever server of a farm makes it and whatever is new in the
    sender of each message; C{None} where C{client} is no IP address.
    """
    network = network_named(client)
    if network is None:
        return None
    return Attempt(network, untagged(sender), normal_address(recipient.person))


def network_named(client: str) -> str | None:
    """
    Name the /24 or /64 network of an address; C{None} where it is no address.
    """
    address = address_of(client)
    return None if address is None else network_name(address)


def untagged(sender: Address) -> str:
    """
    Give an envelope sender without what is new in each message: tags of BATV and SRS, the recipient
    and numbers of VERP, extensions.

    Whoever is called C{ada7} becomes C{#}, so it tells whether two are the same and does not say
    who it is.
    """
    local, at, host = normal_address(sender).rpartition("@")
    if not at:
        return host
    if (batv := _BATV.fullmatch(local)) is not None:
        local = batv[1] or batv[2]
    elif (srs0 := _SRS0.fullmatch(local)) is not None:
        local = f"srs={srs0[1]}"
    elif (srs1 := _SRS1.fullmatch(local)) is not None:
        local = f"srs={srs1[1]}={srs1[2]}"
    else:
        local = _VERP.sub("", local)
    local = local[:1] + local[1:].partition("+")[0]
    return f"{_ROW.sub('#', _NUMBERED.sub('#', local))}@{host}"


class Greylist:
    """
    Remembers attempts until they are made again, and then for long the network that has made them.

    What waits and what is known are bounded apart: who makes up senders pushes out those that wait,
    of its own network first, and never one that is known.
    """

    log = Logger()

    def __init__(
        self,
        database: Database,
        now: Callable[[], float],
        section: Section,
        most: int = MOST,
        most_of_network: int = MOST_OF_NETWORK,
    ) -> None:
        """
        @param now: the time in seconds since the epoch. It may jump: nobody waits longer for it
            than twice the usual time.
        """
        self._database = database
        self._now = now
        self.section = section
        """How long attempts wait and networks are known."""

        self._most = most
        self._most_of_network = most_of_network

    def look_up(self, attempts: Sequence[Attempt]) -> Deferred[Sequence[Standing]]:
        """
        Tell whether those are known who attempt this, and remember that they have.

        @return: the answers in the order of C{attempts}, once what is new is on the disk.
        @raise StoreError: it is not.
        """
        now = self._now()
        wait, known = self.section.wait_seconds, self.section.known_days * _DAY

        def work(connection: sqlite3.Connection) -> Sequence[Standing]:
            return tuple(
                self._look_up(connection, attempt, now, wait, now - known) for attempt in attempts
            )

        return self._database.write(work)

    def newest(
        self, limit: int | None = None, before: int | None = None
    ) -> Deferred[Sequence[Remembered]]:
        """
        Give what is remembered, the newest first, also what has expired until it is purged.

        @param limit: at most so many; C{None} is all.
        @param before: the number of the last one seen, to go on from there.
        """

        def work(connection: sqlite3.Connection) -> Sequence[Remembered]:
            found = newest_rows(connection, "greylist", limit, before)
            rows = [Remembered(**dict(row)) for row in found]
            return [evolve(row, is_known=bool(row.is_known)) for row in rows]

        return self._database.read(work)

    def count(self) -> Deferred[int]:
        """
        Count what is remembered.
        """
        return self._database.read(lambda connection: count_rows(connection, "greylist"))

    def clear(self, by: str, network: str | None = None) -> Deferred[int]:
        """
        Forget all that is remembered, or that of one network, and count it.

        @param by: who wants it so, in words.
        @param network: the network, or an address in it.
        @raise ValueError: it is none.
        """
        if network is not None:
            network = network_named(named(network).partition("/")[0])

        def work(connection: sqlite3.Connection) -> int:
            if network is None:
                return connection.execute("DELETE FROM greylist").rowcount
            return connection.execute("DELETE FROM greylist WHERE network = ?", (network,)).rowcount

        def committed(number: int) -> int:
            self.log.info(
                "{event} {number} of {network} by {by}",
                event="greylist.cleared",
                number=number,
                network=network or "all",
                by=by,
            )
            return number

        return self._database.write(work).addCallback(committed)

    def purge(self) -> Deferred[int]:
        """
        Forget what has not come again, and networks not seen for long, and count them.
        """
        now = self._now()
        ends = (now - RETRY_SECONDS, now - self.section.known_days * _DAY)

        def work(connection: sqlite3.Connection) -> int:
            return sum(
                connection.execute(
                    "DELETE FROM greylist WHERE is_known = ? AND last <= ?", (is_known, end)
                ).rowcount
                for is_known, end in enumerate(ends)
            )

        return self._database.write(work)

    # -- inside, in the thread of the database -------------------------------------------

    def _look_up(
        self,
        connection: sqlite3.Connection,
        attempt: Attempt,
        now: float,
        wait: float,
        known_since: float,
    ) -> Standing:
        for number, last in connection.execute(
            "SELECT number, last FROM greylist WHERE network = ? AND is_known", (attempt.network,)
        ).fetchall():
            if last > known_since:
                if now - last > _DAY:
                    connection.execute(
                        "UPDATE greylist SET last = ? WHERE number = ?", (now, number)
                    )
                return Standing(True)
            connection.execute("DELETE FROM greylist WHERE number = ?", (number,))
        key = (attempt.network, attempt.sender, attempt.recipient)
        for number, first in connection.execute(
            "SELECT number, first FROM greylist"
            " WHERE network = ? AND sender = ? AND recipient = ? AND NOT is_known",
            key,
        ).fetchall():
            waited = now - first
            if waited < -wait or wait <= waited < RETRY_SECONDS:
                # A first attempt that lies ahead was made before the clock was put back, and nobody
                # knows how long ago.
                connection.execute(
                    "DELETE FROM greylist WHERE network = ? AND NOT is_known", (attempt.network,)
                )
                self._remember(connection, key, first, now, True)
                return Standing(True, max(waited, wait))
            if waited < wait:
                return Standing(False, max(waited, 0.0))
            connection.execute("DELETE FROM greylist WHERE number = ?", (number,))
        self._remember(connection, key, now, now, False)
        return Standing(False)

    def _remember(
        self,
        connection: sqlite3.Connection,
        key: tuple[str, str, str],
        first: float,
        last: float,
        is_known: bool,
    ) -> None:
        (number,) = connection.execute(
            "INSERT INTO greylist (network, sender, recipient, first, last, is_known)"
            " VALUES (?, ?, ?, ?, ?, ?) RETURNING number",
            (*key, first, last, is_known),
        ).fetchone()
        if not is_known:
            connection.execute(
                "DELETE FROM greylist WHERE number IN (SELECT number FROM greylist"
                " WHERE network = ? AND NOT is_known ORDER BY number DESC LIMIT -1 OFFSET ?)",
                (key[0], self._most_of_network),
            )
        if number % SLACK == 0:
            for condition in ("is_known = 0", "is_known = 1"):
                excess = count_rows(connection, "greylist", condition) - self._most
                if excess > 0:
                    connection.execute(
                        "DELETE FROM greylist WHERE number IN (SELECT number FROM greylist"
                        f" WHERE {condition} ORDER BY last, number LIMIT ?)",
                        (excess,),
                    )
