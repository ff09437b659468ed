"""
Tests of judging messages by the allow and block lists.
"""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.headers import HeadersCheck
from mailgate.checks.lists import ListsCheck
from mailgate.message.envelope import Envelope
from mailgate.message.message import MemoryMessage
from mailgate.pipeline.engine import Pipeline
from mailgate.pipeline.extractors import FieldsExtractor
from mailgate.pipeline.plan import make_plan
from mailgate.policy.verdict import Policy
from mailgate.verdict import Action, Kind
from mailgate.wire.address import Address
from tests.authentication.signing import published, rsa_key, signed
from tests.checks.authentic import authenticated
from tests.checks.given import NOW, entry, known, session, settings, view_of_message
from tests.net.zones import Zones

ADA = Address("ada", "example.com")
BOB = Address("bob", "example.com")
POSTMASTER = Address("postmaster", "example.com")
MESSAGE = (
    b"From: Eve <eve@shop.example.org>\r\n"
    b"List-Id: Developers <dev.lists.example>\r\n"
    b"Date: Fri, 15 Jan 2027 08:00:00 +0000\r\n"
    b"Message-ID: <1@shop.example.org>\r\n"
    b"\r\n"
    b"Hi\r\n"
)


BELIEVED = {"exempt_networks": ["192.0.2.0/24"]}
"""Settings of SPF with which the client is one of ours."""


