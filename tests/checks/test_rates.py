"""
Tests of L{mailgate.checks.rates}.
"""

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.known import Known
from mailgate.checks.rates import RatesCheck
from mailgate.config.checks import RateOf
from mailgate.judging import make_pipeline
from mailgate.knowledge.excess import Amount, Excess, Excesses
from mailgate.message.envelope import Envelope
from mailgate.pipeline.view import View
from mailgate.store.threads import ImmediateThreads
from mailgate.verdict import Action
from mailgate.wire.address import NULL_SENDER, Address
from tests.checks.given import NOW, session, settings

ADA = Address("ada", "example.com")
EVE = Address("eve", "example.org")
STOLEN = Excess(RateOf.ACCOUNT, "ada", Amount.MESSAGES, 500, 500, 60, NOW + 600)
ADDRESS = Excess(RateOf.ADDRESS, "192.0.2.7", Amount.MESSAGES, 1000, 1000, 60, NOW + 600)
NETWORK = evolve(ADDRESS, of=RateOf.NETWORK, key="192.0.2.0/24")
DOMAIN = evolve(ADDRESS, of=RateOf.DOMAIN, key="example.org")
LOGGED_IN = evolve(session(), role="submission", account="ada")


def view(calls=None, sender=EVE, now=NOW):
    """
    Give what the check sees of a recipient.
    """
    calls = calls or session()
    envelope = Envelope(calls, "7q4m-x2vd-90kt", sender, NOW)
    return View(calls, now, ({},), {}, envelope, None, (), ADA)


class RatesTests(SynchronousTestCase):
    """
    Tests of L{RatesCheck}.
    """

    def check(self, seen, *excesses, **options):
        """
        Give what is found.
        """
        check = RatesCheck.from_settings(settings(rates=options), Excesses(excesses))
        return list(check.check(seen))

    def test_nobody(self):
        """
        Who has not sent too much is not found.
        """
        self.assertEqual(self.check(view()), [])
        self.assertEqual(self.check(view(), STOLEN, evolve(ADDRESS, key="192.0.2.8")), [])

    def test_account(self):
        """
        An account that has sent too much is found, with how much, and told so in words that tell
        no figures.
        """
        (found,) = self.check(view(LOGGED_IN), STOLEN, ADDRESS, NETWORK, DOMAIN)
        self.assertEqual((found.symbol, found.score, found.is_enforced), ("RATE_ACCOUNT", 3, True))
        self.assertEqual(
            found.detail,
            "The account “ada” has sent 500 messages within 60 minutes (the limit is 500).",
        )
        self.assertEqual(found.public, "too much mail from your account, try again later")

    def test_strangers(self):
        """
        Address, network and domain of a stranger are found by themselves, and only count.
        """
        found = self.check(view(), ADDRESS, NETWORK, DOMAIN)
        self.assertEqual(
            [(each.symbol, each.score, each.is_enforced) for each in found],
            [
                ("RATE_ADDRESS", 0.5, False),
                ("RATE_NETWORK", 0.5, False),
                ("RATE_DOMAIN", 0.5, False),
            ],
        )
        self.assertEqual(self.check(view(sender=NULL_SENDER), DOMAIN), [])

    def test_enforce_for(self):
        """
        Who is named is held up.
        """
        (found,) = self.check(view(), NETWORK, enforce_for=("network",))
        self.assertTrue(found.is_enforced)
        (found,) = self.check(view(LOGGED_IN), STOLEN, enforce_for=())
        self.assertFalse(found.is_enforced)

    def test_amounts(self):
        """
        All that there is too much of stands in one finding; subjects do not.
        """
        size = evolve(STOLEN, amount=Amount.BYTES, number=2_000_000, limit=1_000_000)
        subject = evolve(STOLEN, amount=Amount.SUBJECT, subject="0123")
        (found,) = self.check(view(LOGGED_IN), STOLEN, size, subject)
        self.assertIn(
            "(the limit is 500), 2,000,000 bytes within 60 minutes (the limit is 1,000,000",
            found.detail,
        )
        self.assertEqual(self.check(view(LOGGED_IN), subject), [])

    def test_over(self):
        """
        When it is over nothing is found.
        """
        self.assertEqual(self.check(view(LOGGED_IN, now=NOW + 600), STOLEN), [])

    def test_reply(self):
        """
        With the settings as they are an account is told to come again, a stranger is taken; and
        whoever watches only stops nobody.
        """
        for calls, options, action in (
            (LOGGED_IN, {}, Action.DEFER),
            (session(), {}, Action.ACCEPT),
            (LOGGED_IN, {"mode": "score"}, Action.ACCEPT),
            (LOGGED_IN, {"mode": "observe"}, Action.ACCEPT),
            (LOGGED_IN, {"action": "reject"}, Action.REJECT),
        ):
            off = {name: {"mode": "off"} for name in ("spf", "dmarc", "names", "dnslists")}
            pipeline = make_pipeline(
                settings(**off, rates=options),
                Known(excesses=Excesses([STOLEN, ADDRESS])),
                ImmediateThreads(),
                Clock(),
                lambda: NOW,
            )
            judge = pipeline.open(calls)
            judge.connected()
            judge.greeted(calls)
            transaction = judge.begin(Envelope(calls, "7q4m-x2vd-90kt", EVE, NOW))
            transaction.mail()
            verdict = transaction.rcpt(Address("bob", "example.net"))
            self.assertIs(verdict.action, action)
            if action is Action.DEFER:
                self.assertEqual(
                    str(verdict.reply),
                    "451 4.7.1 too much mail from your account, try again later (7q4m-x2vd-90kt)",
                )
