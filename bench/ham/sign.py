"""
Signing as the service and the sender of a message do (RFC 6376), with a key made from a seed.
"""

from __future__ import annotations

import random
import re
from base64 import b64encode
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SELECTOR = "s2026"
SIGNED = ("from", "to", "subject", "date", "message-id", "reply-to", "mime-version", "content-type")
SIGNED_OF_LISTS = ("list-unsubscribe", "list-unsubscribe-post")
"""RFC 8058, section 4: one click counts only where both are signed."""

_EXPONENT = 65537
_PRIME_BITS = 1024
_SMALL = tuple(n for n in range(3, 2000, 2) if all(n % m for m in range(3, int(n**0.5) + 1, 2)))


class Signer:
    """
    Signs with RSA-2048. The key is public knowledge: it comes from the seed alone.
    """

    def __init__(self, seed: int) -> None:
        dice = random.Random(f"key {seed}")
        p, q = _prime(dice), _prime(dice)
        d = pow(_EXPONENT, -1, (p - 1) * (q - 1))
        numbers = rsa.RSAPrivateNumbers(
            p,
            q,
            d,
            rsa.rsa_crt_dmp1(d, p),
            rsa.rsa_crt_dmq1(d, q),
            rsa.rsa_crt_iqmp(p, q),
            rsa.RSAPublicNumbers(_EXPONENT, p * q),
        )
        self._key = numbers.private_key()

    @property
    def record(self) -> str:
        """
        The TXT record of the key.
        """
        key = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return f"v=DKIM1; k=rsa; p={b64encode(key).decode()}"

    def signature(self, domain: str, head: bytes, body: bytes) -> bytes:
        """
        Give the DKIM-Signature of a message, a field.

        @param head: its fields, each with its CRLF.
        """
        fields = [relaxed(each) for each in re.split(rb"\r\n(?![ \t])", head) if each]
        names = [name for name, _ in fields]
        signed = [name for name in (*SIGNED, *SIGNED_OF_LISTS) if name.encode() in names]
        digest = b64encode(sha256(relaxed_body(body)).digest()).decode()
        start = (
            f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s={SELECTOR};\r\n"
            f"\th={':'.join(signed)};\r\n\tbh={digest};\r\n\tb="
        ).encode("ascii")
        said = b"".join(
            b"%s:%s\r\n" % next(each for each in reversed(fields) if each[0] == name.encode())
            for name in signed
        )
        said += b"%s:%s" % relaxed(start)
        value = b64encode(self._key.sign(said, padding.PKCS1v15(), SHA256()))
        lines = [value[at : at + 70] for at in range(0, len(value), 70)]
        return start + b"\r\n\t".join(lines) + b"\r\n"


def relaxed(field: bytes) -> tuple[bytes, bytes]:
    """
    Give name and value of a field, relaxed (RFC 6376, section 3.4.2).
    """
    name, _, value = field.partition(b":")
    value = re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b"")).strip(b" ")
    return name.strip().lower(), value


def relaxed_body(body: bytes) -> bytes:
    """
    Give a body relaxed (RFC 6376, section 3.4.4).
    """
    body = re.sub(rb"[ \t]+", b" ", body)
    body = re.sub(rb" (?=\r\n)", b"", body)
    body = re.sub(rb"(\r\n)+\Z", b"", body)
    return body + b"\r\n" if body else b""


def _prime(dice: random.Random) -> int:
    """
    Give a number that is prime but for a chance nobody will see.
    """
    top = 3 << _PRIME_BITS - 2
    while True:
        number = dice.getrandbits(_PRIME_BITS) | top | 1
        if all(number % small for small in _SMALL) and number % _EXPONENT != 1:
            if all(pow(base, number - 1, number) == 1 for base in (2, 3, 5, 7)):
                return number
