"""
Tests for L{mailgate.message.mime}.
"""

from __future__ import annotations

import sys
import time

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.header import Headers
from mailgate.message.mime import Limits, Parsed, Part, TextPart, decoded, read
from mailgate.message.mime.reader import _Reader

# Coverage makes every line several times as slow.
QUICK = 0.7 if sys.gettrace() is None else 7


def message(*lines: str) -> bytes:
    """
    Make a message of lines.
    """
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


LETTER = message(
    "From: Ada Lind <ada@example.org>",
    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=",
    'Content-Type: multipart/mixed; boundary="outer"',
    "",
    "This is a message with several parts.",
    "--outer",
    "Content-Type: multipart/alternative; boundary=inner",
    "",
    "--inner",
    "Content-Type: text/plain; charset=iso-8859-1",
    "Content-Transfer-Encoding: quoted-printable",
    "",
    "Sch=F6ne Gr=FC=DFe",
    "--inner",
    "Content-Type: text/html",
    "",
    "<p>Sch&ouml;ne <b>Gr&uuml;&szlig;e</b>",
    "--inner--",
    "",
    "--outer",
    'Content-Type: application/pdf; name="invoice.pdf"',
    "Content-Transfer-Encoding: base64",
    "Content-Disposition: attachment; filename=invoice.pdf",
    "",
    "JVBERi0xLjQK",
    "AAAA",
    "--outer",
    "Content-Type: text/plain",
    "",
    "Written on a telephone.",
    "--outer--",
    "Behind the end.",
    "",
)


