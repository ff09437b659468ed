"""
Tests of messages that are made to take long, judged by all checks. How long they take is measured
by C{bench/hostile.py}.
"""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.known import Known
from mailgate.config.model import Limits
from mailgate.judging import make_pipeline
from mailgate.message import html, mime
from mailgate.message.links import LIMIT, places_of
from mailgate.message.message import MemoryMessage
from mailgate.message.section import cut, has_more_fields
from mailgate.message.seen import PAGES
from mailgate.pipeline.offline import judge
from mailgate.pipeline.round import FAILED
from mailgate.sandboxed import Here
from mailgate.store.threads import ImmediateThreads
from tests.checks.given import NOW, settings
from tests.message.hostile import FAMILIES
from tests.pipeline.events import events
from tests.pipeline.harness import ADA, ENVELOPE


class FamilyTests(SynchronousTestCase):
    """
    Tests of all families.
    """

    def test_a8_judged(self):
        """
        Each is judged: no check and no extractor fails, nothing is an event.
        """
        clock = Clock()
        pipeline = make_pipeline(
            settings(), Known(), ImmediateThreads(), clock, lambda: NOW, sandbox=Here()
        )
        judged = 0
        for name, make in FAMILIES.items():
            data = make(16 * 1024)
            if has_more_fields(cut(data), Limits().header_fields):
                continue
            judged += 1
            with events() as told:
                verdict = judge(pipeline, clock, ENVELOPE, ADA, MemoryMessage((data,)))
            self.assertNotIn(FAILED, [each.symbol for each in verdict.findings], name)
            self.assertEqual(told, [], name)
        self.assertGreaterEqual(judged, 90)

    def test_a10_bounded(self):
        """
        What is found in each is bounded, and a page is taken in slices that are.
        """
        slices = []
        take = html._Walk._take

        def counted(walk, tokens):
            slices.append(len(tokens))
            take(walk, tokens)

        self.patch(html._Walk, "_take", counted)
        for name, make in FAMILIES.items():
            parsed = mime.read(make(600 * 1024))
            limits = mime.Limits()
            self.assertLessEqual(len(parsed.parts), limits.parts, name)
            self.assertLessEqual(sum(len(t.characters) for t in parsed.texts), limits.text, name)
            self.assertLessEqual(len(parsed.seen.pages), PAGES, name)
            self.assertLessEqual(len(places_of(parsed.seen).places), LIMIT, name)
        self.assertLessEqual(max(slices), html._TOKENS * html._GROUPS)
        self.assertGreater(len(slices), 200)
