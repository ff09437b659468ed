"""
Tests of checks at work: side by side, in order, in time.
"""

from itertools import pairwise

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.interfaces import CheckFailed, Phase, Scope
from mailgate.pipeline.round import FAILED
from tests.pipeline.events import events
from tests.pipeline.harness import (
    ADA,
    BOB,
    MESSAGE,
    ScriptedCheck,
    ScriptedExtractor,
    court,
    found,
    pending,
)


def symbols(verdicts):
    """
    Name what was found for the first group of recipients.
    """
    return [finding.symbol for finding in verdicts[0].findings]


class DirectTests(SynchronousTestCase):
    """
    Tests of checks that need not wait.
    """

    def test_no_deferred_and_no_timer(self):
        """
        Where no check waits the verdict comes as a value, and no timer was ever set.
        """
        here = court(ScriptedCheck("a", found(1, "A")), ScriptedCheck("b", found(2, "B")))
        here.clock.callLater = None
        verdicts = here.transaction().message(MESSAGE)
        self.assertEqual(symbols(verdicts), ["A", "B"])
        self.assertEqual(verdicts[0].total, 3)

    def test_reads_the_result_of_another(self):
        """
        A check sees what another has found that it needs.
        """
        seen = []

        def read(view):
            seen.append(view.findings_of("a"))
            return ()

        here = court(ScriptedCheck("a", found(1)), ScriptedCheck("b", read, needs=("a",)))
        here.transaction().message(MESSAGE)
        self.assertEqual(seen, [tuple(found(1))])

    def test_whose_finding(self):
        """
        Every finding knows the check that saw it, that of a failure too.
        """
        broken = ScriptedCheck("b", lambda view: 1 / 0)
        verdicts = court(ScriptedCheck("a", found(1)), broken).transaction().message(MESSAGE)
        self.assertEqual([finding.check for finding in verdicts[0].findings], ["a", "b"])
        self.flushLoggedErrors(ZeroDivisionError)

    def test_exception(self):
        """
        A check that breaks is a finding without a score and an event; the others go on.
        """
        here = court(ScriptedCheck("a", lambda view: 1 / 0), ScriptedCheck("b", found(2, "B")))
        verdicts = here.transaction().message(MESSAGE)
        self.assertEqual(symbols(verdicts), [FAILED, "B"])
        self.assertEqual(verdicts[0].total, 2)
        self.assertEqual(
            verdicts[0].findings[0].detail,
            "The check a could not be made: it failed (ZeroDivisionError).",
        )
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_known_failure(self):
        """
        A check that says why it could not be made says so in words and is no mistake; what it saw
        nevertheless counts.
        """

        def half(view):
            raise CheckFailed("half of it is missing", found(2, "B"))

        with events() as told:
            verdicts = court(ScriptedCheck("a", half)).transaction().message(MESSAGE)
        self.assertEqual(symbols(verdicts), ["B", FAILED])
        self.assertEqual(verdicts[0].total, 2)
        words = "The check a could not be made: half of it is missing."
        self.assertEqual(verdicts[0].findings[1].detail, words)
        self.assertEqual([finding.check for finding in verdicts[0].findings], ["a", "a"])
        self.assertEqual(told, [])

    def test_nonsense(self):
        """
        A check that answers with something else than findings has broken.
        """
        verdicts = court(ScriptedCheck("a", 7)).transaction().message(MESSAGE)
        self.assertEqual(symbols(verdicts), [FAILED])
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_event(self):
        """
        The event names the check and the transaction.
        """
        here = court(ScriptedCheck("a", lambda view: 1 / 0))
        with events() as told:
            here.transaction().message(MESSAGE)
        self.flushLoggedErrors(ZeroDivisionError)
        self.assertEqual(
            [(each["event"], each["check"], each["trace"]) for each in told],
            [("check.failed", "a", "7q4m-x2vd-90kt")],
        )

    def test_facts(self):
        """
        An extractor runs once for all who need its facts.
        """
        seen = []
        extractor = ScriptedExtractor("text", lambda view: view.message.size)

        def read(view):
            seen.append(view.fact("text"))
            return ()

        here = court(
            ScriptedCheck("a", read, needs=("text",)),
            ScriptedCheck("b", read, needs=("text",), scope=Scope.RECIPIENT),
            extractors=[extractor],
        )
        here.transaction(ADA, BOB).message(MESSAGE)
        self.assertEqual(seen, [MESSAGE.size] * 3)
        self.assertEqual(extractor.calls, 1)

    def test_extractor_fails(self):
        """
        Without its facts a check has failed; one that needs none goes on.
        """
        here = court(
            ScriptedCheck("a", found(1, "A"), needs=("text",)),
            ScriptedCheck("b", found(2, "B")),
            extractors=[
                ScriptedExtractor("text", needs=("parts",)),
                ScriptedExtractor("parts", lambda view: 1 / 0),
            ],
        )
        with events() as told:
            verdicts = here.transaction().message(MESSAGE)
        self.flushLoggedErrors(ZeroDivisionError)
        self.assertEqual(set(symbols(verdicts)), {FAILED, "B"})
        self.assertEqual(
            [(each["event"], each["extractor"]) for each in told], [("extractor.failed", "parts")]
        )
        (failed,) = (each for each in verdicts[0].findings if each.symbol == FAILED)
        self.assertEqual(
            failed.detail,
            "The check a could not be made: it needs the text of the message, which failed.",
        )


