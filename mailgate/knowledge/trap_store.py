"""
Where the traps are kept, and what makes an address one by itself: that it never existed, and is
guessed from many networks.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from mailgate.config.checks import TrapsCheck as Section
from mailgate.config.values import check_address
from mailgate.knowledge.traps import RESERVED, Trap, Trapped, TrappedClients, Traps
from mailgate.store.database import Database, count_rows, newest_rows, select
from mailgate.wire.address import Address
from mailgate.wire.normal import normal_address

MOST = 10_000
"""How many traps there may be."""

MOST_GUESSES = 100_000
MOST_OF_NETWORK = 100
"""How many guesses of one network are remembered, so that none pushes out those of others."""

MOST_NEVER = 1_000_000
"""How many addresses are remembered that never become traps; beyond that none does by itself."""

_DAY = 86400.0


class TrapRefused(Exception):
    """
    Something cannot be a trap, or there are too many; its message is a sentence.
    """


@frozen
class Guess:
    """
    That somebody has written to an address that does not exist.
    """

    address: str
    """As L{normal_address} gives it; so in the others."""

    network: str
    """From where: C{192.0.2.0/24}, C{2001:db8::/64}."""


@frozen
class News:
    """
    What was seen since the last time.
    """

    hits: Mapping[str, int]
    """How many messages came to each trap."""

    guesses: Collection[Guess]
    real: Collection[str]
    """Addresses that exist."""

    def __bool__(self) -> bool:
        return bool(self.hits or self.guesses or self.real)


@frozen
class _Done:
    traps: Sequence[Trap]
    made: Sequence[tuple[str, int]]
    """Those that have become traps, and the number of networks."""

    real: Sequence[str]
    """Those that are none any more."""


class TrapStore:
    """
    Adds, deletes and shows traps, and keeps the copies in memory up to date.
    """

    log = Logger()

    def __init__(
        self,
        database: Database,
        now: Callable[[], float],
        section: Section,
        domains: Collection[str],
        most: int = MOST,
        most_guesses: int = MOST_GUESSES,
        most_never: int = MOST_NEVER,
    ) -> None:
        """
        @param now: the time in seconds since the epoch.
        @param domains: the domains that mail is taken for, in lower case.
        """
        self._database = database
        self._now = now
        self.section = section
        self.domains = domains
        self._most = most
        self._most_guesses = most_guesses
        self._most_never = most_never
        self.traps = Traps()
        """Those that were made; empty before L{load}."""

        self.trapped = TrappedClients()
        """Who has written to one lately."""

        self.changed: Callable[[Sequence[Trap]], Deferred[Any]] = lambda traps: succeed(None)
        """Called with all traps when they are others; they count when the Deferred fires."""

        self.was_trapped: Callable[[Trapped], None] = lambda trapped: None
        """Called with whoever has written to one."""

    def load(self) -> Deferred[None]:
        """
        Read the traps.
        """
        return self._database.read(_all).addCallback(self.traps.take)

    def mark(self, client: str, reason: str) -> None:
        """
        Remember who has written to a trap (a L{mailgate.interfaces.Mark}).
        """
        trapped = Trapped(client, self._now())
        self.trapped.take((trapped,))
        self.was_trapped(trapped)

    def add(self, address: str, by: str, note: str = "") -> Deferred[tuple[Trap, bool]]:
        """
        Make an address a trap. It counts when the Deferred fires.

        @param by: who does so, in words.
        @return: the trap, and whether the address has had mail before, or sent it.
        @raise TrapRefused: it cannot be one.
        """
        key = self._key(address)

        def work(connection: sqlite3.Connection) -> tuple[Trap, bool, Sequence[Trap]]:
            if count_rows(connection, "trap") >= self._most and self.traps.find(key) is None:
                raise TrapRefused(f"There are {self._most:,} traps already, which is the most.")
            (row,) = select(
                connection,
                "INSERT INTO trap (address, is_guessed, made, made_by, note) VALUES (?, 0, ?, ?, ?)"
                " ON CONFLICT (address) DO UPDATE SET is_guessed = 0, made = excluded.made,"
                " made_by = excluded.made_by, note = excluded.note RETURNING *",
                (key, self._now(), by, note),
            )
            connection.execute("DELETE FROM trap_guess WHERE address = ?", (key,))
            return _trap(row), _is_never(connection, key), _all(connection)

        def committed(
            done: tuple[Trap, bool, Sequence[Trap]],
        ) -> Deferred[tuple[Trap, bool]]:
            trap, is_real, traps = done
            self.log.info(
                "{event} {address} by {by}", event="trap.added", address=trap.address, by=by
            )
            return self._take(traps).addCallback(lambda _: (trap, is_real))

        return self._database.write(work).addCallback(committed)

    def delete(self, address: str, by: str) -> Deferred[Trap | None]:
        """
        Let an address be none any more, nor become one by itself again.

        @return: the trap as it was, or C{None} where it was none.
        @raise TrapRefused: it is no address of ours.
        """
        key = self._key(address)

        def work(connection: sqlite3.Connection) -> tuple[Trap | None, Sequence[Trap]]:
            rows = select(connection, "DELETE FROM trap WHERE address = ? RETURNING *", (key,))
            gone = [_trap(row) for row in rows]
            if gone:
                self._never(connection, (key,))
            return (gone[0] if gone else None), _all(connection)

        def committed(done: tuple[Trap | None, Sequence[Trap]]) -> Deferred[Trap | None]:
            gone, traps = done
            if gone is not None:
                self.log.info("{event} {address} by {by}", event="trap.deleted", address=key, by=by)
            return self._take(traps).addCallback(lambda _: gone)

        return self._database.write(work).addCallback(committed)

    def newest(
        self, limit: int | None = None, before: int | None = None
    ) -> Deferred[Sequence[Trap]]:
        """
        Give the traps that were made, the newest first.

        @param limit: at most so many; C{None} is all.
        @param before: the number of the last one seen, to go on from there.
        """

        def work(connection: sqlite3.Connection) -> Sequence[Trap]:
            return [_trap(row) for row in newest_rows(connection, "trap", limit, before)]

        return self._database.read(work)

    def count(self) -> Deferred[int]:
        """
        Count them.
        """
        return self._database.read(lambda connection: count_rows(connection, "trap"))

    def take(self, news: News) -> Deferred[None]:
        """
        Keep what was seen, and let addresses become traps, or cease to be some, by that.

        @raise StoreError: the disk failed; nothing of it is kept.
        """
        now = self._now()

        def work(connection: sqlite3.Connection) -> _Done:
            connection.executemany(
                "UPDATE trap SET hits = hits + ?, last = ? WHERE address = ?",
                [(number, now, address) for address, number in news.hits.items()],
            )
            self._never(connection, news.real)
            real = [
                address
                for address in news.real
                if connection.execute(
                    "DELETE FROM trap WHERE address = ? AND is_guessed", (address,)
                ).rowcount
            ]
            made = self._guessed(connection, news.guesses, now)
            return _Done(_all(connection), made, real)

        def committed(done: _Done) -> Deferred[None]:
            for address, networks in done.made:
                self.log.info(
                    "{event} {address}, guessed from {networks} networks",
                    event="trap.made",
                    address=address,
                    networks=networks,
                )
            for address in done.real:
                self.log.info(
                    "{event} {address} by {by}",
                    event="trap.deleted",
                    address=address,
                    by="its own existence",
                )
            if not (done.made or done.real):
                self.traps.take(done.traps)
                return succeed(None)
            return self._take(done.traps)

        return self._database.write(work).addCallback(committed)

    def purge(self) -> Deferred[int]:
        """
        Forget the guesses that are too old, and count them.
        """
        end = self._now() - self.section.guess_days * _DAY

        def work(connection: sqlite3.Connection) -> int:
            return connection.execute("DELETE FROM trap_guess WHERE at <= ?", (end,)).rowcount

        return self._database.write(work)

    # -- inside ------------------------------------------------------------------------

    def _key(self, address: str) -> str:
        try:
            local, _, host = check_address(address).rpartition("@")
        except ValueError:
            raise TrapRefused(f"{address} is no address.") from None
        found = Address(local, host)
        if found.is_protected:
            raise TrapRefused(f"{address} is never a trap: people complain there (RFC 2142).")
        if found.host not in self.domains:
            raise TrapRefused(f"{address} is in none of your domains.")
        return normal_address(found)

    def _take(self, traps: Sequence[Trap]) -> Deferred[Any]:
        # Writes are answered in the order of their commits, so memory and disk stay the same.
        self.traps.take(traps)
        return self.changed(traps)

    # -- inside, in the thread of the database -------------------------------------------

    def _guessed(
        self, connection: sqlite3.Connection, guesses: Collection[Guess], now: float
    ) -> Sequence[tuple[str, int]]:
        needed = self.section.learn_after_guesses
        if not needed:
            return ()
        may_learn = count_rows(connection, "never_trap") < self._most_never
        touched: dict[str, None] = {}
        for guess in guesses:
            if is_reserved(guess.address) or _is_never(connection, guess.address):
                continue
            if self.traps.find(guess.address) is not None:
                continue
            connection.execute(
                "INSERT INTO trap_guess (address, network, at) VALUES (?, ?, ?)"
                " ON CONFLICT (address, network) DO UPDATE SET at = excluded.at",
                (guess.address, guess.network, now),
            )
            touched[guess.address] = None
        self._bound(connection, {guess.network for guess in guesses})
        since = now - self.section.guess_days * _DAY
        made = []
        for address in touched:
            (networks,) = connection.execute(
                "SELECT count(*) FROM trap_guess WHERE address = ? AND at > ?", (address, since)
            ).fetchone()
            if networks < needed or not may_learn or count_rows(connection, "trap") >= self._most:
                continue
            connection.execute(
                "INSERT OR IGNORE INTO trap (address, is_guessed, made, made_by, note)"
                " VALUES (?, 1, ?, 'mailgate', ?)",
                (address, now, f"guessed from {networks} networks"),
            )
            connection.execute("DELETE FROM trap_guess WHERE address = ?", (address,))
            made.append((address, networks))
        return made

    def _bound(self, connection: sqlite3.Connection, networks: Collection[str]) -> None:
        for network in networks:
            connection.execute(
                "DELETE FROM trap_guess WHERE number IN (SELECT number FROM trap_guess"
                " WHERE network = ? ORDER BY number DESC LIMIT -1 OFFSET ?)",
                (network, MOST_OF_NETWORK),
            )
        excess = count_rows(connection, "trap_guess") - self._most_guesses
        if excess > 0:
            connection.execute(
                "DELETE FROM trap_guess WHERE number IN"
                " (SELECT number FROM trap_guess ORDER BY at, number LIMIT ?)",
                (excess,),
            )

    def _never(self, connection: sqlite3.Connection, addresses: Collection[str]) -> None:
        # One that is beyond the most is not forgotten: then nothing becomes a trap by itself.
        left = self._most_never - count_rows(connection, "never_trap")
        connection.executemany(
            "INSERT OR IGNORE INTO never_trap (address) VALUES (?)",
            [(address,) for address in list(addresses)[: max(0, left)]],
        )
        connection.executemany(
            "DELETE FROM trap_guess WHERE address = ?", [(address,) for address in addresses]
        )


def is_reserved(address: str) -> bool:
    """
    Tell whether an address is one at which people try their luck in good faith.
    """
    local = address.rpartition("@")[0]
    return local in RESERVED or local.partition("-")[0] in RESERVED


def _is_never(connection: sqlite3.Connection, address: str) -> bool:
    found = connection.execute("SELECT 1 FROM never_trap WHERE address = ?", (address,))
    return found.fetchone() is not None


def _all(connection: sqlite3.Connection) -> Sequence[Trap]:
    return [_trap(row) for row in select(connection, "SELECT * FROM trap ORDER BY number")]


def _trap(row: sqlite3.Row) -> Trap:
    return Trap(
        row["number"],
        row["address"],
        bool(row["is_guessed"]),
        row["made"],
        row["made_by"],
        row["note"],
        row["hits"],
        row["last"],
    )
