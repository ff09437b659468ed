"""
What the check C{phishing} looks at of one message.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from attrs import define, frozen

from mailgate.authentication.author import author_of
from mailgate.classify.reading import Mailbox
from mailgate.message.header import Headers
from mailgate.message.links import Place
from mailgate.message.urls import are_related, organisation

if TYPE_CHECKING:
    from mailgate.pipeline.view import View

HOSTS = 64
"""How many hosts of links are looked at."""


@frozen
class Sender:
    """
    Whom From names.
    """

    mailbox: Mailbox
    domains: tuple[str, ...]
    """Its domain or, where From is unclear, all that some mail program may read there."""

    @classmethod
    def of(cls, headers: Headers) -> Sender:
        """
        Read it, leniently.
        """
        author = headers.once(author_of)
        mailbox = Mailbox.parse(next(iter(headers.values("From")), b""))
        known = (author.domain,) if author.domain else author.candidates
        return cls(mailbox, known or ((mailbox.domain,) if mailbox.domain else ()))

    def is_related(self, domain: str) -> bool:
        """
        Tell whether a domain is likely to be of the same organisation.
        """
        other = organisation(domain)
        return any(are_related(other, organisation(each)) for each in self.domains)


@define
class Case:
    """
    What is looked at of one message.
    """

    view: View
    sender: Sender
    places: Sequence[Place]

    @property
    def headers(self) -> Headers:
        """
        Give the header fields.
        """
        headers: Headers = self.view.fact("fields")
        return headers

    @cached_property
    def subject(self) -> str:
        """
        Give the subject as a person reads it.
        """
        return self.headers.text("subject")

    @cached_property
    def leads_to_sender(self) -> bool:
        """
        Tell whether any link leads to the sender.
        """
        return any(self.sender.is_related(each.organisation) for p in self.places for each in p.all)
