"""
Every row of attacks that the edge must withstand has a conversation and a test of its name.
"""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.edge.test_dialogues import DIALOGUES

TESTS = Path(__file__).parent.parent
ROWS = (*range(1, 10), *range(11, 15), 16, *range(28, 32))
"""The numbers of the rows that are about conversations."""


class AcceptanceTests(SynchronousTestCase):
    """
    Tests of what is tested.
    """

    def test_dialogues(self):
        """
        There are at least 60 conversations, and at least one for each row.
        """
        names = [path.stem for path in DIALOGUES.glob("*.txt")]
        self.assertGreaterEqual(len(names), 60)
        for row in ROWS:
            self.assertTrue(any(name.startswith(f"a{row:02}_") for name in names), f"A{row}")

    def test_rows(self):
        """
        Each row is found by its name, in a test against the running gateway.
        """
        found = set()
        for path in (TESTS / "end_to_end").glob("test_*.py"):
            text = path.read_text("utf-8")
            found |= {int(row) for row in re.findall(r"def test_a([0-9]{2})[a-z]?_", text)}
        self.assertEqual([row for row in ROWS if row not in found], [])
