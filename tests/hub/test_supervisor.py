"""
Tests of L{mailgate.hub.supervisor}.
"""

import os
import socket
import time

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.hub.supervisor import Supervisor, Watchdog
from tests.pipeline.events import told
from tests.storage import temporary_folder

PID = 4711


class SupervisorTests(SynchronousTestCase):
    """
    Tests of L{Supervisor}.
    """

    def listen(self, address):
        """
        Be the service manager.
        """
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.manager.bind(address)
        self.manager.setblocking(False)

    def heard(self):
        """
        Give the lines of the next thing that was said.
        """
        return self.manager.recv(65536).decode("utf-8").split("\n")

    def test_words(self):
        """
        Each state has its words, and the status stays on one line.
        """
        path = str(temporary_folder(self) / "notify")
        self.listen(path)
        supervisor = Supervisor(path)
        supervisor.ready("takes mail\nin")
        self.assertEqual(self.heard(), ["READY=1", "STATUS=takes mail in"])
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        supervisor.reloading()
        state, moment, status = self.heard()
        self.assertEqual((state, status), ("RELOADING=1", "STATUS=takes up the configuration"))
        self.assertGreaterEqual(int(moment.removeprefix("MONOTONIC_USEC=")), before)
        supervisor.stopping(2.5)
        self.assertEqual(self.heard()[:2], ["STOPPING=1", "EXTEND_TIMEOUT_USEC=2500000"])
        supervisor.alive()
        self.assertEqual(self.heard(), ["WATCHDOG=1"])

    def test_abstract_name(self):
        """
        A name that begins with @ is none of the file system.
        """
        name = f"mailgate-test-{os.urandom(8).hex()}"
        self.listen(f"\0{name}")
        Supervisor(f"@{name}").alive()
        self.assertEqual(self.heard(), ["WATCHDOG=1"])

    def test_nobody(self):
        """
        Without a manager nothing is said and nothing is wrong.
        """
        found = told(self, "supervisor.not_told")
        Supervisor().ready("")
        Supervisor().alive()
        self.assertEqual(found, [])

    def test_gone(self):
        """
        A manager that is not there is told of, and that is all.
        """
        found = told(self, "supervisor.not_told")
        Supervisor(str(temporary_folder(self) / "nobody")).ready("")
        self.assertEqual([each["words"] for each in found], ["READY=1"])

    def test_environment(self):
        """
        What the environment says is read and taken away; a watchdog is ours where its number is.
        """
        for more, seconds in (
            ({"WATCHDOG_USEC": "30000000"}, 30),
            ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(PID)}, 30),
            ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0),
            ({"WATCHDOG_USEC": "soon"}, 0),
            ({}, 0),
        ):
            environ = {"PATH": "/bin", "NOTIFY_SOCKET": "/run/notify", **more}
            supervisor = Supervisor.take(environ, PID)
            self.assertEqual(supervisor.watchdog_seconds, seconds)
            self.assertEqual(supervisor._address, "/run/notify")
            self.assertEqual(environ, {"PATH": "/bin"})


class WatchdogTests(SynchronousTestCase):
    """
    Tests of L{Watchdog}.
    """

    def setUp(self):
        """
        Watch something, with a minute's patience.
        """
        self.clock = Clock()
        self.supervisor = Supervisor("", 60)
        self.signs = []
        self.supervisor.alive = lambda: self.signs.append(self.clock.seconds())
        self.answers = {"the one": succeed, "the other": succeed}
        self.starved = told(self, "watchdog.starved")
        self.watchdog = Watchdog(
            self.clock,
            self.supervisor,
            {name: lambda name=name: self.answers[name](True) for name in self.answers},
        )

    def test_all_answer(self):
        """
        While all answer a sign comes at once, and twice a minute.
        """
        self.watchdog.start()
        self.clock.pump([10] * 9)
        self.assertEqual(self.signs, [0, 30, 60, 90])
        self.successResultOf(self.watchdog.stop())
        self.clock.pump([10] * 9)
        self.assertEqual(len(self.signs), 4)

    def test_silent(self):
        """
        Who does not answer in time, answers no, or fails is named, and no sign comes; once all
        answer it comes again.
        """
        self.watchdog.start()
        for silence in (lambda _: Deferred(), lambda _: succeed(False), lambda _: fail(OSError())):
            self.starved.clear()
            self.answers["the one"] = silence
            del self.signs[:]
            self.clock.pump([5] * 15)
            self.assertEqual(self.signs, [])
            self.assertIn(len(self.starved), (2, 3))
            self.assertEqual({tuple(each["silent"]) for each in self.starved}, {("the one",)})
            self.answers["the one"] = succeed
            self.clock.pump([5] * 6)
            self.assertEqual(len(self.signs), 1)

    def test_late(self):
        """
        An answer that comes late but in time is one, and the sign comes with it.
        """
        answer = Deferred()
        self.answers["the other"] = lambda _: answer
        self.watchdog.start()
        self.clock.advance(14)
        self.assertEqual(self.signs, [])
        answer.callback(True)
        self.assertEqual(self.signs, [14])

    def test_end(self):
        """
        At the end of the gateway it is enough that the reactor turns.
        """
        self.answers["the one"] = lambda _: Deferred()
        self.watchdog.start()
        self.watchdog.ask_nobody()
        self.clock.pump([15, 15])
        self.assertEqual(self.signs, [30])

    def test_not_watched(self):
        """
        Without a watchdog nobody is asked.
        """
        watchdog = Watchdog(self.clock, Supervisor(), {"nobody": self.fail})
        watchdog.start()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.successResultOf(watchdog.stop())
