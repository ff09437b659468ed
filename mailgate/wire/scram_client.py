"""
SCRAM-SHA-256 (RFC 5802, RFC 7677) as a client needs it, without channel binding.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from attrs import field, frozen

from mailgate.wire.base64 import b64encode, strict_b64decode
from mailgate.wire.saslprep import saslprep
from mailgate.wire.scram import ScramError

MOST_ITERATIONS = 1_000_000
"""Above it a server that is asked for its proof would only make us work."""

LEAST_ITERATIONS = 4096
"""RFC 7677 section 4: below it the password could be guessed from what is said."""

_HEADER = "n,,"
_FIRST = re.compile(
    r"r=(?P<nonce>[!-+\--~]+),s=(?P<salt>[A-Za-z0-9+/=]+),i=(?P<iterations>[1-9][0-9]{0,7})"
    r"(?:,[A-Za-z]=[^,\0]*)*"
)


def prepared(text: str) -> str:
    """
    Prepare a name or a password; one that cannot be prepared stays as it is.
    """
    try:
        return saslprep(text)
    except ValueError:
        return text


def salted(password: str, salt: bytes, iterations: int) -> bytes:
    """
    Hash a password, which takes some hundredths of a second.
    """
    return hashlib.pbkdf2_hmac("sha256", prepared(password).encode("utf-8"), salt, iterations)


@frozen
class Challenge:
    """
    The server's first message.
    """

    text: str
    nonce: str
    salt: bytes
    iterations: int

    @classmethod
    def parse(cls, data: bytes, nonce: str) -> Challenge:
        """
        Read the message.

        @param nonce: the one of ours that it must begin with.
        @raise ScramError: it is none, or asks for what we do not do.
        """
        text = data.decode("utf-8", "replace")
        match = _FIRST.fullmatch(text)
        if match is None:
            raise ScramError("its challenge is not well-formed")
        if not match["nonce"].startswith(nonce) or match["nonce"] == nonce:
            raise ScramError("its challenge is for somebody else")
        iterations = int(match["iterations"])
        if not LEAST_ITERATIONS <= iterations <= MOST_ITERATIONS:
            raise ScramError("its challenge has too few or too many iterations")
        try:
            salt = strict_b64decode(match["salt"].encode("ascii"))
        except ValueError:
            raise ScramError("its challenge is not in base64") from None
        return cls(text, match["nonce"], salt, iterations)


@frozen
class Answer:
    """
    The client's final message, and the proof that the server owes for it.
    """

    message: bytes = field(repr=False)
    proof: bytes = field(repr=False)

    def is_proven(self, data: bytes) -> bool:
        """
        Tell whether the server's final message proves that it knows the password.
        """
        return hmac.compare_digest(data, b"v=" + b64encode(self.proof))


def bare_first(name: str, nonce: str) -> str:
    """
    Write the client's first message, without what stands before it.
    """
    escaped = prepared(name).replace("=", "=3D").replace(",", "=2C")
    return f"n={escaped},r={nonce}"


def first(bare: str) -> bytes:
    """
    Write the client's first message.
    """
    return f"{_HEADER}{bare}".encode()


def answer(bare: str, challenge: Challenge, key: bytes) -> Answer:
    """
    Write the client's final message.

    @param bare: what L{bare_first} gave.
    @param key: what L{salted} gave.
    """
    binding = b64encode(_HEADER.encode()).decode("ascii")
    final = f"c={binding},r={challenge.nonce}"
    signed = f"{bare},{challenge.text},{final}".encode()
    client_key = _hmac(key, b"Client Key")
    signature = _hmac(hashlib.sha256(client_key).digest(), signed)
    proof = bytes(one ^ other for one, other in zip(client_key, signature, strict=True))
    message = f"{final},p=".encode() + b64encode(proof)
    return Answer(message, _hmac(_hmac(key, b"Server Key"), signed))


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")
