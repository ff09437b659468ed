"""
Whose mail was bad lately: the penalty box.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import frozen
from zope.interface import implementer

from mailgate.config.checks import PenaltyCheck as Section
from mailgate.config.model import Settings
from mailgate.config.values import parse_network
from mailgate.finding import Finding
from mailgate.interfaces import ICheck, Phase, Scope
from mailgate.knowledge.penalty import Penalties, Penalty
from mailgate.wire.network import Network, address_of, client_names, is_within

if TYPE_CHECKING:
    from mailgate.pipeline.view import View


@implementer(ICheck)
@frozen
class PenaltyCheck:
    """
    Whether a stranger's address or network is in the penalty box.
    """

    section: Section
    penalties: Penalties
    exempt_networks: tuple[Network, ...]
    deadline: float

    name = "penalty"
    phase = Phase.RCPT
    scope = Scope.RECIPIENT
    after = ()
    needs = ()
    symbols = frozenset({"PENALTY_ADDRESS", "PENALTY_NETWORK"})

    @classmethod
    def from_settings(cls, settings: Settings, penalties: Penalties) -> PenaltyCheck:
        """
        Make the check of a configuration.
        """
        section = settings.checks.penalty
        return cls(
            section,
            penalties,
            tuple(map(parse_network, section.exempt_networks)),
            section.deadline,
        )

    def check(self, view: View) -> Sequence[Finding]:
        """
        Give a finding for the address or its network, whichever weighs more.
        """
        session = view.session
        if not self.penalties or not session.is_stranger:
            return ()
        findings = []
        for name in client_names(session.client):
            penalty = self.penalties.find(name)
            if penalty is not None and penalty.is_boxed(view.now, self.section):
                findings.append(self._finding(penalty.aged(view.now, self.section.half_life_hours)))
        if not findings:
            return ()
        address = address_of(session.client)
        if address is not None and is_within(address, self.exempt_networks):
            return ()
        # What the address has done the network has done too: it counts once.
        return (max(findings, key=lambda finding: (finding.is_enforced, finding.score)),)

    def _finding(self, penalty: Penalty) -> Finding:
        section, name = self.section, penalty.name
        words = (
            f"By what came from {name} lately {penalty.bad:,.1f} points speak against it and"
            f" {penalty.good:,.1f} for it."
        )
        score = section.address_score if penalty.is_client else section.network_score
        return Finding(
            "PENALTY_ADDRESS" if penalty.is_client else "PENALTY_NETWORK",
            round(score * penalty.share, 2),
            words,
            f"too much unwanted mail came from {name} lately",
            is_enforced=penalty.bad >= section.enforce_points,
        )
