"""
The client matrix: what each real client must deliver, in which modes, and which it cannot do.
"""

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from email.utils import formatdate, make_msgid
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import quote

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mailgate.edge.account_file import AccountFile
from mailgate.store.files import Files
from tests.end_to_end.case import EndToEndTestCase
from tests.end_to_end.ports import free_port

HOST = "127.0.0.1"
SENDER = "sender@example.org"
RECIPIENT = "ada@example.com"
PASSWORD = "correct-horse-battery"
"""That of the account, whose name is C{SENDER}."""

CLIENTS = Path(__file__).parent / "clients"

BODY = (
    "The first line.\n"
    ".A dot at the beginning.\n"
    "..Two dots.\n"
    ".\n"
    f"{'long ' * 180}\n"
    "Grüße, 8-bit: žluťoučký kůň, 你好.\n"
    "The last line is empty.\n"
    "\n"
).encode()


@frozen
class Mode:
    """
    One column of the matrix: how a client comes in.
    """

    name: str
    protocol: str
    """How the Received header and the trace must call it."""

    role: str = "mx"
    """The listener to come to."""

    tls: str = ""
    """C{starttls}, C{implicit} (TLS from the first byte), or C{""} in the clear."""

    user: str = ""
    password: str = ""
    """The account to log in with, or C{""}."""


MODES = (
    Mode("plain", "ESMTP"),
    Mode("starttls", "ESMTPS", tls="starttls"),
    Mode("implicit", "ESMTPSA", "submissions", "implicit", SENDER, PASSWORD),
    Mode("auth", "ESMTPSA", "submission", "starttls", SENDER, PASSWORD),
)
"""The columns. With TLS from the start people come, who log in."""

CANNOT = {
    ("sendemail", "implicit"): "it begins TLS with STARTTLS only",
    ("smtp_source", "starttls"): "it knows no TLS",
    ("smtp_source", "implicit"): "it knows no TLS",
    ("smtp_source", "auth"): "it knows no TLS",
}
"""The cells that are left out, by client and mode, and why."""

SAYS_HELO = {
    ("nullmailer", "plain"),
    ("nullmailer", "starttls"),
    ("s_nail", "plain"),
    ("s_nail", "starttls"),
    ("smtp_source", "plain"),
}
"""Cells in which a client says HELO, and EHLO at most to learn of STARTTLS and AUTH."""

USES_UTF8 = {"go"}
"""Clients that use SMTPUTF8 wherever it is offered."""


@frozen
class Target:
    """
    Where a client sends its message to, and the message.
    """

    mode: Mode
    port: int
    certificate: Path
    """The one certificate to trust, PEM."""

    message: Path
    """The message in a file, its lines ending with LF."""

    host: str = HOST

    @property
    def tls(self):
        """
        C{starttls}, C{implicit} or C{""}.
        """
        return self.mode.tls

    @property
    def user(self):
        """
        The account to log in with, or C{""}.
        """
        return self.mode.user

    @property
    def password(self):
        """
        Its password.
        """
        return self.mode.password

    @property
    def url(self):
        """
        Where to, as an address with a scheme.
        """
        scheme = "smtps" if self.tls == "implicit" else "smtp"
        return f"{scheme}://{self.host}:{self.port}"

    @property
    def account(self):
        """
        Its name for use in such an address.
        """
        return quote(self.user, safe="")

    @property
    def body(self):
        """
        The text without its header, its lines ending with LF.
        """
        return self.content.partition(b"\n\n")[2]

    @property
    def content(self):
        """
        The message, its lines ending with LF.
        """
        return self.message.read_bytes()

    @property
    def wire(self):
        """
        The message, its lines ending with CRLF.
        """
        return self.content.replace(b"\n", b"\r\n")

    @property
    def environment(self):
        """
        What the programs in C{clients} read; see README.rst there.
        """
        return {
            **os.environ,
            "SMTP_HOST": self.host,
            "SMTP_PORT": str(self.port),
            "SMTP_TLS": self.tls,
            "SMTP_CERTIFICATE": str(self.certificate),
            "SMTP_USER": self.user,
            "SMTP_PASSWORD": self.password,
            "SMTP_SENDER": SENDER,
            "SMTP_RECIPIENT": RECIPIENT,
        }


