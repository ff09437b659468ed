"""
Tests of L{mailgate.hub.marks}.
"""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailgate.finding import Finding
from mailgate.hub.marks import Marks
from mailgate.message.envelope import new_id
from mailgate.rewrite.headers import HeaderRewriter
from mailgate.verdict import Action, Verdict
from tests.reporting.records import RECORD
from tests.storage import ADA, content, make_storage, message, temporary_folder

FINDING = Finding("REPUTATION_NEW", 0.0, "New.", names=("example.org", "bounces.example.org"))
VERDICT = Verdict(Action.ACCEPT, (FINDING,), 0.0, (ADA,))


class MarksTests(SynchronousTestCase):
    """
    Tests of L{Marks}.
    """

    def setUp(self):
        """
        Have a message delivered.
        """
        self.storage = make_storage(self)
        self.addCleanup(lambda: self.successResultOf(self.storage.traces.stop()))
        self.marks = Marks(self.storage.threads, self.storage.traces, self.storage.reputations)
        self.delivered = self.deliver()

    def deliver(self, text=b"Subject: x\r\n\r\nHi\r\n"):
        """
        Give a message as it was delivered, and have its trace.
        """
        self.trace = new_id()
        self.storage.traces.record(evolve(RECORD, trace=self.trace, verdicts=(VERDICT,)))
        given = HeaderRewriter().apply(self.trace, VERDICT, message(text))
        return given.prepended + content(self, given)

    def mark(self, message, is_spam=True):
        """
        Mark it.
        """
        return self.successResultOf(self.marks.mark(message, is_spam))

    def of(self, name):
        """
        Tell what speaks for and against a sender.
        """
        (known,) = self.successResultOf(self.storage.reputations.look_up([name]))
        return known.good, known.bad

    def test_spam(self):
        """
        What is marked as spam counts against all who were authenticated, once.
        """
        self.assertTrue(self.mark(self.delivered))
        self.assertEqual(self.of("example.org"), (0, 2))
        self.assertEqual(self.of("bounces.example.org"), (0, 2))
        self.assertFalse(self.mark(self.delivered))
        self.assertEqual(self.of("example.org"), (0, 2))

    def test_wanted(self):
        """
        What is marked as wanted counts for them; a file is read as well, whatever ends its lines.
        """
        path = temporary_folder(self) / "message"
        path.write_bytes(self.delivered.replace(b"\r\n", b"\n"))
        self.assertTrue(self.mark(path, is_spam=False))
        self.assertEqual(self.of("example.org"), (2, 0))

    def test_not_ours(self):
        """
        What has not come through here, what has no trace any more, and what names a session or
        something else in its place concerns nobody.
        """
        for trace in ("", new_id(), RECORD.session.id, "x" * 100_000, "../../etc"):
            text = f"X-Mailgate-Trace: {trace}\r\n\r\nHi\r\n".encode()
            self.assertFalse(self.mark(text), trace)
        self.assertFalse(self.mark(b""))
        self.assertEqual(self.of("example.org"), (0, 0))

    def test_forged(self):
        """
        The trace of another message that a sender has written into its own is not believed.
        """
        victim = self.trace
        evil = self.deliver(f"X-Mailgate-Trace: {victim}\r\nSubject: x\r\n\r\nHi\r\n".encode())
        self.assertNotIn(victim.encode(), evil)
        self.assertTrue(self.mark(evil))
        self.assertTrue(self.mark(self.delivered))

    def test_missing(self):
        """
        A file that is not there is an error.
        """
        marking = self.marks.mark(temporary_folder(self) / "gone", True)
        self.failureResultOf(marking, FileNotFoundError)
