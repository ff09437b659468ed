"""
SPF as another implementation sees it: pyspf, which is used by many.

Where they differ, pyspf is corrected in what is known of it, each time with the section that
decides against it; corrected so it must agree.
"""

import re
from collections import Counter
from ipaddress import ip_address
from unittest.mock import patch

import spf as pyspf
from hypothesis import HealthCheck, Phase, given, seed, settings
from twisted.trial.unittest import SynchronousTestCase

from mailgate.authentication.spf import Peer, check_sender
from mailgate.wire.address import Address
from mailgate.wire.dns import answer
from tests.authentication.given import value_of
from tests.authentication.spf_cases import CHECKED, Guessed, cases

EXAMPLES = 1_667
"""Each has three records."""

CORRECTIONS = {
    "a name of the client without an answer is passed over, and is no void look-up": "5.5, 4.6.4",
    "of mail exchanges no more are looked up once one matches": "5.4",
    "an explanation is fetched at the end, and only for a failure": "6.2",
    "the name of the client is looked up where it is needed, and else unknown": "7.3",
    "a sender without a local part is postmaster": "4.3",
    "a domain that includes itself is a mistake only where it is reached": "4.6.4, 5.2",
    "only exp and redirect may not stand there twice": "6",
    "a redirect counts where it is followed": "4.6.4, 6.1",
    "mistakes that pyspf does not see": "7.1, 12",
    "parts of a macro are joined by dots, and long names lose labels until they fit": "7.3",
}
"""What is corrected, and the sections of RFC 7208."""

NAMES, EXCHANGES, EXPLANATION, POINTER, SENDER, ITSELF, TWICE, REDIRECT, MISTAKES, JOINED = (
    CORRECTIONS
)
_UNSEEN = re.compile(
    r"(?:^| )[-+?~]exists(?: |$)|%\{(?![a-z](?:0*[1-9][0-9]*)?r?[-.+,/_=]*\})|[^ -~]", re.IGNORECASE
)


class Query(pyspf.query):
    """
    A check of pyspf, corrected in some points.
    """

    def __init__(self, corrections, **session):
        super().__init__(**session)
        self.corrections = corrections
        self.is_counting = True
        self.level = None
        """How deep the record lies that is read; a redirect leads to one of the same depth."""

        if SENDER in corrections and self.s.startswith("@"):
            self.s = f"postmaster{self.s}"

    def dns(self, name, qtype, cnames=None, ignore_void=False):
        return super().dns(name, qtype, cnames, ignore_void or not self.is_counting)

    def without_counting(self, function, *args):
        before, self.is_counting = self.is_counting, False
        try:
            return function(*args)
        finally:
            self.is_counting = before

    def validated_ptrs(self):
        if NAMES not in self.corrections:
            return super().validated_ptrs()
        try:
            names = self.dns_ptr(self.i)[: pyspf.MAX_PTR]
        except pyspf.TempError:
            return []
        return [name for name in names if self.without_counting(self.is_true, name)]

    def is_true(self, name):
        try:
            return self.cidrmatch(self.dns_a(name, self.A), self.cidrmax)
        except pyspf.TempError:
            return False

    def getp(self):
        if POINTER not in self.corrections:
            return super().getp()
        self.p = None
        try:
            return self.without_counting(super().getp)
        except pyspf.TempError:
            self.p = "unknown"
            return self.p

    def get_explanation(self, spec):
        return None if EXPLANATION in self.corrections else super().get_explanation(spec)

    def dns_mx(self, domainname):
        if EXCHANGES not in self.corrections:
            return super().dns_mx(domainname)
        exchanges = sorted(self.dns(domainname, "MX"))
        if len(exchanges) > pyspf.MAX_MX:
            raise pyspf.PermError("too many")
        return (address for _, host in exchanges for address in self.dns_a(host, self.A))

    def cidrmatch(self, ipaddrs, n):
        return any(super(Query, self).cidrmatch([each], n) for each in ipaddrs)

    def note_error(self, *msg):
        if (
            TWICE in self.corrections
            and "MUST appear at most once" in msg[0]
            and "exp=" not in msg[0]
        ):
            return None
        return super().note_error(*msg)

    def validate_mechanism(self, mech):
        if ITSELF not in self.corrections:
            return super().validate_mechanism(mech)
        own, self.d = self.d, Unequal(self.d)
        try:
            return super().validate_mechanism(mech)
        finally:
            self.d = own

    def check0(self, spf, recursion):
        if MISTAKES in self.corrections and spf and _UNSEEN.search(spf):
            raise pyspf.PermError("a mistake")
        if REDIRECT not in self.corrections:
            return super().check0(spf, recursion)
        if spf and re.search("(?:^| )redirect=", spf, re.IGNORECASE):
            self.lookups -= 1
        above, self.level = self.level, recursion
        try:
            return super().check0(spf, recursion)
        finally:
            self.level = above

    def check1(self, spf, domain, recursion):
        if recursion == self.level:
            self.check_lookups()
        return super().check1(spf, domain, recursion)

    def expand(self, s, stripdot=True):
        if JOINED not in self.corrections:
            return super().expand(s, stripdot)
        with patch.object(pyspf, "JOINERS", dict.fromkeys("slodiphv", ".")):
            name = super().expand(s, stripdot)
        while stripdot and len(name) > 253 and "." in name:
            name = name.partition(".")[2]
        return name


