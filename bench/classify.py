"""
What the classifier costs a message, in microseconds of processor time, step by step.

The messages are those of bench/messages.py, and what was learned is made up: as many tokens as a
site of that size would have, those of the messages among them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from time import process_time

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import numpy as np
from attrs import evolve

from bench.messages import Mailbag
from mailgate.checks.bayes import BayesCheck
from mailgate.checks.fuzzy import findings_of
from mailgate.classify import evidence, reading, signals, tokens
from mailgate.classify.alike import Index
from mailgate.classify.classifier import Classifier
from mailgate.classify.lessons import Lesson, Pending, What
from mailgate.classify.marks import SKETCH_BYTES
from mailgate.classify.model import judge
from mailgate.classify.store import Learned
from mailgate.config.checks import BayesCheck as Section
from mailgate.config.checks import FuzzyCheck as FuzzySection
from mailgate.interfaces import Marks, Remembered
from mailgate.message.mime import Parsed, read

_SECONDS = 0.4
_ALIKE = 40_000
"""Messages with which texts are compared."""


def main() -> int:
    """
    Print a table for messages of 4 and 64 KiB.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=400_000, help="learned (default: 400,000)")
    arguments = parser.parse_args()
    for size in (4096, 65536):
        _measure(size, arguments.tokens)
    return 0


def _measure(size: int, learned_tokens: int) -> None:
    bag = Mailbag(size)
    parsed = [read(bag.message(number)) for number in range(50)]
    learned = _learned([evidence.evidence_of(each) for each in parsed[:25]], learned_tokens)
    readings = [reading.read(each) for each in parsed]
    made = [tokens.tokens_of(each) for each in readings]
    seen = [evidence.evidence_of(each) for each in parsed]
    classifier = Classifier()
    classifier.learned = learned
    check = BayesCheck(Section(), classifier, (), 5)
    alike, fuzzy = _alike(), FuzzySection()
    steps: dict[str, Callable[[int], object]] = {
        "text, HTML, links": lambda at: reading.read(parsed[at]),
        "tokens": lambda at: tokens.tokens_of(readings[at]),
        "signals": lambda at: signals.signals_of(reading.read(parsed[at]), made[at]),
        "look-up, judgement": lambda at: judge(seen[at], learned, learned.regression),
        "the whole check": lambda at: check.findings(classifier.judge_at_once(_anew(parsed[at]))),
        "fuzzy, beside it": lambda at: list(findings_of(alike, fuzzy, parsed[at], ())),
    }
    print(f"{size} bytes, {np.mean([len(each.keys) for each in made]):.0f} tokens a message")
    first = 0.0
    for name, step in steps.items():
        cost = _cost(step, len(parsed))
        if name == "text, HTML, links":
            first = cost
        elif name == "signals":
            cost -= first  # a reading keeps what signals make of it, so each needs a new one
        print(f"  {name:20} {cost:8.0f} us")


def _anew(parsed: Parsed) -> Parsed:
    """
    Give a message of which nothing was made yet but what its texts show.
    """
    copy = evolve(parsed)
    copy.keep(parsed.seen)
    return copy


def _cost(step: Callable[[int], object], number: int) -> float:
    """
    Give the microseconds of a step, over all messages in turn.
    """
    start = process_time()
    for turn in count():
        step(turn % number)
        if turn % number == number - 1 and process_time() - start > _SECONDS:
            return (process_time() - start) / (turn + 1) * 1e6
    raise AssertionError


def _alike() -> Index:
    """
    Learn as many messages as are known at most, none of them like any other.
    """
    dice = np.random.default_rng(1)
    return Index.of(
        Remembered(
            number % 2 == 0,
            20_000 + number % 90,
            Marks(dice.bytes(SKETCH_BYTES), int(dice.integers(1, 1 << 62))),
        )
        for number in range(_ALIKE)
    )


def _learned(seen: list[evidence.Evidence], number: int) -> Learned:
    """
    Learn some messages many times, as both kinds, among tokens that nobody has seen.
    """
    pending = Pending(Learned.nothing())
    for turn in range(400):
        what = What.SPAM if turn % 3 == 0 else What.HAM
        pending.apply(Lesson(what, turn, 0, seen[turn % len(seen)]))
    learned = pending.merged(0, 1 << 30)
    dice = np.random.default_rng(1)
    others = np.unique(dice.integers(0, 1 << 32, number, np.uint32))
    keys = np.union1d(learned.keys, others)
    spam, ham = np.ones(len(keys), np.uint32), np.ones(len(keys), np.uint32)
    places = keys.searchsorted(learned.keys)
    spam[places], ham[places] = learned.spam_counts, learned.ham_counts
    return Learned(
        learned.spam,
        learned.ham,
        0,
        keys,
        spam,
        ham,
        np.zeros(len(keys), np.uint16),
        learned.identities,
        learned.are_spam,
        learned.regression,
    )


if __name__ == "__main__":
    sys.exit(main())
