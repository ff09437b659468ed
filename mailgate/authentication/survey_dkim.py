"""
What the DKIM keys of a domain are (RFC 6376 section 3.6.1, RFC 8301, RFC 8463).

Nobody can list them: a key stands below a selector that only signatures name. So those are asked
for that somebody names, that were seen here, and that are usual.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from mailgate.authentication.key import Key, parse_key
from mailgate.authentication.survey import (
    Part,
    Report,
    Unanswered,
    count,
    excerpt,
    listed,
    texts_of,
)
from mailgate.authentication.tags import TagError
from mailgate.interfaces import IResolver

_USUAL_WORDS = """
    default dkim mail google selector1 selector2 s1 s2 k1 k2 k3 key1 sig1 smtp mx fm1 fm2 fm3
    protonmail protonmail2 protonmail3 mandrill zoho zmail everlytickey1 mxvault cm
    """
USUAL = tuple(_USUAL_WORDS.split())
"""Selectors that many have."""

NONE_HAS = "mailgate-asks-whether-all-are-there"
"""A selector that nobody has: a key there stands below every name."""

SHORT = 2048
"""Bits that a new RSA key should have (RFC 8301 section 3.2)."""

MOST = 50
"""Selectors that are asked for."""


class Origin(IntEnum):
    """
    Why a selector is asked for.
    """

    NAMED = 0
    SEEN = 1
    USUAL = 2


async def survey_dkim(
    resolver: IResolver, domain: str, named: Sequence[str] = (), seen: Sequence[str] = ()
) -> tuple[Part, int]:
    """
    Say what the keys of a domain are.

    @param named: selectors that must be there.
    @param seen: those of signatures that have passed here.
    @return: that, and how many keys can be used.
    """
    report = Report("DKIM")
    wanted = dict.fromkeys(USUAL, Origin.USUAL)
    wanted.update({name.lower(): Origin.SEEN for name in seen})
    wanted.update({name.lower(): Origin.NAMED for name in named})
    usable = found = unasked = 0
    try:
        everywhere = await texts_of(resolver, place_of(NONE_HAS, domain))
    except Unanswered as unanswered:
        report.unknown(str(unanswered))
        everywhere = ()
    if everywhere:
        report.note(
            "Every name below _domainkey has the same record, so keys cannot be looked for; those"
            " that are named or were seen are."
        )
        wanted = {name: origin for name, origin in wanted.items() if origin is not Origin.USUAL}
    for selector, origin in sorted(wanted.items(), key=lambda each: each[1])[:MOST]:
        name = place_of(selector, domain)
        try:
            texts = await texts_of(resolver, name)
        except Unanswered as unanswered:
            if origin is Origin.USUAL:
                unasked += 1
            else:
                report.unknown(str(unanswered))
            continue
        if texts:
            found += 1
            usable += _tell(report, name, texts, origin)
        elif origin is Origin.NAMED:
            report.mistake(f"There is no key at {name}.")
        elif origin is Origin.SEEN:
            report.note(
                f"There is no key at {name} any more, which has signed mail that came here."
            )
    if not found and not report.remarks:
        _tell_none(report, unasked)
    return report.made(), usable


def _tell_none(report: Report, unasked: int) -> None:
    """
    Tell that there is no key where most have theirs.

    @param unasked: of how many usual selectors that is not known.
    """
    if unasked:
        report.unknown(
            f"No key was found, and of {unasked} of the {len(USUAL)} usual selectors it is not"
            " known whether there is one."
        )
        return
    report.note(
        f"No key was found: nobody can list the selectors of a domain, and none of the {len(USUAL)}"
        " usual ones is there. Name yours with --selector; it stands as s= in DKIM-Signature of"
        " your mail."
    )


def place_of(selector: str, domain: str) -> str:
    """
    Name where the key of a selector stands.
    """
    return f"{selector}._domainkey.{domain}"


def _tell(report: Report, name: str, texts: Sequence[bytes], origin: Origin) -> bool:
    """
    Tell of the records at one selector, and whether they have a key that can be used.
    """
    for text in texts:
        report.show(name, "TXT", text)
    if len(texts) > 1:
        report.mistake(
            f"There are {len(texts)} records at {name}; which of them a receiver takes is not said"
            " (RFC 6376 section 3.6.2.2)."
        )
    usable = [_tell_key(report, name, text, origin) for text in texts]
    return any(usable)


def _tell_key(report: Report, name: str, text: bytes, origin: Origin) -> bool:
    try:
        key = parse_key(text)
    except TagError as error:
        report.mistake(f"The key at {name} cannot be used: {error}.")
        return False
    if key is None:
        report.mistake(
            f"{excerpt(text)} at {name} is no key record: it is a list of tags with “p=”, and"
            " “v=DKIM1” first where that is there at all."
        )
        return False
    if key.public is None:
        words = f"The key at {name} has been revoked (“p=” is empty): what it has signed fails."
        (report.note if origin is Origin.USUAL else report.mistake)(words)
        return False
    if key.hashes is not None and "sha256" not in key.hashes:
        report.mistake(
            f"The key at {name} is only for {listed(sorted(key.hashes)) or 'no hash'} (“h=”), and"
            " no signature but those with sha256 counts (RFC 8301 section 3.1)."
        )
        return False
    if not key.is_for_mail:
        report.mistake(f"The key at {name} is not for mail (“s=”).")
        return False
    _tell_usable(report, name, key)
    return True


def _tell_usable(report: Report, name: str, key: Key) -> None:
    what = f"{count(key.bits, 'bit', 'bits')} RSA" if key.bits else "Ed25519"
    if key.bits and key.bits < SHORT:
        report.mistake(
            f"The key at {name} is short: {key.bits:,} bits, where RFC 8301 asks for"
            f" {SHORT:,}. Shorter than 1,024 none is taken."
        )
    else:
        report.fine(f"The key at {name} can be used ({what}).")
    if not key.bits:
        report.note(
            f"Not everybody can verify Ed25519 ({name}): sign with an RSA key as well (RFC 8463)."
        )
    if key.is_testing:
        report.mistake(
            f"The key at {name} is only tried (“t=y”), so receivers may treat what it has signed as"
            " if it were not."
        )
    if key.is_strict:
        report.note(f"The key at {name} stands for no address below its domain (“t=s”).")
