"""
Tests of L{mailgate.wire.scram_client}, against the example of RFC 7677 and our own server's side.
"""

from base64 import b64encode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.wire.scram import (
    ClientFinal,
    ClientFirst,
    ScramError,
    is_proven,
    make_verifier,
    server_final,
    server_first,
)
from mailgate.wire.scram_client import Challenge, answer, bare_first, first, salted
from tests.wire.test_scram import FINAL, FIRST, NONCE, SERVER_FINAL, SERVER_FIRST

OURS = "rOprNGfwEbeRWgbNEkqO"


class ExampleTests(SynchronousTestCase):
    """
    The exchange of RFC 7677 section 3.
    """

    def test_example(self):
        """
        Its messages are written and read as they stand there, and the server's proof is right.
        """
        bare = bare_first("user", OURS)
        self.assertEqual(first(bare), FIRST)
        challenge = Challenge.parse(SERVER_FIRST.encode(), OURS)
        self.assertEqual((challenge.nonce, challenge.iterations), (NONCE, 4096))
        given = answer(bare, challenge, salted("pencil", challenge.salt, challenge.iterations))
        self.assertEqual(given.message, FINAL)
        self.assertTrue(given.is_proven(SERVER_FINAL))
        for wrong in (b"", b"v=", SERVER_FINAL[:-1], SERVER_FINAL + b"x", b"e=other-error"):
            self.assertFalse(given.is_proven(wrong))


class ChallengeTests(SynchronousTestCase):
    """
    Tests of the server's first message.
    """

    def test_wrong(self):
        """
        What is none, what is for another client, and what asks for too little or too much is
        refused.
        """
        salt = b64encode(bytes(16)).decode()
        for text in (
            "",
            f"r={OURS},s={salt},i=4096",
            f"r=other,s={salt},i=4096",
            f"r={OURS}x,s={salt},i=4095",
            f"r={OURS}x,s={salt},i=1000001",
            f"r={OURS}x,s={salt},i=0",
            f"r={OURS}x,s={salt},i=-1",
            f"r={OURS}x,s=!,i=4096",
            f"r={OURS}x,s=QQ,i=4096",
            f"m=x,r={OURS}x,s={salt},i=4096",
            f"r={OURS} x,s={salt},i=4096",
            "e=other-error",
        ):
            with self.assertRaises(ScramError, msg=text):
                Challenge.parse(text.encode(), OURS)
        with self.assertRaises(ScramError):
            Challenge.parse(b"\xff", OURS)

    def test_extensions(self):
        """
        Extensions that nobody must know are passed over.
        """
        challenge = Challenge.parse(f"r={OURS}x,s=QUI=,i=4096,x=y".encode(), OURS)
        self.assertEqual((challenge.salt, challenge.iterations), (b"AB", 4096))


class BothSidesTests(SynchronousTestCase):
    """
    Our client before our server.
    """

    @given(st.text("ab=,üé +\u00ad", min_size=1), st.text(min_size=1, max_size=9))
    def test_any_name(self, name, other):
        """
        Any name comes over, and the right password alone is proven.
        """
        bare = bare_first(name, OURS)
        try:
            read = ClientFirst.parse(first(bare))
        except ScramError:
            # Nothing is left of the name.
            self.assertIn("n=,", bare)
            return
        verifier = make_verifier("pencil", b"salt", 4096)
        said = server_first(verifier, f"{read.nonce}server")
        challenge = Challenge.parse(said.encode(), OURS)
        for password in ("pencil", other):
            given = answer(bare, challenge, salted(password, b"salt", 4096))
            final = ClientFinal.parse(given.message)
            signed = f"{read.bare},{said},{final.bare}".encode()
            is_right = password == "pencil"
            self.assertEqual(is_proven(verifier, signed, final.proof), is_right)
            self.assertEqual(given.is_proven(server_final(verifier, signed)), is_right)
