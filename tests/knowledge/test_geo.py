"""
Tests of L{mailgate.knowledge.geo}.
"""

from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.checks import GeoCheck as Section
from mailgate.knowledge.geo import NOWHERE, Geo, Place
from mailgate.store.threads import ImmediateThreads
from tests.mmdb import MARK, country, system, write_mmdb
from tests.pipeline.events import events
from tests.storage import temporary_folder

PLACES = {
    "192.0.2.0/24": country("FR", "France"),
    "198.51.100.7/32": {"registered_country": {"iso_code": "no"}},
    "2001:db8::/32": country("JP", "Japan"),
}
SYSTEMS = {"192.0.2.0/25": system(64496, "Example Net"), "2001:db8::/48": system(64497, "Six")}


class GeoTests(SynchronousTestCase):
    """
    Tests of L{Geo}.
    """

    def setUp(self):
        """
        Write two files.
        """
        folder = temporary_folder(self)
        self.countries, self.systems = folder / "country.mmdb", folder / "asn.mmdb"
        self.countries.write_bytes(write_mmdb(PLACES))
        self.systems.write_bytes(write_mmdb(SYSTEMS, "GeoLite2-ASN"))
        self.geo = Geo.of_check(
            Section(country_file=str(self.countries), system_file=str(self.systems))
        )

    def find(self, client):
        """
        Tell where somebody is.
        """
        return self.geo.find(ip_address(client))

    def refresh(self):
        """
        Look at the files anew, and name the events.
        """
        with events() as seen:
            self.successResultOf(Deferred.fromCoroutine(self.geo.refresh(ImmediateThreads())))
        return [event["event"] for event in seen]

    def test_find(self):
        """
        An address has a country, a system, both or none.
        """
        self.geo.load()
        for client, place in (
            ("192.0.2.7", Place("FR", "France", 64496, "Example Net")),
            ("192.0.2.200", Place("FR", "France")),
            ("198.51.100.7", Place("NO")),
            ("2001:db8::1", Place("JP", "Japan", 64497, "Six")),
            ("203.0.113.1", NOWHERE),
            ("fe80::1", NOWHERE),
        ):
            self.assertEqual(self.find(client), place, client)

    def test_nothing_configured(self):
        """
        Without files, and before they are read, nothing is known.
        """
        self.assertEqual(self.find("192.0.2.7"), NOWHERE)
        self.assertEqual(Geo.of_check(Section()).find(ip_address("192.0.2.7")), NOWHERE)
        off = Geo.of_check(Section(mode="off", country_file=str(self.countries)))
        off.load()
        self.assertEqual(off.find(ip_address("192.0.2.7")), NOWHERE)

    def test_changed(self):
        """
        A file that has changed is read again, one that has not is left alone.
        """
        self.assertEqual(self.refresh(), ["geo.read", "geo.read"])
        self.assertEqual(self.refresh(), [])
        new = self.countries.with_name("new")
        new.write_bytes(write_mmdb({"192.0.2.0/24": country("SE", "Sweden")}))
        new.rename(self.countries)
        self.assertEqual(self.refresh(), ["geo.read"])
        self.assertEqual(self.find("192.0.2.7").country, "SE")

    def test_written_over(self):
        """
        What is written over the file in place, or cut off it, harms nobody.
        """
        self.refresh()
        self.countries.write_bytes(b"")
        self.assertEqual(self.find("192.0.2.7").country, "FR")

    def test_missing_or_damaged(self):
        """
        A file that is gone, or none, is told of once; what was read before counts, and the next
        good one is taken up.
        """
        self.refresh()
        for damage in (self.countries.unlink, lambda: self.countries.write_bytes(b"nonsense")):
            damage()
            self.assertEqual(self.refresh(), ["geo.not_read"])
            self.assertEqual(self.refresh(), [])
            self.assertEqual(self.find("192.0.2.7").country, "FR")
        self.countries.write_bytes(write_mmdb({"192.0.2.0/24": country("SE")}))
        self.assertEqual(self.refresh(), ["geo.read"])

    def test_ipv4_only(self):
        """
        A file of IPv4 addresses knows no others.
        """
        text = write_mmdb({"192.0.2.0/24": country("FR")}, ip_version=4)
        self.countries.write_bytes(text)
        self.geo.load()
        self.assertEqual(self.find("192.0.2.7").country, "FR")
        self.assertEqual(self.find("2001:db9::1"), NOWHERE)

    def test_strange_records(self):
        """
        What is no record of a place, or holds what cannot be shown, is nothing.
        """
        strange = {
            "192.0.2.0/24": "text",
            "198.51.100.0/24": {"country": "FR"},
            "203.0.113.0/24": {"country": {"iso_code": 7, "names": "x"}},
            "10.0.0.0/8": country("F\n"),
        }
        self.countries.write_bytes(write_mmdb(strange))
        self.geo.load()
        for client in ("192.0.2.1", "198.51.100.1", "203.0.113.1", "10.0.0.1"):
            self.assertEqual(self.find(client).country, "", client)

    @given(st.integers(0, 600), st.binary(min_size=1, max_size=8))
    def test_damaged_anywhere(self, at, damage):
        """
        However the file is damaged, looking up does not raise.
        """
        whole = write_mmdb(PLACES)
        at = at % (len(whole) - len(MARK))
        self.countries.write_bytes(whole[:at] + damage + whole[at + len(damage) :])
        geo = Geo.of_check(Section(country_file=str(self.countries)))
        with events():
            geo.load()
            for client in ("192.0.2.7", "198.51.100.7", "2001:db8::1"):
                geo.find(ip_address(client))
