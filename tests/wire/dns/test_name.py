"""
Tests of L{mailgate.wire.dns.name}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.wire.dns.name import NoName, normal_text, pack_name, text_of, unpack_name

LABELS = st.lists(st.binary(min_size=1, max_size=63), min_size=1, max_size=20).filter(
    lambda labels: sum(map(len, labels)) + len(labels) < 255
)


def packed(labels):
    """
    Give the name with these labels, as it stands in a message.
    """
    return b"".join(bytes((len(each),)) + each for each in labels) + b"\0"


class NameTests(SynchronousTestCase):
    """
    Tests of names.
    """

    def test_plain(self):
        """
        A usual name is itself, in small letters, without the dot at its end.
        """
        for text in ("example.com", "Example.COM", "example.com."):
            self.assertEqual(pack_name(text), b"\7example\3com\0")
            self.assertEqual(normal_text(text), "example.com")
        self.assertEqual(unpack_name(b"\7example\3com\0"), "example.com")

    def test_root(self):
        """
        The root is a dot.
        """
        self.assertEqual(pack_name("."), b"\0")
        self.assertEqual(unpack_name(b"\0"), ".")
        self.assertEqual(normal_text("."), ".")

    def test_escapes(self):
        """
        A dot within a label, a backslash, and what cannot be seen are escaped.
        """
        for text, name in (
            (r"a\.b.c", b"\3a.b\1c\0"),
            (r"a\\b", b"\3a\\b\0"),
            (r"a\032b\000\255", b"\5a b\0\xff\0"),
            (r"\a\@", b"\2a@\0"),
            (r"\065.", b"\1a\0"),
        ):
            self.assertEqual(pack_name(text), name)
            self.assertEqual(pack_name(unpack_name(name)), name)
            self.assertEqual(normal_text(text), unpack_name(name))

    def test_none(self):
        """
        What is no name is said to be none.
        """
        for text in (
            "",
            "..",
            ".a",
            "a..b",
            "a b",
            "a\nb",
            "a\0",
            "b\xfccher.example",
            "\u212a.example",
            "x" * 64,
            ".".join(["x" * 63] * 3 + ["y" * 62]),
            "a\\",
            r"\25",
            r"\256",
            r"a\..b..c",
            "\\000" * 300,
        ):
            self.assertRaises(NoName, pack_name, text)

    def test_longest(self):
        """
        A name may have 255 bytes, and a label 63.
        """
        self.assertEqual(len(pack_name(".".join(["x" * 63] * 3 + ["y" * 61]))), 255)

    @given(LABELS)
    def test_any_bytes(self, labels):
        """
        Labels of any bytes are a text that can be shown, and that is read back as the same name in
        small letters.
        """
        text = text_of(labels)
        self.assertTrue(text.isascii())
        self.assertTrue(text.isprintable())
        self.assertNotIn(" ", text)
        self.assertEqual(pack_name(text), packed(labels).lower())
        self.assertEqual(unpack_name(packed(labels)), text)
        self.assertEqual(normal_text(text), text)

    @given(st.one_of(st.text(), st.text("ab.\\019", max_size=30)))
    def test_any_text(self, text):
        """
        Any text is a name with one text of its own, or none.
        """
        try:
            name = pack_name(text)
        except NoName as error:
            self.assertTrue(str(error))
        else:
            self.assertEqual(unpack_name(name), normal_text(text))
            self.assertEqual(pack_name(normal_text(text)), name)
