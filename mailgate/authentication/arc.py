"""
ARC: what those who have handed a message on say that they have found, and whether it is still what
they sealed (RFC 8617).

L{ChainVerification} is made of the header section, names the forms of the body whose hashes it
takes, and is then asked for its result.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from itertools import islice, takewhile

from attrs import frozen

from mailgate.authentication.canonical import BodyHash, Field, Form, fields_of
from mailgate.authentication.dkim import Check, DkimResult, Refused, key_of
from mailgate.authentication.domain import canonical
from mailgate.authentication.key import Key
from mailgate.authentication.results import AuthenticationResults, MethodResult, parse_sealed
from mailgate.authentication.signature import (
    SEAL,
    SETS,
    Seal,
    Signature,
    parse_message_signature,
    parse_seal,
)
from mailgate.authentication.tags import TagError
from mailgate.interfaces import IResolver, IThreads

SECONDS = 20.0
"""Seconds that a resolver should allow."""

QUERIES = SETS + 1
"""Look-ups in all: a key for each seal, and one for the newest signature."""

HEARD = 5
"""How many trusted sets are heard, since what each says has to be read."""

TURN = 8
"""
Signatures that are verified in one go: with keys of 4,096 bits they take some 2 ms. Those of a
longer chain are verified in threads, so many at a time.
"""

MESSAGE_SIGNATURE = b"arc-message-signature"
RESULTS = b"arc-authentication-results"

NAMES = {SEAL: "ARC-Seal", MESSAGE_SIGNATURE: "ARC-Message-Signature"}
NAMES |= {RESULTS: "ARC-Authentication-Results"}
"""The fields of a set, as they are written."""

_INSTANCE = re.compile(rb"[ \t\r\n]*i[ \t\r\n]*=[ \t\r\n]*([0-9]{1,2})[ \t\r\n]*;", re.IGNORECASE)


class ArcResult(StrEnum):
    """
    The state of a chain (section 4.4).
    """

    NONE = "none"
    """There is none."""

    PASS = "pass"
    FAIL = "fail"
    """Also where a key cannot be looked up (section 5.2.2)."""


@frozen
class Sealed:
    """
    What one of those who have handed the message on says.
    """

    domain: str
    """C{d=} of its seal, in A-labels."""

    selector: str
    instance: int
    said: bytes
    """The value of its ARC-Authentication-Results."""

    @cached_property
    def results(self) -> AuthenticationResults | None:
        """
        Give what it has found; C{None} where it cannot be read. It is read when somebody asks, as
        fifty of them take long, and most sealers are not believed.
        """
        parsed = parse_sealed(self.said)
        return parsed[1] if parsed is not None and parsed[0] == self.instance else None

    def of(self, method: str) -> tuple[MethodResult, ...]:
        """
        Give what it has found by a method, such as C{dmarc}.
        """
        results = self.results.results if self.results is not None else ()
        return tuple(each for each in results if each.method == method)


@frozen
class Arc:
    """
    What ARC says of a message.
    """

    result: ArcResult
    reason: str
    """Why, in words with nothing of a stranger's but names."""

    sets: tuple[Sealed, ...] = ()
    """Those of a chain that passes, the newest last."""

    is_author_signed: bool = False
    """Whether the newest signature is made over From."""

    is_temporary: bool = False
    """Whether it fails for a key that could not be looked up at the moment."""

    sealer: str = ""
    """Who claims to have sealed it last, C{d=} of the newest seal; C{""} where nobody can tell."""


@frozen
class ArcSet:
    """
    The three fields of an instance, read.
    """

    results: Field
    signed: Field
    signature: Signature
    seal: Seal


class BrokenChain(Exception):
    """
    The chain fails; the message says why in words.
    """


