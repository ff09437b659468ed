"""
What every L{mailgate.interfaces.IDelivery} promises.
"""

import errno

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailgate.delivery.maildir import MaildirDelivery
from mailgate.delivery.smtp_delivery import SmtpDelivery
from mailgate.interfaces import IDelivery
from mailgate.message.spool import FileMessage
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads
from tests.delivery.kinds import KINDS, AlternativesSubject, MailSubject
from tests.delivery.network import Network, make_settings
from tests.storage import ADA, BOB, ENVELOPE, message, temporary_folder

TEXT = b".Subject: caf\xc3\xa9\r\n\r\n.\r\n..\r\nline\r\n.end\r\n"


@define(eq=False)
class Disk(Files):
    """
    A disk, and the threads that use it, which can be full and can hang.
    """

    is_broken: bool = False
    is_hanging: bool = False
    waiting: list = field(factory=list)

    def create(self, path):
        """
        Create a file.
        """
        if self.is_broken:
            raise OSError(errno.EIO, "disk")
        return Files.create(self, path)

    def sync_directory(self, path):
        """
        Sync a folder.
        """
        if self.is_broken:
            raise OSError(errno.EIO, "disk")
        Files.sync_directory(self, path)

    def run(self, function, *args):
        """
        Call C{function}, now or later.
        """
        if not self.is_hanging:
            return ImmediateThreads().run(function, *args)
        done = Deferred()
        self.waiting.append(done)
        return done.addCallback(lambda _: function(*args))


class MaildirSubject:
    """
    A Maildir.
    """

    def __init__(self, folder):
        self.clock = Clock()
        self.disk = Disk()
        self.path = folder / "inbox"
        self.delivery = MaildirDelivery(
            "inbox", self.path, self.disk, self.disk, "mail.example.com", lambda: 1.5, self.clock
        )

    def work(self):
        """
        Everything is done at once.
        """

    def stored(self):
        """
        Give what has arrived for whom, as it was sent.
        """
        arrived = []
        for path in sorted((self.path / "new").iterdir()):
            data = path.read_bytes().replace(b"\n", b"\r\n")
            returned, delivered, rest = data.split(b"\r\n", 2)
            assert returned == b"Return-Path: <sender@Example.ORG>"
            arrived.append((delivered.decode().removeprefix("Delivered-To: "), rest))
        return sorted(arrived)

    def be_broken(self, is_broken):
        """
        Let nothing be written, or let it again.
        """
        self.disk.is_broken = is_broken

    def hang(self):
        """
        Take no more than the message.
        """
        self.disk.is_hanging = True

    def go_on(self):
        """
        Answer what has been left.
        """
        self.disk.is_hanging = False
        for done in self.disk.waiting:
            done.callback(None)


@define(eq=False)
class Server:
    """
    A mail server on one connection, of few words.
    """

    wire: object
    subject: object
    rest: bytes = b""
    recipients: list = field(factory=list)
    is_in_data: bool = False

    def work(self):
        """
        Do what has been asked.

        @return: whether there was anything to do.
        """
        if self.wire.is_closed:
            return False
        producer = self.wire.transport.producer
        if producer is not None:
            producer.resumeProducing()
        heard = self.wire.heard()
        self.rest += heard
        self.take()
        return bool(heard)

    def take(self):
        """
        Take what is complete.
        """
        while True:
            end = b"\r\n.\r\n" if self.is_in_data else b"\r\n"
            piece, found, rest = self.rest.partition(end)
            if not found or (self.is_in_data and self.subject.is_hanging):
                return
            self.rest = rest
            if self.is_in_data:
                self.is_in_data = False
                text = (b"\r\n" + piece + b"\r\n").replace(b"\r\n.", b"\r\n")[2:]
                self.subject.arrived += [(name, text) for name in self.recipients]
                self.wire.say("250 2.0.0 taken")
            else:
                self.answer(piece.decode())

    def answer(self, line):
        """
        Answer one command.
        """
        verb = line[:4].upper()
        if verb == "EHLO":
            self.wire.say("250-mx", "250-PIPELINING", "250-SMTPUTF8", "250 8BITMIME")
        elif verb == "DATA":
            self.is_in_data = True
            self.wire.say("354 go")
        elif verb == "QUIT":
            self.wire.say("221 2.0.0 bye")
        else:
            if verb == "MAIL":
                assert line.startswith("MAIL FROM:<sender@Example.ORG>")
                self.recipients = []
            elif verb == "RCPT":
                self.recipients.append(line[9:-1])
            self.wire.say("250 2.0.0 ok")


