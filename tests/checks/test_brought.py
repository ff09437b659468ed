"""
Tests of L{mailgate.checks.brought}: what relays have found, in the checks of a whole pipeline.
"""

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks import table
from mailgate.checks.known import Known
from mailgate.judging import make_pipeline
from mailgate.message.envelope import Envelope
from mailgate.message.message import MemoryMessage
from mailgate.pipeline.offline import judge
from mailgate.store.threads import ImmediateThreads
from mailgate.wire.address import Address
from tests.checks.given import NOW, session, settings
from tests.net.zones import Zones

RELAY = "203.0.113.9"
STRANGER = "8.8.4.4"
TOOK = (
    f"Received: from mail.example.org (unknown [{STRANGER}]) by mx.example.net with ESMTP\r\n"
).encode()
BODY = b"From: eve@example.org\r\nSubject: x\r\n\r\nHello\r\n"
GOOD = (
    b"Authentication-Results: mx.example.net; spf=pass smtp.mailfrom=eve@example.org;\r\n"
    b" dkim=pass header.d=example.org; dmarc=pass header.from=example.org\r\n"
)
BAD = (
    b"Authentication-Results: mx.example.net; spf=fail smtp.mailfrom=eve@example.org;\r\n"
    b" dkim=fail header.d=example.org; dmarc=fail polrec.p=reject header.from=example.org\r\n"
)
ZONES = {
    "example.org": {"TXT": ["v=spf1 -all"]},
    "_dmarc.example.org": {"TXT": ["v=DMARC1;p=none"]},
}
PASSED = {"SPF_PASS", "DKIM_PASS", "DMARC_PASS"}
OWN = {"SPF_FAIL", "DMARC_FAIL"}
"""What is found here, without the word of a relay."""


class BroughtTests(SynchronousTestCase):
    """
    Tests with a relay that is believed as C{mx.example.net}.
    """

    def setUp(self):
        """
        Have no checks but those that authenticate.
        """
        names = ("spf", "dkim", "arc", "dmarc", "dnslists")
        self.patch(table, "CHECKS", {name: table.CHECKS[name] for name in names})
        self.zones = Zones(ZONES)

    def found(self, data, client=RELAY, ids=("mx.example.net",), **relays):
        """
        Name what is found of a message that a client brings.
        """
        section = {"networks": (RELAY,), "authserv_ids": ids, **relays}
        given = settings()
        changed = given.relays.model_validate(section)
        given = given.model_copy(update={"relays": changed})
        clock = Clock()
        pipeline = make_pipeline(
            given, Known(resolvers=self.zones), ImmediateThreads(), clock, lambda: NOW
        )
        calls = evolve(session(client=client), helo="mx.example.net")
        envelope = Envelope(calls, "7q4m-x2vd-90kt", Address("eve", "example.org"), NOW)
        to = Address("ada", "example.com")
        verdict = judge(pipeline, clock, envelope, to, MemoryMessage((data,)))
        self.findings = verdict.findings
        return {each.symbol for each in verdict.findings} - {"RELAYED"}

    def test_taken(self):
        """
        What the relay has found above its Received counts, and the DNS is not asked.
        """
        self.assertEqual(self.found(GOOD + TOOK + BODY), PASSED)
        self.assertEqual(
            self.found(BAD + TOOK + BODY),
            {"SPF_FAIL", "DKIM_FAIL", "DMARC_REJECT", "DMARC_CONFIRMED"},
        )
        self.assertEqual(self.zones.asked, [])
        details = " ".join(each.detail for each in self.findings)
        self.assertIn("the relay mx.example.net has found so", details)

    def test_from_a_stranger(self):
        """
        The same fields from a client that is no relay count for nothing.
        """
        self.assertEqual(self.found(GOOD + TOOK + BODY, client="8.8.8.8"), OWN)

    def test_below(self):
        """
        What stands below the Received of the relay is the stranger's word, in whatever name.
        """
        self.assertEqual(self.found(TOOK + GOOD + BODY), OWN)
        self.assertEqual(
            self.found(TOOK + BODY.replace(b"\r\n\r\n", b"\r\n" + GOOD + b"\r\n")), OWN
        )

    def test_in_another_name(self):
        """
        What begins with another name counts for nothing, nor does what begins with none.
        """
        other = GOOD.replace(b"mx.example.net", b"mx.example.com")
        self.assertEqual(self.found(other + TOOK + BODY), OWN)
        nameless = GOOD.replace(b" mx.example.net;", b"")
        self.assertEqual(self.found(nameless + TOOK + BODY), OWN)
        self.assertEqual(self.found(nameless + TOOK + BODY, ids=("",)), PASSED)
        self.assertEqual(self.found(GOOD + TOOK + BODY, ids=("*.example.net",)), PASSED)

    def test_not_configured(self):
        """
        Without a name that is believed, a relay says who the client was, and nothing else counts.
        """
        self.assertEqual(self.found(GOOD + TOOK + BODY, ids=()), OWN)

    def test_a_stranger_who_calls_himself_the_relay(self):
        """
        A second Received in the relay's name, with results above it, is below that of the relay.
        """
        fake = GOOD + TOOK.replace(STRANGER.encode(), b"1.1.1.1")
        self.assertEqual(self.found(TOOK + fake + BODY), OWN)

    def test_what_is_missing_is_found_here(self):
        """
        A method of which the relay says nothing is asked here.
        """
        only = b"Authentication-Results: mx.example.net; dkim=pass header.d=example.org\r\n"
        self.assertEqual(self.found(only + TOOK + BODY), {"SPF_FAIL", "DKIM_PASS", "DMARC_PASS"})
        self.assertIn(("example.org", "TXT"), self.zones.asked)

    def test_policy(self):
        """
        Where the relay does not say what the domain asks for, the DNS is asked for that.
        """
        unsaid = BAD.replace(b" polrec.p=reject", b"")
        self.zones = Zones({"_dmarc.example.org": {"TXT": ["v=DMARC1;p=quarantine"]}})
        self.assertEqual(
            self.found(unsaid + TOOK + BODY), {"SPF_FAIL", "DKIM_FAIL", "DMARC_QUARANTINE"}
        )
        self.zones = Zones({})
        self.assertIn("DMARC_FAIL", self.found(unsaid + TOOK + BODY))

    def test_our_domain(self):
        """
        A relay's word also counts for mail in a domain of ours.
        """
        ours = BODY.replace(b"example.org", b"example.com")
        passed = GOOD.replace(b"example.org", b"example.com")
        self.assertEqual(self.found(passed + TOOK + ours), PASSED)
        self.assertIn("DMARC_OUR_DOMAIN", self.found(TOOK + passed + ours))
