"""
Tests for L{mailgate.message.archive}.
"""

import gzip
import io
import zipfile
from random import Random

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.forbidden import FileType
from mailgate.message.archive import Caps, File, Opener, opened_as
from mailgate.message.filetype import DEEP, file_type
from tests.message.samples import (
    PROGRAM,
    attached,
    central_header,
    compound,
    local_header,
    overlapping,
    tarred,
    within_a_second,
    zip_of,
    zipped,
)

BOMB = zipped(("0", bytes(50_000_000)))


def opened(name, data, caps=None, claimed=""):
    """
    Open an attachment.
    """
    opener = Opener(caps or Caps())
    opener.open(data, File((name,), file_type(data[:DEEP]), claimed=claimed))
    return opener


def listed(name, data, **options):
    """
    Give the paths of all files with their types.
    """
    return {
        "/".join((*file.within, *file.names[:1])): file.type
        for file in opened(name, data, **options).files
    }


def sentences(name, data, **options):
    """
    Give what is said about an attachment.
    """
    return {flaw.sentence for flaw in opened(name, data, **options).flaws}


class ContentTests(SynchronousTestCase):
    """
    Tests of what is found in archives.
    """

    def test_zip(self):
        """
        Files in a zip file have their names, and their types by their content.
        """
        data = zipped(("a.txt", b"words"), ("b/photo.jpg", PROGRAM), ("b/", b""))
        self.assertEqual(
            listed("x.zip", data),
            {
                "x.zip": FileType.ZIP,
                "x.zip/a.txt": FileType.TEXT,
                "x.zip/b/photo.jpg": FileType.WINDOWS_PROGRAM,
            },
        )
        self.assertEqual(sentences("x.zip", data), set())

    def test_zip_in_a_zip(self):
        """
        So have those in a zip file in it, packed or not.
        """
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            inner = zipped(("a.exe", PROGRAM))
            data = zipped(("in.zip", inner), method=method)
            self.assertIn("x.zip/in.zip/a.exe", listed("x.zip", data))

    def test_gzip_and_tar(self):
        """
        In gzip and tar files it is the same.
        """
        self.assertEqual(
            listed("x.tar.gz", gzip.compress(tarred(("a.exe", PROGRAM), ("b.zip", zipped())))),
            {
                "x.tar.gz": FileType.GZIP,
                "x.tar.gz/x.tar": FileType.TAR,
                "x.tar.gz/x.tar/a.exe": FileType.WINDOWS_PROGRAM,
                "x.tar.gz/x.tar/b.zip": FileType.ZIP,
            },
        )

    def test_name_in_gzip(self):
        """
        What is in a gzip file has the name that stands in it and that of the file.
        """
        packed = b"\x1f\x8b\x08\x08" + bytes(6) + b"a.exe\0" + gzip.compress(PROGRAM)[10:]
        (_, file) = opened("b.txt.gz", packed).files
        self.assertEqual(file.names, ("a.exe", "b.txt"))
        self.assertEqual(file.type, FileType.WINDOWS_PROGRAM)

    def test_message(self):
        """
        What is attached to an attached message is found.
        """
        data = attached("a.exe", PROGRAM)
        self.assertEqual(listed("x.eml", data)["x.eml/a.exe"], FileType.WINDOWS_PROGRAM)
        self.assertIn("x/a.exe", listed("x", data, claimed="message/rfc822"))
        self.assertEqual(len(listed("x.txt", data)), 1)

    def test_kinds_of_zip(self):
        """
        What is a zip file underneath is told by what is in it.
        """
        for names, kind in (
            (["[Content_Types].xml", "word/document.xml"], FileType.OFFICE),
            (["[Content_Types].xml", "word/vbaProject.bin"], FileType.OFFICE_MACROS),
            (["[Content_Types].xml", "xl/macrosheets/sheet1.xml"], FileType.OFFICE_MACROS),
            (["mimetype", "META-INF/manifest.xml"], FileType.OFFICE),
            (["META-INF/MANIFEST.MF", "a.class"], FileType.JAVA),
            (["AndroidManifest.xml", "META-INF/MANIFEST.MF"], FileType.ANDROID_APP),
            (["a.txt"], FileType.ZIP),
        ):
            data = zipped(*((name, b"x") for name in names))
            self.assertEqual(listed("x.bin", data)["x.bin"], kind)

    def test_old_document(self):
        """
        A document of before 2007 is looked into, inside an archive too.
        """
        data = compound("_VBA_PROJECT")
        self.assertEqual(listed("x.doc", data), {"x.doc": FileType.OFFICE_MACROS})
        inside = listed("x.zip", zipped(("x.doc", data)))
        self.assertEqual(inside["x.zip/x.doc"], FileType.OFFICE_MACROS)
        (file,) = opened("x.docx", compound("EncryptedPackage")).files
        self.assertTrue(file.is_encrypted)

    def test_a21_junk_before_a_zip(self):
        """
        A zip file behind something else is opened where its name says zip.
        """
        data = b"\x89PNG\r\n\x1a\n" + zipped(("a.exe", PROGRAM))
        self.assertIn("x.zip/a.exe", listed("x.zip", data))
        self.assertEqual(listed("x.png", data), {"x.png": FileType.IMAGE})

    def test_no_zip(self):
        """
        What only has the name of a zip file is none, and no flaw.
        """
        for data in (b"This was removed.", b"\0\1\2", b"Rar!\x1a\x07\0"):
            self.assertEqual(len(opened("x.zip", data).files), 1)
            self.assertEqual(sentences("x.zip", data), set())

    def test_disk_in_a_zip(self):
        """
        The image of a disk is known by its content in an archive too.
        """
        data = zipped(("x.dat", bytes(0x8001) + b"CD001" + bytes(9000)))
        self.assertEqual(listed("x.zip", data)["x.zip/x.dat"], FileType.DISK_IMAGE)


