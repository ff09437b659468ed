"""
Tests of L{mailgate.edge.sasl}.
"""

from base64 import b64encode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.edge.sasl import (
    LINE_LIMIT,
    MECHANISMS,
    Challenge,
    Credentials,
    Login,
    Lookup,
    Plain,
    Scram,
    Settled,
)
from mailgate.wire.scram import decoy
from mailgate.wire.smtp import Refused
from tests.wire.test_scram import FINAL, FIRST, NONCE, SERVER_FINAL, SERVER_FIRST, VERIFIER

OURS = NONCE.removeprefix("rOprNGfwEbeRWgbNEkqO")
"""Our part of the nonce in the example."""

ADA = Credentials("ada", "s\N{LATIN SMALL LETTER E WITH ACUTE}cret")


def line(data):
    """
    Give the answer C{data} as it stands on the wire.
    """
    return b64encode(data) + b"\r\n"


class MechanismCase(SynchronousTestCase):
    """
    What the tests of all mechanisms share.
    """

    def assert_refused(self, step, *arguments, code=501, enhanced="5.5.2"):
        """
        See that a step is refused, in words that hold nothing of what was said.
        """
        refused = self.assertRaises(Refused, step, *arguments)
        reply = refused.reply
        self.assertEqual((reply.code, reply.enhanced), (code, enhanced), arguments)
        self.assertNotIn("secret", reply.text)


