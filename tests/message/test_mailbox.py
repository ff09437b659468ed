"""
Tests of reading the addresses in a header field.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.header import Headers
from mailgate.message.mailbox import VALUE_LIMIT, mailboxes, only_mailbox

LOCALS = st.one_of(
    st.from_regex(r"\A[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,8}(\.[a-z0-9]{1,5})?\Z"),
    st.from_regex(r'\A"[a-z @<>,;:()]{1,8}"\Z'),
)
NAMES = st.sampled_from(
    ["", "Bob ", '"b@d.example, <x@y>" ', "(a@b, <c@d>) ", "=?utf-8?q?b=40c?= "]
)


def read(value, most=10):
    """
    Read a value, and give the addresses as text.
    """
    return [str(address) for address in mailboxes(value, most)]


class MailboxesTests(SynchronousTestCase):
    """
    Tests of L{mailboxes}.
    """

    def test_forms(self):
        """
        All forms of RFC 5322 are read, the obsolete ones too.
        """
        for value, *addresses in (
            (b"bob@example.org", "bob@example.org"),
            (b"Bob <bob@example.org>", "bob@example.org"),
            (b'"Bob, of <a@b>" <bob@example.org>', "bob@example.org"),
            (b"a@b.example, Bob <c@d.example>", "a@b.example", "c@d.example"),
            (b"bob@example.org (Bob (the <x@y>) one)", "bob@example.org"),
            (b"bob (at work)@(the)example.org", "bob@example.org"),
            (b"Us: a@b.example, c@d.example;, e@f", "a@b.example", "c@d.example", "e@f"),
            (b"Nobody:;",),
            (b"<@one.example,@two.example:bob@example.org>", "bob@example.org"),
            (b"bob . b @ example . org", "bob.b@example.org"),
            (b'<"a b@c"@example.org>', '"a b@c"@example.org'),
            (b"",),
        ):
            self.assertEqual(read(value), addresses, value)

    def test_beyond(self):
        """
        What is against the grammar but shown by mail programs is read as they read it.
        """
        for value, *addresses in (
            (b"Bob bob@example.org", "bob@example.org"),
            (b"<a@b.example> <c@d.example>", "a@b.example", "c@d.example"),
            (b"a@b.example <c@d.example>", "c@d.example"),
            (b"Bob <bob@example.org", "bob@example.org"),
            (b'"Bob <bob@example.org>', "bob@example.org"),
            (b"bob@example.org (never closed, a@b", "bob@example.org"),
            (b"b\xc3\xb6b@m\xc3\xbcller.example", "böb@müller.example"),
            (b"<bob>, <@example.org>, <bob@>, @",),
        ):
            self.assertEqual(read(value), addresses, value)

    @given(st.lists(st.tuples(NAMES, LOCALS), min_size=1, max_size=5))
    def test_many(self, people):
        """
        Whatever names and comments stand around them, the addresses are found in their order.
        """
        value = ", ".join(f"{name}<{local}@example.org>" for name, local in people)
        self.assertEqual(read(value.encode()), [f"{local}@example.org" for _, local in people])

    @given(st.binary(max_size=100) | st.text('"\\()<>@,;: a.', max_size=100).map(str.encode))
    def test_whatever_comes(self, value):
        """
        Nothing makes it fail, and what it gives has a local part and a domain.
        """
        for address in mailboxes(value, 3):
            self.assertTrue(address.local and address.domain)
            self.assertNotIn("@", address.domain)

    def test_most(self):
        """
        No more than the first few are read, nor more than some bytes.
        """
        self.assertEqual(read(b"a@b, c@d, e@f", 2), ["a@b", "c@d"])
        self.assertEqual(read(b"," * VALUE_LIMIT + b"a@b"), [])

    def test_a25_hostile(self):
        """
        A long value of nothing but what opens and never closes holds no address.
        """
        for piece in (b"(", b'"', b"\\", b"<", b"(a", b'"\\'):
            self.assertEqual(read(piece * VALUE_LIMIT), [])


class OnlyTests(SynchronousTestCase):
    """
    Tests of L{only_mailbox}.
    """

    def test_only(self):
        """
        The one address in a field is given as it is compared.
        """
        headers = Headers.parse(b'From: Eve <"Eve"@Example.ORG>\r\n\r\n')
        self.assertEqual(only_mailbox(headers, "From"), "eve@example.org")

    def test_others(self):
        """
        Where there are several, several fields, or none, there is none.
        """
        for head in (b"", b"From: x\r\n", b"From: a@b, c@d\r\n", b"From: a@b\r\nFrom: a@b\r\n"):
            self.assertEqual(only_mailbox(Headers.parse(head + b"\r\n"), "From"), "", head)
