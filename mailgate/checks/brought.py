"""
What a relay of ours has found of a message before it brought it here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from mailgate.authentication.results import AuthenticationResults
from mailgate.authentication.taken import read_trusted
from mailgate.config.model import Settings
from mailgate.finding import RELAY
from mailgate.message.hops import is_named

if TYPE_CHECKING:
    from mailgate.pipeline.view import View


@frozen
class Brought:
    """
    Reads the results of the servers that are believed.
    """

    authserv_ids: tuple[str, ...]

    @classmethod
    def from_settings(cls, settings: Settings) -> Brought:
        """
        Take those of C{[relays]}.
        """
        return cls(settings.relays.authserv_ids)

    def results(self, view: View) -> AuthenticationResults | None:
        """
        Give what a relay has found, or C{None} where none is believed, or has written nothing.

        A stranger may have written such fields too, in any name; they stand below the Received with
        which a relay took the message over, and are not looked at.
        """
        if not self.authserv_ids:
            return None
        for finding in view.findings_of(RELAY):
            if isinstance(finding.fact, tuple):
                return read_trusted(finding.fact, self._believes)
        return None

    def _believes(self, server: str) -> bool:
        return is_named(server, self.authserv_ids)