class ChainVerification:
    """
    The chain of one message.
    """

    def __init__(self, section: bytes) -> None:
        """
        Read the sets.

        @param section: the header section as it was received, with or without its empty line.
        """
        self._fields = fields_of(section)
        self._sets: tuple[ArcSet, ...] = ()
        self._problem = ""
        try:
            self._sets = read_chain(self._fields)
        except BrokenChain as broken:
            self._problem = str(broken)
        self.forms = frozenset(each.signature.form for each in self._sets[-1:])
        """The forms of the body whose hashes it takes to verify the chain."""

    async def result(
        self,
        resolver: IResolver,
        now: float,
        hashes: Mapping[Form, BodyHash],
        threads: IThreads | None = None,
    ) -> Arc:
        """
        Give the result (section 5.2).

        @param now: seconds since 1970.
        @param hashes: those of the body, of each of L{forms}.
        @param threads: where the seals of a long chain are verified; where there are none it is
            done here.
        """
        if self._problem:
            return Arc(ArcResult.FAIL, self._problem)
        if not self._sets:
            return Arc(ArcResult.NONE, "no ARC chain")
        newest, sealer = self._sets[-1].signature, self._sets[-1].seal.domain
        try:
            signed = await Check(self._fields, newest, hashes[newest.form], now).run(resolver)
            if signed.result is not DkimResult.PASS:
                reason = f"the signature of instance {len(self._sets)}: {signed.reason}"
                raise Refused(signed.result, reason)
            await self._check_seals(resolver, threads)
        except Refused as refused:
            is_temporary = refused.result is DkimResult.TEMPERROR
            return Arc(ArcResult.FAIL, refused.reason, is_temporary=is_temporary, sealer=sealer)
        return Arc(
            ArcResult.PASS,
            f"sealed by {sealer}",
            tuple(map(_sealed, self._sets)),
            b"from" in newest.headers,
            sealer=sealer,
        )

    async def _check_seals(self, resolver: IResolver, threads: IThreads | None) -> None:
        """
        Verify the seals, the newest first: it is the one that a stranger cannot have copied from
        elsewhere. A few are verified at once, the more of them in a thread.

        @raise Refused: one is wrong.
        """
        left = list(seals(self._sets))
        size = TURN - 1  # the signature of the message was verified in this turn too
        is_first = True
        while left:
            some = left[: -size - 1 : -1]
            del left[-size:]
            keys: list[Key] = []
            refused = None
            for seal, _ in some:
                try:
                    keys.append(await key_of(seal, resolver))
                except Refused as error:
                    refused = _of_seal(seal, error)
                    break
            if is_first or threads is None:
                wrong = _first_wrong(some, keys)
            else:
                wrong = await threads.run(_first_wrong, some, keys)
            if wrong is not None:
                raise _of_seal(wrong, Refused(DkimResult.FAIL, "the chain has been changed"))
            if refused is not None:
                raise refused
            size, is_first = TURN, False


def _first_wrong(some: Sequence[tuple[Seal, bytes]], keys: Sequence[Key]) -> Seal | None:
    """
    Give the first seal that its key has not made; those without a key are left out.
    """
    for (seal, digest), key in zip(some, keys, strict=False):
        if not key.has_signed(seal.value, digest):
            return seal
    return None


def _of_seal(seal: Seal, refused: Refused) -> Refused:
    return Refused(refused.result, f"the seal of instance {seal.instance}: {refused.reason}")


def of_arc(arc: Arc) -> MethodResult:
    """
    Say what ARC has found (section 10.1), for an Authentication-Results field.
    """
    return MethodResult("arc", arc.result.value, (), arc.reason)


def trusted_results(arc: Arc, sealers: Collection[str]) -> tuple[Sealed, ...]:
    """
    Give what those sealers say who are trusted, the newest first, up to the first who is not: he
    could have written all that stands below him. More than L{HEARD} are not heard.

    Nothing counts where the newest signature is not made over From, since it could be another's.

    @param sealers: domains in A-labels and small letters; none stands for those below it.
    """
    if arc.result is not ArcResult.PASS or not arc.is_author_signed:
        return ()
    trusted = takewhile(lambda each: each.domain in sealers, reversed(arc.sets))
    return tuple(islice(trusted, HEARD))


