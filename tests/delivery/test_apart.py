"""
Tests of L{mailgate.delivery.apart}: a reply for each recipient.
"""

import errno

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from mailgate.delivery.settlement import DUPLICATE
from mailgate.verdict import Kind
from tests.delivery.given import LATER, LOST, NEVER, TAKEN, UNREACHED, FakeHub
from tests.delivery.scene import DEFERRED, REFUSED, WITHIN, Scene
from tests.pipeline.events import events
from tests.storage import ENVELOPE

TRACE = ENVELOPE.trace
ACCEPTED = f"250 2.0.0 accepted ({TRACE})"
LOCAL_ERROR = f"451 4.3.0 local error, try again later ({TRACE})"

TOLD = {
    TAKEN: (ACCEPTED, "delivered"),
    NEVER: (str(NEVER), "refused"),
    LATER: (str(LATER), "deferred"),
    UNREACHED: (f"451 4.4.1 cannot be delivered now, try again later ({TRACE})", "deferred"),
    LOST: (f"451 4.4.2 connection lost further on, try again later ({TRACE})", "unknown"),
    "quarantine": (ACCEPTED, "held"),
    "discard": (ACCEPTED, "discarded"),
    "reject": (str(REFUSED), "refused"),
    "defer": (str(DEFERRED), "deferred"),
}
"""What a recipient is told, and what becomes of its copy, by what its upstream or verdict says."""

UPSTREAM_REPLIES = st.sampled_from([TAKEN, NEVER, LATER, UNREACHED, LOST])
GROUPS = st.lists(
    st.lists(UPSTREAM_REPLIES, min_size=1, max_size=3).map(tuple)
    | st.sampled_from(["quarantine", "discard", "reject", "defer"]),
    min_size=1,
    max_size=6,
)


