"""
Tests of L{mailgate.authentication.survey_dmarc}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from mailgate.authentication.survey import Weight
from mailgate.authentication.survey_dmarc import Means, survey_dmarc
from mailgate.wire.dns.answer import Trouble
from tests.authentication.surveying import SurveyCase
from tests.net.zones import Zones

HERE = "example.org"
BOTH = Means(True, 1)
RUA = "rua=mailto:dmarc@example.org"


class SurveyDmarcTests(SurveyCase):
    """
    Tests of L{survey_dmarc}.
    """

    def look(self, records, domain=HERE, means=BOTH):
        """
        Survey a domain, with these TXT records.
        """
        zones = {
            name: {"TXT": [texts] if isinstance(texts, str) else texts}
            for name, texts in records.items()
        }
        return self.survey(survey_dmarc, {domain: {"A": ["192.0.2.1"]}, **zones}, domain, means)

    def wrong(self, text, *said, means=BOTH, **others):
        """
        Have just these mistakes in the record of a domain.
        """
        part = self.look({f"_dmarc.{HERE}": text, **others.pop("zones", {})}, means=means)
        self.assert_mistakes(part, *said)
        return part

    def test_fine(self):
        """
        Of a record without mistakes it is told that it applies and what it asks for.
        """
        for policy, wish in (("reject", "to refuse"), ("quarantine", "to hold")):
            part = self.wrong(f"v=DMARC1; p={policy}; {RUA}")
            self.assert_said(
                part, Weight.FINE, "applies: it is the domain's own", f"are asked {wish} what fails"
            )
            self.assert_said(part, Weight.NOTE)

    def test_none(self):
        """
        Without a record nobody is asked for anything.
        """
        self.assert_mistakes(self.look({}), "No DMARC record applies")

    def test_several(self):
        """
        Several records are none.
        """
        texts = [f"v=DMARC1; p=reject; {RUA}", f"v=DMARC1; p=none; {RUA}"]
        self.wrong(texts, "There are 2 records at _dmarc.example.org", "No DMARC record applies")

    def test_near(self):
        """
        What looks like a record and is none is told.
        """
        for text in (
            "v=DMARC1 p=reject",
            "DMARC1; p=none",
            '"v=DMARC1; p=none"',
            "v=DMARC2; p=none",
        ):
            self.wrong(text, "looks like DMARC and is none", "No DMARC record applies")

    def test_walk(self):
        """
        Where the domain has none, that of its organizational domain applies, with its policy for
        those below.
        """
        part = self.look(
            {f"_dmarc.{HERE}": f"v=DMARC1; p=reject; sp=quarantine; {RUA}"}, f"a.b.{HERE}"
        )
        self.assert_said(
            part,
            Weight.FINE,
            "_dmarc.example.org applies: a.b.example.org has none, and example.org is its",
            "asked to hold what fails (“sp=quarantine”)",
        )
        self.assert_mistakes(part, "Domains below example.org that exist are less protected")

    def test_own_and_above(self):
        """
        The domain's own record goes before those above, and the organizational domain is told.
        """
        record = f"v=DMARC1; p=reject; {RUA}"
        part = self.look({f"_dmarc.{HERE}": record, f"_dmarc.a.{HERE}": record}, f"a.{HERE}")
        self.assert_mistakes(part)
        self.assert_said(
            part,
            Weight.NOTE,
            "_dmarc.example.org does not count for a.example.org",
            "The organizational domain is example.org",
        )

    def test_suffix(self):
        """
        A record of a public suffix applies where neither the domain nor the one that was registered
        has one.
        """
        part = self.look({"_dmarc.org": f"v=DMARC1; p=reject; psd=y; {RUA}"}, f"a.{HERE}")
        self.assertIn(
            "The record at _dmarc.org applies: neither a.example.org nor its organizational domain"
            " example.org has one.",
            self.words(part, Weight.FINE),
        )

    def test_nonexistent(self):
        """
        For a domain that does not exist C{np} counts.
        """
        zones = {f"_dmarc.{HERE}": {"TXT": [f"v=DMARC1; p=quarantine; np=reject; {RUA}"]}}
        part = self.survey(survey_dmarc, zones, f"gone.{HERE}", BOTH)
        self.assertIn("to refuse what fails (“np=reject”)", " ".join(self.words(part, Weight.FINE)))

    def test_policy_none(self):
        """
        A policy that asks for nothing is told.
        """
        self.wrong(
            f"v=DMARC1; p=none; {RUA}", "is let through: “p=none” asks receivers to do nothing"
        )

    def test_trying(self):
        """
        A policy that is only tried is told.
        """
        self.wrong(f"v=DMARC1; p=reject; t=y; {RUA}", "The policy is only tried (“t=y”)")
        self.wrong(
            f"v=DMARC1; p=quarantine; t=y; {RUA}",
            "“p=quarantine” with “t=y” asks receivers to do nothing",
            "The policy is only tried",
        )

    def test_less_below(self):
        """
        Domains below that are less protected are told.
        """
        self.wrong(f"v=DMARC1; p=reject; sp=none; {RUA}", "that exist are less protected")
        self.wrong(f"v=DMARC1; p=reject; np=none; {RUA}", "that do not exist are less protected")

    def test_tags(self):
        """
        Tags that are wrong, missing, twice there, unknown or gone are told.
        """
        self.wrong(f"v=DMARC1; p=reject; adkim=x; {RUA}", "“adkim=x” is not one of the values")
        self.wrong(f"v=DMARC1; p=reject; p=none; {RUA}", "“p=” stands twice")
        self.wrong(f"v=DMARC1; p=reject; aspf; {RUA}", "“aspf” at _dmarc.example.org is no tag")
        self.wrong(f"v=DMARC1; {RUA}", "has no “p=”", "is let through")
        self.wrong(f"v=DMARC1; p=block; {RUA}", "“p=block” is not one", "is let through")
        part = self.wrong(f"v=DMARC1; p=reject; pct=50; ri=60; foo=1; {RUA}")
        self.assert_said(
            part, Weight.NOTE, "“pct=” means nothing any more", "“ri=” means", "“foo=” is no tag"
        )

    def test_unusable(self):
        """
        A record without a policy and without an address for reports is void.
        """
        self.wrong("v=DMARC1; p=block", "“p=block” is not one", "so DMARC does not apply")

    def test_no_reports(self):
        """
        Without an address for reports nobody sees what fails.
        """
        self.wrong("v=DMARC1; p=reject", "There is no address for reports")

    def test_no_address(self):
        """
        What is no address for reports is told.
        """
        for uri in ("https://example.org/", "mailto:example.org", "mailto:@example.org"):
            self.wrong(f"v=DMARC1; p=reject; rua={uri}", "so no report comes there")
        self.wrong("v=DMARC1; p=reject; rua=dmarc@example.org", "There is no address for reports")

    def test_foreign(self):
        """
        A foreign domain must say that it takes the reports; one of the same organization need not.
        """
        record = (
            "v=DMARC1; p=reject; rua=mailto:a@reports.example.net!10m, mailto:b@sub.example.org"
        )
        place = "example.org._report._dmarc.reports.example.net"
        self.wrong(record, f"there has to be “v=DMARC1” at {place}")
        for text in ("v=DMARC1", "v=DMARC1; rua=mailto:x@reports.example.net", "v=DMARC1;"):
            part = self.wrong(record, zones={place: text})
            self.assertIn(
                "reports.example.net takes the reports", self.words(part, Weight.FINE)[-1]
            )
        self.wrong(record, "there has to be", zones={place: "v=DMARC10"})
        self.wrong(record, zones={"*._report._dmarc.reports.example.net": "v=DMARC1"})

    def test_foreign_failures(self):
        """
        So it is with reports of failures; each domain is told once.
        """
        record = "v=DMARC1; p=reject; ruf=mailto:a@b.example,mailto:c@b.example; " + RUA
        self.wrong(record, "b.example does not say that it takes the reports (“ruf=”)")

    def test_means(self):
        """
        Without SPF and DKIM nothing can be aligned; with one of them that is told.
        """
        record = f"v=DMARC1; p=reject; {RUA}"
        self.wrong(record, "Nothing can be aligned", means=Means(False, 0))
        part = self.wrong(record, means=Means(True, 0))
        self.assert_said(part, Weight.NOTE, "With SPF alone what is forwarded fails")
        part = self.wrong(record, means=Means(False, 2))
        self.assert_said(part, Weight.NOTE, "There is no SPF")

    def test_strict(self):
        """
        Strict alignment is told.
        """
        part = self.wrong(f"v=DMARC1; p=reject; adkim=s; aspf=s; {RUA}")
        self.assert_said(part, Weight.NOTE, "Alignment is strict (“adkim=s” and “aspf=s”)")

    def test_unanswered(self):
        """
        What could not be asked is no mistake.
        """
        zones = {f"_dmarc.{HERE}": Trouble.SERVFAIL}
        part = self.survey(survey_dmarc, zones, HERE, BOTH)
        self.assert_mistakes(part)
        self.assert_said(part, Weight.UNKNOWN, "TXT of _dmarc.example.org is not known")

    @given(st.binary(max_size=200))
    def test_hostile(self, text):
        """
        Whatever stands there, it never fails, and what is said can be shown.
        """
        zones = Zones({f"_dmarc.{HERE}": {"TXT": [b"v=DMARC1;" + text]}})
        part = self.successResultOf(Deferred.fromCoroutine(survey_dmarc(zones, HERE, BOTH)))
        self.assertTrue(part.remarks)
        for remark in part.remarks:
            self.assertTrue(remark.words.isprintable(), remark.words)
