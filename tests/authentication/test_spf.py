"""
Tests of L{mailgate.authentication.spf}. The cases of the public suite, and comparisons with another
implementation, stand in files of their own.
"""

from ipaddress import ip_address

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailgate.authentication.lookups import QUERIES
from mailgate.authentication.macro import EXPLANATION_LIMIT
from mailgate.authentication.spf import Identity, Peer, SpfResult, check_helo, check_sender
from mailgate.wire.address import NULL_SENDER
from mailgate.wire.dns.answer import Trouble
from tests.authentication.given import address, value_of
from tests.net.zones import Zones

EXAMPLE = {
    # RFC 7208 appendix A
    "example.com": {
        "A": ["192.0.2.10", "192.0.2.11"],
        "MX": [(10, "mail-a.example.com"), (20, "mail-b.example.com")],
    },
    "amy.example.com": {"A": ["192.0.2.65"]},
    "bob.example.com": {"A": ["192.0.2.66"]},
    "mail-a.example.com": {"A": ["192.0.2.129"]},
    "mail-b.example.com": {"A": ["192.0.2.130"]},
    "example.org": {"MX": [(10, "mail-c.example.org")]},
    "mail-c.example.org": {"A": ["192.0.2.140"]},
    "10.2.0.192.in-addr.arpa": {"PTR": ["example.com"]},
    "65.2.0.192.in-addr.arpa": {"PTR": ["amy.example.com"]},
    "129.2.0.192.in-addr.arpa": {"PTR": ["mail-a.example.com"]},
    "140.2.0.192.in-addr.arpa": {"PTR": ["mail-c.example.org"]},
    "4.0.0.10.in-addr.arpa": {"PTR": ["bob.example.com"]},
}
HOSTS = ("192.0.2.10", "192.0.2.11", "192.0.2.65", "192.0.2.129", "192.0.2.140", "10.0.0.4")


def peer(client="192.0.2.1", helo="mail.example.com", receiver="mx.example.net"):
    """
    Give who sends.
    """
    return Peer(ip_address(client), helo, receiver, lambda: 1_700_000_000.7)


def check(zones, client="192.0.2.1", sender="joe@example.com", **who):
    """
    Check a sender.
    """
    dns = zones if isinstance(zones, Zones) else Zones(zones)
    return value_of(check_sender(dns, peer(client, **who), address(sender)))


def records(top, **others):
    """
    Give a DNS with a record for example.com, and for others below it.
    """
    return {
        "example.com": {"TXT": [top]},
        **{f"{name}.example.com": {"TXT": [text]} for name, text in others.items()},
    }


class ExampleTests(SynchronousTestCase):
    """
    The examples of RFC 7208 appendix A.
    """

    def test_simple(self):
        """
        A.1: just the clients pass that it says.
        """
        for record, *passing in (
            ("v=spf1 +all", *HOSTS),
            ("v=spf1 a -all", "192.0.2.10", "192.0.2.11"),
            ("v=spf1 a:example.org -all",),
            ("v=spf1 mx -all", "192.0.2.129"),
            ("v=spf1 mx:example.org -all", "192.0.2.140"),
            ("v=spf1 mx mx:example.org -all", "192.0.2.129", "192.0.2.140"),
            ("v=spf1 mx/30 mx:example.org/30 -all", "192.0.2.129", "192.0.2.140"),
            ("v=spf1 ptr -all", "192.0.2.10", "192.0.2.65", "192.0.2.129"),
            ("v=spf1 ip4:192.0.2.128/28 -all", "192.0.2.129", "192.0.2.140"),
        ):
            zones = {**EXAMPLE, "example.com": {**EXAMPLE["example.com"], "TXT": [record]}}
            for client in HOSTS:
                wanted = SpfResult.PASS if client in passing else SpfResult.FAIL
                self.assertIs(check(zones, client).result, wanted, (record, client))

    def test_several_domains(self):
        """
        A.2: records that include and redirect.
        """
        zones = {
            "example.org": {"TXT": ["v=spf1 include:example.com include:example.net -all"]},
            "la.example.org": {"TXT": ["v=spf1 redirect=example.org"]},
            "example.com": {"TXT": ["v=spf1 ip4:192.0.2.1 -all"]},
            "example.net": {"TXT": ["v=spf1 ip4:192.0.2.2 -all"]},
        }
        for client, result in (("192.0.2.1", "pass"), ("192.0.2.2", "pass"), ("192.0.2.3", "fail")):
            for domain in ("example.org", "la.example.org"):
                self.assertEqual(check(zones, client, f"a@{domain}").result, result)

    def test_users(self):
        """
        A.3: a domain can have a list of its users.
        """
        zones = {
            "example.com": {"TXT": ["v=spf1 mx include:mobile-users._spf.%{d} -all"]},
            "mobile-users._spf.example.com": {"TXT": ["v=spf1 exists:%{l1r+}.%{d}"]},
            "mary.mobile-users._spf.example.com": {"A": ["127.0.0.2"]},
        }
        for sender, result in (("mary+x@example.com", "pass"), ("joe@example.com", "fail")):
            self.assertEqual(check(zones, sender=sender).result, result)

    def test_requirements(self):
        """
        A.4: a client has to meet two conditions at once.
        """
        zones = {
            "example.com": {"TXT": ["v=spf1 -include:ip4._spf.%{d} -include:ptr._spf.%{d} +all"]},
            "ip4._spf.example.com": {"TXT": ["v=spf1 -ip4:192.0.2.0/24 +all"]},
            "ptr._spf.example.com": {"TXT": ["v=spf1 -ptr:example.com +all"]},
            "1.2.0.192.in-addr.arpa": {"PTR": ["a.example.com"]},
            "1.100.51.198.in-addr.arpa": {"PTR": ["a.example.com"]},
            "a.example.com": {"A": ["192.0.2.1", "198.51.100.1"]},
        }
        for client, result in (
            ("192.0.2.1", "pass"),
            ("192.0.2.2", "fail"),
            ("198.51.100.1", "fail"),
        ):
            self.assertEqual(check(zones, client).result, result, client)


