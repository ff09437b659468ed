"""
The header fields that every message must have, once and well formed (RFC 5322 section 3.6).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from attrs import frozen
from zope.interface import implementer

from mailgate.checks.cap import capped
from mailgate.checks.date import parse_date
from mailgate.checks.words import quote
from mailgate.config.checks import HeadersCheck as Section
from mailgate.config.model import Settings
from mailgate.finding import Finding
from mailgate.interfaces import ICheck, Phase, Scope
from mailgate.message.header import Headers

if TYPE_CHECKING:
    from mailgate.pipeline.view import View

_DATE_LIMIT = 200
"""Bytes of a Date that are looked at; a real one has 31, and a comment."""


@implementer(ICheck)
@frozen
class HeadersCheck:
    """
    From, Date and Message-ID: there, there once, and a Date that can be.
    """

    section: Section
    deadline: float

    name = "headers"
    phase = Phase.HEADERS
    scope = Scope.TRANSACTION
    after = ()
    needs = ("fields",)
    symbols = frozenset(
        {
            "FROM_MISSING",
            "FROM_DUPLICATE",
            "DATE_MISSING",
            "DATE_DUPLICATE",
            "DATE_INVALID",
            "DATE_FUTURE",
            "MESSAGE_ID_MISSING",
            "MESSAGE_ID_DUPLICATE",
        }
    )

    @classmethod
    def from_settings(cls, settings: Settings) -> HeadersCheck:
        """
        Make the check of a configuration.
        """
        section = settings.checks.headers
        return cls(section, section.deadline)

    def check(self, view: View) -> Sequence[Finding]:
        """
        Give what is wrong with the three fields, the gravest first.
        """
        headers: Headers = view.fact("fields")
        section = self.section
        findings = [
            *_presence("From", headers, section.missing_from_score, section.duplicate_from_score),
            *_presence("Date", headers, section.missing_date_score, section.duplicate_date_score),
            *_presence(
                "Message-ID",
                headers,
                section.missing_message_id_score,
                section.duplicate_message_id_score,
            ),
            *self._time(headers, view.now),
        ]
        return capped(findings, section.cap_score) if findings else ()

    def _time(self, headers: Headers, now: float) -> Iterator[Finding]:
        value = next(filter(None, headers.values("Date")), None)
        if value is None:
            return
        text = value[:_DATE_LIMIT].decode("latin-1")
        date = parse_date(text)
        if date is None:
            yield Finding(
                "DATE_INVALID",
                self.section.invalid_date_score,
                f"The Date of the message cannot be read: {quote(text)}.",
                "the Date header field is not valid",
            )
            return
        hours = (date.timestamp() - now) / 3600
        if hours > self.section.future_hours:
            ahead = f"{hours:.0f} hours" if hours < 100 else f"{hours / 24:.0f} days"
            yield Finding(
                "DATE_FUTURE",
                self.section.future_date_score,
                f"The Date of the message lies {ahead} ahead.",
                "the Date header field lies in the future",
            )


def _presence(name: str, headers: Headers, missing: float, duplicate: float) -> Iterator[Finding]:
    """
    Look whether a field is there, and once. One without a value is not there.
    """
    values = headers.values(name)
    symbol = name.upper().replace("-", "_")
    if not any(values):
        yield Finding(
            f"{symbol}_MISSING",
            missing,
            f"The message has no {name}.",
            f"the {name} header field is missing",
        )
    elif len(values) > 1:
        yield Finding(
            f"{symbol}_DUPLICATE",
            duplicate,
            f"The message has {len(values)} {name} fields where one is allowed.",
            f"the {name} header field is there more than once",
        )
