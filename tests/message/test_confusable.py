"""
What a word looks like.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.confusable import LENGTH_LIMIT, cut_words, disguised_words, skeleton


class SkeletonTests(SynchronousTestCase):
    """
    Two texts that a person takes for one another have the same skeleton.
    """

    def assert_alike(self, *texts: str) -> None:
        self.assertEqual({skeleton(text) for text in texts}, {skeleton(texts[0])})

    def test_alphabets(self) -> None:
        """
        Letters of Cyrillic, Greek, Armenian and Cherokee are those they look like.
        """
        self.assert_alike("paypal", "раураӏ", "ραypαl", "PAYPAL", "РАҮРАⅬ")
        self.assert_alike("google", "gооgle", "gοοgle", "gօօgle", "ԍооɡӏе")
        self.assert_alike("scope", "ѕсоре", "ЅСОРЕ", "ꜱᴄᴏᴘᴇ")

    def test_forms(self) -> None:
        """
        So are mathematical, full-width, circled and marked letters.
        """
        self.assert_alike("paypal", "𝐩𝐚𝐲𝐩𝐚𝐥", "ｐａｙｐａｌ", "ⓟⓐⓨⓟⓐⓛ", "pàypâł", "p̲a̲y̲p̲a̲l̲")

    def test_unseen(self) -> None:
        """
        What is not seen is not there.
        """
        self.assert_alike("paypal", "pay\u200bpal", "pay\u00adpal", "pay\ufe0fpal", "pay\u2066pal")

    def test_digits(self) -> None:
        """
        Digits are read as the letters they stand for, and i, l and 1 as one.
        """
        self.assert_alike("paypal", "paypa1", "paypaI", "p4yp4l", "paypa|")
        self.assert_alike("facebook", "f4c3b00k")

    def test_pairs(self) -> None:
        """
        Two letters may look like one.
        """
        self.assert_alike("microsoft", "rnicrosoft", "MlCROSOFT")
        self.assert_alike("wells", "vvells")

    def test_different(self) -> None:
        """
        Words that people tell apart have different ones.
        """
        words = ["paypal", "papal", "apple", "amazon", "google", "правда", "日本", "हिन्दी"]
        self.assertEqual(len({skeleton(word) for word in words}), len(words))

    def test_once(self) -> None:
        """
        The skeleton of a skeleton is the same.
        """
        for text in ("Bank of America", "Сбербанк Онлайн", "rrnn vvv", "٣ ½ ﷺ", "Ǆ"):
            self.assertEqual(skeleton(skeleton(text)), skeleton(text))

    def test_long(self) -> None:
        """
        Only the beginning of a long text is looked at.
        """
        self.assertEqual(skeleton("a" * 5000), "a" * LENGTH_LIMIT)


class DisguisedWordsTests(SynchronousTestCase):
    """
    Words are found that mix Latin letters with others that look like them.
    """

    def test_found(self) -> None:
        """
        A word with letters of Cyrillic or Greek in it is given whole, once.
        """
        text = "Your раyраl ассоunt, Αmazοn: vеrify"
        self.assertEqual(list(disguised_words(text)), ["раyраl", "ассоunt", "Αmazοn", "vеrify"])

    def test_not(self) -> None:
        """
        Words of one alphabet, units, formulas and names with endings are none.
        """
        for text in (
            "Здравствуйте, это обычное письмо от Microsoft",
            "IT-отдел, SMS-рассылка, Excelями и VIPовский",
            "10 kΩ, 5 μm, 3μsec, πr, Δx, α-Helix",
            "Ελληνικά και English, ΑΕΚ",
        ):
            self.assertEqual(list(disguised_words(text)), [], text)


class CutWordsTests(SynchronousTestCase):
    """
    Characters of no width are found within words.
    """

    def test_found(self) -> None:
        """
        They stand between two letters.
        """
        self.assertEqual(
            list(cut_words("pass\u200bword ac\u200c\u200dcount")), ["s\u200bw", "c\u200c\u200dc"]
        )

    def test_not(self) -> None:
        """
        Those beside words, in scripts that need them, in pictures, and soft hyphens are none.
        """
        for text in (
            "Hello\u200b \u200b\u200c\u200d\u2060 there\ufeff",
            "می\u200cخواهم क्\u200dष",
            "👨\u200d👩\u200d👧",
            "Donau\u00addampf",
        ):
            self.assertEqual(list(cut_words(text)), [], ascii(text))