class Structure(SynchronousTestCase):
    """
    The parts of a message.
    """

    def test_message_without_mime(self) -> None:
        """
        A message without MIME headers is one part of plain text.
        """
        parsed = read(message("Subject: Hi", "", "One", "", "Two", ""))
        self.assertEqual([part.type for part in parsed.parts], ["text/plain"])
        self.assertEqual(parsed.text, "One\n\nTwo")
        self.assertEqual(parsed.headers.text("subject"), "Hi")
        self.assertEqual(parsed.head, "Subject: Hi\r\n\r\n")
        self.assertEqual(parsed.flaws, ())

    def test_parts_in_their_order(self) -> None:
        """
        Containers and leaves come in their order, each with its depth.
        """
        self.assertEqual(
            [(part.depth, part.type) for part in read(LETTER).parts],
            [
                (0, "multipart/mixed"),
                (1, "multipart/alternative"),
                (2, "text/plain"),
                (2, "text/html"),
                (1, "application/pdf"),
                (1, "text/plain"),
            ],
        )

    def test_plain_text_of_an_alternative(self) -> None:
        """
        Where an alternative says it plainly its HTML is not shown; other text parts are.
        """
        parsed = read(LETTER)
        self.assertEqual(parsed.text, "Schöne Grüße\n\nWritten on a telephone.")
        self.assertFalse(parsed.is_from_html)
        self.assertFalse(parsed.is_cut)

    def test_html_where_the_plain_text_is_empty(self) -> None:
        """
        An alternative whose plain text is blank is shown from its HTML.
        """
        parsed = read(LETTER.replace(b"Sch=F6ne Gr=FC=DFe", b"   "))
        self.assertEqual(parsed.text, "Schöne Grüße\n\nWritten on a telephone.")
        self.assertTrue(parsed.is_from_html)

    def test_attachment(self) -> None:
        """
        An attachment has the type it declares, its name and the size of what it encodes.
        """
        self.assertEqual(
            read(LETTER).attachments,
            (Part(1, "application/pdf", "attachment", ("invoice.pdf",), 12, True),),
        )

    def test_body_of_a_part(self) -> None:
        """
        The body of each part can be had, as it stands and decoded, with its own headers.
        """
        parsed = read(LETTER)
        pdf = parsed.parts[4]
        self.assertEqual(pdf.encoding, "base64")
        self.assertEqual(LETTER[pdf.begin : pdf.end], b"JVBERi0xLjQK\r\nAAAA")
        self.assertEqual(decoded(pdf, LETTER, 100), b"%PDF-1.4\n\0\0\0")
        self.assertEqual(decoded(pdf, LETTER, 4), b"%PDF")
        self.assertEqual(
            pdf.headers.text("content-disposition"), "attachment; filename=invoice.pdf"
        )
        inner = parsed.parts[1]
        self.assertTrue(LETTER[inner.begin : inner.end].endswith(b"</b>"))
        self.assertEqual(parsed.parts[2].encoding, "quoted-printable")

    def test_texts(self) -> None:
        """
        All that is shown as text is given in its order, HTML as its source.
        """
        self.assertEqual(
            read(LETTER).texts,
            (
                TextPart("Schöne Grüße", False, 2, "iso-8859-1", "quoted-printable", 1),
                TextPart("<p>Sch&ouml;ne <b>Gr&uuml;&szlig;e</b>", True, 3, "", "", 1),
                TextPart("Written on a telephone.", False, 5, "", "", None),
            ),
        )

    def test_headers_that_are_read_already(self) -> None:
        """
        Whether the headers are given or not, the same is found.
        """
        for data in (LETTER, b"\r\nx", b"Subject: x", b"", b"X: y\r\n\r\n", b"a\r\nb\r\n"):
            self.assertEqual(read(data, headers=Headers.parse(data)), read(data))
        long = b"X: " + b"a" * 1024 * 1024 + b"\r\n\r\nbody"
        given = read(long, headers=Headers.parse(long[: Limits().header_bytes]))
        self.assertEqual(given, read(long))

    def test_named_text_is_attached(self) -> None:
        """
        A text with a file name is an attachment, and not shown.
        """
        parsed = read(message("Content-Type: text/plain; name=a.txt", "", "within"))
        self.assertEqual([part.name for part in parsed.attachments], ["a.txt"])
        self.assertEqual(parsed.text, "")

    def test_attached_message(self) -> None:
        """
        An attached message is an attachment with its size, and what is in it is read too.
        """
        inner = message("Subject: Inner", "", "Inner words", "")
        parsed = read(
            message("Content-Type: multipart/mixed; boundary=b", "", "--b")
            + message("", "Content-Type: message/rfc822", "", "")
            + inner
            + message("", "--b", "", "After", "--b--", "")
        )
        self.assertEqual(
            [(part.depth, part.type) for part in parsed.parts],
            [(0, "multipart/mixed"), (1, "message/rfc822"), (2, "text/plain"), (1, "text/plain")],
        )
        self.assertEqual([part.size for part in parsed.attachments], [len(inner)])
        self.assertEqual(parsed.text, "Inner words\n\nAfter")

    def test_boundary_that_begins_like_another(self) -> None:
        """
        A boundary that is the beginning of another one does not take its lines.
        """
        parsed = read(
            message(
                "Content-Type: multipart/mixed; boundary=b",
                "",
                "--b",
                "Content-Type: multipart/mixed; boundary=b-x",
                "",
                "--b-x",
                "",
                "one",
                "--b-x--",
                "--b",
                "",
                "two",
                "--b--",
            )
        )
        self.assertEqual(parsed.text, "one\n\ntwo")

    def test_end_of_the_outer_ends_the_inner(self) -> None:
        """
        A container that is never closed ends where the one around it goes on.
        """
        parsed = read(
            message(
                "Content-Type: multipart/mixed; boundary=a",
                "",
                "--a",
                "Content-Type: multipart/mixed; boundary=b",
                "",
                "--b",
                "",
                "one",
                "--a",
                "",
                "two",
            )
        )
        self.assertEqual([part.depth for part in parsed.parts], [0, 1, 2, 1])
        self.assertEqual(parsed.text, "one\n\ntwo")

    def test_part_that_ends_in_its_headers(self) -> None:
        """
        A header section does not reach over the border of its part.
        """
        parsed = read(
            message(
                "Content-Type: multipart/mixed; boundary=a",
                "",
                "--a",
                "Content-Type: image/png",
                "--a",
                "",
                "two",
                "--a--",
            )
        )
        self.assertEqual([part.type for part in parsed.parts[1:]], ["image/png", "text/plain"])
        self.assertEqual(parsed.text, "two")
        self.assertEqual(parsed.flaws, ("A part ends within its header section.",))

    def test_two_types(self) -> None:
        """
        A part that states two types is read by the first, and that is said.
        """
        parsed = read(message("Content-Type: text/html", "Content-Type: text/plain", "", "<b>x"))
        self.assertEqual(parsed.parts[0].type, "text/html")
        self.assertEqual(parsed.flaws, ("A part says twice of what type it is.",))


