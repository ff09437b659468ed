"""
Tests of L{mailgate.hub.commands}.
"""

import errno
import json

from twisted.internet.defer import fail
from twisted.trial.unittest import SynchronousTestCase

from mailgate.classify.store import file_of
from mailgate.delivery.queue import Queue
from mailgate.hub.commands import CommandError, Commands
from mailgate.hub.reading import OwnReader
from mailgate.interfaces import SandboxUnavailable
from mailgate.quarantine.trace import LOST
from mailgate.store import outbox
from mailgate.store.database import StoreError
from mailgate.store.threads import ImmediateThreads
from mailgate.verdict import Action, Kind, Verdict
from mailgate.wire.parameters import RcptParameters
from tests.pipeline.events import events
from tests.reporting.records import RECORD
from tests.storage import (
    ADA,
    BOB,
    ENVELOPE,
    NOW,
    SESSION,
    TEXT,
    envelope,
    hold,
    make_storage,
    message,
)


class CommandsTests(SynchronousTestCase):
    """
    Tests of L{Commands}.
    """

    def setUp(self):
        """
        Make a storage.
        """
        self.storage = make_storage(self)
        self.quarantine = self.storage.quarantine(lambda: None)
        self.commands = Commands(
            self.storage, self.quarantine, Queue(self.storage.messages, self.storage.now)
        )

    def run_command(self, command, /, **arguments):
        """
        Carry a command out, as it is through the socket.
        """
        return json.loads(json.dumps(self.successResultOf(self.commands.run(command, arguments))))

    def refused(self, command, /, **arguments):
        """
        Give the sentence with which a command is refused.
        """
        return str(self.failureResultOf(self.commands.run(command, arguments), CommandError).value)

    def hold(self, *holds, provisional=False):
        """
        Hold a message.
        """
        return self.successResultOf(
            self.quarantine.hold(ENVELOPE, message(), holds or (hold(),), provisional)
        )

    def queue(self, trace=ENVELOPE.trace, reason=""):
        """
        Put a copy into the outbox.
        """

        def insert(connection, stored):
            verdict, wish = Verdict(Action.TAG, (), 5.5, (BOB,)), RcptParameters()
            outbox.add(connection, "queu-queu-queu", stored, verdict, wish, NOW, NOW, reason=reason)

        self.successResultOf(self.storage.messages.keep(envelope(trace), message(), insert))

    def test_quarantine_list(self):
        """
        A listing gives rows and how many there are in all, also of one kind.
        """
        first, bulk = self.hold(hold(ADA), hold(BOB, Kind.BULK))
        (last,) = self.hold()
        answer = self.run_command("quarantine.list", limit=2)
        self.assertEqual([row["id"] for row in answer["rows"]], [last, bulk])
        self.assertEqual(answer["total"], 3)
        before = answer["rows"][-1]["number"]
        answer = self.run_command("quarantine.list", limit=2, before=before)
        self.assertEqual([row["id"] for row in answer["rows"]], [first])
        answer = self.run_command("quarantine.list", kind="bulk")
        self.assertEqual(([row["id"] for row in answer["rows"]], answer["total"]), ([bulk], 1))
        self.assertIn("phishing", self.refused("quarantine.list", kind="nonsense"))

    def test_quarantine_show(self):
        """
        A held message is shown with its findings, headers and history.
        """
        (identity,) = self.hold()
        answer = self.run_command("quarantine.show", id=identity)
        held = answer["held"]
        self.assertEqual(
            (held["id"], held["kind"], held["recipient"], held["sender"], held["client"]),
            (identity, "spam", "ada@Example.com", "sender@Example.ORG", "192.0.2.7"),
        )
        self.assertEqual(held["findings"][0]["symbol"], "SEEN")
        self.assertEqual(answer["header"].encode(), TEXT[: TEXT.index(b"\r\n\r\n") + 4])
        self.assertEqual(answer["history"], [])
        self.assertIn("none", self.refused("quarantine.show", id="none"))

    def test_quarantine_release(self):
        """
        A release says whether it did something, and else who did.
        """
        (identity,) = self.hold()
        self.assertEqual(
            self.run_command("quarantine.release", id=identity, by="ada"), {"released": True}
        )
        self.assertEqual(
            self.run_command("quarantine.release", id=identity, by="bob"),
            {"released": False, "by": "ada", "at": NOW},
        )
        self.assertIn("none", self.refused("quarantine.release", id="none", by="ada"))
        history = self.run_command("quarantine.show", id=identity)["history"]
        self.assertEqual([note["event"] for note in history], ["quarantine.released"])

    def test_quarantine_delete(self):
        """
        A deletion says whether there was something.
        """
        (identity,) = self.hold()
        for was_there in (True, False):
            self.assertEqual(
                self.run_command("quarantine.delete", id=identity, by="ada"),
                {"deleted": was_there},
            )

    def learned(self):
        """
        Give how many messages of spam and of ham were learned.
        """
        status = self.run_command("learn.status")
        return status["spam"], status["ham"]

    def test_decisions_teach(self):
        """
        What is released is learned as good, what is deleted as spam as spam; what is only
        deleted teaches nothing.
        """
        first, second, third = (self.hold()[0] for _ in range(3))
        self.run_command("quarantine.delete", id=first, by="ada")
        self.assertEqual(self.learned(), (0, 0))
        self.run_command("quarantine.release", id=second, by="ada")
        self.assertEqual(self.learned(), (0, 1))
        self.run_command("quarantine.delete", id=third, by="ada", spam=True)
        self.assertEqual(self.learned(), (1, 0))
        status = self.run_command("learn.status")
        self.assertEqual((status["lessons_per_teacher"], status["today"]), (200, {"ada": 2}))

    def test_outbox(self):
        """
        The outbox is listed, counted and shown.
        """
        self.queue(reason="451 later")
        answer = self.run_command("outbox.list")
        ((row,), total) = answer["rows"], answer["total"]
        self.assertEqual(
            (row["recipient"], row["reason"], row["tries"], row["trace"], total),
            ("bob@example.com", "451 later", 0, ENVELOPE.trace, 1),
        )
        self.assertEqual(self.run_command("outbox.list", before=row["number"])["rows"], [])
        shown = self.run_command("outbox.show", id="queu-queu-queu")
        self.assertEqual((shown["queued"], shown["history"]), (row, []))
        self.assertIn("none", self.refused("outbox.show", id="none"))

    def test_outbox_delete(self):
        """
        A copy that is deleted is gone with its message, and the history says by whom; one that
        is being delivered stays.
        """
        self.queue()

        def mark(work):
            self.successResultOf(self.storage.database.write(work))

        mark(lambda connection: outbox.begin(connection, ["queu-queu-queu"]))
        self.assertIn(
            "is being delivered", self.refused("outbox.delete", id="queu-queu-queu", by="ada")
        )
        mark(lambda connection: outbox.interrupted(connection))
        files = [
            path for path in (self.storage.settings.data / "blobs").rglob("*") if path.is_file()
        ]
        self.assertEqual(len(files), 1)
        with events() as told:
            answer = self.run_command("outbox.delete", id="queu-queu-queu", by="ada")
        self.assertEqual(answer, {"recipient": "bob@example.com"})
        self.assertEqual(self.run_command("outbox.list"), {"rows": [], "total": 0})
        self.assertFalse(files[0].exists())
        (note,) = self.run_command("trace", id=ENVELOPE.trace)["history"]
        self.assertEqual((note["event"], note["at"]), ("outbox.deleted", NOW))
        self.assertIn("bob@example.com deleted from the outbox by ada", note["text"])
        self.assertEqual([event["event"] for event in told], ["outbox.deleted"])
        self.assertIn("none", self.refused("outbox.delete", id="none", by="ada"))

    def hand_over(self, name, content):
        """
        Put a file where commands put them.
        """
        (self.storage.spool / name).write_bytes(content)
        return name

    def test_learn(self):
        """
        The messages that were handed over are learned, and what was learned goes from file to
        file.
        """
        first = self.hand_over("command-1", TEXT)
        second = self.hand_over("command-2", TEXT + b"more")
        answer = self.run_command("learn.messages", names=[first, second], spam=True, by="ada")
        self.assertEqual(answer, {"results": ["learned", "learned"]})
        answer = self.run_command("learn.messages", names=[first], spam=False, by="ada")
        self.assertEqual(answer, {"results": ["corrected"]})
        status = self.run_command("learn.status")
        self.assertEqual((status["spam"], status["ham"], status["is_trained"]), (1, 1, False))
        self.assertEqual(self.run_command("learn.export", name="command-3")["spam"], 1)
        self.run_command("learn.messages", names=[first], spam=True, by="ada")
        refused = self.refused("learn.import", name="command-3", replace=False)
        self.assertIn("2 messages of spam", refused)
        status = self.run_command("learn.import", name="command-3", replace=True)
        self.assertEqual((status["spam"], status["ham"]), (1, 1))

    def test_nobody_can_read(self):
        """
        Where no process can read messages, that is said, and nothing is learned.
        """
        trouble = SandboxUnavailable("no process was free in time")
        reader = OwnReader(ImmediateThreads())
        self.patch(reader, "lore", lambda data: fail(trouble))
        storage = make_storage(self, reader=reader)
        self.storage = storage
        self.commands = Commands(storage, self.quarantine, Queue(storage.messages, storage.now))
        name = self.hand_over("command-1", TEXT)
        words = self.refused("learn.messages", names=[name], spam=True, by="ada")
        self.assertIn("no process was free in time", words)
        self.assertEqual(self.run_command("learn.status")["spam"], 0)

    def test_learn_only_what_was_handed_over(self):
        """
        No other file is read or written, and one that is not there or nonsense is told.
        """
        for name in ("../state.db", "state.db", "command-/../../state.db", "/etc/passwd", ""):
            for command, more in (
                ("learn.messages", {"names": [name], "spam": True, "by": "ada"}),
                ("learn.export", {"name": name}),
                ("learn.import", {"name": name, "replace": True}),
            ):
                self.assertIn("handed over", self.refused(command, **more), name)
        missing = self.refused("learn.messages", names=["command-9"], spam=True, by="ada")
        self.assertIn("No such file", missing)
        self.hand_over("command-1", b"nonsense")
        self.refused("learn.import", name="command-1", replace=True)

    def test_learned_is_damaged(self):
        """
        What cannot be read is told in a sentence.
        """
        self.storage.classifier.mkdir()
        file_of(self.storage.classifier).write_bytes(b"nonsense")
        self.assertIn("cannot be read", self.refused("learn.status"))

    def test_users(self):
        """
        An account is made and listed, its password nowhere; a second of its name is refused.
        """
        answer = self.run_command("user.add", name="ada", password="correct horse battery")
        self.assertEqual(answer["account"]["name"], "ada")
        self.assertNotIn("horse", json.dumps(answer))
        listed = self.run_command("user.list")
        self.assertEqual(listed, {"rows": [answer["account"]], "total": 1})
        self.refused("user.add", name="Ada", password="correct horse battery")
        self.refused("user.add", name="bob", password="short")

    def test_lists(self):
        """
        Entries are added, changed, listed and removed, and count at once.
        """
        first = self.run_command("list.add", list="block", value="Example.ORG", by="ada")["entry"]
        self.assertEqual(
            first,
            {
                "id": first["id"],
                "number": first["id"],
                "list": "block",
                "kind": "domain",
                "value": "example.org",
                "scope": "",
                "note": "",
                "by": "ada",
                "expires": None,
                "made": NOW,
                "unverified": False,
            },
        )
        second = self.run_command(
            "list.add",
            list="allow",
            value="dev.lists.example",
            kind="list-id",
            scope="ada@example.com",
            note="wanted",
            expires=NOW + 10,
            by="ada",
        )["entry"]
        self.assertEqual(len(self.storage.lists.lists), 2)
        listed = self.run_command("list.list", limit=1)
        self.assertEqual(listed, {"rows": [second], "total": 2})
        before = listed["rows"][-1]["number"]
        self.assertEqual(self.run_command("list.list", before=before)["rows"], [first])
        for options in ({"list": "allow"}, {"scope": "ada@example.com"}):
            self.assertEqual(
                self.run_command("list.list", **options), {"rows": [second], "total": 1}
            )
        moved = self.run_command("list.add", list="allow", value="example.org", by="bob")["entry"]
        self.assertEqual(moved, first | {"list": "allow", "by": "bob", "unverified": True})
        self.assertEqual(
            self.run_command("list.remove", id=first["id"], by="ada"), {"entry": moved}
        )
        self.assertEqual(len(self.storage.lists.lists), 1)

    def test_lists_refused(self):
        """
        What cannot be added or is not there is refused in a sentence.
        """
        for words, options in (
            ("as in bob@example.org", {"value": "bob@"}),
            ("none of your domains", {"scope": "example.net"}),
            ("ahead", {"expires": NOW}),
            ("allow, block", {"list": "grey"}),
            ("address, list-id, domain, network", {"kind": "planet"}),
        ):
            given = {"list": "block", "value": "bob@example.org", "by": "ada"} | options
            self.assertIn(words, self.refused("list.add", **given))
        self.assertIn("allow, block", self.refused("list.list", list="grey"))
        self.assertIn("no entry 7", self.refused("list.remove", id=7, by="ada"))

    def test_trace(self):
        """
        A transaction is found by its id, its session's and that of a held message, with what is
        held, what is queued and what happened later.
        """
        (identity,) = self.hold()
        self.successResultOf(self.quarantine.release(identity, "ada"))
        self.storage.traces.record(RECORD)
        for name in (RECORD.trace, SESSION.id, identity):
            answer = self.run_command("trace", id=name)
            self.assertEqual([record["trace"] for record in answer["records"]], [RECORD.trace])
            self.assertEqual([held["id"] for held in answer["held"]], [identity])
            self.assertEqual([row["released_from"] for row in answer["outbox"]], [identity])
            self.assertEqual(
                [(note["trace"], note["event"]) for note in answer["history"]],
                [(RECORD.trace, "quarantine.released")],
            )

    def test_trace_lost(self):
        """
        Of a trace that a crash has lost, the held message tells the findings.
        """
        (identity,) = self.hold(provisional=True)
        (record,) = self.run_command("trace", id=ENVELOPE.trace)["records"]
        self.assertEqual(
            (record["sender"], record["subject"], record["notes"]),
            ("sender@Example.ORG", "caf\N{LATIN SMALL LETTER E WITH ACUTE}", [LOST]),
        )
        self.assertEqual(
            [(copy["outcome"], copy["reference"]) for copy in record["copies"]],
            [("held", identity)],
        )
        (verdict,) = record["verdicts"]
        self.assertEqual((verdict["action"], verdict["kind"]), ("quarantine", "spam"))
        self.assertEqual([finding["symbol"] for finding in verdict["findings"]], ["SEEN", "FINE"])

    def test_trace_of_deleted(self):
        """
        After all else is gone the history still tells who deleted the message, and its id still
        leads to the trace.
        """
        (identity,) = self.hold()
        self.successResultOf(self.quarantine.delete(identity, "ada"))
        for name in (ENVELOPE.trace, identity):
            answer = self.run_command("trace", id=name)
            self.assertEqual([note["event"] for note in answer["history"]], ["quarantine.deleted"])
        self.storage.traces.record(RECORD)
        (record,) = self.run_command("trace", id=identity)["records"]
        self.assertEqual(record["trace"], RECORD.trace)

    def test_trace_unknown(self):
        """
        An id of which nothing is known is refused.
        """
        self.assertIn("none", self.refused("trace", id="none"))

    def test_unknown_command(self):
        """
        A command that is none is refused.
        """
        self.assertIn("dance", self.refused("dance"))

    def test_f12_store_fails(self):
        """
        A store that fails is told in a sentence.
        """
        self.patch(
            self.storage.database,
            "read",
            lambda function: fail(StoreError(errno.EIO, "the disk is on fire")),
        )
        self.assertEqual(self.refused("quarantine.list"), "the store failed: the disk is on fire")
