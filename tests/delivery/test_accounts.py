"""
Tests of L{mailgate.delivery.accounts} and L{mailgate.delivery.log_in}, over real TLS in memory.

What every kind of accounts promises is in C{tests/contracts/test_accounts.py}.
"""

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.model import AccountUpstream
from mailgate.delivery.accounts import KNOWN, QUEUE, UpstreamAccounts
from mailgate.delivery.tls import verified_tls
from mailgate.interfaces import AccountsUnavailable
from mailgate.wire.base64 import b64encode
from tests.delivery.secure import (
    HOST,
    Behaviour,
    SecureNetwork,
    authority,
    certificate,
    self_signed,
)
from tests.storage import temporary_folder

NAME = "ada@example.com"
PASSWORD = "correct horse battery"
PLAIN = b"AUTH PLAIN " + b64encode(f"\0{NAME}\0{PASSWORD}".encode())


class UpstreamAccountsCase(SynchronousTestCase):
    """
    A mail server that knows ada, and accounts that ask it.
    """

    def setUp(self):
        """
        Make the server.
        """
        self.clock = Clock()
        self.behaviour = Behaviour()
        self.network = SecureNetwork(self.behaviour)
        self.authority = temporary_folder(self) / "authority.pem"
        self.authority.write_bytes(authority().pem)
        self.accounts = self.make()

    def make(self, host=HOST, trust=True, **settings):
        """
        Make the accounts.

        @param trust: whether the test's authority is trusted.
        """
        self.behaviour.kind = settings.get("kind", "submissions")
        tls = verified_tls(host, self.authority if trust else None)
        made = AccountUpstream(host=host, **settings)
        return UpstreamAccounts(made, "gw.example.com", self.clock, tls, self.network)

    def start(self, password=PASSWORD, name=NAME):
        """
        Begin to verify, and carry over what can be.
        """
        verifying = self.accounts.verify(name, password)
        self.network.flush()
        return verifying

    def verify(self, password=PASSWORD, name=NAME):
        """
        Verify a password.
        """
        return self.successResultOf(self.start(password, name))

    def trouble(self, password=PASSWORD, name=NAME):
        """
        See that it cannot be found out, that this is told, and that the password is not.

        @return: why.
        """
        with capturedLogs() as events:
            failure = self.failureResultOf(self.start(password, name), AccountsUnavailable)
        (event,) = events
        self.assertEqual(event["event"], "accounts.not_asked")
        self.assertEqual(event["log_level"], LogLevel.error)
        for secret in (password, b64encode(password.encode()).decode()):
            self.assertNotIn(secret, repr(events))
        self.assertEqual(str(failure.value), event["why"])
        return event["why"]

    def assert_no_password_has_left(self):
        """
        See that the server was never told a password.
        """
        self.assertFalse([line for line in self.behaviour.lines if line.startswith(b"AUTH")])


