"""
Who sends the same subject again and again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import frozen
from zope.interface import implementer

from mailgate.checks.rates import WHO
from mailgate.checks.words import quote
from mailgate.config.checks import RateOf
from mailgate.config.checks import SubjectsCheck as Section
from mailgate.config.model import Settings
from mailgate.finding import Finding, Kind
from mailgate.interfaces import ICheck, Phase, Scope
from mailgate.knowledge.excess import Excesses, keys_of
from mailgate.knowledge.rates import digest_of

if TYPE_CHECKING:
    from mailgate.pipeline.view import View


@implementer(ICheck)
@frozen
class SubjectsCheck:
    """
    Whether one of those by which a message is counted has sent its subject too often.
    """

    section: Section
    excesses: Excesses
    deadline: float

    name = "subjects"
    phase = Phase.HEADERS
    scope = Scope.TRANSACTION
    after = ()
    needs = ()
    symbols = frozenset({"SAME_SUBJECT_ACCOUNT", "SAME_SUBJECT_STRANGER"})

    @classmethod
    def from_settings(cls, settings: Settings, excesses: Excesses) -> SubjectsCheck:
        """
        Make the check of a configuration.
        """
        section = settings.checks.subjects
        return cls(section, excesses, section.deadline)

    def check(self, view: View) -> Sequence[Finding]:
        """
        Give a finding for the one who has sent it most often.
        """
        if not self.excesses:
            return ()
        session = view.session
        keys = keys_of(session, session.client, view.envelope.sender.domain)
        if not any(map(self.excesses.has_subject, keys)):
            return ()
        subject = view.message.headers.text("subject")
        digest = digest_of(subject)
        if not digest:
            return ()
        found = [each for key in keys for each in self.excesses.find(key, view.now, digest)]
        if not found:
            return ()
        most = max(found, key=lambda excess: excess.number)
        words = (
            f"{WHO[most.of]} {quote(most.key)} has sent {most.number:,} messages with subjects like"
            f" {quote(subject)} within {most.minutes} minutes (the limit is {most.limit:,})."
        )
        if most.of is RateOf.ACCOUNT:
            finding = Finding("SAME_SUBJECT_ACCOUNT", self.section.account_score, words)
        else:
            score = self.section.stranger_score
            finding = Finding("SAME_SUBJECT_STRANGER", score, words, kind=Kind.BULK)
        return (finding,)
