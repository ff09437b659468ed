"""
Tests for L{mailgate.message.filetype}.
"""

import gzip
import lzma
import struct
from bz2 import compress

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.forbidden import FileType
from mailgate.message.filetype import DEEP, file_type
from tests.message.samples import PROGRAM, compound, tarred, zipped


def disk(offset, mark):
    """
    Make a disk that has a mark at an offset.
    """
    return b"\0" * offset + mark + b"\0" * 4096


BOOT = b"\xeb\x3c\x90MSDOS5.0".ljust(54, b"\0") + b"FAT16   ".ljust(456, b"\0") + b"\x55\xaa"

SAMPLES = {
    FileType.WINDOWS_PROGRAM: [PROGRAM],
    FileType.UNIX_PROGRAM: [b"\x7fELF\2\1\1\0"],
    FileType.MAC_PROGRAM: [b"\xcf\xfa\xed\xfe\7\0\0\1", b"\xca\xfe\xba\xbe\0\0\0\2\1\0\0\7"],
    FileType.JAVA: [b"\xca\xfe\xba\xbe\0\0\0\x34\0\x1d"],
    FileType.ANDROID_APP: [b"dex\n035\0"],
    FileType.SHORTCUT: [
        bytes.fromhex("4c0000000114020000000000c000000000000046") + bytes(40),
        b"\xef\xbb\xbf[InternetShortcut]\r\nURL=file://example.org/a.exe\r\n",
        b"[Desktop Entry]\nExec=sh\n",
        b'<?xml version="1.0"?>\n<libraryDescription xmlns="x">',
    ],
    FileType.HELP: [b"ITSF\3\0\0\0"],
    FileType.ONENOTE: [bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3")],
    FileType.OFFICE_OLD: [compound("WordDocument")],
    FileType.RTF: [b"{\\rtf1\\ansi", b"{\\rt"],
    FileType.PDF: [b"%PDF-1.7\n", b"\r\n junk before %PDF-1.4"],
    FileType.HTML: [
        b"<!DOCTYPE html><p>x",
        b"\r\n  <HTML><script>",
        "\ufeff<html>".encode("utf-16-le"),
    ],
    FileType.HTML_APPLICATION: [b'<html><head><HTA:APPLICATION ID="x">'],
    FileType.WINDOWS_SCRIPT: [
        b'Set x = CreateObject("WScript.Shell")',
        b"var a = new ActiveXObject('x')",
        b"@echo off\r\n",
        b"#@~^AAAA==",
        'On Error Resume Next\nWScript.Echo "x"'.encode("utf-16"),
    ],
    FileType.UNIX_SCRIPT: [b"#!/bin/sh\n"],
    FileType.DISK_IMAGE: [
        disk(0x8001, b"CD001"),
        disk(0x8801, b"BEA01"),
        disk(0x9001, b"NSR02"),
        b"conectix" + bytes(8),
        b"vhdxfile",
        b"MSWIM\0\0\0",
        BOOT,
    ],
    FileType.MESSAGE: [b"Received: from a\r\n\tby b\r\nFrom: a@b.c\r\nSubject: x\r\n\r\nx"],
    FileType.TNEF: [b"\x78\x9f\x3e\x22\1\0"],
    FileType.ZIP: [zipped(("a", b"x")), b"PK\5\6" + bytes(18)],
    FileType.RAR: [b"Rar!\x1a\x07\0", b"Rar!\x1a\x07\1\0"],
    FileType.SEVEN_ZIP: [b"7z\xbc\xaf\x27\x1c\0\4"],
    FileType.CAB: [b"MSCF\0\0\0\0"],
    FileType.ACE: [b"\0\0\x31\0\0\0\0**ACE**"],
    FileType.ARJ: [b"\x60\xea\x29\0"],
    FileType.LHA: [b"\x24\x3a-lh5-"],
    FileType.TAR: [tarred(("a", b"x"))],
    FileType.GZIP: [gzip.compress(b"x")],
    FileType.BZIP2: [compress(b"x")],
    FileType.XZ: [lzma.compress(b"x")],
    FileType.ZSTANDARD: [b"\x28\xb5\x2f\xfd\0"],
    FileType.IMAGE: [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\0\0\0\0WEBP"],
    FileType.MEDIA: [b"ID3\4", b"\0\0\0\x20ftypisom", b"RIFF\0\0\0\0WAVE"],
    FileType.TEXT: [
        b"Dear Ada,\r\n",
        b"MZ is how it begins",
        b"\x1b$B in ISO-2022-JP",
        "Grüße".encode("latin-1"),
    ],
    FileType.UNKNOWN: [b"", b"\0\1\2\3", bytes(2000)],
}


class TypeTests(SynchronousTestCase):
    """
    Tests of the table.
    """

    def test_samples(self):
        """
        Each type is known by its first bytes.
        """
        for kind, samples in SAMPLES.items():
            for sample in samples:
                self.assertEqual(file_type(sample[:DEEP]), kind, sample[:60])

    def test_every_type_has_a_sample(self):
        """
        No type is without a sample but those that only a look inside tells.
        """
        inside = {FileType.OFFICE, FileType.OFFICE_MACROS, FileType.INSTALLER}
        self.assertEqual(set(FileType) - set(SAMPLES), inside)

    def test_class_and_program(self):
        """
        A Java class and a program for several Macs begin alike and are told apart.
        """
        for version in (45, 52, 65):
            self.assertEqual(
                file_type(b"\xca\xfe\xba\xbe" + struct.pack(">2H", 0, version)), FileType.JAVA
            )

    @given(st.binary(max_size=80), st.sampled_from([s for each in SAMPLES.values() for s in each]))
    def test_anything(self, junk, sample):
        """
        Whatever it is given, it answers.
        """
        file_type(junk)
        file_type(sample[: len(junk)])
        file_type(sample[:40] + junk)
