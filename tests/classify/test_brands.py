"""
Tests of L{mailgate.classify.brands}.
"""

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.classify.brands import known_brands, parents, words_of
from mailgate.classify.known import FREE_MAIL
from mailgate.wire.normal import DOMAIN_NAME

BRANDS = known_brands()


def claimed(name):
    """
    Give whom a name names, and whether it is no more than that.
    """
    claim = BRANDS.claim(name)
    return None if claim is None else ({brand.name for brand in claim.brands}, claim.is_whole)


def brand(name):
    """
    Give a company.
    """
    return next(each for each in BRANDS.brands if each.name == name)


class TableTests(SynchronousTestCase):
    """
    Tests of what is written in the table.
    """

    def test_many(self):
        """
        There are several hundred, each once.
        """
        names = [each.name for each in BRANDS.brands]
        self.assertGreater(len(names), 500)
        self.assertEqual(len(set(names)), len(names))

    def test_domains(self):
        """
        Domains are written as they are compared, and none is one of a provider's customers alone.
        """
        for each in BRANDS.brands:
            for domain in each.domains:
                self.assertTrue(DOMAIN_NAME.fullmatch(domain) and "." in domain, domain)
                self.assertTrue(each.owns(domain), domain)

    def test_found(self):
        """
        Each is found by its own name.
        """
        for each in BRANDS.brands:
            found = claimed(each.name)
            self.assertIsNotNone(found, each.name)
            self.assertTrue(found[1], each.name)

    def test_neighbours(self):
        """
        No neighbour is the name of a company.
        """
        self.assertEqual(BRANDS.neighbours & set(BRANDS.labels) - {"paypay"}, frozenset())


class ClaimTests(SynchronousTestCase):
    """
    Tests of telling whom a name names.
    """

    def test_whole(self):
        """
        A name with words that fit a company is that of the company, in any language.
        """
        for name, known in {
            "PayPal": "PayPal",
            "Your PayPal Account": "PayPal",
            "Amazon.de Kundenservice": "Amazon",
            "DHL Express": "DHL",
            "Netflix Support Team": "Netflix",
            "Service Clients Netflix": "Netflix",
            "Apple Support": "Apple",
            "Wells Fargo Alert #5512": "Wells Fargo",
            "societe generale": "Soci\u00e9t\u00e9 G\u00e9n\u00e9rale",
            "Macy\u2019s Rewards": "Macy's",
            "AT&T": "AT&T",
            "BankofAmerica": "Bank of America",
        }.items():
            self.assertEqual(claimed(name), ({known}, True), name)

    def test_disguised(self):
        """
        Look-alike letters, accents and spaces make no difference.
        """
        for name in (
            "\u0420\u0430ypal",
            "PayPa1",
            "PaypaI",
            "P\u00e0yPal",
            "Pay Pal",
            "P a y P a l",
            "P.a.y.P.a.l Service",
            "P\u200ba\u200by\u200bP\u200ba\u200bl",
            "PayPal\u00ae",
        ):
            self.assertEqual(claimed(name), ({"PayPal"}, True), name)

    def test_unspaced(self):
        """
        A name before which and behind which no space is written is found too.
        """
        self.assertEqual(
            claimed("\u697d\u5929\u30ab\u30fc\u30c9\u682a\u5f0f\u4f1a\u793e")[0], {"Rakuten"}
        )

    def test_mentioned(self):
        """
        A name that says other things too only speaks of the company.
        """
        for name in ("Vodafone Shop M\u00fcller", "Jane via DocuSign", "Sparkasse Hannover"):
            self.assertFalse(claimed(name)[1], name)

    def test_ordinary(self):
        """
        A name that means other things counts only where nothing else stands beside it.
        """
        self.assertEqual(claimed("Orange Service Client"), ({"Orange"}, True))
        for name in (
            "Orange County News",
            "Chase Miller",
            "Target Practice Club",
            "Dott. Ing. Rossi",
            "Start-Ups Weekly",
            "Karl Otto",
            "Uber den Wolken",
        ):
            self.assertIsNone(claimed(name), name)

    def test_nobody(self):
        """
        Names of people and of others name nobody.
        """
        for name in ("", "Ada Lovelace", "Pineapple Farm", "The Amazonian", "!!!", "\u2709"):
            self.assertIsNone(claimed(name), name)

    @given(st.text())
    def test_anything(self, name):
        """
        It never raises, and is as long as is looked at.
        """
        BRANDS.claim(name)
        self.assertTrue(all(re.search(r"\w", word) for word in words_of(name)))


class OwnTests(SynchronousTestCase):
    """
    Tests of telling whose a domain is.
    """

    def test_own(self):
        """
        What is written down, what is below that, and the name under another ending are theirs.
        """
        for name, domain in (
            ("PayPal", "paypal.com"),
            ("PayPal", "mail.paypal.de"),
            ("PayPal", "news.paypal-communication.com"),
            ("DHL", "dhl.co.uk"),
            ("HMRC", "notifications.service.gov.uk"),
            ("Amazon", "marketplace.amazon.de"),
            ("Facebook", "facebookmail.com"),
            ("Sparkasse", "sparkasse-hannover.de"),
        ):
            self.assertTrue(brand(name).owns(domain), domain)

    def test_foreign(self):
        """
        Others are not, nor is the name under an ending that costs nothing, nor a part of another.
        """
        for name, domain in (
            ("PayPal", "paypal.shop"),
            ("PayPal", "paypal.com.example.net"),
            ("PayPal", "notpaypal.com"),
            ("PayPal", "paypal-secure.com"),
            ("Sparkasse", "sparkasse-hannover.com"),
            ("Microsoft", "tenant.onmicrosoft.com"),
            ("Amazon", "amazonses.com"),
            ("DHL", "com"),
        ):
            self.assertFalse(brand(name).owns(domain), domain)

    def test_served(self):
        """
        Where customers have addresses too, that is known.
        """
        self.assertIn("gmail.com", FREE_MAIL)
        self.assertTrue(brand("Google").serves("gmail.com"))
        self.assertFalse(brand("Google").serves("google.com"))
        self.assertFalse(brand("PayPal").serves("gmail.com"))

    def test_owner(self):
        """
        Whose a domain is is found, if it is anybody's.
        """
        self.assertEqual(BRANDS.owner("mail.paypal.de").name, "PayPal")
        self.assertEqual(BRANDS.owner("dse.docusign.net").name, "DocuSign")
        self.assertIsNone(BRANDS.owner("example.com"))
        self.assertIsNone(BRANDS.owner("paypal.shop"))
        self.assertIsNone(BRANDS.owner("localhost"))

    def test_parents(self):
        """
        A domain lies in all above it but the topmost.
        """
        self.assertEqual(
            list(parents("a.b.example.com")), ["a.b.example.com", "b.example.com", "example.com"]
        )
        self.assertEqual(list(parents("com")), [])
