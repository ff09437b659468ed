"""
Tests of lists in the DNS with Debian's rbldnsd, and with a server that misbehaves (F10).
"""

import json
import os
import signal
import smtplib
import socket
import subprocess
import sys
import time
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mailgate.checks.dnslists import DnsListsCheck
from mailgate.checks.names import NamesCheck
from mailgate.config.model import Dns
from mailgate.finding import Result
from mailgate.hub.dnslists import ListWatch
from mailgate.interfaces import Asked, Phase
from mailgate.knowledge.dnslists import DnsLists, ListTrouble
from mailgate.message.envelope import Envelope
from mailgate.net.dns.resolver import Resolver
from mailgate.net.dns.servers import Server
from mailgate.pipeline.view import View
from mailgate.policy.verdict import Policy
from mailgate.wire.address import Address
from mailgate.wire.dns.answer import A
from tests.checks.given import NOW, session, settings
from tests.end_to_end.case import EndToEndTestCase
from tests.end_to_end.gateway import REPOSITORY, TWISTD, lack, needs, workers_of
from tests.end_to_end.ports import free_port
from tests.net.misbehaving import Misbehaving, serve

START_SECONDS = 10
TTL = 1000
ZONES = {
    "bl.test:ip4set": (":127.0.0.2:spam\n127.0.0.2\n185.1.2.0/24\n185.1.9.9 :127.255.255.254:x\n"),
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
        section = given.checks.dnslists
        self.lists = DnsLists.of_sections(section.lists)
        self.watch = ListWatch(section, reactor.seconds, lambda: NOW)
        self.watch.changed = self.lists.take_up
        self.policy = Policy.from_settings(given)
        self.names = NamesCheck.from_settings(given, self.resolver)
        return DnsListsCheck.from_settings(given, self.lists, self.resolver)

    async def self_test(self):
        """
        Let the lists test themselves, and give what is wrong with each.
        """
        await self.watch.test(self.resolver.for_check("test", 20))
        return {one.name: one.state.trouble for one in self.lists.lists}

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
    Start a server of lists that lives as long as a test, and give its port once it answers, and
    where it writes what it is asked.
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
    options = ["-l", "+-", "-t", str(TTL)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [path, "-n", *user, *options, "-w", str(folder), "-b", f"127.0.0.1/{port}", *specs],
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
                return port, folder / "log"
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
        self.port, _ = start(self)

    async def test_lists_self_test_real(self):
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

    async def test_lists_real(self):
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

    async def test_lists_for_real(self):
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

    async def test_lists_cached(self):
        """
        An answer is remembered for as long as the list says, that there is none as well.
        """
        check = self.make(self.port, bl=section("bl.test"))
        await self.self_test()
        asked = self.resolver.counts[Asked.LOOKED_UP]
        for _ in range(3):
            self.assertEqual(len(await self.found(check)), 1)
            self.assertEqual(await self.found(check, "185.9.9.9"), [])
        self.assertEqual(self.resolver.counts[Asked.LOOKED_UP], asked + 2)
        name = ("3.2.1.185.bl.test", A.code)
        now = reactor.seconds()
        self.assertIsNotNone(self.resolver.cache.get(name, now + TTL - 60))
        self.assertIsNone(self.resolver.cache.get(name, now + TTL + 60))

    async def test_lists_codes_real(self):
        """
        An answer without a code of the configuration is no entry, and the list is right.
        """
        check = self.make(self.port, codes=section("codes.test", codes=("127.0.0.10",)))
        await self.self_test()
        self.assertEqual(await self.found(check, "185.1.2.4"), [])
        self.assertIsNone(self.lists.lists[0].state.trouble)


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
            one.state = evolve(one.state, trouble=None, reason="")
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
            self.make(self.port)
            findings = await self.found(
                self.names, "10.1.2.3", f"{domain}.example", f"{domain}.example"
            )
            self.assertEqual([each.symbol for each in findings], ["NAMES_UNKNOWN"], domain)
            self.assertIsNone(self.reply(self.names, findings), domain)


TABLES = """
[dns]
servers = ["127.0.0.1:{port}"]
reply_seconds = 0.3
tries = 1
[checks.dnslists]
mode = "enforce"
exempt_networks = []
[checks.dnslists.lists.dbl]
zone = "{dbl}"
of = "domains"
page = "https://dbl.example/{{}}"
codes = {{ "127.0.1.2" = {{ words = "is a domain of spam", score = 5.0 }} }}
"""
REAL = """
[checks.dnslists.lists.none]
zone = "none.test"
codes = { "127.0.0.2" = { words = "x", score = 5.0 } }
[checks.dnslists.lists.bl]
zone = "bl.test"
page = "https://bl.example/{}"
codes = { "127.0.0.2" = { words = "x", score = 5.0 } }
"""
LINKS = """
[checks.links]
mode = "enforce"
"""
ENFORCED = """
[checks.names]
mode = "enforce"
exempt_networks = []
[checks.spf]
mode = "enforce"
[checks.dkim]
mode = "enforce"
[checks.dmarc]
mode = "enforce"
"""
XCLIENT = 'xclient_networks = ["127.0.0.0/8"]'
ROUTES = f"""
{XCLIENT}
[[route]]
domains = ["example.com"]
upstream = "server"
[upstream.server]
kind = "maildir"
path = "inbox"
"""
FAILURES = (
    "timeout",
    "servfail",
    "refused",
    "lame",
    "garbage",
    "short",
    "loop",
    "endless",
    "never",
    "truncated_always",
)
"""What a DNS server can do so that nothing is known."""

ODDITIES = (
    "large",
    "wrong_id",
    "wrong_question",
    "wrong_source",
    "case_forged",
    "slow",
    "wildcard",
)
"""And so that something is, in the end."""

LOOPBACK = """
import fcntl, os, socket, struct, sys
with socket.socket() as near:
    fcntl.ioctl(near, 0x8914, struct.pack("16sh22x", b"lo", 1))  # the interface is up
os.execv(sys.argv[1], sys.argv[1:])
"""

SIGNATURE = (
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={0}.example; s=key; h=from;"
    " bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA"
)


class GatewayTests(EndToEndTestCase):
    """
    Tests of a gateway.
    """

    timeout = 240

    def session(self, gateway, helo, client="185.7.7.7"):
        """
        Begin a session of a stranger.
        """
        session = smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=60)
        self.addCleanup(session.close)
        session.ehlo("before.example")
        self.assertEqual(session.docmd("XCLIENT", f"ADDR={client}")[0], 220)
        session.ehlo(helo)
        return session

    def listed(self, gateway, client="185.1.2.3"):
        """
        Give the reply to RCPT for a client that is on a list.
        """
        with self.session(gateway, "mx.good.example", client) as session:
            self.assertEqual(session.mail("x@good.example")[0], 250)
            return session.rcpt("ada@example.com")

    def lists(self, gateway):
        """
        Give how the lists are, by name.
        """
        status = json.loads(gateway.run("status", "--json").stdout)
        return {each["name"]: each for each in status["dns_lists"]}

    def test_gateway(self):
        """
        A gateway tests its lists at the start, shows the one that fails, and refuses at RCPT, with
        the list and its look-up page, a sender that is on another.
        """
        port, _ = start(self)
        tables = TABLES.format(port=port, dbl="dbl.test") + REAL
        gateway = self.gateway(tables=tables, routes=ROUTES).start()

        def shown():
            return gateway.run("status").stdout

        self.eventually(lambda: "DNS list dbl" in shown(), "not shown")
        self.eventually(lambda: "it does not list its test entry: 2.0.0.127" in shown(), "not off")
        self.assertIn("dnslist.off none", gateway.said())
        self.assertEqual(self.lists(gateway)["none"]["trouble"], "self-test")
        with self.session(gateway, "mx.good.example") as client:
            self.assertEqual(client.mail("x@bad.example")[0], 250)
            code, words = client.rcpt("postmaster@example.com")
            self.assertEqual(code, 250)
            code, words = client.rcpt("ada@example.com")
            self.assertEqual(code, 550)
            self.assertIn(b"bad.example is listed by dbl, see https://dbl.example/bad.exa", words)

    def test_links(self):
        """
        A message that links to a domain on a list is refused at its dot, and told which list.
        """
        port, _ = start(self)
        tables = TABLES.format(port=port, dbl="dbl.test") + LINKS
        gateway = self.gateway(tables=tables, routes=ROUTES).start()
        self.eventually(lambda: self.lists(gateway)["dbl"]["trouble"] == "", "not tested")
        head = "From: x@good.example\r\nMessage-ID: <1@good.example>\r\n\r\n"
        for host, expected in (("good.example", 250), ("bad.example", 550)):
            with self.session(gateway, "mx.good.example") as client:
                client.mail("x@good.example")
                client.rcpt("ada@example.com")
                code, words = client.data(f"{head}See https://{host}/offer today.\r\n")
                self.assertEqual(code, expected, words)
        self.assertIn(b"bad.example is listed by dbl, see https://dbl.example/bad.example", words)

    def test_one_process(self):
        """
        So it does without any worker of its own; what the answers say of a list is taken in.
        """
        port, _ = start(self)
        tables = TABLES.format(port=port, dbl="dbl.test") + REAL
        gateway = self.gateway(tables=tables, routes=ROUTES, top="workers = 0").start()
        self.eventually(lambda: self.listed(gateway)[0] == 550, "not refused")
        self.assertEqual(self.lists(gateway)["none"]["trouble"], "self-test")
        self.assertEqual(self.listed(gateway, "185.1.9.9")[0], 250)
        self.assertEqual(self.lists(gateway)["bl"]["trouble"], "refused")
        self.assertEqual(self.listed(gateway)[0], 250)

    def test_lists_once_for_all_workers(self):
        """
        With several workers each list is tested once. What one of them sees of a list counts for
        all, and outlives them.
        """
        port, log = start(self)
        tables = TABLES.format(port=port, dbl="dbl.test") + REAL

        def asked(name):
            return log.read_text().lower().count(f" {name} a in")

        before = asked("2.0.0.127.bl.test")
        gateway = self.gateway(tables=tables, routes=ROUTES, top="workers = 2").start()
        self.eventually(
            lambda: self.lists(gateway)["bl"]["trouble"] == "", "it does not pass its test"
        )
        self.assertEqual(asked("2.0.0.127.bl.test"), before + 1)
        for _ in range(8):
            code, words = self.listed(gateway)
            self.assertEqual(code, 550)
            self.assertIn(b"185.1.2.3 is listed by bl, see https://bl.example/185.1.2.3", words)
        # An address that is refused to be answered for, as if the query were.
        self.assertEqual(self.listed(gateway, "185.1.9.9")[0], 250)
        found = self.lists(gateway)["bl"]
        self.assertEqual(found["trouble"], "refused")
        self.assertEqual(found["reason"], "it refuses to answer: 127.255.255.254")
        self.eventually(
            lambda: all(self.listed(gateway)[0] == 250 for _ in range(8)), "a worker asks it"
        )
        self.assertEqual(gateway.said().count("dnslist.off bl"), 1)
        old = workers_of(gateway.process.pid)
        for pid in old:
            os.kill(pid, signal.SIGKILL)

        def replaced():
            now = workers_of(gateway.process.pid)
            status = json.loads(gateway.run("status", "--json").stdout)
            ready = [each["pid"] for each in status["workers"] if each["is_ready"]]
            return len(now) == 2 and not now & old and set(ready) == now

        self.eventually(replaced, "no other workers")
        self.assertEqual(self.lists(gateway)["bl"], found)
        self.assertEqual({self.listed(gateway)[0] for _ in range(8)}, {250})
        self.assertEqual(gateway.run("reload").returncode, 0)
        self.assertEqual(self.lists(gateway)["bl"], found)
        self.assertEqual(asked("2.0.0.127.bl.test"), before + 1)

    def test_f10_nothing_refused(self):
        """
        Whatever a DNS server does, no failure of it ever refuses a message, though all that asks it
        may: lists, names, SPF, DKIM and DMARC. What it says without failing does.
        """
        port = free_port()
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.net.misbehaving", str(port)],
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
        )
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait, 10)
        self.addCleanup(server.kill)
        self.assertEqual(server.stdout.readline(), b"ready\n")
        tables = TABLES.format(port=port, dbl="lists.invalid") + ENFORCED
        gateway = self.gateway(tables=tables, routes=ROUTES).start()
        self.eventually(lambda: self.lists(gateway)["dbl"]["trouble"] == "", "not tested")
        names = (*FAILURES, *ODDITIES)
        for number, name in enumerate(names, 1):
            with self.session(gateway, f"{name}.example", f"185.7.7.{number}") as client:
                client.mail(f"ada@{name}.example")
                self.assertEqual(client.rcpt("ada@example.com"), (250, b"2.1.5 recipient ok"), name)
                # That there is no key, or a wrong one, is no failure of the DNS.
                signed = SIGNATURE.format(name if name in FAILURES else "servfail")
                message = f"From: ada@{name}.example\r\n{signed}\r\n\r\nx\r\n"
                self.assertEqual(client.data(message)[0], 250, name)
            for helo, sender, words in (
                ("listed.example", "", b"listed by dbl"),
                ("x.invalid", "ada@nxdomain.example", b"neither MX nor an address"),
            ):
                with self.session(gateway, helo, f"185.7.8.{number}") as client:
                    client.mail(sender)
                    code, said = client.rcpt("ada@example.com")
                    self.assertEqual(code, 550, name)
                    self.assertIn(words, said, name)
        self.eventually(
            lambda: len(gateway.delivered()) == len(names), lambda: str(gateway.delivered())
        )
        # Last, as a list in whose place somebody else answers is asked no more.
        with self.session(gateway, "hijack.example") as client:
            client.mail("ada@hijack.example")
            self.assertEqual(client.rcpt("ada@example.com")[0], 250)
        self.assertEqual(self.lists(gateway)["dbl"]["trouble"], "hijacked")

    def test_f10_no_network(self):
        """
        Without any network the gateway starts at once and mail flows, with all lists unknown.
        """
        tool, *_ = needs(self, "unshare")
        apart = (tool, "-rn", sys.executable, "-c", LOOPBACK)
        if subprocess.run([*apart, "/bin/true"], capture_output=True).returncode:
            lack(self, "namespaces of networks are not allowed")
        folder = Path(mkdtemp())
        self.addCleanup(rmtree, folder)
        listener = f'[[listener]]\nname = "near"\naddress = "unix:{folder}/in"\n{XCLIENT}\n'
        tables = TABLES.format(port=53, dbl="dbl.test") + ENFORCED + listener
        gateway = self.gateway(tables=tables.replace("127.0.0.1:53", "192.0.2.53"), routes=ROUTES)
        with (gateway.folder / "output").open("wb") as output:
            gateway.process = subprocess.Popen(
                [*apart, *TWISTD, "-n", "--pidfile=", "mailgate", "--config", gateway.config],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                cwd=REPOSITORY,
            )
        self.eventually(lambda: "gateway.started" in gateway.said(), gateway.said)
        for number in range(3):
            with Near(f"{folder}/in", timeout=60) as client:
                client.ehlo("before.example")
                self.assertEqual(client.docmd("XCLIENT", "ADDR=185.7.7.7")[0], 220)
                client.ehlo("mx.good.example")
                client.sendmail(
                    f"ada@s{number}.example",
                    "ada@example.com",
                    f"From: ada@s{number}.example\r\n{SIGNATURE.format('s')}\r\n\r\nx\r\n",
                )
        self.assertEqual(len(gateway.delivered()), 3)
        self.assertIn(self.lists(gateway)["dbl"]["trouble"], ("untested", "silent"))


class Near(smtplib.SMTP):
    """
    A client of a Unix socket.
    """

    def _get_socket(self, host, port, timeout):
        near = socket.socket(socket.AF_UNIX)
        near.settimeout(timeout)
        near.connect(host)
        return near
