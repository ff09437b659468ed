"""
Tests of looking up the names of client and sender.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.names import NAMES, NamesCheck
from mailgate.finding import Result
from mailgate.interfaces import Phase
from mailgate.message.envelope import Envelope
from mailgate.pipeline.view import View
from mailgate.policy.verdict import Policy
from mailgate.wire.address import Address
from mailgate.wire.dns.answer import Trouble
from tests.checks.given import NOW, session, settings
from tests.net.zones import Zones

CLIENT = "185.1.2.3"
POINTER = "3.2.1.185.in-addr.arpa"
GOOD = {
    POINTER: {"PTR": ["mx.example.org"]},
    "mx.example.org": {"A": [CLIENT]},
    "example.org": {"MX": [(10, "mx.example.org")]},
}
"""A client whose names are all right."""


class Case(SynchronousTestCase):
    """
    A check with a table for a DNS.
    """

    def begin(self, zones, sender="ada@example.org", helo="mx.example.org", options=None, **more):
        """
        Begin to look the names of a session up.
        """
        self.zones = zones if isinstance(zones, Zones) else Zones(zones)
        check = NamesCheck.from_settings(settings(names=options or {}), self.zones)
        calls = session(**{"client": CLIENT, "helo": helo, **more})
        local, _, domain = sender.partition("@")
        envelope = Envelope(calls, "7q4m-x2vd-90kt", Address(local, domain), NOW)
        return check.check(View(calls, NOW, ({},), {}, envelope))

    def check(self, zones, **more):
        """
        Give the findings.
        """
        found = self.begin(zones, **more)
        return self.successResultOf(found) if isinstance(found, Deferred) else found

    def found(self, zones, **more):
        """
        Give symbols and scores.
        """
        return [(each.symbol, each.score) for each in self.check(zones, **more)]


class NamesCheckTests(Case):
    """
    Tests of L{NamesCheck}.
    """

    def test_good(self):
        """
        A name that leads back, a name in HELO with an address, and a sender with an MX are right.
        """
        self.assertEqual(self.found(GOOD), [])

    def test_no_name(self):
        """
        A client whose address has no name is told.
        """
        self.assertEqual(self.found({**GOOD, POINTER: {}}), [("CLIENT_NO_NAME", 1)])

    def test_unconfirmed(self):
        """
        One of the client's names must lead back to it; of many names only the first are asked for.
        """
        other = {**GOOD, POINTER: {"PTR": ["a.example.org", "mx.example.org"]}}
        self.assertEqual(self.found(other), [])
        names = [f"h{each}.example.org" for each in range(100)]
        many = {**GOOD, POINTER: {"PTR": names}}
        self.assertEqual(self.found(many), [("CLIENT_NAME_UNCONFIRMED", 1)])
        self.assertEqual(sum(name in names for name, _ in self.zones.asked), NAMES)

    def test_ipv6(self):
        """
        The name of an IPv6 address is that of its nibbles, and must have an AAAA.
        """
        client = "2a00:1450::7"
        pointer = "7" + ".0" * 23 + ".0.5.4.1.0.0.a.2.ip6.arpa"
        zones = {**GOOD, pointer: {"PTR": ["mx.example.org"]}}
        unconfirmed = [("CLIENT_NAME_UNCONFIRMED", 1)]
        self.assertEqual(self.found(zones, client=client), unconfirmed)
        zones["mx.example.org"] = {"AAAA": [client]}
        self.assertEqual(self.found(zones, client=client), [])

    def test_helo(self):
        """
        A name in HELO without an address is told; what is no name is another check's.
        """
        self.assertEqual(self.found(GOOD, helo="no.example.org"), [("HELO_UNRESOLVABLE", 1)])
        for helo in ("[192.0.2.1]", "server7", "a\\032b.example.org", "mail.example.com"):
            self.assertEqual(self.found(GOOD, helo=helo), [])
        six = {**GOOD, "six.example.org": {"AAAA": ["2a00::1"]}}
        self.assertEqual(self.found(six, helo="six.example.org"), [])

    def test_sender(self):
        """
        A sender's domain needs an MX or an address (RFC 5321 section 5.1); the null sender none.
        """
        bad = {"sender": "ada@no.example.org"}
        self.assertEqual(self.found(GOOD, **bad), [("SENDER_UNRESOLVABLE", 4)])
        for address in ({"A": ["185.1.2.9"]}, {"AAAA": ["2a00::1"]}):
            self.assertEqual(self.found({**GOOD, "no.example.org": address}, **bad), [])
        for sender in ("", "ada@example.com", "ada@[192.0.2.1]"):
            self.assertEqual(self.found(GOOD, sender=sender), [])

    def test_null_mx(self):
        """
        A domain that says that it has no mail is told (RFC 7505).
        """
        null = {**GOOD, "example.org": {"MX": [(0, ".")], "A": ["185.1.2.9"]}}
        self.assertEqual(self.found(null), [("SENDER_NULL_MX", 5)])

    def test_enforce(self):
        """
        With C{enforce} a sender that cannot be answered is refused, a client with a bad name not.
        """
        policy = Policy.from_settings(settings(names={"mode": "enforce"}))

        def reply(zones):
            result = Result("names", tuple(self.check(zones)))
            return policy.judge(Phase.RCPT, [result], "7q4m", Address("ada", "example.com")).reply

        refused = reply({**GOOD, "example.org": {"MX": [(0, ".")]}})
        self.assertEqual(refused.code, 550)
        self.assertIn("the sender's domain takes no mail", str(refused))
        self.assertIsNone(reply({**GOOD, POINTER: {}}))
        self.assertIsNone(reply({**GOOD, "mx.example.org": {}}))

    def test_unknown(self):
        """
        What cannot be looked up is unknown, and no failure of the DNS ever refuses a message.
        """
        policy = Policy.from_settings(settings(names={"mode": "enforce"}))
        for trouble in Trouble:
            for name in GOOD:
                findings = self.check({**GOOD, name: trouble})
                self.assertEqual({(f.symbol, f.score) for f in findings}, {("NAMES_UNKNOWN", 0)})
                result = Result("names", tuple(findings))
                ada = Address("ada", "example.com")
                self.assertIsNone(policy.judge(Phase.RCPT, [result], "7q4m", ada).reply)

    def test_left_alone(self):
        """
        Exempt clients and this machine are left alone; a private address is not asked for a name.
        """
        self.assertEqual(self.found({}, client="127.0.0.1"), [])
        self.assertEqual(self.found({}, local=CLIENT), [])
        self.assertEqual(self.found({}, options={"exempt_networks": ["185.0.0.0/8"]}), [])
        self.assertEqual(self.zones.asked, [])
        self.assertEqual(self.found(GOOD, client="10.1.2.3"), [])
        self.assertNotIn("PTR", [type for _, type in self.zones.asked])

    def test_later(self):
        """
        All is asked at the same time; cancelled, all of it ends.
        """
        zones = Zones(GOOD, is_later=True)
        asking = self.begin(zones)
        self.assertEqual(len(zones.waiting), 3)
        zones.go_on()
        self.assertEqual(self.successResultOf(asking), [])
        asking = self.begin(zones)
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.assertEqual(zones.waiting, [])


STRANGE = (
    "a\\032b.example.org",
    "x\\010y.example.org",
    "\\255\\254.example.org",
    f"{'a' * 63}.{'b' * 63}.{'c' * 63}.example.org",
    "localhost",
    "1.2.3.4",
    ".",
)
"""Names that a stranger can give to an address or a domain."""

ENTRIES = st.one_of(
    st.sampled_from(Trouble),
    st.fixed_dictionaries(
        {},
        optional={
            "A": st.lists(st.sampled_from([CLIENT, "127.0.0.1", "10.0.0.1"]), max_size=3),
            "MX": st.lists(st.tuples(st.integers(0, 65535), st.sampled_from(STRANGE)), max_size=3),
            "PTR": st.lists(st.sampled_from([*STRANGE, "mx.example.org"]), max_size=3),
            "CNAME": st.sampled_from(["mx.example.org", "example.org", "else.example"]),
        },
    ),
)


class HostileTests(Case):
    """
    Tests of answers that strangers have made.
    """

    def test_strange_names(self):
        """
        Whatever name an address has, it is told in a few visible characters, and not in the reply.
        """
        for name in STRANGE:
            (finding,) = self.check({**GOOD, POINTER: {"PTR": [name]}})
            self.assertEqual(finding.symbol, "CLIENT_NAME_UNCONFIRMED", name)
            self.assertTrue(finding.detail.isprintable(), name)
            self.assertLess(len(finding.detail), 250, name)
            self.assertEqual(finding.public, f"the name of {CLIENT} does not lead back to it")

    def test_many(self):
        """
        Of a thousand names a client cannot make us look up more than a few, and of a thousand mail
        servers of a domain none.
        """
        names = [f"n{each}.example.org" for each in range(1000)]
        servers = {"MX": [(each, name) for each, name in enumerate(names)]}
        self.found({**GOOD, POINTER: {"PTR": names}, "example.org": servers})
        self.assertLess(len(self.zones.asked), NAMES + 4)

    def test_others_address(self):
        """
        A name that leads to this machine, a private address or somebody else does not lead back.
        """
        for address in ("127.0.0.1", "10.0.0.1", "198.51.100.25", "185.1.2.4"):
            found = self.found({**GOOD, "mx.example.org": {"A": [address]}})
            self.assertEqual(found, [("CLIENT_NAME_UNCONFIRMED", 1)])

    def test_circles(self):
        """
        Aliases in a circle are unknown, wherever they are.
        """
        circle = {"CNAME": "round.example"}
        for name in GOOD:
            zones = {**GOOD, name: circle, "round.example": circle}
            self.assertEqual(self.found(zones), [("NAMES_UNKNOWN", 0)])

    def test_not_only_null_mx(self):
        """
        A null MX beside another one is none (RFC 7505 section 3); whatever number it has, it is one
        where it is alone.
        """
        both = {"MX": [(0, "."), (10, "mx.example.org")]}
        self.assertEqual(self.found({**GOOD, "example.org": both}), [])
        odd = {"MX": [(65535, ".")]}
        self.assertEqual(self.found({**GOOD, "example.org": odd}), [("SENDER_NULL_MX", 5)])

    @given(st.fixed_dictionaries(dict.fromkeys(GOOD, ENTRIES)))
    def test_anything(self, zones):
        """
        Any answers give findings of the symbols that there are; where nothing is known of the
        sender's domain, it is not refused for anything else.
        """
        policy = Policy.from_settings(settings(names={"mode": "enforce"}))
        findings = self.check(zones)
        self.assertLessEqual({each.symbol for each in findings}, NamesCheck.symbols)
        result = Result("names", tuple(findings))
        reply = policy.judge(Phase.RCPT, [result], "7q4m", Address("ada", "example.com")).reply
        if isinstance(zones["example.org"], Trouble):
            self.assertIsNone(reply)
