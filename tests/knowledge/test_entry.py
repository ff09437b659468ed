"""
Tests of entries of the allow and block lists, and how they are written.
"""

from ipaddress import IPv4Network, IPv6Network, ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.knowledge.entry import (
    TEXT_LIMIT,
    Entry,
    EntryKind,
    EntryRefused,
    ListName,
    kind_of,
    make_entry,
)
from mailgate.wire.address import NULL_SENDER, Address
from mailgate.wire.normal import normal_address, normal_domain

HOST_NAMES = st.from_regex(r"\A[a-zA-Z][a-zA-Z0-9-]{0,8}[a-z](\.[a-z]{2,5}){1,3}\Z")
LOCALS = st.from_regex(r"\A[a-zA-Z0-9!#$%&'*+/=?^_`{|}~.-]{1,12}\Z")
NETWORKS = st.one_of(
    st.builds(
        lambda bits, length: IPv4Network((bits, length), strict=False),
        st.integers(0, 2**32 - 1),
        st.integers(1, 32),
    ),
    st.builds(
        lambda bits, length: IPv6Network((bits, length), strict=False),
        st.integers(0, 2**128 - 1),
        st.integers(1, 95),
    ),
)


def make(value, **more):
    """
    Make an entry that blocks.
    """
    return make_entry(ListName.BLOCK, value, by="ada", **more)


