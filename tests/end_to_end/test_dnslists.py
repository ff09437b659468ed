"""
Tests of lists in the DNS with Debian's rbldnsd, and with a server that misbehaves (F10).
"""

import os
import smtplib
import socket
import subprocess
import time
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mailgate.checks.dnslists import DnsListsCheck
from mailgate.checks.names import NamesCheck
from mailgate.config.model import Dns
from mailgate.finding import Result
from mailgate.interfaces import Phase
from mailgate.knowledge.dnslists import DnsLists, ListTrouble
from mailgate.message.envelope import Envelope
from mailgate.net.dns.resolver import Resolver
from mailgate.net.dns.servers import Server
from mailgate.pipeline.view import View
from mailgate.policy.verdict import Policy
from mailgate.wire.address import Address
from tests.checks.given import NOW, session, settings
from tests.end_to_end.case import EndToEndTestCase
from tests.end_to_end.gateway import lack
from tests.end_to_end.ports import free_port
from tests.net.misbehaving import Misbehaving, serve

START_SECONDS = 10
ZONES = {
    "bl.test:ip4set": ":127.0.0.2:spam\n127.0.0.2\n185.1.2.0/24\n",
    "codes.test:ip4set": "127.0.0.2\n185.1.2.3 :127.0.0.10:x\n185.1.2.4 :127.0.0.99:x\n",
    "dbl.test:dnset": ":127.0.1.2:spam\ntest\nbad.example\n",
    "wl.test:ip4set": "127.0.0.2\n185.1.2.3 :127.0.5.3:x\n",
    "all.test:ip4set": ":127.0.0.2:x\n0.0.0.0/1\n128.0.0.0/1\n",
    "none.test:ip4set": "185.1.2.3\n",
    "refusing.test:ip4set": ":127.255.255.254:x\n127.0.0.2\n",
    "six.test:ip6trie": ":127.0.0.2:x\n::ffff:7f00:2\n2a00:1450::/32\n",
    "six.test:ip4set": ":127.0.0.2:x\n127.0.0.2\n",
}


def program(case):
    """
    Find rbldnsd, also below C{MAILGATE_UNPACKED}.
    """
    folder = Path(os.environ.get("MAILGATE_UNPACKED", "/nonexistent")) / "rbldnsd"
    for top in (folder, Path("/")):
        path = top / "usr" / "sbin" / "rbldnsd"
        if path.is_file():
            return str(path)
    return lack(case, "not installed: rbldnsd")


def section(zone, score=4.0, codes=("127.0.0.2",), **more):
    """
    Give the table of a list.
    """
    return {"zone": zone, "codes": {c: {"words": "x", "score": score} for c in codes}, **more}


class Case(TestCase):
    """
    A check that asks a DNS server on this machine.
    """

    timeout = 60

    def make(self, port, **lists):
        """
        Make the check of these lists.
        """
        given = settings(dnslists={"lists": lists, "mode": "enforce"}, names={"mode": "enforce"})
        self.resolver = Resolver(Dns(reply_seconds=0.2, tries=1), reactor)
        self.resolver.use([Server("127.0.0.1", port)])
        self.addCleanup(self.resolver.close)
        self.lists = DnsLists.of_sections(given.checks.dnslists.lists, 4, reactor.seconds)
        self.policy = Policy.from_settings(given)
        self.names = NamesCheck.from_settings(given, self.resolver)
        return DnsListsCheck.from_settings(given, self.lists, self.resolver)

    async def self_test(self):
        """
        Let the lists test themselves, and give what is wrong with each.
        """
        await self.lists.test(self.resolver.for_check("test", 20))
        return {one.name: one.trouble for one in self.lists.lists}

    async def found(self, check, client="185.1.2.3", helo="mx.example.org", sender="example.org"):
        """
        Give the findings about a client.
        """
        given = session(helo=helo, client=client)
        envelope = Envelope(given, "7q4m-x2vd-90kt", Address("ada", sender), NOW)
        answer = check.check(View(given, NOW, ({},), {}, envelope))
        return await answer if isinstance(answer, Deferred) else answer

    def reply(self, check, findings):
        """
        Give the reply to RCPT, or C{None} where the recipient is accepted.
        """
        result = Result(check.name, tuple(findings))
        return self.policy.judge(Phase.RCPT, [result], "7q4m", Address("ada", "example.com")).reply


def start(case):
    """
    Start a server of lists that lives as long as a test, and give its port once it answers.
    """
    path = program(case)
    folder = Path(mkdtemp())
    case.addCleanup(rmtree, folder)
    folder.chmod(0o755)  # it refuses to run as root, and reads its files as nobody
    specs = []
    for number, (zone, data) in enumerate(ZONES.items()):
        (folder / str(number)).write_text(data)
        specs.append(f"{zone}:{number}")
    port = free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [path, "-n", *user, "-w", str(folder), "-b", f"127.0.0.1/{port}", *specs],
            stdout=log,
            stderr=log,
        )
    case.addCleanup(server.wait, 10)
    case.addCleanup(server.kill)
    query = b"\0\1\1\0\0\1\0\0\0\0\0\0\x012\x010\x010\x03127\x02bl\x04test\0\0\1\0\1"
    end = time.monotonic() + START_SECONDS
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(0.2)
        asking.connect(("127.0.0.1", port))
        while time.monotonic() < end and server.poll() is None:
            try:
                asking.send(query)
                asking.recv(512)
                return port
            except OSError:
                continue
    return case.fail(f"rbldnsd does not answer: {(folder / 'log').read_text()}")


