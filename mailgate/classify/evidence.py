"""
What the classifier takes from a message: its tokens and its signals, and nothing else.
"""

from __future__ import annotations

from hashlib import sha256

from attrs import frozen

from mailgate.classify.reading import read
from mailgate.classify.signals import signals_of
from mailgate.classify.tokens import VERSION, Tokens, tokens_of
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
    reading = read(parsed)
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