class WaitingTests(SynchronousTestCase):
    """
    Tests of checks that have to wait.
    """

    def test_side_by_side(self):
        """
        All that can begin has begun before the first answer comes.
        """
        slow, slower = Deferred(), Deferred()
        last = ScriptedCheck("c", found(4, "C"))
        here = court(ScriptedCheck("a", slow), ScriptedCheck("b", slower), last)
        waiting = here.transaction().message(MESSAGE)
        self.assertEqual(len(last.views), 1)
        slower.callback(found(2, "B"))
        self.assertNoResult(waiting)
        slow.callback(found(1, "A"))
        verdicts = self.successResultOf(waiting)
        self.assertEqual(verdicts[0].total, 7)

    def test_findings_in_order(self):
        """
        What was found stands in the order of the plan, whichever answer came first.
        """
        answers = {name: Deferred() for name in "abc"}
        here = court(*(ScriptedCheck(name, answer) for name, answer in answers.items()))
        waiting = here.transaction().message(MESSAGE)
        for name in "cab":
            answers[name].callback(found(1, name.upper()))
        self.assertEqual(symbols(self.successResultOf(waiting)), ["A", "B", "C"])

    def test_order(self):
        """
        A check begins once those that come before it have ended.
        """
        first = Deferred()
        after = ScriptedCheck("b", found(2), after=("a",))
        later = ScriptedCheck("c", found(4), needs=("b",))
        here = court(ScriptedCheck("a", first), after, later)
        waiting = here.transaction().message(MESSAGE)
        self.assertEqual((after.views, later.views), ([], []))
        first.callback(found(1))
        self.assertEqual((len(after.views), len(later.views)), (1, 1))
        self.assertEqual(self.successResultOf(waiting)[0].total, 7)

    def test_recipients_after_the_whole(self):
        """
        What runs for each owner waits for what runs once for the message.
        """
        first = Deferred()
        after = ScriptedCheck("b", found(2), scope=Scope.RECIPIENT, after=("a",))
        waiting = court(ScriptedCheck("a", first), after).transaction(ADA, BOB).message(MESSAGE)
        self.assertEqual(after.views, [])
        first.callback(())
        self.assertEqual([view.recipient for view in after.views], [ADA, BOB])
        self.successResultOf(waiting)

    def test_order_for_each_owner(self):
        """
        The order holds for each owner by itself: nobody waits for what runs for another.
        """
        answers = {ADA: Deferred(), BOB: Deferred()}
        first = ScriptedCheck("a", lambda view: answers[view.recipient], scope=Scope.RECIPIENT)
        after = ScriptedCheck("b", found(2), scope=Scope.RECIPIENT, after=("a",))
        waiting = court(first, after).transaction(ADA, BOB).message(MESSAGE)
        answers[BOB].callback(found(1))
        self.assertEqual([view.recipient for view in after.views], [BOB])
        answers[ADA].callback(found(1))
        self.assertEqual(self.successResultOf(waiting)[0].recipients, (ADA, BOB))

    def test_facts(self):
        """
        A check waits for the facts that it needs, and only such a check does.
        """
        facts = Deferred()
        reader = ScriptedCheck("a", lambda view: found(view.fact("text")), needs=("text",))
        other = ScriptedCheck("b", found(2))
        here = court(reader, other, extractors=[ScriptedExtractor("text", facts)])
        waiting = here.transaction().message(MESSAGE)
        self.assertEqual((len(reader.views), len(other.views)), (0, 1))
        facts.callback(4)
        self.assertEqual(self.successResultOf(waiting)[0].total, 6)

    def test_answered_already(self):
        """
        A Deferred that has fired is as good as an answer.
        """
        here = court(
            ScriptedCheck("a", lambda view: succeed(found(1))),
            ScriptedCheck("b", lambda view: succeed(found(2)), after=("a",)),
        )
        verdicts = self.successResultOf(here.transaction().message(MESSAGE))
        self.assertEqual(verdicts[0].total, 3)
        self.assertEqual(here.clock.getDelayedCalls(), [])

    def test_failure(self):
        """
        A Deferred that fails is a check that breaks.
        """
        here = court(
            ScriptedCheck("a", lambda view: fail(ValueError("no"))),
            ScriptedCheck("b", lambda view: succeed(7)),
        )
        with events() as told:
            verdicts = self.successResultOf(here.transaction().message(MESSAGE))
        self.assertEqual(symbols(verdicts), [FAILED, FAILED])
        self.assertEqual([each["check"] for each in told], ["a", "b"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError, TypeError)), 2)

    def test_cancels_itself(self):
        """
        A check that is cancelled by something of its own has broken.
        """
        here = court(ScriptedCheck("a", lambda view: fail(CancelledError())))
        verdicts = self.successResultOf(here.transaction().message(MESSAGE))
        self.assertEqual(symbols(verdicts), [FAILED])
        self.assertEqual(len(self.flushLoggedErrors(CancelledError)), 1)

    @given(st.permutations("abcd"), st.sets(st.sampled_from("abcd")))
    def test_total_in_any_order(self, order, slow):
        """
        The verdict is the same in whichever order checks answer, at once or later.
        """
        scores = {"a": 1.1, "b": 2.2, "c": -0.3, "d": 2.0}
        answers = {name: Deferred() for name in slow}
        here = court(
            *(
                ScriptedCheck(name, answers.get(name, found(score, name.upper())))
                for name, score in scores.items()
            )
        )
        result = here.transaction().message(MESSAGE)
        for name in order:
            if name in slow:
                answers[name].callback(found(scores[name], name.upper()))
        verdicts = self.successResultOf(result) if slow else result
        self.assertEqual((verdicts[0].total, verdicts[0].action), (5.0, "tag"))
        self.assertEqual(symbols(verdicts), ["A", "B", "C", "D"])


