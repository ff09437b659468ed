"""
Tests of L{mailgate.message.hops}.
"""

from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.hops import (
    HOPS,
    Trust,
    fields_in,
    origin_of,
    parse_hop,
)

OURS = Trust((ip_network("192.0.2.0/24"),), ("mx.example.com", "*.filter.example.net"))
RELAY = "192.0.2.1"
STRANGER = "8.8.4.4"


def head(*fields):
    """
    Make a header section.
    """
    return "".join(f"{field}\r\n" for field in fields).encode() + b"\r\nHello\r\n"


def received(client, by="relay.example.net", helo="client.example.org"):
    """
    Make a Received field as Postfix writes it.
    """
    return (
        f"Received: from {helo} (name.example.org [{client}])\r\n"
        f"\tby {by} (Postfix) with ESMTPS id 4ABC; Tue, 24 Nov 2026 10:00:00 +0000"
    )


class ParseTests(SynchronousTestCase):
    """
    Tests of L{parse_hop}.
    """

    def test_forms(self):
        """
        Client, HELO, looked-up name, server and protocol are found in what mail servers write.
        """
        for value, client, helo, name, by, protocol in (
            (
                "from mail.example.org (mx1.example.org [203.0.113.7])\r\n\tby mx.example.com "
                "(Postfix) with ESMTPS id 4ABC for <ada@example.com>; Tue, 24 Nov 2026 10:00:00",
                "203.0.113.7",
                "mail.example.org",
                "mx1.example.org",
                "mx.example.com",
                "ESMTPS",
            ),
            (
                "from unknown (HELO mail.example.org) (203.0.113.7) by mx.example.com with SMTP; x",
                "203.0.113.7",
                "mail.example.org",
                "",
                "mx.example.com",
                "SMTP",
            ),
            (
                "from [203.0.113.7] (port=4711 helo=mail.example.org) by mx.example.com with esmtp "
                "(Exim 4.96) id 1abc",
                "203.0.113.7",
                "mail.example.org",
                "",
                "mx.example.com",
                "ESMTP",
            ),
            (
                "from mx1.example.org ([203.0.113.7]:4711 helo=mail.example.org) by mx.example.com",
                "203.0.113.7",
                "mail.example.org",
                "",
                "mx.example.com",
                "",
            ),
            (
                "from mail.example.org (2001:db8::7) by A1.MAIL.filter.example.net (10.1.2.3) with "
                "Microsoft SMTP Server (version=TLS1_2) id 15.20.1; x",
                "2001:db8::7",
                "mail.example.org",
                "",
                "a1.mail.filter.example.net",
                "MICROSOFT",
            ),
            (
                "from mail.example.org (mail.example.org. [IPv6:2001:db8::7]) by mx.example.com. "
                "with ESMTPS id x",
                "2001:db8::7",
                "mail.example.org",
                "mail.example.org",
                "mx.example.com",
                "ESMTPS",
            ),
            (
                "from mail.example.org (ada@mail.example.org [203.0.113.7] (may be forged)) by x",
                "203.0.113.7",
                "mail.example.org",
                "mail.example.org",
                "x",
                "",
            ),
            (
                "from mail.example.org [203.0.113.7] by localhost with IMAP (fetchmail)",
                "203.0.113.7",
                "mail.example.org",
                "",
                "localhost",
                "IMAP",
            ),
            (
                "from mail.example.org (unknown [::ffff:203.0.113.7]) by x",
                "203.0.113.7",
                "mail.example.org",
                "",
                "x",
                "",
            ),
            (
                "by mx.example.com (Postfix, from userid 0) id 4A; x",
                "",
                "",
                "",
                "mx.example.com",
                "",
            ),
            ("(from root@localhost) by mx.example.com id 4A; x", "", "", "", "mx.example.com", ""),
            ("from by with", "", "", "", "", ""),
            ("", "", "", "", "", ""),
        ):
            hop = parse_hop(value.encode())
            found = ("" if hop.client is None else str(hop.client), hop.helo, hop.name, hop.by)
            self.assertEqual((*found, hop.protocol), (client, helo, name, by, protocol), value)

    def test_what_the_client_said_is_no_address(self):
        """
        An address that the client only called itself by does not count beside the one that the
        server saw, wherever it stands.
        """
        for value in (
            b"from [198.51.100.1] (x.example.org [203.0.113.7]) by mx.example.com",
            b"from [198.51.100.1] (helo=[198.51.100.2]) (203.0.113.7) by mx.example.com",
            b"from 198.51.100.1 (HELO 198.51.100.2) (203.0.113.7) by mx.example.com",
        ):
            self.assertEqual(parse_hop(value).client, ip_address("203.0.113.7"), value)

    def test_clauses_inside_comments(self):
        """
        What a client put into a comment starts no clause.
        """
        hop = parse_hop(
            b"from x (HELO y) by evil.example (z) (203.0.113.7) by mx.example.com with SMTP"
        )
        self.assertEqual(hop.by, "evil.example")
        hop = parse_hop(
            b"from x (by evil.example with X [203.0.113.7]) by mx.example.com with SMTP"
        )
        self.assertEqual((hop.by, hop.protocol), ("mx.example.com", "SMTP"))

    @given(st.binary(max_size=300))
    def test_anything(self, value):
        """
        Any bytes give a hop whose words can be shown.
        """
        for start in (b"", b"from ", b"from x (", b"from x ([1.2.3.4"):
            hop = parse_hop(start + value)
            for word in (hop.helo, hop.name, hop.by, hop.protocol):
                self.assertTrue(word.isprintable())


