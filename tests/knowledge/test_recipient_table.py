"""
Tests of recipients that are written down.
"""

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from mailgate.knowledge.recipient_table import RecipientFile
from mailgate.store.threads import ImmediateThreads
from mailgate.wire.address import NULL_SENDER, Address
from tests.storage import temporary_folder


class FileTests(SynchronousTestCase):
    """
    Tests with a file.
    """

    def setUp(self):
        """
        Write one.
        """
        self.path = temporary_folder(self) / "recipients"
        self.path.write_text("ada@example.com\n")
        with capturedLogs() as events:
            self.source = RecipientFile("staff", self.path, ImmediateThreads())
        self.assertEqual([each["event"] for each in events], ["recipients.read"])

    def knows(self, local):
        """
        Tell whether somebody is there.
        """
        found = self.source.find(Address(local, "example.com"), NULL_SENDER)
        return found.reply.is_positive

    def refresh(self):
        """
        Let it look, and give the events.
        """
        with capturedLogs() as events:
            self.successResultOf(self.source.refresh())
        return [
            (each["event"], each.get("why", each.get("number")))
            for each in events
            if each["event"].startswith("recipients")
        ]

    def test_changed(self):
        """
        A file that has changed is read again, also one that takes its place; else it is not.
        """
        self.assertEqual(self.refresh(), [])
        self.path.write_text("ada@example.com\nbob@example.com\n")
        self.assertEqual(self.refresh(), [("recipients.read", 2)])
        self.assertTrue(self.knows("bob"))
        self.assertEqual(self.refresh(), [])
        other = self.path.with_suffix(".new")
        other.write_text("eve@example.com\n")
        other.rename(self.path)
        self.assertEqual(self.refresh(), [("recipients.read", 1)])
        self.assertEqual((self.knows("eve"), self.knows("ada")), (True, False))

    def test_mistake(self):
        """
        With a mistake in it the old content counts, and the line is told, once.
        """
        self.path.write_text("# who is here\nada@example.com\nbob\n")
        why = "line 3: 'bob' is no address; a whole domain is @example.com"
        self.assertEqual(self.refresh(), [("recipients.not_read", why)])
        self.assertEqual(self.refresh(), [])
        self.assertTrue(self.knows("ada"))
        self.path.write_text("bob@example.com\n")
        self.assertEqual(self.refresh(), [("recipients.read", 1)])
        self.assertEqual((self.knows("ada"), self.knows("bob")), (False, True))

    def test_gone(self):
        """
        So it is when it is gone, or no text.
        """
        self.path.unlink()
        self.assertEqual(self.refresh(), [("recipients.not_read", "No such file or directory")])
        self.path.write_bytes(b"\xff\xfe")
        self.assertEqual(self.refresh(), [("recipients.not_read", "it is not UTF-8 text")])
        self.assertTrue(self.knows("ada"))

    def test_start(self):
        """
        Where there is nothing old nobody is told yes or no, until the file can be read.
        """
        for text, why in (
            (b"ada@@x", "line 1: 'ada@@x' is no address"),
            (b"\xff", "it is not UTF-8 text"),
            (None, "No such file or directory"),
        ):
            if text is None:
                self.path.unlink()
            else:
                self.path.write_bytes(text)
            with capturedLogs() as events:
                self.source = RecipientFile("staff", self.path, ImmediateThreads())
            self.assertEqual([each["why"] for each in events], [why])
            found = self.source.find(Address("ada", "example.com"), NULL_SENDER)
            self.assertEqual((found.reply.code, found.reply.enhanced), (451, "4.4.3"))
            self.assertEqual(self.refresh(), [])
        self.path.write_text("ada@example.com\n")
        self.assertEqual(self.refresh(), [("recipients.read", 1)])
        self.assertTrue(self.knows("ada"))
