"""
Tests of the signals.
"""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import mailgate.classify
from mailgate.classify.signals import INDEX, PRIORS, SIGNALS, vector
from tests.classify.given import evidence, message

FROM = "From: Ada Byron <ada@example.org>"
WORDS = "This text is long enough to be one, and speaks of the harvest. " * 5


def signals(*lines, body=WORDS, html=False):
    """
    Give the signals of a message.
    """
    kind = ["Content-Type: text/html; charset=utf-8"] if html else []
    return evidence(message(*lines, *kind, body=body)).signals


class SignalTests(SynchronousTestCase):
    """
    Each signal is there where it should be, and not where it should not.
    """

    def check(self, name, shown, not_shown):
        """
        Hold that messages show a signal, and others do not.
        """
        for expected, cases in ((True, shown), (False, not_shown)):
            for lines, body, html in cases:
                found = signals(*lines, body=body, html=html)
                self.assertEqual(name in found, expected, (name, lines, body[:200]))

    def headers(self, name, shown, not_shown=()):
        """
        Hold it for header fields, each given beside a From unless it brings its own.
        """

        def cases(fields):
            for field in fields:
                lines = [field] if field.startswith("From:") else [FROM, field]
                yield lines, WORDS, False

        self.check(name, cases(shown), cases(not_shown))

    def pages(self, name, shown, not_shown=()):
        """
        Hold it for pages.
        """
        self.check(
            name,
            [([FROM], page, True) for page in shown],
            [([FROM], page, True) for page in not_shown],
        )

    def test_sender(self):
        """
        The signals of the sender.
        """
        self.headers(
            "brand_in_name",
            ["From: PayPal Service <x@example.org>", "From: Your DHL parcel <x@dhl.evil.test>"],
            ["From: PayPal <service@paypal.de>", "From: Ada <x@example.org>", "From: dhlq <x@y.z>"],
        )
        self.headers(
            "odd_letters_in_header",
            ["From: P\u0430ypal <x@example.org>", "Subject: \U0001d413ext"],
            ["Subject: \u041f\u0440\u0438\u0432\u0435\u0442 Ada", "Subject: caf\u00e9"],
        )
        self.headers("zero_width_in_header", ["Subject: Pay\u200bment"], ["Subject: a\u00adb"])
        self.headers(
            "reply_to_free_mail",
            ["Reply-To: <ada@gmail.com>"],
            ["Reply-To: <ada@example.org>", "Reply-To: <ada@other.example>"],
        )
        self.headers("reply_to_other", ["Reply-To: <a@other.example>"], ["Reply-To: a@example.de"])
        self.headers("from_shared_platform", ["From: x <x@y.onmicrosoft.com>"], [FROM])
        self.headers("no_from_domain", ["From: ada", "From:"], [FROM])
        self.headers(
            "foreign_address_in_name",
            ['From: "boss@bank.example" <x@example.org>'],
            ['From: "x@mail.example.org" <x@example.org>'],
        )
        self.headers("cheap_from", ["From: x <x@example.top>"], [FROM])
        self.headers("raw_from", ["From: \u00c4da <x@example.org>"], [FROM])
        self.headers(
            "digits_in_from_domain",
            ["From: x <x@m7.shop4u.example>"],
            ["From: a <x@m7.shop.example>"],
        )
        self.headers("no_name", ["From: <x@example.org>"], [FROM])
        self.headers("from_free_mail", ["From: x <x@gmail.com>"], [FROM])
        self.headers("random_local", ["From: x <xkcdqrtv@example.org>"], [FROM])

    def test_subject(self):
        """
        The signals of the subject.
        """
        self.headers("base64_ascii_subject", ["Subject: =?utf-8?B?aGVsbG8=?="], ["Subject: hello"])
        self.headers(
            "base64_subject", ["Subject: =?utf-8?B?w6Q=?="], ["Subject: =?utf-8?Q?=C3=A4?="]
        )
        self.headers("raw_subject", ["Subject: caf\u00e9"], ["Subject: =?utf-8?Q?=C3=A4?="])
        self.headers("no_subject", ["Subject:", "X: y"], ["Subject: hello"])
        self.headers(
            "subject_capitals", ["Subject: BUY THIS NOW"], ["Subject: ABC", "Subject: Buy"]
        )
        self.headers("brand_in_subject", ["Subject: your PayPal account"], ["Subject: hello"])
        self.headers("exclamation_in_subject", ["Subject: now!"], ["Subject: now"])
        self.headers("emoji_in_subject", ["Subject: \U0001f600"], ["Subject: caf\u00e9"])

    def test_fields(self):
        """
        The signals of the other fields.
        """
        self.headers(
            "bad_message_id", ["Message-ID: 1@x", "Message-ID: <1>"], ["Message-ID: <1@x>"]
        )
        self.headers(
            "own_message_id", ["Message-ID: <1@mail.example.org>"], ["Message-ID: <1@other.test>"]
        )
        self.headers(
            "bad_date", ["Date: yesterday", "Date: 2027-01-15"], ["Date: 15 Jan 2027 8:00 GMT"]
        )
        self.headers(
            "odd_zone",
            ["Date: Fri, 15 Jan 2027 08:00:00 +0175", "Date: Fri, 15 Jan 2027 08:00:00 -2300"],
            ["Date: Fri, 15 Jan 2027 08:00:00 +0545", "Date: Fri, 15 Jan 2027 08:00:00 -0000 (x)"],
        )
        self.headers(
            "high_priority", ["X-Priority: 1 (Highest)", "Importance: High"], ["X-Priority: 3"]
        )
        self.headers(
            "own_unsubscribe",
            ["List-Unsubscribe: <mailto:x@b.test>, <https://news.example.org/u>"],
            ["List-Unsubscribe: <https://other.test/u>", "List-Unsubscribe: example.org"],
        )
        self.check(
            "forged_mailer",
            [([FROM, "X-Mailer: Microsoft Outlook Express 6.00"], WORDS, False)],
            [([FROM, "X-Mailer: Microsoft Outlook 16.0", "Thread-Index: x"], WORDS, False)],
        )

    def test_forged(self):
        """
        The signals of what was not written where it says.
        """

        def case(*lines):
            return list(lines), WORDS, False

        free = "From: Ada <ada@hotmail.com>"
        self.check(
            "free_mail_from_elsewhere",
            [
                case(free),
                case(free, "Received: from hotmai1.test by mx.test; x", "Message-ID: <1@a.test>"),
            ],
            [
                case(free, "Received: from a.test by EUR01.prod.protection.OUTLOOK.com; x"),
                case(free, "Received: from a.test by b.test; x", "Message-ID: <1@hotmail.com>"),
                case(FROM),
                case("From: x <x@posteo.example>"),
            ],
        )
        made = "Message-ID: <00007c3b4a9d$00006d3c$00003457@a.test>"
        self.check(
            "forged_message_id",
            [case(FROM, made), case(FROM, made, "X-Mailer: Mass 1.0")],
            [
                case(FROM, made, "X-Mailer: Microsoft Outlook 16.0"),
                case(FROM, made, "X-MimeOLE: Produced By Microsoft"),
                case(FROM, "Message-ID: <7c3b4a9d@a.test>"),
            ],
        )
        self.headers(
            "random_mailer",
            ["X-Mailer: kCAFZl8NGVOIpo6Wl2kf"],
            ["X-Mailer: PHPMailer 6.9.1", "X-Mailer: iPhone15mail", "X-Mailer: Mutt1.5.24cvs"],
        )
        self.headers(
            "number_far_off_in_subject",
            ["Subject: I missed you                 24632"],
            ["Subject: Invoice 24632", "Subject:      24632"],
        )

    def test_addressees(self):
        """
        The signals of whom it names.
        """
        self.headers("to_nobody", ["To: undisclosed-recipients:;", "X: y"], ["To: a@b.test"])
        self.headers("to_nobody", [], ["Cc: a@b.test"])
        self.headers("to_sender", ["To: Ada@Example.org"], ["To: bob@example.org"])

    def test_links(self):
        """
        The signals of links.
        """

        def link(*targets):
            return WORDS + "".join(f'<a href="{target}">x</a>' for target in targets)

        own, other, third = "https://www.example.org/", "http://a.test/", "http://b.test/"
        self.pages("no_link", [WORDS], [link(other)])
        self.pages("ip_host", [link("http://192.0.2.7/")], [link(other)])
        self.pages("one_foreign_host", [link(other)], [link(own), link(other, third)])
        self.pages("no_related_link", [link(other), link(other, third)], [link(own, other), WORDS])
        self.pages("most_links_related", [link(own)], [link(own, other, third)])
        self.pages("any_link_related", [link(own, other, third)], [link(other)])
        self.pages("shortener", [link("https://bit.ly/x")], [link("https://habit.ly/x")])
        self.pages("free_hosting", [link("https://x.web.app/")], [link("https://xweb.app")])
        self.pages("cheap_link", [link("http://x.xyz/")], [link(other)])
        self.pages("digits_in_host", [link("http://a1.test")], [link("http://1.a.test")])
        self.pages("idn_host", [link("http://xn--x.test")], [link(other)])
        self.pages("url_port", [link("http://a.test:8080")], [link("https://a.test:443")])
        self.pages("single_host", [link(other, other + "x")], [link(other, third)])
        self.pages("one_link", [link(other)], [link(other, third)])
        self.pages("short_with_link", ["<a href=http://a.test>x</a>"], [link(other)])
        many = [f"http://h{number}.test/" for number in "abcd"]
        self.pages("many_hosts", [link(*many)], [link(*many[:3])])

    def test_unsubscribing_excuses_foreign_links(self):
        """
        A newsletter that can be unsubscribed from at its sender may link where it likes.
        """
        page = WORDS + '<a href="http://click.test/">x</a>'
        lines = [FROM, "List-Unsubscribe: <https://example.org/u>"]
        found = signals(*lines, body=page, html=True)
        self.assertEqual(found & {"one_foreign_host", "no_related_link"}, set())

    def test_hidden(self):
        """
        The signals of what is hidden.
        """
        novel = " ".join(f"wurzel{number}" for number in range(100, 130))
        self.pages(
            "split_by_hidden",
            ["V<i hidden>x</i>iag<i hidden>y</i>ra"],
            ["V<i hidden>x</i>iagra", "a <i hidden>x</i> b <i hidden>y</i> c"],
        )
        self.pages(
            "zero_width_in_words", ["V\u200bi\u200bagra"], ["V\u200biagra", "a\u00adb\u00adc"]
        )
        self.pages(
            "zero_font_text",
            [WORDS + '<b style="font-size:0">abc</b>'],
            ['<b style="font-size:0">abc</b>' + WORDS, WORDS + '<b style="font-size:0">--</b>'],
        )
        self.pages(
            "hidden_words",
            [f"{WORDS}<b hidden>{novel}</b>"],
            [f"{WORDS}<b hidden>{WORDS * 3}</b>", f"<b hidden>{novel}</b>{WORDS}"],
        )
        self.pages(
            "long_preheader",
            [f"<b hidden>{novel} {novel} {novel}</b>{WORDS}"],
            [
                f"<b hidden>{novel}</b>{WORDS}",
                f"<b hidden>{novel}{'&nbsp;&zwnj;' * 100}{'&#847; ' * 100}</b>{WORDS}",
            ],
        )
        self.pages("white_text", ['<b style="color:#fff">a</b>'], ["<b>a</b>"])

    def test_make(self):
        """
        The signals of how a message is made.
        """
        self.pages("html", [WORDS])
        self.pages("html_only", [WORDS])
        self.pages("no_html_tag", [WORDS], [f"<html>{WORDS}</html>"])
        self.pages("two_html_ends", [f"{WORDS}</html></html>"], [f"{WORDS}</html>"])
        self.pages("many_references", ["&#65;" * 61], ["&#65;" * 60])
        self.pages("form", ["<form>"], [WORDS])
        self.pages("script", ["<script></script>"], [WORDS])
        picture, linked = "<img src=cid:1>", '<a href="http://a.test"><img src=cid:1></a>'
        self.pages("image_bare", [picture], [picture + WORDS])
        self.pages("linked_image_bare", [linked], [picture, linked + WORDS])
        self.pages("image_link_tiny", [linked], [linked + WORDS, picture])
        self.pages("empty", ["<p>hi"], [WORDS])
        base64 = ["Content-Transfer-Encoding: base64"]
        encoded = "VGhpcyBpcyBhIHRleHQgb2YgdHdlbnR5Lg==\r\n"
        self.check("base64_text", [([FROM, *base64], encoded, False)], [([FROM], WORDS, False)])
        self.check("base64_text_html_only", [([FROM, *base64], encoded, True)], [])
        self.check(
            "eight_bit_in_seven",
            [([FROM, "Content-Transfer-Encoding: 7bit"], "caf\u00e9", False)],
            [([FROM, "Content-Transfer-Encoding: 8bit"], "caf\u00e9", False)],
        )

    def test_alternative(self):
        """
        Plain text that says what the page says is noticed, any other is not.
        """
        for plain, expected in (("one two three four", True), ("open the page please", False)):
            body = (
                f"--b\r\nContent-Type: text/plain\r\n\r\n{plain}\r\n--b\r\n"
                "Content-Type: text/html\r\n\r\n<p>one two <b>three</b> five</p>\r\n--b--\r\n"
            )
            found = signals(FROM, 'Content-Type: multipart/alternative; boundary="b"', body=body)
            self.assertEqual("text_matches_html" in found, expected)
            self.assertNotIn("html_only", found)

    def test_attachments(self):
        """
        Attachments are noticed, and those that would run.
        """
        for name, expected in (
            ("a.pdf", {"attachment"}),
            ("a.pdf.exe", {"attachment", "risky_attachment"}),
        ):
            body = (
                f'--b\r\n\r\ntext\r\n--b\r\nContent-Type: x/y; name="{name}"\r\n\r\nz\r\n--b--\r\n'
            )
            found = signals(FROM, 'Content-Type: multipart/mixed; boundary="b"', body=body)
            self.assertEqual(found & {"attachment", "risky_attachment"}, expected)

    def test_words(self):
        """
        The signals of what is said.
        """

        def texts(*bodies):
            return [([FROM], body, False) for body in bodies]

        self.check(
            "advance_fee",
            texts("I am a barrister; the next of kin of the deceased will get an inheritance"),
            texts(WORDS, "the barrister spoke"),
        )
        self.check("urgency", texts("Urgent: verify your account"), texts("an urgent matter"))
        self.check("unsubscribe_words", texts("to unsubscribe, write"), texts(WORDS))
        self.check("capital_words", texts("BUY THIS NOW " * 10), texts(WORDS))
        self.check("money", texts("only $ 99"), texts("99 pieces"))
        self.check(
            "gappy_text", texts("buy v i a g r a now"), texts("a b c d", "1 2 3 4 5 6", WORDS)
        )
        self.check(
            "mixed_script",
            texts("p\u0430yp\u0430l \u0430nd"),
            texts("\u041f\u0440\u0438\u0432\u0435\u0442 Ada", "5 \u03bcm 6 \u03bcm 7 \u03bcm"),
        )


