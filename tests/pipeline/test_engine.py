"""
Tests of the judges: what runs when, for whom, and what is decided.
"""

from ipaddress import ip_network
from weakref import ref

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailgate.config.checks import CheckMode, EnforcedAction, OnError
from mailgate.config.model import GatewayMode
from mailgate.interfaces import IPipeline, ISessionJudge, ITransactionJudge, Phase, Scope
from mailgate.message.hops import Trust
from mailgate.pipeline.relays import NO_RELAYS, Relays
from mailgate.verdict import Action
from mailgate.wire.address import Address
from tests.pipeline.events import events
from tests.pipeline.harness import (
    ADA,
    BOB,
    ENVELOPE,
    MESSAGE,
    NOW,
    POSTMASTER,
    SESSION,
    ScriptedCheck,
    ScriptedExtractor,
    court,
    found,
    pending,
    rule,
)

ENFORCE = rule(CheckMode.ENFORCE)


def in_session(name, answer, phase=Phase.HELO, **options):
    """
    Give a check of the session.
    """
    return ScriptedCheck(name, answer, phase, Scope.SESSION, **options)


def of_recipient(name, answer, phase=Phase.RCPT, **options):
    """
    Give a check that runs once for each owner.
    """
    return ScriptedCheck(name, answer, phase, Scope.RECIPIENT, **options)


class ContractTests(SynchronousTestCase):
    """
    Tests of the interfaces.
    """

    def test_provided(self):
        """
        The pipeline and its judges are what they say.
        """
        here = court()
        session = here.session()
        verifyObject(IPipeline, here.pipeline)
        verifyObject(ISessionJudge, session)
        verifyObject(ITransactionJudge, session.begin(ENVELOPE))


class ReadingTests(SynchronousTestCase):
    """
    Tests of bodies that are read as they arrive.
    """

    def test_nobody(self):
        """
        Where no check asks for it, nothing has to look for the body.
        """
        self.assertIsNone(court().transaction().reading)

    def test_who(self):
        """
        What begins to read knows the session, and whether its client is a relay.
        """
        asked = []
        pipeline = evolve(court().pipeline, reading=lambda *known: asked.append(known))
        for relays in (NO_RELAYS, Relays(Trust((ip_network(SESSION.client),)), False)):
            judge = evolve(pipeline, relays=relays).open(SESSION).begin(ENVELOPE)
            judge.reading(b"From: a\r\n\r\n")
        section = b"From: a\r\n\r\n"
        self.assertEqual(asked, [(SESSION, False, section), (SESSION, True, section)])


class SessionTests(SynchronousTestCase):
    """
    Tests of what is found before MAIL.
    """

    def test_nothing_found(self):
        """
        Without a finding everything is accepted.
        """
        session = court().pipeline.open(SESSION)
        for verdict in (session.connected(), session.greeted(SESSION)):
            self.assertEqual(
                (verdict.action, verdict.total, verdict.findings), (Action.ACCEPT, 0, ())
            )

    def test_kept_for_all_transactions(self):
        """
        What was found about the session counts for each of its transactions.
        """
        here = court(in_session("connect", found(2), Phase.CONNECT), in_session("helo", found(3)))
        session = here.session()
        for _ in range(2):
            judge = session.begin(ENVELOPE)
            self.assertEqual(judge.mail().total, 5)
            judge.rcpt(ADA)
            (verdict,) = judge.message(MESSAGE)
            self.assertEqual((verdict.total, verdict.action), (5, Action.TAG))

    def test_renewed(self):
        """
        A new greeting replaces what was found at the old one, and nothing else.
        """
        here = court(
            in_session("connect", found(2), Phase.CONNECT),
            in_session("helo", lambda view: found(3) if view.session.helo == "bad" else ()),
        )
        session = here.session()
        self.assertEqual(session.greeted(evolve(SESSION, helo="bad")).total, 5)
        self.assertEqual(session.begin(ENVELOPE).mail().total, 5)
        self.assertEqual(session.greeted(SESSION).total, 2)
        self.assertEqual(session.begin(ENVELOPE).mail().total, 2)

    def test_session_of_the_greeting(self):
        """
        A check sees the session as it is at the greeting.
        """
        check = in_session("helo", ())
        here = court(check)
        session = here.session()
        session.greeted(evolve(SESSION, tls="TLSv1.3"))
        self.assertEqual([view.session.tls for view in check.views], ["", "TLSv1.3"])
        self.assertEqual({view.now for view in check.views}, {NOW})

    def test_total_does_not_refuse(self):
        """
        Before RCPT no total refuses anything, for it may be postmaster who is written to.
        """
        here = court(in_session("helo", found(99)))
        session = here.pipeline.open(SESSION)
        self.assertEqual(session.greeted(SESSION).action, Action.ACCEPT)
        self.assertEqual(session.begin(ENVELOPE).mail().action, Action.ACCEPT)

    def test_enforced(self):
        """
        What a check enforces is done at its phase, and the reply ends with the session's id.
        """
        here = court(
            in_session("connect", found(1), Phase.CONNECT, rule=ENFORCE),
        )
        session = here.pipeline.open(SESSION)
        self.assertEqual(
            str(session.connected().reply),
            "554 5.7.1 connection refused by policy here (0000-0000-0000)",
        )

    def test_waits(self):
        """
        A check of the session that waits delays the answer, up to its deadline.
        """
        here = court(in_session("helo", pending(), deadline=3))
        session = here.pipeline.open(SESSION)
        waiting = session.greeted(SESSION)
        here.clock.advance(3)
        self.assertEqual(len(self.successResultOf(waiting).findings), 1)

    def test_close(self):
        """
        To close the session cancels what runs, and is no error.
        """
        slow = pending()
        session = court(in_session("helo", slow)).pipeline.open(SESSION)
        with events() as told:
            waiting = session.greeted(SESSION)
            session.close()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual((len(slow.cancels), told), (1, []))


