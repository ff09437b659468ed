"""
Tests for L{mailgate.web.pages.quarantine}.
"""

from __future__ import annotations

import re
from html import unescape

from twisted.trial.unittest import SynchronousTestCase

from mailgate.finding import Finding
from mailgate.quarantine import search
from mailgate.quarantine.deciding import AT_ONCE
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
        self.assertIn("What the checks hold back comes here", page)
        self.assertNotIn('role="search"', page)
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
        findings = (
            Finding("A", 3, "A small thing."),
            Finding("B", 9, "the big thing, “Mr. X. Y”. It has details (+2)."),
        )
        self.world.hold(kind=Kind.PHISHING, findings=findings)
        page = self.page()
        self.assertIn('<bdi class="name">Eve</bdi> <bdi class="addr">eve@example.org</bdi>', page)
        self.assertIn("To <bdi>ada@Example.com</bdi>. <bdi>The big thing, “Mr. X. Y”.</bdi>", page)
        self.assertIn('href="#i-phishing"/></svg>Phishing</span>', page)
        self.assertIn("</svg>sure</span>", page)
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

    def test_search(self):
        """
        A search shows what has its words, keeps the kind, and is kept by the links and the forms.
        """
        for number in range(3):
            self.world.hold(subject(f"invoice {number}"), kind=Kind.BULK)
        self.world.hold(subject("INVOICE of spam"))
        self.world.hold(subject("other"))
        found = ["INVOICE of spam", "invoice 2", "invoice 1", "invoice 0"]
        self.assertEqual(self.subjects("/quarantine?q=Invoice"), found)
        self.assertEqual(self.subjects("/quarantine?kind=bulk&q=invoice"), found[1:])
        page = self.page("/quarantine?kind=bulk&q=invoice")
        self.assertIn('<input type="hidden" name="kind" value="bulk">', page)
        self.assertIn('name="q" value="invoice"', page)
        self.assertIn('href="/quarantine?kind=spam&amp;q=invoice"', page)
        self.assertIn('name="back" value="/quarantine?kind=bulk&amp;q=invoice"', page)
        self.assertIn("With <bdi>invoice</bdi> in the subject", page)
        self.assertIn('<a href="/quarantine?kind=bulk">Show all</a>', page)

    def test_search_without_hits(self):
        """
        A search without hits says so; what was searched for stands there as words.
        """
        self.world.hold()
        page = self.page("/quarantine?q=%3Cb%3E")
        self.assertIn("No message has <bdi>&lt;b&gt;</bdi> in its subject", page)
        self.assertNotIn('class="held"', page)
        self.assertIn("No message of this kind has", self.page("/quarantine?kind=malware&q=x1"))

    def test_search_pages(self):
        """
        A search goes on over pages, and says where it stopped looking.
        """
        for number in range(PAGE + 2):
            self.world.hold(subject(f"same {number}"))
        older = unescape(re.search('href="([^"]*)" rel="next"', self.page("/quarantine?q=same"))[1])
        self.assertIn("q=same", older)
        self.assertEqual(self.subjects(older), ["same 1", "same 0"])
        self.patch(search, "LOOKED_AT", 50)
        page = self.page("/quarantine?q=nothing")
        self.assertIn("none has <bdi>nothing</bdi>", page)
        self.assertIn(">Look further back</a>", page)

    def test_long_query(self):
        """
        Of a very long query the beginning is read.
        """
        self.world.hold()
        self.assertIn(f'name="q" value="{"x" * 200}"', self.page(f"/quarantine?q={'x' * 3000}"))

    def test_without_a_learner(self):
        """
        Where nothing is learned, nobody is asked to teach.
        """
        self.world = World(self, teaches=False)
        self.browser = self.world.signed_in()
        self.world.hold()
        self.assertNotIn("Delete as spam", self.page())

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
            "3 messages released. They are on their way. One message had been dealt with already.",
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

    def test_delete_as_spam(self):
        """
        What is ticked can be deleted as spam, which is learned; plain deleting teaches nothing.
        """
        ids = [self.world.hold() for _ in range(3)]
        self.browser.post("/quarantine", [("do", "spam"), *(("id", each) for each in ids[:2])])
        self.assertIn("2 messages deleted as spam. The filter learns from them.", self.page())
        self.browser.post("/quarantine", {"do": "delete", "id": ids[2]})
        self.assertEqual(self.world.rows("held"), [])
        self.assertEqual([each[1:] for each in self.world.learner.learned], [(True, NAME)] * 2)

    def test_release_teaches(self):
        """
        What is released is learned as good mail.
        """
        self.browser.post("/quarantine", {"release": self.world.hold()})
        self.assertEqual([each[1:] for each in self.world.learner.learned], [(False, NAME)])

    def test_at_most(self):
        """
        More than two hundred messages are not taken at once, and nothing is done.
        """
        identity = self.world.hold()
        fields = [("id", f"{number}") for number in range(AT_ONCE)]
        refused = self.browser.post("/quarantine", [("do", "delete"), ("id", identity), *fields])
        self.assertEqual(refused.code, 400)
        self.assertIn("At most 200 messages", refused.text)
        self.assertIsNotNone(self.world.held(identity))
        self.browser.post("/quarantine", [("do", "delete"), ("id", identity), *fields[1:]])
        self.assertIsNone(self.world.held(identity))

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
