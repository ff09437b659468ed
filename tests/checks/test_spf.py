"""
Tests of judging senders by SPF.
"""

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailgate.authentication.spf import SpfResult
from mailgate.checks.spf import SpfCheck
from mailgate.finding import Result
from mailgate.interfaces import Phase
from mailgate.message.envelope import Envelope
from mailgate.pipeline.view import View
from mailgate.policy.verdict import Policy
from mailgate.verdict import Action
from mailgate.wire.address import Address
from mailgate.wire.dns.answer import Trouble
from tests.checks.given import NOW, session, settings
from tests.net.zones import Zones

SENDER = Address("eve", "example.org")


def view_of_mail(sender=SENDER, **options):
    """
    Give what a check sees at MAIL; options are those of the session.
    """
    role = options.pop("role", "mx")
    envelope = Envelope(evolve(session(**options), role=role), "7q4m-x2vd-90kt", sender, NOW)
    return View(envelope.session, NOW, ({}, {}), {}, envelope)


class SpfCheckTests(SynchronousTestCase):
    """
    Tests of L{SpfCheck}.
    """

    def check(self, record=None, view=None, zones=None, **options):
        """
        Judge a sender whose domain has this record.
        """
        table = {} if record is None else {"example.org": {"TXT": [record]}}
        self.zones = Zones(zones or table)
        check = SpfCheck.from_settings(settings(spf=options), self.zones)
        return check.check(view or view_of_mail())

    def test_results(self):
        """
        Each result has its symbol and its score, and is there as a value too.
        """
        for record, symbol, score in (
            ("v=spf1 ip4:192.0.2.7 -all", "SPF_PASS", 0),
            ("v=spf1 ?all", "SPF_NEUTRAL", 0),
            ("v=spf1 ~all", "SPF_SOFTFAIL", 1.5),
            ("v=spf1 -all", "SPF_FAIL", 5),
            ("v=spf1 nonsense", "SPF_PERMERROR", 1),
            ("v=spf1 +all", "SPF_ALLOWS_ALL", 1.5),
            ("v=spf1 all", "SPF_ALLOWS_ALL", 1.5),
            (None, "SPF_NONE", 0),
        ):
            (finding,) = self.check(record)
            self.assertEqual((finding.symbol, finding.score), (symbol, score))
            self.assertIn("example.org", finding.detail)
            self.assertEqual(finding.fact.domain, "example.org")
            self.assertIn('smtp.mailfrom="eve@example.org"', finding.authentication)

    def test_included(self):
        """
        That everybody passes is told also where the record says so by including another.
        """
        zones = {
            "example.org": {"TXT": ["v=spf1 include:example.net -all"]},
            "example.net": {"TXT": ["v=spf1 +all"]},
        }
        (finding,) = self.check(zones=zones)
        self.assertEqual(finding.symbol, "SPF_ALLOWS_ALL")

    def test_several_records(self):
        """
        Several records are named in words.
        """
        zones = {"example.org": {"TXT": ["v=spf1 -all", "v=spf1 +all"]}}
        (finding,) = self.check(zones=zones)
        self.assertEqual(finding.symbol, "SPF_PERMERROR")
        self.assertIn("2 SPF records", finding.detail)

    def test_trouble(self):
        """
        What the DNS does not answer is told, and never refuses, whatever the trouble and the mode.
        """
        for trouble in Trouble:
            zones = {"example.org": {"TXT": trouble}}
            given = settings(spf={"mode": "enforce", "action": "reject"})
            check = SpfCheck.from_settings(given, Zones(zones))
            findings = tuple(check.check(view_of_mail()))
            self.assertEqual([each.symbol for each in findings], ["SPF_TEMPERROR"])
            self.assertIs(findings[0].fact.result, SpfResult.TEMPERROR)
            verdict = Policy.from_settings(given).judge(
                Phase.MAIL, [Result("spf", findings)], "7q4m-x2vd-90kt", None
            )
            self.assertIs(verdict.action, Action.ACCEPT)

    def test_enforced(self):
        """
        A failure is refused where that is configured, and the reply names the reason.
        """
        given = settings(spf={"mode": "enforce", "action": "reject"})
        check = SpfCheck.from_settings(given, Zones({"example.org": {"TXT": ["v=spf1 -all"]}}))
        verdict = Policy.from_settings(given).judge(
            Phase.MAIL,
            [Result("spf", tuple(check.check(view_of_mail())))],
            "7q4m-x2vd-90kt",
            None,
        )
        self.assertEqual(verdict.reply.code, 550)
        self.assertIn("192.0.2.7 matches '-all' of example.org", verdict.reply.text)

    def test_helo(self):
        """
        The name in HELO is asked for as well, and only its failure is told.
        """
        zones = {
            "example.org": {"TXT": ["v=spf1 ip4:192.0.2.7 -all"]},
            "client.example.org": {"TXT": ["v=spf1 -all"]},
        }
        findings = self.check(zones=zones)
        self.assertEqual([each.symbol for each in findings], ["SPF_PASS", "SPF_HELO_FAIL"])
        self.assertIn('smtp.helo="client.example.org"', findings[1].authentication)

    def test_null_sender(self):
        """
        Of the null sender the name in HELO is the identity.
        """
        zones = {"client.example.org": {"TXT": ["v=spf1 -all"]}}
        (finding,) = self.check(zones=zones, view=view_of_mail(Address("", "")))
        self.assertEqual(finding.symbol, "SPF_FAIL")
        self.assertIn("the name in HELO", finding.detail)

    def test_ours(self):
        """
        Mail of ours and of exempt networks is not asked for.
        """
        for options in (
            {"role": "internal"},
            {"role": "submission"},
            {"role": "submissions"},
            {"client": "127.0.0.1"},
            {"client": "::ffff:127.0.0.1"},
        ):
            self.assertEqual(self.check("v=spf1 -all", view_of_mail(**options)), ())
            self.assertEqual(self.zones.asked, [])

    def test_explanation(self):
        """
        What a domain says of a failure is quoted as its own.
        """
        zones = {
            "example.org": {"TXT": ["v=spf1 -all exp=why.example.org"]},
            "why.example.org": {"TXT": ["Go away"]},
        }
        (finding,) = self.check(zones=zones)
        self.assertIn("The domain explains: “Go away”.", finding.detail)
        self.assertNotIn("Go away", finding.public)

    def test_later(self):
        """
        What is not remembered is waited for.
        """
        zones = Zones({"example.org": {"TXT": ["v=spf1 -all"]}}, is_later=True)
        answer = SpfCheck.from_settings(settings(), zones).check(view_of_mail())
        self.assertIsInstance(answer, Deferred)
        while zones.waiting:
            zones.go_on()
        self.assertEqual([each.symbol for each in self.successResultOf(answer)], ["SPF_FAIL"])
