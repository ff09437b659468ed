"""
How an upstream that trusts us is told who the client was.
"""

from __future__ import annotations

from mailgate.message.envelope import Envelope, Session
from mailgate.wire.xclient import ClientAttributes


def forwarded(envelope: Envelope) -> ClientAttributes:
    """
    Give what XFORWARD says of a transaction's client, for the upstream's log.
    """
    session = envelope.session
    return ClientAttributes(
        name="",
        addr=session.client,
        port=session.port,
        proto=session.protocol,
        helo=session.helo,
        ident=envelope.trace,
        source="LOCAL" if session.is_trusted else "REMOTE",
    )


def impersonated(session: Session) -> ClientAttributes:
    """
    Give what XCLIENT says of a client, so that the upstream takes us for it. Sessions of which it
    says the same can share a connection, so the client's port is not said.
    """
    return ClientAttributes(
        name="",
        addr=session.client,
        proto="ESMTP" if session.is_esmtp else "SMTP",
        helo=session.helo,
        login=session.account or None,
        destaddr=session.local or None,
    )