class Names(SynchronousTestCase):
    """
    The file names of attachments.
    """

    def names(self, *lines: str) -> tuple[str, ...]:
        """
        Read the names of an attachment with these header lines.
        """
        return read(message(*lines, "", "x")).parts[0].names

    def test_rfc_2231(self) -> None:
        """
        An extended name is decoded by its character set.
        """
        line = "Content-Disposition: attachment; filename*=iso-8859-1'de'Gr%FC%DFe.txt"
        self.assertEqual(self.names(line), ("Grüße.txt",))

    def test_rfc_2231_in_pieces(self) -> None:
        """
        A name in pieces is joined in the order of their numbers.
        """
        names = self.names(
            "Content-Disposition: attachment;",
            " filename*1*=%65xe; filename*0*=utf-8''in%C3%BC.;",
            ' filename*2="!"',
        )
        self.assertEqual(names, ("inü.exe!",))

    def test_encoded_word_in_quotes(self) -> None:
        """
        An encoded word where none is allowed gives two readings: decoded and as it stands.
        """
        names = self.names('Content-Disposition: attachment; filename="=?utf-8?q?a=2Eexe?="')
        self.assertEqual(names, ("a.exe", "=?utf-8?q?a=2Eexe?="))

    def test_differing_names(self) -> None:
        """
        Where the two fields name it differently, all readings are given.
        """
        names = self.names(
            'Content-Type: application/octet-stream; name="b.exe"',
            "Content-Disposition: attachment; filename=a.txt; filename*=''c.scr",
        )
        self.assertEqual(names, ("c.scr", "a.txt", "b.exe"))

    def test_fields_that_are_there_twice(self) -> None:
        """
        A name in a second field is read too.
        """
        names = self.names(
            "Content-Disposition: attachment; filename=a.txt",
            "Content-Type: text/plain; name=b.txt",
            "Content-Disposition: attachment; filename=c.exe",
            "Content-Type: text/plain; name=d.exe",
        )
        self.assertEqual(names, ("a.txt", "b.txt", "d.exe", "c.exe"))

    def test_raw_characters(self) -> None:
        """
        A raw name of UTF-8 or Latin-1 bytes is read, quotes and escapes are taken off.
        """
        self.assertEqual(self.names('Content-Type: a/b; name="ü \\"x\\".txt"'), ('ü "x".txt',))
        self.assertEqual(self.names("Content-Type: a/b; name=\udcfc.txt"), ("ü.txt",))

    def test_unclosed_quote(self) -> None:
        """
        An unclosed quote reaches to the end.
        """
        self.assertEqual(self.names('Content-Type: a/b; name="x; y.exe'), ("x; y.exe",))

    def test_length(self) -> None:
        """
        A name is cut at a thousand characters.
        """
        self.assertEqual(
            [len(n) for n in self.names(f"Content-Type: a/b; name={'x' * 4000}")], [1000]
        )


