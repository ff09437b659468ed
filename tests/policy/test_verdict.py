"""
Tests of how findings become an action.
"""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailgate.config.checks import Check, CheckMode, EnforcedAction, OnError
from mailgate.config.model import GatewayMode, Settings
from mailgate.config.model import Policy as Thresholds
from mailgate.finding import Finding, Result
from mailgate.interfaces import IPolicy, Phase
from mailgate.policy.verdict import Policy, by_total, strongest, total_of
from mailgate.verdict import Action, Kind
from mailgate.wire.address import Address

TRACE = "7q4m-x2vd-90kt"
ADA = Address("ada", "example.com")
POSTMASTER = Address("postmaster", "example.com")
ENFORCED = {action: Check(mode=CheckMode.ENFORCE, action=action) for action in EnforcedAction}


def seen(check, *scores, public=""):
    """
    Give a result with a finding for each score.
    """
    return Result(
        check,
        tuple(Finding(f"SEEN_{n}", score, "Seen.", public) for n, score in enumerate(scores)),
    )


def failed(check):
    """
    Give the result of a check that broke.
    """
    return Result(check, (Finding("CHECK_FAILED", 0.0, "It broke."),), has_failed=True)


def judge(*results, phase=Phase.END, recipient=ADA, mode=GatewayMode.ACTIVE, **rules):
    """
    Judge these results by these rules for their checks.
    """
    known = {result.check: Check() for result in results} | rules
    return Policy(Thresholds(), known, mode).judge(phase, results, TRACE, recipient)


class TotalTests(SynchronousTestCase):
    """
    Tests of the total and its thresholds.
    """

    @given(
        st.lists(st.integers(-200, 200).map(lambda tenths: tenths / 10), max_size=8),
        st.randoms(),
    )
    def test_sum(self, scores, random):
        """
        The total is the sum of the scores, in any order, without noise behind the comma.
        """
        findings = [Finding("A", score, "Seen.") for score in scores]
        total = total_of(findings)
        self.assertEqual(round(total * 10), round(sum(round(score * 10) for score in scores)))
        self.assertEqual(total, round(total, 1))
        random.shuffle(findings)
        self.assertEqual(total_of(findings), total)

    def test_noise(self):
        """
        Scores that a person adds up to the threshold reach it.
        """
        for scores in permutations((0.1, 0.1, 4.8)):
            self.assertEqual(judge(seen("a", *scores)).action, Action.TAG)

    @given(st.floats(-50, 50), st.floats(-50, 50), st.booleans())
    def test_more_is_never_better(self, one, other, spare):
        """
        A greater total never brings a milder action.
        """
        less, more = (by_total(total, Thresholds(), spare) for total in sorted((one, other)))
        self.assertEqual(strongest((less, more)), more)

    def test_everything_counts(self):
        """
        The verdict carries all findings, in their order.
        """
        verdict = judge(seen("a", 1, -2), seen("b", 3))
        self.assertEqual([finding.score for finding in verdict.findings], [1, -2, 3])
        self.assertEqual(verdict.total, 2)
        self.assertEqual(verdict.recipients, (ADA,))

    def test_from_settings(self):
        """
        The policy of a configuration has its thresholds, its mode and a rule for each check.
        """
        settings = Settings(
            hostname="mail.example.com",
            data="/srv/mailgate",
            mode="observe",
            listener=[{"address": "127.0.0.1:2525"}],
            route=[{"domains": ["example.com"], "upstream": "inbox"}],
            upstream={"inbox": {"kind": "maildir", "path": "/srv/inbox"}},
            policy={"tag": 1, "quarantine": 2, "reject": 3},
            checks={"helo": {"mode": "enforce", "action": "tag"}},
        )
        policy = Policy.from_settings(settings)
        verifyObject(IPolicy, policy)
        verdict = policy.judge(Phase.END, [seen("helo", 0.5), seen("headers", 0.6)], TRACE, ADA)
        self.assertEqual((verdict.action, verdict.would), (Action.ACCEPT, Action.TAG))


