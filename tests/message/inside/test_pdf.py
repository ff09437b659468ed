"""
Tests of looking into PDF without taking it apart.
"""

import zlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.inside.pdf import look_at_pdf
from mailgate.message.inside.signs import Look, SignKind
from tests.message.documents import locked_pdf, packed, pdf
from tests.message.samples import within_a_second


def seen(data):
    """
    Give kinds and words of the signs, the links, and whether something could not be read.
    """
    look = Look()
    is_unread = look_at_pdf(data, look, ("a.pdf",))
    return {sign.kind: sign.detail for sign in look.signs}, list(look.leads), is_unread


CATALOG = b"<</Type /Catalog /OpenAction 2 0 R>>"


class PdfTests(SynchronousTestCase):
    """
    Tests of C{look_at_pdf}.
    """

    def test_harmless(self):
        """
        A PDF that does nothing is no sign.
        """
        self.assertEqual(seen(pdf(b"<</Type /Catalog>>")), ({}, [], False))

    def test_script(self):
        """
        JavaScript is told, however its name is written, and whether it runs at the opening.
        """
        for action in (b"<</S /JavaScript /JS (x)>>", b"<</S /J#61vaScri#70t>>", b"<</JS 3 0 R>>"):
            words = "runs JavaScript when it is opened"
            self.assertEqual(seen(pdf(CATALOG, action))[0], {SignKind.PDF_SCRIPT: words})
            signs = seen(pdf(b"<</Type /Catalog>>", action))[0]
            self.assertEqual(signs, {SignKind.PDF_SCRIPT: "runs JavaScript"})

    def test_longer_names(self):
        """
        A name that only begins like one of these is another name.
        """
        data = pdf(b"<</JSX 1 /AAPL 2 /LaunchPad 3 /JavaScripts 4>>")
        self.assertEqual(seen(data), ({}, [], False))

    def test_launch(self):
        """
        A program that is started is told, and which it is.
        """
        signs = seen(pdf(CATALOG, b"<</S /Launch /Win <</F (cmd.exe) /P (/c calc)>>>>"))[0]
        words = "starts another program when it is opened (cmd.exe)"
        self.assertEqual(signs, {SignKind.PDF_LAUNCH: words})

    def test_files(self):
        """
        Files in it are told.
        """
        signs = seen(pdf(b"<</Type /Filespec /EF <</F 2 0 R>>>>", b"<</Type /EmbeddedFile>>"))[0]
        self.assertEqual(list(signs), [SignKind.PDF_FILES])

    def test_links(self):
        """
        Links are found in every way in which strings are written (ISO 32000-1, 7.3.4).
        """
        for written in (
            b"(https://example.net/a\\(b\\))",
            b"(https://example.net/a(b))",
            b"(https://\\145xample.net/a\\050b\\051)",
            b"(https://example.\\\nnet/a\\(b\\))",
            b"<68747470733a2f2f6578616d706c652e6e65742f61286229>",
            b"(\xfe\xff"
            + "https://example.net/a\\(b\\)".encode("utf-16-be")
            .replace(b"\0\\", b"\\")
            .replace(b"\\\0", b"\0\\")
            + b")",
        ):
            data = pdf(b"<</S /URI /URI " + written + b">>")
            self.assertEqual(seen(data)[1], ["https://example.net/a(b)"], written)

    def test_object_streams(self):
        """
        What lies in a compressed object stream is seen as well.
        """
        data = pdf(CATALOG, packed(b"<</S /JavaScript>>", b"<</URI (https://example.net/)>>"))
        signs, leads, is_unread = seen(data)
        self.assertEqual(list(signs), [SignKind.PDF_SCRIPT])
        self.assertEqual((leads, is_unread), (["https://example.net/"], False))

    def test_unread(self):
        """
        An encrypted PDF, and one with an object stream that is packed otherwise or broken, is not
        read here; of the first there are no links, as they are encrypted.
        """
        self.assertEqual(seen(locked_pdf("", "https://example.net/")), ({}, [], True))
        stream = packed(b"<</URI (https://example.net/)>>")
        for other in (
            stream.replace(b"/FlateDecode", b"[/ASCIIHexDecode /FlateDecode]"),
            stream.replace(b"/FlateDecode", b"/LZWDecode"),
            stream.replace(b"stream\nx", b"stream\nX"),
        ):
            self.assertEqual(seen(pdf(CATALOG, other)), ({}, [], True))

    def test_a23_bomb(self):
        """
        A stream that becomes huge is inflated up to a limit, and what is beyond it is not read.
        """
        data = zlib.compress(bytes(60_000_000))
        stream = b"<</Type /ObjStm /Filter /FlateDecode>>\nstream\n" + data + b"\nendstream"
        self.assertTrue(within_a_second(self, seen, pdf(CATALOG, *[stream] * 50))[2])

    def test_a25_large(self):
        """
        Whatever a large PDF repeats, it takes less than a second.
        """
        for piece in (
            b"/URI (",
            b"/URI ((((",
            b"/ObjStm stream\n",
            b"/F (",
            b"/Launch /F <<",
            b"#2",
        ):
            within_a_second(self, seen, b"%PDF-1.7 /Launch " + piece * (1024 * 1024 // len(piece)))

    @given(st.binary(max_size=300), st.sampled_from([b"", b"/ObjStm stream\n", b"/URI <6"]))
    def test_anything(self, data, before):
        """
        Any bytes can be looked at.
        """
        seen(b"%PDF-1.7" + before + data)