class ResultTests(SynchronousTestCase):
    """
    What is said beside the result.
    """

    def test_matched(self):
        """
        The mechanism is named that has matched, and how it was come to.
        """
        spf = check(
            records(
                "v=spf1 redirect=r.example.com", r="v=spf1 ?include:i.example.com", i="v=spf1 +all"
            )
        )
        self.assertEqual(spf.matched, ("redirect=r.example.com", "?include:i.example.com", "+all"))
        self.assertIs(spf.result, SpfResult.NEUTRAL)
        self.assertEqual(
            spf.reason,
            "192.0.2.1 matches '?include:i.example.com -> +all' of r.example.com",
        )

    def test_reasons(self):
        """
        Why there is no better result stands there in words.
        """
        for zones, result, reason in (
            ({}, "none", "example.com has no SPF record"),
            (
                records("v=spf1 ip4:192.0.2.9"),
                "neutral",
                "nothing in the SPF record of example.com",
            ),
            (
                {"example.com": {"TXT": ["v=spf1", "v=spf1 a"]}},
                "permerror",
                "example.com has 2 SPF",
            ),
            (
                records("v=spf1 foo"),
                "permerror",
                "the SPF record of example.com is wrong: 'foo' is",
            ),
            (
                records("v=spf1 include:b.example.com"),
                "permerror",
                "b.example.com has no SPF record",
            ),
            (
                records("v=spf1 redirect=b.example.com"),
                "permerror",
                "example.com redirects, but b.",
            ),
            (
                {"example.com": {"TXT": Trouble.SERVFAIL}},
                "temperror",
                "TXT of example.com is not kno",
            ),
            (
                records("v=spf1 include:a.example.com", a="v=spf1 a/"),
                "permerror",
                "of a.example.com",
            ),
        ):
            spf = check(zones)
            self.assertEqual(spf.result, result, reason)
            self.assertIn(reason, spf.reason)
            self.assertEqual(spf.matched, ())

    def test_identities(self):
        """
        The sender's domain is checked; for the null sender that of HELO, which can be checked for
        itself too (sections 2.3 and 2.4).
        """
        zones = Zones({"mail.example.com": {"TXT": ["v=spf1 exists:%{l}.%{o}"]}})
        zones.table["postmaster.mail.example.com"] = {"A": ["192.0.2.1"]}
        for spf in (
            value_of(check_sender(zones, peer(), NULL_SENDER)),
            value_of(check_helo(zones, peer())),
        ):
            self.assertEqual(
                (spf.result, spf.identity, spf.domain), ("pass", Identity.HELO, "mail.example.com")
            )
        self.assertIs(check(records("v=spf1 +all")).identity, Identity.MAIL_FROM)

    def test_no_domain(self):
        """
        Where there can be no record none is asked for (section 4.3).
        """
        for helo in (
            "",
            "localhost",
            "[192.0.2.1]",
            "a..b",
            "x" * 64 + ".com",
            "é\ud800.com",
            "a" * 300,
        ):
            zones = Zones({})
            spf = value_of(check_helo(zones, peer(helo=helo)))
            self.assertEqual((spf.result, zones.asked), ("none", []), helo)

    def test_international(self):
        """
        A domain is looked up in A-labels; of a sender in other letters than ASCII no mechanism
        matches that looks at the local part (RFC 8616 section 4).
        """
        zones = {
            "xn--bcher-kva.example": {"TXT": ["v=spf1 exists:%{l}.%{d} exists:x.%{o} -all"]},
            "x.xn--bcher-kva.example": {"A": ["192.0.2.1"]},
            "*.xn--bcher-kva.example": {"A": ["192.0.2.1"]},
        }
        spf = check(zones, sender="jürgen@BÜCHER.example")
        self.assertEqual(spf.domain, "xn--bcher-kva.example")
        self.assertEqual(spf.matched, ("exists:x.%{o}",))

    def test_mapped(self):
        """
        An IPv4 client is one, also where its address is written as one of IPv6.
        """
        self.assertIs(
            check(records("v=spf1 ip4:192.0.2.1"), "::ffff:192.0.2.1").result, SpfResult.PASS
        )

    def test_strange_characters(self):
        """
        What a sender has written stands in a name as it is, whatever it is.
        """
        zones = Zones(
            {
                **records("v=spf1 exists:%{l}._l.%{d} -all"),
                "a\\032\\\\b._l.example.com": {"A": ["127.0.0.2"]},
            }
        )
        self.assertIs(check(zones, sender="a \\b@example.com").result, SpfResult.PASS)
        self.assertIs(check(zones, sender="a\\032b@example.com").result, SpfResult.FAIL)

    def test_strange_exchange(self):
        """
        A name in an answer is asked for as it stands there.
        """
        zones = records("v=spf1 mx -all")
        zones["example.com"]["MX"] = [(1, "a\\032b.example.net"), (2, ".")]
        zones["a\\032b.example.net"] = {"A": ["192.0.2.1"]}
        self.assertIs(check(zones).result, SpfResult.PASS)

    def test_deferred(self):
        """
        Answers that come later are waited for.
        """
        zones = Zones({**EXAMPLE, **records("v=spf1 a:amy.example.com ip4:192.0.2.1 -all")}, True)
        spf = Deferred.fromCoroutine(check_sender(zones, peer(), address("a@example.com")))
        self.assertNoResult(spf)
        zones.go_on()
        self.assertIs(self.successResultOf(spf).result, SpfResult.PASS)

    def test_cancelled(self):
        """
        A check that is cancelled asks no more.
        """
        zones = Zones(records("v=spf1 a mx"), True)
        spf = Deferred.fromCoroutine(check_sender(zones, peer(), address("a@example.com")))
        spf.addErrback(lambda failure: None)
        spf.cancel()
        self.assertEqual(zones.waiting, [])
        self.assertEqual(zones.asked, [("example.com", "TXT")])

    def test_over_time(self):
        """
        Once the resolver gives no more answers since the check's time is over, the check has no
        result either: also where a name without an answer would be passed over (section 4.6.4).
        """
        for record in ("v=spf1 ptr -all", "v=spf1 a:%{p} -all", "v=spf1 exists:a.example.com -all"):
            zones = Zones({**EXAMPLE, **records(record)})
            resolver = zones.for_check("spf", 20.0, 1)
            spf = value_of(check_sender(resolver, peer(), address("joe@example.com")))
            self.assertIs(spf.result, SpfResult.TEMPERROR, record)