class ModeTests(SynchronousTestCase):
    """
    Tests of how far a check may go.
    """

    def test_observe(self):
        """
        What an observed check finds stands in the trace and counts nothing.
        """
        verdict = judge(seen("a", 20, public="bad"), seen("b", 1), a=Check(mode="observe"))
        self.assertEqual((verdict.action, verdict.total), (Action.ACCEPT, 1))
        self.assertEqual([finding.score for finding in verdict.findings], [0, 1])
        self.assertEqual(verdict.findings[0].detail, "Seen. (Only observed; it would count 20.)")

    def test_observed_is_not_named(self):
        """
        A refusal does not name what did not count.
        """
        verdict = judge(
            seen("a", 20, public="bad name"),
            seen("b", 20, public="no date"),
            a=Check(mode="observe"),
        )
        self.assertEqual(str(verdict.reply), f"550 5.7.1 no date ({TRACE})")

    def test_observed_failure(self):
        """
        An observed check that breaks brings about nothing.
        """
        rule = Check(mode="observe", on_error=OnError.DEFER)
        self.assertEqual(judge(failed("a"), a=rule).action, Action.ACCEPT)

    def test_enforce(self):
        """
        A check that enforces brings about its action, however small its score.
        """
        for action, rule in ENFORCED.items():
            verdict = judge(seen("a", 0.1), a=rule)
            self.assertEqual(verdict.action, Action(action.value))
            self.assertEqual(verdict.total, 0.1)

    def test_enforce_nothing(self):
        """
        A finding that does not speak against the message enforces nothing.
        """
        for score in (0, -1):
            verdict = judge(seen("a", score), a=ENFORCED[EnforcedAction.REJECT])
            self.assertEqual(verdict.action, Action.ACCEPT)

    def test_enforce_what_only_counts(self):
        """
        Nor does one that only counts.
        """
        only = Result("a", (Finding("SEEN", 5, "Seen.", is_enforced=False),))
        verdict = judge(only, a=ENFORCED[EnforcedAction.REJECT])
        self.assertEqual((verdict.action, verdict.total), (Action.TAG, 5))
        both = Result("a", (*only.findings, Finding("TOO", 1, "Seen.")))
        verdict = judge(both, a=ENFORCED[EnforcedAction.REJECT])
        self.assertEqual(verdict.action, Action.REJECT)

    def test_enforce_despite_the_total(self):
        """
        What is enforced is done whatever speaks for the message.
        """
        verdict = judge(seen("a", 8), seen("b", -100), a=ENFORCED[EnforcedAction.QUARANTINE])
        self.assertEqual((verdict.action, verdict.kind), (Action.QUARANTINE, Kind.POLICY))

    def test_enforce_at_its_phase(self):
        """
        To refuse and to defer need not wait for the end; the rest does.
        """
        for action, rule in ENFORCED.items():
            verdict = judge(seen("a", 1), phase=Phase.HELO, recipient=None, a=rule)
            at_once = action in (EnforcedAction.REJECT, EnforcedAction.DEFER)
            self.assertEqual(verdict.action is not Action.ACCEPT, at_once)
            self.assertEqual(verdict.recipients, ())

    def test_early_total(self):
        """
        The total refuses from the first RCPT on, and tags and holds at the end.
        """
        for phase in Phase:
            recipient = ADA if phase >= Phase.RCPT else None
            refused = judge(seen("a", 15), phase=phase, recipient=recipient)
            self.assertEqual(refused.action is Action.REJECT, phase >= Phase.RCPT)
            held = judge(seen("a", 9), phase=phase, recipient=recipient)
            self.assertEqual(held.action is Action.QUARANTINE, phase is Phase.END)

    def test_strongest(self):
        """
        Of several actions the one that is hardest to regret wins.
        """
        order = [
            Action.ACCEPT,
            Action.TAG,
            Action.QUARANTINE,
            Action.DEFER,
            Action.DISCARD,
            Action.REJECT,
        ]
        for number, action in enumerate(order):
            self.assertEqual(strongest(reversed(order[: number + 1])), action)
        self.assertEqual(strongest(()), Action.ACCEPT)

    def test_gateway_observes(self):
        """
        Where the gateway only watches it accepts, and says what it would have done.
        """
        verdict = judge(seen("a", 15), failed("b"), mode=GatewayMode.OBSERVE)
        self.assertEqual(
            (verdict.action, verdict.reply, verdict.would), (Action.ACCEPT, None, Action.REJECT)
        )
        self.assertIsNone(judge(seen("a", 1), mode=GatewayMode.OBSERVE).would)


