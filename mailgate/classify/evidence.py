"""
What the classifier takes from a message: its tokens and its signals, and nothing else.
"""

from __future__ import annotations

from hashlib import sha256

import numpy as np
from attrs import frozen
from msgspec import MsgspecError
from msgspec.msgpack import Decoder, Encoder

from mailgate.classify.marks import MOST_FILES, SKETCH_BYTES, marks_of
from mailgate.classify.reading import read
from mailgate.classify.signals import INDEX, signals_of
from mailgate.classify.tokens import GROUPS, VERSION, Tokens, nameless, tokens_of
from mailgate.interfaces import Marks
from mailgate.message import mime
from mailgate.message.mime import Parsed


@frozen(eq=False)
class Evidence:
    """
    The tokens and signals of one message.
    """

    tokens: Tokens
    signals: frozenset[str]


def evidence_of(parsed: Parsed) -> Evidence:
    """
    Look at a message. Linear in its size; never raises.
    """
    reading = parsed.once(read)
    tokens = tokens_of(reading)
    return Evidence(tokens, signals_of(reading, tokens))


def identity_of(parsed: Parsed, evidence: Evidence) -> int:
    """
    Give the 64-bit number under which a message is remembered once it was learned.

    It is made of what is learned, with Message-ID and Date, so that two messages with one
    number teach the same: fields that servers on the way add make no difference.
    """
    digest = sha256(b"%d\n" % VERSION)
    for name in ("message-id", "date"):
        for value in parsed.headers.values(name)[:1]:
            digest.update(value + b"\n")
    digest.update(" ".join(sorted(evidence.signals)).encode("ascii"))
    digest.update(evidence.tokens.keys.astype("<u4").tobytes())
    return int.from_bytes(digest.digest()[:8], "big")


@frozen(eq=False)
class Lore:
    """
    What can be learned of a message.
    """

    identity: int
    """As L{identity_of} gives it."""

    evidence: Evidence
    marks: Marks


def lore_of(data: bytes) -> Lore:
    """
    Read a message. Never raises.
    """
    parsed = mime.read(data)
    evidence = evidence_of(parsed)
    return Lore(identity_of(parsed, evidence), evidence, marks_of(parsed, data))


@frozen
class _Written:
    identity: int
    ends: tuple[int, ...]
    signals: tuple[str, ...]
    keys: bytes
    sketch: bytes
    structure: int
    files: tuple[int, ...]


_encode = Encoder().encode
_lores = Decoder(_Written)


def encode_lore(lore: Lore) -> bytes:
    """
    Write it for another process. What the tokens are called is left out.
    """
    tokens = lore.evidence.tokens
    return _encode(
        _Written(
            lore.identity,
            tokens.ends,
            tuple(sorted(lore.evidence.signals)),
            tokens.keys.astype("<u4").tobytes(),
            lore.marks.sketch,
            lore.marks.structure,
            lore.marks.files,
        )
    )


def decode_lore(data: bytes) -> Lore:
    """
    Read what another process has written, which may be anything.

    @raise ValueError: nothing of that kind can be learned of a message.
    """
    try:
        written = _lores.decode(data)
        keys = np.frombuffer(written.keys, "<u4")
    except (MsgspecError, ValueError):
        # The words of the error would quote what nobody believes.
        raise ValueError("it is nothing to learn") from None
    borders = (0, *written.ends)
    if len(written.ends) != len(GROUPS) or written.ends[-1] != len(keys):
        raise ValueError("the tokens are not those of a message")
    for begin, end in zip(borders, written.ends, strict=False):
        # Each once, and in their order: a token that is there a thousand times counts as one.
        group = keys[begin:end]
        if begin > end or not (group[:-1] < group[1:]).all():
            raise ValueError("the tokens are not those of a message")
    numbers = (written.identity, written.structure, *written.files)
    are_numbers = all(0 <= number < 1 << 64 for number in numbers)
    if not are_numbers or not INDEX.keys() >= set(written.signals):
        raise ValueError("it is nothing to learn")
    if len(written.sketch) not in (0, SKETCH_BYTES) or len(written.files) > MOST_FILES:
        raise ValueError("the marks are those of no message")
    tokens = Tokens(keys, written.ends, nameless)
    return Lore(
        written.identity,
        Evidence(tokens, frozenset(written.signals)),
        Marks(written.sketch, written.structure, tuple(sorted(set(written.files)))),
    )
