"""
Tests of L{mailgate.authentication.arc}.
"""

from base64 import b64encode
from hashlib import sha256
from time import process_time

import dkim as dkimpy
from attrs import evolve
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailgate.authentication.arc import (
    HEARD,
    QUERIES,
    TURN,
    Arc,
    ArcResult,
    ChainVerification,
    seen_passing,
    trusted_results,
)
from mailgate.authentication.canonical import BodyHasher, Form, fields_of
from mailgate.authentication.key import Key
from mailgate.authentication.results import AuthenticationResults, MethodResult, Property
from mailgate.authentication.signature import SETS
from mailgate.wire.dns.answer import Trouble
from tests.authentication import sealing
from tests.authentication.given import value_of
from tests.authentication.sealing import Sealer, seal
from tests.authentication.signing import BODY, HEADER, NOW, ed25519_key, published, rsa_key
from tests.net.zones import Zones

MESSAGE = b"\r\n".join((*HEADER, b"", BODY))
LIST = Sealer("list.example", "s1", rsa_key())
RELAY = Sealer("relay.example", "s1", ed25519_key())


def passing(author="example.com", server="mx.list.example", result="pass"):
    """
    Give results in which DMARC passes for a domain.
    """
    found = MethodResult("dmarc", result, (Property("header", "from", author),))
    return AuthenticationResults(server, (MethodResult("spf", "fail"), found))


def zones(**others):
    """
    Give a DNS with the keys of both.
    """
    table = {
        "s1._domainkey.list.example": {"TXT": [published(rsa_key())]},
        "s1._domainkey.relay.example": {"TXT": [published(ed25519_key())]},
    }
    return Zones(table | others)


def verified(message, resolver, now=NOW, threads=None):
    """
    Verify a chain; give the coroutine.
    """
    section, end, body = message.partition(b"\r\n\r\n")
    verification = ChainVerification(section + end)
    hasher = BodyHasher(verification.forms)
    hasher.update(body)
    return verification.result(resolver, now, hasher.finish(), threads)


def checked(message, resolver=None, now=NOW):
    """
    Give what ARC says of a message.
    """
    return value_of(verified(message, resolver or zones(), now))


def sealed(message=MESSAGE, *sealers, results=None, arc=None):
    """
    Give a message with a set of each sealer on top.
    """
    for sealer in sealers or (LIST,):
        section, _, body = message.partition(b"\r\n\r\n")
        hasher = BodyHasher([Form(True)])
        hasher.update(body)
        digest = hasher.finish()[Form(True)].digest
        found = arc or checked(message)
        message = seal(section, digest, found, results or passing(), sealer, NOW) + message
    return message


def second_opinion(message):
    """
    Give what another program says of a chain.
    """
    records = {
        b"s1._domainkey.list.example.": published(rsa_key()).encode(),
        b"s1._domainkey.relay.example.": published(ed25519_key()).encode(),
    }

    def look_up(name, timeout=5):
        return records.get(name if isinstance(name, bytes) else name.encode())

    return dkimpy.arc_verify(message, dnsfunc=look_up)[0].decode()