class ExplanationTests(SynchronousTestCase):
    """
    What a domain has to say of a failure (section 6.2).
    """

    def explained(self, *texts, record="v=spf1 -all exp=e.example.com"):
        """
        Give the explanation.
        """
        zones = records(record)
        zones["e.example.com"] = {"TXT": list(texts)}
        zones["1.2.0.192.in-addr.arpa"] = {"PTR": ["a.example.com"]}
        zones["a.example.com"] = {"A": ["192.0.2.1"]}
        return check(zones).explanation

    def test_macros(self):
        """
        All macros can stand in it.
        """
        self.assertEqual(
            self.explained("%{s}|%{l}|%{o}|%{d}|%{i}|%{p}|%{v}|%{h}|%{c}|%{r}|%{t}|%{S}"),
            "joe@example.com|joe|example.com|example.com|192.0.2.1|a.example.com|in-addr"
            "|mail.example.com|192.0.2.1|mx.example.net|1700000000|joe%40example.com",
        )

    def test_only_for_failures(self):
        """
        It is asked for only where the result is a failure.
        """
        for record in ("v=spf1 ~all", "v=spf1 ?all", "v=spf1 +all", "v=spf1"):
            self.assertEqual(self.explained("no", record=f"{record} exp=e.example.com"), "")

    def test_a17_explanation(self):
        """
        It is a stranger's text: one with control characters or beyond ASCII is left out, and a long
        one is cut.
        """
        for text in ("a\r\nb", "a\0", b"a\xff", "\x1b[31m", "%{h}\n", "%", "%{x}", ""):
            self.assertEqual(self.explained(text), "", text)
        self.assertEqual(self.explained("x" * 5000), "x" * EXPLANATION_LIMIT)
        self.assertEqual(self.explained("one", "two"), "")

    def test_a17_helo(self):
        """
        Nor does what stands in a macro get control characters into it.
        """
        zones = records("v=spf1 -all exp=e.example.com", e="you are %{h}")
        self.assertEqual(check(zones, helo="a\r\n250 ok").explanation, "")
        self.assertEqual(check(zones, helo="mail.exämple.com").explanation, "")
        self.assertEqual(check(zones, helo="(a) b").explanation, "you are (a) b")


