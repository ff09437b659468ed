"""
Tests for L{mailgate.message.zip}.
"""

import struct
import zipfile
import zlib
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.zip import inflate, read_directory, unpack
from tests.message.samples import (
    central_header,
    end_of_directory,
    local_header,
    overlapping,
    within_a_second,
    zip_of,
    zipped,
)

OTHERWISE = "Its directory names a file otherwise than the file itself."
UNNAMED = "A file is in it that its directory does not name."
NO_DIRECTORY = "It has no directory that can be read."
BROKEN = "Its directory is broken."
MORE = "It holds more files than are read."


def names(data, limit=100):
    """
    Give the names of the files.
    """
    return [entry.names for entry in read_directory(data, limit).entries]


def flaws(data, limit=100):
    """
    Give the flaws.
    """
    return list(read_directory(data, limit).flaws)


class DirectoryTests(SynchronousTestCase):
    """
    Tests of the names in a zip file.
    """

    def test_plain(self):
        """
        A zip file as any program writes it has its files and no flaw.
        """
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            data = zipped(("a.txt", b"words " * 50), ("b/", b""), ("b/c.bin", b""), method=method)
            directory = read_directory(data, 100)
            self.assertEqual(
                [(each.names, each.size, each.is_folder) for each in directory.entries],
                [(("a.txt",), 300, False), (("b/",), 0, True), (("b/c.bin",), 0, False)],
            )
            self.assertEqual((list(directory.flaws), directory.overlaps), ([], False))
            self.assertEqual(unpack(data, directory.entries[0], 1000), b"words " * 50)
            self.assertEqual(unpack(data, directory.entries[0], 10), b"words word")

    def test_empty(self):
        """
        A zip file with nothing in it is whole.
        """
        self.assertEqual((names(zipped()), flaws(zipped())), ([], []))

    def test_with_something_before_and_behind(self):
        """
        What unpacks itself begins with a program, and some have a comment; neither is a flaw.
        """
        data = zipped(("a.txt", b"words"))
        for before, behind in ((b"MZ" + bytes(5000), b""), (b"", b"\0" * 100), (b"x", b"y")):
            self.assertEqual(names(before + data + behind), [("a.txt",)])
            self.assertEqual(flaws(before + data + behind), [])

    def test_large_numbers(self):
        """
        Numbers of 64 bits are read.
        """
        extra = struct.pack("<2H3Q", 1, 24, 5, 5, 0)
        full = 0xFFFFFFFF
        before = local_header(b"a.exe") + b"words"
        directory = central_header(b"a.exe", full, full, full, extra=extra)
        at = len(before) + len(directory)
        end = struct.pack(
            "<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, len(directory), len(before)
        )
        locator = struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
        last = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, full, full, 0)
        data = before + directory + end + locator + last
        (entry,) = read_directory(data, 100).entries
        self.assertEqual((entry.names, entry.size, entry.packed), (("a.exe",), 5, 5))
        self.assertEqual(unpack(data, entry, 100), b"words")
        self.assertEqual(flaws(data), [])

    def test_name_in_utf_8(self):
        """
        A name that stands in UTF-8 beside the other is a reading too.
        """
        extra = struct.pack("<2HBL", 0x7075, 5 + len("ü.exe".encode()), 1, 0) + "ü.exe".encode()
        data = zip_of(local_header(b"u.txt"), central_header(b"u.txt", extra=extra))
        self.assertEqual(names(data), [("u.txt", "ü.exe")])

    def test_a23_encrypted(self):
        """
        An encrypted file is known, whichever of the two places says so.
        """
        for outer, inner in ((1, 1), (0, 1), (1, 0)):
            data = zip_of(local_header(b"a", flags=inner), central_header(b"a", flags=outer))
            (entry,) = read_directory(data, 100).entries
            self.assertTrue(entry.is_encrypted)
            self.assertEqual(unpack(data, entry, 100), b"")

    def test_a23_two_names(self):
        """
        Where the directory names a file otherwise than the file itself, both names are given.
        """
        data = zip_of(local_header(b"a.exe"), central_header(b"a.txt"))
        self.assertEqual(names(data), [("a.txt", "a.exe")])
        self.assertEqual(flaws(data), [OTHERWISE])

    def test_other_letters_or_slashes(self):
        """
        The same name in another character set, or with the other slash, is no flaw.
        """
        for inner, outer in ((b"\x81.txt", "ü.txt".encode()), (b"a\\b.txt", b"a/b.txt")):
            self.assertEqual(flaws(zip_of(local_header(inner), central_header(outer))), [])

    def test_a23_hidden(self):
        """
        A file that the directory does not name is found: before, between, behind, or alone.
        """
        shown, hidden = local_header(b"a.txt"), local_header(b"b.exe")
        directory = central_header(b"a.txt", offset=len(hidden))
        for data in (
            zip_of(hidden + shown, directory),
            zip_of(shown + hidden, central_header(b"a.txt")),
            zip_of(shown, central_header(b"a.txt")) + hidden,
            zip_of(shown + b"junk" * 9 + hidden + b"junk", central_header(b"a.txt")),
        ):
            self.assertEqual(sorted(names(data)), [("a.txt",), ("b.exe",)])
            self.assertEqual(flaws(data), [UNNAMED])
        self.assertEqual(names(hidden), [("b.exe",)])
        self.assertEqual(flaws(hidden), [NO_DIRECTORY, UNNAMED])

    def test_zip_in_a_zip_is_not_hidden(self):
        """
        The files of a zip file that lies unpacked in another one are not the other one's.
        """
        data = zipped(("in.zip", zipped(("a.exe", b"x"))), method=zipfile.ZIP_STORED)
        self.assertEqual((names(data), flaws(data)), ([("in.zip",)], []))

    def test_a23_two_directories(self):
        """
        Where two ends of a directory lead to two of them, both are read.
        """
        one, other = local_header(b"a.txt"), local_header(b"b.exe")
        before = one + other
        first, second = central_header(b"a.txt"), central_header(b"b.exe", offset=len(one))
        end = end_of_directory(1, len(second), len(before) + len(first))
        inner = end_of_directory(1, len(first), len(before), comment=second + end)
        self.assertEqual(sorted(names(before + first + inner + b"")), [("a.txt",), ("b.exe",)])
        moved = before + first + second + end_of_directory(1, len(second), len(before))
        self.assertEqual(sorted(names(moved)), [("a.txt",), ("b.exe",)])

    def test_a23_overlap(self):
        """
        Files that share their bytes are seen.
        """
        self.assertTrue(read_directory(overlapping(2, 1000), 100).overlaps)
        self.assertFalse(read_directory(overlapping(1, 1000), 100).overlaps)

    def test_a23_million_entries(self):
        """
        Of very many files as many are read as are asked for.
        """
        data = overlapping(200_000, 100)
        directory = within_a_second(self, read_directory, data, 10_000)
        self.assertEqual(len(directory.entries), 10_000)
        self.assertIn(MORE, directory.flaws)

    def test_a23_places_that_look_like_files(self):
        """
        Millions of places that look like files are not all looked at.
        """
        for data in (b"PK\3\4" * 3_000_000, local_header(b"a") * 300_000):
            directory = within_a_second(self, read_directory, data, 10_000)
            self.assertLessEqual(len(directory.entries), 10_000)
            self.assertTrue(directory.flaws)

    def test_cut(self):
        """
        A file that ends before its end, or a directory that does, is a flaw.
        """
        data = zipped(("a.txt", b"words" * 100), ("b.txt", b"x"), method=zipfile.ZIP_STORED)
        self.assertEqual(flaws(data[:300])[0], NO_DIRECTORY)
        entry = central_header(b"a.txt", packed=100, size=100)
        self.assertIn("It ends in the middle of a file.", flaws(zip_of(b"", entry)))
        self.assertIn("A file is not where its directory says.", flaws(zip_of(b"", entry)))
        self.assertEqual(flaws(zip_of(local_header(b"a"), central_header(b"a"), 7)), [BROKEN])

    @settings(max_examples=300)
    @given(st.data())
    def test_anything(self, data):
        """
        Whatever becomes of a zip file, reading it ends, within the limits.
        """
        sample = data.draw(
            st.sampled_from(
                [
                    zipped(("a.txt", b"words" * 9), ("b/c.exe", b"x")),
                    zip_of(local_header(b"a.exe"), central_header(b"a.txt")),
                    overlapping(3, 100),
                ]
            )
        )
        raw = bytearray(sample)
        for _ in range(data.draw(st.integers(0, 6))):
            at = data.draw(st.integers(0, len(raw) - 1))
            raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
            raw = raw or bytearray(b"\0")
        mutated = bytes(raw)
        directory = read_directory(mutated, 5)
        self.assertLessEqual(len(directory.entries), 5)
        for entry in directory.entries:
            self.assertLessEqual(len(unpack(mutated, entry, 50)), 50)

    @given(st.binary(max_size=200))
    def test_junk(self, junk):
        """
        Whatever it is given, it answers.
        """
        read_directory(junk, 5)
        read_directory(b"PK\3\4" + junk + b"PK\1\2" + junk + b"PK\5\6" + junk, 5)


