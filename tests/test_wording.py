"""
Tests of L{mailgate.wording}.
"""

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.wording import (
    DEEPEST,
    LONGEST,
    Language,
    Sentence,
    Words,
    from_plain,
    say,
    to_plain,
    told,
)

KNOWN = {
    "A link leads to {where}.": "Ein Link führt zu {where}.",
    "{number} links": "{number} Links",
    "{finding} (It is one of {number}.)": "Von {number} eines: {finding}",
}
GERMAN = Language("de", lambda template: KNOWN.get(template, template), ".", ",")


sentences = st.recursive(
    st.builds(lambda text: say("{text}", text=text), st.text()),
    lambda inner: st.builds(
        lambda template, a, b, c: Sentence(template, {"a": a, "b": b, "c": c}),
        st.text("{}abc .", max_size=20),
        inner,
        st.text(),
        st.integers(-(2**63), 2**63 - 1),
    ),
    max_leaves=4,
)


class SentenceTests(SynchronousTestCase):
    """
    Sentences in several languages.
    """

    def test_english(self):
        """
        Without a language it is told in English.
        """
        self.assertEqual(str(say("A link leads to {where}.", where="“a”")), "A link leads to “a”.")

    def test_another_language(self):
        """
        Sentences in sentences and numbers are told in the language, a stranger's words as they are.
        """
        words = say(
            "{finding} (It is one of {number}.)",
            finding=say("A link leads to {where}.", where="{number} links"),
            number=12_345,
        )
        self.assertEqual(words.told(GERMAN), "Von 12.345 eines: Ein Link führt zu {number} links.")
        self.assertEqual(str(words), "A link leads to {number} links. (It is one of 12,345.)")
        self.assertEqual(GERMAN.number(0.5), "0,5")

    def test_words_without_a_template(self):
        """
        What is a string is told as it is.
        """
        self.assertEqual(told("A link.", GERMAN), "A link.")

    def test_missing_value(self):
        """
        A place for which there is nothing stays as it is written.
        """
        self.assertEqual(str(say("{a} {B} {}")), "{a} {B} {}")

    def test_bomb(self):
        """
        What refers to itself many times over is broken off, whatever it costs nobody reads.
        """
        bomb = say("{a}" * 1000, a="")
        for _ in range(50):
            bomb = Sentence("{a}" * 1000, {"a": bomb})
        self.assertLessEqual(len(str(bomb)), LONGEST)
        self.assertLessEqual(len(str(say("{a}" * 1000, a="x" * LONGEST))), LONGEST)
        deep = say("x")
        for _ in range(DEEPEST + 10):
            deep = say("{a}", a=deep)
        self.assertEqual(str(deep), "")

    @given(sentences)
    def test_kept(self, sentence):
        """
        It is the same after it was JSON, and after it has crossed the border.
        """
        self.assertEqual(from_plain(json.loads(json.dumps(to_plain(sentence)))), sentence)
        crossed = msgspec.msgpack.decode(msgspec.msgpack.encode(sentence), type=Words)
        self.assertEqual(str(crossed), str(sentence))
