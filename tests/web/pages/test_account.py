"""
Tests for L{mailgate.web.pages.account}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailgate.web.pages.sign_in import TRIES_OF_A_NAME
from tests.web.harness import NAME, PASSWORD, World

NEW = "another password"


class Account(SynchronousTestCase):
    """
    One's own account.
    """

    def setUp(self):
        """
        Sign in.
        """
        self.world = World(self)
        self.browser = self.world.signed_in()

    def change(self, current=PASSWORD, new=NEW, again=NEW):
        """
        Fill in the form.
        """
        return self.browser.post("/account", {"current": current, "new": new, "again": again})

    def test_page(self):
        """
        The page names the account and says where else it is signed in.
        """
        page = self.browser.get("/account").text
        self.assertRegex(page, f"<bdi>{NAME}</bdi>, made <time [^>]*>today at 08:00</time>")
        self.assertIn("and nowhere else.", page)
        self.world.signed_in()
        self.assertIn("and in one other browser.", self.browser.get("/account").text)

    def test_change(self):
        """
        A changed password ends the other log-ins at once, and not this one.
        """
        other = self.world.signed_in()
        self.assertEqual(other.get("/account").code, 200)
        self.assertEqual(self.change().header("location"), "/account")
        self.assertIn("The password is changed.", self.browser.get("/account").text)
        self.assertEqual(other.get("/account").code, 303)
        self.assertEqual(self.world.browser().sign_in().code, 403)
        self.assertEqual(self.world.browser().sign_in(password=NEW).code, 303)

    def test_refused(self):
        """
        What cannot be done brings the form again, and says why.
        """
        for fields, words in (
            ({"current": "wrong"}, "The current password is wrong."),
            ({"again": "something else"}, "was typed in two different ways."),
            ({"new": "short", "again": "short"}, "A password has 10 to 1,000 characters."),
        ):
            response = self.change(**fields)
            self.assertEqual(response.code, 400)
            self.assertIn(words, response.text)
        self.assertEqual(self.world.browser().sign_in().code, 303)

    def test_guessing_is_limited(self):
        """
        Whoever sits at a browser left open cannot guess the password here either.
        """
        for _ in range(TRIES_OF_A_NAME):
            self.change(current="wrong")
        self.assertEqual(self.change().code, 429)
        self.assertEqual(self.world.browser().sign_in(password=NEW).code, 429)


class Appearance(SynchronousTestCase):
    """
    The form at the foot of the pages.
    """

    def setUp(self):
        """
        Sign in.
        """
        self.world = World(self)
        self.browser = self.world.signed_in()

    def choose(self, **fields):
        """
        Press a button.
        """
        return self.browser.post("/appearance", {"back": "/outbox", **fields}, "/outbox")

    def test_theme(self):
        """
        The chosen theme is written into every page, from the server, and remembered.
        """
        self.assertIn('<html lang="en">', self.browser.get("/outbox").text)
        for theme in ("light", "dark"):
            self.assertEqual(self.choose(theme=theme).header("location"), "/outbox")
            page = self.browser.get("/outbox").text
            self.assertIn(f'<html lang="en" data-theme="{theme}">', page)
            self.assertIn(f'value="{theme}" aria-pressed="true"', page)
        self.choose(theme="system")
        self.assertIn('<html lang="en">', self.browser.get("/outbox").text)

    def test_keys(self):
        """
        Single keys can be turned off and on again.
        """
        self.assertIn("Turn keys off", self.browser.get("/quarantine").text)
        self.choose(keys="off")
        page = self.browser.get("/quarantine").text
        self.assertIn('data-keys="off"', page)
        self.assertIn("Turn keys on", page)
        self.choose(keys="on")
        self.assertNotIn("data-keys", self.browser.get("/quarantine").text)

    def test_nonsense(self):
        """
        Other values change nothing, neither in the form nor in the cookie.
        """
        response = self.choose(theme='x" onload=', keys="maybe", back="//evil.example")
        self.assertEqual(response.header("location"), "/")
        self.browser.cookies["mailgate_theme"] = "evil"
        self.browser.cookies["mailgate_notice"] = 'evil"<b>'
        self.assertNotIn("evil", self.browser.get("/outbox").text)
