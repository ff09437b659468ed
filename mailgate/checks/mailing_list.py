"""
Which mailing list a message comes from, where that is proven and the list is known here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from mailgate.checks.vouching import vouched_domains
from mailgate.config.checks import CheckMode
from mailgate.config.model import Settings
from mailgate.knowledge.entry import ListName
from mailgate.knowledge.lists import Evidence, Lists, Source
from mailgate.message.header import Headers
from mailgate.message.mailbox import list_id
from mailgate.wire.address import Address

if TYPE_CHECKING:
    from mailgate.pipeline.view import View


@frozen
class MailingLists:
    """
    Tells the mail of lists that are known here from mail that only says it came from one.

    Anybody can write a List-Id. It counts where it is the only one, where SPF or DKIM of the domain
    in it passes, or of one above, and where the list is named in the configuration or allowed by an
    entry for each recipient.
    """

    names: frozenset[str]
    """What stands in List-Id of those in the configuration."""

    lists: Lists

    @classmethod
    def from_settings(cls, settings: Settings, lists: Lists) -> MailingLists:
        """
        Take them from a configuration, and from the entries unless these only are watched.
        """
        is_heard = settings.checks.lists.mode not in (CheckMode.OFF, CheckMode.OBSERVE)
        return cls(frozenset(settings.checks.dmarc.mailing_lists), lists if is_heard else Lists())

    def of(self, view: View) -> str:
        """
        Give what stands in List-Id, or C{""} where no known list is proven.

        The checks C{spf} and C{dkim} must come before.
        """
        headers: Headers = view.fact("fields")
        values = headers.values("List-Id")
        name = list_id(values[0]) if len(values) == 1 else ""
        if not name:
            return ""
        evidence = Evidence((), "", (name,), view.session.client, vouched_domains(view))
        if not evidence.is_vouched(name):
            return ""
        is_known = name in self.names or (
            bool(view.recipients)
            and all(self._is_allowed(evidence, each.person, view.now) for each in view.recipients)
        )
        return name if is_known else ""

    def _is_allowed(self, evidence: Evidence, recipient: Address, now: float) -> bool:
        match = self.lists.look_up(evidence, recipient, now)
        return (
            match is not None
            and match.entry.list is ListName.ALLOW
            and match.source is Source.MAILING_LIST
        )
