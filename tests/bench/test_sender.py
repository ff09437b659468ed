"""
Tests of the sender's side of an SMTP conversation.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bench.sender import ATTEMPTS, Lost, Mail, Manner, Work, converse, stuffed

MAILS = [Mail(str(number), "a@example.net", "b@example.com", b"x\r\n.\r\n") for number in range(9)]
GREETED = ["220 hello", "250-hello\n250 PIPELINING"]
TAKEN = ["250 sender", "250 recipient", "354 go on", "250 taken"]
PIPELINED = b"MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n"


class Clock:
    """
    A clock that goes on by a second whenever it is read.
    """

    now = 0.0

    def __call__(self):
        self.now += 1
        return self.now


def unstuffed(wire):
    """
    Undo dot-stuffing line by line, as RFC 5321 section 4.5.2 tells a server to.
    """
    lines = wire.split(b"\r\n")
    end = lines.index(b".")
    assert lines[end + 1 :] == [b""]
    return b"".join(line[line.startswith(b".") :] + b"\r\n" for line in lines[:end])


class StuffedTests(SynchronousTestCase):
    """
    What goes over the wire is the message.
    """

    @given(
        st.lists(st.sampled_from([b".", b"..", b"a", b"\r\n", b"\r\n.\r\n", b"\r", b"\n.", b"\0"]))
    )
    def test_same_message(self, pieces):
        """
        Unstuffing gives the message back, with a last CRLF where there was none.
        """
        message = b"".join(pieces)
        ended = message if message.endswith(b"\r\n") or not message else message + b"\r\n"
        self.assertEqual(unstuffed(stuffed(message)), ended)

    def test_empty(self):
        """
        An empty message is the final dot alone.
        """
        self.assertEqual(stuffed(b""), b".\r\n")


class ConverseTests(SynchronousTestCase):
    """
    A conversation says the right things and settles every message exactly once.
    """

    def talk(self, replies, mails=1, **manner):
        """
        Hold a conversation in which the server says C{replies}, and keep what it was told.

        C{None} and C{"cut"} among the replies lose the connection, the latter before all of
        what was said has been sent.
        """
        self.work = Work(MAILS[:mails])
        conversation = converse(self.work, *self.work.take(), Manner(**manner), Clock())
        self.said = [next(conversation)]
        self.is_open = True
        for reply in replies:
            try:
                if reply in (None, "cut"):
                    conversation.throw(Lost(reply is None))
                self.said.append(conversation.send(reply))
            except StopIteration:
                self.is_open = False
                break

    def ends(self):
        """
        Give kind, stage and name of each settled message, and who is to be sent again.
        """
        settled = [(result.kind, result.stage, result.mail.name) for result in self.work.results]
        again = []
        while taken := self.work.take():
            again.append((taken[0].name, taken[1]))
        return settled, again

    def test_pipelined(self):
        """
        Where PIPELINING is offered the three commands go together and their replies are
        waited for.
        """
        self.talk(GREETED + TAKEN + ["221 bye"])
        self.assertEqual(
            self.said,
            [b"", b"EHLO client.example.net\r\n", PIPELINED, b"", b"", b"x\r\n.\r\n", b"QUIT\r\n"],
        )
        self.assertFalse(self.is_open)
        self.assertEqual(self.ends(), ([("accepted", "DOT", "0")], []))

    def test_not_pipelined(self):
        """
        Where it is not offered, or not wanted, each command waits for the reply before it.
        """
        for ehlo, pipelining in (("250 hello", True), (GREETED[1], False)):
            self.talk(["220 hello", ehlo, *TAKEN], pipelining=pipelining)
            self.assertEqual(
                self.said[2:5], [line + b"\r\n" for line in PIPELINED.split(b"\r\n")[:3]]
            )
            self.assertEqual(self.ends(), ([("accepted", "DOT", "0")], []))

    def test_many_on_one_connection(self):
        """
        Messages follow each other until there are no more.
        """
        self.talk(GREETED + TAKEN * 3, mails=3)
        self.assertEqual(self.said.count(PIPELINED), 3)
        self.assertEqual(self.said[-1], b"QUIT\r\n")
        self.assertEqual([name for _, _, name in self.ends()[0]], ["0", "1", "2"])

    def test_messages_per_connection(self):
        """
        After the allowed number it says QUIT, and what is left is for others.
        """
        self.talk(GREETED + TAKEN * 2, mails=3, messages_per_connection=2)
        self.assertEqual(self.said[-1], b"QUIT\r\n")
        self.assertEqual(self.ends()[1], [("2", 0)])

    def test_refused_recipient(self):
        """
        A refusal at RCPT is the result, and the next message follows after RSET.
        """
        replies = ["250 ok", "550 nobody", "554 no recipients", "250 reset", *TAKEN]
        self.talk(GREETED + replies, mails=2)
        self.assertEqual(self.said[5:7], [b"RSET\r\n", PIPELINED])
        self.assertEqual(self.ends()[0], [("refused", "RCPT", "0"), ("accepted", "DOT", "1")])

    def test_refused_recipient_yet_354(self):
        """
        A server that wants DATA all the same gets an empty message.
        """
        self.talk([*GREETED, "250 ok", "450 later", "354 go on", "554 no", "250 reset"], mails=2)
        self.assertEqual(self.said[5:8], [b".\r\n", b"RSET\r\n", PIPELINED])
        self.assertEqual(self.ends()[0], [("deferred", "RCPT", "0")])

    def test_refused_without_pipelining(self):
        """
        Without PIPELINING nothing follows a refusal but RSET.
        """
        self.talk([*GREETED, "550 not you"], pipelining=False)
        self.assertEqual(self.said[-1], b"RSET\r\n")
        self.assertEqual(self.ends()[0], [("refused", "MAIL", "0")])

    def test_refused_message(self):
        """
        A refusal after the dot is the result, and needs no RSET.
        """
        self.talk([*GREETED, *TAKEN[:3], "550 bare CR", *TAKEN], mails=2)
        self.assertEqual(self.said[6], PIPELINED)
        self.assertEqual(self.ends()[0], [("refused", "DOT", "0"), ("accepted", "DOT", "1")])

    def test_lost_after_the_dot(self):
        """
        Without a reply to a message that was sent to its end its fate is unknown, and it is
        not sent again.
        """
        self.talk([*GREETED, *TAKEN[:3], None])
        self.assertEqual(self.ends(), ([("unknown", "DOT", "0")], []))

    def test_lost_before_the_dot(self):
        """
        A message that was not sent to its end is begun again.
        """
        for replies in (
            [None],
            [*GREETED, None],
            [*GREETED, *TAKEN[:2], None],
            [*GREETED, *TAKEN[:3], "cut"],
        ):
            self.talk(replies)
            self.assertFalse(self.is_open)
            self.assertEqual(self.ends(), ([], [("0", 1)]))

    def test_closing(self):
        """
        A server that closes with 421 before the dot gets the message again on another
        connection.
        """
        for replies in (["421 busy"], [*GREETED, "421 too many errors"]):
            self.talk(replies)
            self.assertFalse(self.is_open)
            self.assertEqual(self.ends(), ([], [("0", 1)]))

    def test_closing_after_a_refusal(self):
        """
        A refusal counts even if 421 comes right behind it.
        """
        self.talk([*GREETED, "550 not you", "421 too many errors", None])
        self.assertFalse(self.is_open)
        self.assertEqual(self.ends(), ([("refused", "MAIL", "0")], []))

    def test_lost_between_messages(self):
        """
        A connection that goes after a result leaves no second result.
        """
        for last in ("250 taken", "550 no"):
            self.talk([*GREETED, *TAKEN[:3], last, None])
            self.assertFalse(self.is_open)
            self.assertEqual(len(self.work.results), 1)

    def test_attempts(self):
        """
        After the last attempt a message counts as unsent, or has the reply that it got.
        """
        for last, kind in ((None, "unsent"), ("421 busy", "deferred"), ("554 go away", "refused")):
            work = Work(MAILS[:1])
            for _ in range(ATTEMPTS):
                conversation = converse(work, *work.take(), Manner(), Clock())
                next(conversation)
                with self.assertRaises(StopIteration):
                    conversation.throw(Lost(True)) if last is None else conversation.send(last)
            self.assertIsNone(work.take())
            self.assertEqual([(r.kind, r.stage) for r in work.results], [(kind, "CONNECT")])

    def test_latency(self):
        """
        The first message's time includes connecting, that of the next begins with MAIL.
        """
        work = Work(MAILS[:2])
        clock = Clock()
        conversation = converse(work, *work.take(), Manner(), clock)
        next(conversation)
        clock.now += 100
        for reply in GREETED + TAKEN * 2:
            conversation.send(reply)
        self.assertEqual([result.seconds for result in work.results], [101, 1])