class RbldnsdTests(Case):
    """
    Tests with a real server of lists.
    """

    def setUp(self):
        """
        Start it.
        """
        self.port = start(self)

    async def test_self_test(self):
        """
        Real lists pass their tests, one that lists the whole world, nothing, or refuses does not.
        """
        self.make(
            self.port,
            bl=section("bl.test"),
            dbl=section("dbl.test", of="domains"),
            six=section("six.test", ipv6=True),
            whole=section("all.test"),
            none=section("none.test"),
            refusing=section("refusing.test"),
        )
        self.assertEqual(
            await self.self_test(),
            {
                "bl": None,
                "dbl": None,
                "six": None,
                "whole": ListTrouble.SELF_TEST,
                "none": ListTrouble.SELF_TEST,
                "refusing": ListTrouble.REFUSED,
            },
        )

    async def test_listed(self):
        """
        Addresses, IPv6 addresses and domains are found, by their codes only; the reply at RCPT
        names the list.
        """
        check = self.make(
            self.port,
            bl=section("bl.test", page="https://bl.example/{}"),
            codes=section("codes.test", codes=("127.0.0.10-11",)),
            dbl=section("dbl.test", of="domains", codes=("127.0.1.2",)),
            six=section("six.test", ipv6=True),
        )
        await self.self_test()
        findings = await self.found(check, helo="bad.example")
        self.assertEqual(
            [each.symbol for each in findings], ["DNSBL_CLIENT", "DNSBL_CLIENT", "DNSBL_HELO"]
        )
        reply = str(self.reply(check, findings))
        self.assertIn("185.1.2.3 is listed by bl, see https://bl.example/185.1.2.3", reply)
        findings = await self.found(check, "185.1.2.4", sender="bad.example")
        self.assertEqual([each.symbol for each in findings], ["DNSBL_CLIENT", "DNSBL_SENDER"])
        (finding,) = await self.found(check, "2a00:1450::9")
        self.assertIn("six", finding.detail)
        self.assertEqual(await self.found(check, "185.9.9.9"), [])

    async def test_allowed(self):
        """
        A list that speaks for a client outweighs one against it.
        """
        check = self.make(
            self.port, bl=section("bl.test"), wl=section("wl.test", -5.0, ("127.0.*.3",))
        )
        await self.self_test()
        findings = await self.found(check)
        self.assertEqual([each.symbol for each in findings], ["DNSBL_CLIENT", "DNSWL_CLIENT"])
        self.assertIsNone(self.reply(check, findings))


class F10Tests(Case):
    """
    Tests with a DNS server that misbehaves.
    """

    def setUp(self):
        """
        Let it.
        """
        self.port = free_port()
        serve(self, reactor, Misbehaving(), self.port)

    async def test_f10_lists_unknown(self):
        """
        Whatever a DNS server does, a list is unknown, hijacked or says nothing, and nothing is
        refused.
        """
        for helo in (
            "timeout",
            "servfail",
            "refused",
            "garbage",
            "loop",
            "endless",
            "never",
            "nxdomain",
            "hijack",
        ):
            check = self.make(self.port, dbl=section("dbl.example", of="domains"))
            (one,) = self.lists.lists
            one.trouble, one.reason = None, ""
            findings = await self.found(check, helo=f"{helo}.example", sender="")
            self.assertEqual([each.score for each in findings], [0] * len(findings), helo)
            self.assertIsNone(self.reply(check, findings), helo)
            expected = {"nxdomain": [], "hijack": ["DNSLIST_HIJACKED"]}
            symbols = [each.symbol for each in findings]
            self.assertEqual(symbols, expected.get(helo, ["DNSLIST_UNKNOWN"]), helo)

    async def test_f10_names_unknown(self):
        """
        So it is with the names of client and sender.
        """
        for domain in ("timeout", "servfail", "refused", "garbage", "loop", "endless", "never"):
            check = self.make(self.port)
            findings = await self.found(
                self.names, "10.1.2.3", f"{domain}.example", f"{domain}.example"
            )
            self.assertEqual([each.symbol for each in findings], ["NAMES_UNKNOWN"], domain)
            self.assertIsNone(self.reply(self.names, findings), domain)
            self.assertEqual(check.name, "dnslists")


TABLES = """
[dns]
servers = ["127.0.0.1:{port}"]
[checks.dnslists]
mode = "enforce"
exempt_networks = []
[checks.dnslists.lists.dbl]
zone = "dbl.test"
of = "domains"
page = "https://dbl.example/{{}}"
codes = {{ "127.0.1.2" = {{ words = "is a domain of spam", score = 5.0 }} }}
[checks.dnslists.lists.none]
zone = "none.test"
codes = {{ "127.0.0.2" = {{ words = "x", score = 5.0 }} }}
"""


class GatewayTests(EndToEndTestCase):
    """
    Tests of a gateway.
    """

    timeout = 120

    def test_gateway(self):
        """
        A gateway tests its lists at the start, shows the one that fails, and refuses at RCPT, with
        the list and its look-up page, a sender that is on another.
        """
        gateway = self.gateway(tables=TABLES.format(port=start(self))).start()

        def shown():
            return gateway.run("status").stdout

        self.eventually(lambda: "DNS list dbl" in shown(), "not shown")
        self.eventually(lambda: "it does not list its test entry: 2.0.0.127" in shown(), "not off")
        self.assertIn("dnslist.off none", gateway.said())
        with smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=20) as client:
            client.ehlo("mx.good.example")
            self.assertEqual(client.mail("x@bad.example")[0], 250)
            code, words = client.rcpt("postmaster@example.com")
            self.assertEqual(code, 250)
            code, words = client.rcpt("ada@example.com")
            self.assertEqual(code, 550)
            self.assertIn(b"bad.example is listed by dbl, see https://dbl.example/bad.exa", words)
