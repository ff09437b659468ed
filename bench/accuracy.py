"""
How well the gateway tells spam from ham, on labelled mail.

FOLDER has sub-folders with "spam" or "ham" in their names. A half of the messages, chosen by a
hash of each, is learned in the order of that hash; the other half is judged, as "mailgate scan
--offline" would with the configuration; then the halves change places. First it is told how that
is where nothing was learned. Printed are what would be done with the messages of each class, how
much spam is caught where 0.1 % and 1 % of ham are flagged, and the area under the curve (AUC).

Mail of another kind (--modern, --other) is judged beside it and never learned: with nothing
learned, with each half, and at last with all of FOLDER. The areas are told apart; what is flagged
of it does not count as ham's.

With --classifier it is the classifier alone that is measured, by its logit.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import numpy as np
from numpy.typing import NDArray

from mailgate.checks.known import Known
from mailgate.classify.alike import Index
from mailgate.classify.classifier import Classifier
from mailgate.classify.evidence import Lore, lore_of
from mailgate.classify.lessons import Lesson, Pending, What
from mailgate.classify.mailboxes import files_in, messages_in
from mailgate.classify.model import judge
from mailgate.classify.store import Learned
from mailgate.commands.processes import Processes
from mailgate.commands.scanning import Scanner, Situation, error_of
from mailgate.config.load import load
from mailgate.config.model import Settings
from mailgate.interfaces import Remembered

EXAMPLES = """
examples:
  bench/accuracy.py ~/mail
      with ~/mail/spam and ~/mail/ham
  bench/modern_ham.py /tmp/modern && bench/accuracy.py ~/mail --modern /tmp/modern
      and with legitimate mail as it is today
  bench/accuracy.py ~/mail --other ~/phishing --trust mx.example.net --findings
      and with other spam, that a relay has brought; what was found in each class
  bench/accuracy.py ~/mail --config /etc/mailgate/mailgate.toml
      at the thresholds of a configuration
