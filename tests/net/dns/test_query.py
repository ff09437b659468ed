"""
Tests of L{mailgate.net.dns.query}, with servers that misbehave.
"""

from ipaddress import IPv4Address, IPv6Address

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from mailgate.interfaces import Asked
from mailgate.net.dns.remote import CASE_MISSES
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
    Records,
    Trouble,
    Unknown,
)
from tests.net.dns.network import ONE, OTHER, DnsCase
from tests.net.misbehaving import HIJACKER, LARGE, Says, reply_to

GOOD = Records((IPv4Address("192.0.2.1"),))


class QueryCase(DnsCase):
    """
    Questions to them.
    """

    def begin(self, name, type=A):
        """
        Ask.
        """
        waiting = self.resolver.for_check("test", 1000).look_up(name, type)
        self.assertIsInstance(waiting, Deferred)
        return waiting

    def ask(self, name, type=A, seconds=30):
        """
        Give the answer that comes within so many seconds.
        """
        waiting = self.begin(name, type)
        self.machine.pass_time(seconds)
        return self.successResultOf(waiting)

    def trouble(self, name, **options):
        """
        Give what is wrong.
        """
        answer = self.ask(name, **options)
        self.assertIsInstance(answer, Unknown)
        self.assertRegex(answer.reason, r"\A[A-Za-z0-9(),. ]{10,150}\Z")
        return answer.trouble

    def count(self, asked):
        """
        Tell how often something has happened.
        """
        return self.resolver.counts[asked]


class AnswerTests(QueryCase):
    """
    Tests of answers as they should be.
    """

    def test_records(self):
        """
        Records of each type are values of its own kind.
        """
        for type, value in (
            (A, IPv4Address("192.0.2.1")),
            (AAAA, IPv6Address("2001:db8::1")),
            (MX, MailExchange(10, "mx.example")),
            (NS, "ns.example"),
            (PTR, "host.example"),
            (TXT, b"v=spf1 -all"),
        ):
            self.assertEqual(self.ask("good.example", type, 1), Records((value,)))

    def test_nothing(self):
        """
        A name that does not exist is told from one without such records.
        """
        self.assertEqual(self.ask("nxdomain.example", seconds=1), NXDOMAIN)
        self.assertEqual(self.ask("nodata.example", seconds=1), NODATA)

    def test_alias(self):
        """
        Aliases lead to the records, and where the server does not follow them, we do.
        """
        self.assertEqual(self.ask("alias.example", seconds=1), GOOD)
        self.assertEqual(self.ask("alias_only.example", seconds=1), GOOD)
        self.assertEqual(
            [name for name, *_ in self.server.asked[1:]], ["alias_only.example", "good.example"]
        )

    def test_first_server(self):
        """
        A server that answers is the only one that is asked.
        """
        self.ask("good.example")
        self.assertEqual(len(self.machine.sent), 1)
        self.assertEqual(self.machine.sent[0][0].peer, (ONE.host, ONE.port))

    def test_truncated(self):
        """
        What does not fit into a datagram is asked for over TCP.
        """
        self.assertEqual(self.ask("truncated.example", seconds=1), GOOD)
        self.assertEqual([each[2] for each in self.server.asked], [False, True])

    def test_large(self):
        """
        A text of 64 KB is an answer like any other.
        """
        answer = self.ask("large.example", TXT, 1)
        self.assertEqual(answer, Records((b"x" * LARGE,)))

    def test_hijack_and_wildcard(self):
        """
        A server that makes up addresses is believed: whoever asks knows what is possible.
        """
        self.assertEqual(self.ask("hijack.example", seconds=1), Records((IPv4Address(HIJACKER),)))
        self.assertEqual(
            self.ask("wildcard.example", seconds=1), Records((IPv4Address("127.0.0.2"),))
        )

    def test_no_edns(self):
        """
        A server that does not know EDNS is asked without, from then on at once; a reload of its
        habits comes after an hour.
        """
        with capturedLogs() as events:
            self.assertEqual(self.ask("no_edns.example", seconds=1), GOOD)
        self.assertEqual([event["event"] for event in events], ["dns.no_edns"])
        self.ask("no_edns.more.example", seconds=1)
        self.assertEqual([each[3] for each in self.server.asked], [True, False, False])
        self.machine.advance(3600)
        self.ask("good.example", seconds=1)
        self.assertTrue(self.server.asked[-1][3])


