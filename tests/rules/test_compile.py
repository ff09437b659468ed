"""
Tests of L{mailgate.rules.compile}.
"""

# ruff: noqa: RUF001

import hyperscan
from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailgate.rules.compile import Failed, Unusable, compile_patterns, in_bytes, why_not


class PatternsTests(SynchronousTestCase):
    """
    Tests of patterns that are looked for together.
    """

    def found(self, text, *patterns):
        """
        Give which patterns are found, and where the first one of each ends.
        """
        return sorted(compile_patterns(patterns).find(text.encode()))

    def test_found(self):
        """
        Each pattern is told with the end of its first match, in whatever case.
        """
        text = "Unclaimed FUNDS are unclaimed funds."
        self.assertEqual(self.found(text, r"\bclaimed", "funds?\\b", "UN"), [(1, 15), (2, 2)])

    def test_lines(self):
        """
        C{^} and C{$} are the ends of a line, and a dot does not go beyond it; the last line ends
        where the text does.
        """
        self.assertEqual(self.found("one\ntwo", "^two$", "^one$", "one.two"), [(0, 7), (1, 3)])

    def test_other_letters(self):
        """
        Letters beyond ASCII may be counted, chosen and stand in ranges.
        """
        for pattern, text, expected in (
            ("€?5", "5", 1),
            ("€{2}", "€€", 1),
            ("[$€£] ?5", "£5", 1),
            ("[$€£] ?5", "¥5", 0),
            ("[а-г]б", "вб", 1),
            ("[а-г]б", "жб", 0),
            ("[a-cй]z", "bz йz", 1),
            (r"[\dй]+z", "йz", 1),
            (r"\x{20ac}5", "€5", 1),
            (r"[\x{20ac}-\x{20ad}x]5", "€5", 1),
            ("[^a]5", "€5", 1),
        ):
            self.assertEqual(len(self.found(text, pattern)), expected, (pattern, text))

    def test_flood(self):
        """
        Thousands of matches of one pattern do not hide another one.
        """
        self.assertEqual(
            [index for index, _ in self.found("spam " * 10_000 + "rare", "spam", ".am", "rare")],
            [0, 1, 2],
        )

    def test_unusable(self):
        """
        Patterns that cannot be looked for in one pass are named, each with the reason.
        """
        with self.assertRaises(Unusable) as caught:
            compile_patterns(("good", "(?=ahead)x", r"(a)\1", "a*", "(", r"\p{L}", "[^й]", "[à-₪]"))
        self.assertEqual(
            [pattern for pattern, _ in caught.exception.reasons],
            ["(?=ahead)x", r"(a)\1", "a*", "(", r"\p{L}", "[^й]", "[à-₪]"],
        )
        self.assertTrue(all(why for _, why in caught.exception.reasons))
        self.assertEqual(why_not("good"), "")

    def test_in_bytes(self):
        """
        What is ASCII stays as it is written.
        """
        for pattern in (r"[]a\]]+\[x", r"[[:alpha:]_]{2,3}", r"(?:a|\w)\.$"):
            self.assertEqual(in_bytes(pattern), pattern.encode())

    def test_canary(self):
        """
        A database that does not even find the canary has failed, as has one that cannot be used.
        """
        patterns = compile_patterns(("good",))
        self.assertRaises(Failed, evolve(patterns, canary=b"\nother").find, b"good")
        empty = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        self.assertRaises(Failed, evolve(patterns, database=empty).find, b"good")

    def test_none(self):
        """
        Where there are no patterns nothing is found.
        """
        self.assertEqual(self.found("text"), [])
