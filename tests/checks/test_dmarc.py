"""
Tests of judging messages by DMARC.
"""

from attrs import evolve
from pydantic import ValidationError
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.known import Known
from mailgate.config.model import Settings
from mailgate.finding import Finding, Kind, Result
from mailgate.interfaces import Phase
from mailgate.judging import make_pipeline
from mailgate.knowledge.dnslists import DnsLists
from mailgate.message.envelope import Envelope
from mailgate.message.message import MemoryMessage
from mailgate.net.dns.nowhere import Nowhere
from mailgate.policy.verdict import Policy
from mailgate.store.threads import ImmediateThreads
from mailgate.verdict import Action
from mailgate.wire.address import Address
from mailgate.wire.dns.answer import Trouble
from tests.authentication.sealing import Sealer
from tests.authentication.signing import published, rsa_key, signed
from tests.authentication.test_arc import passing, sealed
from tests.checks.authentic import ADA, authenticated
from tests.checks.given import NOW, entry, session, settings
from tests.net.zones import Zones

BANK = Address("service", "bank.example")
MALLORY = Address("mallory", "example.net")
MESSAGE = b"From: Bank <service@bank.example>\r\n\r\nHi\r\n"
LIST = Sealer("list.example", "s1", rsa_key())
SEEN = passing("bank.example")
TRUSTED = {"arc": {"trusted_sealers": ["list.example"]}}
FROM_LIST = b"List-Id: Talk <talk.list.example>\r\n" + MESSAGE
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

    def test_organizations(self):
        """
        What one organization is, is found by the walk or, by configuration, by the list of public
        suffixes: a domain that says of itself that it is no suffix counts for the walk only.
        """
        dns = Zones(
            {
                "_dmarc.a.bank.example": {"TXT": ["v=DMARC1; p=none; psd=n; rua=mailto:a@b.c"]},
                "_dmarc.bank.example": {"TXT": ["v=DMARC1; p=reject; rua=mailto:a@b.c"]},
                "bank.example": {"TXT": ["v=spf1 ip4:192.0.2.7 -all"]},
            }
        )
        data = MESSAGE.replace(b"service@", b"service@a.")
        for organizations, symbol in (("walk", "DMARC_FAIL"), ("list", "DMARC_PASS")):
            given = settings(dmarc={"organizations": organizations})
            (finding,) = self.found(data, dns, BANK, given=given)
            self.assertEqual(finding.symbol, symbol, organizations)
        with self.assertRaises(ValidationError):
            settings(dmarc={"organizations": "both"})

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

    def test_no_author_spoofed(self):
        """
        Who writes the address of another domain in a way that nobody can be sure of is judged by
        what that domain asks for; where a domain of ours could be read it is held as a spoof.
        """
        for line in (
            b"service@bank.example, eve@example.net",
            b"eve@example.net\r\nFrom: service@bank.example",
            b"<@example.net:service@bank.example>",
            b"Bank: service@bank.example;",
            b"=?utf-8?q?service=40bank=2Eexample?=",
        ):
            data = b"From: " + line + b"\r\n\r\nHi\r\n"
            for dns, score, action in (
                (zones(), 6, Action.QUARANTINE),
                (zones("quarantine"), 5, Action.TAG),
                (zones("none"), 3, Action.ACCEPT),
                (Zones({"_dmarc.bank.example": {"TXT": Trouble.TIMEOUT}}), 3, Action.ACCEPT),
            ):
                (finding,) = self.found(data, dns)
                self.assertEqual((finding.symbol, finding.score), ("DMARC_NO_AUTHOR", score), line)
                self.assertEqual(finding.kind, Kind.SPOOF)
                self.assertIs(self.verdict(data, dns).action, action, line)
            ours = data.replace(b"bank.example", b"example.com")
            ours = ours.replace(b"bank=2E", b"example=2E").replace(b"Eexample?=", b"Ecom?=")
            verdict = self.verdict(ours, Zones())
            self.assertEqual((verdict.action, verdict.kind), (Action.QUARANTINE, Kind.SPOOF), line)
            self.assertIn("a domain of ours", verdict.findings[-1].detail)

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
            verdict = self.verdict(FROM_US, dns, ADA)
            self.assertIs(verdict.action, action)
        self.assertIn("neither SPF nor DKIM of that domain vouches for it", verdict.reply.text)

    def test_not_outside(self):
        """
        Mail of ours and of exempt networks is left alone.
        """
        for options in ({"role": "internal"}, {"role": "submission"}, {"client": "127.0.0.1"}):
            self.assertEqual(self.found(FROM_US, **options), ())


