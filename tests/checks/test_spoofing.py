"""
Tricks by which a message could seem to be from a domain that it is not from, as mail: each is
judged by the checks as they are by default, and written as it is delivered.
"""

import re

import authres
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.authentication.results import FIELD, parse
from mailgate.checks.known import Known
from mailgate.judging import make_pipeline
from mailgate.message.envelope import Envelope
from mailgate.message.message import MemoryMessage
from mailgate.rewrite.headers import HeaderRewriter
from mailgate.store.threads import ImmediateThreads
from mailgate.wire.dns.answer import TXT, Records
from tests.authentication.given import address
from tests.authentication.signing import published, rsa_key, signed
from tests.authentication.test_spoofing import NO_FROM, OWN, TRICKS, VICTIM, ZONES, Trick
from tests.checks.authentic import ADA
from tests.checks.given import NOW, session, settings
from tests.net.zones import Zones

US = "mail.example.com"
BODY = b"Hi\r\n"
FORGED = (
    Trick(
        "results of ours",
        (
            b"From: x@evil.example",
            b"Authentication-Results: mail.example.com; dmarc=pass header.from=victim.example",
        ),
    ),
    Trick(
        "results of ours in other letters, with a comment and a version",
        (
            b"From: x@evil.example",
            b"AUTHENTICATION-results :\r\n\t(;) MAIL.example.com 1;"
            b"\r\n\tspf=pass smtp.mailfrom=boss@victim.example",
        ),
    ),
    Trick(
        "results of ours in quotes",
        (
            b"From: x@evil.example",
            b'Authentication-Results: "mail.example.com"; dkim=pass header.d=victim.example',
        ),
    ),
    Trick(
        "results of ours in a set of ARC",
        (
            b"From: x@evil.example",
            b"ARC-Authentication-Results: i=1; mail.example.com; dkim=pass header.d=victim.example",
        ),
    ),
    Trick("results in Subject", (b"From: x@evil.example", b"Subject: a\r\n b; dmarc=pass")),
)
"""Tricks on what is written of a message."""


class Attackers(Zones):
    """
    A DNS in which the attacker has a key in every place below a domain of theirs.
    """

    def look_up(self, name, type):
        """
        Give the key, or what stands in the table.
        """
        theirs = name.lower().removesuffix(".").endswith((".evil.example", "xn--vctim-q4a.example"))
        if type is TXT and "._domainkey." in name and theirs:
            return Records((published(rsa_key()).encode(),))
        return super().look_up(name, type)


def message_of(trick):
    """
    Give a trick as mail, with its signatures made by a key of the attacker.
    """
    lines = trick.headers if trick.name != NO_FROM else (b"Sender: boss@victim.example",)
    unsigned = b"\r\n".join((*lines, b"", BODY))
    tops = []
    for domain, selector in trick.signed:
        data = signed(header=lines, body=BODY, d=domain, s=selector, h="from:sender")
        tops.append(data[: -len(unsigned)])
    return b"".join((*tops, unsigned))


class SpoofingTests(SynchronousTestCase):
    """
    Each trick through the pipeline, and through what rewrites messages.
    """

    def judged(self, trick):
        """
        Give the symbols of what is found, and the fields that are delivered.
        """
        pipeline = make_pipeline(
            settings(), Known(resolvers=Attackers(ZONES)), ImmediateThreads(), Clock(), lambda: NOW
        )
        here = session(helo=trick.helo, client="192.0.2.1")
        judge = pipeline.open(here)
        judge.connected()
        judge.greeted(here)
        transaction = judge.begin(Envelope(here, "7q4m-x2vd-90kt", address(trick.sender), NOW))
        transaction.mail()
        transaction.rcpt(ADA)
        message = MemoryMessage((message_of(trick),))
        verdicts = transaction.message(message)
        if isinstance(verdicts, Deferred):
            verdicts = self.successResultOf(verdicts)
        (verdict,) = verdicts
        written = HeaderRewriter("", US).apply("7q4m-x2vd-90kt", verdict, message)
        section = (written.prepended + written.head(100_000)).partition(b"\r\n\r\n")[0]
        fields = [
            line.partition(b":")[::2]
            for line in re.sub(rb"\r\n(?=[ \t])", b"", section).split(b"\r\n")
        ]
        return {each.symbol for each in verdict.findings}, fields

    def ours(self, fields):
        """
        Give the values of the fields that say what we have found, to whoever is not careful.
        """
        return [
            value
            for name, value in fields
            if b"authentication-results" in name.lower() and US.encode() in value.lower()
        ]

    def test_a17_a18_never_aligned(self):
        """
        None of them passes DMARC for the victim's domain, and none that names it anywhere in From
        passes at all.
        """
        for trick in (*TRICKS, *FORGED):
            symbols, fields = self.judged(trick)
            if any(re.match(b"From:.*victim.example", line, re.DOTALL) for line in trick.headers):
                self.assertNotIn("DMARC_PASS", symbols, trick.name)
            elif "DMARC_PASS" in symbols:
                (value,) = self.ours(fields)
                self.assertIn(b'header.from="evil.example"', value, trick.name)

    def test_a16_a17_results(self):
        """
        What is delivered of each has one field of ours, in which nothing that passes is the
        victim's: to us nor to another reader.
        """
        for trick in (*TRICKS, *FORGED):
            _, fields = self.judged(trick)
            (value,) = self.ours(fields)
            theirs = authres.AuthenticationResultsHeader.parse(f"{FIELD}:{value.decode()}")
            for each in (*parse(value).results, *theirs.results):
                if each.result != "pass":
                    continue
                for found in each.properties:
                    if found.name in ("d", "helo", "from"):
                        self.assertNotEqual(found.value, VICTIM, trick.name)
                    if found.name == "mailfrom":
                        self.assertFalse(found.value.endswith(f"@{VICTIM}"), trick.name)

    def test_own_still_passes(self):
        """
        A message of their own, with a signature that is right, passes for them: the tricks fail for
        what they are.
        """
        symbols, fields = self.judged(Trick("none", (b"From: x@evil.example",), sender=OWN))
        self.assertLessEqual({"DKIM_PASS", "DMARC_PASS"}, symbols)
        (value,) = self.ours(fields)
        self.assertIn(b'header.from="evil.example"', value)
