"""
Tests of L{mailgate.checks.subjects}.
"""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.subjects import SubjectsCheck
from mailgate.config.checks import RateOf
from mailgate.finding import Kind
from mailgate.knowledge.excess import Amount, Excess, Excesses
from mailgate.knowledge.rates import digest_of
from mailgate.message.envelope import Envelope
from mailgate.message.message import MemoryMessage
from mailgate.pipeline.view import View
from mailgate.wire.address import Address
from tests.checks.given import NOW, session, settings

OFFER = digest_of("Your invoice 4711")
OFTEN = Excess(RateOf.ADDRESS, "192.0.2.7", Amount.SUBJECT, 100, 100, 60, NOW + 600, subject=OFFER)


def view(subject, calls=None, now=NOW):
    """
    Give what the check sees of a message.
    """
    calls = calls or session()
    envelope = Envelope(calls, "7q4m-x2vd-90kt", Address("eve", "example.org"), NOW)
    message = MemoryMessage((b"Subject: " + subject + b"\r\n\r\nHi\r\n",))
    return View(calls, now, ({},), {}, envelope, message, (), None)


class SubjectsTests(SynchronousTestCase):
    """
    Tests of L{SubjectsCheck}.
    """

    def check(self, seen, *excesses):
        """
        Give what is found.
        """
        return list(SubjectsCheck.from_settings(settings(), Excesses(excesses)).check(seen))

    def test_stranger(self):
        """
        Who sends one subject too often is found by it, whatever number stands in it.
        """
        (found,) = self.check(view(b"=?utf-8?q?Re:_your_INVOICE_12?="), OFTEN)
        self.assertEqual(
            (found.symbol, found.score, found.kind), ("SAME_SUBJECT_STRANGER", 0.5, Kind.BULK)
        )
        self.assertIn(
            "“192.0.2.7” has sent 100 messages with subjects like “Re: your", found.detail
        )
        self.assertEqual(found.public, "")

    def test_most(self):
        """
        There is one finding, of who has sent it most often.
        """
        network = evolve(OFTEN, of=RateOf.NETWORK, key="192.0.2.0/24", number=200)
        (found,) = self.check(view(b"Your invoice 1"), OFTEN, network)
        self.assertIn("network “192.0.2.0/24” has sent 200", found.detail)

    def test_account(self):
        """
        Of an account it counts more.
        """
        calls = evolve(session(), account="ada", role="submission")
        excess = evolve(OFTEN, of=RateOf.ACCOUNT, key="ada")
        (found,) = self.check(view(b"Your invoice 1", calls), OFTEN, excess)
        self.assertEqual((found.symbol, found.score), ("SAME_SUBJECT_ACCOUNT", 3))

    def test_nothing(self):
        """
        Other subjects, none, other senders and what is over are not found.
        """
        other = evolve(session(), client="203.0.113.9")
        rate = evolve(OFTEN, amount=Amount.MESSAGES, subject="")
        for seen, excesses in (
            (view(b"Lunch"), [OFTEN]),
            (view(b""), [OFTEN, rate]),
            (view(b"Your invoice 1", other), [OFTEN]),
            (view(b"Your invoice 1", now=NOW + 600), [OFTEN]),
            (view(b"Your invoice 1"), []),
        ):
            self.assertEqual(self.check(seen, *excesses), [])
