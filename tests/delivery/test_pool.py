"""
Tests of L{mailgate.delivery.pool}.
"""

from attrs import evolve
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionRefusedError, DNSLookupError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.delivery.opening import Opening
from mailgate.delivery.pool import Pool
from mailgate.delivery.transaction import Transaction
from mailgate.interfaces import Load
from mailgate.wire.address import Address
from tests.delivery.network import Network, make_settings
from tests.pipeline.events import events
from tests.storage import ADA, ENVELOPE, message

SENDER = Address("s", "example.org")
QUIT = b"QUIT\r\n"


class PoolCase(SynchronousTestCase):
    """
    A pool whose upstream the test plays.
    """

    def make(self, is_waiting=False, **settings):
        """
        Make a pool.
        """
        self.clock = Clock()
        self.network = Network(is_waiting)
        self.wires = self.network.wires
        self.pool = Pool(
            "inner",
            self.network,
            self.clock,
            Opening("mail.example.com"),
            make_settings(**settings),
        )

    def run_one(self, recipient=ADA, wait=150.0, body="7BIT"):
        """
        Begin a transaction, and give its answer.
        """
        transaction = Transaction(SENDER, (recipient,), message(), evolve(ENVELOPE, body=body))
        transaction.wait_until = self.clock.seconds() + wait
        self.assertIsNone(transaction.prepare())
        self.pool.run(transaction)
        return transaction.answer

    def reply(self, answer):
        """
        Give the one reply of an answer.
        """
        (reply,) = self.successResultOf(answer)
        return reply

    def complete(self, wire):
        """
        Take the message that a client has begun to send.
        """
        wire.take()
        wire.finish()

    def serve(self):
        """
        Run a whole transaction on the connection that is open, or on a new one.
        """
        open_before = len(self.wires)
        answer = self.run_one()
        wire = self.wires[-1]
        if len(self.wires) > open_before:
            wire.greet()
        self.complete(wire)
        self.assertEqual(self.reply(answer).code, 250)
        wire.heard()
        return wire


class ReuseTests(PoolCase):
    """
    How connections are used again, and how long.
    """

    def test_reuse(self):
        """
        One transaction after the other runs on one connection.
        """
        self.make()
        for _ in range(5):
            self.serve()
        self.assertEqual(len(self.wires), 1)

    def test_age(self):
        """
        A connection is ended after its last transaction, and the next gets a new one.
        """
        self.make(transactions=3)
        for _ in range(2):
            self.serve()
        wire = self.wires[0]
        answer = self.run_one()
        wire.take()
        wire.heard()
        wire.finish()
        self.assertEqual(self.reply(answer).code, 250)
        self.assertEqual(wire.heard(), QUIT)
        wire.say("221 2.0.0 bye")
        self.assertTrue(wire.is_closed)
        self.serve()
        self.assertEqual(len(self.wires), 2)

    def test_idle(self):
        """
        A connection without a transaction is ended after its time, counted from the last.
        """
        self.make(idle_seconds=60)
        wire = self.serve()
        self.clock.advance(59)
        self.serve()
        self.clock.advance(59)
        self.assertEqual(wire.heard(), b"")
        self.clock.advance(1)
        self.assertEqual(wire.heard(), QUIT)
        self.serve()
        self.assertEqual(len(self.wires), 2)

    def test_idle_upstream_gone(self):
        """
        A connection that its upstream ends while it is idle is forgotten, which is no failure.
        """
        self.make()
        self.serve().drop()
        self.serve()
        self.assertEqual((len(self.wires), self.pool.failures), (2, 0))

    def test_idle_upstream_says_goodbye(self):
        """
        An idle connection on which something is said is not used any more.
        """
        self.make()
        wire = self.serve()
        wire.say("421 4.4.2 idle for too long")
        self.assertTrue(wire.is_closed)
        self.serve()
        self.assertEqual(len(self.wires), 2)

    def test_silent_quit(self):
        """
        An upstream that does not answer QUIT is left after five seconds.
        """
        self.make(idle_seconds=60)
        wire = self.serve()
        self.clock.advance(60)
        self.clock.advance(4.9)
        self.assertFalse(wire.is_closed)
        self.clock.advance(0.1)
        self.assertTrue(wire.is_closed)


