"""
Tests of L{mailgate.rewrite.forged}.
"""

from time import process_time

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.rewrite.forged import without_results
from mailgate.rewrite.headers import HeaderRewriter
from mailgate.verdict import Action, Verdict
from tests.authentication.sealing import Sealer
from tests.authentication.signing import ed25519_key
from tests.authentication.test_arc import LIST, MESSAGE, checked, passing, sealed
from tests.rewrite.test_headers import MemoryMessage, data_of

HOST = "mail.example.com"
PIECES = (
    *(b"Authentication-Results:", b"ARC-", b"mail.example.com", b"i=1", b"x", b"\xff"),
    *(b";", b"(", b")", b'"', b"\\", b" ", b"\r\n", b"\r\n "),
)
"""What headers with results are made of."""

REST = b"From: a@example.org\r\nSubject: a\r\n b\r\n"


class ResultsTests(SynchronousTestCase):
    """
    Tests of what claims to be ours.
    """

    def test_a16_forged_results(self):
        """
        A field with our name goes, however it is written, and its folded lines with it.
        """
        for forged in (
            b"Authentication-Results: mail.example.com; spf=pass\r\n",
            b"authentication-results:mail.example.com;none\r\n",
            b"AUTHENTICATION-RESULTS : MAIL.Example.COM 1;\r\n\tdkim=pass\r\n",
            b"Authentication-Results:\r\n mail.example.com;\r\n spf=pass\r\n",
            b"Authentication-Results: mail.example.com. ; spf=pass\r\n",
            b'Authentication-Results: "mail.example.com"; spf=pass\r\n',
            b'Authentication-Results: "mail\\.example.com"; spf=pass\r\n',
            b"Authentication-Results: (a; (b) \\) c) mail.example.com; spf=pass\r\n",
            b"Authentication-Results: mail.example.com(;)1; spf=pass\r\n",
            b"Authentication-Results: mail.example.com\r\n",
            b"Authentication-Results: (mail.example.com; spf=pass\r\n",
            b"Authentication-Results: ; spf=pass\r\n",
            b"Authentication-Results:\r\n",
            b"ARC-Authentication-Results: i=1; mail.example.com; spf=pass\r\n",
            b"arc-authentication-results: I = 1;(x) mail.example.com; spf=pass\r\n",
        ):
            for before, after in ((b"", REST), (REST, b""), (REST, REST)):
                kept = without_results(before + forged + after + b"\r\n", HOST)
                self.assertEqual(kept, before + after + b"\r\n", forged)

    def test_a16_what_others_say(self):
        """
        What others say stays, by reference, also where they name us.
        """
        for theirs in (
            b"Authentication-Results: mx.example.org; spf=pass smtp.helo=mail.example.com\r\n",
            b"Authentication-Results: mx.mail.example.com; none\r\n",
            b"Authentication-Results: mail.example.com.example.org; none\r\n",
            b"Authentication-Results: (mail.example.com) mx.example.org; none\r\n",
            b"X-Authentication-Results: mail.example.com; spf=pass\r\n",
            b"Authentication-Results-More: mail.example.com; spf=pass\r\n",
            b"Subject: x\r\n Authentication-Results: mail.example.com; spf=pass\r\n",
            b"ARC-Authentication-Results: i=1; mx.example.org; spf=pass\r\n"
            b"ARC-Message-Signature: i=1; d=mail.example.com\r\nARC-Seal: i=1; cv=none\r\n",
        ):
            section = REST + theirs + b"\r\n"
            self.assertIs(without_results(section, HOST), section, theirs)

    def test_a16_forged_arc(self):
        """
        Of ARC the whole set with our name goes, and the other ones stay.
        """
        first = (
            b"ARC-Seal: i=1; cv=none; d=example.org\r\n"
            b"ARC-Message-Signature: a=x; i=1; d=example.org\r\n"
            b"ARC-Authentication-Results: i=1; mx.example.org; none\r\n"
        )
        second = first.replace(b"i=1", b"i=2").replace(b"mx.example.org", b"mail.example.com")
        self.assertEqual(without_results(second + first + REST, HOST), first + REST)

    def test_a16_what_is_left_of_a_chain(self):
        """
        Without a newest set that was forged a chain is what it was before; where others have sealed
        above one it fails.
        """
        evil = Sealer("relay.example", "s1", ed25519_key())
        before = sealed(MESSAGE, LIST)
        forged = sealed(before, evil, results=passing(server=HOST))
        above = sealed(forged, LIST)
        for message, is_whole in ((forged, True), (above, False)):
            self.assertEqual(checked(message).result, "pass")
            section, _, body = message.partition(b"\r\n\r\n")
            left = without_results(section + b"\r\n", HOST) + b"\r\n" + body
            self.assertEqual(left == before, is_whole)
            self.assertEqual(checked(left).result, "pass" if is_whole else "fail")

    def test_a16_cheap(self):
        """
        The longest header section there may be costs less than a second, whatever is in it.
        """
        for piece in (b"(", b"\\", b'"', b"i=1;", b"a\r\n ", b"\r\nAuthentication-Results:"):
            section = b"Authentication-Results: " + piece * (250_000 // len(piece))
            began = process_time()
            without_results(section + b"\r\nARC-Seal: i=1\r\n\r\n", HOST)
            self.assertLess(process_time() - began, 1.0, piece)

    @given(st.lists(st.sampled_from(PIECES), max_size=20).map(b"".join))
    @example(b"ARC-Authentication-Results:i=1;mail.example.com\r\nARC-Seal:i=1")
    def test_whatever_comes(self, section):
        """
        Never does it fail, or do more the second time.
        """
        kept = without_results(section, HOST)
        self.assertEqual(without_results(kept, HOST), kept)

    def test_a16_rewriter(self):
        """
        The rewriter of messages takes them out together with our own fields.
        """
        forged = b"X-Mailgate-Score: 1\r\nAuthentication-Results: mail.example.com; spf=pass\r\n"
        message = HeaderRewriter(hostname=HOST).apply(
            "7q4m-x2vd-90kt",
            Verdict(Action.ACCEPT, (), 0.0),
            MemoryMessage((forged + REST + b"\r\nbody",), b""),
        )
        self.assertEqual(data_of(message), REST + b"\r\nbody")