class RecipientTests(SynchronousTestCase):
    """
    Tests of RCPT.
    """

    def test_at_reject(self):
        """
        A total at the threshold refuses the recipient, who takes no further part.
        """
        here = court(
            ScriptedCheck("mail", found(14), Phase.MAIL),
            of_recipient("rcpt", lambda view: found(1 if view.recipient == ADA else 0.9)),
        )
        judge = here.transaction(BOB)
        verdict = judge.rcpt(ADA)
        self.assertEqual((verdict.action, verdict.recipients), (Action.REJECT, (ADA,)))
        self.assertEqual(
            str(verdict.reply), "550 5.7.1 recipient refused by policy here (7q4m-x2vd-90kt)"
        )
        (verdict,) = judge.message(MESSAGE)
        self.assertEqual((verdict.action, verdict.recipients), (Action.QUARANTINE, (BOB,)))

    def test_once_for_each_owner(self):
        """
        A check of recipients runs once for each owner, whose domain may be in any case.
        """
        check = of_recipient("rcpt", found(1))
        later = of_recipient("later", found(2), Phase.HEADERS)
        other = Address("ada", "EXAMPLE.com")
        (verdict,) = court(check, later).transaction(ADA, BOB, other).message(MESSAGE)
        self.assertEqual([view.recipient for view in check.views], [ADA, BOB])
        self.assertEqual([view.recipient for view in later.views], [ADA, BOB])
        self.assertEqual(verdict.recipients, (ADA, BOB, other))
        self.assertEqual(verdict.total, 3)

    def test_sees_its_own(self):
        """
        A check of recipients reads what was found for its own one.
        """
        seen = {}

        def read(view):
            seen[view.recipient] = [finding.score for finding in view.findings_of("rcpt")]
            return ()

        here = court(
            of_recipient("rcpt", lambda view: found(1 if view.recipient == ADA else 2)),
            of_recipient("later", read, Phase.HEADERS, needs=("rcpt",)),
        )
        here.transaction(ADA, BOB).message(MESSAGE)
        self.assertEqual(seen, {ADA: [1], BOB: [2]})

    def test_sees_the_first(self):
        """
        A check of the whole message reads what was found for the first recipient.
        """
        seen = []

        def read(view):
            seen.extend(finding.score for finding in view.findings_of("rcpt"))
            return ()

        here = court(
            of_recipient("rcpt", lambda view: found(1 if view.recipient == ADA else 2)),
            ScriptedCheck("later", read, Phase.HEADERS, after=("rcpt",)),
        )
        here.transaction(ADA, BOB).message(MESSAGE)
        self.assertEqual(seen, [1])

    def test_twice(self):
        """
        A recipient who is named twice is judged and kept once.
        """
        (verdict,) = court().transaction(ADA, BOB, ADA).message(MESSAGE)
        self.assertEqual(verdict.recipients, (ADA, BOB))

    def test_greylisting(self):
        """
        A check that enforces a deferral defers at RCPT.
        """
        grey = of_recipient(
            "grey",
            found(1, public="greylisted, try again in 5 minutes"),
            rule=rule(CheckMode.ENFORCE, action=EnforcedAction.DEFER),
        )
        judge = court(grey).transaction(POSTMASTER)
        verdict = judge.rcpt(ADA)
        self.assertEqual(
            str(verdict.reply), "451 4.7.1 greylisted, try again in 5 minutes (7q4m-x2vd-90kt)"
        )
        (verdict,) = judge.message(MESSAGE)
        self.assertEqual((verdict.action, verdict.recipients), (Action.ACCEPT, (POSTMASTER,)))