class TableTests(SynchronousTestCase):
    """
    Tests of the table.
    """

    def test_every_signal_is_given(self):
        """
        Each signal of the table is named by the code that looks for signals, and no other.
        """
        folder = Path(mailgate.classify.__file__).parent
        named = set()
        for name in ("header_signals.py", "body_signals.py"):
            source = (folder / name).read_text()
            for line in re.findall(r"found\.append\(.*", source):
                named |= set(re.findall(r'"([a-z0-9_]+)"', line))
        self.assertEqual(named, set(INDEX))

    def test_words(self):
        """
        Each has words of its own, that go into a sentence.
        """
        words = [signal.words for signal in SIGNALS]
        self.assertEqual(len(set(words)), len(words))
        for text in words:
            self.assertFalse(text.endswith("."))

    def test_vector(self):
        """
        The vector has a 1 for each signal that is there.
        """
        values = vector({"no_link", "html"})
        self.assertEqual(values.sum(), 2)
        self.assertEqual(values[INDEX["html"]], 1)
        self.assertEqual(len(values), len(PRIORS))

    def test_ordinary_letter(self):
        """
        An ordinary letter shows nothing that speaks for spam.
        """
        date = "Date: 15 Jan 2027 8:00 GMT"
        found = signals(FROM, "Subject: the harvest", date)
        self.assertEqual({name for name in found if PRIORS[INDEX[name]] > 0}, set())
