"""
The documents agree with the code.
"""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

TOP = Path(__file__).parent.parent


class EventTests(SynchronousTestCase):
    """
    Tests of docs/events.rst.
    """

    def test_every_event_is_told(self):
        """
        Every event that the code names has its place in the document.
        """
        told = set(
            re.findall(r"``([a-z]+\.[a-z_]+)``", (TOP / "docs/events.rst").read_text("utf-8"))
        )
        named = set()
        for path in (TOP / "mailgate").rglob("*.py"):
            named |= set(re.findall(r'event="([a-z]+\.[a-z_]+)"', path.read_text("utf-8")))
        self.assertGreater(len(named), 30)
        self.assertEqual(named - told, set())
