"""
Tests of the SMTP edge: waiting, disconnecting, limits, time and TLS.
"""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.model import ClientLimits, Limits
from mailgate.finding import Finding
from mailgate.interfaces import Capabilities, Outcome
from mailgate.message.header import Headers
from mailgate.message.record import Copy
from mailgate.reply import Reply
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads
from mailgate.verdict import Action, Verdict
from tests.edge.harness import ACCEPT, Edge

REFUSED = Verdict(
    Action.REJECT,
    (Finding("BAD", 20.0, "It is bad."),),
    20.0,
    reply=Reply(550, "5.7.1", "refused"),
)


class EdgeTestCase(SynchronousTestCase):
    """
    A test case with an edge.
    """

    def edge(self, **parts):
        """
        Make an edge whose spool files are in a temporary folder.
        """
        directory = Path(self.mktemp())
        directory.mkdir()
        return Edge(Files(), ImmediateThreads(), directory, **parts)


class WaitingTests(EdgeTestCase):
    """
    Tests of what happens while a reply is owed.
    """

    def test_replies_stay_in_order(self):
        """
        What is sent while a check runs is answered after it, in order.
        """
        edge = self.edge().greeted()
        slow = edge.pipeline.answers["mail"] = Deferred()
        self.assertEqual(edge.say("MAIL FROM:<a@example.org>\nNOOP\n"), "")
        self.assertEqual(edge.say("RCPT TO:<ada@example.com>\n"), "")
        slow.callback(ACCEPT)
        self.assertEqual(
            edge.said().splitlines(),
            ["250 2.1.0 sender ok", "250 2.0.0 ok", "250 2.1.5 recipient ok"],
        )

    @settings(max_examples=30)
    @given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.booleans())
    def test_every_split_gives_the_same(self, lengths, waits):
        """
        However the bytes are cut, and whether or not checks take time, the replies are equal.
        """
        # Between two groups the client waits, as it must.
        groups = (
            b"EHLO c.example\r\n",
            b"MAIL FROM:<a@example.org>\r\nRCPT TO:<ada@example.com>\r\n"
            b"RCPT TO:<b@example.net>\r\nBOGUS\r\nDATA\r\n",
            b".\r.\r\n..x\r\n\r\n.\r\nRSET\r\nMAIL FROM:<>\r\n"
            b"RCPT TO:<ada@example.com>\r\nDATA\r\n",
            b"x\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<ada@example.com>\r\nBDAT 3\r\nx\r\n"
            b"BDAT 5\r\na\r\n\r\nBDAT 3 LAST\r\nb\r\nBDAT 4\r\nQUITQUIT\r\n",
        )
        whole = self.edge()
        expected = whole.connect() + "".join(map(whole.say, groups))
        edge = self.edge()
        said = edge.connect()
        turn = 0
        for script in groups:
            at = 0
            while at < len(script):
                length = lengths[turn % len(lengths)]
                slow = Deferred()
                if waits:
                    edge.pipeline.answers["mail"] = slow
                said += edge.say(script[at : at + length])
                slow.callback(ACCEPT)
                said += edge.said()
                at += length
                turn += 1
        self.assertEqual(said, expected)
        self.assertEqual(edge.dispatcher.messages[-1][3], b"x\r\na\r\n\r\nb\r\n")

    def test_many_pipelined_commands(self):
        """
        Thousands of commands in one piece need neither depth nor patience.
        """
        limits = Limits(idle_commands=10_000, clients=ClientLimits(junk_commands=10_000))
        edge = self.edge(limits=limits).greeted()
        edge.pipeline.answers["mail"] = lambda: succeed(ACCEPT)
        said = edge.say("MAIL FROM:<a@example.org>\nRSET\n" * 3000)
        self.assertEqual(said.count("250 "), 6000)

    def test_buffer_is_bounded(self):
        """
        Above 4 KiB of waiting commands nothing more is read, until the reply is there.
        """
        edge = self.edge(limits=Limits(idle_commands=10_000)).greeted()
        slow = edge.pipeline.answers["mail"] = Deferred()
        edge.say("MAIL FROM:<a@example.org>\n")
        edge.say("NOOP\n" * 600)
        self.assertEqual(edge.transport.producerState, "producing")
        edge.say("NOOP\n" * 200)
        self.assertEqual(edge.transport.producerState, "paused")
        slow.callback(ACCEPT)
        self.assertEqual(edge.transport.producerState, "producing")
        self.assertEqual(edge.said().count("250 2.0.0 ok"), 800)

    def test_client_that_does_not_read(self):
        """
        A client that does not read its replies is not read from.
        """
        edge = self.edge().greeted()
        edge.protocol.pauseProducing()
        self.assertEqual(edge.transport.producerState, "paused")
        edge.protocol.resumeProducing()
        self.assertEqual(edge.transport.producerState, "producing")

    def test_a_check_that_breaks(self):
        """
        An error of ours is a 451 and an event, and the session goes on.
        """
        edge = self.edge().greeted()
        slow = edge.pipeline.answers["mail"] = Deferred()
        edge.say("MAIL FROM:<a@example.org>\n")
        slow.errback(ZeroDivisionError())
        self.assertEqual(edge.said(), "451 4.3.0 local error, try again later (ID)\r\n")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        edge.pipeline.answers.clear()
        self.assertEqual(edge.say("MAIL FROM:<a@example.org>\n"), "250 2.1.0 sender ok\r\n")
        record = edge.hub.records[0]
        self.assertEqual(record.reply, f"451 4.3.0 local error, try again later ({record.trace})")

    def test_a_check_that_raises_at_once(self):
        """
        So is an exception without any waiting.
        """
        edge = self.edge().greeted()
        edge.pipeline.answers["rcpt"] = lambda: 1 // 0
        edge.say("MAIL FROM:<a@example.org>\n")
        self.assertEqual(
            edge.say("RCPT TO:<ada@example.com>\nNOOP\n").splitlines(),
            ["451 4.3.0 local error, try again later (ID)", "250 2.0.0 ok"],
        )
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class DisconnectTests(EdgeTestCase):
    """
    Tests of clients that go away.
    """

    def test_rst_during_a_slow_check(self):
        """
        A lost connection cancels a check, and the transaction is recorded.
        """
        edge = self.edge().greeted()
        cancelled = []
        edge.pipeline.answers["mail"] = Deferred(cancelled.append)
        edge.say("MAIL FROM:<a@example.org>\n")
        edge.lose(clean=False)
        self.assertEqual(len(cancelled), 1)
        self.assertIn(("close",), edge.pipeline.calls)
        (record,) = edge.hub.records
        self.assertEqual((record.reply, record.notes), ("", ("client gone",)))
        self.assertEqual(edge.clock.getDelayedCalls(), [])

    def test_fin_during_a_slow_check(self):
        """
        So does the end of what the client sends, where no QUIT is waiting.
        """
        edge = self.edge().greeted()
        edge.pipeline.answers["mail"] = Deferred()
        edge.say("MAIL FROM:<a@example.org>\nNOOP\n")
        edge.protocol.readConnectionLost()
        self.assertTrue(edge.transport.disconnecting)

    def test_fin_behind_quit(self):
        """
        A client that has sent QUIT before its FIN gets all replies.
        """
        edge = self.edge().greeted()
        slow = edge.pipeline.answers["mail"] = Deferred()
        edge.say("MAIL FROM:<a@example.org>\nQUIT\n")
        edge.protocol.readConnectionLost()
        self.assertFalse(edge.transport.disconnecting)
        slow.callback(ACCEPT)
        self.assertEqual(edge.said().splitlines(), ["250 2.1.0 sender ok", "221 2.0.0 bye"])
        self.assertTrue(edge.transport.disconnecting)

    def test_gone_during_delivery(self):
        """
        A message that is being settled is settled, and its record says how.
        """
        edge = self.edge()

        def asked_to_stop(outcome):
            # As a delivery does that has begun: the outcome comes all the same.
            outcome.callback(
                Outcome(Reply(250, "2.0.0", "ok"), (Copy("ada@example.com", "delivered"),))
            )

        edge.dispatcher.outcome = Deferred(asked_to_stop)
        edge.ready_for_data()
        edge.say("Subject: x\nFrom: Eve <Eve@Example.org>\n\ntext\n.\n")
        edge.lose(clean=False)
        (record,) = edge.hub.records
        self.assertEqual(record.author, "eve@example.org")
        self.assertEqual(record.copies, (Copy("ada@example.com", "delivered"),))
        self.assertEqual(record.notes, ("client gone, outcome 250 2.0.0 ok",))
        self.assertEqual((record.reply, record.subject), ("", "x"))

    def test_gone_before_delivery(self):
        """
        A message whose delivery could still be called off leaves a record that says why.
        """
        edge = self.edge()
        edge.dispatcher.outcome = Deferred()
        edge.ready_for_data()
        edge.say("Subject: x\n\ntext\n.\n")
        done = edge.factory.finish(30)
        edge.lose(clean=False)
        (record,) = edge.hub.records
        self.assertEqual((record.reply, record.notes), ("", ("client gone",)))
        self.successResultOf(done)

    def test_gone_in_the_message(self):
        """
        A message that breaks off is forgotten, its memory and spool file too.
        """
        edge = self.edge(memory_limit=100)
        edge.ready_for_data()
        edge.say(b"x" * 70 + b"\r\n")
        edge.say(b"x" * 70 + b"\r\n")
        self.assertEqual(len(list(edge.directory.iterdir())), 1)
        edge.lose()
        self.assertEqual(list(edge.directory.iterdir()), [])
        self.assertEqual(edge.factory.services.spool.memory, 0)
        self.assertEqual(edge.dispatcher.messages, [])


