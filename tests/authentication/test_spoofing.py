"""
Tricks by which a message could seem to be authenticated for a domain that it is not from. Those who
send it have a domain of their own, for which all passes.
"""

import re
from ipaddress import ip_address

import authres
from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

from mailgate.authentication.author import author_of
from mailgate.authentication.dkim import Dkim, DkimResult
from mailgate.authentication.dmarc import DmarcResult, Identifier, evaluate
from mailgate.authentication.results import (
    FIELD,
    AuthenticationResults,
    of_dkim,
    of_dmarc,
    of_spf,
    parse,
    write,
)
from mailgate.authentication.spf import Peer, check_sender
from mailgate.message.header import Headers
from tests.authentication.given import address, value_of
from tests.net.zones import Zones

EVIL = {
    "TXT": ["v=spf1 +all exp=exp.evil.example"],
    "A": ["192.0.2.1"],
}
ZONES = {
    "victim.example": {"TXT": ["v=spf1 -all"], "A": ["198.51.100.1"]},
    "mail.victim.example": {"A": ["198.51.100.1"]},
    "_dmarc.victim.example": {"TXT": ["v=DMARC1; p=reject"]},
    "_dmarc.mail.victim.example": {"TXT": ["v=DMARC1; p=reject"]},
    "evil.example": EVIL,
    "*.evil.example": EVIL,
    "_dmarc.evil.example": {"TXT": ["v=DMARC1; p=none"]},
    "xn--victm-q4a.example": EVIL,
    "victim.example.evil.example": EVIL,
    "victim-example.evil.example": EVIL,
    "exp.evil.example": {"TXT": ["; dkim=pass header.d=victim.example (%{h})"]},
}
VICTIM = "victim.example"
OWN = "x@evil.example"


@frozen
class Trick:
    """
    A message: who sends it, how it is signed, and what stands in it.
    """

    name: str
    headers: tuple[bytes, ...] = (b"From: boss@victim.example",)
    sender: str = OWN
    helo: str = "mail.evil.example"
    signed: tuple[tuple[str, str], ...] = (("evil.example", "s1"),)
    """Domains and selectors of signatures, each taken for one that passes, as it stands there."""


def of_from(name, *values, **others):
    """
    Give a trick that lies in From.
    """
    return Trick(name, tuple(b"From: " + value for value in values), **others)


TRICKS = (
    # From
    of_from("plain forgery", b"boss@victim.example"),
    of_from("two From fields", b"x@evil.example", b"boss@victim.example"),
    of_from("two From fields, the other way round", b"boss@victim.example", b"x@evil.example"),
    of_from("two authors", b"x@evil.example, boss@victim.example"),
    of_from("two authors, the other way round", b"boss@victim.example, x@evil.example"),
    of_from("two addresses without a comma", b"<boss@victim.example> <x@evil.example>"),
    of_from("an address as the name", b"boss@victim.example <x@evil.example>"),
    of_from("a route", b"<@evil.example:boss@victim.example>"),
    of_from("a route, the other way round", b"<@victim.example:x@evil.example>"),
    of_from("a group", b"boss@victim.example:x@evil.example;"),
    of_from("a quoted pair in the name", b'"\\"<boss@victim.example>" <x@evil.example>'),
    of_from("a quoted pair before the sign", b"boss\\@victim.example@evil.example"),
    of_from("a quoted local part", b'"boss@victim.example"@evil.example'),
    of_from("brackets in the local part", b'"<boss@victim.example>"@evil.example'),
    of_from("a comment", b"boss@victim.example(x@evil.example)"),
    of_from("a comment in the domain", b"x@evil.example(.victim.example)"),
    of_from("a comment that is never closed", b"x@evil.example (boss@victim.example"),
    of_from("an encoded address", b"=?utf-8?b?Ym9zc0B2aWN0aW0uZXhhbXBsZQ==?= x@evil.example"),
    of_from(
        "an encoded address with an end", b"=?utf-8?q?boss=40victim=2Eexample=00?=@evil.example"
    ),
    of_from("a NUL", b"boss@victim.example\0@evil.example"),
    of_from("a NUL in the domain", b"boss@victim.example\0.evil.example"),
    of_from("a bare LF", b"x@evil.example\nFrom: boss@victim.example"),
    of_from("a space", b"boss@victim.example @evil.example"),
    of_from("a semicolon", b"boss@victim.example;x@evil.example"),
    of_from("a lookalike", "boss@vict\u0131m.example".encode()),
    of_from("a subdomain that does not exist", b"boss@pay.victim.example"),
    of_from("a dot too much", b"boss@victim.example."),
    of_from("wide letters", "boss@\uff56ictim.example".encode()),
    of_from("no From, but Sender", signed=(("evil.example", "s1"),)),
    Trick(
        "Sender and Reply-To of the victim",
        (b"From: x@evil.example", b"Sender: boss@victim.example", b"Reply-To: boss@victim.example"),
    ),
    Trick("a strange name of From", (b"From: x@evil.example", b"From\x00: boss@victim.example")),
    Trick("a From in Subject", (b"From: x@evil.example", b"Subject: a\rFrom: boss@victim.example")),
    # MAIL FROM
    Trick("a comment in the sender", sender='"x@victim.example(a"@evil.example'),
    Trick("results in the sender", sender='"; dkim=pass header.d=victim.example"@evil.example'),
    Trick("two domains in the sender", sender="boss@victim.example@evil.example"),
    Trick("a domain below the own", sender="boss@victim.example.evil.example"),
    Trick("the victim's sender", sender="boss@victim.example"),
    Trick("the victim's sender with a dot", sender="boss@VICTIM.example."),
    Trick("a NUL in the sender's domain", sender="boss@victim.example\0.evil.example"),
    # HELO
    Trick("the victim's HELO", sender="", helo="victim.example"),
    Trick("results in HELO", sender="", helo="victim.example;dkim=pass.evil.example"),
    Trick("a comment in HELO", sender="", helo="victim.example(.evil.example"),
    Trick("a line in HELO", sender="", helo="a\r\nFrom: boss@victim.example\r\n.evil.example"),
    Trick("quotes in HELO", sender="", helo='a" header.from="victim.example.evil.example'),
    # d= and s=
    Trick("results in d=", signed=(("evil.example; dkim=pass header.d=victim.example", "s1"),)),
    Trick("a comment in d=", signed=(("victim.example(.evil.example", "s1"),)),
    Trick("a NUL in d=", signed=(("victim.example\0.evil.example", "s1"),)),
    Trick("a quote in d=", signed=(('evil.example" header.d="victim.example', "s1"),)),
    Trick("a domain above the victim's", signed=(("example", "s1"),)),
    Trick("an empty domain", signed=(("", "s1"), (".", "s1"))),
    Trick("a domain that ends alike", signed=(("notvictim.example", "s1"),)),
    Trick("a domain that begins alike", signed=(("victim.example.evil.example", "s1"),)),
    Trick("results in s=", signed=(("evil.example", 's1" header.d="victim.example'),)),
    Trick("a line in s=", signed=(("evil.example", "s1\r\n\tdkim=pass header.d=victim.example"),)),
    Trick("the victim's name in s=", signed=(("evil.example", "s1._domainkey.victim.example"),)),
    Trick("another alphabet in d=", signed=(("vict\u0131m.example", "s1"),)),
)

