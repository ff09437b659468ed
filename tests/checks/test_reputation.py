"""
Tests of L{mailgate.checks.reputation}.
"""

from attrs import define, field
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.known import Known
from mailgate.checks.reputation import ReputationCheck
from mailgate.finding import Result
from mailgate.interfaces import Phase, Reputation
from mailgate.knowledge.standing import Standings
from mailgate.policy.verdict import Policy
from mailgate.store.database import StoreError
from mailgate.wire.address import NULL_SENDER, Address
from tests.authentication.signing import published, rsa_key, signed
from tests.checks.authentic import ADA, authenticated
from tests.checks.given import NOW, settings
from tests.net.zones import Zones

DAY = 86400.0
KEY = {"TXT": [published(rsa_key())]}
PASS = {"TXT": ["v=spf1 ip4:192.0.2.7 -all"]}
ZONES = {
    "example.org": PASS,
    "_dmarc.example.org": {"TXT": ["v=DMARC1; p=none"]},
    "s1._domainkey.example.org": KEY,
}


def message(author="Eve <eve@example.org>"):
    """
    Give a message.
    """
    return f"From: {author}\r\nSubject: x\r\n\r\nHi\r\n".encode()


@define
class Hub:
    """
    A hub that knows some senders.
    """

    known: dict = field(factory=dict)
    asked: list = field(factory=list)
    error: Exception | None = None

    def reputations(self, names):
        """
        Answer.
        """
        self.asked.extend(names)
        if self.error is not None:
            return fail(self.error)
        return succeed([self.known.get(name, Reputation(name)) for name in names])


