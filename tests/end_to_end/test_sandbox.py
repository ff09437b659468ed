"""
The sandbox with real processes: what they must not be able to do, and that it is no accident.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

import tests
from mailgate import sandboxed
from mailgate.interfaces import (
    Protection,
    SandboxDied,
    SandboxFailed,
    SandboxTimeout,
)
from mailgate.message import look
from mailgate.message.look import decode_seen, encode_texts
from mailgate.message.mime import read
from mailgate.message.seen import seen_of
from mailgate.net.confinement import Limits
from mailgate.net.sandbox import Sandbox
from mailgate.reporting.measures import Sums
from mailgate.reporting.metrics import expose
from mailgate.reporting.status import SandboxStatus
from tests.pipeline.events import events
from tests.reporting.statuses import STATUS

SECONDS = 60
"""More than any job takes that is not to be cut off."""

TOP = Path(tests.__file__).parents[1]

PARENT = """
import os, signal
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from mailgate.net.sandbox import Sandbox

async def work():
    sandbox = Sandbox(reactor, "tests.net.program")
    print((await sandbox.run("pid", b"", 60)).decode(), flush=True)
    sandbox.run("spin", b"60", 120)
    # The request is written in the next turn of the reactor.
    reactor.callLater(0, reactor.callLater, 0, os.kill, os.getpid(), signal.SIGKILL)

