"""
Tests of what differs between listeners: who may come, how they begin, who logs in.
"""

from base64 import b64encode
from pathlib import Path

from attrs import evolve
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.model import ClientLimits, Limits
from mailgate.edge.attempts import Attempts
from mailgate.edge.auth import Authentication
from mailgate.interfaces import Account, Outcome
from mailgate.message.record import Copy
from mailgate.reply import Reply
from mailgate.reporting.record import from_json, to_json
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads
from tests.edge.harness import Edge, Transport

V1 = b"PROXY TCP4 198.51.100.9 192.0.2.1 5000 25\r\n"


class ScriptedAccounts:
    """
    One account: ada, with the password secret, who may send as ada@example.com.
    """

    has_scram = False
    ada = Account("ada", frozenset({"ada@example.com"}))

    def verify(self, name, password):
        """
        Look whether it is hers.
        """
        return succeed(self.ada if (name, password) == ("ada", "secret") else None)

    def find(self, name):
        """
        Find an account.
        """
        return self.ada if name == "ada" else None


class ListenerCase(SynchronousTestCase):
    """
    A test case that makes edges.
    """

    def edge(self, listener, **parts):
        """
        Make an edge with a listener.
        """
        directory = Path(self.mktemp())
        directory.mkdir()
        return Edge(Files(), ImmediateThreads(), directory, listener=listener, **parts)


