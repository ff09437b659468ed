"""
How often rules hold in folders of messages.
"""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path

from twisted.trial.unittest import TestCase

from bench.rules_hits import judge, main, points_of
from mailgate.checks.rules import FACTS
from mailgate.rules.format import load
from mailgate.rules.matching import Matcher

RULES = """
[group.sweets]
title = "Sweets"
cap = 1.5

[rule.CAKE]
group = "sweets"
score = 1.0
words = "It speaks of cake."
patterns = ['\\bcake\\b']

[rule.PIE]
group = "sweets"
score = 1.0
words = "It speaks of pie."
patterns = ['\\bpie\\b']
"""

LETTER = b"From: a@b.example\r\nTo: c@ours.test\r\nSubject: food\r\n\r\n"


class RulesHitsTests(TestCase):
    """
    The program C{bench/rules_hits.py}.
    """

    def setUp(self) -> None:
        """
        Write a set of two rules, and two folders.
        """
        self.rules = Path(self.mktemp())
        self.rules.write_text(RULES)
        self.folders = []
        for letters in ((b"cake and pie", b"bread"), (b"pie", b"pie")):
            folder = Path(self.mktemp())
            folder.mkdir()
            for number, text in enumerate(letters):
                (folder / f"{number}.eml").write_bytes(LETTER + text + b"\r\n")
            self.folders.append(folder)

    def test_a_group_adds_up_to_its_cap(self) -> None:
        """
        Two points of a group that counts one and a half at most are one and a half.
        """
        matcher = Matcher(load([self.rules], FACTS))
        hits = judge(matcher, LETTER + b"cake and pie\r\n")
        self.assertEqual({hit.rule.symbol for hit in hits}, {"CAKE", "PIE"})
        self.assertEqual(points_of(hits, matcher.rules), 1.5)

    def test_it_counts_for_each_folder(self) -> None:
        """
        A line for each rule has its number in each folder, and messages above a limit are named.
        """
        ham, spam = self.folders
        out = io.StringIO()
        with redirect_stdout(out):
            main(
                [f"ham={ham}", f"spam={spam}", "--only", str(self.rules), "--above", "1.2"],
            )
        lines = out.getvalue().splitlines()
        self.assertEqual(lines[0].split(), ["1.5", str(ham / "0.eml"), "CAKE", "PIE"])
        self.assertEqual(lines[2].split(), ["CAKE", "1.0", "1", "50.00%", "0", "0.00%"])
        self.assertEqual(lines[3].split(), ["PIE", "1.0", "1", "50.00%", "2", "100.00%"])
        self.assertTrue(lines[4].startswith("ham: 2 messages, highest 1.5"), lines[4])