class AnswerTests(MechanismCase):
    """
    How answers are read, whatever the mechanism.
    """

    def started(self):
        """
        Give the method that takes the next answer of each mechanism.
        """
        for make in MECHANISMS.values():
            mechanism = make()
            self.assertIsInstance(mechanism.start(None), Challenge)
            yield mechanism.respond

    def test_cancelled(self):
        """
        An asterisk ends the exchange.
        """
        for respond in self.started():
            self.assert_refused(respond, b"*\r\n", enhanced="5.7.0")

    def test_too_long(self):
        """
        A line has at most 12,288 bytes, line end and all.
        """
        for respond in self.started():
            data = b"x" * (LINE_LIMIT // 4 * 3)
            self.assert_refused(respond, line(data), code=500, enhanced="5.5.6")
            self.assertLessEqual(len(line(data[:-3])), LINE_LIMIT)
            self.assert_refused(respond, line(data[:-3]))

    def test_line_end(self):
        """
        A line ends with CR LF.
        """
        for respond in self.started():
            self.assert_refused(respond, b"AGEAYg==\n", code=500)
            self.assert_refused(respond, b"*\n", code=500)

    def test_base64(self):
        """
        An answer is base64 in its one form; an initial one may be an equals sign, if it is empty.
        """
        for make in MECHANISMS.values():
            for word in (b"AGEAYg=", b"A", b"=AGE", b"AGEAYg==\0", b"\xff", b"*", b"AGE AYg="):
                self.assert_refused(make().start, word)
                mechanism = make()
                mechanism.start(None)
                if word != b"*":
                    self.assert_refused(mechanism.respond, word + b"\r\n")
            self.assert_refused(make().start, b"=")

    def test_challenge(self):
        """
        A challenge is a reply of code 334 with base64.
        """
        self.assertEqual(Challenge(b"").encode(), b"334 \r\n")
        self.assertEqual(Challenge(b"Username:").encode(), b"334 VXNlcm5hbWU6\r\n")

    @given(
        st.sampled_from(sorted(MECHANISMS)),
        st.none() | st.binary(max_size=30),
        st.lists(st.binary(max_size=30) | st.binary(max_size=30).map(line), max_size=4),
    )
    def test_hostile(self, name, initial, lines):
        """
        Whatever is said, a mechanism gives a step or refuses with a reply.
        """
        mechanism = MECHANISMS[name]()
        try:
            step = mechanism.start(initial)
            for each in lines:
                if isinstance(step, Lookup):
                    step = mechanism.found(decoy(b"secret", step.name, 4096))
                if not isinstance(step, Challenge):
                    break
                step = mechanism.respond(each)
        except Refused as refused:
            self.assertIn(refused.reply.code, (500, 501, 535))


class PlainTests(MechanismCase):
    """
    Tests of PLAIN.
    """

    def test_initial(self):
        """
        Name and password may come with the command, with an identity that is the same.
        """
        secret = ADA.password.encode()
        self.assertEqual(Plain().start(b64encode(b"\0ada\0" + secret)), ADA)
        self.assertEqual(Plain().start(b64encode(b"ada\0ada\0" + secret)), ADA)

    def test_challenged(self):
        """
        Without them there is an empty challenge.
        """
        plain = Plain()
        self.assertEqual(plain.start(None), Challenge(b""))
        self.assertEqual(plain.respond(line(b"\0ada\0" + ADA.password.encode())), ADA)

    def test_other_identity(self):
        """
        Nobody acts as somebody else, known or not.
        """
        word = b64encode(b"bob\0ada\0secret")
        self.assert_refused(Plain().start, word, code=535, enhanced="5.7.8")

    def test_refused(self):
        """
        Anything but two NULs with a name and a password around the second is refused.
        """
        for data in (
            b"",
            b"ada",
            b"\0ada",
            b"\0ada\0",
            b"\0\0secret",
            b"\0ada\0secret\0",
            b"\0ada\0\xff",
            b"\0" + b"a" * 256 + b"\0secret",
        ):
            self.assert_refused(Plain().start, b64encode(data) or b"=")

    def test_password_is_not_shown(self):
        """
        The password does not appear where the credentials are logged by mistake.
        """
        self.assertNotIn(ADA.password, repr(ADA))


class LoginTests(MechanismCase):
    """
    Tests of LOGIN.
    """

    def test_both(self):
        """
        The name and the password are asked for.
        """
        login = Login()
        self.assertEqual(login.start(None), Challenge(b"Username:"))
        self.assertEqual(login.respond(line(b"ada")), Challenge(b"Password:"))
        self.assertEqual(login.respond(line(ADA.password.encode())), ADA)

    def test_initial(self):
        """
        The name may come with the command.
        """
        login = Login()
        self.assertEqual(login.start(b64encode(b"ada")), Challenge(b"Password:"))
        self.assertEqual(login.respond(line(ADA.password.encode())), ADA)

    def test_refused(self):
        """
        A name that is none is refused at once.
        """
        for name in (b"", b"a\0b", b"\xff", b"a" * 256):
            login = Login()
            login.start(None)
            self.assert_refused(login.respond, line(name))


class ScramTests(MechanismCase):
    """
    Tests of SCRAM-SHA-256, with the example of RFC 7677 section 3.
    """

    def begun(self, verifier=VERIFIER, first=FIRST):
        """
        Give an exchange in which the server has said its first message.
        """
        exchange = Scram(lambda: OURS)
        self.assertEqual(exchange.start(b64encode(first)), Lookup("user"))
        exchange.found(verifier)
        return exchange

    def test_example(self):
        """
        Both sides prove what they know; the client says the last word, which is empty.
        """
        exchange = Scram(lambda: OURS)
        self.assertEqual(exchange.start(None), Challenge(b""))
        self.assertEqual(exchange.respond(line(FIRST)), Lookup("user"))
        self.assertEqual(exchange.found(VERIFIER), Challenge(SERVER_FIRST.encode()))
        self.assertEqual(exchange.respond(line(FINAL)), Challenge(SERVER_FINAL))
        self.assertEqual(exchange.respond(b"\r\n"), Settled("user", True))

    def test_wrong(self):
        """
        A wrong proof settles it, and we prove nothing then; with a decoy every proof is wrong.
        """
        wrong = FINAL.replace(b"p=dHzb", b"p=AAAA")
        self.assertEqual(self.begun().respond(line(wrong)), Settled("user", False))
        for verifier in (decoy(b"secret", "user", 4096), decoy(b"other", "user", 4096)):
            exchange = self.begun(verifier)
            self.assertEqual(exchange.respond(line(FINAL)), Settled("user", False))

    def test_last_word(self):
        """
        Nothing may be said at the end.
        """
        exchange = self.begun()
        exchange.respond(line(FINAL))
        self.assert_refused(exchange.respond, line(b"x"))

    def test_other_exchange(self):
        """
        A final message of another exchange, or with another header, is refused.
        """
        self.assert_refused(self.begun().respond, line(FINAL.replace(b"hNlF$k0", b"hNlF$k1")))
        self.assert_refused(self.begun().respond, line(FINAL.replace(b"biws", b64encode(b"y,,"))))
        first = FIRST.replace(b"n,,", b"y,,")
        self.assert_refused(self.begun(first=first).respond, line(FINAL))

    def test_nonce(self):
        """
        Our nonce follows the client's, and is another each time.
        """
        nonces = set()
        for _ in range(10):
            exchange = Scram()
            exchange.start(b64encode(FIRST))
            said = exchange.found(VERIFIER).data.decode().split(",")[0]
            self.assertTrue(said.startswith("r=rOprNGfwEbeRWgbNEkqO"))
            nonces.add(said)
        self.assertEqual(len(nonces), 10)
        self.assertGreaterEqual(min(map(len, nonces)), 2 + 20 + 32)

    def test_other_identity(self):
        """
        Nobody acts as somebody else; to say oneself is fine.
        """
        word = b64encode(FIRST.replace(b"n,,", b"n,a=bob,"))
        self.assert_refused(Scram().start, word, code=535, enhanced="5.7.8")
        word = b64encode(FIRST.replace(b"n,,", b"n,a=user,"))
        self.assertEqual(Scram().start(word), Lookup("user"))

    def test_refused(self):
        """
        What is no message is refused, at either place.
        """
        for data in (b"x", b"p=tls-unique,,n=user,r=abc", b"n,,n=" + b"a" * 256 + b",r=abc"):
            self.assert_refused(Scram().start, b64encode(data))
        self.assert_refused(self.begun().respond, line(FIRST))
        self.assert_refused(self.begun().respond, b"\r\n")