class LogInTests(ListenerCase):
    """
    Tests of AUTH on the level of commands.
    """

    def people(self):
        """
        Give an edge where people log in, over TLS.
        """
        edge = self.edge({"role": "submission"}, tls=object())
        attempts = Attempts(ClientLimits(), edge.clock)
        edge.authentication = Authentication(ScriptedAccounts(), attempts)
        edge.connect()
        return edge

    def secure(self, edge):
        """
        Have TLS on, and EHLO said.
        """
        edge.protocol._conversation.secured("TLSv1.3 X")
        return edge.say("EHLO c\n")

    def test_offered_over_tls_only(self):
        """
        AUTH is neither offered nor taken before TLS (A2).
        """
        edge = self.people()
        self.assertNotIn("AUTH", edge.say("EHLO c\n"))
        self.assertTrue(edge.say("AUTH PLAIN\n").startswith("538 5.7.11"))
        self.assertIn("250 AUTH PLAIN LOGIN\r\n", self.secure(edge))

    def test_plain(self):
        """
        Who has logged in may send, as who they are and nobody else; the trace has the account.
        """
        edge = self.people()
        self.secure(edge)
        word = b64encode(b"\0ada\0secret").decode()
        self.assertEqual(edge.say(f"AUTH PLAIN {word}\n"), "235 2.7.0 logged in\r\n")
        self.assertNotIn("AUTH", edge.say("EHLO c\n"))
        self.assertTrue(edge.say("MAIL FROM:<bob@example.com>\n").startswith("553 5.7.1"))
        self.assertTrue(edge.say("MAIL FROM:<ada@example.com>\n").startswith("250"))
        self.assertEqual(edge.protocol._mailing._open.envelope.session.account, "ada")
        self.assertEqual(edge.protocol._mailing._open.envelope.protocol, "ESMTPSA")
        self.assertTrue(edge.say(f"AUTH PLAIN {word}\n").startswith("503"))

    def test_login(self):
        """
        LOGIN asks for the name and for the password, a line each.
        """
        edge = self.people()
        self.secure(edge)
        self.assertTrue(edge.say("AUTH LOGIN\n").startswith("334 "))
        self.assertTrue(edge.say(b64encode(b"ada") + b"\r\n").startswith("334 "))
        self.assertTrue(edge.say(b64encode(b"wrong") + b"\r\n").startswith("535 5.7.8"))
        self.assertTrue(edge.say("NOOP\n").startswith("250"))

    def test_long_answer(self):
        """
        An answer may be as long as RFC 4954 says, and no longer.
        """
        edge = self.people()
        self.secure(edge)
        edge.say("AUTH PLAIN\n")
        self.assertTrue(edge.say("x" * 12_000 + "\n").startswith("501 5.5.2"))
        edge.say("AUTH PLAIN\n")
        self.assertTrue(edge.say("x" * 20_000 + "\n").startswith("500 5.5.6"))

    def test_a30_brute_force(self):
        """
        After ten failures of an address the truth is not looked for any more (A30).
        """
        edge = self.people()
        edge.limits = Limits(errors=1000)
        edge.connect()
        self.secure(edge)
        wrong = b64encode(b"\0ada\0guess").decode()
        right = b64encode(b"\0ada\0secret").decode()
        for _ in range(10):
            self.assertTrue(edge.say(f"AUTH PLAIN {wrong}\n").startswith("535"))
        self.assertTrue(edge.say(f"AUTH PLAIN {right}\n").startswith("454 4.7.0"))

    def only_record(self, edge):
        """
        End the session, and give the one record that there is.
        """
        edge.lose()
        (record,) = edge.hub.records
        self.assertEqual(record.trace, record.session.id)
        self.assertEqual(record.session.client, "192.0.2.7")
        return record

    def test_failures_are_recorded(self):
        """
        A session with nothing but failed log-ins leaves a trace: who it wanted to be, as far as
        that is one of ours, and what it was told; never a password, nor a name that may be one.
        """
        edge = self.people()
        self.secure(edge)
        edge.say("AUTH DIGEST-MD5\n")
        for login in (b"\0ada\0guess", b"\0hunter2\0guess"):
            edge.say(f"AUTH PLAIN {b64encode(login).decode()}\n")
        edge.say("QUIT\n")
        self.assertEqual(edge.hub.records, [])
        record = self.only_record(edge)
        self.assertEqual(record.reply, "535 5.7.8 name or password is wrong")
        self.assertEqual(
            record.notes,
            (
                "log-in failed: 504 5.5.4 no such mechanism",
                "log-in as ada failed: 535 5.7.8 name or password is wrong",
                "log-in as nobody of ours failed: 535 5.7.8 name or password is wrong",
            ),
        )
        for secret in ("guess", "hunter2", b64encode(b"\0ada\0guess").decode()):
            self.assertNotIn(secret, to_json(record))

    def test_failures_end_the_session(self):
        """
        A session that is ended for its failed log-ins has one record, which tells them.
        """
        edge = self.people()
        self.secure(edge)
        wrong = b64encode(b"\0ada\0guess").decode()
        for _ in range(edge.limits.errors):
            edge.say(f"AUTH PLAIN {wrong}\n")
        record = self.only_record(edge)
        self.assertEqual(record.reply[:9], "421 4.7.0")
        self.assertEqual(len(record.notes), edge.limits.errors)

    def test_many_failures(self):
        """
        Of very many failures in one session the first are told, and the number of the others.
        """
        edge = self.people()
        edge.limits = Limits(errors=1000)
        edge.connect()
        self.secure(edge)
        for _ in range(50):
            edge.say("AUTH DIGEST-MD5\n")
        record = self.only_record(edge)
        self.assertEqual(len(record.notes), 21)
        self.assertEqual(record.notes[-1], "30 more log-ins failed")

    def test_failure_and_success(self):
        """
        Whoever logs in at last leaves no trace but that of its transactions, which has the account.
        """
        edge = self.people()
        self.secure(edge)
        for login in (b"\0ada\0guess", b"\0ada\0secret"):
            edge.say(f"AUTH PLAIN {b64encode(login).decode()}\n")
        edge.say("MAIL FROM:<ada@example.com>\nRSET\n")
        edge.lose()
        (record,) = edge.hub.records
        self.assertNotEqual(record.trace, record.session.id)
        self.assertEqual(from_json(to_json(record))["account"], "ada")

    def test_origin(self):
        """
        From whom a relay has brought a message stands in its record, as the judge has found it.
        """
        edge = self.people()
        self.secure(edge)
        login = b64encode(b"\0ada\0secret").decode()
        edge.say(f"AUTH PLAIN {login}\n")
        edge.pipeline.origin = "203.0.113.9"
        edge.say("MAIL FROM:<ada@example.com>\nRSET\n")
        (record,) = edge.hub.records
        self.assertEqual(record.origin, "203.0.113.9")

    def test_date_and_message_id(self):
        """
        What a person's program leaves out is added, and nothing else (RFC 6409 section 8).
        """
        for header, added in (
            ("Subject: x\n", True),
            ("Date: Mon, 1 Jan 2024 00:00:00 +0000\nMessage-ID: <1@x>\n", False),
        ):
            edge = self.people()
            self.secure(edge)
            word = b64encode(b"\0ada\0secret").decode()
            edge.say(f"AUTH PLAIN {word}\n")
            edge.say("MAIL FROM:<ada@example.com>\nRCPT TO:<bob@example.com>\nDATA\n")
            edge.say(f"{header}\ntext\n.\n")
            envelope, _, prepended, _ = edge.dispatcher.messages[0]
            self.assertEqual(b"\r\nDate: " in prepended, added)
            identity = f"Message-ID: <{envelope.trace}@mail.example.com>\r\n".encode()
            self.assertEqual(identity in prepended, added)


