"""
Tests of L{mailgate.rules.spamassassin}: with rules of our own, in the form of SpamAssassin.
"""

import tomllib

from twisted.trial.unittest import SynchronousTestCase

from mailgate.rules.spamassassin import Reader
from tests.rules.given import rules


def imported(*texts):
    """
    Read files.
    """
    reader = Reader()
    for text in texts:
        reader.read(text.splitlines())
    return reader.finish()


class ReaderTests(SynchronousTestCase):
    """
    Tests of rules of another filter.
    """

    def one(self, text):
        """
        Give the rule of a file with one.
        """
        made = imported(text)
        self.assertEqual(made.left_out, {})
        (rule,) = made.rules
        return rule

    def test_kinds(self):
        """
        Patterns for fields, text and links are looked for where they were.
        """
        for text, where, pattern in (
            ("header A Subject =~ /free/i", ("subject",), "free"),
            ("header A From:name =~ /free/i", ("from_name",), "free"),
            ("header A ToCc =~ /free/i", ("header:to", "header:cc"), "free"),
            ("header A MESSAGEID =~ /free/", ("header:message-id",), "free"),
            ("header A X-Thing =~ m!a/b!", ("header:x-thing",), "a/b"),
            ("header A exists:X-Thing", ("header:x-thing",), "."),
            (r"body A /\bfree\/gratis\b/i", ("subject", "text"), r"\bfree/gratis\b"),
            ("uri A m{^https?://a\\.example/}i", ("links",), r"^https?://a\.example/"),
            ("body A /a\\#b/ # a comment", ("subject", "text"), "a#b"),
        ):
            rule = self.one(text)
            self.assertEqual((rule.where, rule.pattern), (where, pattern), text)

    def test_scores(self):
        """
        The score is the last of four, or what it is where none is given.
        """
        for text, score in (
            ("body A /a/\nscore A 1 2 3 4.5", 4.5),
            ("score A -2\nbody A /a/", -2),
            ("body A /a/", 1),
            ("body T_A /a/", 0.01),
            ("body __A /a/\nscore __A 3", 0),
        ):
            self.assertEqual(self.one(text).score, score, text)

    def test_words(self):
        """
        What it is described as is said as a sentence.
        """
        self.assertEqual(self.one("body A /a/\ndescribe A Has {an} a").words, "Has an a.")
        self.assertEqual(
            self.one("body A /a/\nlang de describe A x").words, "The imported rule A holds."
        )

    def test_conditions(self):
        """
        Conditions over rules that were taken over are taken over, sums as counts.
        """
        parts = "body __A /a/\nbody B /b/\nbody C /c/\n"
        for test, when in (
            ("__A && !B", "SUB_A & !B"),
            ("(__A || B) && C", "(SUB_A | B) & C"),
            ("(__A + B + C > 1)", "(2 of (SUB_A, B, C))"),
            ("C && (__A + B >= 2)", "C & (2 of (SUB_A, B))"),
            ("C && (__A + B) >= 2", "C & 2 of (SUB_A, B)"),
        ):
            made = imported(f"meta M {test}\n{parts}")
            self.assertEqual({rule.when for rule in made.rules} - {""}, {when}, made.left_out)

    def test_left_out(self):
        """
        What cannot be taken over is left out, with the reason.
        """
        parts = "body A /a/\ntflags A multiple\nbody B /b/\n"
        for text, why in (
            ("body X eval:check_it()", "calls code"),
            ("header X eval:check_it()", "calls code"),
            ("rawbody X /a/", "source"),
            ("full X /a/", "source"),
            ("header X ALL =~ /a/", "that SpamAssassin makes"),
            ("header X X-Spam-Relays-Untrusted =~ /a/", "that SpamAssassin makes"),
            ("header X From:addr =~ /a/", "a part of a field"),
            ("header X Subject:raw =~ /a/", "a part of a field"),
            ("header X Subject !~ /a/", "has not"),
            ("header X Subject =~ /a/ [if-unset: a]", "not there"),
            ("body X /FREE/", "capitals"),
            ("body X /(?=a)b/", "ahead or behind"),
            ("body X /(?<!a)b/", "ahead or behind"),
            (r"body X /(a)\1/", "found before"),
            ("body X /a*/", "one pass"),
            ("body X /a/x", "flags"),
            ("body X a", "no pattern"),
            (f"body X /{'a' * 10_001}/", "too long"),
            ("body X /a/\nscore X 0", "switched off"),
            ("meta X A && GONE", "left out or not there"),
            ("meta X A + B + B", "calculates"),
            ("meta X A * 2 > 1", "calculates"),
            ("meta X (A + B) > 1", "how often"),
            ("meta X Y\nmeta Y X", "speaks of itself"),
            ("ifplugin Some::Thing\nbody X /a/\nendif", "needs a plugin"),
            ("if (version < 3)\nbody X /a/\nendif", "needs a plugin"),
            ("mimeheader X Content-Type =~ /a/", "needs a plugin"),
        ):
            left_out = imported(parts + text).left_out
            self.assertIn(why, left_out.get("X", ""), text)

    def test_branches(self):
        """
        Of two ways the one for this release without plugins counts.
        """
        rule = self.one(
            "ifplugin Some::Thing\nbody A /a/\nelse\n"
            "if (version >= 3.004001)\nbody A /b/\nendif\nendif"
        )
        self.assertEqual(rule.pattern, "b")

    def test_reasons(self):
        """
        Reasons are counted.
        """
        made = imported("full A /a/\nfull B /a/\nbody C /C/\nbody D /d/")
        self.assertEqual(
            made.reasons(),
            [("looks at the source of the message", 2), ("tells capitals from small letters", 1)],
        )

    def test_file(self):
        """
        What is written can be read as rules of ours, and says what was left out.
        """
        text = (
            'body __A /a"\\\\b/\nmeta M __A\nscore M -1.5\ndescribe M "Odd" \x7fthing\nfull F /a/'
        )
        written = "\n".join(imported(text).toml())
        self.assertEqual(set(tomllib.loads(written)["rule"]), {"SUB_A", "M"})
        self.assertIn("# left out: F: looks at the source", written)
        made = rules(self, written.replace("rule.M", "rule.MM"))
        self.assertEqual(made.rules["MM"].score, -1.5)