class AttackTests(SynchronousTestCase):
    """
    Tests of archives that are made to do harm (A23 of the list of attacks).
    """

    def bombs(self, name, data, **options):
        """
        Open a bomb in less than a second, and say in how many archives one was seen.
        """
        opener = within_a_second(self, lambda: opened(name, data, **options))
        self.assertLessEqual(len(opener.files), opener.caps.files)
        return sum(flaw.is_bomb for flaw in opener.flaws)

    def test_a23_flat_bomb(self):
        """
        A file that says it becomes very large is not unpacked.
        """
        self.assertEqual(self.bombs("x.zip", BOMB), 1)

    def test_a23_lying_bomb(self):
        """
        One that does not say so is unpacked up to the limit, if it is unpacked at all.
        """
        for name, bombs in (("in.zip", 1), ("in.bin", 0)):
            data = zipped((name, bytes(50_000_000)))
            data = data.replace((50_000_000).to_bytes(4, "little"), b"\x10\0\0\0")
            self.assertEqual(self.bombs("x.zip", data), bombs)

    def test_a23_overlap(self):
        """
        Files that share their bytes are a bomb, and are not unpacked.
        """
        self.assertEqual(self.bombs("x.zip", overlapping(200_000)), 1)

    def test_a23_42(self):
        """
        Zip files in zip files in zip files, 16 each time, end at the depth and the count.
        """
        data = BOMB
        for _ in range(6):
            data = zipped(*((f"{number}.zip", data) for number in range(16)))
        self.bombs("x.zip", data)
        said = sentences("x.zip", data)
        self.assertIn("Archives lie in each other more than 4 deep.", said)

    def test_a23_depth(self):
        """
        Below the depth nothing is opened, and that is said.
        """
        data = zipped(("a.exe", PROGRAM))
        for _ in range(3):
            data = zipped(("in.zip", data))
        self.assertEqual(sentences("x.zip", data), set())
        self.assertIn("x.zip/in.zip/in.zip/in.zip/a.exe", listed("x.zip", data))
        data = zipped(("in.zip", data))
        self.assertEqual(sentences("x.zip", data), {"Archives lie in each other more than 4 deep."})

    def test_a23_quine(self):
        """
        What unpacks to itself for ever ends at the depth: here, as far as one can tell.
        """
        data = b"\x1f\x8b"
        for _ in range(200):
            data = gzip.compress(data)
        self.assertEqual(sentences("x.gz", data), {"Archives lie in each other more than 4 deep."})

    def test_a23_gzip_bomb(self):
        """
        A gzip file that becomes very large is a bomb where it would have to be unpacked.
        """
        self.assertEqual(self.bombs("x.tar.gz", gzip.compress(tarred(("a", bytes(30_000_000))))), 1)

    def test_a23_total(self):
        """
        All archives together are unpacked up to the limit.
        """
        inner = zipped(("a", Random(1).randbytes(600_000)))
        data = zipped(*((f"{number}.zip", inner) for number in range(9)))
        said = sentences("x.zip", data, caps=Caps(unpacked_bytes=2_000_000))
        self.assertIn("Unpacked it has more than 2,000,000 bytes.", said)
        self.assertEqual(sentences("x.zip", data), set())

    def test_a23_many_files(self):
        """
        So are files counted.
        """
        for data in (
            zipped(*((f"{number}.exe", b"") for number in range(300))),
            tarred(*((f"{number}.exe", b"") for number in range(300))),
        ):
            opener = opened("x", data, Caps(files=100))
            self.assertLessEqual(len(opener.files), 101)
            self.assertIn(
                "It holds more files than are read.", {flaw.sentence for flaw in opener.flaws}
            )

    def test_a23_million_entries(self):
        """
        Very many files, each packed, take less than a second.
        """
        data = zipped(*((f"{number}.txt", b"hello world " * 90) for number in range(20_000)))
        self.bombs("x.zip", data)

    def test_a10_messages(self):
        """
        Attached messages in attached messages, plain or encoded, take less than a second.
        """
        chain = b"Content-Type: message/rfc822\r\n\r\n" * 15 + attached("a.exe", PROGRAM)
        opener = within_a_second(self, lambda: opened("x.eml", chain))
        self.assertEqual([file.names for file in opener.files].count(("a.exe",)), 1)
        hostile = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--bx\r\n" * 20_000
        data = zipped(*((f"{number}.eml", b"X: y\r\n" * 9 + hostile) for number in range(99)))
        opener = within_a_second(self, lambda: opened("x.zip", data))
        said = {flaw.sentence for flaw in opener.flaws}
        self.assertIn("More than 20 messages are attached as files.", said)

    def test_a23_encrypted(self):
        """
        What is encrypted is known by name, it and the archive.
        """
        data = zip_of(local_header(b"a.exe", flags=1), central_header(b"a.exe", flags=1))
        archive, file = opened("x.zip", data).files
        self.assertTrue(archive.is_encrypted and file.is_encrypted)
        self.assertEqual(file.names, ("a.exe",))
        self.assertEqual(sentences("x.zip", data), set())

    def test_a23_symlink(self):
        """
        A link to another file is a file with some bytes: nothing is followed.
        """
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w") as archive:
            info = zipfile.ZipInfo("a.txt")
            info.create_system, info.external_attr = 3, 0o120777 << 16
            archive.writestr(info, "/etc/passwd")
        opener = Opener(Caps())
        opener.open(target.getvalue(), File(("a.zip",), FileType.ZIP))
        self.assertEqual([file.type for file in opener.files], [FileType.ZIP, FileType.TEXT])
        self.assertEqual(list(opener.flaws), [])

    def test_a23_unknown_packing(self):
        """
        An archive that is packed in an unusual way is told; another file is not.
        """
        for name, said in ((b"in.zip", 1), (b"a.txt", 0)):
            data = zip_of(local_header(name, method=12), central_header(name, method=12))
            self.assertEqual(len(sentences("x.zip", data)), said)

    def test_a23_cut(self):
        """
        An archive that ends too early is told.
        """
        self.assertTrue(sentences("x.zip", zipped(("a", bytes(999)), ("b", b"x"))[:60]))
        whole = tarred(("a", bytes(9999)))
        self.assertTrue(sentences("x.tar", whole[:2000]))

    @given(
        st.sampled_from(
            [
                zipped(("a.zip", zipped(("b", b"x"))), ("c.doc", compound("_VBA_PROJECT"))),
                gzip.compress(tarred(("a.eml", attached("b.zip", zipped(("c", b"x")))))),
                attached("a.tar", tarred(("a", b"x"))),
                b"",
            ]
        ),
        st.integers(0, 3000),
        st.binary(max_size=30),
        st.sampled_from(["x.zip", "x.gz", "x.eml", "x", "x.docx"]),
    )
    def test_anything(self, data, at, few, name):
        """
        Whatever becomes of an archive, opening it ends within the limits.
        """
        caps = Caps(depth=3, files=20, unpacked_bytes=10_000)
        opener = opened(name, data[:at] + few + data[at + len(few) :], caps)
        self.assertLessEqual(len(opener.files), 25)
        for flaw in opener.flaws:
            self.assertRegex(flaw.sentence, r"\A[A-Z0-9].*\.\Z")


class OpenedTests(SynchronousTestCase):
    """
    Tests of what is opened as what.
    """

    def test_what(self):
        """
        It depends on the type and, where that leaves room, on the name.
        """
        file = File(("x.bin",), FileType.UNKNOWN)
        self.assertIsNone(opened_as(file))
        self.assertEqual(opened_as(evolve(file, names=("x", "y.DOCX "))), FileType.ZIP)
        self.assertEqual(opened_as(evolve(file, type=FileType.TAR)), FileType.TAR)
        self.assertIsNone(opened_as(evolve(file, type=FileType.RAR, names=("x.zip",))))
