"""
Tests of single settings in L{mailgate.config.model}.
"""

from pydantic import ValidationError
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.checks import DnsList
from mailgate.config.model import Policy


class SubjectMarkTests(SynchronousTestCase):
    """
    C{subject_mark} of C{[policy]}.
    """

    def test_marks(self):
        """
        It is up to 30 characters of ASCII, or nothing.
        """
        for mark in ("", "!", "[SPAM?]", "*** likely spam ***", "x" * 30):
            self.assertEqual(Policy(subject_mark=mark).subject_mark, mark)

    def test_what_is_none(self):
        """
        Nothing can be put into a header with it, and it does not end in a space.
        """
        for mark in ("x" * 31, "a\r\nX-Evil: 1", "a\n", "caf\u00e9", " a", "a ", "a\tb", "\x7f", 5):
            self.assertRaises(ValidationError, Policy, subject_mark=mark)


class DnsListTests(SynchronousTestCase):
    """
    Tests of what goes together in the table of a list in the DNS.
    """

    def wrong(self, **options):
        """
        Give what is wrong with a list.
        """
        code = {"words": "x", "score": options.pop("score", 1.0)}
        table = {"zone": "bl.example", "codes": {"127.0.0.2": code}, **options}
        error = self.assertRaises(ValidationError, DnsList.model_validate, table)
        (problem,) = error.errors()
        return problem["loc"][0], problem["msg"].removeprefix("Value error, ")

    def test_of_addresses(self):
        """
        Only a list of addresses has IPv6 addresses, and only one of addresses may speak for a
        client, since whoever sends can say any name.
        """
        for of in ("domains", "organizations"):
            self.assertEqual(
                self.wrong(of=of, ipv6=True),
                ("ipv6", 'must be false unless of is "addresses"'),
            )
            self.assertEqual(
                self.wrong(of=of, score=-1.0),
                ("codes", 'must have no score below zero unless of is "addresses"'),
            )

    def test_of_domains(self):
        """
        Only a list of domains has a test entry of its own.
        """
        self.assertEqual(
            self.wrong(test_entry="test.example"),
            ("test_entry", 'must be left out where of is "addresses"'),
        )

    def test_refusals(self):
        """
        What refuses is spelled as the codes are.
        """
        key, words = self.wrong(refusals=["127.0.0.300"])
        self.assertEqual(key, "refusals")
        self.assertIn("must be an answer of a list", words)
