"""
Tests with the clients that people use.
"""

import os
import smtplib
import ssl
import subprocess
from pathlib import Path

from tests.end_to_end.case import EndToEndTestCase
from tests.end_to_end.client import make_message
from tests.end_to_end.gateway import needs


class ClientTests(EndToEndTestCase):
    """
    Each client delivers a message, in the clear and under TLS.
    """

    timeout = 120

    def setUp(self):
        """
        Start a gateway.
        """
        self.gate = self.gateway()

    def start(self):
        """
        Start it only where the client is there.
        """
        self.gate.start()
        self.identity, self.content = make_message()

    def run_client(self, *command, **options):
        """
        Run a client to its end.
        """
        done = subprocess.run(command, capture_output=True, timeout=60, **options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def check_delivered(self, *protocols):
        """
        Find one message for each protocol in the Maildir.
        """
        delivered = self.gate.delivered()
        self.assertEqual(len(delivered), len(protocols))
        for protocol in protocols:
            name = f" with {protocol}\n".encode("ascii")
            self.assertEqual(len([m for m in delivered if name in m]), 1, protocol)

    def test_smtplib(self):
        """
        Python's smtplib.
        """
        self.start()
        for is_secure in (False, True):
            with smtplib.SMTP("127.0.0.1", self.gate.smtp_port, "client.example.org") as client:
                if is_secure:
                    context = ssl.create_default_context()
                    context.check_hostname = False
                    context.verify_mode = ssl.CERT_NONE
                    client.starttls(context=context)
                client.sendmail("sender@example.org", ["ada@example.com"], self.content)
        self.check_delivered("ESMTP", "ESMTPS")

    def test_swaks(self):
        """
        Swaks.
        """
        (swaks,) = needs(self, "swaks")
        self.start()
        for option in (), ("--tls",):
            self.run_client(
                swaks,
                *option,
                f"--server=127.0.0.1:{self.gate.smtp_port}",
                "--from=sender@example.org",
                "--to=ada@example.com",
                "--helo=client.example.org",
            )
        self.check_delivered("ESMTP", "ESMTPS")

    def test_curl(self):
        """
        Curl.
        """
        (curl,) = needs(self, "curl")
        self.start()
        for option in (), ("--ssl-reqd", "--insecure"):
            self.run_client(
                curl,
                "--silent",
                "--show-error",
                *option,
                f"smtp://127.0.0.1:{self.gate.smtp_port}/client.example.org",
                "--mail-from",
                "sender@example.org",
                "--mail-rcpt",
                "ada@example.com",
                "--upload-file",
                "-",
                input=self.content,
            )
        self.check_delivered("ESMTP", "ESMTPS")

    def test_msmtp(self):
        """
        Msmtp.
        """
        (msmtp,) = needs(self, "msmtp")
        self.start()
        for option in (), ("--tls=on", "--tls-starttls=on", "--tls-certcheck=off"):
            self.run_client(
                msmtp,
                "--host=127.0.0.1",
                f"--port={self.gate.smtp_port}",
                "--from=sender@example.org",
                "--domain=client.example.org",
                *option,
                "ada@example.com",
                input=self.content,
            )
        self.check_delivered("ESMTP", "ESMTPS")

    def test_smtp_source(self):
        """
        Postfix's smtp-source, ten messages over two connections.
        """
        (source,) = needs(self, "smtp-source")
        self.start()
        self.run_client(
            source,
            "-s2",
            "-m10",
            "-f",
            "sender@example.org",
            "-t",
            "ada@example.com",
            f"127.0.0.1:{self.gate.smtp_port}",
            env={**os.environ, "LD_LIBRARY_PATH": str(Path(source).parents[1] / "lib" / "postfix")},
        )
        self.assertEqual(len(self.gate.delivered()), 10)