class SmtpSubject:
    """
    A mail server in memory.
    """

    def __init__(self, folder):
        self.clock = Clock()
        self.network = Network()
        self.delivery = SmtpDelivery(
            "inner", make_settings(), "mail.example.com", self.clock, self.network
        )
        self.servers = {}
        self.arrived = []
        self.is_hanging = False
        self.is_broken = False

    def work(self):
        """
        Let the servers work until there is nothing left to do.
        """
        is_busy = True
        while is_busy:
            is_busy = False
            for wire in self.network.wires:
                if wire not in self.servers:
                    self.servers[wire] = Server(wire, self)
                    is_busy = True
                    if self.is_broken:
                        wire.drop()
                    else:
                        wire.say("220 mx")
                is_busy = self.servers[wire].work() or is_busy

    def stored(self):
        """
        Give what has arrived for whom.
        """
        return sorted(self.arrived)

    def be_broken(self, is_broken):
        """
        End each connection at once, or take them again.
        """
        self.is_broken = is_broken
        for wire in self.network.wires:
            wire.drop()

    def hang(self):
        """
        Take no more than the message.
        """
        self.is_hanging = True

    def go_on(self):
        """
        Answer what has been left.
        """
        self.is_hanging = False
        for server in self.servers.values():
            server.take()


