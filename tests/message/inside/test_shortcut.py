"""
Tests of looking at shortcuts, and at the size of pictures.
"""

import struct

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.inside.picture import picture_size
from mailgate.message.inside.shortcut import look_at_shortcut
from mailgate.message.inside.signs import Look
from tests.message.documents import code, shortcut


def seen(data):
    """
    Give the words of the signs, and the links.
    """
    look = Look()
    look_at_shortcut(data, look, ("a.lnk",))
    return [sign.detail for sign in look.signs], list(look.leads)


class ShortcutTests(SynchronousTestCase):
    """
    Tests of C{look_at_shortcut}.
    """

    def test_windows(self):
        """
        What a shortcut of Windows starts is told, with its arguments.
        """
        data = shortcut("..\\cmd.exe", "/c  start calc")
        self.assertEqual(seen(data), (["opens ..\\cmd.exe /c  start calc"], []))

    def test_windows_local(self):
        """
        The whole path is told where it stands there.
        """
        path = b"C:\\Windows\\cmd.exe\0"
        data = bytearray(shortcut("cmd.exe", "/c calc"))
        data[20:24] = struct.pack("<L", 1 | 2 | 8 | 32 | 128)
        data[76:76] = (
            struct.pack("<H2x", 2) + struct.pack("<5L", 20 + len(path), 20, 1, 0, 20) + path
        )
        self.assertEqual(seen(bytes(data))[0], ["opens C:\\Windows\\cmd.exe /c calc"])

    def test_text(self):
        """
        Where shortcuts of text lead is told, and counts as a link where it is one.
        """
        for data in (
            b"[InternetShortcut]\r\nURL=https://example.net/a\r\n",
            b"[Desktop Entry]\nType=Link\nURL=https://example.net/a\n",
            b"<libraryDescription><simpleLocation><url>https://example.net/a</url>",
        ):
            self.assertEqual(
                seen(data), (["opens https://example.net/a"], ["https://example.net/a"])
            )
        self.assertEqual(seen(b"[Desktop Entry]\nExec=sh -c x\n"), (["opens sh -c x"], []))
        self.assertEqual(seen(b"[InternetShortcut]\r\n"), ([], []))

    @given(st.binary(max_size=200))
    def test_anything(self, data):
        """
        Any bytes can be looked at, and a shortcut can end anywhere.
        """
        seen(data)
        seen(b"\x4c\0\0\0" + data)
        whole = shortcut("cmd.exe", "/c calc")
        seen(whole[: len(data)] + data)


class PictureTests(SynchronousTestCase):
    """
    Tests of C{picture_size}.
    """

    def test_sizes(self):
        """
        The size is found in all kinds of pictures.
        """
        sizes = {picture_size(code("x", format)) for format in ("PNG", "GIF", "BMP", "JPEG")}
        self.assertEqual(len(sizes), 1)
        ((width, height),) = sizes
        self.assertEqual(width, height)
        self.assertGreater(width, 100)

    @given(
        st.binary(max_size=100),
        st.sampled_from([b"\xff\xd8", b"GIF8", b"BM", b"\x89PNG\r\n\x1a\n"]),
    )
    def test_anything(self, data, before):
        """
        Any bytes have a size or none.
        """
        picture_size(data)
        picture_size(before + data)
