"""
Tests of L{mailgate.message.html}.
"""

from time import process_time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message import html as html_module
from mailgate.message.html import LINK_LIMIT, TEXT_LIMIT, read_html
from mailgate.message.style import Way
from tests.message.hostile import FAMILIES


def shown(html):
    """
    Give the words that a page shows.
    """
    return " ".join(read_html(html).text.split())


def hidden(html):
    """
    Give the texts that a page hides.
    """
    return [each.text.strip() for each in read_html(html).hidden]


class ShownTests(SynchronousTestCase):
    """
    Tests of what is shown.
    """

    def test_text(self):
        """
        Tags go; those of blocks part words, others do not; references are characters.
        """
        self.assertEqual(
            shown("<p>One &amp; t<b>w</b>o<p>three<br>four &#8364; &euro;"),
            "One & two three four € €",
        )

    def test_unseen_elements(self):
        """
        Scripts, styles, titles, comments and declarations are not shown.
        """
        self.assertEqual(
            shown(
                "<!DOCTYPE html><title>a</title><STYLE>b<c</STYLE >x<script>d('</p>')</script>"
                "<!-- e -- > <b> -->y<!--[if mso]>f<![endif]--><![if !mso]>z<![endif]><!-->w"
            ),
            "xyzw",
        )

    def test_quoted_brackets(self):
        """
        A bracket in a quoted value ends no tag; without quotes it does.
        """
        self.assertEqual(
            shown('<a title="x>y" href=z>one</a><a title=x">two</a> "three'), 'onetwo "three'
        )

    def test_a_reader_sees_it(self):
        """
        What a browser shows is shown here too, however the page tries to seem empty.
        """
        for html in (
            '<p title="<!--">text',
            '<p title="<style>">text',
            "<style>x<y '</style>text<i '>",
            "<p x=y'>text<p x='>",
            '<td style="display:none">a</td>text',
            "<table><tr><td hidden>a<td>text</table>",
            '<div><span style="display:none">a</div>text',
            '<p style="display:none">a<p>text',
            '<div style="font-size:0">a<b style="font-size:12px">text</b>a</div>',
            "<noscript>text</noscript>",
        ):
            self.assertIn("text", shown(html), html)

    def test_limit(self):
        """
        Not more than the limit is kept.
        """
        self.assertEqual(len(read_html("a" * 100_000).text), TEXT_LIMIT)


class HiddenTests(SynchronousTestCase):
    """
    Tests of what is hidden.
    """

    def test_ways(self):
        """
        All usual ways of hiding are known.
        """
        for attributes in (
            'style="display: none"',
            "STYLE='DISPLAY:NONE !important'",
            "style=display:none",
            'style="color:red;visibility:hidden"',
            'style="font-size:0"',
            'style="font-size: 0px; color:#fff"',
            'style="font-size:1px"',
            'style="font-size:.01em"',
            'style="opacity:0"',
            'style="max-height:0;overflow:hidden"',
            'style="color:#ffffff;background-color:white"',
            'style="color:#fff;background:rgb(255, 255, 254)"',
            'style="color:transparent"',
            "hidden",
            'class="x" hidden=""',
        ):
            html = f"<p>one</p><div {attributes}>two</div><p>three</p>"
            self.assertEqual((shown(html), hidden(html)), ("one three", ["two"]), attributes)

    def test_not_hidden(self):
        """
        What only looks like hiding is none.
        """
        for attributes in (
            'style="display:block"',
            'style="font-size:10px"',
            'style="mso-font-size:0"',
            'style="opacity:0.9"',
            'style="max-height:0"',
            'style="color:#fff;background-color:#000"',
            'style="background-color:white"',
            'data-x="hidden"',
            'title="display:none"',
        ):
            self.assertEqual(shown(f"<div {attributes}>two</div>"), "two", attributes)

    def test_nested(self):
        """
        Elements within a hidden one are hidden with it, to its own end.
        """
        html = "<div hidden>a<div>b<img><br>c</div>d<table><tr><td>e</td></tr></table></div>f"
        self.assertEqual(shown(html), "f")

    def test_first(self):
        """
        Hidden text before the thirteenth word is told apart.
        """
        page = read_html("<i hidden>top</i>" + "word " * 13 + '<i style="font-size:0">later</i>')
        self.assertEqual(
            [(each.text, each.way, each.is_first) for each in page.hidden],
            [("top", Way.HIDDEN, True), ("later", Way.ZERO_FONT, False)],
        )

    def test_splits(self):
        """
        Hidden elements between two letters are counted, others are not.
        """
        self.assertEqual(read_html("V<i hidden>x</i>ia<b hidden></b>gra").splits, 2)
        self.assertEqual(read_html("a <i hidden>x</i>b<p hidden>y</p>c").splits, 0)


