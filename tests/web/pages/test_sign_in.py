"""
Tests for L{mailgate.web.pages.sign_in}.
"""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from mailgate.web.pages.sign_in import TRIES_OF_A_NAME, TRIES_OF_A_NETWORK
from tests.web.harness import BASE_URL, NAME, PASSWORD, World


class SignIn(SynchronousTestCase):
    """
    Signing in and out.
    """

    def setUp(self):
        """
        Make an account.
        """
        self.world = World(self)
        self.world.add_account()
        self.browser = self.world.browser()

    def test_right(self):
        """
        The right password leads to where one wanted to go.
        """
        for onward in ("/", "/quarantine?kind=spam"):
            browser = self.world.browser()
            response = browser.sign_in(onward=onward)
            self.assertEqual((response.code, response.header("location")), (303, onward))
            self.assertEqual(browser.get("/quarantine").code, 200)

    def test_no_open_redirect(self):
        """
        Whatever stands in C{next}, nobody is led to another site.
        """
        for onward in ("//evil.example", "http://evil.example/", "/\\evil.example", "/\r\nX: y"):
            response = self.world.browser().sign_in(onward=onward)
            self.assertEqual(response.header("location"), "/")
            self.assertNotIn("x", response.headers)
        browser = self.world.signed_in()
        response = browser.get("/sign-in?next=//evil.example")
        self.assertEqual((response.code, response.header("location")), (303, "/"))

    def test_no_names_are_told(self):
        """
        A wrong password and an unknown name are answered with the very same words.
        """
        pages = []
        for name in (NAME, "Nobody Else"):
            response = self.browser.sign_in(name, "wrong password")
            self.assertEqual(response.code, 403)
            pages.append(response.text.replace(name, "NAME"))
        self.assertEqual(pages[0], pages[1])
        self.assertIn("The name, the password or the code is wrong.", pages[0])
        self.assertNotIn("wrong password", pages[0])

    def test_session_is_new(self):
        """
        Each log-in has a new token; one brought along is never taken over (fixation).
        """
        self.browser.cookies["mailgate_log_in"] = "f" * 43
        self.browser.sign_in()
        first = self.browser.cookies["mailgate_log_in"]
        self.assertNotEqual(first, "f" * 43)
        visitor = self.browser.cookies["mailgate_visitor"]
        self.assertNotEqual(first, visitor)
        again = self.world.browser()
        again.sign_in()
        self.assertNotEqual(again.cookies["mailgate_log_in"], first)

    def test_sign_in_form_is_guarded(self):
        """
        Nobody can be signed in by a form of another site (log-in CSRF).
        """
        fields = {"name": NAME, "password": PASSWORD, "next": "/"}
        other = self.world.browser().token("/sign-in")
        self.assertEqual(self.browser.post("/sign-in", {**fields, "csrf": other}).code, 403)
        evil = {"Origin": "http://evil.example"}
        self.assertEqual(self.browser.post("/sign-in", fields, headers=evil).code, 403)
        self.assertNotIn("mailgate_log_in", self.browser.cookies)

    def test_sign_out(self):
        """
        Signing out ends the log-in at the server, so that its cookie is good for nothing.
        """
        self.browser.sign_in()
        kept = dict(self.browser.cookies)
        response = self.browser.post("/sign-out", page="/quarantine")
        self.assertEqual(response.header("location"), "/sign-in")
        self.assertIn("You are signed out.", self.browser.get("/sign-in").text)
        self.assertNotIn("You are signed out.", self.browser.get("/sign-in").text)
        self.browser.cookies = kept
        self.assertEqual(self.browser.get("/quarantine").code, 303)
        self.assertEqual(self.world.rows("log_in"), [])

    def test_idle_log_in(self):
        """
        A log-in that was not used for an hour leads to the sign-in.
        """
        self.browser.sign_in()
        self.world.clock.advance(3601)
        response = self.browser.get("/outbox")
        self.assertEqual(response.header("location"), "/sign-in?next=%2Foutbox")

    def test_name_is_limited(self):
        """
        After ten wrong passwords for a name, not even the right one helps for a while.
        """
        for number in range(TRIES_OF_A_NAME):
            browser = self.world.browser(client=f"192.0.2.{number}")
            self.assertEqual(browser.sign_in(NAME.upper(), "wrong").code, 403)
        response = self.browser.sign_in()
        self.assertEqual(response.code, 429)
        self.assertEqual(response.header("retry-after"), "900")
        self.assertIn("Try again in 15 minutes.", response.text)
        self.world.clock.advance(15 * 60)
        self.assertEqual(self.browser.sign_in().code, 303)

    def test_unknown_names_are_limited_alike(self):
        """
        An unknown name is limited just as one that exists.
        """
        for _ in range(TRIES_OF_A_NAME):
            self.browser.sign_in("nobody", "wrong")
        self.assertEqual(self.browser.sign_in("nobody", "wrong").code, 429)

    def test_address_is_limited(self):
        """
        After thirty wrong passwords from an address it has to wait, whatever the names.
        """
        for number in range(TRIES_OF_A_NETWORK):
            self.assertEqual(self.browser.sign_in(f"name {number}", "wrong").code, 403)
        self.assertEqual(self.browser.sign_in().code, 429)
        elsewhere = self.world.browser(client="198.51.100.1")
        self.assertEqual(elsewhere.sign_in().code, 303)

    def test_right_passwords_do_not_count(self):
        """
        Signing in often is no reason to wait.
        """
        for _ in range(TRIES_OF_A_NETWORK + 5):
            self.assertEqual(self.world.browser().sign_in().code, 303)

    def test_hint_without_accounts(self):
        """
        As long as there is no account the page says how to make the first one.
        """
        self.assertNotIn("There is no account yet", self.browser.get("/sign-in").text)
        self.assertIn("There is no account yet", World(self).browser().get("/sign-in").text)


