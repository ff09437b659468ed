"""
Which DMARC record applies to a domain, why, and what it says (RFC 9989, and RFC 9990 for reports).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import unquote

from attrs import frozen

from mailgate.authentication.dmarc import Discovery, select, steps
from mailgate.authentication.dmarc_record import DmarcRecord, Policy, Suffix, parse
from mailgate.authentication.domain import canonical, is_within
from mailgate.authentication.survey import (
    Part,
    Report,
    Unanswered,
    ask,
    excerpt,
    listed,
    texts_of,
)
from mailgate.interfaces import IResolver
from mailgate.wire.dns.answer import A, Nothing

_NEAR = re.compile(rb"[\s\"']*(v\s*=\s*)?DMARC", re.IGNORECASE)
_ALLOWED: Mapping[str, re.Pattern[str]] = {
    "p": re.compile(r"none|quarantine|reject", re.IGNORECASE),
    "sp": re.compile(r"none|quarantine|reject", re.IGNORECASE),
    "np": re.compile(r"none|quarantine|reject", re.IGNORECASE),
    "adkim": re.compile(r"[rs]", re.IGNORECASE),
    "aspf": re.compile(r"[rs]", re.IGNORECASE),
    "psd": re.compile(r"[ynu]", re.IGNORECASE),
    "t": re.compile(r"[yn]", re.IGNORECASE),
    "fo": re.compile(r"[01ds](\s*:\s*[01ds])*", re.IGNORECASE),
    "rua": re.compile(r".+"),
    "ruf": re.compile(r".+"),
}
"""What may stand in each tag (section 4.7)."""

_GONE = {
    "pct": "use “t=y” to try a policy",
    "rf": "there is one format of reports",
    "ri": "reports come once a day",
}
"""Tags of RFC 7489 that mean nothing any more."""

_WISHES = {
    Policy.NONE: "to do nothing about",
    Policy.QUARANTINE: "to hold",
    Policy.REJECT: "to refuse",
}


@frozen
class Means:
    """
    With what mail of the domain can pass DMARC.
    """

    has_spf: bool
    keys: int
    """How many keys of DKIM were found."""


async def survey_dmarc(resolver: IResolver, domain: str, means: Means) -> Part:
    """
    Say what DMARC says of a domain.
    """
    report = Report("DMARC")
    try:
        await _survey(resolver, report, domain, means)
    except Unanswered as unanswered:
        report.unknown(str(unanswered))
    return report.made()


async def _survey(resolver: IResolver, report: Report, domain: str, means: Means) -> None:
    found: list[tuple[str, DmarcRecord]] = []
    texts: dict[str, bytes] = {}
    for name in steps(domain):
        known = await _record(resolver, report, name)
        if known is not None:
            texts[name], record = known
            found.append((name, record))
            if record.suffix is not Suffix.UNKNOWN:
                break
    discovery = select(domain, found)
    if discovery.record is None:
        report.mistake(
            "No DMARC record applies, so nobody is asked to do anything about forged mail, and"
            f" nobody reports it. Begin with “v=DMARC1; p=none; rua=mailto:...” at _dmarc.{domain}."
        )
        return
    _tell_which(report, domain, discovery, found)
    _tell_tags(report, discovery.policy_domain, texts[discovery.policy_domain])
    if not discovery.record.is_usable:
        report.mistake(
            f"The record at _dmarc.{discovery.policy_domain} has no valid policy and no address for"
            " reports, so DMARC does not apply (section 4.10.1)."
        )
        return
    await _tell_policy(resolver, report, domain, discovery)
    _tell_means(report, discovery.record, means)
    await _tell_reports(resolver, report, discovery)


async def _record(
    resolver: IResolver, report: Report, name: str
) -> tuple[bytes, DmarcRecord] | None:
    """
    Give the one record of a domain on the way up.
    """
    place = f"_dmarc.{name}"
    records = []
    for text in await texts_of(resolver, place):
        record = parse(text)
        if record is not None:
            report.show(place, "TXT", text)
            records.append((text, record))
        elif _NEAR.match(text):
            report.show(place, "TXT", text)
            report.mistake(
                f"{excerpt(text)} looks like DMARC and is none: a record begins with “v=DMARC1;”."
            )
    if len(records) > 1:
        report.mistake(
            f"There are {len(records)} records at {place}, and where there is more than one none"
            " of them counts (section 4.10)."
        )
    return records[0] if len(records) == 1 else None


def _tell_which(
    report: Report, domain: str, discovery: Discovery, found: Sequence[tuple[str, DmarcRecord]]
) -> None:
    where, organization = discovery.policy_domain, discovery.organization
    if where == domain:
        why = "it is the domain's own"
    elif where == organization:
        why = f"{domain} has none, and {where} is its organizational domain"
    else:
        why = f"neither {domain} nor its organizational domain {organization} has one"
    verb = "applies" if discovery.record is not None and discovery.record.is_usable else "counts"
    report.fine(f"The record at _dmarc.{where} {verb}: {why}.")
    others = [f"_dmarc.{name}" for name, _ in found if name != where]
    if others:
        verb = "does" if len(others) == 1 else "do"
        report.note(f"{listed(others)} {verb} not count for {domain}.")
    if organization != where and where == domain:
        report.note(f"The organizational domain is {organization}: what passes there is aligned.")


def _tell_tags(report: Report, where: str, text: bytes) -> None:
    seen = set()
    for name, value in _tags(text):
        if not value:
            report.mistake(f"{excerpt(name)} at _dmarc.{where} is no tag with a value.")
        elif name in seen:
            report.mistake(f"“{name}=” stands twice at _dmarc.{where}; the first counts.")
        elif name in _GONE:
            report.note(f"“{name}=” means nothing any more (RFC 9989): {_GONE[name]}.")
        elif name not in _ALLOWED:
            report.note(f"{excerpt(name + '=')} is no tag of DMARC, and means nothing.")
        elif not _ALLOWED[name].fullmatch(value):
            report.mistake(
                f"{excerpt(f'{name}={value}')} is not one of the values that it can have."
            )
        seen.add(name)
    if "p" not in seen:
        report.mistake(f"The record at _dmarc.{where} has no “p=”.")


def _tags(text: bytes) -> Iterator[tuple[str, str]]:
    """
    Give the tags behind the version.
    """
    for piece in text.decode("utf-8", "replace").split(";")[1:]:
        name, _, value = (part.strip(" \t") for part in piece.partition("="))
        if name or value:
            yield name.lower(), value


async def _tell_policy(
    resolver: IResolver, report: Report, domain: str, discovery: Discovery
) -> None:
    record = discovery.record
    assert record is not None
    is_below = discovery.policy_domain != domain
    exists = True
    if is_below and record.asks_for_existence:
        found = await ask(resolver, domain, A)
        exists = not isinstance(found, Nothing) or found.exists
    policy = record.policy_for(is_below, exists)
    counts = policy.lowered if record.is_test else policy
    tag = "p"
    if is_below and not exists and record.of_nonexistent is not None:
        tag = "np"
    elif is_below and record.of_subdomains is not None:
        tag = "sp"
    if counts is Policy.NONE:
        report.mistake(
            f"Forged mail of {domain} is let through: “{tag}={policy}”"
            f"{' with “t=y”' if record.is_test else ''} asks receivers {_WISHES[counts]} it. Read"
            " the reports until all of your own mail passes, then ask for more."
        )
    else:
        report.fine(f"Receivers are asked {_WISHES[counts]} what fails (“{tag}={policy}”).")
    if record.is_test:
        report.mistake(
            f"The policy is only tried (“t=y”): one level less is asked for than “{tag}={policy}”."
        )
    for name, below in (("sp", record.of_subdomains), ("np", record.of_nonexistent)):
        if below is not None and below.strength < record.policy.strength:
            what = "that exist" if name == "sp" else "that do not exist"
            report.mistake(
                f"Domains below {discovery.policy_domain} {what} are less protected than itself:"
                f" “{name}={below}” beside “p={record.policy}”."
            )


def _tell_means(report: Report, record: DmarcRecord, means: Means) -> None:
    if not means.has_spf and not means.keys:
        report.mistake(
            "Nothing can be aligned: there is neither SPF nor a key of DKIM that was found, so all"
            " mail of the domain fails unless it has a signature with another selector."
        )
    elif not means.keys:
        report.note(
            "No key of DKIM was found. With SPF alone what is forwarded fails; sign with DKIM."
        )
    elif not means.has_spf:
        report.note("There is no SPF, so mail passes only with a signature of DKIM.")
    strict = [
        name
        for name, is_strict in (("adkim", record.has_strict_dkim), ("aspf", record.has_strict_spf))
        if is_strict
    ]
    if strict:
        tags = listed([f"“{name}=s”" for name in strict])
        report.note(
            f"Alignment is strict ({tags}): only the very domain in From counts, and none above or"
            " below it."
        )


async def _tell_reports(resolver: IResolver, report: Report, discovery: Discovery) -> None:
    record, where = discovery.record, discovery.policy_domain
    assert record is not None
    if not record.aggregate:
        report.mistake("There is no address for reports (“rua=”), so nobody sees what fails.")
    asked = set()
    for tag, uris in (("rua", record.aggregate), ("ruf", record.failure)):
        for uri in uris:
            target = _mail_domain(uri)
            if target is None:
                report.mistake(
                    f"{excerpt(uri)} in “{tag}=” is no “mailto:” with an address, so no report"
                    " comes there."
                )
            elif not is_within(target, discovery.organization) and target not in asked:
                asked.add(target)
                await _tell_foreign(resolver, report, where, target, tag)


async def _tell_foreign(
    resolver: IResolver, report: Report, where: str, target: str, tag: str
) -> None:
    """
    Tell whether a foreign domain takes the reports (RFC 9990).
    """
    place = f"{where}._report._dmarc.{target}"
    texts = await texts_of(resolver, place)
    if any(_is_consent(text) for text in texts):
        report.fine(f"{target} takes the reports (“{tag}=”), as {place} says.")
    else:
        report.mistake(
            f"{target} does not say that it takes the reports (“{tag}=”), so none is sent there:"
            f" there has to be “v=DMARC1” at {place} (RFC 9990)."
        )


def _is_consent(text: bytes) -> bool:
    first, _, _ = text.partition(b";")
    return re.fullmatch(rb"v\s*=\s*DMARC1\s*", first) is not None


def _mail_domain(uri: str) -> str | None:
    scheme, _, rest = uri.partition(":")
    local, at, domain = unquote(rest.partition("?")[0]).rpartition("@")
    if scheme.lower() != "mailto" or not at or not local:
        return None
    return canonical(domain)