def keys(**more):
    """
    Give a DNS in which bank.example asks to refuse, and list.example has a key and an SPF record.
    """
    return zones(
        **{
            "s1._domainkey.list.example": {"TXT": [published(rsa_key())]},
            "list.example": {"TXT": ["v=spf1 ip4:192.0.2.7 -all"]},
        }
        | more
    )


class SealedTests(SynchronousTestCase):
    """
    Tests of failures that a trusted sealer explains.
    """

    def found(self, data, dns=None, given=TRUSTED, **options):
        """
        Give what DMARC says of a message.
        """
        view = authenticated(data, dns or keys(), settings(**given), sender=MALLORY, **options)
        return view.findings_of("dmarc")

    def symbols(self, *args, **options):
        """
        Name it.
        """
        return [each.symbol for each in self.found(*args, **options)]

    def test_sealed(self):
        """
        What a trusted sealer has seen pass is no spoof, and holds nothing; it is told that it fails
        here.
        """
        (finding,) = self.found(sealed(MESSAGE, LIST, results=SEEN))
        self.assertEqual((finding.symbol, finding.score), ("DMARC_SEALED", 0))
        self.assertEqual((finding.kind, finding.is_enforced), (None, False))
        self.assertIn(
            "But “list.example”, whose seal is trusted, has seen it pass before.", finding.detail
        )
        self.assertIn("dmarc=fail", finding.authentication)
        given = {**TRUSTED, "dmarc": {"sealed_score": 2.5}}
        (finding,) = self.found(sealed(MESSAGE, LIST, results=SEEN), given=given)
        self.assertEqual(finding.score, 2.5)

    def test_never_more(self):
        """
        It never counts for more than the failure would.
        """
        given = {**TRUSTED, "dmarc": {"sealed_score": 20.0, "mailing_list_score": 20.0}}
        (finding,) = self.found(sealed(MESSAGE, LIST, results=SEEN), given=given)
        self.assertEqual(finding.score, 6)
        self.assertRaises(ValueError, settings, dmarc={"sealed_score": -1.0})
        self.assertRaises(ValueError, settings, dmarc={"mailing_list_score": -1.0})

    def test_not_enough(self):
        """
        It explains nothing where the sealer is not trusted or only watched, has seen another domain
        pass or none, or where the chain is broken or the check is.
        """
        whole = sealed(MESSAGE, LIST, results=SEEN)
        for data, given, failed in (
            (whole, {}, ()),
            (whole, {"arc": {**TRUSTED["arc"], "mode": "observe"}}, ()),
            (sealed(MESSAGE, LIST, results=passing("list.example")), TRUSTED, ()),
            (sealed(MESSAGE, LIST, results=passing("bank.example", result="fail")), TRUSTED, ()),
            (whole.replace(b"Hi", b"Ho"), TRUSTED, ()),
            (whole, TRUSTED, ("arc",)),
        ):
            self.assertEqual(
                self.symbols(data, given=given, failed=failed), ["DMARC_REJECT"], given
            )

    def test_ours(self):
        """
        A domain of ours is refused, unless a trusted sealer has seen it pass.
        """
        whole = sealed(FROM_US, LIST, results=passing("example.com"))
        self.assertEqual(self.symbols(whole), ["DMARC_SEALED"])
        self.assertEqual(self.symbols(whole, given={}), ["DMARC_OUR_DOMAIN"])
        other = sealed(FROM_US, LIST, results=SEEN)
        self.assertEqual(self.symbols(other), ["DMARC_OUR_DOMAIN"])

    def test_unknown(self):
        """
        Where the key of a trusted sealer cannot be looked up nothing is refused for that; what is
        held stays held.
        """
        dns = keys(**{"s1._domainkey.list.example": {"TXT": Trouble.SERVFAIL}})
        whole = sealed(FROM_US, LIST, results=passing("example.com"))
        (finding,) = self.found(whole, dns)
        self.assertEqual((finding.symbol, finding.score), ("DMARC_OUR_DOMAIN", 6))
        self.assertIn("“list.example” may have sealed cannot be checked", finding.detail)
        (finding,) = self.found(whole, dns, given={})
        self.assertEqual(finding.score, 15)
        whole = sealed(MESSAGE, LIST, results=SEEN)
        listed = (LISTED,)
        self.assertEqual(self.symbols(whole, dns, found=listed), ["DMARC_REJECT"])
        self.assertEqual(
            self.symbols(whole, dns, given={}, found=listed), ["DMARC_REJECT", "DMARC_CONFIRMED"]
        )


