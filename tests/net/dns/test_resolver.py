"""
Tests of L{mailgate.net.dns.resolver}.
"""

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import capturedLogs
from twisted.names.dns import Record_A

from mailgate.interfaces import Asked
from mailgate.net.dns.breaker import AGAIN_SECONDS
from mailgate.net.dns.gate import WAITING_LIMIT
from mailgate.net.dns.resolver import TROUBLE_SECONDS
from mailgate.wire.dns.answer import AAAA, NXDOMAIN, TXT, A, Records, Trouble
from tests.net.dns.network import ONE, OTHER, DnsCase
from tests.net.dns.test_query import GOOD
from tests.net.misbehaving import record, reply_to, soa


class ResolverCase(DnsCase):
    """
    Questions to them.
    """

    def look_up(self, name, type=A, check="test", **budget):
        """
        Ask for one run of a check.
        """
        budget.setdefault("seconds", 1000)
        return self.resolver.for_check(check, **budget).look_up(name, type)

    def ask(self, name, type=A, seconds=0.2):
        """
        Give the answer to something that is not remembered.
        """
        waiting = self.look_up(name, type)
        self.assertIsInstance(waiting, Deferred)
        self.machine.pass_time(seconds)
        return self.successResultOf(waiting)

    def count(self, asked):
        """
        Tell how often something has happened.
        """
        return self.resolver.counts[asked]


class MemoryTests(ResolverCase):
    """
    Tests of what is remembered.
    """

    def test_value(self):
        """
        What is remembered is a value, in any case and with a dot behind it.
        """
        self.ask("good.example")
        for name in ("good.example", "Good.EXAMPLE", "good.example.", r"g\111od.example"):
            self.assertEqual(self.look_up(name), GOOD)
        self.assertIsInstance(self.look_up("good.example", AAAA), Deferred)
        self.assertEqual(self.resolver.take_counts()["remembered"], 4)

    def test_no_name(self):
        """
        What is no name does not exist, and no server is asked.
        """
        for name in ("", "a..b", "." * 3, "x" * 64, "a b", "b\xfccher.example", "\u212a.example"):
            self.assertEqual(self.look_up(name), NXDOMAIN)
        self.server.behaviours["k"] = self.server.do_good
        self.assertEqual(self.ask("k.example"), GOOD)
        self.assertEqual(self.look_up("\u212a.example"), NXDOMAIN)
        self.assertEqual(len(self.machine.sent), 1)

    def hold(self, seconds, answers):
        """
        Tell whether an answer is remembered for so many seconds, and no longer.
        """
        self.use(ONE)
        self.server.behaviours["held"] = answers
        self.ask("held.example", seconds=0.05)
        self.machine.advance(seconds - 0.2)
        self.assertNotIsInstance(self.look_up("held.example"), Deferred)
        self.machine.advance(0.2)
        self.assertIsInstance(self.look_up("held.example"), Deferred)

    def test_seconds(self):
        """
        Answers hold as long as they say: the least of all records, aliases too, within our bounds.
        """

        def address(seconds):
            def behave(query, is_stream):
                payload = self.server.do_good(query, False)
                return payload.replace(b"\0\0\x01\x2c", seconds.to_bytes(4, "big"))

            return behave

        self.hold(300, address(300))
        self.hold(10, address(0))
        self.hold(86400, address(10**6))
        self.hold(10, address(2**31))
        self.hold(20, lambda query, is_stream: self.server.do_alias(query, is_stream))

    def test_seconds_of_nothing(self):
        """
        That there is nothing holds as long as the SOA record says, an hour at most, and where there
        is none only shortly.
        """
        for rcode in (0, 3):
            for seconds, authority in (
                (60, [soa(seconds=600, minimum=60)]),
                (40, [soa(seconds=40, minimum=600)]),
                (3600, [soa(seconds=10**6, minimum=10**6)]),
                (10, [soa(seconds=0, minimum=60)]),
                (10, []),
            ):
                self.hold(
                    seconds,
                    lambda query, is_stream, rcode=rcode, authority=authority: reply_to(
                        query, authority=authority, rcode=rcode
                    ),
                )

    def test_seconds_of_trouble(self):
        """
        That a server could not answer is remembered for seconds, so that nobody is asked over and
        over for what is broken.
        """
        self.hold(TROUBLE_SECONDS, lambda query, is_stream: self.server.do_servfail(query, False))

    def test_bytes(self):
        """
        What was not asked for the longest time is forgotten where there is too much.
        """
        self.use(ONE, cache_bytes=64 * 1024)
        self.ask("good.kept.example")
        for number in range(500):
            self.ask(f"good.{number}.example", seconds=0.03)
            self.assertEqual(self.look_up("good.kept.example"), GOOD)
        self.assertLessEqual(self.resolver.cache.size, 64 * 1024)
        self.assertLess(len(self.resolver.cache), 150)
        self.assertEqual(self.look_up("good.499.example"), GOOD)
        self.assertIsInstance(self.look_up("good.0.example"), Deferred)


