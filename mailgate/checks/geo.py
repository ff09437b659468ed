"""
In which country the client is, and in whose network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import frozen
from zope.interface import implementer

from mailgate.checks.words import quote
from mailgate.config.checks import GeoCheck as Section
from mailgate.config.model import Settings
from mailgate.config.values import parse_network
from mailgate.finding import Finding
from mailgate.interfaces import ICheck, Phase, Scope
from mailgate.knowledge.geo import Geo, Place
from mailgate.wire.network import Network, address_of, is_within

if TYPE_CHECKING:
    from mailgate.pipeline.view import View


@implementer(ICheck)
@frozen
class GeoCheck:
    """
    Where the client is, by files of the operator.
    """

    section: Section
    geo: Geo
    exempt_networks: tuple[Network, ...]
    deadline: float

    name = "geo"
    phase = Phase.CONNECT
    scope = Scope.SESSION
    after = ()
    needs = ()
    symbols = frozenset({"GEO_PLACE", "GEO_COUNTRY", "GEO_SYSTEM"})

    @classmethod
    def from_settings(cls, settings: Settings, geo: Geo) -> GeoCheck:
        """
        Make the check of a configuration.
        """
        section = settings.checks.geo
        exempt = tuple(map(parse_network, section.exempt_networks))
        return cls(section, geo, exempt, section.deadline)

    def check(self, view: View) -> Sequence[Finding]:
        """
        Say where the client is, and what that counts.
        """
        session = view.session
        address = address_of(session.client)
        if address is None or session.is_trusted or is_within(address, self.exempt_networks):
            return ()
        place = self.geo.find(address)
        if not place:
            return ()
        findings = [Finding("GEO_PLACE", 0.0, f"The client is in {_in_words(place)}.", fact=place)]
        score = self.section.countries.get(place.country)
        if score is not None:
            words = f"The client is in {_country(place)}, which counts here."
            findings.append(Finding("GEO_COUNTRY", score, words))
        score = None if place.system is None else self.section.systems.get(str(place.system))
        if score is not None:
            words = f"The client is in {_system(place)}, which counts here."
            findings.append(Finding("GEO_SYSTEM", score, words))
        return findings


def _in_words(place: Place) -> str:
    parts = [_country(place)] if place.country else []
    if place.system is not None:
        parts.append(_system(place))
    return ", in ".join(parts)


def _country(place: Place) -> str:
    return f"{place.country_name} ({place.country})" if place.country_name else place.country


def _system(place: Place) -> str:
    name = f" ({quote(place.system_name)})" if place.system_name else ""
    return f"the network AS{place.system}{name}"