LISTED = Result("dnslists", (Finding("DNSBL_CLIENT", 5.0, "It is listed."),))


class MailingListTests(SynchronousTestCase):
    """
    Tests of failures that a known mailing list explains.
    """

    NAMED = {"dmarc": {"mailing_lists": ["talk.list.example"]}}
    SENDER = Address("talk-bounces", "list.example")

    def found(self, data=FROM_LIST, dns=None, given=NAMED, sender=SENDER, **options):
        """
        Give what DMARC says of a message.
        """
        view = authenticated(data, dns or keys(), settings(**given), sender=sender, **options)
        return view.findings_of("dmarc")

    def symbols(self, *args, **options):
        """
        Name it.
        """
        return [each.symbol for each in self.found(*args, **options)]

    def test_named(self):
        """
        A list that is named in the configuration, and whose domain passes, explains it.
        """
        (finding,) = self.found()
        self.assertEqual((finding.symbol, finding.score), ("DMARC_MAILING_LIST", 1))
        self.assertEqual((finding.kind, finding.is_enforced), (None, False))
        self.assertIn("the mailing list “talk.list.example”, which is known here", finding.detail)
        dns = keys(**{"_dmarc.bank.example": {"TXT": ["v=DMARC1; p=none; rua=mailto:a@b.example"]}})
        (finding,) = self.found(dns=dns)
        self.assertEqual(finding.score, 0.5)

    def test_verified_by_dkim(self):
        """
        So does one with a signature of its domain, whoever brings it.
        """
        lines = FROM_LIST.partition(b"\r\n\r\n")[0].split(b"\r\n")
        data = signed(header=lines, d="list.example", h="from:list-id")
        self.assertEqual(self.symbols(data, sender=MALLORY), ["DMARC_MAILING_LIST"])
        broken = data.replace(b"Hello", b"Bye")
        self.assertEqual(self.symbols(broken, sender=MALLORY), ["DMARC_REJECT"])

    def test_allowed(self):
        """
        So does one that an entry allows for the recipient; not for another, nor where the entries
        only are watched, nor where one blocks it.
        """
        talk = "<talk.list.example>"
        known, unknown = ["DMARC_MAILING_LIST"], ["DMARC_REJECT"]
        for entries, given, expected in (
            ((entry("allow", talk),), {}, known),
            ((entry("allow", talk, scope="ada@example.com"),), {}, known),
            ((entry("allow", talk, scope="bob@example.com"),), {}, unknown),
            ((entry("allow", talk),), {"lists": {"mode": "observe"}}, unknown),
            ((entry("block", talk),), {}, unknown),
            ((entry("allow", talk), entry("block", talk, scope="example.com")), {}, unknown),
            ((entry("allow", "bank.example"),), {}, unknown),
            ((entry("allow", "192.0.2.7"),), {}, unknown),
        ):
            self.assertEqual(self.symbols(lists=entries, given=given), expected, entries)

    def test_everybody(self):
        """
        Of several recipients each must allow it, since it is judged once for all.
        """
        both = (ADA, Address("bob", "example.com"))
        for entries, symbol in (
            ((entry("allow", "<talk.list.example>", scope="ada@example.com"),), "DMARC_REJECT"),
            ((entry("allow", "<talk.list.example>", scope="example.com"),), "DMARC_MAILING_LIST"),
        ):
            found = self.symbols(lists=entries, given={}, recipients=both)
            self.assertEqual(found, [symbol])

    def test_only_says_so(self):
        """
        A header alone proves nothing: the domain must pass, and must be the list's; nor do two.
        """
        everybody = keys(**{"list.example": {"TXT": ["v=spf1 +all"]}})
        nobody = keys(**{"list.example": {"TXT": Trouble.TIMEOUT}})
        other = FROM_LIST.replace(b"talk.list.example", b"talk.lists.example")
        for data, dns, sender, name in (
            (FROM_LIST, keys(), MALLORY, "talk.list.example"),
            (FROM_LIST, everybody, self.SENDER, "talk.list.example"),
            (FROM_LIST, nobody, self.SENDER, "talk.list.example"),
            (FROM_LIST, keys(), Address("a", "other.list.example"), "talk.list.example"),
            (b"List-Id: <a.example>\r\n" + FROM_LIST, keys(), self.SENDER, "talk.list.example"),
            (other, keys(), self.SENDER, "talk.lists.example"),
            (FROM_LIST, keys(), self.SENDER, "other.list.example"),
        ):
            given = {"dmarc": {"mailing_lists": [name]}}
            self.assertEqual(self.symbols(data, dns, given, sender), ["DMARC_REJECT"], data)

    def test_ours(self):
        """
        No list explains a domain of ours: whoever is on it could write in its name.
        """
        data = FROM_LIST.replace(b"bank.example", b"example.com")
        self.assertEqual(self.symbols(data), ["DMARC_OUR_DOMAIN"])

    def test_configuration(self):
        """
        A list is named by what stands in its brackets.
        """
        for wrong in ("<talk.list.example>", "talk", "Talk.list.example", ""):
            self.assertRaises(ValueError, settings, dmarc={"mailing_lists": [wrong]})