reactor.callWhenRunning(lambda: Deferred.fromCoroutine(work()))
reactor.run()
"""


class SandboxTests(TestCase):
    """
    Tests with processes that are held by all, one or none of the protections.
    """

    timeout = 300

    def setUp(self):
        """
        Make a folder with a file, and somebody who listens.
        """
        self.folder = Path(mkdtemp(prefix="mailgate-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.file = self.folder / "file"
        self.file.write_bytes(b"content")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)
        self.socket = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.socket.close)
        self.socket.bind(str(self.folder / "socket"))
        self.socket.listen()
        self.attempts = {
            "connect": b"127.0.0.1 %d" % self.listener.getsockname()[1],
            "connect to path": bytes(self.folder / "socket"),
            "fork": b"",
            "thread": b"",
            "run": b"",
            "write": bytes(self.folder / "new"),
            "truncate": bytes(self.file),
            "mode": bytes(self.file),
            "rename": bytes(self.file),
            "kill": b"%d" % os.getpid(),
        }

    def sandbox(self, program="program", **options):
        """
        Make a sandbox that is closed at the end.
        """
        sandbox = Sandbox(reactor, f"tests.net.{program}", **options)
        self.addCleanup(sandbox.close)
        return sandbox

    async def fails(self, sandbox, job, value=b"", error=SandboxFailed, seconds=SECONDS):
        """
        Let a job fail, and give the words of its failure.
        """
        with events():
            try:
                result = await sandbox.run(job, value, seconds)
            except error as failure:
                return str(failure)
        raise self.failureException(f"{job} gave {result!r}")

    async def test_unheld(self):
        """
        Without protections each of these attempts succeeds, so that it is them by which it fails
        below.
        """
        sandbox = self.sandbox("unheld")
        for job, value in self.attempts.items():
            self.assertNotEqual(await sandbox.run(job, value, SECONDS), b"", job)
        self.assertEqual(self.file.read_bytes(), b"")
        self.assertEqual((self.folder / "new").read_bytes(), b"written")
        self.assertGreater(int(await sandbox.run("open many", b"", SECONDS)), 40)

    async def test_held(self):
        """
        With all protections that the kernel allows each of them fails, and nothing has happened.
        """
        sandbox = self.sandbox()
        active = await sandbox.probe()
        self.assertLessEqual({Protection.LIMITS, Protection.PRIVILEGES}, active)
        if Protection.CALLS not in active:
            # Then only what has a protection of its own is left.
            self.attempts = {"write": self.attempts["write"]}
        for job, value in self.attempts.items():
            await self.fails(sandbox, job, value)
        self.assertEqual(self.file.read_bytes(), b"content")
        self.assertEqual(await sandbox.run("read", bytes(self.file), SECONDS), b"content")

    async def test_shown(self):
        """
        Where the status says that a sandbox has no network, or may not ask for one, nobody can be
        reached from there; where it does not say so, somebody can.
        """
        said = {}
        for program in ("program", "in_network", "in_limits", "unheld"):
            sandbox = self.sandbox(program)
            await sandbox.probe()
            status = SandboxStatus.of(sandbox)
            active = set(status.active)
            self.assertEqual(active ^ set(status.missing), set(Protection))
            said[program] = bool(active & {Protection.NETWORK, Protection.CALLS})
            metrics = expose(evolve(STATUS, sandbox=status), Sums()).decode()
            for each in Protection:
                line = f'process="hub",protection="{each}"}} {float(each in active)}'
                self.assertIn(line, metrics)
            if said[program]:
                await self.fails(sandbox, "connect", self.attempts["connect"])
            else:
                connected = await sandbox.run("connect", self.attempts["connect"], SECONDS)
                self.assertEqual(connected, b"connected")
        self.assertEqual((said["in_limits"], said["unheld"]), (False, False))

    async def test_network(self):
        """
        Where a process has a network of its own, it reaches nobody, by that alone.
        """
        sandbox = self.sandbox("in_network")
        if Protection.NETWORK not in await sandbox.probe():
            self.skip_or_fail("the kernel allows no network of its own here")
        words = await self.fails(sandbox, "connect", self.attempts["connect"])
        self.assertIn("Network is unreachable", words)
        self.listener.setblocking(False)
        self.assertRaises(BlockingIOError, self.listener.accept)

    async def test_capabilities(self):
        """
        A process has none of the rights of root, though root has started it.
        """
        if os.getuid() == 0:
            unheld = await self.sandbox("unheld").run("capability", b"", SECONDS)
            self.assertEqual(unheld, b"some")
        held = await self.sandbox("in_capabilities").run("capability", b"", SECONDS)
        self.assertEqual(held, b"none")

    async def test_limits(self):
        """
        A process gets only so much memory, so many open files, and can make no file longer, by its
        limits alone.
        """
        sandbox = self.sandbox("in_limits", limits=Limits(memory_bytes=200_000_000))
        self.assertEqual(await sandbox.run("memory", b"100000000", SECONDS), b"100000000")
        self.assertIn("MemoryError", await self.fails(sandbox, "memory", b"200000000"))
        self.assertIn("Too many open files", await self.fails(sandbox, "open many"))
        self.assertIn("too large", await self.fails(sandbox, "write", self.attempts["write"]))
        if os.getuid() != 0:
            await self.fails(sandbox, "fork")

    async def test_processor_time(self):
        """
        A process has only so much processor time: it ends by itself after the job in which half of
        it was used up, and is killed when there is nothing left.
        """
        sandbox = self.sandbox(limits=Limits(cpu_seconds=1))
        self.assertEqual(await sandbox.run("count", b"", SECONDS), b"1")
        self.assertEqual(await sandbox.run("count", b"", SECONDS), b"2")
        self.assertEqual(await sandbox.run("spin", b"1.1", SECONDS), b"spun")
        self.assertEqual(await sandbox.run("count", b"", SECONDS), b"1")
        words = await self.fails(sandbox, "spin", b"10", SandboxDied)
        self.assertRegex(words, "it was killed by SIG(XCPU|KILL)")

    async def test_time(self):
        """
        A job that takes too long is cut off, and its process is gone.
        """
        sandbox = self.sandbox()
        pid = int(await sandbox.run("pid", b"", SECONDS))
        await self.fails(sandbox, "spin", b"20", SandboxTimeout, 0.2)
        await self.gone(pid)
        self.assertNotEqual(int(await sandbox.run("pid", b"", SECONDS)), pid)

    async def test_crash(self):
        """
        A job that crashes costs itself, and no other.
        """
        sandbox = self.sandbox()
        self.assertIn("SIGABRT", await self.fails(sandbox, "abort", error=SandboxDied))
        self.assertIn("status 3", await self.fails(sandbox, "exit", b"3", SandboxDied))
        await self.fails(sandbox, "flood", error=SandboxDied)
        self.assertIn("ZeroDivisionError", await self.fails(sandbox, "raise"))
        self.assertEqual(await sandbox.run("echo", b"fine", SECONDS), b"fine")

    async def test_clean(self):
        """
        A process has no descriptors but its three pipes, hardly an environment, and is in no folder
        of ours; what it prints is no answer, and a codec that it has not used yet can be read.
        """
        sandbox = self.sandbox()
        before = os.open(os.devnull, os.O_RDONLY)
        self.addCleanup(os.close, before)
        os.set_inheritable(before, True)
        described = await sandbox.run("describe", b"", SECONDS)
        environment, folder, is_isolated = eval(described)
        self.assertLessEqual(set(environment), {"OPENBLAS_NUM_THREADS", "LC_CTYPE"})
        self.assertEqual((folder, is_isolated), ("/", 1))
        # 3 is the way of the answers, and 4 the folder that is being listed.
        descriptors = await self.sandbox("unheld").run("descriptors", b"", SECONDS)
        self.assertEqual(descriptors, b"0 1 2 3 4")
        with events() as told:
            self.assertEqual(await sandbox.run("print", b"", SECONDS), b"printed")
            await self.until(lambda: told)
        self.assertEqual([each["text"] for each in told], ["words of a job"])
        self.assertEqual(await sandbox.run("decode", b"\x82\xa0", SECONDS), "\u3042".encode())

    async def test_large(self):
        """
        A value of 50 MB goes in whole.
        """
        self.assertEqual(
            await self.sandbox().run("length", bytes(50_000_000), SECONDS), b"50000000"
        )

    async def test_look(self):
        """
        What a confined process sees of a large page is what is seen here.
        """
        sandbox = Sandbox(reactor, sandboxed.PROGRAM)
        self.addCleanup(sandbox.close)
        page = "<p hidden>h<a href=http://a.example/>x</a><img src=y>z</p>gr\u00fc\u00df " * 5000
        texts = read(b"Content-Type: text/html\r\n\r\n" + page.encode()).texts
        seen = decode_seen(await sandbox.run(look.JOB, encode_texts(texts), SECONDS))
        here = seen_of(texts)
        self.assertEqual((seen.plain, seen.pages), (here.plain, here.pages))

    async def test_orphan(self):
        """
        A process dies with the one that has started it, whatever it is at.
        """
        environment = {**os.environ, "PYTHONPATH": str(TOP)}
        parent = subprocess.run(
            [sys.executable, "-c", PARENT], env=environment, capture_output=True, timeout=SECONDS
        )
        self.assertEqual(parent.returncode, -signal.SIGKILL, parent.stderr.decode())
        await self.gone(int(parent.stdout))

    async def gone(self, pid):
        """
        Wait until a process is gone, or only its status is left.
        """

        def is_gone():
            try:
                return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
            except FileNotFoundError:
                return True

        await self.until(is_gone)

    async def until(self, condition):
        """
        Wait for what happens in another process, which tells nobody.
        """
        for _ in range(500):
            if condition():
                return
            await deferLater(reactor, 0.02)
        self.fail("it does not happen")

    def skip_or_fail(self, why):
        """
        Skip, or fail where everything has to be there.
        """
        if os.environ.get("MAILGATE_REQUIRE_REAL") == "1":
            self.fail(why)
        self.skipTest(why)
