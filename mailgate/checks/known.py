"""
What the checks are given that is known here and no setting.
"""

from __future__ import annotations

from attrs import field, frozen

from mailgate.classify.classifier import Classifier
from mailgate.interfaces import IResolvers
from mailgate.knowledge.lists import Lists
from mailgate.net.dns.nowhere import Nowhere


@frozen(eq=False)
class Known:
    """
    What is known; by default nothing is.
    """

    lists: Lists = field(factory=Lists)
    """What people allow and block."""

    classifier: Classifier = field(factory=Classifier)
    """What was learned of spam and ham."""

    resolvers: IResolvers = field(factory=Nowhere)
    """Where each run of a check gets what it asks the DNS with."""