class ClientTestCase(EndToEndTestCase):
    """
    A gateway with a Maildir, a listener for each column, an account, and a certificate for the
    address that clients connect to.
    """

    timeout = 120

    def each_mode(self, deliver, body=BODY):
        """
        Let the client that the test is named after deliver a message in each mode that it can do;
        hold that each arrives once and whole, and in the way that was meant.

        @param deliver: a function that is called with a L{Target}, and comes back when the
            client says that it has delivered.
        @param body: what arrives; another than what was sent where the client is known to
            rewrite it.
        """
        client = self.id().rpartition(".test_")[2]
        modes = [mode for mode in MODES if (client, mode.name) not in CANNOT]
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(parents=True)
        certificate, key = make_certificate(folder)
        AccountFile(Files(), folder / "accounts").set(SENDER, PASSWORD)
        ports = {role: free_port() for role in ("submission", "submissions")}
        listeners = "".join(
            f'[[listener]]\nname = "{role}"\nrole = "{role}"\naddress = "{HOST}:{port}"\n'
            for role, port in ports.items()
        )
        gateway = self.gateway(
            tables=f'[tls]\ncertificate = "{certificate}"\nkey = "{key}"\n'
            f'[accounts]\nfile = "{folder / "accounts"}"\n{listeners}'
        ).start()
        ports["mx"] = gateway.smtp_port
        known = {}
        for mode in modes:
            message = folder / f"{mode.name}.eml"
            message.write_bytes(make_content(mode.name))
            deliver(Target(mode, ports[mode.role], certificate, message))
            path = self.eventually(
                lambda: next((p for p in inbox(gateway) if p not in known), None),
                f"nothing arrives, {mode.name}",
            )
            known[path] = mode
        gateway.stop()
        self.assertEqual(set(inbox(gateway)), set(known), "a message came twice")
        lines = (gateway.data / "transactions.jsonl").read_text("utf-8").splitlines()
        records = {record["trace"]: record for record in map(json.loads, lines)}
        self.assertEqual(len(lines), len(modes))
        for path, mode in known.items():
            protocol = "SMTP" if (client, mode.name) in SAYS_HELO else mode.protocol
            head, _, arrived = path.read_bytes().partition(b"\n\n")
            self.assertEqual(arrived, body, mode.name)
            self.assertEqual(header(head, "Subject"), mode.name)
            received = f"UTF8{protocol.removeprefix('E')}" if client in USES_UTF8 else protocol
            self.assertIn(f"(mailgate) with {received}\n".encode(), head, mode.name)
            record = records[header(head, "X-Mailgate-Trace")]
            self.assertEqual(record["protocol"], protocol, mode.name)
            self.assertEqual(record["tls"].startswith("TLSv1."), bool(mode.tls), mode.name)
            self.assertEqual(record["sender"], SENDER, mode.name)

    def run_client(self, *command, input=b"", **options):
        """
        Run a client to its end.
        """
        done = subprocess.run(
            [str(word) for word in command],
            input=input,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            **options,
        )
        self.assertEqual(done.returncode, 0, done.stdout.decode("utf-8", "replace"))

    def run_script(self, *command, **environment):
        """
        Give a function that delivers with a program of C{clients}.
        """
        return lambda target: self.run_client(
            *command, input=target.wire, env={**target.environment, **environment}
        )


def inbox(gateway):
    """
    List the files of the messages that have arrived.
    """
    return sorted((gateway.inbox / "new").glob("*"))


def header(head, name):
    """
    Give the value of a header field.
    """
    for line in head.decode("utf-8", "replace").split("\n"):
        if line.startswith(f"{name}: "):
            return line.partition(": ")[2]
    raise AssertionError(f"{name} is missing")


def make_content(subject):
    """
    Make a message that is hard to carry: dots, a long line, 8-bit text, an empty last line.
    """
    return (
        f"From: Sender <{SENDER}>\n"
        f"To: {RECIPIENT}\n"
        f"Subject: {subject}\n"
        f"Date: {formatdate(localtime=True)}\n"
        f"Message-ID: {make_msgid(domain='client.example.org')}\n"
        "MIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=utf-8\n"
        "Content-Transfer-Encoding: 8bit\n"
        "\n"
    ).encode() + BODY


def make_certificate(folder):
    """
    Make a self-signed certificate for the address that clients connect to.

    @return: the paths of the certificate and of its key.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address(HOST))]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, SHA256())
    )
    certificate_path, key_path = folder / "certificate.pem", folder / "key.pem"
    certificate_path.write_bytes(certificate.public_bytes(Encoding.PEM))
    key_path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate_path, key_path
