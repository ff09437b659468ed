"""
Tests of L{mailgate.message.redirect}.
"""

from base64 import urlsafe_b64encode
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.redirect import COUNT_LIMIT, carried

END = "https://evil.test/log-in?a=1&b=2"
QUOTED = quote(END, safe="")
BASE64 = urlsafe_b64encode(END.encode()).decode().rstrip("=")

SERVICES = {
    "a value of a query": f"https://www.google.com/url?sa=t&url={QUOTED}&usg=x",
    "one of several": f"https://shop.example/r?id=7&&to={QUOTED}",
    "encoded twice": f"https://l.example/l.php?u={quote(QUOTED)}",
    "Safe Links": f"https://eur01.safelinks.protection.outlook.com/?url={QUOTED}&data=05%7C",
    "Barracuda": f"https://linkprotect.cudasvc.com/url?a={QUOTED}&c=E,1,x",
    "Cisco": f"https://secure-web.cisco.com/1AbCdEf/{QUOTED}",
    "Sophos": f"https://de01.z.antigena.example/?d=evil.test&u={BASE64}&i=x",
    "Bing": f"https://www.bing.com/ck/a?!&&p=abc&u=a1{BASE64}&ntb=1",
    "Proofpoint 1": f"https://urldefense.proofpoint.com/v1/url?u={QUOTED}&k=x",
    "Proofpoint 2": "https://urldefense.proofpoint.com/v2/url?u="
    + QUOTED.replace("%", "-").replace("-2F", "_").replace("log-in", "log-2Din")
    + "&d=DwMFaQ",
    "Proofpoint 3": "https://urldefense.com/v3/__https://evil.test/log-in?a=1*b=2__;Jg!!abc$",
    "Archive": f"https://web.archive.org/web/2024/{END}",
    "in the fragment": f"https://s3.example/page.html#{QUOTED}",
    "in a path, decoded": f"https://r.example/go/{END}",
}
"""How services carry an address."""


class CarriedTests(SynchronousTestCase):
    """
    Tests of L{carried}.
    """

    def test_services(self):
        """
        What a service of each kind carries is found.
        """
        for name, address in SERVICES.items():
            self.assertEqual(carried(address), (END,), name)

    def test_names_in_labels(self):
        """
        Services that put a name into their own name, or into a path, are understood.
        """
        for address, end in {
            "https://my--shop-evil-test.translate.goog/x": "https://my-shop.evil.test/x",
            "https://www-evil-test.cdn.ampproject.org/c/s/www.evil.test/x": (
                "https://www.evil.test/x"
            ),
            "https://www.google.co.uk/amp/s/www.evil.test/x": "https://www.evil.test/x",
            "https://url.uk.m.mimecastprotect.com/s/AbC?domain=evil.test": "http://evil.test/",
            "https://r.example/?to=//evil.test/x": "https://evil.test/x",
            "https://r.example/?to=www.evil.test/x": "http://www.evil.test/x",
            "http://user@r.example:8080/?to=https%3A%2F%2Fevil.test": "https://evil.test",
        }.items():
            self.assertEqual(carried(address), (end,), address)

    def test_stars(self):
        """
        A star of Proofpoint's stands for one letter, two with a letter behind them for several.
        """
        letters = urlsafe_b64encode(b"?&=").decode()
        self.assertEqual(
            carried(f"https://urldefense.com/v3/__https://evil.test/a*b**Ac__;{letters}!!x$"),
            ("https://evil.test/a?b&=c",),
        )

    def test_one_in_the_other(self):
        """
        A redirector that leads to a redirector is followed; the outermost comes first.
        """
        inner = f"https://l.example/l.php?u={QUOTED}"
        outer = f"https://www.google.com/url?q={quote(inner, safe='')}"
        self.assertEqual(carried(outer), (inner, END))

    def test_none(self):
        """
        A link that carries none gives none.
        """
        for address in (
            "",
            "https://example.org/",
            "https://example.org/?q=http",
            "https://example.org/?next=%2Faccount",
            "https://example.org/?id=AAAAAAAAAAAAAAAAAAAA",
            "mailto:ada@example.org?subject=https://example.org/",
            "https://urldefense.com/v3/__",
            "https://urldefense.proofpoint.com/v2/url?d=x",
        ):
            self.assertEqual(carried(address), (), address)

    def test_bounded(self):
        """
        Of a link with very many, some are given.
        """
        many = "&".join(f"u{n}=https://{n}.test/" for n in range(1000))
        self.assertEqual(len(carried(f"https://r.example/?{many}")), COUNT_LIMIT)
        nested = END
        for _ in range(20):
            nested = f"https://r.example/{nested}"
        self.assertLessEqual(len(carried(nested)), COUNT_LIMIT)

    @given(st.text().map(lambda text: f"https://r.example/{text}"))
    def test_never_raises(self, address):
        """
        Whatever the address is, the answer is some texts.
        """
        self.assertIsInstance(carried(address), tuple)
