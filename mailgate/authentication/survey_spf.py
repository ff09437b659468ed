"""
What the SPF record of a domain says, with all that it includes (RFC 7208).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from attrs import define

from mailgate.authentication.domain import canonical
from mailgate.authentication.lookups import TERMS, VOIDS
from mailgate.authentication.macro import MacroString
from mailgate.authentication.spf import EXCHANGES
from mailgate.authentication.spf_record import Mechanism, RecordError, SpfRecord, is_spf, parse
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
from mailgate.wire.dns.answer import AAAA, MX, TXT, A, Nothing

FOLLOWED = 40
"""Terms that are followed, however many there are."""

WIDE4, WIDE6 = 15, 31
"""Networks with prefixes up to these are larger than any sender needs."""

_VERSION = "v=spf1"
_NEAR = re.compile(rb"[\s\"']*v\s*=\s*spf|spf1|spf2\.0/", re.IGNORECASE)
_LIKE_MECHANISM = re.compile(
    r"(all|include|a|mx|ptr|ip4|ip6|ipv4|ipv6|exists)=", re.IGNORECASE | re.ASCII
)
_ALL_OF = {
    "-": "others fail",
    "~": "others fail softly, which seldom refuses anything",
    "?": "of others it says nothing",
}


async def survey_spf(resolver: IResolver, domain: str) -> Part:
    """
    Say what SPF says of a domain.

    @param domain: in its canonical form.
    """
    report = Report("SPF")
    walk = _Walk(resolver, report)
    try:
        await walk.begin(domain)
    except Unanswered as unanswered:
        report.unknown(str(unanswered))
    return report.made()


@define
class _Walk:
    """
    The way through a record and what it includes, as an evaluation goes it that matches nothing.
    """

    resolver: IResolver
    report: Report
    terms: int = 0
    voids: int = 0

    async def begin(self, domain: str) -> None:
        report = self.report
        found = await ask(self.resolver, domain, TXT)
        texts = () if isinstance(found, Nothing) else found
        records = [text for text in texts if is_spf(text)]
        for text in texts:
            if not is_spf(text) and _NEAR.match(text):
                report.show(domain, "TXT", text)
                report.mistake(
                    f"{excerpt(text)} looks like SPF and is none: a record begins with"
                    f" “{_VERSION}” and a space."
                )
        for record in records:
            report.show(domain, "TXT", record)
        if isinstance(found, Nothing) and not found.exists:
            report.mistake(f"{domain} does not exist: nothing is at this name, nor below it.")
            return
        if not records:
            report.mistake(
                "There is no SPF record, so nobody can tell who may send for the domain. One that"
                f" sends nothing has “{_VERSION} -all”."
            )
            return
        if len(records) > 1:
            report.mistake(
                f"There are {len(records)} SPF records, and where there is more than one all of"
                " them are void (permerror, RFC 7208 section 4.5). Join them into one."
            )
            return
        read = self._read(domain, records[0])
        if read is None:
            return
        await self._follow(read, domain, (domain,))
        self._tell_end(read)
        self._tell_counts()

    def _read(self, domain: str, text: bytes) -> SpfRecord | None:
        """
        Read a record, and say where the mistakes in it are.
        """
        for term in text.decode("latin-1").split(" "):
            if _LIKE_MECHANISM.match(term):
                self.report.mistake(
                    f"{excerpt(term)} in the record of {domain} has “=” where “:” belongs, so it is"
                    " taken for an unknown modifier and means nothing."
                )
        try:
            return parse(text)
        except RecordError as error:
            wrong = list(_wrong_terms(text))
            for at, number, reason in wrong:
                self.report.mistake(
                    f"The record of {domain} is wrong at character {at}, in term {number}:"
                    f" {reason}."
                )
            if not wrong:
                self.report.mistake(f"The record of {domain} is wrong: {error}.")
            self.report.note("A mistake anywhere makes all of a record void (section 4.6).")
            return None

    async def _follow(self, record: SpfRecord, domain: str, path: Sequence[str]) -> None:
        has_all = False
        for mechanism in record.mechanisms:
            if has_all:
                self.report.mistake(
                    f"{excerpt(mechanism.text)} in the record of {domain} stands behind “all”,"
                    " where nothing is looked at any more."
                )
            elif mechanism.name == "all":
                has_all = True
            else:
                await self._mechanism(mechanism, domain, path)
        if record.redirect is None:
            return
        if has_all:
            self.report.mistake(
                f"“redirect” in the record of {domain} means nothing, since there is an “all”"
                " (section 6.1)."
            )
            return
        self.terms += 1
        await self._into(record.redirect, f"redirect={record.redirect.text}", domain, path, True)

    async def _mechanism(self, mechanism: Mechanism, domain: str, path: Sequence[str]) -> None:
        where = f"{excerpt(mechanism.text)} in the record of {domain}"
        if mechanism.network is not None:
            self._tell_network(mechanism, where)
            return
        self.terms += 1
        if self.terms > FOLLOWED:
            return
        if mechanism.name == "ptr":
            self.report.mistake(
                f"{where} should not be used: it is slow, and many receivers pass over it"
                " (section 5.5)."
            )
        elif mechanism.name == "include":
            assert mechanism.target is not None
            await self._into(
                mechanism.target, mechanism.text, domain, path, mechanism.qualifier == "+"
            )
        elif mechanism.name in ("a", "mx"):
            target = mechanism.target
            name = domain if target is None else _plain(target)
            if name is not None:
                await self._addresses(mechanism, name, where)
            elif target is not None and not target.letters:
                self.report.mistake(f"{where} names no domain.")

    async def _into(
        self, target: MacroString, term: str, domain: str, path: Sequence[str], passes: bool
    ) -> None:
        """
        Follow an include or a redirect.

        @param passes: whether what passes there passes here.
        """
        where = f"{excerpt(term)} in the record of {domain}"
        name = _plain(target)
        if name is None:
            if target.letters:
                self.report.note(f"{where} depends on the message, so it is not followed.")
            else:
                self.report.mistake(f"{where} names no domain.")
            return
        if name in path:
            self.report.mistake(f"{where} leads back to {name}, round in a circle (permerror).")
            return
        if self.terms > FOLLOWED:
            return
        try:
            records = [text for text in await texts_of(self.resolver, name) if is_spf(text)]
        except Unanswered as unanswered:
            self.report.unknown(f"{where}: {unanswered}")
            return
        for record in records:
            self.report.show(name, "TXT", record)
        if not records:
            self.report.mistake(
                f"{where} leads to {name}, which has no SPF record: that makes the record void"
                " (permerror, section 5.2)."
            )
            return
        if len(records) > 1:
            self.report.mistake(
                f"{where} leads to {name}, which has {len(records)} SPF records (permerror)."
            )
            return
        read = self._read(name, records[0])
        if read is None:
            return
        if passes and any(each.name == "all" and each.qualifier == "+" for each in read.mechanisms):
            self.report.mistake(
                f"{where} leads to {name}, whose “+all” lets everybody send for the domain."
            )
        await self._follow(read, name, (*path, name))

    async def _addresses(self, mechanism: Mechanism, name: str, where: str) -> None:
        names = [name]
        try:
            if mechanism.name == "mx":
                found = await ask(self.resolver, name, MX)
                hosts = () if isinstance(found, Nothing) else tuple(each.host for each in found)
                if not hosts:
                    self.voids += 1
                    self.report.mistake(f"{where} finds nothing: {name} has no MX.")
                    return
                if len(hosts) > EXCHANGES:
                    self.report.mistake(
                        f"{where}: {name} has {len(hosts)} mail exchanges, of which"
                        f" {EXCHANGES} are allowed (permerror, section 4.6.4)."
                    )
                names = [host for host in hosts if host != "."][:EXCHANGES]
            for each in names:
                if not await _has_address(self.resolver, each):
                    self.voids += 1
                    self.report.mistake(f"{where} finds nothing: {each} has no address.")
        except Unanswered as unanswered:
            self.report.unknown(f"{where}: {unanswered}")

    def _tell_network(self, mechanism: Mechanism, where: str) -> None:
        network = mechanism.network
        assert network is not None
        if mechanism.qualifier == "-":
            return
        if network.prefixlen == 0:
            self.report.mistake(f"{where} lets everybody send for the domain.")
        elif network.prefixlen <= (WIDE4 if network.version == 4 else WIDE6):
            self.report.mistake(
                f"{where} lets {count(network.num_addresses, 'address', 'addresses')} send for the"
                " domain; a prefix length may be missing a digit."
            )

    def _tell_end(self, record: SpfRecord) -> None:
        last = next((each for each in record.mechanisms if each.name == "all"), None)
        report = self.report
        if last is None:
            if record.redirect is None:
                report.mistake(
                    "The record has no “all” at its end, so of clients that it does not name it"
                    " says nothing (neutral). End it with “-all” or “~all”."
                )
        elif last.qualifier == "+":
            report.mistake(
                f"{excerpt(last.text)} lets everybody send for the domain, which is worse than no"
                " record: forged mail passes."
            )
        elif last.qualifier == "?":
            report.mistake(
                f"{excerpt(last.text)} says nothing of clients that are not named; “-all” or"
                " “~all” would."
            )
        elif len(record.mechanisms) == 1:
            report.fine(f"Nobody may send for the domain ({excerpt(last.text)}).")
        else:
            report.fine(f"Those that are named may send; {_ALL_OF[last.qualifier]}.")

    def _tell_counts(self) -> None:
        report = self.report
        if self.terms > TERMS:
            least = "At least " if self.terms > FOLLOWED else ""
            report.mistake(
                f"{least}{self.terms} terms ask the DNS, and {TERMS} may (permerror, section"
                " 4.6.4): mail of clients that come behind the tenth does not pass. Leave out what"
                " is not needed, or name networks in the place of names."
            )
        else:
            report.fine(f"{count(self.terms, 'term asks', 'terms ask')} the DNS, and {TERMS} may.")
        if self.voids > VOIDS:
            report.mistake(
                f"{self.voids} look-ups find nothing, and {VOIDS} may (permerror, section 4.6.4)."
            )


def _plain(target: MacroString) -> str | None:
    """
    Give the name that stands there, or C{None} where it has macros or is none.
    """
    return None if target.letters else canonical(target.name({}))


async def _has_address(resolver: IResolver, name: str) -> bool:
    if not isinstance(await ask(resolver, name, A), Nothing):
        return True
    return not isinstance(await ask(resolver, name, AAAA), Nothing)


def _wrong_terms(text: bytes) -> Sequence[tuple[int, int, str]]:
    """
    Find what is wrong in a record: the character at which it begins, from 1 on, the number of the
    term, and why.
    """
    found = []
    at, number = 1, 0
    for term in text.split(b" "):
        if term and at > 1:
            number += 1
            try:
                parse(b"v=spf1 " + term)
            except RecordError as error:
                found.append((at, number, str(error)))
        at += len(term) + 1
    return found
