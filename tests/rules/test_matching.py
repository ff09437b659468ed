"""
Tests of L{mailgate.rules.matching}.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.problem import ConfigurationError
from mailgate.message.language import languages_of
from mailgate.rules.matching import Matcher
from tests.rules.given import rule, rules

ENGLISH = "we would like to tell you that your order is on the way"


class MatcherTests(SynchronousTestCase):
    """
    Tests of which rules hold.
    """

    def hits(self, written, facts=(), **places):
        """
        Give which rules hold of a message with these places, and what they quote.
        """
        matcher = Matcher(rules(self, written))
        given = [
            (place, places[name].encode())
            for place in matcher.places
            if (name := place.replace(":", "_").replace("-", "_")) in places
        ]
        spoken = languages_of(places.get("text", ""))
        hits = matcher.match(given, set(facts).__contains__, lambda: spoken)
        return {hit.rule.symbol: hit.quote for hit in hits}

    def test_places(self):
        """
        A pattern is looked for where its rule says, and nowhere else.
        """
        text = rule("AA", "funds") + rule("BB", "funds", where=["header:X-Thing", "links"])
        self.assertEqual(self.hits(text, subject="funds"), {"AA": "funds"})
        self.assertEqual(self.hits(text, header_x_thing="no", links="funds"), {"BB": "funds"})
        self.assertEqual(self.hits(text, text="fun"), {})

    def test_conditions(self):
        """
        Conditions hold by patterns, facts and other conditions, and quote what these have found.
        """
        text = (
            rule("AA", "funds")
            + rule("BB", when="AA & no_link")
            + rule("CC", when="BB | spf_fail")
            + rule("DD", when="!AA & !no_link")
            + rule("EE", when="!CC & AA")
        )
        for facts, place, expected in (
            (["no_link"], "funds", {"AA": "funds", "BB": "funds", "CC": "funds"}),
            ([], "funds", {"AA": "funds", "EE": "funds"}),
            (["spf_fail"], "", {"CC": "", "DD": ""}),
            (["no_link"], "", {}),
        ):
            self.assertEqual(self.hits(text, facts, text=place), expected)

    def test_facts(self):
        """
        Facts are asked for only where they matter.
        """
        matcher = Matcher(rules(self, rule("AA", "funds") + rule("BB", when="AA & no_link")))
        asked = []
        matcher.match([("text", b"nothing")], asked.append)
        self.assertEqual(asked, [])
        matcher.match([("text", b"funds")], asked.append)
        self.assertEqual(asked, ["no_link"])

    def test_languages(self):
        """
        A rule for a language does not hold of a text in another one, but of one in none that is
        known; also where it is in the subject that something was found.
        """
        text = rule("AA", "funds", languages=["de"], where=["subject"])
        self.assertEqual(self.hits(text, subject="funds", text=ENGLISH), {})
        self.assertEqual(self.hits(text, subject="funds", text="hm"), {"AA": "funds"})
        self.assertEqual(
            self.hits(rule("AA", "funds", languages=["en"]), subject="funds", text=ENGLISH),
            {"AA": "funds"},
        )

    def test_quote(self):
        """
        What was found is quoted with what stands around it in its line, in whole words.
        """
        line = (
            "this is a line of many words in which one word is not like the others that are there"
        )
        (quote,) = self.hits(rule("AA", "not"), text=f"before\n{line}\nbehind").values()
        self.assertEqual(
            quote, "is a line of many words in which one word is not like the others that"
        )
        (quote,) = self.hits(rule("AA", "word"), text="x" * 200 + "word" + "é" * 200).values()
        self.assertTrue(40 < len(quote) <= 80 and quote in "x" * 200 + "word" + "é" * 200)

    def test_disabled(self):
        """
        A condition takes a rule that is left out for one that does not hold.
        """
        text = rule("AA", "funds") + rule("BB", when="!AA")
        matcher = Matcher(rules(self, text, disable=["AA"]))
        (hit,) = matcher.match([("text", b"funds")], bool)
        self.assertEqual(hit.rule.symbol, "BB")

    def test_unusable(self):
        """
        A pattern that cannot be looked for is a mistake in the rule's file.
        """
        with self.assertRaises(ConfigurationError) as caught:
            Matcher(rules(self, rule("AA", "good") + rule("BB", "(?=ahead)x")))
        (problem,) = caught.exception.problems
        self.assertEqual(
            (problem.file.name, problem.table, problem.key), ("own.toml", "[rule.BB]", "patterns")
        )
        self.assertIn("(?=ahead)x", problem.value)

    def test_none(self):
        """
        Without rules nothing holds.
        """
        self.assertEqual(self.hits(""), {})
