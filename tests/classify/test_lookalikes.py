"""
Tests of L{mailgate.classify.lookalikes}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.classify.brands import known_brands
from mailgate.classify.lookalikes import LookAlikes

LOOK_ALIKES = LookAlikes(
    frozenset({"example.com", "fabrikam-werke.de", "abc.example"}),
    frozenset({"examples.com", "paypal-service.example"}),
)


def like(host):
    """
    Give whom a host looks like, and whether that is clear.
    """
    found = LOOK_ALIKES.of(host)
    return None if found is None else (found.name, found.is_clear)


class LookAlikesTests(SynchronousTestCase):
    """
    Tests of L{LookAlikes}.
    """

    def test_clear(self):
        """
        What is made to look like a company's domain, or like ours, is found.
        """
        for host, name in {
            "paypa1.com": "PayPal",
            "www.arnazon.com": "Amazon",
            "rnicrosoft.net": "Microsoft",
            "xn--pypal-4ve.com": "PayPal",
            "paypal-secure-login.com": "PayPal",
            "securepaypal.com": "PayPal",
            "login-microsoftonline.example": "Microsoft",
            "paypal-secure24.com": "PayPal",
            "www.paypal.com.example.net": "PayPal",
            "paypal-com.example.org": "PayPal",
            "netflix-billing.example.org": "Netflix",
            "paypal.weebly.com": "PayPal",
            "sparkasse-sicherheit.de": "Sparkasse",
            "examp1e.com": "example.com",
            "example-login.com": "example.com",
            "fabrikam-werke.weebly.com": "fabrikam-werke.de",
            "example.com.evil.test": "example.com",
        }.items():
            self.assertEqual(like(host), (name, True), host)

    def test_near(self):
        """
        What may be near by chance is found as such.
        """
        for host, name in {
            "paypall.com": "PayPal",
            "netflx.com": "Netflix",
            "googel.com": "Google",
            "netflix.shop": "Netflix",
            "exampel.com": "example.com",
            "fabrikamwerke.com": "fabrikam-werke.de",
        }.items():
            self.assertEqual(like(host), (name, False), host)

    def test_honest(self):
        """
        Domains of the companies and ours, of fans and dealers, of neighbours, of universities, and
        what is known to be honest look like nobody.
        """
        for host in (
            "paypal.com",
            "www.paypal.de",
            "click.e.netflix.com",
            "news.paypal-communication.com",
            "facebookmail.com",
            "mail.example.com",
            "examples.com",
            "mail.paypal-service.example",
            "vodafone-shop-berlin.de",
            "netflix-fans.com",
            "sparkasse-hannover.de",
            "amazone.de",
            "paypay.ne.jp",
            "finance.com",
            "booking.example",
            "telecom.de",
            "newsletter.online.com",
            "scholar.google.com.ezproxy.example.edu",
            "www.google.com.proxy.example.ac.uk",
            "target-practice.example",
            "orange-online.example",
            "zoom-support.example",
            "localhost",
            "[2001:db8::1]",
            "192.0.2.7",
            "",
        ):
            self.assertIsNone(like(host), host)

    def test_own_neighbours(self):
        """
        No company's domain looks like that of another.
        """
        for brand in known_brands().brands:
            for domain in brand.domains:
                self.assertIsNone(like(domain), domain)

    def test_endings(self):
        """
        Our name under another ending is known, unless it is short or known to be honest.
        """
        self.assertEqual(LOOK_ALIKES.other_ending("mail.example.net"), "example.com")
        for domain in ("mail.example.com", "abc.test", "other.example", ""):
            self.assertEqual(LOOK_ALIKES.other_ending(domain), "", domain)

    def test_ours(self):
        """
        What lies below our domains is ours.
        """
        self.assertTrue(LOOK_ALIKES.is_ours("a.b.example.com"))
        self.assertFalse(LOOK_ALIKES.is_ours("example.com.test"))

    def test_words(self):
        """
        How it looks like it is said in words that fit a sentence.
        """
        self.assertEqual(
            str(LOOK_ALIKES.of("paypal-login.com").way),
            "adds words to it that are to inspire trust",
        )

    @given(st.text(alphabet="abcmnrsu01-.", max_size=300))
    def test_anything(self, host):
        """
        It never raises.
        """
        LOOK_ALIKES.of(host)
