"""
Tests of deliveries to upstreams that misbehave: whatever they do, each copy has one of the outcomes
that are allowed, nothing is lost, nothing comes twice unless the reply was lost, and nothing is
left behind.
"""

from mailgate.message.message import HEAD_LIMIT
from mailgate.message.spool import FileMessage
from mailgate.store.threads import ImmediateThreads
from mailgate.wire.address import Address
from tests.chaos import PLAIN_EXTENSIONS, Act
from tests.delivery.chaos_case import (
    BOUND,
    DEFERRED,
    LOST,
    NOT_REACHED,
    TAKEN,
    UNKNOWN,
    ChaosCase,
    SecureCase,
)
from tests.delivery.chaos_network import pass_time
from tests.delivery.secure import self_signed
from tests.storage import ADA, BOB, ENVELOPE, message, temporary_folder

EVE = Address("eve", "example.com")
STEPS = ("greeting", "hello", "MAIL", "RCPT", "DATA", ".")
GARBAGE = (
    b"\r\n",
    b"\0\1\2\3\r\n",
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n",
    b"2xx ok\r\n",
    b"150 wait\r\n",
    b"650 no\r\n",
    b"2500 ok\r\n",
    b"25\r\n",
    b"\xff\xfe2\x005\x000\r\n",
    b" 250 ok\r\n",
    b"250-first\r\n550 second\r\n",
    b"550-first\r\n250 second\r\n",
    b"250-first\r\nsecond\r\n250 third\r\n",
    b"250-" * 300 + b"\r\n" * 101,
    b"250-more\r\n" * 101 + b"250 end\r\n",
    b"250 " + b"x" * 2100 + b"\r\n",
)
"""What is no reply to anything."""

ACTS = (Act.CLOSE, Act.ENDLESS_LINE, Act.ENDLESS_LINES, *GARBAGE)
"""What comes at once; silence costs all who wait for the connection their time."""

REFUSALS = ("452 4.3.1 not now", "554 5.7.1 never", "421 4.3.2 closing", "354 go on")


