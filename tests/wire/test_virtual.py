"""
Tests of the table of recipients and aliases.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.wire.virtual import TARGETS, BadLine, parse_address, parse_table


class TableTests(SynchronousTestCase):
    """
    Tests of L{parse_table}.
    """

    def read(self, text):
        """
        Read a table, and give its addresses in words.
        """
        table = parse_table(text.splitlines(keepends=True))
        return {key: [str(each) for each in targets] for key, targets in table.items()}

    def test_lines(self):
        """
        A line has an address, and perhaps what it stands for; the rest is what Postfix has beside.
        """
        text = (
            "# mailboxes\n"
            "\n"
            "Ada@Example.com   # Lovelace\n"
            "info@example.com\tada@example.com,bob@example.com , eve@example.org\n"
            "long@example.com ada@example.com\n"
            "  # between\n"
            "    bob@example.com\n"
            "@example.net\n"
            "*@example.org @example.com\n"
            "known@example.com OK\n"
            "virtual.example.com anything\n"
            "ada@example.com Ada@Example.com\n"
        )
        self.assertEqual(
            self.read(text),
            {
                "ada@example.com": ["Ada@Example.com"],
                "info@example.com": ["ada@example.com", "bob@example.com", "eve@example.org"],
                "long@example.com": ["ada@example.com", "bob@example.com"],
                "@example.net": [],
                "@example.org": ["@example.com"],
                "known@example.com": ["known@example.com"],
            },
        )

    def test_mistakes(self):
        """
        What is wrong is told with the number of its line.
        """
        many = ", ".join(f"a{n}@example.com" for n in range(TARGETS + 1))
        for text, number, why in (
            ("\n  ada@example.com", 2, "there is no line before it"),
            ("ada", 1, "a whole domain is @example.com"),
            ("example.com", 1, "a whole domain is @example.com"),
            ("ada@example.com\nada@example.com bob@example.com", 2, "first in line 1"),
            ("ada@example.com bob", 1, "'bob' is no address"),
            ("ada@example.com |/bin/sh", 1, "'|/bin/sh' is no address"),
            ("ada@example.com :include:/etc/passwd", 1, "is no address"),
            ("ada@exa_mple..com", 1, "is no address"),
            ("ada@[192.0.2.1]", 1, "is no address"),
            ("postmaster", 1, "is no address"),
            (f"ada@example.com {many}", 1, f"more than {TARGETS}"),
        ):
            with self.assertRaisesRegex(BadLine, ".") as raised:
                parse_table(text.splitlines())
            error = raised.exception
            self.assertEqual(error.number, number, text)
            self.assertIn(why, str(error))

    @given(st.text(max_size=60))
    def test_any_text(self, text):
        """
        Whatever stands there it is a table or a bad line, and every address in it can be written
        between angle brackets.
        """
        try:
            table = parse_table(text.split("\n"))
        except BadLine:
            return
        for targets in table.values():
            for each in targets:
                self.assertNotIn(">", str(each).replace('">"', ""))
                self.assertEqual(parse_address(str(each)), each)
