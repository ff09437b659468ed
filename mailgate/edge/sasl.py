"""
The server's side of the log-in mechanisms of SMTP (RFC 4954): PLAIN (RFC 4616), LOGIN and
SCRAM-SHA-256 (RFC 7677).

A mechanism is a machine without I/O: it is given what the client says, and gives a L{Step}. What
is not well-formed raises L{Refused} with the reply; nothing that was said stands in a reply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from secrets import token_urlsafe
from typing import Protocol

from attrs import field, frozen

from mailgate.wire import scram
from mailgate.wire.base64 import b64encode, strict_b64decode
from mailgate.wire.scram import ClientFinal, ClientFirst, ScramError, ScramVerifier
from mailgate.wire.smtp import Refused

LINE_LIMIT = 12288
"""Bytes of a line of the exchange, its line end included (RFC 4954 section 4)."""

NAME_LIMIT = 255
"""Bytes of a name (RFC 4616 asks for as many)."""


@frozen
class Challenge:
    """
    What the client shall answer.
    """

    data: bytes

    def encode(self) -> bytes:
        """
        Give the reply for the wire.
        """
        return b"334 " + b64encode(self.data) + b"\r\n"


@frozen
class Credentials:
    """
    A name and a password that somebody has to verify; the exchange is over.
    """

    name: str
    password: str = field(repr=False)


@frozen
class Lookup:
    """
    The verifier of C{name} is needed; L{Scram.found} goes on with it.
    """

    name: str


@frozen
class Settled:
    """
    It is known whether the client is who it says; the exchange is over.
    """

    name: str
    is_right: bool


Step = Challenge | Credentials | Lookup | Settled


class Mechanism(Protocol):
    """
    One exchange of a mechanism.
    """

    def start(self, initial: bytes | None) -> Step:
        """
        Begin.

        @param initial: what the client said behind the name of the mechanism, as it stands on
            the wire, or C{None}.
        @raise Refused: the exchange is over.
        """

    def respond(self, line: bytes) -> Step:
        """
        Go on with the client's answer to a challenge.

        @param line: one line, its line end included.
        @raise Refused: the exchange is over.
        """


class Plain:
    """
    PLAIN: name and password in one answer.
    """

    def start(self, initial: bytes | None) -> Step:
        """
        Begin, with the answer if it is there.
        """
        return Challenge(b"") if initial is None else _plain(_initial(initial))

    def respond(self, line: bytes) -> Step:
        """
        Take the answer.
        """
        return _plain(_answer(line))


class Login:
    """
    LOGIN: the name, then the password.
    """

    def __init__(self) -> None:
        self._name: str | None = None

    def start(self, initial: bytes | None) -> Step:
        """
        Begin, with the name if it is there.
        """
        return Challenge(b"Username:") if initial is None else self._take(_initial(initial))

    def respond(self, line: bytes) -> Step:
        """
        Take the name or the password.
        """
        return self._take(_answer(line))

    def _take(self, data: bytes) -> Step:
        if self._name is None:
            self._name = _name(_text(data))
            return Challenge(b"Password:")
        return Credentials(self._name, _text(data))


class Scram:
    """
    SCRAM-SHA-256: the password is not said, and we too must prove that we know of it.
    """

    def __init__(self, new_nonce: Callable[[], str] = token_urlsafe) -> None:
        """
        @param new_nonce: gives what nobody can foresee, without a comma in it.
        """
        self._new_nonce = new_nonce
        self._take: Callable[[bytes], Step] = self._first
        self._client: ClientFirst
        self._verifier: ScramVerifier
        self._nonce = ""
        self._server_first = ""

    def start(self, initial: bytes | None) -> Step:
        """
        Begin, with the client's first message if it is there.
        """
        return Challenge(b"") if initial is None else self._taken(_initial(initial))

    def respond(self, line: bytes) -> Step:
        """
        Take a message of the client.
        """
        return self._taken(_answer(line))

    def found(self, verifier: ScramVerifier) -> Challenge:
        """
        Go on with the verifier of the account, or a decoy where there is none.
        """
        self._verifier = verifier
        self._nonce = self._client.nonce + self._new_nonce()
        self._server_first = scram.server_first(verifier, self._nonce)
        self._take = self._final
        return Challenge(self._server_first.encode("ascii"))

    def _taken(self, data: bytes) -> Step:
        try:
            return self._take(data)
        except ScramError as error:
            raise _malformed(str(error)) from None

    def _first(self, data: bytes) -> Step:
        self._client = client = ClientFirst.parse(data)
        _check_identity(client.authzid, client.name)
        return Lookup(_name(client.name))

    def _final(self, data: bytes) -> Step:
        client = self._client
        final = ClientFinal.parse(data)
        if final.header != client.header or final.nonce != self._nonce:
            raise _malformed("the message does not belong to the first one")
        signed = f"{client.bare},{self._server_first},{final.bare}".encode()
        if not scram.is_proven(self._verifier, signed, final.proof):
            return Settled(client.name, is_right=False)
        self._take = self._end
        return Challenge(scram.server_final(self._verifier, signed))

    def _end(self, data: bytes) -> Step:
        if data:
            raise _malformed("nothing may follow the final message")
        return Settled(self._client.name, is_right=True)


MECHANISMS: Mapping[str, Callable[[], Mechanism]] = {
    scram.NAME: Scram,
    "PLAIN": Plain,
    "LOGIN": Login,
}
"""What makes an exchange of each mechanism, the best one first."""


def _initial(word: bytes) -> bytes:
    """
    Decode an initial response, of which C{=} is the empty one (RFC 4954 section 4).
    """
    return b"" if word == b"=" else _decode(word)


def _answer(line: bytes) -> bytes:
    """
    Decode an answer to a challenge.
    """
    if len(line) > LINE_LIMIT:
        raise Refused(500, "5.5.6", "the line is too long")
    if not line.endswith(b"\r\n"):
        raise Refused(500, "5.5.2", "a line must end with CR LF")
    if line == b"*\r\n":
        raise Refused(501, "5.7.0", "the log-in was cancelled")
    return _decode(line[:-2])


def _decode(text: bytes) -> bytes:
    try:
        return strict_b64decode(text)
    except ValueError:
        raise _malformed("not in base64") from None


def _plain(data: bytes) -> Credentials:
    parts = _text(data).split("\0")
    if len(parts) != 3:
        raise _malformed("not a message of PLAIN")
    identity, name, password = parts
    _check_identity(identity, name)
    if not password:
        raise _malformed("a password is needed")
    return Credentials(_name(name), password)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("not in UTF-8") from None


def _name(name: str) -> str:
    if not name or "\0" in name:
        raise _malformed("a name is needed")
    if len(name.encode("utf-8")) > NAME_LIMIT:
        raise _malformed("the name is too long")
    return name


def _check_identity(identity: str, name: str) -> None:
    """
    See that nobody wants to act as another than whoever logs in.
    """
    if identity not in ("", name):
        raise Refused(535, "5.7.8", "nobody can act as somebody else here")


def _malformed(why: str) -> Refused:
    return Refused(501, "5.5.2", why)
