"""
Tests of L{mailgate.delivery.introduction}: what a trusted upstream is told of the client.
"""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from tests.delivery.kinds import EXTENSIONS, Kind, MailSubject
from tests.pipeline.events import events
from tests.storage import ADA, ENVELOPE, SESSION, message, temporary_folder

ALL = "NAME ADDR PORT PROTO HELO IDENT SOURCE"
XCLIENT = "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"
ONE = evolve(SESSION, client="192.0.2.7", port=1234, helo="a.example.org", is_esmtp=True, tls="")
OTHER = evolve(ONE, client="2001:db8::7", helo="b.example.org", is_esmtp=False)


class ToldCase(SynchronousTestCase):
    """
    An upstream that is told of clients.
    """

    way = ""
    offered = ""

    def make(self, offered=None, pipelining=True, **settings):
        """
        Make it.
        """
        extensions = EXTENSIONS if pipelining else ("8BITMIME",)
        offers = self.offered if offered is None else offered
        if offers:
            extensions += (f"{self.way.upper()} {offers}",)
        kind = Kind("", {"tell_client": self.way, **settings}, {"extensions": extensions})
        self.subject = MailSubject(temporary_folder(self), kind)
        self.behaviour = self.subject.behaviour

    def begin(self, session=ONE):
        """
        Begin to deliver a message of a client.
        """
        envelope = evolve(ENVELOPE, session=session)
        answer = self.subject.delivery.deliver(envelope, (ADA,), message())
        self.subject.work()
        return answer

    def deliver(self, session=ONE):
        """
        Deliver a message of a client, and give the reply in words.
        """
        (reply,) = self.successResultOf(self.begin(session))
        return str(reply)

    def told(self):
        """
        Give what was told of clients.
        """
        verb = self.way.upper() + " "
        lines = (line.decode() for line in self.behaviour.lines)
        return [line.removeprefix(verb) for line in lines if line.startswith(verb)]


class XforwardTests(ToldCase):
    """
    Tests of XFORWARD.
    """

    way = "xforward"
    offered = ALL

    def test_told(self):
        """
        Before each message it is told who has sent it, in the words that are offered.
        """
        for pipelining in (True, False):
            self.make(pipelining=pipelining)
            self.assertEqual(self.deliver(), "250 2.0.0 taken")
            self.assertEqual(self.deliver(OTHER), "250 2.0.0 taken")
            trace = ENVELOPE.trace
            self.assertEqual(
                self.told(),
                [
                    "NAME=[UNAVAILABLE] ADDR=192.0.2.7 PORT=1234 PROTO=ESMTP "
                    f"HELO=a.example.org IDENT={trace} SOURCE=REMOTE",
                    "NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::7 PORT=1234 PROTO=SMTP "
                    f"HELO=b.example.org IDENT={trace} SOURCE=REMOTE",
                ],
            )
            self.assertEqual(len(self.behaviour.servers), 1)

    def test_only_what_is_offered(self):
        """
        What is not offered is not told, and what is unknown to us neither.
        """
        self.make("ADDR HELO DREAM")
        self.deliver()
        self.assertEqual(self.told(), ["ADDR=192.0.2.7 HELO=a.example.org"])

    def test_long(self):
        """
        What does not fit into a command of 512 bytes goes into several.
        """
        for pipelining in (True, False):
            self.make(pipelining=pipelining)
            session = evolve(ONE, helo="+" * 160)
            self.assertEqual(self.deliver(session), "250 2.0.0 taken")
            self.assertEqual(len(self.told()), 3)
            self.assertTrue(all(len(line) <= 510 for line in self.behaviour.lines))

    def test_a14_injection(self):
        """
        No client can put a line or an attribute of its own into it (A14).
        """
        self.make()
        self.deliver(evolve(ONE, helo="+" * 255))
        self.assertTrue(all(len(line) <= 510 for line in self.behaviour.lines))
        self.make()
        self.deliver(evolve(ONE, helo="a ADDR=192.0.2.1\r\nRSET"))
        self.assertIn("HELO=a+20ADDR+3D192.0.2.1+0D+0ARSET IDENT", self.told()[0])
        self.assertNotIn(b"RSET", self.behaviour.lines)

    def test_refused(self):
        """
        That the upstream does not want to know it keeps no message up.
        """
        for pipelining in (True, False):
            self.make(pipelining=pipelining)
            self.behaviour.replies["XFORWARD"] = "550 5.7.0 not you"
            self.assertEqual(self.deliver(), "250 2.0.0 taken")

    def test_not_offered(self):
        """
        Where it is not offered nothing is told, and that is an event, once.
        """
        self.make("", transactions=1)
        with events() as seen:
            self.assertEqual([self.deliver(), self.deliver()], ["250 2.0.0 taken"] * 2)
        self.assertEqual(self.told(), [])
        names = [event["event"] for event in seen]
        self.assertEqual(names.count("upstream.client_not_told"), 1)

    def test_questions(self):
        """
        A question about a recipient is asked for nobody.
        """
        self.make()
        asked = self.subject.delivery.verify(ENVELOPE.sender, ADA)
        self.subject.work()
        self.assertTrue(self.successResultOf(asked).is_positive)
        self.assertEqual(self.told(), [])


