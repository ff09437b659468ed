"""
Tests of L{mailgate.delivery.alternatives}.
"""

from collections import Counter

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.delivery.alternatives import Alternative, Alternatives
from mailgate.delivery.answer import QUESTION_SECONDS, Untaken
from mailgate.interfaces import Capabilities, Load
from tests.delivery.given import LATER, LOST, NEVER, TAKEN, UNREACHED, ScriptedDelivery
from tests.delivery.kinds import KINDS, Kind, MailSubject
from tests.delivery.secure import self_signed
from tests.pipeline.events import events
from tests.storage import ADA, BOB, ENVELOPE, message, temporary_folder


class ChoiceTests(SynchronousTestCase):
    """
    Upstreams that do what a test tells them.
    """

    def make(self, *ranks):
        """
        Make alternatives with these preferences and weights.
        """
        self.clock = Clock()
        self.steps = []
        self.upstreams = [
            ScriptedDelivery(f"up{number}", [TAKEN], steps=self.steps)
            for number in range(len(ranks))
        ]
        self.alternatives = Alternatives(
            [
                Alternative(upstream, *rank)
                for upstream, rank in zip(self.upstreams, ranks, strict=True)
            ],
            self.clock,
        )

    def begin(self, *recipients, within=None):
        """
        Begin to deliver a message.
        """
        return self.alternatives.deliver(ENVELOPE, recipients or (ADA,), message(), within)

    def deliver(self, *recipients):
        """
        Deliver a message, and give the replies.
        """
        return self.successResultOf(self.begin(*recipients))

    def asked(self):
        """
        Give the names of those that were asked since then.
        """
        names = [name for _, name, _ in self.steps]
        self.steps.clear()
        return names

    def test_preference(self):
        """
        The one with the lowest number is asked, whatever its place in the list.
        """
        self.make((2, 1), (1, 1), (3, 1))
        for _ in range(3):
            (reply,) = self.deliver()
            self.assertEqual((reply, reply.upstream), (TAKEN, "up1"))
        self.assertEqual(self.asked(), ["up1"] * 3)

    def test_questions_together(self):
        """
        However many are asked about a recipient, one after the other, the client has its answer as
        soon as from one alone.
        """
        self.make((1, 1), (2, 1), (3, 1))
        asked = []

        def verify(upstream, sender, recipient):
            asked.append(Deferred())
            return asked[-1]

        self.patch(ScriptedDelivery, "verify", verify)
        answer = self.alternatives.verify(ENVELOPE.sender, ADA)
        self.clock.advance(QUESTION_SECONDS - 10)
        asked[0].callback(UNREACHED)
        self.clock.advance(9)
        self.assertNoResult(answer)
        self.clock.advance(1)
        reply = self.successResultOf(answer)
        self.assertEqual((reply.code, reply.enhanced), (451, "4.4.1"))
        self.assertEqual(len(asked), 2)

    def test_weight(self):
        """
        Those with the same one share it by their weights, evenly spread.
        """
        self.make((1, 3), (1, 1), (2, 1), (1, 2))
        for _ in range(60):
            self.deliver()
        names = self.asked()
        self.assertEqual(Counter(names), {"up0": 30, "up1": 10, "up3": 20})
        self.assertEqual(sorted(names[:6]), ["up0"] * 3 + ["up1"] + ["up3"] * 2)
        self.assertNotEqual(names[:3], ["up0"] * 3)

    def test_passed_over(self):
        """
        Where one could not be asked the next one is, first those of the same preference; that is
        told, and the reply says whose it is.
        """
        self.make((1, 2), (2, 1), (1, 1))
        self.upstreams[0].replies = Untaken([UNREACHED])
        self.upstreams[2].replies = Untaken([UNREACHED])
        with events() as seen:
            (reply,) = self.deliver()
        self.assertEqual(reply.upstream, "up1")
        self.assertEqual(self.asked(), ["up0", "up2", "up1"])
        self.assertEqual(
            [(each["event"], each["upstream"], each["other"]) for each in seen],
            [
                ("upstream.passed_over", "up0", "up2"),
                ("upstream.passed_over", "up2", "up1"),
            ],
        )

    def test_answered(self):
        """
        Whoever has answered, in whatever way, is not passed over.
        """
        self.make((1, 1), (2, 1))
        for replies in ([TAKEN, NEVER], [LATER, LATER], [NEVER, NEVER], [LOST, LOST]):
            self.upstreams[0].replies = replies
            self.assertEqual(self.deliver(ADA, BOB), replies)
            self.assertEqual(self.asked(), ["up0"])

    def test_nobody(self):
        """
        Where nobody could be asked the reply is one of theirs, and a refusal only where none of
        them said that it may work later.
        """
        self.make((1, 1), (2, 1))
        for first, second, told in (
            (UNREACHED, LATER, UNREACHED),
            (NEVER, UNREACHED, UNREACHED),
            (UNREACHED, NEVER, UNREACHED),
            (NEVER, NEVER, NEVER),
        ):
            self.upstreams[0].replies = Untaken([first])
            self.upstreams[1].replies = Untaken([second])
            replies = self.deliver()
            self.assertEqual(replies, [told])
            self.assertIsInstance(replies, Untaken)

    def test_known_not_to_work(self):
        """
        Whose breaker is open is not asked as long as there is another one.
        """
        self.make((1, 1), (1, 1), (2, 1))
        self.upstreams[0].is_open = True
        with events() as seen:
            self.deliver()
            self.deliver()
            self.upstreams[1].is_open = True
            self.deliver()
        self.assertEqual(self.asked(), ["up1", "up1", "up2"])
        self.assertEqual(seen, [])
        self.assertFalse(self.alternatives.is_open)
        self.upstreams[2].is_open = True
        self.assertTrue(self.alternatives.is_open)
        self.deliver()
        self.assertEqual(self.asked(), ["up0"])

    def test_time(self):
        """
        All tries together may take as long as one.
        """
        self.make((1, 1), (2, 1))
        first, second = self.upstreams
        first.is_waiting = True
        answer = self.begin(within=100.0)
        self.assertEqual(first.within, 100.0)
        self.clock.advance(70)
        first.answer(Untaken([UNREACHED]))
        self.assertEqual(self.successResultOf(answer), [TAKEN])
        self.assertEqual(second.within, 30.0)

    def test_cancelled(self):
        """
        Cancelling reaches the one that is being asked.
        """
        self.make((1, 1), (2, 1))
        first, second = self.upstreams
        first.is_waiting = second.is_waiting = True
        answer = self.begin()
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        answer = self.begin()
        first.answer(Untaken([UNREACHED]))
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.assertEqual(second.answers, [])

    def test_what_they_are_together(self):
        """
        They can take what each of them can, work as well as the best, and are as busy as all.
        """
        self.make((1, 1), (2, 1))
        one, two = self.upstreams
        one.capabilities = Capabilities(frozenset(("8BITMIME", "DSN")), 1000)
        two.capabilities = Capabilities(frozenset(("8BITMIME", "SMTPUTF8")), 500)
        one.failures, two.failures = 3, 1
        one.load, two.load = Load(1, 2, 3), Load(4, 5, 6)
        both = self.alternatives
        self.assertEqual(both.capabilities, Capabilities(frozenset(("8BITMIME",)), 500))
        self.assertEqual(both.failures, 1)
        self.assertEqual(both.load, Load(5, 7, 9))
        self.assertEqual(both.name, "up0, up1")


