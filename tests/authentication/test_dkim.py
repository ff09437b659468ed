"""
Tests of L{mailgate.authentication.dkim} and what it is made of.
"""

from base64 import b64encode
from time import process_time

from attrs import evolve
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailgate.authentication.dkim import READ, SIGNATURES, DkimResult, Verification
from mailgate.authentication.dmarc import Identifier
from mailgate.authentication.key import parse_key
from mailgate.authentication.results import MethodResult, Property, of_dkim
from mailgate.authentication.tags import TagError, Tags
from mailgate.wire.dns.answer import Trouble
from tests.authentication.signing import (
    BODY,
    HEADER,
    NOW,
    ed25519_key,
    hashes_of,
    keys,
    published,
    rsa_key,
    signed,
    verified,
)

FORMS = ("simple", "relaxed", "simple/simple", "simple/relaxed", "relaxed/simple", None)


class DkimTestCase(SynchronousTestCase):
    """
    A test of one signature.
    """

    def assertResult(self, message, result, reason="", zones=None, **others):
        """
        Make sure what is said of the one signature of a message.
        """
        (dkim,) = verified(message, zones, **others)
        self.assertEqual(dkim.result, result, dkim)
        self.assertIn(reason, dkim.reason)
        return dkim


class SignedTests(DkimTestCase):
    """
    Messages that are signed as they should be.
    """

    def test_forms(self):
        """
        All forms verify, with both kinds of keys.
        """
        for key in (rsa_key(), rsa_key(1024), ed25519_key()):
            for form in (*FORMS, "relaxed/relaxed"):
                message = signed(key, c=form)
                self.assertResult(message, "pass", zones=keys(published(key)))

    def test_said(self):
        """
        Domain, selector, algorithm and the beginning of the signature are told.
        """
        message = signed(d="Example.COM", s="S1")
        dkim = self.assertResult(message, "pass", "signed by example.com")
        value = message.partition(b" b=")[2][:8].decode()
        self.assertEqual(
            (dkim.domain, dkim.selector, dkim.algorithm, dkim.value, dkim.is_verified),
            ("example.com", "s1", "rsa-sha256", value, True),
        )

    def test_results(self):
        """
        What is found stands in our field, and counts for DMARC where the signature passes, or is
        not known for now.
        """
        (dkim,) = verified(signed())
        self.assertEqual(
            of_dkim(dkim),
            MethodResult(
                "dkim",
                "pass",
                (
                    Property("header", "d", "example.com"),
                    Property("header", "s", "s1"),
                    Property("header", "a", "rsa-sha256"),
                    Property("header", "b", dkim.value),
                ),
                "signed by example.com",
            ),
        )
        self.assertEqual(Identifier.of_dkim(dkim), Identifier("dkim", "example.com", True))
        for result in DkimResult:
            said = Identifier.of_dkim(evolve(dkim, result=result))
            self.assertEqual(
                (said.has_passed, said.is_unknown), (result == "pass", result == "temperror")
            )
        (dkim,) = verified(signed(d=None))
        self.assertEqual(of_dkim(dkim).properties, ())

    def test_changes(self):
        """
        A change of a signed field or of the body is seen, one that the form allows is not.
        """
        message = signed()
        for old, new, result, reason in (
            (b"To: bob", b"To: rob", "fail", "the header has been changed"),
            (b"Hello", b"Hallo", "fail", "the body has been changed"),
            (b"there\r\n", b"there\r\nx\r\n", "fail", "the body has been changed"),
            (b"Ada <ada@", b"Eve <eve@", "fail", "the header has been changed"),
            (b"Hello \t there", b"Hello there  ", "pass", ""),
            (b"To: bob", b"tO :\tbob", "pass", ""),
            (b"To: bob", b"X: y\r\nTo: bob", "pass", ""),
            (b"there\r\n", b"there\r\n\r\n\r\n\r\n", "pass", ""),
        ):
            self.assertResult(message.replace(old, new), result, reason)

    def test_last_field_first(self):
        """
        Of several fields with one name the last are signed, and a name that stands in C{h=} once
        more than there are fields forbids another (section 5.4.2).
        """
        message = signed(h="from:to:subject")
        self.assertResult(message.replace(b"To: bob", b"To: eve@x\r\nTo: bob"), "pass")
        message = signed(h="from:to:subject:from:to")
        self.assertResult(message, "pass")
        for added in (b"From: eve@example.com", b"To: eve@example.com"):
            self.assertResult(message.replace(b"From: Ada", added + b"\r\nFrom: Ada"), "fail")

    def test_several(self):
        """
        Each signature has a result of its own.
        """
        first = signed(ed25519_key(), s="s2")
        header = first.partition(b"\r\n\r\n")[0].split(b"\r\n", 1)
        message = signed(header=(header[0], *HEADER), h="from:to:subject:dkim-signature")
        zones = keys(published(rsa_key()))
        zones.table["s2._domainkey.example.com"] = {"TXT": [published(ed25519_key())]}
        self.assertEqual([each.result for each in verified(message, zones)], ["pass", "pass"])
        zones.table["s2._domainkey.example.com"] = Trouble.SERVFAIL
        self.assertEqual([each.result for each in verified(message, zones)], ["pass", "temperror"])

    def test_none(self):
        """
        A message without signatures has no results.
        """
        self.assertEqual(verified(b"From: a@example.com\r\n\r\nx"), ())
        self.assertFalse(Verification(b"From: a@b\r\n\r\n").has_signatures)

    def test_deferred(self):
        """
        A key that comes later is waited for.
        """
        zones = keys(published(rsa_key()))
        zones.is_later = True
        section, _, body = signed().partition(b"\r\n\r\n")
        verification = Verification(section)
        hashes = hashes_of(verification, body)
        results = Deferred.fromCoroutine(verification.results(zones, NOW, hashes))
        self.assertNoResult(results)
        zones.go_on()
        self.assertEqual(self.successResultOf(results)[0].result, "pass")


