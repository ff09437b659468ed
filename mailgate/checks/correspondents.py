"""
Whether there was mail with the author before, or with somebody whom the author only looks like.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from attrs import frozen
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailgate.checks.known import Known
from mailgate.checks.outside import Outside
from mailgate.checks.vouching import vouches_for_author
from mailgate.checks.waiting import at_once
from mailgate.checks.words import listed, quote
from mailgate.config.checks import CorrespondentsCheck as Section
from mailgate.config.model import Settings
from mailgate.finding import Finding, Kind
from mailgate.interfaces import Contact, ICheck, MaybeDeferred, Phase, Question, Scope
from mailgate.knowledge.contacts import Contacts
from mailgate.message.header import Headers
from mailgate.message.mailbox import only_mailbox
from mailgate.wire.normal import normal_address
from mailgate.wording import say

if TYPE_CHECKING:
    from mailgate.pipeline.view import View

_RECIPIENTS = 20
"""Of how many recipients it is asked whether they have written to the author."""


@implementer(ICheck)
@frozen
class CorrespondentsCheck:
    """
    Credit for those to whom people here write, and a warning of those who look like them.
    """

    section: Section
    outside: Outside
    contacts: Contacts | None
    deadline: float

    name = "correspondents"
    phase = Phase.HEADERS
    scope = Scope.TRANSACTION
    after = ("spf", "dkim", "dmarc")
    needs = ("fields",)
    symbols = frozenset(
        (
            "CORRESPONDENT_HEARD",
            "CORRESPONDENT_LOOKALIKE",
            "CORRESPONDENT_NEW",
            "CORRESPONDENT_OF_RECIPIENT",
            "CORRESPONDENT_WRITTEN",
        )
    )

    @classmethod
    def from_settings(cls, settings: Settings, known: Known) -> CorrespondentsCheck:
        """
        Make the check of a configuration.
        """
        section = settings.checks.correspondents
        outside = Outside.from_settings(settings)
        return cls(section, outside, known.contacts, section.deadline)

    def check(self, view: View) -> MaybeDeferred[Sequence[Finding]]:
        """
        Give what is known of the author, where a domain vouches for it. The finding says that this
        is so, and by it the hub knows that the message counts as heard.
        """
        if self.contacts is None or not self.outside.has(view.session):
            return ()
        headers: Headers = view.fact("fields")
        author = only_mailbox(headers, "From")
        if not author or not vouches_for_author(view, author.rpartition("@")[2]):
            return ()
        people = [normal_address(each.person) for each in view.recipients[:_RECIPIENTS]]
        named = [normal_address(each) for each in view.recipients[:_RECIPIENTS]]
        ours = tuple(dict.fromkeys((*people, *named)))
        asking = self.contacts.of(Question(author, ours))
        if isinstance(asking, Deferred):
            return at_once(self._ask(asking))
        return tuple(self._findings(asking))

    async def _ask(self, asking: Deferred[Contact]) -> Sequence[Finding]:
        return tuple(self._findings(await asking))

    def _findings(self, known: Contact) -> Iterator[Finding]:
        section = self.section
        symbol, score = "CORRESPONDENT_NEW", 0.0
        words = say(
            "There was no mail with the author {author} before, as far as is known.",
            author=quote(known.theirs),
        )
        if known.is_own:
            symbol, score = "CORRESPONDENT_OF_RECIPIENT", section.own_score
            words = say(
                "The recipient has written to the author {author}; the last mail was of {day}.",
                author=quote(known.theirs),
                day=_day(known.written),
            )
        elif known.written:
            symbol, score = "CORRESPONDENT_WRITTEN", section.written_score
            words = say(
                "Somebody here has written to the author {author}, last on {day}.",
                author=quote(known.theirs),
                day=_day(known.written),
            )
        elif known.heard:
            symbol = "CORRESPONDENT_HEARD"
            words = say(
                "Mail of the author {author} was delivered here before, last on {day}.",
                author=quote(known.theirs),
                day=_day(known.heard),
            )
        yield Finding(symbol, score, words, fact=known)
        if known.alike:
            yield Finding(
                "CORRESPONDENT_LOOKALIKE",
                section.lookalike_score,
                say(
                    "The author {author} looks like somebody to whom people here write: {domains}.",
                    author=quote(known.theirs),
                    domains=listed(map(quote, known.alike)),
                ),
                kind=Kind.PHISHING,
            )


def contact_of(view: View) -> Contact | None:
    """
    Give what the check has found, or C{None} where nothing vouches for the author.
    """
    for finding in view.findings_of(CorrespondentsCheck.name):
        if isinstance(finding.fact, Contact):
            return finding.fact
    return None


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))
