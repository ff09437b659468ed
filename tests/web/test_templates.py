"""
Tests for L{mailgate.web.templates}.
"""

from __future__ import annotations

import re
from importlib.resources import files

from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError
from twisted.trial.unittest import SynchronousTestCase

from mailgate.web.pages import words
from mailgate.web.templates import Templates, seen, static_files


class TemplatesTests(SynchronousTestCase):
    """
    From values to HTML.
    """

    def setUp(self):
        """
        Read the templates.
        """
        self.templates = Templates()

    def test_everything_is_escaped(self):
        """
        What is put into a page is text, not HTML.
        """
        page = self.templates.render("error.html", None, title="<b>", sentence='"&<script>')
        self.assertIn(b"<h1>&lt;b&gt;</h1>", page)
        self.assertIn(b"<p>&#34;&amp;&lt;script&gt;</p>", page)

    def test_nothing_is_left_out(self):
        """
        A value that is missing is an error, never an empty place.
        """
        self.assertRaises(UndefinedError, self.templates.render, "error.html", None, title="x")

    def test_no_template_turns_escaping_off(self):
        """
        No template marks anything as safe.
        """
        for entry in (files("mailgate.web") / "templates").iterdir():
            self.assertNotRegex(entry.read_text("utf-8"), r"\|\s*safe|autoescape")

    def test_sprite(self):
        """
        A page holds just the icons that it shows.
        """
        page = self.templates.render("error.html", None, title="x", sentence="y").decode()
        self.assertEqual(re.findall('<symbol id="i-([a-z]+)"', page), ["gate"])
        self.assertEqual(set(re.findall('href="#i-([a-z]+)"', page)), {"gate"})

    def test_icons_of_the_kinds(self):
        """
        Every icon that words name exists.
        """
        self.assertLessEqual(
            {kind.icon for kind in words.KINDS.values()}, set(self.templates.icons)
        )

    def test_surrogates(self):
        """
        A lone surrogate, which cannot be sent, does not keep a page from being shown.
        """
        page = self.templates.render("error.html", None, title="x", sentence="\ud800")
        self.assertIn(b"<p>?</p>", page)

    def test_static_files(self):
        """
        The style sheet and the script are there, and fetch nothing from elsewhere.
        """
        found = static_files()
        self.assertEqual(set(found), {"mailgate.css", "mailgate.js"})
        for file in found.values():
            self.assertNotRegex(file.content.decode(), r"@import|url\(|https?://|fetch\(|eval\(")


class Seen(SynchronousTestCase):
    """
    A stranger's words are made visible.
    """

    def test_what_hides(self):
        """
        Control characters and marks that reverse the direction are replaced, others kept.
        """
        self.assertEqual(seen("a\x00\x1b[31m\x7f\u202eexe.\u2066b"), "a��[31m��exe.�b")
        for text in ("a\tb\nc", "Grüße 日本 العربية", "\u200f", "e\u0301", "\U0001f600"):
            self.assertEqual(seen(text), text)

    @given(st.text())
    def test_length(self, text):
        """
        No character is lost.
        """
        self.assertEqual(len(seen(text)), len(text))
