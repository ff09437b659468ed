"""
By which name the checks know a sender.
"""

from __future__ import annotations

from mailgate.classify.known import FREE_MAIL
from mailgate.config.model import Settings
from mailgate.knowledge.senders import Names


def names_of(settings: Settings) -> Names:
    """
    Give what names senders by a configuration; the hub names them in the same way.
    """
    return Names(FREE_MAIL.union(settings.checks.reputation.shared_domains))
