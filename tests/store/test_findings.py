"""
Tests of L{mailgate.store.findings}.
"""

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.finding import Finding
from mailgate.store.findings import decode, encode


class FindingsTests(SynchronousTestCase):
    """
    Findings in a row.
    """

    @given(st.text(), st.floats(-100, 100), st.text(), st.text(), st.text())
    def test_read_again(self, symbol, score, detail, public, check):
        """
        What was written is read again, and of which check it was.
        """
        finding = Finding(symbol, score, detail, public, check=check)
        (read,) = decode(encode((finding,)))
        self.assertEqual((read, read.check), (finding, check))

    def test_authentication(self):
        """
        What stands in Authentication-Results is kept; the value of a check is not.
        """
        finding = Finding("A", 1.5, "A.", check="spf", authentication="\tspf=pass", fact=7)
        (read,) = decode(encode((finding,)))
        self.assertEqual((read.check, read.authentication, read.fact), ("spf", "\tspf=pass", None))
        (old,) = decode(json.dumps([["A", 1.5, "A.", "", "spf"]]))
        self.assertEqual((old.check, old.authentication), ("spf", ""))

    def test_names(self):
        """
        Who was authenticated is kept.
        """
        finding = Finding("A", 1.5, "A.", names=("example.org", "ada@mail.example"))
        (read,) = decode(encode((finding,)))
        self.assertEqual(read.names, finding.names)
        (old,) = decode(json.dumps([["A", 1.5, "A.", "", "spf", "\tspf=pass"]]))
        self.assertEqual((old.authentication, old.names), ("\tspf=pass", ()))

    def test_older(self):
        """
        Rows in which the check does not stand are read as well.
        """
        self.assertEqual(
            decode(json.dumps([["A", 1.5, "A.", "a"]])), (Finding("A", 1.5, "A.", "a"),)
        )
