"""
Tests of L{mailgate.hub.reading}.
"""

from attrs import define, field
from twisted.internet.defer import fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailgate.classify.evidence import encode_lore
from mailgate.hub.reading import JOBS, OwnReader, SandboxReader
from mailgate.interfaces import IReader, ISandbox, SandboxDied, SandboxFailed
from mailgate.message.page import page_of
from mailgate.store.threads import ImmediateThreads
from tests.storage import TEXT


@implementer(ISandbox)
@define(eq=False)
class Readings:
    """
    A sandbox that reads here, or answers what it is told to.
    """

    answer: object = None
    asked: list = field(factory=list)
    protections: object = None
    problem: str = ""

    def run(self, job, value, seconds):
        """
        Do a job.
        """
        self.asked.append((job, value, seconds))
        return succeed(JOBS[job](value)) if self.answer is None else self.answer


class ReaderTests(SynchronousTestCase):
    """
    Tests of both readers.
    """

    def setUp(self):
        """
        Make them.
        """
        self.sandbox, self.apart = Readings(), Readings()
        self.reader = SandboxReader(self.sandbox, self.apart)
        self.own = OwnReader(ImmediateThreads())

    def test_the_same(self):
        """
        They are readers, and read the same.
        """
        for reader in (self.reader, self.own):
            verifyObject(IReader, reader)
            self.assertEqual(self.successResultOf(reader.page(TEXT)), page_of(TEXT))
        lores = [self.successResultOf(each.lore(TEXT)) for each in (self.reader, self.own)]
        self.assertEqual(*map(encode_lore, lores))
        self.assertEqual([job for job, _, _ in self.sandbox.asked], ["page", "lore"])

    def test_deadly(self):
        """
        A message that is known to kill gets a process of its own.
        """
        self.successResultOf(self.reader.page(TEXT, True))
        self.assertEqual((self.sandbox.asked, len(self.apart.asked)), ([], 1))

    def test_no_result(self):
        """
        Where there is no result, or one that nobody gives, that is an error of the sandbox.
        """
        self.sandbox.answer = fail(SandboxDied("it was killed"))
        self.failureResultOf(self.reader.page(TEXT), SandboxDied)
        for read in (self.reader.page, self.reader.lore):
            self.sandbox.answer = succeed(b"\x93nonsense")
            error = self.failureResultOf(read(TEXT), SandboxFailed)
            self.assertIn("what nobody answers", error.getErrorMessage())
