"""
Tests of L{mailgate.commands.status}.
"""

import json

from attrs import asdict, evolve

from mailgate.commands import status as module
from mailgate.commands.status import shown
from mailgate.hub.lock import DataLock
from mailgate.reporting.status import Reload, UpstreamStatus
from tests.commands.case import CommandLineCase
from tests.reporting.statuses import STATUS, worker
from tests.storage import NOW


class StatusTests(CommandLineCase):
    """
    Tests of C{status}.
    """

    def answer(self, answer):
        """
        Let a gateway answer so.
        """
        self.patch(module, "ask_running", lambda settings, name, arguments: answer)

    def test_well(self):
        """
        Where all is well the status is 0.
        """
        self.answer(json.loads(json.dumps(asdict(STATUS))))
        out = self.say("status")
        self.assertIn("\nSTATE  PART ", out)
        self.assertNotIn("WRONG", out)

    def test_wrong(self):
        """
        What is wrong stands first, and the status is 1.
        """
        failing = evolve(STATUS, upstreams=(UpstreamStatus("inbox", 4),))
        self.answer(json.loads(json.dumps(asdict(failing))))
        status, out, complaints = self.call("status")
        self.assertEqual((status, complaints), (1, ""))
        first = out.splitlines()[3]
        self.assertRegex(first, r"^WRONG +upstream inbox +has failed 4 times in a row")

    def test_json(self):
        """
        With --json it is one value, with what is wrong in words.
        """
        wrong = evolve(STATUS, workers=(worker(11),))
        self.answer(json.loads(json.dumps(asdict(wrong))))
        status, out, _ = self.call("status", "--json")
        told = json.loads(out)
        self.assertEqual((status, told["problems"]), (1, ["workers: 1 of 2 answer"]))
        self.assertEqual(told["workers"][0]["pid"], 11)

    def test_nobody(self):
        """
        Where no gateway runs the status is 2, and nothing is made for it.
        """
        status, out, complaints = self.call("status")
        self.assertEqual((status, out), (2, ""))
        self.assertRegex(complaints, "no gateway runs at .*/data")
        self.assertFalse((self.config.parent / "data").exists())
        status, out, _ = self.call("status", "--json")
        self.assertEqual((status, len(json.loads(out)["problems"])), (2, 1))

    def test_hanging(self):
        """
        One that has the data folder and takes no commands is named.
        """
        data = self.config.parent / "data"
        data.mkdir()
        lock = DataLock(data)
        lock.acquire()
        self.addCleanup(lock.release)
        status, _, complaints = self.call("status")
        self.assertEqual(status, 2)
        self.assertRegex(complaints, r"process \d+ uses .*/data, but takes no commands")

    def test_eighty_columns(self):
        """
        At 80 columns nothing is cut off: long words go on in the next row.
        """
        words = "[[route]] number 1 upstream = 'inbx': there is no table [upstream.inbx]; " * 3
        status = evolve(STATUS, reload=Reload(NOW, words.strip()))
        lines = shown(status, 80)
        self.assertLessEqual(max(map(len, lines)), 80)
        told = " ".join(line[23:].strip() for line in lines)
        self.assertIn(words.strip(), told)
        self.assertEqual(lines[3].split()[:2], ["WRONG", "reload"])
        self.assertLess(len(shown(status, None)), len(lines))
