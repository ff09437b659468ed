"""
Tests for L{mailgate.web.pages.quarantine}.
"""

from __future__ import annotations

import re
from html import unescape

from twisted.trial.unittest import SynchronousTestCase

from mailgate.finding import Finding
from mailgate.verdict import Kind
from mailgate.web.pages.quarantine import PAGE
from tests.web.harness import NAME, World


def subject(text):
    """
    Make a message with a subject.
    """
    return f"From: Eve <eve@example.org>\r\nSubject: {text}\r\n\r\nHi\r\n".encode()


class QuarantineList(SynchronousTestCase):
    """
    The list of held messages.
    """

    def setUp(self):
        """
        Sign in.
        """
        self.world = World(self)
        self.browser = self.world.signed_in()

    def page(self, path="/quarantine"):
        """
        Give the list.
        """
        response = self.browser.get(path)
        self.assertEqual(response.code, 200)
        return response.text

    def subjects(self, path="/quarantine"):
        """
        Give the subjects that the list shows.
        """
        return [
            unescape(s) for s in re.findall(r'<p class="what">.*?<bdi>(.*?)</bdi>', self.page(path))
        ]

    def test_start(self):
        """
        The first page is the quarantine.
        """
        self.assertEqual(self.browser.get("/").header("location"), "/quarantine")

    def test_empty(self):
        """
        Without held messages the page says so, and there is no form.
        """
        page = self.page()
        self.assertIn("Nothing is held.", page)
        self.assertNotIn('class="held"', page)

    def test_newest_first_by_day(self):
        """
        Messages stand in groups of days, the newest first.
        """
        for days, text in ((5, "old"), (1, "yesterday"), (0, "morning"), (0, "noon")):
            self.world.now.start -= days * 86400
            self.world.hold(subject(text))
            self.world.now.start += days * 86400 + 60
        self.assertEqual(self.subjects(), ["noon", "morning", "yesterday", "old"])
        page = self.page()
        self.assertEqual(re.findall(r'<h2 id="d\d">(\w+)', page), ["Today", "Yesterday", "Sunday"])
        self.assertIn("4 messages are waiting. Each is removed 30 days after it came.", page)

    def test_row(self):
        """
        A row names the sender, the recipient, the reason, the kind and how sure we are.
        """
        findings = (Finding("A", 3, "A small thing."), Finding("B", 9, "the big thing"))
        self.world.hold(kind=Kind.PHISHING, findings=findings)
        page = self.page()
        self.assertIn('<bdi class="name">Eve</bdi> <bdi class="addr">eve@example.org</bdi>', page)
        self.assertIn("To <bdi>ada@Example.com</bdi>. <bdi>The big thing.</bdi>", page)
        self.assertIn('href="#i-phishing"/></svg>Phishing</span>', page)
        self.assertIn("</svg>likely</span>", page)
        self.assertNotIn("A small thing", page)
        self.assertNotIn("12.0", page)

    def test_kinds(self):
        """
        Every kind is a link with its number, and shows its own messages alone.
        """
        for kind in Kind:
            self.world.hold(subject(kind.value), kind=kind)
        page = self.page()
        for kind in Kind:
            self.assertIn(f'href="/quarantine?kind={kind.value}"', page)
            self.assertEqual(self.subjects(f"/quarantine?kind={kind.value}"), [kind.value])

    def test_kind_that_is_empty(self):
        """
        A kind of which nothing is held says so.
        """
        self.world.hold()
        self.assertIn("Nothing of this kind is held.", self.page("/quarantine?kind=malware"))

    def test_reason_of_an_undeliverable_one(self):
        """
        An undeliverable copy shows what the upstream said, a refused one why it was refused.
        """
        self.world.hold(kind=Kind.UNDELIVERABLE, findings=(), reason="550 5.1.1 no such user")
        self.world.hold(kind=Kind.UNSCANNABLE, findings=())
        page = self.page()
        self.assertIn("The server that it is for did not take it: 550 5.1.1 no such user.", page)
        self.assertIn("Held because it could not be looked into.", page)

    def test_pages(self):
        """
        A hundred messages make a page; a link leads to the older ones and one back.
        """
        for number in range(PAGE + 5):
            self.world.hold(subject(str(number)), kind=Kind.BULK)
        self.assertEqual(len(self.subjects()), PAGE)
        older = unescape(re.search('href="([^"]*)" rel="next"', self.page())[1])
        self.assertEqual(self.subjects(older), ["4", "3", "2", "1", "0"])
        self.assertNotIn('rel="next"', self.page(older))
        self.assertIn('href="/quarantine" rel="prev"', self.page(older))
        filtered = unescape(
            re.search('href="([^"]*)" rel="next"', self.page("/quarantine?kind=bulk"))[1]
        )
        self.assertEqual(self.subjects(filtered), ["4", "3", "2", "1", "0"])
        self.assertIn("kind=bulk", filtered)

    def test_full_page_is_the_last(self):
        """
        Exactly a hundred messages are one page without a link to another.
        """
        for number in range(PAGE):
            self.world.hold(subject(str(number)))
        self.assertNotIn('rel="next"', self.page())

    def test_release_one(self):
        """
        The button of a row releases that message alone, whatever else is ticked.
        """
        first, second = self.world.hold(), self.world.hold()
        response = self.browser.post("/quarantine", {"release": first, "id": second})
        self.assertEqual(response.header("location"), "/quarantine")
        self.assertEqual(self.world.held(first).acted_by, NAME)
        self.assertEqual(self.world.held(second).state, "held")
        self.assertEqual(self.world.kicked, 1)
        page = self.page()
        self.assertIn("One message released. It is on its way.", page)
        self.assertNotIn("One message released", self.page())

    def test_delete_one(self):
        """
        The other button deletes it.
        """
        first, second = self.world.hold(), self.world.hold()
        self.browser.post("/quarantine", {"delete": first, "id": second})
        self.assertIsNone(self.world.held(first))
        self.assertIsNotNone(self.world.held(second))
        self.assertIn("One message deleted.", self.page())

    def test_bulk(self):
        """
        The bar releases or deletes what is ticked, and says what was not there any more.
        """
        ids = [self.world.hold() for _ in range(5)]
        fields = [("id", identity) for identity in (*ids[:3], ids[0], "gone-gone-gone")]
        self.browser.post("/quarantine", [("do", "release"), *fields])
        states = [self.world.held(identity).state for identity in ids]
        self.assertEqual(states, ["released"] * 3 + ["held"] * 2)
        self.assertEqual(len(self.world.rows("outbox")), 3)
        page = self.page()
        self.assertIn(
            "3 messages released. They are on their way. One message of your choice is not held",
            page,
        )
        self.browser.post("/quarantine", {"do": "delete", "id": ids[3]})
        self.assertIsNone(self.world.held(ids[3]))

    def test_a_second_time(self):
        """
        A form that is sent twice releases once.
        """
        identity = self.world.hold()
        token = self.browser.token("/quarantine")
        for _ in range(2):
            self.browser.post("/quarantine", {"release": identity, "csrf": token})
        self.assertEqual(len(self.world.rows("outbox")), 1)

    def test_nothing_chosen(self):
        """
        Without a tick nothing happens, and the page says so.
        """
        self.world.hold()
        before = self.world.everything()
        self.browser.post("/quarantine", {"do": "delete"})
        self.assertEqual(self.world.everything(), before)
        self.assertIn("since no message was chosen", self.page())

    def test_unknown_action(self):
        """
        A form that asks for anything else is refused.
        """
        identity = self.world.hold()
        for fields in ({"id": identity}, {"id": identity, "do": "block"}):
            self.assertEqual(self.browser.post("/quarantine", fields).code, 400)

    def test_way_back(self):
        """
        After acting one is back in the same list, and never on another site.
        """
        for back, expected in (
            ("/quarantine?kind=spam&before=7", "/quarantine?kind=spam&before=7"),
            ("//evil.example", "/quarantine"),
        ):
            fields = {"release": self.world.hold(), "back": back}
            response = self.browser.post("/quarantine", fields)
            self.assertEqual(response.header("location"), expected)

    def test_store_fails_on_the_way(self):
        """
        Where the store fails the page says so, and no error is left unseen.
        """
        identity = self.world.hold()

        def fail(work):
            raise OSError(28, "no room")

        token = self.browser.token("/quarantine")
        self.patch(self.world.storage.database, "write", fail)
        response = self.browser.post("/quarantine", {"release": identity, "csrf": token})
        self.assertEqual(response.code, 503)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
