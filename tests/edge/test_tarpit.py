"""
Tests of L{mailgate.edge.tarpit}, and of what a session says while it is held up.
"""

from pathlib import Path

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.task import Clock, deferLater
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.model import ClientLimits, Limits
from mailgate.edge.tarpit import Tarpit
from mailgate.interfaces import Outcome
from mailgate.message.record import Copy
from mailgate.reply import Reply
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads
from mailgate.verdict import Action, Verdict
from mailgate.wire.address import Address
from tests.edge.harness import Edge, Transport

ADA = Address("ada", "example.com")
OTHER_CLIENT = b"PROXY TCP4 198.51.100.9 192.0.2.1 5000 25\r\n"


def scored(total):
    """
    Give a verdict that accepts, at a score.
    """
    return Verdict(Action.ACCEPT, (), total, (ADA,))


def refused(total, code=550):
    """
    Give a verdict that refuses, at a score.
    """
    return Verdict(Action.REJECT, (), total, reply=Reply(code, "5.7.1", "no"))


class TarpitTests(SynchronousTestCase):
    """
    Tests of the tarpit alone: two seconds a point, at most twenty, for two at the same time.
    """

    def setUp(self):
        """
        Make it.
        """
        self.clock = Clock()
        self.limits = Limits(tarpit=2.0, tarpit_most=20.0, tarpit_sessions=2)
        self.tarpit = self.make()

    def make(self, **more):
        """
        Make a tarpit.
        """
        options = {"limits": self.limits, "tag": 5.0, "clock": self.clock, "possible": 100}
        return Tarpit(**{**options, **more})

    def waited(self, score, within=1000.0):
        """
        Give how long somebody has to wait.
        """
        waiting = self.tarpit.hold_up(score, within)
        if waiting is None:
            return 0.0
        (timer,) = self.clock.getDelayedCalls()
        seconds = timer.getTime() - self.clock.seconds()
        self.clock.advance(seconds - 0.25)
        self.assertNoResult(waiting)
        self.clock.advance(0.25)
        self.assertEqual(self.successResultOf(waiting), seconds)
        return seconds

    def test_proportion(self):
        """
        Each point above the threshold is two seconds more, up to twenty, or to what is allowed
        now.
        """
        self.assertEqual(self.waited(5.5), 1.0)
        self.assertEqual(self.waited(8.0), 6.0)
        self.assertEqual(self.waited(15.0), 20.0)
        self.assertEqual(self.waited(99.0), 20.0)
        self.assertEqual(self.waited(99.0, within=3.0), 3.0)

    def test_nobody_else(self):
        """
        Nobody waits at the threshold, below it, or where no time is left.
        """
        for score, within in ((5.0, 100.0), (0.0, 100.0), (-7.0, 100.0), (9.0, 0.0), (9.0, -1.0)):
            self.assertIsNone(self.tarpit.hold_up(score, within))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_off(self):
        """
        It is off as it comes.
        """
        self.tarpit = self.make(limits=Limits())
        self.assertIsNone(self.tarpit.hold_up(1e6, 1000.0))

    def test_ended(self):
        """
        A wait that is ended tells how long it was, and leaves nothing behind.
        """
        waiting = self.tarpit.hold_up(10.0, 1000.0)
        self.clock.advance(4)
        waiting.cancel()
        self.assertEqual(self.successResultOf(waiting), 4.0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bound(self):
        """
        Above the bound nobody waits; whoever leaves makes room. That it is full is told once a
        minute.
        """
        with capturedLogs() as events:
            first = self.tarpit.hold_up(10.0, 1000.0)
            second = self.tarpit.hold_up(10.0, 1000.0)
            for _ in range(50):
                self.assertIsNone(self.tarpit.hold_up(10.0, 1000.0))
            first.cancel()
            self.clock.advance(1)
            third = self.tarpit.hold_up(10.0, 1000.0)
            self.assertIsNotNone(third)
            self.clock.advance(59)
            self.successResultOf(second)
            self.assertIsNotNone(self.tarpit.hold_up(10.0, 1000.0))
            self.assertIsNotNone(self.tarpit.hold_up(10.0, 1000.0))
            self.assertIsNone(self.tarpit.hold_up(10.0, 1000.0))
        told = [(event["event"], event["sessions"]) for event in events]
        self.assertEqual(told, [("tarpit.full", 2)] * 2)

    def test_share(self):
        """
        Never more than a quarter of all sessions wait, whatever is configured.
        """
        self.tarpit = self.make(possible=4)
        self.assertIsNotNone(self.tarpit.hold_up(10.0, 1000.0))
        self.assertIsNone(self.tarpit.hold_up(10.0, 1000.0))


class SessionTests(SynchronousTestCase):
    """
    Tests of sessions: two seconds a point above five, at most twenty.
    """

    def edge(self, listener=None, peer="192.0.2.7", **limits):
        """
        Make an edge, its client not yet connected.
        """
        directory = Path(self.mktemp())
        directory.mkdir()
        edge = Edge(Files(), ImmediateThreads(), directory, listener=listener or {})
        edge.limits = Limits(tarpit=2.0, **limits)
        address = peer
        if isinstance(peer, str):
            address = IPv4Address("TCP", peer, 40001)
        self.patch(Transport, "getPeer", lambda transport: address)
        return edge

    def greeted(self, score, **options):
        """
        Give an edge whose client has said MAIL, and has so high a score.
        """
        edge = self.edge(**options)
        edge.pipeline.answers.update(mail=scored(score), rcpt=scored(score))
        edge.greeted()
        self.assertTrue(edge.say("MAIL FROM:<a@example.org>\n").startswith("250"))
        return edge

    def is_held_up(self, edge, seconds, beginning):
        """
        See that the reply comes after so many seconds, and no earlier.
        """
        edge.clock.advance(seconds - 0.25)
        self.assertEqual(edge.said(), "")
        edge.clock.advance(0.25)
        said = edge.said()
        self.assertTrue(said.startswith(beginning), said)

    def test_recipients(self):
        """
        The replies to RCPT and DATA wait, the refusals too, each for itself; the order stays as it
        is.
        """
        edge = self.greeted(8.0)
        text = "RCPT TO:<ada@example.com>\nRCPT TO:<bob@example.org>\nRCPT TO:<ada@example.com>\n"
        self.assertEqual(edge.say(text), "")
        self.is_held_up(edge, 6, "250 2.1.5")
        self.is_held_up(edge, 6, "550 5.7.1")
        self.is_held_up(edge, 6, "250 2.1.5")
        self.assertEqual(edge.say("DATA\n"), "")
        self.is_held_up(edge, 6, "354")
        edge.pipeline.answers["message"] = scored(8.0)
        self.assertTrue(edge.say("text\n.\n").startswith("250"))
        (record,) = edge.hub.records
        self.assertEqual(record.durations["tarpit"], 24.0)

    def test_below_the_threshold(self):
        """
        Whose score is not above the threshold waits for nothing.
        """
        edge = self.greeted(5.0)
        self.assertTrue(edge.say("RCPT TO:<ada@example.com>\n").startswith("250"))
        self.assertTrue(edge.say("DATA\n").startswith("354"))
        edge.pipeline.answers["message"] = refused(5.0)
        edge.dispatcher.outcome = Outcome(Reply(550, "5.7.1", "no"), ())
        self.assertTrue(edge.say("text\n.\n").startswith("550"))
        self.assertNotIn("tarpit", edge.hub.records[0].durations)

    def test_whom_it_is_for(self):
        """
        Never held up are this machine, trusted networks, mail servers that speak for others, and
        the listeners of people and machines of ours.
        """
        trusted = ClientLimits(exempt_networks=("203.0.113.0/24",))
        for options in (
            {"peer": "127.0.0.1"},
            {"peer": "127.0.0.1", "clients": ClientLimits(exempt_networks=())},
            {"peer": UNIXAddress(None)},
            {"peer": "203.0.113.9", "clients": trusted},
            {"listener": {"xclient_networks": ["192.0.2.0/24"]}},
            {"listener": {"role": "internal", "networks": ["192.0.2.0/24"]}},
        ):
            edge = self.greeted(99.0, **options)
            said = edge.say("RCPT TO:<ada@example.com>\n")
            self.assertTrue(said.startswith("250"), options)
        self.assertEqual(self.greeted(99.0, clients=trusted).say("RCPT TO:<a@example.com>\n"), "")

    def test_lmtp(self):
        """
        Nor is a mail server of ours that speaks LMTP.
        """
        edge = self.edge({"role": "lmtp"})
        edge.pipeline.answers.update(mail=scored(99.0), rcpt=scored(99.0))
        edge.connect()
        edge.say("LHLO c\n")
        edge.say("MAIL FROM:<a@example.org>\n")
        self.assertTrue(edge.say("RCPT TO:<ada@example.com>\n").startswith("250"))

    def test_people(self):
        """
        Nor are people on a listener of theirs, even before they log in.
        """
        edge = self.edge({"role": "submission"})
        edge.pipeline.answers["greeted"] = refused(99.0)
        edge.connect()
        self.assertTrue(edge.say("EHLO c\n").startswith("550"))

    def test_speaking_for_this_machine(self):
        """
        Behind the PROXY protocol it is the client that counts, not the load balancer.
        """
        edge = self.edge({"proxy_networks": ["127.0.0.1"]}, peer="127.0.0.1")
        edge.pipeline.answers["greeted"] = refused(8.0)
        edge.connect()
        edge.say(OTHER_CLIENT)
        self.assertEqual(edge.say("EHLO c\n"), "")
        self.is_held_up(edge, 6, "550")

    def test_refused_connection(self):
        """
        A refusal of the connection waits; then the connection ends. The trace has the time.
        """
        edge = self.edge()
        edge.pipeline.answers["connected"] = refused(10.0, 554)
        self.assertEqual(edge.connect(), "")
        self.is_held_up(edge, 10, "554 5.7.1")
        self.assertTrue(edge.transport.disconnecting)
        (record,) = edge.hub.records
        self.assertEqual((record.durations, record.seconds), ({"tarpit": 10.0}, 10.0))

    def test_refused_greeting(self):
        """
        A refusal of EHLO waits; the session goes on.
        """
        edge = self.edge()
        edge.pipeline.answers["greeted"] = refused(6.0)
        edge.connect()
        self.assertEqual(edge.say("EHLO c\n"), "")
        self.is_held_up(edge, 2, "550 5.7.1")
        self.assertFalse(edge.transport.disconnecting)
        self.assertEqual(edge.hub.records[0].durations, {"tarpit": 2.0})

    def test_refused_sender(self):
        """
        A refusal of the sender waits.
        """
        edge = self.edge()
        edge.pipeline.answers["mail"] = refused(6.0)
        edge.greeted()
        self.assertEqual(edge.say("MAIL FROM:<a@example.org>\n"), "")
        self.is_held_up(edge, 2, "550 5.7.1")
        self.assertEqual(edge.hub.records[0].durations, {"tarpit": 2.0})

    def test_recipients_that_differ(self):
        """
        What counts at DATA is the recipient whom least speaks against.
        """
        edge = self.edge()
        edge.pipeline.answers.update(
            {
                ("rcpt", "ada@example.com"): scored(8.0),
                ("rcpt", "bob@example.com"): scored(2.0),
                ("rcpt", "eve@example.com"): scored(9.0),
            }
        )
        edge.greeted()
        edge.say("MAIL FROM:<a@example.org>\n")
        self.assertEqual(edge.say("RCPT TO:<ada@example.com>\n"), "")
        self.is_held_up(edge, 6, "250")
        self.assertTrue(edge.say("RCPT TO:<bob@example.com>\n").startswith("250"))
        self.assertTrue(edge.say("RCPT TO:<eve@example.com>\n").startswith("250"))
        self.assertTrue(edge.say("DATA\n").startswith("354"))

    def refuse_message(self, edge, score, reply, **copy):
        """
        Send a message that comes to a score, and is answered with C{reply}.
        """
        edge.ready_for_data()
        edge.pipeline.answers["message"] = scored(score)
        edge.dispatcher.outcome = Outcome(reply, (Copy("ada@example.com", **copy),))
        return edge.say("text\n.\n")

    def test_refused_message(self):
        """
        The refusal of a message waits, and its copies stand in the trace.
        """
        edge = self.edge()
        reply = Reply(550, "5.7.1", "no")
        self.assertEqual(self.refuse_message(edge, 7.0, reply, outcome="refused"), "")
        self.is_held_up(edge, 4, "550 5.7.1")
        (record,) = edge.hub.records
        self.assertEqual(record.durations["tarpit"], 4.0)
        self.assertEqual([copy.outcome for copy in record.copies], ["refused"])

    def test_accepted_message(self):
        """
        A 250 to a message never waits, whatever was found: the client might send it once more.
        """
        edge = self.edge()
        reply = Reply(250, "2.0.0", "ok")
        said = self.refuse_message(edge, 99.0, reply, outcome="held")
        self.assertTrue(said.startswith("250"))

    def test_time_of_the_reply(self):
        """
        The reply to a message comes within the time for it, tarpit included.
        """
        edge = self.edge(tarpit_most=50.0, check_seconds=30.0, reply_seconds=60.0)
        edge.ready_for_data()
        checked = edge.pipeline.answers["message"] = self.slowly(edge.clock, 29, scored(99.0))
        edge.dispatcher.outcome = Outcome(Reply(550, "5.7.1", "no"), ())
        self.assertEqual(edge.say("text\n.\n"), "")
        edge.clock.advance(29)
        self.assertTrue(checked.called)
        self.is_held_up(edge, 31, "550")

    def slowly(self, clock, seconds, verdict):
        """
        Give verdicts on a message, in some seconds.
        """
        return deferLater(clock, seconds, lambda: [verdict])

    def test_all_of_a_session(self):
        """
        In all a session is held up for no more than half of its time.
        """
        edge = self.greeted(99.0, session_seconds=100.0, command_seconds=99.0)
        for seconds in (20, 20, 10):
            self.assertEqual(edge.say("RCPT TO:<ada@example.com>\n"), "")
            self.is_held_up(edge, seconds, "250")
        self.assertTrue(edge.say("RCPT TO:<ada@example.com>\n").startswith("250"))

    def test_client_leaves(self):
        """
        The wait ends when the client leaves; the trace has what it was, and nothing is left.
        """
        edge = self.greeted(8.0)
        edge.say("RCPT TO:<ada@example.com>\n")
        edge.clock.advance(1)
        edge.lose()
        self.assertEqual(edge.clock.getDelayedCalls(), [])
        (record,) = edge.hub.records
        self.assertEqual((record.reply, record.notes), ("", ("client gone",)))
        self.assertEqual(record.durations, {"tarpit": 1.0})

    def test_client_leaves_at_the_end(self):
        """
        So it is where the refusal of a message waits, and what became of the copies stays true.
        """
        edge = self.edge()
        self.refuse_message(edge, 7.0, Reply(550, "5.7.1", "no"), outcome="refused")
        edge.clock.advance(1)
        edge.lose()
        self.assertEqual(edge.clock.getDelayedCalls(), [])
        (record,) = edge.hub.records
        self.assertEqual((record.reply, record.notes), ("", ("client gone",)))
        self.assertEqual([copy.outcome for copy in record.copies], ["refused"])
        self.assertEqual(record.durations["tarpit"], 1.0)

    def test_client_leaves_before_the_354(self):
        """
        So it is where the 354 waits, and at a refusal of the connection.
        """
        edge = self.greeted(5.0)
        edge.say("RCPT TO:<ada@example.com>\n")
        edge.protocol._mailing._open.score = 8.0
        self.assertEqual(edge.say("DATA\n"), "")
        edge.lose()
        self.assertEqual(edge.clock.getDelayedCalls(), [])
        self.assertEqual(edge.hub.records[0].notes, ("client gone",))
        other = self.edge()
        other.pipeline.answers["connected"] = refused(10.0, 554)
        other.connect()
        other.lose()
        self.assertEqual(other.clock.getDelayedCalls(), [])
        self.assertEqual(other.hub.records[0].reply, "")

    def test_gateway_stops(self):
        """
        The wait ends when the gateway stops: the reply comes at once, then 421.
        """
        edge = self.greeted(8.0)
        edge.say("RCPT TO:<ada@example.com>\nRCPT TO:<bob@example.com>\n")
        done = edge.factory.finish(30)
        said = edge.said().splitlines()
        self.assertEqual([line[:3] for line in said], ["250", "250", "421"])
        self.assertTrue(edge.transport.disconnecting)
        edge.lose()
        self.successResultOf(done)
        self.assertEqual(edge.clock.getDelayedCalls(), [])

    def test_gateway_stops_before_the_354(self):
        """
        A message whose 354 waits is not begun any more.
        """
        edge = self.greeted(5.0)
        edge.say("RCPT TO:<ada@example.com>\n")
        edge.protocol._mailing._open.score = 8.0
        edge.say("DATA\n")
        edge.clock.advance(1)
        edge.factory.finish(30)
        said = edge.said()
        self.assertTrue(said.startswith("421 4.3.2"), said)
        self.assertTrue(edge.transport.disconnecting)

    def test_talking_before_the_354(self):
        """
        A6: whoever sends the message during the wait for the 354 is sent away.
        """
        edge = self.greeted(5.0)
        edge.say("RCPT TO:<ada@example.com>\n")
        edge.protocol._mailing._open.score = 8.0
        edge.say("DATA\n")
        self.assertEqual(edge.say("Subject: x\n\nRSET\n.\n"), "")
        self.is_held_up(edge, 6, "554 5.5.0")
        self.assertTrue(edge.transport.disconnecting)

    def test_unknown_recipient(self):
        """
        The refusal of an unknown recipient waits by what was found at MAIL; a guesser is still
        sent away behind it.
        """
        edge = self.greeted(6.0, clients=ClientLimits(unknown_recipients=1))
        edge.recipients.answers["x@example.com"] = Reply(550, "5.1.1", "unknown")
        self.assertEqual(edge.say("RCPT TO:<x@example.com>\n"), "")
        self.is_held_up(edge, 2, "550 5.1.1")
        self.assertTrue(edge.transport.disconnecting)

    def test_full(self):
        """
        Where as many wait as may, nobody else does.
        """
        edge = self.greeted(99.0, clients=ClientLimits(connections=3))
        self.assertTrue(edge.say("RCPT TO:<ada@example.com>\n").startswith("250"))
