"""
Tests of judging what a page hides, and does.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.html import HtmlCheck
from mailgate.verdict import Kind
from tests.checks.given import settings, view_of_message

HEAD = b"From: a@example.com\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
SHOWN = "<p>" + " ".join(f"shown{number}" for number in range(30)) + "</p>"
SECRET = " ".join(f"secret{chr(97 + number)}" for number in range(20))


class HtmlTests(SynchronousTestCase):
    """
    Tests of L{HtmlCheck}.
    """

    def check(self, html, head=HEAD, **options):
        """
        Give the findings about a page.
        """
        check = HtmlCheck.from_settings(settings(html=options))
        return check.check(view_of_message(head + html.encode() + b"\r\n"))

    def found(self, html, **options):
        """
        Give symbols and scores of the findings.
        """
        return {finding.symbol: finding.score for finding in self.check(html, **options)}

    def test_good(self):
        """
        What honest pages do is no finding: a text for lists of messages at the top, a second
        version for telephones, white text, pictures.
        """
        for html in (
            SHOWN,
            f'<div style="display:none">{SECRET}</div>{SHOWN}',
            f'{SHOWN}<div style="display:none">{SHOWN}</div>',
            f'{SHOWN}<td style="color:#fff">white</td><img src="cid:1">',
            f"{SHOWN}<input type=text>",
            "",
        ):
            self.assertEqual(self.found(html), {}, html)

    def test_hidden(self):
        """
        Many words that are hidden and shown nowhere are a finding, which quotes some.
        """
        for way in ("display:none", "font-size:0", "color:#fff;background:#fff", "opacity:0"):
            html = f'{SHOWN}<div style="{way}">{SECRET}</div>'
            self.assertEqual(self.found(html), {"HTML_HIDDEN_TEXT": 1}, way)
        (finding,) = self.check(html)
        self.assertRegex(finding.detail, r"\AThe page hides 20 words .*: “secreta secretb .*…”\.\Z")
        self.assertEqual(self.found(html, hidden_words=21), {})

    def test_split(self):
        """
        Words that are split by what is hidden in them are a finding; one may be a mistake.
        """
        split = 'pay<span style="display:none">x</span>ment '
        self.assertEqual(self.found(SHOWN + split * 2), {"HTML_SPLIT_WORDS": 2})
        self.assertEqual(self.found(SHOWN + split), {})

    def test_forms(self):
        """
        A form is a finding, and one that asks for a password a graver one.
        """
        for field, symbol in {
            "<input name=q>": "HTML_FORM",
            "<INPUT TYPE='Password'>": "HTML_PASSWORD",
            "<input name=x type = password>": "HTML_PASSWORD",
            "<input data-type=password>": "HTML_FORM",
        }.items():
            self.assertEqual(set(self.found(f"<form>{field}</form>")), {symbol}, field)

    def test_password_alone(self):
        """
        A field for a password needs no form around it.
        """
        self.assertEqual(self.found("<input type=password>"), {"HTML_PASSWORD": 2})

    def test_phishing(self):
        """
        A message that asks for a password is held as phishing.
        """
        (found,) = self.check("<input type=password>")
        self.assertIs(found.kind, Kind.PHISHING)

    def test_script(self):
        """
        A script is a finding.
        """
        self.assertEqual(self.found("<script>x()</script>"), {"HTML_SCRIPT": 0.5})

    def test_capped(self):
        """
        All together count no more than they may.
        """
        html = (
            "pay<b hidden>x</b>ment pay<b hidden>x</b>ment<script>x()</script><input type=password>"
        )
        self.assertEqual(sum(self.found(html).values()), 3)

    def test_disguised_words(self):
        """
        Words with letters that look like Latin ones are a finding, in a page and in plain text;
        one may be a slip.
        """
        words = "Your p\u0430yp\u0430l acc\u043eunt"
        plain = HEAD.replace(b"html", b"plain")
        for head in (HEAD, plain):
            self.assertEqual(self.found(words, head=head), {"TEXT_DISGUISED_WORDS": 1.5})
        self.assertEqual(self.found("Your p\u0430yp\u0430l account"), {})
        (finding,) = self.check(words)
        self.assertIn("\u201cp\u0430yp\u0430l\u201d; \u201cacc\u043eunt\u201d", str(finding.words))

    def test_cut_words(self):
        """
        Characters of no width within words are a finding; as filling, and once, they are none.
        """
        self.assertEqual(self.found("pass\u200bword ac\u200ccount"), {"TEXT_CUT_WORDS": 1})
        filling = "\u200c\u00a0\ufeff \u200c" * 60
        self.assertEqual(self.found(f"{SHOWN}{filling}pass\u200bword"), {})
        hidden = '<div style="display:none">a\u200bb a\u200bb a\u200bb</div>'
        self.assertEqual(self.found(f"{SHOWN}{hidden}"), {})
