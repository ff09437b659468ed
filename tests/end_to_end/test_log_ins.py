"""
Tests of log-ins that are handed to a mail server: one gateway asks another, over real sockets.
"""

import smtplib
import ssl
from pathlib import Path

from tests.end_to_end.case import EndToEndTestCase
from tests.end_to_end.client import make_message
from tests.end_to_end.gateway import free_port
from tests.end_to_end.matrix import make_certificate

NAME = "ada@example.com"
PASSWORD = "correct horse battery"


class HandedOnTests(EndToEndTestCase):
    """
    Tests of C{[accounts.upstream]}.
    """

    timeout = 120

    def setUp(self):
        """
        Start the server that knows ada, and make a certificate for both.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(parents=True)
        self.certificate, key = make_certificate(folder)
        self.tls = f'[tls]\ncertificate = "{self.certificate}"\nkey = "{key}"\n'
        self.ports = {kind: free_port() for kind in ("submission", "submissions")}
        self.server = self.gateway(tables=self.tls + self.listeners(self.ports))
        made = self.server.run("account", "set", NAME, "--password-stdin", input=f"{PASSWORD}\n")
        self.assertEqual(made.returncode, 0, made.stderr)
        self.server.start()

    def listeners(self, ports):
        """
        Give listeners for people.
        """
        return "".join(
            f'[[listener]]\nname = "{kind}"\nrole = "{kind}"\naddress = "127.0.0.1:{port}"\n'
            for kind, port in ports.items()
        )

    def asking(self, kind, host="localhost", ca_file=None):
        """
        Start a gateway that asks the server; give it and the port at which people log in.
        """
        port = free_port()
        tables = (
            f"{self.tls}{self.listeners({'submissions': port})}"
            f'[accounts.upstream]\nkind = "{kind}"\nhost = "{host}"\n'
            f"port = {self.ports[kind]}\n"
            f'ca_file = "{ca_file or self.certificate}"\n'
        )
        return self.gateway(tables=tables).start(), port

    def client(self, port):
        """
        Connect a client to the port for people.
        """
        context = ssl.create_default_context(cafile=self.certificate)
        return smtplib.SMTP_SSL("127.0.0.1", port, context=context, timeout=60)

    def refusal(self, port, password=PASSWORD):
        """
        Give the code with which a log-in is refused.
        """
        with self.client(port) as client:
            error = self.assertRaises(smtplib.SMTPAuthenticationError, client.login, NAME, password)
        return error.smtp_code

    def test_both_ways(self):
        """
        Whoever the server knows may send, as who it is and nobody else, whichever way TLS begins
        there; a wrong password is refused.
        """
        for kind in ("submission", "submissions"):
            gateway, port = self.asking(kind)
            with self.client(port) as client:
                client.ehlo()
                self.assertEqual(client.esmtp_features["auth"].split(), ["PLAIN", "LOGIN"])
                client.login(NAME, PASSWORD)
                content = make_message()[1]
                client.sendmail(NAME, ["eve@example.com"], content)
                with self.assertRaises(smtplib.SMTPSenderRefused):
                    client.sendmail("eve@example.com", ["eve@example.com"], content)
            self.assertEqual(self.refusal(port, "wrong horse battery"), 535)
            self.assertEqual(len(gateway.delivered()), 1)
            self.assertEqual(gateway.stop(), -15)
            said = gateway.said() + (gateway.data / "transactions.jsonl").read_text()
            self.assertNotIn("accounts.not_asked", said)
            self.assertIn(f"login.refused 127.0.0.1 as {NAME}", said)
            self.assertNotIn("horse", said)

    def test_unverified(self):
        """
        A server that does not prove who it is hears no password, and nobody is let in.
        """
        other = Path(self.mktemp()).absolute()
        other.mkdir(parents=True)
        gateway, port = self.asking("submissions", ca_file=make_certificate(other)[0])
        self.assertEqual(self.refusal(port), 454)
        self.assertIn(
            f"accounts.not_asked localhost, port {self.ports['submissions']}: TLS: certificate "
            "verify failed",
            gateway.said(),
        )
        self.assertNotIn("login.", self.server.said())

    def test_away(self):
        """
        While the server is away people are told to come again; then it is as before.
        """
        gateway, port = self.asking("submission")
        self.server.kill()
        self.assertEqual(self.refusal(port), 454)
        self.assertIn("accounts.not_asked", gateway.said())
        self.server.start()
        with self.client(port) as client:
            client.login(NAME, PASSWORD)
        self.eventually(lambda: "accounts.asked" in gateway.said(), "its return is not told")
