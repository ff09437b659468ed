"""
Tests of L{mailgate.hub.control}.
"""

import json
import os
import socket
import stat

from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.testing import StringTransport
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailgate.hub.commands import CommandError
from mailgate.hub.control import REQUEST_BYTES, Control, ControlProtocol, ask
from tests.storage import temporary_folder


class ScriptedCommands:
    """
    Commands that answer what they are told to.
    """

    def __init__(self):
        self.asked = []
        self.answers = {}

    def run(self, name, arguments):
        """
        Answer.
        """
        self.asked.append((name, arguments))
        return self.answers.get(name, lambda: succeed({"echo": arguments}))()


class ProtocolTests(SynchronousTestCase):
    """
    Tests of L{ControlProtocol}.
    """

    def setUp(self):
        """
        Connect.
        """
        self.commands = ScriptedCommands()
        self.protocol = ControlProtocol(self.commands)
        self.transport = StringTransport()
        self.protocol.makeConnection(self.transport)

    def send(self, *requests):
        """
        Send lines, and give those of the answer.
        """
        self.transport.clear()
        self.protocol.dataReceived(b"".join(request + b"\n" for request in requests))
        return [json.loads(line) for line in self.transport.value().splitlines()]

    def test_answer(self):
        """
        A command is given its arguments, and its answer is one line.
        """
        answers = self.send(b'{"command": "trace", "arguments": {"id": "\\n"}}')
        self.assertEqual(answers, [{"answer": {"echo": {"id": "\n"}}}])
        self.assertEqual(self.commands.asked, [("trace", {"id": "\n"})])

    def test_error(self):
        """
        A command that cannot be carried out gives its sentence.
        """
        self.commands.answers["bad"] = lambda: fail(CommandError("there is none"))
        self.assertEqual(
            self.send(b'{"command": "bad", "arguments": {}}'), [{"error": "there is none"}]
        )

    def test_crash(self):
        """
        A command that breaks is an event; the client learns where to look, and no more.
        """
        self.commands.answers["bad"] = lambda: fail(ZeroDivisionError("secret"))
        (answer,) = self.send(b'{"command": "bad", "arguments": {}}')
        self.assertNotIn("secret", answer["error"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_in_order(self):
        """
        Answers come in the order of the requests, even where the first one takes longer.
        """
        slow = Deferred()
        self.commands.answers["slow"] = lambda: slow
        request = b'{"command": "%s", "arguments": {}}'
        self.assertEqual(self.send(request % b"slow", request % b"fast"), [])
        self.transport.clear()
        slow.callback({"slow": 1})
        answers = [json.loads(line) for line in self.transport.value().splitlines()]
        self.assertEqual(answers, [{"answer": {"slow": 1}}, {"answer": {"echo": {}}}])

    def test_not_understood(self):
        """
        What is no request is refused, and the next one is answered.
        """
        for line in (b"", b"{", b"[]", b"{}", b'{"command": 1, "arguments": {}}', b"\xff"):
            with_next = self.send(line, b'{"command": "x", "arguments": {}}')
            self.assertEqual(
                with_next, [{"error": "the request is not understood"}, {"answer": {"echo": {}}}]
            )

    def test_bounded(self):
        """
        A request without an end is cut off.
        """
        self.protocol.dataReceived(b"x" * (REQUEST_BYTES + 1))
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(self.commands.asked, [])


class SocketTests(TestCase):
    """
    Tests of L{Control} and L{ask}, with a socket.
    """

    def setUp(self):
        """
        Name the socket.
        """
        self.path = temporary_folder(self) / "control"
        self.commands = ScriptedCommands()
        self.control = Control(reactor, self.path, self.commands)

    def start(self):
        """
        Listen.
        """
        self.control.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.control.stop()))

    async def test_ask(self):
        """
        A command travels there and back, whatever its text and however long its answer.
        """
        self.start()
        words = "\N{SNOWMAN}\n\0" * 100_000
        self.commands.answers["long"] = lambda: succeed({"words": words})
        answer = await deferToThread(ask, self.path, "long", {"id": "\N{SNOWMAN}"})
        self.assertEqual(answer, {"words": words})
        self.assertEqual(self.commands.asked, [("long", {"id": "\N{SNOWMAN}"})])

    async def test_ask_in_vain(self):
        """
        An error is raised as one.
        """
        self.start()
        self.commands.answers["bad"] = lambda: fail(CommandError("there is none"))
        error = await self.assertFailure(deferToThread(ask, self.path, "bad", {}), CommandError)
        self.assertEqual(str(error), "there is none")

    async def test_owner_alone(self):
        """
        Nobody else may connect, whatever the umask, which stays as it was.
        """
        before = os.umask(0)
        try:
            self.start()
            self.assertEqual(os.umask(0), 0)
        finally:
            os.umask(before)
        mode = self.path.stat().st_mode
        self.assertEqual((stat.S_ISSOCK(mode), mode & 0o777), (True, 0o600))

    async def test_stale(self):
        """
        The socket that a crash has left is replaced; at the end it is removed.
        """
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(self.path))
        self.control.start()
        self.assertEqual(await deferToThread(ask, self.path, "x", {}), {"echo": {}})
        await self.control.stop()
        self.assertFalse(self.path.exists())
        await self.control.stop()

    def test_path_too_long(self):
        """
        A path that is too long for a socket is refused at the start.
        """
        control = Control(reactor, self.path.with_name("x" * 120), self.commands)
        self.assertRaises(CannotListenError, control.start)
