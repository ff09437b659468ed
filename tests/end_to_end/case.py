"""
What tests with a running gateway share.
"""

import shutil
import socket
import ssl
import time
from tempfile import mkdtemp

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.gateway import Gateway
from tests.end_to_end.upstream import Upstream

PATIENCE = 30


class EndToEndTestCase(SynchronousTestCase):
    """
    A test case that can start gateways and mail servers, and ends them.
    """

    def upstream(self, **options):
        """
        Start a mail server.
        """
        upstream = Upstream(**options)
        self.addCleanup(upstream.close)
        return upstream

    def gateway(self, *args, **keywords):
        """
        Make a gateway in a folder of its own.
        """
        # The folder is deep, so that the path of the control socket is too long for the kernel.
        top = mkdtemp(prefix="mailgate-")
        gateway = Gateway(top + "/deep" * 25, *args, **keywords)
        self.addCleanup(shutil.rmtree, top, ignore_errors=True)
        self.addCleanup(gateway.stop)
        return gateway

    def eventually(self, condition, message, seconds=PATIENCE):
        """
        Wait until a condition holds, and give what it gave.

        @param message: what to say where it never does, or what gives it.
        @param seconds: how long to wait.
        """
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = condition()
            if found:
                return found
            # Whatever is waited for happens in another process, which tells nobody.
            time.sleep(0.02)
        raise self.failureException(message() if callable(message) else message)


class Conversation:
    """
    A client that says exactly what it is told to.
    """

    def __init__(self, port, first=""):
        """
        @param first: what to say before the greeting.
        """
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.say(first)
        self.lines = self.socket.makefile("rb")
        self.greeting = self.reply()

    def say(self, data):
        """
        Send text (with LF as CRLF) or bytes.
        """
        if isinstance(data, str):
            data = data.replace("\n", "\r\n").encode("utf-8")
        self.socket.sendall(data)

    def reply(self):
        """
        Read one whole reply; C{""} where the connection has ended.
        """
        lines = []
        while True:
            line = self.lines.readline().decode("ascii")
            lines.append(line)
            if line[3:4] != "-":
                return "".join(lines)

    def ask(self, data):
        """
        Send, and read one reply.
        """
        self.say(data)
        return self.reply()

    def start_tls(self):
        """
        Change to TLS.

        @return: what was said to STARTTLS.
        """
        said = self.ask("STARTTLS\n")
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket, server_hostname="mail.example.com")
        self.lines = self.socket.makefile("rb")
        return said

    def envelope(self, recipient="ada@example.com"):
        """
        Go as far as 354.
        """
        self.ask("EHLO client.example.org\n")
        self.ask("MAIL FROM:<sender@example.org>\n")
        self.ask(f"RCPT TO:<{recipient}>\n")
        return self.ask("DATA\n")

    def close(self):
        """
        Hang up.
        """
        self.lines.close()
        self.socket.close()
