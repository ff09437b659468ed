"""
Public keys in the DNS (RFC 6376 section 3.6.1, RFC 8463 section 3).
"""

from __future__ import annotations

from functools import lru_cache

from attrs import field, frozen
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from mailgate.authentication.tags import TagError, Tags

RECORD_LIMIT = 8_192
"""Bytes of a record at most: a key of 4,096 bits takes some 740."""

LEAST_BITS = 1024
MOST_BITS = 4096
"""The sizes of RSA keys that verify (RFC 8301 section 3.2)."""

_EXPONENT_BITS = 64
_CACHED = 256
_PADDING = PKCS1v15()
_HASH = Prehashed(SHA256())


@frozen
class Key:
    """
    A record with a key.
    """

    type: str
    """C{rsa} or C{ed25519}."""

    public: RSAPublicKey | Ed25519PublicKey | None = field(eq=False)
    """C{None} where it has been revoked."""

    hashes: frozenset[str] | None = None
    """C{h=}: the hashes that it may be used with, or C{None}: all."""

    is_for_mail: bool = True
    """C{s=}: whether it is for mail at all."""

    is_strict: bool = False
    """C{t=s}: whether it stands for no address below its domain."""

    is_testing: bool = False
    """C{t=y}: whether the domain only tries it."""

    @property
    def bits(self) -> int:
        """
        Give the size of an RSA key, or 0 of another.
        """
        return self.public.key_size if isinstance(self.public, RSAPublicKey) else 0

    def has_signed(self, signature: bytes, digest: bytes) -> bool:
        """
        Tell whether a signature is one of this key over a SHA-256 digest.
        """
        try:
            if isinstance(self.public, RSAPublicKey):
                self.public.verify(signature, digest, _PADDING, _HASH)
            elif self.public is not None:
                self.public.verify(signature, digest)
            else:
                return False
        except InvalidSignature:
            return False
        return True


@lru_cache(maxsize=_CACHED)
def parse_key(record: bytes) -> Key | None:
    """
    Read a TXT record, or give C{None} where it is no key record at all.

    @raise TagError: it is one, but the key in it cannot be used.
    """
    if len(record) > RECORD_LIMIT:
        raise TagError(f"the key record has more than {RECORD_LIMIT} bytes")
    try:
        tags = Tags(record)
    except TagError:
        return None
    if "p" not in tags or tags.text("v", "DKIM1") != "DKIM1":
        return None
    if "v" in tags and tags.first != "v":
        return None
    type = tags.text("k", "rsa")
    services = tags.words("s", "*")
    flags = tags.words("t", "")
    return Key(
        type,
        _public(type, tags) if tags.text("p") else None,
        frozenset(tags.words("h", "")) if "h" in tags else None,
        not {"*", "email"}.isdisjoint(services),
        "s" in flags,
        "y" in flags,
    )


def _public(type: str, tags: Tags) -> RSAPublicKey | Ed25519PublicKey:
    raw = tags.binary("p")
    try:
        if type == "ed25519":
            return Ed25519PublicKey.from_public_bytes(raw)
        key = load_der_public_key(raw) if type == "rsa" else None
    except (ValueError, UnsupportedAlgorithm):
        raise TagError("the key cannot be read") from None
    if not isinstance(key, RSAPublicKey):
        raise TagError("the key is of a kind that is not known")
    if not LEAST_BITS <= key.key_size <= MOST_BITS:
        raise TagError(
            f"an RSA key has {LEAST_BITS} to {MOST_BITS} bits, this one has {key.key_size}"
        )
    if key.public_numbers().e.bit_length() > _EXPONENT_BITS:
        raise TagError("the exponent of the key is too large")
    return key
