"""
Tests of L{mailgate.pipeline.content} and of L{mailgate.pipeline.inside}.
"""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from msgspec.msgpack import encode
from twisted.trial.unittest import SynchronousTestCase

from mailgate.finding import Finding, Kind, Result
from mailgate.interfaces import Phase, Scope
from mailgate.pipeline.content import (
    DETAIL_LIMIT,
    FINDINGS_LIMIT,
    Question,
    Said,
    Unbelievable,
    decode_answer,
    decode_question,
    encode_answer,
    encode_question,
)
from mailgate.pipeline.inside import judge_content
from mailgate.pipeline.plan import make_plan
from mailgate.pipeline.round import FAILED
from mailgate.wire.parameters import RcptParameters
from tests.pipeline.events import events
from tests.pipeline.harness import (
    ADA,
    BOB,
    ENVELOPE,
    NOW,
    ScriptedCheck,
    ScriptedExtractor,
    found,
    pending,
)

SAID = Result("before", (Finding("BEFORE", 1.5, "It was seen.", check="before"),))
FOUND = Finding("SEEN", 2.0, "It was found.", "it is there", Kind.SPAM, False, "whole")


def question(**options):
    """
    Give a question about a message to two people.
    """
    given = {"owners": (ADA, BOB), "said": (SAID,), "message": b"From: x\r\n\r\nHi\r\n"} | options
    given.setdefault("said_of", {ADA.owner: (SAID,)})
    return Question(given.pop("phase", Phase.BODY), NOW, ENVELOPE, (ADA, BOB), **given)


def plan(*checks):
    """
    Make a plan with a check on the content, one for each owner, and one on something else.
    """
    checks = checks or (
        ScriptedCheck("whole", needs=("facts",), phase=Phase.BODY),
        ScriptedCheck("each", needs=("facts",), phase=Phase.BODY, scope=Scope.RECIPIENT),
        ScriptedCheck("other", phase=Phase.BODY),
        ScriptedCheck("last", needs=("facts",), phase=Phase.END),
    )
    return make_plan(checks, [ScriptedExtractor("facts", "the facts")])


def said(check="whole", owner="", findings=(FOUND,), has_failed=False):
    """
    Give what one check has said.
    """
    return Said(owner, Result(check, tuple(findings), has_failed))


class PlanTests(SynchronousTestCase):
    """
    Tests of which steps work on the content.
    """

    def test_steps(self):
        """
        They are the extractors but that of the fields, who reads their facts, and who comes after
        one of these in the same phase.
        """
        checks = (
            ScriptedCheck("headers", needs=("fields",)),
            ScriptedCheck("reader", needs=("text",), phase=Phase.BODY),
            ScriptedCheck("deep", needs=("files",), phase=Phase.BODY),
            ScriptedCheck("behind", after=("reader",), phase=Phase.BODY),
            ScriptedCheck("beside", after=("headers",), phase=Phase.BODY),
            ScriptedCheck("sum", needs=("reader",), phase=Phase.END),
            ScriptedCheck("late", needs=("text", "fields"), phase=Phase.END),
        )
        extractors = (
            ScriptedExtractor("fields"),
            ScriptedExtractor("text", needs=("fields",)),
            ScriptedExtractor("files", needs=("text",)),
        )
        content = make_plan(checks, extractors).content
        self.assertEqual(content[Phase.HEADERS], set())
        self.assertEqual(content[Phase.BODY], {"text", "files", "reader", "deep", "behind"})
        self.assertEqual(content[Phase.END], {"late"})


class QuestionTests(SynchronousTestCase):
    """
    Tests of what goes to the other process.
    """

    def test_whole(self):
        """
        All of it arrives, but for what concerns notices.
        """
        envelope = evolve(ENVELOPE, wishes={ADA.owner: RcptParameters()}, utf8=True)
        asked = evolve(question(settings="{}"), envelope=envelope)
        expected = evolve(asked, envelope=evolve(envelope, wishes={}))
        self.assertEqual(decode_question(encode_question(asked)), expected)


