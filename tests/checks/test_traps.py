"""
Tests of L{mailgate.checks.traps}.
"""

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks import table
from mailgate.checks.known import Known
from mailgate.checks.traps import TrapsCheck
from mailgate.config.checks import Check, EnforcedAction
from mailgate.finding import Finding
from mailgate.interfaces import Phase
from mailgate.judging import make_pipeline
from mailgate.knowledge.traps import Trapped, TrappedClients
from mailgate.message.envelope import Envelope
from mailgate.message.message import MemoryMessage
from mailgate.pipeline.view import View
from mailgate.store.threads import ImmediateThreads
from mailgate.verdict import Action, Kind
from mailgate.wire.address import Address
from tests.checks.given import NOW, session, settings

ADA = Address("ada", "example.com")
OLD = evolve(Address("old", "example.com"), is_trap=True)
EVE = Address("eve", "example.org")
CLIENT = "192.0.2.7"


class TrapsCheckTests(SynchronousTestCase):
    """
    Tests of what is found.
    """

    def setUp(self):
        """
        Know nobody.
        """
        self.trapped = TrappedClients()

    def found(self, recipient=ADA, *others, role="mx", **options):
        """
        Give what is found of the copy for a recipient.
        """
        check = TrapsCheck.from_settings(settings(traps=options), self.trapped)
        calls = evolve(session(client=CLIENT), role=role)
        envelope = Envelope(calls, "7q4m-x2vd-90kt", EVE, NOW)
        view = View(calls, NOW, ({},), {}, envelope, None, (recipient, *others), recipient)
        return check.check(view)

    def test_nothing(self):
        """
        Nothing is found of somebody's mail.
        """
        self.assertEqual(self.found(), ())

    def test_recipient(self):
        """
        The copy for a trap is for a trap, whoever else gets one.
        """
        (finding,) = self.found(OLD, ADA)
        self.assertEqual(
            (finding.symbol, finding.score, finding.kind, finding.is_enforced),
            ("TRAP_RECIPIENT", 10, Kind.SPAM, True),
        )
        self.assertEqual(finding.public, "")

    def test_among(self):
        """
        The copies for others tell of the trap, and are not discarded for it.
        """
        (finding,) = self.found(ADA, OLD)
        self.assertEqual((finding.symbol, finding.score), ("TRAP_AMONG", 8))
        self.assertFalse(finding.is_enforced)
        self.assertIn("“old@example.com”", finding.detail)

    def test_sender(self):
        """
        Other mail from who has written to a trap counts, and less from its network, for hours.
        """
        for client, symbol, score in (
            (CLIENT, "TRAP_SENDER", 3),
            ("192.0.2.9", "TRAP_NETWORK", 1),
        ):
            self.trapped = TrappedClients()
            self.trapped.take((Trapped(client, NOW - 3600),))
            (finding,) = self.found()
            self.assertEqual((finding.symbol, finding.score), (symbol, score))
            self.assertIn("60 minutes before", finding.detail)
            self.assertEqual(self.found(sender_hours=1.0), ())
            self.assertEqual(self.found(exempt_networks=["192.0.2.0/24"]), ())
            self.assertEqual(self.found(role="submission"), ())
        self.trapped.take((Trapped(CLIENT, NOW - 5 * 3600),))
        self.assertIn("5 hours before", self.found()[0].detail)


class Heavy:
    """
    A check that would refuse everybody.
    """

    name = "helo"
    phase = Phase.RCPT
    scope = 2
    after = ()
    needs = ()
    symbols = frozenset({"HEAVY"})
    deadline = 5

    def check(self, view):
        """
        Refuse.
        """
        return (Finding("HEAVY", 99.0, "Heavy.", "no"),)


class VerdictTests(SynchronousTestCase):
    """
    Tests of what becomes of the copies.
    """

    def judge(self, *recipients, heavy=False, helo="score", **options):
        """
        Give the replies to RCPT, and the action for each recipient.
        """
        names = ("traps", "helo") if heavy else ("traps",)
        checks = {"traps": table.CHECKS["traps"], "helo": lambda settings, known: Heavy()}
        self.patch(table, "CHECKS", {name: checks[name] for name in names})
        given = settings(traps=options, helo={"mode": helo})
        pipeline = make_pipeline(given, Known(), ImmediateThreads(), Clock(), lambda: NOW)
        calls = session(client=CLIENT)
        judge = pipeline.open(calls)
        judge.connected()
        judge.greeted(calls)
        transaction = judge.begin(Envelope(calls, "7q4m-x2vd-90kt", EVE, NOW))
        transaction.mail()
        replies = [transaction.rcpt(each).reply for each in recipients]
        verdicts = transaction.message(MemoryMessage((b"From: a@b\r\n\r\nx\r\n",)))
        by = {str(to): each.action for each in verdicts for to in each.recipients}
        return [reply and reply.code for reply in replies], [by.get(str(to)) for to in recipients]

    def test_held(self):
        """
        A trap's copy is held or discarded, others' are judged with it.
        """
        self.assertEqual(self.judge(OLD), ([None], [Action.QUARANTINE]))
        self.assertEqual(self.judge(OLD, action="discard"), ([None], [Action.DISCARD]))
        held = Action.QUARANTINE
        self.assertEqual(self.judge(OLD, ADA), ([None] * 2, [held, held]))
        self.assertEqual(
            self.judge(ADA, OLD, action="discard"), ([None] * 2, [held, Action.DISCARD])
        )

    def test_never_refused(self):
        """
        Whatever is found, a trap is neither refused nor deferred; people are as ever.
        """
        held = Action.QUARANTINE
        for helo in ("score", "enforce"):
            self.assertEqual(
                self.judge(OLD, ADA, heavy=True, helo=helo), ([None, 550], [held, None])
            )
        self.assertEqual(self.judge(OLD, heavy=True, action="discard"), ([None], [Action.DISCARD]))

    def test_not_enforced(self):
        """
        Where traps only count, or are only watched, a trap that exists is judged like anybody.
        """
        self.assertEqual(self.judge(OLD, heavy=True, mode="score"), ([550], [None]))
        self.assertEqual(self.judge(OLD, mode="score"), ([None], [Action.QUARANTINE]))
        self.assertEqual(self.judge(OLD, mode="observe"), ([None], [Action.ACCEPT]))

    def test_actions(self):
        """
        A trap that would refuse is a mistake in the configuration.
        """
        for action in ("tag", "defer", "reject"):
            error = self.assertRaises(ValueError, settings, traps={"action": action})
            self.assertIn("never refused", str(error))
        self.assertIs(Check().action, EnforcedAction.REJECT)