class ChainTests(SynchronousTestCase):
    """
    Chains that are made here.
    """

    def test_none(self):
        """
        A message without a set has no chain, and nothing is asked for.
        """
        resolver = zones()
        self.assertEqual(checked(MESSAGE, resolver).result, "none")
        self.assertEqual(resolver.asked, [])
        self.assertEqual(ChainVerification(MESSAGE).forms, frozenset())

    def test_pass(self):
        """
        Chains of one to three sets, with RSA and Ed25519, pass and say what was found where.
        """
        for sealers in ((LIST,), (RELAY,), (LIST, RELAY), (RELAY, LIST, RELAY)):
            arc = checked(sealed(MESSAGE, *sealers))
            self.assertEqual(arc.result, "pass", arc)
            self.assertEqual([each.domain for each in arc.sets], [each.domain for each in sealers])
            self.assertTrue(arc.is_author_signed)
            for each in arc.sets:
                self.assertEqual(each.of("dmarc")[0].values("header", "from"), ("example.com",))
                self.assertEqual(each.of("spf")[0].result, "fail")
                self.assertEqual(each.of("arc"), ())

    def test_second_opinion(self):
        """
        Another program takes what is sealed here with RSA, and refuses what was broken.
        """
        for count in (1, 2, 5):
            message = sealed(MESSAGE, *[LIST] * count)
            self.assertEqual(second_opinion(message), "pass", message)
            for old, new in (
                (b"Hello", b"Bye"),
                (b"From: Ada", b"From: Eve"),
                (b"cv=none", b"cv=pass"),
                (b"dmarc=pass", b"dmarc=fail"),
                (b"i=1; mx", b"i=2; mx"),
            ):
                broken = message.replace(old, new, 1)
                self.assertNotEqual(broken, message)
                self.assertEqual(second_opinion(broken), "fail", (old, new))
                self.assertEqual(checked(broken).result, "fail", (old, new))

    def test_broken(self):
        """
        What was changed since breaks the chain, and the reason says what and where.
        """
        message = sealed(MESSAGE, LIST, RELAY)
        for old, new, reason in (
            (b"Hello", b"Bye", "signature of instance 2: the body has been changed"),
            (b"From: Ada", b"From: Eve", "signature of instance 2: the header"),
            (b"From:", b"From: eve@evil.example\r\nFrom:", "signature of instance 2: the header"),
            (b"cv=pass", b"cv=none", "the seal of instance 2 has no cv=pass"),
            (b"cv=none", b"cv=pass", "the seal of instance 1 has no cv=none"),
            (b"cv=pass", b"cv=fail", "it had failed already, says relay.example"),
            (b"cv=none", b"cv=fail", "it had failed already, says list.example"),
            (b"cv=pass", b"cv=maybe", "cv= is not known"),
            (b"spf=fail", b"spf=pass", "seal of instance 2: the chain has been changed"),
            (b"ARC-Seal:", b"X-Seal:", "instance 2 has no ARC-Seal"),
            (b"ARC-Seal:", b"ARC-Seal: i=1\r\nARC-Seal:", "an ARC-Seal cannot be used: "),
            (b"i=2; mx", b"i=1; mx", "instance 1 has two ARC-Authentication-Results"),
            (b"i=2; mx", b"mx", "does not begin with i="),
            (b"i=2; mx", b"i=51; mx", "a number from 1 to 50"),
            (b"i=2; mx", b"i=3; mx", "instance 2 has no ARC-Authentication-Results"),
            (b"d=relay.example;", b"d=other.example;", "there is no key"),
            (b"a=ed25519-sha256", b"a=rsa-sha1", "rsa-sha1"),
        ):
            broken = message.replace(old, new, 1)
            self.assertNotEqual(broken, message)
            arc = checked(broken)
            self.assertEqual((arc.result, arc.sets), ("fail", ()), (new, arc))
            self.assertIn(reason, arc.reason)
            self.assertEqual(trusted_results(arc, {"list.example", "relay.example"}), ())

    def test_order_of_fields(self):
        """
        Sets may stand in any order in the header section.
        """
        fields = fields_of(sealed(MESSAGE, LIST, RELAY, LIST))
        own = [each.raw for each in fields if each.name.startswith(b"arc-")]
        for order in (own, own[::-1], own[4:] + own[:4]):
            message = b"".join(each + b"\r\n" for each in order) + MESSAGE
            self.assertEqual(checked(message).result, "pass")

    def test_left_out(self):
        """
        Sets that are left out break the chain; without its newest it is the shorter one.
        """
        fields = fields_of(sealed(MESSAGE, LIST, RELAY, LIST))
        for number, result in ((1, "fail"), (2, "fail"), (3, "pass")):
            left = [
                each.raw
                for each in fields
                if not (each.name.startswith(b"arc-") and b"i=%d;" % number in each.raw)
            ]
            message = b"\r\n".join((*left, b"", BODY))
            self.assertEqual(checked(message).result, result)

    def test_dns(self):
        """
        A key that cannot be looked up is a failure (section 5.2.2), which says that it may be
        another time.
        """
        message = sealed(MESSAGE, LIST, RELAY)
        for domain, instance in (
            ("relay.example", "signature of instance 2"),
            ("list.example", "1"),
        ):
            resolver = zones(**{f"s1._domainkey.{domain}": Trouble.SERVFAIL})
            arc = checked(message, resolver)
            self.assertEqual((arc.result, arc.is_temporary), ("fail", True))
            self.assertIn(instance, arc.reason)
        self.assertFalse(checked(message, Zones()).is_temporary)

    def test_waiting(self):
        """
        Keys that are not known at once are waited for.
        """
        resolver = zones()
        resolver.is_later = True
        found = Deferred.fromCoroutine(verified(sealed(MESSAGE, LIST, RELAY), resolver))
        self.assertNoResult(found)
        resolver.go_on()
        self.assertEqual(self.successResultOf(found).result, "pass")