class DeadlineTests(SynchronousTestCase):
    """
    Tests of checks that take too long.
    """

    def test_deadline(self):
        """
        A check that overruns its deadline is cancelled; that is a finding and an event.
        """
        never = pending()
        here = court(ScriptedCheck("a", never, deadline=5), ScriptedCheck("b", found(2, "B")))
        waiting = here.transaction().message(MESSAGE)
        here.clock.advance(4.9)
        self.assertNoResult(waiting)
        with events() as told:
            here.clock.advance(0.1)
        verdicts = self.successResultOf(waiting)
        self.assertEqual(symbols(verdicts), [FAILED, "B"])
        self.assertEqual(
            verdicts[0].findings[0].detail, "The check a could not be made: it took too long."
        )
        self.assertEqual(len(never.cancels), 1)
        self.assertEqual(
            [(each["event"], each["check"], each["trace"]) for each in told],
            [("check.deadline", "a", "7q4m-x2vd-90kt")],
        )
        self.assertEqual(here.clock.getDelayedCalls(), [])

    def test_one_timer(self):
        """
        One timer serves all deadlines, each in its time.
        """
        slow = {seconds: pending() for seconds in (9, 3, 6)}
        here = court(*(ScriptedCheck(f"c{s}", d, deadline=s) for s, d in slow.items()))
        waiting = here.transaction().message(MESSAGE)
        ended = []
        for _ in range(9):
            self.assertEqual(len(here.clock.getDelayedCalls()), 1)
            here.clock.advance(1)
            ended.append([s for s, d in slow.items() if d.cancels])
        self.assertEqual(ended, [[], [], [3], [3], [3], [3, 6], [3, 6], [3, 6], [9, 3, 6]])
        self.assertEqual(self.successResultOf(waiting)[0].total, 0)

    def test_earlier_deadline_later(self):
        """
        A check that begins later with an earlier deadline is not overlooked.
        """
        first, second = Deferred(), pending()
        here = court(
            ScriptedCheck("a", first, deadline=5),
            ScriptedCheck("c", pending(), deadline=20),
            ScriptedCheck("b", second, deadline=2, after=("a",)),
        )
        here.transaction().message(MESSAGE)
        here.clock.advance(1)
        first.callback(())
        here.clock.advance(1.9)
        self.assertEqual(len(second.cancels), 0)
        here.clock.advance(0.1)
        self.assertEqual(len(second.cancels), 1)

    def test_counts_from_its_own_beginning(self):
        """
        The deadline of a check that waits for others counts from when it begins.
        """
        first, second = Deferred(), pending()
        here = court(
            ScriptedCheck("a", first, deadline=5),
            ScriptedCheck("b", second, deadline=5, after=("a",)),
        )
        here.transaction().message(MESSAGE)
        here.clock.advance(4)
        first.callback(())
        here.clock.advance(4)
        self.assertEqual(len(second.cancels), 0)
        here.clock.advance(1)
        self.assertEqual(len(second.cancels), 1)

    def test_all_together(self):
        """
        All phases of a message together take no longer than they may, however many wait for
        each other; what begins after that is cancelled at once.
        """
        checks = [
            ScriptedCheck(f"c{phase}{number}", lambda view: Deferred(), phase, deadline=5)
            for phase in (Phase.HEADERS, Phase.BODY, Phase.END)
            for number in range(3)
        ]
        for one, other in pairwise(checks):
            other.after = (one.name,)
        here = court(*checks, seconds=12)
        waiting = here.transaction().message(MESSAGE)
        here.clock.pump([0.5] * 23)
        self.assertNoResult(waiting)
        here.clock.advance(0.5)
        self.assertEqual(symbols(self.successResultOf(waiting)), [FAILED] * 9)

    def test_late_answer(self):
        """
        An answer after the deadline changes nothing, and breaks nothing.
        """
        stubborn = Deferred(lambda deferred: deferred.callback(found(9)))
        waiting_for = ScriptedCheck("a", stubborn, deadline=5)
        here = court(waiting_for)
        waiting = here.transaction().message(MESSAGE)
        here.clock.advance(5)
        self.assertEqual(symbols(self.successResultOf(waiting)), [FAILED])

    def test_breaks_when_cancelled(self):
        """
        What a check breaks when it is cancelled is told.
        """
        clumsy = Deferred(lambda deferred: deferred.errback(ValueError("broken")))
        here = court(ScriptedCheck("a", clumsy, deadline=5))
        waiting = here.transaction().message(MESSAGE)
        here.clock.advance(5)
        self.assertEqual(symbols(self.successResultOf(waiting)), [FAILED])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_extractor(self):
        """
        An extractor that overruns its deadline fails those who need it.
        """
        here = court(
            ScriptedCheck("a", found(1), needs=("text",)),
            extractors=[ScriptedExtractor("text", pending(), deadline=2)],
        )
        waiting = here.transaction().message(MESSAGE)
        with events() as told:
            here.clock.advance(2)
        self.assertEqual(symbols(self.successResultOf(waiting)), [FAILED])
        self.assertEqual([each["event"] for each in told], ["extractor.deadline"])


