"""
Tests of L{mailgate.hub.lock}.
"""

import os

from twisted.trial.unittest import SynchronousTestCase

from mailgate.hub.lock import DataLock, InUse
from tests.storage import temporary_folder


class DataLockTests(SynchronousTestCase):
    """
    Tests of L{DataLock}.
    """

    def test_second_is_refused(self):
        """
        A second holder is refused in words that name the folder and the process.
        """
        folder = temporary_folder(self)
        first, second = DataLock(folder), DataLock(folder)
        first.acquire()
        error = self.assertRaises(InUse, second.acquire)
        self.assertIn(str(folder), str(error))
        self.assertIn(f"process {os.getpid()}", str(error))
        first.release()
        second.acquire()
        second.release()

    def test_what_a_process_has_left(self):
        """
        The file of a process that is gone is no hindrance.
        """
        folder = temporary_folder(self)
        (folder / "lock").write_text("99999999999\n")
        lock = DataLock(folder)
        lock.acquire()
        self.assertEqual((folder / "lock").read_text(), f"{os.getpid()}\n")
        lock.release()
        lock.release()
