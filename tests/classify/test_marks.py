"""
Tests of L{mailgate.classify.marks}.
"""

import base64

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.classify.marks import LEAST_FILE, LEAST_IMAGE, MOST_FILE, MOST_FILES, SKETCH_BYTES
from mailgate.classify.marks import marks_of as marks_in
from mailgate.interfaces import Marks
from mailgate.message.mime import read
from tests.classify.given import message, page, prose, with_files


def marks_of(data):
    """
    Give the marks of a message.
    """
    return marks_in(read(data), data)


class TextTests(SynchronousTestCase):
    """
    Tests of the mark of a text.
    """

    def test_long(self):
        """
        A text of some length has one, whatever the header fields and the subject are.
        """
        one = marks_of(message("Subject: a", body=prose(1)))
        self.assertEqual(len(one.sketch), SKETCH_BYTES)
        self.assertEqual(marks_of(message("Subject: b", "X: y", body=prose(1))), one)

    def test_short(self):
        """
        A short one has none, even with a long subject.
        """
        self.assertEqual(marks_of(message(f"Subject: {prose(1)}", body=prose(1)[:200])), Marks())

    @given(st.binary(max_size=300))
    def test_any_bytes(self, data):
        """
        Any bytes have marks, which are well-formed.
        """
        marks = marks_of(data)
        self.assertIn(len(marks.sketch), (0, SKETCH_BYTES))


class StructureTests(SynchronousTestCase):
    """
    Tests of the mark of a structure.
    """

    def structure(self, **options):
        """
        Give that of a page.
        """
        return marks_of(page(**options)).structure

    def test_same(self):
        """
        With other words, and another name and number in the links, it is the same structure.
        """
        one = self.structure(words="Hello ada", link="https://a.example.org/t/17?u=ada")
        self.assertNotEqual(one, 0)
        same = self.structure(words="Dear bob", link="https://b.example.org/x/2948?u=bob")
        self.assertEqual(same, one)

    def test_other(self):
        """
        With another tag, link or part it is another one.
        """
        one = self.structure()
        for other in (
            self.structure(tag="td"),
            self.structure(link="https://example.org/t/17?u=ada"),
            self.structure(link="https://a.example.org/t?u=ada"),
            self.structure(link="https://a.example.org/t/17"),
            marks_of(with_files(("a.bin", b"x"), body=page(), type="text/html")).structure,
        ):
            self.assertNotEqual(other, one)

    def test_little(self):
        """
        A page with few tags has none, nor has plain text.
        """
        self.assertEqual(self.structure(rows=10), 0)
        self.assertEqual(marks_of(message("Subject: a", body="<b>" * 100)).structure, 0)


class FileTests(SynchronousTestCase):
    """
    Tests of the marks of files.
    """

    def files(self, *files, **options):
        """
        Give those of some files.
        """
        return marks_of(with_files(*files, **options)).files

    def test_content(self):
        """
        The content counts, not the name, and of the same one there is one mark.
        """
        content = b"a" * 1000
        (mark,) = self.files(("a.doc", content))
        self.assertEqual(self.files(("b.doc", content), ("c.doc", content)), (mark,))
        self.assertNotEqual(self.files(("a.doc", content + b"b")), (mark,))

    def test_small_and_large(self):
        """
        What is tiny is not compared, nor what is very large.
        """
        for size, number in (
            (LEAST_FILE - 1, 0),
            (LEAST_FILE, 1),
            (MOST_FILE * 7 // 10, 1),
            (MOST_FILE, 0),
        ):
            self.assertEqual(len(self.files(("a.bin", b"x" * size))), number, size)

    def test_pictures(self):
        """
        A small picture is a logo.
        """
        for size, number in ((LEAST_IMAGE - 1, 0), (LEAST_IMAGE, 1)):
            self.assertEqual(len(self.files(("a.png", b"x" * size), of="image/png")), number)

    def test_many(self):
        """
        Of very many the first are compared.
        """
        many = [(f"{n}.bin", b"%d" % n * 1000) for n in range(MOST_FILES + 5)]
        self.assertEqual(len(self.files(*many)), MOST_FILES)

    def test_cut(self):
        """
        Where only the beginning of a message is there, a file at its end has no mark: it would be
        another one than that of the whole file.
        """
        data = with_files(("a.bin", b"x" * 300_000), ("b.bin", b"y" * 300_000), pad=900_000)
        self.assertEqual(len(marks_of(data).files), 2)
        begun = data.rindex(base64.b64encode(b"y" * 30))
        self.assertEqual(len(marks_of(data[:begun]).files), 1)
