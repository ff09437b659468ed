"""
Tests of L{mailgate.reporting.events}.
"""

import json
import os
from threading import Thread

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.model import LogFormat
from mailgate.reporting.events import LINE_LIMIT, EventLog, is_journal, to_json
from tests.pipeline.events import told
from tests.storage import temporary_folder

EVENT = {
    "log_time": 1_800_000_000.25,
    "log_level": LogLevel.warn,
    "log_namespace": "mailgate.hub",
    "log_format": "{event} {place} is unused",
    "event": "socket.unused",
    "place": "127.0.0.1:25",
    "log_source": object(),
}


class JsonTests(SynchronousTestCase):
    """
    Tests of L{to_json}.
    """

    def test_event(self):
        """
        An event has its time in UTC, level, place, name, words and fields.
        """
        self.assertEqual(
            json.loads(to_json(EVENT)),
            {
                "time": "2027-01-15T08:00:00.250Z",
                "level": "warn",
                "namespace": "mailgate.hub",
                "event": "socket.unused",
                "text": "socket.unused 127.0.0.1:25 is unused",
                "fields": {"place": "127.0.0.1:25"},
            },
        )

    def test_traceback(self):
        """
        A traceback stands apart from the words.
        """
        event = {**EVENT, "log_failure": Failure(RuntimeError("a mistake"))}
        read = json.loads(to_json(event))
        self.assertIn("RuntimeError: a mistake", read["traceback"])
        self.assertNotIn("a mistake", read["text"])

    def test_nothing_known(self):
        """
        An event of which nothing is known is an object too.
        """
        self.assertEqual(json.loads(to_json({}))["level"], "info")

    values = st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.binary(max_size=50)
        | st.text(st.characters(), max_size=50),
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner),
    )

    @given(st.dictionaries(st.text(st.characters(), max_size=20), values, max_size=8))
    def test_any_fields(self, fields):
        """
        Whatever the fields are, it is one line of JSON without what only Python understands.
        """
        line = to_json({**EVENT, **{f"f{name}": value for name, value in fields.items()}})
        self.assertTrue(line.isascii())
        self.assertNotIn("\n", line)
        self.assertEqual(json.loads(line, parse_constant=self.fail)["level"], "warn")

    def test_bounded(self):
        """
        A line is never so long that journald would cut it; the words stay longest.
        """
        hostile = "\N{PILE OF POO}" * 100_000
        fields = {f"field{number}": hostile for number in range(100)}
        line = to_json({**EVENT, **fields, "log_format": "x {place}" + "y" * 100_000})
        self.assertLess(len(line), LINE_LIMIT)
        self.assertTrue(json.loads(line)["text"].startswith("x 127.0.0.1:25"))
        line = to_json({**EVENT, "event": hostile, "log_namespace": hostile})
        self.assertLess(len(line), LINE_LIMIT)


class EventLogTests(SynchronousTestCase):
    """
    Tests of L{EventLog}.
    """

    def setUp(self):
        """
        Name the file.
        """
        self.path = temporary_folder(self) / "events.log"

    def test_before_and_after(self):
        """
        Before its start and after its end an event is written at once, in between too before the
        end; in their order.
        """
        log = EventLog(LogFormat.TEXT, self.path)
        log({**EVENT, "place": "one"})
        self.assertIn("#warn] socket.unused one is unused\n", self.path.read_text())
        log.start()
        log({**EVENT, "place": "two"})
        log.stop()
        log({**EVENT, "place": "three"})
        words = [line.split()[3] for line in self.path.read_text().splitlines()]
        self.assertEqual(words, ["one", "two", "three"])

    def test_priorities(self):
        """
        For journald each line begins with the priority, those of a traceback too.
        """
        log = EventLog(LogFormat.TEXT, self.path, has_priorities=True)
        log({**EVENT, "log_failure": Failure(RuntimeError("a mistake"))})
        log({**EVENT, "log_level": LogLevel.critical})
        lines = self.path.read_text().splitlines()
        self.assertGreater(len(lines), 2)
        for line in lines[:-1]:
            self.assertTrue(line.startswith("<4>"), line)
        self.assertTrue(lines[-1].startswith("<2>"))

    def test_no_forged_lines(self):
        """
        A line feed in an event does not begin an event.
        """
        log = EventLog(LogFormat.TEXT, self.path)
        log({**EVENT, "place": "here\n2027-01-15T08:00:00+0000 [x#info] forged"})
        _, second = self.path.read_text().splitlines()
        self.assertTrue(second.startswith("\t"))

    def test_say(self):
        """
        What is said to a person has the form of an event.
        """
        log = EventLog(LogFormat.JSON, self.path)
        log.say("Mail comes in.")
        self.assertEqual(json.loads(self.path.read_text())["text"], "Mail comes in.")

    def test_f18_blocked(self):
        """
        A log that takes nothing stops nobody; what does not fit into the queue is counted, and told
        once there is room.
        """
        reading, writing = os.pipe()
        self.addCleanup(os.close, writing)
        log = EventLog(LogFormat.TEXT, writing, limit=10)
        found = told(self, "log.lost")
        log.start()
        for _ in range(500):
            log({**EVENT, "place": "x" * 1000})
        read = []

        def drain():
            with open(reading) as lines:
                read.extend(iter(lines.readline, "end\n"))

        reader = Thread(target=drain)
        reader.start()
        log.stop()
        log(EVENT)
        os.write(writing, b"end\n")
        reader.join()
        written = sum("x" * 1000 in line for line in read)
        lost = sum(each["number"] for each in found)
        self.assertGreater(lost, 400)
        self.assertEqual(written + lost, 500)

    def test_gone(self):
        """
        A log that nobody reads any more does no harm.
        """
        reading, writing = os.pipe()
        self.addCleanup(os.close, writing)
        os.close(reading)
        log = EventLog(LogFormat.JSON, writing)
        log(EVENT)
        log.start()
        log(EVENT)
        log.stop()

    def test_journal(self):
        """
        The journal is known by the number of its stream.
        """
        with open(os.devnull) as file:
            found = os.fstat(file.fileno())
            right = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
            self.assertTrue(is_journal(file.fileno(), right))
            self.assertFalse(is_journal(file.fileno(), {"JOURNAL_STREAM": "1:2"}))
            self.assertFalse(is_journal(file.fileno(), {}))
        self.assertFalse(is_journal(file.fileno() if not file.closed else 999_999, right))
