"""
A command line in a folder of its own.
"""

import io
import sys

from twisted.trial.unittest import SynchronousTestCase

from mailgate.cli import main
from mailgate.config.load import load
from mailgate.hub.storage import Storage
from mailgate.message.message import MemoryMessage
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads, immediate_result
from tests.storage import ENVELOPE, hold, message, temporary_folder

CONFIG = """
hostname = "mail.example.com"
data = "data"
[[listener]]
address = "127.0.0.1:2525"
[[route]]
domains = ["example.com"]
upstream = "inbox"
[upstream.inbox]
kind = "maildir"
path = "data/inbox"
"""


class Terminal(io.TextIOWrapper):
    """
    A standard stream that remembers what was written.
    """

    def __init__(self, encoding="utf-8", text=b"", is_terminal=False):
        super().__init__(io.BytesIO(text), encoding=encoding)
        self._is_terminal = is_terminal

    def isatty(self):
        """
        Tell whether a person is there.
        """
        return self._is_terminal

    def text(self):
        """
        Give what was written.
        """
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)


def make_config(test):
    """
    Write a configuration into a folder of its own.
    """
    path = temporary_folder(test) / "mailgate.toml"
    path.write_text(CONFIG)
    return path


class CommandLineCase(SynchronousTestCase):
    """
    Has a configuration, and no gateway runs.
    """

    def setUp(self):
        """
        Write the configuration.
        """
        self.config = make_config(self)
        self.patch(sys, "stdin", Terminal())

    def call(self, *words, config=True, out=None):
        """
        Carry out a command line.

        @return: its status, what it printed, and what it complained about.
        """
        out, complaints = out or Terminal(), Terminal()
        self.patch(sys, "stdout", out)
        self.patch(sys, "stderr", complaints)
        status = main([*words, *(["--config", str(self.config)] if config else [])])
        return status, out.text(), complaints.text()

    def say(self, *words, **more):
        """
        Carry out a command that succeeds, and give what it printed.
        """
        status, out, complaints = self.call(*words, **more)
        self.assertEqual((status, complaints), (0, ""))
        return out

    def stored(self, work):
        """
        Do something with the storage.
        """
        threads = ImmediateThreads()
        storage = Storage(load(self.config), threads, threads, Files(), company=0)
        immediate_result(storage.open())
        try:
            return work(storage)
        finally:
            immediate_result(storage.close())

    def hold(self, *holds, text=None, provisional=False):
        """
        Hold a message.
        """
        kept = message() if text is None else MemoryMessage((text,))
        return self.stored(
            lambda storage: immediate_result(
                storage.quarantine(lambda: None).hold(
                    ENVELOPE, kept, holds or (hold(),), provisional
                )
            )
        )
