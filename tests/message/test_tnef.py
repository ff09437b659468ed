"""
Tests of what lies in C{winmail.dat}.
"""

from struct import pack

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.forbidden import FileType
from mailgate.message.archive import Caps
from mailgate.message.attachments import Examination
from mailgate.message.mime.readings import read_all
from mailgate.message.tnef import Wrapped, read_tnef
from tests.message.samples import PROGRAM, attached


def attribute(tag, value, level=2):
    """
    Give an attribute, with its checksum.
    """
    return pack("<BHHI", level, tag, 6, len(value)) + value + pack("<H", sum(value) % 65536)


def string(identity, text):
    """
    Give a property of MAPI that is a text in UTF-16.
    """
    raw = (text + "\0").encode("utf-16-le")
    return pack("<HHII", 0x1F, identity, 1, len(raw)) + raw + b"\0" * (-len(raw) % 4)


def properties(*each):
    """
    Give properties of MAPI.
    """
    return pack("<I", len(each)) + b"".join(each)


def tnef(*attributes):
    """
    Give a file.
    """
    return b"\x78\x9f\x3e\x22\1\0" + b"".join(attributes)


RENDER = attribute(0x9002, b"\1\0" + b"\0" * 12)


class TnefTests(SynchronousTestCase):
    """
    Tests of reading it.
    """

    def test_files(self):
        """
        Each attachment has its short name, its long one before it, and its content.
        """
        data = tnef(
            attribute(0x8006, b"\0\0\1\0", 1),
            RENDER,
            attribute(0x8010, b"PAYLO~1.TXT\0"),
            attribute(0x800F, b"one"),
            attribute(
                0x9005, properties(pack("<HHI", 3, 0x3705, 1), string(0x3707, "payload.exe"))
            ),
            RENDER,
            attribute(0x8010, b"b.txt\0"),
            attribute(0x800F, b"two"),
        )
        read = read_tnef(data, 10)
        self.assertEqual(
            read.files,
            (Wrapped(("payload.exe", "PAYLO~1.TXT"), b"one"), Wrapped(("b.txt",), b"two")),
        )
        self.assertEqual(read.flaws, ())
        self.assertEqual(len(read_tnef(data, 1).files), 1)
        self.assertEqual(read_tnef(data, 1).flaws, ("It holds more files than are read.",))

    def test_content_in_properties(self):
        """
        The content may be a property; a name of a property may be a text or a number.
        """
        named = pack("<HH", 3, 0x8001) + b"\0" * 16 + pack("<III", 1, 4, 0x61) + pack("<I", 7)
        number = pack("<HH", 3, 0x8002) + b"\0" * 16 + pack("<III", 0, 9, 7)
        content = pack("<HHII", 0x0102, 0x3701, 1, 3) + b"one\0"
        data = tnef(
            RENDER, attribute(0x9005, properties(named, number, content, string(0x3704, "a")))
        )
        self.assertEqual(read_tnef(data, 10).files, (Wrapped(("a",), b"one"),))

    def test_broken(self):
        """
        What is broken is told, and what stands before it is kept.
        """
        data = tnef(RENDER, attribute(0x8010, b"a\0"), attribute(0x800F, b"one" * 10)[:-9])
        read = read_tnef(data, 10)
        self.assertEqual(read.flaws, ("It is not built as it must be.",))
        for broken in (b"", b"\x78\x9f\x3e\x22", tnef(attribute(0x9005, b"\xff" * 40))):
            self.assertEqual(read_tnef(broken, 10).files, ())

    @given(st.binary(max_size=300))
    def test_anything(self, rest):
        """
        Whatever it holds, reading ends.
        """
        read_tnef(b"\x78\x9f\x3e\x22\1\0" + rest, 10)
        read_tnef(tnef(RENDER, attribute(0x9005, rest)), 10)

    def test_opened(self):
        """
        A file in an attached C{winmail.dat} is looked at.
        """
        data = tnef(RENDER, attribute(0x8010, b"a.dat\0"), attribute(0x800F, PROGRAM))
        every = read_all(attached("winmail.dat", data, "application/ms-tnef"))
        files = Examination(every.enclosed, Caps()).finish().files
        self.assertEqual(
            [(file.names, file.type, file.within) for file in files],
            [
                (("winmail.dat",), FileType.TNEF, ()),
                (("a.dat",), FileType.WINDOWS_PROGRAM, ("winmail.dat",)),
            ],
        )
