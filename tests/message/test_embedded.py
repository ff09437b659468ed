"""
Tests of files that stand within text.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.embedded import FILES, embedded, may_hold, uuencoded
from tests.message.tricks import join, yenc
from tests.message.tricks import uuencoded as encode_uu


def found(raw):
    """
    Give names and contents of the files in a text.
    """
    return [(file.name, file.content(10_000)) for file in embedded(raw).found]


class EmbeddedTests(SynchronousTestCase):
    """
    Tests of finding and decoding them.
    """

    @given(st.binary(min_size=1, max_size=300))
    def test_both_ways(self, content):
        """
        What was encoded is decoded as it was.
        """
        for text in (encode_uu(content, "a b.exe"), yenc(content, "a b.exe")):
            raw = join("words\r\n", text, "words\r\n")
            self.assertEqual(found(raw), [("a b.exe", content)])
            self.assertTrue(may_hold(raw.decode("latin-1")))

    @given(
        st.binary(max_size=200), st.sampled_from([b"begin 644 a\r\n", b"=ybegin line=1 name=a\n"])
    )
    def test_anything(self, rest, first):
        """
        Whatever stands behind the first line, reading ends and the content is bounded.
        """
        for file in embedded(first + rest).found:
            self.assertLessEqual(len(file.content(7)), 7)

    def test_several(self):
        """
        Several files are found, each with its own content, and no more than 50.
        """
        text = join(*(encode_uu(b"%d" % at, f"{at}.txt") for at in range(FILES + 9)))
        files = found(text)
        self.assertEqual(len(files), FILES)
        self.assertEqual(files[7], ("7.txt", b"7"))
        self.assertFalse(embedded(text).is_whole)
        self.assertTrue(embedded(text[:500]).is_whole)

    def test_without_an_end(self):
        """
        A file whose end is missing reaches to the end of the text.
        """
        raw = encode_uu(b"words").partition(b"`")[0]
        self.assertEqual(found(raw), [("payload.exe", b"words")])

    def test_wrong_lengths(self):
        """
        A line that is longer than it says counts as long as it says.
        """
        self.assertEqual(uuencoded(b"begin 644 a\n#0V%T    x\nend\n").found[0].content(9), b"Cat")

    def test_none(self):
        """
        Words at the beginning of a line are no file, and neither is a word within one.
        """
        for text in (
            b"begin 644 a.txt\r\nwords and words\r\n",
            b"to begin 644 a\r\n#0V%T\r\nend",
            b"begin\r\n",
            b"=ybegin\r\n",
            b"",
        ):
            self.assertEqual(found(text), [], text)
        self.assertFalse(may_hold("to begin 644 a"))
        self.assertTrue(may_hold("begin " * 5000))
