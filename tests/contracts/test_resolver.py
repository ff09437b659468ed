"""
What every L{mailgate.interfaces.IResolvers} and L{mailgate.interfaces.IResolver} promises.
"""

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.names import dns
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailgate.interfaces import IResolver, IResolvers
from mailgate.net.dns.nowhere import Nowhere
from mailgate.wire.dns.answer import (
    AAAA,
    MX,
    NODATA,
    NS,
    NXDOMAIN,
    PTR,
    TXT,
    A,
    MailExchange,
    Nothing,
    Records,
    Trouble,
    Unknown,
)
from tests.net.dns.network import ONE, Machine, make_resolver
from tests.net.misbehaving import Says, record, reply_to, soa
from tests.net.zones import Zones

TYPES = (A, AAAA, MX, NS, PTR, TXT)
TABLE = {
    "example.com": {
        "A": ["192.0.2.1", "192.0.2.2"],
        "AAAA": ["2001:db8::1"],
        "MX": [(10, "MX.example.com"), (20, "mx2.example.com")],
        "NS": ["ns.example.com"],
        "TXT": ["v=spf1 -all", b"\xff\0"],
    },
    "1.2.0.192.in-addr.arpa": {"PTR": ["host.example.com"]},
    "nomail.example": {"MX": [(0, ".")]},
    "alias.example": {"CNAME": "other.example"},
    "other.example": {"CNAME": "example.com"},
    "dangling.example": {"CNAME": "missing.example"},
    "round.example": {"CNAME": "about.example"},
    "about.example": {"CNAME": "round.example"},
    r"a\032b.example": {"TXT": ["odd"]},
    "*.list.example": {"A": ["127.0.0.2"]},
    "servfail.example": Trouble.SERVFAIL,
    "half.example": {"A": ["192.0.2.1"], "TXT": Trouble.TIMEOUT},
}


class Telling:
    """
    A DNS server that says what a table says.
    """

    PAYLOADS = {
        "A": lambda value: dns.Record_A(str(value)),
        "AAAA": lambda value: dns.Record_AAAA(str(value)),
        "MX": lambda value: dns.Record_MX(value.preference, value.host.strip(".")),
        "NS": dns.Record_NS,
        "PTR": dns.Record_PTR,
        "TXT": dns.Record_TXT,
    }

    def __init__(self, table):
        self._zones = Zones(table)

    def replies(self, data, is_stream=False):
        """
        Give what is said to a query.
        """
        query = dns.Message()
        query.fromStr(data)
        name = query.queries[0].name.name
        text = name.lower().replace(b" ", rb"\032").decode()
        (type,) = (each for each in TYPES if each.code == query.queries[0].type)
        answer = self._zones.look_up(text, type)
        if isinstance(answer, Records):
            make = self.PAYLOADS[type.name]
            said = reply_to(query, [record(name, make(value)) for value in answer.values])
        elif isinstance(answer, Nothing):
            said = reply_to(query, authority=[soa()], rcode=0 if answer.exists else 3)
        elif answer.trouble is Trouble.TIMEOUT:
            return []
        else:
            said = reply_to(query, rcode=2)
        return [Says(said)]


