"""
How likely a message is spam, by counts of its tokens and by its signals; and how that is learned.

Each group of tokens gives one number, the mean of what its tokens say. A logistic regression
weighs these few numbers and the signals; it begins with, and is pulled towards, weights that were
set by hand. It learns of a message by counts without it: weights that were fitted on counts that
hold the message itself would believe the counts too much.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from operator import mul, sub
from typing import Protocol

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from mailgate.classify.evidence import Evidence
from mailgate.classify.signals import INDEX, PRIORS, SIGNALS, Signal, vector
from mailgate.classify.tokens import GROUPS
from mailgate.classify.words import Keys

Counts = NDArray[np.int64]
Numbers = NDArray[np.float64]

SPAM_NEEDED = 60
"""How many messages of spam must have been learned before the tokens count."""

HAM_NEEDED = 120

MEANS = ("all", *GROUPS)
"""The means: over all tokens, and over those of each group."""

FEATURES = (*MEANS, *(signal.name for signal in SIGNALS), "constant")
"""What the regression weighs, by names that stay."""

_LEARNED_FROM = 5
"""How many messages of each class there must be before tokens say anything at all."""

_SMOOTHING = 0.05
_LEAST = 1.5
"""The least log-odds with which a token counts."""

_MOST_OF_HAM = 5.0
"""Logit points that tokens can speak for a message."""

_SHRINKING = 8.0
_SIGNALS = slice(len(MEANS), len(MEANS) + len(SIGNALS))


class ICounts(Protocol):
    """
    How often tokens were seen.
    """

    @property
    def spam(self) -> int:
        """
        Give how many messages were learned as spam.
        """

    @property
    def ham(self) -> int:
        """
        Give how many messages were learned as ham.
        """

    def look_up(self, keys: Keys) -> tuple[Counts, Counts]:
        """
        Give in how many messages of spam and of ham each of some keys was.
        """


@frozen(eq=False)
class Regression:
    """
    The weights.
    """

    weights: Numbers

    @classmethod
    def fresh(cls) -> Regression:
        """
        Give the weights that are right before anything was learned.
        """
        weights = np.zeros(len(FEATURES))
        weights[: len(MEANS)] = 3 / len(MEANS)
        weights[_SIGNALS] = PRIORS
        return cls(weights)

    def logit(self, means: Sequence[float], signals: Iterable[str], coverage: float) -> float:
        """
        Give the logit of a message.

        Mail of a kind that was never learned shares few pairs of words with what was: then the
        tokens that it does share say little, for ham least of all.
        """
        tokens = math.fsum(map(mul, self._of_means, means))
        rest = math.fsum([self._constant, *map(self._of_signals.__getitem__, signals)])
        limit = 1 + 12 * coverage**2
        return rest + max(-min(_MOST_OF_HAM, limit), min(limit, tokens))

    def worth(self, signal: str) -> float:
        """
        Give the weight of a signal.
        """
        return self._of_signals[signal]

    # For the few that a message needs, the numbers of Python are faster than an array.

    @cached_property
    def _of_means(self) -> Sequence[float]:
        weights: Sequence[float] = self.weights[: len(MEANS)].tolist()
        return weights

    @cached_property
    def _of_signals(self) -> Mapping[str, float]:
        return dict(zip(INDEX, self.weights[_SIGNALS].tolist(), strict=True))

    @cached_property
    def _constant(self) -> float:
        return float(self.weights[-1])


_UNTAUGHT = Regression.fresh()


@frozen
class TokenSeen:
    """
    A token of a message, and where it was seen before.
    """

    name: str
    spam: int
    ham: int


@frozen
class Judgement:
    """
    What the classifier says of a message.
    """

    logit: float
    probability: float
    """That it is spam, for a site with as much of it as was learned."""

    is_trained: bool
    """Whether tokens count; else only the priors of the signals do."""

    coverage: float
    """The share of its pairs of words that were seen before."""

    signals: Sequence[tuple[Signal, float]]
    """What it shows, with what that adds to the logit, the gravest first."""

    of_spam: Sequence[TokenSeen]
    """Tokens seen mostly in spam, the clearest first; only where it is more likely than not."""

    of_ham: Sequence[TokenSeen]


def probability(logit: float) -> float:
    """
    Give the probability of a logit.
    """
    if logit >= 0:
        return 1 / (1 + math.exp(-min(logit, 700.0)))
    odds = math.exp(max(logit, -700.0))
    return odds / (1 + odds)


@frozen(eq=False)
class Measured:
    """
    A message's tokens looked up: those that count.
    """

    places: NDArray[np.intp]
    """Which of the message's tokens they are, in their order."""

    ends: Sequence[int]
    """Where those of each group end."""

    spam: Counts
    ham: Counts
    odds: Numbers
    """The log-odds of each."""

    means: Sequence[float]
    coverage: float


