"""
Tests of L{mailgate.classify.words}.
"""

import unicodedata
from time import process_time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.classify.words import TEXT_LIMIT, normalise, split, without_footers


def words(text):
    """
    Give the words of a text.
    """
    found = split(normalise(text))
    return [found.word(index) for index in range(len(found))]


class SplitTests(SynchronousTestCase):
    """
    Tests of finding words.
    """

    def test_words(self):
        """
        Words are runs of letters, digits and a few signs; exclamation and question marks stand
        alone.
        """
        self.assertEqual(
            words("It's 100% FREE, earn $500 (now!!) or_not? caf\u00e9-bar"),
            [
                "it's",
                "100%",
                "free",
                "earn",
                "$500",
                "now",
                "!",
                "!",
                "or_not",
                "?",
                "caf\u00e9-bar",
            ],
        )

    def test_one_form(self):
        """
        Look-alikes and characters of no width make no other words.
        """
        for text in (
            "\uff26\uff32\uff25\uff25",
            "f\u200br\u00ade\ufeffe",
            "\U0001d41f\U0001d42b\U0001d41e\U0001d41e",
        ):
            self.assertEqual(words(text), ["free"])

    def test_in_pieces(self):
        """
        A long text has the form that it would have in one go; only what is kept is made, and
        accents are put in order a few at a time.
        """
        sizes = []
        normal = unicodedata.normalize

        def counted(form, text):
            sizes.append(len(text))
            return normal(form, text)

        self.patch(unicodedata, "normalize", counted)
        for text in ("Gru\u0308\u00dfe \uff26 " * 1000, "\ufdfa " * 5000, "e\u0301" * 500):
            wanted = normal("NFKC", text)[:TEXT_LIMIT].lower()
            self.assertEqual(normalise(text), wanted)
        sizes.clear()
        normalise("\ufdfa" * TEXT_LIMIT)
        self.assertLess(sum(sizes), TEXT_LIMIT / 10)
        normalise("\u0301\u0316" * TEXT_LIMIT)
        self.assertLessEqual(max(sizes), 128)

    def test_time(self):
        """
        Names of days and months, small numbers and years are no words.
        """
        self.assertEqual(
            words("Monday 12 Oct 2002 at 08 59 60 1989 2039 sunny mayor"),
            ["at", "60", "1989", "sunny", "mayor"],
        )

    def test_long(self):
        """
        A word is cut to 20 bytes, and the rest of it is no word.
        """
        self.assertEqual(words("a" * 50 + " b"), ["a" * 20, "b"])
        self.assertEqual(list(split("a" * 50).keys(1)), list(split("a" * 20).keys(1)))

    def test_keys(self):
        """
        A word has the same key wherever it stands, another word and another salt another one.
        """
        found = split("one two three two one two")
        first, second, third, *rest = found.keys(1).tolist()
        self.assertEqual(rest, [second, first, second])
        self.assertEqual(len({first, second, third}), 3)
        self.assertNotEqual(found.keys(2)[0], first)
        self.assertEqual(split("three").keys(1)[0], third)

    def test_pairs(self):
        """
        A pair has a key of its own, which depends on the order.
        """
        pairs = split("one two one two").pairs().tolist()
        self.assertEqual(pairs[0], pairs[2])
        self.assertNotEqual(pairs[0], pairs[1])
        self.assertEqual(len(split("one").pairs()), 0)
        self.assertEqual(len(split("").pairs()), 0)

    @given(st.text(), st.text())
    def test_every_split(self, one, two):
        """
        The words of two texts are those of both set side by side.
        """
        together = split(f"{one}\n{two}").keys(1).tolist()
        self.assertEqual(together, split(one).keys(1).tolist() + split(two).keys(1).tolist())

    @given(st.text(st.characters()))
    def test_normalise_is_bounded(self, text):
        """
        Any text can be normalised and split.
        """
        split(normalise(text))

    def test_hostile(self):
        """
        Ten megabytes of one word, and characters that become many, take no longer than the
        limit of a text does.
        """
        for text in ("a" * 10_000_000, "\ufdfa" * 500_000, "!" * 10_000_000, "\u00e9" * 10_000_000):
            start = process_time()
            split(normalise(text))
            self.assertLess(process_time() - start, 0.5)


class FooterTests(SynchronousTestCase):
    """
    Tests of cutting what mailing lists add.
    """

    def test_cut(self):
        """
        A line of underscores or hyphens goes, with what is said of the list behind it.
        """
        for footer in (
            "____________________\ndev mailing list\ndev@example.org\nhttp://example.org/listinfo/dev\n",
            "-----------\nto unsubscribe: mail us\n",
            "---- sponsor ----\nthis sf.net email is sponsored\n",
            "to unsubscribe, email to dev-request@example.org\n",
        ):
            self.assertEqual(without_footers(f"text\n{footer}"), "text\n", footer)

    def test_kept(self):
        """
        Other lines of hyphens stay, and words about lists elsewhere.
        """
        for text in (
            "one\n-----\ntwo\n",
            "a mailing list\n\n\n-----\n\n\ntwo\n",
            "_____________\nmailing list\n",
        ):
            self.assertEqual(without_footers(text), text)

    def test_nobody_hides_behind_it(self):
        """
        A message behind such a line is not cut.
        """
        text = "---\nunsubscribe\n" + "line\n" * 4 + "buy our pills\n"
        self.assertIn("buy our pills", without_footers(text))