class SharedTests(ResolverCase):
    """
    Tests of several who want to know the same.
    """

    def test_one_query(self):
        """
        One query is enough for all who ask at the same time.
        """
        waiting = [self.look_up("good.example", check=f"check{each}") for each in range(5)]
        self.machine.pass_time(0.1)
        self.assertEqual([self.successResultOf(each) for each in waiting], [GOOD] * 5)
        self.assertEqual(len(self.machine.sent), 1)
        self.assertEqual(self.count(Asked.SHARED), 4)
        self.assertEqual(self.count(Asked.LOOKED_UP), 1)

    def test_cancel(self):
        """
        Who waits no longer stops nobody else's waiting.
        """
        one, other = self.look_up("good.example"), self.look_up("good.example")
        one.cancel()
        self.failureResultOf(one, CancelledError)
        self.machine.pass_time(0.1)
        self.assertEqual(self.successResultOf(other), GOOD)

    def test_all_cancelled(self):
        """
        A query for which nobody waits any more is not sent again; what still comes is remembered.
        """
        self.failureResultOf(self.cancelled("timeout.example"), CancelledError)
        self.machine.pass_time(2)
        self.assertEqual(len(self.machine.sent), 1)
        self.assertEqual(self.machine.getDelayedCalls(), [])
        self.assertIsInstance(self.look_up("timeout.example"), Deferred)
        self.cancelled("good.example").addErrback(lambda _: None)
        self.machine.pass_time(0.1)
        self.assertEqual(self.look_up("good.example"), GOOD)

    def cancelled(self, name):
        """
        Ask and wait no longer.
        """
        waiting = self.look_up(name)
        waiting.cancel()
        return waiting

    def test_asked_in_answer(self):
        """
        Whoever is told an answer may ask the next thing at once.
        """
        names = ["good.b.example", "good.c.example"]
        said = []

        def go_on(answer):
            said.append(answer)
            return self.look_up(names.pop()).addCallback(go_on) if names else None

        self.look_up("good.a.example").addCallback(go_on)
        self.machine.pass_time(0.2)
        self.assertEqual(len(said), 3)


class BudgetTests(ResolverCase):
    """
    Tests of what one run of a check may ask.
    """

    def test_queries(self):
        """
        A run may ask so often and no more; what is remembered costs nothing, and the next run may
        ask again.
        """
        resolver = self.resolver.for_check("spf", 1000, queries=3)
        for number in range(3):
            resolver.look_up(f"good.{number}.example", A)
        answer = resolver.look_up("good.3.example", A)
        self.assertEqual(answer.trouble, Trouble.BUDGET)
        self.machine.pass_time(0.1)
        self.assertEqual(resolver.look_up("good.1.example", A), GOOD)
        self.assertIsInstance(self.look_up("good.3.example", check="spf"), Deferred)
        self.assertEqual(self.count(Asked.UNKNOWN_BUDGET), 1)

    def test_configured(self):
        """
        Without a number, the configured one holds.
        """
        self.use(ONE, queries_per_check=10)
        resolver = self.resolver.for_check("spf", 1000)
        answers = [resolver.look_up(f"good.{number}.example", A) for number in range(11)]
        self.assertEqual([isinstance(each, Deferred) for each in answers], [True] * 10 + [False])

    def test_seconds(self):
        """
        After nine tenths of its time a run gets no more answers, and those it waits for are
        unknown; others still get theirs.
        """
        resolver = self.resolver.for_check("spf", 2)
        waiting = resolver.look_up("slow.example", A)
        other = self.look_up("slow.example", check="lists")
        self.machine.pass_time(1.75)
        self.assertNoResult(waiting)
        self.machine.pass_time(0.1)
        self.assertEqual(self.successResultOf(waiting).trouble, Trouble.BUDGET)
        self.assertEqual(resolver.look_up("good.example", A).trouble, Trouble.BUDGET)
        self.machine.pass_time(0.5)
        self.assertEqual(self.successResultOf(other), GOOD)

    def test_no_timer_is_left(self):
        """
        Nothing is left to do when all answers are there.
        """
        resolver = self.resolver.for_check("spf", 2)
        resolver.look_up("good.example", A)
        resolver.look_up("nodata.example", A)
        self.machine.pass_time(0.1)
        self.assertEqual(self.machine.getDelayedCalls(), [])

    def test_starvation(self):
        """
        A check that asks for a hundred slow names keeps no other check waiting.
        """
        self.use(ONE, queries=16)
        slow = self.resolver.for_check("spf", 1000)
        for number in range(100):
            slow.look_up(f"timeout.{number}.example", A)
        self.assertEqual(len(self.machine.sent), 8)
        listed = self.look_up("good.example", check="lists")
        shared = self.look_up("timeout.99.example", check="lists")
        self.machine.pass_time(0.1)
        self.assertEqual(self.successResultOf(listed), GOOD)
        self.assertNoResult(shared)
        self.assertIn("timeout.99.example", [name for name, *_ in self.server.asked])

    def test_all_in_turn(self):
        """
        What waits begins as soon as there is a place.
        """
        self.use(ONE, queries=16)
        resolver = self.resolver.for_check("spf", 1000)
        waiting = [resolver.look_up(f"good.{number}.example", A) for number in range(100)]
        self.machine.pass_time(1)
        self.assertEqual([self.successResultOf(each) for each in waiting], [GOOD] * 100)

    def test_busy(self):
        """
        Where too many of a check wait already, the next one is told so at once.
        """
        self.use(ONE, queries=16)
        for number in range(WAITING_LIMIT + 8):
            self.assertIsInstance(self.look_up(f"timeout.{number}.example"), Deferred)
        self.assertEqual(self.look_up("timeout.more.example").trouble, Trouble.BUSY)
        self.assertIsInstance(self.look_up("timeout.more.example", check="other"), Deferred)

    def test_waits_no_longer(self):
        """
        What waits for its turn, and nobody wants any more, is never asked.
        """
        self.use(ONE, queries=16)
        waiting = [self.look_up(f"good.{number}.example") for number in range(20)]
        for each in waiting[8:]:
            each.cancel()
            self.failureResultOf(each, CancelledError)
        self.machine.pass_time(1)
        self.assertEqual(len(self.machine.sent), 8)


