"""
Tests of judging messages by their DKIM signatures.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.dkim import DkimCheck
from mailgate.checks.known import Known
from mailgate.wire.dns.answer import Trouble
from tests.authentication.signing import BODY, HEADER, published, rsa_key, signed
from tests.checks.authentic import view_of
from tests.checks.given import settings
from tests.net.zones import Zones

KEYS = {"s1._domainkey.example.com": {"TXT": [published(rsa_key())]}}


class DkimCheckTests(SynchronousTestCase):
    """
    Tests of L{DkimCheck}.
    """

    def check(self, data, zones=KEYS, **options):
        """
        Judge a message.
        """
        self.zones = Zones(zones)
        check = DkimCheck.from_settings(settings(), Known(resolvers=self.zones))
        return check.check(view_of(data, **options))

    def symbols(self, *args, **options):
        """
        Give symbols and scores of what is found.
        """
        return [(each.symbol, each.score) for each in self.check(*args, **options)]

    def test_results(self):
        """
        Each result has its symbol and its score.
        """
        data = signed()
        self.assertEqual(self.symbols(data), [("DKIM_PASS", 0)])
        self.assertEqual(self.symbols(data + b"more\r\n"), [("DKIM_FAIL", 0.5)])
        self.assertEqual(self.symbols(signed(l="2")), [("DKIM_POLICY", 0.5)])
        self.assertEqual(self.symbols(data, {}), [("DKIM_PERMERROR", 0.5)])
        for trouble in Trouble:
            zones = {"s1._domainkey.example.com": {"TXT": trouble}}
            self.assertEqual(self.symbols(data, zones), [("DKIM_TEMPERROR", 0)])

    def test_words(self):
        """
        The finding says whose signature it is and why it is not right, and has it as a value and
        for Authentication-Results.
        """
        (finding,) = self.check(signed() + b"more\r\n")
        self.assertIn("“example.com”: fail, since the body has been changed.", finding.detail)
        self.assertEqual(finding.fact.domain, "example.com")
        self.assertTrue(finding.authentication.startswith("\tdkim=fail "))

    def test_unsigned(self):
        """
        A message without a signature is not even read.
        """
        self.assertEqual(self.check(b"\r\n".join((*HEADER, b"", BODY))), ())
        self.assertEqual(self.zones.asked, [])

    def test_ours(self):
        """
        Mail of ours and of exempt networks is left alone.
        """
        for options in ({"role": "internal"}, {"role": "submission"}, {"client": "127.0.0.1"}):
            self.assertEqual(self.check(signed(), **options), ())
            self.assertEqual(self.zones.asked, [])

    def test_one_counts(self):
        """
        What is wrong counts once, and not at all beside what is right or unknown.
        """
        wrong = signed(s="gone").partition(b"\r\n")[0]
        other = signed(s="lost").partition(b"\r\n")[0]
        data = signed()
        bare = data.partition(b"\r\n")[2]
        scores = [score for _, score in self.symbols(b"\r\n".join((wrong, other, bare)))]
        self.assertEqual(scores, [0.5, 0])
        found = self.symbols(b"\r\n".join((wrong, data)))
        self.assertEqual({score for _, score in found}, {0})
        zones = {"s1._domainkey.example.com": {"TXT": Trouble.TIMEOUT}}
        found = self.symbols(b"\r\n".join((wrong, data)), zones)
        self.assertEqual({score for _, score in found}, {0})

    def test_many(self):
        """
        Five signatures are tried, and that there are more is told.
        """
        data = signed()
        findings = self.check(
            data.partition(b"\r\n")[0]
            + b"\r\n"
            + (signed(s="gone").partition(b"\r\n")[0] + b"\r\n") * 6
            + data.partition(b"\r\n")[2]
        )
        self.assertEqual(len(findings), 5)
        self.assertIn("2 of which were not tried", findings[0].detail)