NO_FROM = "no From, but Sender"


class SpoofingTests(SynchronousTestCase):
    """
    Each trick on all that we say of a message.
    """

    def judged(self, trick):
        """
        Give what DMARC says, and the value of the field that we write.
        """
        dns = Zones(ZONES)
        lines = trick.headers if trick.name != NO_FROM else (b"Sender: boss@victim.example",)
        headers = Headers.parse(b"\r\n".join((*lines, b"", b"")))
        sender = address(trick.sender)
        peer = Peer(ip_address("192.0.2.1"), trick.helo, "mx.example.net")
        spf = value_of(check_sender(dns, peer, sender))
        signatures = [Dkim(DkimResult.PASS, *each, "signed by them") for each in trick.signed]
        said = [Identifier.of_spf(spf), *map(Identifier.of_dkim, signatures)]
        dmarc = value_of(evaluate(dns, author_of(headers), said))
        found = (of_spf(spf, sender), *map(of_dkim, signatures), of_dmarc(dmarc))
        field = write(AuthenticationResults("mx.example.net", found))
        return spf, dmarc, field

    def test_a17_a18_never_aligned(self):
        """
        None of them passes for the victim, and none that names the victim's domain anywhere in From
        passes at all, but for a name in words.
        """
        for trick in TRICKS:
            _, dmarc, _ = self.judged(trick)
            is_passed = dmarc.result is DmarcResult.PASS
            self.assertFalse(is_passed and dmarc.author.endswith(VICTIM), trick.name)
            if any(re.match(b"From:.*victim.example", line, re.DOTALL) for line in trick.headers):
                self.assertFalse(is_passed, trick.name)

    def test_a17_results(self):
        """
        What we write of them says of no result but those that are there that it passes, and of none
        that the victim's domain is what has passed: to us nor to another reader.
        """
        for trick in TRICKS:
            spf, dmarc, field = self.judged(trick)
            (name, _, value), *others = [
                line.partition(b":") for line in re.sub(rb"\r\n(?=[ \t])", b"", field).splitlines()
            ]
            self.assertEqual((name, others), (FIELD.encode(), []), trick.name)
            read = parse(value)
            wanted = [("spf", spf.result), *[("dkim", "pass") for _ in trick.signed]]
            wanted.append(("dmarc", dmarc.result))
            self.assertEqual([(each.method, each.result) for each in read.results], wanted)
            theirs = authres.AuthenticationResultsHeader.parse(f"{FIELD}:{value.decode()}")
            self.assertEqual([(each.method, each.result) for each in theirs.results], wanted)
            for each in (*read.results, *theirs.results):
                if each.result != "pass":
                    continue
                for found in each.properties:
                    if found.name in ("d", "helo", "from"):
                        self.assertNotEqual(found.value, VICTIM, trick.name)
                    if found.name == "mailfrom":
                        self.assertFalse(found.value.endswith(f"@{VICTIM}"), trick.name)

    def test_a17_own_still_passes(self):
        """
        The same message from their own domain passes, so the tricks fail for what they are.
        """
        _, dmarc, field = self.judged(of_from("none", b"x@evil.example"))
        self.assertEqual((dmarc.result, dmarc.author), ("pass", "evil.example"))
        self.assertIn(b'header.from="evil.example"', field)

    def test_number(self):
        """
        There are more than twenty of them.
        """
        self.assertGreaterEqual(len({trick.name for trick in TRICKS}), 20)
        self.assertEqual(len({trick.name for trick in TRICKS}), len(TRICKS))
