"""
Tests of L{mailgate.cli}.
"""

import io
import json
import os
import shutil
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.python.threadpool import ThreadPool
from twisted.scripts import twistd
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailgate import cli
from mailgate.checks import table
from mailgate.checks.headers import HeadersCheck
from mailgate.cli import main
from mailgate.config.load import load
from mailgate.hub.hub import Hub
from mailgate.hub.storage import Storage
from mailgate.message.message import MemoryMessage
from mailgate.quarantine.trace import LOST
from mailgate.store import outbox
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads, Threads, immediate_result
from mailgate.verdict import Action, Kind, Verdict
from tests.contracts.test_hub import AsItIs
from tests.reporting.records import RECORD, REFUSED
from tests.storage import ADA, BOB, ENVELOPE, SESSION, hold, message, temporary_folder

CONFIG = """
hostname = "mail.example.com"
data = "data"
[[listener]]
address = "127.0.0.1:2525"
[[route]]
domains = ["example.com"]
upstream = "inbox"
[upstream.inbox]
kind = "maildir"
path = "data/inbox"
"""
HOSTILE = b"From: Eve\x1b[2J\r\nSubject: \xe2\x80\xaeevil\x07 \xe2\x98\x83\r\n\r\nHi\r\n"


class Terminal(io.TextIOWrapper):
    """
    A standard stream that remembers what was written.
    """

    def __init__(self, encoding="utf-8", text=b"", is_terminal=False):
        super().__init__(io.BytesIO(text), encoding=encoding)
        self._is_terminal = is_terminal

    def isatty(self):
        """
        Tell whether a person is there.
        """
        return self._is_terminal

    def text(self):
        """
        Give what was written.
        """
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)


def make_config(test):
    """
    Write a configuration into a folder of its own.
    """
    path = temporary_folder(test) / "mailgate.toml"
    path.write_text(CONFIG)
    return path


class CommandLineCase(SynchronousTestCase):
    """
    Has a configuration, and no gateway runs.
    """

    def setUp(self):
        """
        Write the configuration.
        """
        self.config = make_config(self)
        self.patch(sys, "stdin", Terminal())

    def call(self, *words, config=True, out=None):
        """
        Carry out a command line.

        @return: its status, what it printed, and what it complained about.
        """
        out, complaints = out or Terminal(), Terminal()
        self.patch(sys, "stdout", out)
        self.patch(sys, "stderr", complaints)
        status = main([*words, *(["--config", str(self.config)] if config else [])])
        return status, out.text(), complaints.text()

    def say(self, *words, **more):
        """
        Carry out a command that succeeds, and give what it printed.
        """
        status, out, complaints = self.call(*words, **more)
        self.assertEqual((status, complaints), (0, ""))
        return out

    def stored(self, work):
        """
        Do something with the storage.
        """
        threads = ImmediateThreads()
        storage = Storage(load(self.config), threads, threads, Files(), company=0)
        immediate_result(storage.open())
        try:
            return work(storage)
        finally:
            immediate_result(storage.close())

    def hold(self, *holds, text=None, provisional=False):
        """
        Hold a message.
        """
        kept = message() if text is None else MemoryMessage((text,))
        return self.stored(
            lambda storage: immediate_result(
                storage.quarantine(lambda: None).hold(
                    ENVELOPE, kept, holds or (hold(),), provisional
                )
            )
        )


