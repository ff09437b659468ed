"""
What people here allow and block: addresses, domains, networks and mailing lists.

What allows counts only where SPF or DKIM of the domain passes, but for clients and for mail that
nobody has to authenticate.

One check at the headers, and none at RCPT, though the client and the envelope sender are known
there: the narrowest of all entries counts, and whether a narrower one allows the From address or
the mailing list is seen in the header only. A refusal at RCPT could not be taken back. With the
default score a block alone refuses nothing, so nothing would be won there either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import evolve, frozen
from zope.interface import implementer

from mailgate.checks.outside import Outside
from mailgate.checks.vouching import vouched_domains
from mailgate.checks.words import quote
from mailgate.config.checks import ListsCheck as Section
from mailgate.config.model import Settings
from mailgate.finding import Finding
from mailgate.interfaces import ICheck, Phase, Scope
from mailgate.knowledge.entry import ListName
from mailgate.knowledge.lists import Evidence, Lists, Match, Source
from mailgate.message.header import Headers
from mailgate.message.mailbox import list_id, mailboxes
from mailgate.wire.address import Address
from mailgate.wire.normal import normal_address

if TYPE_CHECKING:
    from mailgate.pipeline.view import View

_FIELDS = 3
"""How many From and List-Id fields are read; a message has one of each at most."""

_AUTHORS = 10
"""How many addresses in From."""

_ALLOWED = {
    Source.AUTHOR: "ALLOWED_SENDER",
    Source.SENDER: "ALLOWED_SENDER",
    Source.MAILING_LIST: "ALLOWED_LIST",
    Source.CLIENT: "ALLOWED_CLIENT",
}
_BLOCKED = {
    Source.AUTHOR: "BLOCKED_SENDER",
    Source.SENDER: "BLOCKED_SENDER",
    Source.MAILING_LIST: "BLOCKED_LIST",
    Source.CLIENT: "BLOCKED_CLIENT",
}


@implementer(ICheck)
@frozen
class ListsCheck:
    """
    The entry of the allow and block lists that counts for a recipient.
    """

    section: Section
    lists: Lists
    deadline: float

    outside: Outside

    name = "lists"
    phase = Phase.HEADERS
    scope = Scope.RECIPIENT
    after = ("spf", "dkim", "dmarc")
    needs = ("fields",)
    symbols = frozenset((*_ALLOWED.values(), *_BLOCKED.values(), "ALLOWED_UNVERIFIED"))

    @classmethod
    def from_settings(cls, settings: Settings, lists: Lists) -> ListsCheck:
        """
        Make the check of a configuration.
        """
        section = settings.checks.lists
        return cls(section, lists, section.deadline, Outside.from_settings(settings))

    def check(self, view: View) -> Sequence[Finding]:
        """
        Give the entry that counts, if any fits.
        """
        if not self.lists:
            return ()
        vouched = vouched_domains(view) if self.outside.has(view.session) else None
        evidence = _evidence(view, vouched)
        match = self._match(view, evidence)
        if match is not None:
            return (self._finding(match),)
        if vouched is None:
            return ()
        unverified = self._match(view, evolve(evidence, vouched=None))
        return () if unverified is None else (_unverified(unverified),)

    def _match(self, view: View, evidence: Evidence) -> Match | None:
        return self.lists.look_up(evidence, view.recipient.person, view.now)

    def _finding(self, match: Match) -> Finding:
        if match.entry.list is ListName.BLOCK:
            symbol, score = _BLOCKED[match.source], self.section.block_score
        else:
            symbol, score = _ALLOWED[match.source], self.section.allow_score
        return Finding(symbol, score, _in_words(match))


def _unverified(match: Match) -> Finding:
    words = (
        f"{_in_words(match)} It is unverified and does not count: neither SPF nor DKIM proves that "
        "it is from there."
    )
    return Finding("ALLOWED_UNVERIFIED", 0.0, words)


def _evidence(view: View, vouched: frozenset[str] | None) -> Evidence:
    headers: Headers = view.fact("fields")
    authors: list[Address] = []
    for value in headers.values("From")[:_FIELDS]:
        authors += mailboxes(value, _AUTHORS)
    return Evidence(
        authors=tuple(map(normal_address, authors[:_AUTHORS])),
        sender=normal_address(view.envelope.sender),
        list_ids=tuple(map(list_id, headers.values("List-Id")[:_FIELDS])),
        client=view.session.client,
        vouched=vouched,
    )


def _in_words(match: Match) -> str:
    entry, other = match.entry, match.overruled
    is_block = entry.list is ListName.BLOCK
    verb = "blocked" if is_block else "allowed"
    note = f", with the note {quote(entry.note)}" if entry.note else ""
    words = (
        f"The {match.source} {quote(match.seen)} is {verb} for {entry.scope or 'everybody'}"
        f" by entry {entry.id}, {quote(entry.value)}{note}."
    )
    if other is None:
        return words
    verb = "allows" if is_block else "blocks"
    return f"{words} This goes before entry {other.id}, which {verb} {quote(other.value)}."
