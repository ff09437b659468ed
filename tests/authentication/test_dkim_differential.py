"""
DKIM as another implementation sees it: dkimpy, which is used by many.
"""

import re
from collections import Counter

import dkim as dkimpy
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.authentication.signing import HEADER, keys, published, rsa_key, signed, verified

EXAMPLES = 2_000
NOW = 1_700_000_000

LINES = st.sampled_from(
    (b"Hello", b" a \t b", b"", b"", b"c  ", b"\t", b"d\r", b"e\nf", b".", b"\xe9", b"x" * 80)
)
BODIES = st.lists(LINES, max_size=8).map(lambda lines: b"".join(line + b"\r\n" for line in lines))
FIELDS = st.sampled_from(
    (
        *(b"Date: today", b"X-A:  a  b ", b"X-A: c\r\n\td", b"Cc : e", b"To: second@example.org"),
        *(b"Reply-To:", b"List-Id: <f>", b"Subject: again"),
    )
)
TAGS = st.fixed_dictionaries(
    {},
    optional={
        "c": st.sampled_from(
            ("simple", "relaxed", "simple/relaxed", "relaxed/simple", "simple/simple")
        ),
        "h": st.sampled_from(
            (
                *("from", "from:to:subject:date", "From : To", "from:from:to:to:x-a:x-a:x-a"),
                *("to:subject", "from:cc:reply-to:list-id:none", "subject:from:subject"),
            )
        ),
        "l": st.sampled_from(("0", "3", "7", "9999")),
        "i": st.sampled_from(("@example.com", "a@example.com", "@sub.example.com", "@example.org")),
        "q": st.sampled_from(("dns/txt", "http")),
        "t": st.sampled_from(("1", str(NOW - 9), "x")),
        "x": st.sampled_from(("2", str(NOW - 5), str(NOW + 10**9), "x")),
        "v": st.sampled_from(("1", "1", "1", "2")),
        "a": st.sampled_from(("rsa-sha256", "rsa-sha256", "rsa-sha1", "rsa-sha512")),
        "z": st.just("From:a|To:b"),
    },
)
KEY_TAGS = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {},
        optional={
            "h": st.sampled_from(("sha256", "sha1", "sha1:sha256")),
            "s": st.sampled_from(("*", "email", "other", "other:email")),
            "t": st.sampled_from(("y", "s", "y:s", "x")),
            "v": st.sampled_from((None, "DKIM1", "DKIM2")),
            "k": st.sampled_from((None, "rsa", "ed25519", "x")),
            "p": st.just(""),
            "n": st.just("note"),
        },
    ),
)
CHANGES = st.one_of(
    st.none(),
    st.sampled_from(
        (
            *((b"Hello", b"Hallo"), (b"\r\n\r\n", b"\r\n\r\n\r\n"), (b"To: bob", b"to:  bob")),
            *((b"From: Ada", b"From: Eve"), (b"Subject:", b"Subject: \r\n "), (b"a \t b", b"a b")),
            *(
                (b"DKIM-Signature: ", b"DKIM-Signature:"),
                (b"; ", b";\r\n\t"),
                (b"\r\nTo", b"\r\nTo: x\r\nTo"),
            ),
            *((b"b=", b"b= "), (b"; b=", b"; b=A"), (b"d=example.com", b"d=Example.Com")),
        )
    ),
)


_STRAY = re.compile(rb"\r(?!\n)|(?<!\r)\n")

DIFFERENCES = {
    "line ends in a body are taken as they are": "3.4.3",
    "no more of a body is signed than there is": "3.5, l=",
    "a signature over a part of the body does not count": "8.2",
    "From has to be signed": "5.4, 6.1.1",
    "a key is for the hashes it names": "3.6.1, h=",
    "a key is for mail where that is among what it names": "3.6.1, s=",
    "a strict key is not for addresses below its domain": "3.6.1, t=s",
    "white space may stand before a colon": "3.4.2",
    "rsa-sha1 never verifies": "RFC 8301 3.1",
}
"""What is known, and the sections of RFC 6376, or of another, that decide."""

LINE_ENDS, TOO_LONG, PART, FROM, HASHES, SERVICES, STRICT, COLON, HISTORIC = DIFFERENCES

OF_REASONS = {
    "the body is shorter than what was signed": TOO_LONG,
    "the signature cannot be used: From is not signed": FROM,
    "the key is not for this hash": HASHES,
    "the key is not for addresses below its domain": STRICT,
    "rsa-sha1 is not taken any more (RFC 8301)": HISTORIC,
}


def difference(ours, theirs, message, key_tags):
    """
    Name why the two differ, or give C{None} where nobody knows.

    @param theirs: what dkimpy says: whether it takes the message, or what it complains of.
    """
    if ours.result != "pass":
        return PART if ours.is_verified else OF_REASONS.get(ours.reason)
    if theirs == "Unexpected characters in RFC822 header: b'Cc : e'":
        return COLON
    if theirs is False and key_tags.get("s") == "other:email":
        return SERVICES
    if theirs is False and _STRAY.search(message.partition(b"\r\n\r\n")[2]):
        return LINE_ENDS
    return None


class DifferentialTests(SynchronousTestCase):
    """
    Both implementations on the same messages.
    """

    def test_same(self):
        """
        Of 2,000 messages both take the same ones, but for at most ten known reasons.
        """
        seen = Counter()

        @seed(6376)
        @settings(
            max_examples=EXAMPLES,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        @given(TAGS, KEY_TAGS, st.lists(FIELDS, max_size=4), BODIES, CHANGES)
        def compare(tags, key_tags, fields, body, change):
            message = signed(header=(*HEADER, *fields), body=body, **tags)
            if change is not None:
                message = message.replace(*change, 1)
            record = published(rsa_key(), **key_tags)
            (ours,) = verified(message, keys(record), now=NOW)
            try:
                theirs = dkimpy.verify(message, dnsfunc=lambda name, timeout: record.encode())
            except dkimpy.DKIMException as error:
                theirs = str(error)
            is_taken = ours.result == "pass"
            seen[is_taken] += 1
            if (theirs is True) != is_taken:
                why = difference(ours, theirs, message, key_tags)
                self.assertIn(why, DIFFERENCES, (ours, theirs, message, record))

        compare()
        self.assertGreaterEqual(seen.total(), EXAMPLES)
        self.assertGreater(min(seen[True], seen[False]), EXAMPLES // 5)
        self.assertLessEqual(len(DIFFERENCES), 10)
