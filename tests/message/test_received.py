"""
Tests of L{mailgate.message.received}.
"""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.received import received_header
from tests.storage import ADA, ENVELOPE
from tests.zone import central_european_time


class ReceivedTests(SynchronousTestCase):
    """
    Tests of when a message was received.
    """

    def received(self, moment):
        """
        Say when it was, as the header does.
        """
        header = received_header("mail.example.com", evolve(ENVELOPE, received=moment), [ADA])
        return header.decode().splitlines()[-1].strip()

    def test_f13_hour_that_comes_twice(self):
        """
        Of the hour that comes twice in October, the zone tells which one it was.
        """
        central_european_time(self)
        twice = 1792888200
        self.assertEqual(self.received(twice), "Sun, 25 Oct 2026 02:30:00 +0200")
        self.assertEqual(self.received(twice + 3600), "Sun, 25 Oct 2026 02:30:00 +0100")

    def test_f13_2038(self):
        """
        After 2038 and 2106, when 31 and 32 bits are full, time goes on.
        """
        central_european_time(self)
        self.assertEqual(self.received(2**31), "Tue, 19 Jan 2038 04:14:08 +0100")
        self.assertEqual(self.received(2**32), "Sun, 07 Feb 2106 07:28:16 +0100")