class Unequal(str):
    """
    A name that is like no other.
    """

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other):
        return False


def dns_of(zones):
    """
    Give what pyspf calls to ask the DNS.
    """

    def look_up(name, qtype, strict=True, timeout=20):
        found = zones.look_up(name, getattr(answer, qtype))
        if isinstance(found, answer.Unknown):
            raise pyspf.TempError(found.reason)
        if isinstance(found, answer.Nothing):
            return []
        return [((name.lower(), qtype), AS_PYSPF.get(qtype, str)(each)) for each in found.values]

    return look_up


AS_PYSPF = {
    "MX": lambda exchange: (exchange.preference, exchange.host),
    "TXT": lambda text: (text,),
}


class DifferentialTests(SynchronousTestCase):
    """
    Both implementations on the same records.
    """

    def theirs(self, case, domain, corrections):
        """
        Give the result of pyspf.
        """
        session = {"i": case.client, "s": f"{case.local}@{domain}", "h": case.helo}
        with patch.object(pyspf, "DNSLookup", dns_of(Guessed(case.zones))):
            return Query(corrections, **session).check()[0]

    def test_same(self):
        """
        On 5,000 records both come to the same, once pyspf is corrected in at most ten points.
        """
        seen = Counter()
        everything = frozenset(CORRECTIONS)

        @seed(7208)
        @settings(
            max_examples=EXAMPLES,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        @given(cases())
        def compare(case):
            for domain in CHECKED:
                sender = Address(case.local, domain)
                peer = Peer(ip_address(case.client), case.helo)
                ours = value_of(check_sender(Guessed(case.zones), peer, sender))
                seen[ours.result] += 1
                if self.theirs(case, domain, frozenset()) == ours.result:
                    continue
                for point in CORRECTIONS:
                    if self.theirs(case, domain, frozenset((point,))) == ours.result:
                        seen[point] += 1
                        break
                else:
                    seen["several points"] += 1
                    self.assertEqual(
                        self.theirs(case, domain, everything), ours.result, (case, ours)
                    )

        compare()
        results = {result: number for result, number in seen.items() if result not in CORRECTIONS}
        results.pop("several points", None)
        self.assertGreaterEqual(sum(results.values()), 3 * EXAMPLES)
        self.assertLessEqual(len(CORRECTIONS), 10)
        for result in ("none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"):
            self.assertGreater(results[result], 100, result)
