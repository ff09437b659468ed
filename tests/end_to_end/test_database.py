"""
Tests of libpq against what stands in the place of a database server that must prove its name.
"""

import socket
import ssl
import threading
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.recipients import PostgresqlSource
from mailgate.knowledge.recipient_asking import SourceFailed
from mailgate.knowledge.recipient_sql import PostgresqlDatabase
from tests.certificates import issue
from tests.end_to_end.gateway import lack
from tests.end_to_end.ports import free_port

SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
HOST = "127.0.0.1"


class TlsTests(SynchronousTestCase):
    """
    Tests with a listener that does the beginning of the protocol.
    """

    def setUp(self):
        """
        Make an authority and a password.
        """
        try:
            import psycopg  # noqa: F401
        except ImportError:
            lack(self, "not installed: psycopg")
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.authority = issue("Test authority", is_authority=True)
        (self.folder / "authority.pem").write_bytes(self.authority.pem)
        (self.folder / "password").write_text("correct horse battery\n")

    def connect(self, answer, issued=None):
        """
        Let it connect, and give why it fails, and all that the listener has heard: in the clear,
        and within TLS.

        @param answer: what the listener says to the question for TLS.
        """
        listener = socket.create_server((HOST, free_port()))
        self.addCleanup(listener.close)
        clear, secured = [], []

        def serve():
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(10)
                clear.append(connection.recv(1000))
                connection.sendall(answer)
                if issued is None:
                    clear.append(connection.recv(1000))
                    return
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*issued.write(self.folder, "server"))
                try:
                    with context.wrap_socket(connection, server_side=True) as inside:
                        secured.append(inside.recv(1000))
                except (ssl.SSLError, ConnectionError) as error:
                    secured.append(type(error))

        thread = threading.Thread(target=serve)
        thread.start()
        source = PostgresqlSource(
            kind="postgresql",
            host=HOST,
            port=listener.getsockname()[1],
            database="mail",
            user="mailgate",
            password_file=self.folder / "password",
            tls="verified",
            ca_file=self.folder / "authority.pem",
            query="SELECT :address",
            answer_seconds=5,
        )
        error = self.assertRaises(SourceFailed, PostgresqlDatabase(source).connect)
        thread.join(20)
        self.assertFalse(thread.is_alive())
        return str(error), b"".join(clear), secured

    def test_verified(self):
        """
        Who proves its name is told the user, within TLS.
        """
        issued = issue(HOST, [HOST], self.authority)
        _, clear, secured = self.connect(b"S", issued)
        self.assertEqual(clear, SSL_REQUEST)
        self.assertIn(b"mailgate", secured[0])

    def test_unverified(self):
        """
        Who cannot, as its certificate is its own or for another name, is told nothing.
        """
        for issued in (issue(HOST, [HOST]), issue("db", ["192.0.2.1"], self.authority)):
            why, clear, secured = self.connect(b"S", issued)
            self.assertIn("certificate", why)
            self.assertEqual(clear, SSL_REQUEST)
            self.assertNotIn("mailgate", str(secured))

    def test_no_tls(self):
        """
        Who offers no TLS is told nothing either.
        """
        why, clear, _ = self.connect(b"N")
        self.assertIn("does not support SSL", why)
        self.assertEqual(clear, SSL_REQUEST)