class MessageTests(SynchronousTestCase):
    """
    Tests of the verdicts on a message.
    """

    def test_thresholds(self):
        """
        The total decides: accept, tag, quarantine, reject.
        """
        for score, action in (
            (4.9, Action.ACCEPT),
            (5, Action.TAG),
            (7.9, Action.TAG),
            (8, Action.QUARANTINE),
            (14.9, Action.QUARANTINE),
            (15, Action.REJECT),
        ):
            (verdict,) = court(ScriptedCheck("a", found(score))).transaction().message(MESSAGE)
            self.assertEqual((verdict.action, verdict.total), (action, score))
            self.assertEqual(verdict.reply is not None, action is Action.REJECT)

    def test_groups(self):
        """
        Recipients with the same verdict are one group; all stand in RCPT order.
        """
        carol = Address("carol", "example.com")
        here = court(
            of_recipient("a", lambda view: found(9 if view.recipient == BOB else 1), Phase.END)
        )
        verdicts = here.transaction(ADA, BOB, carol).message(MESSAGE)
        self.assertEqual(
            [(verdict.action, verdict.recipients) for verdict in verdicts],
            [(Action.ACCEPT, (ADA, carol)), (Action.QUARANTINE, (BOB,))],
        )

    @given(
        st.lists(st.sampled_from([0, 1, 5, 8, 15]), min_size=1, max_size=6),
    )
    def test_everyone_once(self, scores):
        """
        Each accepted recipient is in exactly one group, with the total of the own findings.
        """
        addresses = [Address(f"r{number}", "example.com") for number in range(len(scores))]
        by_address = dict(zip(addresses, scores, strict=True))
        here = court(of_recipient("a", lambda view: found(by_address[view.recipient]), Phase.END))
        verdicts = here.transaction(*addresses).message(MESSAGE)
        judged = [
            (recipient, verdict.total) for verdict in verdicts for recipient in verdict.recipients
        ]
        self.assertEqual(sorted(judged, key=str), sorted(by_address.items(), key=str))
        self.assertEqual(len(verdicts), len({verdict.total for verdict in verdicts}))

    def test_postmaster(self):
        """
        What refuses all others is held for postmaster and abuse.
        """
        abuse = Address('"Abuse"', "example.com")
        here = court(ScriptedCheck("a", found(99)))
        verdicts = here.transaction(ADA, POSTMASTER, abuse, Address("Postmaster", "")).message(
            MESSAGE
        )
        self.assertEqual(
            [(verdict.action, len(verdict.recipients)) for verdict in verdicts],
            [(Action.REJECT, 1), (Action.QUARANTINE, 3)],
        )

    def test_refused_early(self):
        """
        Once all are refused nothing more runs.
        """
        later = ScriptedCheck("later", found(-20), Phase.BODY)
        judge = court(ScriptedCheck("a", found(15)), later).transaction()
        (verdict,) = judge.message(MESSAGE)
        self.assertEqual((verdict.action, later.views), (Action.REJECT, []))

    def test_stays_refused(self):
        """
        What a phase has refused stays refused, though others are judged further.
        """
        later = ScriptedCheck("later", found(-20), Phase.BODY)
        judge = court(ScriptedCheck("a", found(15)), later).transaction(ADA, POSTMASTER)
        refused, accepted = judge.message(MESSAGE)
        self.assertEqual((refused.action, refused.total), (Action.REJECT, 15))
        self.assertEqual((accepted.action, accepted.total), (Action.ACCEPT, -5))

    def test_not_yet_refused(self):
        """
        Below the threshold the next phase decides, also in favour of the message.
        """
        later = ScriptedCheck("later", found(-10), Phase.BODY)
        (verdict,) = court(ScriptedCheck("a", found(14)), later).transaction().message(MESSAGE)
        self.assertEqual((verdict.action, verdict.total), (Action.ACCEPT, 4))

    def test_phases_in_order(self):
        """
        Each phase begins when the one before it has ended, whichever of them waits.
        """
        slow, seen = Deferred(), []

        def see(view):
            seen.append(len(view.findings_of("a")))
            return ()

        here = court(
            ScriptedCheck("a", slow),
            ScriptedCheck("b", see, Phase.BODY, needs=("a",)),
            ScriptedCheck("c", see, Phase.END, needs=("a",)),
        )
        waiting = here.transaction().message(MESSAGE)
        self.assertEqual(seen, [])
        slow.callback(found(1))
        self.assertEqual(seen, [1, 1])
        self.assertEqual(self.successResultOf(waiting)[0].total, 1)

    def test_what_a_check_sees(self):
        """
        A check sees session, envelope, recipients and message, and the time.
        """
        check = ScriptedCheck("a")
        court(check).transaction(ADA, BOB).message(MESSAGE)
        (view,) = check.views
        self.assertEqual(
            (view.session, view.envelope, view.recipients, view.message, view.now),
            (SESSION, ENVELOPE, (ADA, BOB), MESSAGE, NOW),
        )

    def test_what_there_is_not(self):
        """
        What a phase does not have yet cannot be read by mistake.
        """
        check = in_session("a", ())
        court(check).session()
        (view,) = check.views
        for read in (
            lambda: view.envelope,
            lambda: view.message,
            lambda: view.recipient,
            lambda: view.fact("fields"),
        ):
            self.assertRaises(LookupError, read)
        self.assertEqual((view.recipients, view.findings_of("b")), ((), ()))

    def test_facts_are_let_go(self):
        """
        Once a message is judged nothing holds the facts of it, which may be as large as it is.
        """

        class Fact:
            """
            Something large.
            """

        check = ScriptedCheck("a", needs=("text",))
        extractor = ScriptedExtractor("text", lambda view: Fact())
        judge = court(check, extractors=[extractor]).transaction()
        seen = []
        check.answer = lambda view: seen.append(ref(view.fact("text"))) or ()
        judge.message(MESSAGE)
        self.assertIsNone(seen[0]())

    def test_on_error(self):
        """
        What follows when a check breaks is up to its settings.
        """
        for on_error, action in (
            (OnError.IGNORE, Action.ACCEPT),
            (OnError.DEFER, Action.DEFER),
            (OnError.QUARANTINE, Action.QUARANTINE),
        ):
            check = ScriptedCheck("a", pending(), rule=rule(on_error=on_error), deadline=1)
            here = court(check)
            waiting = here.transaction().message(MESSAGE)
            here.clock.advance(1)
            self.assertEqual(self.successResultOf(waiting)[0].action, action)


