"""
Tests for L{mailgate.web.pages.trace}.
"""

from __future__ import annotations

import re
from html import unescape

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailgate.finding import Finding
from mailgate.message.record import Copy, Record
from mailgate.reply import Reply
from mailgate.verdict import Action, Verdict
from tests.storage import ADA, BOB, FINDINGS, NOW, SESSION
from tests.web.harness import NAME, World

RECORD = Record(
    trace="7q4m-x2vd-90kt",
    session=SESSION,
    started=NOW,
    seconds=1.25,
    reply="250 2.0.0 Ok: 7q4m-x2vd-90kt",
    sender="eve@example.org",
    size=1234,
    message_id="<1@e>",
    subject="Lunch <b>",
    copies=(
        Copy("ada@Example.com", "held", "250 2.0.0 Ok", "held-held-held"),
        Copy("bob@example.com", "delivered", "250 2.0.0 Ok: queued", "inbox"),
    ),
    verdicts=(
        Verdict(Action.QUARANTINE, FINDINGS, 8.5, (ADA,)),
        Verdict(Action.ACCEPT, (), 0.0, (BOB,), would=Action.TAG),
    ),
    durations={"checks": 0.5},
    notes=("client gone, outcome delivered",),
)


class TraceTests(SynchronousTestCase):
    """
    What became of a transaction.
    """

    def setUp(self):
        """
        Sign in.
        """
        self.world = World(self)
        self.browser = self.world.signed_in()

    def page(self, path, code=200):
        """
        Give a page.
        """
        response = self.browser.get(path)
        self.assertEqual(response.code, code)
        return response.text

    def test_reference(self):
        """
        The field takes a reference out of whatever was pasted into it.
        """
        self.assertIn('name="q" value=""', self.page("/trace"))
        for field in ("q", "id"):
            for pasted in ("7q4m-x2vd-90kt", "+550+5.7.1+refused+(7Q4M-X2VD-90KT)%0A"):
                response = self.browser.get(f"/trace?{field}={pasted}")
                self.assertEqual(response.header("location"), "/trace/7q4m-x2vd-90kt")
        self.assertIn("Nothing fits", self.page("/trace?q=nonsense%3Cb%3E"))

    def test_search(self):
        """
        Transactions are listed, and found by what is typed; each leads to its own page.
        """
        self.assertIn("No transaction is kept", self.page("/trace"))
        self.world.storage.traces.record(RECORD)
        for query in ("", "?q=from:eve@example.org", "?q=lunch+is:held", "?q=bob@example.com"):
            page = self.page(f"/trace{query}")
            self.assertIn('href="/trace/7q4m-x2vd-90kt"', page)
            self.assertIn("Lunch &lt;b&gt;", page)
            self.assertIn("250 2.0.0 Ok: queued", page)
            self.assertIn("and 1 more", page)
        self.assertIn("Nothing fits", self.page("/trace?q=to:eve@example.org"))

    def test_mistake(self):
        """
        What means nothing is told, with what is allowed.
        """
        page = self.page("/trace?q=is:lost")
        self.assertIn("is:lost is none of accept", page)
        self.assertIn('value="is:lost"', page)

    def test_pages(self):
        """
        Fifty stand on a page, and the others on the next.
        """
        for number in range(60):
            self.world.storage.traces.record(evolve(RECORD, trace=f"aaaa-bbbb-{number:04}"))
        page = self.page("/trace?q=lunch")
        self.assertEqual(page.count("/trace/aaaa-bbbb-"), 50)
        (older,) = re.findall('href="([^"]+)" rel="next"', page)
        page = self.page(unescape(older))
        self.assertEqual(page.count("/trace/aaaa-bbbb-"), 10)
        self.assertIn('href="/trace?q=lunch" rel="prev"', page)
        self.page("/trace?after=99999999999")

    def test_unknown(self):
        """
        An unknown reference is said to be unknown.
        """
        self.assertIn("Nothing is known under", self.page("/trace/7q4m-x2vd-90kt", 404))

    def test_transaction(self):
        """
        A transaction tells everything: client, replies, verdicts, findings, copies, remarks.
        """
        self.world.storage.traces.record(RECORD)
        page = self.page("/trace/7q4m-x2vd-90kt")
        for words in (
            "took 1.250 seconds",
            '<bdi class="mono">192.0.2.7</bdi> port 40001',
            '<bdi class="mono">client.example.org</bdi>, ESMTPS',
            "&lt;eve@example.org&gt;",
            "Lunch &lt;b&gt;",
            "1.2 kB",
            "250 2.0.0 Ok: 7q4m-x2vd-90kt",
            "</svg>quarantine</span> with 8.5",
            "would have been tag",
            "<bdi>Something was seen.</bdi> <code>SEEN</code>",
            '<h3><span>In its favour</span><span class="n">\N{MINUS SIGN}0.5</span></h3>',
            "The nearest threshold is 8: 0.6 points less and it would have been delivered with a"
            " tag. 6.5 points more and it would have been refused.",
            "By its total alone it would have been delivered.",
            "delivered <small",
            "checks 0.500 s",
            "Client gone, outcome delivered.",
        ):
            self.assertIn(words, page)
        self.assertIn("7q4m-x2vd-90kt", self.page(f"/trace/{SESSION.id}"))

    def test_refused_session(self):
        """
        A session that was refused before MAIL has a trace as well.
        """
        reply = Reply(554, "5.7.1", "listed")
        verdict = Verdict(Action.REJECT, (Finding("A", 20, "It is listed"),), 20, reply=reply)
        self.world.storage.traces.record(
            Record(SESSION.id, SESSION, NOW, 0.1, str(reply), verdicts=(verdict,))
        )
        page = self.page(f"/trace/{SESSION.id}")
        self.assertIn("ended outside of a transaction", page)
        self.assertNotIn("By its total", page)
        self.assertIn('Told the client: <bdi class="mono">554 5.7.1 listed</bdi>', page)

    def test_afterwards(self):
        """
        What happened afterwards, and what is held of it, stands there too, also where the
        record itself was lost.
        """
        identity = self.world.hold()
        trace = self.world.held(identity).message.trace
        page = self.page(f"/trace/{trace}")
        self.assertIn("race itself is not there", page)
        self.assertIn(f'href="/quarantine/{identity}"', page)
        self.browser.post("/quarantine", {"release": identity})
        page = self.page(f"/trace/{trace}")
        self.assertIn(f"released by {NAME}", page)
        self.assertIn("Afterwards", page)