class LimitTests(EdgeTestCase):
    """
    Tests of what a client may cost.
    """

    def test_a08_long_command(self):
        """
        A command line that never ends costs no memory and gets 500 when it does.
        """
        edge = self.edge().greeted()
        for _ in range(100):
            self.assertEqual(edge.say(b"A" * 65536), "")
        self.assertLess(len(edge.protocol._buffer), 4096)
        self.assertEqual(
            edge.say("\nNOOP\n").splitlines(),
            ["500 5.5.6 command line too long", "250 2.0.0 ok"],
        )

    def test_command_of_the_longest_length(self):
        """
        A line of exactly 2,048 bytes is a command, one more is not.
        """
        edge = self.edge().greeted()
        self.assertEqual(edge.say(b"NOOP ".ljust(2046, b"x") + b"\r\n"), "250 2.0.0 ok\r\n")
        self.assertEqual(
            edge.say(b"NOOP ".ljust(2047, b"x") + b"\r\n"), "500 5.5.6 command line too long\r\n"
        )

    def test_a12_recipients(self):
        """
        After 100 recipients each further one gets 452, and those before it stay.
        """
        edge = self.edge().greeted()
        edge.say("MAIL FROM:<a@example.org>\n")
        said = edge.say("".join(f"RCPT TO:<r{n}@example.com>\n" for n in range(120)))
        self.assertEqual(said.count("250 2.1.5"), 100)
        self.assertEqual(said.count("452 4.5.3"), 20)
        edge.say("DATA\n")
        edge.say("x\n.\n")
        self.assertEqual(len(edge.dispatcher.messages[0][1]), 100)

    def test_same_recipient_again(self):
        """
        Whoever is named again, with the domain in other letters, is judged and served once.
        """
        edge = self.edge()
        edge.ready_for_data("ada@example.com", "ada@EXAMPLE.com", "ada@example.com")
        edge.say("x\n.\n")
        self.assertEqual([str(r) for r in edge.dispatcher.messages[0][1]], ["ada@example.com"])
        self.assertEqual(len(edge.hub.records[0].copies), 1)

    def test_too_large(self):
        """
        A message that is larger than allowed is read to its dot, then refused.
        """
        edge = self.edge(limits=Limits(message_bytes=1000))
        edge.ready_for_data()
        self.assertEqual(edge.say("x" * 70 + "\n" + ("y" * 70 + "\n") * 20), "")
        self.assertEqual(
            edge.say(".\nNOOP\n").splitlines()[0], "552 5.3.4 larger than 1000 bytes (ID)"
        )
        self.assertEqual(edge.dispatcher.messages, [])
        self.assertEqual(edge.factory.services.spool.memory, 0)

    def test_smallest_limit_of_the_routes(self):
        """
        SIZE offers the smallest limit that is known.
        """
        edge = self.edge()
        edge.recipients.capabilities = Capabilities(frozenset(), 2000)
        edge.connect()
        said = edge.say("EHLO c\n")
        self.assertIn("250-SIZE 2000\r\n", said)
        self.assertNotIn("8BITMIME", said)

    def test_header_too_large(self):
        """
        A header section larger than allowed is refused.
        """
        edge = self.edge(limits=Limits(header_bytes=1000))
        edge.ready_for_data()
        said = edge.say("X: y\n" * 300 + "\ntext\n.\n")
        self.assertEqual(said, "552 5.3.4 header larger than 1000 bytes (ID)\r\n")

    def test_a9_header_fields(self):
        """
        A message with very many header fields is refused, and its record has its subject without
        all of them being read.
        """
        edge = self.edge()
        edge.ready_for_data()
        read = []
        parse = Headers.parse
        self.patch(Headers, "parse", lambda head: read.append(len(head)) or parse(head))
        said = edge.say("Subject: many\n" + "X: y\n" * 40_000 + "\ntext\n.\n")
        self.assertEqual(said, "552 5.3.4 more than 1000 header fields (ID)\r\n")
        self.assertEqual(edge.hub.records[-1].subject, "many")
        self.assertLess(max(read), 20_000)

    def test_large_message_with_an_empty_header(self):
        """
        A message that begins with its empty line has the smallest header there is.
        """
        edge = self.edge(limits=Limits(header_bytes=1000))
        edge.ready_for_data()
        edge.say("\n" + "x" * 2000)
        self.assertTrue(edge.say("\n.\n").startswith("250"))

    def test_no_room(self):
        """
        Without room on the disk MAIL gets 452, and the trace id.
        """
        edge = self.edge().greeted()
        edge.hub.room = False
        said = edge.say("MAIL FROM:<a@example.org>\n")
        self.assertEqual(said, "452 4.3.1 no room at the moment (ID)\r\n")
        (record,) = edge.hub.records
        self.assertEqual(record.reply, f"452 4.3.1 no room at the moment ({record.trace})")

    def test_f04_spool_full(self):
        """
        A disk that fills while a message is spooled is a 452, and nothing stays behind.
        """
        edge = self.edge(memory_limit=10)

        def full(file, data):
            raise OSError(28, "No space left on device")

        edge.files.write = full
        edge.ready_for_data()
        said = edge.say("text of a message\n.\nNOOP\n").splitlines()
        self.assertTrue(said[0].startswith("452 4.3.1"), said)
        self.assertEqual(said[1], "250 2.0.0 ok")
        self.assertEqual(list(edge.directory.iterdir()), [])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)


