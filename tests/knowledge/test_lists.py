"""
Tests of looking messages up on the allow and block lists.
"""

from itertools import product

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.knowledge.entry import EntryKind, ListName, make_entry
from mailgate.knowledge.lists import Evidence, Index, Lists, Match, Source
from mailgate.wire.address import Address

NOW = 1_800_000_000.0
ADA = Address("Ada", "Example.com")
BOB = Address("bob", "example.com")
EVIDENCE = Evidence(
    authors=("eve@shop.example.org",),
    sender="bounce-7@mail.example.net",
    list_ids=("dev.lists.example",),
    client="192.0.2.7",
)
SCOPES = ("ada@example.com", "example.com", "")
"""From the narrowest to the widest, for mail to Ada."""

VALUES = (
    "eve@shop.example.org",
    "<dev.lists.example>",
    "shop.example.org",
    ".shop.example.org",
    ".example.org",
    ".org",
    "192.0.2.7",
    "192.0.2.0/24",
    "128.0.0.0/1",
)
"""What fits the evidence, from the narrowest to the widest."""


class Counted(dict):
    """
    A dictionary that counts how often something is looked for.
    """

    asked = 0

    def get(self, *arguments):
        """
        Look for something.
        """
        self.asked += 1
        return super().get(*arguments)


def block(value, **more):
    """
    Make an entry that blocks.
    """
    return make_entry(ListName.BLOCK, value, by="ada", **more)


def allow(value, **more):
    """
    Make an entry that allows.
    """
    return make_entry(ListName.ALLOW, value, by="ada", **more)


def numbered(*entries):
    """
    Give entries ids, as they have when they are stored.
    """
    return [evolve(entry, id=number) for number, entry in enumerate(entries, 1)]