class WaitingTests(PoolCase):
    """
    Who gets a connection, and when.
    """

    def test_load(self):
        """
        It tells how many connections are busy and idle, and who waits.
        """
        self.make(connections=2)
        self.assertEqual(self.pool.load, Load())
        self.serve()
        self.assertEqual(self.pool.load, Load(0, 1, 0))
        for _ in range(4):
            self.run_one()
        self.assertEqual(self.pool.load, Load(2, 0, 3))

    def test_limit(self):
        """
        There are never more connections than allowed, and all of them are used.
        """
        self.make(connections=2)
        for _ in range(5):
            self.run_one()
        self.assertEqual(len(self.wires), 2)

    def test_fair(self):
        """
        Who came first is served first.
        """
        self.make(connections=1)
        served = []
        for number in range(4):
            answer = self.run_one(Address(f"r{number}", "example.com"))
            answer.addCallback(lambda _, number=number: served.append(number))
        (wire,) = self.wires
        wire.greet()
        for _ in range(4):
            self.complete(wire)
        self.assertEqual(served, [0, 1, 2, 3])
        self.assertEqual(len(self.wires), 1)

    def test_f09_not_taken_any_more(self):
        """
        A transaction that the upstream cannot take any more costs nobody a connection (F9).
        """
        self.make(connections=1)
        waiting = self.run_one(body="8BITMIME")
        patient = self.run_one()
        (wire,) = self.wires
        wire.greet("PIPELINING")
        self.assertEqual(self.reply(waiting).enhanced, "4.6.3")
        self.complete(wire)
        self.assertEqual(self.reply(patient).code, 250)
        self.assertEqual(self.reply(self.run_one(body="8BITMIME")).enhanced, "4.6.3")
        self.serve()
        self.assertEqual(len(self.wires), 1)

    def test_waiting_too_long(self):
        """
        Who has waited for too long is told so; the others go on waiting.
        """
        self.make(connections=1)
        self.run_one()
        self.wires[0].greet()
        late = self.run_one(wait=10)
        patient = self.run_one(wait=100)
        self.clock.advance(9)
        self.assertNoResult(late)
        self.clock.advance(1)
        self.assertEqual(
            str(self.reply(late)), "451 4.4.1 destination not reached: no connection in time"
        )
        self.complete(self.wires[0])
        self.complete(self.wires[0])
        self.assertEqual(self.reply(patient).code, 250)

    def test_cancel_while_waiting(self):
        """
        Who does not wait any more is not served, and takes nobody's turn.
        """
        self.make(connections=1)
        self.run_one()
        (wire,) = self.wires
        wire.greet()
        gone = self.run_one(Address("gone", "example.com"))
        patient = self.run_one(Address("patient", "example.com"))
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        self.complete(wire)
        self.assertNotIn(b"gone", wire.transport.value())
        self.complete(wire)
        self.assertEqual(self.reply(patient).code, 250)

    def test_cancel_while_running(self):
        """
        Cancelling before the message closes the connection; its place is free again.
        """
        self.make(connections=1)
        answer = self.run_one()
        self.wires[0].greet()
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.assertTrue(self.wires[0].is_closed)
        self.serve()
        self.assertEqual(len(self.wires), 2)

    def test_cancel_after_first_byte(self):
        """
        A message that is on its way is not stopped, and its outcome comes.
        """
        self.make()
        answer = self.run_one()
        self.wires[0].greet()
        self.wires[0].take()
        answer.cancel()
        self.assertNoResult(answer)
        self.wires[0].finish()
        self.assertEqual(self.reply(answer).code, 250)


