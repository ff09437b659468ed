"""
Tests of L{mailgate.checks.geo}.
"""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.geo import GeoCheck
from mailgate.config.checks import GeoCheck as Section
from mailgate.knowledge.geo import Geo
from mailgate.pipeline.view import View
from tests.checks.given import NOW, session, settings
from tests.mmdb import country, system, write_mmdb
from tests.storage import temporary_folder


class GeoCheckTests(SynchronousTestCase):
    """
    Tests of what is found.
    """

    def setUp(self):
        """
        Have two files.
        """
        folder = temporary_folder(self)
        self.files = (folder / "country.mmdb", folder / "asn.mmdb")
        self.files[0].write_bytes(write_mmdb({"192.0.2.0/24": country("FR", "France")}))
        self.files[1].write_bytes(write_mmdb({"192.0.2.0/24": system(64496, "Ex <b>")}, "ASN"))

    def found(self, client="192.0.2.7", role="mx", **options):
        """
        Give what is found of a client.
        """
        geo = Geo.of_check(Section(country_file=str(self.files[0]), system_file=str(self.files[1])))
        geo.load()
        check = GeoCheck.from_settings(settings(geo=options), geo)
        calls = evolve(session(client=client), role=role)
        return [
            (each.symbol, each.score, each.detail)
            for each in check.check(View(calls, NOW, ({}, {}), {}))
        ]

    def test_place(self):
        """
        Where a client is, is told and counts nothing.
        """
        words = "The client is in France (FR), in the network AS64496 (“Ex <b>”)."
        self.assertEqual(self.found(), [("GEO_PLACE", 0.0, words)])
        self.assertEqual(self.found("::ffff:192.0.2.7"), [("GEO_PLACE", 0.0, words)])
        self.assertEqual(self.found("203.0.113.7"), [])

    def test_counts(self):
        """
        Countries and systems that are named count what is said, for or against.
        """
        found = self.found(countries={"FR": 2.0, "NO": 3.0}, systems={"64496": -1.0})
        self.assertEqual(
            [each[:2] for each in found[1:]], [("GEO_COUNTRY", 2.0), ("GEO_SYSTEM", -1.0)]
        )
        self.assertEqual(len(self.found(countries={"NO": 3.0}, systems={"64497": 1.0})), 1)

    def test_left_alone(self):
        """
        Mail of ours, and of clients that are exempt, has no finding.
        """
        self.assertEqual(self.found(role="submission"), [])
        self.assertEqual(self.found(exempt_networks=["192.0.2.7"]), [])

    def test_wrong_names(self):
        """
        What is no country and no number is a mistake in the configuration.
        """
        for options in (
            {"countries": {"fr": 1.0}},
            {"countries": {"FRA": 1.0}},
            {"countries": {"FR": 21.0}},
            {"systems": {"AS64496": 1.0}},
        ):
            self.assertRaises(ValueError, settings, geo=options)
