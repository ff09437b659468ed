"""
Where a domain takes mail, and what it says of TLS on the way there (RFC 5321 section 5.1, RFC 7505,
RFC 8461, RFC 8460).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from mailgate.authentication.survey import (
    Part,
    Report,
    Unanswered,
    ask,
    count,
    excerpt,
    texts_of,
)
from mailgate.interfaces import IResolver
from mailgate.wire.dns.answer import AAAA, MX, A, MailExchange, Nothing

LOOKED_AT = 20
"""Exchanges whose addresses are looked up."""

_INSIDE_WORDS = """
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.168.0.0/16
    ::/127 fc00::/7 fe80::/10
    """
_INSIDE = tuple(map(ip_network, _INSIDE_WORDS.split()))
"""Networks that are not reached from outside."""

_STS = re.compile(rb"v=STSv1\s*;(\s*[a-zA-Z0-9_.-]+=[^;]*;)*\s*id=([a-zA-Z0-9]{1,32})\s*(;.*)?")
_RPT = re.compile(rb"v=TLSRPTv1\s*;\s*rua=(mailto|https):[^;]+(;.*)?", re.IGNORECASE)


async def survey_mx(resolver: IResolver, domain: str) -> Part:
    """
    Say where a domain takes mail.
    """
    report = Report("MX")
    try:
        await _survey_mx(resolver, report, domain)
    except Unanswered as unanswered:
        report.unknown(str(unanswered))
    return report.made()


async def survey_tls(resolver: IResolver, domain: str) -> Part:
    """
    Say whether there are MTA-STS and reports on TLS. The file of the policy is not fetched.
    """
    report = Report("TLS")
    try:
        await _survey_tls(resolver, report, domain)
    except Unanswered as unanswered:
        report.unknown(str(unanswered))
    return report.made()


async def _survey_mx(resolver: IResolver, report: Report, domain: str) -> None:
    found = await ask(resolver, domain, MX)
    if isinstance(found, Nothing):
        await _tell_implicit(resolver, report, domain, found)
        return
    exchanges = sorted(found, key=lambda each: (each.preference, each.host))
    for each in exchanges:
        report.show(domain, "MX", f"{each.preference} {each.host}")
    hosts = [each.host for each in exchanges]
    if hosts == ["."]:
        report.fine("The domain takes no mail and says so (null MX, RFC 7505).")
        return
    if "." in hosts:
        report.mistake(
            "A null MX (“.”) says that the domain takes no mail, and stands beside others: who"
            " wants to send does as it likes (RFC 7505 section 3)."
        )
    failed = 0
    named = [each for each in exchanges if each.host != "."][:LOOKED_AT]
    for each in named:
        failed += not await _tell_exchange(resolver, report, each)
    if named and not failed:
        report.fine(
            f"{count(len(named), 'server takes', 'servers take')} mail, and each has an address."
        )


async def _tell_implicit(resolver: IResolver, report: Report, domain: str, found: Nothing) -> None:
    if not found.exists:
        report.mistake("The domain does not exist.")
    elif await _addresses(resolver, domain):
        report.note(
            "There is no MX, so mail is sent to the address of the domain itself (RFC 5321 section"
            " 5.1). If it takes none, say so with the null MX “0 .”."
        )
    else:
        report.mistake(
            "There is neither an MX nor an address, so nobody can answer mail of the domain, and"
            " many refuse it. If it takes none, say so with the null MX “0 .”."
        )


async def _tell_exchange(resolver: IResolver, report: Report, exchange: MailExchange) -> bool:
    host = exchange.host.removesuffix(".")
    try:
        ip_address(host)
    except ValueError:
        pass
    else:
        report.mistake(f"The MX {host} is an address, and has to be a name.")
        return False
    try:
        addresses = await _addresses(resolver, host)
    except Unanswered as unanswered:
        report.unknown(str(unanswered))
        return False
    if not addresses:
        report.mistake(f"The MX {host} has no address, so no mail comes there.")
        return False
    inside = [each for each in addresses if any(each in network for network in _INSIDE)]
    if inside:
        report.mistake(f"The MX {host} has the address {inside[0]}, which nobody outside reaches.")
    return not inside


async def _addresses(resolver: IResolver, name: str) -> Sequence[IPv4Address | IPv6Address]:
    found: list[IPv4Address | IPv6Address] = []
    four = await ask(resolver, name, A)
    if not isinstance(four, Nothing):
        found += four
    six = await ask(resolver, name, AAAA)
    if not isinstance(six, Nothing):
        found += six
    return found


async def _survey_tls(resolver: IResolver, report: Report, domain: str) -> None:
    has_sts = await _tell_record(resolver, report, f"_mta-sts.{domain}", b"v=STSv1", _STS)
    has_reports = await _tell_record(resolver, report, f"_smtp._tls.{domain}", b"v=TLSRPTv1", _RPT)
    host = f"mta-sts.{domain}"
    if has_sts is None:
        report.note("There is no MTA-STS (RFC 8461), so nobody has to use TLS to send here.")
    elif has_sts:
        if await _addresses(resolver, host):
            report.fine(f"There is MTA-STS; its policy is at {host}, which has an address.")
        else:
            report.mistake(
                f"There is MTA-STS, but {host}, where its policy has to be, has no address."
            )
    if has_reports:
        report.fine("Trouble with TLS is reported (TLS-RPT, RFC 8460).")
    elif has_sts and has_reports is None:
        report.note("There is no TLS-RPT (RFC 8460), so nobody reports where MTA-STS fails.")


async def _tell_record(
    resolver: IResolver, report: Report, place: str, version: bytes, grammar: re.Pattern[bytes]
) -> bool | None:
    """
    Tell of the one record that there may be: whether it is right, or C{None} where there is none.
    """
    texts = [
        text for text in await texts_of(resolver, place) if text.lower().startswith(version.lower())
    ]
    for text in texts:
        report.show(place, "TXT", text)
    if not texts:
        return None
    if len(texts) > 1:
        report.mistake(f"There are {len(texts)} records at {place}, so none of them counts.")
        return False
    if not grammar.fullmatch(texts[0]):
        report.mistake(f"{excerpt(texts[0])} at {place} is wrong, so it does not count.")
        return False
    return True