class BreakerTests(ResolverCase):
    """
    Tests of servers that do not work any more.
    """

    def go_down(self, *servers):
        """
        Let servers become silent, and ask until that is known.
        """
        kept = {
            (each.host, each.port): self.machine.servers[each.host, each.port] for each in servers
        }
        self.machine.servers.update(dict.fromkeys(kept))
        for number in range(3):
            self.look_up(f"good.{number}.example")
        self.machine.pass_time(20)
        return kept

    def test_one(self):
        """
        A server that does not answer even what every server knows is asked no more, until it
        answers that again.
        """
        with capturedLogs() as events:
            kept = self.go_down(ONE)
        self.assertEqual([each["event"] for each in events], ["dns.server_down"])
        self.assertEqual([each.is_up for each in self.resolver.remotes], [False, True])
        self.machine.sent.clear()
        self.assertEqual(self.ask("good.new.example", seconds=0.05), GOOD)
        self.machine.servers.update(kept)
        with capturedLogs() as events:
            self.machine.pass_time(AGAIN_SECONDS + 3)
        self.assertEqual([each["event"] for each in events], ["dns.server_up"])
        self.machine.sent.clear()
        self.ask("good.newer.example")
        self.assertEqual(self.machine.sent[0][0].peer[0], ONE.host)
        self.assertEqual(self.machine.getDelayedCalls(), [])

    def test_all(self):
        """
        Where no server answers, it is known at once that nothing is, until one answers again.
        """
        with capturedLogs() as events:
            kept = self.go_down(ONE, OTHER)
        self.assertEqual(
            [each["event"] for each in events],
            ["dns.server_down", "dns.server_down", "dns.unreachable"],
        )
        self.assertEqual(self.look_up("good.example").trouble, Trouble.UNREACHABLE)
        self.machine.servers.update(kept)
        self.machine.pass_time(AGAIN_SECONDS + 3)
        self.assertEqual(self.ask("good.example"), GOOD)

    def test_refused(self):
        """
        Where nobody listens, nothing is known at once either.
        """
        self.use(ONE)
        self.machine.servers.clear()
        for number in range(3):
            self.ask(f"good.{number}.example")
        self.assertEqual(self.look_up("good.example").trouble, Trouble.UNREACHABLE)

    def test_no_network(self):
        """
        Nor where there is no network, and that is told once only.
        """
        self.machine.is_unplugged = True
        with capturedLogs() as events:
            for number in range(50):
                self.look_up(f"good.{number}.example")
            self.machine.pass_time(60)
        self.assertEqual(self.look_up("good.example").trouble, Trouble.UNREACHABLE)
        self.assertEqual(len(events), 3)
        self.machine.is_unplugged = False
        self.machine.pass_time(AGAIN_SECONDS + 1)
        self.assertEqual(self.ask("good.example"), GOOD)

    def test_hostile_names(self):
        """
        Names whose servers never answer prove nothing about ours: mail with many of them takes the
        lists from nobody.
        """
        with capturedLogs() as events:
            for number in range(30):
                self.look_up(f"timeout.{number}.example")
                self.machine.pass_time(0.5)
            self.machine.pass_time(30)
        self.assertEqual([each["event"] for each in events], [])
        self.assertEqual(self.ask("good.example"), GOOD)

    def test_waiting(self):
        """
        What waits for its turn is not known at once when no server works any more.
        """
        self.use(ONE, queries=16)
        self.machine.servers[ONE.host, ONE.port] = None
        waiting = [self.look_up(f"good.{number}.example") for number in range(900)]
        self.machine.pass_time(5)
        for each in waiting[16:]:
            self.assertEqual(self.successResultOf(each).trouble, Trouble.UNREACHABLE)


