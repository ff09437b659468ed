"""
Tests of L{mailgate.delivery.groups}.
"""

import os

from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.delivery import Group
from mailgate.delivery.groups import Groups
from mailgate.store.threads import ImmediateThreads
from tests.pipeline.events import events
from tests.storage import temporary_folder


class GroupsTests(SynchronousTestCase):
    """
    A group with a file.
    """

    def setUp(self):
        """
        Make it.
        """
        self.file = temporary_folder(self) / "moved"
        self.write("# those who have moved\n\nada@example.com # first\r\nBOB@Example.COM")
        self.changes = []
        self.groups = self.make()

    def make(self):
        """
        Make the groups.
        """
        groups = Groups(
            {
                "moved": Group(members=("eve@example.com",), file=self.file),
                "few": Group(members=("Eve@Example.com",)),
            },
            ImmediateThreads(),
        )
        groups.changed = lambda: self.changes.append(groups.members("moved"))
        return groups

    def write(self, text):
        """
        Write the file, as at another time.
        """
        self.file.write_text(text)
        before = self.file.stat().st_mtime_ns
        os.utime(self.file, ns=(before, before + len(text) * 1_000_000_007))

    def refresh(self):
        """
        Look at the files again, and give what was told.
        """
        with events() as seen:
            self.successResultOf(self.groups.refresh())
        return [each["event"] for each in seen]

    def test_members(self):
        """
        A group has its members and the addresses of its file, in small letters.
        """
        members = ("eve@example.com", "ada@example.com", "bob@example.com")
        self.assertEqual(self.groups.members("moved"), members)
        self.assertEqual(self.groups.members("few"), ("eve@example.com",))

    def test_changed(self):
        """
        A file that has changed is read again; others are not.
        """
        self.assertEqual(self.refresh(), [])
        self.write("ada@example.com\n")
        self.assertEqual(self.refresh(), ["group.read"])
        self.assertEqual(self.changes, [("eve@example.com", "ada@example.com")])
        self.assertEqual(self.refresh(), [])

    def test_same_members(self):
        """
        A file that says the same in other words changes nothing.
        """
        self.write("ada@example.com\nbob@example.com\n# nobody else\n")
        self.assertEqual(self.refresh(), [])
        self.assertEqual(self.changes, [])

    def test_wrong(self):
        """
        One that is wrong, or gone, is told once and changes nothing.
        """
        for spoil in (lambda: self.write("ada@example.com\nall of them\n"), self.file.unlink):
            spoil()
            self.assertEqual(self.refresh(), ["group.not_read"])
            self.assertEqual(self.refresh(), [])
            self.assertEqual(len(self.groups.members("moved")), 3)
        self.write("")
        self.assertEqual(self.refresh(), ["group.read"])
        self.assertEqual(self.groups.members("moved"), ("eve@example.com",))

    def test_gone_and_back(self):
        """
        One that was gone for a while and is gone again is told again.
        """
        for _ in range(2):
            away = self.file.rename(self.file.with_name("away"))
            self.assertEqual(self.refresh(), ["group.not_read"])
            away.rename(self.file)
            self.assertEqual(self.refresh(), [])

    def test_wrong_at_the_start(self):
        """
        At the start it is a mistake that names file and line.
        """
        self.write("ada@example.com\nall of them\n")
        error = self.assertRaises(ValueError, self.make)
        self.assertEqual(
            str(error), f"{self.file}: line 2 must be an address, as in ada@example.com"
        )
        self.file.unlink()
        error = self.assertRaises(ValueError, self.make)
        self.assertIn(f"{self.file}: cannot be read", str(error))
