"""
Tests of L{mailgate.edge.attempts}.
"""

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.model import ClientLimits
from mailgate.edge.attempts import TOO_MANY, Attempts


class AttemptsTests(SynchronousTestCase):
    """
    Tests of how often may be tried.
    """

    def setUp(self):
        """
        Make the limits with their defaults.
        """
        self.clock = Clock()
        self.attempts = Attempts(ClientLimits(), self.clock)

    def fail_from(self, client, name="ada", times=1):
        """
        Fail to log in.
        """
        for _ in range(times):
            self.assertIsNone(self.attempts.begin(client, name))

    def test_address(self):
        """
        A30: after ten failures of an address within ten minutes it gets 454, whatever the name,
        and before it is said; others are heard.
        """
        self.fail_from("192.0.2.7", times=9)
        self.fail_from("192.0.2.7", "bob")
        self.assertEqual(self.attempts.begin("192.0.2.7", "eve"), TOO_MANY)
        self.assertEqual(self.attempts.refusal("192.0.2.7"), TOO_MANY)
        self.assertEqual((TOO_MANY.code, TOO_MANY.enhanced), (454, "4.7.0"))
        self.assertIsNone(self.attempts.refusal("192.0.2.8"))
        self.clock.advance(600)
        self.assertIsNone(self.attempts.begin("192.0.2.7", "eve"))

    def test_refused_does_not_count(self):
        """
        What was answered with 454 does not make the wait longer.
        """
        self.fail_from("192.0.2.7", times=10)
        self.clock.advance(599)
        for _ in range(20):
            self.assertEqual(self.attempts.begin("192.0.2.7", "ada"), TOO_MANY)
        self.clock.advance(1)
        self.assertIsNone(self.attempts.begin("192.0.2.7", "ada"))

    def test_network(self):
        """
        All of an IPv6 client's /64 network is one address.
        """
        for number in range(10):
            self.fail_from(f"2001:db8::{number}:1")
        self.assertEqual(self.attempts.refusal("2001:db8::ffff"), TOO_MANY)
        self.assertIsNone(self.attempts.refusal("2001:db8:0:1::1"))

    def test_account(self):
        """
        After twenty failures of an account from anywhere within ten minutes it gets 454, however
        its name is written; other accounts are heard.
        """
        for number in range(20):
            self.fail_from(f"192.0.2.{number}", "Ada")
        self.assertEqual(self.attempts.begin("192.0.2.77", "ada"), TOO_MANY)
        self.assertEqual(self.attempts.refusal("192.0.2.77", "ADA"), TOO_MANY)
        self.assertIsNone(self.attempts.refusal("192.0.2.77"))
        self.assertIsNone(self.attempts.begin("192.0.2.77", "bob"))
        self.clock.advance(600)
        self.assertIsNone(self.attempts.begin("192.0.2.77", "ada"))

    def test_known(self):
        """
        Who has logged in to an account lately is not kept out by the failures of others, but by
        its own.
        """
        self.fail_from("198.51.100.1")
        self.attempts.succeeded("198.51.100.1", "ada")
        for number in range(20):
            self.fail_from(f"192.0.2.{number}")
        self.assertEqual(self.attempts.begin("198.51.100.2", "ada"), TOO_MANY)
        self.fail_from("198.51.100.1", times=10)
        self.assertEqual(self.attempts.begin("198.51.100.1", "ada"), TOO_MANY)

    def test_success_is_no_failure(self):
        """
        Any number of log-ins that succeed is fine, and they make no failure forgotten: who has
        an account cannot guess at others in between.
        """
        for _ in range(9):
            self.fail_from("192.0.2.7", "ada")
            for _ in range(3):
                self.fail_from("192.0.2.7", "eve")
                self.attempts.succeeded("192.0.2.7", "eve")
        self.fail_from("192.0.2.7", "ada")
        self.assertEqual(self.attempts.begin("192.0.2.7", "eve"), TOO_MANY)

    def test_at_the_same_time(self):
        """
        Of many attempts at the same time, no more than ten are looked at.
        """
        refused = [self.attempts.begin("192.0.2.7", f"name{each}") for each in range(50)]
        self.assertEqual(refused, [None] * 10 + [TOO_MANY] * 40)

    def test_taken_back(self):
        """
        An attempt that could not be looked at does not count.
        """
        for _ in range(50):
            self.fail_from("192.0.2.7")
            self.attempts.take_back("192.0.2.7", "ada")

    def test_own_machine(self):
        """
        Many may log in through our own machine; an account is protected there too.
        """
        for number in range(50):
            self.fail_from("127.0.0.1", f"name{number}")
        self.fail_from("127.0.0.1", "ada", times=20)
        self.assertEqual(self.attempts.begin("127.0.0.1", "ada"), TOO_MANY)

    def test_told(self):
        """
        What is not looked at is told, with the client and without the name.
        """
        self.fail_from("192.0.2.7", times=10)
        with capturedLogs() as events:
            self.attempts.begin("192.0.2.7", "secret")
        (event,) = events
        self.assertEqual((event["event"], event["client"]), ("login.limited", "192.0.2.7"))
        self.assertNotIn("secret", repr(event))
