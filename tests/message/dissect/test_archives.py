"""
Tests of archives that only libarchive opens.
"""

from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.forbidden import FileType
from mailgate.message.archive import Caps
from mailgate.message.dissect import archives
from mailgate.message.dissect.question import Question, decode_answer, encode_question
from mailgate.message.dissect.work import dissect
from mailgate.message.filetype import DEEP, file_type
from mailgate.message.inside.inspector import Parser, Specimen
from tests.end_to_end.gateway import lack
from tests.message.samples import PROGRAM, within_a_second, zipped


def packed(format, *files):
    """
    Make an archive of pairs of name and content.
    """
    chunks = []

    def write(data):
        chunks.append(bytes(data))
        return len(data)

    with archives.libarchive.custom_writer(write, format) as archive:
        for name, content in files:
            archive.add_file_from_memory(name, len(content), content)
    return b"".join(chunks)


def dissected(data, caps=None):
    """
    Look into an archive.
    """
    specimen = Specimen(Parser.ARCHIVE, data, ("a.7z",), 0)
    return decode_answer(dissect(encode_question(Question((specimen,), (), caps or Caps()))))


class ArchiveTests(SynchronousTestCase):
    """
    Tests of C{look_at_archive}, with the library of the system.
    """

    def setUp(self):
        """
        Do without, where it is missing.
        """
        if archives.libarchive is None:
            lack(self, "libarchive is not there")

    def test_files(self):
        """
        The files in an archive are found by name and type, and archives in them are opened.
        """
        for format, kind in (("7zip", FileType.SEVEN_ZIP), ("iso9660", FileType.DISK_IMAGE)):
            data = packed(format, ("a.exe", PROGRAM), ("b.zip", zipped(("c.js", b"x"))))
            self.assertEqual(file_type(data[:DEEP]), kind)
            answer = dissected(data)
            found = {file.names[0].lower(): file for file in answer.files}
            self.assertLessEqual({"a.exe", "b.zip", "c.js"}, set(found))
            self.assertEqual(found["a.exe"].type, FileType.WINDOWS_PROGRAM)
            self.assertEqual(found["a.exe"].within, ("a.7z",))
            self.assertEqual(answer.troubles, ())

    def test_a23_bomb(self):
        """
        No more is unpacked than is allowed, and that is told.
        """
        data = packed("7zip", *((f"{number}", bytes(8_000_000)) for number in range(4)))
        answer = within_a_second(self, dissected, data, Caps(unpacked_bytes=10_000_000))
        self.assertEqual(
            [flaw.sentence for flaw in answer.flaws],
            ["Unpacked it has more than 10,000,000 bytes."],
        )

    def test_a23_many(self):
        """
        No more files are read than is allowed, and that is told.
        """
        data = packed("7zip", *((f"{number}", b"x") for number in range(50)))
        answer = dissected(data, Caps(files=20))
        self.assertEqual(len(answer.files), 20)
        self.assertEqual(
            [flaw.sentence for flaw in answer.flaws], ["It holds more files than are read."]
        )

    def test_a23_names(self):
        """
        Names that would do harm to a shell or a disk are only names.
        """
        names = ("../../etc/passwd", "`id`.exe", "$(id);|&.exe")
        answer = dissected(packed("7zip", *((name, b"x") for name in names)))
        self.assertEqual([file.names[0] for file in answer.files], list(names))

    def test_broken(self):
        """
        One that cannot be opened is a trouble.
        """
        data = packed("7zip", ("a.exe", PROGRAM))
        (trouble,) = dissected(data[:-20]).troubles
        self.assertEqual(trouble.path, ("a.7z",))


class MissingTests(SynchronousTestCase):
    """
    Tests without the library.
    """

    def test_told(self):
        """
        That nobody opens it is told.
        """
        with patch.object(archives, "libarchive", None):
            (trouble,) = dissected(b"7z\xbc\xaf\x27\x1c").troubles
        self.assertEqual(trouble.why, "nobody here opens this kind of archive")