class BrokenTests(PoolCase):
    """
    Connections that break, and upstreams that cannot be reached.
    """

    def test_repeated_before_354(self):
        """
        Who finds an old connection broken before the upstream's 354 gets a new one.
        """
        for reply in ((), ("250 2.1.0 ok",), ("250 2.1.0 ok", "250 2.1.5 ok")):
            self.make()
            old = self.serve()
            answer = self.run_one()
            if reply:
                old.say(*reply)
            old.drop()
            self.assertNoResult(answer)
            self.wires[1].greet()
            self.complete(self.wires[1])
            self.assertEqual(self.reply(answer).code, 250)
            self.assertEqual(self.pool.failures, 0)

    def test_repeated_after_a_probe(self):
        """
        So does who finds one broken that was opened by a probe and has been idle since.
        """
        self.make()
        probed = self.pool.probe()
        self.wires[0].greet()
        self.successResultOf(probed)
        answer = self.run_one()
        self.wires[0].drop()
        self.assertNoResult(answer)
        self.wires[1].greet()
        self.complete(self.wires[1])
        self.assertEqual(self.reply(answer).code, 250)
        self.assertEqual(self.pool.failures, 0)

    def test_repeated_after_421(self):
        """
        An old connection that answers MAIL with 421 is one that was found broken.
        """
        self.make()
        old = self.serve()
        answer = self.run_one()
        old.say("421 4.3.2 too old")
        old.drop()
        self.assertNoResult(answer)
        self.wires[1].greet()
        self.complete(self.wires[1])
        self.assertEqual(self.reply(answer).code, 250)

    def test_repeated_once(self):
        """
        A second broken connection is the end, and a failure.
        """
        self.make()
        old = self.serve()
        answer = self.run_one()
        old.drop()
        self.wires[1].greet()
        self.wires[1].drop()
        self.assertEqual(
            str(self.reply(answer)), "451 4.4.1 destination not reached: connection lost"
        )
        self.assertEqual((self.pool.failures, len(self.wires)), (1, 2))

    def test_repeated_only_on_a_new_one(self):
        """
        Who has lost an old connection does not get another old one.
        """
        self.make(connections=2)
        first, second = self.run_one(), self.run_one()
        for wire in self.wires:
            wire.greet()
        for wire in self.wires:
            self.complete(wire)
            wire.heard()
        self.assertEqual([self.reply(a).code for a in (first, second)], [250, 250])
        answer = self.run_one()
        used = next(wire for wire in self.wires if wire.heard())
        used.drop()
        self.assertEqual(len(self.wires), 3)
        self.wires[2].greet()
        self.complete(self.wires[2])
        self.assertEqual(self.reply(answer).code, 250)

    def test_not_repeated_on_one_that_becomes_free(self):
        """
        Nor does an old one that becomes free meanwhile serve who waits for a new one.
        """
        self.make(connections=2)
        first, second = self.run_one(), self.run_one()
        for wire in self.wires:
            wire.greet()
        for wire in self.wires:
            self.complete(wire)
            wire.heard()
        self.assertEqual([self.reply(a).code for a in (first, second)], [250, 250])
        self.network.is_waiting = True
        repeated, other = self.run_one(), self.run_one()
        self.wires[1].drop()
        self.complete(self.wires[0])
        self.assertEqual(self.reply(other).code, 250)
        self.wires[0].heard()
        self.assertNoResult(repeated)
        self.network.connected()
        self.wires[2].greet()
        self.assertEqual(self.wires[0].heard(), b"")
        self.complete(self.wires[2])
        self.assertEqual(self.reply(repeated).code, 250)

    def test_never_repeated_on_a_new_one(self):
        """
        A new connection that breaks is the upstream's failure, not its age.
        """
        self.make()
        answer = self.run_one()
        self.wires[0].greet()
        self.wires[0].drop()
        self.assertEqual(self.reply(answer).enhanced, "4.4.1")
        self.assertEqual(len(self.wires), 1)

    def test_never_repeated_after_354(self):
        """
        After 354 nothing is repeated, since the upstream may have the message.
        """
        self.make()
        old = self.serve()
        answer = self.run_one()
        old.take()
        old.drop()
        self.assertEqual(self.reply(answer).enhanced, "4.4.2")
        self.assertEqual(len(self.wires), 1)
        self.assertEqual(self.pool.failures, 1)

    def test_refused(self):
        """
        Nobody waits for an upstream that cannot be reached: all are told at once, and why.
        """
        for error, words in (
            (ConnectionRefusedError(), "connection was refused by other side"),
            (DNSLookupError(), "dns lookup failed"),
        ):
            self.make(is_waiting=True, connections=1)
            answers = [self.run_one(), self.run_one()]
            self.network.refused(error)
            for answer in answers:
                reply = self.reply(answer)
                self.assertEqual((reply.code, reply.enhanced), (451, "4.4.1"))
                self.assertIn(words, reply.text)

    def test_refused_beside_a_working_one(self):
        """
        Where another connection works, a refused one costs one transaction at most.
        """
        self.make(is_waiting=True, connections=2)
        busy = self.run_one()
        self.network.connected()
        self.wires[0].greet()
        refused, patient = self.run_one(), self.run_one()
        self.network.refused(ConnectionRefusedError())
        self.assertEqual(self.reply(refused).enhanced, "4.4.1")
        self.assertNoResult(patient)
        self.complete(self.wires[0])
        self.complete(self.wires[0])
        self.assertEqual([self.reply(a).code for a in (busy, patient)], [250, 250])

    def test_connecting_too_long(self):
        """
        An upstream that does not take the connection is given up after its time.
        """
        self.make(is_waiting=True, connect_seconds=15)
        answer = self.run_one()
        self.clock.advance(14)
        self.assertNoResult(answer)
        self.clock.advance(1)
        self.assertIn("no connection in time", self.reply(answer).text)

    def test_unforeseen(self):
        """
        An unforeseen mistake while connecting is told to the log, and nobody waits for ever.
        """
        self.make(is_waiting=True)
        answer = self.run_one()
        self.network.refused(ValueError("broken"))
        self.assertEqual(self.reply(answer).enhanced, "4.4.1")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_no_place_is_lost(self):
        """
        However a connection ends, its place is free again.
        """
        self.make(connections=1, connect_seconds=15, reply_seconds=150)

        def never_greets(wire):
            self.clock.advance(15)

        def refuses(wire):
            wire.say("554 5.3.2 go away")

        def speaks_nonsense(wire):
            wire.say("nonsense")

        def drops_amid(wire):
            wire.greet()
            wire.take()
            wire.drop()

        def hangs_after_the_dot(wire):
            wire.greet()
            wire.take()
            self.clock.advance(150)

        for ending in (never_greets, refuses, speaks_nonsense, drops_amid, hangs_after_the_dot):
            answer = self.run_one()
            ending(self.wires[-1])
            self.assertEqual(self.reply(answer).code, 451)
            self.assertTrue(self.wires[-1].is_closed, ending)
        self.serve()
        self.assertEqual(len(self.wires), 6)

    def test_failures(self):
        """
        Failures are counted until the upstream answers again, and both are told to the log.
        """
        self.make(is_waiting=True)
        with events() as told:
            for _ in range(2):
                self.run_one()
                self.network.refused(ConnectionRefusedError())
            self.assertEqual(self.pool.failures, 2)
            self.run_one()
            self.network.connected()
            self.wires[0].greet()
        self.assertEqual(self.pool.failures, 0)
        self.assertEqual(
            [e["event"] for e in told],
            ["upstream.failed", "upstream.failed", "upstream.recovered", "upstream.capabilities"],
        )


