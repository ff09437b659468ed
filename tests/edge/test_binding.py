"""
Tests of the sockets at which clients are waited for.
"""

import os
from pathlib import Path
from shutil import rmtree
from socket import AF_UNIX, SO_TYPE, SOCK_STREAM, SOL_SOCKET, socket
from stat import S_IMODE
from tempfile import mkdtemp

from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.edge.binding import bind, let_in


class UnixSocketTests(SynchronousTestCase):
    """
    Tests of Unix sockets.
    """

    def setUp(self):
        """
        Make a folder whose name is short enough for a socket.
        """
        folder = Path(mkdtemp())
        self.addCleanup(rmtree, folder)
        self.path = folder / "mail.sock"

    def bind(self):
        """
        Bind the socket.
        """
        bound = bind(f"unix:{self.path}")
        self.addCleanup(bound.close)
        return bound

    def test_mode(self):
        """
        Only the user and the group may connect, whatever the umask, and the umask stays; it is
        the same once clients are let in.
        """
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        bound = self.bind()
        self.assertEqual(S_IMODE(self.path.stat().st_mode), 0o660)
        port = let_in(MemoryReactorClock(), bound, Factory())
        self.addCleanup(port.socket.close)
        self.assertEqual(S_IMODE(self.path.stat().st_mode), 0o660)
        self.assertEqual(os.umask(0), 0)

    def test_clients(self):
        """
        Clients are let in at the socket that was bound, which the port has for itself.
        """
        bound = self.bind()
        port = let_in(MemoryReactorClock(), bound, Factory())
        self.addCleanup(port.socket.close)
        self.assertEqual(bound.fileno(), -1)
        self.assertEqual(port.socket.getsockopt(SOL_SOCKET, SO_TYPE), SOCK_STREAM)
        with socket(AF_UNIX) as client:
            client.connect(str(self.path))

    def test_shared(self):
        """
        Where one process lets nobody in any more, the others still do, at the same file.
        """
        bound = self.bind()
        reactor = MemoryReactorClock()
        first = let_in(reactor, bound.dup(), Factory())
        second = let_in(reactor, bound, Factory())
        self.addCleanup(second.socket.close)
        stopped = first.stopListening()
        reactor.advance(1)
        self.successResultOf(stopped)
        with socket(AF_UNIX) as client:
            client.connect(str(self.path))
            accepted, _ = second.socket.accept()
            accepted.close()

    def test_left(self):
        """
        A socket that nobody listens at any more is replaced; one with a listener is not.
        """
        self.bind().close()
        bound = self.bind()
        with self.assertRaisesRegex(SystemExit, "another process listens there"):
            bind(f"unix:{self.path}")
        self.assertNotEqual(bound.fileno(), -1)

    def test_other_file(self):
        """
        A file that is no socket is left alone.
        """
        self.path.write_text("mail")
        with self.assertRaisesRegex(SystemExit, "cannot listen on unix:"):
            bind(f"unix:{self.path}")
        self.assertEqual(self.path.read_text(), "mail")
