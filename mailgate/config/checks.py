"""
The settings of the checks.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from mailgate.config.forbidden import FORBIDDEN_EXTENSIONS, FORBIDDEN_TYPES, FileType
from mailgate.config.types import Extension, Hours, Network, Score, Section


class CheckMode(StrEnum):
    """
    How far a check may go.
    """

    OFF = "off"
    OBSERVE = "observe"
    SCORE = "score"
    ENFORCE = "enforce"


class EnforcedAction(StrEnum):
    """
    What a check in mode C{enforce} brings about when it finds something against a message.
    """

    TAG = "tag"
    DEFER = "defer"
    QUARANTINE = "quarantine"
    REJECT = "reject"
    DISCARD = "discard"


class OnError(StrEnum):
    """
    What follows when a check fails or overruns its deadline.
    """

    IGNORE = "ignore"
    DEFER = "defer"
    QUARANTINE = "quarantine"


# Numbers are strict: a number in quotes is a mistake, and 1.5 recipients are none.


class Check(Section):
    """
    What every C{[checks.NAME]} table has.
    """

    mode: CheckMode = CheckMode.SCORE
    action: EnforcedAction = EnforcedAction.REJECT
    on_error: OnError = OnError.IGNORE
    deadline: Annotated[float, Field(gt=0, le=30, strict=True)] = 5


class HeloCheck(Check):
    """
    C{[checks.helo]}: what the client calls itself.
    """

    exempt_networks: tuple[Network, ...] = ("127.0.0.0/8", "::1/128")
    syntax_score: Score = 3
    literal_score: Score = 1
    forged_literal_score: Score = 4
    own_name_score: Score = 6
    unqualified_score: Score = 1


class HeadersCheck(Check):
    """
    C{[checks.headers]}: the headers that every message must have.
    """

    missing_from_score: Score = 4
    duplicate_from_score: Score = 4
    missing_date_score: Score = 1.5
    duplicate_date_score: Score = 1
    invalid_date_score: Score = 1
    future_date_score: Score = 2
    missing_message_id_score: Score = 0.5
    duplicate_message_id_score: Score = 1
    future_hours: Hours = 48
    cap_score: Score = 5
    """What the findings of this check add together at most."""


class ListsCheck(Check):
    """
    C{[checks.lists]}: what people allow and block.
    """

    block_score: Annotated[float, Field(ge=0, strict=True)] = 10
    allow_score: Annotated[float, Field(ge=-6, le=0, strict=True)] = -6
    """At most so much, since nothing vouches for a sender yet."""


class AttachmentsCheck(Check):
    """
    C{[checks.attachments]}: files that nobody should get by mail.
    """

    mode: CheckMode = CheckMode.ENFORCE
    action: EnforcedAction = EnforcedAction.QUARANTINE
    on_error: OnError = OnError.QUARANTINE
    deadline: Annotated[float, Field(gt=0, le=30, strict=True)] = 10
    forbidden_extensions: tuple[Extension, ...] = FORBIDDEN_EXTENSIONS
    forbidden_types: tuple[FileType, ...] = FORBIDDEN_TYPES
    forbidden_score: Score = 8
    disguised_score: Score = 4
    encrypted_score: Score = 5
    bomb_score: Score = 8
    unreadable_score: Score = 8
    cap_score: Score = 12
    """What the findings of this check add together at most."""

    depth: Annotated[int, Field(ge=1, le=20, strict=True)] = 4
    """Archives within archives; documents are archives too."""

    files: Annotated[int, Field(ge=1, le=10000, strict=True)] = 10000
    """How many are looked at in all archives of a message."""

    ratio: Annotated[int, Field(ge=10, le=1000, strict=True)] = 200
    """How many times larger than packed a file may be that is larger than 10 MiB."""

    unpacked_bytes: Annotated[int, Field(ge=1024**2, le=256 * 1024**2, strict=True)] = (
        64 * 1024 * 1024
    )


class BayesCheck(Check):
    """
    C{[checks.bayes]}: what the classifier says.
    """

    highest_score: Annotated[float, Field(ge=0, strict=True)] = 10
    lowest_score: Annotated[float, Field(le=0, strict=True)] = -3
    untrained_score: Annotated[float, Field(ge=0, strict=True)] = 5
    """At most so much before enough was learned."""


class Checks(Section):
    """
    C{[checks]}: one table for each check.
    """

    helo: HeloCheck = HeloCheck()
    headers: HeadersCheck = HeadersCheck()
    attachments: AttachmentsCheck = AttachmentsCheck()
    lists: ListsCheck = ListsCheck()
    bayes: BayesCheck = BayesCheck()
