"""
Tests of L{mailgate.hub.orders}.
"""

from msgspec.msgpack import decode, encode
from twisted.logger import Logger, LogLevel, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailgate.hub.orders import Said, repeat, said
from mailgate.reporting.events import FIELD_LIMIT, to_json


class SaidTests(SynchronousTestCase):
    """
    Tests of the events that cross the border.
    """

    def setUp(self):
        """
        Collect events.
        """
        self.found = []
        globalLogPublisher.addObserver(self.found.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.found.append)

    def cross(self, event):
        """
        Give an event as it is in the hub's log.
        """
        del self.found[:]
        repeat(decode(encode(said(event)), type=Said), 77)
        return self.found[-1]

    def test_fields(self):
        """
        An event has its name, level, place, words and fields there as well, and the number of the
        worker.
        """
        Logger("mailgate.edge").warn(
            "{event} {client} said {number}", event="some.thing", client="192.0.2.1", number=5
        )
        here = self.found[-1]
        there = self.cross(here)
        self.assertEqual(
            (there["event"], there["client"], there["number"]), ("some.thing", "192.0.2.1", 5)
        )
        self.assertEqual(there["worker"], 77)
        for name in ("log_level", "log_namespace", "log_time"):
            self.assertEqual(there[name], here[name])
        self.assertEqual(to_json(there), to_json({**here, "worker": 77}))

    def test_failure(self):
        """
        A traceback crosses as one.
        """
        try:
            raise RuntimeError("a mistake")
        except RuntimeError:
            Logger("mailgate.edge").failure("{event}", Failure(), event="some.failure")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        there = self.cross(self.found[-1])
        self.assertIn("RuntimeError: a mistake", there["log_traceback"])
        self.assertEqual(there["log_level"], LogLevel.critical)

    def test_strange_values(self):
        """
        Whatever an event holds can cross, as something plain and short.
        """
        strange = {
            "half": "\ud800",
            "bytes": b"\xff",
            "large": 2**70,
            "object": object(),
            "long": "x" * 5000,
            "many": list(range(1000)),
            "nan": float("nan"),
        }
        there = self.cross({"log_format": "{half}", "log_level": LogLevel.info, **strange})
        self.assertEqual(there["half"], "\\ud800")
        self.assertEqual(there["bytes"], "\\xff")
        self.assertEqual(there["large"], str(2**70))
        self.assertEqual(len(there["long"]), FIELD_LIMIT + 1)
        self.assertEqual(there["nan"], "nan")
        self.assertLess(len(there["many"]), 100)

    def test_no_forgery(self):
        """
        A worker that is not itself any more cannot speak for the hub or another worker by what it
        calls its fields.
        """
        fields = {"log_level": "x", "log_format": "x", "worker": 1, "event": "x", "fine": 1}
        repeat(Said(1.0, "info", "here", "some.thing", "words", "", fields), 77)
        there = self.found[-1]
        self.assertEqual((there["worker"], there["event"], there["fine"]), (77, "some.thing", 1))
        self.assertEqual(there["log_level"], LogLevel.info)
        self.assertEqual(there["log_format"], "{log_text}")
