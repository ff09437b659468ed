"""
Tests of L{mailgate.config.problem}.
"""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.problem import (
    ConfigurationError,
    Problem,
    as_key,
    as_toml,
    nearest,
)


class ProblemTests(SynchronousTestCase):
    """
    A problem is one line that can be read.
    """

    def test_line(self) -> None:
        """
        The line names file, table, key, value, reason and what was perhaps meant.
        """
        problem = Problem(Path("a.toml"), "[limits]", "errrs", "5", "is unknown", "errors")
        self.assertEqual(
            str(problem), 'a.toml: [limits] errrs = 5: is unknown; did you mean "errors"?'
        )

    def test_whole_file(self) -> None:
        """
        What is wrong with the whole file stands right behind its name.
        """
        problem = Problem(Path("a.toml"), "", "", "", "cannot be read")
        self.assertEqual(str(problem), "a.toml: cannot be read")

    def test_unprintable(self) -> None:
        """
        What a terminal would obey is shown and not done.
        """
        line = str(Problem(Path("a\n.toml"), "", "k\x9b", as_toml("\x1b[2J\n"), "is wrong"))
        self.assertTrue(line.isprintable(), line)
        self.assertIn("[2J", line)

    def test_error(self) -> None:
        """
        The error shows each problem on a line of its own.
        """
        problems = [Problem(Path("a"), "", key, "", "is missing") for key in ("x", "y")]
        self.assertEqual(str(ConfigurationError(problems)), "a: x: is missing\na: y: is missing")


class SpellingTests(SynchronousTestCase):
    """
    Values are shown as the file spells them.
    """

    def test_values(self) -> None:
        """
        Every kind of value is spelled as in TOML.
        """
        self.assertEqual(
            as_toml({"a": [True, 1, 0.5, 'x"y'], "b c": {}}),
            r'{ a = [true, 1, 0.5, "x\"y"], "b c" = {} }',
        )

    def test_long_value(self) -> None:
        """
        A long value is cut at 80 characters.
        """
        self.assertEqual(len(as_toml("x" * 1000)), 80)
        self.assertEqual(as_toml("x" * 78), f'"{"x" * 78}"')

    def test_keys(self) -> None:
        """
        A key has quotes only where it needs them.
        """
        self.assertEqual([as_key(key) for key in ("a-b_1", "a b", "")], ["a-b_1", '"a b"', '""'])


class NearestTests(SynchronousTestCase):
    """
    What is nearly right finds what was meant.
    """

    def test_nearest(self) -> None:
        """
        A slip, and another case, are seen; something else is not.
        """
        known = ["recipients", "errors", "Errors_Max"]
        self.assertEqual(nearest("recipient", known), "recipients")
        self.assertEqual(nearest("ERRORS", known), "errors")
        self.assertEqual(nearest("errors_max", known), "Errors_Max")
        self.assertEqual(nearest("xyz", known), "")
