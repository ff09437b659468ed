"""
Tests for L{mailgate.message.tar}.
"""

import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.tar import read_tar
from tests.message.samples import tarred, within_a_second

LONG = "folder/" * 30 + "a.exe"


class TarTests(SynchronousTestCase):
    """
    Tests of the names in a tar file.
    """

    def test_plain(self):
        """
        Files have their names and places.
        """
        data = tarred(("a.txt", b"words"), ("b.exe", b"x" * 600), ("c", b""))
        tar = read_tar(data, 100)
        self.assertEqual([entry.names for entry in tar.entries], [("a.txt",), ("b.exe",), ("c",)])
        first = tar.entries[0]
        self.assertEqual(data[first.begin : first.begin + first.size], b"words")
        self.assertEqual(tar.flaws, ())

    def test_long_names(self):
        """
        Names that do not fit are read in each of the three ways in which they are written.
        """
        for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT):
            tar = read_tar(tarred((LONG, b"x"), ("b", b""), format=kind), 100)
            self.assertIn(LONG, tar.entries[0].names)
            self.assertEqual(tar.entries[1].names, ("b",))

    def test_a23_names(self):
        """
        Names that would do harm to a shell or a disk are only names.
        """
        names = ("../../etc/passwd", "/etc/passwd", "`id`.exe", "$(id);|&.exe", "a\nb")
        tar = read_tar(tarred(*((name, b"") for name in names)), 100)
        self.assertEqual([entry.names[0] for entry in tar.entries], list(names))

    def test_a23_links(self):
        """
        Links to other files are passed over: none is followed.
        """
        target = io.BytesIO()
        with tarfile.open(fileobj=target, mode="w") as archive:
            for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                member = tarfile.TarInfo("a.txt")
                member.type, member.linkname = kind, "/etc/passwd"
                archive.addfile(member)
            archive.addfile(tarfile.TarInfo("b"))
        tar = read_tar(target.getvalue(), 100)
        self.assertEqual([each.names for each in tar.entries], [("b",)])
        self.assertEqual(tar.flaws, ())

    def test_a23_many(self):
        """
        Of very many files as many are read as are asked for.
        """
        data = tarred(*((f"{n}", b"") for n in range(200)))[:-10240] * 200
        tar = within_a_second(self, read_tar, data, 10_000)
        self.assertEqual(len(tar.entries), 10_000)
        self.assertEqual(tar.flaws, ("It holds more files than are read.",))

    def test_broken(self):
        """
        What stops being a tar file in the middle is told.
        """
        data = tarred(("a.txt", b"words"))
        tar = read_tar(data[:1024] + b"x" * 1024, 100)
        self.assertEqual([entry.names for entry in tar.entries], [("a.txt",)])
        self.assertEqual(tar.flaws, ("It is broken behind its beginning.",))

    @given(st.binary(max_size=600), st.integers(0, 2000), st.binary(max_size=12))
    def test_anything(self, junk, at, few):
        """
        Whatever becomes of a tar file, reading it ends.
        """
        read_tar(junk, 5)
        data = tarred(("a", b"x" * 600), (LONG, b"y"), format=tarfile.GNU_FORMAT)
        read_tar(data[:at] + few + data[at + len(few) :], 5)