class ProbeTests(PoolCase):
    """
    What is known of an upstream before anything is sent there.
    """

    def test_probe(self):
        """
        A probe connects, learns what EHLO says, and leaves the connection for the next.
        """
        self.make()
        self.assertEqual(self.pool.capabilities.extensions, frozenset())
        probed = self.pool.probe()
        again = self.pool.probe()
        self.assertNoResult(probed)
        self.wires[0].greet("PIPELINING", "SIZE 5000")
        self.successResultOf(probed)
        self.successResultOf(again)
        self.assertEqual(self.pool.capabilities.extensions, {"PIPELINING", "SIZE"})
        self.assertEqual(self.pool.capabilities.size, 5000)
        self.serve()
        self.successResultOf(self.pool.probe())
        self.assertEqual(len(self.wires), 1)

    def test_probe_not_reached(self):
        """
        A probe of an upstream that is not there ends too, and what was known stays known.
        """
        self.make(is_waiting=True)
        probed = self.pool.probe()
        self.network.refused(ConnectionRefusedError())
        self.successResultOf(probed)
        self.assertEqual(self.pool.failures, 1)

    def test_last_ehlo(self):
        """
        What is known is what the upstream said last.
        """
        self.make(transactions=1)
        self.run_one()
        self.wires[0].greet("8BITMIME")
        self.assertEqual(self.pool.capabilities.extensions, {"8BITMIME"})
        self.wires[0].drop()
        self.run_one()
        self.wires[1].greet("SIZE")
        self.assertEqual(self.pool.capabilities.extensions, {"SIZE"})


