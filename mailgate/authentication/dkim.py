"""
DKIM: which domains have signed a message, and whether it is still what they signed (RFC 6376, 8301,
8463).

L{Verification} is made of the header section, says which hashes of the body it takes
(L{mailgate.authentication.canonical.BodyHasher} makes them as the body arrives), and is then asked
for its results.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from hashlib import sha256

from attrs import frozen
from twisted.internet.defer import Deferred

from mailgate.authentication.canonical import BodyHash, Field, Form, fields_of
from mailgate.authentication.domain import is_within
from mailgate.authentication.key import Key, parse_key
from mailgate.authentication.signature import (
    ALGORITHMS,
    HISTORIC,
    Seal,
    Signature,
    parse_signature,
)
from mailgate.authentication.tags import TagError
from mailgate.interfaces import IResolver
from mailgate.wire.base64 import b64encode
from mailgate.wire.dns.answer import TXT, Nothing, Unknown

SIGNATURES = 5
"""How many signatures of a message are tried."""

READ = 50
"""How many are read, to choose those."""

KEYS = 4
"""How many records of one selector are looked at."""

SECONDS = 20.0
"""Seconds that a resolver should allow."""

_FIELD = b"dkim-signature"
_SHOWN = 6
"""Bytes of a signature that are shown, as 8 characters."""


class DkimResult(StrEnum):
    """
    What comes of a signature, in the words of RFC 8601 section 2.7.1.
    """

    PASS = "pass"
    FAIL = "fail"
    POLICY = "policy"
    """It is right, or could be, but is not taken: an old algorithm, a key too small, a part of the
    body that is not signed."""

    TEMPERROR = "temperror"
    PERMERROR = "permerror"


@frozen
class Dkim:
    """
    What DKIM says of one signature.
    """

    result: DkimResult
    domain: str
    """C{d=} in A-labels, or C{""} where it cannot be read."""

    selector: str
    reason: str
    """Why, in words with nothing of a stranger's but names."""

    is_verified: bool = False
    """Whether the signature is right, though it may not count."""

    is_testing: bool = False
    """Whether the domain says that it only tries DKIM (section 3.6.1)."""

    algorithm: str = ""
    value: str = ""
    """The beginning of C{b=}, which tells signatures of one domain apart (RFC 6008)."""


class Verification:
    """
    The signatures of one message.
    """

    def __init__(self, section: bytes, author: str = "") -> None:
        """
        Choose the signatures that are tried: those of the author's domain first.

        @param section: the header section as it was received, with or without its empty line.
        @param author: the author's domain in A-labels, or C{""}.
        """
        self._fields = fields_of(section)
        found = [each for each in self._fields if each.name == _FIELD]
        self.ignored = max(0, len(found) - SIGNATURES)
        """How many signatures are not tried."""

        read = list(map(_read, found[:READ]))
        read.sort(key=lambda each: _distance(each.domain, author))
        self._signatures: list[Signature | Dkim] = read[:SIGNATURES]
        self.forms = frozenset(
            each.form for each in self._signatures if isinstance(each, Signature)
        )
        """The forms of the body whose hashes it takes to verify them."""

    @property
    def has_signatures(self) -> bool:
        """
        Tell whether there is anything to do.
        """
        return bool(self._signatures)

    async def results(
        self, resolver: IResolver, now: float, hashes: Mapping[Form, BodyHash]
    ) -> tuple[Dkim, ...]:
        """
        Give the results.

        @param now: seconds since 1970.
        @param hashes: those of the body, of each of L{forms}.
        """
        return tuple(
            [
                each
                if isinstance(each, Dkim)
                else await Check(self._fields, each, hashes[each.form], now).run(resolver)
                for each in self._signatures
            ]
        )


def _read(field: Field) -> Signature | Dkim:
    try:
        return parse_signature(field)
    except TagError as error:
        return Dkim(DkimResult.PERMERROR, "", "", f"the signature cannot be used: {error}")


def _distance(domain: str, author: str) -> int:
    """
    Say how far a domain is from the author's: the same, above or below it, with a part in common,
    another, none that can be read.
    """
    if not domain:
        return 4
    if domain == author:
        return 0
    if author and (is_within(domain, author) or is_within(author, domain)):
        return 1
    return 2 if domain.split(".")[-2:] == author.split(".")[-2:] else 3


class Refused(Exception):
    """
    The signature has another result than a pass.
    """

    def __init__(self, result: DkimResult, reason: str) -> None:
        super().__init__(reason)
        self.result = result
        self.reason = reason


