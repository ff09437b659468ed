"""
Tests with real mail servers that the gateway delivers to: what arrives there is what was sent.
"""

import os
import re
import smtplib
from email.utils import formatdate, make_msgid
from pathlib import Path

from tests.end_to_end import real_servers
from tests.end_to_end.case import EndToEndTestCase
from tests.end_to_end.matrix import HOST, make_certificate
from tests.end_to_end.real_servers import wait_for

DOMAINS = ("example.com", "example.net")

SERVERS = (
    "postfix",
    "exim",
    "opensmtpd",
    "dovecot",
    "smtp_sink",
    "aiosmtpd",
    "smtp_server",
    "haraka",
)

DOTS = (
    ".first\r\n..two\r\n.\r\n...\r\n. \r\n\r\n.\r\n" + ".".join("dots" * 40) + "\r\n.last\r\n"
).encode()
EIGHT_BIT = "Grüße, žluťoučký kůň, 你好.\r\n.Ende\r\n".encode()


def large(size=1 << 20):
    """
    Make a text of 1 MiB whose lines begin with dots.
    """
    lines, length, number = [], 0, 0
    while length < size:
        line = b"." * (number % 4) + b"%07d " % number + b"x" * (number % 70) + b"\r\n"
        lines.append(line)
        length += len(line)
        number += 1
    return b"".join(lines)


def make_content(subject, body):
    """
    Make a message with a text that goes out as it is.
    """
    return (
        "From: Sender <sender@example.org>\r\n"
        "To: ada@example.com\r\n"
        f"Subject: {subject}\r\n"
        f"Date: {formatdate(localtime=True)}\r\n"
        f"Message-ID: {make_msgid(domain='client.example.org')}\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: 8bit\r\n"
        "\r\n"
    ).encode() + body


class UpstreamTests(EndToEndTestCase):
    """
    The gateway before one mail server after the other.
    """

    timeout = 180

    def run_server(self, name):
        """
        Deliver to a server in each way that it offers, and note what was done.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(parents=True)
        certificate, key = make_certificate(folder)
        self.server = wait_for(self, getattr(real_servers, name)(self, certificate, key))
        ways = {"plain": ""}
        if self.server.has_tls:
            ways["starttls"] = (
                f'tls = "verified"\ntls_name = "localhost"\nca_file = "{certificate}"\n'
            )
        domains = dict(zip(ways, DOMAINS, strict=False))
        self.gate = self.gateway(
            routes="".join(
                f'[[route]]\ndomains = ["{domain}"]\nupstream = "{way}"\n'
                for way, domain in domains.items()
            )
            + "".join(
                f'[upstream.{way}]\nkind = "{self.server.kind}"\nhost = "{HOST}"\n'
                f"port = {self.server.port}\n{options}"
                for way, options in ways.items()
            )
        ).start()
        with smtplib.SMTP(HOST, self.gate.smtp_port, "client.example.org", 60) as client:
            for way, domain in domains.items():
                done = self.deliver_all(client, way, domain)
                note(f"{name:12} {way:9} {' '.join(done)}")
        self.gate.stop()
        self.assertEqual((self.gate.held(), self.gate.outbox()), ([], []))

    def deliver_all(self, client, way, domain):
        """
        Deliver each kind of message one way, and say what was done.
        """
        offered = self.eventually(
            lambda: self.offered(way), lambda: f"{way} is not reached\n{self.gate.said()}"
        )
        ada, bob, nobody = (f"{name}@{domain}" for name in ("ada", "bob", "nobody"))
        client.ehlo()
        self.check(client, f"{way}, dots", DOTS, [ada])
        self.check(client, f"{way}, large", large(), [ada])
        self.check(client, f"{way}, two", DOTS, [ada, bob])
        done = ["dots", "1MiB", "two"]
        if self.server.refuses:
            refused = self.check(client, f"{way}, refused", DOTS, [ada, nobody, bob])
            self.assertEqual([(who, said[0]) for who, said in refused.items()], [(nobody, 550)])
            done.append("refused")
        options = []
        if "8BITMIME" in offered:
            options.append("BODY=8BITMIME")
            self.check(client, f"{way}, 8 bit", EIGHT_BIT, [ada], options)
            done.append("8BITMIME")
        if "SMTPUTF8" in offered:
            options.append("SMTPUTF8")
            self.check(client, f"{way}, Grüße", EIGHT_BIT, [ada], options, "jörg@example.org")
            done.append("SMTPUTF8")
        if "PIPELINING" in offered:
            done.insert(0, "PIPELINING")
        return done

    def offered(self, way):
        """
        Give what the gateway has learned of the upstream, and C{None} before.
        """
        said = re.findall(rf"upstream\.capabilities of {way}: (.*), SIZE", self.gate.said())
        return said and said[-1].split()

    def check(self, client, subject, body, recipients, options=(), sender="sender@example.org"):
        """
        Send a message and hold that it has arrived once for each recipient who is known, with
        nothing but header fields in front of what was sent.

        @return: the recipients who were refused, with the reply.
        """
        content = make_content(subject, body)
        refused = client.sendmail(sender, recipients, content, options)
        names = {each.partition("@")[0] for each in recipients} & set(real_servers.KNOWN)
        if not self.server.refuses:
            # It has one place for all.
            names = {"all"}
        for name in sorted(names):
            arrived = self.arrived(name, subject).removesuffix(self.server.extra)
            self.assertEqual(arrived[-len(content) :], content, f"{subject}, for {name}")
            front = arrived[: -len(content)]
            self.assertIn(b"\r\nX-Mailgate-Trace: ", b"\r\n" + front)
            for line in front.split(b"\r\n")[:-1]:
                self.assertRegex(line, rb"^([!-9;-~]+: ?.*|[ \t].*)$")
        return refused

    def arrived(self, name, subject):
        """
        Wait for a message, and give it.
        """
        (arrived,) = self.eventually(
            lambda: self.server.arrived(name),
            lambda: f"{subject}: nothing arrives for {name}\n{self.server.said()}",
        )
        return arrived


def add_tests():
    """
    Make a test for each server.
    """
    for name in SERVERS:

        def test(self, name=name):
            self.run_server(name)

        test.__doc__ = f"What is sent arrives at {name} as it was, in each way that it offers."
        test.__name__ = f"test_{name}"
        setattr(UpstreamTests, test.__name__, test)


add_tests()


def note(line):
    """
    Note a row of the table of what ran, in the file that C{MAILGATE_UPSTREAM_TABLE} names.
    """
    path = os.environ.get("MAILGATE_UPSTREAM_TABLE")
    if path:
        with open(path, "a", encoding="utf-8") as table:
            table.write(line + "\n")