class SettlementApartTests(SynchronousTestCase):
    """
    Nothing of one recipient binds another.
    """

    def settled(self, scene):
        """
        Settle a scene's message; give the reply to each recipient, and the outcomes.
        """
        outcome = self.successResultOf(scene.dispatch(alone=True))
        self.assertEqual(scene.clock.getDelayedCalls(), [])
        replies = [str(reply) for reply in outcome.replies]
        return replies, [copy.outcome for copy in outcome.copies], outcome

    @given(GROUPS, st.integers(1, 3))
    def test_each_alone(self, groups, size):
        """
        Every recipient is told what became of its own copy, as if there were no other; copies
        that are held are so for good, and nothing else is kept.
        """
        scene = Scene(groups, size=size)
        with events():
            replies, outcomes, outcome = self.settled(scene)
        expected = []
        for group in groups:
            expected += [TOLD[each] for each in ([group] * size if group in TOLD else group)]
        self.assertEqual(list(zip(replies, outcomes, strict=True)), expected)
        addresses = [r for verdict in scene.verdicts for r in verdict.recipients]
        self.assertEqual([copy.recipient for copy in outcome.copies], list(map(str, addresses)))
        held = [str(r) for r, kept in zip(addresses, outcomes, strict=True) if kept == "held"]
        self.assertEqual(scene.held(), [(r, Kind.PHISHING, False) for r in held])
        self.assertEqual(scene.queued(), [])
        self.assertEqual(outcome.notes, (DUPLICATE,) if "unknown" in outcomes else ())

    @given(GROUPS)
    def test_last_reply(self, groups):
        """
        The last reply (that of PRDR) is 250 where anybody was served, else the first 5xx, else
        the first 4xx.
        """
        with events():
            replies, _, outcome = self.settled(Scene(groups))
        for first_digit in "254":
            found = [reply for reply in replies if reply.startswith(first_digit)]
            if found:
                self.assertEqual(str(outcome.reply), found[0])
                break

    def test_copy(self):
        """
        A copy names its upstream and that one's own words, also where they are not passed on.
        """
        with events():
            _, _, outcome = self.settled(Scene([(TAKEN, LOST)]))
        self.assertEqual(
            [(copy.reply, copy.reference) for copy in outcome.copies],
            [(str(TAKEN), "up0"), (str(LOST), "up0")],
        )

    def test_rewritten(self):
        """
        Each group gets the message as its verdict has it.
        """
        scene = Scene([(TAKEN,), (TAKEN,)])
        self.settled(scene)
        self.assertEqual(
            [scene.upstreams[n].messages[0].prepended for n in range(2)],
            [b"Action: accept\r\n", b"Action: tag\r\n"],
        )

    def test_not_stored(self):
        """
        Where a copy cannot be held its recipients are deferred, and nobody else is: what is
        written down of the others stays what it was.
        """
        for error, said in (
            (OSError(errno.EIO, "disk"), LOCAL_ERROR),
            (OSError(errno.ENOSPC, "full"), f"452 4.3.1 no room at the moment ({TRACE})"),
        ):
            hub = FakeHub(fails_at="hold", error=error)
            scene = Scene(["reject", "discard", "quarantine", (TAKEN,)], hub=hub)
            replies, outcomes, _ = self.settled(scene)
            self.assertEqual(replies, [str(REFUSED), ACCEPTED, said, ACCEPTED])
            self.assertEqual(outcomes, ["refused", "discarded", "deferred", "delivered"])
            self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_second_hold_fails(self):
        """
        What is held already stays held, and its recipient has been told so.
        """
        scene = Scene(["quarantine", "quarantine"], hub=FakeHub(waits_at="hold"))
        settling = scene.dispatch(alone=True)
        scene.hub.proceed()
        scene.hub.waiting.pop().errback(OSError(errno.EIO, "disk"))
        outcome = self.successResultOf(settling)
        self.assertEqual([str(reply) for reply in outcome.replies], [ACCEPTED, LOCAL_ERROR])
        self.assertEqual([copy.outcome for copy in outcome.copies], ["held", "deferred"])
        self.assertEqual(len(scene.held()), 1)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_not_stored_in_time(self):
        """
        A hold that takes too long is taken back, its recipient deferred.
        """
        scene = Scene(["quarantine", "discard"], hub=FakeHub(waits_at="hold"))
        settling = scene.dispatch(alone=True)
        scene.clock.advance(WITHIN)
        outcome = self.successResultOf(settling)
        self.assertEqual([str(reply) for reply in outcome.replies], [LOCAL_ERROR, ACCEPTED])
        self.assertEqual(scene.held(), [])
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_delivery_fails(self):
        """
        A delivery that breaks may have delivered; the others are not touched.
        """
        scene = Scene([(TAKEN, TAKEN), (TAKEN,)])
        scene.upstreams[0].replies = ValueError("broken")
        replies, outcomes, outcome = self.settled(scene)
        self.assertEqual(replies, [TOLD[LOST][0], TOLD[LOST][0], ACCEPTED])
        self.assertEqual(outcomes, ["unknown", "unknown", "delivered"])
        self.assertEqual(outcome.notes, (DUPLICATE,))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_no_route(self):
        """
        A mistake of ours defers whoever has not been answered yet.
        """
        scene = Scene(["quarantine", (TAKEN,)])
        scene.dispatcher = evolve(scene.dispatcher, route_for=lambda recipient: None)
        replies, outcomes, outcome = self.settled(scene)
        self.assertEqual(replies, [ACCEPTED, LOCAL_ERROR])
        self.assertEqual(outcomes, ["held", "deferred"])
        self.assertEqual(str(outcome.reply), ACCEPTED)
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)

    def test_cancelled_before(self):
        """
        Cancelled before any copy was taken or held, nothing is kept.
        """
        scene = Scene([(NEVER,), (TAKEN,)])
        scene.upstreams[1].is_waiting = True
        settling = scene.dispatch(alone=True)
        settling.cancel()
        self.failureResultOf(settling, CancelledError)
        self.assertEqual((scene.held(), scene.queued()), ([], []))

    def test_cancelled_after(self):
        """
        Cancelled after a copy was taken, the rest is deferred, and the outcome says that the
        sender, who has heard nothing, may send that copy again.
        """
        for first in ((TAKEN,), "quarantine"):
            scene = Scene([first, (TAKEN,)])
            scene.upstreams[1].is_waiting = True
            settling = scene.dispatch(alone=True)
            with events() as told:
                settling.cancel()
            outcome = self.successResultOf(settling)
            self.assertEqual([str(reply) for reply in outcome.replies], [ACCEPTED, LOCAL_ERROR])
            self.assertEqual(outcome.copies[1].outcome, "deferred")
            self.assertEqual(outcome.notes, (DUPLICATE,))
            self.assertEqual([event["event"] for event in told], ["duplicate.possible"])
