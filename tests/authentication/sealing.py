"""
What seals messages in tests, by RFC 8617 section 5.1.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from mailgate.authentication.arc import (
    MESSAGE_SIGNATURE,
    NAMES,
    RESULTS,
    Arc,
    ArcResult,
    ArcSet,
    BrokenChain,
    read_chain,
    seals,
)
from mailgate.authentication.canonical import Field, fields_of
from mailgate.authentication.dkim import header_digest
from mailgate.authentication.results import AuthenticationResults, parse_sealed, write
from mailgate.authentication.signature import (
    HEADERS,
    SEAL,
    SETS,
    parse_message_signature,
    parse_seal,
)
from mailgate.authentication.tags import TagError
from mailgate.wire.base64 import b64encode

SIGNED = (
    *(b"from", b"sender", b"reply-to", b"to", b"cc", b"subject", b"date", b"message-id"),
    *(b"in-reply-to", b"references", b"mime-version", b"content-type"),
    *(b"content-transfer-encoding", b"list-id", b"list-unsubscribe", b"list-unsubscribe-post"),
    b"dkim-signature",
)
"""What is signed where it is there. No Authentication-Results: others take them out."""

_LINE = 72
_FOLD = "\r\n "
"""No tab: dkimpy looks for an C{i=} with a space before it."""

_PADDING = PKCS1v15()
_HASH = Prehashed(SHA256())


@frozen
class Sealer:
    """
    Who seals.
    """

    domain: str
    """C{d=}, in A-labels."""

    selector: str
    key: RSAPrivateKey | Ed25519PrivateKey

    @property
    def algorithm(self) -> str:
        """
        Give C{a=}.
        """
        return "rsa-sha256" if isinstance(self.key, RSAPrivateKey) else "ed25519-sha256"

    def sign(self, digest: bytes) -> bytes:
        """
        Sign a SHA-256 digest.
        """
        if isinstance(self.key, RSAPrivateKey):
            return self.key.sign(digest, _PADDING, _HASH)
        return self.key.sign(digest)


def seal(
    section: bytes,
    body_hash: bytes,
    arc: Arc,
    results: AuthenticationResults,
    sealer: Sealer,
    now: float,
) -> bytes:
    """
    Give the three fields that go on top of a message, the seal first, or nothing where no further
    set may follow: where the chain is said to have failed, or has 50 sets.

    @param section: the header section as it goes out.
    @param body_hash: that of the body as it goes out, in the form C{relaxed}.
    @param arc: what was found of the message as it came in. Where its sets do not all go out, the
        chain fails.
    @param now: seconds since 1970.
    """
    fields = fields_of(section)
    has_fields = any(field.name in NAMES for field in fields)
    newest, has_failed = newest_of(fields)
    if has_failed or newest >= SETS:
        return b""
    chain = ArcResult.FAIL if has_fields else ArcResult.NONE
    before: Sequence[ArcSet] = ()
    if arc.result is ArcResult.PASS and newest and len(arc.sets) == newest:
        try:
            before = read_chain(fields)
            chain = ArcResult.PASS
        except BrokenChain:
            # It was whole when it came in, and is not any more.
            pass
    own = write(results, NAMES[RESULTS]).removesuffix(b"\r\n")
    own = own.replace(b": ", b": i=%d; " % (newest + 1), 1)
    return seal_set(
        fields, before, newest + 1, body_hash, chain, own, names_of(fields), sealer, now
    )


def seal_set(
    fields: Sequence[Field],
    before: Sequence[ArcSet],
    instance: int,
    body_hash: bytes,
    chain: ArcResult,
    results: bytes,
    names: Sequence[bytes],
    sealer: Sealer,
    now: float,
) -> bytes:
    """
    Give the three fields of an instance, the seal first.

    @param fields: all those of the message.
    @param before: the sets that are sealed with it: all, or none where the chain fails (section
        5.1.2).
    @param chain: C{cv=}.
    @param results: the whole ARC-Authentication-Results, without a line end behind it.
    @param names: the fields that are signed, in small letters.
    """
    who = f"d={sealer.domain};"
    when = f"i={instance}; s={sealer.selector}; t={int(now)}"
    body = b64encode(body_hash).decode("ascii")
    header = f"h={_folded(':', [name.decode('ascii') for name in names])};"
    of_signature = (f"bh={body}; c=relaxed/relaxed;", who, header, when)

    own = Field(RESULTS, results)
    unsigned = _field("ARC-Message-Signature", sealer.algorithm, of_signature)
    _, signature = parse_message_signature(unsigned)
    value = sealer.sign(header_digest([*fields, own], signature))
    signed = _field("ARC-Message-Signature", sealer.algorithm, of_signature, value)

    of_seal = (f"cv={chain};", who, when)
    unsigned = _field("ARC-Seal", sealer.algorithm, of_seal)
    newest = ArcSet(own, signed, signature, parse_seal(unsigned))
    *_, (_, digest) = seals([*before, newest])
    sealed = _field("ARC-Seal", sealer.algorithm, of_seal, sealer.sign(digest))
    return b"".join(each.raw + b"\r\n" for each in (sealed, signed, own))


def newest_of(fields: Sequence[Field]) -> tuple[int, bool]:
    """
    Give the highest instance of whatever ARC fields there are, or 0, and whether its seal says that
    the chain has failed (section 5.1.2).
    """
    found: set[tuple[int, bool]] = set()
    for field in fields:
        try:
            if field.name == SEAL:
                seal = parse_seal(field)
                found.add((seal.instance, seal.chain == "fail"))
            elif field.name == MESSAGE_SIGNATURE:
                found.add((parse_message_signature(field)[0], False))
            elif field.name == RESULTS and (read := parse_sealed(field.value)) is not None:
                found.add((read[0], False))
        except TagError:
            continue
    return max(found, default=(0, False))


def names_of(fields: Sequence[Field]) -> list[bytes]:
    """
    Give the names that are signed: each as often as it is there, and From once more, so that
    nobody can add another.
    """
    there = [field.name for field in fields if field.name in SIGNED]
    chosen = [name for name in SIGNED for _ in range(there.count(name))]
    return [b"from", *chosen[: HEADERS - 1]]


def _field(name: str, algorithm: str, tags: Sequence[str], value: bytes = b"\x00") -> Field:
    """
    Give a field with a signature, or with one that stands only for it.
    """
    text = f"b={b64encode(value).decode('ascii')};"
    folded = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    lines = _FOLD.join((f"a={algorithm};", *folded, *tags))
    return Field(name.lower().encode("ascii"), f"{name}: {lines}".encode("ascii"))


def _folded(separator: str, words: Sequence[str]) -> str:
    """
    Join words, in lines that are not too long.
    """
    lines = [""]
    for number, word in enumerate(words):
        piece = word if number == len(words) - 1 else word + separator
        if lines[-1] and len(lines[-1]) + len(piece) > _LINE:
            lines.append("")
        lines[-1] += piece
    return _FOLD.join(lines)