class TurnTests(SynchronousTestCase):
    """
    How much is done in one go.
    """

    def setUp(self):
        """
        Count the signatures that are verified.
        """
        self.verified = 0
        has_signed = Key.has_signed

        def counted(key, *args):
            self.verified += 1
            return has_signed(key, *args)

        self.patch(Key, "has_signed", counted)

    def in_turns(self, message, resolver=None):
        """
        Verify a chain; give the result, and how many signatures were verified in each turn here,
        and in each call in a thread.
        """
        threads = LaterThreads()
        here, there = [], []

        def since(counts, before):
            counts.append(self.verified - before)

        found = Deferred.fromCoroutine(verified(message, resolver or zones(), threads=threads))
        since(here, 0)
        while threads.waiting:
            before = self.verified
            deferred, value = threads.work()
            since(there, before)
            before = self.verified
            deferred.callback(value)
            since(here, before)
        return self.successResultOf(found), here, there

    def test_fifty(self):
        """
        A chain has fifty sets at most. No more than a few signatures are verified in one go, all
        others in threads, and each once.
        """
        message = sealed(MESSAGE, *[RELAY] * SETS)
        self.verified = 0
        resolver = zones()
        arc, here, there = self.in_turns(message, resolver)
        self.assertEqual((arc.result, len(arc.sets)), ("pass", SETS))
        self.assertEqual(len(resolver.asked), QUERIES)
        self.assertEqual(here, [TURN] + [0] * len(there))
        self.assertEqual(sum(there), QUERIES - TURN)
        self.assertLessEqual(max(there), TURN)
        self.assertEqual(sealed(message, RELAY), message)

    def test_few(self):
        """
        A chain as people have them goes nowhere else.
        """
        message = sealed(MESSAGE, *[LIST] * (TURN - 1))
        self.verified = 0
        arc, here, there = self.in_turns(message)
        self.assertEqual((arc.result, here, there), ("pass", [TURN], []))

    def test_wrong_in_thread(self):
        """
        A key that does not fit is found in a thread too, and nothing older is asked for.
        """
        message = sealed(MESSAGE, *[LIST] * TURN, *[RELAY] * TURN)
        stranger = published(rsa_key(1024))
        resolver = zones(**{"s1._domainkey.list.example": {"TXT": [stranger]}})
        arc, here, there = self.in_turns(message, resolver)
        self.assertIn(f"the seal of instance {TURN}: the chain has been changed", arc.reason)
        self.assertEqual((here[0] > 0, there), (True, [2]))

    def test_missing_in_thread(self):
        """
        Where a key is missing those above it are verified first.
        """
        message = sealed(MESSAGE, *[LIST] * TURN, *[RELAY] * TURN)
        resolver = zones(**{"s1._domainkey.list.example": Trouble.SERVFAIL})
        arc, _, there = self.in_turns(message, resolver)
        self.assertIn(f"the seal of instance {TURN}: the key", arc.reason)
        self.assertTrue(arc.is_temporary)
        self.assertEqual(there, [1])


class LaterThreads:
    """
    Threads that begin when they are told to.
    """

    def __init__(self):
        self.waiting = []

    def run(self, function, *args):
        """
        Put the work off.
        """
        self.waiting.append((Deferred(), function, args))
        return self.waiting[-1][0]

    def work(self):
        """
        Do the next; give the Deferred, which has not fired, and its value.
        """
        deferred, function, args = self.waiting.pop(0)
        return deferred, function(*args)


