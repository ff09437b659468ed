"""
A chaos upstream on loopback, in threads.
"""

import contextlib
import socket
import threading
import time
from collections import deque

from tests.chaos import Chaos, Conversation
from tests.end_to_end.ports import HOST


class ChaosUpstream:
    """
    A mail server that does what L{Chaos} says, each connection in a thread.
    """

    def __init__(self):
        self.chaos = Chaos()
        self._lock = threading.Lock()
        self._connections = []
        self._listener = socket.create_server((HOST, 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def behave(self, **behaviour):
        """
        Behave in another way from the next connection on.
        """
        with self._lock:
            self.chaos = Chaos(taken=self.chaos.taken, **behaviour)

    @property
    def open(self):
        """
        Count the connections that are open.
        """
        with self._lock:
            return len(self._connections)

    def close(self):
        """
        Stop listening and cut all connections.
        """
        with self._lock:
            connections = [self._listener, *self._connections]
        for connection in connections:
            # The other side may have been faster.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections.append(connection)
                chaos = self.chaos
            threading.Thread(target=self._serve, args=(connection, chaos), daemon=True).start()

    def _serve(self, connection, chaos):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        later = deque()
        conversation = Conversation(
            chaos,
            connection.sendall,
            lambda: connection.shutdown(socket.SHUT_WR),
            lambda seconds, call: later.append((seconds, call)),
        )
        try:
            conversation.begin()
            while True:
                while later:
                    seconds, call = later.popleft()
                    time.sleep(seconds)
                    call()
                data = connection.recv(65536)
                if not data:
                    break
                if not conversation.is_closed:
                    conversation.hear(data)
        except OSError:
            # The client is gone.
            return
        finally:
            conversation.lost()
            with self._lock:
                self._connections.remove(connection)
            connection.close()
