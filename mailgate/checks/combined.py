"""
One score of what a message says: the classifier's, and what other checks of content have found.

Both speak of the same evidence, so they are not simply added up. How the figures were found is told
in docs/checks/bayes.rst; C{bench/accuracy.py} measures them.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp
from typing import TYPE_CHECKING

from attrs import frozen

from mailgate.classify.model import Judgement
from mailgate.config.checks import BayesCheck as Section

if TYPE_CHECKING:
    from mailgate.pipeline.view import View

CONTENT = ("rules", "phishing", "links", "html", "fuzzy")
"""The checks of content."""

WEIGHED = frozenset({"LINK_ADDRESS", "LINK_FOREIGN", "LINK_SHORTENER"})
"""
Findings of what is a signal of the classifier, too. Where it knows the mail of this place, it has
weighed them, and they count once.
"""

CERTAIN_LOGIT = 5.0
"""From here on what was learned leaves no doubt: 150 to 1."""

_TAG_LOGIT, _TAG_SCORE = 3.0, 5.0
_HOLD_LOGIT, _HOLD_SCORE = 4.0, 8.0
_SLOPE = (_HOLD_SCORE - _TAG_SCORE) / (_HOLD_LOGIT - _TAG_LOGIT)
_BENT = 0.8
"""From what part of the highest score on the line is bent."""

_STRANGE, _KNOWN = 0.4, 0.7
"""Coverage up to which a kind of mail was never learned, and from which it is known well."""

_OF_STRANGE = 0.65
"""The part of the highest score that mail of a strange kind can have."""


@frozen
class Others:
    """
    What other checks have found in the content.
    """

    counts: float = 0.0
    """The sum of their scores, without what follows."""

    weighed: float = 0.0
    """The sum of the scores of L{WEIGHED}."""

    @classmethod
    def of(cls, view: View, checks: Iterable[str]) -> Others:
        """
        Add up what checks have found.
        """
        counts = weighed = 0.0
        for name in checks:
            for finding in view.findings_of(name):
                if finding.symbol in WEIGHED:
                    weighed += finding.score
                else:
                    counts += finding.score
        return cls(counts, weighed)


NOBODY = Others()
"""No other check has found anything."""


def score_of(judgement: Judgement, section: Section, others: Others = NOBODY) -> float:
    """
    Give the score of a judgement, rounded to a hundredth.

    Where something was learned it is what is left to it of the score of all content together, and
    never speaks for the other side.
    """
    if not judgement.is_trained:
        return round(max(0.0, min(_line(judgement.logit), section.untrained_score)), 2)
    alone = _upper(judgement.logit, judgement.coverage, section)
    together = _lower(alone + others.counts, section)
    score = round(together - others.counts - others.weighed, 2)
    return max(0.0, score) if alone > 0 else min(0.0, score)


def score_at(logit: float, section: Section) -> float:
    """
    Give the score of a logit where nothing else was found, and mail of its kind is well known.
    """
    return round(_lower(_upper(logit, 1.0, section), section), 2)


def _upper(logit: float, coverage: float, section: Section) -> float:
    """
    Follow a line up to where it nears the highest score, without reaching it: of two messages that
    are both sure to be spam the surer one has more still. That of mail of a kind that was never
    learned is not enough to hold it.
    """
    known = min(1.0, max(0.0, (coverage - _STRANGE) / (_KNOWN - _STRANGE)))
    highest = section.highest_score * (_OF_STRANGE + (1 - _OF_STRANGE) * known)
    score, knee = _line(logit), _BENT * highest
    return score if score <= knee else knee + _near(score - knee, highest - knee)


def _lower(score: float, section: Section) -> float:
    """
    Let a score below 0 near the lowest one. All content does so together, as what speaks against a
    message that is sure to be wanted changes little.
    """
    return score if score >= 0 else -_near(-score, -section.lowest_score)


def _line(logit: float) -> float:
    return _TAG_SCORE + _SLOPE * (logit - _TAG_LOGIT)


def _near(way: float, limit: float) -> float:
    """
    Begin as C{way} does, and come to C{limit} for ever.
    """
    return limit * (1 - exp(-way / limit)) if limit else 0.0