class PipelineTests(SynchronousTestCase):
    """
    Tests of all checks together, as in the gateway.
    """

    def judged(self, data, dns, client="192.0.2.7", sender=MALLORY, dns_lists=None, **more):
        """
        Judge a message to Ada by the checks as they are by default; give the verdict.
        """
        given = evolve_settings(**more)
        known = Known(resolvers=dns, dns_lists=dns_lists or DnsLists())
        pipeline = make_pipeline(given, known, ImmediateThreads(), Clock(), lambda: NOW)
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

    def test_listed(self):
        """
        A spoof from a client that a list speaks against is refused; not where another speaks for
        it, nor where the lists only are watched, nor where the failure is explained.
        """
        bad = {"zone": "bl.example", "codes": {"127.0.0.2": {"words": "spams", "score": 1.0}}}
        good = {"zone": "wl.example", "codes": {"127.0.0.2": {"words": "is good", "score": -1.0}}}
        yes = {"A": ["127.0.0.2"]}
        dns = {"4.4.8.8.bl.example": yes, "list.example": {"TXT": ["v=spf1 ip4:8.8.4.4 -all"]}}
        for more, lists, tables, action in (
            ({}, {"bad": bad}, {}, Action.REJECT),
            ({"4.4.8.8.wl.example": yes}, {"bad": bad, "good": good}, {}, Action.QUARANTINE),
            ({}, {"bad": bad}, {"mode": "observe"}, Action.QUARANTINE),
            ({}, {}, {}, Action.QUARANTINE),
        ):
            checks = {"dnslists": {"lists": lists, **tables}, "names": {"mode": "off"}}
            given = settings(**checks)
            known = DnsLists.of_sections(given.checks.dnslists.lists)
            known.take_up(evolve(one.state, trouble=None, reason="") for one in known.lists)
            verdict = self.judged(
                MESSAGE, keys(**dns | more), "8.8.4.4", dns_lists=known, checks=checks
            )
            self.assertIs(verdict.action, action, (more, tables))
        checks["dmarc"] = {"mailing_lists": ["talk.list.example"]}
        sender = Address("talk-bounces", "list.example")
        verdict = self.judged(FROM_LIST, keys(**dns), "8.8.4.4", sender, known, checks=checks)
        self.assertEqual(self.found(verdict), ["SPF_PASS", "DMARC_MAILING_LIST"])
        self.assertIs(verdict.action, Action.ACCEPT)

    def test_no_free_pass(self):
        """
        A trusted seal explains a failure of DMARC, and nothing else: forbidden files are held.
        """
        lines = (
            *(b"From: Bank <service@bank.example>", b"To: ada@example.com", b"Subject: a"),
            *(b"Date: Fri, 15 Jan 2027 08:00:00 +0000", b"Message-ID: <1@bank.example>"),
            b"MIME-Version: 1.0",
        )
        program = (
            b"Content-Type: application/octet-stream",
            b'Content-Disposition: attachment; filename="invoice.exe"',
        )
        checks = {**TRUSTED, "names": {"mode": "off"}}
        for more, action in (
            ((), Action.ACCEPT),
            (program, Action.QUARANTINE),
        ):
            data = b"\r\n".join((*lines, *more, b"", b"Hello\r\n"))
            verdict = self.judged(sealed(data, LIST, results=SEEN), keys(), checks=checks)
            self.assertIn("DMARC_SEALED", self.found(verdict))
            self.assertIs(verdict.action, action)
            self.assertIsNot(verdict.kind, Kind.SPOOF)

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


def evolve_settings(checks=None, **more):
    """
    Give the settings of the tests with other tables too.
    """
    return Settings(**settings(**checks or {}).model_dump(exclude_unset=True), **more)