class Check:
    """
    One signature, in DKIM or in ARC.
    """

    def __init__(
        self, fields: Sequence[Field], signature: Signature, body: BodyHash, now: float
    ) -> None:
        self._fields = fields
        self._signature = signature
        self._body = body
        self._now = now

    async def run(self, resolver: IResolver) -> Dkim:
        """
        Say what comes of it.
        """
        try:
            self._check_expiry()
            key = await key_of(self._signature, resolver)
            self._check_body()
            if not key.has_signed(
                self._signature.value, header_digest(self._fields, self._signature)
            ):
                raise Refused(DkimResult.FAIL, "the header has been changed, or the key is another")
        except Refused as refused:
            return self._said(refused.result, refused.reason)
        domain, length, size = self._signature.domain, self._signature.form.length, self._body.size
        if length is not None and length < size:
            reason = f"only {length} of {size} bytes of the body are signed"
            return self._said(DkimResult.POLICY, reason, True, key.is_testing)
        return self._said(DkimResult.PASS, f"signed by {domain}", True, key.is_testing)

    def _said(
        self,
        result: DkimResult,
        reason: str,
        is_verified: bool = False,
        is_testing: bool = False,
    ) -> Dkim:
        signature = self._signature
        return Dkim(
            result,
            signature.domain,
            signature.selector,
            reason,
            is_verified,
            is_testing,
            signature.algorithm,
            b64encode(signature.value[:_SHOWN]).decode("ascii"),
        )

    def _check_expiry(self) -> None:
        expires = self._signature.expires
        if expires is not None and expires < self._now:
            raise Refused(DkimResult.FAIL, "the signature has expired")

    def _check_body(self) -> None:
        length = self._signature.form.length
        if length is not None and length > self._body.size:
            raise Refused(DkimResult.FAIL, "the body is shorter than what was signed")
        if self._body.digest != self._signature.body_hash:
            raise Refused(DkimResult.FAIL, "the body has been changed")


async def key_of(signature: Signature | Seal, resolver: IResolver) -> Key:
    """
    Look up the key of a signature, and make sure that it may be used for it.

    Of several in one place, which is undefined, that of the right type counts.

    @raise Refused: there is none.
    """
    if signature.algorithm == HISTORIC:
        raise Refused(DkimResult.POLICY, "rsa-sha1 is not taken any more (RFC 8301)")
    if signature.algorithm not in ALGORITHMS:
        raise Refused(DkimResult.PERMERROR, "the algorithm is not known")
    name = f"{signature.selector}._domainkey.{signature.domain}"
    answer = resolver.look_up(name, TXT)
    if isinstance(answer, Deferred):
        answer = await answer
    if isinstance(answer, Unknown):
        reason = f"the key {name} is not known: {answer.reason}"
        raise Refused(DkimResult.TEMPERROR, reason)
    texts = () if isinstance(answer, Nothing) else answer.values[:KEYS]
    wanted = ALGORITHMS[signature.algorithm]
    problem = f"there is no key {name}"
    for text in texts:
        try:
            key = parse_key(text)
        except TagError as error:
            problem = f"the key {name} cannot be used: {error}"
            continue
        if key is not None and key.type == wanted:
            _check_key(key, signature)
            return key
        if key is not None:
            problem = f"the key {name} is of another type"
    raise Refused(DkimResult.PERMERROR, problem)


def _check_key(key: Key, signature: Signature | Seal) -> None:
    if key.public is None:
        raise Refused(DkimResult.PERMERROR, "the key has been revoked")
    if not key.is_for_mail:
        raise Refused(DkimResult.PERMERROR, "the key is not for mail")
    if key.hashes is not None and "sha256" not in key.hashes:
        raise Refused(DkimResult.PERMERROR, "the key is not for this hash")
    if key.is_strict and signature.identity != signature.domain:
        raise Refused(DkimResult.PERMERROR, "the key is not for addresses below its domain")


def header_digest(fields: Iterable[Field], signature: Signature) -> bytes:
    """
    Give the hash of the signed fields (section 3.7): of several with one name the last come first.

    @param fields: all those of the message; that with the signature is left out.
    """
    left: dict[bytes, list[Field]] = {name: [] for name in signature.headers}
    for field in fields:
        if field.name in left and field is not signature.field:
            left[field.name].append(field)
    digest = sha256()
    for name in signature.headers:
        if left[name]:
            digest.update(left[name].pop().canonical(signature.is_header_relaxed) + b"\r\n")
    digest.update(signature.field.unsigned.canonical(signature.is_header_relaxed))
    return digest.digest()
