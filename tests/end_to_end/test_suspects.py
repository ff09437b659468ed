"""
A message that kills a process: it costs one worker, then it is judged in the sandbox, and what
kills there too is held.
"""

import os
import shutil
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp

from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import TestCase

import tests
from mailgate.checks import table
from mailgate.checks.known import Known
from mailgate.finding import Kind
from mailgate.judging import make_pipeline
from mailgate.net.confinement import Limits
from mailgate.net.sandbox import Sandbox
from mailgate.pipeline.suspects import UNSCANNABLE, Suspects
from mailgate.sandboxed import PROGRAM
from mailgate.store.notes import Notes, read_notes
from mailgate.store.threads import ImmediateThreads
from mailgate.verdict import Action
from tests.checks.given import NOW, settings
from tests.end_to_end.poison import ADA, CHECKS, ENVELOPE, QUICK, message
from tests.pipeline.events import events

TOP = Path(tests.__file__).parents[1]


def digest(judged):
    """
    Give the hash of a message.
    """
    return sha256(b"".join(judged.pieces)).digest()


class SuspectTests(TestCase):
    """
    Tests with a check that some messages kill.
    """

    timeout = 120

    def setUp(self):
        """
        Make a folder.
        """
        self.folder = Path(mkdtemp(prefix="mailgate-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def work(self, words):
        """
        Let another process judge a message, and give its end and what it has noted.
        """
        path = self.folder / "notes"
        done = subprocess.run(
            [sys.executable, "-m", "tests.end_to_end.poison", str(path), words],
            env={**os.environ, "PYTHONPATH": str(TOP)},
            capture_output=True,
            timeout=60,
        )
        return done, read_notes(path)

    async def judged(self, judged, hashes, program="tests.end_to_end.poison"):
        """
        Judge a message where some are known to have killed a process.
        """
        sandbox = Sandbox(reactor, program, Limits(cpu_seconds=1), jobs=1)
        self.addCleanup(sandbox.close)
        given = settings(**QUICK, names={"mode": "off"}).model_copy(update={"data": self.folder})
        suspects = Suspects(sandbox, given.model_dump_json(), Notes(self.folder / "own"))
        suspects.hashes = hashes
        pipeline = make_pipeline(
            given, Known(), ImmediateThreads(), reactor, lambda: NOW, suspects=suspects
        )
        judge = pipeline.open(ENVELOPE.session).begin(ENVELOPE)
        judge.rcpt(ADA)
        with events() as self.told:
            (verdict,) = await maybeDeferred(judge.message, judged)
        return verdict

    async def test_poison(self):
        """
        It kills the process that judges it, which leaves its hash; judged in the sandbox it kills
        again, and is held as unscannable.
        """
        done, hashes = self.work("kill me")
        self.assertEqual(done.returncode, -signal.SIGABRT, done.stderr.decode())
        self.assertEqual(hashes, {digest(message(b"kill me"))})
        self.patch(table, "CHECKS", CHECKS)
        verdict = await self.judged(message(b"kill me"), hashes)
        self.assertEqual((verdict.action, verdict.kind), (Action.QUARANTINE, Kind.UNSCANNABLE))
        self.assertEqual([finding.symbol for finding in verdict.findings], [UNSCANNABLE])
        self.assertIn("SIGABRT", verdict.findings[0].detail)
        self.assertEqual(
            [each["event"] for each in self.told], ["sandbox.died", "suspect.unscannable"]
        )

    async def test_for_ever(self):
        """
        What never comes to an end is cut off, and held as well.
        """
        self.patch(table, "CHECKS", CHECKS)
        hashes = {digest(message(b"for ever"))}
        verdict = await self.judged(message(b"for ever"), hashes)
        self.assertEqual((verdict.action, verdict.kind), (Action.QUARANTINE, Kind.UNSCANNABLE))

    async def test_innocent(self):
        """
        Of the messages that were under way when a process died, those that have done nothing are
        judged in the sandbox as elsewhere.
        """
        done, hashes = self.work("hello")
        self.assertEqual((done.stdout.strip(), hashes), (b"2.5", frozenset()), done.stderr.decode())
        self.patch(table, "CHECKS", CHECKS)
        verdict = await self.judged(message(b"hello"), {digest(message(b"hello"))})
        self.assertEqual((verdict.action, verdict.total), (Action.ACCEPT, 2.5))
        self.assertEqual(self.told, [])

    async def test_real_checks(self):
        """
        The checks of the gateway find in the sandbox what they find elsewhere.
        """
        words = (
            b"--x\r\nContent-Type: application/octet-stream; name=invoice.pdf.exe\r\n\r\nMZ\r\n"
            b"--x\r\nContent-Type: text/html; charset=shift_jis\r\n\r\n"
            b"<a href='http://192.0.2.1/'>http://bank.example/</a> \x82\xa0\r\n--x--"
        )
        mixed = message(words, b"Content-Type: multipart/mixed; boundary=x\r\n")
        outside = await self.judged(mixed, set(), PROGRAM)
        inside = await self.judged(mixed, {digest(mixed)}, PROGRAM)
        self.assertEqual(self.told, [])
        self.assertEqual(inside, outside)
        self.assertIn("ATTACHMENT_FORBIDDEN", [finding.symbol for finding in inside.findings])
