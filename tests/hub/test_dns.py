"""
Tests of L{mailgate.hub.dns}.
"""

from pathlib import Path

from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.model import Dns
from mailgate.hub.dns import ServerWatch
from mailgate.store.threads import ImmediateThreads


class ServerWatchTests(SynchronousTestCase):
    """
    Tests of what is told of the DNS servers.
    """

    def setUp(self):
        """
        Make a file and a watch.
        """
        self.file = Path(self.mktemp())
        self.settings = Dns()
        self.watch = ServerWatch(lambda: self.settings, self.file, ImmediateThreads())

    def look(self):
        """
        Give what is told: level, event, servers.
        """
        with capturedLogs() as events:
            self.successResultOf(self.watch.look())
        return [
            (each["log_level"], each["event"], each.get("servers") or each["server"])
            for each in events
        ]

    def test_change(self):
        """
        The servers are told at the start, and when they change.
        """
        self.assertEqual(self.look(), [(LogLevel.info, "dns.servers", "127.0.0.1")])
        self.assertEqual(self.look(), [])
        self.file.write_text("nameserver 192.0.2.53\nnameserver 192.0.2.54\n")
        told = (LogLevel.info, "dns.servers", "192.0.2.53, 192.0.2.54")
        self.assertEqual(self.look(), [told])
        self.assertEqual(self.look(), [])
        self.settings = Dns(servers=("127.0.0.1:5353",))
        self.assertEqual(self.look(), [(LogLevel.info, "dns.servers", "127.0.0.1:5353")])

    def test_public(self):
        """
        Of a server for everybody is warned, wherever it is named.
        """
        self.file.write_text("nameserver 192.0.2.53\nnameserver 8.8.8.8\n")
        self.assertEqual(self.look()[1:], [(LogLevel.warn, "dns.public_server", "8.8.8.8")])
        self.settings = Dns(servers=("2620:fe::fe",))
        self.assertEqual(self.look()[1:], [(LogLevel.warn, "dns.public_server", "2620:fe::fe")])
