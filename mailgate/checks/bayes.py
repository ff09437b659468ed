"""
What the classifier says: by what was learned here, or by the make of the message alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import TYPE_CHECKING

from attrs import frozen
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailgate.checks.words import quote, times
from mailgate.classify.classifier import Classifier
from mailgate.classify.model import Judgement, TokenSeen
from mailgate.config.checks import BayesCheck as Section
from mailgate.config.model import Settings
from mailgate.finding import Finding
from mailgate.interfaces import ICheck, MaybeDeferred, Phase, Scope

if TYPE_CHECKING:
    from mailgate.pipeline.view import View

_TAG_LOGIT, _TAG_SCORE = 3.0, 5.0
_HOLD_LOGIT, _HOLD_SCORE = 4.0, 8.0
_SLOPE = (_HOLD_SCORE - _TAG_SCORE) / (_HOLD_LOGIT - _TAG_LOGIT)

_BENT = 0.8
"""From what part of the highest score on the line is bent where that is below what is held."""

CERTAIN_LOGIT = 5.0
"""From here on what was learned leaves no doubt: 150 to 1."""

_SIGNALS = 5
_WORTH_TELLING = 0.2
"""Logit points below which a signal is not told."""


@implementer(ICheck)
@frozen(eq=False)
class BayesCheck:
    """
    How likely a message is spam, by its words and by how it is made.
    """

    section: Section
    classifier: Classifier
    deadline: float

    name = "bayes"
    phase = Phase.BODY
    scope = Scope.TRANSACTION
    after = ()
    needs = ("content", "seen")
    symbols = frozenset({"BAYES_STRUCTURE", "BAYES_SPAM", "BAYES_HAM"})

    @classmethod
    def from_settings(cls, settings: Settings, classifier: Classifier) -> BayesCheck:
        """
        Make the check of a configuration.

        @param classifier: what was learned.
        """
        section = settings.checks.bayes
        return cls(section, classifier, section.deadline)

    def check(self, view: View) -> MaybeDeferred[Sequence[Finding]]:
        """
        Give one finding, or none where nothing speaks for or against the message.
        """
        judging = self.classifier.judge(view.fact("content").parsed)
        if isinstance(judging, Deferred):
            return judging.addCallback(self.findings)
        return self.findings(judging)

    def findings(self, judgement: Judgement) -> Sequence[Finding]:
        """
        Put a judgement into words.
        """
        score = score_of(judgement, self.section)
        if score == 0:
            return ()
        if not judgement.is_trained:
            symbol, words = "BAYES_STRUCTURE", _untrained(judgement)
        elif score > 0:
            symbol, words = "BAYES_SPAM", _spam(judgement)
        else:
            symbol, words = "BAYES_HAM", _ham(judgement)
        return (Finding(symbol, score, words, check=self.name),)


def score_of(judgement: Judgement, section: Section) -> float:
    """
    Give the score of a judgement, rounded to a hundredth.
    """
    if judgement.is_trained:
        return score_at(judgement.logit, section)
    return round(max(0.0, min(_line(judgement.logit), section.untrained_score)), 2)


def score_at(logit: float, section: Section) -> float:
    """
    Give the score of what was learned here.

    It follows a line between 0 and the score of what is held, and beyond these nears its limits
    without reaching them: so of two messages that are both sure to be spam, or to be wanted, the
    surer one has more still.
    """
    score, highest, lowest = _line(logit), section.highest_score, section.lowest_score
    knee = min(_HOLD_SCORE, _BENT * highest)
    if score > knee:
        score = knee + _near(score - knee, highest - knee)
    elif score < 0:
        score = -_near(-score, -lowest)
    return round(score, 2)


def _line(logit: float) -> float:
    return _TAG_SCORE + _SLOPE * (logit - _TAG_LOGIT)


def _near(way: float, limit: float) -> float:
    """
    Begin as C{way} does, and come to C{limit} for ever.
    """
    return limit * (1 - exp(-way / limit)) if limit else 0.0


# -- in words -----------------------------------------------------------------------------


def _spam(judgement: Judgement) -> str:
    return (
        f"By what was learned here this is spam with a probability of {_percent(judgement)}."
        f"{_words('Seen mostly in spam', judgement.of_spam)}"
        f"{_structure('Structure', judgement, 1)}"
        f"{_words('But seen mostly in wanted mail', judgement.of_ham[:2])}"
    )


def _ham(judgement: Judgement) -> str:
    return (
        f"By what was learned here this is spam with a probability of {_percent(judgement)} only."
        f"{_words('Seen mostly in wanted mail', judgement.of_ham)}"
        f"{_structure('Structure', judgement, -1)}"
    )


def _untrained(judgement: Judgement) -> str:
    return (
        "Too little was learned here for words to count, but the make of the message is that of "
        f"spam.{_structure('Structure', judgement, 1)}"
    )


def _percent(judgement: Judgement) -> str:
    percent = 100 * judgement.probability
    if percent > 99.9:
        return "more than 99.9 %"
    return "less than 0.1 %" if percent < 0.1 else f"{percent:.1f} %"


def _words(title: str, seen: Sequence[TokenSeen]) -> str:
    if not seen:
        return ""
    told = ", ".join(
        f"{quote(t.name)} ({times(t.spam)} in spam, {times(t.ham)} in wanted)" for t in seen
    )
    return f" {title}: {told}."


def _structure(title: str, judgement: Judgement, sign: int) -> str:
    """
    Tell the signals that speak in one direction.
    """
    told = [
        f"{signal.words} ({worth:+.1f})"
        for signal, worth in judgement.signals
        if worth * sign >= _WORTH_TELLING
    ]
    return f" {title}: {'; '.join(told[:_SIGNALS])}." if told else ""
