"""
Tests for L{mailgate.delivery.queued}: mail of people and machines of ours.
"""

import errno

from attrs import evolve
from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.envelope import TRUSTED_ROLES
from mailgate.verdict import Kind
from tests.delivery.given import TAKEN
from tests.delivery.scene import DEFERRED, REFUSED, Scene
from tests.storage import ENVELOPE, SESSION


def scene(groups, role="submission", **more):
    """
    Make a scene with a message of ours.
    """
    envelope = evolve(ENVELOPE, session=evolve(SESSION, role=role))
    return Scene(groups, envelope=envelope, **more)


class QueuedTests(SynchronousTestCase):
    """
    Tests of L{QueuedSettlement}.
    """

    def test_queued_before_the_reply(self):
        """
        Whatever the role, everything is queued, for its first try, and no upstream is asked; the
        reply comes when it is safe, and not before.
        """
        for role in sorted(TRUSTED_ROLES):
            given = scene([(TAKEN, TAKEN), (TAKEN,)], role)
            given.hub.waits_at = "enqueue"
            settling = given.dispatch()
            self.assertNoResult(settling)
            given.hub.proceed()
            outcome = self.successResultOf(settling)
            self.assertEqual(outcome.reply.code, 250)
            self.assertEqual(given.steps(), ["enqueue"])
            self.assertEqual(len(given.queued()), 3)
            self.assertEqual({copy.reason for copy in given.hub.outbox.values()}, {""})
            self.assertEqual([copy.outcome for copy in outcome.copies], ["queued"] * 3)
            self.assertEqual([c.reference for c in outcome.copies], list(given.hub.outbox))

    def test_others_are_delivered(self):
        """
        What comes from elsewhere is delivered in its session, as ever.
        """
        for role in ("mx", "lmtp"):
            given = scene([(TAKEN,)], role)
            self.assertEqual(self.successResultOf(given.dispatch()).reply.code, 250)
            self.assertEqual(given.queued(), [])

    def test_judged_first(self):
        """
        What is refused is refused in the session, what is deferred is deferred, and neither is
        queued.
        """
        for groups, code in ((["reject"], REFUSED.code), (["defer", (TAKEN,)], DEFERRED.code)):
            given = scene(groups)
            self.assertEqual(self.successResultOf(given.dispatch()).reply.code, code)
            self.assertEqual((given.queued(), given.held()), ([], []))

    def test_held_and_queued(self):
        """
        A copy that is held is provisional until the others are queued; one that is refused beside
        them is held as such.
        """
        given = scene(["quarantine", (TAKEN,), "reject"])
        outcome = self.successResultOf(given.dispatch())
        self.assertEqual(outcome.reply.code, 250)
        self.assertEqual(given.steps(), ["hold", "enqueue", "confirm"])
        self.assertEqual(
            given.held(),
            [("r0@G0.example", Kind.PHISHING, False), ("r0@G2.example", Kind.REFUSED, False)],
        )
        self.assertEqual([c.outcome for c in outcome.copies], ["held", "queued", "held"])

    def test_disk_full(self):
        """
        What cannot be queued is not taken, and no hold is left of it.
        """
        given = scene(["quarantine", (TAKEN,)])
        given.hub.fails_at = "enqueue"
        given.hub.error = OSError(errno.ENOSPC, "full")
        outcome = self.successResultOf(given.dispatch())
        self.assertEqual((outcome.reply.code, outcome.reply.enhanced), (452, "4.3.1"))
        self.assertEqual(given.held(), [])
        self.assertEqual([copy.outcome for copy in outcome.copies], ["deferred"] * 2)
        self.flushLoggedErrors(OSError)

    def test_confirmation_fails(self):
        """
        Where the holds cannot be confirmed after the others were queued, the client is told to come
        again, and that there may be duplicates.
        """
        given = scene(["quarantine", (TAKEN,)])
        given.hub.fails_at = "confirm"
        outcome = self.successResultOf(given.dispatch())
        self.assertEqual(outcome.reply.code, 451)
        self.assertIn("duplicate possible", outcome.notes)
        self.flushLoggedErrors(OSError)

    def test_client_gone(self):
        """
        Whoever goes away before it is queued has it sent by nobody.
        """
        given = scene([(TAKEN,)])
        given.hub.waits_at = "enqueue"
        settling = given.dispatch()
        settling.cancel()
        self.failureResultOf(settling, CancelledError)

    def test_too_late(self):
        """
        A disk that does not answer in time has nothing taken.
        """
        given = scene([(TAKEN,)])
        given.hub.waits_at = "enqueue"
        settling = given.dispatch()
        given.clock.advance(1000)
        self.assertEqual(self.successResultOf(settling).reply.code, 451)
        self.flushLoggedErrors()


class ApartTests(SynchronousTestCase):
    """
    Tests of L{QueuedApart}.
    """

    def test_each_its_own(self):
        """
        With a reply for each, each is queued, held or refused by itself.
        """
        given = scene(["reject", (TAKEN, TAKEN), "quarantine", "defer"])
        outcome = self.successResultOf(given.dispatch(alone=True))
        self.assertEqual([reply.code for reply in outcome.replies], [550, 250, 250, 250, 451])
        self.assertEqual(given.queued(), ["r0@G1.example", "r1@G1.example"])
        self.assertEqual(
            [copy.outcome for copy in outcome.copies],
            ["refused", "queued", "queued", "held", "deferred"],
        )

    def test_disk_full(self):
        """
        What cannot be queued is deferred.
        """
        given = scene([(TAKEN,), "reject"])
        given.hub.fails_at = "enqueue"
        outcome = self.successResultOf(given.dispatch(alone=True))
        self.assertEqual([reply.code for reply in outcome.replies], [451, 550])
        self.assertEqual(given.queued(), [])
        self.flushLoggedErrors(OSError)