"""

Numbers = NDArray[np.float64]

_KEYS = 4_000_000
_SHOWN = 40
"""How many symbols are told of with --findings."""


@dataclass(frozen=True)
class Example:
    """
    A message and what it is.
    """

    path: str
    kind: str
    """C{spam}, C{ham}, C{hard ham} (of a folder or file named so), C{modern} or C{other}."""

    digest: bytes
    lore: Lore

    @property
    def is_spam(self) -> bool:
        """
        Tell whether it should be caught.
        """
        return self.kind in ("spam", "other")


@dataclass(frozen=True)
class Judged:
    """
    What was said of a message.
    """

    example: Example
    score: float
    """The total, or the logit of the classifier alone."""

    findings: Mapping[str, float]


def main() -> int:
    """
    Read the messages, and print how well each fold went.
    """
    arguments = _arguments()
    learnable = sorted(_labelled(arguments.folder), key=lambda example: example.digest)
    beside = [*_all_of(arguments.modern, "modern"), *_all_of(arguments.other, "other")]
    counts = Counter(example.kind for example in (*learnable, *beside))
    print(", ".join(f"{number} {kind}" for kind, number in counts.items()))
    if min(counts["spam"], counts["ham"] + counts["hard ham"]) < 2:
        print("there must be some of both, in folders named spam... and ham...", file=sys.stderr)
        return 2
    with TemporaryDirectory(prefix="mailgate-accuracy-") as folder:
        bench = Bench(arguments, Path(folder))
        bench.report("nothing learned", (), [*learnable, *beside])
        for fold in (0, 1):
            half = [example for example in learnable if example.digest[-1] % 2 == fold]
            other = [example for example in learnable if example.digest[-1] % 2 != fold]
            bench.report(f"fold {fold + 1}", half, [*other, *beside])
        if beside:
            # Without the ham that was learned there is nothing to compare with: of what is
            # learned the thresholds alone tell.
            bench.report("all learned", learnable, beside)
    return 0


class Bench:
    """
    Judges messages and tells what became of them.
    """

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        """
        @param folder: for what the gateway needs a folder for.
        """
        self._arguments = arguments
        self._folder = folder
        self._settings: Settings = load(_filled_in(arguments.config, folder))

    def report(self, title: str, lessons: Sequence[Example], examples: Sequence[Example]) -> None:
        """
        Learn some messages, judge others, and print what was said.
        """
        learned = _learned(lessons)
        print(f"\n{title}: {learned.spam} of spam and {learned.ham} of ham learned", end="")
        print(f", {len(learned.keys):,} tokens" if len(learned.keys) else "")
        alike = Index.of(Remembered(each.is_spam, 0, each.lore.marks) for each in lessons)
        judged = self._judge(learned, alike, examples)
        scores = {
            kind: np.array([each.score for each in judged if each.example.kind == kind])
            for kind in dict.fromkeys(each.example.kind for each in judged)
        }
        for kind, numbers in scores.items():
            self._outcomes(kind, numbers)
        ham = [scores[kind] for kind in ("ham", "hard ham") if kind in scores]
        if ham:
            _curves(scores, np.concatenate(ham))
        elif "modern" in scores:
            _areas(scores, "modern")
        if self._arguments.findings:
            _tell_findings(judged)
            _tell_flagged(judged, self._settings.policy.tag)

    def _judge(
        self, learned: Learned, alike: Index, examples: Sequence[Example]
    ) -> Sequence[Judged]:
        if self._arguments.classifier:
            return [
                Judged(each, judge(each.lore.evidence, learned, learned.regression).logit, {})
                for each in examples
            ]
        classifier = Classifier()
        classifier.learned = learned
        classifier.alike = alike
        scanner = Scanner(
            self._settings,
            Known(classifier=classifier),
            Situation.of(self._arguments, self._settings),
            self._folder,
        )
        paths = [example.path for example in examples]
        work = Processes(scanner, len(os.sched_getaffinity(0)), _crashed)
        judged = []
        for example, answers in zip(examples, work.run(paths), strict=True):
            (answer,) = answers
            if "error" in answer:
                print(f"  {example.path}: {answer['error']}", file=sys.stderr)
                continue
            found: dict[str, float] = defaultdict(float)
            for finding in answer["findings"]:
                found[finding["symbol"]] += finding["score"]
            judged.append(Judged(example, answer["score"], found))
        return judged

    def _outcomes(self, kind: str, scores: Numbers) -> None:
        policy = self._settings.policy
        thresholds = (policy.tag, policy.quarantine, policy.reject)
        if self._arguments.classifier:
            thresholds = (3.0, 4.0, float("inf"))
        places = np.digitize(scores, thresholds)
        counts = [int((places == place).sum()) for place in range(4)]
        caught = len(scores) - counts[0]
        print(
            f"  {kind:9} {len(scores):5}: {counts[0]} accepted, {counts[1]} tagged, "
            f"{counts[2]} held, {counts[3]} refused; tagged or more {caught / len(scores):.2%}, "
            f"held or more {(counts[2] + counts[3]) / len(scores):.2%}; mean {scores.mean():.2f}"
        )


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
    parser.add_argument("--other", type=Path, metavar="FOLDER", help="spam of another kind")
    parser.add_argument(
        "--trust",
        action="append",
        default=[],
        metavar="NETWORK|AUTHSERV_ID",
        help="a relay that is believed, as of mailgate scan",
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=Path(__file__).resolve().parent.parent / "etc" / "mailgate.toml",
        help="thresholds and checks (default: etc/mailgate.toml)",
    )
    parser.add_argument(
        "--classifier", action="store_true", help="measure the logit of the classifier alone"
    )
    parser.add_argument(
        "--findings",
        action="store_true",
        help="tell what was found in each class, and which ham is flagged",
    )
    parser.set_defaults(client=None, helo=None, sender=None, to=None)
    return parser.parse_args()


def _filled_in(path: Path, folder: Path) -> Path:
    """
    Give a configuration that can be used: names that are only examples are replaced.
    """
    copy = folder / "mailgate.toml"
    text = path.read_text("utf-8")
    copy.write_text(re.sub(r"your-((?:other-)?)domain\.example", r"\1gateway.test", text), "utf-8")
    return copy


def _labelled(folder: Path) -> Iterator[Example]:
    for path in files_in([folder]):
        place = path.relative_to(folder).as_posix().lower()
        kind = re.search("spam|ham", path.relative_to(folder).parent.as_posix().lower())
        if not kind:
            continue
        name = "hard ham" if kind[0] == "ham" and "hard" in place else kind[0]
        yield from _examples(path, name)


def _all_of(folder: Path | None, kind: str) -> Iterator[Example]:
    for path in files_in([folder]) if folder else ():
        yield from _examples(path, kind)


def _examples(path: Path, kind: str) -> Iterator[Example]:
    for data in messages_in(path):
        yield Example(str(path), kind, sha256(data).digest(), lore_of(data))


def _learned(examples: Sequence[Example]) -> Learned:
    pending = Pending(Learned.nothing())
    for number, example in enumerate(examples):
        what = What.SPAM if example.is_spam else What.HAM
        pending.apply(Lesson(what, number, 0, example.lore.evidence))
    return pending.merged(0, _KEYS)


def _crashed(path: str) -> Sequence[Mapping[str, object]]:
    return [error_of(path, "could not be judged: its process crashed")]


def _curves(scores: Mapping[str, Numbers], ham: Numbers) -> None:
    for rate in (0.001, 0.01):
        threshold = float(np.sort(ham)[::-1][int(rate * len(ham))])
        shares = [
            f"{float((numbers > threshold).mean()):.1%} of {kind}"
            for kind, numbers in scores.items()
            if "ham" not in kind
        ]
        print(f"  where {rate:.1%} of ham is flagged: {', '.join(shares)} (above {threshold:.2f})")
    print(f"  AUC {_area(scores['spam'], ham):.5f}")
    _areas(scores, "modern")


def _areas(scores: Mapping[str, Numbers], against: str) -> None:
    for kind in ("spam", "other"):
        if kind in scores and against in scores:
            print(f"  AUC of {kind} against {against}", end=" ")
            print(f"{_area(scores[kind], scores[against]):.5f}")


def _area(spam: Numbers, ham: Numbers) -> float:
    """
    Give how often a message of spam is above one of ham.
    """
    places = np.searchsorted(np.sort(ham), spam)
    upper = np.searchsorted(np.sort(ham), spam, side="right")
    return float((places + upper).sum() / 2 / len(spam) / len(ham))


def _tell_findings(judged: Sequence[Judged]) -> None:
    """
    Print in what share of each class a symbol is found, and how much it adds there.
    """
    kinds = Counter(each.example.kind for each in judged)
    numbers: dict[str, Counter[str]] = defaultdict(Counter)
    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for each in judged:
        for symbol, score in each.findings.items():
            numbers[symbol][each.example.kind] += 1
            sums[symbol][each.example.kind] += score
    print(f"  {'':28}" + "".join(f"{kind:>18}" for kind in kinds))
    weight = {symbol: sum(abs(s) / kinds[k] for k, s in of.items()) for symbol, of in sums.items()}
    for symbol in sorted(weight, key=lambda symbol: -weight[symbol])[:_SHOWN]:
        cells = [
            f"{numbers[symbol][kind] / total:9.1%} {sums[symbol][kind] / total:+7.2f} "
            for kind, total in kinds.items()
        ]
        print(f"  {symbol:28}" + "".join(cells))


def _tell_flagged(judged: Sequence[Judged], tag: float) -> None:
    """
    Print which messages of ham are flagged, and why.
    """
    for each in sorted(judged, key=lambda each: -each.score):
        if each.score >= tag and not each.example.is_spam:
            why = sorted(each.findings.items(), key=lambda item: -abs(item[1]))
            told = ", ".join(f"{symbol} {score:+.1f}" for symbol, score in why if score)
            print(f"  {each.score:5.1f} {each.example.kind} {each.example.path}: {told}")


if __name__ == "__main__":
    sys.exit(main())
