"""
Who comes again: a mail server that is told to try later does so, a spam robot seldom.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

from attrs import frozen
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailgate.checks.dnslists import is_vouched_for
from mailgate.checks.known import Known
from mailgate.checks.senders import names_of
from mailgate.checks.vouching import vouches_for_sender
from mailgate.checks.waiting import at_once
from mailgate.checks.words import quote
from mailgate.config.checks import CheckMode
from mailgate.config.checks import GreylistCheck as Section
from mailgate.config.model import Settings
from mailgate.config.values import parse_network
from mailgate.finding import RELAY, Finding
from mailgate.interfaces import Attempt, ICheck, IHub, MaybeDeferred, Phase, Scope, Standing
from mailgate.knowledge.entry import ListName
from mailgate.knowledge.greylist import attempt_of
from mailgate.knowledge.lists import Evidence, Lists
from mailgate.knowledge.senders import Names
from mailgate.knowledge.standing import Standings
from mailgate.wire.network import Network, address_of, is_within
from mailgate.wire.normal import normal_address

if TYPE_CHECKING:
    from mailgate.pipeline.view import View


@implementer(ICheck)
@frozen
class GreylistCheck:
    """
    Whether somebody who is in doubt already has come before, or has come again.
    """

    section: Section
    lists: Lists
    hub: IHub | None
    counted: tuple[str, ...]
    """The checks of C{after} whose findings count."""

    exempt_networks: tuple[Network, ...]
    deadline: float
    standings: Standings | None
    names: Names

    name = "greylist"
    phase = Phase.RCPT
    scope = Scope.RECIPIENT
    after = ("helo", "spf", "dnslists", "names", "rates", "penalty", "geo")
    """All that look at a client or a sender."""

    needs = ()
    symbols = frozenset({"GREYLIST_WAITS", "GREYLIST_PASSED"})

    @classmethod
    def from_settings(cls, settings: Settings, known: Known) -> GreylistCheck:
        """
        Make the check of a configuration.
        """
        section = settings.checks.greylist
        counts = (CheckMode.SCORE, CheckMode.ENFORCE)
        return cls(
            section,
            known.lists,
            known.hub,
            tuple(name for name in cls.after if getattr(settings.checks, name).mode in counts),
            tuple(map(parse_network, section.exempt_networks)),
            section.deadline,
            known.standings,
            names_of(settings),
        )

    def check(self, view: View) -> MaybeDeferred[Sequence[Finding]]:
        """
        Ask the hub of whoever is in doubt.
        """
        if self.hub is None or self._is_exempt(view):
            return ()
        found = sum(finding.score for name in self.counted for finding in view.findings_of(name))
        if found < self.section.from_total or self._is_vouched_for(view):
            return ()
        attempt = attempt_of(view.session.client, view.envelope.sender, view.recipient)
        if attempt is None:
            return ()
        return at_once(self._ask(view, self.hub, attempt))

    async def _ask(self, view: View, hub: IHub, attempt: Attempt) -> Sequence[Finding]:
        if await self._has_passed(view):
            return ()
        return self._judge(await hub.look_up([attempt]), attempt)

    async def _has_passed(self, view: View) -> bool:
        """
        Tell whether SPF says that the sender is the one whose mail was taken before, or to whom
        somebody here has written, and nothing speaks against it.
        """
        if self.standings is None or not vouches_for_sender(view):
            return False
        name = self.names.of(view.envelope.sender)
        if name is None:
            return False
        asking = self.standings.of(name)
        known = await asking if isinstance(asking, Deferred) else asking
        return known.has_passed and not known.is_bad

    def _is_vouched_for(self, view: View) -> bool:
        """
        Tell whether a list in the DNS speaks for the client: one that is known there comes again.
        """
        return "dnslists" in self.counted and is_vouched_for(view.findings_of("dnslists"))

    def _is_exempt(self, view: View) -> bool:
        session = view.session
        if not session.is_stranger or view.recipient.is_protected:
            return True
        if view.findings_of(RELAY):
            # The relay would have to come again, and would for whatever it has.
            return True
        address = address_of(session.client)
        if address is None or is_within(address, self.exempt_networks):
            return True
        if not self.lists:
            return False
        evidence = Evidence((), normal_address(view.envelope.sender), (), session.client)
        match = self.lists.look_up(evidence, view.recipient.person, view.now)
        return match is not None and match.entry.list is ListName.ALLOW

    def _judge(self, standings: Sequence[Standing], attempt: Attempt) -> Sequence[Finding]:
        (standing,) = standings
        mail = f"mail from {quote(attempt.sender or '<>')} to {quote(attempt.recipient)}"
        if not standing.is_known:
            left = max(1.0, self.section.wait_seconds - standing.waited)
            words = (
                f"{attempt.network} has come again too soon with {mail}: it came first"
                f" {standing.waited:.0f} seconds before."
                if standing.waited
                else f"{attempt.network} has not come with {mail} before."
            )
            public = f"greylisted, try again in {ceil(left)} seconds"
            return (Finding("GREYLIST_WAITS", self.section.waits_score, words, public),)
        if standing.waited:
            later = f"{standing.waited:.0f} seconds later"
            words = f"{attempt.network} has come again with {mail}, {later}."
            return (Finding("GREYLIST_PASSED", self.section.passed_score, words),)
        return ()
