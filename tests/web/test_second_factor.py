"""
Tests for L{mailgate.web.second_factor}, through the pages.
"""

from __future__ import annotations

import re

import pyotp
from twisted.trial.unittest import SynchronousTestCase

from mailgate.web.pages.sign_in import TRIES_OF_A_NAME
from tests.web.harness import NAME, PASSWORD, World


class SecondFactorTests(SynchronousTestCase):
    """
    Codes beside the password.
    """

    def setUp(self):
        """
        Switch it on.
        """
        self.world = World(self)
        self.browser = self.world.signed_in()
        page = self.browser.post("/account/second-factor", {"do": "begin"}, page="/account")
        self.secret = re.search(r'name="secret" value="([A-Z2-7]{32})"', page.text)[1]
        self.begun = page.text

    def code(self, steps=0):
        """
        Give the code of some steps from now.
        """
        return pyotp.TOTP(self.secret).at(int(self.world.now()) + 30 * steps)

    def confirm(self, code):
        """
        Show that the secret has arrived.
        """
        fields = {"do": "confirm", "secret": self.secret, "code": code}
        return self.browser.post("/account/second-factor", fields, page="/account")

    def switched_on(self):
        """
        Switch it on, and give the recovery codes.
        """
        page = self.confirm(self.code()).text
        return re.findall(r"\b(?:\w{4}-){3}\w{4}\b", page)

    def sign_in(self, code, password=PASSWORD):
        """
        Sign in with a password and a code.
        """
        fields = {"name": NAME, "password": password, "code": code, "next": "/"}
        return self.world.browser().post("/sign-in", fields)

    def test_secret_is_not_kept_before(self):
        """
        Until a code was seen nothing is switched on.
        """
        self.assertIn("<svg", self.begun)
        self.assertEqual(self.confirm("000000").code, 400)
        self.assertEqual(self.sign_in("").code, 303)

    def test_needed(self):
        """
        Without a code, with a wrong one, or with a wrong password nobody gets in; all of it looks
        the same.
        """
        self.switched_on()
        self.world.clock.advance(30)
        answers = [
            self.sign_in(""),
            self.sign_in("000000"),
            self.sign_in(self.code(), "wrong password"),
        ]
        self.assertEqual({answer.code for answer in answers}, {403})
        for answer in answers:
            self.assertIn("The name, the password or the code is wrong.", answer.text)
        self.assertEqual(self.sign_in(self.code()).code, 303)

    def test_not_replayed(self):
        """
        A code counts once, and none from before it counts any more.
        """
        self.switched_on()
        self.assertEqual(self.sign_in(self.code()).code, 403)
        self.world.clock.advance(60)
        self.assertEqual(self.sign_in(self.code()).code, 303)
        self.assertEqual(self.sign_in(self.code()).code, 403)
        self.assertEqual(self.sign_in(self.code(-1)).code, 403)

    def test_clocks_differ(self):
        """
        A step before or after counts, two do not.
        """
        self.switched_on()
        self.world.clock.advance(300)
        self.assertEqual(self.sign_in(self.code(-2)).code, 403)
        self.assertEqual(self.sign_in(self.code(2)).code, 403)
        self.assertEqual(self.sign_in(self.code(-1)).code, 303)
        self.assertEqual(self.sign_in(self.code(1)).code, 303)

    def test_recovery(self):
        """
        Each of ten recovery codes signs in once.
        """
        codes = self.switched_on()
        self.assertEqual(len(set(codes)), 10)
        self.assertEqual(self.sign_in(codes[0].upper()).code, 303)
        self.assertEqual(self.sign_in(codes[0]).code, 403)
        self.assertIn("9 recovery codes", self.browser.get("/account").text)

    def test_nothing_in_the_clear(self):
        """
        The recovery codes are stored as hashes, and secret and codes are shown once.
        """
        codes = self.switched_on()
        stored = repr(self.world.rows("recovery_code"))
        page = self.browser.get("/account").text
        for code in codes:
            self.assertNotIn(code, stored)
            self.assertNotIn(code, page)
        self.assertNotIn(self.secret, page)

    def test_w5_tries(self):
        """
        Wrong codes are counted, however the rest is.
        """
        self.switched_on()
        self.world.clock.advance(60)
        answers = [self.sign_in("000000").code for _ in range(TRIES_OF_A_NAME)]
        self.assertEqual(set(answers), {403})
        self.assertEqual(self.sign_in(self.code()).code, 429)

    def test_switch_off(self):
        """
        It is switched off with a code.
        """
        (first, *_) = self.switched_on()
        fields = {"do": "off", "code": "000000"}
        answer = self.browser.post("/account/second-factor", fields, page="/account")
        self.assertEqual(answer.code, 400)
        fields["code"] = first
        answer = self.browser.post("/account/second-factor", fields, page="/account")
        self.assertEqual(answer.code, 303)
        self.assertEqual(self.sign_in("").code, 303)
        self.assertEqual(self.world.rows("recovery_code"), [])

    def test_not_set_again(self):
        """
        Who has a second factor cannot get another one over it.
        """
        self.switched_on()
        self.secret = "A" * 32
        self.assertEqual(self.confirm(self.code()).code, 400)
