"""
Tests of keeping the allow and block lists.
"""

import errno

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailgate.knowledge.entry import EntryRefused, ListName, make_entry
from mailgate.knowledge.list_store import ListStore
from mailgate.store.database import StoreError
from tests.pipeline.events import events
from tests.storage import NOW, WallClock, make_storage


def entry(list, value, **more):
    """
    Make an entry.
    """
    return make_entry(ListName(list), value, by="ada", **more)


class ListStoreTests(SynchronousTestCase):
    """
    Tests of L{ListStore}.
    """

    def setUp(self):
        """
        Make a storage.
        """
        self.now = WallClock()
        self.database = make_storage(self, now=self.now).database
        self.store = self.make()

    def make(self, most=10):
        """
        Make a store, as a start of the gateway does.
        """
        store = ListStore(self.database, self.now, {"example.com"}, most)
        self.successResultOf(store.load())
        return store

    def add(self, *arguments, **more):
        """
        Add an entry.
        """
        return self.successResultOf(self.store.add(entry(*arguments, **more)))

    def newest(self, **options):
        """
        Give entries.
        """
        return self.successResultOf(self.store.newest(**options))

    def refused(self, *arguments, **more):
        """
        Give the sentence with which an entry is refused.
        """
        before = self.store.lists.index
        failure = self.failureResultOf(self.store.add(entry(*arguments, **more)), EntryRefused)
        self.assertIs(self.store.lists.index, before)
        return str(failure.value)

    def assertInMemory(self, *entries):
        """
        Make sure that these entries count, now and after a restart.
        """
        for store in (self.store, self.make()):
            counting = {
                each for scopes in store.lists.index.entries.values() for each in scopes.values()
            }
            self.assertEqual(counting, set(entries))

    def test_add(self):
        """
        What is added is stored with an id and the time, and counts, also after a restart.
        """
        given = entry("allow", "xyz", scope="ada@example.com", note="why", expires=NOW + 10)
        stored = self.successResultOf(self.store.add(given))
        self.assertEqual(stored, evolve(given, id=stored.id, made=NOW))
        self.assertGreater(stored.id, 0)
        self.assertEqual(self.newest(), [stored])
        self.assertInMemory(stored)

    def test_durable(self):
        """
        An entry counts only after it is on the disk.
        """
        writing = Deferred()
        self.patch(self.database, "write", lambda function: writing)
        adding = self.store.add(entry("block", "xyz"))
        self.assertNoResult(adding)
        self.assertEqual(len(self.store.lists), 0)
        stored = evolve(entry("block", "xyz"), id=1, made=NOW)
        writing.callback(stored)
        self.assertEqual(self.successResultOf(adding), stored)
        self.assertEqual(len(self.store.lists), 1)

    def test_cancelled(self):
        """
        A change that nobody waits for any more reaches the memory as it does the disk.
        """
        writing = Deferred()
        self.patch(self.database, "write", lambda function: writing)
        adding = self.store.add(entry("block", "xyz"))
        adding.cancel()
        self.failureResultOf(adding)
        writing.callback(evolve(entry("block", "xyz"), id=1, made=NOW))
        self.assertEqual(len(self.store.lists), 1)

    def test_f12_store_fails(self):
        """
        Where the store fails nothing changes.
        """

        class Broken:
            def __init__(self, connection):
                self.connection = connection

            def __getattr__(self, name):
                return getattr(self.connection, name)

            def cursor(self):
                raise StoreError(errno.EIO, "the disk is on fire")

        write = self.database.write
        self.patch(self.database, "write", lambda f: write(lambda c: f(Broken(c))))
        self.failureResultOf(self.store.add(entry("block", "xyz")), StoreError)
        self.failureResultOf(self.store.remove(1, "ada"), StoreError)
        self.assertInMemory()

    def test_again(self):
        """
        What is there already gets the new note, end, maker and time, and the other list.
        """
        first = self.add("block", "xyz", note="spam", expires=NOW + 10)
        self.now.clock.advance(5)
        again = evolve(entry("allow", "XYZ", note="a mistake"), by="bob")
        stored = self.successResultOf(self.store.add(again))
        self.assertEqual(stored, evolve(again, id=first.id, made=NOW + 5))
        self.assertEqual(self.newest(), [stored])
        self.assertInMemory(stored)

    def test_not_the_same(self):
        """
        The same value for another scope, or of another kind, is something else.
        """
        entries = [
            self.add("block", "dev.example"),
            self.add("block", "dev.example", scope="example.com"),
            self.add("block", "<dev.example>"),
            self.add("block", ".dev.example"),
        ]
        self.assertEqual(self.newest(), entries[::-1])
        self.assertInMemory(*entries)

    def test_refused(self):
        """
        A scope that is none of ours is refused, and so is an end that is past.
        """
        for scope in ("ada@example.org", "sub.example.com"):
            self.assertIn("example", self.refused("block", "xyz", scope=scope))
        self.assertIn("ahead", self.refused("block", "xyz", expires=NOW))
        self.assertEqual(self.newest(), [])

    def test_full(self):
        """
        There is a most number of entries, beyond which only what is there can be changed.
        """
        self.store = self.make(most=2)
        kept = [self.add("block", "a.example"), self.add("block", "b.example")]
        self.assertIn("2 entries", self.refused("block", "c.example"))
        self.assertInMemory(*kept)
        self.add("allow", "a.example")
        self.successResultOf(self.store.remove(kept[1].id, "ada"))
        self.add("block", "c.example")
        self.assertEqual(self.successResultOf(self.store.count()), 2)

    def test_remove(self):
        """
        What is removed is given as it was and does not count any more; its id never comes
        again.
        """
        stored = self.add("block", "xyz")
        self.assertEqual(self.successResultOf(self.store.remove(stored.id, "bob")), stored)
        self.assertInMemory()
        self.assertIsNone(self.successResultOf(self.store.remove(stored.id, "bob")))
        self.assertGreater(self.add("block", "xyz").id, stored.id)

    def test_purge(self):
        """
        What has ended is removed, and counted.
        """
        self.add("block", "a.example", expires=NOW + 10)
        self.add("block", "192.0.2.7", expires=NOW + 10)
        kept = [self.add("block", "b.example", expires=NOW + 11), self.add("block", "c.example")]
        self.assertEqual(self.successResultOf(self.store.purge()), 0)
        self.now.clock.advance(10)
        self.assertEqual(self.successResultOf(self.store.purge()), 2)
        self.assertInMemory(*kept)
        self.assertEqual(self.successResultOf(self.store.count()), 2)

    def test_newest(self):
        """
        Entries are given newest first, page by page, all or of one list or scope, and counted.
        """
        allow, block = ListName.ALLOW, ListName.BLOCK
        first = self.add("block", "a.example")
        second = self.add("allow", "b.example", scope="ada@example.com")
        third = self.add("block", "c.example", scope="ada@example.com")
        self.assertEqual(self.newest(limit=2), [third, second])
        self.assertEqual(self.newest(limit=2, before=second.id), [first])
        self.assertEqual(self.newest(limit=0), [])
        for options, expected in (
            ({"list": block}, [third, first]),
            ({"list": allow}, [second]),
            ({"scope": ""}, [first]),
            ({"scope": "ada@example.com"}, [third, second]),
            ({"scope": "ada@example.com", "list": block}, [third]),
        ):
            self.assertEqual(self.newest(**options), expected)
            number = self.successResultOf(self.store.count(**options))
            self.assertEqual(number, len(expected))

    def test_words(self):
        """
        Entries are found by words in what they name, their scope, their note and their maker.
        """
        self.add("allow", "bob@example.org", note="Invoices of Bob")
        self.add("block", ".example.net", scope="ada@example.com")
        self.add("block", "<dev.lists.example.org>")
        for words, values in (
            (["bob@"], ["bob@example.org"]),
            (["INVOICES", "of"], ["bob@example.org"]),
            (["ada@example.com"], [".example.net"]),
            (["example.org"], ["dev.lists.example.org", "bob@example.org"]),
            (["ada"], ["dev.lists.example.org", ".example.net", "bob@example.org"]),
            (["ada", "%"], []),
            (["exampleorg"], []),
        ):
            self.assertEqual([each.value for each in self.newest(words=words)], values, words)
        self.assertEqual(len(self.newest(words=["ada"], limit=1, list=ListName.BLOCK)), 1)

    def test_events(self):
        """
        Each change is an event that names who made it.
        """
        with events() as told:
            stored = self.add("block", "xyz", scope="example.com", expires=NOW + 10)
            self.successResultOf(self.store.remove(stored.id, "bob"))
            self.successResultOf(self.store.remove(stored.id, "bob"))
            self.add("allow", "xyz", expires=NOW + 10)
            self.now.clock.advance(10)
            self.successResultOf(self.store.purge())
            self.successResultOf(self.store.purge())
        self.assertEqual(
            [(event["event"], event.get("by")) for event in told],
            [
                ("list.added", "ada"),
                ("list.removed", "bob"),
                ("list.added", "ada"),
                ("list.purged", None),
            ],
        )
        fields = ("id", "list", "kind", "value", "scope")
        for event in told[:2]:
            self.assertEqual(
                [event[name] for name in fields],
                [stored.id, "block", "domain", "xyz", "example.com"],
            )
        self.assertEqual(told[3]["number"], 1)
