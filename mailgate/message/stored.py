"""
The transaction by which a stored message came, as it was while the client was there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailgate.message.envelope import Envelope, Session
from mailgate.wire.parameters import RcptParameters

if TYPE_CHECKING:
    from mailgate.store.messages import StoredMessage
    from mailgate.wire.address import Address


def session_of(stored: StoredMessage) -> Session:
    """
    Give the session, as far as it is stored.
    """
    return Session(
        id=stored.session,
        listener=stored.listener,
        role=stored.role,
        client=stored.client,
        port=stored.port,
        started=stored.started,
        helo=stored.helo,
        is_esmtp=stored.is_esmtp,
        tls=stored.tls,
        account=stored.account,
    )


def envelope_of(stored: StoredMessage, recipient: Address, wish: RcptParameters) -> Envelope:
    """
    Give the envelope of the copy for one recipient.

    @param wish: what was said of notices for it.
    """
    return Envelope(
        session=session_of(stored),
        trace=stored.trace,
        sender=stored.sender,
        received=stored.received,
        size=stored.declared,
        body=stored.body,
        utf8=stored.utf8,
        ret=stored.ret,
        envid=stored.envid,
        wishes={recipient.key: wish} if wish else {},
    )