class FactTests(SynchronousTestCase):
    """
    Tests of the other facts.
    """

    def test_anchors(self):
        """
        Links have their target, what is shown of them, and whether that is a picture.
        """
        page = read_html(
            "<a href=\"http://a.test/?x=1&amp;y\">one <b>two</b></a><a href='b'><img src=cid:1></a>"
            '<a name="c">three</a><a href="#d">four</a><area href=e><a href="f">five'
        )
        self.assertEqual(
            [(each.target, each.text, each.has_image) for each in page.anchors],
            [
                ("http://a.test/?x=1&y", "one two", False),
                ("b", "", True),
                ("e", "", False),
                ("f", "five", False),
            ],
        )
        self.assertEqual(page.sources, ("cid:1",))
        self.assertEqual(page.images, 1)

    def test_counts(self):
        """
        Forms, scripts, roots, ends, references and white text are noticed.
        """
        page = read_html(
            "<HTML><form><script></script><script src=x></script><font color=#FFFFFF>&#65;&#66;"
            "</font></html></HTML>"
        )
        self.assertEqual((page.forms, page.scripts, page.ends, page.references), (1, 2, 2, 2))
        self.assertTrue(page.has_root)
        self.assertTrue(page.has_white_text)
        self.assertFalse(read_html("<p>x").has_root)

    def test_number_of_links(self):
        """
        Not more than the limit of links are kept.
        """
        self.assertEqual(len(read_html("<a href=x>y</a>" * 1000).anchors), LINK_LIMIT)


class HostileTests(SynchronousTestCase):
    """
    Nothing takes long, and nothing raises.
    """

    def test_time(self):
        """
        Half a megabyte of anything takes less than a second.
        """
        size = 500_000
        for begin, piece in (
            ("", "<div>"),
            ("<div hidden>", "<div>"),
            ("", '<div style="font-size:0">'),
            ("", "<"),
            ("", "<a "),
            ("", "&"),
            ("", "&a"),
            ("", "&" + "a" * 31),
            ("", "&#" + "9" * 5000 + ";"),
            ("", '"'),
            ("<a ", '="'),
            ("<a ", "="),
            ("<a ", 'b="c" '),
            ("", "<!--"),
            ("<!--", "-"),
            ("", "<style>"),
            ("<style>", "<"),
            ("<script>", "</scrip"),
            ("", "<a href=http://a.test/>x"),
            ("", "a<i hidden>b</i>"),
            ("", "<td hidden><table>"),
            ("<i hidden>" * 100, "</b>"),
            ("<b hidden><table>" + "<i>" * 100, "</b>"),
            ("", "<p style='" + "/*" * 1000 + "'>"),
            ("", "<p style='" + "color:" * 500 + "'>"),
        ):
            html = begin + piece * (size // len(piece))
            start = process_time()
            read_html(html)
            self.assertLess(process_time() - start, 1.0, f"{begin[:30]}{piece[:30]}...")

    def test_styles(self):
        """
        Many long styles, each another, take no longer.
        """
        for piece in ("/*", "color:", "font-size:0", "rgb(", "display:", "style=", "href=", " "):
            long = piece * (4000 // len(piece))
            html = "".join(f'<a {number} style="{long}">' for number in range(125))
            start = process_time()
            read_html(html)
            read_html(html.replace('"', ""))
            self.assertLess(process_time() - start, 1.0, piece)

    def test_slices(self):
        """
        However many tags are cut off in one go, the page is the same.
        """
        pages = [make(4000).decode("latin-1") for make in FAMILIES.values()]
        whole = list(map(read_html, pages))
        for tokens in (1, 2, 7):
            self.patch(html_module, "_TOKENS", tokens)
            self.assertEqual(list(map(read_html, pages)), whole, tokens)

    @given(st.text())
    def test_any_text(self, html):
        """
        No text raises.
        """
        read_html(html)

    @given(
        st.lists(
            st.sampled_from(
                [
                    *"<>\"'=/&!- a\n",
                    "<div",
                    "</div>",
                    " style=display:none>",
                    "<table hidden>",
                    "<td>",
                    "</td>",
                    "</table>",
                    '<p style="font-size:0">',
                    "</p>",
                    "<b>",
                    "</b>",
                    "<br>",
                    "<style>",
                    "</style>",
                    "<!--",
                    "-->",
                    "<a href=x>",
                    "</a>",
                    "<img src=y>",
                    "&#60;",
                ]
            )
        )
    )
    def test_any_tags(self, pieces):
        """
        No order of tags raises, and no text is both shown and hidden.
        """
        page = read_html("".join(pieces))
        letters = page.text.count("a") + sum(each.text.count("a") for each in page.hidden)
        self.assertLessEqual(letters, "".join(pieces).count("a"))
