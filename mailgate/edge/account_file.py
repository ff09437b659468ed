"""
The file of the accounts that may log in to send mail: one line for each.

A line is the name, the password's Argon2 hash, its verifier for SCRAM-SHA-256 (or C{-}), and as
whom the account may send, with white space between them. A line that begins with C{#} is a
comment, and C{@secret} is followed by what the decoys of unknown names are made of. All calls
block: make them in a thread, or in a command.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_IMODE

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError
from attrs import evolve, field, frozen

from mailgate.config.model import Settings
from mailgate.config.values import check_sender
from mailgate.interfaces import Account, IFiles
from mailgate.wire.base64 import b64encode, strict_b64decode
from mailgate.wire.saslprep import name_key, saslprep
from mailgate.wire.scram import (
    ITERATIONS,
    SALT_LENGTH,
    ScramError,
    ScramVerifier,
    make_verifier,
)

PASSWORD_LENGTHS = range(10, 1001)
"""How many characters a password may have."""

NAME_LIMIT = 255
"""Bytes of a name."""

_NONE = "-"
_SECRET = "@secret"
_SECRET_LENGTH = 32
_WORDS = re.compile(r"[ \t]+")
_HEADING = (
    "# Who may log in to send mail. Written by: mailgate account",
    "# A change counts at once; what is behind # stays.",
)


class AccountRefused(ValueError):
    """
    A name, a password or a sender that cannot be taken; its message is a sentence.
    """


def make_hasher() -> PasswordHasher:
    """
    Make what hashes passwords: Argon2id with 19 MiB and two passes.
    """
    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def accounts_path(settings: Settings) -> Path:
    """
    Give the path of the file that the configuration names.
    """
    return settings.accounts.file or settings.data / "accounts"


@frozen
class Entry:
    """
    The line of an account.
    """

    name: str
    hashed: str = field(repr=False)
    """The password's Argon2 hash."""

    verifier: ScramVerifier | None = None
    senders: tuple[str, ...] = ()
    """As whom it may send, beside itself: addresses, C{@} and a domain, or C{*}."""

    @property
    def account(self) -> Account:
        """
        Give the account. One whose name is an address may send as this address.
        """
        senders = set(self.senders)
        if "@" in self.name:
            with suppress(AccountRefused):
                senders.add(usable_sender(self.name))
        return Account(self.name, frozenset(senders))

    @classmethod
    def parse(cls, line: str) -> Entry:
        """
        Read a line.

        @raise AccountRefused: it is none.
        """
        if not line.strip().replace("\t", " ").isprintable():
            raise AccountRefused("The line is not in UTF-8, or has control characters.")
        words = _WORDS.split(line.strip())
        if len(words) < 3:
            raise AccountRefused("A line has a name, a hash and a verifier, with spaces between.")
        name, hashed, verifier, *senders = words
        try:
            extract_parameters(hashed)
        except InvalidHashError:
            raise AccountRefused("The second word is no hash of Argon2.") from None
        try:
            known = None if verifier == _NONE else ScramVerifier.parse(verifier)
        except ScramError:
            raise AccountRefused("The third word is neither a verifier nor a hyphen.") from None
        return cls(usable_name(name), hashed, known, tuple(map(usable_sender, senders)))

    def __str__(self) -> str:
        """
        Write the line.
        """
        return " ".join((self.name, self.hashed, str(self.verifier or _NONE), *self.senders))


@frozen
class Table:
    """
    The accounts of a file.
    """

    entries: Mapping[str, Entry]
    """By L{name_key}."""

    secret: bytes = field(repr=False)
    iterations: int
    """How often decoys claim to be hashed: as often as the first account is."""

    problems: Sequence[tuple[int, str]] = ()
    """The number and the mistake of each line that is none; such a line is left out."""

    @classmethod
    def parse(cls, data: bytes) -> Table:
        """
        Read the content of a file.
        """
        entries: dict[str, Entry] = {}
        problems: list[tuple[int, str]] = []
        secret = b""
        for number, line in enumerate(_lines(data), 1):
            if not line.strip() or line.startswith("#"):
                continue
            try:
                if line.startswith(_SECRET):
                    secret = _parse_secret(line)
                    continue
                entry = Entry.parse(line)
                if name_key(entry.name) in entries:
                    raise AccountRefused("There is an account of that name above.")
                entries[name_key(entry.name)] = entry
            except AccountRefused as error:
                problems.append((number, str(error)))
        verifiers = (entry.verifier for entry in entries.values() if entry.verifier)
        first = next(verifiers, None)
        iterations = ITERATIONS if first is None else first.iterations
        return cls(entries, secret or secrets.token_bytes(_SECRET_LENGTH), iterations, problems)

    @property
    def has_scram(self) -> bool:
        """
        Tell whether there is a verifier for SCRAM-SHA-256.
        """
        return any(entry.verifier for entry in self.entries.values())


