"""
Tests of looking into files with parsers of others, done here.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.forbidden import FileType
from mailgate.message.archive import Caps
from mailgate.message.attachments import MORE
from mailgate.message.dissect import locked
from mailgate.message.dissect.question import Question, decode_answer, encode_question
from mailgate.message.dissect.work import dissect
from mailgate.message.inside.inspector import SPECIMENS, Parser, Specimen
from mailgate.message.inside.signs import SignKind
from tests.message.documents import (
    MACRO,
    code,
    compressed,
    locked_office,
    locked_pdf,
    locked_zip,
    locked_zip_aes,
    macros,
    ole,
    pdf,
    smuggling,
    word,
)
from tests.message.samples import COMPOUND, PROGRAM, within_a_second, zipped

WORDS = ("wrong", "tulip")


def dissected(parser, data, passwords=WORDS):
    """
    Look into one file.
    """
    specimen = Specimen(parser, data, ("a.bin",), 0)
    return decode_answer(dissect(encode_question(Question((specimen,), passwords, Caps()))))


def kinds(answer):
    """
    Give the kinds of the signs, in order.
    """
    return [sign.kind for sign in answer.signs]


class MacroTests(SynchronousTestCase):
    """
    Tests of Office documents.
    """

    def test_macros(self):
        """
        Macros are told with those that run by themselves and what they use, in new and old files.
        """
        old = ole(("_VBA_PROJECT", b""), ("Module", compressed(MACRO)))
        for data in (macros(), old):
            (sign,) = dissected(Parser.OFFICE, data).signs
            self.assertEqual(sign.kind, SignKind.MACROS)
            self.assertIn("that run by themselves (AutoOpen), which use Shell", sign.detail)

    def test_unreadable_macros(self):
        """
        Macros whose code is not found are told all the same.
        """
        data = word(("word/vbaProject.bin", ole(("x", b"\0Attribut\0"))))
        (sign,) = dissected(Parser.OFFICE, data).signs
        self.assertEqual(sign.detail, "has macros that could not be read")

    def test_dde(self):
        """
        A field that starts a program is told in old files too.
        """
        for text in ("\x13 DDEAUTO c:\\cmd.exe \x14", "\x13DDE cmd.exe \x14"):
            for charset in ("latin-1", "utf-16-le"):
                data = ole(("WordDocument", bytes(512) + text.encode(charset)))
                (sign,) = dissected(Parser.OFFICE, data).signs
                self.assertEqual(sign.kind, SignKind.DDE)
                self.assertIn("cmd.exe", sign.detail)

    def test_nothing(self):
        """
        A compound file that does nothing is no sign and no trouble.
        """
        answer = dissected(Parser.OFFICE, ole(("WordDocument", b"words")))
        self.assertEqual((answer.signs, answer.troubles), ((), ()))

    def test_a23_encrypted(self):
        """
        An encrypted document is opened with a word of the message, and what is in it is told.
        """
        answer = dissected(Parser.OFFICE, locked_office("tulip", macros()))
        self.assertEqual(set(kinds(answer)), {SignKind.OPENED, SignKind.MACROS})
        self.assertIn(FileType.OFFICE_MACROS, [file.type for file in answer.files])
        self.assertEqual((answer.opened, answer.locked), ({0}, frozenset()))

    def test_a23_encrypted_for_excel(self):
        """
        What Excel opens without asking is opened, and no word of the message was needed.
        """
        answer = dissected(Parser.OFFICE, locked_office("VelvetSweatshop", macros()), ())
        self.assertEqual(set(kinds(answer)), {SignKind.MACROS})
        self.assertEqual(answer.opened, {0})

    def test_a23_still_encrypted(self):
        """
        A document that none of them opens stays encrypted, and that is no trouble.
        """
        answer = dissected(Parser.OFFICE, locked_office("rose", macros()))
        self.assertEqual((answer.locked, answer.signs, answer.troubles), ({0}, (), ()))


class ZipTests(SynchronousTestCase):
    """
    Tests of encrypted zip files.
    """

    def test_a23_encrypted(self):
        """
        It is opened with a word of the message, in both ways of encryption; what is in it is told,
        and opened in its turn.
        """
        for lock in (locked_zip, locked_zip_aes):
            data = lock(b"tulip", b"b.zip", zipped(("a.exe", PROGRAM)))
            answer = dissected(Parser.LOCKED_ZIP, data)
            self.assertEqual(kinds(answer), [SignKind.OPENED])
            found = [(file.names, file.type, file.within) for file in answer.files]
            self.assertEqual(
                found,
                [
                    (("b.zip",), FileType.ZIP, ("a.bin",)),
                    (("a.exe",), FileType.WINDOWS_PROGRAM, ("a.bin", "b.zip")),
                ],
            )

    def test_what_is_in_it(self):
        """
        Pages and documents in it are looked into.
        """
        for name, content, kind in (
            (b"a.html", smuggling(zipped(("a", bytes(range(256)) * 2))), SignKind.SMUGGLED),
            (b"a.docm", macros(), SignKind.MACROS),
            (b"a.png", code("https://example.net/"), SignKind.PICTURE),
        ):
            answer = dissected(Parser.LOCKED_ZIP, locked_zip_aes(b"tulip", name, content))
            self.assertEqual(kinds(answer), [SignKind.OPENED, kind])

    def test_a23_still_encrypted(self):
        """
        One that none of them opens stays encrypted.
        """
        for lock in (locked_zip, locked_zip_aes):
            answer = dissected(Parser.LOCKED_ZIP, lock(b"rose", b"a.exe", PROGRAM))
            self.assertEqual((answer.locked, answer.files, answer.troubles), ({0}, (), ()))

    def test_opened_in_part(self):
        """
        One of which not every file is opened stays encrypted, and what is opened is told.
        """
        data = locked_zip_aes(b"tulip", b"a.exe", PROGRAM)
        for name, limit, files in (("_FILES", 1, 1), ("_FILES", 0, 0), ("_BYTES", 10, 0)):
            limited = self.patch(locked, name, limit)
            answer = dissected(Parser.LOCKED_ZIP, data)
            limited.restore()
            self.assertEqual(len(answer.files), files)
            expected = ({0}, set()) if files else (set(), {0})
            self.assertEqual((answer.opened, answer.locked), expected)

    def test_broken(self):
        """
        One that is broken is a trouble.
        """
        data = locked_zip(b"tulip", b"a.exe", PROGRAM)
        (trouble,) = dissected(Parser.LOCKED_ZIP, data[:60]).troubles
        self.assertEqual((trouble.path, trouble.is_grave), (("a.bin",), False))


class PdfTests(SynchronousTestCase):
    """
    Tests of PDF.
    """

    def test_encrypted(self):
        """
        One that needs no password to be read is read, and one whose password is in the message.
        """
        for password, expected in (("", []), ("tulip", [SignKind.OPENED])):
            answer = dissected(Parser.PDF, locked_pdf(password, "https://example.net/"))
            self.assertEqual(kinds(answer), expected)
            self.assertEqual(answer.leads, ("https://example.net/",))

    def test_a23_still_encrypted(self):
        """
        One that none of them opens stays encrypted.
        """
        answer = dissected(Parser.PDF, locked_pdf("rose", "https://example.net/"))
        self.assertEqual((answer.locked, answer.leads, answer.troubles), ({0}, (), ()))

    def test_actions(self):
        """
        Actions are found in objects and in what lies in them.
        """
        data = pdf(
            b"<</Type /Catalog /OpenAction <</S /Launch /F (cmd.exe)>> /Pages 2 0 R>>",
            b"<</Type /Pages /Kids [3 0 R] /Count 1>>",
            b"<</Type /Page /Parent 2 0 R /Annots [<</A <</S /JavaScript /JS (x)>>>>]>>",
        )
        answer = dissected(Parser.PDF, data)
        self.assertEqual(kinds(answer), [SignKind.PDF_SCRIPT, SignKind.PDF_LAUNCH])
        self.assertIn("(cmd.exe)", answer.signs[1].detail)


class PictureTests(SynchronousTestCase):
    """
    Tests of pictures.
    """

    def test_code(self):
        """
        A code in a picture of any kind leads where it says.
        """
        for format, mode in (
            ("PNG", "L"),
            ("PNG", "RGBA"),
            ("GIF", "P"),
            ("BMP", "RGB"),
            ("JPEG", "L"),
        ):
            answer = dissected(Parser.PICTURE, code("https://example.net/x", format, mode))
            self.assertEqual(answer.leads, ("https://example.net/x",))
            self.assertEqual(kinds(answer), [SignKind.PICTURE])

    def test_other_code(self):
        """
        A code that is no link leads nowhere.
        """
        answer = dissected(Parser.PICTURE, code("BCD 002 1 SCT"))
        self.assertEqual((answer.leads, answer.signs), ((), ()))

    def test_broken(self):
        """
        A picture that cannot be shown is no trouble: it leads nowhere.
        """
        for data in (code("https://example.net/")[:200], b"GIF89a\xff\xff\xff\xff", b""):
            answer = dissected(Parser.PICTURE, data)
            self.assertEqual((answer.leads, answer.troubles), ((), ()))


class HostileTests(SynchronousTestCase):
    """
    Tests of what breaks parsers.
    """

    def test_a24_any_exception(self):
        """
        Whatever a parser raises is a trouble of that file, and the next one is looked into.
        """
        specimens = (
            Specimen(Parser.PDF, b"%PDF-1.7 nothing", ("a.pdf",), 0),
            Specimen(Parser.OFFICE, COMPOUND + b"nothing", ("b.doc",), 1),
            Specimen(Parser.LOCKED_ZIP, b"nothing", ("c.zip",), 2),
            Specimen(Parser.PICTURE, code("https://example.net/"), ("d.png",), 3),
        )
        value = encode_question(Question(specimens, WORDS, Caps()))
        answer = decode_answer(within_a_second(self, dissect, value))
        paths = [trouble.path for trouble in answer.troubles]
        self.assertEqual(paths, [("a.pdf",), ("b.doc",), ("c.zip",)])
        self.assertEqual(answer.leads, ("https://example.net/",))

    def test_a23_locked_in_locked(self):
        """
        Encrypted files in each other are opened a few times and then no more.
        """
        data = zipped(("a.exe", PROGRAM))
        for _ in range(6):
            data = locked_zip_aes(b"tulip", b"b.zip", data)
        answer = dissected(Parser.LOCKED_ZIP, data)
        self.assertNotIn(FileType.WINDOWS_PROGRAM, [file.type for file in answer.files])
        self.assertTrue(any(file.is_encrypted for file in answer.files))
        self.assertEqual(answer.troubles, (MORE,))

    def test_more_than_looked_into(self):
        """
        Where more is found in a file than is looked into, that is told.
        """
        for count, troubles in ((SPECIMENS, ()), (SPECIMENS + 1, (MORE,))):
            names = [b"%d.txt" % number for number in range(count)]
            files = [("a.zip", locked_zip_aes(b"rose", name, b"words")) for name in names]
            data = locked_zip_aes(b"tulip", b"b.zip", zipped(*files))
            self.assertEqual(dissected(Parser.LOCKED_ZIP, data).troubles, troubles)