class StepTests(SynchronousTestCase):
    """
    Two mail servers, the first of which fails at one step.
    """

    def make(self, replies=(), kind=KINDS[0], **behaviour):
        """
        Make them.
        """
        folder = temporary_folder(self)
        spoilt = Kind("", kind.settings, {**kind.behaviour, **behaviour, "replies": dict(replies)})
        self.clock = Clock()
        self.first = MailSubject(folder, spoilt, "first", self.clock)
        self.second = MailSubject(folder, KINDS[0], "second", self.clock)
        self.alternatives = Alternatives(
            [Alternative(self.first.delivery, 1, 1), Alternative(self.second.delivery, 2, 1)],
            self.clock,
        )

    def work(self):
        """
        Carry all bytes over.
        """
        for _ in range(3):
            self.first.work()
            self.second.work()

    def deliver(self, *recipients):
        """
        Deliver a message, and give the replies as code and upstream.
        """
        answer = self.alternatives.deliver(ENVELOPE, recipients or (ADA,), message(), 170.0)
        self.work()
        return [(reply.code, reply.upstream) for reply in self.successResultOf(answer)]

    def test_before_it_is_taken(self):
        """
        Whatever fails before the first one says 354 leads to the second one, and only there does
        the message arrive.
        """
        tls = Kind("", {"tls": "required"}, {"offers_starttls": True})
        for replies, kind in (
            ({"greeting": "554 5.3.2 go away"}, KINDS[0]),
            ({"greeting": "421 4.3.2 busy"}, KINDS[0]),
            ({"greeting": "hello"}, KINDS[0]),
            ({"EHLO": "554 5.7.1 no", "HELO": "554 5.7.1 no"}, KINDS[0]),
            ({"EHLO": "421 4.3.2 busy"}, KINDS[0]),
            ({"STARTTLS": "454 4.7.0 not now"}, tls),
            ({"STARTTLS": "250 what?"}, tls),
            ({"MAIL": "421 4.3.2 busy"}, KINDS[0]),
            ({"MAIL": "nonsense"}, KINDS[0]),
            ({"RCPT": "nonsense"}, KINDS[0]),
        ):
            self.make(replies, kind)
            self.assertEqual(self.deliver(), [(250, "second")], replies)
            self.assertEqual(self.first.behaviour.arrived, [])
            self.assertEqual(len(self.second.behaviour.arrived), 1)

    def test_not_connected(self):
        """
        So does one that cannot be connected to, or ends each connection.
        """
        self.make()
        self.first.network.error = ConnectionRefusedError()
        self.assertEqual(self.deliver(), [(250, "second")])
        self.make(is_broken=True)
        self.assertEqual(self.deliver(), [(250, "second")])

    def test_too_slow(self):
        """
        So does one that never greets, when its time is over.
        """
        self.make({"greeting": None})
        answer = self.alternatives.deliver(ENVELOPE, (ADA,), message(), 170.0)
        self.work()
        self.clock.advance(15)
        self.work()
        (reply,) = self.successResultOf(answer)
        self.assertEqual((reply.code, reply.upstream), (250, "second"))

    def test_wrong_certificate(self):
        """
        So does one with the wrong certificate; it is told nothing.
        """
        kind = Kind("", {"tls": "verified"}, {"offers_starttls": True, "issued": self_signed()})
        self.make({}, kind)
        self.assertEqual(self.deliver(), [(250, "second")])
        self.assertNotIn(b"MAIL", b"".join(self.first.behaviour.lines))

    def test_what_it_cannot_take(self):
        """
        So does one that cannot take this message, in the hope that the other one can.
        """
        self.make(extensions=("PIPELINING",))
        self.assertEqual(self.deliver(), [(250, "second")])

    def test_answers(self):
        """
        What the first one says of sender, recipient or message counts.
        """
        for replies, code in (
            ({"MAIL": "451 4.3.0 not now"}, 451),
            ({"MAIL": "550 5.7.1 not you"}, 550),
            ({"RCPT": "450 4.2.1 greylisted"}, 450),
            ({"RCPT": "550 5.1.1 nobody"}, 550),
            ({"DATA": "451 4.3.0 not now"}, 451),
            ({".": "451 4.3.0 not now"}, 451),
            ({".": "554 5.6.0 no"}, 554),
        ):
            self.make(replies)
            self.assertEqual(self.deliver(), [(code, "first")], replies)
            self.assertEqual(self.second.behaviour.arrived, [])

    def test_never_after_354(self):
        """
        Once the first one has said 354 the message goes nowhere else, whatever happens.
        """
        self.make()
        self.first.hang()
        answer = self.alternatives.deliver(ENVELOPE, (ADA,), message(), 170.0)
        self.work()
        self.first.behaviour.drop()
        self.work()
        (reply,) = self.successResultOf(answer)
        self.assertEqual((reply.code, reply.enhanced, reply.upstream), (451, "4.4.2", "first"))
        self.assertEqual(self.second.behaviour.servers, [])

    def test_questions(self):
        """
        A question goes to the second one where the first cannot be asked, and not where it said no.
        """
        self.make({"greeting": "421 4.3.2 busy"})
        asked = self.alternatives.verify(ENVELOPE.sender, ADA)
        self.work()
        self.assertTrue(self.successResultOf(asked).is_positive)
        self.make({"RCPT": "550 5.1.1 nobody"})
        asked = self.alternatives.verify(ENVELOPE.sender, ADA)
        self.work()
        self.assertEqual(self.successResultOf(asked).code, 550)
        self.assertEqual(self.second.behaviour.servers, [])

    def test_lmtp(self):
        """
        It is the same with LMTP.
        """
        self.make({"EHLO": "421 4.3.2 busy"}, Kind("", {"kind": "lmtp"}))
        self.assertEqual(self.deliver(ADA, BOB), [(250, "second")] * 2)