def measure(evidence: Evidence, counts: ICounts) -> Measured:
    """
    Look a message's tokens up.
    """
    tokens = evidence.tokens
    spam, ham = counts.look_up(tokens.keys)
    # Half of the tokens were never seen, and one in ten counts: only with these it goes on.
    seen = (spam + ham).nonzero()[0]
    spam, ham = spam.take(seen), ham.take(seen)
    odds = np.log((spam + _SMOOTHING) / (ham + _SMOOTHING))
    odds += math.log((counts.ham + 2 * _SMOOTHING) / (counts.spam + 2 * _SMOOTHING))
    used = (np.abs(odds) > _LEAST).nonzero()[0]
    places, odds = seen.take(used), odds.take(used)
    ends: Sequence[int] = places.searchsorted(tokens.ends).tolist()
    means = [0.0] * len(MEANS)
    if min(counts.spam, counts.ham) >= _LEARNED_FROM:
        running = [0.0, *odds.cumsum().tolist()]
        sums, numbers = _steps([running[end] for end in ends]), _steps(ends)
        means[0] = sum(sums) / (len(odds) + _SHRINKING)
        means[1:] = [each / (count + _SHRINKING) for each, count in zip(sums, numbers, strict=True)]
    first, last = tokens.ends[:2]
    known: Sequence[int] = seen.searchsorted((first, last)).tolist()
    coverage = (known[1] - known[0]) / (last - first) if last > first else 0.0
    return Measured(places, ends, spam.take(used), ham.take(used), odds, means, coverage)


def _steps(sums: Sequence[float]) -> Sequence[float]:
    """
    Give what running sums are the sums of.
    """
    return [sums[0], *map(sub, sums[1:], sums)]


def features_of(evidence: Evidence, means: Sequence[float]) -> Numbers:
    """
    Give what the regression weighs of a message.
    """
    return np.concatenate((means, vector(evidence.signals), (1.0,)))


def teach(lessons: Iterable[tuple[Evidence, bool, ICounts]]) -> Regression:
    """
    Give the weights that messages teach, one after the other: the further a message is from what
    it should be, the more; and the more was learned of a weight, the less it moves.

    @param lessons: the messages, whether each is spam, and the counts without it.
    """
    weights = Regression.fresh().weights
    variances = np.full(len(FEATURES), 1 / 5)
    variances[: len(MEANS)] = 1 / 10
    variances[-1] = 1
    covariance = np.diag(variances)
    for evidence, is_spam, counts in lessons:
        measured = measure(evidence, counts)
        features = features_of(evidence, measured.means)
        regression = Regression(weights)
        p = probability(regression.logit(measured.means, evidence.signals, measured.coverage))
        v = max(p * (1 - p), 0.01)
        direction = covariance @ features
        covariance -= v / (1 + v * float(features @ direction)) * np.outer(direction, direction)
        weights = weights + covariance @ features * (float(is_spam) - p)
    return Regression(weights)


def is_trained(counts: ICounts) -> bool:
    """
    Tell whether enough was learned for tokens to count.
    """
    return counts.spam >= SPAM_NEEDED and counts.ham >= HAM_NEEDED


def judge(evidence: Evidence, counts: ICounts, regression: Regression) -> Judgement:
    """
    Judge a message by what was learned, or by the priors of its signals where that is too
    little.
    """
    if not is_trained(counts):
        logit = math.fsum(map(_UNTAUGHT.worth, evidence.signals))
        seen = _signals(evidence, _UNTAUGHT)
        return Judgement(logit, probability(logit), False, 0.0, seen, (), ())
    measured = measure(evidence, counts)
    logit = regression.logit(measured.means, evidence.signals, measured.coverage)
    of_spam, of_ham = _clearest(evidence, measured, logit > 0)
    return Judgement(
        logit,
        probability(logit),
        True,
        measured.coverage,
        _signals(evidence, regression),
        of_spam,
        of_ham,
    )


def _signals(evidence: Evidence, regression: Regression) -> Sequence[tuple[Signal, float]]:
    places = sorted(map(INDEX.__getitem__, evidence.signals))
    found = [(SIGNALS[at], regression.worth(SIGNALS[at].name)) for at in places]
    return sorted(found, key=lambda each: -abs(each[1]))


_NAMED = 4
_MUTE = (GROUPS.index("pairs"), GROUPS.index("headers"))
"""
The groups whose tokens are not named: pairs say what their words do, and fields mean nothing to
most people.
"""


def _clearest(
    evidence: Evidence, measured: Measured, may_be_spam: bool
) -> tuple[Sequence[TokenSeen], Sequence[TokenSeen]]:
    """
    Name the few tokens with the highest odds, where it may be spam, and those with the lowest.
    """
    ends = measured.ends
    odds = measured.odds.copy()
    for group in _MUTE:
        odds[ends[group - 1] : ends[group]] = 0
    ranked = odds.argsort()
    highest = ranked[: -_NAMED - 1 : -1].tolist() if may_be_spam else []
    of_spam = [at for at in highest if odds.item(at) > 0]
    of_ham = [at for at in ranked[:_NAMED].tolist() if odds.item(at) < 0]
    named = of_spam + of_ham
    if not named:
        return (), ()
    names = evidence.tokens.names(measured.places.take(named))
    spam, ham = measured.spam.take(named).tolist(), measured.ham.take(named).tolist()
    seen = tuple(map(TokenSeen, names, spam, ham))
    return seen[: len(of_spam)], seen[len(of_spam) :]