def delivery_contract(make):
    """
    Make the test case for an implementation.

    @param make: makes a subject in a temporary folder.
    """

    class DeliveryContract(SynchronousTestCase):
        def setUp(self):
            self.folder = temporary_folder(self)
            self.subject = make(self.folder)
            self.delivery = self.subject.delivery

        def begin(self, recipients=(ADA,), kept=None, within=None):
            answer = self.delivery.deliver(ENVELOPE, recipients, kept or message(TEXT), within)
            self.subject.work()
            return answer

        def codes(self, answer):
            return [reply.code for reply in self.successResultOf(answer)]

        def test_interface(self):
            """
            It has all methods.
            """
            verifyObject(IDelivery, self.delivery)

        def test_delivered(self):
            """
            Each recipient has a reply, and the message byte for byte with what is prepended.
            """
            kept = message(TEXT).prepend(b"Top: 1\r\n")
            answer = self.begin((ADA, BOB), kept)
            self.assertEqual(self.codes(answer), [250, 250])
            arrived = [(str(ADA), b"Top: 1\r\n" + TEXT), (str(BOB), b"Top: 1\r\n" + TEXT)]
            self.assertEqual(self.subject.stored(), arrived)
            self.assertEqual(self.delivery.failures, 0)

        def test_from_a_file(self):
            """
            A message of several chunks that lies on the disk arrives byte for byte.
            """
            text = TEXT * (2_500_000 // len(TEXT))
            path = self.folder / "message"
            path.write_bytes(text)
            kept = FileMessage(path, len(text), text[:1000], ImmediateThreads(), b"Top: 1\r\n")
            self.assertEqual(self.codes(self.begin(kept=kept)), [250])
            ((_, arrived),) = self.subject.stored()
            self.assertTrue(arrived == b"Top: 1\r\n" + text)

        def test_from_a_small_file(self):
            """
            So does a small one, which lies there because memory was short.
            """
            path = self.folder / "message"
            path.write_bytes(TEXT)
            kept = FileMessage(path, len(TEXT), TEXT, ImmediateThreads())
            self.assertEqual(self.codes(self.begin(kept=kept)), [250])
            self.assertEqual(self.subject.stored(), [(str(ADA), TEXT)])

        def test_unreadable(self):
            """
            A message that cannot be read is deferred, and nothing of it arrives.
            """
            path = self.folder / "message"
            path.write_bytes(TEXT)
            for size in (len(TEXT) + 1, 2_500_000):
                kept = FileMessage(path, size, TEXT, ImmediateThreads())
                self.assertEqual(self.codes(self.begin(kept=kept)), [451])
            self.assertEqual(self.codes(self.begin()), [250])
            self.assertEqual(self.subject.stored(), [(str(ADA), TEXT)])
            self.flushLoggedErrors(OSError)

        def test_one_after_the_other(self):
            """
            It delivers more than once.
            """
            for _ in range(3):
                self.assertEqual(self.codes(self.begin()), [250])
            self.assertEqual(self.subject.stored(), [(str(ADA), TEXT)] * 3)

        def test_trouble(self):
            """
            Trouble is a 4xx for each recipient, and never a failure of the Deferred; failures
            count up until it works again.
            """
            self.subject.be_broken(True)
            for _ in range(2):
                before = self.delivery.failures
                for code in self.codes(self.begin((ADA, BOB))):
                    self.assertTrue(400 <= code < 500)
                self.assertGreater(self.delivery.failures, before)
            self.subject.be_broken(False)
            self.assertEqual(self.codes(self.begin()), [250])
            self.assertEqual(self.delivery.failures, 0)
            self.assertEqual(self.subject.stored(), [(str(ADA), TEXT)])

        def test_within(self):
            """
            The answer is there in time, whatever it is; what is not known is a 451 4.4.2.
            """
            self.subject.hang()
            answer = self.begin((ADA, BOB), within=10)
            self.subject.clock.advance(9.9)
            self.assertNoResult(answer)
            self.subject.clock.advance(0.1)
            replies = self.successResultOf(answer)
            self.assertEqual([(r.code, r.enhanced) for r in replies], [(451, "4.4.2")] * 2)
            self.subject.go_on()

        def test_no_time_left(self):
            """
            Where the time is over before it begins, nothing is begun, and that is certain: a
            451 4.4.1.
            """
            for within in (0, -1.5):
                answer = self.begin((ADA, BOB), within=within)
                replies = self.successResultOf(answer)
                self.assertEqual([(r.code, r.enhanced) for r in replies], [(451, "4.4.1")] * 2)
                self.assertEqual(self.subject.clock.getDelayedCalls(), [])
            self.assertEqual(self.codes(self.begin()), [250])
            self.assertEqual(self.subject.stored(), [(str(ADA), TEXT)])

        def test_cancel_too_late(self):
            """
            What has begun ends by itself, however often it is cancelled.
            """
            self.subject.hang()
            answer = self.begin()
            answer.cancel()
            answer.cancel()
            self.assertNoResult(answer)
            self.subject.go_on()
            self.assertEqual(self.codes(answer), [250])
            self.assertEqual(self.subject.stored(), [(str(ADA), TEXT)])

        def test_verify(self):
            """
            A recipient that exists is a 2xx, and asking delivers nothing.
            """
            answer = self.delivery.verify(ENVELOPE.sender, ADA)
            self.subject.work()
            self.assertTrue(self.successResultOf(answer).is_positive)
            probed = self.delivery.probe()
            self.subject.work()
            self.successResultOf(probed)
            self.assertEqual(self.subject.stored(), [])

        def test_probe(self):
            """
            A probe knows afterwards what can be taken.
            """
            probed = self.delivery.probe()
            self.subject.work()
            self.assertIsNone(self.successResultOf(probed))
            self.assertLessEqual({"8BITMIME", "SMTPUTF8"}, self.delivery.capabilities.extensions)

        def test_probe_trouble(self):
            """
            A probe never fails; the failure is counted.
            """
            self.subject.be_broken(True)
            probed = self.delivery.probe()
            self.subject.work()
            self.assertIsNone(self.successResultOf(probed))
            self.assertEqual(self.delivery.failures, 1)
            self.flushLoggedErrors(OSError)

        def test_close(self):
            """
            It ends, used or not, and leaves nothing with the reactor.
            """
            self.assertEqual(self.codes(self.begin(within=10)), [250])
            for _ in range(2):
                closed = self.delivery.close()
                self.subject.work()
                self.successResultOf(closed)
            self.assertEqual(self.subject.clock.getDelayedCalls(), [])

    return DeliveryContract


class MaildirTests(delivery_contract(MaildirSubject)):
    """
    A folder.
    """


class SmtpTests(delivery_contract(SmtpSubject)):
    """
    A mail server.
    """


def of_kind(name):
    """
    Give what makes the subject for a kind of mail server.
    """
    kind = next(kind for kind in KINDS if kind.name == name)
    return lambda folder: MailSubject(folder, kind)


class RequiredTlsTests(delivery_contract(of_kind("smtp, required"))):
    """
    A mail server that must do STARTTLS.
    """


class VerifiedTlsTests(delivery_contract(of_kind("smtp, verified"))):
    """
    A mail server whose certificate is looked at.
    """


class PinnedKeyTests(delivery_contract(of_kind("smtp, pinned"))):
    """
    A mail server whose key is known.
    """


class SmtpsTests(delivery_contract(of_kind("smtps"))):
    """
    A mail server with TLS from the first byte on.
    """


class LmtpTests(delivery_contract(of_kind("lmtp"))):
    """
    A mail server that speaks LMTP.
    """


class LmtpOverTlsTests(delivery_contract(of_kind("lmtp, verified"))):
    """
    One that speaks LMTP over TLS.
    """


class AlternativesTests(delivery_contract(AlternativesSubject)):
    """
    Several mail servers.
    """
