"""
Tests of L{mailgate.commands.learn}.
"""

import json
import os
import sys
from pathlib import Path
from stat import S_IMODE
from types import SimpleNamespace

from mailgate.commands import learn
from mailgate.config.load import load
from tests.commands.case import CommandLineCase, Terminal


def made(number):
    """
    Make a message that no other one resembles.
    """
    return f"Message-ID: <{number}@example.org>\nSubject: word{number}\n\nHello word{number}\n"


class LearnTests(CommandLineCase):
    """
    Tests of C{learn}.
    """

    def setUp(self):
        """
        Write some messages.
        """
        super().setUp()
        self.folder = self.config.parent / "mail"
        self.folder.mkdir()
        for number in range(3):
            self.write(f"{number}", made(number))

    def write(self, name, text):
        """
        Write a file.
        """
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def status(self):
        """
        Tell how much was learned, of spam and of ham.
        """
        status = json.loads(self.say("learn", "--status", "--json"))
        return status["spam"], status["ham"]

    def spool(self):
        """
        Give what lies in the spool.
        """
        return list((load(self.config).data / "spool").iterdir())

    def test_learn(self):
        """
        The messages of a folder and of an mbox are learned, and how many of them, is told; so is
        what is still needed. Nothing stays in the spool.
        """
        text = self.say("learn", "spam", str(self.folder))
        self.assertIn("3 messages: 3 learned\n", text)
        self.assertIn("learned so far: 3 messages of spam, 0 of ham", text)
        self.assertIn("from 60 of spam and 120 of ham on", text)
        mbox = self.config.parent / "box"
        mbox.write_text(
            "".join(
                f"From x Mon Jan  1 00:00:00 2024\n{made(number)}\n" for number in range(10, 14)
            )
        )
        self.assertIn("4 messages: 4 learned\n", self.say("learn", "ham", str(mbox)))
        self.assertEqual(self.status(), (3, 4))
        self.assertEqual(self.spool(), [])

    def test_again(self):
        """
        What is known already is told, and what was the other class is corrected.
        """
        self.say("learn", "spam", str(self.folder))
        text = self.say("learn", "spam", str(self.folder))
        self.assertIn("3 messages: 3 known\n", text)
        text = self.say("learn", "ham", str(self.folder / "0"))
        self.assertIn("1 messages: 1 corrected\n", text)
        self.assertEqual(self.status(), (2, 1))

    def test_many(self):
        """
        More than one portion is learned, with a bar at a terminal.
        """
        for number in range(250):
            self.write(f"more{number}", made(number + 10))
        complaints = Terminal(is_terminal=True)
        self.patch(sys, "stdout", Terminal())
        self.patch(sys, "stderr", complaints)
        arguments = SimpleNamespace(config=self.config, path=[self.folder])
        self.assertEqual(learn.learn_spam(arguments), 0)
        self.assertIn("0/253", complaints.text())
        self.assertTrue(complaints.text().endswith("\r\x1b[K"))
        self.assertEqual(self.status(), (253, 0))

    def test_taught_today(self):
        """
        It tells what each has taught today by what was decided, and how much that may be.
        """
        status = {
            "spam": 2,
            "ham": 1,
            "is_trained": True,
            "lessons_per_teacher": 200,
            "today": {"trap x@example.com": 1, "ada": 2},
        }
        said = []
        self.patch(learn, "say", said.append)
        learn._tell(status)
        self.assertIn("of 200 messages each at most: ada 2, trap x@example.com 1", said[-1])

    def test_errors(self):
        """
        A file that cannot be read is told, and the others are learned; a path that is not there
        is told before anything is.
        """
        open_file = learn.messages_in

        def messages_in(path):
            if path.name == "1":
                raise PermissionError(13, "Permission denied", str(path))
            return open_file(path)

        self.patch(learn, "messages_in", messages_in)
        status, out, complaints = self.call("learn", "ham", str(self.folder))
        self.assertEqual((status, complaints.count("\n")), (1, 1))
        self.assertIn(f"{self.folder}/1: Permission denied", complaints)
        self.assertIn("2 messages: 2 learned", out)
        status, out, complaints = self.call("learn", "spam", "/nonexistent", str(self.folder))
        self.assertEqual((status, out), (1, ""))
        self.assertIn("/nonexistent: No such file", complaints)
        self.assertEqual(self.status(), (0, 2))

    def test_nothing(self):
        """
        An empty folder teaches nothing.
        """
        empty = self.folder / "empty"
        empty.mkdir()
        self.assertIn("0 messages\n", self.say("learn", "ham", str(empty)))

    def test_export_and_import(self):
        """
        What was learned goes into a new file that nobody else can read, and from there to another
        gateway; neither is done over what is there already.
        """
        self.say("learn", "spam", str(self.folder))
        exported = str(self.config.parent / "exported")
        self.assertIn("3 messages of spam", self.say("learn", "--export", exported))
        self.assertEqual(S_IMODE(os.stat(exported).st_mode), 0o600)
        before = Path(exported).read_bytes()
        status, _, complaints = self.call("learn", "--export", exported)
        self.assertEqual((status, complaints.count("\n")), (1, 1))
        self.assertEqual(Path(exported).read_bytes(), before)
        status, _, complaints = self.call("learn", "--import", exported)
        self.assertEqual(status, 1)
        self.assertIn("3 messages of spam", complaints)
        self.say("learn", "ham", self.write("3", made(99)))
        self.say("learn", "--import", exported, "--replace")
        self.assertEqual(self.status(), (3, 0))
        self.assertEqual(self.spool(), [])

    def test_export_that_fails(self):
        """
        An export that fails leaves no file.
        """

        def full(*_):
            raise OSError(28, "No space left on device")

        self.patch(learn.shutil, "copyfileobj", full)
        exported = self.config.parent / "exported"
        self.assertEqual(self.call("learn", "--export", str(exported))[0], 1)
        self.assertFalse(exported.exists())
        self.assertEqual(self.spool(), [])

    def test_root(self):
        """
        What root hands over can be read by the user of the gateway.
        """
        given = []
        self.patch(os, "geteuid", lambda: 0)
        self.patch(os, "chown", lambda path, *owner: given.append(owner))
        self.say("learn", "spam", str(self.folder / "0"))
        owner = os.stat(load(self.config).data)
        self.assertEqual(given, [(owner.st_uid, owner.st_gid)])

    def test_wrong_use(self):
        """
        One thing at a time.
        """
        for words in (["spam"], ["eggs", "x"], ["--status", "--export", "x"]):
            self.assertEqual(self.call("learn", *words)[0], 2, words)