def seen_passing(trusted: Iterable[Sealed], author: str) -> Sealed | None:
    """
    Give the first who has seen DMARC pass for a domain, if anybody has.

    Who does not say for which domain has said nothing.

    @param trusted: as L{trusted_results} gives them.
    @param author: the author's domain in A-labels and small letters.
    """
    return next((each for each in trusted if _has_passed(each, author)), None)


def _has_passed(sealed: Sealed, author: str) -> bool:
    found = sealed.of("dmarc")
    return bool(author and found) and all(
        each.result == "pass" and _authors(each) == {author} for each in found
    )


def _authors(result: MethodResult) -> set[str | None]:
    return {
        canonical(value.rpartition("@")[2].removesuffix("."))
        for value in result.values("header", "from")
    }


def _read(field: Field) -> tuple[int, Field | Signature | Seal]:
    """
    Read any field of a set, and give its instance too.

    @raise TagError: it is out of the grammar.
    """
    if field.name == SEAL:
        seal = parse_seal(field)
        return seal.instance, seal
    if field.name == MESSAGE_SIGNATURE:
        return parse_message_signature(field)
    found = _INSTANCE.match(field.value)
    instance = int(found[1]) if found else 0
    if not 1 <= instance <= SETS:
        raise TagError(f"it does not begin with i= and a number from 1 to {SETS}")
    return instance, field


def read_chain(fields: Iterable[Field]) -> tuple[ArcSet, ...]:
    """
    Put the sets together (section 5.2, steps 1 to 3).

    @raise BrokenChain: they are not a chain.
    """
    found = [each for each in fields if each.name in NAMES]
    if len(found) > SETS * len(NAMES):
        raise BrokenChain(f"there are more than {SETS} sets")
    pieces: dict[tuple[bytes, int], tuple[Field, Field | Signature | Seal]] = {}
    for field in found:
        try:
            instance, read = _read(field)
        except TagError as error:
            raise BrokenChain(f"an {NAMES[field.name]} cannot be used: {error}") from None
        if (field.name, instance) in pieces:
            raise BrokenChain(f"instance {instance} has two {NAMES[field.name]} fields")
        pieces[field.name, instance] = field, read
    sets = []
    for number in range(1, max((number for _, number in pieces), default=0) + 1):
        missing = [shown for name, shown in NAMES.items() if (name, number) not in pieces]
        if missing:
            raise BrokenChain(f"instance {number} has no {missing[0]}")
        signed, signature = pieces[MESSAGE_SIGNATURE, number]
        seal = pieces[SEAL, number][1]
        assert isinstance(signature, Signature) and isinstance(seal, Seal)
        sets.append(ArcSet(pieces[RESULTS, number][0], signed, signature, seal))
    for each in reversed(sets):
        expected = "pass" if each.seal.instance > 1 else "none"
        if each.seal.chain == "fail":
            raise BrokenChain(f"it had failed already, says {each.seal.domain}")
        if each.seal.chain != expected:
            raise BrokenChain(f"the seal of instance {each.seal.instance} has no cv={expected}")
    return tuple(sets)


def seals(sets: Iterable[ArcSet]) -> Iterator[tuple[Seal, bytes]]:
    """
    Give each seal with the hash that it is made over: that of its own set and all before it
    (section 5.1.1).
    """
    hashed = sha256()
    for each in sets:
        hashed.update(each.results.canonical(True) + b"\r\n")
        hashed.update(each.signed.canonical(True) + b"\r\n")
        whole = hashed.copy()
        whole.update(each.seal.field.unsigned.canonical(True))
        yield each.seal, whole.digest()
        hashed.update(each.seal.field.canonical(True) + b"\r\n")


def _sealed(each: ArcSet) -> Sealed:
    seal = each.seal
    return Sealed(seal.domain, seal.selector, seal.instance, each.results.value)
