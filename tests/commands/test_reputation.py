"""
Tests of L{mailgate.commands.reputation}.
"""

import json

from attrs import evolve

from mailgate.store.threads import immediate_result
from tests.commands.case import CommandLineCase
from tests.hub.test_marks import VERDICT
from tests.reporting.records import RECORD


class ReputationTests(CommandLineCase):
    """
    Tests of C{mailgate reputation}.
    """

    def setUp(self):
        """
        Know two senders.
        """
        super().setUp()

        def rate(storage):
            rate = storage.reputations.rate
            immediate_result(rate(["example.org"], False, "trac-trac-0001"))
            immediate_result(rate(["eve@gmail.com"], True, "trac-trac-0002"))

        self.stored(rate)

    def senders(self):
        """
        Give the senders of the listing, with their standing.
        """
        rows = json.loads(self.say("reputation", "list", "--json"))
        return [(row["name"], row["standing"]) for row in rows]

    def test_list(self):
        """
        The newest is first, with what speaks for and against it.
        """
        heads, first, second = self.say("reputation", "list").splitlines()
        self.assertTrue(heads.startswith("SENDER"))
        self.assertEqual(first.split(), ["eve@gmail.com", "bad", "0.0", "2.0"])
        self.assertEqual(second.split(), ["example.org", "good", "2.0", "0.0"])
        self.assertEqual(self.senders(), [("eve@gmail.com", "bad"), ("example.org", "good")])

    def test_show(self):
        """
        One sender is told in words, whether it is named by an address or by its domain.
        """
        self.assertEqual(
            self.say("reputation", "show", "ada@Example.org"),
            "example.org has a good name here: 2.0 speaks for it, 0.0 against it.\n",
        )
        known = json.loads(self.say("reputation", "show", "eve@gmail.com", "--json"))
        self.assertEqual((known["name"], known["standing"]), ("eve@gmail.com", "bad"))

    def test_unknown(self):
        """
        Of whom nothing is known that is said.
        """
        status, out, complaints = self.call("reputation", "show", "example.net")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("nothing is known of example.net", complaints)

    def test_clear(self):
        """
        Senders are forgotten by name, and everybody only where that is asked for.
        """
        text = self.say("reputation", "clear", "example.org", "example.net")
        self.assertEqual(text, "example.org: 1 forgotten\nexample.net: 0 forgotten\n")
        self.assertEqual(self.senders(), [("eve@gmail.com", "bad")])
        self.assertEqual(self.call("reputation", "clear")[0], 2)
        self.assertEqual(self.say("reputation", "clear", "--all"), "everybody: 1 forgotten\n")
        self.assertEqual(self.senders(), [])

    def test_learn(self):
        """
        What is learned as spam counts against whoever was authenticated as its sender.
        """
        record = evolve(RECORD, trace="7q4m-x2vd-90kt", verdicts=(VERDICT,))

        def deliver(storage):
            storage.traces.record(record)
            immediate_result(storage.traces.stop())

        self.stored(deliver)
        path = self.config.parent / "spam"
        path.write_text("X-Mailgate-Trace: 7q4m-x2vd-90kt\nSubject: x\n\nBuy this\n")
        self.say("learn", "spam", str(path))
        self.assertIn(("bounces.example.org", "bad"), self.senders())
