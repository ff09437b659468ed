"""
Tests of L{bench.secure}.
"""

import socket
import ssl
from pathlib import Path
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from bench.secure import begin_tls
from tests.certificates import issue


class BeginTlsTests(SynchronousTestCase):
    """
    Tests of clients that begin TLS.
    """

    def serve(self, answers):
        """
        Give the client's end of a connection whose other end knows answers to commands.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*issue("mail.example.com").write(folder, "server"))
        here, there = socket.socketpair()
        self.addCleanup(here.close)
        self.heard = []

        def run():
            end = there
            for answer in answers:
                self.heard.append(end.recv(1000))
                end.sendall(answer)
                if self.heard[-1] == b"STARTTLS\r\n" and answer.startswith(b"220"):
                    end = context.wrap_socket(there, server_side=True)
            end.close()

        thread = Thread(target=run)
        thread.start()
        self.addCleanup(thread.join)
        return here

    def test_begun(self):
        """
        The connection is one with TLS, and all that belongs to its beginning was read.
        """
        hello = b"EHLO client.example.org\r\n"
        secure = begin_tls(
            self.serve(
                [b"250-mail.example.com\r\n250 STARTTLS\r\n", b"220 go\r\n", b"250 hello\r\n"]
            )
        )
        self.addCleanup(secure.close)
        self.assertEqual(self.heard, [hello, b"STARTTLS\r\n", hello])
        self.assertIn("TLSv1.", secure.version())

    def test_refused(self):
        """
        What refuses is told.
        """
        client = self.serve([b"250 hello\r\n", b"454 4.7.0 later\r\n"])
        error = self.assertRaises(RuntimeError, begin_tls, client)
        self.assertIn("454 4.7.0 later", str(error))
