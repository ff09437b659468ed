"""
Tests of TLS against the running gateway: by scanners, by real clients, by hostile ones.
"""

import contextlib
import os
import re
import smtplib
import ssl
import subprocess
from pathlib import Path
from shutil import which
from xml.etree import ElementTree

from attrs import define
from cryptography.x509 import ExtendedKeyUsageOID
from OpenSSL import SSL

from tests.certificates import issue
from tests.edge.handshakes import client_context
from tests.end_to_end.case import Conversation, EndToEndTestCase
from tests.end_to_end.client import make_message
from tests.end_to_end.gateway import free_port, lack, needs

NAME = "mail.example.com"


class TlsTestCase(EndToEndTestCase):
    """
    A gateway with two certificates of a test's own authority: for mail servers, for people, and for
    those who show a certificate.
    """

    timeout = 180

    def setUp(self):
        """
        Start it.
        """
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.authority = issue("Test authority", is_authority=True, days=3650)
        self.ca_file, _ = self.authority.write(self.folder, "authority")
        tables = ""
        for table, name in (("[tls]", NAME), ("[[tls.certificates]]", "mx.example.net")):
            issued = self.issue(name, ExtendedKeyUsageOID.SERVER_AUTH)
            certificate, key = issued.write(self.folder, name, self.authority)
            tables += f'{table}\ncertificate = "{certificate}"\nkey = "{key}"\n'
        self.people_port, self.known_port = free_port(), free_port()
        self.server = self.gateway(
            tables=f"""{tables}
[[listener]]
name = "people"
role = "submissions"
address = "127.0.0.1:{self.people_port}"
[[listener]]
name = "known"
address = "127.0.0.1:{self.known_port}"
client_certificate = "require"
client_ca_file = "{self.ca_file}"
"""
        ).start()
        self.mx_port = self.server.smtp_port

    def issue(self, name, *usage):
        """
        Make a certificate of the authority.
        """
        return issue(name, [name], self.authority, days=80, usage=usage)

    def send(self, port, name=NAME, issued=None):
        """
        Send a message over STARTTLS as Python does; give its context and connection, still open.
        """
        context = ssl.create_default_context(cafile=self.ca_file)
        if issued is not None:
            context.load_cert_chain(*issued.write(self.folder, "client"))
        # The name that is asked for, and looked for in the certificate.
        client = smtplib.SMTP("127.0.0.1", port, timeout=30)
        client._host = name
        self.addCleanup(client.close)
        client.starttls(context=context)
        client.ehlo("client.example.org")
        client.sendmail("sender@example.org", ["ada@example.com"], make_message()[1])
        return client

    def received(self):
        """
        Give the TLS in the Received header of each message.
        """
        pattern = re.compile(rb"^Received: from .*\n\t\((.*)\)$", re.M)
        return [pattern.search(message)[1].decode() for message in self.server.delivered()]


class ScannerTests(TlsTestCase):
    """
    Tests of what scanners say.
    """

    def test_sslyze(self):
        """
        It is as Mozilla's intermediate configuration has it, by STARTTLS and from the first byte.
        """
        sslyze = os.environ.get("MAILGATE_SSLYZE") or which("sslyze")
        if sslyze is None:
            lack(self, "not installed: sslyze")
        for port, *options in ((self.mx_port, "--starttls=smtp"), (self.people_port,)):
            done = subprocess.run(
                [
                    sslyze,
                    "--mozilla_config=intermediate",
                    f"--certinfo_ca_file={self.ca_file}",
                    f"--sni={NAME}",
                    *options,
                    f"127.0.0.1:{port}",
                ],
                capture_output=True,
                text=True,
                timeout=120,
            )
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn(f"127.0.0.1:{port}: OK - Compliant.", done.stdout)

    def test_sslscan(self):
        """
        The program sslscan finds neither an old version nor a weak cipher, group or certificate.
        """
        (sslscan,) = needs(self, "sslscan")
        for port, *options in ((self.mx_port, "--starttls-smtp"), (self.people_port,)):
            done = subprocess.run(
                [sslscan, "--xml=-", *options, f"--sni-name={NAME}", f"127.0.0.1:{port}"],
                capture_output=True,
                text=True,
                timeout=120,
            )
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            found = ElementTree.fromstring(done.stdout.strip()).find("ssltest")
            self.assertEqual(
                [
                    each.get("version")
                    for each in found.iter("protocol")
                    if each.get("enabled") == "1"
                ],
                ["1.2", "1.3"],
            )
            ciphers = [each.attrib for each in found.iter("cipher")]
            self.assertGreaterEqual(len(ciphers), 6)
            for cipher in ciphers:
                self.assertIn(cipher["strength"], ("strong", "acceptable"), cipher)
                self.assertGreaterEqual(int(cipher["bits"]), 128, cipher)
            for group in found.iter("group"):
                self.assertGreaterEqual(int(group.get("bits")), 128, group.attrib)
            for leak in found.iter("heartbleed"):
                self.assertEqual(leak.get("vulnerable"), "0")
            renegotiation = found.find("renegotiation")
            self.assertTrue(
                renegotiation.get("supported") == "0" or renegotiation.get("secure") == "1"
            )
            (certificate,) = found.iter("certificate")
            self.assertEqual(certificate.findtext("self-signed"), "false")
            self.assertEqual(certificate.findtext("expired"), "false")
            self.assertEqual(certificate.find("pk").get("error"), "false")

    def test_a32_no_early_data(self):
        """
        A session may not be resumed with early data, which anybody could send once more.
        """
        (openssl,) = needs(self, "openssl")
        said = subprocess.run(
            [openssl, "s_client", "-connect", f"127.0.0.1:{self.people_port}", "-crlf"],
            input=b"QUIT\r\n",
            capture_output=True,
            timeout=30,
        ).stdout
        self.assertIn(b"Early data was not sent", said)
        self.assertNotRegex(said, rb"Max Early Data: [1-9]")


