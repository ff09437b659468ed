"""
Tests of L{mailgate.authentication.survey_domain}.
"""

from mailgate.authentication.survey import Weight
from mailgate.authentication.survey_domain import QUERIES, Outcome, survey_domain
from mailgate.wire.dns.answer import Trouble
from tests.authentication.signing import published, rsa_key
from tests.authentication.surveying import SurveyCase
from tests.net.zones import Zones

HERE = "example.org"
GOOD = {
    HERE: {"TXT": ["v=spf1 mx -all"], "MX": [(10, "mx.example.org")]},
    "mx.example.org": {"A": ["192.0.2.1"]},
    "s1._domainkey.example.org": {"TXT": [published(rsa_key())]},
    "_dmarc.example.org": {"TXT": ["v=DMARC1; p=reject; rua=mailto:dmarc@example.org"]},
}


class SurveyDomainTests(SurveyCase):
    """
    Tests of L{survey_domain}.
    """

    def look(self, named=(), seen=(), **changes):
        """
        Survey a domain that is as it should be, but for what is changed.
        """
        zones = {**GOOD, **{name.replace("__", "."): entry for name, entry in changes.items()}}
        return self.survey(survey_domain, zones, HERE, named, seen)

    def test_fine(self):
        """
        A domain without mistakes has five parts in which there is none.
        """
        found = self.look()
        self.assertEqual(found.outcome, Outcome.FINE)
        self.assertEqual(
            [part.title for part in found.parts], ["SPF", "DKIM", "DMARC", "MX", "TLS"]
        )
        self.assertEqual(found.number(Weight.MISTAKE), 0)

    def test_mistakes(self):
        """
        One mistake anywhere is one, also where something could not be asked.
        """
        found = self.look(["2027a"])
        self.assertEqual((found.outcome, found.number(Weight.MISTAKE)), (Outcome.MISTAKES, 1))
        found = self.look(["2027a"], mx__example__org=Trouble.TIMEOUT)
        self.assertEqual(found.outcome, Outcome.MISTAKES)

    def test_unknown(self):
        """
        Where something could not be asked, and nothing is known to be wrong, that is said.
        """
        found = self.look(mx__example__org=Trouble.TIMEOUT)
        self.assertEqual(found.outcome, Outcome.UNKNOWN)

    def test_aligned(self):
        """
        DMARC is told with what SPF and DKIM have.
        """
        found = self.look(seen=["s9"], s1___domainkey__example__org={})
        self.assertEqual(found.outcome, Outcome.FINE)
        words = [remark.words for part in found.parts for remark in part.remarks]
        self.assertTrue(any("With SPF alone" in each for each in words), words)
        self.assertTrue(any("s9._domainkey.example.org any more" in each for each in words))

    def test_budget(self):
        """
        It takes no more look-ups than it says.
        """
        zones = Zones(GOOD)
        self.survey(lambda _, *more: survey_domain(zones, *more), {}, HERE)
        self.assertLess(len(zones.asked) / 2, QUERIES)
