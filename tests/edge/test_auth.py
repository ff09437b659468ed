"""
Tests of L{mailgate.edge.auth}.
"""

from base64 import b64decode, b64encode
from hashlib import pbkdf2_hmac, sha256
from hmac import digest

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailgate.config.model import ClientLimits
from mailgate.edge.attempts import TOO_MANY, Attempts
from mailgate.edge.auth import DENIED, UNAVAILABLE, UNKNOWN_MECHANISM, WRONG_USE, Authentication
from mailgate.edge.sasl import Challenge
from mailgate.interfaces import Account, AccountsUnavailable, IAccounts
from mailgate.reply import Reply
from mailgate.wire.saslprep import name_key
from mailgate.wire.scram import decoy, make_verifier

ADA = Account("Ada", frozenset(["ada@example.com"]))
PASSWORD = "correct horse battery"
VERIFIER = make_verifier(PASSWORD, b"salt of 16 bytes", 4096)


@implementer(IAccounts)
class ScriptedAccounts:
    """
    Accounts with ada in them, who may be slow or not there.
    """

    def __init__(self):
        self.has_scram = True
        self.is_available = True
        self.waiting = None
        """Where verifications wait, or C{None}: they do not."""

        self.asked = 0

    def verify(self, name, password):
        """
        Verify a password.
        """
        self.asked += 1
        is_right = (name_key(name), password) == ("ada", PASSWORD)
        return self._answer(ADA if is_right else None)

    def verifier(self, name):
        """
        Give a verifier.
        """
        known = VERIFIER if name_key(name) == "ada" else decoy(b"secret", name, 4096)
        return self._answer(known)

    def find(self, name):
        """
        Find an account.
        """
        return ADA if name_key(name) == "ada" and self.is_available else None

    def _answer(self, value):
        done = Deferred()
        if not self.is_available:
            done.errback(AccountsUnavailable("gone"))
        elif self.waiting is not None:
            self.waiting.append(lambda: done.callback(value))
        else:
            done.callback(value)
        return done


def proof(password, server_first, first):
    """
    Give a SCRAM client's final message.
    """
    said = dict(part.split("=", 1) for part in server_first.split(","))
    salted = pbkdf2_hmac("sha256", password.encode(), b64decode(said["s"]), int(said["i"]))
    client_key = digest(salted, b"Client Key", "sha256")
    final = f"c=biws,r={said['r']}"
    signed = f"{first},{server_first},{final}".encode()
    signature = digest(sha256(client_key).digest(), signed, "sha256")
    made = bytes(one ^ other for one, other in zip(client_key, signature, strict=True))
    return f"{final},p={b64encode(made).decode()}".encode()


