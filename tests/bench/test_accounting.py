"""
Tests of the accounting of what was sent and what is there.
"""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bench.accounting import Account, Seen, account, normalised

MESSAGES = st.lists(st.builds(Seen, st.sampled_from("abc"), st.sampled_from("xyz")), max_size=12)
A_X, A_Y, B_X, C_X = Seen("a", "x"), Seen("a", "y"), Seen("b", "x"), Seen("c", "x")


class NormalisedTests(SynchronousTestCase):
    """
    Files are sent with CRLF and otherwise as they are.
    """

    def test_lines(self):
        """
        LF becomes CRLF, CRLF stays, also where a file has both.
        """
        for raw in (b"a\nb\n", b"a\r\nb\r\n", b"a\r\nb\n", b"a\nb"):
            self.assertEqual(normalised(raw), b"a\r\nb\r\n")

    def test_the_rest_stays(self):
        """
        A bare CR, also before CRLF, a NUL and 8-bit bytes are not mended.
        """
        self.assertEqual(normalised(b"a\rb\0\xff\n\r\r\n"), b"a\rb\0\xff\r\n\r\r\n")


class SeenTests(SynchronousTestCase):
    """
    A message is recognised after its way through the gateway.
    """

    def test_same_after_the_way(self):
        """
        Neither line ends nor headers set before the message's own change what it is.
        """
        for message in (
            b"From: a\r\nMessage-Id:\r\n <1@example.net>\r\n\r\nbody\r\n",
            b"From: a\r\n\r\nno id\r\n",
            b"\r\nno headers\r\n",
            b"From: a\r\n",
        ):
            received = b"Received: by x\nX-Mailgate-Verdict: accept\n" + message.replace(
                b"\r\n", b"\n"
            )
            self.assertEqual(Seen.of(message), Seen.of(received))

    def test_key(self):
        """
        The key is the Message-ID of the headers, unfolded; without one the body decides.
        """
        self.assertEqual(
            Seen.of(b"Message-ID:\n\t<1@x>\nTo: b\n\nMessage-ID: <2@x>\n").key, "<1@x>"
        )
        bare = Seen.of(b"To: b\n\nMessage-ID: <2@x>\n")
        self.assertEqual(bare.key, f"sha256:{bare.body}")
        self.assertEqual(Seen.of(b"Message-ID:\nTo: b\n\nx\n").key[:7], "sha256:")

    def test_body(self):
        """
        A single changed byte in the body is another body.
        """
        head = b"Message-ID: <1@x>\n\n"
        self.assertNotEqual(Seen.of(head + b"x\n"), Seen.of(head + b"x \n"))

    def test_tagged(self):
        """
        The gateway's verdict is read from its header.
        """
        self.assertTrue(Seen.of(b"X-Mailgate-Verdict: tag\nTo: b\n\n").is_tagged)
        self.assertFalse(
            Seen.of(b"X-Mailgate-Verdict: accept\nTo: b\n\nX-Mailgate-Verdict: tag\n").is_tagged
        )


class AccountTests(SynchronousTestCase):
    """
    What is missing, there too often or altered is named, as often as it occurs.
    """

    def test_nothing_wrong(self):
        """
        Everything once and unaltered balances, also for messages that share a Message-ID.
        """
        sent = [A_X, A_X, A_Y, B_X]
        self.assertEqual(account(sent, [], [C_X], sent[::-1]), Account((), (), (), 0))

    def test_missing(self):
        """
        What was accepted and is not there is missing.
        """
        self.assertEqual(account([A_X, A_X, B_X], [], [], [A_X]).missing, ("a", "b"))

    def test_twice(self):
        """
        What is there more often than it was sent is a surplus.
        """
        self.assertEqual(account([A_X, B_X], [], [], [A_X, A_X, A_X, B_X]).surplus, ("a", "a"))

    def test_refused_but_there(self):
        """
        What was refused may not be there.
        """
        self.assertEqual(account([A_X], [], [B_X], [A_X, B_X]).surplus, ("b",))

    def test_altered(self):
        """
        The right Message-ID with another body is altered, neither missing nor a surplus.
        """
        self.assertEqual(account([A_X], [], [], [A_Y]), Account((), (), ("a",), 0))

    def test_unknown(self):
        """
        A message without a reply may be there once, or not at all.
        """
        for found in ([], [A_X]):
            self.assertTrue(account([], [A_X], [], found).is_balanced)
        self.assertEqual(account([], [A_X], [], [A_X, A_X]).surplus, ("a",))

    def test_foreign(self):
        """
        What nobody sent in this run is counted and no fault.
        """
        result = account([A_X], [], [], [A_X, C_X])
        self.assertEqual((result.foreign, result.is_balanced), (1, True))

    @given(MESSAGES, MESSAGES)
    def test_sums(self, accepted, found):
        """
        Found is sent, less what is missing, plus the surplus and what is foreign; nothing is
        wrong if and only if each is there as often as it was sent.
        """
        result = account(accepted, [], [], found)
        self.assertEqual(
            len(found),
            len(accepted) - len(result.missing) + len(result.surplus) + result.foreign,
        )
        keys = {message.key for message in accepted}
        present = Counter(message for message in found if message.key in keys)
        self.assertEqual(result.is_balanced, present == Counter(accepted))
