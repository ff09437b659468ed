"""
The rules that come with mailgate, held against letters that were made up for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.rules_hits import judge, points_of
from mailgate.checks.rules import FACTS
from mailgate.rules.format import built_in, load
from mailgate.rules.matching import Hit, Matcher

EXAMPLES = Path(__file__).parent / "examples"

LANGUAGES = {"de", "en", "es", "fr", "it", "nl", "pl", "pt", "ru"}

_HEADERS = (
    "To: you@ours.test",
    "Date: Mon, 03 Mar 2025 10:00:00 +0100",
    "Message-ID: <20250303.1@mail.example>",
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=utf-8",
    "Content-Transfer-Encoding: 8bit",
)


def letters(pattern: str) -> Iterator[tuple[str, str, bytes]]:
    """
    Give of each letter the file, the title, and the message.
    """
    for path in sorted(EXAMPLES.glob(pattern)):
        _, *parts = re.split(r"^=== (.+)\n", path.read_text("utf-8"), flags=re.MULTILINE)
        for title, letter in zip(parts[::2], parts[1::2], strict=True):
            head, _, body = letter.partition("\n\n")
            names = {line.partition(":")[0] for line in head.splitlines()}
            rest = [line for line in _HEADERS if line.partition(":")[0] not in names]
            lines = [*head.splitlines(), *rest, "", *body.splitlines(), ""]
            yield path.name, title, "\r\n".join(lines).encode()


class SetsTests(SynchronousTestCase):
    """
    The rules of all files together.
    """

    matcher: Matcher

    def setUp(self) -> None:
        """
        Load the rules.
        """
        self.matcher = Matcher(load(built_in(), FACTS))

    def test_each_bad_letter_is_seen_for_what_it_is(self) -> None:
        """
        Of each letter of spam a rule of its group holds.
        """
        missed = []
        number = 0
        for file, group, message in letters("spam-*.txt"):
            number += 1
            groups = {hit.rule.group for hit in self._hits(message) if hit.rule.score > 0}
            if group not in groups:
                missed.append((file, group, message.decode().partition("\r\n\r\n")[2][:60]))
        self.assertEqual(missed, [])
        self.assertGreaterEqual(number, 60)

    def test_no_good_letter_gets_more_than_two_points(self) -> None:
        """
        What lawyers, banks, shops and people write stays below two points.
        """
        judged = []
        number = 0
        for file, title, message in letters("ham-*.txt"):
            number += 1
            hits = self._hits(message)
            points = points_of(hits, self.matcher.rules)
            if points > 2:
                judged.append((file, title, points, sorted(hit.rule.symbol for hit in hits)))
        self.assertEqual(judged, [])
        self.assertGreaterEqual(number, 60)

    def test_rules_are_in_nine_languages(self) -> None:
        """
        The languages that rules are bound to are these.
        """
        rules = self.matcher.rules.rules.values()
        self.assertEqual({code for rule in rules for code in rule.languages}, LANGUAGES)

    def test_whoever_counts_belongs_to_a_group(self) -> None:
        """
        No rule counts outside of the caps.
        """
        rules = self.matcher.rules.rules.values()
        self.assertEqual([r.symbol for r in rules if r.score and not r.group], [])

    def test_a_letter_costs_nothing_for_its_lists(self) -> None:
        """
        No rule speaks for a message, so nothing that a sender writes makes it better.
        """
        rules = self.matcher.rules.rules.values()
        self.assertEqual([rule.symbol for rule in rules if rule.score < 0], [])

    def test_words_are_sentences(self) -> None:
        """
        What people read of a rule begins with a capital and ends with a full stop.
        """
        sentence = re.compile(r"[A-Z].*[^.]\.")
        rules = self.matcher.rules.rules.values()
        self.assertEqual([r.symbol for r in rules if not sentence.fullmatch(r.words)], [])

    def _hits(self, message: bytes) -> Sequence[Hit]:
        return judge(self.matcher, message)
