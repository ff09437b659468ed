"""
Tests of L{mailgate.delivery.settlement} and L{mailgate.delivery.dispatch}.
"""

import errno

from attrs import evolve
from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailgate.delivery.dispatch import Dispatcher
from mailgate.delivery.settlement import DUPLICATE
from mailgate.interfaces import IDispatcher
from mailgate.reply import Reply
from mailgate.verdict import Action, Kind, Verdict
from mailgate.wire.address import Address
from mailgate.wire.parameters import RcptParameters
from tests.delivery.given import LATER, LOST, NEVER, TAKEN, UNREACHED, FakeHub, MarkingRewriter
from tests.delivery.scene import WITHIN, Scene
from tests.pipeline.events import events
from tests.storage import ENVELOPE, FINDINGS, message

TRACE = ENVELOPE.trace
BARE = Address("postmaster", "")
FULL = Address("postmaster", "G0.example")
ADA = Address("ada", "g0.example")


class SettlementTests(SynchronousTestCase):
    """
    What the table does not show: words, order, failures and cancelling.
    """

    def outcomes(self, outcome):
        """
        Give what became of each copy.
        """
        return [copy.outcome for copy in outcome.copies]

    def test_interface(self):
        """
        A dispatcher has all methods.
        """
        verifyObject(IDispatcher, Scene([(TAKEN,)]).dispatcher)

    def test_accepted(self):
        """
        A delivered message is answered with the trace id; the copy names the upstream and its
        words; the upstream got the rewritten message and most of the time.
        """
        scene = Scene([(TAKEN, TAKEN)])
        outcome = self.successResultOf(scene.dispatch())
        self.assertEqual(str(outcome.reply), f"250 2.0.0 accepted ({TRACE})")
        copy = outcome.copies[1]
        self.assertEqual((copy.reply, copy.reference), (str(TAKEN), "up0"))
        self.assertEqual(scene.upstreams[0].messages[0].prepended, b"Action: accept\r\n")
        self.assertEqual(scene.upstreams[0].within, WITHIN - 5)
        self.assertEqual(scene.clock.getDelayedCalls(), [])

    def test_held_copy(self):
        """
        A copy that an upstream refuses after another took its own is held with its words.
        """
        scene = Scene([(TAKEN,), (NEVER,)])
        outcome = self.successResultOf(scene.dispatch())
        ((hold, _),) = scene.hub.holds.values()
        self.assertEqual(hold.reason, str(NEVER))
        self.assertEqual(hold.verdict, scene.verdicts[1])
        self.assertEqual(outcome.copies[1].reply, str(NEVER))
        self.assertEqual(outcome.copies[1].reference, "hold-0")

    def test_queued_copy(self):
        """
        A copy that is queued keeps the verdict's action, total and findings, and the upstream's
        words.
        """
        scene = Scene([(TAKEN,), (LATER,)])
        scene.verdicts[1] = evolve(scene.verdicts[1], findings=FINDINGS)
        outcome = self.successResultOf(scene.dispatch())
        (copy,) = scene.hub.outbox.values()
        self.assertEqual((copy.action, copy.total, copy.reason), (Action.TAG, 7.5, str(LATER)))
        self.assertEqual(copy.findings, FINDINGS)
        self.assertEqual(outcome.copies[1].reference, "out-0")

    def test_first_refusal(self):
        """
        Of several refusals the client gets that of the first recipient.
        """
        other = Reply(554, "5.7.0", "not here")
        outcome = self.successResultOf(Scene([(NEVER, other), (other,)]).dispatch())
        self.assertEqual(outcome.reply, NEVER)
        outcome = self.successResultOf(Scene([(other,), "reject"]).dispatch())
        self.assertEqual(outcome.reply, other)

    def test_deferral_in_words(self):
        """
        The client hears an upstream's own words, but not why we failed to reach it.
        """
        for reply, told in (
            (LATER, str(LATER)),
            (UNREACHED, f"451 4.4.1 cannot be delivered now, try again later ({TRACE})"),
            (LOST, f"451 4.4.2 connection lost further on, try again later ({TRACE})"),
        ):
            for groups in ([(reply,)], [(reply,), "quarantine"]):
                outcome = self.successResultOf(Scene(groups).dispatch())
                self.assertEqual(str(outcome.reply), told)
                self.assertEqual(outcome.copies[0].reply, str(reply))

    def test_lost(self):
        """
        A copy whose fate is not known is noted, once, and told to the log.
        """
        for groups in ([(LOST, LOST)], [(TAKEN,), (LOST, LOST)]):
            with events() as told:
                outcome = self.successResultOf(Scene(groups).dispatch())
            self.assertEqual(outcome.notes, (DUPLICATE,))
            self.assertEqual([e["event"] for e in told], ["duplicate.possible"])

    def test_least_healthy_first(self):
        """
        The upstream with the most failures is tried first, so that its refusal can be told.
        """
        scene = Scene([(TAKEN,), (LATER,), (TAKEN,)])
        scene.upstreams[1].failures = 3
        scene.upstreams[2].failures = 1
        outcome = self.successResultOf(scene.dispatch())
        self.assertEqual(outcome.reply, LATER)
        self.assertEqual(
            [step[1] for step in scene.hub.steps if step[0] == "deliver"],
            ["up1"],
        )
        scene.upstreams[1].replies = [TAKEN]
        self.successResultOf(scene.dispatch())
        self.assertEqual(
            [step[1] for step in scene.hub.steps if step[0] == "deliver"][1:],
            ["up1", "up2", "up0"],
        )

    def test_one_verdict_two_upstreams(self):
        """
        Recipients of one verdict whose domains have different upstreams go to each of them.
        """
        scene = Scene([(TAKEN,)])
        recipients = tuple(Address(f"r{n}", f"g{n % 2}.example") for n in range(3))
        scene.verdicts = [Verdict(Action.ACCEPT, (), 0.0, recipients)]
        scene.upstreams[0].replies = [TAKEN, TAKEN]
        scene.upstreams[1].replies = [NEVER]
        outcome = self.successResultOf(scene.dispatch())
        self.assertEqual(outcome.reply.code, 250)
        self.assertEqual(
            scene.hub.steps[:2],
            [
                ("deliver", "up0", ("r0@g0.example", "r2@g0.example")),
                ("deliver", "up1", ("r1@g1.example",)),
            ],
        )

    def test_two_verdicts_one_upstream(self):
        """
        Recipients of one upstream with different verdicts get a message each of their own.
        """
        scene = Scene([(TAKEN,), (TAKEN,)])
        scene.dispatcher = Dispatcher(
            scene.hub, MarkingRewriter(), lambda recipient: scene.upstreams[0], scene.clock
        )
        self.successResultOf(scene.dispatch())
        self.assertEqual(
            [m.prepended for m in scene.upstreams[0].messages],
            [b"Action: accept\r\n", b"Action: tag\r\n"],
        )

    def test_postmaster(self):
        """
        C{postmaster} without a domain is delivered to the one that is meant.
        """
        scene = self.postmasters([(TAKEN,)], (Action.ACCEPT, BARE))
        outcome = self.successResultOf(scene.dispatch())
        self.assertEqual(scene.hub.steps, [("deliver", "up0", ("postmaster@g0.example",))])
        self.assertEqual(outcome.copies[0].recipient, "postmaster@g0.example")

    def test_postmaster_and_notices(self):
        """
        What was said of notices for C{postmaster} is said for the one that is meant.
        """
        wish = RcptParameters("NEVER")
        scene = self.postmasters([(TAKEN,)], (Action.ACCEPT, BARE))
        envelope = evolve(ENVELOPE, wishes={BARE.owner: wish})
        self.successResultOf(scene.dispatcher.dispatch(envelope, message(), scene.verdicts, WITHIN))
        (given,) = scene.upstreams[0].envelopes
        self.assertEqual(given.wish_of(FULL), wish)

    def postmasters(self, groups, *verdicts):
        """
        Set a scene for verdicts on recipients some of whom have no domain.
        """
        scene = Scene(groups)
        scene.verdicts = [
            Verdict(action, (), 0.0, recipients, kind=Kind.SPAM) for action, *recipients in verdicts
        ]

        def full(recipient):
            return recipient if recipient.domain else Address(recipient.local, "g0.example")

        scene.dispatcher = Dispatcher(
            scene.hub, MarkingRewriter(), scene.route_for, scene.clock, full
        )
        return scene

    def test_postmaster_twice(self):
        """
        Named with the domain and without it, however it is written, postmaster gets one copy,
        and both are told what became of it.
        """
        for reply, outcome_of_both in ((TAKEN, "delivered"), (LATER, "deferred")):
            for recipients in ((BARE, FULL, ADA), (FULL, BARE, ADA), (BARE, ADA, FULL)):
                scene = self.postmasters([(reply, reply)], (Action.ACCEPT, *recipients))
                outcome = self.successResultOf(scene.dispatch())
                ((_, _, names),) = scene.hub.steps
                self.assertEqual(len(names), 2)
                self.assertEqual(
                    [(copy.recipient.lower(), copy.outcome) for copy in outcome.copies],
                    [
                        (f"{recipient.local}@g0.example", outcome_of_both)
                        for recipient in recipients
                    ],
                )
                self.assertEqual(outcome.reply.code, reply.code)

    def test_postmaster_judged_twice(self):
        """
        Where there are two verdicts on postmaster the first counts for both; who has only the
        second verdict is settled by it.
        """
        scene = self.postmasters([(TAKEN,)], (Action.ACCEPT, BARE), (Action.QUARANTINE, FULL))
        outcome = self.successResultOf(scene.dispatch())
        self.assertEqual(scene.steps(), ["deliver"])
        self.assertEqual([copy.outcome for copy in outcome.copies], ["delivered"] * 2)

        scene = self.postmasters([(TAKEN,)], (Action.QUARANTINE, BARE), (Action.ACCEPT, FULL, ADA))
        outcome = self.successResultOf(scene.dispatch())
        self.assertEqual(scene.hub.steps[1][2], (str(ADA),))
        self.assertEqual([copy.outcome for copy in outcome.copies], ["held", "held", "delivered"])
        self.assertEqual(len(scene.hub.holds), 1)

    def test_only_held(self):
        """
        What is only held need not be confirmed.
        """
        scene = Scene(["quarantine", "quarantine"])
        self.successResultOf(scene.dispatch())
        self.assertEqual(scene.steps(), ["hold"])

    # -- storage fails ------------------------------------------------------------------

    def test_no_hold_no_delivery(self):
        """
        Where a hold cannot be stored nothing is delivered; a full disk is a 452.
        """
        for error, code in ((errno.EIO, 451), (errno.ENOSPC, 452), (errno.EDQUOT, 452)):
            hub = FakeHub(fails_at="hold", error=OSError(error, "disk"))
            scene = Scene([(TAKEN,), "quarantine"], hub=hub)
            outcome = self.successResultOf(scene.dispatch())
            self.assertEqual(scene.steps(), ["hold"])
            self.assertEqual(outcome.reply.code, code)
            self.assertEqual(self.outcomes(outcome), ["deferred", "deferred"])
            self.assertEqual(outcome.notes, ())
            self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_broken_hub(self):
        """
        A hub that raises something unforeseen is a local error, and nothing is delivered.
        """
        hub = FakeHub(fails_at="hold", error=ValueError("broken"))
        scene = Scene([(TAKEN,), "quarantine"], hub=hub)
        outcome = self.successResultOf(scene.dispatch())
        self.assertEqual(str(outcome.reply), f"451 4.3.0 local error, try again later ({TRACE})")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_storage_fails_after_delivery(self):
        """
        Where storage fails after a delivery the sender comes again, even with a full disk, no
        provisional hold is left, and the possible duplicate is told.
        """
        for groups, step in (
            ([(TAKEN,), (NEVER,)], "hold"),
            ([(TAKEN,), (LATER,)], "enqueue"),
            ([(TAKEN,), (NEVER,), (LATER,)], "enqueue"),
            ([(TAKEN,), "quarantine"], "confirm"),
            ([(TAKEN, NEVER)], "hold"),
            ([(TAKEN, LATER)], "enqueue"),
        ):
            hub = FakeHub(fails_at=step, error=OSError(errno.ENOSPC, "full"))
            scene = Scene(groups, hub=hub)
            with events() as told:
                outcome = self.successResultOf(scene.dispatch())
            self.assertEqual(
                str(outcome.reply), f"451 4.3.0 local error, try again later ({TRACE})"
            )
            self.assertEqual(outcome.notes, (DUPLICATE,))
            self.assertIn("duplicate.possible", [e["event"] for e in told])
            self.assertEqual(scene.held(), [])
            self.assertEqual(self.outcomes(outcome)[0], "delivered")
            self.assertEqual(set(self.outcomes(outcome)[1:]), {"deferred"})
            self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_withdrawing_fails(self):
        """
        A provisional hold that cannot be withdrawn changes nothing of the reply: it becomes an
        ordinary one at the next start.
        """
        scene = Scene([(LATER,), "quarantine"], hub=FakeHub(fails_at="withdraw"))
        outcome = self.successResultOf(scene.dispatch())
        self.assertEqual(outcome.reply, LATER)
        self.assertEqual(len(scene.held()), 1)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_slow_storage(self):
        """
        Storage that does not answer in time is a failure of it, before and after a delivery.
        """
        for groups, step, notes in (
            ([(TAKEN,), "quarantine"], "hold", ()),
            (["quarantine"], "hold", ()),
            ([(TAKEN,), "quarantine"], "confirm", (DUPLICATE,)),
            ([(TAKEN, LATER)], "enqueue", (DUPLICATE,)),
        ):
            scene = Scene(groups, hub=FakeHub(waits_at=step))
            done = scene.dispatch()
            scene.clock.advance(WITHIN - 1)
            self.assertNoResult(done)
            scene.clock.advance(1)
            outcome = self.successResultOf(done)
            self.assertEqual((outcome.reply.code, outcome.notes), (451, notes))
            self.assertEqual(scene.held(), [])
            self.assertEqual(len(self.flushLoggedErrors()), 1)

    # -- our own mistakes ---------------------------------------------------------------

    def test_no_route(self):
        """
        An accepted recipient without an upstream is a mistake of ours: nothing happens, 451.
        """
        for groups in ([(TAKEN,)], [(TAKEN,), "quarantine"]):
            scene = Scene(groups)
            scene.dispatcher = Dispatcher(
                scene.hub, MarkingRewriter(), lambda recipient: None, scene.clock
            )
            outcome = self.successResultOf(scene.dispatch())
            self.assertEqual(outcome.reply.code, 451)
            self.assertEqual(scene.steps(), [])
            self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)

    def test_broken_delivery(self):
        """
        A delivery that breaks may have delivered: the outcome of its copies is not known.
        """
        scene = Scene([(TAKEN,), (TAKEN,)])
        scene.upstreams[1].replies = ValueError("broken")
        outcome = self.successResultOf(scene.dispatch())
        self.assertEqual(outcome.reply.code, 250)
        self.assertEqual(self.outcomes(outcome), ["delivered", "queued"])
        self.assertEqual(outcome.notes, (DUPLICATE,))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_broken_only_delivery(self):
        """
        The only delivery that breaks is a local error.
        """
        scene = Scene([(TAKEN,)])
        scene.upstreams[0].replies = ValueError("broken")
        outcome = self.successResultOf(scene.dispatch())
        self.assertEqual((outcome.reply.code, outcome.reply.enhanced), (451, "4.3.0"))
        self.assertEqual(self.outcomes(outcome), ["deferred"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    # -- the client goes ----------------------------------------------------------------

    def test_cancel_before(self):
        """
        Cancelling before anything was delivered leaves nothing behind.
        """
        for groups in ([(TAKEN,)], [(TAKEN,), "quarantine"]):
            scene = Scene(groups)
            scene.upstreams[0].is_waiting = True
            done = scene.dispatch()
            done.cancel()
            self.failureResultOf(done, CancelledError)
            self.assertEqual(scene.held(), [])

    def test_cancel_while_holding(self):
        """
        Cancelling while holds are written stops it before the delivery.
        """
        scene = Scene([(TAKEN,), "quarantine"], hub=FakeHub(waits_at="hold"))
        done = scene.dispatch()
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual(scene.steps(), ["hold"])
        self.assertEqual(scene.held(), [])

    def test_cancel_after_first_byte(self):
        """
        A delivery whose first byte has gone out ends by itself, and the Outcome still comes.
        """
        for groups in ([(TAKEN,)], [(TAKEN,), "quarantine"]):
            scene = Scene(groups)
            scene.upstreams[0].is_waiting = scene.upstreams[0].has_begun = True
            done = scene.dispatch()
            done.cancel()
            self.assertNoResult(done)
            scene.upstreams[0].answer()
            outcome = self.successResultOf(done)
            self.assertEqual(outcome.reply.code, 250)
            self.assertFalse(any(p for _, _, p in scene.held()))

    def test_cancel_after_first_delivery(self):
        """
        Cancelling after the first 2xx queues the copy of the delivery that waits; the others
        are still delivered, and holds are confirmed.
        """
        scene = Scene([(TAKEN,), (TAKEN,), (TAKEN,), "quarantine"])
        scene.upstreams[1].is_waiting = True
        done = scene.dispatch()
        done.cancel()
        outcome = self.successResultOf(done)
        self.assertEqual(outcome.reply.code, 250)
        self.assertEqual(self.outcomes(outcome), ["delivered", "queued", "delivered", "held"])
        self.assertEqual(scene.queued(), ["r0@G1.example"])
        self.assertFalse(any(p for _, _, p in scene.held()))

    def test_cancel_while_storing_the_rest(self):
        """
        After the first 2xx no cancelling stops what has to be stored.
        """
        for groups, step in (
            ([(TAKEN,), (NEVER,)], "hold"),
            ([(TAKEN,), (LATER,)], "enqueue"),
            ([(TAKEN, LATER)], "enqueue"),
            ([(TAKEN, NEVER)], "confirm"),
            ([(TAKEN,), "quarantine"], "confirm"),
        ):
            scene = Scene(groups, hub=FakeHub(waits_at=step))
            done = scene.dispatch()
            done.cancel()
            done.cancel()
            self.assertNoResult(done)
            scene.hub.proceed()
            outcome = self.successResultOf(done)
            self.assertEqual(outcome.reply.code, 250)
            self.assertEqual(len(scene.held()) + len(scene.queued()), 1)
            self.assertFalse(any(p for _, _, p in scene.held()))

    def test_cancel_while_holding_the_refused(self):
        """
        Where nothing has been delivered, cancelling while the refused copies are held leaves
        nothing behind.
        """
        for action in ("quarantine", "discard"):
            scene = Scene([(NEVER,), action])
            scene.upstreams[0].is_waiting = True
            done = scene.dispatch()
            scene.hub.waits_at = "hold"
            scene.upstreams[0].answer()
            self.assertNoResult(done)
            done.cancel()
            self.failureResultOf(done, CancelledError)
            self.assertEqual(scene.held(), [])
