"""
Tests of L{mailgate.knowledge.firewall}.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.knowledge.firewall import LONGEST, Ban, ipset, nftables

BANS = (
    Ban.of("198.51.100.1", 3600.2),
    Ban.of("192.0.2.7", 60.0),
    Ban.of("2001:db8::/64", 1e9),
)


class BanTests(SynchronousTestCase):
    """
    Tests of L{Ban}.
    """

    def test_seconds(self):
        """
        A ban lasts a second at least, and no longer than both programs allow.
        """
        seconds = [Ban.of("192.0.2.7", each).seconds for each in (-5.0, 0.2, 3600.2, 1e9)]
        self.assertEqual(seconds, [1, 1, 3601, LONGEST])

    def test_words(self):
        """
        An address stands without a prefix, a network with its own.
        """
        names = ("192.0.2.7", "192.0.2.0/24", "2001:db8::/64")
        self.assertEqual([str(Ban.of(name, 1)) for name in names], list(names))


class FilesTests(SynchronousTestCase):
    """
    Tests of the files.
    """

    def test_nftables(self):
        """
        The sets are made, emptied, and filled in the order of their addresses.
        """
        self.assertEqual(
            nftables(BANS).splitlines()[1:],
            [
                "table inet mailgate {",
                "    set penalty4 { type ipv4_addr; flags interval, timeout; }",
                "    set penalty6 { type ipv6_addr; flags interval, timeout; }",
                "}",
                "flush set inet mailgate penalty4",
                "add element inet mailgate penalty4 {",
                "    192.0.2.7 timeout 60s,",
                "    198.51.100.1 timeout 3601s,",
                "}",
                "flush set inet mailgate penalty6",
                "add element inet mailgate penalty6 {",
                f"    2001:db8::/64 timeout {LONGEST}s,",
                "}",
            ],
        )

    def test_ipset(self):
        """
        New sets take the place of the old ones.
        """
        lines = ipset(BANS).splitlines()[1:]
        self.assertEqual(
            [line for line in lines if not line.startswith("create")],
            [
                "flush mailgate-penalty4-new",
                "add mailgate-penalty4-new 192.0.2.7 timeout 60",
                "add mailgate-penalty4-new 198.51.100.1 timeout 3601",
                "swap mailgate-penalty4-new mailgate-penalty4",
                "destroy mailgate-penalty4-new",
                "flush mailgate-penalty6-new",
                f"add mailgate-penalty6-new 2001:db8::/64 timeout {LONGEST}",
                "swap mailgate-penalty6-new mailgate-penalty6",
                "destroy mailgate-penalty6-new",
            ],
        )

    def test_nobody(self):
        """
        Where nobody is to be kept out, the sets are emptied.
        """
        self.assertNotIn("add ", nftables(()))
        self.assertIn("flush set inet mailgate penalty6", nftables(()))
        self.assertNotIn("add ", ipset(()))

    def test_within(self):
        """
        An address in a network that is kept out is left out: nft refuses to have both.
        """
        bans = [*BANS, Ban.of("192.0.2.0/24", 5.0)]
        self.assertNotIn("192.0.2.7", nftables(bans))
        self.assertIn("192.0.2.0/24 timeout 5s", nftables(bans))
        self.assertIn("198.51.100.1", nftables(bans))
