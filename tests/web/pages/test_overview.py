"""
Tests for L{mailgate.web.pages.overview}.
"""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailgate.verdict import Action
from mailgate.web.pages.overview import _step
from tests.reporting.test_statistics import DELIVERED, judged, unknown
from tests.web.harness import World

DAY = 86_400


class OverviewTests(SynchronousTestCase):
    """
    The figures of some days.
    """

    def setUp(self):
        """
        Sign in.
        """
        self.world = World(self)
        self.browser = self.world.signed_in()

    def page(self, path="/overview"):
        """
        Give the page.
        """
        response = self.browser.get(path)
        self.assertEqual(response.code, 200)
        return response.text

    def count(self, *records):
        """
        Count transactions.
        """
        for each in records:
            self.world.storage.statistics.record(each)

    def test_nothing(self):
        """
        Where nothing came yet, it says so and draws an empty chart.
        """
        page = self.page()
        self.assertIn("nothing to compare it with", page)
        self.assertIn("Nothing yet.", page)
        self.assertEqual(page.count("<g><title>"), 30)

    def test_figures(self):
        """
        Volume, phases, reasons, senders and recipients stand there, in a chart and in tables.
        """
        refused = evolve(judged(Action.REJECT), size=2_000)
        self.count(*[DELIVERED] * 1_200, refused, *[unknown("<b>@x<i>.example")] * 3)
        page = self.page("/overview?days=7")
        self.assertIn("<dt>Delivered</dt><dd>1,200</dd>", page)
        self.assertIn("75 % of it before DATA", page)
        self.assertIn("0 quarantine (held), 1 reject, after DATA, 3 reject, before DATA<", page)
        self.assertIn("<code>RCPT_UNKNOWN</code>", page)
        self.assertIn("x&lt;i&gt;.example", page)
        self.assertNotIn("<i>", page)
        self.assertIn("/trace?q=to%3Aada%40example.com", page)
        self.assertIn("6.0 kB", page)
        self.assertEqual(page.count("<g><title>"), 7)

    def test_periods(self):
        """
        Today, 7, 30 and 90 days can be looked at, and the time before beside them.
        """
        self.count(*[DELIVERED] * 5)
        self.world.clock.advance(8 * DAY)
        self.browser = self.world.signed_in("Bob")
        self.count(DELIVERED)
        for path, delivered in (
            ("days=1", 1),
            ("days=7", 1),
            ("", 6),
            ("days=90", 6),
            ("days=x", 6),
        ):
            page = self.page(f"/overview?{path}")
            self.assertIn(f"<dt>Delivered</dt><dd>{delivered}</dd>", page)
        self.assertIn("0 % in the time before", self.page("/overview?days=7"))

    def test_health(self):
        """
        What needs a hand comes first.
        """
        page = self.page()
        self.assertIn('<h2 id="health">Health</h2>', page)
        self.assertIn('class="state ok">well', page)

    def test_scale(self):
        """
        The scale ends at a round number that nothing is above.
        """
        self.assertEqual(
            [_step(each) for each in (0, 1, 3, 4, 31, 6000, 6001)], [1, 1, 1, 2, 20, 2000, 2500]
        )