class UseTests(CommandLineCase):
    """
    Tests of how commands are given.
    """

    def test_wrong_use(self):
        """
        A wrong use ends with status 2 and a complaint.
        """
        for words in ([], ["dance"], ["quarantine"], ["quarantine", "list", "--limit", "0"]):
            status, out, complaints = self.call(*words)
            self.assertEqual((status, out), (2, ""))
            self.assertIn("usage: mailgate", complaints)

    def test_help(self):
        """
        Each command has a help text with an example that the parser understands.
        """
        parser = cli.make_parser()
        for words in (
            [],
            ["run"],
            ["check-config"],
            ["quarantine"],
            ["quarantine", "list"],
            ["quarantine", "show"],
            ["quarantine", "release"],
            ["quarantine", "delete"],
            ["outbox"],
            ["outbox", "list"],
            ["outbox", "show"],
            ["user"],
            ["user", "add"],
            ["user", "list"],
            ["trace"],
        ):
            text = self.say(*words, "--help", config=False)
            self.assertIn("--config FILE", text)
            example = " ".join(text.partition("example: mailgate ")[2].split())
            self.assertNotEqual(example, "", words)
            parser.parse_args(example.split())

    def test_config_anywhere(self):
        """
        The configuration may be named before or after the command.
        """
        self.hold()
        for words in (
            ["--config", str(self.config), "quarantine", "list", "--json"],
            ["quarantine", "--config", str(self.config), "list", "--json"],
            ["quarantine", "list", "--json", "--config", str(self.config)],
        ):
            self.assertEqual(len(json.loads(self.say(*words, config=False))), 1)

    def test_default_config(self):
        """
        Without a name it is that of the quick start if there is one, else the installed one.
        """
        missing = self.config.with_name("missing.toml")
        self.patch(cli, "INSTALLED", self.config)
        for quickstart in (missing, self.config):
            self.patch(cli, "QUICKSTART", quickstart)
            self.assertEqual(self.say("check-config", config=False), "ok\n")
            self.patch(cli, "INSTALLED", missing)

    def test_run(self):
        """
        The gateway is run by twistd, in the foreground and without a pid file.
        """
        ran = []
        self.patch(twistd, "run", lambda: ran.append(list(sys.argv)))
        self.patch(sys, "argv", ["mailgate"])
        self.say("run")
        self.assertEqual(
            ran, [["twistd", "-n", "--pidfile=", "mailgate", "--config", str(self.config)]]
        )

    def test_wrong_config(self):
        """
        With a wrong configuration every command ends with status 2 and the mistakes.
        """
        self.config.write_text(f"{CONFIG}\n[limit]\n")
        for words in (["run"], ["quarantine", "list"], ["trace", "x"], ["check-config"]):
            status, out, complaints = self.call(*words)
            self.assertEqual((status, out), (2, ""))
            self.assertIn("limit", complaints)

    def test_broken_pipe(self):
        """
        A reader that has read enough is no reason to complain.
        """

        class Closed(Terminal):
            def write(self, text):
                raise BrokenPipeError

            def fileno(self):
                return spare.fileno()

        with open(self.config, "rb") as spare:
            self.assertEqual(self.call("check-config", out=Closed())[::2], (1, ""))

    def test_unusable_folder(self):
        """
        A data folder that cannot be used is told in a sentence.
        """
        lock = self.config.parent / "data" / "lock"
        lock.mkdir(parents=True)
        status, _, complaints = self.call("quarantine", "list")
        self.assertEqual(status, 1)
        self.assertIn(str(lock), complaints)
        self.assertEqual(complaints.count("\n"), 1)

    def test_newer_schema(self):
        """
        A store of a newer program is told in a sentence.
        """
        self.stored(
            lambda storage: storage.database.write(
                lambda connection: connection.execute(
                    "INSERT INTO schema_version VALUES (9999, 'future')"
                )
            )
        )
        status, _, complaints = self.call("quarantine", "list")
        self.assertEqual(status, 1)
        self.assertIn("newer mailgate", complaints)
        self.assertEqual(complaints.count("\n"), 1)

    def test_damaged_store(self):
        """
        A store that is none is told in a sentence that names the file.
        """
        path = self.config.parent / "data" / "state.db"
        path.parent.mkdir()
        path.write_bytes(b"no database at all" * 100)
        status, _, complaints = self.call("quarantine", "list")
        self.assertEqual(status, 1)
        self.assertEqual(complaints, f"mailgate: {path}: file is not a database\n")


class CheckConfigTests(CommandLineCase):
    """
    Tests of C{check-config}.
    """

    def test_ok(self):
        """
        A right configuration is ok, named either way.
        """
        self.assertEqual(self.say("check-config"), "ok\n")
        self.assertEqual(self.say("check-config", str(self.config), config=False), "ok\n")

    def test_mistakes(self):
        """
        All mistakes are listed, each on a line of its own.
        """
        self.config.write_text(
            CONFIG.replace("[[listener]]", "colour = 1\n[[listener]]\nrolle = 2")
        )
        status, _, complaints = self.call("check-config")
        self.assertEqual((status, complaints.count("\n")), (2, 2))
        self.assertIn("colour", complaints)
        self.assertIn("rolle", complaints)

    def test_plan(self):
        """
        A check that needs one which is off is a mistake, told with the file.
        """

        class Needy(HeadersCheck):
            needs = ("fields", "helo")

        needy = {**table.CHECKS, "headers": Needy.from_settings}
        self.patch(table, "CHECKS", needy)
        self.assertEqual(self.say("check-config"), "ok\n")
        self.config.write_text(f'{CONFIG}\n[checks.helo]\nmode = "off"\n')
        mistake = '[checks.headers]: needs the check "helo", which is off'
        self.assertEqual(
            self.call("check-config"), (2, "", f"mailgate: {self.config}: {mistake}\n")
        )

    def test_nothing_touched(self):
        """
        Nothing is made in the data folder.
        """
        self.say("check-config")
        self.assertFalse((self.config.parent / "data").exists())