class TagTests(DkimTestCase):
    """
    What the tags of a signature mean (section 3.5).
    """

    def test_wrong_tags(self):
        """
        A signature with a tag that is wrong or missing is not used.
        """
        for tags in (
            *({"v": "2"}, {"v": None}, {"v": "1.0"}, {"a": None}, {"a": "rsa-sha512"}, {"a": "x"}),
            *(
                {"d": None},
                {"d": ""},
                {"d": "a..b"},
                {"d": "exa mple.com("},
                {"s": None},
                {"s": "a/b"},
            ),
            *({"h": None}, {"h": "to:subject"}, {"h": ""}, {"h": "from:"}, {"h": "from;:to"}),
            *(
                {"bh": "x"},
                {"bh": ""},
                {"bh": "é"},
                {"c": "nowsp"},
                {"c": "relaxed/"},
                {"c": "/simple"},
            ),
            *({"l": "x"}, {"l": "-1"}, {"l": "1" * 77}, {"q": "http"}, {"i": "@example.org"}),
            *(
                {"i": "@notexample.com"},
                {"i": "x"},
                {"i": "@com"},
                {"t": "9", "x": "9"},
                {"x": "soon"},
            ),
            *({"h": ":".join(["from"] * 201)}, {"v": "1; v=1"}, {"z z": "x"}, {"": ""}),
        ):
            (dkim,) = verified(signed(**tags))
            self.assertEqual((dkim.result, dkim.is_verified), ("permerror", False), (tags, dkim))

    def test_right_tags(self):
        """
        What else may stand there changes nothing.
        """
        for tags in (
            *(
                {"q": "dns/txt"},
                {"q": "x:dns/txt"},
                {"i": "ada@example.com"},
                {"i": "@mail.example.com"},
            ),
            *({"t": "1"}, {"t": str(NOW), "x": str(NOW + 1)}, {"z": "From:x|To:y"}, {"zz": ""}),
            *({"h": " from : to\r\n\t: subject "}, {"h": "From:X-None:from"}, {"l": "13"}),
        ):
            self.assertResult(signed(**tags), "pass")

    def test_expired(self):
        """
        A signature does not outlive its C{x=}.
        """
        message = signed(t="1", x=str(NOW))
        self.assertResult(message, "pass", now=NOW)
        self.assertResult(message, "fail", "has expired", now=NOW + 1)

    def test_international(self):
        """
        A domain in U-labels is looked up in A-labels (RFC 8616 section 5).
        """
        message = signed(d="bücher.example", i="@BÜCHER.example")
        zones = keys(published(rsa_key()), domain="xn--bcher-kva.example")
        self.assertEqual(
            self.assertResult(message, "pass", zones=zones).domain, "xn--bcher-kva.example"
        )