class TroubleTests(QueryCase):
    """
    Tests of servers that cannot answer.
    """

    def test_timeout(self):
        """
        Servers that say nothing are asked twice, in turn, with more patience the second time; then
        it is not known.
        """
        waiting = self.begin("timeout.example")
        for seconds, sent in ((1.4, 1), (0.2, 2), (1.3, 2), (0.2, 3), (2.8, 3), (0.2, 4), (2.8, 4)):
            self.machine.pass_time(seconds)
            self.assertEqual(len(self.machine.sent), sent)
            self.assertNoResult(waiting)
        self.machine.pass_time(0.2)
        self.assertEqual(self.successResultOf(waiting).trouble, Trouble.TIMEOUT)
        self.assertEqual(self.count(Asked.LATE), 4)
        self.assertEqual(
            [socket.peer[0] for socket, _ in self.machine.sent], [ONE.host, OTHER.host] * 2
        )

    def test_slow(self):
        """
        A server that is slower than our patience is still listened to.
        """
        self.use(ONE)
        waiting = self.begin("slow.example")
        self.machine.pass_time(2.1)
        self.assertEqual(self.successResultOf(waiting), GOOD)
        self.assertEqual(len(self.machine.sent), 2)

    def test_slow_and_useless(self):
        """
        Where one server is slow and the other of no use, the slow one is asked again at once, and
        listened to for both.
        """
        other = self.machine.servers[OTHER.host, OTHER.port]
        other.behaviours["slow"] = other.do_servfail
        waiting = self.begin("slow.example")
        self.machine.pass_time(1.6)
        self.assertEqual(
            [socket.peer[0] for socket, _ in self.machine.sent], [ONE.host, OTHER.host, ONE.host]
        )
        self.machine.pass_time(0.5)
        self.assertEqual(self.successResultOf(waiting), GOOD)

    def test_other_server(self):
        """
        A server that is silent, refuses, or says that it cannot, is no harm while another works.
        """
        self.use(ONE, OTHER, reply_seconds=0.5)
        for name in (
            "timeout",
            "servfail",
            "refused",
            "garbage",
            "lame",
            "truncated_always",
            "never",
        ):
            self.use(ONE, OTHER, reply_seconds=0.5)
            self.server.behaviours["good"] = self.server.behaviours[name]
            self.assertEqual(self.ask("good.example", seconds=1), GOOD, name)

    def test_all_the_same(self):
        """
        What no server can answer is not known, and the reason is told apart. Each that has said so
        is asked once.
        """
        for name, trouble, sent in (
            ("servfail", Trouble.SERVFAIL, 2),
            ("refused", Trouble.REFUSED, 2),
            ("lame", Trouble.REFUSED, 2),
            ("garbage", Trouble.GARBAGE, 2),
            ("loop", Trouble.GARBAGE, 2),
            ("truncated_always", Trouble.GARBAGE, 2),
            ("never", Trouble.GARBAGE, 4),  # with EDNS and without
        ):
            self.use(ONE, OTHER)
            self.assertEqual(self.trouble(f"{name}.example", seconds=0.2), trouble, name)
            self.assertEqual(len(self.machine.sent), sent, name)
            self.assertEqual(self.machine.getDelayedCalls(), [])

    def test_endless_aliases(self):
        """
        Aliases of which each leads to the next are followed a few times only.
        """
        self.assertEqual(self.trouble("endless.example"), Trouble.GARBAGE)
        self.assertEqual(len(self.machine.sent), 9)

    def test_no_server(self):
        """
        Where nobody listens it is known at once.
        """
        self.machine.servers.clear()
        self.assertEqual(self.trouble("good.example", seconds=0.2), Trouble.TIMEOUT)

    def test_no_network(self):
        """
        Where nothing can be sent it is known at once.
        """
        self.machine.is_unplugged = True
        answer = self.resolver.for_check("test", 5).look_up("good.example", A)
        self.assertEqual(answer.trouble, Trouble.TIMEOUT)
        self.assertIn("Network is unreachable", answer.reason)

    def test_no_tcp(self):
        """
        What would have to come over TCP is not known where there is none.
        """
        self.machine.has_tcp = False
        self.assertEqual(self.trouble("truncated.example", seconds=0.2), Trouble.TIMEOUT)

    def test_tcp_ends(self):
        """
        A connection that ends too early, or says nothing, ends nothing else.
        """
        self.server.behaviours["truncated"] = lambda query, is_stream: (
            [] if is_stream else self.server.do_truncated(query, False)
        )
        self.assertEqual(self.ask("truncated.example", seconds=4), GOOD)
        self.machine.hangs_up = True
        self.assertEqual(self.ask("truncated.more.example", seconds=0.2), GOOD)
        self.assertTrue(all(each.is_over for each in self.machine.connectors))