class CancelTests(SynchronousTestCase):
    """
    Tests of a client that goes away while checks run.
    """

    def wait(self):
        """
        Begin a message of which two checks wait, while a third waits for them.
        """
        self.slow = [pending(), pending()]
        self.last = ScriptedCheck("c", found(1), after=("a", "b"))
        here = court(ScriptedCheck("a", self.slow[0]), ScriptedCheck("b", self.slow[1]), self.last)
        self.judge = here.transaction()
        self.waiting = self.judge.message(MESSAGE)
        self.clock = here.clock

    def assertAllCancelled(self):
        """
        Make sure that all has ended, and that nothing was logged.
        """
        self.failureResultOf(self.waiting, CancelledError)
        self.assertEqual([len(each.cancels) for each in self.slow], [1, 1])
        self.assertEqual(self.last.views, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.told, [])

    def test_close(self):
        """
        To close the judge cancels what runs, begins nothing more, and is no error.
        """
        self.wait()
        with events() as self.told:
            self.judge.close()
            self.judge.close()
        self.assertAllCancelled()

    def test_cancel(self):
        """
        To cancel the verdict does the same.
        """
        self.wait()
        with events() as self.told:
            self.waiting.cancel()
        self.assertAllCancelled()

    def test_nothing_runs(self):
        """
        To close a judge that is at nothing does nothing.
        """
        here = court(ScriptedCheck("a", found(1)))
        judge = here.transaction()
        judge.close()
        self.assertEqual(judge.message(MESSAGE)[0].total, 1)

    def test_between_phases(self):
        """
        A phase after the one that was cancelled does not begin.
        """
        later = ScriptedCheck("b", found(1), Phase.BODY)
        judge = court(ScriptedCheck("a", pending()), later).transaction()
        waiting = judge.message(MESSAGE)
        judge.close()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(later.views, [])


