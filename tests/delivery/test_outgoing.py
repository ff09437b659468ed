"""
What goes out to each kind of upstream: one message, byte for byte, and never what it cannot take.
"""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.message import HEAD_LIMIT, MemoryMessage
from mailgate.message.spool import FileMessage
from mailgate.store.threads import ImmediateThreads
from mailgate.wire.address import Address
from tests.delivery.kinds import KINDS, MailSubject
from tests.storage import ADA, ENVELOPE, temporary_folder
from tests.wire.test_data import FALSE_ENDS


class KindsCase(SynchronousTestCase):
    """
    An upstream of each kind in memory.
    """

    def subjects(self):
        """
        Give one of each kind with its name.
        """
        for kind in KINDS:
            yield kind.name, MailSubject(temporary_folder(self), kind)

    def deliver(self, subject, message, **envelope):
        """
        Deliver a message, and give the reply in words.
        """
        answer = subject.delivery.deliver(evolve(ENVELOPE, **envelope), (ADA,), message)
        for _ in range(100):
            subject.work()
            if answer.called:
                break
        (reply,) = self.successResultOf(answer)
        return str(reply)

    def from_file(self, data):
        """
        Give a message that has to be read from the disk.
        """
        path = temporary_folder(self) / "message"
        path.write_bytes(data)
        return FileMessage(path, len(data), data[:HEAD_LIMIT], ImmediateThreads())


class AttackTests(KindsCase):
    """
    Attacks by what is sent.
    """

    def test_a03_smuggling(self):
        """
        A message with a false end, however it came to lie here, goes to no upstream, be it small or
        large; and nothing behind the false end is taken for a command (A3).
        """
        evil = b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\nHi\r\n"
        for name, subject in self.subjects():
            for false_end in FALSE_ENDS:
                for size in (0, HEAD_LIMIT + 1):
                    data = b"Subject: x\r\n\r\n" + b"x" * size + false_end + evil
                    message = self.from_file(data) if size else MemoryMessage((data,))
                    said = self.deliver(subject, message)
                    self.assertTrue(said.startswith("550 5.6.0"), (name, false_end, said))
            self.assertEqual(subject.behaviour.arrived, [], name)
            self.assertNotIn(b"MAIL FROM:<evil@example.org>", subject.behaviour.lines)

    def test_a03_whole_line_ends(self):
        """
        What looks like an end, with whole line ends, arrives as it is, in one message (A3).
        """
        data = b"Subject: x\r\n\r\n.\r\nMAIL FROM:<evil@example.org>\r\n..\r\n.\r\n"
        for name, subject in self.subjects():
            self.assertEqual(self.deliver(subject, MemoryMessage((data,))), "250 2.0.0 taken")
            ((_, arrived, is_secure),) = subject.behaviour.arrived
            self.assertEqual(arrived, data, name)
            self.assertEqual(is_secure, next(k for k in KINDS if k.name == name).is_secure)

    def test_a04_dots(self):
        """
        A dotted line at each offset of a small message, and at each around the ends of the pieces
        of a large one, arrives byte for byte (A4).
        """
        piece = 1024 * 1024
        for name, subject in self.subjects():
            for offset in range(120):
                data = b"x" * offset + b"\r\n.\r\n..x\r\n"
                chunks = (data[: len(data) // 2], data[len(data) // 2 :])
                self.assertEqual(self.deliver(subject, MemoryMessage(chunks)), "250 2.0.0 taken")
                self.assertEqual(subject.behaviour.arrived.pop()[1], data, (name, offset))
            for offset in range(-4, 4):
                data = b"x" * (piece + offset) + b"\r\n.\r\n..x\r\n"
                self.assertEqual(self.deliver(subject, self.from_file(data)), "250 2.0.0 taken")
                self.assertTrue(subject.behaviour.arrived.pop()[1] == data, (name, offset))


class CapabilityTests(KindsCase):
    """
    What each kind can take (F9).
    """

    def test_f09_learned(self):
        """
        What is offered by each is known after a probe, and no more than that.
        """
        for name, subject in self.subjects():
            subject.behaviour.extensions = ("8BITMIME", "SIZE 1000")
            probed = subject.delivery.probe()
            subject.work()
            self.successResultOf(probed)
            offered = subject.delivery.capabilities
            self.assertEqual(offered.extensions - {"STARTTLS"}, {"8BITMIME", "SIZE"}, name)
            self.assertEqual(offered.size, 1000)

    def test_f09_not_offered_any_more(self):
        """
        What it does not take any more is refused before a word of the message is said.
        """
        for name, subject in self.subjects():
            subject.behaviour.extensions = ()
            message = MemoryMessage((b"x\r\n",))
            self.assertEqual(
                self.deliver(subject, message, body="8BITMIME"),
                "451 4.6.3 8BITMIME is not taken any more",
                name,
            )
            said = self.deliver(
                subject, message, body="7BIT", sender=Address("jürgen", "é.example")
            )
            self.assertTrue(said.startswith("550 5.6.7"), said)
            self.assertFalse([each for each in subject.behaviour.lines if each[:4] == b"MAIL"])
            # Without any extension an ordinary message goes, command by command.
            self.assertEqual(self.deliver(subject, message, body="7BIT"), "250 2.0.0 taken")
