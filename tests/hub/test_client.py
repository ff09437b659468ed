"""
Tests of L{mailgate.hub.client}.
"""

import socket

from twisted.trial.unittest import SynchronousTestCase

from mailgate.hub import client
from mailgate.hub.client import reach
from mailgate.hub.commands import CommandError
from mailgate.store.files import Files
from tests.storage import make_settings, make_storage, temporary_folder


class ReachTests(SynchronousTestCase):
    """
    Tests of L{reach}; those with a running hub are in L{tests.test_cli}.
    """

    def test_nobody_runs(self):
        """
        Where no gateway runs the storage is opened, and closed at the end.
        """
        settings = make_settings(temporary_folder(self))
        for _ in range(2):
            with reach(settings, Files()) as ask:
                self.assertEqual(ask("quarantine.list", {}), {"rows": [], "total": 0})

    def test_failing_command(self):
        """
        A command that fails is raised, and the storage is closed all the same.
        """
        settings = make_settings(temporary_folder(self))
        with reach(settings, Files()) as ask:
            self.assertRaises(CommandError, ask, "dance", {})
        make_storage(self, settings.data)

    def test_does_not_answer(self):
        """
        Where another process has the folder but does not listen, it is said after a while.
        """
        self.patch(client, "_PAUSE", 0)
        storage = make_storage(self)
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(storage.settings.data / "control"))
        with self.assertRaises(CommandError) as raised:
            reach(storage.settings, Files()).__enter__()
        self.assertIn(str(storage.settings.data), str(raised.exception))

    def test_waits(self):
        """
        It waits for another command to end.
        """
        storage = make_storage(self)
        self.patch(client.time, "sleep", lambda _: storage.close())
        with reach(storage.settings, Files()) as ask:
            self.assertEqual(ask("user.list", {})["total"], 0)
