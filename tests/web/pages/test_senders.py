"""
Tests of L{mailgate.web.pages.senders}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.knowledge.entry import ListName, make_entry
from mailgate.message.header import Headers
from mailgate.web.pages.senders import chosen, scopes, things
from mailgate.wire.address import NULL_SENDER, Address

BOUNCE = Address("bounce", "Mailer.example.net")


class ThingsTests(SynchronousTestCase):
    """
    What can be allowed or blocked.
    """

    def values(self, *lines, sender=BOUNCE):
        """
        Give the values for a header section.
        """
        headers = Headers.parse("\r\n".join([*lines, "", ""]).encode())
        return [choice.value for choice in things(headers, sender)]

    def test_author(self):
        """
        It is the address in From, and its domain.
        """
        self.assertEqual(
            self.values("From: Eve <Eve@Example.ORG>"), ["eve@example.org", "example.org"]
        )

    def test_no_single_author(self):
        """
        Where From names none or several, it is the envelope sender: an entry for one of several
        would not count.
        """
        expected = ["bounce@mailer.example.net", "mailer.example.net"]
        for lines in (
            (),
            ("From: nobody",),
            ("From: a@example.org, b@example.org",),
            ("From: a@example.org", "From: b@example.org"),
        ):
            self.assertEqual(self.values(*lines), expected, lines)

    def test_the_same_author_twice(self):
        """
        One address that is named twice is one.
        """
        lines = ("From: a@example.org", "From: A@Example.org")
        self.assertEqual(self.values(*lines)[0], "a@example.org")

    def test_nobody(self):
        """
        A notice without an address offers nothing.
        """
        self.assertEqual(self.values(sender=NULL_SENDER), [])

    def test_lists(self):
        """
        A mailing list is known by its List-Id.
        """
        lines = ("From: a@example.org", "List-Id: Dev (x) <Dev.Lists.example.org>")
        self.assertEqual(self.values(*lines)[2:], ["dev.lists.example.org"])

    def test_what_cannot_be_named(self):
        """
        What no entry can name is left out.
        """
        self.assertEqual(self.values("From: a@[192.0.2.7]", "List-Id: not one"), [])

    @given(st.binary(), st.binary())
    def test_any_header(self, author, list_id):
        """
        Whatever stands in the header, each choice can be made, and no two have the same key.
        """
        headers = Headers.parse(b"From: %s\r\nList-Id: %s\r\n\r\n" % (author, list_id))
        found = things(headers, BOUNCE)
        for choice in found:
            make_entry(ListName.BLOCK, choice.value, by="", kind=choice.kind)
        self.assertEqual(len({choice.key for choice in found}), len(found))


class ScopesTests(SynchronousTestCase):
    """
    For whose mail it can be.
    """

    def test_scopes(self):
        """
        It is the recipient's, that of everybody at the domain, or all.
        """
        found = scopes(Address("Ada", "Example.com"))
        self.assertEqual([choice.value for choice in found], ["ada@example.com", "example.com", ""])
        self.assertEqual(chosen(found, "domain"), found[1])
        self.assertIsNone(chosen(found, "example.com"))
