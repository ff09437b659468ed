"""
How the gateway says how it is, and what a backup of one that runs is worth.
"""

import json
import os
import re
import signal
import smtplib
import threading
import urllib.error
import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from mailgate.interfaces import Protection
from tests.end_to_end.case import EndToEndTestCase
from tests.end_to_end.test_workers import message, workers

HOLDS = "[policy]\ntag = -9\nquarantine = -8\nreject = 90\n"
"""Whatever comes is held."""


class HealthTests(EndToEndTestCase):
    """
    Tests of a gateway that runs.
    """

    def start(self, **keywords):
        """
        Start a gateway.
        """
        keywords.setdefault("top", "workers = 2")
        gateway = self.gateway(**keywords).start()
        self.eventually(lambda: "gateway.started" in gateway.said(), "it does not start")
        return gateway

    def send(self, gateway, *identities):
        """
        Send messages.
        """
        with smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=30) as client:
            for identity in identities:
                client.send_message(message(identity))

    def get(self, gateway, path):
        """
        Ask, and give code and body.
        """
        try:
            url = f"http://127.0.0.1:{gateway.health_port}/{path}"
            with urllib.request.urlopen(url, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def metrics(self, gateway):
        """
        Give the counters and gauges.
        """
        code, text = self.get(gateway, "metrics")
        self.assertEqual(code, 200, text)
        return {
            (sample.name, *(v for k, v in sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def counters(self, values):
        """
        Give what must never go back.
        """
        return {
            key: value
            for key, value in values.items()
            if re.search("_(total|count|sum|bucket)$", key[0]) and "process" not in key[0]
        }

    def status(self, gateway):
        """
        Give exit status and answer of the command.
        """
        done = gateway.run("status", "--json")
        return done.returncode, json.loads(done.stdout)

    def see_well(self, gateway):
        """
        See that all is well.
        """
        self.assertEqual(self.get(gateway, "healthz"), (200, "ok\n"))
        self.assertEqual(self.get(gateway, "readyz"), (200, "ok\n"))
        code, status = self.status(gateway)
        self.assertEqual((code, status["problems"]), (0, []))
        return status

    def test_counters_never_go_back(self):
        """
        What was counted stays counted when workers give way at a reload, and when one is killed.
        """
        gateway = self.start()
        self.send(gateway, "one", "two", "three")
        seen = self.metrics(gateway)
        for key, number in {
            ("mailgate_messages_total", "accept", ""): 3,
            ("mailgate_copies_total", "delivered"): 3,
            ("mailgate_check_seconds_count", "headers"): 3,
            ("mailgate_workers", "ready"): 2,
        }.items():
            self.assertEqual(seen[key], number, key)
        self.assertGreaterEqual(seen["mailgate_sessions_total",], 1)
        before = workers(gateway)
        self.assertEqual(gateway.run("reload").returncode, 0)
        self.send(gateway, "four")
        self.eventually(lambda: not workers(gateway) & before, "the old workers stay")
        after = self.metrics(gateway)
        self.not_back(seen, after)
        self.assertEqual(after["mailgate_check_seconds_count", "headers"], 4)
        self.assertEqual(after["mailgate_reloads_total", "done"], 1)
        killed = min(workers(gateway))
        os.kill(killed, signal.SIGKILL)
        self.eventually(
            lambda: len(workers(gateway) - {killed}) == 2, "no other worker was started"
        )
        self.send(gateway, "five")
        last = self.metrics(gateway)
        self.not_back(after, last)
        self.assertEqual(last["mailgate_workers_died_total",], 1)
        self.assertEqual(last["mailgate_check_seconds_count", "headers"], 5)

    def not_back(self, before, after):
        """
        See that no counter has gone back or away.
        """
        for key, number in self.counters(before).items():
            self.assertGreaterEqual(after[key], number, key)

    def test_well(self):
        """
        Where all is well all of them say so, and the table tells the workers with their generation.
        """
        gateway = self.start()
        status = self.see_well(gateway)
        self.assertEqual({each["pid"] for each in status["workers"]}, workers(gateway))
        self.assertEqual({each["generation"] for each in status["workers"]}, {1})
        held = self.eventually(
            lambda: self.status(gateway)[1]["sandbox"]["active"], "the sandbox does not start"
        )
        metrics = self.metrics(gateway)
        for each in Protection:
            key = "mailgate_sandbox_protection", "hub", each
            self.assertEqual(metrics[key], each in held)
        self.assertIn(f"held by {', '.join(held)}", gateway.run("status").stdout)
        client = smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=30)
        self.addCleanup(client.close)
        reloading = threading.Thread(target=gateway.run, args=("reload",))
        reloading.start()
        while reloading.is_alive():
            # Somebody lets clients in at any moment of it.
            self.assertEqual(self.get(gateway, "readyz"), (200, "ok\n"))
        status = self.see_well(gateway)
        current = [each["generation"] for each in status["workers"] if each["is_current"]]
        self.assertEqual(current, [2, 2])
        (old,) = (each for each in status["workers"] if each["status"]["sessions"])
        self.assertEqual((old["generation"], old["is_current"]), (1, False))
        self.assertEqual(self.get(gateway, "")[0], 404)

    def test_one_process(self):
        """
        The same works with workers = 0.
        """
        gateway = self.start(top="workers = 0")
        self.send(gateway, "one")
        status = self.see_well(gateway)
        self.assertEqual([each["pid"] for each in status["workers"]], [gateway.process.pid])
        self.assertEqual(self.metrics(gateway)["mailgate_check_seconds_count", "headers"], 1)

    def test_stopped_worker(self):
        """
        A worker that does not answer is told, and the gateway is ready as long as another does.
        """
        gateway = self.start()
        one, other = sorted(workers(gateway))
        self.addCleanup(lambda: [os.kill(pid, signal.SIGCONT) for pid in workers(gateway)])
        os.kill(one, signal.SIGSTOP)
        self.assertEqual(self.get(gateway, "readyz"), (200, "ok\n"))
        code, status = self.status(gateway)
        self.assertEqual(code, 1)
        self.assertRegex(status["problems"][0], f"^worker {one}: .*does not answer")
        os.kill(other, signal.SIGSTOP)
        self.assertEqual(self.get(gateway, "readyz"), (503, "no worker answers\n"))
        self.assertEqual(self.get(gateway, "healthz"), (200, "ok\n"))
        os.kill(one, signal.SIGCONT)
        os.kill(other, signal.SIGCONT)
        self.see_well(gateway)

    def test_full_disk(self):
        """
        A disk without room is a reason not to send mail here.
        """
        gateway = self.start(tables="[limits]\nfree_bytes = 4611686018427387904\n")
        self.assertEqual(self.get(gateway, "readyz"), (503, "the disk is full\n"))
        self.assertEqual(self.get(gateway, "healthz")[0], 200)
        code, status = self.status(gateway)
        self.assertEqual(code, 1)
        self.assertRegex(status["problems"][0], "^disk: .* no mail is taken")

    def test_upstream_down(self):
        """
        An upstream that cannot be reached is told, and is no reason to send mail elsewhere.
        """
        upstream = self.upstream()
        port = upstream.port
        upstream.close()
        gateway = self.start(upstream_port=port)
        code, status = self.status(gateway)
        self.assertEqual(code, 1)
        self.assertRegex(status["problems"][0], "^upstream server: has failed")
        self.assertEqual(self.get(gateway, "readyz")[0], 200)

    def test_failed_reload(self):
        """
        A reload that has changed nothing is told, until one succeeds.
        """
        gateway = self.start()
        right = gateway.config.read_text()
        gateway.config.write_text(right.replace("workers = 2", "workers = 200"))
        os.kill(gateway.process.pid, signal.SIGHUP)
        self.eventually(lambda: "gateway.not_reloaded" in gateway.said(), "nothing is said")
        gateway.config.write_text(right)
        code, status = self.status(gateway)
        self.assertEqual(code, 1)
        self.assertRegex(status["problems"][0], "^reload: failed at .*workers")
        self.assertEqual(self.metrics(gateway)["mailgate_reloads_total", "failed"], 1)
        gateway.run("reload")
        self.see_well(gateway)

    def test_none(self):
        """
        With address = "" nobody can ask, and the command works all the same.
        """
        gateway = self.gateway(top="workers = 1")
        text = gateway.config.read_text()
        gateway.config.write_text(text.replace(f'"127.0.0.1:{gateway.health_port}"', '""'))
        gateway.start()
        self.assertRaises(OSError, self.get, gateway, "healthz")
        self.eventually(lambda: self.status(gateway)[0] == 0, "it does not start")
        gateway.stop()
        self.assertEqual(self.status(gateway)[0], 2)


class BackupTests(EndToEndTestCase):
    """
    Tests of a backup that is made while the gateway runs.
    """

    def test_restore_elsewhere(self):
        """
        A backup that is made while mail comes in can be restored on another machine, which holds
        the same bytes, and delivers only what somebody wants delivered.
        """
        upstream = self.upstream()
        port = upstream.port
        gateway = self.gateway(upstream_port=port, top="workers = 1", tables=HOLDS).start()
        with smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=30) as client:
            for number in range(20):
                client.send_message(message(f"held-{number}"))
        upstream.close()
        released = gateway.held()[0]["id"]
        gateway.run("quarantine", "release", released)
        self.eventually(lambda: gateway.outbox()[0]["tries"], "it is not tried")
        file = gateway.folder / "backup"
        done = gateway.run("backup", str(file))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("20 messages", done.stdout)
        bytes_of = self.blobs(gateway)
        held = gateway.held()
        # But for the notes of its worker nothing is left.
        self.assertEqual([each.name for each in (gateway.data / "spool").iterdir()], ["notes-1"])
        refused = gateway.run("restore", str(file))
        self.assertEqual(refused.returncode, 1)
        self.assertIn("nothing was restored", refused.stderr)
        gateway.stop()

        inbox = self.upstream()
        other = self.gateway(upstream_port=inbox.port, top="workers = 1", tables=HOLDS)
        done = other.run("restore", str(file))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("1 copy in the outbox waits until you say so", done.stdout)
        other.start()
        self.assertEqual(other.held(), held)
        self.assertEqual(self.blobs(other), bytes_of)
        (copy,) = other.outbox()
        self.assertTrue(copy["is_suspended"])
        status = json.loads(other.run("status", "--json").stdout)
        self.assertRegex(status["problems"][0], "1 restored copy to be retried or deleted by you")
        self.assertEqual(inbox.messages, [])
        other.run("outbox", "retry", "--all")
        self.eventually(lambda: inbox.messages, "what is wanted is not delivered")
        self.eventually(lambda: not other.outbox(), "it stays in the outbox")

    def blobs(self, gateway):
        """
        Give the stored messages.
        """
        folder = Path(gateway.data) / "blobs"
        return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