class AnswerTests(SynchronousTestCase):
    """
    Tests of what comes back.
    """

    def test_believed(self):
        """
        What checks can say is taken, with the name of the check in each finding.
        """
        answer = [said(), said("each", BOB.owner), said("each", ADA.owner)]
        answer.append(said(findings=[Finding(FAILED, 0.0, "It broke.")], has_failed=True))
        for told in (answer[:3], answer[3:], []):
            believed = decode_answer(encode_answer(told), plan(), question())
            self.assertEqual(believed, told)
            for each in believed:
                for finding in each.result.findings:
                    self.assertEqual(finding.check, each.result.check)

    def test_not_believed(self):
        """
        What no check says is refused: of another check, phase or person, twice, with another
        symbol, without bounds, or made to do harm where it is shown.
        """
        wrong = {
            "an unknown check": [said("unknown")],
            "an extractor": [said("facts")],
            "a check that is not asked": [said("other")],
            "another phase": [said("last")],
            "nobody": [said("each", "eve@example.com")],
            "no owner": [said("each")],
            "an owner too many": [said("whole", ADA.owner)],
            "twice": [said(), said()],
            "nothing": [said(findings=[])],
            "authenticated": [said(findings=[evolve(FOUND, authentication="\tdkim=pass")])],
            "a value": [said(findings=[evolve(FOUND, fact="pass")])],
            "too much": [said(findings=[FOUND] * (FINDINGS_LIMIT + 1))],
            "another symbol": [said(findings=[evolve(FOUND, symbol="OTHER")])],
            "a failure that is none": [said(findings=[evolve(FOUND, symbol=FAILED)])],
            "a symbol of a failure": [said(has_failed=True)],
            "no number": [said(findings=[evolve(FOUND, score=float("nan"))])],
            "infinity": [said(findings=[evolve(FOUND, score=float("-inf"))])],
            "too low": [said(findings=[evolve(FOUND, score=-1001.0)])],
            "too long": [said(findings=[evolve(FOUND, words="x" * (DETAIL_LIMIT + 1))])],
            "a line feed": [said(findings=[evolve(FOUND, words="a\nb")])],
            "an escape": [said(findings=[evolve(FOUND, words="\x1b[2J")])],
            "a reply": [said(findings=[evolve(FOUND, public="no\r\n250 ok")])],
            "a long reply": [said(findings=[evolve(FOUND, public="x" * 201)])],
            "no ASCII": [said(findings=[evolve(FOUND, public="caf\xe9")])],
        }
        for what, answer in wrong.items():
            with self.assertRaises(Unbelievable, msg=what):
                decode_answer(encode_answer(answer), plan(), question())

    def test_other_types(self):
        """
        What is no answer at all is refused, and never quoted.
        """
        finding = {"symbol": "SEEN", "score": 1.0, "detail": "x", "kind": "ORDER NOW"}
        for value in (
            None,
            [1],
            {"owner": ""},
            [{"owner": "", "result": {"check": "whole", "findings": "none"}}],
            [{"owner": "", "result": {"check": "whole", "findings": [finding]}}],
        ):
            error = self.assertRaises(
                Unbelievable, decode_answer, encode(value), plan(), question()
            )
            self.assertNotIn("ORDER", str(error))

    @given(st.binary(max_size=200))
    def test_any_bytes(self, data):
        """
        Whatever comes is an answer or is refused.
        """
        try:
            believed = decode_answer(data, plan(), question())
        except Unbelievable:
            return
        self.assertEqual(believed, [])


class JudgeTests(SynchronousTestCase):
    """
    Tests of L{judge_content}.
    """

    def judged(self, *checks, **options):
        """
        Let checks judge.
        """
        return judge_content(plan(*checks), question(**options), 30)

    def test_findings(self):
        """
        The checks on the content run once for all or for each owner, see what they would see
        elsewhere, and what they find is given; other checks and other phases do not run.
        """
        checks = (
            ScriptedCheck(
                "whole",
                lambda view: found(len(view.message.head(9)), view.fact("facts")),
                needs=("facts", "before"),
                phase=Phase.BODY,
            ),
            ScriptedCheck(
                "each",
                lambda view: found(1, view.recipient.local) if view.recipient == BOB else (),
                needs=("facts", "whole"),
                phase=Phase.BODY,
                scope=Scope.RECIPIENT,
            ),
            ScriptedCheck("before"),
            ScriptedCheck("other", phase=Phase.BODY),
            ScriptedCheck("last", needs=("facts",), phase=Phase.END),
        )
        answer = self.judged(*checks)
        self.assertEqual(
            [(each.owner, each.result.check, each.result.findings[0].symbol) for each in answer],
            [("", "whole", "the facts"), (BOB.owner, "each", "bob")],
        )
        whole, each, *others = checks
        (view,) = whole.views
        self.assertEqual((view.envelope, view.now, view.recipients), (ENVELOPE, NOW, (ADA, BOB)))
        self.assertEqual(view.findings_of("before"), SAID.findings)
        self.assertEqual(each.views[1].findings_of("whole")[0].score, 9)
        self.assertEqual([other.views for other in others], [[], [], []])

    def test_later_phase(self):
        """
        In a later phase the facts are made anew for those who need them then.
        """
        first = ScriptedCheck("first", needs=("facts",), phase=Phase.BODY)
        last = ScriptedCheck(
            "last", lambda view: found(1, view.fact("facts")), needs=("facts",), phase=Phase.END
        )
        (answer,) = self.judged(first, last, phase=Phase.END)
        self.assertEqual(answer.result.check, "last")
        self.assertEqual(first.views, [])

    def test_failures(self):
        """
        A check that breaks, or that waits for something, has failed, as it would have elsewhere.
        """
        for wrong in (lambda view: 1 / 0, lambda view: pending()):
            with events():
                (answer,) = self.judged(
                    ScriptedCheck("whole", wrong, needs=("facts",), phase=Phase.BODY)
                )
            self.assertTrue(answer.result.has_failed)
            self.assertEqual(answer.result.findings[0].symbol, FAILED)
            believed = decode_answer(encode_answer([answer]), plan(), question())
            self.assertEqual(believed, [answer])
        self.flushLoggedErrors(ZeroDivisionError)
