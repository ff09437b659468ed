"""
How well the classifier tells spam from ham, on labelled mail.

FOLDER has sub-folders with "spam" or "ham" in their names. A half of the messages, chosen by a
hash of each, is learned in the order of that hash; the other half is judged; then the halves
change places. Printed are how much spam is caught where 0.1 % and 1 % of ham are flagged, the
area under the curve (AUC), and what the thresholds of the policy would do with the score of the
classifier alone.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import numpy as np
from numpy.typing import NDArray

from mailgate.checks.bayes import score_of
from mailgate.classify.evidence import Evidence, evidence_of
from mailgate.classify.lessons import Lesson, Pending, What
from mailgate.classify.mailboxes import files_in, messages_in
from mailgate.classify.model import Judgement, judge
from mailgate.classify.store import Learned
from mailgate.config.checks import BayesCheck
from mailgate.config.model import Policy
from mailgate.message.mime import read

EXAMPLES = """
examples:
  bench/accuracy.py ~/mail
      with ~/mail/spam and ~/mail/ham
  bench/accuracy.py ~/mail --config /etc/mailgate/mailgate.toml
      at the thresholds of a configuration
"""

Numbers = NDArray[np.float64]

_KEYS = 4_000_000


@dataclass(frozen=True)
class Example:
    """
    A message and what it is.
    """

    digest: bytes
    is_spam: bool
    evidence: Evidence


def main() -> int:
    """
    Read the messages, and print how well each fold went.
    """
    arguments = _arguments()
    examples = sorted(_examples(arguments.folder), key=lambda example: example.digest)
    spam = sum(example.is_spam for example in examples)
    print(f"{spam} messages of spam, {len(examples) - spam} of ham")
    if spam < 2 or len(examples) - spam < 2:
        print("there must be some of both, in folders named spam... and ham...", file=sys.stderr)
        return 2
    section, policy = _settings(arguments.config)
    for fold in (0, 1):
        half = [example for example in examples if example.digest[-1] % 2 == fold]
        other = [example for example in examples if example.digest[-1] % 2 != fold]
        _report(fold + 1, half, other, section, policy)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=Path(__file__).resolve().parent.parent / "etc" / "mailgate.toml",
        help="thresholds and scores (default: etc/mailgate.toml)",
    )
    return parser.parse_args()


def _settings(path: Path) -> tuple[BayesCheck, Policy]:
    tables = tomllib.loads(path.read_text("utf-8"))
    bayes = tables.get("checks", {}).get("bayes", {})
    return BayesCheck.model_validate(bayes), Policy.model_validate(tables.get("policy", {}))


def _examples(folder: Path) -> Iterator[Example]:
    for path in files_in([folder]):
        place = path.relative_to(folder).parent.as_posix().lower()
        if not re.search("spam|ham", place):
            continue
        for data in messages_in(path):
            yield Example(sha256(data).digest(), "spam" in place, evidence_of(read(data)))


def _learned(examples: Sequence[Example]) -> Learned:
    pending = Pending(Learned.nothing())
    for number, example in enumerate(examples):
        what = What.SPAM if example.is_spam else What.HAM
        pending.apply(Lesson(what, number, 0, example.evidence))
    return pending.merged(0, _KEYS)


def _report(
    fold: int,
    half: Sequence[Example],
    other: Sequence[Example],
    section: BayesCheck,
    policy: Policy,
) -> None:
    learned = _learned(half)
    judged = [judge(example.evidence, learned, learned.regression) for example in other]
    is_spam = np.array([example.is_spam for example in other])
    logits = np.array([judgement.logit for judgement in judged])
    print(f"\nfold {fold}: {learned.spam} of spam and {learned.ham} of ham learned, ", end="")
    print(f"{len(learned.keys):,} tokens")
    spam, ham = logits[is_spam], logits[~is_spam]
    for rate in (0.001, 0.01):
        threshold = _threshold(ham, rate)
        caught = float((spam > threshold).mean())
        print(f"  {caught:7.1%} of spam caught where {rate:.1%} of ham is flagged", end="")
        print(f" (logit {threshold:+.2f})")
    print(f"  AUC {_area(spam, ham):.5f}")
    scores = np.array([score_of(judgement, section) for judgement in judged])
    _outcomes(scores, is_spam, judged, policy)


def _threshold(ham: Numbers, rate: float) -> float:
    """
    Give the logit above which C{rate} of the ham lies.
    """
    return float(np.sort(ham)[::-1][int(rate * len(ham))])


def _area(spam: Numbers, ham: Numbers) -> float:
    """
    Give how often a message of spam is above one of ham.
    """
    places = np.searchsorted(np.sort(ham), spam)
    upper = np.searchsorted(np.sort(ham), spam, side="right")
    return float((places + upper).sum() / 2 / len(spam) / len(ham))


def _outcomes(
    scores: Numbers, is_spam: NDArray[np.bool_], judged: Sequence[Judgement], policy: Policy
) -> None:
    if not judged[0].is_trained:
        print("  too little was learned for words to count")
    edges = (policy.tag, policy.quarantine, policy.reject)
    for name, chosen in (("spam", scores[is_spam]), ("ham", scores[~is_spam])):
        places = np.digitize(chosen, edges)
        counts = [int((places == place).sum()) for place in range(4)]
        share = (len(chosen) - counts[0]) / len(chosen)
        print(
            f"  {name:4}: {counts[0]} accepted, {counts[1]} tagged, {counts[2]} held, "
            f"{counts[3]} refused; tagged or more {share:.2%}"
        )


if __name__ == "__main__":
    sys.exit(main())
