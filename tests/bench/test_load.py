"""
Tests of the figures that a run of the load comes to.
"""

from twisted.trial.unittest import SynchronousTestCase

from bench.load import general, parse_address, parse_size, percentile, summarise
from bench.sender import Mail, Result

MAIL = Mail("0", "a@example.net", "b@example.com", b"")


class SummariseTests(SynchronousTestCase):
    """
    Every result is counted once.
    """

    def test_accounting(self):
        """
        Outcomes and replies add up to the messages.
        """
        results = [
            Result(MAIL, "DOT", "250 2.0.0 ok", 0.010),
            Result(MAIL, "DOT", "250 2.0.0 ok", 0.020),
            Result(MAIL, "DOT", "550 5.7.1 no", 0.030),
            Result(MAIL, "RCPT", "250 odd", 0.040),
            Result(MAIL, "RCPT", "451 4.4.1 later", 0.050),
            Result(MAIL, "DOT", "", 0.060),
            Result(MAIL, "CONNECT", "", 0.070),
        ]
        summary = summarise(results, seconds=2, cpu_seconds=0.007)
        self.assertEqual(
            summary.outcomes,
            {"accepted": 2, "refused": 2, "deferred": 1, "unknown": 1, "unsent": 1},
        )
        self.assertEqual(sum(summary.replies.values()), 7)
        self.assertEqual(summary.replies["DOT: 250 2.0.0 ok"], 2)
        self.assertEqual(summary.rate, 3.5)
        self.assertAlmostEqual(summary.cpu, 1)
        self.assertEqual((summary.median, summary.percentile_99), (0.040, 0.070))
        self.assertFalse(summary.is_clean)

    def test_clean(self):
        """
        A run is clean if all messages were accepted.
        """
        self.assertTrue(summarise([Result(MAIL, "DOT", "250 ok", 1)], 1, 1).is_clean)

    def test_nothing(self):
        """
        A run without messages has figures too.
        """
        self.assertIn("0 messages", str(summarise([], 0, 0)))


class PercentileTests(SynchronousTestCase):
    """
    Percentiles are values that occurred.
    """

    def test_hundred(self):
        """
        Of the numbers 1 to 100 each is its own percentile.
        """
        numbers = [float(number) for number in range(1, 101)]
        self.assertEqual(
            [percentile(numbers, share) for share in (1, 50, 99, 100)], [1, 50, 99, 100]
        )

    def test_one(self):
        """
        A single value is every percentile.
        """
        self.assertEqual([percentile([3.0], share) for share in (0, 50, 99)], [3, 3, 3])


class GeneralTests(SynchronousTestCase):
    """
    Replies that differ only in ids count as the same.
    """

    def test_ids(self):
        """
        Trace ids, queue ids and the like are left out; words and codes stay.
        """
        replies = [
            "550 5.5.2 Bare carriage return not allowed (7q4m-x2vd-90kt)",
            "250 2.0.0 Ok: queued as 4Xy3kz1B2Cz9",
        ]
        self.assertEqual(
            [general(Result(MAIL, "DOT", reply, 0)) for reply in replies],
            [
                "DOT: 550 5.5.2 Bare carriage return not allowed (ID)",
                "DOT: 250 2.0.0 Ok: queued as ID",
            ],
        )

    def test_lines(self):
        """
        A reply of several lines becomes one line, no reply is said in words.
        """
        self.assertEqual(general(Result(MAIL, "MAIL", "550-a\n550 b", 0)), "MAIL: 550-a / 550 b")
        self.assertEqual(general(Result(MAIL, "DOT", "", 0)), "DOT: no reply")


class ParseTests(SynchronousTestCase):
    """
    Options are read as people write them.
    """

    def test_sizes(self):
        """
        Sizes are bytes, KiB or MiB.
        """
        self.assertEqual(
            [parse_size(text) for text in ("5000", "4k", "10M")], [5000, 4096, 10_485_760]
        )
        self.assertRaises(ValueError, parse_size, "k")

    def test_addresses(self):
        """
        Addresses are a host and a port.
        """
        self.assertEqual(parse_address("localhost:2525"), ("127.0.0.1", 2525))
        self.assertEqual(parse_address("192.0.2.1:25"), ("192.0.2.1", 25))
        self.assertEqual(parse_address("[::1]:25"), ("::1", 25))
        self.assertRaises(ValueError, parse_address, "localhost")
