"""
Tests of L{mailgate.delivery.routes}.
"""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.delivery import Group, Route
from mailgate.delivery.maildir import MaildirDelivery
from mailgate.delivery.routes import Routes, make_deliveries, make_routes
from mailgate.delivery.smtp_delivery import SmtpDelivery
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads
from mailgate.wire.address import Address
from tests.delivery.given import ScriptedDelivery
from tests.delivery.network import make_settings as make_smtp
from tests.storage import make_settings, temporary_folder


class RoutesTests(SynchronousTestCase):
    """
    The way from a domain to an upstream.
    """

    def setUp(self):
        """
        Make two routes to two upstreams; a third upstream gets no mail.
        """
        names = ("one", "two", "unused")
        self.deliveries = {name: ScriptedDelivery(name) for name in names}
        self.routes = Routes(
            (
                Route(domains=("example.com", "example.net"), upstream="one"),
                Route(domains=("example.org",), upstream="two"),
            ),
            self.deliveries,
            Clock(),
        )

    def route(self, local, domain):
        """
        Give the name of the upstream for an address.
        """
        delivery = self.routes.route_for(Address(local, domain))
        return delivery and delivery.name

    def test_route_for(self):
        """
        The domain, in any case, decides; its subdomains are others.
        """
        for domain, name in (
            ("example.com", "one"),
            ("Example.NET", "one"),
            ("EXAMPLE.ORG", "two"),
            ("sub.example.com", None),
            ("example.com.", None),
            ("xample.com", None),
            ("[192.0.2.1]", None),
        ):
            self.assertEqual(self.route("ada", domain), name, domain)

    def test_own_addresses(self):
        """
        What is for the gateway itself can be queued though no route names its domain.
        """
        ours = Address("spam", "report.example.com", is_command=True)
        self.assertIsNotNone(self.routes.upstream_for(ours))
        self.assertIsNone(self.routes.route_for(ours))

    def test_postmaster(self):
        """
        C{postmaster} without a domain is the one of the first domain.
        """
        self.assertEqual(self.route("postmaster", ""), "one")
        full = self.routes.full_address(Address("PostMaster", ""))
        self.assertEqual(full, Address("PostMaster", "example.com"))

    def test_full_address(self):
        """
        An address with a domain stays as it is.
        """
        address = Address("Ada", "Example.ORG")
        self.assertIs(self.routes.full_address(address), address)

    def test_default(self):
        """
        C{*} is for people and machines of ours only, and nobody's C{postmaster}.
        """
        routes = Routes(
            (
                Route(domains=("*",), upstream="two"),
                Route(domains=("example.com",), upstream="one"),
            ),
            self.deliveries,
            Clock(),
        )
        away = Address("eve", "elsewhere.example")
        self.assertIsNone(routes.route_for(away))
        self.assertIs(routes.upstream_for(away), self.deliveries["two"])
        self.assertEqual(routes.first_domain, "example.com")
        self.assertEqual({each.name for each in routes.deliveries()}, {"one", "two"})

    def test_deliveries(self):
        """
        Each upstream that has a route is named once.
        """
        self.assertEqual([each.name for each in self.routes.deliveries()], ["one", "two"])


