"""
Tests of L{mailgate.edge.handed} and L{mailgate.edge.binding}.
"""

import errno
import os
import socket
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailgate.edge import binding, handed
from mailgate.edge.handed import HandedSockets, first_environment, place_of
from tests.pipeline.events import told
from tests.storage import temporary_folder

PID = 4711


class BindTests(SynchronousTestCase):
    """
    Tests of L{binding.bind}.
    """

    def test_low_port(self):
        """
        Who may not bind a port below 1024 is told what it needs; a port above it is another matter.
        """

        def refuse(endpoint):
            raise PermissionError(errno.EACCES, "Permission denied")

        self.patch(binding, "_endpoint", refuse)
        error = self.assertRaises(SystemExit, binding.bind, "127.0.0.1:25")
        self.assertIn("127.0.0.1:25: Permission denied; a port below 1024", str(error))
        self.assertIn("CAP_NET_BIND_SERVICE", str(error))
        error = self.assertRaises(SystemExit, binding.bind, "127.0.0.1:2525")
        self.assertEqual(str(error), "mailgate: cannot listen on 127.0.0.1:2525: Permission denied")

    def test_owner(self):
        """
        A Unix socket is given to its owner before anybody can connect, and nobody else may.
        """
        path = temporary_folder(self) / "lmtp"
        given = []

        def chown(path, user, group):
            with socket.socket(socket.AF_UNIX) as early:
                self.assertRaises(ConnectionRefusedError, early.connect, str(path))
            given.append((path, user, group))

        self.patch(os, "chown", chown)
        binding.bind(f"unix:{path}", (1001, 1002)).close()
        self.assertEqual(given, [(path, 1001, 1002)])
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o660)
        binding.bind(f"unix:{path}").close()
        self.assertEqual(len(given), 1)


class HandedSocketsTests(SynchronousTestCase):
    """
    Tests of L{HandedSockets}.
    """

    def listening(self, family, address):
        """
        Give a socket that listens.
        """
        made = socket.socket(family)
        self.addCleanup(made.close)
        made.bind(address)
        made.listen()
        return made

    def test_place(self):
        """
        Each address is spelled as in the configuration.
        """
        folder = str(temporary_folder(self).resolve())
        four = self.listening(socket.AF_INET, ("127.0.0.1", 0))
        six = self.listening(socket.AF_INET6, ("::1", 0))
        unix = self.listening(socket.AF_UNIX, f"{folder}/lmtp")
        abstract = self.listening(socket.AF_UNIX, f"\0{folder}")
        self.assertEqual(place_of(four), f"127.0.0.1:{four.getsockname()[1]}")
        self.assertEqual(place_of(six), f"[::1]:{six.getsockname()[1]}")
        self.assertEqual(place_of(unix), f"unix:{folder}/lmtp")
        self.assertEqual(place_of(abstract), f"unix:@{folder}")

    def test_bind(self):
        """
        The socket for a place is taken whatever way the place is spelled, again and again; for any
        other place one is made.
        """
        folder = temporary_folder(self).resolve()
        Path(folder, "link").symlink_to(folder)
        six = self.listening(socket.AF_INET6, ("::1", 0))
        unix = self.listening(socket.AF_UNIX, f"{folder}/lmtp")
        for each in (six, unix):
            each.setblocking(False)
        sockets = HandedSockets({place_of(each): each for each in (six, unix)})
        port = six.getsockname()[1]
        for place, original in ((f"[0:0::1]:{port}", six), (f"unix:{folder}/link/lmtp", unix)) * 2:
            with sockets.bind(place) as bound:
                self.assertTrue(os.path.sameopenfile(bound.fileno(), original.fileno()))
                self.assertEqual(bound.gettimeout(), 0)
        with sockets.bind("127.0.0.1:0") as bound:
            self.assertTrue(bound.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))

    def test_unused(self):
        """
        What is no place of the configuration is told, each time.
        """
        four = self.listening(socket.AF_INET, ("127.0.0.1", 0))
        place = place_of(four)
        sockets = HandedSockets({place: four})
        found = told(self, "socket.unused")
        sockets.tell_unused(["127.0.0.1:1", place])
        self.assertEqual(found, [])
        sockets.tell_unused(["127.0.0.1:1", f"[::1]:{place.rpartition(':')[2]}"])
        self.assertEqual([each["place"] for each in found], [place])

    def test_not_for_us(self):
        """
        Without the word of systemd, or with one for another process, nothing is taken.
        """
        for environ in (
            {},
            {"LISTEN_PID": "1", "LISTEN_FDS": "1"},
            {"LISTEN_FDS": "1"},
            {"LISTEN_PID": str(PID), "LISTEN_FDS": "one"},
            {"LISTEN_PID": str(PID), "LISTEN_FDS": "0"},
        ):
            self.assertEqual(HandedSockets.take(environ, PID)._sockets, {})

    def test_no_socket(self):
        """
        A descriptor that is none, or no socket, is named with what it was called.
        """
        environ = {"LISTEN_PID": str(PID), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "smtp"}
        with open(os.devnull) as nothing:
            number = nothing.fileno()
            self.patch(handed, "FIRST", number)
            error = self.assertRaises(SystemExit, HandedSockets.take, environ, PID)
        self.assertIn(f"descriptor {number} (smtp) is no socket", str(error))

    def test_first_environment(self):
        """
        What Twisted takes out of the environment is still in the one that the process got.
        """
        found = first_environment()
        self.assertIn("PATH", found)
        os.environ["MAILGATE_TEST_LATER"] = "1"
        self.addCleanup(os.environ.pop, "MAILGATE_TEST_LATER")
        self.assertNotIn("MAILGATE_TEST_LATER", first_environment())
