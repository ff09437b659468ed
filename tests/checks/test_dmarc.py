"""
Tests of judging messages by DMARC.
"""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.known import Known
from mailgate.config.model import Settings
from mailgate.finding import Kind, Result
from mailgate.interfaces import Phase
from mailgate.judging import make_pipeline
from mailgate.message.envelope import Envelope
from mailgate.message.message import MemoryMessage
from mailgate.net.dns.nowhere import Nowhere
from mailgate.policy.verdict import Policy
from mailgate.store.threads import ImmediateThreads
from mailgate.verdict import Action
from mailgate.wire.address import Address
from mailgate.wire.dns.answer import Trouble
from tests.authentication.signing import published, rsa_key, signed
from tests.checks.authentic import ADA, authenticated
from tests.checks.given import NOW, session, settings
from tests.net.zones import Zones

BANK = Address("service", "bank.example")
MALLORY = Address("mallory", "example.net")
MESSAGE = b"From: Bank <service@bank.example>\r\n\r\nHi\r\n"
FROM_US = b"From: ada@example.com\r\n\r\nHi\r\n"


def zones(policy="reject", spf=None, **more):
    """
    Give a DNS in which bank.example has this policy.
    """
    table = {"_dmarc.bank.example": {"TXT": [f"v=DMARC1; p={policy}; rua=mailto:a@bank.example"]}}
    if spf is not None:
        table["bank.example"] = {"TXT": [spf]}
    return Zones(table | more)


class DmarcCheckTests(SynchronousTestCase):
    """
    Tests of L{DmarcCheck<mailgate.checks.dmarc.DmarcCheck>}.
    """

    def found(self, data=MESSAGE, dns=None, sender=MALLORY, **options):
        """
        Give what DMARC says of a message.
        """
        view = authenticated(data, dns or zones(), sender=sender, **options)
        return view.findings_of("dmarc")

    def verdict(self, data=MESSAGE, dns=None, sender=MALLORY, **section):
        """
        Judge a message by SPF, DKIM and DMARC.
        """
        given = settings(dmarc=section)
        view = authenticated(data, dns or zones(), given, sender=sender)
        results = [
            Result(name, view.findings_of(name))
            for name in ("spf", "dkim", "dmarc")
            if view.findings_of(name)
        ]
        return Policy.from_settings(given).judge(Phase.END, results, "7q4m-x2vd-90kt", ADA)

    def test_results(self):
        """
        Each result has its symbol and its score.
        """
        for policy, symbol, score in (
            ("reject", "DMARC_REJECT", 6),
            ("quarantine", "DMARC_QUARANTINE", 5),
            ("none", "DMARC_FAIL", 0.5),
        ):
            (finding,) = self.found(dns=zones(policy))
            self.assertEqual((finding.symbol, finding.score), (symbol, score))
            self.assertEqual(finding.kind, Kind.SPOOF)
            self.assertTrue(finding.authentication.startswith("\tdmarc=fail"))
        (finding,) = self.found(dns=Zones())
        self.assertEqual((finding.symbol, finding.score), ("DMARC_NONE", 0))
        (finding,) = self.found(dns=zones(spf="v=spf1 ip4:192.0.2.7 -all"), sender=BANK)
        self.assertEqual((finding.symbol, finding.score), ("DMARC_PASS", 0))

    def test_held(self):
        """
        What the owner asks to refuse is held as a spoof; with caution it is tagged.
        """
        verdict = self.verdict()
        self.assertEqual((verdict.action, verdict.kind), (Action.QUARANTINE, Kind.SPOOF))
        self.assertIs(self.verdict(dns=zones("quarantine")).action, Action.TAG)
        self.assertIs(self.verdict(dns=zones("none")).action, Action.ACCEPT)

    def test_refused(self):
        """
        It is refused by configuration, and where SPF of that domain fails too; the reply names
        DMARC.
        """
        for verdict in (
            self.verdict(action="reject"),
            self.verdict(dns=zones(spf="v=spf1 -all"), sender=BANK),
        ):
            self.assertIs(verdict.action, Action.REJECT)
            self.assertIn("DMARC fails", verdict.reply.text)
        other = {"example.net": {"TXT": ["v=spf1 -all"]}}
        self.assertIs(self.verdict(dns=zones(**other)).action, Action.QUARANTINE)

    def test_trouble(self):
        """
        Nothing that the DNS does not answer is refused or held.
        """
        for trouble in Trouble:
            for name in ("_dmarc.bank.example", "bank.example"):
                dns = zones(**{name: {"TXT": trouble}})
                verdict = self.verdict(dns=dns, sender=BANK, action="reject")
                self.assertIs(verdict.action, Action.ACCEPT, (trouble, name))

    def test_broken(self):
        """
        Where SPF broke, what it would have said of the author's domain is unknown; of another
        domain it would not have mattered.
        """
        (finding,) = self.found(sender=BANK, failed=("spf",))
        self.assertEqual((finding.symbol, finding.score), ("DMARC_TEMPERROR", 0))
        (finding,) = self.found(failed=("spf",))
        self.assertEqual(finding.symbol, "DMARC_REJECT")
        (finding,) = self.found(b"DKIM-Signature: x\r\n" + MESSAGE, failed=("dkim",))
        self.assertEqual(finding.symbol, "DMARC_TEMPERROR")

    def test_no_author(self):
        """
        Several From, or one that cannot be read, name no author and never pass.
        """
        dns = zones(spf="v=spf1 ip4:192.0.2.7 -all")
        for data in (
            b"From: service@bank.example\r\nFrom: eve@example.net\r\n\r\n",
            b"From: service@bank.example, eve@example.net\r\n\r\n",
            b"Subject: none\r\n\r\n",
        ):
            (finding,) = self.found(data, dns, BANK)
            self.assertEqual((finding.symbol, finding.score), ("DMARC_NO_AUTHOR", 3))
            self.assertEqual(finding.kind, Kind.SPOOF)

    def test_ours_from_outside(self):
        """
        Mail from outside that claims to be from a domain of ours is refused, whether we have a
        record or not.
        """
        verdict = self.verdict(FROM_US, Zones())
        self.assertEqual((verdict.action, verdict.kind), (Action.REJECT, Kind.SPOOF))
        self.assertIn("mail from example.com is not taken", verdict.reply.text)

    def test_ours_and_right(self):
        """
        It is not refused where DKIM or SPF of our domain passes, or is not known; a record that
        lets everybody pass does not count.
        """
        key = {"s1._domainkey.example.com": {"TXT": [published(rsa_key())]}}
        self.assertIs(self.verdict(signed(), Zones(key)).action, Action.ACCEPT)
        key = {"s1._domainkey.example.com": {"TXT": Trouble.TIMEOUT}}
        self.assertIs(self.verdict(signed(), Zones(key)).action, Action.ACCEPT)
        for record, action in (
            ("v=spf1 ip4:192.0.2.7 -all", Action.ACCEPT),
            ("v=spf1 +all", Action.REJECT),
        ):
            dns = Zones({"example.com": {"TXT": [record]}})
            self.assertIs(self.verdict(FROM_US, dns, ADA).action, action)

    def test_not_outside(self):
        """
        Mail of ours and of exempt networks is left alone.
        """
        for options in ({"role": "internal"}, {"role": "submission"}, {"client": "127.0.0.1"}):
            self.assertEqual(self.found(FROM_US, **options), ())


