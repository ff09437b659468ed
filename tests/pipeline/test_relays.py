"""
Tests of L{mailgate.pipeline.relays}, and of how the judges use it.
"""

from ipaddress import ip_network

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.checks import CheckMode, EnforcedAction
from mailgate.finding import RELAY
from mailgate.interfaces import Phase, Scope
from mailgate.message.hops import Trust
from mailgate.message.message import MemoryMessage
from mailgate.pipeline.relays import SYMBOL, Relays
from mailgate.policy.verdict import RELAY_RULE
from mailgate.verdict import Action
from tests.pipeline.harness import ADA, BOB, ENVELOPE, SESSION, ScriptedCheck, court, found, rule

RELAYED = MemoryMessage(
    (
        b"Received: from mail.example.net (unknown [203.0.113.9])\r\n"
        b" by relay.example.org with ESMTPS id x; Tue, 24 Nov 2026 10:00:00 +0000\r\n"
        b"From: sender@example.org\r\n\r\nHello\r\n",
    )
)
STRANGER = "8.8.4.4"
FROM_STRANGER = MemoryMessage((RELAYED.head(1000).replace(b"203.0.113.9", STRANGER.encode()),))
EARLY = (Phase.CONNECT, Phase.HELO, Phase.MAIL, Phase.RCPT)


def check(phase, answer=(), **options):
    """
    Make a check of a phase.
    """
    scope = {Phase.MAIL: Scope.TRANSACTION, Phase.RCPT: Scope.RECIPIENT}.get(phase, Scope.SESSION)
    if phase >= Phase.HEADERS:
        scope = Scope.TRANSACTION
    return ScriptedCheck(phase.name.lower(), answer, phase=phase, scope=scope, **options)


class RelayTests(SynchronousTestCase):
    """
    Mail that a relay of ours brings is judged by the stranger from whom it has it.
    """

    def judge(self, *checks, message=FROM_STRANGER, recipients=(ADA,), may_refuse=False):
        """
        Send a message from the relay, and give the verdicts before the message and on it.
        """
        made = court(*checks)
        made.pipeline.policy.rules[RELAY] = RELAY_RULE
        relays = Relays(Trust((ip_network(SESSION.client),)), may_refuse)
        judge = evolve(made.pipeline, relays=relays).open(SESSION)
        before = [judge.connected(), judge.greeted(SESSION)]
        transaction = self.transaction = judge.begin(ENVELOPE)
        self.assertEqual(transaction.origin, "")
        before += [transaction.mail(), *map(transaction.rcpt, recipients)]
        verdicts = transaction.message(message)
        if isinstance(verdicts, Deferred):
            verdicts = self.successResultOf(verdicts)
        return before, verdicts

    def test_stranger(self):
        """
        All checks of client, HELO, sender and recipients run when the message is there, once, on
        the stranger.
        """
        checks = [check(phase, found(0.5, phase.name)) for phase in (*EARLY, Phase.HEADERS)]
        before, (verdict,) = self.judge(*checks, recipients=(ADA, BOB))
        self.assertEqual({each.findings for each in before}, {()})
        for each in checks:
            clients = [(view.session.client, view.session.helo) for view in each.views]
            number = 2 if each.phase is Phase.RCPT else 1
            self.assertEqual(clients, [(STRANGER, "mail.example.net")] * number, each.name)
            if each.phase >= Phase.MAIL:
                self.assertEqual(each.views[0].envelope.session.client, STRANGER)
        symbols = [finding.symbol for finding in verdict.findings]
        self.assertEqual(sorted(symbols), sorted([SYMBOL, *(p.name for p in EARLY), "HEADERS"]))
        told = next(f.detail for f in verdict.findings if f.symbol == SYMBOL)
        self.assertIn(f"{SESSION.client} has brought this message from {STRANGER}", told)
        self.assertIn("mail.example.net", told)
        self.assertEqual(self.transaction.origin, STRANGER)

    def test_nobody(self):
        """
        Where no stranger is named, nothing is asked of client and envelope, and the content is
        judged all the same.
        """
        checks = [check(phase, found(0.5)) for phase in (*EARLY, Phase.HEADERS)]
        message = MemoryMessage((b"From: sender@example.org\r\n\r\nHello\r\n",))
        _, (verdict,) = self.judge(*checks, message=message)
        self.assertEqual([len(each.views) for each in checks], [0, 0, 0, 0, 1])
        self.assertEqual(self.transaction.origin, "")
        self.assertIn("name no stranger", verdict.findings[0].detail)

    def test_private_stranger(self):
        """
        Addresses for documentation are none of the Internet, so that nobody comes from there.
        """
        _, (verdict,) = self.judge(check(Phase.CONNECT), message=RELAYED)
        self.assertIn("name no stranger", verdict.findings[0].detail)

    def test_held_instead_of_refused(self):
        """
        What would be refused is held, as the relay would send a notice to whoever was named as the
        sender; if wished it is refused.
        """
        refusing = rule(CheckMode.ENFORCE, action=EnforcedAction.REJECT)
        for may_refuse, expected in ((False, Action.QUARANTINE), (True, Action.REJECT)):
            listed = check(Phase.CONNECT, found(3), rule=refusing)
            _, (verdict,) = self.judge(listed, may_refuse=may_refuse)
            self.assertIs(verdict.action, expected)
            heavy = check(Phase.MAIL, found(100))
            _, (verdict,) = self.judge(heavy, may_refuse=may_refuse)
            self.assertIs(verdict.action, expected)

    def test_waits(self):
        """
        Checks of the client may have to wait here too.
        """
        waiting = Deferred()
        made = court(check(Phase.CONNECT, waiting))
        made.pipeline.policy.rules[RELAY] = RELAY_RULE
        relays = Relays(Trust((ip_network(SESSION.client),)), may_refuse=False)
        judge = evolve(made.pipeline, relays=relays).open(SESSION)
        transaction = judge.begin(ENVELOPE)
        transaction.rcpt(ADA)
        verdicts = transaction.message(FROM_STRANGER)
        self.assertNoResult(verdicts)
        waiting.callback(found(1, "LISTED"))
        (verdict,) = self.successResultOf(verdicts)
        self.assertEqual(verdict.total, 1)

    def test_who_is_a_relay(self):
        """
        A relay is who comes from its network and has not said that the mail is its own.
        """
        relays = Relays(Trust((ip_network("192.0.2.0/24"),)), may_refuse=False)
        self.assertTrue(relays.has(SESSION))
        self.assertTrue(relays.has(evolve(SESSION, client="::ffff:192.0.2.7", role="lmtp")))
        self.assertFalse(relays.has(evolve(SESSION, client="198.51.100.7")))
        self.assertFalse(relays.has(evolve(SESSION, role="internal")))
