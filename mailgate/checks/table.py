"""
The built-in checks by name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from mailgate.checks.attachments import AttachmentsCheck
from mailgate.checks.bayes import BayesCheck
from mailgate.checks.headers import HeadersCheck
from mailgate.checks.helo import HeloCheck
from mailgate.checks.known import Known
from mailgate.checks.lists import ListsCheck
from mailgate.config.checks import CheckMode
from mailgate.config.model import Settings
from mailgate.interfaces import ICheck

CHECKS: Mapping[str, Callable[[Settings, Known], ICheck]] = {
    "helo": lambda settings, known: HeloCheck.from_settings(settings),
    "headers": lambda settings, known: HeadersCheck.from_settings(settings),
    "attachments": lambda settings, known: AttachmentsCheck.from_settings(settings),
    "lists": lambda settings, known: ListsCheck.from_settings(settings, known.lists),
    "bayes": lambda settings, known: BayesCheck.from_settings(settings, known.classifier),
}
"""What makes each check, by the name of its table C{[checks.NAME]} in the configuration."""


def make_checks(settings: Settings, known: Known) -> Sequence[ICheck]:
    """
    Make all checks that are not off.
    """
    off = checks_off(settings)
    return [make(settings, known) for name, make in CHECKS.items() if name not in off]


def checks_off(settings: Settings) -> Collection[str]:
    """
    Name the checks that are off.
    """
    return {name for name in CHECKS if getattr(settings.checks, name).mode is CheckMode.OFF}
