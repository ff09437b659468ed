"""
Tests of rates and of the penalty box in a gateway that runs.
"""

import os
import signal
import smtplib
import subprocess

from mailgate.hub.control import ask
from tests.end_to_end.case import EndToEndTestCase
from tests.end_to_end.gateway import lack, workers_of

RATES = """
[checks.rates]
exempt_networks = []
enforce_for = ["address"]
address_messages = {messages}
"""
PENALTY = """
[checks.penalty]
mode = "enforce"
exempt_networks = []
from_points = 1.0
enforce_points = 2.0
export_points = 2.0
[recipients.table]
kind = "file"
file = "recipients"
"""
TEXT = "From: eve@example.org\r\nSubject: Hello\r\nMessage-ID: <{}@example.org>\r\n\r\nHi\r\n"


class SendersCase(EndToEndTestCase):
    """
    Sends mail to a gateway.
    """

    timeout = 120

    def client(self, gateway):
        """
        Connect.
        """
        client = smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=30)
        self.addCleanup(client.close)
        client.ehlo("client.example.org")
        return client

    def rcpt(self, gateway, *recipients):
        """
        Give the replies to some RCPT of one transaction.
        """
        client = self.client(gateway)
        client.mail("eve@example.org")
        return [client.rcpt(recipient) for recipient in recipients]


class RatesTests(SendersCase):
    """
    Tests of what is counted for all workers.
    """

    def send(self, gateway, number):
        """
        Send some messages that are taken.
        """
        client = self.client(gateway)
        for at in range(number):
            client.sendmail("eve@example.org", "ada@example.com", TEXT.format(at))

    def test_stopped(self):
        """
        Whoever has sent as much as may be is told to come again, by whichever worker it meets, also
        when workers have died and after a reload; and is free at once with a higher limit.
        """
        gateway = self.gateway(tables=RATES.format(messages=6), top="workers = 2").start()
        self.eventually(lambda: "gateway.started" in gateway.said(), "it does not start")
        self.send(gateway, 3)
        workers = workers_of(gateway.process.pid)
        self.assertEqual(len(workers), 2)
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        self.eventually(lambda: len(workers_of(gateway.process.pid) - workers) == 2, gateway.said)
        self.send(gateway, 3)
        self.eventually(lambda: self.replies(gateway)[0] == 451, "nobody is held up")
        _, words = self.replies(gateway)
        self.assertTrue(words.startswith(b"4.7.1 too much mail from your address, try again"))
        (protected,) = self.rcpt(gateway, "postmaster@example.com")
        self.assertEqual(protected[0], 250)
        ask(gateway.data / "control", "reload", {})
        self.assertEqual({self.replies(gateway)[0] for _ in range(6)}, {451})
        text = gateway.config.read_text()
        gateway.config.write_text(text.replace("address_messages = 6", "address_messages = 8"))
        ask(gateway.data / "control", "reload", {})
        self.eventually(lambda: self.replies(gateway)[0] == 250, "the limit is the old one")

    def replies(self, gateway):
        """
        Give the reply to RCPT.
        """
        return self.rcpt(gateway, "ada@example.com")[0]


class PenaltyTests(SendersCase):
    """
    Tests of the penalty box.
    """

    def test_boxed(self):
        """
        Whoever guesses at recipients is refused then, but can write to postmaster; that outlasts a
        restart, can be written for real firewalls, and can be forgiven.
        """
        gateway = self.gateway(tables=PENALTY)
        (gateway.folder / "recipients").write_text("ada@example.com\n")
        gateway.start()
        client = self.client(gateway)
        client.mail("eve@example.org")
        for at in range(5):
            self.assertEqual(client.rcpt(f"nobody{at}@example.com")[0], 550)
        client.quit()
        self.eventually(
            lambda: self.rcpt(gateway, "ada@example.com")[0][0] == 550, "nobody is in the box"
        )
        refused, taken = self.rcpt(gateway, "ada@example.com", "postmaster@example.com")
        words = b"5.7.1 too much unwanted mail came from 127.0.0.1 lately ("
        self.assertTrue(refused[1].startswith(words))
        self.assertEqual(taken[0], 250)
        gateway.stop()
        gateway.start()
        self.assertEqual(self.rcpt(gateway, "ada@example.com")[0][0], 550)
        self.export(gateway)
        control = gateway.data / "control"
        self.assertEqual(ask(control, "penalty.clear", {"by": "ada"}), {"cleared": 2})
        self.assertEqual(self.rcpt(gateway, "ada@example.com")[0][0], 250)
        self.assertEqual(ask(control, "penalty.list", {"all": True})["total"], 0)

    def export(self, gateway):
        """
        Let nft and ipset load what is written for them, twice, in a network of their own.
        """
        for form, load, show in (
            ("nftables", "nft -c -f {0} && nft -f {0} && nft -f {0}", "nft list ruleset"),
            ("ipset", "ipset restore -f {0} && ipset restore -f {0}", "ipset list"),
        ):
            path = gateway.folder / f"penalty.{form}"
            done = gateway.run("penalty", "export", "--networks", "--format", form, path)
            self.assertEqual((done.stdout, done.returncode), (f"{path}: 1 written\n", 0))
            program = show.split()[0]
            environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
            inside = ["unshare", "--net", "--map-root-user", "sh", "-c"]
            if subprocess.run(
                [*inside, f"{program} --version"], capture_output=True, env=environment
            ).returncode:
                lack(self, f"not possible here: unshare with {program}")
            done = subprocess.run(
                [*inside, f"{load.format(path)} && {show}"],
                capture_output=True,
                text=True,
                env=environment,
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("127.0.0.0/24 timeout", done.stdout)
