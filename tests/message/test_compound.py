"""
Tests for L{mailgate.message.compound}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.forbidden import FileType
from mailgate.message.compound import compound_type
from tests.message.samples import COMPOUND, compound, within_a_second

INSTALLER = bytes.fromhex("84100c0000000000c000000000000046")


class CompoundTests(SynchronousTestCase):
    """
    Tests of what Office wrote before 2007.
    """

    def test_document(self):
        """
        A document without macros is only old.
        """
        kind, is_encrypted = compound_type(compound("WordDocument", "1Table"))
        self.assertEqual((kind, is_encrypted), (FileType.OFFICE_OLD, False))

    def test_macros(self):
        """
        A project of VBA is found by its entry, in capitals or small letters.
        """
        for name in ("_VBA_PROJECT", "_VBA_PROJECT_CUR", "_vba_Project"):
            kind, _ = compound_type(compound("WordDocument", "Macros", "VBA", name))
            self.assertEqual(kind, FileType.OFFICE_MACROS)

    def test_words_are_no_entry(self):
        """
        A text that speaks of the project is none.
        """
        words = "What is _VBA_PROJECT\0?".encode("utf-16-le")
        for before in (0, 1, 2, 118, 110):
            data = compound("WordDocument") + bytes(before) + words + bytes(200)
            self.assertEqual(compound_type(data)[0], FileType.OFFICE_OLD)

    def test_installer(self):
        """
        An installer is told by the class of its root.
        """
        for number in (b"\x82", b"\x84", b"\x86"):
            data = compound("x", root_class=number + INSTALLER[1:])
            self.assertEqual(compound_type(data)[0], FileType.INSTALLER)
        self.assertEqual(
            compound_type(compound("x", root_class=b"\x85" + INSTALLER[1:]))[0],
            FileType.OFFICE_OLD,
        )

    def test_encrypted(self):
        """
        A document of Office since 2007 with a password is an encrypted package in here.
        """
        kind, is_encrypted = compound_type(compound("EncryptionInfo", "EncryptedPackage"))
        self.assertEqual((kind, is_encrypted), (FileType.OFFICE_OLD, True))

    def test_a25_filled_with_names(self):
        """
        A name that stands there very often is taken for an entry, soon.
        """
        filled = COMPOUND + "_VBA_PROJECT\0".encode("utf-16-le") * 500_000
        kind, _ = within_a_second(self, compound_type, filled)
        self.assertEqual(kind, FileType.OFFICE_MACROS)

    @given(st.binary(max_size=300), st.integers(0, 700))
    def test_anything(self, junk, end):
        """
        Whatever it is given, it answers.
        """
        compound_type(junk)
        compound_type(compound("_VBA_PROJECT", "Root Entry")[:end] + junk)
