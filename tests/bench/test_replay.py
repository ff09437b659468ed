"""
Tests of the choice of files for a replay, and of the search for them afterwards.
"""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.replay import Places, files_of


class FilesOfTests(SynchronousTestCase):
    """
    The messages of a folder are all its files.
    """

    def test_all(self):
        """
        Folders in the folder count, hidden files and folders do not, and the order is fixed.
        """
        folder = Path(self.mktemp())
        for name in ("b/2.eml", "b/1", "a.eml", ".hidden", ".git/x", "b/.x"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
        names = [str(path.relative_to(folder)) for path in files_of(folder, 0)]
        self.assertEqual(names, ["a.eml", "b/1", "b/2.eml"])
        self.assertEqual(len(files_of(folder, 2)), 2)


class PlacesTests(SynchronousTestCase):
    """
    Only what came during the run is looked at.
    """

    def test_maildir(self):
        """
        New messages of a Maildir are found, those before the run and those in tmp are not.
        """
        maildir = Path(self.mktemp())
        for part in ("tmp", "new", "cur"):
            (maildir / part).mkdir(parents=True)
        (maildir / "new" / "old").write_bytes(b"Message-ID: <old@x>\n\nx\n")
        places = Places([maildir], None)
        (maildir / "new" / "1").write_bytes(b"Message-ID: <1@x>\n\nx\n")
        (maildir / "cur" / "2:2,S").write_bytes(b"Message-ID: <2@x>\n\nx\n")
        (maildir / "tmp" / "3").write_bytes(b"Message-ID: <3@x>\n\nx\n")
        os.rename(maildir / "new" / "old", maildir / "cur" / "old:2,S")
        self.assertEqual(sorted(seen.key for seen in places.delivered()), ["<1@x>", "<2@x>"])
        self.assertEqual(list(places.held()), [])

    def test_unknown(self):
        """
        Without a configuration and a Maildir there is nowhere to look.
        """
        self.assertFalse(Places([], None).are_known)
        self.assertTrue(Places([Path("x")], None).are_known)
