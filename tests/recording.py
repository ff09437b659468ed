"""
A file layer and database connections that write down each step, to prove their order.
"""

import sqlite3
from pathlib import Path

from attrs import define, field
from zope.interface import implementer

from mailgate.interfaces import IFiles
from mailgate.store.files import Files


@define
class Journal:
    """
    The steps towards stable storage, in the order in which they were completed.
    """

    steps: list[tuple[str, Path | None]] = field(factory=list)
    """What was done, and to which file: C{write}, C{sync}, C{commit} and so on."""

    def add(self, step, path=None):
        """
        Write down that a step was completed.
        """
        self.steps.append((step, path))

    def names(self):
        """
        Give the steps without their files, and without repetitions in a row.
        """
        names = []
        for step, _ in self.steps:
            if names[-1:] != [step]:
                names.append(step)
        return names

    def clear(self):
        """
        Begin anew.
        """
        self.steps.clear()


@implementer(IFiles)
class RecordingFiles:
    """
    Real files, each step written down.
    """

    def __init__(self, journal, files=None):
        self._journal = journal
        self._files = files or Files()

    def _opened(self, step, path):
        file = getattr(self._files, step)(path)
        self._journal.add(step, path)
        return file

    def create(self, path):
        """
        Create a file.
        """
        return self._opened("create", path)

    def open(self, path):
        """
        Open a file.
        """
        return self._opened("open", path)

    def write(self, file, data):
        """
        Append to a file.
        """
        self._files.write(file, data)
        self._journal.add("write", _path_of(file))

    def sync(self, file):
        """
        Fsync a file.
        """
        self._files.sync(file)
        self._journal.add("sync", _path_of(file))

    def link(self, source, target):
        """
        Give a file a second name.
        """
        self._files.link(source, target)
        self._journal.add("link", target)

    def rename(self, source, target):
        """
        Move a file.
        """
        self._files.rename(source, target)
        self._journal.add("rename", target)

    def sync_directory(self, path):
        """
        Fsync a directory.
        """
        self._files.sync_directory(path)
        self._journal.add("sync_directory", path)

    def remove(self, path):
        """
        Remove a file.
        """
        self._files.remove(path)
        self._journal.add("remove", path)


def recording_connect(journal, name="state.db"):
    """
    Give a function like L{sqlite3.connect} whose connections write their commits down.

    @param name: the name of the file whose commits are of interest.
    """

    class Connection(sqlite3.Connection):
        def execute(self, sql, *parameters):
            """
            Run a statement.
            """
            cursor = super().execute(sql, *parameters)
            if sql == "COMMIT":
                journal.add("commit", Path(name))
            return cursor

    def connect(path, **keywords):
        if Path(str(path)).name != name:
            return sqlite3.connect(path, **keywords)
        return sqlite3.connect(path, factory=Connection, **keywords)

    return connect


def _path_of(file):
    """
    Ask the kernel which file it is, as it may have been opened by a descriptor.
    """
    return Path(f"/proc/self/fd/{file.fileno()}").readlink()
