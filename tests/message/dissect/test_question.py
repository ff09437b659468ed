"""
Tests of what goes into the sandbox and comes back.
"""

import contextlib
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from msgspec.msgpack import encode
from twisted.trial.unittest import SynchronousTestCase

import mailgate
from mailgate.config.forbidden import FileType
from mailgate.message.archive import Caps, File, Flaw
from mailgate.message.attachments import Trouble
from mailgate.message.dissect.question import (
    Answer,
    Question,
    Unbelievable,
    decode_answer,
    decode_question,
    encode_answer,
    encode_question,
)
from mailgate.message.inside.inspector import Parser, Specimen
from mailgate.message.inside.signs import Sign, SignKind


class QuestionTests(SynchronousTestCase):
    """
    Tests of the question.
    """

    def test_arrives(self):
        """
        It arrives as it is.
        """
        specimen = Specimen(Parser.PDF, b"\0\xff", ("a", "b"), 3)
        question = Question((specimen,), ("x",), Caps(depth=2))
        self.assertEqual(decode_question(encode_question(question)), question)


class AnswerTests(SynchronousTestCase):
    """
    Tests of the answer.
    """

    def test_arrives(self):
        """
        It arrives as it is.
        """
        answer = Answer(
            (File(("a",), FileType.ZIP, ("b",)),),
            (Flaw("x", ("b",)),),
            (Sign(SignKind.DDE, "x", ("a",)),),
            ("https://example.net/",),
            frozenset({1}),
            frozenset({2}),
            (Trouble(("a",), "x"),),
        )
        self.assertEqual(decode_answer(encode_answer(answer)), answer)

    def test_too_much(self):
        """
        What is too long or too much is not believed.
        """
        for answer in (
            {"leads": ["x" * 2001]},
            {"leads": ["x"] * 300},
            {"files": [{"names": ["x" * 100_000]}]},
            {"files": [{"names": ["x"]}] * 1001},
            {"files": [{"names": ["x"] * 60}]},
            {"signs": [{"kind": "dde", "detail": "x" * 301}]},
            {"signs": [{"kind": "other", "detail": "x"}]},
            {"signs": [{"kind": "dde", "detail": "x"}] * 101},
            {"flaws": [{"sentence": "x" * 201, "within": []}]},
            {"troubles": [{"path": ["x"], "why": "x" * 201}]},
            {"opened": list(range(21))},
            [],
            None,
        ):
            with self.assertRaises(Unbelievable, msg=str(answer)[:60]):
                decode_answer(encode(answer))

    @given(st.binary(max_size=100))
    def test_anything(self, data):
        """
        Any bytes are an answer or not believed.
        """
        with contextlib.suppress(Unbelievable):
            decode_answer(data)


class ImportTests(SynchronousTestCase):
    """
    Tests of where parsers of others are.
    """

    def test_a24_only_in_the_sandbox(self):
        """
        Neither the gateway nor a worker loads them.
        """
        names = ("oletools", "olefile", "msoffcrypto", "pypdf", "PIL", "zxingcpp")
        program = (
            "import sys, mailgate.service, mailgate.worker, mailgate.child, mailgate.sandboxed\n"
            f"print([name for name in {names} if name in sys.modules])"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            check=True,
            text=True,
            env={"PYTHONPATH": str(Path(mailgate.__file__).parents[1])},
        )
        self.assertEqual(done.stdout.strip(), "[]")
