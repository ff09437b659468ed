"""
Tests of L{mailgate.rules.format}.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.problem import ConfigurationError
from mailgate.rules.format import load
from tests.rules.given import FACTS, rule, rules, written

GROUP = '[group.money]\ntitle = "Money"\ncap = 2\n'


class LoadTests(SynchronousTestCase):
    """
    Tests of reading files of rules.
    """

    def problems(self, *texts, **options):
        """
        Give what is wrong with files, each as table, key and reason.
        """
        files = [written(self, text) for text in texts]
        with self.assertRaises(ConfigurationError) as caught:
            load(files, FACTS, **options)
        for problem in caught.exception.problems:
            self.assertIn(problem.file.name, ("own.toml", "configuration"))
        return [(each.table, each.key, each.why) for each in caught.exception.problems]

    def test_rule(self):
        """
        A rule has what is written, and looks at subject and text where nothing else is said.
        """
        (made,) = rules(self, GROUP + rule("FEE_FUNDS", "fünds", group="money")).rules.values()
        self.assertEqual(
            (made.symbol, made.score, made.words, made.group, made.where, made.patterns),
            ("FEE_FUNDS", 1.0, "It says fee_funds.", "money", ("subject", "text"), ("funds",)),
        )

    def test_order(self):
        """
        A condition stands behind what it speaks of, wherever it is written.
        """
        text = rule("CC", when="BB & no_link") + rule("BB", when="AA") + rule("AA", "a")
        made = rules(self, text)
        self.assertEqual(list(made.rules), ["AA", "BB", "CC"])
        self.assertEqual(made.facts, {"no_link"})

    def test_operator(self):
        """
        The operator leaves rules out, and gives others another score.
        """
        text = rule("AA", "a") + rule("BB", "b")
        made = rules(self, text, disable=["AA"], scores={"BB": 3})
        self.assertEqual({name: each.score for name, each in made.rules.items()}, {"BB": 3.0})

    def test_groups_of_other_files(self):
        """
        A rule may be of a group that stands in another file.
        """
        files = [written(self, rule("AA", "a", group="money")), written(self, GROUP)]
        self.assertEqual(load(files, FACTS).groups["money"].cap, 2)

    def test_mistakes(self):
        """
        Each mistake is told with its file, table, key, and what is allowed.
        """
        for text, table, key, why in (
            ("[", "", "", "at end of document"),
            ("[thing]", "[thing]", "", "neither group nor rule"),
            ("[group.Money]", "[group.Money]", "", "lower case"),
            ("[group.money]\ntitle = 'M'\ncap = 0", "[group.money]", "cap", "from 0.1 to 100"),
            ("[rule.fee]", "[rule.fee]", "", "upper case"),
            ("rule = 3", "rule", "", "is no table"),
            ("[rule]\nFEE = 3", "[rule.FEE]", "", "is no table"),
            (rule("FEE", "a", score="true"), "[rule.FEE]", "score", "from -100 to 100"),
            (rule("FEE", "a", score=101), "[rule.FEE]", "score", "from -100 to 100"),
            (rule("FEE"), "[rule.FEE]", "", "either patterns or when"),
            (rule("FEE", "a", when="no_link"), "[rule.FEE]", "", "either patterns or when"),
            (rule("FEE", when="no_link", where=["text"]), "[rule.FEE]", "where", "patterns only"),
            (rule("FEE", "a", where=["txt"]), "[rule.FEE]", "where", "of subject, text, hidden"),
            (rule("FEE", "a", where=[]), "[rule.FEE]", "where", "a list of strings"),
            (rule("FEE", "a", languages=["english"]), "[rule.FEE]", "languages", "of ar, bg, cs"),
            (rule("FEE", "a", languages=["xx"]), "[rule.FEE]", "languages", "of ar, bg, cs"),
            (rule("FEE", "счет\\b"), "[rule.FEE]", "patterns", "not Latin"),
            (rule("FEE", "a" * 10_001), "[rule.FEE]", "patterns", "longer than"),
            (rule("FEE", "a", group="money"), "[rule.FEE]", "group", "no such group"),
            (rule("FEE", "a", colour="red"), "[rule.FEE]", "colour", "is not known"),
            (rule("FEE", when="no_lnk"), "[rule.FEE]", "when", "no fact no_lnk"),
            (rule("FEE", when="FIE"), "[rule.FEE]", "when", "no rule FIE"),
            (rule("FEE", when="FEE"), "[rule.FEE]", "when", "speak of each other"),
            (rule("FEE", when="a &"), "[rule.FEE]", "when", "has the end"),
            (rule("FEE", "a").replace("It", "{It}"), "[rule.FEE]", "words", "no braces"),
            (rule("FEE", "a").replace("It", "it"), "[rule.FEE]", "words", "begin with a capital"),
            (rule("FEE", "a").replace("fee.", "fee"), "[rule.FEE]", "words", "a full stop"),
            (rule("FEE", "a").replace("It", "\\n"), "[rule.FEE]", "words", "one line"),
        ):
            found = self.problems(text)
            self.assertTrue(
                any(each[:2] == (table, key) and why in each[2] for each in found), (text, found)
            )

    def test_twice(self):
        """
        No rule or group is there twice.
        """
        found = self.problems(GROUP + rule("FEE", "a"), GROUP + rule("FEE", "b"))
        self.assertEqual([each[:2] for each in found], [("[group.money]", ""), ("[rule.FEE]", "")])

    def test_unknown_symbols(self):
        """
        Who leaves out a rule that is not there, or gives it a score, is told.
        """
        found = self.problems(rule("FEE", "a"), disable=["FIE"], scores={"FOO": 1})
        self.assertEqual(
            [each[:2] for each in found],
            [("[checks.rules]", "disable"), ("[checks.rules]", "scores")],
        )

    def test_nearest(self):
        """
        A name that is nearly right is told with the one that was perhaps meant.
        """
        with self.assertRaises(ConfigurationError) as caught:
            rules(self, rule("FEE", when="no_lnk"))
        self.assertIn('did you mean "no_link"?', str(caught.exception))

    def test_unreadable(self):
        """
        A file that is not there, or no text, is told.
        """
        file = written(self, "")
        file.write_bytes(b"\xff")
        for path, why in ((file, "UTF-8"), (file.with_name("none.toml"), "cannot be read")):
            with self.assertRaises(ConfigurationError) as caught:
                load([path], FACTS)
            self.assertIn(why, str(caught.exception))