class OriginTests(SynchronousTestCase):
    """
    Tests of L{origin_of}.
    """

    def origin(self, *fields, client=RELAY, trust=OURS):
        """
        Find from whom a message with these fields came.
        """
        origin = origin_of(head(*fields), trust, client)
        return None if origin is None else str(origin.hop.client)

    def test_first_stranger(self):
        """
        The stranger is who has given the message to the relay, not who is said to have had it
        before.
        """
        self.assertEqual(self.origin(received(STRANGER), received("1.1.1.1")), STRANGER)

    def test_relays_in_a_row(self):
        """
        Relays of ours, and neighbours of theirs in a private network, are passed over.
        """
        found = self.origin(
            received("192.0.2.2"),
            received("10.1.2.3"),
            received("127.0.0.1"),
            "Received: by relay.example.net (Postfix, from userid 0) id 4A; x",
            received(STRANGER),
            received("1.1.1.1"),
        )
        self.assertEqual(found, STRANGER)

    def test_forged_relay(self):
        """
        A stranger who writes fields as if it were one of ours gains nothing by it.
        """
        found = self.origin(
            received(STRANGER),
            received("192.0.2.1", by="mx.example.com"),
            received("1.1.1.1", by="mx.example.com"),
        )
        self.assertEqual(found, STRANGER)

    def test_from_within(self):
        """
        A message that names no stranger has none.
        """
        self.assertIsNone(self.origin("Subject: x"))
        self.assertIsNone(self.origin(received("192.0.2.9"), received("10.0.0.1")))

    def test_nobody_can_tell(self):
        """
        Where a relay has taken the message from a client that cannot be read, what stands below is
        the client's word and nobody is believed.
        """
        found = self.origin(
            "Received: from x.example.org by relay.example.net with SMTP; x", received(STRANGER)
        )
        self.assertIsNone(found)

    def test_too_many(self):
        """
        The search has an end.
        """
        fields = [received("10.0.0.1")] * HOPS
        self.assertEqual(self.origin(*fields[1:], received(STRANGER)), STRANGER)
        self.assertIsNone(self.origin(*fields, received(STRANGER)))

    def test_stored(self):
        """
        In a stored message the search begins at the topmost server of ours, by its name or by the
        address from which it was read on.
        """
        above = received("1.1.1.1", by="store.example.org")
        for crossing in (
            received(STRANGER, by="mx.example.com"),
            received(STRANGER, by="a.b.filter.example.net"),
        ):
            self.assertEqual(self.origin(above, crossing, client=None), STRANGER)
        by_address = received(RELAY, by="store.example.org")
        self.assertEqual(self.origin(above, by_address, received(STRANGER), client=None), STRANGER)
        other = received(STRANGER, by="filter.example.net")
        self.assertIsNone(self.origin(above, other, client=None))


class FieldsTests(SynchronousTestCase):
    """
    Tests of L{fields_in}.
    """

    def test_order(self):
        """
        Fields come in their order with their lines joined; what is none is passed over.
        """
        data = b"A: 1\r\nno field\r\n more\r\nB : 2\r\n\t3\r\na:4\r\n\r\nC: 5\r\n"
        self.assertEqual(list(fields_in(data)), [("a", b"1"), ("b", b"2\t3"), ("a", b"4")])
        self.assertEqual(list(fields_in(b"\r\nA: 1\r\n")), [])
        self.assertEqual(list(fields_in(b" folded\r\nA: 1")), [("a", b"1")])
