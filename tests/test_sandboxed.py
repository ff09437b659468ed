"""
Tests of L{mailgate.sandboxed}: what the processes of the sandbox do, done here.
"""

import re
import shutil
from pathlib import Path
from tempfile import mkdtemp

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.known import Known
from mailgate.classify.classifier import Classifier
from mailgate.classify.store import encode, file_of
from mailgate.config.checks import CheckMode
from mailgate.config.load import load
from mailgate.config.model import Settings
from mailgate.hub.learning import FOLDER
from mailgate.interfaces import Phase
from mailgate.judging import make_pipeline
from mailgate.message.message import MemoryMessage
from mailgate.pipeline.content import Question, decode_answer, encode_question
from mailgate.pipeline.offline import judge
from mailgate.sandboxed import JOBS
from mailgate.store.threads import ImmediateThreads
from tests.checks.given import NOW, settings
from tests.classify.given import letter, trained
from tests.pipeline.harness import ADA, ENVELOPE

TOP = Path(__file__).parents[1]


class ContentTests(SynchronousTestCase):
    """
    Tests of the job C{content}.
    """

    def setUp(self):
        """
        Make a data folder.
        """
        self.folder = Path(mkdtemp(prefix="mailgate-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def found(self, given, data):
        """
        Give the symbols and scores that the job finds in a message.
        """
        plan = make_pipeline(given, Known(), ImmediateThreads(), Clock(), lambda: NOW).plan
        asked = Question(
            Phase.BODY, NOW, ENVELOPE, (ADA,), (ADA,), (), {}, given.model_dump_json(), data
        )
        answer = decode_answer(JOBS["content"](encode_question(asked)), plan, asked)
        return [(f.symbol, f.score) for each in answer for f in each.result.findings]

    def test_learned(self):
        """
        It judges by what was learned, as soon as it is in the file.
        """
        given = settings().model_copy(update={"data": self.folder})
        spam = letter(True, 500)
        self.assertNotIn("BAYES_SPAM", [symbol for symbol, _ in self.found(given, spam)])
        learned = trained()
        (self.folder / FOLDER).mkdir()
        file_of(self.folder / FOLDER).write_bytes(encode(learned))
        classifier = Classifier()
        classifier.learned = learned
        clock = Clock()
        pipeline = make_pipeline(
            given, Known(classifier=classifier), ImmediateThreads(), clock, lambda: NOW
        )
        verdict = judge(pipeline, clock, ENVELOPE, ADA, MemoryMessage((spam,)))
        found = self.found(given, spam)
        self.assertEqual(
            found, [(f.symbol, f.score) for f in verdict.findings if f.symbol == "BAYES_SPAM"]
        )
        self.assertEqual(len(found), 1)

    def test_samples(self):
        """
        The settings of every sample configuration arrive as they are.
        """
        for path in sorted((TOP / "etc").glob("*.toml")):
            text = re.sub(
                r"your(-\w+)?-domain.example", r"our\1.example.com", path.read_text("utf-8")
            )
            (self.folder / path.name).write_text(text, "utf-8")
            given = load(self.folder / path.name)
            self.assertEqual(Settings.model_validate_json(given.model_dump_json()), given)

    def test_settings(self):
        """
        It judges by the settings that come with the message.
        """
        text = b"Content-Disposition: attachment; filename=a.exe\r\n\r\nMZ\r\n"
        for options, expected in (
            ({"bayes": {"mode": CheckMode.OFF}}, [("ATTACHMENT_FORBIDDEN", 8.0)]),
            (
                {"bayes": {"mode": CheckMode.OFF}, "attachments": {"forbidden_score": 3.0}},
                [("ATTACHMENT_FORBIDDEN", 3.0)],
            ),
        ):
            self.assertEqual(self.found(settings(**options), text), expected)
