"""
Servers of ours that bring the mail of strangers: it is judged by the stranger, not by them.
"""

from __future__ import annotations

from attrs import evolve, frozen

from mailgate.config.model import Settings
from mailgate.config.values import parse_network
from mailgate.finding import RELAY, Finding, Result
from mailgate.interfaces import IMessage
from mailgate.message.envelope import Session
from mailgate.message.hops import RESULTS, Hop, Trust, origin_of
from mailgate.message.section import header_section
from mailgate.wire.network import address_of

SYMBOL = "RELAYED"


@frozen
class Relays:
    """
    Which they are, and what may be done with what they bring.
    """

    trust: Trust
    may_refuse: bool
    """Whether it may be refused. A relay has said 250 to the stranger already, and sends a notice
    to whoever the stranger claims to be."""

    are_stored: bool = False
    """Whether the messages are stored ones, which nobody brings: any may have come by a relay."""

    @classmethod
    def from_settings(cls, settings: Settings) -> Relays:
        """
        Take them from a configuration.
        """
        section = settings.relays
        return cls(
            Trust(tuple(map(parse_network, section.networks)), section.names), section.refuse
        )

    def has(self, session: Session) -> bool:
        """
        Tell whether a client is one of them. People and machines of ours are no relays: what they
        send is theirs.
        """
        if self.are_stored:
            return bool(self.trust)
        if not self.trust.networks or session.is_trusted:
            return False
        address = address_of(session.client)
        return address is not None and self.trust.has_address(address)

    def origin(self, relay: Session, message: IMessage) -> tuple[Result, Session | None]:
        """
        Find from whom a relay has a message.

        @return: what is to be said of it, with the values of the Authentication-Results that relays
            of ours have added as its fact; and the session as it would be had the stranger come
            here, C{None} where there is none.
        """
        client = None if self.are_stored else relay.client
        origin = origin_of(header_section(message), self.trust, client)
        whose = "A relay of ours" if client is None else f"Our relay {client}"
        if origin is None:
            words = (
                f"{whose} has brought this message, and its Received fields name no stranger: it "
                "is from within, or they cannot be read. Nothing was asked of the client."
            )
            return _said(words), None
        hop = origin.hop
        named = f", which called itself {hop.helo}" if hop.helo else ""
        words = f"{whose} has brought this message from {hop.client}{named}."
        return _said(words, origin.added(RESULTS)), as_client(relay, hop)


NO_RELAYS = Relays(Trust(), may_refuse=True)


def as_client(session: Session, hop: Hop) -> Session:
    """
    Give a session as it would be had the client of C{hop} come here itself.
    """
    return evolve(
        session,
        client=str(hop.client),
        port=0,
        helo=hop.helo,
        is_esmtp=hop.protocol.startswith("ESMTP"),
        tls="",
        local="",
    )


def _said(words: str, results: tuple[bytes, ...] = ()) -> Result:
    return Result(RELAY, (Finding(SYMBOL, 0.0, words, check=RELAY, fact=results),))
