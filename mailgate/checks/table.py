"""
The built-in checks by name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from mailgate.checks.headers import HeadersCheck
from mailgate.checks.helo import HeloCheck
from mailgate.config.model import CheckMode, Settings
from mailgate.interfaces import ICheck

CHECKS: Mapping[str, Callable[[Settings], ICheck]] = {
    "helo": HeloCheck.from_settings,
    "headers": HeadersCheck.from_settings,
}
"""What makes each check, by the name of its table C{[checks.NAME]} in the configuration."""


def make_checks(settings: Settings) -> Sequence[ICheck]:
    """
    Make all checks that are not off.
    """
    off = checks_off(settings)
    return [make(settings) for name, make in CHECKS.items() if name not in off]


def checks_off(settings: Settings) -> Collection[str]:
    """
    Name the checks that are off.
    """
    return {name for name in CHECKS if getattr(settings.checks, name).mode is CheckMode.OFF}