class ListsCheckTests(SynchronousTestCase):
    """
    Tests of L{ListsCheck}.
    """

    def check(self, *entries, data=MESSAGE, **options):
        """
        Judge a message to Ada, who believes whoever it claims to be from.
        """
        given = settings(lists=options, spf=BELIEVED)
        check = ListsCheck.from_settings(given, known(*entries).lists)
        return check.check(view_of_message(data))

    def symbol(self, *entries, data=MESSAGE):
        """
        Name what is found, or give C{None}.
        """
        findings = self.check(*entries, data=data)
        return findings[0].symbol if findings else None

    def test_nothing(self):
        """
        Where no entry fits nothing is found, and where there is none nothing is even read.
        """
        self.assertEqual(self.check(entry("block", "xyz")), ())
        unread = ListsCheck.from_settings(settings(), known().lists)
        self.assertEqual(unread.check(None), ())

    def test_symbols(self):
        """
        What is blocked counts 10 and what is allowed -6, each with a symbol for what it fits.
        """
        for value, what in (
            ("eve@shop.example.org", "SENDER"),
            (".example.org", "SENDER"),
            ("sender@example.org", "SENDER"),
            ("<dev.lists.example>", "LIST"),
            ("192.0.2.0/24", "CLIENT"),
        ):
            for list, word, score in (("block", "BLOCKED", 10), ("allow", "ALLOWED", -6)):
                (finding,) = self.check(entry(list, value))
                self.assertEqual((finding.symbol, finding.score), (f"{word}_{what}", score))
                self.assertEqual(finding.public, "")

    def test_scores(self):
        """
        The scores are those of the configuration.
        """
        options = {"block_score": 4.0, "allow_score": -1.0}
        for list, score in (("block", 4), ("allow", -1)):
            (finding,) = self.check(entry(list, "192.0.2.7"), **options)
            self.assertEqual(finding.score, score)

    def test_at_most(self):
        """
        No configuration makes what is allowed count more than 100, or against a message.
        """
        self.assertRaises(ValueError, settings, lists={"allow_score": -100.1})
        self.assertRaises(ValueError, settings, lists={"allow_score": 0.1})
        self.assertRaises(ValueError, settings, lists={"block_score": -0.1})

    def test_details(self):
        """
        The finding tells what fits, for whom, the entry and its note, and what gave way.
        """
        blocking = evolve(entry("block", ".example.org", note="never asked for it"), id=7)
        allowing = evolve(entry("allow", "<dev.lists.example>", scope="ada@example.com"), id=8)
        (finding,) = self.check(blocking)
        self.assertEqual(
            finding.detail,
            "The From address “eve@shop.example.org” is blocked for everybody by entry 7,"
            " “.example.org”, with the note “never asked for it”.",
        )
        (finding,) = self.check(blocking, allowing)
        self.assertEqual(
            finding.detail,
            "The mailing list “dev.lists.example” is allowed for ada@example.com"
            " by entry 8, “dev.lists.example”. This goes before entry 7, which blocks"
            " “.example.org”.",
        )

    def judged(self, *entries, dns=(), data=MESSAGE, sender="mallory@example.net"):
        """
        Judge a message of a stranger; give symbol and score of what is found.
        """
        local, _, domain = sender.partition("@")
        view = authenticated(data, Zones(dns), sender=Address(local, domain))
        check = ListsCheck.from_settings(settings(), known(*entries).lists)
        return [(each.symbol, each.score) for each in check.check(view)]

    def test_a34_unverified(self):
        """
        What anybody can write is not believed of a stranger and counts nothing; the address of the
        client is not that, and to block it takes no proof.
        """
        for value, found in (
            ("eve@shop.example.org", ("ALLOWED_UNVERIFIED", 0)),
            (".example.org", ("ALLOWED_UNVERIFIED", 0)),
            ("<dev.lists.example>", ("ALLOWED_UNVERIFIED", 0)),
            ("192.0.2.7", ("ALLOWED_CLIENT", -6)),
        ):
            self.assertEqual(self.judged(entry("allow", value)), [found])
            ((symbol, score),) = self.judged(entry("block", value))
            self.assertEqual((symbol[:7], score), ("BLOCKED", 10))

    def test_a34_no_way_around_a_block(self):
        """
        An entry that is not verified gives way to one that blocks, however narrow it is.
        """
        entries = entry("allow", "eve@shop.example.org"), entry("block", "192.0.2.0/24")
        self.assertEqual(self.judged(*entries), [("BLOCKED_CLIENT", 10)])

    def test_verified_by_spf(self):
        """
        SPF of the domain in From, or of the envelope sender that the entry names, verifies it; that
        of another domain, of one below it, or of one that lets everybody send does not.
        """
        allow = entry("allow", "eve@shop.example.org")
        right, all = "v=spf1 ip4:192.0.2.7 -all", "v=spf1 +all"
        counts, not_ = [("ALLOWED_SENDER", -6)], [("ALLOWED_UNVERIFIED", 0)]
        for sender, record, found in (
            ("eve@shop.example.org", right, counts),
            ("bounce@shop.example.org", right, counts),
            ("bounce@example.org", right, counts),
            ("bounce@x.shop.example.org", right, not_),
            ("mallory@example.net", right, not_),
            ("eve@shop.example.org", all, not_),
        ):
            dns = {sender.partition("@")[2]: {"TXT": [record]}}
            self.assertEqual(self.judged(allow, dns=dns, sender=sender), found, (sender, record))
        dns = {"example.net": {"TXT": [right]}}
        self.assertEqual(self.judged(entry("allow", "example.net"), dns=dns), counts)

    def test_verified_by_dkim(self):
        """
        A right signature of the domain in From verifies it; a broken one does not.
        """
        allow, dns = (
            entry("allow", "ada@example.com"),
            {"s1._domainkey.example.com": {"TXT": [published(rsa_key())]}},
        )
        self.assertEqual(self.judged(allow, dns=dns, data=signed()), [("ALLOWED_SENDER", -6)])
        broken = signed() + b"more\r\n"
        self.assertEqual(self.judged(allow, dns=dns, data=broken), [("ALLOWED_UNVERIFIED", 0)])

    def test_verified_by_dmarc(self):
        """
        What passes DMARC by another domain of the same organization is verified.
        """
        dns = {
            "_dmarc.example.org": {"TXT": ["v=DMARC1; p=none; rua=mailto:a@example.org"]},
            "mail.example.org": {"TXT": ["v=spf1 ip4:192.0.2.7 -all"]},
        }
        allow = entry("allow", "eve@shop.example.org")
        self.assertEqual(
            self.judged(allow, dns=dns, sender="x@mail.example.org"), [("ALLOWED_SENDER", -6)]
        )

    def test_list_id(self):
        """
        A List-Id is what stands in the last angle brackets, or all of it without them.
        """
        for value in (
            b"<dev.lists.example>",
            b"Developers <DEV.Lists.Example>",
            b'"a <b.c>" <dev.lists.example> (comment)',
            b" dev.lists.example ",
        ):
            data = b"List-Id: " + value + b"\r\n\r\n"
            block = entry("block", "<dev.lists.example>")
            self.assertEqual(self.symbol(block, data=data), "BLOCKED_LIST", value)

    def test_several(self):
        """
        Of several From fields each is blocked and none allowed.
        """
        data = b"From: eve@shop.example.org\r\nFrom: mallory@example.net\r\n\r\n"
        for value in ("eve@shop.example.org", "mallory@example.net"):
            self.assertEqual(self.symbol(entry("block", value), data=data), "BLOCKED_SENDER")
            self.assertIsNone(self.symbol(entry("allow", value), data=data))

    def test_scope(self):
        """
        An entry for somebody else does not count.
        """
        self.assertIsNone(self.symbol(entry("block", ".org", scope="bob@example.com")))
        self.assertIsNotNone(self.symbol(entry("block", ".org", scope="ada@example.com")))

    def test_ended(self):
        """
        An entry counts until its end by the time of the message.
        """
        self.assertIsNone(self.symbol(entry("block", ".org", expires=NOW)))
        self.assertIsNotNone(self.symbol(entry("block", ".org", expires=NOW + 1)))

    @given(st.binary(max_size=60), st.binary(max_size=60))
    def test_whatever_comes(self, author, list_id):
        """
        No header makes it fail, and what it says of one can be shown.
        """
        data = b"From: <" + author + b"@a.example>\r\nList-Id: " + list_id + b"\r\n\r\n"
        for finding in self.check(entry("block", "a.example"), data=data):
            self.assertTrue(finding.detail.isprintable())
            self.assertLess(len(finding.detail), 1200)


