"""
What the client calls itself: is it a name at all, and whose?
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

from attrs import frozen
from zope.interface import implementer

from mailgate.checks.words import quote
from mailgate.config.checks import HeloCheck as Section
from mailgate.config.model import Settings
from mailgate.config.values import parse_network
from mailgate.finding import Finding
from mailgate.interfaces import ICheck, Phase, Scope
from mailgate.message.envelope import Session
from mailgate.wire.smtp import literal_address

if TYPE_CHECKING:
    from mailgate.pipeline.view import View

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network

# RFC 5321 section 4.1.2, and the underscore, which real servers have in their names.
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
# A name that ends in a number would be an address (RFC 1123 section 2.1).
_NAME = re.compile(rf"(?:{_LABEL}\.)*(?![0-9]+\Z){_LABEL}")
_NAME_LIMIT = 255


@implementer(ICheck)
@frozen
class HeloCheck:
    """
    The argument of HELO or EHLO, by itself and against what we know without asking.
    """

    section: Section
    hostname: str
    exempt_networks: tuple[IpNetwork, ...]
    deadline: float

    name = "helo"
    phase = Phase.HELO
    scope = Scope.SESSION
    after = ()
    needs = ()
    symbols = frozenset(
        {
            "HELO_OWN_NAME",
            "HELO_FORGED_LITERAL",
            "HELO_INVALID",
            "HELO_UNQUALIFIED",
            "HELO_LITERAL",
        }
    )

    @classmethod
    def from_settings(cls, settings: Settings) -> HeloCheck:
        """
        Make the check of a configuration.
        """
        section = settings.checks.helo
        networks = tuple(map(parse_network, section.exempt_networks))
        return cls(section, settings.hostname.lower(), networks, section.deadline)

    def check(self, view: View) -> Sequence[Finding]:
        """
        Give the gravest thing that is wrong with the name, if anything is.
        """
        finding = self._judge(view.session)
        return () if finding is None else (finding,)

    def _judge(self, session: Session) -> Finding | None:
        name, client = session.helo, _plain(ip_address(session.client))
        if not name or session.client == session.local or self._is_exempt(client):
            return None
        if name.removesuffix(".").lower() == self.hostname:
            return Finding(
                "HELO_OWN_NAME",
                self.section.own_name_score,
                f"The client calls itself by our own name, {self.hostname}.",
                "HELO gives the name of this server, not of the client",
            )
        address, is_literal = _address(name)
        if address is not None:
            return self._judge_address(address, is_literal, client, session.local)
        if len(name) > _NAME_LIMIT or _NAME.fullmatch(name) is None:
            return Finding(
                "HELO_INVALID",
                self.section.syntax_score,
                f"The client calls itself {quote(name)}, which is neither a name nor an address.",
                "HELO gives no valid domain name",
            )
        if "." not in name:
            return Finding(
                "HELO_UNQUALIFIED",
                self.section.unqualified_score,
                f"The client calls itself {quote(name)}, a name without a domain.",
                "HELO gives a name without a domain",
            )
        return None

    def _judge_address(
        self, address: IpAddress, is_literal: bool, client: IpAddress, local: str
    ) -> Finding:
        if local and address == _plain(ip_address(local)):
            return Finding(
                "HELO_OWN_NAME",
                self.section.own_name_score,
                f"The client calls itself by our own address, {address}.",
                "HELO gives the address of this server, not of the client",
            )
        if address != client:
            return Finding(
                "HELO_FORGED_LITERAL",
                self.section.forged_literal_score,
                f"The client calls itself {address}, but its address is {client}.",
                "HELO gives an address that is not the client's",
            )
        if not is_literal:
            return Finding(
                "HELO_INVALID",
                self.section.syntax_score,
                f"The client calls itself {address}, an address where a name belongs.",
                "HELO gives an address without brackets",
            )
        return Finding(
            "HELO_LITERAL",
            self.section.literal_score,
            f"The client has no name for itself but its address, {address}.",
            "HELO gives an address literal, not a domain name",
        )

    def _is_exempt(self, client: IpAddress) -> bool:
        return any(client in network for network in self.exempt_networks)


def _address(name: str) -> tuple[IpAddress | None, bool]:
    """
    Give the address that a name is, and whether it stands in brackets as it should.
    """
    literal = literal_address(name)
    if literal is not None:
        return _plain(literal), True
    try:
        return _plain(ip_address(name)), False
    except ValueError:
        return None, False


def _plain(address: IpAddress) -> IpAddress:
    """
    Give an IPv4 address that is spelled as an IPv6 address in its own form.
    """
    return getattr(address, "ipv4_mapped", None) or address
