"""
Tests of L{mailgate.quarantine.deciding}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailgate.finding import SANDBOX, Finding
from mailgate.interfaces import ILearner
from mailgate.quarantine.deciding import Decisions, Done
from mailgate.verdict import Kind
from tests.pipeline.events import events
from tests.storage import TEXT
from tests.web.harness import RecordingLearner, World

LARGE = b"Subject: x\r\n\r\n" + b"x" * 3 * 1024 * 1024


class DecisionTests(SynchronousTestCase):
    """
    What is decided, and what is learned from it.
    """

    def setUp(self):
        """
        Make a world with a learner.
        """
        self.world = World(self)
        self.learner = RecordingLearner(self.world)
        self.decisions = Decisions(self.world.quarantine, self.learner)

    def decide(self, do, *ids):
        """
        Carry it out.
        """
        deciding = getattr(self.decisions, do)(ids, "Ada")
        return self.successResultOf(Deferred.fromCoroutine(deciding))

    def test_provided(self):
        """
        The learner of these tests is one.
        """
        verifyObject(ILearner, self.learner)
        self.assertTrue(self.decisions.teaches)
        self.assertFalse(Decisions(self.world.quarantine, None).teaches)

    def test_release(self):
        """
        A released message is learned as good mail, when its release is on the disk.
        """
        done = self.decide("release", self.world.hold())
        self.assertEqual(done, Done(1, 0))
        self.assertEqual(self.learner.learned, [(TEXT, False, "Ada")])
        self.assertEqual(self.learner.states, [["released"]])

    def test_delete_as_spam(self):
        """
        A message that is deleted as spam is learned as spam, when it is gone.
        """
        done = self.decide("delete_as_spam", self.world.hold())
        self.assertEqual(done, Done(1, 0))
        self.assertEqual(self.learner.learned, [(TEXT, True, "Ada")])
        self.assertEqual(self.learner.states, [[]])

    def rated(self, *decisions, names=("example.org",), kind=Kind.SPAM):
        """
        Decide about a message of which it is known whom it is from, and give what has counted.
        """
        rated = []

        class Rater:
            def rate(self, names, is_spam, trace):
                rated.append((names, is_spam, trace))
                return fail(OSError(5, "disk")) if "broken.example" in names else succeed(True)

        self.decisions = Decisions(self.world.quarantine, None, Rater())
        finding = Finding("REPUTATION_NEW", 0.0, "New.", names=names)
        identity = self.world.hold(findings=(finding, finding), kind=kind)
        for do in decisions:
            self.decide(do, identity)
        return rated

    def test_rated(self):
        """
        A release counts for whoever was authenticated as the sender, and a deletion as spam against
        it, also where nothing else is learned; whoever only deletes says nothing.
        """
        for do, is_spam in (("release", False), ("delete_as_spam", True)):
            ((names, said, trace),) = self.rated(do)
            self.assertEqual((names, said), (("example.org",), is_spam))
            self.assertTrue(trace)
        self.assertEqual(self.rated("delete"), [])

    def test_not_rated(self):
        """
        Where nobody was authenticated, where the message is gone, and where it was held for its
        upstream alone, nobody's name is concerned.
        """
        self.assertEqual(self.rated("release", names=()), [])
        self.assertEqual(self.rated("delete", "delete_as_spam"), [])
        self.assertEqual(self.rated("release", kind=Kind.UNDELIVERABLE), [])

    def test_rating_fails(self):
        """
        A name that cannot be written is told, and the decision stands.
        """
        with events() as told:
            self.rated("release", names=("broken.example",))
        self.assertIn("quarantine.not_rated", [each["event"] for each in told])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_delete(self):
        """
        Whoever only deletes teaches nothing.
        """
        self.assertEqual(self.decide("delete", self.world.hold()), Done(1, 0))
        self.assertEqual(self.learner.learned, [])

    def test_undeliverable(self):
        """
        A copy that could not be delivered was not held for what it is: its release teaches nothing.
        """
        self.decide("release", self.world.hold(kind=Kind.UNDELIVERABLE, reason="550 no"))
        self.assertEqual(self.learner.learned, [])

    def test_deadly(self):
        """
        A message that kills whoever looks into it is looked into by nobody: it teaches nothing,
        whatever is decided about it.
        """
        found = (Finding("CONTENT_UNSCANNABLE", 1.0, "It kills.", check=SANDBOX),)
        for do in ("release", "delete_as_spam"):
            identity = self.world.hold(kind=Kind.UNSCANNABLE, findings=found)
            self.assertEqual(self.decide(do, identity), Done(1, 0))
        self.decide("release", self.world.hold(kind=Kind.UNSCANNABLE))
        self.assertEqual(self.learner.learned, [(TEXT, False, "Ada")])

    def test_dealt_with(self):
        """
        What was dealt with before is counted, and not learned again.
        """
        first, second = self.world.hold(), self.world.hold()
        self.decide("release", first)
        self.assertEqual(self.decide("release", first, second, "gone-gone-gone"), Done(1, 2))
        self.assertEqual(len(self.learner.learned), 2)
        self.assertEqual(self.decide("delete_as_spam", "gone-gone-gone"), Done(0, 1))
        self.assertEqual(len(self.learner.learned), 2)

    def test_a_transaction_each(self):
        """
        Each message is decided in a transaction of its own.
        """
        ids = [self.world.hold() for _ in range(4)]
        writing = []
        write = self.world.storage.database.write

        def count(work):
            writing.append(work)
            return write(work)

        self.patch(self.world.storage.database, "write", count)
        self.assertEqual(self.decide("release", *ids), Done(4, 0))
        self.assertEqual(len(writing), 4)

    def test_nobody_waits(self):
        """
        A learner that takes its time keeps nobody waiting, and gets one message after the other.
        """
        first, second = Deferred(), Deferred()
        self.learner.answers = [first, second]
        ids = [self.world.hold() for _ in range(3)]
        self.assertEqual(self.decide("release", *ids), Done(3, 0))
        self.assertEqual(len(self.learner.learned), 1)
        first.callback(None)
        self.assertEqual(len(self.learner.learned), 2)
        second.callback(None)
        self.assertEqual(len(self.learner.learned), 3)

    def test_failure(self):
        """
        A learner that fails is told, and harms neither the decision nor what is learned next.
        """
        self.learner.answers = [fail(OSError(28, "no room")), fail(OSError(28, "no room"))]
        self.assertEqual(self.decide("release", self.world.hold()), Done(1, 0))
        self.assertEqual(self.decide("delete_as_spam", self.world.hold()), Done(1, 0))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 2)
        self.decide("release", self.world.hold())
        self.assertEqual(len(self.learner.learned), 3)

    def test_file_that_cannot_be_read(self):
        """
        A message whose file is gone can be deleted as spam; nothing is learned, and it is told.
        """
        identity = self.world.hold()
        self.world.storage.blobs.path(self.world.held(identity).message.id).unlink()
        self.assertEqual(self.decide("delete_as_spam", identity), Done(1, 0))
        self.assertIsNone(self.world.held(identity))
        self.assertEqual(self.learner.learned, [])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_large(self):
        """
        A large message is learned whole from its file, or by its first mebibyte where that goes.
        """
        self.decide("release", self.world.hold(LARGE))
        self.decide("delete_as_spam", self.world.hold(LARGE))
        (whole, _, _), (beginning, _, _) = self.learner.learned
        self.assertEqual(whole, LARGE)
        self.assertEqual(beginning, LARGE[: 1024 * 1024])

    def test_without_a_learner(self):
        """
        Where nothing learns, all can be decided as well.
        """
        self.decisions = Decisions(self.world.quarantine, None)
        for do in ("release", "delete", "delete_as_spam"):
            self.assertEqual(self.decide(do, self.world.hold()), Done(1, 0))