class OutcomeTests(SynchronousTestCase):
    """
    Tests of what follows for the recipients.
    """

    def judge(self, *entries, recipients=(ADA, BOB), data=MESSAGE, headers=None, **options):
        """
        Judge a message by its headers and the lists; give the verdict for each recipient.
        """
        given = settings(lists=options, headers=headers or {}, spf=BELIEVED)
        checks = [
            HeadersCheck.from_settings(given),
            ListsCheck.from_settings(given, known(*entries).lists),
        ]
        plan = make_plan(checks, [FieldsExtractor()], ("spf", "dkim", "dmarc"))
        pipeline = Pipeline(plan, Policy.from_settings(given), Clock(), lambda: NOW, 30)
        here = session()
        of_session = pipeline.open(here)
        of_session.connected()
        of_session.greeted(here)
        envelope = Envelope(here, "7q4m-x2vd-90kt", Address("bounce", "example.net"), NOW)
        judge = of_session.begin(envelope)
        judge.mail()
        for recipient in recipients:
            self.assertIsNone(judge.rcpt(recipient).reply)
        verdicts = judge.message(MemoryMessage((data,)))
        return {each: verdict for verdict in verdicts for each in verdict.recipients}

    def test_blocked(self):
        """
        What a person blocks is held for them as spam, and nobody else.
        """
        verdicts = self.judge(entry("block", "shop.example.org", scope="ada@example.com"))
        self.assertEqual((verdicts[ADA].action, verdicts[ADA].kind), (Action.QUARANTINE, Kind.SPAM))
        self.assertEqual(verdicts[BOB].action, Action.ACCEPT)

    def test_enforced(self):
        """
        With C{mode = "enforce"} it is refused, without a word of the list; for postmaster it is
        held.
        """
        verdicts = self.judge(
            entry("block", "shop.example.org"), recipients=(ADA, POSTMASTER), mode="enforce"
        )
        self.assertEqual(
            str(verdicts[ADA].reply), "550 5.7.1 message refused by policy here (7q4m-x2vd-90kt)"
        )
        self.assertEqual(verdicts[POSTMASTER].action, Action.QUARANTINE)

    def test_narrower_allows(self):
        """
        A person gets what is blocked for everybody, also where the block is enforced and is for
        the client.
        """
        verdicts = self.judge(
            entry("block", "192.0.2.0/24"),
            entry("allow", "shop.example.org", scope="ada@example.com"),
            mode="enforce",
        )
        self.assertEqual(verdicts[ADA].action, Action.ACCEPT)
        self.assertEqual(verdicts[ADA].total, -6)
        self.assertEqual(verdicts[BOB].action, Action.REJECT)

    def test_no_free_pass(self):
        """
        What is allowed and yet far beyond the thresholds is not let through.
        """
        verdicts = self.judge(
            entry("allow", "shop.example.org"),
            data=b"From: eve@shop.example.org\r\nMessage-ID: <1@x>\r\n\r\n",
            headers={"missing_date_score": 14.0, "cap_score": 100.0},
        )
        self.assertEqual((verdicts[ADA].action, verdicts[ADA].total), (Action.QUARANTINE, 8))

    def test_observed(self):
        """
        Where the check is only observed nothing follows.
        """
        verdicts = self.judge(entry("block", "shop.example.org"), mode="observe")
        self.assertEqual((verdicts[ADA].action, verdicts[ADA].total), (Action.ACCEPT, 0))