class KeyTests(DkimTestCase):
    """
    What stands in the record of a key (section 3.6.1).
    """

    def test_a19_key_tags(self):
        """
        C{h=}, C{s=} and C{t=s} of a key are honoured, and a key without C{p} has been revoked.
        """
        message = signed(i="@mail.example.com")
        for tags, result, reason in (
            ({"h": "sha256"}, "pass", ""),
            ({"h": "sha1:sha256"}, "pass", ""),
            ({"h": "sha1"}, "permerror", "not for this hash"),
            ({"s": "email"}, "pass", ""),
            ({"s": "*"}, "pass", ""),
            ({"s": "tlsrpt:x"}, "permerror", "not for mail"),
            ({"t": "y"}, "pass", ""),
            ({"t": "y:s"}, "permerror", "not for addresses below"),
            ({"p": ""}, "permerror", "revoked"),
            ({"v": None}, "pass", ""),
            ({"v": "DKIM2"}, "permerror", "there is no key"),
            ({"k": None}, "pass", ""),
            ({"k": "ed25519"}, "permerror", "cannot be used"),
            ({"k": "dsa"}, "permerror", "cannot be used"),
            ({"p": "AAAA"}, "permerror", "cannot be used"),
            ({"p": "!"}, "permerror", "cannot be used"),
            ({"p": None}, "permerror", "there is no key"),
            ({"n": "a note", "x": ""}, "pass", ""),
        ):
            zones = keys(published(rsa_key(), **tags))
            dkim = self.assertResult(message, result, reason, zones=zones)
            self.assertEqual(dkim.is_testing, tags == {"t": "y"})
        self.assertResult(signed(), "pass", zones=keys(published(rsa_key(), t="s")))

    def test_no_key(self):
        """
        Without a key nothing verifies; where nobody knows, nobody knows.
        """
        self.assertResult(signed(), "permerror", "there is no key", zones=keys(selector="x"))
        self.assertResult(signed(), "permerror", zones=keys("v=spf1 -all"))
        zones = keys()
        zones.table["s1._domainkey.example.com"] = Trouble.TIMEOUT
        self.assertResult(signed(), "temperror", "s1._domainkey.example.com", zones=zones)

    def test_several_keys(self):
        """
        Of several records that of the right type counts.
        """
        records = [published(ed25519_key()), "x", published(rsa_key())]
        for zones in (keys(*records), keys(*reversed(records))):
            for key in (rsa_key(), ed25519_key()):
                self.assertResult(signed(key), "pass", zones=zones)

    def test_version_first(self):
        """
        A version stands in front or not at all.
        """
        record = published(rsa_key(), v=None)
        self.assertIsNotNone(parse_key(record.encode()))
        self.assertIsNone(parse_key(f"{record}; v=DKIM1".encode()))