class AuthenticationTests(SynchronousTestCase):
    """
    Tests of whole log-ins.
    """

    def setUp(self):
        """
        Make accounts and limits.
        """
        self.clock = Clock()
        self.accounts = ScriptedAccounts()
        self.authentication = Authentication(self.accounts, Attempts(ClientLimits(), self.clock))

    def result(self, progress):
        """
        Give what comes of a step.
        """
        return self.successResultOf(progress) if isinstance(progress, Deferred) else progress

    def log_in(self, argument, *answers, client="192.0.2.7"):
        """
        Log in, and give what comes of it.
        """
        log_in = self.authentication.begin(client, "sess-sess-sess")
        progress = self.result(log_in.start(argument))
        for answer in answers:
            self.assertIsInstance(progress, Challenge)
            progress = self.result(log_in.respond(b64encode(answer) + b"\r\n"))
        return progress

    def plain(self, name="ada", password=PASSWORD, client="192.0.2.7"):
        """
        Log in with PLAIN.
        """
        word = b64encode(f"\0{name}\0{password}".encode()).decode()
        return self.log_in(f"PLAIN {word}", client=client)

    def scram(self, name="ada", password=PASSWORD, client="192.0.2.7"):
        """
        Log in with SCRAM, and give what comes of it.
        """
        log_in = self.authentication.begin(client, "sess-sess-sess")
        first = f"n={name},r=abc"
        word = b64encode(f"n,,{first}".encode()).decode()
        progress = self.result(log_in.start(f"scram-sha-256 {word}"))
        if isinstance(progress, Challenge):
            answer = proof(password, progress.data.decode(), first)
            progress = self.result(log_in.respond(b64encode(answer) + b"\r\n"))
        if isinstance(progress, Challenge):
            self.assertTrue(progress.data.startswith(b"v="))
            progress = self.result(log_in.respond(b"\r\n"))
        return progress

    def test_interface(self):
        """
        The scripted accounts are what the interface says.
        """
        self.assertTrue(verifyObject(IAccounts, self.accounts))

    def test_mechanisms(self):
        """
        SCRAM is offered where it is of use, and only what is offered can be used.
        """
        self.assertEqual(
            list(self.authentication.mechanisms()), ["SCRAM-SHA-256", "PLAIN", "LOGIN"]
        )
        self.accounts.has_scram = False
        self.assertEqual(list(self.authentication.mechanisms()), ["PLAIN", "LOGIN"])
        self.assertEqual(self.scram(), UNKNOWN_MECHANISM)
        for name in ("GSSAPI", "PLAIN2", "XOAUTH2", "=", "\N{LATIN SMALL LETTER DOTLESS I}"):
            self.assertEqual(self.log_in(name), UNKNOWN_MECHANISM)

    def test_right(self):
        """
        With each mechanism, in any case of its name, the account comes out.
        """
        self.assertEqual(self.plain(), ADA)
        self.assertEqual(self.log_in("plain", b"\0ADA\0" + PASSWORD.encode()), ADA)
        self.assertEqual(self.log_in("Login", b"ada", PASSWORD.encode()), ADA)
        self.assertEqual(self.log_in("LOGIN YWRh", PASSWORD.encode()), ADA)
        self.assertEqual(self.scram(), ADA)

    def test_wrong(self):
        """
        With each mechanism a wrong password and an unknown name get the same answer.
        """
        for name, password in (("ada", "wrong"), ("eve", PASSWORD)):
            self.assertEqual(self.plain(name, password), DENIED)
            self.assertEqual(self.log_in("LOGIN", name.encode(), password.encode()), DENIED)
            self.assertEqual(self.scram(name, password), DENIED)
        self.assertEqual((DENIED.code, DENIED.enhanced), (535, "5.7.8"))

    def test_malformed(self):
        """
        A30: what is not well-formed is refused, at each step, and asks for no truth.
        """
        for argument in ("", "PLAIN a b", "PLAIN  YQ==", " PLAIN"):
            self.assertEqual(self.log_in(argument), WRONG_USE)
        for argument in ("PLAIN =", "PLAIN ???", "LOGIN =", "SCRAM-SHA-256 =", "PLAIN \xe9"):
            self.assertEqual(self.log_in(argument).code, 501)
        for line in (b"*\r\n", b"???\r\n", b"\xff\r\n", b"\r\n"):
            log_in = self.authentication.begin("192.0.2.7", "sess-sess-sess")
            log_in.start("PLAIN")
            self.assertEqual(log_in.respond(line).code, 501)
        log_in = self.authentication.begin("192.0.2.7", "sess-sess-sess")
        log_in.start("PLAIN")
        self.assertEqual(log_in.respond(b"A" * 1_000_000 + b"\r\n").code, 500)
        self.assertEqual(self.accounts.asked, 0)
        self.assertEqual(self.plain(), ADA)

    def test_limited(self):
        """
        A30: after ten failures the right password gets the same answer as a wrong one, with each
        mechanism and from its first step on, and the truth is not asked for.
        """
        for _ in range(5):
            self.assertEqual(self.plain(password="wrong"), DENIED)
            self.assertEqual(self.scram(password="wrong"), DENIED)
        asked = self.accounts.asked
        for answer in (self.plain(), self.plain(password="wrong"), self.scram()):
            self.assertEqual(answer, TOO_MANY)
        self.assertEqual(self.log_in("LOGIN"), TOO_MANY)
        self.assertEqual(self.accounts.asked, asked)
        self.clock.advance(600)
        self.assertEqual(self.plain(), ADA)

    def test_limited_account(self):
        """
        After twenty failures of an account nobody new gets into it, with each mechanism.
        """
        for number in range(20):
            self.assertEqual(self.plain(password="wrong", client=f"192.0.2.{number}"), DENIED)
        for answer in (self.plain(client="198.51.100.1"), self.scram(client="198.51.100.1")):
            self.assertEqual(answer, TOO_MANY)
        word = b64encode(b"n,,n=ada,r=abc").decode()
        first = self.log_in(f"SCRAM-SHA-256 {word}", client="198.51.100.1")
        self.assertEqual(first, TOO_MANY)
        self.assertEqual(self.plain("eve", client="198.51.100.1"), DENIED)

    def test_limited_meanwhile(self):
        """
        A proof that is right says nothing to one who has failed too often meanwhile.
        """
        log_in = self.authentication.begin("192.0.2.7", "sess-sess-sess")
        challenge = self.result(
            log_in.start("SCRAM-SHA-256 " + b64encode(b"n,,n=ada,r=a").decode())
        )
        for _ in range(10):
            self.plain("bob", "wrong")
        final = proof(PASSWORD, challenge.data.decode(), "n=ada,r=a")
        progress = self.result(log_in.respond(b64encode(final) + b"\r\n"))
        self.assertIsInstance(progress, Challenge)
        self.assertEqual(self.result(log_in.respond(b"\r\n")), TOO_MANY)

    def test_at_the_same_time(self):
        """
        A30: of fifty attempts at the same time ten are looked at.
        """
        self.accounts.waiting = []
        word = b64encode(b"\0ada\0wrong").decode()
        results = []
        for _ in range(50):
            progress = self.authentication.begin("192.0.2.7", "sess-sess-sess").start(
                f"PLAIN {word}"
            )
            if isinstance(progress, Deferred):
                progress.addCallback(results.append)
            else:
                results.append(progress)
        self.assertEqual(results, [TOO_MANY] * 40)
        for answer in self.accounts.waiting:
            answer()
        self.assertEqual(results[40:], [DENIED] * 10)

    def test_unavailable(self):
        """
        While nobody knows, the client shall come again, and it counts as no failure.
        """
        self.accounts.is_available = False
        for _ in range(20):
            self.assertEqual(self.plain(), UNAVAILABLE)
            self.assertEqual(self.scram(), UNAVAILABLE)
        self.assertEqual((UNAVAILABLE.code, UNAVAILABLE.enhanced), (454, "4.7.0"))
        self.accounts.is_available = True
        self.assertEqual(self.plain(), ADA)

    def test_removed_meanwhile(self):
        """
        An account that was removed during the log-in gets in no more.
        """
        self.patch(self.accounts, "find", lambda name: None)
        self.assertEqual(self.scram(), DENIED)

    def test_failures_are_told(self):
        """
        A30: a failure is told with the client and the account, never with a password, nor with a
        name that nobody has, which may be a password in the wrong place.
        """
        with capturedLogs() as events:
            self.plain(password="secret1")
            self.plain(name="secret2")
            self.scram(password="secret3")
            self.plain()
        self.assertEqual({event["event"] for event in events}, {"login.refused"})
        self.assertEqual([event["account"] for event in events], ["Ada", "nobody of ours", "Ada"])
        self.assertEqual(events[0]["client"], "192.0.2.7")
        self.assertEqual(events[0]["session"], "sess-sess-sess")
        self.assertNotIn("secret", repr(events))

    def test_replies_tell_nothing(self):
        """
        No reply tells more than its own words.
        """
        for reply in (DENIED, UNAVAILABLE, UNKNOWN_MECHANISM, WRONG_USE, TOO_MANY):
            self.assertIsInstance(reply, Reply)
            self.assertNotIn("ada", reply.text.lower())
