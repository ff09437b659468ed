"""
Every kept input, without the fuzzer; and proof that a target sees what is broken.
"""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailgate.edge.conversation import Conversation
from mailgate.edge.smtp import SmtpServer
from mailgate.message import look
from mailgate.message.inside.signs import Look
from mailgate.message.mime.readings import Enclosed
from mailgate.message.seen import Seen
from mailgate.message.spool import FileMessage
from mailgate.wire.data import ChunkReader, DataReader, DotStuffer, LineEndMender
from mailgate.wire.dns import message as dns_message
from mailgate.wire.proxy import ProxyReader
from mailgate.wire.replies import ReplyParser
from tests.fuzz import __main__ as program
from tests.fuzz.oracle import Broken
from tests.fuzz.targets import targets


class TargetTests(SynchronousTestCase):
    """
    Tests of the targets.
    """

    def setUp(self):
        """
        Have all targets.
        """
        self.begin()

    def begin(self):
        """
        Have all targets, with a new folder for spool files.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        self.targets = targets(folder)

    def kept(self, name):
        """
        Give the inputs that are kept for a target.
        """
        return [path.read_bytes() for path in sorted((program.CORPUS / name).iterdir())]

    def is_broken(self, name):
        """
        Tell whether some kept input breaks a target.
        """
        for data in self.kept(name):
            try:
                self.targets[name](data)
            except Broken:
                return True
        return False

    def test_corpus(self):
        """
        No input that is kept breaks its target, and there are some for each.
        """
        folders = {path.name for path in program.CORPUS.iterdir() if path.is_dir()}
        self.assertEqual(folders, set(self.targets))
        for name, target in self.targets.items():
            for data in (b"", *self.kept(name)):
                target(data)

    def test_small(self):
        """
        The inputs that are kept are small, and no longer than those that the fuzzer makes.
        """
        for name in self.targets:
            for data in self.kept(name):
                self.assertLessEqual(len(data), program.LENGTHS.get(name, 512))

    def test_seen_in_readers(self):
        """
        A reader that counts wrongly, or forgets what came before, is seen by its target.
        """
        for name, reader, attribute, wrong in (
            ("data", DataReader, "_count", lambda self, block: None),
            ("data", DotStuffer, "encode", lambda self, chunk: chunk),
            ("chunks", ChunkReader, "_count", lambda self, block: None),
            ("chunks", LineEndMender, "feed", lambda self, data: data),
            ("proxy", ProxyReader, "_complete", lambda self, end: None),
            ("replies", ReplyParser, "is_amid", property(lambda self: True)),
            ("readings", Enclosed, "decoded", lambda self, limit: bytes(limit + 1)),
            ("text", look, "seen_of", lambda texts: Seen("x", ())),
            ("files", Look, "lead", lambda self, address: self.leads.update({"x" * 2001: None})),
            ("dns", dns_message, "unpack_name", lambda name: name.decode("latin-1")),
        ):
            self.assertFalse(self.is_broken(name), name)
            patch = self.patch(reader, attribute, wrong)
            self.assertTrue(self.is_broken(name), (name, attribute))
            patch.restore()

    def test_seen_in_conversations(self):
        """
        A mistake of ours, a stray byte that is let through, a reply that depends on how the
        bytes were cut, and what is left behind, are all seen.
        """

        def mistaken(self, line):
            raise ValueError("broken")

        def forgetful(self, data):
            self._buffer, self._at = data, 0
            self._run()

        for place, attribute, wrong in (
            (Conversation, "execute", mistaken),
            (SmtpServer, "dataReceived", forgetful),
            (DataReader, "_count", lambda self, block: None),
            (DotStuffer, "encode", lambda self, chunk: chunk),
            (FileMessage, "close", lambda self: None),
            (SmtpServer, "connectionLost", lambda self, reason: None),
        ):
            self.begin()
            self.assertFalse(self.is_broken("conversation"))
            patch = self.patch(place, attribute, wrong)
            self.assertTrue(self.is_broken("conversation"), attribute)
            patch.restore()
            self.flushLoggedErrors()