class TimeTests(EdgeTestCase):
    """
    Tests of clients that take their time.
    """

    def test_slow_command(self):
        """
        A client that says nothing for 300 seconds gets 421.
        """
        edge = self.edge().greeted()
        edge.clock.advance(299)
        self.assertEqual(edge.said(), "")
        edge.clock.advance(2)
        self.assertEqual(edge.said(), "421 4.4.2 too slow, try again\r\n")
        self.assertTrue(edge.transport.disconnecting)

    def test_bytes_do_not_help(self):
        """
        The time is that of a whole command; single bytes do not renew it.
        """
        edge = self.edge().greeted()
        said = ""
        for _ in range(31):
            said += edge.say(b"N")
            edge.clock.advance(10)
        self.assertEqual(said + edge.said(), "421 4.4.2 too slow, try again\r\n")

    def test_commands_renew_it(self):
        """
        Each whole command has its own 300 seconds, until the session's hour is over.
        """
        edge = self.edge().greeted()
        for _ in range(14):
            edge.clock.advance(250)
            self.assertEqual(edge.say("NOOP\n"), "250 2.0.0 ok\r\n")
        edge.clock.advance(250)
        self.assertIn("421", edge.said())

    def test_no_time_is_counted_while_we_owe(self):
        """
        While a reply is owed the client is not late.
        """
        edge = self.edge().greeted()
        slow = edge.pipeline.answers["mail"] = Deferred()
        edge.say("MAIL FROM:<a@example.org>\n")
        edge.clock.pump([10] * 31)
        self.assertEqual(edge.said(), "")
        slow.callback(ACCEPT)
        self.assertEqual(edge.said(), "250 2.1.0 sender ok\r\n")

    def test_client_that_does_not_take_the_last_reply(self):
        """
        A connection that does not close is cut after 30 seconds.
        """
        edge = self.edge().greeted()
        edge.say("QUIT\n")
        edge.clock.advance(29)
        self.assertFalse(edge.transport.is_aborted)
        edge.clock.advance(2)
        self.assertTrue(edge.transport.is_aborted)

    def test_finish(self):
        """
        At the end of the process idle clients get 421, busy ones after their message.
        """
        idle = self.edge().greeted()
        done = idle.factory.finish(30)
        self.assertTrue(idle.said().startswith("421 4.3.2"))
        idle.lose()
        self.successResultOf(done)

        busy = self.edge()
        busy.dispatcher.outcome = Deferred()
        busy.ready_for_data()
        busy.say("text\n.\n")
        done = busy.factory.finish(30)
        self.assertEqual(busy.said(), "")
        busy.dispatcher.outcome.callback(Outcome(Reply(250, "2.0.0", "ok"), ()))
        self.assertEqual([line[:3] for line in busy.said().splitlines()], ["250", "421"])
        busy.lose()
        self.successResultOf(done)

    def test_finish_between_pipelined_commands(self):
        """
        A client that never stops to pipeline is ended after the transaction it is in.
        """
        edge = self.edge().greeted()
        slow = edge.pipeline.answers["mail"] = Deferred()
        edge.say("MAIL FROM:<a@example.org>\nRSET\nNOOP\nNOOP\n")
        edge.factory.finish(30)
        slow.callback(ACCEPT)
        self.assertEqual([line[:3] for line in edge.said().splitlines()], ["250", "250", "421"])
        self.assertTrue(edge.transport.disconnecting)

    def test_finish_with_an_open_transaction(self):
        """
        A transaction that is open but idle is ended and recorded.
        """
        edge = self.edge().greeted()
        edge.say("MAIL FROM:<a@example.org>\n")
        edge.factory.finish(30)
        self.assertTrue(edge.said().startswith("421 4.3.2"))
        (record,) = edge.hub.records
        self.assertEqual(record.reply[:9], "421 4.3.2")
        edge.lose()
        self.assertEqual(len(edge.hub.records), 1)

    def test_finish_waits_for_a_message_without_its_client(self):
        """
        The end waits for a message that is being settled, though its client is gone.
        """
        edge = self.edge()
        outcome = edge.dispatcher.outcome = Deferred(lambda outcome: None)
        outcome.cancel = lambda: None
        edge.ready_for_data()
        edge.say("text\n.\n")
        edge.lose()
        done = edge.factory.finish(30)
        self.assertNoResult(done)
        outcome.callback(Outcome(Reply(250, "2.0.0", "ok"), ()))
        self.successResultOf(done)
        (record,) = edge.hub.records
        self.assertEqual(record.notes, ("client gone, outcome 250 2.0.0 ok",))
        self.assertEqual(edge.clock.getDelayedCalls(), [])

    def test_finish_abandons(self):
        """
        An upstream that does not answer holds up the end for as long as it may and no longer;
        the record says that the outcome is not known.
        """
        edge = self.edge()
        outcome = edge.dispatcher.outcome = Deferred()
        outcome.cancel = lambda: None
        edge.ready_for_data()
        edge.say("text\n.\n")
        done = edge.factory.finish(30)
        edge.clock.advance(30)
        self.assertTrue(edge.transport.is_aborted)
        edge.lose()
        self.assertNoResult(done)
        edge.clock.advance(1)
        self.successResultOf(done)
        (record,) = edge.hub.records
        self.assertEqual(record.copies, (Copy("ada@example.com", "unknown"),))
        self.assertEqual(
            record.notes, ("stopped before its outcome was known, duplicate possible",)
        )
        outcome.callback(Outcome(Reply(250, "2.0.0", "ok"), ()))
        self.assertEqual(len(edge.hub.records), 1)

    def test_finish_cuts(self):
        """
        Who is still busy when the time is over is cut off.
        """
        edge = self.edge()
        edge.ready_for_data()
        edge.factory.finish(30)
        edge.clock.advance(31)
        self.assertTrue(edge.transport.is_aborted)


