"""
Tests of L{mailgate.commands.rules}.
"""

import json
import tomllib
from pathlib import Path

from tests.commands.case import CommandLineCase
from tests.rules.given import rule, written

GROUP = '[group.money]\ntitle = "Money"\ncap = 2\n'
LETTER = b"From: a@example.org\nSubject: unclaimed\n\nThere are unclaimed funds for you.\n"


class RulesTests(CommandLineCase):
    """
    Tests of C{mailgate rules}.
    """

    def use(self, text):
        """
        Put a file of rules into the configuration, in place of those that come with mailgate.
        """
        file = written(self, text).absolute()
        with self.config.open("a") as config:
            config.write(f'\n[checks.rules]\nbuilt_in = false\nfiles = ["{file}"]\n')

    def letter(self):
        """
        Write a message to a file.
        """
        path = Path(self.mktemp())
        path.write_bytes(LETTER)
        return str(path)

    def test_list(self):
        """
        All rules are listed, with groups and languages.
        """
        self.use(GROUP + rule("FEE", "funds", group="money", languages=["en"]) + rule("BB", "b"))
        lines = self.say("rules", "list").splitlines()
        self.assertEqual(
            [line.split() for line in lines],
            [
                ["SCORE", "RULE", "GROUP", "LANGUAGES", "WORDS"],
                ["+1", "BB", "It", "says", "bb."],
                ["+1", "FEE", "money", "en", "It", "says", "fee."],
                ["money:", "Money", "(together", "2", "at", "most)"],
            ],
        )
        listed = json.loads(self.say("rules", "list", "--json"))
        self.assertEqual(
            [(each["symbol"], each["group"]) for each in listed], [("FEE", "money"), ("BB", "")]
        )

    def test_test(self):
        """
        A message is told which rules hold of it, those without a score too, and which facts.
        """
        self.use(rule("FEE", "funds", score=0) + rule("BB", when="FEE & no_link"))
        text = self.say("rules", "test", self.letter())
        quote = "“There are unclaimed funds for you.”"
        self.assertEqual(
            text.splitlines()[:2],
            [f"   +0 FEE: It says fee. {quote}", f"   +1 BB: It says bb. {quote}"],
        )
        self.assertIn("no_link", text.splitlines()[2])
        found = json.loads(self.say("rules", "test", "--json", self.letter()))
        self.assertEqual([each["symbol"] for each in found["rules"]], ["FEE", "BB"])
        self.assertIn("no_link", found["facts"])

    def test_import(self):
        """
        Rules are written to standard output; what was left out is counted beside it.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "a.cf").write_text("body A_RULE /funds/i\nfull B_RULE /a/\n")
        (folder / "readme.txt").write_text("body C_RULE /c/\n")
        status, out, err = self.call("rules", "import", "spamassassin", str(folder))
        self.assertEqual(status, 0)
        self.assertEqual(set(tomllib.loads(out)["rule"]), {"A_RULE"})
        self.assertIn("1 rules were taken over; 1 left out:", err)
        self.assertIn("1  looks at the source of the message", err)