class MeasureTests(SynchronousTestCase):
    """
    Tests of the time that is taken.
    """

    def test_measured(self):
        """
        Whoever wants to know is told how long each ran: who answers at once, who is waited for, who
        is late and who fails.
        """
        slow, never = pending(), pending()

        def breaks(view):
            raise RuntimeError("a mistake")

        here = court(
            ScriptedCheck("slow", slow),
            ScriptedCheck("never", never, deadline=3),
            ScriptedCheck("quick", found(2)),
            ScriptedCheck("breaks", breaks),
        )
        told = {}
        here.pipeline = evolve(
            here.pipeline,
            measure=lambda name, is_extractor, seconds: told.update(
                {name: (is_extractor, seconds)}
            ),
        )
        waiting = here.transaction().message(MESSAGE)
        here.clock.advance(2)
        slow.callback(())
        here.clock.advance(1)
        self.successResultOf(waiting)
        expected = {"slow": 2.0, "never": 3.0, "quick": 0.0, "breaks": 0.0}
        self.assertEqual(told, {name: (False, seconds) for name, seconds in expected.items()})
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class SliceTests(SynchronousTestCase):
    """
    Tests of how much is done in one go.
    """

    def slow(self, name, seconds, **options):
        """
        Make a check that takes its time.
        """

        def check(view):
            self.court.clock.advance(seconds)
            return found(1, name.upper())

        return ScriptedCheck(name, check, **options)

    def test_turns(self):
        """
        Once 2 ms are over the reactor gets to something else before the next check begins.
        """
        checks = [self.slow(name, 0.0015) for name in "abcde"]
        self.court = court(*checks)
        clock, done = self.court.clock, []

        def call_later(seconds, function):
            done.append((seconds, sum(len(each.views) for each in checks)))
            return Clock.callLater(clock, seconds, function)

        clock.callLater = call_later
        waiting = self.court.transaction().message(MESSAGE)
        self.assertNoResult(waiting)
        clock.advance(0)
        self.assertEqual(done, [(0, 2), (0, 4)])
        self.assertEqual(symbols(self.successResultOf(waiting)), ["A", "B", "C", "D", "E"])

    def test_in_one_go(self):
        """
        What takes less has no turn of its own.
        """
        self.court = court(*(self.slow(name, 0.0004) for name in "abcde"))
        self.assertEqual(len(symbols(self.court.transaction().message(MESSAGE))), 5)

    def test_answer_between(self):
        """
        An answer that comes between two turns counts, and nothing runs twice.
        """
        answer = Deferred()
        checks = [ScriptedCheck("a", answer), *(self.slow(name, 0.0025) for name in "bcd")]
        self.court = court(*checks)
        waiting = self.court.transaction().message(MESSAGE)
        answer.callback(found(1, "A"))
        for _ in range(5):
            self.court.clock.advance(0)
        self.assertEqual(symbols(self.successResultOf(waiting)), ["A", "B", "C", "D"])
        self.assertEqual([len(each.views) for each in checks], [1, 1, 1, 1])
        self.assertEqual(self.court.clock.getDelayedCalls(), [])

    def test_cancelled_between(self):
        """
        Where the client goes between two turns, nothing more is begun.
        """
        checks = [self.slow(name, 0.0025) for name in "abc"]
        self.court = court(*checks)
        transaction = self.court.transaction()
        waiting = transaction.message(MESSAGE)
        transaction.close()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.court.clock.getDelayedCalls(), [])
        self.assertEqual([len(each.views) for each in checks], [1, 0, 0])
