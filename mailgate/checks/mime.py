"""
Messages that mail programs read in different ways, so that something in them can be hidden.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from attrs import frozen
from zope.interface import implementer

from mailgate.checks.words import listed, quote
from mailgate.config.checks import MimeCheck as Section
from mailgate.config.model import Settings
from mailgate.finding import Finding
from mailgate.interfaces import ICheck, Phase, Scope
from mailgate.message.mime.readings import Difference, Readings
from mailgate.verdict import Kind

if TYPE_CHECKING:
    from mailgate.pipeline.view import View


@implementer(ICheck)
@frozen
class MimeCheck:
    """
    Whether a message can be read in one way only.
    """

    section: Section
    deadline: float

    name = "mime"
    phase = Phase.BODY
    scope = Scope.TRANSACTION
    after = ()
    needs = ("readings",)
    symbols = frozenset({"MIME_AMBIGUOUS", "MIME_HIDDEN_TEXT", "MIME_ELSEWHERE"})

    @classmethod
    def from_settings(cls, settings: Settings) -> MimeCheck:
        """
        Make the check of a configuration.
        """
        section = settings.checks.mime
        return cls(section, section.deadline)

    def check(self, view: View) -> Sequence[Finding]:
        """
        Say in what the readings differ.
        """
        readings: Readings = view.fact("readings")
        return tuple(self._judge(readings))

    def _judge(self, readings: Readings) -> Iterator[Finding]:
        doubts = readings.parsed.doubts
        because = f" It is so because {listed(doubts)}." if doubts else ""
        differences = [*map(_said, readings.differences), *readings.failures]
        if differences:
            yield Finding(
                "MIME_AMBIGUOUS",
                self.section.ambiguous_score,
                f"Mail programs may not see the same attachments: {listed(differences)}.{because}",
                kind=Kind.UNSCANNABLE,
            )
        if readings.hidden_texts:
            shown = quote(readings.hidden_texts[0])
            yield Finding(
                "MIME_HIDDEN_TEXT",
                self.section.hidden_text_score,
                f"Some mail programs show another text, such as {shown}.{because}",
                is_enforced=False,
            )
        parts = readings.parsed.parts
        if any(part.type == "message/external-body" for part in parts):
            yield Finding(
                "MIME_ELSEWHERE",
                self.section.elsewhere_score,
                "A part is not in the message: mail programs are told to fetch it from elsewhere.",
                is_enforced=False,
            )


def _said(difference: Difference) -> str:
    names = difference.enclosed.part.names
    called = quote(names[0]) if names else "a file without a name"
    return f"{called} ({difference.enclosed.type}) {difference.words}"
