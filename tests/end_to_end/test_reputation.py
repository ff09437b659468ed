"""
Tests of reputation in a gateway that runs, with a DNS server.
"""

import shutil
import smtplib
from tempfile import mkdtemp

from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.names import dns
from twisted.trial.unittest import TestCase

from mailgate.hub.control import ask
from tests.end_to_end.dns_server import serve_zone, text
from tests.end_to_end.gateway import Gateway
from tests.end_to_end.ports import free_port

TABLES = """
[dns]
servers = ["127.0.0.1:{port}"]
[checks.spf]
exempt_networks = []
[checks.greylist]
mode = "enforce"
from_total = 0.0
wait_seconds = 86400.0
exempt_networks = []
[[listener]]
name = "machines"
address = "127.0.0.1:{inside}"
role = "internal"
networks = ["127.0.0.1"]
[[route]]
domains = ["*"]
upstream = "smarthost"
[upstream.smarthost]
kind = "maildir"
path = "sent"
"""
ZONE = {
    b"example.test": [text("v=spf1 ip4:127.0.0.1 -all"), dns.Record_A("192.0.2.1", ttl=300)],
    b"forged.example.test": [text("v=spf1 -all"), dns.Record_A("192.0.2.1", ttl=300)],
}
MESSAGE = (
    b"From: Eve <eve@example.test>\r\nDate: Fri, 15 Jan 2027 08:00:00 +0000\r\n"
    b"Message-ID: <1@example.test>\r\nSubject: x\r\n\r\nHi\r\n"
)


class ReputationTests(TestCase):
    """
    Tests of what a worker hears of the hub about senders, and the hub of a worker.
    """

    timeout = 180

    def setUp(self):
        """
        Start a gateway that lets those wait whom it does not know.
        """
        port = serve_zone(self, reactor, b"example.test", ZONE)
        folder = mkdtemp(prefix="mailgate-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        self.inside = free_port()
        self.gateway = Gateway(folder, tables=TABLES.format(port=port, inside=self.inside))
        self.addCleanup(self.gateway.stop)
        self.gateway.start()

    def send(self, sender, recipient, message=None, port=None):
        """
        Give the code of the reply to RCPT, or to a message.
        """
        with smtplib.SMTP("127.0.0.1", port or self.gateway.smtp_port, timeout=30) as client:
            client.ehlo("client.example.test")
            client.mail(sender)
            code, _ = client.rcpt(recipient)
            if message is None:
                return code
            code, words = client.data(message)
            return code, words.decode()

    def known(self):
        """
        Give the senders that are known.
        """
        return ask(self.gateway.data / "control", "reputation.list", {})["rows"]

    async def test_passed_before(self):
        """
        Whose mail has passed once does not wait any more, also after the gateway was killed; the
        others wait, and so does whoever only claims to be that sender. What is marked as spam
        counts against it.
        """
        to = "ada@example.com"
        self.assertEqual(await deferToThread(self.send, "eve@example.test", to), 451)
        code, _ = await deferToThread(
            self.send, "eve@example.test", "postmaster@example.com", MESSAGE
        )
        self.assertEqual(code, 250)
        (row,) = await deferToThread(self.known)
        self.assertEqual((row["name"], row["standing"]), ("example.test", "unclear"))
        (delivered,) = self.gateway.delivered()
        trace = delivered.partition(b"X-Mailgate-Trace: ")[2].split()[0].decode()
        found = await deferToThread(self.gateway.run, "trace", trace)
        self.assertIn("REPUTATION_NEW", found.stdout)
        self.gateway.kill()
        self.gateway.start()
        for sender, reply in (
            ("bob@example.test", 250),
            ("eve@forged.example.test", 451),
            ("eve@example.org", 451),
        ):
            self.assertEqual(await deferToThread(self.send, sender, to), reply, sender)
        path = self.gateway.folder / "spam"
        path.write_bytes(delivered)
        learned = await deferToThread(self.gateway.run, "learn", "spam", path)
        self.assertEqual(learned.returncode, 0, learned.stderr)
        (row,) = await deferToThread(self.known)
        self.assertEqual((round(row["bad"], 3), row["standing"]), (2.0, "bad"))
        shown = await deferToThread(self.gateway.run, "reputation", "show", "example.test")
        self.assertIn("example.test has a bad name here", shown.stdout)

    async def test_correspondent(self):
        """
        To whom somebody of ours has written, they need not wait when they answer.
        """
        message = b"From: ada@example.com\r\nSubject: x\r\n\r\nHi\r\n"
        code, _ = await deferToThread(
            self.send, "ada@example.com", "eve@example.test", message, self.inside
        )
        self.assertEqual(code, 250)
        (row,) = await deferToThread(self.known)
        self.assertEqual((row["name"], row["last"]), ("example.test", 0))
        self.assertGreater(row["written"], 0)
        code = await deferToThread(self.send, "eve@example.test", "ada@example.com")
        self.assertEqual(code, 250)

    async def test_written(self):
        """
        To whom somebody of ours has written gets credit as a correspondent, also after a restart;
        whoever has the same domain does not.
        """
        message = b"From: ada@example.com\r\nSubject: x\r\n\r\nHi\r\n"
        code, _ = await deferToThread(
            self.send, "ada@example.com", "eve@example.test", message, self.inside
        )
        self.assertEqual(code, 250)
        self.gateway.stop()
        self.gateway.start()
        for author, symbol in (("eve", "CORRESPONDENT_OF_RECIPIENT"), ("bob", "CORRESPONDENT_NEW")):
            answer = MESSAGE.replace(b"eve@", f"{author}@".encode())
            code, words = await deferToThread(
                self.send, f"{author}@example.test", "ada@example.com", answer
            )
            self.assertEqual(code, 250, words)
            delivered = next(m for m in self.gateway.delivered() if f"{author}@".encode() in m)
            trace = delivered.partition(b"X-Mailgate-Trace: ")[2].split()[0].decode()
            found = await deferToThread(self.gateway.run, "trace", trace)
            self.assertIn(symbol, found.stdout)
