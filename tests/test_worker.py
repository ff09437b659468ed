"""
Tests of L{mailgate.worker}.
"""

from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.known import Known
from mailgate.edge.tls import make_self_signed
from mailgate.interfaces import Load
from mailgate.knowledge.dnslists import ListTrouble
from mailgate.parts import Parts
from mailgate.reporting.status import DnsServerStatus
from mailgate.store.threads import ImmediateThreads
from mailgate.wire.dns.answer import A, Records
from mailgate.worker import SERVERS_SECONDS, Worker
from tests.checks.given import settings


class Inbox:
    """
    An upstream that has nothing to do.
    """

    failures = 0
    is_open = False
    load = Load()

    def probe(self):
        """
        Be there.
        """
        return succeed(None)


class DnsTests(SynchronousTestCase):
    """
    Tests of what a worker asks the DNS with.
    """

    def start(self, **checks):
        """
        Start a worker on a machine with one DNS server.
        """
        self.file = Path(self.mktemp())
        self.file.write_text("nameserver 192.0.2.53\n")
        data = Path(self.mktemp()).absolute()
        data.mkdir()
        given = settings(**checks).model_copy(update={"data": data})
        make_self_signed(given.self_signed, given.hostname, datetime.now(UTC))
        self.reactor = MemoryReactorClock()
        worker = Worker(
            given,
            self.reactor,
            Parts(resolv_conf=self.file),
            ImmediateThreads(),
            object(),
            Known(),
            {"inbox": Inbox()},
            100,
        )
        worker.certificates.load()
        self.successResultOf(Deferred.fromCoroutine(worker.start()))
        self.addCleanup(lambda: self.successResultOf(worker.stop()))
        return worker

    def servers(self, worker):
        """
        Name the servers that it asks.
        """
        return [each.server for each in worker.status().dns.servers]

    def test_changes(self):
        """
        It asks the servers of the machine, and takes up others when there are.
        """
        worker = self.start()
        self.assertEqual(self.servers(worker), ["192.0.2.53"])
        self.file.write_text("nameserver 8.8.8.8\n")
        self.reactor.advance(SERVERS_SECONDS)
        self.assertEqual(
            worker.status().dns.servers, (DnsServerStatus("8.8.8.8", True, is_public=True),)
        )
        self.file.unlink()
        self.reactor.advance(SERVERS_SECONDS)
        self.assertEqual(self.servers(worker), ["127.0.0.1"])

    def test_lists(self):
        """
        What the hub says of lists in the DNS it takes up; of one that works again it forgets what
        it has remembered, as that may be what somebody else has answered in its place.
        """
        codes = {"127.0.0.2": {"words": "x", "score": 1.0}}
        lists = {name: {"zone": f"{name}.example", "codes": codes} for name in ("bl", "other")}
        worker = self.start(dnslists={"lists": lists})
        one, other = worker._dns_lists.lists
        works = [evolve(each.state, trouble=None, reason="") for each in (one, other)]
        worker.take_up_lists(works)
        self.assertEqual([each.state for each in (one, other)], works)
        cache = worker._resolver.cache
        hijacked = Records((IPv4Address("203.0.113.80"),))
        for name in lists:
            cache.put((f"3.2.1.185.{name}.example", A.code), hijacked, 1e9)
        worker.take_up_lists([evolve(works[0], trouble=ListTrouble.HIJACKED, reason="x")])
        self.assertEqual(len(cache), 2)
        worker.take_up_lists(works)
        self.assertIsNone(cache.get(("3.2.1.185.bl.example", A.code), 0))
        self.assertEqual(len(cache), 1)
