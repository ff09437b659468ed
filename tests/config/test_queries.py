"""
Tests of the questions that the operator writes.
"""

import sqlite3

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.queries import check_filter, check_query, filled, for_psycopg

SELECT = "SELECT a FROM t WHERE "


class QueryTests(SynchronousTestCase):
    """
    Tests of queries to databases.
    """

    def test_allowed(self):
        """
        A query that names the address is one.
        """
        for query in (
            f"{SELECT}b = :address",
            f"{SELECT}b = :local AND c = :domain",
            " with x as (select 1) select :address",
            f"{SELECT}b = lower(:address)::text AND c <> ':other' -- :another",
        ):
            self.assertEqual(check_query(query), query)

    def test_refused(self):
        """
        One that does not, or names something else, is none.
        """
        for query, why in (
            ("", "must be a SELECT"),
            ("DELETE FROM t WHERE b = :address", "must be a SELECT"),
            (f"{SELECT}b = 'x'", "must be a SELECT"),
            (f"{SELECT}b = ':address'", "must be a SELECT"),
            (f"{SELECT}b = :local", "must be a SELECT"),
            (f"{SELECT}b = :adress", "there is no :adress"),
            (f"{SELECT}b = ? AND c = :user AND d = :address", "there is no :user"),
        ):
            error = self.assertRaises(ValueError, check_query, query)
            self.assertIn(why, str(error))

    def test_for_psycopg(self):
        """
        Parameters become those of psycopg, and what is none stays what it is.
        """
        query = f"{SELECT}b = :address::text AND c LIKE '%:x' AND d % 2 = 0 AND $$:y%$$ = e"
        self.assertEqual(
            for_psycopg(query),
            f"{SELECT}b = %(address)s::text AND c LIKE '%%:x' AND d %% 2 = 0 AND $$:y%%$$ = e",
        )

    @given(st.text(st.characters(codec="utf-8"), max_size=30))
    def test_parameters_are_values(self, text):
        """
        No address is ever more than a value.
        """
        connection = sqlite3.connect(":memory:")
        self.addCleanup(connection.close)
        (found,) = connection.execute(check_query("SELECT :address"), {"address": text}).fetchone()
        self.assertEqual(found, text)


class FilterTests(SynchronousTestCase):
    """
    Tests of filters of directories.
    """

    def test_allowed(self):
        """
        A filter that names the address is one.
        """
        for filter_ in ("(mail={address})", "(&(uid={local})(ou={domain}))"):
            self.assertEqual(check_filter(filter_), filter_)
        self.assertEqual(
            check_filter("(&\n  (a=b)\n  (mail={address})\n)"), "(&(a=b)(mail={address}))"
        )

    def test_refused(self):
        """
        One that does not, or whose parentheses do not match, is none.
        """
        for filter_, why in (
            ("mail={address}", "parentheses that match"),
            ("((mail={address})", "parentheses that match"),
            ("(a))((mail={address})", "parentheses that match"),
            ("(mail=x)", "a filter of RFC 4515"),
            ("(mail={mail})", "there is no {mail}"),
            ("(mail={local})", "a filter of RFC 4515"),
        ):
            error = self.assertRaises(ValueError, check_filter, filter_)
            self.assertIn(why, str(error))

    def test_filled(self):
        """
        What means something in a filter is written as bytes (RFC 4515 section 3).
        """
        self.assertEqual(
            filled("(mail={address})", {"address": "a*)(\\\0@b"}), "(mail=a\\2a\\29\\28\\5c\\00@b)"
        )
        values = {"address": "{domain}", "domain": "x", "local": "y"}
        self.assertEqual(filled("(mail={address})", values), "(mail=\\7bdomain\\7d)")

    @given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30))
    def test_one_value(self, text):
        """
        Whatever an address is, the filter stays what it was: as many parentheses, no asterisk.
        """
        found = filled("(&(a={address})(b=1))", {"address": text})
        self.assertEqual([found.count(each) for each in "()*&"], [3, 3, 0, 1])
        try:
            from ldaptor.ldapfilter import parseFilter
        except ImportError:
            return
        (first, _) = parseFilter(found).data
        self.assertEqual(first.assertionValue.value, text)
