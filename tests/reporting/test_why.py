"""
Tests of L{mailgate.reporting.why}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.table import CHECKS
from mailgate.config.model import Policy
from mailgate.finding import Finding
from mailgate.policy import verdict as policy
from mailgate.reporting.why import TITLES, by_total, nearness, read_finding, weigh
from mailgate.verdict import Action

THRESHOLDS = Policy(tag=5, quarantine=8, reject=15)
TENTHS = st.integers(-300, 300).map(lambda tenths: tenths / 10)


def found(symbol, score, check="headers"):
    """
    Give a finding.
    """
    return Finding(symbol, score, f"{symbol.title()}.", check=check)


class WeighTests(SynchronousTestCase):
    """
    Findings, sorted.
    """

    def test_sorted(self):
        """
        They stand by side, then by what they are about, then by weight, with their sums.
        """
        sides = weigh(
            (
                found("SMALL", 1),
                found("NONE", 0),
                found("NAME", 2.5, "helo"),
                found("FINE", -0.5, "lists"),
                found("BIG", 1.2),
            )
        )
        told = [
            (
                side.title,
                side.total,
                [(group.title, [each.symbol for each in group.findings]) for group in side.groups],
            )
            for side in sides
        ]
        self.assertEqual(
            told,
            [
                (
                    "Against it",
                    4.7,
                    [("Name of the client", ["NAME"]), ("Headers", ["BIG", "SMALL"])],
                ),
                ("In its favour", -0.5, [("Allowed and blocked", ["FINE"])]),
                ("Without weight", 0.0, [("Headers", ["NONE"])]),
            ],
        )
        self.assertEqual(sides[0].groups[1].total, 2.2)

    def test_nothing(self):
        """
        Where nothing was found there is no side.
        """
        self.assertEqual(list(weigh(())), [])

    def test_titles(self):
        """
        Every check that there is has its title; one that is not known is shown by its name.
        """
        self.assertEqual(set(CHECKS) - set(TITLES), set())
        titles = [weigh([found("A", 1, name)])[0].groups[0].title for name in ("dns_list", "")]
        self.assertEqual(titles, ["Dns list", "Other"])

    def test_read(self):
        """
        A finding is read from JSON, also where its check was not written down.
        """
        fields = {"symbol": "A", "score": 1.5, "detail": "A."}
        self.assertEqual(read_finding(fields).check, "")
        finding = read_finding({**fields, "check": "helo"})
        self.assertEqual(
            (finding.symbol, finding.score, finding.detail, finding.check), ("A", 1.5, "A.", "helo")
        )


class NearnessTests(SynchronousTestCase):
    """
    How near a total is to another action.
    """

    def near(self, total, findings=(), action=None):
        """
        Ask it.
        """
        return nearness(total, action or by_total(total, THRESHOLDS), findings, THRESHOLDS)

    def test_sentences(self):
        """
        The nearest threshold comes first, with what is missing to the other side of it.
        """
        for total, expected in (
            (
                9.2,
                [
                    "The nearest threshold is 8: 1.3 points less and it would have been"
                    " delivered with a tag.",
                    "5.8 points more and it would have been refused.",
                ],
            ),
            (
                7.5,
                [
                    "The nearest threshold is 8: 0.5 points more and it would have been held.",
                    "2.6 points less and it would have been delivered.",
                ],
            ),
            (
                4,
                [
                    "The nearest threshold is 5: 1 point more and it would have been"
                    " delivered with a tag."
                ],
            ),
            (
                15,
                ["The nearest threshold is 15: 0.1 points less and it would have been held."],
            ),
        ):
            self.assertEqual(list(self.near(total).sentences), expected)

    def test_deferred(self):
        """
        Whoever is to come again owes it to a check and to no total.
        """
        (sentence,) = self.near(9.0, action=Action.DEFER).sentences
        self.assertEqual(
            sentence,
            "By its total alone it would have been held. A check that is enforced, or has failed,"
            " wants it to come again later.",
        )

    @given(TENTHS)
    def test_by_total(self, total):
        """
        The action that a total asks for is the one that the policy takes.
        """
        self.assertIs(by_total(total, THRESHOLDS), policy.by_total(total, THRESHOLDS, spare=False))

    @given(TENTHS)
    def test_it_is_enough(self, total):
        """
        As many points more or less as are named lead to the action that is named.
        """
        done = {
            Action.ACCEPT: "delivered",
            Action.TAG: "delivered with a tag",
            Action.QUARANTINE: "held",
            Action.REJECT: "refused",
        }
        for sentence in self.near(total).sentences:
            words = sentence.rpartition(": ")[2]
            points, direction = float(words.split()[0]), words.split()[2]
            for tenths, is_there in ((round(points * 10), True), (round(points * 10) - 1, False)):
                moved = total + tenths / 10 * (1 if direction == "more" else -1)
                outcome = done[by_total(round(moved, 6), THRESHOLDS)]
                self.assertEqual(words.endswith(f"have been {outcome}."), is_there)

    def test_ways(self):
        """
        Single findings without which less would have been done are named, three at most.
        """
        findings = (
            found("A", 6),
            found("B", 2),
            found("C", 1.5),
            found("D", 1.4),
            found("E", 0.1),
            found("F", -2),
        )
        ways = self.near(9.0, findings).ways
        self.assertEqual(
            [([each.symbol for each in way.without], way.total, way.outcome) for way in ways],
            [
                (["A"], 3.0, "delivered"),
                (["B"], 7.0, "delivered with a tag"),
                (["C"], 7.5, "delivered with a tag"),
            ],
        )

    def test_ways_together(self):
        """
        Where no single one is enough, it is the fewest together.
        """
        findings = tuple(found(name, 4) for name in "ABCD")
        (way,) = self.near(22.0, (*findings, found("E", 6))).ways
        self.assertEqual((len(way.without), way.total, way.outcome), (2, 12.0, "held"))

    def test_no_ways(self):
        """
        Of a message that was delivered nothing needs to be less.
        """
        self.assertEqual(list(self.near(4.0, (found("A", 4),)).ways), [])

    def test_something_else(self):
        """
        Where the total did not decide, that is said, and nothing is reckoned.
        """
        near = self.near(2.0, (found("A", 2),), Action.QUARANTINE)
        self.assertEqual(len(near.sentences), 1)
        self.assertIn("By its total alone it would have been delivered.", near.sentences[0])
        self.assertEqual(list(near.ways), [])
