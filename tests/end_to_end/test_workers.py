"""
Workers as processes: they die, are replaced, and give way to others at a reload.
"""

import os
import re
import signal
import smtplib
import socket
import subprocess
import sys
import threading
import time
from email.message import EmailMessage
from pathlib import Path

from tests.end_to_end.case import EndToEndTestCase
from tests.end_to_end.gateway import free_port, needs, workers_of

RELOADS = int(os.environ.get("MAILGATE_TEST_RELOADS", "8"))


def message(identity):
    """
    Make a message that can be found again.
    """
    made = EmailMessage()
    made["From"] = "Ada <ada@example.org>"
    made["To"] = "bob@example.com"
    made["Message-ID"] = f"<{identity}@example.org>"
    made["Subject"] = "about the meeting"
    made.set_content("See you there.\n")
    return made


def workers(gateway):
    """
    Give the workers of a gateway.
    """
    return workers_of(gateway.process.pid)


# What a worker's Python runs at its start: a mistake that ends the process at some words. The
# processes of the sandbox begin without the environment, and so without the mistake.
DEADLY = """
import os, sys
if any("mailgate.child" in each for each in sys.orig_argv):
    from mailgate.checks.bayes import BayesCheck
    judge = BayesCheck.check
    def check(self, view):
        if b"deadly words" in view.fact("content").data:
            os.abort()
        return judge(self, view)
    BayesCheck.check = check
"""


class Sender(threading.Thread):
    """
    A client that sends one message after the other until it is told to stop, two on each
    connection.
    """

    def __init__(self, port, name):
        super().__init__()
        self.port = port
        self.label = name
        self.is_over = threading.Event()
        self.sent = []
        self.errors = []

    def run(self):
        """
        Send.
        """
        while not self.is_over.is_set():
            try:
                with smtplib.SMTP("127.0.0.1", self.port, timeout=30) as client:
                    for _ in range(2):
                        identity = f"{self.label}-{len(self.sent)}"
                        client.send_message(message(identity))
                        self.sent.append(identity)
            except (OSError, smtplib.SMTPException) as error:
                self.errors.append(repr(error))


