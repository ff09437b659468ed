"""
Tests for L{mailgate.web.links}, through the pages.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailgate.people.rights import Role
from mailgate.web.links import LINK_SECONDS
from mailgate.web.pages.sign_in import LINKS_OF_A_NAME, LINKS_OF_A_NETWORK
from tests.web.harness import BASE_URL, NAME, World

ADA = "ada@example.com"


class LinkTests(SynchronousTestCase):
    """
    Signing in by a link that was sent by mail.
    """

    def setUp(self):
        """
        Make a user without a password, who shares a mailbox, and one with one.
        """
        self.world = World(self)
        self.world.add_account()
        self.world.add_account(ADA, None, Role.USER, [ADA, "info@example.com"])
        self.world.add_account("bob@example.com", "correct horse", Role.USER, ["bob@example.com"])

    def ask(self, address=ADA, client="192.0.2.99"):
        """
        Ask for a link.
        """
        browser = self.world.browser(client=client)
        return browser.post("/sign-in/link", {"address": address}, page="/sign-in")

    def path(self):
        """
        Give the path of the link that was sent last.
        """
        _, _, paragraphs = self.world.sent[-1]
        (link,) = [text for text in paragraphs if text.startswith(BASE_URL)]
        return link.removeprefix(BASE_URL)

    def test_sign_in(self):
        """
        The link asks, and only the form signs in.
        """
        self.assertEqual(self.ask().code, 303)
        self.assertEqual(self.world.sent[0][0], ADA)
        browser = self.world.browser()
        page = browser.get(self.path())
        self.assertEqual(page.code, 200)
        self.assertIn(f"Sign in as <bdi>{ADA}</bdi>?", page.text)
        self.assertEqual(browser.get("/account").code, 303)
        self.assertEqual(browser.post(self.path()).header("location"), "/quarantine")
        self.assertEqual(browser.get("/account").code, 200)

    def test_w1_prefetched(self):
        """
        A scanner that opens the link changes nothing.
        """
        self.ask()
        for _ in range(3):
            self.world.browser().get(self.path())
            self.world.browser().ask("HEAD", self.path())
        self.assertEqual(self.world.rows("log_in"), [])
        self.assertEqual(self.world.browser().post(self.path()).code, 303)

    def test_w2_once(self):
        """
        A link works once, for a quarter of an hour, and another one not at all.
        """
        self.ask()
        browser = self.world.browser()
        browser.post(self.path())
        other = self.world.browser()
        self.assertEqual(other.get(self.path()).code, 404)
        self.assertEqual(other.post(self.path(), page="/sign-in").code, 404)
        self.ask()
        self.world.clock.advance(LINK_SECONDS)
        self.assertEqual(other.get(self.path()).code, 404)
        self.assertEqual(other.get("/sign-in/link").code, 404)

    def test_w5_nobody_is_told(self):
        """
        The answer is the same whoever is asked for, and only one of them is sent anything.
        """
        asked = [ADA, "nobody@example.com", "info@example.com", "bob@example.com", NAME, "\r\nx"]
        answers = [self.ask(address) for address in asked]
        for answer in answers:
            self.assertEqual(answer.code, 303)
            self.assertEqual(answer.body, answers[0].body)
            self.assertEqual(answer.header("location"), answers[0].header("location"))
        self.assertEqual([to for to, _, _ in self.world.sent], [ADA])

    def test_w5_limits(self):
        """
        One address gets few links, however many ask; one client asks for few.
        """
        for number in range(LINKS_OF_A_NAME + 2):
            self.assertEqual(self.ask(client=f"192.0.2.{number}").code, 303)
        self.assertEqual(len(self.world.sent), LINKS_OF_A_NAME)
        for number in range(LINKS_OF_A_NETWORK):
            self.assertEqual(self.ask(f"a{number}@example.com").code, 303)
        self.assertEqual(self.ask().code, 429)

    def test_w8_host(self):
        """
        The link leads to the configured address, whatever the request calls us.
        """
        browser = self.world.browser(host="localhost")
        browser.post("/sign-in/link", {"address": ADA}, page="/sign-in")
        self.assertTrue(self.path().startswith("/sign-in/"))

    def test_not_in_the_clear(self):
        """
        What is stored is the hash of a link.
        """
        self.ask()
        token = self.path().rpartition("/")[2]
        self.assertNotIn(token, repr(self.world.rows("log_in_link")))

    def test_disabled(self):
        """
        Who is disabled gets no link, and those from before do not work.
        """
        self.ask()
        changing = self.world.accounts.change(2, Role.USER, [ADA], [], True, True)
        self.successResultOf(changing)
        self.assertEqual(self.world.browser().get(self.path()).code, 404)
        self.ask()
        self.assertEqual(len(self.world.sent), 1)

    def test_of_an_administrator(self):
        """
        An administrator makes a link for somebody, which is shown once.
        """
        page = self.world.signed_in().post("/people/3/link", page="/people/3")
        path = page.text.partition(f"{BASE_URL}/sign-in/")[2].partition("<")[0]
        browser = self.world.browser()
        self.assertEqual(browser.post(f"/sign-in/{path}").code, 303)
        self.assertIn("bob@example.com", browser.get("/account").text)


class LogInListTests(SynchronousTestCase):
    """
    Where somebody is signed in.
    """

    def setUp(self):
        """
        Sign the same person in twice, and another one.
        """
        self.world = World(self)
        self.here = self.world.signed_in()
        self.there = self.world.signed_in()
        self.other = self.world.signed_in("Bob")

    def end(self, which):
        """
        End log-ins.
        """
        return self.here.post("/account/log-ins", {"end": which}, page="/account").code

    def test_list(self):
        """
        Each is listed with its client and what it was made with.
        """
        page = self.here.get("/account").text
        self.assertEqual(page.count("192.0.2.99</bdi>"), 2)
        self.assertIn("by password", page)

    def test_end(self):
        """
        One can be ended, or all others; not this one, and none of somebody else.
        """
        for which in ("1", "3", "99"):
            self.assertEqual(self.end(which), 404)
        self.assertEqual(self.end("2"), 303)
        self.assertEqual(self.there.get("/account").code, 303)
        self.there.sign_in()
        self.assertEqual(self.end("others"), 303)
        self.assertEqual(self.there.get("/account").code, 303)
        for browser in (self.here, self.other):
            self.assertEqual(browser.get("/account").code, 200)