def resolver_contract(make):
    """
    Make the test case for an implementation.

    @param make: makes, for a table, one and what brings the answer about to which a Deferred leads.
    """

    class ResolverContract(SynchronousTestCase):
        def setUp(self):
            self.resolvers, self.settle = make(TABLE)

        def ask(self, name, type):
            """
            Give the answer, whichever way it comes.
            """
            answer = self.resolvers.for_check("test", 30).look_up(name, type)
            if not isinstance(answer, Deferred):
                return answer
            self.assertNoResult(answer)
            self.settle()
            return self.successResultOf(answer)

        def test_interface(self):
            """
            It has all methods.
            """
            verifyObject(IResolvers, self.resolvers)
            verifyObject(IResolver, self.resolvers.for_check("test", 30))
            verifyObject(IResolver, self.resolvers.for_check("test", 30, queries=5))

        def test_records(self):
            """
            Records are values of their type, all of them.
            """
            for name, type, values in (
                ("example.com", A, {IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")}),
                ("example.com", AAAA, {IPv6Address("2001:db8::1")}),
                (
                    "example.com",
                    MX,
                    {MailExchange(10, "mx.example.com"), MailExchange(20, "mx2.example.com")},
                ),
                ("nomail.example", MX, {MailExchange(0, ".")}),
                ("example.com", NS, {"ns.example.com"}),
                ("1.2.0.192.in-addr.arpa", PTR, {"host.example.com"}),
                ("example.com", TXT, {b"v=spf1 -all", b"\xff\0"}),
                ("x.y.list.example", A, {IPv4Address("127.0.0.2")}),
            ):
                answer = self.ask(name, type)
                self.assertIsInstance(answer, Records)
                self.assertEqual(set(answer.values), values)

        def test_spelling(self):
            """
            Case and a dot at the end make no difference; a label may hold any character.
            """
            for name in ("EXAMPLE.com", "example.com.", "Example.Com."):
                self.assertEqual(len(self.ask(name, A).values), 2)
            self.assertEqual(self.ask(r"A\032B.example", TXT), Records((b"odd",)))

        def test_nothing(self):
            """
            What does not exist is told from what has no such records.
            """
            self.assertEqual(self.ask("missing.example.com", A), NXDOMAIN)
            self.assertEqual(self.ask("nomail.example", A), NODATA)
            self.assertEqual(self.ask("0.192.in-addr.arpa", PTR), NODATA)
            self.assertEqual(self.ask("list.example", A), NODATA)

        def test_no_name(self):
            """
            What is no name does not exist.
            """
            for name in ("", "a..b", "x" * 64, "a b", "\xe4.example", "\u212a.example"):
                self.assertEqual(self.ask(name, A), NXDOMAIN)

        def test_alias(self):
            """
            Aliases lead to what they stand for; round in a circle, to nothing that is known.
            """
            self.assertEqual(len(self.ask("alias.example", A).values), 2)
            self.assertEqual(self.ask("dangling.example", A), NXDOMAIN)
            self.assertIsInstance(self.ask("round.example", A), Unknown)

        def test_unknown(self):
            """
            What cannot be found out is unknown, with a reason in words.
            """
            for name, type, trouble in (
                ("servfail.example", A, Trouble.SERVFAIL),
                ("servfail.example", MX, Trouble.SERVFAIL),
                ("half.example", TXT, Trouble.TIMEOUT),
            ):
                answer = self.ask(name, type)
                self.assertEqual(answer.trouble, trouble)
                self.assertTrue(answer.reason)
            self.assertIsInstance(self.ask("half.example", A), Records)

        def test_again(self):
            """
            An answer is the same when it is asked for again.
            """
            for name in ("example.com", "missing.example", "servfail.example", "list.example"):
                self.assertEqual(self.ask(name, MX), self.ask(name, MX))

        def test_budget(self):
            """
            A run of a check may ask so often; the next run as often again.
            """
            for _ in range(2):
                resolver = self.resolvers.for_check("test", 30, queries=2)
                names = [f"{number}.{id(resolver)}.list.example" for number in range(3)]
                waiting = [resolver.look_up(name, A) for name in names]
                self.assertEqual(waiting.pop().trouble, Trouble.BUDGET)
                self.settle()
                for answer in waiting:
                    if isinstance(answer, Deferred):
                        answer = self.successResultOf(answer)
                    self.assertIsInstance(answer, Records)

        def test_cancel(self):
            """
            Who waits no longer stops nobody else's waiting.
            """
            asked = [
                self.resolvers.for_check("test", 30).look_up("alias.example", AAAA)
                for _ in range(3)
            ]
            if isinstance(asked[1], Deferred):
                asked[1].cancel()
                self.failureResultOf(asked[1], CancelledError)
                self.settle()
                self.assertIsInstance(self.successResultOf(asked[0]), Records)
                self.assertIsInstance(self.successResultOf(asked[2]), Records)

        @given(st.text(max_size=80), st.sampled_from(TYPES))
        def test_anything(self, name, type):
            """
            Whatever is asked, there is an answer.
            """
            self.assertIsInstance(self.ask(name, type), (Records, Nothing, Unknown))

    return ResolverContract


def over_network(table, **options):
    """
    Make the resolver, with a server that knows the table.
    """
    machine = Machine(ONE)
    machine.servers[ONE.host, ONE.port] = Telling(table)
    return make_resolver(machine, ONE, **options), lambda: machine.pass_time(20)


def from_memory(table):
    """
    Make the resolver, which has been asked for all of the table before.
    """
    resolver, settle = over_network(table)
    for name in table:
        for type in TYPES:
            resolver.for_check("before", 30).look_up(name, type)
    settle()
    return resolver, settle


def of_values(table):
    """
    Make the one of the tests, which answers with values.
    """
    return Zones(table), lambda: None


def of_deferreds(table):
    """
    Make the one of the tests, which answers with Deferreds.
    """
    zones = Zones(table, is_later=True)
    return zones, zones.go_on


class ResolverTests(resolver_contract(over_network)):
    """
    The resolver.
    """


class RememberingResolverTests(resolver_contract(from_memory)):
    """
    The resolver, which remembers what it is asked for.
    """


class ZonesTests(resolver_contract(of_values)):
    """
    The DNS of the tests.
    """


class LateZonesTests(resolver_contract(of_deferreds)):
    """
    The DNS of the tests, when it takes its time.
    """


class NowhereTests(SynchronousTestCase):
    """
    No DNS at all.
    """

    def test_interface(self):
        """
        It has all methods.
        """
        verifyObject(IResolvers, Nowhere())
        verifyObject(IResolver, Nowhere().for_check("test", 5))

    def test_unknown(self):
        """
        Nothing is known, and that is said at once.
        """
        answer = Nowhere().for_check("test", 5).look_up("example.com", A)
        self.assertEqual(answer.trouble, Trouble.UNREACHABLE)
