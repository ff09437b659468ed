"""
Tests of L{mailgate.quarantine.search}.
"""

import sqlite3

from twisted.trial.unittest import SynchronousTestCase

from mailgate.interfaces import Hold
from mailgate.message.envelope import Envelope
from mailgate.quarantine import search
from mailgate.store.schema import migrate, migrations
from mailgate.verdict import Action, Kind, Verdict
from mailgate.wire.address import Address
from tests.storage import ADA, ENVELOPE, SESSION, make_storage, message


class SearchTests(SynchronousTestCase):
    """
    Looking for words.
    """

    def setUp(self):
        """
        Make a quarantine.
        """
        self.quarantine = make_storage(self).quarantine(lambda: None)

    def hold(
        self, subject, author="Eve <eve@example.org>", sender="bounce", to=ADA, kind=Kind.SPAM
    ):
        """
        Hold a message.
        """
        envelope = Envelope(SESSION, ENVELOPE.trace, Address(sender, "Example.ORG"), 1.0)
        text = f"From: {author}\r\nSubject: {subject}\r\n\r\nHi\r\n".encode()
        verdict = Verdict(Action.QUARANTINE, (), 8.0, (to,), kind=kind)
        holding = self.quarantine.hold(envelope, message(text), [Hold(to, kind, verdict)], False)
        return self.successResultOf(holding)[0]

    def find(self, text, limit=100, **more):
        """
        Look for words as a person types them.
        """
        return self.successResultOf(self.quarantine.search(search.split(text), limit, **more))

    def ids(self, text, **more):
        """
        Give the ids of what is found.
        """
        return [held.id for held in self.find(text, **more).held]

    def test_where(self):
        """
        Words are looked for in subject, From, envelope sender and recipient, and nowhere else.
        """
        identity = self.hold("Your invoice", "Nord Wind <shop@nord.example>", "vanished")
        for words in ("invoice", "nord wind", "shop@nord.example", "vanished@example.org", "ada@"):
            self.assertEqual(self.ids(words), [identity], words)
        for words in ("Hi", "client.example", "spam", "invoice.*", "%", "_"):
            self.assertEqual(self.ids(words), [], words)

    def test_all_words(self):
        """
        All words must be there, in any order and place; each may be a part of a longer one.
        """
        both = self.hold("one two")
        self.hold("one")
        self.assertEqual(self.ids("TWO on"), [both])
        self.assertEqual(self.ids("one two three"), [])

    def test_case(self):
        """
        Case and width make no difference, whatever the letters.
        """
        identity = self.hold("=?utf-8?q?=C3=9Cberweisung_STRA=C3=9FE?=")
        for words in ("\u00fcberweisung", "\u00dcBERWEISUNG", "strasse", "\uff33trasse"):
            self.assertEqual(self.ids(words), [identity], words)

    def test_not_across_fields(self):
        """
        A word is found in one field, not where one ends and the next begins.
        """
        self.hold("end", "begin@example.org")
        self.assertEqual(self.ids("endbegin"), [])

    def test_pages(self):
        """
        A full page names the cursor with which to go on; the last page names none.
        """
        ids = [self.hold(f"same {number}") for number in range(5)]
        first = self.find("same", limit=3)
        self.assertEqual([held.id for held in first.held], ids[:1:-1])
        self.assertEqual((first.older, first.is_cut), (first.held[-1].number, False))
        second = self.find("same", limit=3, before=first.older)
        self.assertEqual([held.id for held in second.held], ids[1::-1])
        self.assertEqual((second.older, second.is_cut), (None, False))

    def test_kind(self):
        """
        It can be one kind only.
        """
        self.hold("same")
        bulk = self.hold("same", kind=Kind.BULK)
        self.assertEqual(self.ids("same", kind=Kind.BULK), [bulk])

    def test_only_what_is_held(self):
        """
        What is released is not found any more.
        """
        identity = self.hold("same")
        self.successResultOf(self.quarantine.release(identity, "Ada"))
        self.assertEqual(self.ids("same"), [])

    def test_bounded(self):
        """
        One search looks at so many messages and no more, and says where to go on.
        """
        self.patch(search, "LOOKED_AT", 4)
        old = self.hold("rare")
        for number in range(6):
            self.hold(f"usual {number}", kind=Kind.BULK if number % 2 else Kind.SPAM)
        found = self.find("rare")
        self.assertEqual((found.held, found.is_cut), ([], True))
        found = self.find("rare", before=found.older)
        self.assertEqual([held.id for held in found.held], [old])
        self.assertEqual((found.older, found.is_cut), (None, False))
        self.assertEqual(self.ids("rare", kind=Kind.SPAM), [old])

    def test_many_and_long_words(self):
        """
        Of very many words, and of very long ones, the beginning counts.
        """
        words = search.split(f"{'x' * 1000} " * 100)
        self.assertEqual((len(words), {*map(len, words)}), (8, {100}))


class MigrationTests(SynchronousTestCase):
    """
    What was held before there was a search.
    """

    def test_older_rows(self):
        """
        It can be found as well.
        """
        connection = sqlite3.connect(":memory:")
        steps = migrations()
        migrate(connection, [step for step in steps if step.version < 4])
        connection.execute(
            "INSERT INTO messages VALUES ('m', 1, 't', 's', 'mx', 'mx', '192.0.2.7', 1, 1.0, 'h',"
            " 1, '', 'Bounce', 'Example.ORG', 1.0, NULL, '7BIT', 'Eve <eve@example.org>',"
            " 'Your Invoice', '<1@e>')"
        )
        connection.execute(
            "INSERT INTO held (id, message, state, kind, owner, recipient_local, recipient_domain,"
            " action, total, findings, reason, held) VALUES ('h', 'm', 'held', 'spam', 'o', 'Ada',"
            " 'example.com', 'quarantine', 9.0, '[]', '', 1.0)"
        )
        migrate(connection, steps)
        for text in ("invoice", "eve@", "bounce@example.org", "ada@example.com"):
            self.assertEqual(len(search.find(connection, search.split(text), 10).held), 1, text)
        connection.close()
