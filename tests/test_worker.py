"""
Tests of L{mailgate.worker}.
"""

from datetime import UTC, datetime
from pathlib import Path

from twisted.internet.defer import Deferred, succeed
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.edge.tls import make_self_signed
from mailgate.interfaces import Load
from mailgate.knowledge.lists import Lists
from mailgate.parts import Parts
from mailgate.reporting.status import DnsServerStatus
from mailgate.store.threads import ImmediateThreads
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

    def start(self):
        """
        Start a worker on a machine with one DNS server.
        """
        self.file = Path(self.mktemp())
        self.file.write_text("nameserver 192.0.2.53\n")
        data = Path(self.mktemp()).absolute()
        data.mkdir()
        given = settings().model_copy(update={"data": data})
        make_self_signed(given.self_signed, given.hostname, datetime.now(UTC))
        self.reactor = MemoryReactorClock()
        worker = Worker(
            given,
            self.reactor,
            Parts(resolv_conf=self.file),
            ImmediateThreads(),
            object(),
            Lists(),
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
