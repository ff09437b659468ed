"""
Tests of L{mailgate.reporting.trace_query}.
"""

import sqlite3

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.reporting.trace_index import COLUMNS
from mailgate.reporting.trace_query import KEYS, OUTCOMES, QueryError, parse_query


class QueryTests(SynchronousTestCase):
    """
    What people type.
    """

    def test_terms(self):
        """
        Keys lead to columns, and what has none is found anywhere it may stand.
        """
        for text, words in {
            "from:Ada@Example.org": [("sender", "ada@example.org")],
            'subject:"two words" x': [("subject", "two"), ("subject", "words"), ("", "x")],
            "192.0.2.1": [("client", "192.0.2.1")],
            "2001:DB8::1": [("client", "2001:db8::1")],
            "mail.example.org": [("", "mail.example.org")],
            "re: invoice": [("", "re"), ("", "invoice")],
            "http://a": [("", "http"), ("", "a")],
            "  ": [],
            "to:<>": [],
        }.items():
            self.assertEqual((text, list(parse_query(text).words)), (text, words))

    def test_day(self):
        """
        One day can be looked at.
        """
        self.assertEqual(parse_query("on:2026-01-31").day, "20260131")

    def test_mistakes(self):
        """
        What means nothing is told with what is allowed.
        """
        error = self.assertRaises(QueryError, parse_query, "is:lost")
        self.assertIn(", ".join(OUTCOMES), str(error))
        self.assertRaises(QueryError, parse_query, "on:yesterday")

    def test_columns(self):
        """
        Each key leads to a column that there is.
        """
        self.assertLessEqual(set(KEYS.values()), set(COLUMNS))

    @given(st.text() | st.from_regex(r'[a-z:*"() ^+-]+'))
    def test_any(self, text):
        """
        Whatever is typed, FTS5 can read what is made of it.
        """
        try:
            match = parse_query(text).match()
        except QueryError:
            return
        connection = sqlite3.connect(":memory:")
        self.addCleanup(connection.close)
        connection.execute(f"CREATE VIRTUAL TABLE words USING fts5({', '.join(COLUMNS)})")
        if match:
            connection.execute("SELECT * FROM words WHERE words MATCH ?", (match,)).fetchall()