class ObserveTests(SynchronousTestCase):
    """
    Tests of watching.
    """

    def watch(self, *checks):
        """
        Judge a message while the gateway only watches.
        """
        here = court(*checks, mode=GatewayMode.OBSERVE)
        judge = here.session().begin(ENVELOPE)
        self.assertEqual(judge.mail().action, Action.ACCEPT)
        at_rcpt = judge.rcpt(ADA)
        self.assertEqual((at_rcpt.action, at_rcpt.reply), (Action.ACCEPT, None))
        (verdict,) = judge.message(MESSAGE)
        self.assertEqual((verdict.action, verdict.reply), (Action.ACCEPT, None))
        return verdict

    def test_nothing_is_done(self):
        """
        Whatever would be done is said, and not done.
        """
        for score, would in (
            (0, None),
            (5, Action.TAG),
            (8, Action.QUARANTINE),
            (15, Action.REJECT),
        ):
            verdict = self.watch(ScriptedCheck("a", found(score)))
            self.assertEqual((verdict.would, verdict.total), (would, score))

    def test_all_checks_run(self):
        """
        All phases run, to be seen; what an earlier one would have refused stays refused.
        """
        later = ScriptedCheck("later", found(-20), Phase.BODY)
        verdict = self.watch(ScriptedCheck("a", found(15)), later)
        self.assertEqual((verdict.would, verdict.total), (Action.REJECT, -5))

    def test_refused_at_rcpt(self):
        """
        A recipient whom RCPT would have refused would not have got the message.
        """
        verdict = self.watch(of_recipient("rcpt", found(15)), ScriptedCheck("later", found(-20)))
        self.assertEqual(verdict.would, Action.REJECT)

    def test_enforced(self):
        """
        What a check enforces is not done either.
        """
        for phase in (Phase.CONNECT, Phase.HELO):
            verdict = self.watch(in_session("a", found(1), phase, rule=ENFORCE))
            self.assertEqual(verdict.would, Action.REJECT)
