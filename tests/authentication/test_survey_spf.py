"""
Tests of L{mailgate.authentication.survey_spf}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from mailgate.authentication.survey import Shown, Weight
from mailgate.authentication.survey_spf import FOLLOWED, survey_spf
from mailgate.wire.dns.answer import Trouble
from tests.authentication.surveying import SurveyCase
from tests.net.zones import Zones

HERE = "example.org"
A = {"A": ["192.0.2.1"]}


def spf(*texts):
    """
    Give a name with TXT records.
    """
    return {"TXT": list(texts)}


class SurveySpfTests(SurveyCase):
    """
    Tests of L{survey_spf}.
    """

    def look(self, *texts, **others):
        """
        Survey a domain with these records.
        """
        zones = {HERE: {**spf(*texts), **A}, **others.pop("zones", {})}
        return self.survey(survey_spf, zones, HERE)

    def wrong(self, text, *said, zones=()):
        """
        Have just these mistakes in a record.
        """
        self.assert_mistakes(self.look(text, zones=dict(zones)), *said)

    def test_fine(self):
        """
        Of a record without mistakes it is told what it allows, and how much it takes.
        """
        part = self.look(
            "v=spf1 a ip4:192.0.2.0/24 include:_spf.example.net -all",
            zones={"_spf.example.net": spf("v=spf1 ip6:2001:db8::/32 ~all")},
        )
        self.assert_mistakes(part)
        self.assert_said(
            part,
            Weight.FINE,
            "Those that are named may send; others fail.",
            "2 terms ask the DNS, and 10 may.",
        )
        self.assertEqual(
            part.records,
            (
                Shown(HERE, "TXT", "v=spf1 a ip4:192.0.2.0/24 include:_spf.example.net -all"),
                Shown("_spf.example.net", "TXT", "v=spf1 ip6:2001:db8::/32 ~all"),
            ),
        )

    def test_nobody(self):
        """
        A domain that sends nothing may say so.
        """
        part = self.look("v=spf1 -all")
        self.assert_said(part, Weight.FINE, "Nobody may send for the domain", "0 terms ask the DNS")
        self.assert_mistakes(part)

    def test_none(self):
        """
        Without a record nobody knows who may send; other texts do not matter.
        """
        self.assert_mistakes(self.look("some-verification=1"), "There is no SPF record")
        self.assert_mistakes(self.survey(survey_spf, {HERE: A}, HERE), "There is no SPF record")

    def test_no_domain(self):
        """
        A domain that does not exist, such as one with a letter too many, is told.
        """
        self.assert_mistakes(
            self.survey(survey_spf, {HERE: A}, "exmaple.org"),
            "exmaple.org does not exist",
        )

    def test_wrong_and_alike(self):
        """
        What is no mechanism for its sign is told also where another term is wrong.
        """
        self.assert_mistakes(
            self.look("v=spf1 ip4=192.0.2.1 incldue:example.net -all"),
            "has “=” where “:” belongs",
            "is wrong at character 22, in term 2",
        )

    def test_several(self):
        """
        Several records are void.
        """
        self.assert_mistakes(
            self.look("v=spf1 a -all", "v=spf1 mx -all"), "There are 2 SPF records"
        )

    def test_near(self):
        """
        What looks like a record and is none is told.
        """
        for text in ("v=spf1; a -all", '"v=spf1 a -all"', " v=spf1 a -all", "v = spf1 -all"):
            part = self.look(text)
            self.assert_mistakes(part, "looks like SPF and is none", "There is no SPF record")

    def test_all(self):
        """
        What lets everybody send, and what says nothing, are mistakes; a soft failure is told.
        """
        self.wrong("v=spf1 +all", "“+all” lets everybody send")
        self.wrong("v=spf1 all", "“all” lets everybody send")
        self.wrong("v=spf1 ip4:0.0.0.0/0 -all", "“ip4:0.0.0.0/0” in the record of example.org lets")
        self.wrong("v=spf1 a ?all", "“?all” says nothing")
        self.wrong("v=spf1 a", "has no “all” at its end")
        self.assert_said(
            self.look("v=spf1 a ~all"), Weight.FINE, "others fail softly", "1 term asks the DNS"
        )

    def test_wide(self):
        """
        A network that is larger than anybody's is told, unless it is shut out.
        """
        self.wrong("v=spf1 ip4:192.0.2.0/2 -all", "lets 1,073,741,824 addresses send")
        self.wrong("v=spf1 ip6:2001:db8::/8 -all", "addresses send for the domain")
        self.wrong("v=spf1 -ip4:0.0.0.0/0 ip4:10.0.0.0/16 -all")

    def test_include_everybody(self):
        """
        An include of a record that lets everybody send is one that does; where it is only asked
        who is shut out it is not.
        """
        zones = {"all.example": spf("v=spf1 +all")}
        self.wrong("v=spf1 include:all.example -all", "whose “+all” lets everybody", zones=zones)
        self.wrong("v=spf1 -include:all.example ip4:192.0.2.1 -all", zones=zones)
        self.wrong("v=spf1 redirect=all.example", "whose “+all” lets everybody", zones=zones)

    def test_syntax(self):
        """
        Each term that is wrong is told with its place.
        """
        part = self.look("v=spf1 ip4:192.0.2.300 mx/99 foo a:b_%x -all")
        self.assert_mistakes(
            part,
            "wrong at character 8, in term 1: 'ip4:192.0.2.300' has no address",
            "wrong at character 24, in term 2: 'mx/99': a prefix length is 0 to 32",
            "wrong at character 30, in term 3: 'foo' is no mechanism",
            "wrong at character 34, in term 4:",
        )

    def test_no_name(self):
        """
        A name that can be none is told.
        """
        self.wrong(
            "v=spf1 a:b..example -all", "“a:b..example” in the record of example.org names no"
        )
        self.wrong("v=spf1 include:b..example -all", "names no domain")

    def test_twice(self):
        """
        A mistake that is none of a single term is told as well.
        """
        self.wrong("v=spf1 redirect=a.example redirect=b.example", "stands there twice")

    def test_equals(self):
        """
        A mechanism with a sign of equality is a modifier that means nothing.
        """
        for term in ("ip4=192.0.2.1", "include=_spf.example.net", "-all=", "ipv4=192.0.2.1"):
            part = self.look(f"v=spf1 {term} -all")
            if term.startswith("-"):
                self.assertEqual(len(self.words(part, Weight.MISTAKE)), 1)
            else:
                self.assert_mistakes(part, "has “=” where “:” belongs")

    def test_include_missing(self):
        """
        An include of nothing, of several records and of a wrong one makes the record void.
        """
        zones = {
            "other.example": spf("hello"),
            "two.example": spf("v=spf1 -all", "v=spf1 a -all"),
            "wrong.example": spf("v=spf1 bar"),
        }
        for name, said in (
            ("gone.example", "gone.example, which has no SPF record"),
            ("other.example", "other.example, which has no SPF record"),
            ("two.example", "two.example, which has 2 SPF records"),
            ("wrong.example", "The record of wrong.example is wrong at character 8, in term 1"),
        ):
            self.wrong(f"v=spf1 include:{name} -all", said, zones=zones)
            self.wrong(f"v=spf1 redirect={name}", *(said,), zones=zones)

    def test_circle(self):
        """
        A record that includes itself is told, whatever is between.
        """
        self.wrong("v=spf1 include:example.org -all", "round in a circle")
        zones = {"b.example": spf("v=spf1 include:example.org -all")}
        self.wrong("v=spf1 include:b.example -all", "leads back to example.org", zones=zones)

    def test_too_many(self):
        """
        More than ten terms that ask the DNS are told, counted with what is included.
        """
        names = [f"h{number}.example" for number in range(11)]
        zones = dict.fromkeys(names, A)
        ten = " ".join(f"a:{name}" for name in names[:10])
        self.wrong(f"v=spf1 {ten} -all", zones=zones)
        self.wrong(f"v=spf1 {ten} a:{names[10]} -all", "11 terms ask the DNS", zones=zones)
        zones["inner.example"] = spf(f"v=spf1 {ten} -all")
        self.wrong("v=spf1 include:inner.example -all", "11 terms ask the DNS", zones=zones)

    def test_bomb(self):
        """
        However a record is nested, only so much of it is followed.
        """
        zones = {
            f"{name}.example": spf(
                "v=spf1 " + " ".join(f"include:{name}{each}.example" for each in "abcdefghij")
            )
            for name in ("x", *(f"x{a}" for a in "abcdefghij"))
        }
        zones["*.example"] = spf("v=spf1 a:h1.test a:h2.test mx mx:h3.test -all")
        resolver = Zones({HERE: spf("v=spf1 include:x.example -all"), **zones})
        part = self.successResultOf(Deferred.fromCoroutine(survey_spf(resolver, HERE)))
        self.assertIn("At least", " ".join(self.words(part, Weight.MISTAKE)))
        self.assertLess(len(resolver.asked), 10 * FOLLOWED)

    def test_void(self):
        """
        Each name that is not there is told, and three of them are too many.
        """
        self.wrong("v=spf1 a:gone.example -all", "“a:gone.example” in the record of example.org")
        self.wrong("v=spf1 mx -all", "finds nothing: example.org has no MX")
        self.wrong(
            "v=spf1 a:a.test a:b.test mx:c.test -all",
            "a.test has no address",
            "b.test has no address",
            "c.test has no MX",
            "3 look-ups find nothing, and 2 may",
        )

    def test_exchanges(self):
        """
        More mail exchanges than are allowed are told, and those that have no address.
        """
        hosts = [f"mx{number}.example" for number in range(11)]
        zones = dict.fromkeys(hosts, A)
        zones["many.example"] = {"MX": [(10, host) for host in hosts]}
        self.wrong("v=spf1 mx:many.example -all", "has 11 mail exchanges", zones=zones)
        zones = {"one.example": {"MX": [(10, "gone.example")]}}
        self.wrong("v=spf1 mx:one.example -all", "gone.example has no address", zones=zones)

    def test_ptr(self):
        """
        C{ptr} is told.
        """
        self.wrong("v=spf1 ptr -all", "“ptr” in the record of example.org should not be used")

    def test_behind_all(self):
        """
        What stands behind C{all}, and C{redirect} beside it, are never looked at.
        """
        self.wrong("v=spf1 -all a", "“a” in the record of example.org stands behind “all”")
        self.wrong("v=spf1 redirect=b.example -all", "“redirect” in the record of example.org")

    def test_macros(self):
        """
        What depends on the message is not followed, and is told.
        """
        part = self.look("v=spf1 include:%{i}.spf.example exists:%{l}.example -all")
        self.assert_mistakes(part)
        self.assert_said(part, Weight.NOTE, "depends on the message")
        self.assertIn("2 terms ask the DNS, and 10 may.", self.words(part, Weight.FINE))

    def test_unanswered(self):
        """
        What could not be asked is no mistake.
        """
        part = self.survey(survey_spf, {HERE: Trouble.SERVFAIL}, HERE)
        self.assert_mistakes(part)
        self.assert_said(part, Weight.UNKNOWN, "TXT of example.org is not known")
        zones = {"b.example": Trouble.TIMEOUT, "c.example": Trouble.TIMEOUT}
        part = self.look("v=spf1 include:b.example a:c.example -all", zones=zones)
        self.assert_mistakes(part)
        self.assert_said(
            part, Weight.UNKNOWN, "TXT of b.example is not known", "A of c.example is not known"
        )

    @given(st.binary(max_size=200), st.booleans())
    def test_hostile(self, text, is_begun):
        """
        Whatever stands there, it never fails, and what is said can be shown.
        """
        record = b"v=spf1 " + text if is_begun else text
        resolver = Zones({HERE: {"TXT": [record or b"x"]}})
        part = self.successResultOf(Deferred.fromCoroutine(survey_spf(resolver, HERE)))
        self.assertTrue(part.remarks)
        for remark in part.remarks:
            self.assertTrue(remark.words.isprintable(), remark.words)
