"""
Tests of L{mailgate.edge.listening}.
"""

import errno
import os
import socket
import stat

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.edge.binding import bind
from mailgate.edge.listening import PAUSE, UnixPort, listen
from tests.pipeline.events import told
from tests.storage import temporary_folder


class Reactor(Clock):
    """
    A reactor that notes who reads, and what it is given.
    """

    def __init__(self):
        super().__init__()
        self.readers = set()
        self.adopted = []

    def addReader(self, reader):
        """
        Note it.
        """
        self.readers.add(reader)

    def removeReader(self, reader):
        """
        Forget it.
        """
        self.readers.discard(reader)

    def adoptStreamConnection(self, descriptor, family, factory):
        """
        Note a connection.
        """
        self.adopted.append((os.get_blocking(descriptor), family, factory))

    def adoptStreamPort(self, descriptor, family, factory):
        """
        Give what was asked.
        """
        return descriptor, family, factory


class UnixPortTests(SynchronousTestCase):
    """
    Tests of L{UnixPort}.
    """

    def setUp(self):
        """
        Let two processes in at a socket; the other one has it only.
        """
        self.path = temporary_folder(self) / "lmtp"
        self.reactor = Reactor()
        self.factory = Factory.forProtocol(Protocol)
        self.factory.noisy = False
        self.other = bind(f"unix:{self.path}")
        self.addCleanup(self.other.close)
        self.port = listen(self.reactor, self.other, self.factory)

    def connect(self):
        """
        Come as a client.
        """
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.connect(str(self.path))

    def test_clients(self):
        """
        All who wait are let in.
        """
        self.assertEqual(self.reactor.readers, {self.port})
        for _ in range(3):
            self.connect()
        self.port.doRead()
        self.port.doRead()
        self.assertEqual(self.reactor.adopted, [(False, socket.AF_UNIX, self.factory)] * 3)
        self.assertEqual(self.port.getHost().name, os.fsencode(self.path))

    def test_file_is_left_alone(self):
        """
        Neither its beginning nor its end opens the file to others or removes it: another process
        goes on.
        """
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o660)
        self.port.stopListening()
        self.port.stopListening()
        self.assertEqual(self.reactor.readers, set())
        self.connect()
        accepted, _ = self.other.accept()
        accepted.close()

    def test_never_blocks(self):
        """
        The socket never waits, here and elsewhere.
        """
        self.assertFalse(os.get_blocking(self.port.fileno()))
        self.assertFalse(os.get_blocking(self.other.fileno()))

    def test_no_descriptors(self):
        """
        Where nobody can be let in, it is said and tried again after a while, not at once.
        """
        found = told(self, "edge.paused")

        class Full:
            def accept(self):
                raise OSError(errno.EMFILE, "Too many open files")

            def fileno(self):
                return 9

            def close(self):
                self.is_closed = True

        port = UnixPort(full := Full(), self.factory, self.reactor)
        port.startListening()
        port.doRead()
        self.assertNotIn(port, self.reactor.readers)
        self.assertIn("Too many open files", found[0]["error"])
        self.reactor.advance(PAUSE)
        self.assertIn(port, self.reactor.readers)
        port.doRead()
        port.connectionLost(None)
        self.assertTrue(full.is_closed)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertNotIn(port, self.reactor.readers)

    def test_others(self):
        """
        Sockets of other kinds are the reactor's.
        """
        with bind("127.0.0.1:0") as bound:
            expected = bound.fileno(), socket.AF_INET, self.factory
            self.assertEqual(listen(self.reactor, bound, self.factory), expected)
