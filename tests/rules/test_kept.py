"""
Tests of L{mailgate.rules.kept}.
"""

import hyperscan
from twisted.trial.unittest import SynchronousTestCase

from mailgate.rules import compile
from mailgate.rules.compile import compile_patterns
from tests.storage import temporary_folder


class KeptTests(SynchronousTestCase):
    """
    Tests of databases that are kept.
    """

    def setUp(self):
        """
        Make a folder, and count how often something is compiled.
        """
        self.folder = temporary_folder(self) / "rules"
        self.made = []
        make = compile._database
        self.patch(
            compile, "_database", lambda patterns: self.made.append(patterns) or make(patterns)
        )

    def find(self, *patterns):
        """
        Look for patterns as a new process does.
        """
        compile._compiled.cache_clear()
        found = compile_patterns(patterns, self.folder).find(b"some funds")
        return sorted(index for index, _ in found)

    def test_kept(self):
        """
        What one process has compiled the next one reads.
        """
        for _ in range(2):
            self.assertEqual(self.find("funds", "fun$"), [0])
        self.assertEqual(len(self.made), 1)
        (file,) = self.folder.iterdir()
        modes = [path.stat().st_mode & 0o777 for path in (self.folder, file)]
        self.assertEqual((modes, file.suffix), ([0o700, 0o600], ".hs"))

    def test_others(self):
        """
        Other patterns have another file.
        """
        self.assertEqual(self.find("funds"), [0])
        self.assertEqual(self.find("fun", "funds"), [0, 1])
        self.assertEqual(len(self.made), 2)

    def test_damaged(self):
        """
        A file that is damaged, or that is none of Hyperscan, is made anew, and an event says so.
        """
        self.find("funds")
        (file,) = self.folder.iterdir()
        good = file.read_bytes()
        for bad in (b"", good[:-1], good[:40] + b"x" + good[41:]):
            file.write_bytes(bad)
            self.assertEqual(self.find("funds"), [0])
            self.assertEqual(file.read_bytes(), good)
        self.assertEqual(len(self.made), 4)

    def test_foreign(self):
        """
        So is what has the right hash but is no database.
        """
        self.find("funds")
        (file,) = self.folder.iterdir()
        file.write_bytes(compile.sha256(b"other").digest() + b"other")
        self.assertEqual(self.find("funds"), [0])
        self.assertEqual(len(self.made), 2)

    def test_no_folder(self):
        """
        Where there is no data folder nothing is written, and the patterns are found all the same.
        """
        self.folder = self.folder / "deeper" / "rules"
        self.assertEqual(self.find("funds"), [0])
        self.assertFalse(self.folder.exists())

    def test_scratch(self):
        """
        A database that was read finds what the one that was written did.
        """
        for _ in range(2):
            self.assertEqual(self.find("f.{0,20}s", "s.*f", "none"), [0, 1])
        self.assertIsInstance(compile_patterns(("a",), self.folder).database, hyperscan.Database)