class ClientTests(TlsTestCase):
    """
    Tests of clients that mean well.
    """

    def test_names(self):
        """
        A client gets the certificate for the name that it asks for, verified by itself.
        """
        for name in (NAME, "mx.example.net"):
            self.send(self.mx_port, name)
        self.assertRaises(ssl.SSLCertVerificationError, self.send, self.mx_port, "mx.example.org")
        self.assertEqual(len(self.server.delivered()), 2)

    def test_client_certificate(self):
        """
        Whom a client's certificate is for is written into the Received header.
        """
        issued = self.issue("gw.example.org", ExtendedKeyUsageOID.CLIENT_AUTH)
        self.send(self.known_port, issued=issued)
        (tls,) = self.received()
        self.assertTrue(tls.endswith(", client certificate CN=gw.example.org"), tls)
        refused = self.assertRaises(smtplib.SMTPException, self.send, self.known_port)
        self.assertIn("554", str(refused))


@define
class Hostile:
    """
    A client whose bytes can be changed on the way.
    """

    talk: Conversation
    connection: SSL.Connection

    @classmethod
    def begin(cls, port, name=NAME.encode(), issued=(), context=None):
        """
        Ask for TLS.
        """
        talk = Conversation(port)
        talk.socket.settimeout(30)
        talk.ask("EHLO client.example.org\n")
        talk.ask("STARTTLS\n")
        connection = SSL.Connection(context or client_context())
        connection.set_tlsext_host_name(name)
        connection.set_connect_state()
        return cls(talk, connection)

    def output(self):
        """
        Give what the client would send now.
        """
        with contextlib.suppress(SSL.WantReadError):
            self.connection.do_handshake()
        with contextlib.suppress(SSL.WantReadError):
            return self.connection.bio_read(1 << 22)
        return b""

    def answer(self):
        """
        Take what the server says; C{b""} when the connection has ended.
        """
        try:
            data = self.talk.socket.recv(1 << 16)
        except ConnectionError:
            return b""
        if data:
            self.connection.bio_write(data)
        return data

    def finish(self, change=lambda data: data):
        """
        Bring the handshake to its end, each piece changed; tell whether EHLO is answered.

        @raise SSL.Error: there is an alert.
        """
        for _ in range(5):
            sent = self.output()
            if not sent:
                break
            with contextlib.suppress(ConnectionError):
                self.talk.say(change(sent))
            if self.connection.get_finished() is not None and not self._needs_more():
                break
            if not self.answer():
                return False
        self.connection.send(b"EHLO client.example.org\r\n")
        self.talk.say(self.connection.bio_read(1 << 16))
        while self.answer():
            with contextlib.suppress(SSL.WantReadError):
                return self.connection.recv(1000).startswith(b"250")
        return False

    def _needs_more(self):
        try:
            self.connection.do_handshake()
        except SSL.WantReadError:
            return True
        return False


