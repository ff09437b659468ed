"""
Addresses that nobody uses: whoever writes to one has it from a list of spammers, or has guessed it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import frozen
from zope.interface import implementer

from mailgate.checks.words import quote
from mailgate.config.checks import TrapsCheck as Section
from mailgate.config.model import Settings
from mailgate.config.values import parse_network
from mailgate.finding import Finding
from mailgate.interfaces import ICheck, Phase, Scope
from mailgate.knowledge.traps import TrappedClients
from mailgate.verdict import Kind
from mailgate.wire.network import Network, address_of, is_within

if TYPE_CHECKING:
    from mailgate.message.envelope import Session
    from mailgate.pipeline.view import View

_HOUR = 3600.0


@implementer(ICheck)
@frozen
class TrapsCheck:
    """
    Whether a recipient is a trap, or another one of the message, and whether its client has written
    to one lately.
    """

    section: Section
    trapped: TrappedClients
    exempt_networks: tuple[Network, ...]
    deadline: float

    name = "traps"
    phase = Phase.HEADERS
    scope = Scope.RECIPIENT
    after = ()
    needs = ()
    symbols = frozenset({"TRAP_RECIPIENT", "TRAP_AMONG", "TRAP_SENDER", "TRAP_NETWORK"})

    @classmethod
    def from_settings(cls, settings: Settings, trapped: TrappedClients) -> TrapsCheck:
        """
        Make the check of a configuration.
        """
        section = settings.checks.traps
        exempt = tuple(map(parse_network, section.exempt_networks))
        return cls(section, trapped, exempt, section.deadline)

    def check(self, view: View) -> Sequence[Finding]:
        """
        Say what is known of the recipients, else of the client.
        """
        if view.recipient.is_trap:
            words = f"Nobody uses {quote(str(view.recipient))}: it is a trap."
            return (Finding("TRAP_RECIPIENT", self.section.recipient_score, words, kind=Kind.SPAM),)
        for other in view.recipients:
            if other.is_trap:
                words = f"It is also for {quote(str(other))}, which nobody uses: it is a trap."
                return (self._counts("TRAP_AMONG", self.section.among_score, words),)
        if self._is_exempt(view.session):
            return ()
        since = view.now - self.section.sender_hours * _HOUR
        found = self.trapped.find(view.session.client, since)
        if found is None:
            return ()
        trapped, is_itself = found
        before = _before(view.now - trapped.at)
        if is_itself:
            words = f"Its client, {view.session.client}, wrote to a trap {before}."
            return (self._counts("TRAP_SENDER", self.section.sender_score, words),)
        words = f"{trapped.client}, in the network of its client, wrote to a trap {before}."
        return (self._counts("TRAP_NETWORK", self.section.network_score, words),)

    def _counts(self, symbol: str, score: float, words: str) -> Finding:
        # What is enforced is for the trap alone: nobody else's mail is discarded for it.
        return Finding(symbol, score, words, is_enforced=False)

    def _is_exempt(self, session: Session) -> bool:
        address = address_of(session.client)
        return session.is_trusted or address is None or is_within(address, self.exempt_networks)


def _before(seconds: float) -> str:
    minutes = round(max(0.0, seconds) / 60)
    if minutes < 120:
        return f"{minutes} minute{'s' * (minutes != 1)} before"
    return f"{round(minutes / 60)} hours before"
