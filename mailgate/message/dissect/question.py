"""
What goes into the sandbox and what comes back of it, when files are to be looked into there.

What comes back was said by a process that a stranger's file may have taken over: it is a value of
the types below, not too large, or nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import field, frozen
from attrs.validators import max_len
from msgspec import MsgspecError
from msgspec.msgpack import Decoder, Encoder

from mailgate.message.archive import Caps, File, Flaw
from mailgate.message.attachments import Trouble
from mailgate.message.inside.inspector import SPECIMENS, Specimen
from mailgate.message.inside.signs import (
    DETAIL_LIMIT,
    LEAD_LIMIT,
    LEADS_LIMIT,
    SIGNS_LIMIT,
    Sign,
)
from mailgate.message.parameters import NAME_LIMIT

JOB = "dissect"
"""The name of the job."""

FILES_LIMIT = 1000
"""How many files are told that were found."""

_PATH_LIMIT = 50
_WORDS_LIMIT = 200


@frozen
class Question:
    """
    Files to look into.
    """

    specimens: tuple[Specimen, ...]
    passwords: tuple[str, ...]
    """Those to try on what is encrypted."""

    caps: Caps


@frozen
class Answer:
    """
    What was seen.
    """

    files: tuple[File, ...] = field(default=(), validator=max_len(FILES_LIMIT))
    """Those that were found in what was encrypted, and in objects."""

    flaws: tuple[Flaw, ...] = field(default=(), validator=max_len(FILES_LIMIT))
    signs: tuple[Sign, ...] = field(default=(), validator=max_len(SIGNS_LIMIT))
    leads: tuple[str, ...] = field(default=(), validator=max_len(LEADS_LIMIT + 1))
    opened: frozenset[int] = field(default=frozenset(), validator=max_len(SPECIMENS))
    """The places of those that were encrypted, and of which everything was opened."""

    locked: frozenset[int] = field(default=frozenset(), validator=max_len(SPECIMENS))
    """The places of those that stay encrypted, or some of what is in them."""

    troubles: tuple[Trouble, ...] = field(default=(), validator=max_len(FILES_LIMIT))


class Unbelievable(ValueError):
    """
    Something came back that nobody says.
    """


_encode = Encoder().encode
_questions = Decoder(Question)
_answers = Decoder(Answer)


def encode_question(question: Question) -> bytes:
    """
    Write what goes there.
    """
    return _encode(question)


def decode_question(data: bytes) -> Question:
    """
    Read it there.
    """
    return _questions.decode(data)


def encode_answer(answer: Answer) -> bytes:
    """
    Write what comes back.
    """
    return _encode(answer)


def decode_answer(data: bytes) -> Answer:
    """
    Read it, and believe nothing.

    @raise Unbelievable: it is not what the job says.
    """
    try:
        answer = _answers.decode(data)
    except (MsgspecError, ValueError):
        # The words of the error would quote what nobody believes.
        raise Unbelievable("it is no answer") from None
    for file in answer.files:
        _short((*file.names, *file.within, file.claimed), NAME_LIMIT)
    for flaw in answer.flaws:
        _short(flaw.within, NAME_LIMIT)
        _short((flaw.sentence,), _WORDS_LIMIT)
    for sign in answer.signs:
        _short(sign.path, NAME_LIMIT)
        _short((sign.detail,), DETAIL_LIMIT)
    for trouble in answer.troubles:
        _short(trouble.path, NAME_LIMIT)
        _short((trouble.why,), _WORDS_LIMIT)
    _short(answer.leads, LEAD_LIMIT, LEADS_LIMIT + 1)
    return answer


def _short(words: Iterable[str], limit: int, count: int = _PATH_LIMIT) -> None:
    words = tuple(words)
    if len(words) > count or any(len(word) > limit for word in words):
        raise Unbelievable("something in it is too long")
