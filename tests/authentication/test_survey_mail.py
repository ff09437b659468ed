"""
Tests of L{mailgate.authentication.survey_mail}.
"""

from mailgate.authentication.survey import Weight
from mailgate.authentication.survey_mail import survey_mx, survey_tls
from mailgate.wire.dns.answer import Trouble
from tests.authentication.surveying import SurveyCase

HERE = "example.org"
A = {"A": ["192.0.2.1"]}


class SurveyMxTests(SurveyCase):
    """
    Tests of L{survey_mx}.
    """

    def look(self, *exchanges, **zones):
        """
        Survey a domain with these mail exchanges; others are below C{example}.
        """
        others = {f"{name}.example": entry for name, entry in zones.items()}
        entry = {"MX": list(exchanges), "TXT": ["x"]}
        return self.survey(survey_mx, {HERE: entry, **others}, HERE)

    def test_fine(self):
        """
        Servers are shown in the order in which they are tried.
        """
        part = self.look((20, "b.example"), (10, "a.example"), a=A, b={"AAAA": ["2001:db8::1"]})
        self.assert_mistakes(part)
        self.assert_said(part, Weight.FINE, "2 servers take mail, and each has an address")
        self.assertEqual([each.text for each in part.records], ["10 a.example", "20 b.example"])

    def test_null(self):
        """
        A domain may say that it takes no mail, and nothing else beside that.
        """
        part = self.look((0, "."))
        self.assert_said(part, Weight.FINE, "takes no mail and says so")
        self.assert_mistakes(part)
        self.assert_mistakes(self.look((0, "."), (10, "a.example"), a=A), "A null MX (“.”)")

    def test_missing(self):
        """
        Without MX the address of the domain counts; without both there is nothing.
        """
        part = self.survey(survey_mx, {HERE: A}, HERE)
        self.assert_mistakes(part)
        self.assert_said(part, Weight.NOTE, "There is no MX")
        self.assert_mistakes(self.look(), "There is neither an MX nor an address")
        self.assert_mistakes(self.survey(survey_mx, {}, HERE), "The domain does not exist")

    def test_exchanges(self):
        """
        A server that is an address, that has none, or one that nobody reaches, is told.
        """
        self.assert_mistakes(
            self.look(
                (10, "192.0.2.1"),
                (20, "gone.example"),
                (30, "inside.example"),
                inside={"A": ["10.0.0.1"]},
            ),
            "The MX 192.0.2.1 is an address",
            "The MX gone.example has no address",
            "The MX inside.example has the address 10.0.0.1",
        )
        self.assert_mistakes(
            self.look((10, "a.example"), a={"A": ["192.0.2.1"], "AAAA": ["fe80::1"]}),
            "has the address fe80::1, which nobody outside reaches",
        )

    def test_unanswered(self):
        """
        What could not be asked is no mistake.
        """
        part = self.survey(survey_mx, {HERE: Trouble.TIMEOUT}, HERE)
        self.assert_mistakes(part)
        self.assert_said(part, Weight.UNKNOWN, "MX of example.org is not known")
        part = self.look((10, "a.example"), (20, "b.example"), a=Trouble.TIMEOUT, b=A)
        self.assert_mistakes(part)
        self.assert_said(part, Weight.UNKNOWN, "A of a.example is not known")


class SurveyTlsTests(SurveyCase):
    """
    Tests of L{survey_tls}.
    """

    def look(self, sts=None, reports=None, **zones):
        """
        Survey a domain with these records.
        """
        table = {HERE: A}
        if sts is not None:
            table[f"_mta-sts.{HERE}"] = {"TXT": [sts] if isinstance(sts, str) else sts}
        if reports is not None:
            table[f"_smtp._tls.{HERE}"] = {"TXT": [reports]}
        if zones.get("has_host", True):
            table[f"mta-sts.{HERE}"] = A
        return self.survey(survey_tls, table, HERE)

    def test_nothing(self):
        """
        That nobody has to use TLS is no mistake.
        """
        part = self.look()
        self.assert_mistakes(part)
        self.assert_said(part, Weight.NOTE, "There is no MTA-STS")

    def test_fine(self):
        """
        What is there is told.
        """
        part = self.look("v=STSv1; id=20270115T080000;", "v=TLSRPTv1; rua=mailto:tls@example.org")
        self.assert_mistakes(part)
        self.assert_said(part, Weight.FINE, "There is MTA-STS", "Trouble with TLS is reported")
        part = self.look("v=STSv1;id=1")
        self.assert_said(part, Weight.NOTE, "There is no TLS-RPT")

    def test_no_host(self):
        """
        Without the host that has the policy MTA-STS is of no use.
        """
        self.assert_mistakes(
            self.look("v=STSv1; id=1", has_host=False), "mta-sts.example.org, where its policy"
        )

    def test_wrong(self):
        """
        A record that is wrong, or one of several, does not count.
        """
        self.assert_mistakes(self.look("v=STSv1; id=2027-01"), "is wrong, so it does not count")
        self.assert_mistakes(self.look("v=STSv1"), "is wrong, so it does not count")
        self.assert_mistakes(
            self.look(["v=STSv1; id=1", "v=STSv1; id=2"]), "There are 2 records at _mta-sts"
        )
        self.assert_mistakes(self.look(None, "v=TLSRPTv1; rua=tls@example.org"), "is wrong")

    def test_unanswered(self):
        """
        What could not be asked is no mistake.
        """
        part = self.survey(survey_tls, {f"_mta-sts.{HERE}": Trouble.TIMEOUT}, HERE)
        self.assert_mistakes(part)
        self.assert_said(part, Weight.UNKNOWN, "TXT of _mta-sts.example.org is not known")