class MisbehaviourTests(ChaosCase):
    """
    An upstream that does something strange at one step.
    """

    def check(self, step=1.0, **behaviour):
        """
        Deliver a message, hold that the replies are allowed ones and nothing is left behind, and
        give them and how many seconds it took.
        """
        self.make(**behaviour)
        replies = self.deliver(step=step)
        seconds = self.clock.seconds()
        self.assertAllowed(replies)
        for reply in replies:
            self.assertTrue(str(reply).isascii() and str(reply).isprintable(), reply)
            for line in reply.encode().split(b"\r\n")[:-1]:
                self.assertRegex(line, rb"^%d[ -][ -~]*$" % reply.code)
        self.finish()
        return self.codes(replies), seconds

    def test_step(self):
        """
        What is no reply, no reply at all, and no end of it: not reached, or lost behind the dot,
        and in no more time than a step may take.
        """
        acts = (*Act, *GARBAGE)
        for step in STEPS:
            expected = [(451, LOST if step == "." else NOT_REACHED)] * 2
            for act in acts:
                codes, seconds = self.check(script={step: act})
                self.assertEqual(codes, expected, (step, act))
                limit = 15 if step in ("greeting", "hello") else 150
                self.assertLessEqual(seconds, limit, (step, act))

    def test_refusal(self):
        """
        A 4xx and a 5xx at each step are passed on.
        """
        for step in STEPS:
            for words in ("452 4.3.1 not now", "554 5.7.1 never"):
                codes, _ = self.check(script={step: words})
                said = (int(words[:3]), words[4:9])
                expected = (451, NOT_REACHED) if step == "greeting" else said
                if (step, said[0], self.kind) == ("hello", 554, "smtp"):
                    # HELO is tried then, and taken.
                    expected = (451, "4.6.3")
                self.assertEqual(codes, [expected] * 2, (step, words))

    def test_421(self):
        """
        A 421 at each step defers, and the connection is not used any more.
        """
        for step in STEPS:
            codes, _ = self.check(script={step: "421 4.3.2 closing"})
            expected = (451, NOT_REACHED if step == "greeting" else "4.3.2")
            self.assertEqual(codes, [expected] * 2, step)
            self.assertNotIn("RSET", self.chaos.heard)

    def test_words(self):
        """
        Words with control characters, escape sequences, bytes beyond ASCII and line ends of their
        own are passed on in printable ones, or not believed.
        """
        for words in (
            b"5.7.1 \x1b[31mred\x1b[0m",
            b"5.7.1 nul \0 and bell \7",
            b"5.7.1 caf\xc3\xa9 \xff",
            b"5.7.1 tab\there",
            b"5.7.1 one\r250 2.0.0 two",
            b"5.7.1 " + b"x" * 2000,
            b"5.7.1",
            b"",
        ):
            for step in STEPS[2:]:
                codes, _ = self.check(script={step: b"550 " + words + b"\r\n"})
                self.assertEqual({code for code, _ in codes}, {550}, (step, words))
            codes, _ = self.check(script={"MAIL": b"550-" + words + b"\n550 " + words + b"\r\n"})
            self.assertEqual({code for code, _ in codes}, {550}, words)
        codes, _ = self.check(script={".": b"250 2.0.0 \x1b[31mtaken\0\r\n"})
        self.assertEqual(codes, [(250, "2.0.0")] * 2)

    def test_line_of_its_own(self):
        """
        A line end in the words is the end of the reply, and what comes then one too many.
        """
        for step in STEPS:
            codes, _ = self.check(script={step: b"250 2.0.0 ok\n250 2.0.0 ok\r\n"})
            expected = (250, "2.0.0") if step == "." else (451, NOT_REACHED)
            self.assertEqual(codes, [expected] * 2, step)

    def test_wrong_order(self):
        """
        The replies to commands that went out together in the wrong order: not reached.
        """
        codes, _ = self.check(is_reversed=True)
        self.assertEqual(codes, [(451, NOT_REACHED)] * 2)
        self.assertEqual(self.chaos.taken, [])

    def test_pieces(self):
        """
        Replies in pieces of any size are what they are whole.
        """
        for piece in range(1, 40):
            codes, _ = self.check(
                piece=piece, script={("RCPT", "bob@example.com"): "550-a\r\n550 b"}
            )
            self.assertEqual(codes, [(250, "2.0.0"), (550, "5.0.0")])

    def test_f06_slow(self):
        """
        One byte a second is too slow for a greeting (F6); ten a second are not too slow.
        """
        codes, seconds = self.check(piece=1, pause=1.0)
        self.assertEqual((codes, seconds), ([(451, NOT_REACHED)] * 2, 15))
        codes, _ = self.check(0.1, piece=1, pause=0.1)
        self.assertEqual(codes, [(250, "2.0.0")] * 2)

    def test_f06_slow_steps(self):
        """
        Each step alone at one byte a second is bounded by its own time (F6), and what the upstream
        has said of the message in that time counts.
        """
        long = "250-" + "x" * 1000 + "\r\n250 ok"
        for step in STEPS[2:]:
            self.make(script={step: long}, piece=1)
            answer = self.delivery.deliver(ENVELOPE, (ADA, BOB), message())
            self.chaos.pause = 1.0
            pass_time(self.clock, [self.network], BOUND)
            replies = self.successResultOf(answer)
            self.assertAllowed(replies)
            self.assertEqual({reply.code for reply in replies}, {451}, step)
            self.finish()

    def check_next(self, step, act, refused=()):
        """
        Deliver one message at which the upstream does something strange, while the next waits for
        the same connection; hold that the next is delivered, to whom it is for.

        @param refused: those who are refused for the first message.
        """
        script = {("RCPT", str(who)): ["550 5.1.1 nobody"] for who in refused}
        self.make(script={step: [act], **script}, connections=1)
        strange = self.begin(ADA, BOB, text=b"strange\r\n")
        ordinary = self.begin(EVE, text=b"ordinary\r\n")
        self.wait(strange)
        self.assertEqual(self.codes(self.wait(ordinary)), [(250, "2.0.0")], (step, act))
        self.assertEqual(self.chaos.recipients_of(b"ordinary"), [str(EVE)], (step, act))
        self.finish()

    def test_next(self):
        """
        Whatever happens to one message, the next is delivered, to those whom it is for.
        """
        for act in (*ACTS, *REFUSALS):
            for step in ("MAIL", "RCPT", "DATA", "."):
                self.check_next(step, act)
            self.check_next("RSET", act, refused=(ADA, BOB))
            self.check_next("RSET", act, refused=(BOB,))

    def test_late_word(self):
        """
        What an upstream says after a message, without having been asked, ends the connection and
        is not taken for the reply to the next.
        """
        more = b"250 2.0.0 taken\r\n550 5.7.1 or not\r\n"
        said = ("250 2.0.0 taken", more) if self.kind == "lmtp" else more
        self.make(script={".": [said, None]})
        for _ in range(2):
            self.assertEqual(self.codes(self.deliver()), [(250, "2.0.0")] * 2)
        self.assertEqual(len(self.chaos.conversations), 2)
        self.finish()


class PlainMisbehaviourTests(MisbehaviourTests):
    """
    The same without PIPELINING.
    """

    extensions = PLAIN_EXTENSIONS

    def test_wrong_order(self):
        """
        Replies cannot come in the wrong order where one is awaited at a time.
        """
        codes, _ = self.check(is_reversed=True)
        self.assertEqual(codes, [(250, "2.0.0")] * 2)


