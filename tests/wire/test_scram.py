"""
Tests of L{mailgate.wire.scram}.
"""

from base64 import b64decode

from twisted.trial.unittest import SynchronousTestCase

from mailgate.wire.scram import (
    ClientFinal,
    ClientFirst,
    ScramError,
    ScramVerifier,
    decoy,
    is_proven,
    make_verifier,
    server_final,
    server_first,
)

# The example of RFC 7677 section 3.
NONCE = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
SERVER_FIRST = f"r={NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
FINAL = f"c=biws,r={NONCE},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=".encode()
SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
VERIFIER = make_verifier("pencil", b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)


class ExampleTests(SynchronousTestCase):
    """
    The exchange of RFC 7677 section 3.
    """

    def test_example(self):
        """
        Its messages are read and written as they stand there, and the proof is right.
        """
        first, final = ClientFirst.parse(FIRST), ClientFinal.parse(FINAL)
        self.assertEqual(
            (first.header, first.authzid, first.name, first.nonce),
            ("n,,", "", "user", "rOprNGfwEbeRWgbNEkqO"),
        )
        self.assertEqual((final.header, final.nonce), ("n,,", NONCE))
        self.assertEqual(server_first(VERIFIER, NONCE), SERVER_FIRST)
        signed = f"{first.bare},{SERVER_FIRST},{final.bare}".encode()
        self.assertTrue(is_proven(VERIFIER, signed, final.proof))
        self.assertEqual(server_final(VERIFIER, signed), SERVER_FINAL)

    def test_wrong(self):
        """
        Another proof, another password and other messages prove nothing.
        """
        first, final = ClientFirst.parse(FIRST), ClientFinal.parse(FINAL)
        signed = f"{first.bare},{SERVER_FIRST},{final.bare}".encode()
        self.assertFalse(is_proven(VERIFIER, signed, bytes(32)))
        self.assertFalse(is_proven(VERIFIER, signed + b"x", final.proof))
        other = make_verifier("pencils", VERIFIER.salt, 4096)
        self.assertFalse(is_proven(other, signed, final.proof))


class MessageTests(SynchronousTestCase):
    """
    Tests of the client's messages.
    """

    def test_first(self):
        """
        Names are unescaped, an identity and extensions are read.
        """
        first = ClientFirst.parse(b"y,a=ada=2Cx,n=a=3Db=2Cc,r=abc,x=1,y=")
        self.assertEqual(first.header, "y,a=ada=2Cx,")
        self.assertEqual((first.authzid, first.name, first.nonce), ("ada,x", "a=b,c", "abc"))
        self.assertEqual(first.bare, "n=a=3Db=2Cc,r=abc,x=1,y=")

    def test_first_refused(self):
        """
        A message that is none, channel binding and unknown obligations are refused.
        """
        for data in (
            b"",
            b"n,,n=,r=abc",
            b"n,,n=ada,r=",
            b"n,,n=ada,r=a b",
            b"n,,n=ada",
            b"n,,r=abc,n=ada",
            b"n,,m=x,n=ada,r=abc",
            b"n,n=ada,r=abc",
            b"n,a=,n=ada,r=abc",
            b"x,,n=ada,r=abc",
            b"p=tls-unique,,n=ada,r=abc",
            b"n,,n=a=b,r=abc",
            b"n,,n=a=2c,r=abc",
            b"n,,n=a\0b,r=abc",
            b"n,,n=\xff,r=abc",
            b"n,,n=ada,r=abc,",
            b"n,,n=ada,r=abc\n",
        ):
            self.assertRaises(ScramError, ClientFirst.parse, data)

    def test_final(self):
        """
        Extensions before the proof are part of what is signed.
        """
        proof = b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
        final = ClientFinal.parse(b"c=biws,r=abc,x=p=1,p=" + proof)
        self.assertEqual((final.bare, final.proof), ("c=biws,r=abc,x=p=1", bytes(32)))

    def test_final_refused(self):
        """
        A message that is none, and a proof of another length, are refused.
        """
        proof = b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
        for data in (
            b"",
            b"c=biws,r=abc",
            b"c=biws,r=abc,p=",
            b"c=biws,r=abc,p=AAAA",
            b"c=biws,p=" + proof,
            b"r=abc,p=" + proof,
            b"c=biw,r=abc,p=" + proof,
            b"c=/w==,r=abc,p=" + proof,
            b"c=biws,r=abc,p=" + proof[:-1] + b"\n",
            b"c=biws,r=abc,p=" + proof + b",x=1",
            b"\xff",
        ):
            self.assertRaises(ScramError, ClientFinal.parse, data)


class VerifierTests(SynchronousTestCase):
    """
    Tests of what is kept of a password.
    """

    def test_written(self):
        """
        A verifier is written and read as RFC 5803 has it, and shows no key by accident.
        """
        text = str(VERIFIER)
        self.assertTrue(text.startswith("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"))
        self.assertEqual(ScramVerifier.parse(text), VERIFIER)
        self.assertNotIn("key", repr(VERIFIER))

    def test_refused(self):
        """
        Anything else is no verifier.
        """
        good = str(VERIFIER)
        for text in (
            "",
            "-",
            good.replace("256", "1"),
            good.replace("4096", "0"),
            good.replace("4096", "99999999"),
            good[:-4],
            good + "=",
            good.replace("==$", "$"),
        ):
            self.assertRaises(ScramError, ScramVerifier.parse, text)

    def test_prepared(self):
        """
        A password is prepared before it is hashed.
        """
        self.assertEqual(make_verifier("I\u00adX", b"salt", 1), make_verifier("IX", b"salt", 1))

    def test_decoy(self):
        """
        The decoy of a name stays the same, is another for each name and each secret, and looks
        like what an account has.
        """
        made = decoy(b"secret", "eve", 4096)
        self.assertEqual(decoy(b"secret", "eve", 4096), made)
        for other in (decoy(b"secret", "bob", 4096), decoy(b"other", "eve", 4096)):
            self.assertNotEqual(other.salt, made.salt)
            self.assertNotEqual(other.stored_key, made.stored_key)
        self.assertEqual(len(made.salt), len(VERIFIER.salt))
        self.assertEqual(made.iterations, 4096)
        self.assertNotEqual(made.stored_key, made.server_key)