class QuarantineTests(CommandLineCase):
    """
    Tests of C{quarantine}.
    """

    def test_list(self):
        """
        A listing is a table with a line for each message, the newest first.
        """
        first, second = self.hold(hold(ADA), hold(BOB, Kind.BULK))
        lines = self.say("quarantine", "list").splitlines()
        self.assertEqual(lines[0].split(), ["ID", "HELD", "KIND", "SCORE", "TO", "FROM", "SUBJECT"])
        self.assertEqual([line.split()[0] for line in lines[1:]], [second, first])
        self.assertIn("Eve <eve@example.org>", lines[1])
        self.assertEqual(len({line.index("Eve") for line in lines[1:]}), 1)

    def test_kind(self):
        """
        One kind can be asked for.
        """
        _, bulk = self.hold(hold(ADA), hold(BOB, Kind.BULK))
        (row,) = json.loads(self.say("quarantine", "list", "--kind", "bulk", "--json"))
        self.assertEqual(row["id"], bulk)

    def test_fifty(self):
        """
        A table shows 50 and says how many more there are; JSON has all of them.
        """
        ids = self.hold(*[hold()] * 60)
        lines = self.say("quarantine", "list").splitlines()
        self.assertEqual(len(lines), 52)
        self.assertIn("10 more", lines[-1])
        lines = self.say("quarantine", "list", "--limit", "60").splitlines()
        self.assertEqual(len(lines), 61)
        self.patch(cli, "_PAGE", 7)
        rows = json.loads(self.say("quarantine", "list", "--json"))
        self.assertEqual([row["id"] for row in rows], list(reversed(ids)))
        rows = json.loads(self.say("quarantine", "list", "--json", "--limit", "8"))
        self.assertEqual(len(rows), 8)

    def test_nothing(self):
        """
        An empty quarantine is an empty table or array.
        """
        self.assertEqual(len(self.say("quarantine", "list").splitlines()), 1)
        self.assertEqual(json.loads(self.say("quarantine", "list", "--json")), [])

    def test_terminal(self):
        """
        On a terminal the table is as wide as that, and its ids are whole.
        """
        text = (
            b"From: "
            + b"x" * 200
            + b"\r\nSubject: "
            + "\N{SNOWMAN}\u6f22".encode() * 90
            + b"\r\n\r\n"
        )
        (identity,) = self.hold(text=text)
        self.patch(shutil, "get_terminal_size", lambda: os.terminal_size((90, 24)))
        lines = self.say("quarantine", "list", out=Terminal(is_terminal=True)).splitlines()
        self.assertLessEqual(max(map(len, lines)), 90)
        self.assertTrue(lines[1].startswith(identity))

    def test_show(self):
        """
        A held message is shown with its findings in words, the way it came, and its headers.
        """
        (identity,) = self.hold()
        text = self.say("quarantine", "show", identity)
        for words in (
            identity,
            "+9.0  Something was seen. (SEEN)",
            "-0.5  Fine. (FINE)",
            "192.0.2.7 port 40001",
            "client.example.org",
            "TLSv1.3",
            "<sender@Example.ORG>",
            "ada@Example.com",
            "caf\N{LATIN SMALL LETTER E WITH ACUTE}",
            "  Subject: =?utf-8?q?caf=C3=A9?=",
        ):
            self.assertIn(words, text)
        answer = json.loads(self.say("quarantine", "show", identity, "--json"))
        self.assertEqual(answer["held"]["id"], identity)

    def test_a27_hostile(self):
        """
        What strangers have written reaches no terminal unescaped.
        """
        (identity,) = self.hold(text=HOSTILE)
        for words in (["list"], ["show", identity], ["list", "--json"]):
            text = self.say("quarantine", *words)
            self.assertTrue(text.replace("\n", "").isprintable(), text)

    def test_poor_terminal(self):
        """
        A terminal that knows no snowman shows its code.
        """
        self.hold(text=HOSTILE)
        self.assertIn("\\u2603", self.say("quarantine", "list", out=Terminal("ascii")))

    def test_release(self):
        """
        A release queues the message once; a second one says who was first.
        """
        (identity,) = self.hold()
        self.assertEqual(self.say("quarantine", "release", identity), f"{identity} released\n")
        self.assertIn(
            f"{identity} was released by {cli._person()}",
            self.say("quarantine", "release", identity),
        )
        (row,) = json.loads(self.say("outbox", "list", "--json"))
        self.assertEqual(row["released_from"], identity)

    def test_delete(self):
        """
        A deletion removes the message; a second one says so.
        """
        (identity,) = self.hold()
        self.assertIn("deleted", self.say("quarantine", "delete", identity))
        self.assertIn("not there", self.say("quarantine", "delete", identity))

    def test_unknown(self):
        """
        An unknown id fails with a sentence, and the others are released all the same.
        """
        (identity,) = self.hold()
        status, out, complaints = self.call("quarantine", "release", "none", identity)
        self.assertEqual((status, out), (1, f"{identity} released\n"))
        self.assertEqual(complaints.count("\n"), 1)
        status, _, complaints = self.call("quarantine", "show", "none\x1b")
        self.assertEqual(status, 1)
        self.assertIn("none\\x1b", complaints)