class ProxyTests(ListenerCase):
    """
    Tests of clients that speak for others (A29).
    """

    def test_proxy_protocol(self):
        """
        Behind a load balancer the client is the one that it names, however the bytes are cut.
        """
        for length in (1, 7, 1000):
            edge = self.edge({"proxy_networks": ["192.0.2.0/24"]})
            self.assertEqual(edge.connect(), "")
            said = "".join(edge.say(V1[at : at + length]) for at in range(0, len(V1), length))
            self.assertTrue(said.startswith("220 "), said)
            session = edge.protocol._conversation.session
            self.assertEqual((session.client, session.port), ("198.51.100.9", 5000))

    def test_no_header(self):
        """
        A connection from there that does not begin so is cut, without a word.
        """
        edge = self.edge({"proxy_networks": ["192.0.2.0/24"]})
        edge.connect()
        self.assertEqual(edge.say("EHLO c\n"), "")
        self.assertTrue(edge.transport.is_aborted)

    def test_silent(self):
        """
        So is one that does not end its header in time.
        """
        edge = self.edge({"proxy_networks": ["192.0.2.0/24"]})
        edge.connect()
        edge.clock.advance(301)
        self.assertTrue(edge.transport.is_aborted)
        edge.lose()
        self.assertEqual(edge.hub.records, [])

    def test_a29_from_elsewhere(self):
        """
        From anywhere else the header is a command that does not exist.
        """
        edge = self.edge({"proxy_networks": ["203.0.113.0/24"]})
        self.assertTrue(edge.connect().startswith("220 "))
        self.assertTrue(edge.say(V1).startswith("500 "))

    def test_xclient(self):
        """
        A trusted server says who its client is; the session begins anew for that one.
        """
        edge = self.edge({"xclient_networks": ["192.0.2.7"]})
        edge.connect()
        self.assertIn("XCLIENT ", edge.say("EHLO c\n"))
        self.assertTrue(edge.say("XCLIENT ADDR=198.51.100.9 PORT=77\n").startswith("220 "))
        self.assertEqual(edge.protocol._conversation.session.client, "198.51.100.9")
        self.assertTrue(edge.say("MAIL FROM:<a@example.org>\n").startswith("503"))

    def test_xforward(self):
        """
        What it says for the log only is in the trace of the next message.
        """
        edge = self.edge({"xclient_networks": ["192.0.2.7"]})
        edge.connect()
        edge.say("EHLO c\n")
        self.assertTrue(edge.say("XFORWARD ADDR=198.51.100.9 NAME=x.example\n").startswith("250"))
        edge.say("MAIL FROM:<a@example.org>\n")
        edge.say("RSET\n")
        (record,) = edge.hub.records
        self.assertEqual(record.notes, ("forwarded for addr 198.51.100.9, name x.example",))


