"""
Tests of L{mailgate.authentication.survey_dkim}.
"""

from base64 import b64encode

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from mailgate.authentication.survey import Weight
from mailgate.authentication.survey_dkim import MOST, USUAL, survey_dkim
from mailgate.wire.dns.answer import Trouble
from tests.authentication.signing import ed25519_key, published, rsa_key
from tests.authentication.surveying import SurveyCase
from tests.net.zones import Zones

HERE = "example.org"
GOOD = published(rsa_key())


class SurveyDkimTests(SurveyCase):
    """
    Tests of L{survey_dkim}.
    """

    def look(self, keys, named=(), seen=()):
        """
        Survey a domain with these records at selectors.
        """
        zones = {f"{name}._domainkey.{HERE}": {"TXT": list(texts)} for name, texts in keys.items()}
        part, self.usable = self.survey(survey_dkim, {HERE: {}, **zones}, HERE, named, seen)
        return part

    def wrong(self, text, *said, name="mine"):
        """
        Have just these mistakes in a record at a selector that is named.
        """
        self.assert_mistakes(self.look({name: [text]}, [name]), *said)

    def test_usual(self):
        """
        A key at a selector that is usual is found, and those that are not there are not told.
        """
        part = self.look({"s1": [GOOD]})
        self.assertEqual(self.usable, 1)
        self.assertEqual([each.name for each in part.records], ["s1._domainkey.example.org"])
        self.assertEqual(
            [(each.weight, each.words) for each in part.remarks],
            [
                (
                    Weight.FINE,
                    "The key at s1._domainkey.example.org can be used (2,048 bits RSA).",
                )
            ],
        )

    def test_nothing(self):
        """
        That nothing is found is no mistake, since nobody can list them.
        """
        part = self.look({})
        self.assert_mistakes(part)
        self.assert_said(part, Weight.NOTE, "Name yours with --selector")

    def test_named(self):
        """
        What is named must be there, also below another name; what was seen may be gone.
        """
        self.assert_mistakes(
            self.look({}, ["2027a"]), "There is no key at 2027a._domainkey.example.org"
        )
        self.assert_mistakes(self.look({"a.b": [GOOD]}, ["A.b"]))
        part = self.look({}, seen=["old"])
        self.assert_mistakes(part)
        self.assert_said(
            part, Weight.NOTE, "There is no key at old._domainkey.example.org any more"
        )

    def test_short(self):
        """
        A key that is short is told; one that is too short cannot be used.
        """
        self.wrong(published(rsa_key(1024)), "is short: 1,024 bits, where RFC 8301 asks for 2,048")
        self.assertEqual(self.usable, 1)
        raw = (
            RSAPublicNumbers(65537, 2**511 + 1)
            .public_key()
            .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        )
        small = f"v=DKIM1; p={b64encode(raw).decode()}"
        self.wrong(small, "an RSA key has 1024 to 4096 bits, this one has 512")
        self.assertEqual(self.usable, 0)

    def test_revoked(self):
        """
        A revoked key is told; at a selector that nobody has named it is none of today's.
        """
        self.wrong("v=DKIM1; p=", "has been revoked")
        part = self.look({"s1": ["v=DKIM1; p="]})
        self.assert_mistakes(part)
        self.assert_said(part, Weight.NOTE, "has been revoked")

    def test_testing(self):
        """
        A key that is only tried is told, and can be used.
        """
        self.wrong(published(rsa_key(), t="y"), "is only tried (“t=y”)")
        self.assertEqual(self.usable, 1)

    def test_strict(self):
        """
        That a key is for no address below is told.
        """
        part = self.look({"s1": [published(rsa_key(), t="s")]})
        self.assert_said(part, Weight.NOTE, "stands for no address below its domain")

    def test_unusable(self):
        """
        What makes a key of no use is told.
        """
        for text, said in (
            (published(rsa_key(), h="sha1"), "is only for sha1 (“h=”)"),
            (published(rsa_key(), s="tlsrpt"), "is not for mail"),
            (published(rsa_key(), k="rot13"), "the key is of a kind that is not known"),
            ("v=DKIM1; k=rsa; p=!!!", "p= is no base64"),
            ("v=DKIM1; k=rsa; p=aGVsbG8=", "the key cannot be read"),
            ("v=DKIM1; k=rsa", "is no key record"),
            ("v=DKIM2; p=aGVsbG8=", "is no key record"),
            ("k=rsa; v=DKIM1; p=aGVsbG8=", "is no key record"),
            ("hello", "is no key record"),
            ("v=DKIM1; p=a; p=b", "is no key record"),
        ):
            self.wrong(text, said)
            self.assertEqual(self.usable, 0)

    def test_several(self):
        """
        Several records at one selector are told.
        """
        part = self.look({"mine": [GOOD, published(ed25519_key())]}, ["mine"])
        self.assert_mistakes(part, "There are 2 records at mine._domainkey.example.org")

    def test_ed25519(self):
        """
        Of a key that not everybody takes that is told.
        """
        part = self.look({"mine": [published(ed25519_key())]}, ["mine"])
        self.assert_mistakes(part)
        self.assert_said(part, Weight.NOTE, "sign with an RSA key as well")

    def test_everywhere(self):
        """
        Where every name has the same record nothing is looked for but what is named.
        """
        part = self.look({"*": ["hello"]})
        self.assert_mistakes(part)
        self.assert_said(part, Weight.NOTE, "Every name below _domainkey has the same record")
        self.assert_mistakes(self.look({"*": ["hello"]}, ["mine"]), "is no key record")

    def test_unanswered(self):
        """
        What could not be asked is told of what was named, and no mistake.
        """
        zones = {HERE: {}, f"mine._domainkey.{HERE}": Trouble.TIMEOUT}
        part, _ = self.survey(survey_dkim, zones, HERE, ["mine"])
        self.assert_mistakes(part)
        self.assert_said(part, Weight.UNKNOWN, "TXT of mine._domainkey.example.org is not known")
        part, _ = self.survey(survey_dkim, {f"_domainkey.{HERE}": Trouble.TIMEOUT}, HERE)
        self.assert_mistakes(part)
        silent = {f"{name}._domainkey.{HERE}": Trouble.TIMEOUT for name in USUAL[:2]}
        part, _ = self.survey(survey_dkim, {HERE: {}, **silent}, HERE)
        self.assert_said(part, Weight.UNKNOWN, f"of 2 of the {len(USUAL)} usual selectors")
        self.assert_said(part, Weight.NOTE)

    def test_bounded(self):
        """
        However many are named, only so many are asked for, those that are named first.
        """
        zones = Zones({HERE: {}})
        named = [f"n{number}" for number in range(100)]
        asking = Deferred.fromCoroutine(survey_dkim(zones, HERE, named))
        part, _ = self.successResultOf(asking)
        self.assertEqual(len(zones.asked), MOST + 1)
        self.assertEqual(len(self.words(part, Weight.MISTAKE)), MOST)
        self.assertEqual(len(set(USUAL)), len(USUAL))

    @given(st.binary(min_size=1, max_size=200))
    def test_hostile(self, text):
        """
        Whatever stands there, it never fails, and what is said can be shown.
        """
        zones = Zones({f"s1._domainkey.{HERE}": {"TXT": [text]}})
        part, _ = self.successResultOf(Deferred.fromCoroutine(survey_dkim(zones, HERE)))
        self.assertTrue(part.remarks)
        for remark in part.remarks:
            self.assertTrue(remark.words.isprintable(), remark.words)