class TrustTests(SynchronousTestCase):
    """
    Tests of L{trusted_results} and L{seen_passing}.
    """

    def test_newest_first(self):
        """
        What trusted sealers say counts, from the newest up to the first who is not trusted.
        """
        arc = checked(sealed(MESSAGE, LIST, RELAY, LIST))

        def domains(*sealers):
            return [each.domain for each in trusted_results(arc, frozenset(sealers))]

        self.assertEqual(domains(), [])
        self.assertEqual(domains("relay.example"), [])
        self.assertEqual(domains("example"), [])
        self.assertEqual(domains("list.example"), ["list.example"])
        self.assertEqual(
            domains("list.example", "relay.example"),
            ["list.example", "relay.example", "list.example"],
        )

    def test_few_are_heard(self):
        """
        Of many trusted sets the newest are heard, so that few have to be read.
        """
        arc = checked(sealed(MESSAGE, *[LIST] * (HEARD + 2)))
        heard = trusted_results(arc, {"list.example"})
        self.assertEqual(heard, arc.sets[::-1][:HEARD])

    def test_author_not_signed(self):
        """
        A chain whose newest signature leaves From out passes, but nothing counts: From may be
        anybody's.
        """
        arc = checked(sealed())
        self.assertEqual(len(trusted_results(arc, {"list.example"})), 1)
        self.assertEqual(trusted_results(evolve(arc, is_author_signed=False), {"list.example"}), ())

    def test_seen_passing(self):
        """
        Who says that DMARC has passed for this very domain vouches for it, and nobody else.
        """
        for results, author, is_seen in (
            (passing(), "example.com", True),
            (passing("Example.COM"), "example.com", True),
            (passing("ada@example.com"), "example.com", True),
            (passing(), "mail.example.com", False),
            (passing(), "", False),
            (passing(result="fail"), "example.com", False),
            (passing("evil.example"), "example.com", False),
            (AuthenticationResults("a", (MethodResult("dmarc", "pass"),)), "example.com", False),
            (AuthenticationResults("a", passing().results * 2), "example.com", True),
            (
                AuthenticationResults("a", (*passing().results, MethodResult("dmarc", "fail"))),
                "example.com",
                False,
            ),
        ):
            arc = checked(sealed(results=results))
            found = seen_passing(trusted_results(arc, {"list.example"}), author)
            self.assertEqual(found is not None, is_seen, (results, author))

    def test_unreadable(self):
        """
        Results that cannot be read break no chain, and say nothing.
        """
        message = sealed().replace(b"dmarc=", b"dmarc=;;")
        self.assertEqual(checked(message).result, "fail")
        results = AuthenticationResults("x" * 300, (MethodResult("dmarc", "pass"),) * 101)
        arc = checked(sealed(results=results))
        self.assertEqual(arc.result, "pass")
        (only,) = arc.sets
        self.assertIsNone(only.results)
        self.assertEqual(only.of("dmarc"), ())


def record_of(public):
    """
    Give the record of an RSA key.
    """
    raw = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return "v=DKIM1; p=" + b64encode(raw).decode()