class BeginningTests(ListenerCase):
    """
    Tests of what happens before the greeting.
    """

    def test_greet_wait(self):
        """
        Clients of some networks wait for the greeting; whoever speaks before it is sent away (A6).
        """
        listener = {"greet_wait": 5.0, "greet_wait_networks": ["192.0.2.0/24"]}
        edge = self.edge(listener)
        self.assertEqual(edge.connect(), "")
        edge.clock.advance(5)
        self.assertTrue(edge.said().startswith("220 "))
        edge = self.edge(listener)
        edge.connect()
        edge.say("EHLO c\n")
        edge.clock.advance(5)
        self.assertTrue(edge.said().startswith("554 5.5.0"))
        self.assertEqual(edge.hub.records[0].reply[:9], "554 5.5.0")

    def test_a06_data_before_354(self):
        """
        A message that does not wait for the 354 ends the session, and none of it is run (A6).
        """
        edge = self.edge({}).greeted()
        edge.say("MAIL FROM:<a@example.org>\nRCPT TO:<ada@example.com>\n")
        said = edge.say("DATA\nSubject: x\n\n.\nMAIL FROM:<b@example.org>\n")
        self.assertEqual(said, "554 5.5.0 the message must wait for the 354 (ID)\r\n")
        self.assertTrue(edge.transport.disconnecting)
        self.assertEqual(edge.dispatcher.messages, [])

    def test_f17_too_many_from_an_address(self):
        """
        A client with too many connections hears so, which leaves a session trace, and takes no
        place (F17).
        """
        edge = self.edge({}, limits=Limits(clients=ClientLimits(connections_per_address=1)))
        edge.connect()
        first = edge.factory
        second, transport = first.buildProtocol(None), Transport()
        second.makeConnection(transport)
        self.assertTrue(transport.value().startswith(b"421 4.7.0"))
        self.assertEqual(edge.hub.records[0].reply[:9], "421 4.7.0")
        second.connectionLost()
        edge.lose()
        third, transport = first.buildProtocol(None), Transport()
        third.makeConnection(transport)
        self.assertTrue(transport.value().startswith(b"220"))

    def test_a12_dictionary(self):
        """
        Whoever guesses at names is ended with 421, over all sessions of its network (A12).
        """
        limits = Limits(errors=1000, clients=ClientLimits(unknown_recipients=30))
        edge = self.edge({}, limits=limits).greeted()
        unknown = Reply(550, "5.1.1", "nobody")
        edge.recipients.answers = {f"r{n}@example.com": unknown for n in range(40)}
        edge.say("MAIL FROM:<a@example.org>\n")
        said = edge.say("".join(f"RCPT TO:<r{n}@example.com>\n" for n in range(40)))
        self.assertEqual(said.count("550 5.1.1"), 30)
        self.assertTrue(
            said.endswith("421 4.7.0 too many unknown recipients from your network\r\n")
        )

    def test_a13_slow_message(self):
        """
        A message slower than 64 bytes a second is ended after a minute (A13).
        """
        edge = self.edge({})
        edge.ready_for_data()
        for _ in range(59):
            edge.say("x\n")
            edge.clock.advance(1)
        self.assertEqual(edge.said(), "")
        edge.say("x\n")
        edge.clock.advance(2)
        self.assertTrue(edge.said().startswith("421 4.4.2"))

    def test_a13_message_fast_enough(self):
        """
        One that is fast enough may take its time.
        """
        edge = self.edge({})
        edge.ready_for_data()
        for _ in range(300):
            edge.say("x" * 98 + "\n")
            edge.clock.advance(1)
        self.assertTrue(edge.say(".\n").startswith("250"))

    def test_unix_socket(self):
        """
        What comes through a Unix socket has been let in by the rights of the file.
        """
        edge = self.edge({"role": "internal", "networks": ["203.0.113.0/24"]})
        edge.connect()
        protocol, transport = edge.factory.buildProtocol(None), Transport()
        transport.getPeer = lambda: UNIXAddress(None)
        transport.getHost = lambda: UNIXAddress("/run/x")
        protocol.makeConnection(transport)
        self.assertTrue(transport.value().startswith(b"220"))
        self.assertEqual(protocol._conversation.session.client, "127.0.0.1")


class EachRecipientTests(ListenerCase):
    """
    Tests of clients that take a reply for each recipient.
    """

    def settle(self, edge, *codes):
        """
        Have the next message end with these codes, for ada, bob and so on.
        """
        names = ("ada", "bob", "eve")[: len(codes)]
        replies = tuple(Reply(code, f"{code // 100}.0.0", "said") for code in codes)
        copies = tuple(Copy(f"{name}@example.com", "delivered") for name in names)
        positive = [reply for reply in replies if reply.is_positive]
        last = positive[0] if positive else replies[0]
        outcome = Outcome(last, copies, (), replies)
        edge.dispatcher.outcome = Deferred()
        edge.dispatcher.outcome.callback(outcome)

    def send(self, edge, prdr=" PRDR"):
        """
        Send a message to three, and give what is said behind the dot.
        """
        edge.say(f"MAIL FROM:<a@example.org>{prdr}\n")
        edge.say("".join(f"RCPT TO:<{name}@example.com>\n" for name in ("ada", "bob", "eve")))
        edge.say("DATA\n")
        return edge.say("x\n.\n").splitlines()

    def test_prdr(self):
        """
        Where replies differ there is a 353, one for each recipient in their order, and a last.
        """
        edge = self.edge({}).greeted()
        self.settle(edge, 250, 550, 451)
        said = self.send(edge)
        self.assertEqual([line[:3] for line in said], ["353", "250", "550", "451", "250"])
        self.assertIn("(ID)", said[2])

    def test_prdr_alike(self):
        """
        Where they are alike one reply does.
        """
        edge = self.edge({}).greeted()
        self.settle(edge, 250, 250, 250)
        self.assertEqual(self.send(edge), ["250 2.0.0 said"])

    def test_prdr_all_refused(self):
        """
        Where nobody is served the last reply is no 250.
        """
        edge = self.edge({}).greeted()
        self.settle(edge, 550, 551, 451)
        self.assertEqual(
            [line[:3] for line in self.send(edge)], ["353", "550", "551", "451", "550"]
        )
        self.assertEqual(edge.hub.records[0].reply[:3], "550")

    def test_lmtp(self):
        """
        LMTP always has one for each, and no other.
        """
        edge = self.edge({"role": "lmtp"})
        edge.connect()
        edge.say("LHLO c\n")
        self.settle(edge, 250, 550, 451)
        self.assertEqual([line[:3] for line in self.send(edge, "")], ["250", "550", "451"])
        self.assertEqual(evolve(edge.hub.records[0].session, id="").protocol, "LMTP")