class ReputationCheckTests(SynchronousTestCase):
    """
    Tests of L{ReputationCheck}.
    """

    def setUp(self):
        """
        Know nobody.
        """
        self.hub = Hub()

    def know(self, name, *values):
        """
        Know a sender.
        """
        self.hub.known[name] = Reputation(name, *values)

    def check(self, data=None, zones=ZONES, section=None, dmarc="enforce", **options):
        """
        Judge a message.
        """
        given = settings(reputation=section or {}, dmarc={"mode": dmarc})
        view = authenticated(message() if data is None else data, Zones(zones), given, **options)
        standings = Standings(self.hub, Clock().seconds)
        check = ReputationCheck.from_settings(given, Known(standings=standings))
        found = check.check(view)
        return self.successResultOf(found) if isinstance(found, Deferred) else found

    def names(self, *arguments, **options):
        """
        Name who was authenticated, or give C{()} where nothing is found.
        """
        found = self.check(*arguments, **options)
        return found[0].names if found else ()

    def symbol(self, *arguments, **options):
        """
        Give symbol and score.
        """
        (found,) = self.check(*arguments, **options)
        return found.symbol, found.score

    def test_new(self):
        """
        Who is not known is told, and counts nothing by default.
        """
        (found,) = self.check()
        self.assertEqual((found.symbol, found.score), ("REPUTATION_NEW", 0))
        self.assertEqual(
            found.detail, "The sender “example.org” is authenticated, and not known here yet."
        )
        self.assertEqual(self.symbol(section={"new_score": 0.5}), ("REPUTATION_NEW", 0.5))

    def test_good(self):
        """
        A good name speaks for a message, the more the better it is known.
        """
        self.know("example.org", 10.0, 0.0, NOW - DAY, NOW, NOW)
        (found,) = self.check()
        self.assertEqual((found.symbol, found.score), ("REPUTATION_GOOD", -1.0))
        self.assertEqual(
            found.detail,
            "The sender “example.org” is authenticated, and has a good name here, since 2027-01-14:"
            " 10.0 speaks for it, 0.0 against it. Somebody here last wrote to it on 2027-01-15.",
        )
        self.know("example.org", 2.0)
        self.assertEqual(self.symbol(), ("REPUTATION_GOOD", -0.43))

    def test_bad(self):
        """
        A bad name speaks against it.
        """
        self.know("example.org", 0.0, 20.0, NOW, NOW)
        self.assertEqual(self.symbol(), ("REPUTATION_BAD", 1.6))
        self.know("example.org", 0.0, 2.0)
        self.assertEqual(self.symbol(section={"bad_score": 7.0}), ("REPUTATION_BAD", 2.0))

    def test_between(self):
        """
        Of a sender with as much for it as against it, and of one of whom little is known, it is
        only told what is known.
        """
        self.know("example.org", 0.25, 0.0, NOW, NOW)
        self.assertEqual(self.symbol(), ("REPUTATION_KNOWN", 0))
        self.know("example.org", 9.0, 10.0)
        self.assertEqual(self.symbol(), ("REPUTATION_KNOWN", 0))

    def test_modest(self):
        """
        The worst name alone neither tags nor holds, and the best one does not make up for what
        would refuse a message.
        """
        thresholds = settings().policy
        self.know("example.org", 0.0, 1e9)
        self.assertLess(self.symbol()[1], thresholds.tag)
        self.know("example.org", 1e9, 0.0)
        self.assertLess(thresholds.quarantine, thresholds.reject + self.symbol()[1])

    def test_a34_forged(self):
        """
        The name of a domain never counts where nothing of it passes, whatever From says; nor is it
        asked for.
        """
        self.know("example.org", 1e6)
        self.assertEqual(self.check(client="203.0.113.9"), ())
        zones = {"evil.example": PASS, **ZONES}
        self.assertEqual(self.check(zones=zones, sender=Address("eve", "evil.example")), ())
        self.assertEqual(self.hub.asked, [])

    def test_broken_signature(self):
        """
        A signature that is broken vouches for nobody, one that is right does.
        """
        zones, whole = {"s1._domainkey.example.com": KEY}, signed()
        for data, names in ((whole, ("example.com",)), (whole + b"More.\r\n", ())):
            self.assertEqual(self.names(data, zones, client="203.0.113.9"), names)

    def test_for_everybody(self):
        """
        SPF that lets everybody send vouches for nobody.
        """
        self.assertEqual(self.names(zones={"example.org": {"TXT": ["v=spf1 +all"]}}), ())

    def test_without_dmarc(self):
        """
        Without DMARC the domain itself counts, and one above it for it; one beside it or below it
        does not.
        """
        zones = {"example.org": PASS, "news.example.org": PASS, "org": PASS}
        at = Address("bounce", "example.org")
        for author, sender, names in (
            ("eve@example.org", at, ("example.org",)),
            ("eve@news.example.org", at, ("news.example.org", "example.org")),
            ("eve@example.org", Address("b", "news.example.org"), ()),
            ("eve@other.org", at, ()),
            ("eve@other.org", Address("b", "org"), ()),
        ):
            self.assertEqual(self.names(message(author), zones, sender=sender), names, author)
        self.assertEqual(self.names(zones=zones, sender=at, dmarc="off"), ("example.org",))

    def test_strict(self):
        """
        Where DMARC says that a domain is not aligned it does not count, though it lies above.
        """
        zones = {
            "example.org": PASS,
            "_dmarc.news.example.org": {"TXT": ["v=DMARC1; p=none; aspf=s"]},
        }
        sender = Address("bounce", "example.org")
        self.assertEqual(self.names(message("eve@news.example.org"), zones, sender=sender), ())

    def test_no_author(self):
        """
        A From that can be read in two ways has no name.
        """
        self.assertEqual(self.names(message("eve@example.org, bob@example.net")), ())
        self.assertEqual(self.names(b"Subject: x\r\n\r\nHi\r\n"), ())

    def test_shared(self):
        """
        At a domain that many share each address is a sender of its own; of two authors none is.
        """
        zones = {"gmail.com": PASS, "shared.example": PASS}
        for author, names in (
            ("Eve <Eve@gmail.com>", ("eve@gmail.com",)),
            ("eve@gmail.com, bob@gmail.com", ()),
        ):
            found = self.names(message(author), zones, sender=Address("eve", "gmail.com"))
            self.assertEqual(found, names)
        sender = Address("eve", "shared.example")
        data = message("eve@shared.example")
        self.assertEqual(self.names(data, zones, sender=sender), ("shared.example",))
        section = {"shared_domains": ["shared.example"]}
        self.assertEqual(self.names(data, zones, section, sender=sender), ("eve@shared.example",))

    def test_sender(self):
        """
        The envelope sender is named too where SPF vouches for it, for greylisting; what counts is
        the author.
        """
        zones = {**ZONES, "bounces.example.org": PASS}
        sender = Address("bounce", "bounces.example.org")
        self.know("bounces.example.org", 0.0, 1e6)
        (found,) = self.check(zones=zones, sender=sender)
        self.assertEqual(found.names, ("example.org", "bounces.example.org"))
        self.assertEqual(found.symbol, "REPUTATION_NEW")
        self.assertEqual(self.hub.asked, ["example.org"])

    def test_null_sender(self):
        """
        A notice is known by its author alone.
        """
        zones = {**ZONES, "client.example.org": PASS}
        self.assertEqual(self.names(zones=zones, sender=NULL_SENDER), ("example.org",))

    def test_ours(self):
        """
        Of people and machines of ours nothing is asked, nor of stored mail.
        """
        self.assertEqual(self.check(role="submission"), ())
        self.assertEqual(self.check(client="127.0.0.1"), ())
        check = ReputationCheck.from_settings(settings(), Known())
        self.assertEqual(check.check(authenticated(message(), Zones(ZONES))), ())

    def test_failure(self):
        """
        That the hub fails is the failure of the check.
        """
        self.hub.error = StoreError(5, "disk")
        standings = Standings(self.hub, Clock().seconds)
        check = ReputationCheck.from_settings(settings(), Known(standings=standings))
        view = authenticated(message(), Zones(ZONES))
        self.failureResultOf(maybeDeferred(check.check, view), StoreError)

    def test_names_reach_verdict(self):
        """
        Who was authenticated is in the verdict, whether the check counts or only observes.
        """
        results = [Result("reputation", tuple(self.check()))]
        for mode in ("score", "observe"):
            policy = Policy.from_settings(settings(reputation={"mode": mode}))
            verdict = policy.judge(Phase.END, results, "7q4m-x2vd-90kt", ADA)
            self.assertEqual(verdict.findings[0].names, ("example.org",))
