"""
SCRAM-SHA-256 (RFC 5802, RFC 7677): its messages and its keys, as the server needs them. What a
client needs is in C{scram_client.py}.

There is no channel binding. What is kept of a password is a verifier: whoever reads it can
neither log in with it nor find the password but by guessing.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from attrs import field, frozen

from mailgate.wire.base64 import b64encode, strict_b64decode
from mailgate.wire.saslprep import saslprep

NAME = "SCRAM-SHA-256"
ITERATIONS = 65536
"""
How often a password is hashed. RFC 7677 asks for at least 4,096, and more is better against
guessing; above 65,536 the clients that use Cyrus SASL refuse to compute.
"""

SALT_LENGTH = 16
_KEY_LENGTH = 32
_MOST_ITERATIONS = 10_000_000

_NONCE = r"[!-+\--~]+"
# An extension that we do not know is optional; the mandatory ones ("m") are refused.
_EXTENSIONS = r"(?:,[A-Za-z]=[^,\0]*)*"
_CLIENT_FIRST = re.compile(
    rf"(?P<header>(?P<binding>n|y|p=[A-Za-z0-9.-]+),(?:a=(?P<authzid>[^,\0]+))?,)"
    rf"(?P<bare>n=(?P<name>[^,\0]+),r=(?P<nonce>{_NONCE}){_EXTENSIONS})"
)
_CLIENT_FINAL = re.compile(
    rf"(?P<bare>c=(?P<binding>[A-Za-z0-9+/=]+),r=(?P<nonce>{_NONCE}){_EXTENSIONS})"
    r",p=(?P<proof>[A-Za-z0-9+/=]+)"
)
_ESCAPE = re.compile(r"=(2C|3D)?")
_VERIFIER = re.compile(
    r"SCRAM-SHA-256\$([1-9][0-9]{0,7}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)"
)


class ScramError(ValueError):
    """
    A message or a verifier is not well-formed.
    """


@frozen
class ScramVerifier:
    """
    What is kept of a password.
    """

    iterations: int
    salt: bytes
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> ScramVerifier:
        """
        Read a verifier as L{__str__} writes it (RFC 5803).

        @raise ScramError: it is none.
        """
        match = _VERIFIER.fullmatch(text)
        if match is None:
            raise ScramError("not a verifier for SCRAM-SHA-256")
        try:
            salt, stored_key, server_key = (
                strict_b64decode(part.encode("ascii")) for part in match.groups()[1:]
            )
        except ValueError:
            raise ScramError("the verifier is not in base64") from None
        if len(stored_key) != _KEY_LENGTH or len(server_key) != _KEY_LENGTH:
            raise ScramError("the keys of the verifier have the wrong length")
        if int(match[1]) > _MOST_ITERATIONS:
            raise ScramError("the verifier has too many iterations")
        return cls(int(match[1]), salt, stored_key, server_key)

    def __str__(self) -> str:
        """
        Write the verifier (RFC 5803).
        """
        salt, stored_key, server_key = (
            b64encode(part).decode("ascii")
            for part in (self.salt, self.stored_key, self.server_key)
        )
        return f"{NAME}${self.iterations}:{salt}${stored_key}:{server_key}"


def make_verifier(password: str, salt: bytes, iterations: int = ITERATIONS) -> ScramVerifier:
    """
    Make the verifier of a password, which takes some hundredths of a second.

    @raise ValueError: the password cannot be prepared (RFC 4013).
    """
    prepared = saslprep(password).encode("utf-8")
    salted = hashlib.pbkdf2_hmac("sha256", prepared, salt, iterations)
    stored_key = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    return ScramVerifier(iterations, salt, stored_key, _hmac(salted, b"Server Key"))


def decoy(secret: bytes, name: str, iterations: int) -> ScramVerifier:
    """
    Make a verifier that no password fits, for a name that nobody has.

    It is the same each time, as that of an account is, so that nobody can find out by it who
    has an account (RFC 5802 section 5.1).

    @param secret: what only we know.
    """
    salt, stored_key, server_key = (
        _hmac(secret, purpose + name.encode("utf-8", "surrogateescape"))
        for purpose in (b"salt ", b"stored ", b"server ")
    )
    return ScramVerifier(iterations, salt[:SALT_LENGTH], stored_key, server_key)


@frozen
class ClientFirst:
    """
    The client's first message.
    """

    header: str
    """What it says of channel binding, which its final message must repeat."""

    authzid: str
    """As whom it wants to act, or C{""}: as itself."""

    name: str
    nonce: str
    bare: str
    """The message without C{header}, which is signed."""

    @classmethod
    def parse(cls, data: bytes) -> ClientFirst:
        """
        Read the message.

        @raise ScramError: it is none, or wants what we do not have.
        """
        match = _CLIENT_FIRST.fullmatch(_text(data))
        if match is None:
            raise ScramError("not a first message of SCRAM")
        if match["binding"].startswith("p"):
            raise ScramError("there is no channel binding")
        authzid = _unescaped(match["authzid"] or "")
        return cls(
            match["header"], authzid, _unescaped(match["name"]), match["nonce"], match["bare"]
        )


@frozen
class ClientFinal:
    """
    The client's final message.
    """

    header: str
    """What it says that the C{header} of its first message was."""

    nonce: str
    bare: str
    """The message without the proof, which is signed."""

    proof: bytes = field(repr=False)

    @classmethod
    def parse(cls, data: bytes) -> ClientFinal:
        """
        Read the message.

        @raise ScramError: it is none.
        """
        match = _CLIENT_FINAL.fullmatch(_text(data))
        if match is None:
            raise ScramError("not a final message of SCRAM")
        try:
            header = strict_b64decode(match["binding"].encode("ascii"))
            proof = strict_b64decode(match["proof"].encode("ascii"))
        except ValueError:
            raise ScramError("a value is not in base64") from None
        if len(proof) != _KEY_LENGTH:
            raise ScramError("the proof has the wrong length")
        return cls(_text(header), match["nonce"], match["bare"], proof)


def server_first(verifier: ScramVerifier, nonce: str) -> str:
    """
    Write the server's first message.

    @param nonce: the client's nonce and ours behind it.
    """
    salt = b64encode(verifier.salt).decode("ascii")
    return f"r={nonce},s={salt},i={verifier.iterations}"


def is_proven(verifier: ScramVerifier, signed: bytes, proof: bytes) -> bool:
    """
    Tell whether the client knows the password, in the same time whatever is wrong.

    @param signed: the three messages that are signed, with a comma between them.
    """
    signature = _hmac(verifier.stored_key, signed)
    client_key = bytes(one ^ other for one, other in zip(proof, signature, strict=True))
    return hmac.compare_digest(hashlib.sha256(client_key).digest(), verifier.stored_key)


def server_final(verifier: ScramVerifier, signed: bytes) -> bytes:
    """
    Write the server's final message, which proves that we know the verifier.
    """
    return b"v=" + b64encode(_hmac(verifier.server_key, signed))


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise ScramError("a message is not in UTF-8") from None


def _unescaped(name: str) -> str:
    def character(match: re.Match[str]) -> str:
        if match[1] is None:
            raise ScramError("a name is not well-formed")
        return "," if match[1] == "2C" else "="

    return _ESCAPE.sub(character, name)