class HostileTests(DkimTestCase):
    """
    Signatures that must not count.
    """

    def test_a19_sha1(self):
        """
        rsa-sha1 never verifies.
        """
        dkim = self.assertResult(signed(a="rsa-sha1"), "policy", "rsa-sha1")
        self.assertFalse(dkim.is_verified)

    def test_from_is_signed(self):
        """
        A signature that does not name From among what it signs is not used (section 5.4).
        """
        for names in ("to:subject", "sender:to", "x-from"):
            self.assertResult(signed(h=names), "permerror", "From is not signed")
        self.assertResult(signed(h="to:FROM"), "pass")

    def test_a19_part_of_the_body(self):
        """
        A signature over a part of the body is right, but does not count; one over all of it does.
        """
        whole = len(b"Hello there\r\n")
        for length, result in (
            (0, "policy"),
            (5, "policy"),
            (whole - 1, "policy"),
            (whole, "pass"),
        ):
            dkim = self.assertResult(signed(l=str(length)), result)
            self.assertTrue(dkim.is_verified)
        self.assertResult(signed(l=str(whole + 1)), "fail", "shorter")
        message = signed(l=str(whole))
        self.assertResult(message + b"more", "policy", "only 13 of")

    def test_a19_key_sizes(self):
        """
        Keys under 1024 bits and over 4096 do not verify, nor do records that are too long.
        """
        for bits in (512, 768, 1023, 4097, 16_384):
            number = RSAPublicNumbers(65537, (1 << bits) - 1).public_key()
            raw = number.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            zones = keys("v=DKIM1; p=" + b64encode(raw).decode())
            self.assertResult(signed(), "permerror", f"this one has {bits}", zones=zones)
        zones = keys(published(rsa_key()) + ";x=" + "x" * 65_000)
        self.assertResult(signed(), "permerror", "bytes", zones=zones)
        zones = keys("v=DKIM1; p=" + b64encode(bytes(48_000)).decode())
        self.assertResult(signed(), "permerror", zones=zones)

    def test_a19_many(self):
        """
        Of a thousand signatures five are tried, those of the author's domain first.
        """
        one, _, rest = signed().partition(b"\r\n")
        other = one.replace(b"d=example.com", b"d=evil.example")
        parent = one.replace(b"d=example.com", b"d=mail.example.com")
        message = b"\r\n".join((*[other] * 20, parent, one, *[other] * 980, rest))
        zones = keys(published(rsa_key()))
        start = process_time()
        found = verified(message, zones)
        self.assertLess(process_time() - start, 2)
        self.assertEqual(len(found), SIGNATURES)
        self.assertEqual(
            [each.domain for each in found],
            ["example.com", "mail.example.com", *["evil.example"] * 3],
        )
        self.assertEqual(found[0].result, "pass")
        self.assertEqual(len(zones.asked), SIGNATURES)
        self.assertEqual(Verification(message).ignored, 1002 - SIGNATURES)
        self.assertLessEqual(SIGNATURES, READ)

    def test_a19_replay(self):
        """
        A signed message with another From on top does not verify where the first is signed as the
        only one, and its own signature is that of its own domain only.
        """
        message = signed(d="evil.example", h="from:from:to:subject")
        zones = keys(published(rsa_key()), domain="evil.example")
        self.assertResult(message, "pass", zones=zones)
        spoofed = message.replace(b"From: Ada", b"From: x@victim.example\r\nFrom: Ada")
        self.assertResult(spoofed, "fail", zones=zones)

    def test_a19_big_header(self):
        """
        Many fields, and a signature over as many as there may be, take no time.
        """
        header = (*HEADER, *[b"X-%d: y" % number for number in range(5000)], *[b"Y: z"] * 5000)
        message = signed(header=header, h="from:" + ":".join(["y"] * 199))
        start = process_time()
        self.assertResult(message, "pass")
        self.assertLess(process_time() - start, 2)

    @given(
        st.one_of(
            st.binary(),
            st.lists(
                st.sampled_from(
                    (
                        *(
                            b"v=1",
                            b";",
                            b"a=rsa-sha256",
                            b"d=example.com",
                            b"s=s1",
                            b"h=from",
                            b"bh=",
                        ),
                        *(
                            b"b=",
                            b"YWJj",
                            b"=",
                            b" ",
                            b"\r\n ",
                            b"l=1",
                            b"c=relaxed",
                            b"\xff",
                            b"i=@",
                        ),
                    )
                )
            ).map(b"".join),
        ),
        st.binary(),
        st.binary(),
    )
    def test_anything(self, value, record, body):
        """
        Any signature, key and body have a result.
        """
        header = b"From: a@example.com\r\nDKIM-Signature:" + value
        for text in (record, b"v=DKIM1; p=" + record):
            for dkim in verified(header + b"\r\n\r\n" + body, keys(text)):
                self.assertIsInstance(dkim.result, DkimResult)
                self.assertIsNot(dkim.result, DkimResult.PASS)
                self.assertTrue(dkim.reason.isascii() and dkim.reason.isprintable(), dkim)
        message = signed(ed25519_key(), body=body)
        self.assertResult(message, "pass", zones=keys(published(ed25519_key())))


class ListTests(SynchronousTestCase):
    """
    Tests of L{Tags}.
    """

    def test_list(self):
        """
        Tags are read with white space around them, case and all (RFC 6376 section 3.2).
        """
        tags = Tags(b" a = 1 ;\r\n\tB_2=x y\r\n z;c=; d=a=b;")
        self.assertEqual(
            [tags.text(name) for name in ("a", "B_2", "c", "d")], ["1", "xyz", "", "a=b"]
        )
        self.assertNotIn("b_2", tags)
        self.assertEqual((tags.first, tags.number("a"), tags.number("x")), ("a", 1, None))
        self.assertEqual(Tags(b"b=YQ==; c=YQ; d= Y Q").binary("d"), b"a")
        many = b"".join(b"a%d=1;" % number for number in range(99))
        self.assertIn("a98", Tags(many))
        self.assertRaises(TagError, Tags, many + b"a99=1; a100=1;")

    def test_wrong(self):
        """
        What is no list is a mistake, and so is a tag that stands there twice.
        """
        for raw in (
            b"a",
            b"=1",
            b"a=1;;b=2",
            b"a=1;a=1",
            b"1=a",
            b"a b=1",
            b"a=\x00",
            b"a=\xff",
            b";",
        ):
            self.assertRaises(TagError, Tags, raw)
        for value in (b"", b"=", b"Y", b"YQ===", b"Y=Q=", b"YR==", b"*", "é".encode()):
            self.assertRaises(TagError, Tags(b"a=" + value).binary, "a")
        self.assertRaises(TagError, Tags(b"a=1").text, "b")
        self.assertEqual(BODY[:5], b"Hello")