class MakeTests(SynchronousTestCase):
    """
    Tests of L{make_entry} and L{kind_of}.
    """

    def refused(self, value, **more):
        """
        Give the sentence with which a value is refused.
        """
        return str(self.assertRaises(EntryRefused, make, value, **more))

    def test_fields(self):
        """
        An entry keeps all that was said of it.
        """
        entry = make_entry(
            ListName.ALLOW,
            " Bob@Example.ORG ",
            by="ada",
            scope="Ada@Example.com",
            note="  our \n supplier ",
            expires=5.0,
        )
        self.assertEqual(
            entry,
            Entry(
                ListName.ALLOW,
                EntryKind.ADDRESS,
                "bob@example.org",
                "ada@example.com",
                "our supplier",
                "ada",
                5.0,
            ),
        )
        self.assertEqual((entry.id, entry.made), (0, 0.0))

    def test_kinds(self):
        """
        Without a kind the spelling of the value tells what it is.
        """
        for value, kind in (
            ("bob@example.org", EntryKind.ADDRESS),
            ("<bob@example.org>", EntryKind.ADDRESS),
            ("example.org", EntryKind.DOMAIN),
            (".example.org", EntryKind.DOMAIN),
            ("xyz", EntryKind.DOMAIN),
            ("<dev.example.org>", EntryKind.LIST_ID),
            ("192.0.2.7", EntryKind.NETWORK),
            ("192.0.2.0/24", EntryKind.NETWORK),
            ("2001:db8::/32", EntryKind.NETWORK),
            ("::1", EntryKind.NETWORK),
        ):
            self.assertEqual(kind_of(value), kind, value)
            self.assertEqual(make(value).kind, kind)

    def test_values(self):
        """
        Whatever is written in one of several ways has one form.
        """
        for written, value in (
            ("<Bob@Example.ORG>", "bob@example.org"),
            ('"bob"@example.org', "bob@example.org"),
            ('"b b"@example.org', '"b b"@example.org'),
            ("b..b.@example.org", "b..b.@example.org"),
            (
                "Bo\N{COMBINING DIAERESIS}b@example.org",
                "b\N{LATIN SMALL LETTER O WITH DIAERESIS}b@example.org",
            ),
            ("a@m\N{LATIN SMALL LETTER U WITH DIAERESIS}ller.example", "a@xn--mller-kva.example"),
            ("Example.ORG.", "example.org"),
            (".M\N{LATIN CAPITAL LETTER U WITH DIAERESIS}ller.example", ".xn--mller-kva.example"),
            ("_dmarc.mail_7.example.org", "_dmarc.mail_7.example.org"),
            ("<Dev.Lists.Example>", "dev.lists.example"),
            ("192.0.2.7/32", "192.0.2.7"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("::FFFF:192.0.2.7", "192.0.2.7"),
            ("2001:DB8:0::/32", "2001:db8::/32"),
        ):
            self.assertEqual(make(written).value, value)

    def test_given_kind(self):
        """
        A given kind is not guessed.
        """
        self.assertEqual(make("dev.example.org", kind=EntryKind.LIST_ID).value, "dev.example.org")
        self.assertIn("a domain", self.refused("bob@example.org", kind=EntryKind.DOMAIN))

    def test_refused_addresses(self):
        """
        What is no address is refused with an example of one, and with what was meant.
        """
        for value in (
            "bob@",
            "a b@example.org",
            "a@b@example.org",
            "bob@exam_ple..org",
            "bob@[192.0.2.7]",
            "bob@192.0.2.7",
            "a\N{ZERO WIDTH SPACE}b@example.org",
            f"{'a' * 320}@example.org",
        ):
            self.assertIn("an address, as in bob@example.org", self.refused(value), value)
        self.assertIn("for a whole domain write example.org.", self.refused("@example.org"))
        self.assertIn("for a whole domain write example.org.", self.refused("*@example.org"))

    def test_refused_domains(self):
        """
        So with domains.
        """
        for value in ("", ".", "exa mple.org", "..example.org", "-a.example", "a" * 254, "1.2a.3"):
            self.assertIn("a domain in ASCII, as in example.org", self.refused(value), value)
        self.assertIn("write .example.org.", self.refused("*.example.org"))

    def test_refused_networks(self):
        """
        So with networks; one that holds everything is refused.
        """
        for value in ("192.0.2.300", "192.0.2.0/33", "1.2.3", "fe80::1%eth0"):
            self.assertIn("an IP address or a network", self.refused(value), value)
        self.assertIn("write 192.0.2.0/24", self.refused("192.0.2.7/24"))
        for value in ("0.0.0.0/0", "::/0", "::ffff:0:0/96"):
            self.assertIn("every address", self.refused(value))

    def test_refused_list_ids(self):
        """
        So with list-ids.
        """
        for value in ("<dev>", "<dev lists.example>", "<>", "<dev..example>", "<a.b"):
            self.assertIn("dev.lists.example.org", self.refused(value), value)

    def test_scopes(self):
        """
        A scope is an address or a domain in its normal form, or nothing.
        """
        for scope, normal in (
            ("", ""),
            (" ADA@Example.com", "ada@example.com"),
            ("Example.com", "example.com"),
        ):
            self.assertEqual(make("xyz", scope=scope).scope, normal)
        for scope in ("ada@", ".example.com", "a b", "192.0.2.7"):
            self.assertIn("ada@example.com", self.refused("xyz", scope=scope))

    def test_texts(self):
        """
        A note and a name have a length and no characters that cannot be seen.
        """
        self.assertEqual(len(make("xyz", note="x" * TEXT_LIMIT).note), TEXT_LIMIT)
        self.assertIn("note", self.refused("xyz", note="x" * (TEXT_LIMIT + 1)))
        self.assertIn("note", self.refused("xyz", note="\x1b[2J"))
        self.assertRaises(EntryRefused, make_entry, ListName.BLOCK, "xyz", by="\u202eada")

    def test_end(self):
        """
        An entry has ended at its end; without one never.
        """
        entry = make("xyz", expires=10.0)
        self.assertFalse(entry.has_ended(9.9))
        self.assertTrue(entry.has_ended(10.0))
        self.assertFalse(make("xyz").has_ended(1e12))


class PropertyTests(SynchronousTestCase):
    """
    What holds for every value.
    """

    @given(st.text(max_size=40), st.sampled_from([None, *EntryKind]))
    def test_whatever_is_written(self, value, kind):
        """
        A value is taken or refused in a sentence; one that is taken can be seen.
        """
        try:
            entry = make(value, kind=kind)
        except EntryRefused as error:
            self.assertRegex(str(error), r"\A[A-Z].*\.\Z")
        else:
            self.assertTrue(entry.value.isprintable() and entry.value)

    @given(LOCALS.filter(lambda local: local != "*"), HOST_NAMES)
    def test_addresses(self, local, host):
        """
        An address is found under the key of its entry, however it is spelled. Only C{*} as a
        local part is taken for what people mean by it.
        """
        key = make(f"{local}@{host}").key
        for address in (
            Address(local, host),
            Address(local.upper(), host.upper()),
            Address(f'"{local}"', host),
            Address(local, f"{host}."),
        ):
            self.assertEqual(normal_address(address), key)

    @given(HOST_NAMES)
    def test_domains(self, host):
        """
        So with domains; those with and without a dot in front differ.
        """
        self.assertEqual(make(host).key, normal_domain(host.upper()))
        self.assertEqual(make(f".{host}").key, f".{normal_domain(host)}")

    @given(NETWORKS)
    def test_networks(self, network):
        """
        A network comes back as it is, and its key has as many bits as its prefix.
        """
        entry = make(str(network))
        self.assertEqual(ip_network(entry.value), network)
        version, length, bits = entry.key
        self.assertEqual((version, length), (network.version, network.prefixlen))
        self.assertEqual(bits << (network.max_prefixlen - length), int(network.network_address))

    @given(st.text(max_size=20), st.text(max_size=20) | HOST_NAMES)
    def test_normal_form(self, local, domain):
        """
        The normal form of a normal form is itself.
        """
        host = normal_domain(domain)
        self.assertEqual(normal_domain(host), host)
        once = normal_address(Address(local, "example.org"))
        self.assertEqual(
            normal_address(Address(once.removesuffix("@example.org"), "example.org")), once
        )

    @given(HOST_NAMES, st.ip_addresses())
    def test_kinds_are_told_apart(self, host, address):
        """
        No two kinds share a key.
        """
        keys = {
            make(f"a@{host}").key,
            make(host).key,
            make(f".{host}").key,
            make(f"<{host}>").key,
            make(str(address)).key,
        }
        self.assertEqual(len(keys), 5)

    def test_a28_no_ascii_form(self):
        """
        Letters of which the ASCII form would make signs stay as they are.
        """
        for domain in (
            "example\N{FULLWIDTH COMMERCIAL AT}b.example",
            "\N{FULLWIDTH LESS-THAN SIGN}b",
        ):
            self.assertEqual(normal_domain(domain), domain)

    def test_null_sender(self):
        """
        The null sender and a postmaster without a domain have forms too.
        """
        self.assertEqual(normal_address(NULL_SENDER), "")
        self.assertEqual(normal_address(Address("PostMaster", "")), "postmaster")