class TlsTests(EdgeTestCase):
    """
    Tests of STARTTLS on the level of commands.
    """

    def test_offered_and_begun(self):
        """
        STARTTLS is offered, and begins the handshake after its reply.
        """
        edge = self.edge(tls=object())
        edge.connect()
        self.assertIn("250 STARTTLS\r\n", edge.say("EHLO c\n"))
        self.assertEqual(edge.say("STARTTLS\n"), "220 2.0.0 ready for TLS\r\n")
        self.assertIs(edge.transport.tls_context, edge.tls)

    def test_a01_starttls_injection(self):
        """
        Bytes behind STARTTLS end the connection, and none of them is executed.
        """
        edge = self.edge(tls=object()).greeted()
        said = edge.say("STARTTLS\nMAIL FROM:<a@example.org>\n")
        self.assertEqual(said, "554 5.5.1 nothing may follow STARTTLS before the handshake\r\n")
        self.assertTrue(edge.transport.disconnecting)
        self.assertIsNone(edge.transport.tls_context)
        self.assertNotIn(("mail",), edge.pipeline.calls)

    def test_a02_state_is_forgotten(self):
        """
        After STARTTLS the client is as if it had just connected, its transaction gone.
        """
        edge = self.edge(tls=object()).greeted()
        edge.say("MAIL FROM:<a@example.org>\nRCPT TO:<ada@example.com>\n")
        edge.say("STARTTLS\n")
        self.assertTrue(edge.say("DATA\n").startswith("503"))
        self.assertTrue(edge.say("MAIL FROM:<a@example.org>\n").startswith("503"))

    def test_slow_handshake(self):
        """
        A handshake has 30 seconds.
        """
        edge = self.edge(tls=object()).greeted()
        edge.say("STARTTLS\n")
        edge.clock.advance(31)
        self.assertTrue(edge.transport.disconnecting)