class OutboxTests(CommandLineCase):
    """
    Tests of C{outbox}.
    """

    def test_list_and_show(self):
        """
        A copy that waits is listed and shown.
        """

        def insert(connection, stored):
            verdict = Verdict(Action.TAG, (), 5.5, (BOB,))
            outbox.add(connection, "queu", stored, verdict, 0.0, 300.0, reason="451 4.3.0 later")

        self.stored(
            lambda storage: immediate_result(storage.messages.keep(ENVELOPE, message(), insert))
        )
        lines = self.say("outbox", "list").splitlines()
        self.assertEqual(len(lines), 2)
        self.assertIn("451 4.3.0 later", lines[1])
        text = self.say("outbox", "show", "queu")
        self.assertIn("bob@example.com", text)
        self.assertIn("0 tries so far", text)
        self.assertEqual(
            json.loads(self.say("outbox", "show", "queu", "--json"))["queued"]["id"], "queu"
        )
        self.assertEqual(self.call("outbox", "show", "none")[0], 1)


class UserTests(CommandLineCase):
    """
    Tests of C{user}.
    """

    def passwords(self, *passwords):
        """
        Let a person at a terminal type passwords.
        """
        typed = iter(passwords)
        self.patch(sys, "stdin", Terminal(is_terminal=True))
        self.patch(cli.getpass, "getpass", lambda prompt: next(typed))

    def test_from_stdin(self):
        """
        An account is made before the gateway's first start, its password read from a pipe.
        """
        self.patch(sys, "stdin", Terminal(text=b"correct horse battery\n"))
        self.assertIn("ada", self.say("user", "add", "ada", "--password-stdin"))
        lines = self.say("user", "list").splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["NAME", "ada"])
        (account,) = json.loads(self.say("user", "list", "--json"))
        self.assertEqual(account["name"], "ada")
        checked = self.stored(
            lambda storage: immediate_result(storage.accounts.check("ada", "correct horse battery"))
        )
        self.assertIsNotNone(checked)

    def test_asked_twice(self):
        """
        At a terminal the password is asked for twice.
        """
        self.passwords("correct horse battery", "correct horse battery")
        self.say("user", "add", "ada")
        self.passwords("correct horse battery", "something else")
        status, _, complaints = self.call("user", "add", "bob")
        self.assertEqual(status, 1)
        self.assertIn("differ", complaints)
        self.assertEqual(len(json.loads(self.say("user", "list", "--json"))), 1)

    def test_no_terminal(self):
        """
        Where nobody can be asked it is said what to do.
        """
        status, _, complaints = self.call("user", "add", "ada")
        self.assertEqual(status, 1)
        self.assertIn("--password-stdin", complaints)

    def test_refused(self):
        """
        A password that cannot be used is told in a sentence that does not hold it.
        """
        self.patch(sys, "stdin", Terminal(text=b"short\n"))
        status, _, complaints = self.call("user", "add", "ada", "--password-stdin")
        self.assertEqual(status, 1)
        self.assertNotIn("short", complaints)


