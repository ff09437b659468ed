"""
The client's side of a log-in (RFC 4954), over TLS only: what is said, and what it comes to.

What a server says behind AUTH is never repeated, as it may hold what was said to it.
"""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_urlsafe
from typing import Protocol

from attrs import define, field
from twisted.internet.defer import Deferred

from mailgate.interfaces import IThreads
from mailgate.reply import Reply
from mailgate.wire import scram_client
from mailgate.wire.base64 import b64encode, strict_b64decode
from mailgate.wire.scram import NAME as SCRAM
from mailgate.wire.scram import ScramError

COMMAND_LIMIT = 512
"""Bytes of a command line (RFC 5321 section 4.5.3.1.4); a longer answer is sent at the 334."""

MECHANISMS = (SCRAM, "PLAIN", "LOGIN")
"""Those that we can do, the best first."""


class NotLoggedIn(Exception):
    """
    The server has not said that the password is right. The message says what it said.
    """


class Speaker(Protocol):
    """
    Whoever can say a command.
    """

    def say(self, command: bytes) -> Deferred[Reply]:
        """
        Say a command, without its line end, and wait for the reply.
        """


def _nonce() -> str:
    return token_urlsafe(18)


@define(eq=False)
class LogIn:
    """
    A name and a password for one server.
    """

    user: str
    password: str = field(repr=False)
    threads: IThreads
    """Where the password is hashed for SCRAM."""

    nonce: Callable[[], str] = _nonce
    _salted: tuple[tuple[bytes, int], bytes] | None = field(init=False, default=None, repr=False)

    async def key(self, salt: bytes, iterations: int) -> bytes:
        """
        Hash the password; the last hash is remembered, as a server mostly asks for the same.
        """
        if self._salted is None or self._salted[0] != (salt, iterations):
            key = await self.threads.run(scram_client.salted, self.password, salt, iterations)
            self._salted = (salt, iterations), key
        return self._salted[1]


async def log_in(line: Speaker, offered: str, wish: LogIn) -> None:
    """
    Log in by the best way that is offered.

    @param offered: what stood behind AUTH in the reply to EHLO.
    @raise NotLoggedIn: it did not work.
    """
    mechanism = next((each for each in MECHANISMS if each in offered.upper().split()), "")
    if mechanism == SCRAM:
        reply = await _scram(line, wish)
    elif mechanism == "PLAIN":
        reply = await say_plain(line, wish.user, wish.password)
    elif mechanism == "LOGIN":
        reply = await say_login(line, wish.user, wish.password)
    else:
        raise NotLoggedIn(f"it offers none of AUTH {', '.join(MECHANISMS)}")
    if reply.code != 235:
        raise NotLoggedIn(told(reply))


def told(reply: Reply) -> str:
    """
    Say what came to AUTH, without the words of it.
    """
    return f"it answers AUTH with {reply.code} {reply.enhanced}".rstrip()


async def say_plain(line: Speaker, name: str, password: str) -> Reply:
    """
    Log in by PLAIN (RFC 4616).
    """
    word = b64encode(f"\0{name}\0{password}".encode())
    command = b"AUTH PLAIN " + word
    if len(command) + 2 <= COMMAND_LIMIT:
        return await line.say(command)
    reply = await line.say(b"AUTH PLAIN")
    return await line.say(word) if reply.code == 334 else reply


async def say_login(line: Speaker, name: str, password: str) -> Reply:
    """
    Log in by LOGIN, which asks for the name and then for the password.
    """
    reply = await line.say(b"AUTH LOGIN")
    for answer in (name, password):
        if reply.code == 334:
            reply = await line.say(b64encode(answer.encode()))
    return reply


async def _scram(line: Speaker, wish: LogIn) -> Reply:
    """
    Log in by SCRAM-SHA-256. The server is not told the password, and proves that it knows it.
    """
    nonce = wish.nonce()
    bare = scram_client.bare_first(wish.user, nonce)
    reply = await line.say(b"AUTH SCRAM-SHA-256 " + b64encode(scram_client.first(bare)))
    if reply.code != 334:
        return reply
    try:
        challenge = scram_client.Challenge.parse(_decoded(reply), nonce)
    except ScramError as error:
        raise NotLoggedIn(str(error)) from error
    key = await wish.key(challenge.salt, challenge.iterations)
    answer = scram_client.answer(bare, challenge, key)
    reply = await line.say(b64encode(answer.message))
    if reply.code != 334:
        # Whoever lets us in without having proven that it knows the password is not the server.
        return Reply(535, "5.7.8", "no proof") if reply.is_positive else reply
    if not answer.is_proven(_decoded(reply)):
        raise NotLoggedIn("it does not know the password itself")
    return await line.say(b"")


def _decoded(reply: Reply) -> bytes:
    try:
        return strict_b64decode(reply.text.strip().encode("ascii"))
    except ValueError:
        return b""
