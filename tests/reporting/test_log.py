"""
Tests of L{mailgate.reporting.log}.
"""

import os

from twisted.trial.unittest import SynchronousTestCase

from mailgate.reporting.log import TransactionLog
from tests.storage import temporary_folder

SECONDS = 30.0


class TransactionLogTests(SynchronousTestCase):
    """
    Tests of L{TransactionLog}.
    """

    def setUp(self):
        """
        Name the file.
        """
        self.path = temporary_folder(self) / "log.jsonl"

    def written(self, log, *groups):
        """
        Let a log write groups of lines, and end it.
        """
        log.start()
        for group in groups:
            log.write(group)
        self.assertTrue(log.stop(SECONDS))

    def append(self, log, *lines):
        """
        Let a log write without its thread.
        """
        return log._append(b"".join(line + b"\n" for line in lines))

    def test_lines(self):
        """
        Each line is appended to what is there, and the end waits for the last.
        """
        self.path.write_text("before\n")
        self.written(TransactionLog(self.path), ["one", "two"], ["three"])
        self.assertEqual(self.path.read_text(), "before\none\ntwo\nthree\n")

    def test_f18_rotated(self):
        """
        A renamed file is left alone from then on, and a new one is begun.
        """
        log = TransactionLog(self.path)
        self.append(log, b"one")
        self.path.rename(f"{self.path}.1")
        self.append(log, b"two")
        self.assertEqual(self.path.with_name("log.jsonl.1").read_text(), "one\n")
        self.assertEqual(self.path.read_text(), "two\n")

    def test_f18_deleted(self):
        """
        A deleted file is made again.
        """
        log = TransactionLog(self.path)
        self.append(log, b"one")
        self.path.unlink()
        self.assertEqual(self.append(log, b"two"), 0)
        self.assertEqual(self.path.read_text(), "two\n")

    def test_f18_blocked(self):
        """
        A file that blocks stops nobody: what does not fit into the queue is dropped and counted.
        """
        os.mkfifo(self.path)
        log = TransactionLog(self.path, limit=10)
        log.start()
        log.write(["x"] * 25)
        self.assertGreaterEqual(log.take_lost(), 15)
        self.assertEqual(log.take_lost(), 0)
        self.assertFalse(log.stop(0.01))
        # Let the thread go.
        with open(os.open(self.path, os.O_RDONLY), "rb") as reader:
            self.assertEqual(reader.read(), b"x\n" * 10)
        self.assertTrue(log.stop(SECONDS))

    def test_f4_full(self):
        """
        What the disk does not take is counted, and the next lines begin on a line of their own.
        """
        log = TransactionLog(self.path)
        room = [4]

        def write(descriptor, data):
            if not room[0]:
                raise OSError("full")
            taken = os_write(descriptor, bytes(data[: room[0]]))
            room[0] -= taken
            return taken

        os_write = os.write
        self.patch(os, "write", write)
        self.assertEqual(self.append(log, b"one", b"two"), 1)
        self.assertEqual(self.append(log, b"three"), 1)
        room[0] = 4
        self.assertEqual(self.append(log, b"four"), 1)
        room[0] = 1000
        self.assertEqual(self.append(log, b"five"), 0)
        self.assertEqual(self.path.read_text().splitlines()[-1], "five")

    def test_no_folder(self):
        """
        Where the file cannot be made, the lines are counted as lost.
        """
        log = TransactionLog(self.path / "nowhere")
        self.written(log, ["one", "two"])
        self.assertEqual(log.take_lost(), 2)