class WorkerTests(EndToEndTestCase):
    """
    Tests with two workers.
    """

    def start(self, **keywords):
        """
        Start a gateway with two workers.
        """
        gateway = self.gateway(top="workers = 2", **keywords).start()
        self.eventually(lambda: "gateway.started" in gateway.said(), "it does not start")
        return gateway

    def send(self, gateway, identity, port=None):
        """
        Send one message.
        """
        with smtplib.SMTP("127.0.0.1", port or gateway.smtp_port, timeout=30) as client:
            client.send_message(message(identity))

    def test_f16_worker_dies(self):
        """
        A worker that is killed costs its own connections only, and another one takes its place.
        """
        gateway = self.start()
        before = workers(gateway)
        self.assertEqual(len(before), 2)
        clients = [smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=30) for _ in range(12)]
        self.addCleanup(lambda: [client.close() for client in clients])
        os.kill(min(before), signal.SIGKILL)
        self.eventually(lambda: "killed by SIGKILL" in gateway.said(), "nobody saw it die")
        alive = 0
        for number, client in enumerate(clients):
            try:
                client.send_message(message(f"kept-{number}"))
                alive += 1
            except smtplib.SMTPException:
                continue
        self.eventually(
            lambda: len(workers(gateway)) == 2 and not workers(gateway) & {min(before)},
            "no other worker was started",
        )
        self.send(gateway, "after")
        self.assertEqual(len(gateway.delivered()), alive + 1)
        self.assertEqual(gateway.stop(), -signal.SIGTERM)

    def test_without_the_hub(self):
        """
        When the hub dies, so do its workers, and a new hub can take their addresses.
        """
        gateway = self.start()
        before = workers(gateway)
        gateway.kill()

        def gone():
            return all(not Path(f"/proc/{pid}").exists() for pid in before)

        self.eventually(gone, "workers without a hub stay")
        gateway.start()
        self.send(gateway, "after")
        self.assertEqual(len(gateway.delivered()), 1)

    def test_hub_that_does_not_read(self):
        """
        While the hub reads nothing, mail that needs nothing of it flows on; once it reads again, it
        has all traces.
        """
        gateway = self.gateway(top="workers = 1").start()
        self.eventually(lambda: "gateway.started" in gateway.said(), "it does not start")
        self.send(gateway, "before")
        hub, number = gateway.process.pid, 600
        os.kill(hub, signal.SIGSTOP)
        try:
            with smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=30) as client:
                for each in range(number):
                    # More than the sockets between the two take.
                    client.sendmail(
                        "ada@example.org",
                        [f"bob+{each:0100}@example.com"],
                        b"Subject: x\r\nDate: Fri, 15 Jan 2027 08:00:00 +0000\r\n\r\n.\r\n",
                    )
            self.assertEqual(len(gateway.delivered()), number + 1)
        finally:
            os.kill(hub, signal.SIGCONT)
        path = gateway.data / "transactions.jsonl"
        self.eventually(
            lambda: path.exists() and len(path.read_text().splitlines()) == number + 1,
            "traces are missing",
        )
        self.assertNotIn("link.dropped", gateway.said())

    def test_poison(self):
        """
        A message that kills a worker costs its own connections only. When it comes again, it is
        judged in the sandbox, by the other workers and those after a reload too.
        """
        gateway = self.gateway(top="workers = 2")
        (gateway.folder / "sitecustomize.py").write_text(DEADLY)
        gateway.start(PYTHONPATH=os.pathsep.join([str(gateway.folder), *sys.path]))
        self.eventually(lambda: "gateway.started" in gateway.said(), "it does not start")
        deadly = message("deadly")
        deadly.set_content("These are deadly words.\n")
        with smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=30) as client:
            self.assertRaises((OSError, smtplib.SMTPException), client.send_message, deadly)
            client.close()
        self.eventually(lambda: "worker.suspects" in gateway.said(), "nobody learned of it")
        self.send(gateway, "other")
        for _ in range(2):
            with smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=60) as client:
                client.send_message(deadly)
            self.assertEqual(gateway.run("reload").returncode, 0)
        self.assertEqual(gateway.said().count("worker.died"), 1)
        self.assertEqual(len(gateway.delivered()), 3)

    def test_limits_are_for_all(self):
        """
        A client may have no more connections to two workers than to one, whether they have been
        there since before a reload or not; those of a dead worker count no more.
        """
        limits = "[limits.clients]\nexempt_networks = []\nconnections_per_address = 4\n"
        gateway = self.start(tables=limits)
        clients = []
        self.addCleanup(lambda: [client.close() for client in clients])

        def greeting():
            client = smtplib.SMTP(timeout=30)
            code, _ = client.connect("127.0.0.1", gateway.smtp_port)
            (clients if code == 220 and len(clients) < 4 else []).append(client)
            return code

        self.eventually(lambda: greeting() == 220 and len(clients) == 4, "they cannot connect")
        self.eventually(lambda: greeting() == 421, "a fifth is let in")
        self.assertEqual(gateway.run("reload").returncode, 0)
        self.eventually(lambda: greeting() == 421, "a fifth is let in after the reload")
        for client in clients:
            client.close()
        clients.clear()
        self.eventually(lambda: greeting() == 220, "nobody is let in any more")

    def test_old_clients_are_not_new(self):
        """
        The connections that old workers keep after a reload count as open for the new ones, and
        not as if they had just been made.
        """
        gateway = self.gateway(
            top="workers = 1",
            tables="[limits.clients]\nexempt_networks = []\nrate_per_address = 3\n"
            "connections_per_address = 5\n",
        ).start()
        self.eventually(lambda: "gateway.started" in gateway.said(), "it does not start")

        def greeting():
            client = socket.create_connection(("127.0.0.1", gateway.smtp_port), 30)
            self.addCleanup(client.close)
            return client.recv(100)

        # The start has looked once already.
        self.assertEqual([greeting()[:3] for _ in range(3)], [b"220", b"220", b"421"])
        self.assertEqual(gateway.run("reload").returncode, 0)
        self.assertEqual([greeting()[:3] for _ in range(3)], [b"220"] * 3)
        self.assertIn(b"too many connections", greeting())

    def test_held_across_the_border(self):
        """
        A message that is held lies in the quarantine, and is released from there.
        """
        gateway = self.start(tables="[policy]\ntag = -9\nquarantine = -8\nreject = 90\n")
        self.send(gateway, "held")
        (held,) = gateway.held()
        self.assertEqual(held["subject"], "about the meeting")
        self.assertIn("released", gateway.run("quarantine", "release", held["id"]).stdout.lower())
        self.eventually(gateway.delivered, "what was released does not arrive")

    def test_f14_reload_under_load(self):
        """
        Reloads while mail comes in drop no connection and lose no message.
        """
        gateway = self.start()
        senders = [Sender(gateway.smtp_port, f"s{number}") for number in range(4)]
        for sender in senders:
            sender.start()
            self.addCleanup(sender.is_over.set)
        seen = workers(gateway)
        sizes = []
        for number in range(RELOADS):
            done = gateway.run("reload")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr + gateway.said())
            seen |= workers(gateway)
            if number >= RELOADS // 2:
                status = Path(f"/proc/{gateway.process.pid}/status").read_text()
                sizes.append(int(re.search(r"VmRSS:\s+(\d+)", status)[1]))
        for sender in senders:
            sender.is_over.set()
            sender.join(60)
        self.assertEqual([error for sender in senders for error in sender.errors], [])
        sent = [identity for sender in senders for identity in sender.sent]
        self.assertGreater(len(sent), RELOADS)
        self.assertGreaterEqual(len(seen), 2 * RELOADS)
        arrived = b"".join(gateway.delivered())
        found = re.findall(rb"(?m)^Message-ID: <([^@]+)@", arrived)
        self.assertEqual(sorted(found), sorted(identity.encode() for identity in sent))
        self.assertLess(max(sizes) - min(sizes), 30_000, sizes)

    def test_reload_while_it_starts(self):
        """
        A reload that is asked for while the first workers start is carried out after that.
        """
        gateway = self.gateway(top="workers = 1").start()
        more = free_port()
        with gateway.config.open("a") as file:
            file.write(f'[[listener]]\nname = "more"\naddress = "127.0.0.1:{more}"\n')
        os.kill(gateway.process.pid, signal.SIGHUP)
        self.eventually(lambda: "gateway.reloaded" in gateway.said(), "it is not taken up")
        self.send(gateway, "there", port=more)

    def test_f14_wrong_configuration(self):
        """
        A wrong configuration changes nothing, and the words name the key and what is allowed.
        """
        gateway = self.start()
        before = workers(gateway)
        right = gateway.config.read_text()
        gateway.config.write_text(right.replace("workers = 2", "workers = 200"))
        os.kill(gateway.process.pid, signal.SIGHUP)
        self.eventually(lambda: "gateway.not_reloaded" in gateway.said(), "nothing is said")
        self.assertRegex(gateway.said(), r"workers.*64")
        self.assertEqual(gateway.run("reload").returncode, 2)
        self.assertEqual(workers(gateway), before)
        gateway.config.write_text(right)
        self.send(gateway, "after")

    def test_address_in_use(self):
        """
        So does an address that somebody else has.
        """
        gateway = self.start()
        before = workers(gateway)
        taken = self.upstream()
        with gateway.config.open("a") as file:
            file.write(f'[[listener]]\nname = "more"\naddress = "127.0.0.1:{taken.port}"\n')
        done = gateway.run("reload")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"cannot listen on 127.0.0.1:{taken.port}", done.stderr)
        self.assertEqual(workers(gateway), before)
        self.send(gateway, "after")

    def test_new_configuration(self):
        """
        What has changed counts after the reload: listeners, routes, checks, the number of workers.
        """
        gateway = self.start()
        more = free_port()
        text = gateway.config.read_text().replace("workers = 2", "workers = 1")
        text = text.replace('"example.net"', '"example.net", "more.example.com"')
        text += f'[[listener]]\nname = "more"\naddress = "127.0.0.1:{more}"\n'
        gateway.config.write_text(text)
        os.kill(gateway.process.pid, signal.SIGHUP)
        self.eventually(lambda: "gateway.reloaded" in gateway.said(), "it is not taken up")
        with smtplib.SMTP("127.0.0.1", more, timeout=30) as client:
            client.sendmail("ada@example.org", ["eve@more.example.com"], "Subject: x\n\nx\n")
        self.assertEqual(len(gateway.delivered()), 1)
        self.eventually(lambda: len(workers(gateway)) == 1, "the old workers stay")

    def test_unix_socket(self):
        """
        A Unix socket is for the gateway's own user and group, and stays when old workers leave it.
        """
        path = Path(self.mktemp()).absolute().with_name("in.sock")
        listener = f'[[listener]]\nname = "near"\naddress = "unix:{path}"\nrole = "lmtp"\n'
        gateway = self.start(tables=listener)
        for _ in range(2):
            self.assertEqual(path.stat().st_mode & 0o777, 0o660)
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(30)
                client.connect(os.path.relpath(path))
                self.assertEqual(client.recv(100), b"220 mail.example.com LMTP mailgate\r\n")
            before = workers(gateway)
            self.assertEqual(gateway.run("reload").returncode, 0)
            self.eventually(lambda old=before: not old & workers(gateway), "the old workers stay")

    def test_old_clients_stay(self):
        """
        A client that is there at a reload can go on, for as long as the gateway drains.
        """
        gateway = self.start()
        with smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=30) as client:
            client.send_message(message("before"))
            self.assertEqual(gateway.run("reload").returncode, 0)
            client.send_message(message("afterwards"))
        self.assertEqual(len(gateway.delivered()), 2)

    def test_f15_end_under_load(self):
        """
        Whatever was answered with 250 when SIGTERM comes is there, once.
        """
        gateway = self.start()
        senders = [Sender(gateway.smtp_port, f"e{number}") for number in range(4)]
        for sender in senders:
            sender.start()
            self.addCleanup(sender.is_over.set)
        self.eventually(lambda: sum(len(each.sent) for each in senders) > 40, "nothing is sent")
        gateway.stop()
        for sender in senders:
            sender.is_over.set()
            sender.join(60)
        sent = {identity.encode() for sender in senders for identity in sender.sent}
        found = re.findall(rb"(?m)^Message-ID: <([^@]+)@", b"".join(gateway.delivered()))
        self.assertEqual(sent - set(found), set())
        self.assertEqual(len(found), len(set(found)))

    def test_f16_no_descriptors(self):
        """
        When a worker cannot open another file or connection, clients are closed or wait, and as
        soon as it can again, mail goes on.
        """
        (prlimit,) = needs(self, "prlimit")
        gateway = self.gateway(top="workers = 1").start()
        self.eventually(lambda: "gateway.started" in gateway.said(), "it does not start")
        (worker,) = workers(gateway)
        subprocess.run([prlimit, f"--pid={worker}", "--nofile=60:60"], check=True)
        clients = []
        try:
            place = ("127.0.0.1", gateway.smtp_port)
            clients.extend(socket.create_connection(place, 30) for _ in range(120))
            # Those whom it has accepted are served all the same.
            self.assertEqual(clients[0].recv(3), b"220")
        finally:
            for client in clients:
                client.close()
        self.eventually(lambda: self.is_sent(gateway), "mail does not go on")
        self.assertEqual(workers(gateway), {worker})

    def is_sent(self, gateway):
        """
        Try to send a message.
        """
        try:
            self.send(gateway, "after")
        except (OSError, smtplib.SMTPException):
            return False
        return True

    def test_f15_idle_are_told(self):
        """
        SIGTERM tells idle clients of every worker 421, and the gateway ends.
        """
        gateway = self.start()
        clients = [smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=30) for _ in range(6)]
        self.addCleanup(lambda: [client.close() for client in clients])
        began = time.monotonic()
        gateway.stop()
        self.assertEqual([client.getreply()[0] for client in clients], [421] * 6)
        self.assertLess(time.monotonic() - began, 20)

    def test_one_process(self):
        """
        With workers = 0 there is nothing that could be reloaded, and it is said.
        """
        gateway = self.gateway(top="workers = 0").start()
        done = gateway.run("reload")
        self.assertEqual(done.returncode, 1)
        self.assertIn("workers = 0", done.stderr)
        self.send(gateway, "after")
