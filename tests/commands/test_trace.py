"""
Tests of L{mailgate.commands.trace}.
"""

import json

from mailgate.quarantine.trace import LOST
from mailgate.store.threads import immediate_result
from tests.commands.case import CommandLineCase
from tests.reporting.records import RECORD, REFUSED
from tests.storage import ENVELOPE, SESSION


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
            "  +1.0 ##########  Something was seen. (SEEN)",
            "Name of the client",
            "  +9.0 ##########  More was seen. (SEEN)",
            "The nearest threshold is 5: 4 points more and it would have been delivered with",
            "By its total alone it would have been held.",
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
        self.assertIn("Something was seen. (SEEN)", text)

    def test_unknown(self):
        """
        An unknown id fails with a sentence.
        """
        status, out, complaints = self.call("trace", "none")
        self.assertEqual((status, out, complaints.count("\n")), (1, "", 1))
