"""
Tests of L{mailgate.pipeline.suspects}, and of the judges with them.
"""

from hashlib import sha256

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailgate.finding import Kind
from mailgate.interfaces import (
    INotes,
    ISandbox,
    Phase,
    SandboxDied,
    SandboxFailed,
    SandboxTimeout,
    SandboxUnavailable,
    Scope,
)
from mailgate.pipeline.content import decode_question, encode_answer
from mailgate.pipeline.inside import judge_content
from mailgate.pipeline.suspects import UNJUDGED, UNSCANNABLE, Suspects, digest_of
from mailgate.verdict import Action
from tests.pipeline.events import events
from tests.pipeline.harness import (
    ADA,
    BOB,
    MESSAGE,
    POSTMASTER,
    ScriptedCheck,
    ScriptedExtractor,
    court,
    found,
    pending,
)

DIGEST = sha256(b"".join(MESSAGE.pieces)).digest()


@implementer(ISandbox)
@define(eq=False)
class ScriptedSandbox:
    """
    A sandbox that does the job here, or answers what it is told to.
    """

    answer: object = None
    plan: object = None
    questions: list = field(factory=list)
    protections: object = None
    problem: str = ""

    def run(self, job, value, seconds):
        """
        Do a job.
        """
        asked = decode_question(value)
        self.questions.append((job, asked, seconds))
        if self.answer is None:
            return succeed(encode_answer(judge_content(self.plan, asked, 30)))
        if isinstance(self.answer, Exception):
            return fail(self.answer)
        return self.answer


@implementer(INotes)
class ListedNotes:
    """
    Notes in a list.
    """

    def __init__(self):
        self.there = {}
        self.made = []
        self.left = []

    def add(self, digest):
        """
        Note.
        """
        self.made.append(digest)
        self.there[len(self.made)] = digest
        return len(self.made)

    def remove(self, note):
        """
        Take back.
        """
        del self.there[note]

    def leave(self, note):
        """
        Let it stay for a while.
        """
        self.left.append(self.there.pop(note))


@define(eq=False)
class FiledMessage:
    """
    A message that is read from a file.
    """

    readings: list
    path: str = "a file"

    def chunks(self):
        """
        Give what is read.
        """
        return iter(self.readings.pop(0))


class SuspectsCase(SynchronousTestCase):
    """
    Has checks on the content and others.
    """

    def setUp(self):
        """
        Make them.
        """
        self.notes, self.sandbox = ListedNotes(), ScriptedSandbox()
        self.suspects = Suspects(self.sandbox, "the settings", self.notes)
        self.facts = ScriptedExtractor("facts", "the facts")
        self.content = ScriptedCheck(
            "content", found(2.0), Phase.BODY, needs=("facts",), symbols=frozenset({"SEEN"})
        )
        self.other = ScriptedCheck("other", found(1.0, "OTHER"), Phase.BODY)

    def court(self, *checks, **options):
        """
        Make a pipeline of these checks, or of the usual ones.
        """
        here = court(
            *(checks or (self.content, self.other)),
            extractors=[self.facts],
            suspects=self.suspects,
            **options,
        )
        self.sandbox.plan = here.pipeline.plan
        return here

    def judged(self, *checks, recipients=(ADA,), **options):
        """
        Judge the message.
        """
        judge = self.court(*checks, **options).transaction(*recipients)
        with events() as self.told:
            verdicts = judge.message(MESSAGE)
            if isinstance(verdicts, Deferred):
                verdicts = self.successResultOf(verdicts)
        return verdicts


class OthersTests(SuspectsCase):
    """
    Tests with messages that have killed nobody.
    """

    def test_note(self):
        """
        While the content of a message is worked on its hash is noted, and no longer; the sandbox is
        not asked.
        """
        noted = []

        def look(view):
            noted.extend(self.notes.there.values())
            return found(2.0)

        self.content.answer = look
        (verdict,) = self.judged()
        self.assertEqual(verdict.total, 3.0)
        self.assertEqual((noted, self.notes.there), ([DIGEST], {}))
        self.assertEqual(self.sandbox.questions, [])

    def test_no_content(self):
        """
        Where no check is on the content, or the message is refused before it, nothing is noted.
        """
        self.judged(self.other)
        guard = ScriptedCheck("guard", found(20.0), Phase.HEADERS)
        self.judged(guard, self.content)
        self.assertEqual(self.notes.made, [])

    def test_waiting(self):
        """
        The note stays while a check waits, and goes when it has answered. Where the check is too
        late, or the client has gone, its work may still go on, and the note is left.
        """
        for end, left in (("answer", []), ("deadline", [DIGEST]), ("close", [DIGEST])):
            self.notes.left.clear()
            self.content.answer = Deferred()
            here = self.court()
            judge = here.transaction()
            waiting = judge.message(MESSAGE)
            self.assertEqual(list(self.notes.there.values()), [DIGEST])
            if end == "answer":
                self.content.answer.callback(found(2.0))
            elif end == "deadline":
                with events():
                    here.clock.advance(6)
            else:
                judge.close()
                self.failureResultOf(waiting, CancelledError)
            self.assertEqual((self.notes.there, self.notes.left), ({}, left))

    def test_no_place(self):
        """
        Where a note has no place the message is judged all the same.
        """
        self.notes.add = lambda digest: None
        (verdict,) = self.judged()
        self.assertEqual(verdict.total, 3.0)

    def test_without(self):
        """
        Without any of this, nothing is read twice.
        """
        here = court(self.content, extractors=[self.facts])
        message = FiledMessage([])
        (verdict,) = here.transaction().message(message)
        self.assertEqual(verdict.total, 2.0)


