"""
Tests of L{mailgate.hub.generation}, as far as they need no process.
"""

import errno
import os
import socket

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.hub.counting import Counting
from mailgate.hub.generation import PAUSES, Generation, WorkerFailed
from mailgate.hub.link import Link
from mailgate.hub.orders import START
from mailgate.hub.poison import Poison
from mailgate.store.threads import ImmediateThreads
from tests.hub.joined import join
from tests.storage import temporary_folder


class Reactor(Clock):
    """
    A machine that may not be able to run a process.
    """

    def __init__(self):
        super().__init__()
        self.is_exhausted = True
        self.tries = 0

    def adoptStreamConnection(self, descriptor, family, factory):
        """
        Join the link to a worker that is ready at once.
        """
        join(factory.buildProtocol(None), Link({START: lambda order: None}))

    def spawnProcess(self, process, *arguments, **options):
        """
        Run a process, or fail as C{fork} does.
        """
        self.tries += 1
        if self.is_exhausted:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


class NotRunTests(SynchronousTestCase):
    """
    Tests of what happens when no process can be run.
    """

    def setUp(self):
        """
        Make a generation of one worker.
        """
        self.reactor = Reactor()
        self.folder = temporary_folder(self)
        listening = socket.socket()
        self.addCleanup(listening.close)
        self.counting = Counting()
        self.generation = Generation(
            self.reactor,
            1,
            [listening],
            str,
            {},
            self.counting,
            Poison(self.folder, ImmediateThreads()),
        )

    def test_start(self):
        """
        The start fails at once and in words, and nothing is left of the worker.
        """
        starting = Deferred.fromCoroutine(self.generation.start())
        error = self.failureResultOf(starting, WorkerFailed).value
        self.assertIn("cannot be run: ", str(error))
        self.assertIn(os.strerror(errno.EAGAIN), str(error))
        self.assertEqual(self.generation.pids, [])
        self.assertEqual(self.counting.clients(), ())
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_f16_replaced_later(self):
        """
        Where a dead worker cannot be replaced, as no process can be run, it is tried again.
        """
        self.reactor.is_exhausted = False
        starting = Deferred.fromCoroutine(self.generation.start())
        self.successResultOf(starting)
        (process,) = self.generation._processes
        self.reactor.is_exhausted = True
        process.ended.callback("killed by SIGKILL")
        for pause in PAUSES:
            self.reactor.advance(pause)
        tries = self.reactor.tries
        self.assertGreater(tries, 2)
        self.reactor.is_exhausted = False
        self.reactor.advance(PAUSES[-1] + 1)
        self.assertEqual(self.reactor.tries, tries + 1)
        self.assertEqual(len(self.generation._processes), 1)
