"""
Tests of L{mailgate.web.pages.lists}.
"""

from __future__ import annotations

import re
from html import unescape

from twisted.trial.unittest import SynchronousTestCase

from mailgate.knowledge.entry import ListName, make_entry
from mailgate.web.pages.lists import PAGE
from tests.web.harness import NAME, World


class ListsTests(SynchronousTestCase):
    """
    The page of the lists.
    """

    def setUp(self):
        """
        Sign in.
        """
        self.world = World(self)
        self.browser = self.world.signed_in()
        self.lists = self.world.storage.lists

    def add(self, list, value, **more):
        """
        Add an entry, past the page.
        """
        entry = make_entry(ListName(list), value, by="Bob", **more)
        return self.successResultOf(self.lists.add(entry)).id

    def page(self, path="/lists", code=200):
        """
        Give the page.
        """
        response = self.browser.get(path)
        self.assertEqual(response.code, code)
        return response.text

    def values(self, path="/lists"):
        """
        Give the values that the page shows.
        """
        found = re.findall(r'<th scope="row">.*?<bdi class="mono">(.*?)</bdi>', self.page(path))
        return [unescape(value) for value in found]

    def entries(self):
        """
        Give list, kind, value and scope of all entries.
        """
        return [row[1:5] for row in self.world.rows("list_entry")]

    def send(self, **fields):
        """
        Send the form.
        """
        return self.browser.post("/lists", {"list": "allow", "value": "", **fields})

    def test_empty(self):
        """
        Without entries the page says so, and how to get one.
        """
        page = self.page()
        self.assertIn("The lists are empty.", page)
        self.assertNotIn("<table", page)

    def test_entries(self):
        """
        An entry tells its list, what it names, for whom, until when, by whom and why.
        """
        self.add("block", ".example.net", scope="ada@example.com", note="a <b>")
        self.add("allow", "eve@example.org", expires=self.world.now() + 86400)
        self.assertEqual(self.values(), ["eve@example.org", ".example.net"])
        page = self.page()
        for words in (
            "</svg>Blocked</span>",
            "domain and all below it, <time",
            "by <bdi>Bob</bdi>: <bdi>a &lt;b&gt;</bdi>",
            "<bdi>ada@example.com</bdi>",
            "everybody",
            "for ever",
            "until <time",
        ):
            self.assertIn(words, page)

    def test_unverified(self):
        """
        Every allowed sender is marked as such, and the page says why; nothing else is.
        """
        self.add("block", "a@example.org")
        self.add("allow", "192.0.2.0/24")
        self.assertNotIn("</svg>if verified", self.page())
        for value in ("a@example.org", "example.net", "<dev.example.org>"):
            self.add("allow", value)
        page = self.page()
        self.assertEqual(page.count("</svg>if verified"), 3)
        self.assertIn("counts only where SPF or DKIM of its domain passes", page)

    def test_ended(self):
        """
        An entry whose end has come is shown as such until it is purged.
        """
        self.add("allow", "a@example.org", expires=self.world.now() + 60)
        self.world.clock.advance(61)
        self.assertIn("no more, its end was", self.page())

    def test_add(self):
        """
        The form adds to either list; the value tells what it names.
        """
        response = self.send(value=" Eve@Example.org ", note="our shop", days="7")
        self.assertEqual(response.header("location"), "/lists")
        self.assertIn("Allowed from now on. It is entry 1", self.page())
        self.send(list="block", value=".example.net", scope="example.com")
        self.send(list="block", value="<dev.example.org>", scope="ada@example.com")
        self.assertEqual(
            self.entries(),
            [
                ("allow", "address", "eve@example.org", ""),
                ("block", "domain", ".example.net", "example.com"),
                ("block", "list-id", "dev.example.org", "ada@example.com"),
            ],
        )
        row = self.world.rows("list_entry")[0]
        self.assertEqual((row[5], row[6], row[8] - row[7]), ("our shop", NAME, 7 * 86400))
        self.assertEqual(len(self.lists.lists), 3)

    def test_refused(self):
        """
        What cannot be taken is said, and the form keeps what was filled in.
        """
        for fields, words in (
            ({"value": ""}, "This must be a domain"),
            ({"value": "a b@example.org"}, "This must be an address"),
            ({"value": "a@example.org", "scope": "elsewhere.example"}, "none of your domains"),
            ({"value": "192.0.2.0/24"}, "on the command line"),
            ({"value": "2001:db8::1"}, "on the command line"),
        ):
            response = self.send(**fields, note="kept <b>")
            self.assertEqual(response.code, 400)
            self.assertIn(words, response.text)
            self.assertIn('value="kept &lt;b&gt;"', response.text)
        self.assertEqual(self.entries(), [])

    def test_nonsense(self):
        """
        What the page cannot send is refused.
        """
        for fields in ({"list": "grey"}, {"list": ""}, {"days": "-1"}, {"days": "x"}):
            code = self.send(**{"value": "a@example.org", **fields}).code
            self.assertIn(code, (400, 404), fields)
        for path in ("/lists?list=grey", "/lists?before=x"):
            self.page(path, 404)
        self.assertEqual(self.browser.post("/lists/remove", page="/lists").code, 400)
        self.assertEqual(self.entries(), [])

    def test_remove(self):
        """
        The button removes an entry, once, and leads back to where it was.
        """
        identity = self.add("allow", "a@example.org")
        self.add("block", "b@example.org")
        token = self.browser.token("/lists")
        fields = {"remove": identity, "back": "/lists?list=allow", "csrf": token}
        response = self.browser.post("/lists/remove", fields)
        self.assertEqual(response.header("location"), "/lists?list=allow")
        self.assertIn("The entry is removed", self.page())
        self.assertEqual(self.values(), ["b@example.org"])
        self.assertEqual(len(self.lists.lists), 1)
        self.browser.post("/lists/remove", fields)
        self.assertIn("had been removed already", self.page())

    def test_only_by_post(self):
        """
        Asking for a page adds and removes nothing.
        """
        identity = self.add("allow", "a@example.org")
        before = self.world.everything()
        self.page(f"/lists?list=block&value=b@example.org&remove={identity}")
        self.page("/lists/remove", 405)
        self.assertEqual(self.world.everything(), before)

    def test_search(self):
        """
        A search finds words in value, scope and note, within the list that is shown.
        """
        self.add("allow", "a@example.org", note="Invoices")
        self.add("block", "b@example.org", note="invoices")
        self.add("block", "c@example.org", scope="ada@example.com")
        self.assertEqual(self.values("/lists?q=INVOICES"), ["b@example.org", "a@example.org"])
        self.assertEqual(self.values("/lists?q=invoices&list=allow"), ["a@example.org"])
        self.assertEqual(self.values("/lists?q=ada@"), ["c@example.org"])
        page = self.page("/lists?q=%3Cb%3E&list=allow")
        self.assertIn("No entry fits <bdi>&lt;b&gt;</bdi>", page)
        self.assertIn('<input type="hidden" name="list" value="allow">', page)

    def test_one_list(self):
        """
        One list is shown alone; one without entries says so.
        """
        self.add("allow", "a@example.org")
        self.assertEqual(self.values("/lists?list=allow"), ["a@example.org"])
        self.assertIn("There is no entry of this kind.", self.page("/lists?list=block"))

    def test_pages(self):
        """
        A hundred entries make a page; links lead on and back.
        """
        for number in range(PAGE + 2):
            self.add("block", f"a{number}@example.org")
        self.assertEqual(len(self.values()), PAGE)
        older = unescape(re.search('href="([^"]*)" rel="next"', self.page())[1])
        self.assertEqual(self.values(older), ["a1@example.org", "a0@example.org"])
        self.assertIn('href="/lists" rel="prev"', self.page(older))
        self.assertNotIn('rel="next"', self.page(older))

    def test_needs_a_log_in(self):
        """
        Nobody sees or changes the lists without a log-in.
        """
        stranger = self.world.browser()
        self.assertIn("/sign-in", stranger.get("/lists").header("location"))
        for path in ("/lists", "/lists/remove"):
            response = stranger.post(path, {"list": "allow", "value": "a@example.org"}, "/sign-in")
            self.assertIn("/sign-in", response.header("location"))
        self.assertEqual(self.entries(), [])