class Hostile(SynchronousTestCase):
    """
    What is made to hurt the reader (A10, A26 of the list of attacks).
    """

    def quickly(self, data: bytes) -> Parsed:
        """
        Read C{data} in far less than a second of this thread's own time.
        """
        began = time.thread_time()
        parsed = read(data)
        self.assertLess(time.thread_time() - began, QUICK)
        return parsed

    def test_100_000_parts(self) -> None:
        """
        Of 100,000 parts the first 500 are read.
        """
        parts = b"--b\r\n\r\nx\r\n" * 100_000
        parsed = self.quickly(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + parts)
        self.assertEqual(len(parsed.parts), 500)
        self.assertEqual(parsed.flaws, ("It has more than 500 parts; the rest is not read.",))

    def test_depth_of_1000(self) -> None:
        """
        Of parts nested 1,000 deep, in multiparts or attached messages, 20 are opened.
        """
        nested = b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i)
            for i in range(1000)
        )
        for data in (nested, b"Content-Type: message/rfc822\r\n\r\n" * 1000):
            parsed = self.quickly(data)
            self.assertEqual(max(part.depth for part in parsed.parts), 20)
            self.assertIn("more than 20 deep", parsed.flaws[0])

    def test_header_line_of_a_mebibyte(self) -> None:
        """
        A header section that is too long is cut, and that is said.
        """
        parsed = self.quickly(b"X: " + b"a" * 1024 * 1024 + b"\r\n\r\nbody")
        self.assertEqual(parsed.flaws, ("A header section is longer than is read.",))

    def test_false_borders(self) -> None:
        """
        Millions of lines that only look like borders are not all looked at.
        """
        lines = b"--bx\r\n" * 2_000_000
        parsed = self.quickly(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + lines)
        self.assertEqual(parsed.flaws, ("Too many lines look like the border of a part.",))

    def test_parts_that_are_all_headers(self) -> None:
        """
        The headers of all parts together are bounded.
        """
        part = b"--b\r\n" + b"X: y\r\n" * 5000
        self.quickly(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * 500)

    def test_text_is_cut(self) -> None:
        """
        The text is cut at half a mebibyte, whatever encodes it, and that is said.
        """
        for encoding, line in (
            ("7bit", b"abcd\r\n"),
            ("base64", b"QUJD"),
            ("quoted-printable", b"=41"),
        ):
            header = f"Content-Transfer-Encoding: {encoding}\r\n\r\n".encode()
            parsed = self.quickly(header + line * 800_000)
            self.assertLessEqual(len(parsed.text), 512 * 1024)
            self.assertGreater(len(parsed.text), 400_000)
            self.assertTrue(parsed.is_cut)

    def test_limits_are_parameters(self) -> None:
        """
        The caller may set narrower limits.
        """
        parsed = read(LETTER, Limits(parts=3, text=4))
        self.assertEqual(len(parsed.parts), 3)
        self.assertEqual(parsed.text, "Schö")
        self.assertTrue(parsed.is_cut)

    @settings(max_examples=300)
    @given(
        st.lists(
            st.one_of(
                st.binary(max_size=20),
                st.sampled_from(LETTER.split(b"\r\n")),
                st.sampled_from([b"Content-Type: message/rfc822", b"--outer", b"--inner--", b""]),
            ),
            max_size=60,
        )
    )
    def test_never_raises(self, lines: list[bytes]) -> None:
        """
        Whatever the lines are, reading ends, and all that is given can be encoded.
        """
        data = b"\r\n".join(lines)
        parsed = read(data)
        texts = [parsed.text, parsed.head, *(name for part in parsed.parts for name in part.names)]
        "".join(texts).encode()
        self.assertTrue(all(0 <= part.size <= len(data) for part in parsed.parts))
        for part in parsed.parts:
            self.assertTrue(0 <= part.begin <= part.end <= len(data))
            self.assertLessEqual(len(decoded(part, data, 10)), 10)


class WorkTests(SynchronousTestCase):
    """
    Tests of how much is looked at.
    """

    def test_no_borders(self):
        """
        Where nothing has parts, no line is looked at as the border of one.
        """
        looked = []
        self.patch(_Reader, "_level", lambda self, content: looked.append(content))
        parsed = read(b"Subject: x\r\n\r\n" + b"-- \r\n" * 1000)
        self.assertEqual((looked, parsed.doubts), ([], ()))

    def test_slow_text(self):
        """
        Of a text in a character set that takes long only so much is read, and it says so.
        """
        head = b"Content-Type: text/plain; charset=%b\r\n\r\n"
        for charset, count in ((b"utf-16", 50), (b"utf-7", 100), (b"utf-8", 1000)):
            parsed = read(head % charset + b"\0a" * 500, Limits(slow_text=100))
            self.assertEqual(len(parsed.texts[0].characters), count)
            self.assertEqual(bool(parsed.unread), count < 1000)