class AddressTests(SynchronousTestCase):
    """
    Routes by address and by group, and those with several upstreams.
    """

    def setUp(self):
        """
        Make them.
        """
        self.file = temporary_folder(self) / "group"
        self.file.write_text("dora@example.com\nada@example.com\nzoe@elsewhere.example\n")
        self.deliveries = {name: ScriptedDelivery(name) for name in ("one", "two", "three", "four")}
        settings = make_settings(temporary_folder(self)).model_copy(
            update={
                "route": (
                    Route(domains=("example.com",), upstream="one"),
                    Route(groups=("people", "file"), upstream=["two", "three"]),
                    Route(addresses=("ada@example.com", "pl+us@example.com"), upstream="three"),
                    Route(groups=("late",), domains=("example.net",), upstream=["two", "three"]),
                    Route(
                        addresses=("only@example.org",),
                        upstream=[{"name": "two", "weight": 2}, {"name": "four"}],
                    ),
                ),
                "group": {
                    "people": Group(members=("bob@example.com", "Carl@Example.COM")),
                    "file": Group(file=self.file),
                    "late": Group(members=("bob@example.com", "eve@example.net")),
                },
            }
        )
        self.routes = make_routes(settings, self.deliveries, Clock(), ImmediateThreads())

    def route(self, address):
        """
        Give the name of the upstream for an address.
        """
        delivery = self.routes.route_for(Address(*address.split("@")))
        return delivery and delivery.name

    def test_order(self):
        """
        An address comes before the groups it is in, these before its domain, and a group before a
        later one.
        """
        for address, name in (
            ("ada@example.com", "three"),
            ("bob@example.com", "two, three"),
            ("CARL@EXAMPLE.com", "two, three"),
            ("dora@example.com", "two, three"),
            ("frank@example.com", "one"),
            ("frank@example.net", "two, three"),
            ("only@example.org", "two, four"),
            ("frank@example.org", None),
            ("zoe@elsewhere.example", "two, three"),
        ):
            self.assertEqual(self.route(address), name, address)

    def test_plus(self):
        """
        What stands behind a plus leads to the same place, unless it is named itself.
        """
        self.assertEqual(self.route("ada+list@example.com"), "three")
        self.assertEqual(self.route("Bob+a+b@example.com"), "two, three")
        self.assertEqual(self.route("pl+us@example.com"), "three")
        self.assertEqual(self.route("pl@example.com"), "one")
        self.assertEqual(self.route("+bob@example.com"), "one")

    def test_same_choice(self):
        """
        Routes with the same upstreams are one way, so that a message for both goes out once.
        """
        one = self.routes.route_for(Address("bob", "example.com"))
        other = self.routes.route_for(Address("frank", "example.net"))
        self.assertIs(one, other)
        self.assertEqual(
            [each.name for each in self.routes.deliveries()],
            ["one", "two, three", "three", "two, four"],
        )

    def test_file_changes(self):
        """
        A changed file of a group is taken up.
        """
        self.file.write_text("frank@example.com\n")
        self.successResultOf(self.routes.refresh())
        self.assertEqual(self.route("frank@example.com"), "two, three")
        self.assertEqual(self.route("dora@example.com"), "one")

    def test_wrong_file(self):
        """
        At the start a wrong one ends the process in words.
        """
        self.file.write_text("frank\n")
        settings = make_settings(temporary_folder(self)).model_copy(
            update={"group": {"file": Group(file=self.file)}}
        )
        error = self.assertRaises(
            SystemExit, make_routes, settings, self.deliveries, Clock(), ImmediateThreads()
        )
        self.assertIn("group: line 1 must be an address", str(error))


class MakeDeliveriesTests(SynchronousTestCase):
    """
    Tests of L{make_deliveries}.
    """

    def test_kinds(self):
        """
        Each upstream of the configuration is made, as what it is.
        """
        settings = make_settings(temporary_folder(self))
        upstreams = {**settings.upstream, "inner": make_smtp()}
        settings = settings.model_copy(update={"upstream": upstreams})
        deliveries = make_deliveries(settings, Clock(), Files(), ImmediateThreads(), float)
        self.assertEqual(
            {name: (type(each), each.name) for name, each in deliveries.items()},
            {"inbox": (MaildirDelivery, "inbox"), "inner": (SmtpDelivery, "inner")},
        )

    def test_wrong_file(self):
        """
        A file that an upstream needs and that is of no use ends the process in words.
        """
        folder = temporary_folder(self)
        settings = make_settings(folder)
        for wrong in (
            {"tls": "verified", "ca_file": folder / "none.pem"},
            {"tls": "required", "certificate": folder / "none.pem", "key": folder / "none.key"},
            {"user": "ada", "password_file": folder / "none"},
        ):
            upstreams = {"inner": make_smtp(**wrong)}
            given = settings.model_copy(update={"upstream": upstreams})
            error = self.assertRaises(
                SystemExit, make_deliveries, given, Clock(), Files(), ImmediateThreads(), float
            )
            self.assertIn("mailgate: [upstream.inner] cannot be used: ", str(error))
