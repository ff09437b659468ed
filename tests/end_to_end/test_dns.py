"""
Tests of the resolver over real sockets, and of a gateway with DNS servers that are no good.
"""

import json
import subprocess

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.trial.unittest import TestCase

from mailgate.config.model import Dns
from mailgate.interfaces import Asked
from mailgate.net.dns.resolver import Resolver
from mailgate.net.dns.servers import Server
from mailgate.wire.dns.answer import NODATA, NXDOMAIN, TXT, A, Records, Trouble
from tests.end_to_end.case import EndToEndTestCase
from tests.end_to_end.client import make_message, send
from tests.end_to_end.gateway import lack, needs
from tests.end_to_end.ports import free_port
from tests.net.dns.test_query import GOOD
from tests.net.misbehaving import LARGE, Misbehaving, serve


class ResolverTests(TestCase):
    """
    Tests of the resolver on this machine.
    """

    timeout = 60

    def setUp(self):
        """
        Let a server misbehave, and make a resolver that asks it.
        """
        self.port = free_port()
        self.server = Misbehaving()
        serve(self, reactor, self.server, self.port)
        self.make(Server("127.0.0.1", self.port))

    def make(self, *servers):
        """
        Make a resolver.
        """
        self.resolver = Resolver(Dns(reply_seconds=1.0), reactor)
        self.resolver.use(servers)
        self.addCleanup(self.resolver.close)

    async def ask(self, name, type=A):
        """
        Give the answer.
        """
        answer = self.resolver.for_check("test", 30).look_up(name, type)
        return await answer if isinstance(answer, Deferred) else answer

    async def test_everything(self):
        """
        Whatever the server does, there is the right answer, or it is known that there is none.
        """
        expected = {
            **dict.fromkeys(
                (
                    "good",
                    "slow",
                    "truncated",
                    "wrong_id",
                    "wrong_source",
                    "wrong_question",
                    "folding",
                    "no_edns",
                    "alias",
                    "alias_only",
                ),
                GOOD,
            ),
            "nxdomain": NXDOMAIN,
            "nodata": NODATA,
            "servfail": Trouble.SERVFAIL,
            "refused": Trouble.REFUSED,
            "lame": Trouble.REFUSED,
            "garbage": Trouble.GARBAGE,
            "short": Trouble.GARBAGE,
            "loop": Trouble.GARBAGE,
            "endless": Trouble.GARBAGE,
            "never": Trouble.GARBAGE,
            "truncated_always": Trouble.GARBAGE,
            "timeout": Trouble.TIMEOUT,
        }
        for name, answer in expected.items():
            found = await self.ask(f"{name}.example")
            if isinstance(answer, Trouble):
                self.assertEqual(found.trouble, answer, name)
            else:
                self.assertEqual(found, answer, name)

    async def test_large(self):
        """
        A text of 64 KB comes over TCP.
        """
        self.assertEqual(await self.ask("large.example", TXT), Records((b"x" * LARGE,)))

    async def test_many(self):
        """
        Hundreds at the same time have their answers, and the next time at once.
        """
        names = [f"good.{number}.example" for number in range(500)]
        waiting = [Deferred.fromCoroutine(self.ask(name)) for name in names]
        self.assertEqual(await DeferredList(waiting), [(True, GOOD)] * 500)
        for name in names:
            self.assertEqual(self.resolver.for_check("test", 5).look_up(name, A), GOOD)
        self.assertEqual(self.resolver.counts[Asked.LOOKED_UP], 500)

    async def test_nobody(self):
        """
        Where nobody listens that is known at once, also over IPv6; the other server is asked.
        """
        for nobody in (Server("127.0.0.1", free_port()), Server("::1", free_port())):
            self.make(nobody)
            self.assertEqual((await self.ask("good.example")).trouble, Trouble.TIMEOUT)
            self.assertEqual(self.resolver.counts[Asked.LATE], 0)
            self.make(nobody, Server("127.0.0.1", self.port))
            self.assertEqual(await self.ask("good.example"), GOOD)


class GatewayTests(EndToEndTestCase):
    """
    Tests of a gateway.
    """

    timeout = 120

    def test_no_server(self):
        """
        A gateway whose DNS servers are not there starts at once, and mail flows.
        """
        port = free_port()
        gateway = self.gateway(tables=f'[dns]\nservers = ["127.0.0.1:{port}"]\n').start()
        self.assertTrue(send(gateway.smtp_port, make_message()[1]))
        self.assertEqual(len(gateway.delivered()), 1)
        self.eventually(lambda: f"dns.servers 127.0.0.1:{port}" in gateway.said(), "not told")
        status = gateway.run("status", "--json")
        (worker,) = json.loads(status.stdout)["workers"]
        self.assertEqual(
            worker["status"]["dns"]["servers"],
            [{"server": f"127.0.0.1:{port}", "is_up": True, "is_public": False}],
        )

    def test_public_server(self):
        """
        Of a server for everybody is warned at the start.
        """
        gateway = self.gateway(tables='[dns]\nservers = ["9.9.9.9"]\n').start()
        self.eventually(lambda: "dns.public_server 9.9.9.9" in gateway.said(), "not warned")

    def test_public_server_of_the_machine(self):
        """
        So it is where only the machine's C{resolv.conf} names it; C{mailgate status} tells as well.
        """
        tool, *_ = needs(self, "unshare")
        gateway = self.gateway()
        file = gateway.folder / "resolv.conf"
        file.write_text("nameserver 8.8.8.8\n")
        seen = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        apart = (tool, "-rm", "sh", "-c", seen, str(file))
        if subprocess.run([*apart, "true"], capture_output=True).returncode:
            lack(self, "namespaces of mounts are not allowed")
        gateway.start(before=apart)
        self.eventually(lambda: "dns.public_server 8.8.8.8" in gateway.said(), "not warned")
        words = "a public one, which DNS lists refuse"
        self.eventually(lambda: words in gateway.run("status").stdout, "not told")
