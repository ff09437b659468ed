"""
Tests of L{mailgate.pipeline.offline}.
"""

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.checks import CheckMode
from mailgate.config.model import GatewayMode
from mailgate.interfaces import Phase, Scope
from mailgate.pipeline.offline import judge
from mailgate.pipeline.round import FAILED
from mailgate.verdict import Action
from tests.pipeline.events import events
from tests.pipeline.harness import (
    ADA,
    ENVELOPE,
    MESSAGE,
    ScriptedCheck,
    ScriptedExtractor,
    court,
    found,
    pending,
    rule,
)

SCOPES = {
    Phase.CONNECT: Scope.SESSION,
    Phase.HELO: Scope.SESSION,
    Phase.MAIL: Scope.TRANSACTION,
    Phase.RCPT: Scope.RECIPIENT,
}


def judged(*checks, **options):
    """
    Let checks judge a message.
    """
    made = court(*checks, **options)
    return judge(made.pipeline, made.clock, ENVELOPE, ADA, MESSAGE)


class JudgeTests(SynchronousTestCase):
    """
    Tests of L{judge}.
    """

    def test_all_phases(self):
        """
        The checks of all phases run, in the order of a session, each on what it would see there.
        """
        checks = [
            ScriptedCheck(
                phase.name.lower(),
                found(0.5, phase.name),
                phase,
                SCOPES.get(phase, Scope.RECIPIENT),
            )
            for phase in reversed(Phase)
        ]
        verdict = judged(*checks)
        self.assertEqual(
            [finding.symbol for finding in verdict.findings], [phase.name for phase in Phase]
        )
        self.assertEqual((verdict.total, verdict.recipients), (3.5, (ADA,)))
        last, *_, first = checks
        self.assertIs(last.views[0].message, MESSAGE)
        self.assertEqual(last.views[0].envelope, ENVELOPE)
        self.assertEqual(first.views[0].session, ENVELOPE.session)

    def test_refused_before(self):
        """
        What is refused in a phase gets no further, and that verdict is given.
        """
        for phase in Phase:
            guard = ScriptedCheck(
                "guard",
                found(1.0, "GUARD"),
                phase,
                SCOPES.get(phase, Scope.TRANSACTION),
                rule=rule(CheckMode.ENFORCE),
            )
            late = ScriptedCheck("late", found(1.0), Phase.END)
            verdict = judged(guard, late)
            self.assertIs(verdict.action, Action.REJECT, phase)
            self.assertEqual(len(late.views), phase is Phase.END, phase)

    def test_watching(self):
        """
        Where the gateway only watches, the verdict says what would have been.
        """
        verdict = judged(ScriptedCheck("loud", found(20.0)), mode=GatewayMode.OBSERVE)
        self.assertEqual((verdict.action, verdict.would), (Action.ACCEPT, Action.REJECT))

    def test_deferred(self):
        """
        What comes as a Deferred that has fired counts like any other.
        """
        facts = ScriptedExtractor("facts", lambda view: succeed(2.0))
        check = ScriptedCheck(
            "slow", lambda view: succeed(found(view.fact("facts"))), needs=("facts",)
        )
        self.assertEqual(judged(check, extractors=[facts]).total, 2.0)

    def test_waiting_for_ever(self):
        """
        What waits for something that does not come is late in every phase, and the judgement
        ends.
        """
        waits = [pending() for _ in Phase]
        checks = [
            ScriptedCheck(
                f"waits{phase}", wait, phase, SCOPES.get(phase, Scope.TRANSACTION), deadline=60.0
            )
            for phase, wait in zip(Phase, waits, strict=True)
        ]
        with events() as told:
            verdict = judged(*checks, ScriptedCheck("prompt", found(2.0)))
        self.assertEqual([f.symbol for f in verdict.findings].count(FAILED), len(Phase))
        self.assertEqual(verdict.total, 2.0)
        self.assertEqual({event["event"] for event in told}, {"check.deadline"})
        self.assertTrue(all(len(wait.cancels) == 1 for wait in waits))

    def test_failure(self):
        """
        A mistake of the policy is not hidden.
        """
        made = court(ScriptedCheck("late", lambda view: Deferred()))
        made.pipeline.policy.rules.clear()
        with events():
            self.assertRaises(KeyError, judge, made.pipeline, made.clock, ENVELOPE, ADA, MESSAGE)