class PipelineTests(SynchronousTestCase):
    """
    Tests of all checks together, as in the gateway.
    """

    def judged(self, data, dns, client="192.0.2.7", sender=MALLORY, **more):
        """
        Judge a message to Ada by the checks as they are by default; give the verdict.
        """
        given = evolve_settings(**more)
        pipeline = make_pipeline(
            given, Known(resolvers=dns), ImmediateThreads(), Clock(), lambda: NOW
        )
        here = session(client=client)
        judge = pipeline.open(here)
        judge.connected()
        judge.greeted(here)
        transaction = judge.begin(Envelope(here, "7q4m-x2vd-90kt", sender, NOW))
        transaction.mail()
        transaction.rcpt(ADA)
        verdicts = transaction.message(MemoryMessage((data,)))
        if isinstance(verdicts, Deferred):
            verdicts = self.successResultOf(verdicts)
        (verdict,) = verdicts
        return verdict

    def found(self, verdict):
        """
        Name what SPF, DKIM and DMARC have found.
        """
        return [each.symbol for each in verdict.findings if each.authentication]

    def test_spoof(self):
        """
        A spoof is refused where SPF of its domain says the same, and what was found can be
        written; without a DNS it is not.
        """
        verdict = self.judged(MESSAGE, zones(spf="v=spf1 -all"), sender=BANK)
        self.assertEqual(self.found(verdict), ["SPF_FAIL", "DMARC_REJECT"])
        self.assertIs(verdict.action, Action.REJECT)
        verdict = self.judged(MESSAGE, Nowhere(), sender=BANK)
        self.assertEqual(self.found(verdict), ["SPF_TEMPERROR", "DMARC_TEMPERROR"])
        self.assertIsNot(verdict.action, Action.REJECT)

    def test_behind_a_relay(self):
        """
        What a relay of ours brings is judged by the stranger, and held where it would be refused;
        what it has from nobody that is known is not asked for.
        """
        received = (
            b"Received: from mx.bank.example (mx.bank.example [8.8.4.4])\r\n"
            b"\tby backup.example.com with ESMTP; Fri, 15 Jan 2027 08:00:00 +0000\r\n"
        )
        relays = {"networks": ["192.0.2.7"], "names": ["backup.example.com"]}
        for record, symbol in (
            ("v=spf1 ip4:8.8.4.4 -all", "SPF_PASS"),
            ("v=spf1 ip4:192.0.2.7 -all", "SPF_FAIL"),
        ):
            verdict = self.judged(received + MESSAGE, zones(spf=record), sender=BANK, relays=relays)
            self.assertEqual(self.found(verdict)[0], symbol)
            self.assertIsNot(verdict.action, Action.REJECT)
        verdict = self.judged(MESSAGE, zones(spf="v=spf1 -all"), sender=BANK, relays=relays)
        self.assertEqual(self.found(verdict), [])


def evolve_settings(**more):
    """
    Give the settings of the tests with other tables too.
    """
    return Settings(**settings().model_dump(exclude_unset=True), **more)
