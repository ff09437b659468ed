"""
Tests of single settings in L{mailgate.config.checks}.
"""

from pydantic import ValidationError
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.checks import DnsList, TrapsCheck


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


class TrapTests(SynchronousTestCase):
    """
    Tests of addresses that are traps.
    """

    def test_complaints(self):
        """
        Where people complain is no trap.
        """
        for address in ("postmaster@example.com", "Abuse@example.com"):
            error = self.assertRaises(ValueError, TrapsCheck, addresses=(address,))
            self.assertIn("never a trap", str(error))