class CloseTests(PoolCase):
    """
    How it ends.
    """

    def test_close(self):
        """
        What runs is still served; who waits is refused at once, and so is who comes later.
        """
        self.make(connections=1)
        self.serve()
        (wire,) = self.wires
        running, waiting = self.run_one(), self.run_one()
        closed = self.pool.close()
        for refused in (waiting, self.run_one()):
            self.assertEqual(str(self.reply(refused)), "451 4.3.2 the gateway is being stopped")
        self.complete(wire)
        self.assertEqual(self.reply(running).code, 250)
        self.assertNoResult(closed)
        self.assertTrue(wire.heard().endswith(QUIT))
        wire.say("221 2.0.0 bye")
        self.successResultOf(closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_close_idle(self):
        """
        Idle connections are ended politely, and nothing is left with the reactor.
        """
        self.make()
        wire = self.serve()
        closed = self.pool.close()
        self.assertEqual(wire.heard(), QUIT)
        self.assertNoResult(closed)
        wire.say("221 2.0.0 bye")
        self.successResultOf(closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_close_unused(self):
        """
        A pool without connections is closed at once.
        """
        self.make()
        self.successResultOf(self.pool.close())
        self.successResultOf(self.pool.probe())
        self.assertEqual(self.wires, [])

    def assertClosesAtOnce(self, *answers, probed):
        """
        It closes without waiting for the upstream, which is no failure of the upstream, and
        leaves nothing with the reactor.
        """
        with events() as told:
            closed = self.pool.close()
        self.successResultOf(closed)
        self.successResultOf(probed)
        for answer in answers:
            self.assertEqual(str(self.reply(answer)), "451 4.3.2 the gateway is being stopped")
        self.assertEqual((told, self.pool.failures), ([], 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_close_while_connecting(self):
        """
        An attempt to connect is cancelled.
        """
        self.make(is_waiting=True)
        probed = self.pool.probe()
        answers = [self.run_one(), self.run_one()]
        self.assertClosesAtOnce(*answers, probed=probed)
        self.assertEqual(self.wires, [])

    def test_close_before_ready(self):
        """
        A connection that is not greeted, or whose EHLO is not answered, is cut.
        """
        for said in ((), ("220 mx",)):
            self.make()
            probed = self.pool.probe()
            answer = self.run_one()
            for line in said:
                self.wires[0].say(line)
            self.assertClosesAtOnce(answer, probed=probed)
            self.assertTrue(self.wires[0].is_closed)

    def test_close_beside_a_busy_one(self):
        """
        Who has lost an old connection does not get a new one any more; a message under way ends.
        """
        self.make(connections=2)
        first, second = self.run_one(), self.run_one()
        for wire in self.wires:
            wire.greet()
        for wire in self.wires:
            self.complete(wire)
            wire.heard()
        answers = [self.run_one(), self.run_one()]
        self.assertEqual([self.reply(a).code for a in (first, second)], [250, 250])
        closed = self.pool.close()
        self.wires[1].drop()
        self.complete(self.wires[0])
        self.assertCountEqual([self.reply(a).code for a in answers], [250, 451])
        self.wires[0].say("221 2.0.0 bye")
        self.successResultOf(closed)
        self.assertEqual(len(self.wires), 2)
