"""
Tests of L{mailgate.authentication.dmarc}: the text and the appendices of RFC 9989.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailgate.authentication.author import Author
from mailgate.authentication.dmarc import (
    IDENTIFIERS,
    QUERIES,
    DmarcResult,
    Identifier,
    TreeWalk,
    evaluate,
    steps,
)
from mailgate.authentication.dmarc_record import Policy
from mailgate.authentication.spf import Identity, Spf, SpfResult
from mailgate.authentication.suffixes import by_list
from mailgate.wire.dns.answer import Trouble
from tests.authentication.dmarc_cases import (
    ALIGNMENTS,
    NO_POLICIES,
    POLICIES,
    WALKS,
    cases,
    identifier,
)
from tests.authentication.given import value_of
from tests.net.zones import Zones

REJECT = "v=DMARC1; p=reject"
PSD = "v=DMARC1; p=reject; psd=y"
OWN = "v=DMARC1; p=reject; psd=n"


def zones(records, *existing):
    """
    Give a DNS with policy records, and other names that exist.
    """
    table = {name: {"A": ["192.0.2.1"]} for name in existing}
    for domain, texts in records.items():
        if isinstance(texts, Trouble):
            table[f"_dmarc.{domain}"] = texts
        else:
            table[f"_dmarc.{domain}"] = {"TXT": [texts] if isinstance(texts, str) else texts}
    return Zones(table)


def spf(domain, **state):
    """
    Give what SPF says of a domain: that it passes, if nothing else is said.
    """
    return Identifier("spf", domain, **(state or {"has_passed": True}))


def dkim(domain, **state):
    """
    Give what DKIM says of a domain: that it passes, if nothing else is said.
    """
    return Identifier("dkim", domain, **(state or {"has_passed": True}))


def judge(dns, domain, *identifiers, organization=None):
    """
    Give what DMARC says of a message.
    """
    return value_of(evaluate(dns, Author(domain), identifiers, organization))


class StepsTests(SynchronousTestCase):
    """
    Which names a walk asks for (section 4.10).
    """

    def assertSteps(self, domain, *names):
        """
        Make sure that a walk over nothing asks for just these names.
        """
        dns = zones({})
        judge(dns, domain)
        self.assertEqual(dns.asked, [(f"_dmarc.{name}", "TXT") for name in names])
        self.assertEqual(tuple(steps(domain)), names)

    def test_long(self):
        """
        4.10: the example with thirteen labels takes eight questions.
        """
        self.assertSteps(
            "a.b.c.d.e.f.g.h.i.j.mail.example.com",
            "a.b.c.d.e.f.g.h.i.j.mail.example.com",
            "g.h.i.j.mail.example.com",
            "h.i.j.mail.example.com",
            "i.j.mail.example.com",
            "j.mail.example.com",
            "mail.example.com",
            "example.com",
            "com",
        )

    def test_deep_organization(self):
        """
        5.1.8: names deeper than the shortcut are never asked for.
        """
        self.assertSteps(
            "mail.a.b.c.d.e.f.g.example.com",
            "mail.a.b.c.d.e.f.g.example.com",
            "c.d.e.f.g.example.com",
            "d.e.f.g.example.com",
            "e.f.g.example.com",
            "f.g.example.com",
            "g.example.com",
            "example.com",
            "com",
        )

    def test_seven_labels(self):
        """
        4.10 step 4: with fewer than eight labels one is taken off at a time.
        """
        self.assertSteps(
            *("a.b.c.d.e.example.com", "a.b.c.d.e.example.com", "b.c.d.e.example.com"),
            *("c.d.e.example.com", "d.e.example.com", "e.example.com", "example.com", "com"),
        )

    def test_eight_labels(self):
        """
        4.10 step 4: with eight labels seven are left, as many as without the shortcut.
        """
        self.assertSteps(
            *("a.b.c.d.e.f.example.com", "a.b.c.d.e.f.example.com", "b.c.d.e.f.example.com"),
            *("c.d.e.f.example.com", "d.e.f.example.com", "e.f.example.com", "f.example.com"),
            *("example.com", "com"),
        )

    def test_nine_labels(self):
        """
        4.10 step 4: with nine labels two are taken off at once.
        """
        self.assertSteps(
            *("a.b.c.d.e.f.g.example.com", "a.b.c.d.e.f.g.example.com", "c.d.e.f.g.example.com"),
            *("d.e.f.g.example.com", "e.f.g.example.com", "f.g.example.com", "g.example.com"),
            *("example.com", "com"),
        )

    def test_example(self):
        """
        4.10 step 3: the example with four labels.
        """
        self.assertSteps(
            *("a.mail.example.com", "a.mail.example.com", "mail.example.com"),
            *("example.com", "com"),
        )

    def test_one_label(self):
        """
        4.10: a name of one label is asked for, and nothing else.
        """
        self.assertSteps("example", "example")

    @given(st.lists(st.sampled_from("abc"), min_size=1, max_size=120).map(".".join))
    def test_bounded(self, domain):
        """
        4.10: a walk never takes more than eight questions, each for a shorter name.
        """
        names = list(steps(domain))
        self.assertLessEqual(len(names), 8)
        self.assertEqual(names, sorted(names, key=len, reverse=True))
        self.assertEqual(len(set(names)), len(names))
        for name in names:
            self.assertTrue(domain == name or domain.endswith(f".{name}"))


class WalkTests(SynchronousTestCase):
    """
    What is the organizational domain (sections 4.10 and 4.10.2).
    """

    def test_organization(self):
        """
        A walk finds it by the records that are there.
        """
        for section, records, domain, organization in cases(WALKS):
            found = value_of(TreeWalk(zones(records)).discover(domain))
            self.assertEqual(found.organization, organization, (section, domain))

    def test_stops(self):
        """
        4.10 step 6: a walk stops at C{psd=y} and C{psd=n}, and goes on at all others.
        """
        for record, last in ((OWN, "example.com"), (PSD, "example.com"), (REJECT, "com")):
            dns = zones({"example.com": record, "com": PSD})
            value_of(TreeWalk(dns).discover("a.example.com"))
            self.assertEqual(dns.asked[-1], (f"_dmarc.{last}", "TXT"))

    def test_stops_at_start(self):
        """
        4.10 step 2: so does one that begins there.
        """
        for record in (OWN, PSD):
            dns = zones({"a.example.com": record})
            value_of(TreeWalk(dns).discover("a.example.com"))
            self.assertEqual(dns.asked, [("_dmarc.a.example.com", "TXT")])


class PolicyTests(SynchronousTestCase):
    """
    Which record applies, and what it asks for (sections 4.7 and 4.10.1).
    """

    def test_policy(self):
        """
        What fails is to be treated as the record says that is found first.
        """
        for section, records, domain, existing, policy, where in cases(POLICIES):
            names = () if existing == "-" else existing.split(", ")
            found = judge(zones(records, *names), domain)
            self.assertEqual(
                (found.result, found.policy, found.policy_domain),
                (DmarcResult.FAIL, Policy(policy), where),
                (section, records),
            )
            self.assertTrue(found.is_failed)

    def test_no_policy(self):
        """
        Without a record that can be used DMARC says nothing, whatever passes.
        """
        for section, records, domain in cases(NO_POLICIES):
            found = judge(zones(records), domain, spf(domain))
            self.assertIs(found.result, DmarcResult.NONE, (section, records))
            self.assertFalse(found.is_failed)

    def test_existence_is_asked_where_it_matters(self):
        """
        4.7: whether the author's domain exists is asked only where C{np} says something of its own.
        """
        for record, is_asked in (
            ("v=DMARC1; p=none; np=reject", True),
            ("v=DMARC1; p=reject; np=reject", False),
            ("v=DMARC1; p=none; sp=reject; np=reject", False),
            ("v=DMARC1; p=none; sp=reject", False),
        ):
            dns = zones({"example.com": record})
            judge(dns, "a.example.com")
            self.assertEqual(("a.example.com", "A") in dns.asked, is_asked, record)

    def test_unknown_existence(self):
        """
        Where nobody knows whether the author's domain exists, it is not treated as one that does
        not.
        """
        dns = zones({"example.com": "v=DMARC1; p=none; np=reject"})
        dns.table["a.example.com"] = Trouble.SERVFAIL
        self.assertIs(judge(dns, "a.example.com").policy, Policy.NONE)


class AlignmentTests(SynchronousTestCase):
    """
    Whether what has passed is aligned (sections 4.4 and 4.10.2).
    """

    def test_aligned(self):
        """
        Only what is aligned makes a message pass.
        """
        for section, records, domain, who, wanted in cases(ALIGNMENTS):
            found = judge(zones(records), domain, identifier(who))
            result = DmarcResult.PASS if wanted == "aligned" else DmarcResult.FAIL
            self.assertIs(found.result, result, (section, records, who, found))
            self.assertEqual(bool(found.aligned), wanted == "aligned")

    def test_any(self):
        """
        4.4.1: one aligned pass among any number of others is enough.
        """
        found = judge(
            zones({"example.com": REJECT}),
            "example.com",
            spf("example.net"),
            dkim("example.org"),
            dkim("example.com", has_passed=False),
            dkim("mail.example.com"),
        )
        self.assertEqual((found.result, found.aligned), ("pass", (dkim("mail.example.com"),)))

    def test_international(self):
        """
        5.3.1: an identifier in U-labels is the same as in A-labels.
        """
        dns = zones({"xn--bcher-kva.example": REJECT})
        for written in ("bücher.example", "BÜCHER.example", "xn--bcher-kva.example"):
            found = judge(dns, "xn--bcher-kva.example", dkim(written))
            self.assertIs(found.result, DmarcResult.PASS, written)

    def test_null_sender(self):
        """
        3.2.4: for a null sender what SPF says of HELO counts as what it says of the sender.
        """
        said = Spf(SpfResult.PASS, Identity.HELO, "mail.example.com", "")
        found = judge(zones({"example.com": REJECT}), "example.com", Identifier.of_spf(said))
        self.assertIs(found.result, DmarcResult.PASS)

    def test_only_pass_counts(self):
        """
        4.4.2: no other result of SPF than a pass authenticates a domain.
        """
        for result in SpfResult:
            said = Spf(result, Identity.MAIL_FROM, "example.com", "")
            found = judge(zones({"example.com": REJECT}), "example.com", Identifier.of_spf(said))
            wanted = {"pass": "pass", "temperror": "temperror"}.get(result, "fail")
            self.assertEqual(found.result, wanted, result)

    def test_cheap(self):
        """
        What cannot be aligned costs no look-up, nor does what is the author's domain itself.
        """
        for said in (spf("example.com"), dkim("example.org"), dkim("x.example.net")):
            dns = zones({"example.com": REJECT})
            judge(dns, "example.com", said)
            self.assertEqual(dns.asked, [("_dmarc.example.com", "TXT")], said)


class TroubleTests(SynchronousTestCase):
    """
    What cannot be found out for now (section 5.3.6).
    """

    def test_record(self):
        """
        5.3.6: without the author's record there is neither a pass nor a failure.
        """
        for name in ("a.example.com", "example.com", "com"):
            found = judge(zones({name: Trouble.TIMEOUT}), "a.example.com", spf("a.example.com"))
            self.assertIs(found.result, DmarcResult.TEMPERROR, name)
            self.assertFalse(found.is_failed)
            self.assertIn(f"_dmarc.{name}", found.reason)

    def test_walk_of_identifier(self):
        """
        5.3.6: without the organizational domain of an identifier it is not known either, but for
        another that is aligned.
        """
        dns = zones({"example.com": REJECT, "a.example.com": Trouble.SERVFAIL})
        found = judge(dns, "example.com", dkim("a.example.com"))
        self.assertIs(found.result, DmarcResult.TEMPERROR)
        self.assertIs(found.policy, Policy.REJECT)
        found = judge(dns, "example.com", dkim("a.example.com"), spf("example.com"))
        self.assertIs(found.result, DmarcResult.PASS)

    def test_identifier(self):
        """
        5.3.6: nor is it where SPF or DKIM has no answer for a domain that is aligned; one that is
        not aligned changes nothing.
        """
        dns = zones({"example.com": REJECT})
        unknown = {"has_passed": False, "is_unknown": True}
        for domain, result in (("mail.example.com", "temperror"), ("example.net", "fail")):
            found = judge(dns, "example.com", dkim(domain, **unknown))
            self.assertEqual(found.result, result, domain)

    def test_deferred(self):
        """
        Answers that come later are waited for.
        """
        dns = zones({"example.com": REJECT}, "a.example.com")
        dns.is_later = True
        author, said = Author("a.example.com"), [dkim("b.example.com")]
        found = Deferred.fromCoroutine(evaluate(dns, author, said))
        self.assertNoResult(found)
        dns.go_on()
        self.assertIs(self.successResultOf(found).result, DmarcResult.PASS)

    def test_no_author(self):
        """
        11.5: a message whose From names no domain does not pass, and nobody vouches for it.
        """
        found = judge(zones({}), "", spf("example.com"))
        self.assertEqual((found.result, found.is_failed), (DmarcResult.PERMERROR, True))

    def test_bounded(self):
        """
        However many identifiers there are, and however long, look-ups are bounded, and those that
        pass are not pushed out.
        """
        records = {"example.com": REJECT, "x.example.com": OWN}
        deep = ".".join("abcdefgh")
        many = [
            dkim(f"{deep}{n}.example.com", has_passed=False, is_unknown=True) for n in range(99)
        ]
        dns = zones(records)
        found = judge(dns, "author.example.com", *many, dkim("b.example.com"))
        self.assertIs(found.result, DmarcResult.PASS)
        self.assertLessEqual(len(dns.asked), QUERIES)
        dns = zones(records)
        judge(dns, "author.example.com", *(dkim(each.domain) for each in many))
        self.assertLessEqual(len(dns.asked), 8 * (IDENTIFIERS + 1))


class SuffixListTests(SynchronousTestCase):
    """
    The older way, by a list of public suffixes (RFC 7489).
    """

    organization = staticmethod(by_list())

    def judge(self, records, domain, *identifiers):
        """
        Give what DMARC says by the list.
        """
        return judge(zones(records), domain, *identifiers, organization=self.organization)

    def test_record(self):
        """
        RFC 7489 6.6.3: the author's own record, else that of the organizational domain; none
        between or above them is looked at.
        """
        for records, domain, result, policy in (
            ({"a.example.co.uk": "v=DMARC1; p=none"}, "a.example.co.uk", "fail", "none"),
            (
                {"example.co.uk": REJECT + "; sp=quarantine"},
                "a.example.co.uk",
                "fail",
                "quarantine",
            ),
            ({"example.co.uk": REJECT}, "a.b.c.example.co.uk", "fail", "reject"),
            ({"b.example.co.uk": REJECT}, "a.b.example.co.uk", "none", "none"),
            ({"co.uk": PSD}, "example.co.uk", "none", "none"),
            ({"co.uk": REJECT}, "co.uk", "fail", "reject"),
        ):
            found = self.judge(records, domain)
            self.assertEqual((found.result, found.policy), (result, policy), records)

    def test_aligned(self):
        """
        RFC 7489 3.1: domains with the same organizational domain are aligned, those beside each
        other below a public suffix are not, whatever records they have.
        """
        for domain, other, is_aligned in (
            ("a.example.co.uk", "b.example.co.uk", True),
            ("example.co.uk", "evil.co.uk", False),
            ("victim.github.io", "evil.github.io", False),
            ("example.com", "evil.com", False),
        ):
            found = self.judge(
                {domain: REJECT, "co.uk": REJECT, "com": REJECT}, domain, dkim(other)
            )
            self.assertEqual(found.result, "pass" if is_aligned else "fail", domain)

    def test_ready(self):
        """
        A list that is read twice is the same, also for names in A-labels.
        """
        self.assertEqual(by_list()("a.xn--55qx5d.cn"), "a.xn--55qx5d.cn")
        self.assertIsNone(by_list()("xn--55qx5d.cn"))


class CountTests(SynchronousTestCase):
    """
    How much of the RFC is covered.
    """

    def test_cases(self):
        """
        There are 25 cases of the tree walk and 60 in all; each names its section.
        """
        tables = [list(cases(table)) for table in (WALKS, POLICIES, NO_POLICIES, ALIGNMENTS)]
        self.assertGreaterEqual(len(tables[0]), 25)
        self.assertGreaterEqual(sum(map(len, tables)), 60)
        for table in tables:
            for section, *_ in table:
                self.assertRegex(section, r"^(3|4|5|11|B)\.[0-9]")
