"""
Tests of L{mailgate.rules.condition}.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.rules.condition import DEEPEST, LONGEST, parse


class ConditionTests(SynchronousTestCase):
    """
    Tests of conditions.
    """

    def test_holds(self):
        """
        C{!} binds closest, then C{&}, then C{|}; parentheses and counts are there too.
        """
        for text, found, expected in (
            ("A", "A", True),
            ("A", "", False),
            ("!A", "", True),
            ("!!A", "A", True),
            ("A & !b", "A", True),
            ("A & !b", "A b", False),
            ("A | B & C", "A", True),
            ("A | B & C", "B", False),
            ("(A | B) & C", "A", False),
            ("(A|B)&C", "B C", True),
            ("2 of (A, B, C)", "A", False),
            ("2 of (A, B, C)", "A C", True),
            ("2 of (A & b, !C, D | E)", "b E", True),
            ("2 of (A & b, !C, D | E)", "A b C", False),
            ("1 of (A)", "A", True),
        ):
            condition = parse(text)
            self.assertIs(condition.holds(set(found.split())), expected, (text, found))

    def test_names(self):
        """
        It knows of which rules and facts it speaks.
        """
        self.assertEqual(parse("A & (b | 2 of (C, A))").names, {"A", "b", "C"})

    def test_triggers(self):
        """
        It knows names of which one holds whenever it does, rules rather than facts.
        """
        for text, triggers in (
            ("A", {"A"}),
            ("!A", None),
            ("A & !B", {"A"}),
            ("fact & (A | B)", {"A", "B"}),
            ("A | fact", {"A", "fact"}),
            ("A | !B", None),
            ("2 of (A, B, !C)", {"A", "B"}),
            ("1 of (A, !C)", None),
        ):
            self.assertEqual(parse(text).triggers, triggers, text)

    def test_mistakes(self):
        """
        What is none is refused with what is wrong.
        """
        for text, why in (
            ("", "the end where a name is expected"),
            ("A &", "the end where a name is expected"),
            ("A B", '"B" where & or | is expected'),
            ("(A", 'the end where ")" is expected'),
            ("A & ~B", '"~", which means nothing there'),
            ("3 of (A, B)", "asks for 3 of 2"),
            ("0 of (A)", "asks for 0 of 1"),
            ("2 (A, B)", '"(" where "of" is expected'),
            ("!" * (DEEPEST + 1) + "A", "deeper than"),
            ("(" * (DEEPEST + 1), "deeper than"),
            ("A" * (LONGEST + 1), "more than"),
        ):
            with self.assertRaises(ValueError) as caught:
                parse(text)
            self.assertIn(why, str(caught.exception))
