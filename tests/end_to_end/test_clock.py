"""
A gateway whose machine's clock is set by somebody.
"""

import json
import os
from pathlib import Path

from tests.end_to_end.case import Conversation, EndToEndTestCase
from tests.end_to_end.client import make_message, send

DAY = 86400

# What each process of the gateway runs at its start: the wall clock is off by as many seconds as
# the file says. The clock that nobody can set is the real one.
JUMPY = """
import time
real = time.time
def jumpy():
    with open({path!r}) as file:
        return real() + float(file.read() or 0)
time.time = jumpy
"""


class ClockTests(EndToEndTestCase):
    """
    Tests of clocks that jump (F13).
    """

    timeout = 180

    def setUp(self):
        """
        Start one, with a client that is connected.
        """
        self.offset = Path(self.mktemp()).absolute()
        self.offset.mkdir(parents=True)
        (self.offset / "sitecustomize.py").write_text(
            JUMPY.format(path=str(self.offset / "seconds"))
        )
        self.set_clock(0)
        path = os.pathsep.join(filter(None, (str(self.offset), os.environ.get("PYTHONPATH"))))
        self.server = self.gateway(top="workers = 1").start(PYTHONPATH=path)
        self.eventually(lambda: "gateway.started" in self.server.said(), "it does not start")
        self.client = self.connect()

    def set_clock(self, seconds):
        """
        Put the clock forward or back from what is right.
        """
        # In one step, since the gateway reads it all the time.
        new = self.offset / "new"
        new.write_text(str(seconds))
        new.replace(self.offset / "seconds")

    def connect(self):
        """
        Connect a client.
        """
        client = Conversation(self.server.smtp_port)
        self.addCleanup(client.close)
        client.ask("EHLO client.example.org\n")
        return client

    def traces(self):
        """
        Give the records of all messages.
        """
        path = self.server.data / "transactions.jsonl"
        lines = path.read_text("utf-8").splitlines() if path.exists() else ()
        return [record for record in map(json.loads, lines) if record["sender"]]

    def test_f13_jumps(self):
        """
        However the clock jumps, by a day, beyond 2038 or back, no session ends for it, mail goes
        on, every trace is written, and no id comes again.
        """
        days = (0, 1, -1, 0, 5000, -1, 0)
        for number, day in enumerate(days, 1):
            self.set_clock(day * DAY)
            self.assertTrue(self.client.ask("NOOP\n").startswith("250 "), day)
            self.assertTrue(send(self.server.smtp_port, make_message()[1]))
            self.eventually(
                lambda number=number: len(self.traces()) == number, f"no trace at {day} days"
            )
            status = self.server.run("status")
            self.assertEqual(status.stderr, "")
            self.assertRegex(status.stdout, r"^mailgate .*, up [0-9]+ s\n")
        self.assertEqual(len(self.server.delivered()), len(days))
        self.assertEqual(len({record["trace"] for record in self.traces()}), len(days))
        said = self.server.said()
        for event in ("Traceback", "worker.died", "worker.failed"):
            self.assertNotIn(event, said)
        self.assertEqual(self.client.ask("QUIT\n")[:3], "221")