class ProtectedTests(SynchronousTestCase):
    """
    Tests of postmaster and abuse.
    """

    def test_own_addresses(self):
        """
        What is sent to an address of the gateway's own is taken whatever it is.
        """
        ours = Address("spam", "report.example.com", is_command=True)
        for phase in (Phase.RCPT, Phase.END):
            verdict = judge(seen("a", 99), phase=phase, recipient=ours)
            self.assertEqual((verdict.action, verdict.findings), (Action.ACCEPT, ()))

    def test_by_score(self):
        """
        A total tags or holds for them, and never refuses.
        """
        for score, action in ((5, Action.TAG), (8, Action.QUARANTINE), (99, Action.QUARANTINE)):
            verdict = judge(seen("a", score), recipient=POSTMASTER)
            self.assertEqual((verdict.action, verdict.kind), (action, Kind.SPAM))
        at_rcpt = judge(seen("a", 99), phase=Phase.RCPT, recipient=POSTMASTER)
        self.assertEqual(at_rcpt.action, Action.ACCEPT)

    def test_enforced(self):
        """
        What a check enforces holds for them at most; a greylist is not for them.
        """
        expected = {
            EnforcedAction.TAG: Action.TAG,
            EnforcedAction.DEFER: Action.ACCEPT,
            EnforcedAction.QUARANTINE: Action.QUARANTINE,
            EnforcedAction.REJECT: Action.QUARANTINE,
            EnforcedAction.DISCARD: Action.QUARANTINE,
        }
        for action, rule in ENFORCED.items():
            verdict = judge(seen("a", 1), recipient=POSTMASTER, a=rule)
            self.assertEqual(verdict.action, expected[action])

    def test_our_own_trouble(self):
        """
        Where a check broke they are deferred like all others.
        """
        verdict = judge(failed("a"), recipient=POSTMASTER, a=Check(on_error=OnError.DEFER))
        self.assertEqual(verdict.action, Action.DEFER)


class KindTests(SynchronousTestCase):
    """
    Tests of why something is held.
    """

    def test_kinds(self):
        """
        By its score it is spam, by a check's order policy, and where a check broke it is
        unscannable, whatever else it is.
        """
        hold, on_error = ENFORCED[EnforcedAction.QUARANTINE], Check(on_error=OnError.QUARANTINE)
        for results, kind in (
            ([seen("s", 9)], Kind.SPAM),
            ([seen("p", 1)], Kind.POLICY),
            ([seen("s", 9), seen("p", 1)], Kind.POLICY),
            ([failed("u")], Kind.UNSCANNABLE),
            ([failed("u"), seen("s", 9), seen("p", 1)], Kind.UNSCANNABLE),
        ):
            verdict = judge(*results, p=hold, u=on_error)
            self.assertEqual((verdict.action, verdict.kind), (Action.QUARANTINE, kind))

    def test_kind_of_a_finding(self):
        """
        A finding may say as what it is held: where its check enforces, and where it weighs most.
        """
        hold = ENFORCED[EnforcedAction.QUARANTINE]

        def of(check, *findings):
            return Result(
                check, tuple(Finding("SEEN", score, "Seen.", kind=kind) for score, kind in findings)
            )

        for results, kind in (
            ([of("p", (1, Kind.UNSCANNABLE))], Kind.UNSCANNABLE),
            ([of("p", (1, Kind.MALWARE), (2, Kind.SPOOF))], Kind.MALWARE),
            ([of("p", (1, None), (-1, Kind.MALWARE))], Kind.POLICY),
            ([of("s", (8, Kind.PHISHING))], Kind.PHISHING),
            ([of("s", (4, Kind.POLICY)), seen("t", 5)], Kind.SPAM),
            ([of("s", (5, Kind.POLICY)), seen("t", 4)], Kind.POLICY),
        ):
            verdict = judge(*results, p=hold)
            self.assertEqual((verdict.action, verdict.kind), (Action.QUARANTINE, kind))

    def test_defer_goes_before_hold(self):
        """
        Where the next try may tell more, nothing is held now.
        """
        verdict = judge(seen("s", 9), failed("u"), u=Check(on_error=OnError.DEFER))
        self.assertEqual(verdict.action, Action.DEFER)


