"""
How well the classifier tells spam from ham, on labelled mail.

FOLDER has sub-folders with "spam" or "ham" in their names. A half of the messages, chosen by a
hash of each, is learned in the order of that hash; the other half is judged; then the halves
change places. Printed are how much spam is caught where 0.1 % and 1 % of ham are flagged, the
area under the curve (AUC), and what the thresholds of the policy would do with the score of the
classifier alone. First it is told how that is where nothing was learned.

Mail of another kind (--modern) is judged beside it and never learned: it is flagged where the
other ham would be, and the areas are told apart. What is flagged of it does not count as ham's.
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
from mailgate.classify.model import judge
from mailgate.classify.store import Learned
from mailgate.config.checks import BayesCheck
from mailgate.config.model import Policy
from mailgate.message.mime import read

EXAMPLES = """
examples:
  bench/accuracy.py ~/mail
      with ~/mail/spam and ~/mail/ham
  bench/modern_ham.py /tmp/modern && bench/accuracy.py ~/mail --modern /tmp/modern
      and with legitimate mail as it is today
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
    modern = [evidence_of(read(data)) for data in _messages(arguments.modern)]
    if arguments.modern:
        print(f"{len(modern)} messages of modern ham")
        if not modern:
            print(f"there is no message in {arguments.modern}", file=sys.stderr)
            return 2
    section, policy = _settings(arguments.config)
    print("\nnothing learned")
    _report(Learned.nothing(), examples, modern, section, policy)
    for fold in (0, 1):
        half = [example for example in examples if example.digest[-1] % 2 == fold]
        other = [example for example in examples if example.digest[-1] % 2 != fold]
        learned = _learned(half)
        print(
            f"\nfold {fold + 1}: {learned.spam} of spam and {learned.ham} of ham learned, ", end=""
        )
        print(f"{len(learned.keys):,} tokens")
        _report(learned, other, modern, section, policy)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument(
        "--modern",
        type=Path,
        metavar="FOLDER",
        help="legitimate mail of another kind, as of bench/modern_ham.py",
    )
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


def _messages(folder: Path | None) -> Iterator[bytes]:
    for path in files_in([folder]) if folder else ():
        yield from messages_in(path)


def _learned(examples: Sequence[Example]) -> Learned:
    pending = Pending(Learned.nothing())
    for number, example in enumerate(examples):
        what = What.SPAM if example.is_spam else What.HAM
        pending.apply(Lesson(what, number, 0, example.evidence))
    return pending.merged(0, _KEYS)


def _report(
    learned: Learned,
    examples: Sequence[Example],
    modern: Sequence[Evidence],
    section: BayesCheck,
    policy: Policy,
) -> None:
    judged = [judge(example.evidence, learned, learned.regression) for example in examples]
    of_modern = [judge(evidence, learned, learned.regression) for evidence in modern]
    is_spam = np.array([example.is_spam for example in examples])
    logits = np.array([judgement.logit for judgement in judged])
    modern_logits = np.array([judgement.logit for judgement in of_modern])
    spam, ham = logits[is_spam], logits[~is_spam]
    for rate in (0.001, 0.01):
        threshold = _threshold(ham, rate)
        caught = float((spam > threshold).mean())
        print(f"  {caught:7.1%} of spam caught where {rate:.1%} of ham is flagged", end="")
        if modern:
            print(f", and {float((modern_logits > threshold).mean()):.2%} of modern ham", end="")
        print(f" (logit {threshold:+.2f})")
    print(f"  AUC {_area(spam, ham):.5f}", end="")
    print(f", against modern ham {_area(spam, modern_logits):.5f}" if modern else "")
    if not judged[0].is_trained:
        print("  too little was learned for words to count")
    scores = np.array([score_of(judgement, section) for judgement in judged])
    _outcomes("spam", scores[is_spam], policy)
    _outcomes("ham", scores[~is_spam], policy)
    if modern:
        of_both = [score_of(judgement, section) for judgement in of_modern]
        _outcomes("modern ham", np.array(of_both), policy)


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


def _outcomes(name: str, scores: Numbers, policy: Policy) -> None:
    places = np.digitize(scores, (policy.tag, policy.quarantine, policy.reject))
    counts = [int((places == place).sum()) for place in range(4)]
    share = (len(scores) - counts[0]) / len(scores)
    print(
        f"  {name:10}: {counts[0]} accepted, {counts[1]} tagged, {counts[2]} held, "
        f"{counts[3]} refused; tagged or more {share:.2%}"
    )


if __name__ == "__main__":
    sys.exit(main())
