"""
What the classifier says: by what was learned here, or by the make of the message alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import frozen
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailgate.checks.combined import CONTENT, NOBODY, Others, score_of
from mailgate.checks.words import quote, times
from mailgate.classify.classifier import Classifier
from mailgate.classify.model import Judgement, TokenSeen
from mailgate.config.checks import BayesCheck as Section
from mailgate.config.checks import CheckMode
from mailgate.config.model import Settings
from mailgate.finding import Finding
from mailgate.interfaces import ICheck, MaybeDeferred, Phase, Scope

if TYPE_CHECKING:
    from mailgate.pipeline.view import View

_COUNTING = (CheckMode.SCORE, CheckMode.ENFORCE)
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
    beside: Sequence[str]
    """The checks of content that count, too."""

    deadline: float

    name = "bayes"
    phase = Phase.BODY
    scope = Scope.TRANSACTION
    after = CONTENT
    needs = ("content", "seen")
    symbols = frozenset({"BAYES_STRUCTURE", "BAYES_SPAM", "BAYES_HAM"})

    @classmethod
    def from_settings(cls, settings: Settings, classifier: Classifier) -> BayesCheck:
        """
        Make the check of a configuration.

        @param classifier: what was learned.
        """
        checks = settings.checks
        counting = [name for name in CONTENT if getattr(checks, name).mode in _COUNTING]
        return cls(checks.bayes, classifier, counting, checks.bayes.deadline)

    def check(self, view: View) -> MaybeDeferred[Sequence[Finding]]:
        """
        Give one finding, or none where nothing speaks for or against the message.
        """
        others = Others.of(view, self.beside)
        judging = self.classifier.judge(view.fact("content").parsed)
        if isinstance(judging, Deferred):
            return judging.addCallback(self.findings, others)
        return self.findings(judging, others)

    def findings(self, judgement: Judgement, others: Others = NOBODY) -> Sequence[Finding]:
        """
        Put a judgement into words.

        @param others: what other checks have found in the content.
        """
        score = score_of(judgement, self.section, others)
        if score == 0:
            return ()
        if not judgement.is_trained:
            symbol, words = "BAYES_STRUCTURE", _untrained(judgement)
        elif score > 0:
            symbol, words = "BAYES_SPAM", _spam(judgement)
        else:
            symbol, words = "BAYES_HAM", _ham(judgement)
        return (Finding(symbol, score, words, check=self.name),)


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