class LookUpTests(SynchronousTestCase):
    """
    Tests of L{Lists.look_up}.
    """

    def look_up(self, *entries, recipient=ADA, **changes):
        """
        Look the evidence up among some entries.
        """
        return Lists(entries).look_up(evolve(EVIDENCE, **changes), recipient, NOW)

    def test_nothing(self):
        """
        What fits no entry finds none.
        """
        self.assertIsNone(self.look_up())
        self.assertIsNone(
            self.look_up(
                block("eve@example.org"),
                block("example.org"),
                block(".eve.shop.example.org"),
                block("hop.example.org"),
                block("<lists.example>"),
                block("192.0.2.8"),
                block("c000:207::/32"),
                block("dev.lists.example"),
            )
        )

    def test_each(self):
        """
        Each kind of entry is found, with what of the message it fits.
        """
        sender = EVIDENCE.sender
        for value, source, seen in (
            *((value, Source.AUTHOR, VALUES[0]) for value in VALUES if value.endswith("org")),
            ("bounce-7@mail.example.net", Source.SENDER, sender),
            ("mail.example.net", Source.SENDER, sender),
            (".net", Source.SENDER, sender),
            ("<dev.lists.example>", Source.MAILING_LIST, "dev.lists.example"),
            ("192.0.2.7", Source.CLIENT, "192.0.2.7"),
            ("192.0.0.0/9", Source.CLIENT, "192.0.2.7"),
        ):
            entry = block(value)
            self.assertEqual(self.look_up(entry), Match(entry, source, seen))

    def test_ipv6(self):
        """
        So is the network of an IPv6 client, and that of an IPv4 client spelled as one.
        """
        entry = block("2001:db8::/33")
        self.assertIsNotNone(self.look_up(entry, client="2001:db8:7fff::1"))
        self.assertIsNone(self.look_up(entry, client="2001:db8:8000::1"))
        match = self.look_up(block("192.0.2.0/24"), client="::ffff:192.0.2.7")
        self.assertEqual(match.seen, "192.0.2.7")

    def test_null_sender(self):
        """
        A notice has no sender to look up.
        """
        self.assertIsNone(self.look_up(block("mail.example.net"), sender=""))

    def test_scope(self):
        """
        An entry for a person or a domain is for these alone, however they are spelled.
        """
        for scope, recipients in (
            ("ada@example.com", [ADA, Address('"ada"', "example.com")]),
            ("example.com", [ADA, BOB]),
            ("", [ADA, BOB, Address("bob", "example.net"), Address("postmaster", "")]),
        ):
            entry = block("shop.example.org", scope=scope)
            for recipient in (ADA, BOB, Address("bob", "example.net"), Address("postmaster", "")):
                found = self.look_up(entry, recipient=recipient)
                self.assertEqual(found is not None, recipient in recipients)
        self.assertIsNotNone(self.look_up(entry, recipient=Address('"ADA"', "EXAMPLE.com")))

    @given(st.permutations(list(product(SCOPES, VALUES))), st.data())
    def test_narrowest(self, order, data):
        """
        Of all that fit the narrowest counts: by scope, then by kind, then within the kind; and
        the best of the other list is named.
        """
        lists = {place: data.draw(st.sampled_from(ListName)) for place in order[:6]}
        entries = {
            place: make_entry(name, place[1], by="ada", scope=place[0])
            for place, name in lists.items()
        }
        ranked = sorted(entries, key=lambda place: (SCOPES.index(place[0]), VALUES.index(place[1])))
        winner = entries[ranked[0]]
        others = [entries[place] for place in ranked if lists[place] is not winner.list]
        match = self.look_up(*entries.values())
        self.assertEqual(match.entry, winner)
        self.assertEqual(match.overruled, others[0] if others else None)

    def test_block_wins(self):
        """
        Of two that are equally narrow the one that blocks counts.
        """
        for blocked, allowed in (
            ("eve@shop.example.org", "bounce-7@mail.example.net"),
            ("mail.example.net", "shop.example.org"),
        ):
            blocking, allowing = block(blocked), allow(allowed)
            match = self.look_up(allowing, blocking)
            self.assertEqual((match.entry, match.overruled), (blocking, allowing))

    def test_a34_several_authors(self):
        """
        With several authors or list-ids each is blocked, and none allowed.
        """
        authors = ("eve@shop.example.org", "eve@example.net")
        for author in authors:
            self.assertIsNotNone(self.look_up(block(author), authors=authors))
            self.assertIsNone(self.look_up(allow(author), authors=authors))
        list_ids = ("dev.lists.example", "users.lists.example")
        for list_id in list_ids:
            self.assertIsNotNone(self.look_up(block(f"<{list_id}>"), list_ids=list_ids))
            self.assertIsNone(self.look_up(allow(f"<{list_id}>"), list_ids=list_ids))
        self.assertIsNotNone(self.look_up(allow("mail.example.net"), authors=authors))

    def test_ended(self):
        """
        An entry that has ended does not count, and gives way to a wider one.
        """
        ended, wider = block("eve@shop.example.org", expires=NOW), allow("shop.example.org")
        self.assertEqual(self.look_up(ended, wider), Match(wider, Source.AUTHOR, VALUES[0]))
        self.assertIsNone(self.look_up(ended))
        self.assertIsNotNone(self.look_up(evolve(ended, expires=NOW + 1)))

    def test_few_look_ups(self):
        """
        Among 100,000 entries a message costs as few look-ups in dictionaries as among ten.
        """

        def entries(number):
            for turn in range(number // 10):
                scope = ("", f"p{turn % 999}@example.com", "example.com")[turn % 3]
                for value in (
                    *(f"{letter}{turn}@shop.example.org" for letter in "abcd"),
                    f"{turn}.example.org",
                    f".a{turn}.example.net",
                    f".a{turn}.net",
                    f"<{turn}.lists.example>",
                    f"10.{turn >> 8 & 255}.{turn & 255}.0/24",
                    f"2001:db8:{turn:x}::/48",
                ):
                    yield block(value, scope=scope)

        asked = []
        for number in (10, 100_000):
            lists = Lists(entries(number))
            self.assertEqual(len(lists), number)
            counted = Counted(lists.index.entries)
            lists.index = evolve(lists.index, entries=counted)
            self.assertIsNone(lists.look_up(EVIDENCE, ADA, NOW))
            asked.append(counted.asked)
        # Two addresses with their domain and two depths of it, a list-id, a length of prefix.
        self.assertEqual(asked, [10, 10])


class ChangeTests(SynchronousTestCase):
    """
    Tests of L{Index.changed}.
    """

    def test_index_stays(self):
        """
        An index does not change with those that are made of it.
        """
        first, second = numbered(block("shop.example.org"), block("shop.example.org", scope="x.y"))
        index = Index.of([first])
        after = index.changed(added=[second], removed=[first])
        self.assertEqual(index.entries, {"shop.example.org": {"": first}})
        self.assertEqual(after.entries, {"shop.example.org": {"x.y": second}})

    def test_look_up_across_change(self):
        """
        After a change the next look-up sees it; one that has begun sees what was before.
        """
        (entry,) = numbered(block("192.0.2.0/24"))
        lists = Lists([entry])

        class Changing(Counted):
            def get(self, *arguments):
                lists.index = Index.of(())
                return super().get(*arguments)

        lists.index = evolve(lists.index, entries=Changing(lists.index.entries))
        self.assertEqual(lists.look_up(EVIDENCE, ADA, NOW).entry, entry)
        self.assertIsNone(lists.look_up(EVIDENCE, ADA, NOW))

    def test_replaced(self):
        """
        What is added takes the place of what has the same key and scope.
        """
        first, moved = numbered(block("xyz"), allow("xyz"))
        index = Index.of([first]).changed(added=[moved])
        self.assertEqual((index.entries, index.size), ({"xyz": {"": moved}}, 1))

    def test_not_there(self):
        """
        Removing what is not there, or another entry than the one that is, does nothing.
        """
        first, second, other = numbered(block("xyz"), allow("xyz"), block("abc"))
        index = Index.of([first]).changed(removed=[second, other])
        self.assertEqual((index.entries, index.size), ({"xyz": {"": first}}, 1))

    @given(
        st.lists(
            st.tuples(
                st.booleans(),
                st.sampled_from([*VALUES, ".example.net", "10.0.0.0/8", "2001:db8::/32"]),
                st.sampled_from(SCOPES),
            ),
            max_size=30,
        )
    )
    def test_as_made_at_once(self, steps):
        """
        Whatever was added and removed one after the other, it is as if what is left had been
        there from the beginning.
        """
        index, left = Index.of(()), {}
        for number, (is_added, value, scope) in enumerate(steps, 1):
            entry = evolve(block(value, scope=scope), id=number)
            if is_added:
                index = index.changed(added=[entry])
                left[value, scope] = entry
            elif gone := left.pop((value, scope), None):
                index = index.changed(removed=[gone])
        whole = Index.of(left.values())
        self.assertEqual(index.entries, whole.entries)
        self.assertEqual(index.widths, whole.widths)
        self.assertEqual(set(index.depths), set(whole.depths))
        self.assertEqual(set(index.prefixes), set(whole.prefixes))
        self.assertEqual(index.size, len(left))

    def test_kinds_have_ranks(self):
        """
        The order of the kinds is the order in which they go before each other.
        """
        self.assertEqual(list(EntryKind), ["address", "list-id", "domain", "network"])