class AccountFile:
    """
    Changes the file: whole or not at all, and one change after the other.
    """

    def __init__(self, files: IFiles, path: Path, hasher: PasswordHasher | None = None) -> None:
        self._files = files
        self.path = Path(os.path.realpath(path))
        """Where the file really is."""

        self._hasher = hasher or make_hasher()

    def read(self) -> Table:
        """
        Read the accounts; a file that is not there has none.
        """
        return Table.parse(self._content())

    def set(self, name: str, password: str, senders: Sequence[str] | None = None) -> bool:
        """
        Make an account, or give one another password.

        @param senders: as whom it may send; C{None} leaves that as it is.
        @return: whether the account is new.
        @raise AccountRefused: something cannot be used; nothing has been changed.
        """
        name = usable_name(name)
        entry = Entry(
            name,
            self._hasher.hash(usable_password(password, name)),
            make_verifier(password, secrets.token_bytes(SALT_LENGTH)),
            tuple(dict.fromkeys(map(usable_sender, senders or ()))),
        )
        is_new = True

        def change(lines: Sequence[str]) -> Iterator[str]:
            nonlocal is_new
            for line in lines:
                if not _is_of(line, name):
                    yield line
                elif is_new:
                    is_new = False
                    kept = _senders_of(line) if senders is None else entry.senders
                    yield str(evolve(entry, senders=kept))
            if is_new:
                yield str(entry)

        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._change(change)
        return is_new

    def remove(self, name: str) -> bool:
        """
        Remove an account.

        @return: whether there was one.
        """
        was_there = False

        def change(lines: Sequence[str]) -> Iterator[str]:
            nonlocal was_there
            for line in lines:
                if _is_of(line, name):
                    was_there = True
                else:
                    yield line

        if self.path.exists():
            self._change(change)
        return was_there

    def _content(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""

    def _change(self, change: Callable[[Sequence[str]], Iterator[str]]) -> None:
        files, folder = self._files, self.path.parent
        temporary = self.path.with_name(f".{self.path.name}.new")
        with _locked(folder):
            old = list(_lines(self._content()))
            new = list(change(old))
            if new == old:
                return
            if not any(line.startswith(_SECRET) for line in new):
                secret = b64encode(secrets.token_bytes(_SECRET_LENGTH)).decode("ascii")
                new[:0] = [*(() if old else _HEADING), f"{_SECRET} {secret}"]
            files.remove(temporary)
            with files.create(temporary) as file:
                try:
                    self._take_over(file.fileno())
                    text = "".join(f"{line}\n" for line in new)
                    files.write(file, text.encode("utf-8", "surrogateescape"))
                    files.sync(file)
                    files.rename(temporary, self.path)
                except OSError:
                    files.remove(temporary)
                    raise
            files.sync_directory(folder)

    def _take_over(self, descriptor: int) -> None:
        """
        Give a new file the owner of the one that it replaces, and its mode but for others; and
        where there is none, the owner of the folder, as the gateway may not run as root.
        """
        try:
            like = os.stat(self.path)
            mode = S_IMODE(like.st_mode) & 0o770
        except FileNotFoundError:
            like = os.stat(self.path.parent)
            mode = 0o600
        own = os.fstat(descriptor)
        if (own.st_uid, own.st_gid) != (like.st_uid, like.st_gid) and os.geteuid() == 0:
            os.fchown(descriptor, like.st_uid, like.st_gid)
        os.fchmod(descriptor, mode)


def usable_name(name: str) -> str:
    """
    Give a name in the form in which it is written.

    @raise AccountRefused: it cannot be used.
    """
    try:
        name = saslprep(name)
    except ValueError:
        raise AccountRefused("The name is empty, or has characters that cannot be used.") from None
    if any(map(str.isspace, name)) or not name.isprintable() or name[0] in "#@":
        raise AccountRefused("A name has no white space, and does not begin with # or @.")
    if len(name.encode("utf-8")) > NAME_LIMIT:
        raise AccountRefused(f"A name has at most {NAME_LIMIT} bytes.")
    return name


def usable_password(password: str, name: str) -> str:
    """
    Give a password in the form in which it is hashed.

    @raise AccountRefused: it cannot be used.
    """
    shortest, longest = PASSWORD_LENGTHS.start, PASSWORD_LENGTHS.stop - 1
    try:
        prepared = saslprep(password)
    except ValueError:
        prepared = ""
        if password:
            raise AccountRefused("The password has characters that cannot be used.") from None
    if len(prepared) not in PASSWORD_LENGTHS:
        raise AccountRefused(f"A password has {shortest} to {longest:,} characters.")
    if name_key(prepared) == name_key(name):
        raise AccountRefused("The password is the name. Take another one.")
    return prepared


def usable_sender(sender: str) -> str:
    """
    Give an address, C{@} and a domain, or C{*}, in the form in which it is compared.

    @raise AccountRefused: it is none of them.
    """
    try:
        return check_sender(sender)
    except ValueError:
        raise AccountRefused("A sender is an address, @ and a domain, or * for all.") from None


def _lines(data: bytes) -> Sequence[str]:
    # Only line feeds, so that what str.splitlines takes for a line end cannot make a line.
    return data.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n") if data else ()


def _is_of(line: str, name: str) -> bool:
    """
    Tell whether a line is that of the account C{name}, even one with a mistake in it.
    """
    word = _WORDS.split(line.strip(), maxsplit=1)[0]
    return bool(word) and word[0] not in "#@" and name_key(word) == name_key(name)


def _senders_of(line: str) -> tuple[str, ...]:
    try:
        return Entry.parse(line).senders
    except AccountRefused:
        return ()


def _parse_secret(line: str) -> bytes:
    try:
        return strict_b64decode(line.removeprefix(_SECRET).strip().encode("ascii"))
    except ValueError:
        raise AccountRefused("The secret is not in base64.") from None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """
    Wait until nobody else changes a file in C{folder} in this way.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
