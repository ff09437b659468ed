"""
Tests of the sockets at which clients are waited for.
"""

import os
from pathlib import Path
from shutil import rmtree
from stat import S_IMODE
from tempfile import mkdtemp

from twisted.trial.unittest import SynchronousTestCase

from mailgate.edge.binding import bind


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
        Only the user and the group may connect, whatever the umask, and the umask stays.
        """
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.bind()
        self.assertEqual(S_IMODE(self.path.stat().st_mode), 0o660)
        self.assertEqual(os.umask(0), 0)

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
