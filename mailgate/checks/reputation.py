"""
What the author has sent before, and what people here made of it; only where it is authenticated.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from attrs import frozen
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailgate.authentication.author import author_of
from mailgate.checks.known import Known
from mailgate.checks.outside import Outside
from mailgate.checks.senders import names_of
from mailgate.checks.vouching import vouches_for_author, vouches_for_sender
from mailgate.checks.waiting import at_once
from mailgate.checks.words import quote
from mailgate.config.checks import ReputationCheck as Section
from mailgate.config.model import Settings
from mailgate.finding import Finding
from mailgate.interfaces import ICheck, MaybeDeferred, Phase, Reputation, Scope
from mailgate.knowledge.senders import Names
from mailgate.knowledge.standing import Standings
from mailgate.message.header import Headers
from mailgate.message.mailbox import mailboxes
from mailgate.wire.normal import normal_domain

if TYPE_CHECKING:
    from mailgate.pipeline.view import View


@implementer(ICheck)
@frozen
class ReputationCheck:
    """
    How well an author is known whose domain vouches for the message.
    """

    section: Section
    outside: Outside
    standings: Standings | None
    names: Names
    deadline: float

    name = "reputation"
    phase = Phase.HEADERS
    scope = Scope.TRANSACTION
    after = ("spf", "dkim", "dmarc")
    needs = ("fields",)
    symbols = frozenset(("REPUTATION_GOOD", "REPUTATION_BAD", "REPUTATION_NEW", "REPUTATION_KNOWN"))

    @classmethod
    def from_settings(cls, settings: Settings, known: Known) -> ReputationCheck:
        """
        Make the check of a configuration.
        """
        section = settings.checks.reputation
        return cls(
            section,
            Outside.from_settings(settings),
            known.standings,
            names_of(settings),
            section.deadline,
        )

    def check(self, view: View) -> MaybeDeferred[Sequence[Finding]]:
        """
        Give what is known of the author. The finding names who was authenticated, so that what
        becomes of the message counts for them.
        """
        if self.standings is None or not self.outside.has(view.session):
            return ()
        author = self._author(view)
        if author is None:
            return ()
        names = tuple(dict.fromkeys((author, *self._sender(view))))
        asking = self.standings.of(author)
        if isinstance(asking, Deferred):
            return at_once(self._ask(asking, names, view.now))
        return (self._finding(asking, names, view.now),)

    async def _ask(
        self, asking: Deferred[Reputation], names: tuple[str, ...], now: float
    ) -> Sequence[Finding]:
        return (self._finding(await asking, names, now),)

    def _author(self, view: View) -> str | None:
        """
        Name the author, or C{None} where nothing vouches for it.
        """
        headers: Headers = view.fact("fields")
        domain = headers.once(author_of).domain
        if not domain or not vouches_for_author(view, domain):
            return None
        if domain not in self.names.shared:
            return domain
        # Who shares a domain with others is known by the whole address, so it must be the only one.
        found = mailboxes(headers.values("From")[0], 2)
        if len(found) != 1 or normal_domain(found[0].host) != domain:
            return None
        return self.names.of(found[0])

    def _sender(self, view: View) -> Iterator[str]:
        """
        Name the envelope sender too where SPF vouches for it: greylisting sees no author.
        """
        if vouches_for_sender(view) and (name := self.names.of(view.envelope.sender)) is not None:
            yield name

    def _finding(self, known: Reputation, names: tuple[str, ...], now: float) -> Finding:
        section, balance = self.section, known.balance
        if known.is_bad:
            symbol, score = "REPUTATION_BAD", section.bad_score * -balance
            words = "has a bad name here"
        elif known.is_good:
            symbol, score = "REPUTATION_GOOD", section.good_score * balance
            words = "has a good name here"
        elif not known.has_passed and not known.good + known.bad:
            symbol, score = "REPUTATION_NEW", section.new_score
            detail = f"The sender {quote(known.name)} is authenticated, and not known here yet."
            return Finding(symbol, score, detail, names=names)
        else:
            symbol, score, words = "REPUTATION_KNOWN", 0.0, "is known here"
        since = f", since {_day(known.first)}" if known.first else ""
        detail = (
            f"The sender {quote(known.name)} is authenticated, and {words}{since}:"
            f" {known.good:.1f} speaks for it, {known.bad:.1f} against it."
        )
        if known.written:
            detail += f" Somebody here last wrote to it on {_day(known.written)}."
        return Finding(symbol, round(score, 2), detail, names=names)


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))