class QuestionTests(UpstreamAccountsCase):
    """
    Tests of what is said to the server.
    """

    def test_submissions(self):
        """
        TLS comes first, then the question; then good-bye, and the connection is closed.
        """
        self.assertEqual(self.verify().name, NAME)
        self.assertEqual(
            self.behaviour.heard,
            [(True, b"EHLO gw.example.com"), (True, PLAIN), (True, b"QUIT")],
        )
        self.assertEqual(self.network.open, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_submission(self):
        """
        With STARTTLS nothing but EHLO is said before it, and EHLO once more behind it.
        """
        self.accounts = self.make(kind="submission")
        self.assertEqual(self.verify().name, NAME)
        self.assertEqual(
            self.behaviour.heard,
            [
                (False, b"EHLO gw.example.com"),
                (False, b"STARTTLS"),
                (True, b"EHLO gw.example.com"),
                (True, PLAIN),
                (True, b"QUIT"),
            ],
        )

    def test_login(self):
        """
        Where only LOGIN is offered it is LOGIN, with name and password when they are asked for.
        """
        self.behaviour.mechanisms = "GSSAPI LOGIN"
        self.assertEqual(self.verify().name, NAME)
        self.assertEqual(
            self.behaviour.lines[1:4],
            [b"AUTH LOGIN", b64encode(NAME.encode()), b64encode(PASSWORD.encode())],
        )
        self.assertIsNone(self.verify("wrong"))

    def test_login_name_refused(self):
        """
        A 535 to the name alone is a no; the password is not said.
        """
        self.behaviour.mechanisms = "LOGIN"
        self.behaviour.replies["challenge"] = "535 5.7.8 no"
        self.assertIsNone(self.verify())
        self.assertEqual(self.behaviour.lines[1:], [b"AUTH LOGIN", b"QUIT"])

    def test_long_password(self):
        """
        What would make the command longer than 512 bytes comes when it is asked for.
        """
        password = "x" * 1000
        self.behaviour.passwords[NAME] = password
        self.assertEqual(self.verify(password).name, NAME)
        self.assertEqual(self.behaviour.lines[1], b"AUTH PLAIN")
        self.assertTrue(all(len(line) <= 510 for line in self.behaviour.lines[:2]))
        shortest = "x" * (372 - len(f"\0{NAME}\0"))
        self.behaviour.passwords[NAME] = shortest
        for length, lines in ((len(shortest), 1), (len(shortest) - 1, 1), (len(shortest) + 1, 2)):
            del self.behaviour.heard[:]
            self.behaviour.passwords[NAME] = "x" * length
            self.assertEqual(self.verify("x" * length).name, NAME)
            self.assertEqual(len(self.behaviour.lines), 2 + lines, length)

    def test_umlauts(self):
        """
        Names and passwords go over as UTF-8.
        """
        self.behaviour.passwords["jürgen@example.com"] = "grüße aus köln"
        self.assertEqual(
            self.verify("grüße aus köln", "jürgen@example.com").name, "jürgen@example.com"
        )

    def test_what_cannot_be_right(self):
        """
        What some servers would take for something else is not even asked: no password, a NUL in
        it, a name that is fit for no log.
        """
        for name, password in (
            (NAME, ""),
            (NAME, f"{PASSWORD}\0"),
            (NAME, "x" * 1001),
            ("", PASSWORD),
            (f"{NAME} ", PASSWORD),
            (f"{NAME}\n", PASSWORD),
            (f"{NAME}\u202e", PASSWORD),
        ):
            self.behaviour.passwords[name] = password
            self.assertIsNone(self.verify(password, name), (name, password))
        self.assertEqual(self.network.pumps, [])

    def test_address(self):
        """
        An IP address in the place of a name must stand in the certificate.
        """
        self.behaviour.issued = certificate("127.0.0.1")
        self.accounts = self.make("127.0.0.1")
        self.assertEqual(self.verify().name, NAME)
        self.behaviour.issued = certificate()
        self.assertIn("another name", self.trouble())

    def test_not_remembered(self):
        """
        A password that was changed at the server counts at once.
        """
        self.assertEqual(self.verify().name, NAME)
        self.behaviour.passwords[NAME] = "another horse battery"
        self.assertIsNone(self.verify())
        self.assertEqual(self.verify("another horse battery").name, NAME)


class CertificateTests(UpstreamAccountsCase):
    """
    No password leaves before the server has proven who it is, whichever way TLS begins.
    """

    def refuse(self, issued, why, **options):
        """
        See that a certificate is refused both ways.
        """
        self.behaviour.issued = issued
        for kind in ("submissions", "submission"):
            self.accounts = self.make(kind=kind, **options)
            self.assertIn(why, self.trouble())
            self.assert_no_password_has_left()
            self.assertEqual(self.network.open, 0)

    def test_other_name(self):
        """
        A certificate of the right authority for another host is refused.
        """
        self.refuse(certificate("other.example.com"), "its certificate is for another name")
        self.refuse(certificate("mail.example.com.evil.example"), "for another name")

    def test_self_signed(self):
        """
        A certificate for the right name that nobody has signed is refused.
        """
        self.refuse(self_signed(), "TLS: certificate verify failed")

    def test_unknown_authority(self):
        """
        So is one of an authority that is not trusted here.
        """
        self.refuse(certificate(), "TLS: certificate verify failed", trust=False)

    def test_expired(self):
        """
        So is one that has ended.
        """
        self.refuse(certificate(days=-1), "TLS: certificate verify failed")

    def test_self_signed_but_known(self):
        """
        A certificate that only vouches for itself is taken where it is in the file.
        """
        self.behaviour.issued = self_signed()
        self.authority.write_bytes(self_signed().pem)
        self.accounts = self.make()
        self.assertEqual(self.verify().name, NAME)


class StarttlsTests(UpstreamAccountsCase):
    """
    Whoever sits on the line cannot keep TLS away.
    """

    def setUp(self):
        """
        Make a server with STARTTLS.
        """
        super().setUp()
        self.accounts = self.make(kind="submission")

    def test_stripped(self):
        """
        Where STARTTLS is not offered nothing more is said, even with AUTH offered in the clear.
        """
        self.behaviour.replies["EHLO"] = "250-mail.example.com\n250 AUTH PLAIN LOGIN"
        self.assertEqual(self.trouble(), "it does not offer STARTTLS")
        self.assertEqual(self.behaviour.heard, [(False, b"EHLO gw.example.com")])

    def test_refused(self):
        """
        Nor where it is refused.
        """
        self.behaviour.replies["STARTTLS"] = "454 4.7.0 not now"
        self.assertEqual(self.trouble(), "it answers STARTTLS with 454 4.7.0 not now")
        self.assert_no_password_has_left()

    def test_injected(self):
        """
        Bytes behind the reply to STARTTLS end the connection: they are not from under TLS.
        """
        for behind in (b"250 AUTH PLAIN\r\n", b"250", b"2", b"235 2.7.0 yes\r\n", b"220-"):
            self.accounts = self.make(kind="submission")
            self.behaviour.replies["STARTTLS"] = b"220 go on\r\n" + behind
            self.assertEqual(self.trouble(), "it speaks out of turn")
            self.assert_no_password_has_left()

    def test_offers_of_the_clear_are_forgotten(self):
        """
        What was offered in the clear is not believed behind STARTTLS.
        """
        self.behaviour.mechanisms = "GSSAPI"
        self.assertEqual(self.trouble(), "it offers neither AUTH PLAIN nor AUTH LOGIN")


class NoAnswerTests(UpstreamAccountsCase):
    """
    Anything but yes and no is no answer.
    """

    def test_no(self):
        """
        A 535 is a no, and nothing is told of it here.
        """
        with capturedLogs() as events:
            self.assertIsNone(self.verify("wrong"))
        self.assertEqual(events, [])

    def test_other_replies(self):
        """
        Whatever else comes to AUTH is told by its code alone, as its words may hold the password.
        """
        for reply, told in (
            (f"454 4.7.0 cannot verify {PASSWORD}", "454 4.7.0"),
            (f"501 5.5.2 not base64: {PASSWORD}", "501 5.5.2"),
            ("250 2.0.0 ok", "250 2.0.0"),
            ("334 more", "334"),
            ("421 4.3.2 closing", "421 4.3.2"),
            ("534 5.7.9 too weak", "534 5.7.9"),
        ):
            self.accounts = self.make()
            self.behaviour.replies["AUTH"] = reply
            self.assertEqual(self.trouble(), f"it answers AUTH with {told}")

    def test_nonsense(self):
        """
        So is what is no reply, or more than one.
        """
        for reply, told in (
            ("yes", "its reply is not well-formed"),
            ("235 2.7.0 yes\n250 ok", "it speaks out of turn"),
            (b"235 2.7.0 yes\r\n2", "it speaks out of turn"),
            (b"235-2.7.0 yes\r\n535 5.7.8 no\r\n", "the lines of its reply have different codes"),
        ):
            self.accounts = self.make()
            self.behaviour.replies["AUTH"] = reply
            self.assertEqual(self.trouble(), told)

    def test_refused_before(self):
        """
        So is a server that does not get as far as AUTH.
        """
        for verb, reply, told in (
            ("greeting", "554 5.7.1 not you", "it greets with 554 5.7.1 not you"),
            ("EHLO", "502 5.5.1 no", "it answers EHLO with 502 5.5.1 no"),
            ("EHLO", "250 mail.example.com", "it offers neither AUTH PLAIN nor AUTH LOGIN"),
        ):
            self.accounts = self.make()
            self.behaviour.replies = {verb: reply}
            self.assertEqual(self.trouble(), told)
            self.assert_no_password_has_left()

    def test_hangs(self):
        """
        A server that says nothing is waited for no longer than it may take, wherever it stops.
        """
        for verb in ("greeting", "EHLO", "AUTH"):
            self.accounts = self.make(answer_seconds=15.0)
            self.behaviour.replies = {verb: None}
            verifying = self.start()
            self.clock.advance(14.9)
            self.assertNoResult(verifying)
            with capturedLogs() as events:
                self.clock.advance(0.1)
            self.failureResultOf(verifying, AccountsUnavailable)
            self.assertEqual([event["why"] for event in events], ["no answer in time"])
            self.network.flush()
            self.assertEqual((self.network.open, self.clock.getDelayedCalls()), (0, []))

    def test_hangs_before_it_is_connected(self):
        """
        So it is where connecting takes too long.
        """
        self.network.is_slow = True
        verifying = self.start()
        with capturedLogs() as events:
            self.clock.advance(15)
        self.failureResultOf(verifying, AccountsUnavailable)
        self.assertEqual([event["why"] for event in events], ["no answer in time"])
        self.assertEqual(len(self.network.cancelled), 1)

    def test_not_connected(self):
        """
        A server that is not there cannot be asked.
        """
        self.network.error = ConnectionRefusedError()
        self.assertEqual(self.trouble(), "connection was refused by other side")

    def test_gone(self):
        """
        A server that hangs up has not answered.
        """
        self.behaviour.replies["AUTH"] = None
        verifying = self.start()
        with capturedLogs() as events:
            self.network.pumps[0].serverIO.loseConnection()
            self.network.flush()
        self.failureResultOf(verifying, AccountsUnavailable)
        self.assertEqual([event["why"] for event in events], ["it has closed the connection"])

    def test_told_once(self):
        """
        The same trouble is told once, another one too, and that it is over.
        """
        with capturedLogs() as events:
            for reply in ("454 4.7.0 a", "454 4.7.0 b", "451 4.3.0 c", "235 yes", "454 4.7.0 a"):
                self.behaviour.replies["AUTH"] = reply
                self.start().addErrback(lambda failure: failure.trap(AccountsUnavailable))
        self.assertEqual(
            [(event["event"], event.get("why", "")[-5:]) for event in events],
            [
                ("accounts.not_asked", "4.7.0"),
                ("accounts.not_asked", "4.3.0"),
                ("accounts.asked", ""),
                ("accounts.not_asked", "4.7.0"),
            ],
        )
        self.assertEqual(events[0]["upstream"], "mail.example.com, port 465")


class LoadTests(UpstreamAccountsCase):
    """
    At the start it is seen whether the server can be asked.
    """

    def test_good(self):
        """
        It is asked no password, and nothing is told.
        """
        with capturedLogs() as events:
            loading = self.accounts.load()
            self.network.flush()
        self.successResultOf(loading)
        self.assertEqual(self.behaviour.lines, [b"EHLO gw.example.com", b"QUIT"])
        self.assertEqual(events, [])

    def test_bad(self):
        """
        What is wrong is told at once, and the start goes on.
        """
        self.behaviour.issued = self_signed()
        with capturedLogs() as events:
            loading = self.accounts.load()
            self.network.flush()
        self.successResultOf(loading)
        self.assertEqual([event["event"] for event in events], ["accounts.not_asked"])

    def test_stopped(self):
        """
        It ends, without an event, when the gateway stops meanwhile.
        """
        self.behaviour.replies["greeting"] = None
        with capturedLogs() as events:
            loading = self.accounts.load()
            self.network.flush()
            self.assertNoResult(loading)
            self.accounts.close()
            self.network.flush()
        self.assertIsNone(self.successResultOf(loading))
        self.assertEqual((self.network.open, events), (0, []))


class BoundTests(UpstreamAccountsCase):
    """
    However many log in, the server sees few connections.
    """

    def setUp(self):
        """
        Make accounts with two connections, to a server that does not answer.
        """
        super().setUp()
        self.accounts = self.make(connections=2)
        self.behaviour.replies["AUTH"] = None

    def test_connections(self):
        """
        Two are asked at the same time; the others wait for their turn, but no longer than each
        may take in all.
        """
        verifying = [self.start() for _ in range(4)]
        self.assertEqual(self.network.open, 2)
        self.clock.advance(10)
        self.network.pumps[0].serverIO.loseConnection()
        self.network.flush()
        self.failureResultOf(verifying[0], AccountsUnavailable)
        self.assertEqual(len(self.network.pumps), 3)
        self.assertEqual(self.network.open, 2)
        self.clock.advance(5)
        self.network.flush()
        for each in verifying[1:]:
            self.failureResultOf(each, AccountsUnavailable)
        self.assertEqual(self.network.open, 0)

    def test_queue(self):
        """
        When many wait, whoever comes next has to come again.
        """
        waiting = [self.start() for _ in range(2 + QUEUE)]
        self.failureResultOf(self.start(), AccountsUnavailable)
        self.assertNoResult(waiting[-1])
        self.accounts.close()
        for each in waiting:
            self.failureResultOf(each, CancelledError)

    def test_client_leaves(self):
        """
        The client of ours that goes takes its connection along, and gives its turn to the next,
        without an event.
        """
        first, second, third = (self.start() for _ in range(3))
        with capturedLogs() as events:
            first.cancel()
            self.network.flush()
        self.failureResultOf(first, CancelledError)
        self.assertEqual((self.network.open, len(self.network.pumps)), (2, 3))
        third.cancel()
        second.cancel()
        self.network.flush()
        self.failureResultOf(second, CancelledError)
        self.failureResultOf(third, CancelledError)
        self.assertEqual(self.network.open, 0)
        self.assertEqual((events, self.clock.getDelayedCalls()), ([], []))

    def test_client_leaves_before_it_is_connected(self):
        """
        So does one that goes while a connection is made.
        """
        self.network.is_slow = True
        for _ in range(3):
            verifying = self.start()
            with capturedLogs() as events:
                verifying.cancel()
            self.failureResultOf(verifying, CancelledError)
            self.assertEqual(events, [])
        self.assertEqual(len(self.network.cancelled), 3)

    def test_answer_does_not_wait_for_the_end(self):
        """
        Nobody waits for the good-bye, and the server no longer than five seconds.
        """
        del self.behaviour.replies["AUTH"]
        self.behaviour.replies["QUIT"] = None
        self.assertEqual(self.verify().name, NAME)
        self.assertEqual(self.network.open, 1)
        self.clock.advance(5)
        self.network.flush()
        self.assertEqual((self.network.open, self.clock.getDelayedCalls()), (0, []))

    def test_turns_come_back(self):
        """
        Each way to end gives the turn back.
        """
        for reply in (None, "535 no", "454 no", "235 yes") * 3:
            self.behaviour.replies["AUTH"] = reply
            verifying = self.start()
            self.clock.advance(15)
            self.network.flush()
            verifying.addErrback(lambda failure: failure.trap(AccountsUnavailable))
        self.network.error = ConnectionRefusedError()
        for _ in range(5):
            self.failureResultOf(self.start(), AccountsUnavailable)
        self.network.error = None
        self.behaviour.replies.clear()
        self.assertEqual(self.verify().name, NAME)


class AccountTests(UpstreamAccountsCase):
    """
    Tests of as whom an account may send.
    """

    def senders(self, name, **settings):
        """
        Give as whom an account may send, whatever its name.
        """
        self.accounts = self.make(**settings)
        self.behaviour.passwords[name] = PASSWORD
        return sorted(self.verify(name=name).senders)

    def test_own_address(self):
        """
        A name that is an address is its own sender.
        """
        self.assertEqual(self.senders("Ada@Example.com"), ["ada@example.com"])

    def test_name_without_domain(self):
        """
        Another name has an address where the domain is known.
        """
        self.assertEqual(self.senders("ada"), [])
        self.assertEqual(self.senders("ada", domain="example.org"), ["ada@example.org"])
        self.assertEqual(self.senders(NAME, domain="example.org"), [NAME])

    def test_strange_names(self):
        """
        No name is all of a domain, or everybody, even where the server takes it.
        """
        for name in ("*", "@", "@example.com", "@x:ada@example.com", "a@b@example.com", "a b@c.d"):
            self.assertEqual(self.senders(name), [], name)
        self.assertEqual(self.senders("*", domain="example.org"), ["*@example.org"])

    def test_further_senders(self):
        """
        More can be configured, by the name without regard to case.
        """
        more = {"ADA@example.com": ["Info@example.com", "@Example.org"], "eve": ["*"]}
        self.assertEqual(
            self.senders(NAME, senders=more), ["@example.org", NAME, "info@example.com"]
        )
        self.assertEqual(self.senders("eve", senders=more), ["*"])
        self.assertEqual(self.senders("bob", senders=more), [])

    def test_known_accounts_are_bounded(self):
        """
        Those who have logged in last are known, and not more than some.
        """
        account = self.verify()
        for number in range(KNOWN):
            self.accounts._known[f"x{number}"] = account
        self.behaviour.passwords["bob"] = PASSWORD
        self.verify(name="bob")
        self.assertLessEqual(len(self.accounts._known), KNOWN + 1)
        self.assertIsNone(self.accounts.find(NAME))
        self.assertEqual(self.accounts.find("bob").name, "bob")