class ForgeryTests(QueryCase):
    """
    Tests of replies from somebody else.
    """

    def test_wrong_id(self):
        """
        A reply with another id is dropped, and the right one taken.
        """
        self.assertEqual(self.ask("wrong_id.example", seconds=0.2), GOOD)
        self.assertEqual(self.count(Asked.WRONG_ID), 1)

    def test_wrong_source(self):
        """
        A reply from another address is dropped, and the right one taken.
        """
        self.assertEqual(self.ask("wrong_source.example", seconds=0.2), GOOD)
        self.assertEqual(self.count(Asked.WRONG_SOURCE), 1)

    def test_short(self):
        """
        What is too short to be a reply is dropped like one to another question.
        """
        self.server.behaviours["short"] = lambda query, is_stream: (
            self.server.do_good(query, True) if is_stream else self.server.do_short(query, False)
        )
        self.assertEqual(self.ask("short.example", seconds=0.2), GOOD)
        self.assertEqual(self.count(Asked.WRONG_QUESTION), 1)

    def test_wrong_question(self):
        """
        A reply to another question makes us ask over TCP; without TCP the right one is waited for.
        """
        self.assertEqual(self.ask("wrong_question.example", seconds=0.05), GOOD)
        self.assertEqual(self.count(Asked.WRONG_QUESTION), 1)
        self.assertEqual(self.count(Asked.STREAMED), 1)
        self.machine.has_tcp = False
        self.assertEqual(self.ask("wrong_question.more.example", seconds=0.2), GOOD)

    def test_flood(self):
        """
        However many replies to other questions come, the end comes when it would have come, and
        TCP is tried once.
        """
        self.use(ONE)
        self.machine.has_tcp = False
        self.server.behaviours["wrong_question"] = lambda query, is_stream: [
            Says(reply_to(query)[:12] + b"\3wwx\0\0\1\0\1", after=0.05 * number)
            for number in range(400)
        ]
        self.assertEqual(self.trouble("wrong_question.example", seconds=5), Trouble.TIMEOUT)
        self.assertGreater(self.count(Asked.WRONG_QUESTION), 50)
        self.assertEqual(self.count(Asked.STREAMED), 1)

    def test_wrong_case(self):
        """
        A reply with the letters of the name in another case is not believed.
        """
        self.assertEqual(self.ask("case_forged.example", seconds=0.2), GOOD)
        self.assertEqual(self.count(Asked.WRONG_CASE), 1)
        self.assertEqual(self.count(Asked.STREAMED), 1)

    def test_case_differs(self):
        """
        Id, port, and case of letters are new with each query.
        """
        for number in range(30):
            self.ask(f"nxdomain.{number}.example", seconds=0.1)
        ids = {datagram[:2] for _, datagram in self.machine.sent}
        ports = {socket.port for socket, _ in self.machine.sent}
        cases = {datagram[13:21] for _, datagram in self.machine.sent}
        self.assertEqual(len(ids), 30)
        self.assertEqual(len(ports), 8)
        self.assertGreater(len(cases), 25)

    def test_folding_server(self):
        """
        A server that keeps no case over TCP either is believed without, for an hour.
        """
        with capturedLogs() as events:
            self.assertEqual(self.ask("folding.example", seconds=0.2), GOOD)
        self.assertEqual([event["event"] for event in events], ["dns.case_not_kept"])
        self.assertEqual(self.ask("folding.more.example", seconds=0.2), GOOD)
        self.assertEqual(self.count(Asked.STREAMED), 1)
        self.machine.advance(3600)
        self.ask("folding.still.example", seconds=0.2)
        self.assertEqual(self.count(Asked.STREAMED), 2)

    def test_folding_server_without_tcp(self):
        """
        A server that keeps no case and has no TCP is believed after some replies, unless it has
        kept one before.
        """
        self.use(ONE)
        self.machine.has_tcp = False
        for number in range(CASE_MISSES):
            self.assertEqual(
                self.trouble(f"folding.{number}.example", seconds=0.2), Trouble.TIMEOUT
            )
        self.assertEqual(self.ask("folding.example", seconds=0.2), GOOD)
        self.use(ONE)
        self.ask("good.example", seconds=0.2)
        self.machine.has_tcp = False
        for number in range(CASE_MISSES + 3):
            self.trouble(f"folding.{number}.example", seconds=0.2)