class HostileTests(SynchronousTestCase):
    """
    Records that are to cost much.
    """

    def assertBounded(self, zones, result, **who):
        """
        Make sure of the result, and that not too much is asked for.
        """
        dns = Zones(zones)
        spf = check(dns, **who)
        self.assertIs(spf.result, result, spf)
        self.assertLessEqual(len(dns.asked), QUERIES)
        return dns

    def test_a20_terms(self):
        """
        The eleventh term that asks the DNS is a mistake, however they are nested.
        """
        fine = records("v=spf1" + " a" * 10 + " ip4:192.0.2.1")
        fine["example.com"]["A"] = ["192.0.2.9"]
        self.assertBounded(fine, SpfResult.PASS)
        fine["example.com"]["TXT"] = ["v=spf1" + " a" * 11 + " ip4:192.0.2.1"]
        self.assertBounded(fine, SpfResult.PERMERROR)

    def test_a20_loops(self):
        """
        Records that lead to themselves are given up.
        """
        for record in (
            *("v=spf1 include:example.com", "v=spf1 redirect=example.com"),
            *("v=spf1 include:a.example.com", "v=spf1 redirect=a.example.com"),
            *(
                "v=spf1 include:%{d}" + " include:%{d}" * 20,
                "v=spf1 include:%{d1r}%{d}.example.com",
            ),
        ):
            zones = records(record, a="v=spf1 include:example.com")
            zones["*.example.com"] = {"TXT": [record]}
            dns = self.assertBounded(zones, SpfResult.PERMERROR)
            self.assertLessEqual(len(dns.asked), 11)

    def test_a20_tree(self):
        """
        Records that include many that include many are given up after ten.
        """
        many = "v=spf1 " + " ".join(f"include:{n}.example.com" for n in range(100))
        zones = records(many)
        zones["*.example.com"] = {"TXT": [many]}
        dns = self.assertBounded(zones, SpfResult.PERMERROR)
        self.assertLessEqual(len(dns.asked), 11)

    def test_a20_exchanges(self):
        """
        Ten times ten mail exchanges are not all looked up, and eleven in one place are a mistake.
        """
        zones = {
            "example.com": {
                "TXT": ["v=spf1 " + " ".join(f"mx:d{n}.example.com" for n in range(10))]
            }
        }
        for n in range(10):
            hosts = [f"h{m}.d{n}.example.com" for m in range(10)]
            zones[f"d{n}.example.com"] = {"MX": [(0, host) for host in hosts]}
            zones.update({host: {"A": [f"198.51.100.{k}" for k in range(100)]} for host in hosts})
        dns = self.assertBounded(zones, SpfResult.PERMERROR)
        self.assertEqual(len(dns.asked), QUERIES)
        zones["d0.example.com"]["MX"].append((0, "h.example.com"))
        dns = self.assertBounded(zones, SpfResult.PERMERROR)
        self.assertEqual(len(dns.asked), 2)

    def test_a20_pointers(self):
        """
        Of a client's names ten are looked at, and its other names cannot make a record wrong.
        """
        names = [f"h{n}.example.com" for n in range(100)]
        zones = records("v=spf1 ptr -all")
        zones["1.2.0.192.in-addr.arpa"] = {"PTR": names}
        dns = self.assertBounded(zones, SpfResult.FAIL)
        self.assertEqual(len(dns.asked), 12)
        zones["example.com"]["TXT"] = ["v=spf1 " + "ptr " * 10 + "-all"]
        self.assertBounded(zones, SpfResult.PERMERROR)

    def test_a20_voids(self):
        """
        The third look-up that finds nothing is a mistake.
        """
        for record, result in (
            ("v=spf1 a:a.example.net a:b.example.net -all", SpfResult.FAIL),
            (
                "v=spf1 a:a.example.net mx:b.example.net exists:c.example.net -all",
                SpfResult.PERMERROR,
            ),
            ("v=spf1 ptr a:a.example.net a:b.example.net -all", SpfResult.PERMERROR),
            ("v=spf1 a a a -all", SpfResult.PERMERROR),
        ):
            self.assertBounded(records(record), result)

    def test_a20_void_exchanges(self):
        """
        Mail exchanges that are not there count as such too.
        """
        zones = records("v=spf1 mx -all")
        zones["example.com"]["MX"] = [(n, f"h{n}.example.net") for n in range(9)]
        dns = self.assertBounded(zones, SpfResult.PERMERROR)
        self.assertEqual(len(dns.asked), 5)

    def test_a20_names(self):
        """
        A name that cannot be one is not asked for, and matches nothing.
        """
        record = "v=spf1 a:%{l}.example.com exists:%{h}.example.com mx:a..example.com -all"
        zones = records(record)
        dns = self.assertBounded(
            zones, SpfResult.FAIL, sender="x" * 64 + "@example.com", helo="a..b"
        )
        self.assertEqual(len(dns.asked), 1)

    def test_a20_macro_bomb(self):
        """
        Names of macros that stand for much are cut before they are asked for.
        """
        bomb = "%{l}." * 1500 + "example.com"
        zones = records(f"v=spf1 exists:{bomb} exists:%{{S}}.{bomb} -all")
        dns = self.assertBounded(zones, SpfResult.FAIL, sender="a.b-c+d" * 9 + "@example.com")
        self.assertTrue(all(len(name) <= 253 for name, _ in dns.asked))

    @settings(max_examples=200)
    @given(
        st.lists(
            st.one_of(
                st.binary(max_size=60),
                st.lists(
                    st.sampled_from(
                        (
                            *(
                                b"v=spf1",
                                b"a",
                                b"mx",
                                b"include:",
                                b"redirect=",
                                b"exists:",
                                b"ptr",
                            ),
                            *(
                                b"%{l}",
                                b"%{p}",
                                b"%{d}",
                                b".example.com",
                                b"example.com",
                                b"/0",
                                b" ",
                            ),
                            *(b"-all", b"exp=", b"\xff", b"ip4:", b"192.0.2.1", b"a.example.com"),
                        )
                    ),
                    max_size=30,
                ).map(lambda words: b"v=spf1 " + b"".join(words)),
            ),
            max_size=3,
        ),
        st.text(max_size=30),
        st.text(max_size=80),
    )
    def test_anything(self, texts, local, helo):
        """
        Whatever a domain publishes and a client says, there is a result after a bounded number of
        look-ups.
        """
        everything = {
            "TXT": texts,
            "A": ["198.51.100.1"],
            "MX": [(1, "a.example.com"), (2, "b.example.com")],
        }
        dns = Zones(
            {
                "example.com": everything,
                "*.example.com": everything,
                "*.arpa": {"PTR": ["a.example.com"]},
            }
        )
        for sender in (f"{local}@example.com", f"{local}@{helo}", ""):
            spf = check(dns, sender=sender, helo=helo)
            self.assertIsInstance(spf.result, SpfResult)
            self.assertTrue(spf.reason.isascii() and spf.reason.isprintable(), spf)
            self.assertTrue(not spf.explanation or spf.explanation.isascii())
            self.assertLessEqual(len(dns.asked), QUERIES)
            dns.asked.clear()
