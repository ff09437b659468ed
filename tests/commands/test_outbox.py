"""
Tests of L{mailgate.commands.outbox}.
"""

import json
import sys

from mailgate.commands import asking
from mailgate.store import outbox
from mailgate.store.threads import immediate_result
from mailgate.verdict import Action, Verdict
from mailgate.wire.parameters import RcptParameters
from tests.commands.case import CommandLineCase, Terminal
from tests.storage import BOB, ENVELOPE, message


class OutboxTests(CommandLineCase):
    """
    Tests of C{outbox}.
    """

    def queue(self, *ids):
        """
        Put copies into the outbox.
        """

        def insert(connection, stored):
            for identity in ids:
                verdict, wish = Verdict(Action.TAG, (), 5.5, (BOB,)), RcptParameters()
                reason = "451 4.3.0 later"
                outbox.add(connection, identity, stored, verdict, wish, 0.0, 3e9, reason=reason)

        self.stored(
            lambda storage: immediate_result(storage.messages.keep(ENVELOPE, message(), insert))
        )

    def begin(self, identity):
        """
        Mark a copy as being delivered.
        """
        self.stored(
            lambda storage: immediate_result(
                storage.database.write(lambda connection: outbox.begin(connection, [identity]))
            )
        )

    def waiting(self):
        """
        Give the time of the next try of each copy that is still there, by its id.
        """
        rows = json.loads(self.say("outbox", "list", "--json"))
        return {row["id"]: row["next_try"] for row in rows}

    def answer(self, text):
        """
        Let a person at a terminal type.
        """
        self.patch(sys, "stdin", Terminal(text=text, is_terminal=True))

    def test_list_and_show(self):
        """
        A copy that waits is listed and shown.
        """
        self.queue("queu")
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

    def test_retry(self):
        """
        The copies that are named are due now, and no other; one that is being delivered says so.
        """
        self.queue("one", "two", "three")
        self.begin("two")
        text = self.say("outbox", "retry", "one", "two")
        self.assertEqual(text, "one is due now\ntwo is being delivered already\n")
        waiting = self.waiting()
        self.assertLess(waiting["one"], 3e9)
        self.assertEqual((waiting["two"], waiting["three"]), (3e9, 3e9))
        status, _, complaints = self.call("outbox", "retry", "none")
        self.assertEqual((status, complaints.count("\n")), (1, 1))

    def test_retry_all(self):
        """
        All that wait can be retried, which is not said together with an id, nor without either.
        """
        self.assertEqual(self.say("outbox", "retry", "--all"), "0 copies are due now\n")
        self.queue("one", "two", "three")
        self.begin("two")
        self.assertEqual(self.say("outbox", "retry", "--all"), "2 copies are due now\n")
        waiting = self.waiting()
        self.assertEqual([each for each in waiting if waiting[each] == 3e9], ["two"])
        self.assertEqual(self.call("outbox", "retry", "--all", "one")[0], 2)
        self.assertEqual(self.call("outbox", "retry")[0], 2)

    def test_delete(self):
        """
        A deletion is done without a question where nobody could answer it, and the trace says
        who did it.
        """
        self.queue("one", "two")
        self.assertEqual(self.say("outbox", "delete", "one"), "one for bob@example.com deleted\n")
        self.assertEqual(list(self.waiting()), ["two"])
        text = self.say("trace", ENVELOPE.trace)
        self.assertIn(
            f"copy one for bob@example.com deleted from the outbox by {asking.person()}", text
        )

    def test_delete_asks(self):
        """
        At a terminal it shows what it would delete and asks; only a yes deletes.
        """
        self.queue("one")
        for answer in (b"\n", b"no\n", b"", b"yellow\n"):
            self.answer(answer)
            status, out, complaints = self.call("outbox", "delete", "one")
            self.assertEqual(status, 1)
            self.assertIn("bob@example.com", out)
            self.assertIn("nothing was deleted", complaints)
        self.assertEqual(list(self.waiting()), ["one"])
        self.answer(b"y\n")
        self.assertEqual(self.call("outbox", "delete", "one")[0], 0)
        self.assertEqual(self.waiting(), {})

    def test_delete_with_yes(self):
        """
        With C{--yes} it does not ask.
        """
        self.queue("one")
        self.answer(b"")
        self.say("outbox", "delete", "one", "--yes")
        self.assertEqual(self.waiting(), {})

    def test_delete_what_is_not_there(self):
        """
        An unknown id and one that is being delivered fail, the others are deleted.
        """
        self.queue("one", "two")
        self.begin("two")
        status, out, complaints = self.call("outbox", "delete", "none", "two", "one")
        self.assertEqual((status, out), (1, "one for bob@example.com deleted\n"))
        self.assertEqual(complaints.count("\n"), 2)
        self.assertIn("two is being delivered", complaints)
        self.answer(b"y\n")
        self.assertEqual(self.call("outbox", "delete", "none")[0], 1)

    def test_hold(self):
        """
        A copy that is stopped says by whom, is not let go with all the others, and is when it is
        named; the trace tells both.
        """
        self.queue("one", "two", "three")
        self.begin("two")
        status, out, complaints = self.call("outbox", "hold", "one", "two", "none")
        self.assertEqual(status, 1)
        self.assertEqual(
            out, "one for bob@example.com is tried no more until you say: outbox retry\n"
        )
        self.assertIn("two is being delivered", complaints)
        self.assertIn("it was not stopped", complaints)
        self.assertEqual(complaints.count("\n"), 2)
        self.assertIn("stopped", self.say("outbox", "list").splitlines()[-1])
        person = asking.person()
        self.assertIn(f"was stopped by {person}", self.say("outbox", "show", "one"))
        self.assertEqual(self.say("outbox", "retry", "--all"), "1 copy is due now\n")
        self.assertEqual(self.waiting()["one"], 3e9)
        self.assertEqual(self.say("outbox", "retry", "one"), "one is due now\n")
        self.assertLess(self.waiting()["one"], 3e9)
        text = self.say("trace", ENVELOPE.trace)
        self.assertIn(f"copy one for bob@example.com stopped by {person}", text)
        self.assertIn(f"copy one for bob@example.com let go by {person}", text)
