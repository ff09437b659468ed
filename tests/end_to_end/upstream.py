"""
A mail server that does as it is told, in threads, to stand behind the gateway.
"""

import contextlib
import re
import socket
import ssl
import threading
import time
from email.parser import BytesHeaderParser


class Upstream:
    """
    A server on loopback that keeps what it is given: SMTP or, after LHLO, LMTP.

    C{replies} changes what it says: by verb (C{"RCPT"}), by verb and argument, or C{"."} for
    the end of a message. A value is a reply line, C{None} to close without one, or a function
    that is called and gives either.
    """

    def __init__(
        self,
        extensions=("PIPELINING", "SIZE 104857600", "8BITMIME"),
        path=None,
        tls=None,
        begins_with_tls=False,
        port=0,
    ):
        """
        @param path: of a Unix socket; without one it is TCP.
        @param tls: a context of the standard library, for STARTTLS.
        @param begins_with_tls: whether TLS comes first instead.
        @param port: of TCP; 0: any.
        """
        self.extensions = extensions
        self.path = path
        self.tls = tls
        self.begins_with_tls = begins_with_tls
        self.drip = 0.0
        """Seconds before each byte that is said."""
        self.replies = {}
        self.messages = []
        """(sender, recipients, bytes) of each accepted message."""
        self.commands = []
        self._lock = threading.Lock()
        if path is None:
            self._listener = socket.create_server(("127.0.0.1", port))
            self.port = self._listener.getsockname()[1]
        else:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(path))
            self._listener.listen()
        self._connections = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        """
        Stop listening and cut all connections.
        """
        _hang_up(self._listener)
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            _hang_up(connection)

    def hang_up(self):
        """
        Cut all connections, and go on listening.
        """
        with self._lock:
            connections, self._connections = self._connections, []
        for connection in connections:
            _hang_up(connection)

    def reopen(self):
        """
        Listen again, at the same port.
        """
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def message_ids(self):
        """
        List the Message-IDs of what was accepted.
        """
        return [BytesHeaderParser().parsebytes(m[2])["Message-ID"] for m in self.messages]

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        if self.path is None:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.begins_with_tls:
            connection = self._secure(connection)
            if connection is None:
                return
        file = connection.makefile("rb")
        try:
            if self._say(connection, self._reply("greeting", "", "220 sink ESMTP")):
                self._talk(connection, file)
        except OSError:
            return
        finally:
            file.close()
            _hang_up(connection)

    def _secure(self, connection):
        try:
            secured = self.tls.wrap_socket(connection, server_side=True)
        except OSError:
            _hang_up(connection)
            return None
        with self._lock:
            # The other one is empty now.
            self._connections.append(secured)
        return secured

    def _talk(self, connection, file):
        sender, recipients, is_lmtp = None, [], False
        for line in file:
            verb, _, argument = line.decode("latin-1").rstrip("\r\n").partition(" ")
            verb = verb.upper()
            with self._lock:
                self.commands.append((verb, argument))
            default = "250 2.0.0 ok"
            if verb in ("EHLO", "LHLO"):
                is_lmtp = verb == "LHLO"
                extensions = list(self.extensions)
                if self.tls is not None and not isinstance(connection, ssl.SSLSocket):
                    extensions.append("STARTTLS")
                default = "\r\n".join(["250-sink", *(f"250-{e}" for e in extensions), "250 X"])
            elif verb == "STARTTLS":
                default = "220 2.0.0 go on"
            elif verb == "DATA":
                default = "354 go on" if recipients else "554 5.5.1 no recipients"
            elif verb == "QUIT":
                default = "221 2.0.0 bye"
            reply = self._reply(verb, argument, default)
            if not self._say(connection, reply) or verb == "QUIT":
                return
            if verb == "STARTTLS" and reply.startswith("220"):
                connection = self._secure(connection)
                if connection is None:
                    return
                file = connection.makefile("rb")
                self._talk(connection, file)
                return
            if verb == "MAIL":
                sender = _path(argument)
            elif verb == "RCPT" and reply.startswith("2"):
                recipients.append(_path(argument))
            elif verb in ("RSET", "EHLO", "LHLO"):
                sender, recipients = None, []
            elif verb == "DATA" and reply.startswith("354"):
                content = self._content(file)
                if content is None:
                    return
                reply = self._reply(".", content, "250 2.0.0 taken")
                if reply is not None and reply.startswith("2"):
                    with self._lock:
                        self.messages.append((sender, recipients, content))
                for _ in recipients if is_lmtp else (None,):
                    if not self._say(connection, reply):
                        return
                sender, recipients = None, []

    def _content(self, file):
        lines = []
        for line in file:
            if line == b".\r\n":
                return b"".join(lines)
            lines.append(line[1:] if line.startswith(b".") else line)
        return None

    def _reply(self, verb, argument, default):
        for key in ((verb, argument), verb):
            if key in self.replies:
                reply = self.replies[key]
                return reply(argument) if callable(reply) else reply
        return default

    def _say(self, connection, reply):
        if reply is None:
            return False
        data = reply.encode("latin-1") + b"\r\n"
        if not self.drip:
            connection.sendall(data)
            return True
        for byte in data:
            time.sleep(self.drip)
            connection.sendall(bytes((byte,)))
        return True


def _path(argument):
    return re.search(r"<(.*?)>", argument).group(1)


def _hang_up(connection):
    # The other side may have been faster, or it is closed already.
    with contextlib.suppress(OSError):
        # This wakes the thread that waits for it, which close alone does not.
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