def tiny_records(data):
    """
    Cut each TLS record of a handshake in the clear into records of one byte.
    """
    cut = b""
    while data:
        size = 5 + int.from_bytes(data[3:5], "big")
        record, data = data[:size], data[size:]
        if record[0] == 22:
            cut += b"".join(record[:3] + b"\0\1" + bytes([byte]) for byte in record[5:])
        else:
            cut += record
    return cut


class HostileTestCase(TlsTestCase):
    """
    A gateway that must not have suffered in the end.
    """

    def setUp(self):
        """
        Start it, and see at the end that it has not suffered.
        """
        super().setUp()
        self.addCleanup(self.look_at_gateway)

    def look_at_gateway(self):
        """
        Whatever it was, others are served still, and by the same processes.
        """
        self.send(self.mx_port)
        said = self.server.said()
        self.assertNotIn("Traceback", said)
        self.assertNotIn("worker.died", said)


class HostileTests(HostileTestCase):
    """
    Tests of clients that mean harm (A32).
    """

    def hostile(self, *arguments, **options):
        """
        Begin one.
        """
        made = Hostile.begin(self.mx_port, *arguments, **options)
        self.addCleanup(made.talk.close)
        return made

    def is_sent_away(self, hostile):
        """
        Tell whether the connection ends.
        """
        while data := hostile.talk.socket.recv(1 << 16):
            del data
        return True

    def test_a32_tiny_records(self):
        """
        Records of a byte each are slow, and the handshake still succeeds.
        """
        self.assertTrue(self.hostile().finish(tiny_records))

    def test_a32_huge_hello(self):
        """
        A ClientHello that is announced with 16 MB ends the connection long before that.
        """
        for size in (b"\xff\xff\xff", b"\x03\x00\x00"):
            hostile = self.hostile()
            hello = hostile.output()
            record = hello[:3] + b"\x40\x00" + (b"\x01" + size + hello[9:]).ljust(1 << 14, b"\0")
            with contextlib.suppress(ConnectionError):
                for _ in range(100):
                    hostile.talk.say(record)
            with contextlib.suppress(ConnectionError):
                self.assertTrue(self.is_sent_away(hostile))

    def test_a32_names(self):
        """
        Names that are none get the first certificate, and those that are malformed an alert.
        """
        for name in (
            b"\xff" * 255,
            b"..",
            b"*",
            b"%s%n",
            b"a" * 254,
            b"xn--\xc3\x28",
            b"127.0.0.1",
        ):
            self.assertTrue(self.hostile(name).finish(), name)
        for bad in (b"mail\0example.com", b"\0" * len(NAME)):
            hostile = self.hostile()
            with contextlib.suppress(ConnectionError, SSL.Error):
                changed = hostile.finish(lambda data, bad=bad: data.replace(NAME.encode(), bad))
                self.assertFalse(changed, bad)

    def test_a32_change_cipher_spec(self):
        """
        ChangeCipherSpec before everything else, or without an end, ends the connection.
        """
        change = b"\x14\x03\x03\x00\x01\x01"
        for flood in (lambda data: change + data, lambda data: data + change * 1000):
            hostile = self.hostile()
            with contextlib.suppress(ConnectionError, SSL.Error):
                self.assertFalse(hostile.finish(flood))

    def test_a32_long_chain(self):
        """
        A client's chain of a megabyte is not taken.
        """
        issued = self.issue("gw.example.org")
        context = client_context(issued)
        filler = issue("x" * 60).certificate
        for _ in range(2000):
            context.add_extra_chain_cert(filler)
        hostile = Hostile.begin(self.known_port, context=context)
        self.addCleanup(hostile.talk.close)
        with contextlib.suppress(ConnectionError, SSL.Error):
            self.assertFalse(hostile.finish())
        event = "tls.handshake_failed 127.0.0.1: excessive message size"
        self.eventually(lambda: event in self.server.said(), "it says nothing of it")

    def test_a32_half_open(self):
        """
        Handshakes that are begun and left lying keep nobody out.
        """
        for half in (b"", b"\x16", b"\x16\x03\x01\x40\x00\x01"):
            for _ in range(20):
                hostile = self.hostile()
                hostile.talk.say(half)
        self.send(self.mx_port)

    def test_a32_garbage(self):
        """
        What is no TLS ends the connection.
        """
        for garbage in (b"EHLO x\r\n" * 10, b"\x80\x2e\x01\0\x02" + b"\0" * 40, os.urandom(500)):
            hostile = self.hostile()
            with contextlib.suppress(ConnectionError):
                hostile.talk.say(garbage)
                self.assertTrue(self.is_sent_away(hostile))