class ReplyTests(SynchronousTestCase):
    """
    Tests of what the client is told.
    """

    def reply(self, *results, **options):
        """
        Give the reply in words.
        """
        return str(judge(*results, **options).reply)

    def test_neutral(self):
        """
        Where nothing may be told the reply says only that it was the policy, and where.
        """
        reject = ENFORCED[EnforcedAction.REJECT]
        for phase, reply in (
            (Phase.CONNECT, f"554 5.7.1 connection refused by policy here ({TRACE})"),
            (Phase.HELO, f"550 5.7.1 client refused by policy here ({TRACE})"),
            (Phase.MAIL, f"550 5.7.1 sender refused by policy here ({TRACE})"),
            (Phase.RCPT, f"550 5.7.1 recipient refused by policy here ({TRACE})"),
            (Phase.HEADERS, f"550 5.7.1 message refused by policy here ({TRACE})"),
            (Phase.END, f"550 5.7.1 message refused by policy here ({TRACE})"),
        ):
            self.assertEqual(self.reply(seen("a", 1), phase=phase, a=reject), reply)

    def test_deferral(self):
        """
        A deferral says nothing of what was found; at the connection it is a 421.
        """
        rule = Check(on_error=OnError.DEFER)
        results = [failed("a"), seen("b", 1, public="the Date header field is missing")]
        text = f"4.7.1 this cannot be decided now, try again later ({TRACE})"
        self.assertEqual(self.reply(*results, a=rule), f"451 {text}")
        self.assertEqual(self.reply(*results, phase=Phase.CONNECT, a=rule), f"421 {text}")

    def test_public(self):
        """
        What may be told is told, each once; what speaks for the message is not.
        """
        self.assertEqual(
            self.reply(
                seen("a", 4, 4, public="no From"),
                seen("b", 9, public="no Date"),
                seen("c", 5),
                seen("d", -1, public="good"),
            ),
            f"550 5.7.1 no From; no Date ({TRACE})",
        )

    @given(
        st.lists(
            st.one_of(st.text(), st.integers(0, 600).map(lambda length: "x" * length)),
            min_size=1,
            max_size=4,
        )
    )
    def test_bounded(self, texts):
        """
        Whatever a check wants to be told, the reply is one line of at most 512 bytes that
        ends with the trace id.
        """
        verdict = judge(*(seen(f"c{n}", 20, public=text) for n, text in enumerate(texts)))
        wire = verdict.reply.encode()
        self.assertLessEqual(len(wire), 512)
        self.assertTrue(wire.endswith(f" ({TRACE})\r\n".encode()))
        self.assertEqual(wire.count(b"\n"), 1)

    def test_only_then(self):
        """
        There is a reply if and only if the client is refused or deferred.
        """
        for action, rule in ENFORCED.items():
            verdict = judge(seen("a", 1), a=rule)
            told = action in (EnforcedAction.REJECT, EnforcedAction.DEFER)
            self.assertEqual(verdict.reply is not None, told)


class FactTests(SynchronousTestCase):
    """
    Tests of what a verdict holds of findings.
    """

    def test_no_facts(self):
        """
        The values that checks give each other are not in a verdict, whatever the mode; what is
        authenticated is.
        """
        finding = Finding("SEEN", 1.0, "Seen.", authentication="\tspf=fail", fact=object())
        for mode in (CheckMode.OBSERVE, CheckMode.SCORE, CheckMode.ENFORCE):
            verdict = judge(Result("a", (finding,)), a=Check(mode=mode))
            (kept,) = verdict.findings
            self.assertEqual((kept.authentication, kept.fact), ("\tspf=fail", None))
