"""
From findings to an action: what the checks have seen, weighed by how the operator set them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import fsum

from attrs import evolve, frozen
from zope.interface import implementer

from mailgate.config.checks import Check, CheckMode, EnforcedAction, OnError
from mailgate.config.model import GatewayMode, Settings
from mailgate.config.model import Policy as Thresholds
from mailgate.finding import RELAY, SANDBOX, Finding, Result
from mailgate.interfaces import IPolicy, Phase
from mailgate.reply import Reply
from mailgate.verdict import Action, Kind, Verdict
from mailgate.wire.address import Address
from mailgate.wording import say

SANDBOX_RULE = Check(
    mode=CheckMode.ENFORCE, action=EnforcedAction.QUARANTINE, on_error=OnError.DEFER
)
"""
What is found of a message whose content cannot be judged even in the sandbox holds it; where there
is no sandbox for it, its sender shall come again.
"""

RELAY_RULE = Check(mode=CheckMode.SCORE)
"""What is said of a relay of ours is no evidence for or against the message."""

TRAPS = "traps"
"""The name of the check that finds mail to addresses that nobody uses."""

_STRENGTH = (
    Action.ACCEPT,
    Action.TAG,
    Action.QUARANTINE,
    Action.DEFER,
    Action.DISCARD,
    Action.REJECT,
)
"""
Of several actions the last one here is taken. To defer goes before to hold, since the next try
may find what is in doubt now; to reject goes before to discard, since it tells the sender.
"""

_DOUBT = (
    Kind.BULK,
    Kind.SPAM,
    Kind.POLICY,
    Kind.SPOOF,
    Kind.PHISHING,
    Kind.UNSCANNABLE,
    Kind.MALWARE,
)
"""Of several reasons to hold, the last one here is named: it asks for the most care."""

_REFUSED = {
    Phase.CONNECT: "connection refused by policy here",
    Phase.HELO: "client refused by policy here",
    Phase.MAIL: "sender refused by policy here",
    Phase.RCPT: "recipient refused by policy here",
}
_TEXT_LIMIT = 400
"""Characters of a reply, so that with code and id the line stays below 512 (RFC 5321)."""


@frozen
class _Wish:
    """
    An action for which there is a reason.
    """

    action: Action
    kind: Kind = Kind.SPAM
    reasons: tuple[str, ...] = ()
    """What a refused client may be told."""


@implementer(IPolicy)
@frozen
class Policy:
    """
    The thresholds, and how far each check may go.
    """

    thresholds: Thresholds
    rules: Mapping[str, Check]
    """The settings of each check, by its name."""

    mode: GatewayMode = GatewayMode.ACTIVE

    @classmethod
    def from_settings(cls, settings: Settings) -> Policy:
        """
        Make the policy of a configuration.
        """
        rules = {**dict(settings.checks), SANDBOX: SANDBOX_RULE, RELAY: RELAY_RULE}
        return cls(settings.policy, rules, settings.mode)

    def judge(
        self,
        phase: Phase,
        results: Sequence[Result],
        trace: str,
        recipient: Address | None,
        may_refuse: bool = True,
    ) -> Verdict:
        """
        Decide by what the checks have said so far.

        Before C{END} only a refusal or a deferral is decided; the rest is still C{accept}. The
        total counts from the first RCPT on.

        Nor is a trap ever refused where its check is enforced, so that it sees whatever is sent
        there.

        What is sent to an address of the gateway's own is taken whatever it is: it is there to be
        told of spam, and delivers it to nobody.

        @param may_refuse: where not, what would be refused is held.
        """
        if recipient is not None and recipient.is_command:
            return Verdict(Action.ACCEPT, (), 0.0, (recipient,))
        is_trap = recipient is not None and recipient.is_trap and self._springs
        spare = not may_refuse or is_trap or (recipient is not None and recipient.is_protected)
        seen: list[Finding] = []
        wishes: list[_Wish] = []
        for result in results:
            rule = self.rules[result.check]
            if rule.mode is CheckMode.OBSERVE:
                seen.extend(map(_observed, result.findings))
            else:
                seen.extend(result.findings)
                if result.has_failed or rule.mode is CheckMode.ENFORCE:
                    # What a trap wants is never a refusal, and is done.
                    is_its_own = is_trap and result.check == TRAPS
                    wishes.extend(_wishes(result, rule, spare and not is_its_own))
        total = total_of(seen)
        by_sum = by_total(total, self.thresholds, spare)
        if phase >= Phase.RCPT and by_sum is not Action.ACCEPT:
            reasons = tuple(f.public for f in seen if f.public and f.score > 0)
            wishes.append(_Wish(by_sum, _heaviest_kind(seen), reasons))
        if wishes and phase is not Phase.END:
            wishes = [wish for wish in wishes if wish.action in (Action.DEFER, Action.REJECT)]
        recipients = () if recipient is None else (recipient,)
        action = strongest([wish.action for wish in wishes]) if wishes else Action.ACCEPT
        if action is Action.ACCEPT and phase is not Phase.END:
            # Nothing is decided, so nothing of it is kept, and there are several of these.
            return Verdict(Action.ACCEPT, tuple(seen), total, recipients)
        findings = tuple([finding.without_fact() for finding in seen])
        if action is Action.ACCEPT or self.mode is GatewayMode.OBSERVE:
            would = None if action is Action.ACCEPT else action
            return Verdict(Action.ACCEPT, findings, total, recipients, would=would)
        decisive = [wish for wish in wishes if wish.action is action]
        return Verdict(
            action,
            findings,
            total,
            recipients,
            reply=_reply(action, phase, trace, decisive),
            kind=max((wish.kind for wish in decisive), key=_DOUBT.index),
        )

    @property
    def _springs(self) -> bool:
        """
        Tell whether mail to a trap is kept back, so that all of it can be taken.
        """
        rule = self.rules.get(TRAPS)
        return rule is not None and rule.mode is CheckMode.ENFORCE


def total_of(findings: Iterable[Finding]) -> float:
    """
    Add the scores up, free of the noise of binary fractions: 4.9 and 0.1 reach 5 in any order.
    """
    return round(fsum([finding.score for finding in findings]), 6)


def by_total(total: float, thresholds: Thresholds, spare: bool) -> Action:
    """
    Give the action that a total asks for.

    @param spare: never to refuse.
    """
    if total >= thresholds.reject and not spare:
        return Action.REJECT
    if total >= thresholds.quarantine:
        return Action.QUARANTINE
    if total >= thresholds.tag:
        return Action.TAG
    return Action.ACCEPT


def strongest(actions: Iterable[Action]) -> Action:
    """
    Give the one action that is taken where several are asked for, or C{accept} for none.
    """
    return max(actions, key=_STRENGTH.index, default=Action.ACCEPT)


def _heaviest_kind(findings: Iterable[Finding]) -> Kind:
    """
    Say as what a message is held by its total: as what the heaviest finding says, else as spam.
    """
    heaviest = max(findings, key=lambda finding: finding.score, default=None)
    return (heaviest and heaviest.score > 0 and heaviest.kind) or Kind.SPAM


def _observed(finding: Finding) -> Finding:
    """
    Give a finding as it counts where it is only observed: nothing.
    """
    if not finding.score:
        return finding
    words = say(
        "{finding} (Only observed; it would count {score}.)",
        finding=finding.words,
        score=finding.score,
    )
    return evolve(finding, score=0.0, words=words)


def _wishes(result: Result, rule: Check, spare: bool) -> Iterable[_Wish]:
    if result.has_failed and rule.on_error is not OnError.IGNORE:
        yield _Wish(Action(rule.on_error.value), Kind.UNSCANNABLE)
    if rule.mode is not CheckMode.ENFORCE:
        return
    against = [f for f in result.findings if f.score > 0 and f.is_enforced]
    if against:
        action = Action(rule.action.value)
        if spare and action is Action.DEFER:
            return
        if spare and action in (Action.REJECT, Action.DISCARD):
            action = Action.QUARANTINE
        reasons = tuple(finding.public for finding in against if finding.public)
        kind = max((finding.kind or Kind.POLICY for finding in against), key=_DOUBT.index)
        yield _Wish(action, kind, reasons)


def _reply(action: Action, phase: Phase, trace: str, decisive: Sequence[_Wish]) -> Reply | None:
    if action not in (Action.DEFER, Action.REJECT):
        return None
    reasons = dict.fromkeys(reason for wish in decisive for reason in wish.reasons)
    text = " ".join("; ".join(reasons).split())[:_TEXT_LIMIT]
    at_connect = phase is Phase.CONNECT
    if action is Action.DEFER:
        text = text or "this cannot be decided now, try again later"
        return Reply(421 if at_connect else 451, "4.7.1", f"{text} ({trace})")
    text = text or _REFUSED.get(phase, "message refused by policy here")
    return Reply(554 if at_connect else 550, "5.7.1", f"{text} ({trace})")
