"""
What signs messages in tests, by the letter of RFC 6376 section 3.7, and keys for it.
"""

import re
from base64 import b64encode
from functools import lru_cache
from hashlib import sha1, sha256

from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mailgate.authentication.canonical import BodyHasher
from mailgate.authentication.dkim import Verification
from tests.authentication.given import value_of
from tests.authentication.test_canonical import plain
from tests.net.zones import Zones

NOW = 1_700_000_000
HEADER = (b"From: Ada <ada@example.com>", b"To: bob@example.org", b"Subject: a \r\n  b\t")
BODY = b"Hello \t there\r\n\r\n\r\n"


@lru_cache
def rsa_key(bits=2048):
    """
    Give an RSA key of a size, the same each time.
    """
    return rsa.generate_private_key(65537, bits)


@lru_cache
def ed25519_key():
    """
    Give an Ed25519 key, the same each time.
    """
    return ed25519.Ed25519PrivateKey.generate()


def published(key, **tags):
    """
    Give the record with the public half of a key; C{None} leaves a tag out.
    """
    if isinstance(key, ed25519.Ed25519PrivateKey):
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        type = "ed25519"
    else:
        raw = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        type = "rsa"
    said = {"v": "DKIM1", "k": type, "p": b64encode(raw).decode(), **tags}
    return "; ".join(f"{name}={value}" for name, value in said.items() if value is not None)


def signed(key=None, header=HEADER, body=BODY, **tags):
    """
    Give a message with a signature on top. Tags take the place of those it would have; C{None}
    leaves one out.
    """
    key = key or rsa_key()
    type = "ed25519" if isinstance(key, ed25519.Ed25519PrivateKey) else "rsa"
    said = {"v": "1", "a": f"{type}-sha256", "c": "relaxed/relaxed", "d": "example.com", "s": "s1"}
    said |= {"h": "from:to:subject"} | tags
    of_header, _, of_body = (said["c"] or "simple/simple").partition("/")
    whole = plain(body, of_body == "relaxed")
    length = int(said["l"]) if said.get("l", "").isdigit() else None
    is_old = said["a"] == "rsa-sha1"
    hashed = (sha1 if is_old else sha256)(whole[:length]).digest()
    said.setdefault("bh", b64encode(hashed).decode())
    words = "; ".join(f"{name}={value}" for name, value in said.items() if value is not None)
    field = f"DKIM-Signature: {words}; b=".encode()
    data = _data(field, header, said["h"] or "", of_header == "relaxed")
    if isinstance(key, ed25519.Ed25519PrivateKey):
        signature = key.sign(sha256(data).digest())
    else:
        signature = key.sign(data, padding.PKCS1v15(), SHA1() if is_old else SHA256())
    return b"\r\n".join((field + b64encode(signature), *header, b"", body))


def _data(field, header, names, is_relaxed):
    left = list(header)
    chosen = []
    for name in names.lower().split(":"):
        for each in reversed(left):
            if each.partition(b":")[0].strip().lower() == name.strip().encode():
                chosen.append(each)
                left.remove(each)
                break
    form = _relaxed if is_relaxed else bytes
    return b"".join(form(each) + b"\r\n" for each in chosen) + form(field)


def _relaxed(field):
    name, _, value = field.partition(b":")
    value = re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b"")).strip()
    return name.strip().lower() + b":" + value


def verified(message, zones=None, author="example.com", now=NOW):
    """
    Give what is said of the signatures of a message.

    @param zones: a resolver; one with the public half of the RSA key if it is C{None}.
    """
    if zones is None:
        zones = keys(published(rsa_key()))
    section, end, body = message.partition(b"\r\n\r\n")
    verification = Verification(section + end, author)
    return value_of(verification.results(zones, now, hashes_of(verification, body)))


def hashes_of(verification, *pieces):
    """
    Give the hashes of a body that it takes to verify the signatures of a message.
    """
    hasher = BodyHasher(verification.forms)
    for piece in pieces:
        hasher.update(piece)
    return hasher.finish()


def keys(*records, domain="example.com", selector="s1"):
    """
    Give a DNS with key records.
    """
    return Zones({f"{selector}._domainkey.{domain}": {"TXT": list(records)}})
