"""
Tests of L{mailgate.delivery.routes}.
"""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.model import Route
from mailgate.delivery.maildir import MaildirDelivery
from mailgate.delivery.routes import Routes, make_deliveries
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
        )
        away = Address("eve", "elsewhere.example")
        self.assertIsNone(routes.route_for(away))
        self.assertIs(routes.upstream_for(away), self.deliveries["two"])
        self.assertEqual(routes.first_domain, "example.com")
        self.assertEqual([each.name for each in routes.deliveries()], ["one", "two"])

    def test_deliveries(self):
        """
        Each upstream that has a route is named once.
        """
        self.assertEqual([each.name for each in self.routes.deliveries()], ["one", "two"])


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