class LmtpMisbehaviourTests(MisbehaviourTests):
    """
    The same with LMTP.
    """

    kind = "lmtp"

    def test_each_recipient(self):
        """
        Of the replies to the dot each is for its recipient, and those that do not come are lost.
        """
        for replies, expected in (
            (("250 2.0.0 taken", "452 4.2.2 full"), (TAKEN[0], (452, "4.2.2"))),
            (("550 5.2.1 gone", "250 2.0.0 taken"), ((550, "5.2.1"), TAKEN[0])),
            (("250 2.0.0 taken", Act.CLOSE), (TAKEN[0], UNKNOWN[0])),
            (("250 2.0.0 taken", Act.SILENT), (TAKEN[0], UNKNOWN[0])),
            (("250 2.0.0 taken", b"what?\r\n"), (TAKEN[0], UNKNOWN[0])),
            (("554 5.6.0 no", Act.CLOSE), ((554, "5.6.0"), UNKNOWN[0])),
            ((b"what?\r\n", Act.CLOSE), UNKNOWN),
            (("250 2.0.0 taken", Act.ENDLESS_LINES), (TAKEN[0], UNKNOWN[0])),
        ):
            codes, _ = self.check(script={".": replies})
            self.assertEqual(tuple(codes), expected, replies)


class SecureMisbehaviourTests(SecureCase):
    """
    An upstream that misbehaves before TLS is on.
    """

    def check(self, **behaviour):
        """
        Deliver to an upstream with which TLS does not come about, and hold that it has not heard
        for whom the message was.
        """
        self.make(**behaviour)
        self.prepare(self.network)
        self.assertEqual(tuple(self.codes(self.deliver())), DEFERRED, behaviour)
        self.assertEqual(self.chaos.taken, [])
        self.assertFalse([line for line in self.chaos.heard if line[:4] in ("MAIL", "RCPT")])
        self.finish()

    def prepare(self, network):
        """
        Leave the network as it is.
        """

    def test_step(self):
        """
        Whatever it says to STARTTLS but that it may begin: not reached.
        """
        for act in (*Act, *GARBAGE, *REFUSALS, "200 2.0.0 ok", "250 2.0.0 ok"):
            self.check(script={"STARTTLS": act})

    def test_a01b_behind_starttls(self):
        """
        What comes behind the reply to STARTTLS in the clear ends the connection (A1b), and is not
        taken for a reply under TLS.
        """
        for more in (b"250 injected\r\n", b"250-mx\r\n250 8BITMIME\r\n", b"2", b"\0"):
            self.check(script={"STARTTLS": b"220 2.0.0 go on\r\n" + more})

    def test_other_certificate(self):
        """
        With the certificate of somebody else it hears nothing of the message.
        """
        self.prepare = lambda network: setattr(network, "issued", self_signed())
        self.check()

    def test_not_offered(self):
        """
        Where it does not offer TLS any more it hears nothing of the message.
        """
        self.prepare = lambda network: setattr(network, "has_tls", False)
        self.check()


class LargeTests(ChaosCase):
    """
    An upstream that misbehaves amid a message that is read from the disk.
    """

    def large(self):
        """
        Make a message of some chunks.
        """
        path = temporary_folder(self) / "message"
        data = b"Subject: x\r\n\r\n" + (b"." * 76 + b"\r\n") * ((5 << 19) // 78)
        path.write_bytes(data)
        return FileMessage(path, len(data), data[:HEAD_LIMIT], ImmediateThreads())

    def test_amid_a_message(self):
        """
        An upstream that closes, falls silent, refuses or accepts amid a message has not taken it.
        """
        for act, expected in (
            (Act.CLOSE, (451, NOT_REACHED)),
            ("554 5.7.1 enough", (554, "5.7.1")),
            ("452 4.3.1 full", (452, "4.3.1")),
            ("250 2.0.0 taken already", (451, NOT_REACHED)),
            ("354 go on", (451, NOT_REACHED)),
            (b"nonsense\r\n", (451, NOT_REACHED)),
            (Act.ENDLESS_LINE, (451, NOT_REACHED)),
        ):
            self.make(script={"message": act})
            kept = self.large()
            replies = self.deliver(kept=kept)
            self.assertEqual(self.codes(replies), [expected] * 2, act)
            self.assertEqual(self.chaos.taken, [])
            self.finish()

    def test_whole(self):
        """
        A large message arrives whole, however the replies are cut.
        """
        for piece in (0, 1):
            self.make(piece=piece)
            kept = self.large()
            self.assertEqual(self.codes(self.deliver(kept=kept)), [(250, "2.0.0")] * 2)
            (taken,) = self.chaos.taken
            self.assertEqual(taken.content, kept.path.read_bytes())
            self.finish()
