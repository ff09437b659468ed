"""
Tests of L{mailgate.net.waiting}, with real processes.
"""

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailgate import sandboxed
from mailgate.interfaces import (
    ISandbox,
    SandboxDied,
    SandboxFailed,
    SandboxTimeout,
    SandboxUnavailable,
)
from mailgate.message.archive import Caps
from mailgate.message.dissect import archives
from mailgate.message.dissect.question import JOB, Question, decode_answer, encode_question
from mailgate.message.inside.inspector import Parser, Specimen
from mailgate.net import waiting
from mailgate.net.waiting import WaitingSandbox
from tests.end_to_end.gateway import lack
from tests.message.dissect.test_archives import packed
from tests.message.documents import code, locked_office, locked_pdf, locked_zip_aes, macros
from tests.message.samples import PROGRAM

SECONDS = 60.0


class WaitingTests(SynchronousTestCase):
    """
    Tests of C{WaitingSandbox}.
    """

    def test_provided(self):
        """
        It is a sandbox.
        """
        verifyObject(ISandbox, WaitingSandbox("tests.net.program"))

    def test_done(self):
        """
        A job has its result at once.
        """
        sandbox = WaitingSandbox("tests.net.program")
        self.assertEqual(self.successResultOf(sandbox.run("echo", b"x\0y", SECONDS)), b"x\0y")

    def test_a24_no_result(self):
        """
        A job that breaks, kills its process or comes to no end has none, and neither has one for
        which there is no program.
        """
        for program, job, seconds, error in (
            ("tests.net.program", "raise", SECONDS, SandboxFailed),
            ("tests.net.program", "abort", SECONDS, SandboxDied),
            ("tests.net.program", "spin", 3.0, SandboxTimeout),
            ("tests.net.nothing", "echo", SECONDS, SandboxUnavailable),
        ):
            answer = WaitingSandbox(program).run(job, b"60", seconds)
            self.failureResultOf(answer, error)

    def test_a24_endless(self):
        """
        Of a process that says more than it may nothing is taken, nor waited for.
        """
        self.patch(waiting, "_LIMIT", 200_000)
        sandbox = WaitingSandbox("tests.net.program")
        whole = self.successResultOf(sandbox.run("echo", b"x" * 100_000, SECONDS))
        self.assertEqual(len(whole), 100_000)
        answer = sandbox.run("echo", b"x" * 1_000_000, SECONDS)
        self.assertIn("more than any", str(self.failureResultOf(answer, SandboxDied).value))

    def test_a24_parsers(self):
        """
        All parsers of others work in a process without rights, without network and with few system
        calls.
        """
        specimens = (
            Specimen(Parser.OFFICE, macros(), ("a.docm",), 0),
            Specimen(Parser.OFFICE, locked_office("tulip", macros()), ("b.docx",), 1),
            Specimen(Parser.LOCKED_ZIP, locked_zip_aes(b"tulip", b"c.exe", PROGRAM), ("c.zip",), 2),
            Specimen(Parser.PDF, locked_pdf("tulip", "https://example.net/d"), ("d.pdf",), 3),
            Specimen(Parser.PICTURE, code("https://example.net/e"), ("e.png",), 4),
            Specimen(Parser.PICTURE, code("https://example.net/f", "JPEG"), ("f.jpg",), 5),
            Specimen(Parser.PICTURE, code("https://example.net/g", "GIF"), ("g.gif",), 6),
        )
        value = encode_question(Question(specimens, ("tulip",), Caps()))
        sandbox = WaitingSandbox(sandboxed.PROGRAM)
        answer = decode_answer(self.successResultOf(sandbox.run(JOB, value, SECONDS)))
        self.assertEqual(answer.troubles, ())
        self.assertEqual(answer.opened, {1, 2, 3})
        paths = {sign.path[0] for sign in answer.signs}
        self.assertEqual(paths, {each.path[0] for each in specimens})
        self.assertEqual(answer.leads, tuple(f"https://example.net/{name}" for name in "defg"))

    def test_a24_libarchive(self):
        """
        The library of the system for archives works there, too.
        """
        if archives.libarchive is None:
            lack(self, "libarchive is not there")
        specimen = Specimen(Parser.ARCHIVE, packed("7zip", ("a.exe", PROGRAM)), ("a.7z",), 0)
        value = encode_question(Question((specimen,), (), Caps()))
        sandbox = WaitingSandbox(sandboxed.PROGRAM)
        answer = decode_answer(self.successResultOf(sandbox.run(JOB, value, SECONDS)))
        self.assertEqual([file.names for file in answer.files], [("a.exe",)])
