"""
Tests of what goes to the sandbox of attachments, and what is made of the answer.
"""

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.forbidden import FileType
from mailgate.interfaces import SandboxDied, SandboxUnavailable
from mailgate.message.archive import Caps, File, Flaw
from mailgate.message.attachments import Attachments, Trouble
from mailgate.message.dissect.question import JOB, Answer, decode_question, encode_answer
from mailgate.message.inside.inspector import Parser, Specimen
from mailgate.message.inside.signs import Sign, SignKind
from mailgate.pipeline.dissection import SECONDS, Dissection
from mailgate.store.threads import ImmediateThreads
from tests.pipeline.events import events

SPECIMENS = (
    Specimen(Parser.LOCKED_ZIP, b"one", ("a.zip",), 0),
    Specimen(Parser.PDF, b"two", ("b.pdf",), 1),
)
FOUND = Attachments(
    (File(("a.zip",), FileType.ZIP, is_encrypted=True), File(("b.pdf",), FileType.PDF)),
    (Flaw("x", ()),),
    (Sign(SignKind.SCRIPT, "x"),),
    ("https://example.net/1",),
    SPECIMENS,
)


class Sandbox:
    """
    A sandbox that gives one answer.
    """

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    def run(self, job, value, seconds):
        """
        Give it.
        """
        self.asked.append((job, value, seconds))
        return self.answer


class DissectionTests(SynchronousTestCase):
    """
    Tests of C{Dissection}.
    """

    def complete(self, answer):
        """
        Have the attachments looked into, and give the Deferred of what is known then.
        """
        self.sandbox = Sandbox(answer)
        dissection = Dissection(self.sandbox, Caps(depth=3), ImmediateThreads())
        return Deferred.fromCoroutine(dissection.complete(FOUND, ("tulip",), "trace"))

    def test_asked(self):
        """
        The specimens go there, with the passwords and the limits.
        """
        self.successResultOf(self.complete(succeed(encode_answer(Answer()))))
        ((job, value, seconds),) = self.sandbox.asked
        question = decode_question(value)
        self.assertEqual((job, seconds), (JOB, SECONDS))
        self.assertEqual(question.specimens, SPECIMENS)
        self.assertEqual((question.passwords, question.caps), (("tulip",), Caps(depth=3)))

    def test_joined(self):
        """
        What is seen there is added to what was seen before, each thing once.
        """
        answer = Answer(
            (File(("c.exe",), FileType.WINDOWS_PROGRAM, ("a.zip",)),),
            (Flaw("x", ()), Flaw("y", ())),
            (Sign(SignKind.OPENED, "y", ("a.zip",)), Sign(SignKind.SCRIPT, "x")),
            ("https://example.net/1", "https://example.net/2"),
            frozenset({0}),
            frozenset({1}),
            (Trouble(("b.pdf",), "z"),),
        )
        found = self.successResultOf(self.complete(succeed(encode_answer(answer))))
        self.assertEqual([file.names[0] for file in found.files], ["a.zip", "b.pdf", "c.exe"])
        self.assertEqual([file.is_encrypted for file in found.files], [False, True, False])
        self.assertEqual([flaw.sentence for flaw in found.flaws], ["x", "y"])
        self.assertEqual([sign.detail for sign in found.signs], ["x", "y"])
        self.assertEqual(found.leads, ("https://example.net/1", "https://example.net/2"))
        self.assertEqual((found.troubles, found.unjudged), ((Trouble(("b.pdf",), "z"),), ""))

    def test_a24_no_result(self):
        """
        If it has no result, that is a grave trouble of each file, and an event.
        """
        for answer in (fail(SandboxDied("it was killed")), succeed(b"nonsense")):
            with events() as told:
                found = self.successResultOf(self.complete(answer))
            self.assertEqual([each.path for each in found.troubles], [("a.zip",), ("b.pdf",)])
            self.assertTrue(all(each.is_grave for each in found.troubles))
            self.assertEqual((found.files, found.leads), (FOUND.files, FOUND.leads))
            said = [(each["event"], each["trace"]) for each in told]
            self.assertEqual(said, [("attachments.unscannable", "trace")])

    def test_a24_unavailable(self):
        """
        If it had no process, that is no trouble of a file; it is said why, in an event as well.
        """
        with events() as told:
            answer = fail(SandboxUnavailable("no process was free in time"))
            found = self.successResultOf(self.complete(answer))
        self.assertEqual((found.unjudged, found.troubles), ("no process was free in time", ()))
        said = [(each["event"], each["error"], each["trace"]) for each in told]
        self.assertEqual(said, [("attachments.unjudged", "no process was free in time", "trace")])

    def test_cancelled(self):
        """
        When the client has gone, the job is given up.
        """
        cancelled = []
        waiting = self.complete(Deferred(cancelled.append))
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(len(cancelled), 1)
