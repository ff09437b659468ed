"""
Tests of L{mailgate.reporting.story}; most of it is seen in those of the commands.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.model import Policy
from mailgate.reporting.story import tell_findings, tell_why, thresholds_of


def finding(symbol, score, check=""):
    """
    Give a finding as it comes from the gateway.
    """
    return {"symbol": symbol, "score": score, "detail": f"{symbol}.", "check": check}


class FindingsTests(SynchronousTestCase):
    """
    Findings, told.
    """

    def test_told(self):
        """
        They stand by side and by what they are about, each with a bar of at most ten characters.
        """
        findings = (
            finding("A", 6, "helo"),
            finding("B", 1.5, "headers"),
            finding("C", -3, "lists"),
            finding("D", 0, "lists"),
            finding("E", 0.1, "headers"),
        )
        self.assertEqual(
            list(tell_findings(findings)),
            [
                "    Against it  +7.6",
                "      Name of the client",
                "         +6.0 ##########  A. (A)",
                "      Headers",
                "         +1.5 ##          B. (B)",
                "         +0.1 #           E. (E)",
                "    In its favour  -3.0",
                "      Allowed and blocked",
                "         -3.0 -----       C. (C)",
                "    Without weight  +0.0",
                "      Allowed and blocked",
                "         +0.0             D. (D)",
            ],
        )

    def test_checks_not_known(self):
        """
        Where nobody knows which checks they are of, they stand below their side.
        """
        self.assertEqual(
            list(tell_findings([finding("A", 6)])),
            ["    Against it  +6.0", "         +6.0 ##########  A. (A)"],
        )
        self.assertEqual(list(tell_findings(())), [])


class WhyTests(SynchronousTestCase):
    """
    Why a verdict is as it is.
    """

    VERDICT = {
        "action": "quarantine",
        "total": 9.0,
        "findings": (finding("A", 6), finding("B", 3)),
    }

    def test_thresholds(self):
        """
        It is told how near it was to another, and what would have been enough.
        """
        thresholds = thresholds_of({"thresholds": {"tag": 5, "quarantine": 8, "reject": 15}})
        self.assertEqual(
            list(tell_why(self.VERDICT, thresholds))[-4:],
            [
                "    The nearest threshold is 8: 1.1 points less and it would have been delivered"
                " with a tag.",
                "    6 points more and it would have been refused.",
                "    Without A the total would have been 3.0: delivered.",
                "    Without B the total would have been 6.0: delivered with a tag.",
            ],
        )

    def test_watched(self):
        """
        Of what was only watched it is told what it would have been.
        """
        watched = {**self.VERDICT, "action": "accept", "would": "quarantine"}
        self.assertIn("The nearest threshold is 8", "".join(tell_why(watched, Policy())))

    def test_no_thresholds(self):
        """
        Without thresholds the findings are all.
        """
        self.assertIsNone(thresholds_of({"records": []}))
        told = list(tell_why(self.VERDICT, None))
        self.assertEqual(told, list(tell_findings(self.VERDICT["findings"])))
