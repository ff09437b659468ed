"""
Tests of what an operator sees: start, end, and what is wrong said in a sentence.
"""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import urllib.request

from tests.end_to_end.case import Conversation, EndToEndTestCase
from tests.end_to_end.client import make_message, send
from tests.end_to_end.gateway import REPOSITORY, TWISTD, Gateway


class StartTests(EndToEndTestCase):
    """
    Tests of starting and ending.
    """

    timeout = 120

    def fails_to_start(self, gateway):
        """
        Start a gateway that cannot, and give what it says.
        """
        with self.assertRaises(AssertionError):
            gateway.start()
        self.assertTrue(gateway.process_ended(30))
        self.assertEqual(gateway.process.returncode, 1)
        said = gateway.said()
        self.assertNotIn("Traceback", said)
        return said

    def test_what_is_said(self):
        """
        It says where mail comes in, where the pages are with the first link, where mail goes,
        and that a certificate was made; Ctrl-C ends it cleanly.
        """
        gateway = self.gateway().start()
        said = self.eventually(
            lambda: gateway.said() if "Mail goes to" in gateway.said() else "", "it says nothing"
        )
        self.assertIn(f"Mail comes in by SMTP at 127.0.0.1:{gateway.smtp_port}", said)
        self.assertIn(f"Mail goes to the Maildir {gateway.inbox}.", said)
        self.assertIn(f"{gateway.data}/tls/certificate.pem", said)
        link = re.search(r"http://127\.0\.0\.1:\d+/setup/\S+", said).group()
        with urllib.request.urlopen(link) as page:
            self.assertIn(b"<form", page.read())
        # twistd ends itself by the signal that it was sent, after all else has ended.
        self.assertEqual(gateway.stop(signal.SIGINT), -signal.SIGINT)
        self.assertNotIn("Traceback", gateway.said())
        self.assertNotIn(link.rpartition("/")[2], (gateway.data / "state.db").read_text("latin-1"))

    def test_nobody_listens(self):
        """
        It takes mail where nobody reads what it says.
        """
        gateway = self.gateway()
        reading, writing = os.pipe()
        os.close(reading)
        gateway.process = subprocess.Popen(
            [*TWISTD, "-n", "--pidfile=", "mailgate", "--config", gateway.config],
            stdout=writing,
            stderr=subprocess.DEVNULL,
            cwd=REPOSITORY,
        )
        os.close(writing)

        def is_sent():
            try:
                return send(gateway.smtp_port, make_message()[1])
            except ConnectionRefusedError:
                return False

        self.eventually(is_sent, "it takes no mail")
        self.assertEqual(gateway.stop(), -signal.SIGTERM)

    def test_second_start(self):
        """
        A second start makes no new certificate, and no link once there is an account.
        """
        gateway = self.gateway().start()
        certificate = gateway.data / "tls" / "certificate.pem"
        first = certificate.read_bytes()
        added = gateway.run(
            "user", "add", "ada", "--password-stdin", input="correct horse staple\n"
        )
        self.assertEqual(added.returncode, 0, added.stderr)
        gateway.stop()
        before = len(gateway.said())
        gateway.start()
        self.eventually(lambda: "Mail goes to" in gateway.said()[before:], "it says nothing")
        self.assertNotIn("/setup/", gateway.said()[before:])
        self.assertEqual(certificate.read_bytes(), first)
        self.assertEqual(certificate.with_name("key.pem").stat().st_mode & 0o777, 0o600)

    def test_address_in_use(self):
        """
        An address that is taken is named.
        """
        gateway = self.gateway()
        with socket.create_server(("127.0.0.1", gateway.smtp_port)):
            gateway.process = None
            said = self.fails_to_start(gateway)
        self.assertIn(f"cannot listen on 127.0.0.1:{gateway.smtp_port}", said)

    def test_folder_in_use(self):
        """
        A second gateway on the same data folder is refused.
        """
        first = self.gateway().start()
        second = Gateway(first.folder)
        self.addCleanup(second.stop)
        said = self.fails_to_start(second)
        self.assertIn("is used by another mailgate", said)

    def test_control_socket_in_the_way(self):
        """
        What can only be seen while the gateway starts is told in a sentence too, and the exit
        status says that it did not start.
        """
        gateway = self.gateway()
        (gateway.data / "control").mkdir(parents=True)
        said = self.fails_to_start(gateway)
        self.assertIn(f"mailgate: cannot start: [Errno 21] Is a directory: '{gateway.data}", said)

    def test_damaged_certificate(self):
        """
        A self-signed certificate that cannot be read is named, and what to do about it.
        """
        gateway = self.gateway()
        folder = gateway.data / "tls"
        folder.mkdir(parents=True)
        for name in ("certificate.pem", "key.pem"):
            (folder / name).write_text("nothing of the kind")
        said = self.fails_to_start(gateway)
        self.assertIn(f"the self-signed certificate in {folder} cannot be used", said)

    def test_damaged_store(self):
        """
        A store that is none is named.
        """
        gateway = self.gateway()
        gateway.data.mkdir()
        (gateway.data / "state.db").write_bytes(b"nothing of the kind" * 1000)
        said = self.fails_to_start(gateway)
        self.assertIn(str(gateway.data / "state.db"), said)

    def test_wrong_configuration(self):
        """
        A wrong configuration is told with file, table, key and value, and nothing starts.
        """
        gateway = self.gateway(tables="[policy]\nrejekt = 3\n")
        said = self.fails_to_start(gateway)
        for words in (str(gateway.config), "policy", "rejekt", "reject"):
            self.assertIn(words, said)
        checked = gateway.run("check-config")
        self.assertEqual(checked.returncode, 2)
        self.assertIn("rejekt", checked.stdout + checked.stderr)

    def test_sigterm_under_load(self):
        """
        SIGTERM: an idle client gets 421, the process ends.
        """
        gateway = self.gateway().start()
        client = socket.create_connection(("127.0.0.1", gateway.smtp_port))
        self.addCleanup(client.close)
        client.recv(200)
        self.assertEqual(gateway.stop(), -signal.SIGTERM)
        self.assertTrue(client.recv(200).startswith(b"421"))

    def test_sigterm_while_an_upstream_hangs(self):
        """
        SIGTERM while an upstream does not answer the end of a message: the process ends when
        the time to drain is over, and the trace says that the outcome is not known.
        """
        upstream = self.upstream()
        asked = threading.Event()
        go_on = threading.Event()
        self.addCleanup(go_on.set)

        def hang(content):
            asked.set()
            go_on.wait(60)
            return "250 2.0.0 taken"

        upstream.replies["."] = hang
        gateway = self.gateway(upstream.port, tables="[limits]\ndrain_seconds = 1\n").start()
        client = Conversation(gateway.smtp_port)
        self.addCleanup(client.close)
        client.envelope()
        client.say("Subject: x\n\ntext\n.\n")
        self.assertTrue(asked.wait(30))
        # The upstream hangs for longer than stop() is ready to wait.
        self.assertEqual(gateway.stop(), -signal.SIGTERM)
        lines = (gateway.data / "transactions.jsonl").read_text().splitlines()
        (record,) = map(json.loads, lines)
        self.assertEqual([copy["outcome"] for copy in record["copies"]], ["unknown"])
        self.assertNotIn("Traceback", gateway.said())


