"""
Tests for L{mailgate.message.text}.
"""

from __future__ import annotations

import sys
import time
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message import text as text_module
from mailgate.message.text import CHARSETS, characters, words_of_html

# Coverage makes every line several times as slow.
QUICK = 0.9 if sys.gettrace() is None else 9


class Characters(SynchronousTestCase):
    """
    Bytes become characters.
    """

    def test_named_charsets(self) -> None:
        """
        The names that mail uses are known, in any case and spelling.
        """
        for charset, raw, expected in (
            ("UTF-8", b"\xc3\xbc", "ü"),
            ("utf8", b"\xc3\xbc", "ü"),
            ("ISO-8859-15", b"\xa4", "€"),
            ("iso_8859-7", b"\xf0", "π"),
            ("Windows-1251", b"\xe6", "ж"),
            ("koi8-r", b"\xd6", "ж"),
            ("Shift_JIS", b"\x93\xfa", "日"),
            ("ISO-2022-JP", b"\x1b$BF|\x1b(B", "日"),
            ("gb2312", b"\xc8\xd5", "日"),
            ("ks_c_5601-1987", b"\xec\xed", "日"),
        ):
            self.assertEqual(characters(raw, charset), expected, charset)

    def test_every_known_charset_exists(self) -> None:
        """
        Each name on the list is one that Python decodes without raising.
        """
        for charset in CHARSETS:
            characters(bytes(range(256)), charset)

    def test_in_slices(self) -> None:
        """
        Long texts are decoded some bytes at a time, to the same characters.
        """
        pieces = (b"\xff\xfe", b"\xfe\xff", b"a\0", b"\0\xd8", b"+2AA-", b"\xc3\xbc", b"+AOQ-")
        dice = Random(1)
        raws = [b"".join(dice.choices(pieces, k=60)) for _ in range(30)]
        for charset in CHARSETS:
            whole = [characters(raw, charset) for raw in raws]
            patch = self.patch(text_module, "_SLICE", 7)
            self.assertEqual([characters(raw, charset) for raw in raws], whole, charset)
            patch.restore()

    def test_single_bytes(self) -> None:
        """
        A set in which each byte is a character is read as Python reads it.
        """
        raw = bytes(range(256))
        for charset in CHARSETS:
            if charset.startswith(("cp125", "iso8859", "koi8", "mac_", "cp4", "cp8")):
                self.assertEqual(characters(raw, charset), raw.decode(charset, "replace"), charset)

    def test_charsets_that_say_nothing(self) -> None:
        """
        Without a known charset, bytes are UTF-8 if they can be, else Windows-1252.
        """
        for charset in ("", "us-ascii", "iso-8859-1", "x-unknown", "punycode", "unicode_escape"):
            self.assertEqual(characters("ü".encode(), charset), "ü", charset)
            self.assertEqual(characters(b"\xfc \x80", charset), "ü €", charset)

    def test_what_does_not_belong(self) -> None:
        """
        Bytes that are no characters become the replacement character.
        """
        self.assertEqual(characters(b"a\xffb", "utf-8"), "a\N{REPLACEMENT CHARACTER}b")

    @given(st.binary(max_size=40), st.sampled_from(sorted(CHARSETS | {"", "unknown"})))
    def test_always_encodes(self, raw: bytes, charset: str) -> None:
        """
        No bytes in no charset make lone surrogates.
        """
        characters(raw, charset).encode()

    def test_surrogates_of_utf_7(self) -> None:
        """
        A lone surrogate written in UTF-7 is replaced.
        """
        self.assertEqual(characters(b"a+2AA-b", "utf-7"), "a\N{REPLACEMENT CHARACTER}b")


class WordsOfHtml(SynchronousTestCase):
    """
    HTML becomes words.
    """

    def assert_words(self, html: str, expected: str) -> None:
        """
        Hold that C{html} reads as C{expected}.
        """
        self.assertEqual(words_of_html(html, 100_000), expected)

    def test_lines(self) -> None:
        """
        Blocks and breaks make lines; white space within them is one space.
        """
        self.assert_words("<div>One\n  two</div>three<br>four", "One two\nthree\nfour")
        self.assert_words("<p>One<p>Two", "One\n\nTwo")

    def test_references(self) -> None:
        """
        Character references are characters, unless they are endless.
        """
        self.assert_words("a &amp; b &uuml; &#8364;", "a & b ü €")
        self.assert_words("&#" + "9" * 10_000, "\N{REPLACEMENT CHARACTER}")

    def test_what_nobody_sees(self) -> None:
        """
        Scripts, styles, titles and comments are no words, however their tags are spelled.
        """
        self.assert_words(
            "<title>t</title>a<STYLE>s</sTyLe >b<script>if (a<b) c</script>d<!-- e -->f<!DOCTYPE>",
            "abdf",
        )

    def test_hidden_words_are_shown(self) -> None:
        """
        What a style hides is shown, since the filter read it too.
        """
        self.assert_words('<p style="display:none">secret', "secret")

    def test_links(self) -> None:
        """
        A link's target stands behind its words, numbered; a link within the page does not.
        """
        self.assert_words(
            "<a href=\"https://a.example/?x=1&amp;y=2\">here</a> <A HREF='b'>b</A> <a href=#>d</a>",
            "here [1 → https://a.example/?x=1&y=2] b [2 → b] d",
        )

    def test_quoted_values(self) -> None:
        """
        A greater-than sign in a quoted value does not end its tag.
        """
        self.assert_words('<a title="x>y" href="z">w</a>', "w [1 → z]")

    def test_less_than(self) -> None:
        """
        A less-than sign that begins no tag is itself.
        """
        self.assert_words("1 < 2 <3 <", "1 < 2 <3 <")

    def test_limit(self) -> None:
        """
        No more is given than was asked for, line breaks included.
        """
        self.assertEqual(words_of_html("<p>" + "x" * 50, 10), "x" * 8)

    def test_hostile(self) -> None:
        """
        Half a megabyte of anything is read in linear time.
        """
        size = 500_000
        for piece in (
            "<",
            "<a ",
            "<a>",
            "<div>",
            "<b></i>",
            "<!--",
            "<!-",
            "<?",
            "</",
            '<a b="',
            "<a b='\">",
            "<style>",
            "<svg><style>",
            "&#",
            "&",
            "&amp;",
            "<a " + "= " * 500,
            "<a =" + " " * 4000,
            "<a " + "href   " * 600 + ">",
            "<p>x",
            "<a href=x>y</a>",
            "</script",
            "<script></SCRIPT",
        ):
            began = time.thread_time()
            words_of_html(piece * (size // len(piece)), size)
            self.assertLess(time.thread_time() - began, QUICK, piece[:20])
        began = time.thread_time()
        words_of_html("<a " + " ".join(f"a{i}" for i in range(70_000)), size)
        self.assertLess(time.thread_time() - began, QUICK)

    @given(st.text("<>/!-?ab= \"'&#;", max_size=60))
    def test_never_raises(self, html: str) -> None:
        """
        Whatever the characters are, reading ends within the limit.
        """
        self.assertLessEqual(len(words_of_html(html, 50)), 50)
