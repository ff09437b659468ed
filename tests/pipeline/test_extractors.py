"""
Tests of what is made of a message.
"""

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailgate.interfaces import IExtractor
from mailgate.message.message import MemoryMessage
from mailgate.pipeline.extractors import EXTRACTORS
from tests.pipeline.harness import ScriptedCheck, court


class ExtractorTests(SynchronousTestCase):
    """
    Tests of the built-in extractors.
    """

    def test_provided(self):
        """
        Each is an extractor with a name of its own.
        """
        for extractor in EXTRACTORS:
            verifyObject(IExtractor, extractor)
        self.assertEqual(len({each.name for each in EXTRACTORS}), len(EXTRACTORS))

    def test_fields(self):
        """
        C{fields} are those of the header section, not of the body, wherever it ends.
        """
        for padding in (b"", b"X: " + b"x" * 20_000 + b"\r\n"):
            seen = []

            def read(view, seen=seen):
                seen.append(view.fact("fields").values("Subject"))
                return ()

            message = MemoryMessage((padding, b"Subject: yes\r\n\r\nSubject: no\r\n"))
            here = court(ScriptedCheck("a", read, needs=("fields",)), extractors=EXTRACTORS)
            here.transaction().message(message)
            self.assertEqual(seen, [[b"yes"]])
