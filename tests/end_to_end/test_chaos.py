"""
Tests of the running gateway before an upstream that misbehaves.
"""

import contextlib
import os
import smtplib
from pathlib import Path

from tests.chaos import EXTENSIONS, PLAIN_EXTENSIONS, Act
from tests.end_to_end.case import EndToEndTestCase
from tests.end_to_end.chaos_upstream import ChaosUpstream
from tests.end_to_end.client import make_message

STEPS = ("greeting", "hello", "MAIL", "RCPT", "DATA", "message", ".")
SECONDS = "connect_seconds = 1\nreply_seconds = 1\nidle_seconds = 1\nconnections = 2\n"
PATIENT = "breaker_failures = 100000\n"
"""Each message is tried there, however many have failed before."""

OFFSETS = (0, 1, 27, 28, 29, 100, 128, 140, 160, 170, 175, 200)


class ChaosTests(EndToEndTestCase):
    """
    A gateway with little patience, and a server that does something strange.
    """

    timeout = 170

    def setUp(self):
        """
        Start both, and let the gateway learn whom there is.
        """
        self.server = ChaosUpstream()
        self.addCleanup(self.server.close)
        self.gate = self.gateway(
            routes='[[route]]\ndomains = ["example.com"]\nupstream = "server"\n'
            f'[upstream.server]\nkind = "smtp"\nhost = "127.0.0.1"\nport = {self.server.port}\n'
            f"{SECONDS}{PATIENT}"
        ).start()
        self.assertEqual(self.send()[:3], "250")

    def send(self):
        """
        Send a message; give the reply to it, and remember its Message-ID.
        """
        self.identity, content = make_message()
        with smtplib.SMTP("127.0.0.1", self.gate.smtp_port, "client.example.org", 60) as client:
            try:
                client.sendmail("sender@example.org", ["ada@example.com"], content)
            except smtplib.SMTPResponseException as refused:
                return f"{refused.smtp_code} {refused.smtp_error.decode()}"
        return "250"

    def copies(self):
        """
        Count the copies of the last message that the server has taken.
        """
        return len(self.server.chaos.recipients_of(self.identity.encode()))

    def check(self, where, **behaviour):
        """
        Send a message while the server behaves in a strange way; hold that the reply is allowed.
        """
        # What is open knows the ways that the server had before.
        self.eventually(lambda: not self.server.open, f"{where}: a connection stays open")
        self.server.behave(**behaviour)
        said = self.send()
        if said == "250":
            self.assertEqual(self.copies(), 1, where)
        elif said.startswith("451 4.4.2"):
            self.assertLessEqual(self.copies(), 1, where)
        else:
            self.assertRegex(said, "^451 4.4.1", where)
            self.assertEqual(self.copies(), 0, where)
        return said

    def test_everything(self):
        """
        Each message has one of the replies that are allowed, each is there as often as its reply
        says, and at last an ordinary server is served as before, with nothing left open.
        """
        before = self.sockets()
        for step in STEPS:
            for act in (*Act, b"HTTP/1.1 400 Bad Request\r\n\r\n"):
                if step == "message" and act != Act.CLOSE:
                    continue
                said = self.check((step, act), script={step: act})
                expected = "451 4.4.2" if step in ("message", ".") else "451 4.4.1"
                self.assertEqual(said[:9], expected, (step, act))
        for extensions in (EXTENSIONS, PLAIN_EXTENSIONS):
            for offset in OFFSETS:
                self.check(f"closes at {offset}", extensions=extensions, close_at=[offset])
            self.assertEqual(
                self.check("a byte after the other", extensions=extensions, piece=1), "250"
            )
        self.assertEqual(self.check("slow", piece=1, pause=0.2)[:9], "451 4.4.1")
        self.assertEqual(self.check("wrong order", is_reversed=True)[:9], "451 4.4.1")
        self.assertEqual(self.check("ordinary"), "250")
        self.eventually(lambda: not self.server.open, "a connection stays open")
        self.assertEqual((self.gate.held(), self.gate.outbox()), ([], []))
        self.assertLessEqual(self.sockets(), before)

    def sockets(self):
        """
        Count the sockets that the gateway's processes have open.
        """
        pids = [self.gate.process.pid]
        for pid in pids:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            pids.extend(map(int, children))
        count = 0
        for path in (path for pid in pids for path in Path(f"/proc/{pid}/fd").iterdir()):
            # It may have been closed in the meantime.
            with contextlib.suppress(FileNotFoundError):
                count += os.readlink(path).startswith("socket:")
        return count