class SetUp(SynchronousTestCase):
    """
    The first administrator's account.
    """

    def setUp(self):
        """
        Make a link.
        """
        self.world = World(self)
        self.path = self.world.first.new_link()[len(BASE_URL) :]
        self.browser = self.world.browser()

    def make(self, browser=None, **fields):
        """
        Fill in the form.
        """
        return (browser or self.browser).post(
            self.path, {"name": NAME, "password": PASSWORD, **fields}
        )

    def test_get_changes_nothing(self):
        """
        However often the link is fetched (W1), it shows a form and still works.
        """
        for method in ("GET", "HEAD", "GET"):
            response = self.browser.ask(method, self.path)
            self.assertEqual(response.code, 200)
        self.assertIn("opening this page changes nothing", response.text)
        self.assertEqual(self.world.rows("account"), [])
        self.assertEqual(self.make().code, 303)

    def test_post_makes_the_account(self):
        """
        The form makes the account and signs its owner in.
        """
        response = self.make()
        self.assertEqual(response.header("location"), "/quarantine")
        self.assertIn("you are signed in", self.browser.get("/quarantine").text)
        self.assertEqual(self.world.browser().sign_in().code, 303)

    def test_once(self):
        """
        The link makes one account; afterwards it is a page that says so.
        """
        other = self.world.browser()
        token = other.token(self.path)
        self.make()
        response = self.make(other, name="Mallory", csrf=token)
        self.assertEqual(response.code, 404)
        self.assertIn("does not work, or no longer", response.text)
        self.assertEqual(other.get(self.path).code, 404)
        self.assertEqual([row[1] for row in self.world.rows("account")], [NAME])

    def test_late(self):
        """
        After 15 minutes the link does nothing.
        """
        token = self.browser.token(self.path)
        self.world.clock.advance(15 * 60)
        self.assertEqual(self.browser.get(self.path).code, 404)
        self.assertEqual(self.make(csrf=token).code, 404)
        self.assertEqual(self.world.rows("account"), [])

    def test_unusable_password(self):
        """
        An unusable password brings the form again, with the name and the reason.
        """
        response = self.make(password="short")
        self.assertEqual(response.code, 400)
        self.assertIn("A password has 10 to 1,000 characters.", response.text)
        self.assertIn(f'value="{NAME}"', response.text)
        self.assertNotIn("short", re.sub(r'class="[^"]*"', "", response.text))
        self.assertEqual(self.make().code, 303)

    def test_form_is_guarded(self):
        """
        A form without its token makes no account.
        """
        self.assertEqual(self.make(csrf="x").code, 403)
        self.assertEqual(self.world.rows("account"), [])

    def test_guessed(self):
        """
        Another link is a page that says nothing about this one.
        """
        self.assertEqual(self.browser.get("/setup/" + "x" * 43).code, 404)
