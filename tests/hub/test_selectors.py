"""
Tests of L{mailgate.hub.selectors}.
"""

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailgate.authentication.dkim import Dkim, DkimResult
from mailgate.authentication.results import of_dkim, words
from mailgate.finding import Finding
from mailgate.hub.selectors import DAYS, MOST, selectors_seen
from mailgate.message.envelope import new_id
from mailgate.verdict import Action, Verdict
from tests.reporting.records import RECORD
from tests.storage import ADA, WallClock, make_storage


class SelectorsTests(SynchronousTestCase):
    """
    Tests of L{selectors_seen}.
    """

    def setUp(self):
        """
        Have traces.
        """
        self.now = WallClock()
        self.traces = make_storage(self, now=self.now).traces
        self.addCleanup(lambda: self.successResultOf(self.traces.stop()))

    def come(self, selector, domain="example.org", result=DkimResult.PASS):
        """
        Have a signed message.
        """
        dkim = Dkim(result, domain, selector, "it is so", algorithm="rsa-sha256", value="abc=")
        finding = Finding("DKIM_PASS", 0.0, "x", authentication=words(of_dkim(dkim)))
        verdict = Verdict(Action.ACCEPT, (finding,), 0.0, (ADA,))
        self.traces.record(evolve(RECORD, trace=new_id(), verdicts=(verdict,)))
        self.successResultOf(self.traces.flush())

    def seen(self, domain="example.org"):
        """
        Give the selectors.
        """
        asking = Deferred.fromCoroutine(selectors_seen(self.traces, domain))
        return list(self.successResultOf(asking))

    def test_seen(self):
        """
        The last one is first, each once.
        """
        self.assertEqual(self.seen(), [])
        for selector in ("old", "new", "old"):
            self.come(selector)
        self.assertEqual(self.seen(), ["old", "new"])

    def test_others(self):
        """
        What has failed, and what another domain has signed, is none of it.
        """
        self.come("a", domain="example.net")
        self.come("b", domain="sub.example.org")
        self.come("c", result=DkimResult.FAIL)
        self.come('d" header.d="example.org', domain="example.com")
        self.assertEqual(self.seen(), [])
        self.assertEqual(self.seen("sub.example.org"), ["b"])

    def test_days(self):
        """
        Only the last days are looked at, the newest first.
        """
        self.come("first")
        for number in range(DAYS):
            self.now.start += 86400
            self.come(f"day{number}")
        self.assertEqual(self.seen(), [f"day{number}" for number in reversed(range(DAYS))])

    def test_most(self):
        """
        There is an end to it.
        """
        for number in range(MOST + 3):
            self.come(f"s{number}")
        self.assertEqual(len(self.seen()), MOST)
