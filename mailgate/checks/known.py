"""
What the checks are given that is known here and no setting.
"""

from __future__ import annotations

from attrs import field, frozen

from mailgate.classify.classifier import Classifier
from mailgate.knowledge.lists import Lists


@frozen(eq=False)
class Known:
    """
    What is known; by default nothing is.
    """

    lists: Lists = field(factory=Lists)
    """What people allow and block."""

    classifier: Classifier = field(factory=Classifier)
    """What was learned of spam and ham."""