class TraceTests(CommandLineCase):
    """
    Tests of C{trace}.
    """

    def record(self, *records):
        """
        Write records.
        """

        def work(storage):
            for each in records:
                storage.traces.record(each)
            immediate_result(storage.traces.stop())

        self.stored(work)

    def test_story(self):
        """
        A transaction is told with its findings, its copies and its replies.
        """
        self.record(RECORD)
        text = self.say("trace", RECORD.trace)
        for words in (
            f"Transaction {RECORD.trace} of session {SESSION.id}",
            "took 0.123 s",
            "192.0.2.7 port 40001, ESMTPS",
            "<sender@example.org>",
            "4,096 bytes",
            "accept, score 1.0, for ada@Example.com",
            "quarantine, score 9.0, would have been reject, kind phishing, for bob@example.com",
            "+9.0  More was seen. (SEEN)",
            "ada@example.com delivered (inbox): 250 2.0.0 taken",
            "bob@example.com held (held-held-held)",
            "duplicate possible",
            "checks 0.001 s",
        ):
            self.assertIn(words, text)
        answer = json.loads(self.say("trace", RECORD.trace, "--json"))
        self.assertEqual(answer["records"][0]["trace"], RECORD.trace)

    def test_session(self):
        """
        By the id of a session its transactions are told, and that it was refused.
        """
        self.record(RECORD, REFUSED)
        text = self.say("trace", SESSION.id)
        self.assertIn(f"Transaction {RECORD.trace}", text)
        self.assertIn("ended outside of a transaction", text)
        self.assertIn("554 5.7.1 not here", text)

    def test_afterwards(self):
        """
        What happened later is told, and what is still held or queued.
        """
        (identity,) = self.hold()
        self.record(RECORD)
        self.say("quarantine", "release", identity)
        text = self.say("trace", RECORD.trace)
        self.assertIn("Afterwards", text)
        self.assertIn("released by", text)
        self.assertIn(f"Held message {identity} for ada@Example.com: spam, released", text)
        self.assertIn("In the outbox", text)

    def test_lost(self):
        """
        Where the trace was lost, the held message tells its findings.
        """
        self.hold()
        text = self.say("trace", ENVELOPE.trace)
        self.assertIn(LOST, text)
        self.assertIn("+9.0  Something was seen. (SEEN)", text)

    def test_unknown(self):
        """
        An unknown id fails with a sentence.
        """
        status, out, complaints = self.call("trace", "none")
        self.assertEqual((status, out, complaints.count("\n")), (1, "", 1))


class RunningTests(TestCase):
    """
    Tests while a gateway runs.
    """

    async def test_through_the_socket(self):
        """
        Commands reach the hub that runs, and what they release goes out at once.
        """
        self.patch(sys, "stdout", Terminal())
        self.patch(sys, "stderr", Terminal())
        config = make_config(self)
        pools = [ThreadPool(0, 4), ThreadPool(0, 1)]
        for pool in pools:
            pool.start()
            self.addCleanup(pool.stop)
        threads, writer = (Threads(reactor, pool) for pool in pools)
        storage = Storage(load(config), threads, writer, Files())
        routed = Deferred()

        def route_for(address):
            if not routed.called:
                routed.callback(address)

        hub = Hub(reactor, storage, route_for, AsItIs())
        await hub.start()
        self.addCleanup(hub.stop)
        (identity,) = await hub.hold(ENVELOPE, message(), (hold(),), False)

        async def call(*words):
            status = await deferToThread(main, [*words, "--config", str(config)])
            self.assertEqual((status, sys.stderr.text()), (0, ""))

        await call("quarantine", "list")
        self.assertIn(identity, sys.stdout.text())
        await call("quarantine", "release", identity)
        self.assertEqual(await routed, ADA)
        await call("trace", identity)
        self.assertIn("Afterwards", sys.stdout.text())
        status = await deferToThread(main, ["trace", "none", "--config", str(config)])
        self.assertEqual(status, 1)
        self.assertTrue(Path(load(config).data / "control").exists())
