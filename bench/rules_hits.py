"""
How often each rule holds in folders of messages: good mail, bad mail, or of any other kind.

Each folder is one class; a file in it is a message, a Maildir or an mbox. Rules see what
`mailgate rules` sees without the network: who signed a message and who may send it is not asked.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from mailgate.checks.rules import FACTS
from mailgate.classify.classifier import signals_of
from mailgate.classify.mailboxes import messages_in
from mailgate.classify.reading import sender_of
from mailgate.message.language import TEXT_LIMIT, languages_of
from mailgate.message.links import places_of
from mailgate.message.mime import read
from mailgate.rules.format import RuleSet, built_in, load
from mailgate.rules.matching import Hit, Matcher
from mailgate.rules.texts import texts_of

EXAMPLES = """
examples:
  bench/rules_hits.py ham=/srv/ham spam=/srv/spam
      for each rule in how many messages of each folder it holds, and the sums of points
  bench/rules_hits.py --file site.toml --above 2.5 ham=/srv/ham
      rules of our own too, and which messages get more than 2.5 points
"""

_BYTES = 2**24


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Count the rules that hold, and tell.
    """
    parser = argparse.ArgumentParser(
        description="Count how often each rule holds in folders of messages.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folders", nargs="+", metavar="CLASS=FOLDER", type=_folder, help="messages of one kind"
    )
    parser.add_argument(
        "--file", action="append", default=[], type=Path, help="rules beside those that come along"
    )
    parser.add_argument(
        "--only", action="append", default=[], type=Path, help="rules in their place"
    )
    parser.add_argument("--above", type=float, help="name the messages with more points than this")
    parser.add_argument("--limit", type=int, default=2**31, help="messages of each folder at most")
    options = parser.parse_args(arguments)
    matcher = Matcher(load([*(options.only or built_in()), *options.file], FACTS))
    hits: dict[str, Counter[str]] = {}
    totals: dict[str, list[float]] = {}
    for name, folder in options.folders:
        counter = hits[name] = Counter()
        points = totals[name] = []
        for path, data in _messages(folder, options.limit):
            found = judge(matcher, data)
            counter.update(hit.rule.symbol for hit in found)
            points.append(points_of(found, matcher.rules))
            if options.above is not None and points[-1] > options.above:
                symbols = " ".join(sorted(hit.rule.symbol for hit in found if hit.rule.score))
                print(f"{points[-1]:5.1f} {path} {symbols}")
    _tell(matcher.rules, hits, totals)
    return 0


def judge(matcher: Matcher, data: bytes) -> Sequence[Hit]:
    """
    Give the rules that hold of a message.
    """
    parsed = read(data)
    signals = signals_of(parsed)
    texts = texts_of(
        matcher.places,
        parsed,
        sender_of(parsed.headers).name,
        (place.address for place in places_of(parsed.seen).places),
        (name for part in parsed.attachments for name in part.names),
    )

    def languages() -> Sequence[str]:
        return languages_of(parsed.seen.words(TEXT_LIMIT))

    return matcher.match(texts, signals.__contains__, languages)


def points_of(hits: Sequence[Hit], rules: RuleSet) -> float:
    """
    Add the scores of rules, those of a group up to its cap.
    """
    groups: defaultdict[str, float] = defaultdict(float)
    alone = 0.0
    for hit in hits:
        if hit.rule.group and hit.rule.score > 0:
            groups[hit.rule.group] += hit.rule.score
        else:
            alone += hit.rule.score
    return alone + sum(min(points, rules.groups[name].cap) for name, points in groups.items())


def _folder(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    if not name or not equals or not Path(folder).is_dir():
        raise argparse.ArgumentTypeError(f"{text} has to be CLASS=FOLDER, and the folder there")
    return name, Path(folder)


def _messages(folder: Path, limit: int) -> Iterator[tuple[Path, bytes]]:
    left = limit
    for path in sorted(folder.iterdir()):
        for data in messages_in(path, _BYTES):
            if left <= 0:
                return
            left -= 1
            yield path, data


def _tell(
    rules: RuleSet, hits: Mapping[str, Counter[str]], totals: Mapping[str, Sequence[float]]
) -> None:
    print(f"{'RULE':34}{'SCORE':>6}" + "".join(f"{name[:12]:>13}" for name in hits))
    for symbol, rule in sorted(rules.rules.items(), key=lambda item: (item[1].group, item[0])):
        counts = [counter[symbol] for counter in hits.values()]
        if rule.score and any(counts):
            shown = (
                f"{count:6} {100 * count / max(1, len(totals[name])):5.2f}%"
                for name, count in zip(hits, counts, strict=True)
            )
            print(f"{symbol:34}{rule.score:6.1f}{''.join(shown)}")
    for name, points in totals.items():
        above = (
            f"{limit:g}: {sum(each >= limit for each in points)}" for limit in (0.1, 2, 2.5, 5, 8)
        )
        highest = max(points, default=0.0)
        print(
            f"{name}: {len(points)} messages, highest {highest:.1f}, "
            f"messages with at least so many points: {', '.join(above)}"
        )


if __name__ == "__main__":
    sys.exit(main())
