"""
What shall happen to a message, as the policy decides it.
"""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen

from mailgate.finding import Finding
from mailgate.finding import Kind as Kind
from mailgate.reply import Reply
from mailgate.wire.address import Address


class Action(StrEnum):
    """
    The six things that can happen to a message.
    """

    ACCEPT = "accept"
    TAG = "tag"
    DEFER = "defer"
    QUARANTINE = "quarantine"
    REJECT = "reject"
    DISCARD = "discard"


@frozen
class Verdict:
    """
    The decision for one group of recipients that share a policy.
    """

    action: Action
    findings: tuple[Finding, ...]
    total: float
    """The sum of the findings' scores."""

    recipients: tuple[Address, ...] = ()
    """Whom it is about, in RCPT order; empty before the first RCPT."""

    reply: Reply | None = None
    """What the client is told; set if and only if C{action} is C{defer} or C{reject}."""

    kind: Kind = Kind.SPAM
    """Why it is held, where C{action} is C{quarantine}."""

    would: Action | None = None
    """The action that watching (C{mode = "observe"}) kept from being taken."""