class ServersTests(ResolverCase):
    """
    Tests of a change of the servers, and of the end.
    """

    def test_change(self):
        """
        Other servers are asked from now on; what is under way with the old ones ends with them.
        """
        self.use(ONE, OTHER)
        self.resolver.use([ONE])
        waiting = self.look_up("slow.example")
        self.resolver.use([OTHER])
        self.assertEqual(self.ask("good.example"), GOOD)
        self.assertEqual(self.machine.sent[-1][0].peer[0], OTHER.host)
        self.machine.pass_time(2)
        self.assertEqual(self.successResultOf(waiting), GOOD)
        self.assertEqual([each.peer[0] for each in self.machine.sockets], [OTHER.host])

    def test_same(self):
        """
        What is known of a server that stays is kept.
        """
        remotes = self.resolver.remotes
        self.resolver.use([ONE, OTHER])
        self.assertIs(self.resolver.remotes, remotes)
        self.resolver.use([OTHER, ONE])
        self.assertEqual(list(self.resolver.remotes), list(reversed(remotes)))

    def test_ports(self):
        """
        The sockets are few, at random ports, and each is replaced in time; a port that somebody
        else has is left to them.
        """
        self.machine.taken = set(range(1 << 14, 1 << 16)) - {20_000}
        self.ask("good.example")
        self.assertIn(self.machine.sockets[0].port, (0, 20_000))
        self.machine.taken = set()
        for number in range(4000):
            self.ask(f"nodata.{number}.example", seconds=0.02)
        self.assertEqual(len(self.machine.sockets), 8)
        ports = {socket.port for socket, _ in self.machine.sent}
        self.assertGreater(len(ports), 15)

    def test_close(self):
        """
        At the end everybody is told, and nothing is left open.
        """
        self.use(ONE, queries=16)
        waiting = [self.look_up(f"slow.{number}.example") for number in range(20)]
        waiting.append(self.look_up("truncated.example", check="other"))
        said = []
        waiting[0].addCallback(lambda answer: said.append(self.look_up("good.example")) or answer)
        self.machine.pass_time(0.01)
        self.resolver.close()
        for each in waiting:
            self.assertEqual(self.successResultOf(each).trouble, Trouble.UNREACHABLE)
        self.assertEqual([each.trouble for each in said], [Trouble.UNREACHABLE])
        self.assertEqual(self.machine.sockets, [])
        self.machine.pass_time(10)
        self.assertEqual(self.machine.getDelayedCalls(), [])
        self.assertEqual(self.look_up("good.example").trouble, Trouble.UNREACHABLE)

    def test_nothing_before(self):
        """
        Before anything is asked nothing is sent, and no socket is open.
        """
        self.assertEqual(self.machine.sockets, [])
        self.assertEqual(self.machine.getDelayedCalls(), [])

    def test_counts(self):
        """
        What was counted is given once.
        """
        self.ask("servfail.example", TXT)
        self.look_up("servfail.example", TXT)
        self.assertEqual(
            self.resolver.take_counts(),
            {"looked up": 1, "sent": 2, "unknown servfail": 1, "remembered": 1},
        )
        self.assertEqual(self.resolver.take_counts(), {})

    def test_large_answer(self):
        """
        An answer that is larger than all of the memory is given, and not remembered.
        """
        self.use(ONE, cache_bytes=64 * 1024)
        self.server.behaviours["many"] = lambda query, is_stream: reply_to(
            query,
            [
                record(query.queries[0].name.name, Record_A(f"192.0.{number >> 8}.{number & 255}"))
                for number in range(500 if is_stream else 0)
            ],
            trunc=not is_stream,
        )
        answer = self.ask("many.example")
        self.assertIsInstance(answer, Records)
        self.assertEqual(len(answer.values), 500)
        self.assertIsInstance(self.look_up("many.example"), Deferred)
