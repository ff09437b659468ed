"""
Tests of L{mailgate.commands.backup} and of L{mailgate.hub.restore}.
"""

import io
import json
import os
import sqlite3
import sys
import tarfile
from stat import S_IMODE
from unittest import SkipTest

from mailgate.classify.classifier import Classifier
from mailgate.classify.store import load as load_tokens
from mailgate.hub.lock import DataLock
from mailgate.message.mime import read
from mailgate.store import backup, outbox
from mailgate.store import due as store_due
from mailgate.store.files import Files
from mailgate.store.threads import immediate_result
from mailgate.verdict import Action, Kind, Verdict
from mailgate.wire.parameters import RcptParameters
from tests.commands.case import CONFIG, CommandLineCase, Terminal
from tests.storage import ADA, BOB, ENVELOPE, hold, message

PASSWORD = "correct horse battery"


def letter(number, word):
    """
    Make a message.
    """
    return f"Message-ID: <{number}@e>\r\nSubject: {word}\r\n\r\nAbout {word} {number}.\r\n".encode()


class BackupTests(CommandLineCase):
    """
    Tests of C{backup} and C{restore}.
    """

    def setUp(self):
        """
        Fill a data folder with one of everything.
        """
        super().setUp()
        self.data = self.config.parent / "data"
        self.file = self.config.parent / "backup.tar.gz"
        self.hold(hold(), hold(BOB, Kind.PHISHING), text=b"Subject: a\r\n\r\n" + bytes(range(256)))
        self.hold(text=b"Subject: b\r\n\r\nlarge\r\n" * 40_000)
        self.queue()
        self.type(f"{PASSWORD}\n")
        self.say("user", "add", "ada", "--password-stdin")
        self.type(f"{PASSWORD}\n")
        self.say("account", "set", "bob@example.com", "--password-stdin")
        self.say("block", ".example.net", "--for", "ada@example.com", "--note", "no")
        mail = self.config.parent / "mail"
        mail.mkdir()
        for number in range(80):
            (mail / f"spam{number}").write_bytes(letter(number, "lottery"))
        self.say("learn", "spam", str(mail))
        for path in mail.iterdir():
            path.unlink()
        for number in range(130):
            (mail / f"ham{number}").write_bytes(letter(number + 1000, "meeting"))
        self.say("learn", "ham", str(mail))
        (self.data / "tls").mkdir(mode=0o700)
        (self.data / "tls" / "certificate.pem").write_text("certificate")
        (self.data / "tls" / "key.pem").write_text("key")
        self.stored(
            lambda storage: immediate_result(
                storage.database.write(
                    lambda connection: connection.execute(
                        "INSERT INTO log_in (token, account, began, seen) "
                        "VALUES (x'00', 1, 1.0, 1.0)"
                    )
                )
            )
        )

    def type(self, text):
        """
        Give what a command reads.
        """
        self.patch(sys, "stdin", Terminal(text=text.encode()))

    def queue(self):
        """
        Queue a copy that is due, and one that is being tried.
        """

        def insert(connection, stored):
            for identity in ("copy-due", "copy-tried"):
                verdict = Verdict(Action.ACCEPT, (), 0.0, (ADA,))
                outbox.add(connection, identity, stored, verdict, RcptParameters(), 1.0, 1.0)
            outbox.begin(connection, ["copy-tried"])

        self.stored(
            lambda storage: immediate_result(storage.messages.keep(ENVELOPE, message(), insert))
        )

    def everything(self):
        """
        Give all that must be the same after a restore; not what the hub makes anew of its database.
        """
        tables = {}
        for name in ("held", "messages", "account", "list_entry", "outbox"):
            connection = sqlite3.connect(self.data / "state.db")
            tables[name] = connection.execute(f"SELECT * FROM {name}").fetchall()
            connection.close()
        for row, copy in enumerate(tables["outbox"]):
            # Whether it is tried or waits is another test's.
            tables["outbox"][row] = copy[:13]
        files = {
            str(path.relative_to(self.data)): path.read_bytes()
            for folder in ("blobs", "tls", "classifier")
            for path in (self.data / folder).rglob("*")
            if path.is_file() and path.name != "alike"
        }
        files["accounts"] = (self.data / "accounts").read_bytes()
        return tables, files

    def judged(self):
        """
        Judge messages by what was learned.
        """
        classifier = Classifier()
        classifier.learned = load_tokens(self.data / "classifier" / "tokens", Files())
        letters = [letter(5000 + n, word) for n, word in enumerate(("lottery", "meeting", "else"))]
        return [classifier.judge_at_once(read(each)) for each in letters]

    def move_away(self):
        """
        Take an empty machine: the same configuration, no data folder.
        """
        self.data.rename(self.data.with_name("old"))

    def test_same(self):
        """
        A restore on an empty machine gives the same holds with the same bytes, the same users,
        accounts and lists, and the same judgement.
        """
        said = self.say("backup", str(self.file))
        self.assertRegex(said, r"is written: 3 messages, [0-9.]+ KiB\.")
        before, judged = self.everything(), self.judged()
        listed = self.say("quarantine", "list", "--json")
        self.move_away()
        said = self.say("restore", str(self.file))
        self.assertIn("with 3 messages. Nobody is signed in.", said)
        self.assertEqual(self.everything(), before)
        self.assertEqual(self.judged(), judged)
        self.assertNotEqual(judged[0], judged[1])
        self.assertEqual(self.say("quarantine", "list", "--json"), listed)
        self.assertEqual(len(json.loads(self.say("user", "list", "--json"))), 1)
        self.assertEqual(list((self.data / "spool").iterdir()), [])

    def test_outbox(self):
        """
        Restored copies wait until somebody says so, those too that were being tried: they may have
        been delivered since.
        """
        self.say("backup", str(self.file))
        self.move_away()
        said = self.say("restore", str(self.file))
        self.assertIn("2 copies in the outbox wait until you say so", said)
        copies = json.loads(self.say("outbox", "list", "--json"))
        self.assertEqual([(c["is_suspended"], c["is_trying"]) for c in copies], [(True, False)] * 2)
        self.assertIn("when you say so", self.say("outbox", "list"))
        shown = self.say("outbox", "show", "copy-due")
        self.assertRegex(shown, "waits until somebody says")
        self.assertRegex(shown, "was restored, and waits for a person")

        def due(storage):
            def work(connection):
                return [row.id for row in store_due.begin_next(connection, "", 9e9, 10)]

            return immediate_result(storage.database.write(work))

        self.assertEqual(self.stored(due), [])
        self.say("outbox", "retry", "copy-due")
        self.assertEqual(self.stored(due), ["copy-due"])
        self.say("outbox", "delete", "copy-tried")
        self.assertEqual(len(json.loads(self.say("outbox", "list", "--json"))), 1)

    def test_signed_out(self):
        """
        Nobody is signed in after a restore.
        """
        self.say("backup", str(self.file))
        self.move_away()
        self.say("restore", str(self.file))
        connection = sqlite3.connect(self.data / "state.db")
        self.assertEqual(connection.execute("SELECT * FROM log_in").fetchall(), [])
        connection.close()

    def test_private(self):
        """
        Only the owner can read the backup and what is restored from it.
        """
        self.say("backup", str(self.file))
        self.assertEqual(S_IMODE(self.file.stat().st_mode), 0o600)
        self.move_away()
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.say("restore", str(self.file))
        for path in (self.data, *self.data.rglob("*")):
            mode = S_IMODE(path.stat().st_mode)
            self.assertEqual(mode, 0o700 if path.is_dir() else 0o600, path)

    def test_configuration(self):
        """
        The configuration is in it, can be taken out with any tar, and lies beside after a restore.
        """
        self.say("backup", str(self.file))
        with tarfile.open(self.file) as archive:
            text = archive.extractfile("mailgate.toml").read().decode()
        self.assertEqual(text, CONFIG)
        self.move_away()
        said = self.say("restore", str(self.file))
        self.assertIn(f"{self.data}/restored/mailgate.toml is what was not", said)
        self.assertEqual((self.data / "restored" / "mailgate.toml").read_text(), CONFIG)

    def test_accounts_elsewhere(self):
        """
        Accounts that lie outside of the data folder are restored beside it, and never over
        anything.
        """
        elsewhere = self.config.parent / "people"
        (self.data / "accounts").rename(elsewhere)
        self.config.write_text(f'{CONFIG}\n[accounts]\nfile = "people"\n')
        content = elsewhere.read_bytes()
        self.say("backup", str(self.file))
        elsewhere.write_text("another one")
        self.move_away()
        self.assertIn("restored/accounts", self.say("restore", str(self.file)))
        self.assertEqual((self.data / "restored" / "accounts").read_bytes(), content)
        self.assertEqual(elsewhere.read_text(), "another one")
        self.assertFalse((self.data / "accounts").exists())

    def test_pipe(self):
        """
        It goes through pipes.
        """
        out = Terminal(encoding="latin-1")
        status, _, complaints = self.call("backup", "-", out=out)
        self.assertEqual((status, complaints), (0, ""))
        before = self.everything()
        self.move_away()
        self.patch(sys, "stdin", Terminal(text=out.buffer.getvalue()))
        self.say("restore", "-")
        self.assertEqual(self.everything(), before)

    def test_terminal(self):
        """
        It is not written to a terminal.
        """
        status, _, complaints = self.call("backup", "-", out=Terminal(is_terminal=True))
        self.assertEqual(status, 1)
        self.assertIn("nothing for a terminal", complaints)

    def test_not_over(self):
        """
        Nothing is written over another file.
        """
        self.file.write_text("precious")
        status, _, complaints = self.call("backup", str(self.file))
        self.assertEqual(status, 1)
        self.assertIn("is there already", complaints)
        self.assertEqual(self.file.read_text(), "precious")

    def test_missing_message(self):
        """
        A message whose file is gone is told; the backup has the rest, and can be restored.
        """
        blob = next(path for path in (self.data / "blobs").rglob("*") if path.is_file())
        blob.unlink()
        status, out, complaints = self.call("backup", str(self.file))
        self.assertEqual(status, 1)
        self.assertIn(f"the file of message {blob.name} is gone", complaints)
        self.assertIn("2 messages", out)
        self.move_away()
        self.assertIn("with 2 messages", self.say("restore", str(self.file)))

    def test_failure(self):
        """
        A backup that fails leaves no file, and nothing in the spool.
        """
        target = self.config.parent / "missing" / "backup"
        self.assertEqual(self.call("backup", str(target))[0], 1)
        (self.data / "accounts").unlink()
        (self.data / "accounts").mkdir()
        self.assertEqual(self.call("backup", str(self.file))[0], 1)
        self.assertEqual(
            [path for path in self.config.parent.iterdir() if path.name.startswith("backup")], []
        )
        self.assertEqual(list((self.data / "spool").iterdir()), [])

    # -- what a restore refuses -----------------------------------------------------------

    def refuse(self, words):
        """
        See that a restore is refused, and that nothing of it is left.
        """
        before = sorted(self.data.rglob("*")) if self.data.exists() else []
        status, out, complaints = self.call("restore", str(self.file))
        self.assertEqual((status, out), (1, ""), complaints)
        self.assertIn("nothing was restored", complaints)
        self.assertRegex(complaints, words)
        after = sorted(path for path in self.data.rglob("*") if path.name != "lock")
        self.assertEqual(after, [path for path in before if path.name != "lock"])

    def test_not_empty(self):
        """
        A folder that is not empty is left alone.
        """
        self.say("backup", str(self.file))
        before = self.everything()
        self.refuse("is not empty.*blobs")
        self.assertEqual(self.everything(), before)

    def test_in_use(self):
        """
        So is one that a gateway uses.
        """
        self.say("backup", str(self.file))
        self.move_away()
        self.data.mkdir()
        lock = DataLock(self.data)
        lock.acquire()
        self.addCleanup(lock.release)
        self.refuse("used by another mailgate")

    def test_bad(self):
        """
        A file that is no backup, or a damaged one, leaves nothing; and after that another one can
        be restored.
        """
        self.say("backup", str(self.file))
        content = self.file.read_bytes()
        self.move_away()
        for bad in (b"", b"hello", content[:-1], content[:5000], b"x" + content):
            self.file.write_bytes(bad)
            self.refuse("no backup|cut off")
        self.file.write_bytes(content)
        self.say("restore", str(self.file))

    def test_bad_description(self):
        """
        One whose description is not what it should be is refused.
        """
        self.say("backup", str(self.file))
        whole = self.file.read_bytes()
        self.move_away()
        for about in ({}, {"made": "today"}, {"made": 1.0, "missing": [[]]}):
            self.file.write_bytes(whole)
            self.rewritten(about)
            self.refuse("description")

    def rewritten(self, about=None, **contents):
        """
        Write a backup whose checksums are right, and whose content is not.
        """
        members = []
        with tarfile.open(self.file) as archive:
            for info in archive:
                if info.name in (backup.DESCRIPTION, backup.CHECKSUMS):
                    continue
                content = archive.extractfile(info).read()
                content = contents.get(info.name.partition("/")[0].partition(".")[0], content)
                if content is not None:
                    members.append(backup.Member(info.name, content))
        output = io.BytesIO()
        backup.pack(output, {"made": 1.0} if about is None else about, members)
        self.file.write_bytes(output.getvalue())

    def test_bad_content(self):
        """
        One whose database is damaged, or names a message that is not there, is refused.
        """
        self.say("backup", str(self.file))
        whole = self.file.read_bytes()
        self.move_away()
        database = (self.data.with_name("old") / "state.db").read_bytes()
        for contents, words in (
            ({"state": b"rubbish" * 1000}, "database is damaged"),
            ({"state": database[: len(database) // 2]}, "database is damaged"),
            ({"state": None}, "no database"),
            ({"blobs": None}, "lacks the message"),
            ({"blobs": b"short"}, "lacks the message"),
        ):
            self.file.write_bytes(whole)
            self.rewritten(**contents)
            self.refuse(words)

    def test_too_new(self):
        """
        One that a newer program wrote is refused.
        """
        connection = sqlite3.connect(self.data / "state.db")
        connection.execute("INSERT INTO schema_version VALUES (999, 'later')")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        newer = (self.data / "state.db").read_bytes()
        self.move_away()
        self.data.mkdir()
        self.data.rename(self.data.with_name("none"))
        with self.file.open("wb") as file:
            backup.pack(file, {"made": 1.0}, [backup.Member("state.db", newer)])
        status, _, complaints = self.call("restore", str(self.file))
        self.assertEqual(status, 1)
        self.assertIn("a newer mailgate wrote it", complaints)
        self.assertEqual([path.name for path in self.data.iterdir()], ["lock"])

    def test_disk_full(self):
        """
        Where the disk is full nothing is left, wherever that happens.
        """
        self.say("backup", str(self.file))
        self.move_away()
        for name in ("create", "write", "sync", "rename", "sync_directory"):
            real = getattr(Files, name)
            for fails_at in (0, 2):
                left = iter(range(fails_at))

                def broken(files, *args, real=real, left=left):
                    if next(left, None) is None:
                        raise OSError(28, "No space left on device")
                    return real(files, *args)

                self.patch(Files, name, broken)
                status, _, complaints = self.call("restore", str(self.file))
                self.assertEqual(status, 1, name)
                self.assertIn("No space left", complaints)
                self.assertEqual([path.name for path in self.data.iterdir()], ["lock"], name)
                self.patch(Files, name, real)
        self.say("restore", str(self.file))

    def test_owner(self):
        """
        Where root restores it, everything belongs to the owner of the data folder.
        """
        if os.geteuid():
            raise SkipTest("only root can give files away")
        self.say("backup", str(self.file))
        self.move_away()
        self.data.mkdir()
        os.chown(self.data, 12345, 12345)
        self.say("restore", str(self.file))
        self.assertEqual({path.stat().st_uid for path in self.data.rglob("*")}, {12345})
