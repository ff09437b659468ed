"""
What stands in a DKIM-Signature (RFC 6376 section 3.5), an ARC-Message-Signature and an ARC-Seal
(RFC 8617 section 4.1).
"""

from __future__ import annotations

import re

from attrs import frozen

from mailgate.authentication.canonical import Field, Form
from mailgate.authentication.domain import canonical, is_within
from mailgate.authentication.tags import TagError, Tags

HEADERS = 200
"""How many fields a signature is made over at most."""

ALGORITHMS = {"rsa-sha256": "rsa", "ed25519-sha256": "ed25519"}
"""Those that verify, each with its type of key (RFC 8301 section 3.1, RFC 8463)."""

HISTORIC = "rsa-sha1"

SETS = 50
"""How many sets an ARC chain has at most (RFC 8617 section 4.2.1)."""

CHAINS = frozenset({"none", "pass", "fail"})

SEAL = b"arc-seal"
"""The name of the field, which an ARC-Message-Signature must not be made over."""

_NAMES = re.compile(r"[!-~]*")
"""Names of fields, with colons between them (RFC 5322 section 2.2)."""


@frozen
class Signature:
    """
    A signature that is in the grammar.
    """

    field: Field
    algorithm: str
    domain: str
    """C{d=} in A-labels and small letters."""

    selector: str
    identity: str
    """The domain of C{i=}: that of C{d=}, or below it."""

    headers: tuple[bytes, ...]
    """The names of the fields that are signed, in small letters."""

    is_header_relaxed: bool
    form: Form
    """The form of the body."""

    body_hash: bytes
    value: bytes
    """C{b=}."""

    expires: int | None = None
    """C{x=}, in seconds since 1970."""


def parse_signature(field: Field) -> Signature:
    """
    Read a DKIM-Signature.

    @raise TagError: it is out of the grammar, or must not be used.
    """
    tags = Tags(field.value)
    if tags.text("v") != "1":
        raise TagError("the version is not 1")
    headers = _headers(tags)
    if not all(headers):
        raise TagError("h= has what is no name of a field")
    if b"from" not in headers:
        raise TagError("From is not signed")
    domain = _domain(tags, "d")
    identity = domain
    if "i" in tags:
        identity = canonical(tags.text("i").rpartition("@")[2]) or ""
        if not identity or not is_within(identity, domain):
            raise TagError("i= is not within d=")
    return _common(field, tags, headers, identity)


def parse_message_signature(field: Field) -> tuple[int, Signature]:
    """
    Read an ARC-Message-Signature, and give its instance too (RFC 8617 section 4.1.2). It need not
    be made over From, nor over anything. Without C{c=} the forms are relaxed, as all take it, and
    not simple.

    @raise TagError: it is out of the grammar, or must not be used.
    """
    tags = Tags(field.value)
    headers = tuple(filter(None, _headers(tags)))
    if SEAL in headers:
        raise TagError("an ARC-Seal is signed")
    instance = _instance(tags)
    return instance, _common(field, tags, headers, _domain(tags, "d"), "relaxed/relaxed")


@frozen
class Seal:
    """
    An ARC-Seal that is in the grammar.
    """

    field: Field
    instance: int
    chain: str
    """C{cv}: what its maker has found of the chain before: C{none}, C{pass} or C{fail}."""

    algorithm: str
    domain: str
    selector: str
    value: bytes

    @property
    def identity(self) -> str:
        """
        Give the domain that the key must stand for.
        """
        return self.domain


def parse_seal(field: Field) -> Seal:
    """
    Read an ARC-Seal (RFC 8617 section 4.1.3).

    @raise TagError: it is out of the grammar, or must not be used.
    """
    tags = Tags(field.value)
    if "h" in tags:
        raise TagError("h= must not be there")
    chain = tags.text("cv").lower()
    if chain not in CHAINS:
        raise TagError("cv= is not known")
    tags.number("t")
    return Seal(
        field,
        _instance(tags),
        chain,
        tags.text("a").lower(),
        _domain(tags, "d"),
        _domain(tags, "s"),
        tags.binary("b"),
    )


def _instance(tags: Tags) -> int:
    instance = tags.number("i")
    if instance is None:
        raise TagError("i= is missing")
    if not 1 <= instance <= SETS:
        raise TagError(f"i= is not from 1 to {SETS}")
    return instance


def _common(
    field: Field,
    tags: Tags,
    headers: tuple[bytes, ...],
    identity: str,
    forms: str = "simple/simple",
) -> Signature:
    """
    Read what DKIM and ARC have in common.
    """
    domain = _domain(tags, "d")
    if "q" in tags and "dns/txt" not in tags.words("q", ""):
        raise TagError("q= asks for another way to get the key")
    is_header_relaxed, is_body_relaxed = _forms(tags.text("c", forms))
    made, expires = tags.number("t"), tags.number("x")
    if made is not None and expires is not None and expires <= made:
        raise TagError("x= is not after t=")
    return Signature(
        field,
        tags.text("a").lower(),
        domain,
        _domain(tags, "s"),
        identity,
        headers,
        is_header_relaxed,
        Form(is_body_relaxed, tags.number("l")),
        tags.binary("bh"),
        tags.binary("b"),
        expires,
    )


def _domain(tags: Tags, name: str) -> str:
    domain = canonical(tags.text(name))
    if domain is None:
        raise TagError(f"{name}= is no domain name")
    return domain


def _headers(tags: Tags) -> tuple[bytes, ...]:
    names = tags.words("h", "") if "h" in tags else ()
    if not names:
        raise TagError("h= is missing")
    if len(names) > HEADERS:
        raise TagError(f"h= has more than {HEADERS} names")
    joined = ":".join(names)
    if not _NAMES.fullmatch(joined):
        raise TagError("h= has what is no name of a field")
    return tuple(joined.lower().encode("ascii").split(b":"))


def _forms(text: str) -> tuple[bool, bool]:
    """
    Give whether the forms of header and body are relaxed; that of the body is C{simple} where it is
    not named.
    """
    header, _, body = text.partition("/")
    forms = {"simple": False, "relaxed": True}
    if header not in forms or (body or "simple") not in forms or text.endswith("/"):
        raise TagError("c= names a form that is not known")
    return forms[header], forms[body or "simple"]