class CommandTests(EndToEndTestCase):
    """
    Tests of the command line beside a running gateway.
    """

    timeout = 120

    def test_tagged(self):
        """
        A tagged message says in its header what was found, and its subject is marked.
        """
        gateway = self.gateway(
            tables='[policy]\ntag = 1.5\nsubject_mark = "[SPAM?]"\n[checks.bayes]\nmode = "off"\n'
        ).start()
        lines = ("From: a@example.org", "Subject: hello", "Message-ID: <1@example.org>", "", "Hi")
        self.assertTrue(send(gateway.smtp_port, "".join(f"{line}\r\n" for line in lines).encode()))
        (delivered,) = gateway.delivered()
        self.assertIn(b"\nX-Mailgate-Verdict: tag\n", delivered)
        self.assertIn(b"\nX-Mailgate-Findings: DATE_MISSING=1.5\n", delivered)
        self.assertIn(b"\nSubject: [SPAM?] hello\n", delivered)

    def test_hold_and_release(self):
        """
        A held message is listed, shown and released; it arrives once, and the trace tells all.
        """
        gateway = self.gateway(tables="[policy]\ntag = -3\nquarantine = -2\nreject = 50\n").start()
        identity, content = make_message("held for you")
        self.assertTrue(send(gateway.smtp_port, content))
        (row,) = gateway.held()
        self.assertEqual((row["subject"], row["message_id"]), ("held for you", identity))
        shown = gateway.run("quarantine", "show", row["id"]).stdout
        self.assertIn("held for you", shown)
        self.assertEqual(gateway.run("quarantine", "release", row["id"]).returncode, 0)
        delivered = self.eventually(gateway.delivered, "it was not delivered")
        self.assertEqual(len(delivered), 1)
        self.assertIn(identity.encode("ascii"), delivered[0])
        # A released message has the same headers of ours as one that was not held.
        self.assertIn(b"\tby mail.example.com (mailgate) with ESMTP\n", delivered[0])
        self.assertIn(b"\nX-Mailgate-Verdict: accept\n", delivered[0])
        again = gateway.run("quarantine", "release", row["id"])
        self.assertIn("was released", again.stdout + again.stderr)
        self.assertEqual(gateway.held(), [])
        self.eventually(lambda: gateway.outbox() == [], "it stays in the outbox")
        self.assertEqual(len(gateway.delivered()), 1)
        story = gateway.run("trace", row["trace"])
        self.assertEqual(story.returncode, 0, story.stderr)
        self.assertIn("released", story.stdout)
        self.assertEqual(
            json.loads(gateway.run("trace", row["trace"], "--json").stdout) != [], True
        )

    def test_help(self):
        """
        Every command has a help text with an example.
        """
        gateway = self.gateway()
        for command in (
            ["run"],
            ["check-config"],
            ["quarantine", "list"],
            ["quarantine", "show"],
            ["quarantine", "release"],
            ["quarantine", "delete"],
            ["outbox", "list"],
            ["outbox", "show"],
            ["user", "add"],
            ["user", "list"],
            ["trace"],
        ):
            shown = gateway.run(*command, "--help")
            self.assertEqual(shown.returncode, 0, command)
            self.assertIn("mailgate " + " ".join(command), shown.stdout)
            self.assertRegex(shown.stdout, "(?i)example")
