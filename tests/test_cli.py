"""
Tests of L{mailgate.cli}.
"""

import argparse
import json
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import TestCase

from mailgate import cli
from mailgate.cli import main
from mailgate.config import load as loading
from mailgate.config.load import load
from mailgate.hub.hub import Hub
from mailgate.hub.storage import Storage
from mailgate.store.files import Files
from mailgate.store.threads import Threads
from tests.commands.case import CONFIG, CommandLineCase, Terminal, make_config
from tests.contracts.test_hub import AsItIs
from tests.storage import ADA, ENVELOPE, hold, message


def commands(parser, words=()):
    """
    Give the words of each command and each family, those of the program itself first.
    """
    yield words
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from commands(inner, (*words, name))


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
        for words in commands(parser):
            text = self.say(*words, "--help", config=False)
            self.assertIn("--config FILE", text)
            example = " ".join(text.partition("example: mailgate ")[2].split())
            self.assertNotEqual(example, "", words)
            self.assertTrue(parser.parse_args(example.split()).run, words)

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
        self.patch(loading, "INSTALLED", self.config)
        for quickstart in (missing, self.config):
            self.patch(loading, "QUICKSTART", quickstart)
            self.assertEqual(self.say("check-config", config=False), "ok\n")
            self.patch(loading, "INSTALLED", missing)

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


class RunningTests(TestCase):
    """
    Tests while a gateway runs.
    """

    async def start(self):
        """
        Start a hub.

        @return: it, and what it was asked to deliver first.
        """
        self.patch(sys, "stdout", Terminal())
        self.patch(sys, "stderr", Terminal())
        self.config = make_config(self)
        pools = [ThreadPool(0, 4), ThreadPool(0, 1)]
        for pool in pools:
            pool.start()
            self.addCleanup(pool.stop)
        threads, writer = (Threads(reactor, pool) for pool in pools)
        storage = Storage(load(self.config), threads, writer, Files())
        routed = Deferred()

        def route_for(address):
            if not routed.called:
                routed.callback(address)

        hub = Hub(reactor, storage, route_for, AsItIs())
        await hub.start()
        self.addCleanup(hub.stop)
        return hub, routed

    async def call(self, *words):
        """
        Carry out a command line that succeeds, and give what all have printed so far.
        """
        status = await deferToThread(main, [*words, "--config", str(self.config)])
        self.assertEqual((status, sys.stderr.text()), (0, ""))
        return sys.stdout.text()

    async def test_through_the_socket(self):
        """
        Commands reach the hub that runs, and what they release goes out at once.
        """
        hub, routed = await self.start()
        (identity,) = await hub.hold(ENVELOPE, message(), (hold(),), False)
        self.assertIn(identity, await self.call("quarantine", "list"))
        await self.call("quarantine", "release", identity)
        self.assertEqual(await routed, ADA)
        self.assertIn("Afterwards", await self.call("trace", identity))
        status = await deferToThread(main, ["trace", "none", "--config", str(self.config)])
        self.assertEqual(status, 1)
        self.assertTrue(Path(load(self.config).data / "control").exists())

    async def test_what_is_too_long_for_the_socket(self):
        """
        What is longer than a request is learned by the hub that runs, and written by it.
        """
        hub, _ = await self.start()
        long = self.config.with_name("long.eml")
        long.write_text("Subject: long\n\n" + "Words without an end\n" * 10_000)
        self.assertIn("1 learned", await self.call("learn", "spam", str(long)))
        exported = self.config.with_name("exported")
        await self.call("learn", "--export", str(exported))
        self.assertGreater(exported.stat().st_size, 0)
        self.assertEqual((await (await hub.learning.open()).status()).spam, 1)
