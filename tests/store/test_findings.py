"""
Tests of L{mailgate.store.findings}.
"""

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.finding import Finding, Kind
from mailgate.store.findings import decode, encode
from mailgate.wording import Language, say


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

    def test_words(self):
        """
        A sentence can be told in another language after it was kept, and what is in it too.
        """
        words = say("{what} {number} times.", what=say("Seen"), number=1234)
        (read,) = decode(encode((Finding("A", 1.5, words),)))
        german = Language(
            "de", {"Seen": "Gesehen", "{what} {number} times.": "{what}: {number}"}.get
        )
        self.assertEqual(
            (read.detail, read.detail_in(german)), ("Seen 1,234 times.", "Gesehen: 1,234")
        )

    def test_kind(self):
        """
        As what it holds a message is kept, and whether it is reason enough.
        """
        finding = Finding("A", 1.5, "A.", kind=Kind.PHISHING, is_enforced=False)
        self.assertEqual(decode(encode((finding,))), (finding,))

    def test_older(self):
        """
        Rows in which the check does not stand are read as well.
        """
        self.assertEqual(
            decode(json.dumps([["A", 1.5, "A.", "a"]])), (Finding("A", 1.5, "A.", "a"),)
        )
