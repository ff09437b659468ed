"""
Tests for L{mailgate.web.pages.outbox}.
"""

from __future__ import annotations

import re

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailgate.interfaces import Outgoing
from mailgate.message.message import MemoryMessage
from mailgate.verdict import Action, Kind
from mailgate.web.pages.outbox import PAGE
from tests.storage import ADA, ENVELOPE, TEXT
from tests.web.harness import World


class OutboxTests(SynchronousTestCase):
    """
    What waits for its delivery.
    """

    def setUp(self):
        """
        Sign in.
        """
        self.world = World(self)
        self.browser = self.world.signed_in()

    def queue(self, reason="451 4.4.1 no answer"):
        """
        Queue a copy.
        """
        copies = [Outgoing(ADA, Action.ACCEPT, 0.0, reason)]
        envelope = evolve(ENVELOPE, trace=f"trac-trac-{len(self.world.rows('messages')):04d}")
        queued = self.world.outbox.enqueue(envelope, MemoryMessage((TEXT,)), copies)
        self.successResultOf(queued)

    def test_empty(self):
        """
        Where nothing waits and nothing was given up, the page says so.
        """
        page = self.browser.get("/outbox").text
        self.assertIn("Nothing waits.", page)
        self.assertIn("Nothing was given up", page)

    def test_waiting(self):
        """
        A waiting copy tells its subject, its recipient, the last reply and its trace.
        """
        self.queue()
        page = self.browser.get("/outbox").text
        for words in ("café", "ada@Example.com", "451 4.4.1 no answer", "/trace/trac-trac-0000"):
            self.assertIn(words, page)

    def test_released(self):
        """
        A released message waits there too.
        """
        identity = self.world.hold()
        self.browser.post("/quarantine", {"release": identity})
        self.assertIn("none yet, it was released", self.browser.get("/outbox").text)

    def test_given_up(self):
        """
        What was given up links to the held message, with the upstream's words.
        """
        for _ in range(25):
            identity = self.world.hold(
                kind=Kind.UNDELIVERABLE, findings=(), reason="550 5.1.1 no <b>"
            )
        page = self.browser.get("/outbox").text
        self.assertIn(f'href="/quarantine/{identity}"', page)
        self.assertIn("550 5.1.1 no &lt;b&gt;", page)
        self.assertIn("All 25 that are held as undeliverable", page)

    def test_pages(self):
        """
        A hundred copies make a page.
        """
        for _ in range(PAGE + 3):
            self.queue()
        page = self.browser.get("/outbox").text
        older = self.browser.get(re.search('href="([^"]*)" rel="next"', page)[1]).text
        self.assertEqual(page.count("<bdi>café</bdi>"), PAGE)
        self.assertEqual(older.count("<bdi>café</bdi>"), 3)
        self.assertNotIn('rel="next"', older)

    def test_piles_up(self):
        """
        What has waited for too long, or is too much, is told on top, by upstream; what somebody has
        stopped does not count.
        """
        self.assertNotIn("piles up", self.browser.get("/outbox").text)
        self.queue()
        self.assertNotIn("piles up", self.browser.get("/outbox").text)
        self.world.clock.advance(1200)
        page = self.browser.get("/outbox").text
        self.assertIn("Mail piles up. One copy waits, for 20 min: 1 for no known upstream.", page)
        (row,) = self.rows()
        self.do("hold", row.id)
        self.assertNotIn("piles up", self.browser.get("/outbox").text)
        for _ in range(50):
            self.queue()
        self.assertIn("50 copies wait, the oldest for 0 s", self.browser.get("/outbox").text)

    def rows(self):
        """
        Read the outbox.
        """
        return self.successResultOf(self.world.queue.list())

    def do(self, deed, identity):
        """
        Press a button, and give the page that follows.
        """
        fields = {"do": deed, "id": identity, "back": "/outbox"}
        self.assertEqual(self.browser.post("/outbox", fields).code, 303)
        return self.browser.get("/outbox").text

    def test_stop_and_let_go(self):
        """
        A copy that is stopped says by whom, is tried at no time, and can be let go or deleted.
        """
        self.queue()
        (copy,) = self.rows()
        page = self.browser.get("/outbox").text
        self.assertIn("Try now", page)
        self.assertNotIn('value="remove"', page)
        page = self.do("hold", copy.id)
        self.assertIn("One message stopped.", page)
        self.assertIn("by <bdi>Ada Lind</bdi>", page)
        self.assertIn('value="remove"', page)
        self.assertTrue(self.rows()[0].is_suspended)
        page = self.do("retry", copy.id)
        self.assertIn("One message let go.", page)
        (copy,) = self.rows()
        self.assertEqual((copy.is_suspended, copy.next_try), (False, self.world.now()))

    def test_delete(self):
        """
        A copy that is deleted is gone, and a second press of the button says so.
        """
        self.queue()
        (copy,) = self.rows()
        self.assertIn("One message deleted from the outbox.", self.do("remove", copy.id))
        self.assertEqual(self.rows(), [])
        self.assertIn("is not in the outbox any more", self.do("remove", copy.id))

    def test_try_all(self):
        """
        All can be tried at once, but what somebody has stopped.
        """
        for _ in range(3):
            self.queue()
        stopped = self.rows()[0].id
        self.do("hold", stopped)
        self.assertIn("2 messages let go.", self.do("retry_all", ""))
        self.assertEqual(
            [row.id for row in self.rows() if row.next_try > self.world.now()], [stopped]
        )

    def test_no_such_deed(self):
        """
        What no button asks for is refused.
        """
        self.assertEqual(self.browser.post("/outbox", {"do": "eat", "id": "x"}).code, 400)