class XclientTests(ToldCase):
    """
    Tests of XCLIENT.
    """

    way = "xclient"
    offered = XCLIENT

    def test_told(self):
        """
        It is told once for a connection, which begins anew behind it and is that client's alone.
        """
        self.make()
        for session in (ONE, ONE, OTHER, ONE, OTHER):
            self.assertEqual(self.deliver(session), "250 2.0.0 taken")
        self.assertEqual(
            self.told(),
            [
                "NAME=[UNAVAILABLE] ADDR=192.0.2.7 PROTO=ESMTP HELO=a.example.org",
                "NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::7 PROTO=SMTP HELO=b.example.org",
            ],
        )
        self.assertEqual(len(self.behaviour.servers), 2)
        verbs = [line.split(b" ")[0] for line in self.behaviour.lines]
        self.assertEqual(verbs[:6], [b"EHLO", b"XCLIENT", b"EHLO", b"MAIL", b"RCPT", b"DATA"])

    def test_who_else_it_is(self):
        """
        As whom the client has logged in, and where it has connected to, is told too.
        """
        self.make()
        self.deliver(evolve(ONE, account="ada@example.com", local="198.51.100.1"))
        self.assertIn("LOGIN=ada@example.com DESTADDR=198.51.100.1", self.told()[0])

    def test_what_is_offered_to_the_client(self):
        """
        What the upstream offers counts as it offers it to that client.
        """
        self.make()
        self.behaviour.extensions += ("DSN",)
        probed = self.subject.delivery.probe()
        self.subject.work()
        self.successResultOf(probed)
        self.behaviour.extensions = ("PIPELINING",)
        self.assertEqual(self.deliver(), "451 4.6.3 8BITMIME is not taken any more")

    def test_limit(self):
        """
        With all connections open an idle one of another client makes room.
        """
        self.make(connections=1)
        for session in (ONE, OTHER, ONE):
            self.assertEqual(self.deliver(session), "250 2.0.0 taken")
        self.assertEqual(len(self.behaviour.servers), 3)
        self.assertEqual(self.subject.network.open, 1)

    def test_limit_while_busy(self):
        """
        So does one that becomes free.
        """
        self.make(connections=1)
        self.subject.hang()
        answers = [self.begin(session) for session in (ONE, OTHER, ONE)]
        self.subject.go_on()
        self.subject.work()
        self.assertEqual([self.successResultOf(answer)[0].code for answer in answers], [250] * 3)
        self.assertEqual(len(self.behaviour.servers), 2)

    def test_questions(self):
        """
        A question is never asked on the connection of a client.
        """
        self.make()
        self.deliver()
        asked = self.subject.delivery.verify(ENVELOPE.sender, ADA)
        self.subject.work()
        self.assertTrue(self.successResultOf(asked).is_positive)
        self.assertEqual(len(self.behaviour.servers), 2)

    def test_refused(self):
        """
        An upstream that does not believe us, or has no place for that client, is told no message.
        """
        self.make()
        self.behaviour.replies["XCLIENT"] = "550 5.7.0 not you"
        self.assertEqual(
            self.deliver(),
            "451 4.4.1 destination not reached: it answers XCLIENT with 550 5.7.0 not you",
        )
        self.assertEqual(self.subject.network.open, 0)

    def test_cancelled(self):
        """
        Who does not wait any more ends the connection, and the next gets another one.
        """
        self.make()
        self.behaviour.replies["XCLIENT"] = None
        answer = self.begin()
        answer.cancel()
        self.failureResultOf(answer)
        self.subject.work()
        self.assertEqual(self.subject.network.open, 0)
        del self.behaviour.replies["XCLIENT"]
        self.assertEqual(self.deliver(), "250 2.0.0 taken")