class VerdictTests(EdgeTestCase):
    """
    Tests of what is refused, and of its record.
    """

    def test_refused_connection(self):
        """
        A client that is refused at once hears why and is gone, and leaves a session trace.
        """
        edge = self.edge()
        edge.pipeline.answers["connected"] = REFUSED
        self.assertEqual(edge.connect(), "550 5.7.1 refused\r\n")
        self.assertTrue(edge.transport.disconnecting)
        (record,) = edge.hub.records
        self.assertEqual((record.trace, record.sender), (record.session.id, None))

    def test_refused_greeting(self):
        """
        A client that is refused for its name can only leave.
        """
        edge = self.edge()
        edge.pipeline.answers["greeted"] = REFUSED
        edge.connect()
        self.assertEqual(edge.say("EHLO bad\n"), "550 5.7.1 refused\r\n")
        self.assertTrue(edge.say("MAIL FROM:<a@example.org>\n").startswith("503"))
        self.assertEqual(len(edge.hub.records), 1)

    def test_refused_sender(self):
        """
        A refused sender ends the transaction, which is recorded.
        """
        edge = self.edge().greeted()
        edge.pipeline.answers["mail"] = REFUSED
        self.assertEqual(edge.say("MAIL FROM:<a@example.org>\n"), "550 5.7.1 refused (ID)\r\n")
        (record,) = edge.hub.records
        self.assertEqual(record.verdicts, (REFUSED,))
        self.assertTrue(edge.say("RCPT TO:<ada@example.com>\n").startswith("503"))

    def test_refused_recipients(self):
        """
        Refused and unknown recipients take no part, and the record names them.
        """
        edge = self.edge().greeted()
        edge.pipeline.answers["rcpt", "bob@example.com"] = REFUSED
        edge.recipients.answers["eve@example.com"] = succeed(Reply(451, "4.4.1", "later"))
        edge.say("MAIL FROM:<a@example.org>\n")
        said = edge.say(
            "RCPT TO:<ada@example.com>\nRCPT TO:<bob@example.com>\nRCPT TO:<eve@example.com>\n"
        )
        self.assertEqual([line[:3] for line in said.splitlines()], ["250", "550", "451"])
        edge.say("DATA\n")
        edge.say("x\n.\n")
        (record,) = edge.hub.records
        self.assertEqual(
            [(copy.recipient, copy.outcome) for copy in record.copies],
            [
                ("bob@example.com", "refused"),
                ("eve@example.com", "deferred"),
                ("ada@example.com", "delivered"),
            ],
        )

    def test_refused_by_grammar(self):
        """
        A MAIL that is not well-formed is a transaction that was refused: its reply leads to a
        record that says what was sent.
        """
        edge = self.edge().greeted()
        edge.say("MAIL FROM:<a@@b>\nMAIL FROM:<a@example.org> FOO=1\nMAIL nonsense\n")
        self.assertEqual(
            [r.reply[:9] for r in edge.hub.records], ["501 5.1.7", "555 5.5.4", "501 5.5.4"]
        )
        for record in edge.hub.records:
            self.assertTrue(record.reply.endswith(f"({record.trace})"))
        self.assertEqual(edge.hub.records[0].notes, ("MAIL FROM:<a@@b>",))

    def test_recipients_refused_by_grammar(self):
        """
        Recipients that are no addresses, ask for what is not offered or are too many are in
        the record.
        """
        edge = self.edge(limits=Limits(recipients=100)).greeted()
        edge.say(
            "MAIL FROM:<a@example.org>\nRCPT TO:<a@@b>\nRCPT TO:<a@example.com> NOTIFY=NEVER\n"
        )
        edge.say("".join(f"RCPT TO:<{i}@example.com>\n" for i in range(101)))
        edge.say("RSET\n")
        (record,) = edge.hub.records
        self.assertEqual(
            [(copy.recipient, copy.outcome, copy.reply[:9]) for copy in record.copies[:3]],
            [
                ("TO:<a@@b>", "refused", "501 5.1.3"),
                ("a@example.com", "refused", "555 5.5.4"),
                ("100@example.com", "deferred", "452 4.5.3"),
            ],
        )

    def test_record_is_bounded(self):
        """
        However many recipients are deferred, the record names a thousand and counts the rest.
        """
        edge = self.edge().greeted()
        edge.recipients.answers["eve@example.com"] = Reply(451, "4.4.1", "later")
        edge.say("MAIL FROM:<a@example.org>\n")
        edge.say("RCPT TO:<eve@example.com>\n" * 1500)
        edge.say("RSET\n")
        (record,) = edge.hub.records
        self.assertEqual(len(record.copies), 1000)
        self.assertEqual(record.notes, ("500 more recipients were turned away",))

    def test_ended_for_errors(self):
        """
        A client that is ended for its errors leaves the record of its session, or of the
        transaction that is open.
        """
        edge = self.edge(limits=Limits(errors=2)).greeted()
        edge.say("FOO\nFOO\n")
        (record,) = edge.hub.records
        self.assertEqual(
            (record.trace, record.reply), (record.session.id, "421 4.7.0 too many errors")
        )
        edge = self.edge(limits=Limits(errors=2)).greeted()
        edge.say("MAIL FROM:<a@example.org>\nFOO\nFOO\n")
        edge.lose()
        (record,) = edge.hub.records
        self.assertEqual(
            (record.sender, record.reply), ("a@example.org", "421 4.7.0 too many errors")
        )
        self.assertEqual(record.notes, ())

    def test_ended_for_slowness(self):
        """
        So does one that is too slow.
        """
        edge = self.edge().greeted()
        edge.say("MAIL FROM:<a@example.org>\n")
        edge.clock.advance(301)
        edge.lose()
        (record,) = edge.hub.records
        self.assertEqual((record.sender, record.notes), ("a@example.org", ()))
        self.assertEqual(record.reply, "421 4.4.2 too slow, try again")

    def test_starttls_injection_is_recorded(self):
        """
        So does one that sends commands behind STARTTLS.
        """
        edge = self.edge(tls=object()).greeted()
        edge.clock.advance(2)
        edge.say("STARTTLS\nNOOP\n")
        (record,) = edge.hub.records
        self.assertEqual((record.trace, record.reply[:3]), (record.session.id, "554"))
        self.assertEqual(record.seconds, 2)

    def test_every_transaction_is_recorded(self):
        """
        Transactions that end by RSET, EHLO or QUIT leave a record too.
        """
        edge = self.edge().greeted()
        for end in ("RSET\n", "EHLO c\n", "QUIT\n"):
            edge.say("MAIL FROM:<a@example.org>\nRCPT TO:<ada@example.com>\n" + end)
        self.assertEqual(len(edge.hub.records), 3)
        self.assertEqual(len({record.trace for record in edge.hub.records}), 3)

    def test_received_header(self):
        """
        The Received header says who, how, when and for whom, in folded lines.
        """
        edge = self.edge()
        edge.ready_for_data()
        edge.say("x\n.\n")
        envelope, _, prepended, _ = edge.dispatcher.messages[0]
        lines = prepended.decode("ascii").split("\r\n")
        self.assertEqual(lines[0], "Received: from client.example.org ([192.0.2.7])")
        self.assertEqual(lines[1], "\tby mail.example.com (mailgate) with ESMTP")
        self.assertEqual(lines[2], f"\tid {envelope.trace}")
        self.assertEqual(lines[3], "\tfor <ada@example.com>;")
        self.assertRegex(lines[4], r"^\t\w{3}, 14 Nov 2023 \d\d:13:20 [+-]\d{4}$")
        self.assertEqual(lines[5:], [""])