class HostileTests(SynchronousTestCase):
    """
    Chains that must cost nothing, or count for nothing.
    """

    def test_a19_many(self):
        """
        A thousand sets are a failure before anything is looked up.
        """
        own = [each.raw for each in fields_of(sealed())[:3]]
        for numbers in (range(1, 1001), [1] * 1000, [99] * 1000):
            many = b"".join(
                each.replace(b"i=1;", b"i=%d;" % number) + b"\r\n"
                for number in numbers
                for each in own
            )
            resolver = zones()
            start = process_time()
            arc = checked(many + MESSAGE, resolver)
            self.assertLess(process_time() - start, 1)
            self.assertEqual((arc.result, resolver.asked), ("fail", []))
            self.assertIn("more than 50", arc.reason)

    def test_a19_keys(self):
        """
        Records that are too long and keys that are too small, too large or revoked do not verify.
        """
        huge = RSAPublicNumbers(65537, (1 << 16_384) - 1).public_key()
        small = RSAPublicNumbers(65537, (1 << 1023) - 1).public_key()
        for record, reason in (
            (published(rsa_key()) + ";x=" + "x" * 65_000, "more than 8192 bytes"),
            (record_of(huge), "this one has 16384"),
            (record_of(small), "this one has 1023"),
            ("v=DKIM1; p=", "revoked"),
            (published(ed25519_key()), "another type"),
        ):
            resolver = zones(**{"s1._domainkey.list.example": {"TXT": [record]}})
            arc = checked(sealed(), resolver)
            self.assertEqual(arc.result, "fail")
            self.assertIn(reason, arc.reason)

    def test_a19_part_of_the_body(self):
        """
        A signature over a part of the body is right, and breaks the chain; one over all of it does
        not.
        """
        whole = b"Hello there\r\n"
        make = sealing._field
        for length, result in ((0, "fail"), (5, "fail"), (len(whole), "pass")):

            def limited(name, algorithm, tags, *value, length=length):
                more = (f"l={length};",) if name == "ARC-Message-Signature" else ()
                return make(name, algorithm, (*more, *tags), *value)

            self.patch(sealing, "_field", limited)
            digest = sha256(whole[:length]).digest()
            made = seal(MESSAGE, digest, checked(MESSAGE), passing(), LIST, NOW)
            arc = checked(made + MESSAGE)
            self.assertEqual(arc.result, result, arc)
            if result == "fail":
                self.assertIn(f"only {length} of {len(whole)} bytes", arc.reason)
        self.assertIn("only 13 of", checked(made + MESSAGE + b"more").reason)

    def test_a19_long_fields(self):
        """
        Fifty sets with long results cost no more than their bytes.
        """
        long = b"ARC-Authentication-Results: i=%d; a; " + b"(\r\n " * 2000
        own = [each.raw for each in fields_of(sealed())[:2]]
        many = b"".join(
            b"\r\n".join((*[each.replace(b"i=1;", b"i=%d;" % n) for each in own], long % n, b""))
            for n in range(1, SETS + 1)
        ).replace(b"cv=none", b"cv=pass")
        start = process_time()
        self.assertEqual(checked(many.replace(b"cv=pass", b"cv=none", 1) + MESSAGE).result, "fail")
        self.assertLess(process_time() - start, 1)

    def test_replayed_set(self):
        """
        A set of another message does not pass on this one.
        """
        other = b"From: ceo@bank.example\r\nSubject: pay\r\n\r\nNow.\r\n"
        own = b"".join(each.raw + b"\r\n" for each in fields_of(sealed())[:3])
        self.assertEqual(checked(own + other).result, "fail")

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(
                    (b"ARC-Seal:", b"ARC-Message-Signature:", b"ARC-Authentication-Results:")
                ),
                st.one_of(
                    st.binary(max_size=60),
                    st.lists(
                        st.sampled_from(
                            (
                                *(b" i=1;", b" i=2;", b"a=rsa-sha256;", b"a=ed25519-sha256;"),
                                *(b"d=list.example;", b"s=s1;", b"cv=none;", b"cv=pass;"),
                                *(b"b=YWJj;", b"bh=YWJj;", b"h=from;", b"h=;", b"l=1;", b"x=1;"),
                                *(b"\r\n ", b"mx.example;", b"dmarc=pass;", b"\xff", b"("),
                            )
                        ),
                        max_size=14,
                    ).map(b"".join),
                ),
            ),
            max_size=7,
        ),
        st.binary(max_size=60),
    )
    def test_anything(self, fields, body):
        """
        Any fields and body have a result, which is never a pass, and can be shown; and what is
        sealed on top of them is never taken for a chain that passes.
        """
        section = b"".join(name + value + b"\r\n" for name, value in fields)
        message = section + b"From: a@example.com\r\n\r\n" + body
        arc = checked(message)
        self.assertIsInstance(arc, Arc)
        self.assertIn(arc.result, (ArcResult.NONE, ArcResult.FAIL))
        self.assertTrue(arc.reason.isascii() and arc.reason.isprintable(), arc)
        made = seal(message, bytes(32), arc, passing(), RELAY, NOW)
        self.assertNotIn(b"cv=pass", made)
