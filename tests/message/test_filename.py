"""
Tests for L{mailgate.message.filename}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.filename import CLASS, extensions, forms, is_turned


def last(name):
    """
    Give the extensions that decide, by every form of a name.
    """
    return {pieces[-1] for form in forms(name) if (pieces := extensions(form))}


class FormTests(SynchronousTestCase):
    """
    Tests of what programs make of a name (A22 of the list of attacks).
    """

    def test_plain(self):
        """
        A plain name is itself, in small letters.
        """
        self.assertEqual(forms("Invoice 7.PDF"), ("invoice 7.pdf",))
        self.assertEqual(extensions("invoice 7.pdf"), ("pdf",))
        self.assertEqual(extensions("readme"), ())

    def test_a22_folders(self):
        """
        Folders are no part of a name, whichever slash is used and wherever they lead.
        """
        for name in (
            "../../a.exe",
            "/etc/a.exe",
            "C:\\Windows\\a.exe",
            "\\\\host\\a.exe",
            "a.exe/",
        ):
            self.assertIn("a.exe", forms(name), name)
        self.assertEqual(forms("../"), ())
        self.assertEqual(last("v1.exe/readme"), set())

    def test_a22_end(self):
        """
        Dots, spaces and quotation marks at the end fall off.
        """
        for end in (".", " ", "...", " . ", '"', "'", "\N{NO-BREAK SPACE}", ".\t"):
            self.assertEqual(last(f"a.exe{end}"), {"exe"}, repr(end))

    def test_a22_streams(self):
        """
        What stands before and behind a colon is a name each.
        """
        self.assertEqual(last("a.exe::$DATA"), {"exe"})
        self.assertEqual(last("a.txt:b.exe"), {"txt", "exe"})

    def test_a22_unseen(self):
        """
        What is not seen is taken out; a NUL may be the end.
        """
        self.assertEqual(last("a.e\u200bxe"), {"exe"})
        self.assertEqual(last("a.ex\u00ade"), {"exe"})
        self.assertEqual(last("a.\u202eexe"), {"exe"})
        self.assertEqual(last("a.e\x07xe\r\n"), {"exe"})
        self.assertEqual(last("a.exe\0.txt"), {"exe", "txt"})

    def test_a22_wide(self):
        """
        Wide letters and dots are plain ones for some.
        """
        self.assertIn("exe", last("a.\uff45\uff58\uff45"))
        self.assertIn("exe", last("a\uff0eexe"))
        self.assertIn("exe", last("a\u2024exe"))

    def test_several(self):
        """
        All extensions are given, without the white space between them.
        """
        self.assertEqual(extensions("a.pdf          .exe"), ("pdf", "exe"))
        self.assertEqual(extensions("a.tar.gz"), ("tar", "gz"))

    def test_class(self):
        """
        The id of a class of Windows is an extension of its own.
        """
        name = "a.txt.{3050F4D8-98B5-11CF-BB82-00AA00BDCE0B}"
        self.assertEqual(extensions(forms(name)[0]), ("txt", CLASS))

    def test_a22_long(self):
        """
        Of a name that is too long the end is read, where its extension is.
        """
        self.assertEqual(last("x" * 100_000 + ".exe"), {"exe"})

    def test_turned(self):
        """
        A name whose letters are turned round is known, one with marks for Hebrew is none.
        """
        self.assertTrue(is_turned("invoice\u202efdp.exe"))
        self.assertFalse(is_turned("\u200f\u05d0\u05d1\u200e.pdf"))

    @given(st.text(max_size=60))
    def test_anything(self, name):
        """
        Whatever the name, its forms are bounded, seen, and no path.
        """
        for form in forms(name):
            self.assertTrue(form)
            self.assertNotIn("/", form)
            self.assertLess(len(form), 19_000)
            extensions(form)