class LargeMessageTests(EdgeTestCase):
    """
    Tests of messages that do not stay in memory.
    """

    def test_spooled(self):
        """
        A message above 256 KiB goes through a file, byte for byte, and the file is removed.
        """
        edge = self.edge()
        edge.ready_for_data()
        line = b"0123456789" * 7 + b"\r\n"
        edge.say("Subject: x\n\n")
        for _ in range(10):
            edge.say(line * 1000)
        self.assertEqual(edge.say(".\n"), "250 2.0.0 accepted\r\n")
        self.assertEqual(edge.dispatcher.messages[0][3], b"Subject: x\r\n\r\n" + line * 10_000)
        self.assertEqual(list(edge.directory.iterdir()), [])


class OwnMistakeTests(EdgeTestCase):
    """
    Tests of mistakes of ours at the wrong moment.
    """

    def test_while_a_message_is_received(self):
        """
        The rest of the message is not run as commands: the connection is ended.
        """
        edge = self.edge()
        edge.ready_for_data()
        edge.protocol._mailing._reception.feed = None
        said = edge.say("Subject: x\n\nMAIL FROM:<smuggled@example.org>\nRSET\n.\n")
        self.assertEqual(said, "421 4.3.0 local error, try again later (ID)\r\n")
        self.assertTrue(edge.transport.disconnecting)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_in_the_record(self):
        """
        A record that cannot be written keeps no reply back.
        """
        edge = self.edge()
        edge.ready_for_data()
        edge.hub.records = None
        self.assertEqual(edge.say("x\n.\n"), "250 2.0.0 accepted\r\n")
        self.assertEqual(edge.factory.services.spool.memory, 0)
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)
