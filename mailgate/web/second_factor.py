"""
The second factor: codes that change every half minute (TOTP, RFC 6238), and codes for the day on
which the telephone is lost.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from collections.abc import Callable, Sequence

import pyotp
import segno
from attrs import frozen
from twisted.internet.defer import Deferred

from mailgate.people.account import Account
from mailgate.store.database import Database

_STEP = 30
_AROUND = 1
"""Steps before and after the present one whose codes count: clocks differ, and people type."""

_MARGIN = 4
_RECOVERY_CODES = 10
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_SECRET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_SECRET_LENGTH = 32


class SecondFactor:
    """
    Switches second factors on and off, and checks codes. Each code counts once.
    """

    def __init__(self, database: Database, now: Callable[[], float]) -> None:
        """
        @param now: the time in seconds since the epoch.
        """
        self._database = database
        self._now = now

    def new_secret(self) -> str:
        """
        Make a secret, in base32. It is not kept until a code of it was seen.
        """
        return pyotp.random_base32(_SECRET_LENGTH)

    def switch_on(self, account: Account, secret: str, code: str) -> Deferred[Sequence[str] | None]:
        """
        Switch it on, where C{code} shows that the secret has arrived.

        @return: the recovery codes, which are kept nowhere; C{None} where the code is wrong.
        """
        step = self._step_of(secret, code, 0) if is_secret(secret) else None
        codes = [_recovery_code() for _ in range(_RECOVERY_CODES)]

        def work(connection: sqlite3.Connection) -> Sequence[str] | None:
            changed = connection.execute(
                "UPDATE account SET totp = ?, totp_step = ? WHERE id = ? AND totp = ''",
                (secret, step, account.id),
            )
            if not changed.rowcount:
                return None
            connection.execute("DELETE FROM recovery_code WHERE account = ?", (account.id,))
            connection.executemany(
                "INSERT INTO recovery_code VALUES (?, ?)",
                [(account.id, _hashed(code)) for code in codes],
            )
            return codes

        if step is None:
            return self._database.read(lambda connection: None)
        return self._database.write(work)

    def switch_off(self, account: Account) -> Deferred[None]:
        """
        Switch it off, and forget its secret and codes.
        """

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE account SET totp = '', totp_step = 0 WHERE id = ?", (account.id,)
            )
            connection.execute("DELETE FROM recovery_code WHERE account = ?", (account.id,))

        return self._database.write(work)

    def check(self, account: Account, code: str) -> Deferred[bool]:
        """
        Tell whether a code is right, and let it never be again: six digits of the moment, or one
        of the recovery codes.
        """
        code = "".join(code.split()).lower()

        def work(connection: sqlite3.Connection) -> bool:
            row = connection.execute(
                "SELECT totp, totp_step FROM account WHERE id = ? AND totp <> ''", (account.id,)
            ).fetchone()
            if row is None:
                return False
            step = self._step_of(row[0], code, row[1])
            if step is not None:
                connection.execute(
                    "UPDATE account SET totp_step = ? WHERE id = ?", (step, account.id)
                )
                return True
            gone = connection.execute(
                "DELETE FROM recovery_code WHERE account = ? AND code = ?",
                (account.id, _hashed(code)),
            )
            return bool(gone.rowcount)

        return self._database.write(work)

    def codes_left(self, account: Account) -> Deferred[int]:
        """
        Count the recovery codes that were not used yet.
        """

        def work(connection: sqlite3.Connection) -> int:
            (number,) = connection.execute(
                "SELECT count(*) FROM recovery_code WHERE account = ?", (account.id,)
            ).fetchone()
            return int(number)

        return self._database.read(work)

    def _step_of(self, secret: str, code: str, used: int) -> int | None:
        """
        Give the step that a code belongs to, if it is near and later than the last one used.
        """
        code = "".join(code.split())
        if not (code.isascii() and code.isdigit()):
            return None
        present = int(self._now() // _STEP)
        totp = pyotp.TOTP(secret, interval=_STEP)
        found = None
        for step in range(present - _AROUND, present + _AROUND + 1):
            is_right = hmac.compare_digest(totp.generate_otp(step), code)
            if is_right and step > used:
                found = step
        return found


@frozen
class Picture:
    """
    What a telephone reads to take a secret up.
    """

    size: int
    """The length of a side, with the margin that cameras want, in modules."""

    path: str
    """The dark modules, as the path of an SVG."""


def picture(secret: str, name: str, issuer: str) -> Picture:
    """
    Draw a secret.

    @param issuer: the name of this gateway, for the list in the telephone.
    """
    uri = pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=issuer)
    code = segno.make(uri, error="m", micro=False)
    dark = [
        f"M{x + _MARGIN} {y + _MARGIN}h1v1h-1z"
        for y, row in enumerate(code.matrix)
        for x, module in enumerate(row)
        if module
    ]
    return Picture(len(code.matrix) + 2 * _MARGIN, "".join(dark))


def factor_key(account: Account) -> str:
    """
    Give that by which wrong codes are counted; no name has this form.
    """
    return f"\0{account.id}"


def is_secret(text: str) -> bool:
    """
    Tell whether a text is a secret as L{SecondFactor.new_secret} makes it.
    """
    return len(text) == _SECRET_LENGTH and set(text) <= set(_SECRET)


def _recovery_code() -> str:
    drawn = "".join(secrets.choice(_ALPHABET) for _ in range(16))
    return "-".join(drawn[at : at + 4] for at in range(0, 16, 4))


def _hashed(code: str) -> bytes:
    return hashlib.sha256(code.replace("-", "").encode()).digest()
