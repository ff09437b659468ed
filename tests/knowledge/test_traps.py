"""
Tests of L{mailgate.knowledge.traps}.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.knowledge.traps import Bait, Trap, Trapped, TrappedClients, TrapRule, Traps
from mailgate.wire.address import Address
from tests.checks.given import NOW, settings

CLIENT = "192.0.2.7"


def trap(address, is_guessed=False, number=1):
    """
    Make a trap.
    """
    return Trap(number, address, is_guessed, NOW, "ada")


class TrapRuleTests(SynchronousTestCase):
    """
    Tests of what is a trap.
    """

    def bait(self, text, client=CLIENT, made=(), separator="", **options):
        """
        Tell what an address is.
        """
        given = settings(traps=options)
        verification = given.verification.model_copy(update={"separator": separator})
        traps = Traps()
        traps.take(made)
        rule = TrapRule.from_settings(
            given.model_copy(update={"verification": verification}), traps
        )
        local, _, domain = text.rpartition("@")
        return rule.bait(Address(local, domain), client)

    def test_configured(self):
        """
        An address is compared as everywhere; C{@} and a domain are all its addresses.
        """
        for text in ("old@example.com", "Old@EXAMPLE.com", '"old"@example.com'):
            self.assertIs(self.bait(text, addresses=["OLD@example.com"]), Bait.SURE, text)
        self.assertIsNone(self.bait("older@example.com", addresses=["old@example.com"]))
        self.assertIs(self.bait("any@example.com", addresses=["@example.com"]), Bait.SURE)
        self.assertIsNone(self.bait("any@example.net", addresses=["@example.com"]))

    def test_made(self):
        """
        What somebody has made a trap is one in any case; what was guessed only if nobody has it.
        """
        made = (trap("a@example.com"), trap("b@example.com", is_guessed=True))
        self.assertIs(self.bait("a@example.com", made=made), Bait.SURE)
        self.assertIs(self.bait("B@example.com", made=made), Bait.IF_NOBODY)
        self.assertIsNone(self.bait("c@example.com", made=made))

    def test_extension(self):
        """
        What stands behind the separator does not count, where there is one.
        """
        options = {"addresses": ["old@example.com"]}
        self.assertIs(self.bait("old+x@example.com", separator="+", **options), Bait.SURE)
        self.assertIsNone(self.bait("old+x@example.com", **options))

    def test_protected(self):
        """
        Where people complain is no trap, whatever the pattern.
        """
        for local in ("postmaster", "Abuse", '"abuse"'):
            self.assertIsNone(self.bait(f"{local}@example.com", addresses=["@example.com"]))
        self.assertIsNone(self.bait("postmaster", addresses=["@example.com"]))

    def test_exempt(self):
        """
        For clients that are exempt it is an address like any other.
        """
        options = {"addresses": ["@example.com"], "exempt_networks": [CLIENT]}
        self.assertIsNone(self.bait("a@example.com", **options))
        self.assertIs(self.bait("a@example.com", "192.0.2.8", **options), Bait.SURE)

    def test_catches(self):
        """
        Mail is taken for what does not exist only where it is kept back for certain.
        """
        for mode, catches in (("enforce", True), ("score", False), ("observe", False)):
            rule = TrapRule.from_settings(settings(traps={"mode": mode}), Traps())
            self.assertEqual(rule.catches, catches)
        watching = settings().model_copy(update={"mode": "observe"})
        self.assertFalse(TrapRule.from_settings(watching, Traps()).catches)


class TrappedTests(SynchronousTestCase):
    """
    Tests of L{TrappedClients}.
    """

    def test_find(self):
        """
        The client itself is found, else another one of its network, as long as it is not too long
        ago.
        """
        clients = TrappedClients()
        self.assertIsNone(clients.find(CLIENT, 0))
        seen = Trapped(CLIENT, NOW)
        clients.take((seen, Trapped("nobody", NOW)))
        self.assertEqual(clients.find(CLIENT, NOW - 1), (seen, True))
        self.assertEqual(clients.find(f"::ffff:{CLIENT}", NOW - 1), (seen, True))
        self.assertEqual(clients.find("192.0.2.8", NOW - 1), (seen, False))
        self.assertIsNone(clients.find("192.0.3.7", NOW - 1))
        self.assertIsNone(clients.find(CLIENT, NOW))
        self.assertIsNone(clients.find("nobody", 0))

    def test_bounded(self):
        """
        A35: from however many addresses they come, so many are remembered, those who came last.
        """
        clients = TrappedClients(3)
        for number in range(1000):
            clients.take((Trapped(f"10.0.{number % 250}.{number // 250}", NOW + number),))
        clients.take((Trapped("10.0.247.3", NOW + 1001),))
        self.assertEqual(
            [each.client for each in clients], ["10.0.248.3", "10.0.249.3", "10.0.247.3"]
        )
