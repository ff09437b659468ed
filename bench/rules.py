"""
What the check C{rules} costs: to make its database, and to look for all patterns in a text.

    python -m bench.rules [--rules 500] [--bytes 4096] [FILE.toml ...]

Without files it makes up rules: two or three words with a gap between them, for subject and text,
of the commonest words, so that the text is full of their beginnings; a fifth are conditions. The
text is of the same words. With files it takes these.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from mailgate.checks.rules import FACTS
from mailgate.message.mime import read
from mailgate.rules.format import load
from mailgate.rules.matching import Matcher
from mailgate.rules.texts import texts_of

_WORDS = Path(__file__).with_name("words.txt")
_RUNS, _ROUNDS = 100, 15


def main() -> None:
    """
    Measure, and print a line for each text.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", type=int, default=500)
    parser.add_argument("--bytes", type=int, default=4096)
    parser.add_argument("files", type=Path, nargs="*")
    arguments = parser.parse_args()
    words = [word for word in _WORDS.read_text("utf-8").split() if word.isascii()]
    luck = random.Random(1)
    with TemporaryDirectory() as folder:
        made = Path(folder, "made.toml")
        made.write_text(_rules(arguments.rules, words[:2000], luck))
        rules = load(arguments.files or [made], FACTS)
    began = time.process_time()
    matcher = Matcher(rules)
    print(f"{len(rules.rules)} rules made ready in {time.process_time() - began:.2f} s")
    prose = _prose(words, luck, arguments.bytes)
    for name, text in (
        ("words of the rules", _prose(words[:2000], luck, arguments.bytes)),
        ("all words", prose),
        ("with accents", prose.replace("e", "é")),
        ("Cyrillic", "".join(chr(0x430 + ord(c) % 32) if c.isalpha() else c for c in prose)),
    ):
        _measure(name, text, matcher)


def _measure(name: str, text: str, matcher: Matcher) -> None:
    header = 'From: "A person" <a@example.org>\r\nSubject: about it\r\n'
    kind = "Content-Type: text/plain; charset=utf-8\r\n\r\n"
    parsed = read(f"{header}{kind}{text}\r\n".encode())
    parsed.seen  # noqa: B018 - it is made once, for all checks
    best = folding = 1e9
    for _ in range(_ROUNDS):
        began = time.process_time()
        for _ in range(_RUNS):
            hits = matcher.match(texts_of(matcher.places, parsed, "A", (), ()), _no_fact)
        best = min(best, time.process_time() - began)
        began = time.process_time()
        for _ in range(_RUNS):
            list(texts_of(matcher.places, parsed, "A", (), ()))
        folding = min(folding, time.process_time() - began)
    spent, folded = 1e6 * best / _RUNS, 1e6 * folding / _RUNS
    size = len(text.encode())
    print(
        f"{name:20} {size:7,} bytes {spent:7.1f} us, {folded:.1f} for the texts; {len(hits)} hold"
    )


def _no_fact(name: str) -> bool:
    return False


def _prose(words: list[str], luck: random.Random, size: int) -> str:
    text = ""
    while len(text) < size:
        text += luck.choice(words) + luck.choice((" ", " ", " ", " ", " ", ", ", ".\r\n"))
    return text[:size]


def _rules(number: int, words: list[str], luck: random.Random) -> str:
    lines = ['[group.all]\ntitle = "All"\ncap = 5\n']
    for index in range(number):
        lines.append(f'[rule.RULE_{index}]\nscore = 1\nwords = "It says so."\ngroup = "all"')
        if index % 5 == 4:
            one, other = luck.sample(range(index - 4, index), 2)
            lines.append(f'when = "RULE_{one} & (RULE_{other} | no_link)"\n')
            continue
        a, b, c, d = luck.sample(words, 4)
        form = luck.choice((f"{a} {b}", f"(?:{a}|{b}) (?:{c}|{d})", f"{a} .{{0,30}}{b}"))
        lines.append(rf"patterns = ['\b{form}\b']" + "\n")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
