"""
Tests of L{mailgate.checks.penalty}.
"""

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.known import Known
from mailgate.checks.penalty import PenaltyCheck
from mailgate.config.model import Relays
from mailgate.judging import make_pipeline
from mailgate.knowledge.penalty import HOUR, Penalties, Penalty
from mailgate.message.envelope import Envelope
from mailgate.message.message import MemoryMessage
from mailgate.pipeline.view import View
from mailgate.store.threads import ImmediateThreads
from mailgate.verdict import Action
from mailgate.wire.address import Address
from tests.checks.given import NOW, session, settings

ADA = Address("ada", "example.com")
EVE = Address("eve", "example.org")
BAD = Penalty("192.0.2.7", 0.0, 40.0, NOW)
NETWORK = Penalty("192.0.2.0/24", 10.0, 30.0, NOW)


def view(calls=None, now=NOW):
    """
    Give what the check sees of a recipient.
    """
    calls = calls or session()
    envelope = Envelope(calls, "7q4m-x2vd-90kt", EVE, NOW)
    return View(calls, now, ({},), {}, envelope, None, (), ADA)


class PenaltyTests(SynchronousTestCase):
    """
    Tests of L{PenaltyCheck}.
    """

    def check(self, seen, *penalties, **options):
        """
        Give what is found.
        """
        given = settings(penalty=options)
        return list(PenaltyCheck.from_settings(given, Penalties(penalties)).check(seen))

    def test_nobody(self):
        """
        Who is not in the box is not found, nor who is not bad enough by these settings.
        """
        self.assertEqual(self.check(view()), [])
        self.assertEqual(self.check(view(), evolve(BAD, name="192.0.2.8")), [])
        self.assertEqual(self.check(view(), BAD, from_points=41.0), [])

    def test_score(self):
        """
        The score is as large as the bad part of the points.
        """
        (found,) = self.check(view(), BAD)
        self.assertEqual((found.symbol, found.score), ("PENALTY_ADDRESS", 3.0))
        self.assertIn(
            "from 192.0.2.7 lately 40.0 points speak against it and 0.0 for it.", found.detail
        )
        self.assertEqual(found.public, "too much unwanted mail came from 192.0.2.7 lately")
        (found,) = self.check(view(), NETWORK)
        self.assertEqual((found.symbol, found.score), ("PENALTY_NETWORK", 0.75))

    def test_once(self):
        """
        What an address has done counts once, though its network is in the box for it as well; of
        the two it is that for which enough was seen to refuse.
        """
        (found,) = self.check(view(), BAD, NETWORK)
        self.assertEqual(found.symbol, "PENALTY_ADDRESS")
        (found,) = self.check(view(), evolve(BAD, bad=5.0), NETWORK)
        self.assertEqual((found.symbol, found.is_enforced), ("PENALTY_NETWORK", True))

    def test_ipv6(self):
        """
        The network of an IPv6 client is the client.
        """
        (found,) = self.check(
            view(session(client="2001:db8::7")), evolve(BAD, name="2001:db8::/64")
        )
        self.assertEqual((found.symbol, found.score), ("PENALTY_ADDRESS", 3.0))

    def test_time(self):
        """
        With time it is less, then not enough to refuse, then nothing.
        """
        for days, symbols, is_enforced in ((1, 1, True), (2, 1, False), (3.4, 0, None)):
            found = self.check(view(now=NOW + days * 24 * HOUR), BAD)
            self.assertEqual(len(found), symbols)
            for each in found:
                self.assertIs(each.is_enforced, is_enforced)

    def test_spared(self):
        """
        People and machines of ours, LMTP and exempt networks are left alone.
        """
        for calls in (
            evolve(session(), account="ada"),
            evolve(session(), role="submission"),
            evolve(session(), role="internal"),
            evolve(session(), role="lmtp"),
            session(client="nobody"),
        ):
            self.assertEqual(self.check(view(calls), BAD, NETWORK), [])
        self.assertEqual(self.check(view(), BAD, exempt_networks=("192.0.2.0/28",)), [])

    def judge(self, client, relays=(), **options):
        """
        Give the verdicts on ada, on postmaster and on a message that names a stranger.
        """
        off = {name: {"mode": "off"} for name in ("spf", "dmarc", "names", "dnslists")}
        given = settings(**off, penalty=options).model_copy(
            update={"relays": Relays(networks=relays)}
        )
        calls = session(client=client)
        pipeline = make_pipeline(
            given,
            Known(penalties=Penalties([BAD, evolve(BAD, name="185.1.2.3")])),
            ImmediateThreads(),
            Clock(),
            lambda: NOW,
        )
        judge = pipeline.open(calls)
        judge.connected()
        judge.greeted(calls)
        transaction = judge.begin(Envelope(calls, "7q4m-x2vd-90kt", EVE, NOW))
        transaction.mail()
        replies = [
            transaction.rcpt(Address(name, "example.com")).reply for name in ("ada", "postmaster")
        ]
        received = (
            b"Received: from evil.example.org (evil.example.org [185.1.2.3])\r\n"
            b"\tby mx.example.net; Fri, 15 Jan 2027 08:00:00 +0000\r\n"
        )
        verdicts = transaction.message(MemoryMessage((received + b"Subject: x\r\n\r\nHi\r\n",)))
        return replies, verdicts, transaction.origin

    def test_enforce(self):
        """
        Enforced, who has enough points is refused at RCPT and told why; postmaster is taken.
        """
        (refused, taken), _, origin = self.judge("192.0.2.7", mode="enforce")
        self.assertEqual(
            str(refused),
            "550 5.7.1 too much unwanted mail came from 192.0.2.7 lately (7q4m-x2vd-90kt)",
        )
        self.assertIsNone(taken)
        self.assertEqual(origin, "")
        (later, _), _, _ = self.judge("192.0.2.7", mode="enforce", action="defer")
        self.assertEqual(later.code, 451)
        (taken, _), _, _ = self.judge("192.0.2.7", mode="enforce", enforce_points=50.0)
        self.assertIsNone(taken)

    def test_relay(self):
        """
        Of what a relay brings the stranger is judged, and named for the record.
        """
        relays = ("203.0.113.1/32",)
        replies, verdicts, origin = self.judge("203.0.113.1", relays, mode="enforce")
        self.assertEqual(replies, [None, None])
        for verdict in verdicts:
            self.assertIn("PENALTY_ADDRESS", [each.symbol for each in verdict.findings])
            self.assertIs(verdict.action, Action.QUARANTINE)
        self.assertEqual(origin, "185.1.2.3")