class InflateTests(SynchronousTestCase):
    """
    Tests of unpacking.
    """

    @given(st.binary(max_size=2000), st.integers(0, 2500))
    def test_limit(self, data, limit):
        """
        What was packed is unpacked, up to the limit.
        """
        packed = b"junk" + zlib.compress(data) + b"junk"
        unpacked = inflate(packed, 4, len(packed) - 4, zlib.MAX_WBITS, limit)
        self.assertEqual(unpacked, data[:limit])

    def test_a23_nothing_in_many_bytes(self):
        """
        Millions of empty blocks before the first byte cost little and hide nothing.
        """
        packed = b"\0\0\0\xff\xff" * 2_000_000 + b"\1\3\0\xfc\xffMZ\0"
        unpacked = within_a_second(self, inflate, packed, 0, len(packed), -15, 100)
        self.assertEqual(unpacked, b"MZ\0")

    def test_broken(self):
        """
        What comes before a broken place is given.
        """
        data = b"a" * 1000 + Random(1).randbytes(100_000)
        packed = zlib.compress(data)[:50_000] + b"\xff" * 50_000
        self.assertEqual(inflate(packed, 0, len(packed), 15, 1000), b"a" * 1000)
        self.assertEqual(inflate(b"\xff" * 9, 0, 9, 15, 50), b"")
