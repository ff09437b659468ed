"""
What every L{mailgate.interfaces.IFiles} promises.
"""

import os

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailgate.interfaces import IFiles
from mailgate.store.files import Files
from tests.recording import Journal, RecordingFiles
from tests.storage import temporary_folder


def files_contract(make):
    """
    Make the test case for an implementation.

    @param make: makes one.
    """

    class FilesContract(SynchronousTestCase):
        def setUp(self):
            self.files = make()
            self.folder = temporary_folder(self)
            self.path = self.folder / "file"

        def write(self, path, data):
            with self.files.create(path) as file:
                self.files.write(file, data)
                self.files.sync(file)

        def test_interface(self):
            """
            It has all methods.
            """
            verifyObject(IFiles, self.files)

        def test_create(self):
            """
            What is written to a new file is there, and nobody else may read it.
            """
            before = os.umask(0)
            self.addCleanup(os.umask, before)
            with self.files.create(self.path) as file:
                self.files.write(file, b"one ")
                self.files.write(file, b"two")
                self.files.sync(file)
                self.assertEqual(self.path.read_bytes(), b"one two")
            self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

        def test_create_existing(self):
            """
            A file that is there is never overwritten.
            """
            self.write(self.path, b"first")
            self.assertRaises(FileExistsError, self.files.create, self.path)
            self.assertEqual(self.path.read_bytes(), b"first")

        def test_open(self):
            """
            A file that is there can be read and synced.
            """
            self.write(self.path, b"text")
            with self.files.open(self.path) as file:
                self.assertEqual(file.read(), b"text")
                self.files.sync(file)

        def test_link(self):
            """
            A link is a second name for the same bytes, and replaces nothing.
            """
            self.write(self.path, b"text")
            second = self.folder / "second"
            self.files.link(self.path, second)
            self.files.remove(self.path)
            self.assertEqual(second.read_bytes(), b"text")
            self.write(self.path, b"other")
            self.assertRaises(OSError, self.files.link, self.path, second)

        def test_rename(self):
            """
            A renamed file has its new name only.
            """
            self.write(self.path, b"text")
            target = self.folder / "target"
            self.files.rename(self.path, target)
            self.files.sync_directory(self.folder)
            self.assertEqual(sorted(self.folder.iterdir()), [target])

        def test_remove(self):
            """
            A removed file is gone; removing it again is fine.
            """
            self.write(self.path, b"text")
            self.files.remove(self.path)
            self.files.remove(self.path)
            self.assertEqual(list(self.folder.iterdir()), [])

    return FilesContract


class FilesTests(files_contract(Files)):
    """
    The real file system.
    """


class RecordingFilesTests(files_contract(lambda: RecordingFiles(Journal()))):
    """
    The layer that writes down each step.
    """