class SuspectTests(SuspectsCase):
    """
    Tests with one that has killed a process.
    """

    def setUp(self):
        """
        Make it known.
        """
        super().setUp()
        self.suspects.hashes = {DIGEST}

    def test_sandbox(self):
        """
        Its content is judged in the sandbox; all else is judged here, and counts together with it.
        """
        done_here = []
        self.facts.answer = lambda view: done_here.append(view)
        self.sandbox.answer = succeed(encode_answer([]))
        self.content.answer = lambda view: done_here.append(view)
        (verdict,) = self.judged()
        self.assertEqual((verdict.total, done_here), (1.0, []))
        ((job, asked, seconds),) = self.sandbox.questions
        self.assertEqual(
            (job, asked.settings, asked.phase), ("content", "the settings", Phase.BODY)
        )
        self.assertEqual((asked.message, seconds), (b"".join(MESSAGE.pieces), 30))
        self.assertEqual([result.check for result in asked.said], ["other"])
        self.assertEqual(self.notes.made, [])

    def test_same(self):
        """
        The verdict is the same as elsewhere, for each recipient, in one phase or two.
        """

        def of_recipient(view):
            return found(7.0 if view.recipient == BOB else 0.5)

        def checks():
            return (
                self.content,
                self.other,
                ScriptedCheck(
                    "each", of_recipient, Phase.BODY, Scope.RECIPIENT, needs=("facts", "content")
                ),
                ScriptedCheck(
                    "last",
                    lambda view: found(len(view.findings_of("each"))),
                    Phase.END,
                    Scope.RECIPIENT,
                    needs=("facts", "each"),
                ),
            )

        recipients = (ADA, BOB, POSTMASTER)
        inside = self.judged(*checks(), recipients=recipients)
        self.assertEqual(len(self.sandbox.questions), 2)
        self.suspects.hashes = ()
        outside = self.judged(*checks(), recipients=recipients)
        self.assertEqual(len(self.sandbox.questions), 2)
        self.assertEqual(
            [(v.action, v.total, v.recipients, set(v.findings)) for v in inside],
            [(v.action, v.total, v.recipients, set(v.findings)) for v in outside],
        )
        self.assertEqual([verdict.action for verdict in inside], [Action.ACCEPT, Action.QUARANTINE])

    def test_second_death(self):
        """
        One that kills there too, takes too long, breaks the job or says what no check says is held
        as unscannable, and nothing more is looked at.
        """
        last = ScriptedCheck("last", found(1.0), Phase.END, needs=("facts",))
        for answer in (
            SandboxDied("it was killed by SIGABRT"),
            SandboxTimeout("it took too long"),
            SandboxFailed("MemoryError: "),
            succeed(b"nonsense"),
        ):
            self.sandbox.answer = answer
            (verdict,) = self.judged(self.content, self.other, last)
            self.assertEqual((verdict.action, verdict.kind), (Action.QUARANTINE, Kind.UNSCANNABLE))
            self.assertEqual([f.symbol for f in verdict.findings], ["OTHER", UNSCANNABLE])
            self.assertTrue(verdict.findings[1].detail.isprintable())
            self.assertEqual([each["event"] for each in self.told], ["suspect.unscannable"])
        self.assertEqual(len(self.sandbox.questions), 4)
        self.assertEqual(self.content.views, [])

    def test_refused(self):
        """
        What the other checks refuse is refused, whatever the content is.
        """
        self.sandbox.answer = SandboxDied("it was killed by SIGABRT")
        self.other.answer = found(20.0)
        (verdict,) = self.judged()
        self.assertEqual(verdict.action, Action.REJECT)

    def test_no_sandbox(self):
        """
        Where there is no process for it, its sender shall come again.
        """
        self.sandbox.answer = SandboxUnavailable("no process was free in time")
        (verdict,) = self.judged()
        self.assertEqual((verdict.action, verdict.reply.code), (Action.DEFER, 451))
        self.assertIn(UNJUDGED, [finding.symbol for finding in verdict.findings])
        self.assertEqual([each["event"] for each in self.told], ["suspect.unjudged"])

    def test_cancelling(self):
        """
        When its client has gone, the job is cancelled.
        """
        self.sandbox.answer = pending()
        judge = self.court().transaction()
        waiting = judge.message(MESSAGE)
        self.assertNoResult(waiting)
        judge.close()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(len(self.sandbox.answer.cancels), 1)


class FileTests(SuspectsCase):
    """
    Tests with messages in files.
    """

    def test_digest(self):
        """
        The hash is that of all that is in the file.
        """
        chunk = Deferred()
        digest = digest_of(FiledMessage([[chunk, b"def"]]))
        self.assertNoResult(digest)
        chunk.callback(b"abc")
        self.assertEqual(self.successResultOf(digest), sha256(b"abcdef").digest())

    def test_judged(self):
        """
        The content is sent whole.
        """
        self.suspects.hashes = {sha256(b"abcdef").digest()}
        message = FiledMessage([[succeed(b"abc"), b"def"], [b"abc", succeed(b"def")]])
        judge = self.court().transaction()
        (verdict,) = self.successResultOf(judge.message(message))
        self.assertEqual(verdict.total, 3.0)
        self.assertEqual(self.sandbox.questions[0][1].message, b"abcdef")

    def test_unreadable(self):
        """
        Where the file cannot be read any more its sender shall come again.
        """
        self.suspects.hashes = {sha256(b"abc").digest()}
        message = FiledMessage([[b"abc"], [fail(OSError(5, "broken"))]])
        judge = self.court().transaction()
        with events() as told:
            (verdict,) = self.successResultOf(judge.message(message))
        self.assertEqual(verdict.action, Action.DEFER)
        self.assertEqual([each["event"] for each in told], ["suspect.unreadable"])
        self.flushLoggedErrors(OSError)
