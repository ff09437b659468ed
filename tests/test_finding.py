"""
Tests of L{mailgate.finding}.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.finding import Finding


class SeenByTests(SynchronousTestCase):
    """
    Tests of L{Finding.seen_by}.
    """

    def test_seen_by(self):
        """
        A finding is given the name of its check, and nothing of it is lost.
        """
        finding = Finding("SPF_PASS", 1.0, "Words.", "public", fact=3, names=("a.example",))
        seen = finding.seen_by("spf")
        self.assertEqual((seen.check, seen.fact, seen.names), ("spf", 3, ("a.example",)))
        self.assertEqual(seen, finding)

    def test_once(self):
        """
        One that has the name already is the same one; one with another name is given the right one.
        """
        finding = Finding("SPF_PASS", 1.0, "Words.", check="spf")
        self.assertIs(finding.seen_by("spf"), finding)
        self.assertEqual(finding.seen_by("dkim").check, "dkim")
