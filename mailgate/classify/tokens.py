"""
The tokens of a message: 32-bit keys of what occurs in it, in five groups.

A key says nothing of what it was made of, so that nobody reads mail out of what was learned;
but of a message at hand it is known which of its words a key stands for.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate, islice
from zlib import crc32

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from mailgate.classify.reading import Reading
from mailgate.classify.words import Keys, wide_keys
from mailgate.message.host import clean_host
from mailgate.message.urls import Link, organisation

VERSION = 1
"""
Of the rules by which tokens are made. Keys of another version are other keys: whoever changes
the rules changes this, and what was learned before does not count any more.
"""

GROUPS = ("words", "pairs", "sender", "headers", "links")

WORD, _SUBJECT_WORD, PAIR, _SUBJECT_PAIR = 1, 2, 3, 4
"""The salts of the keys of words and pairs."""


@frozen(eq=False)
class Tokens:
    """
    The tokens of a message, each once.
    """

    keys: Keys
    """Those of the groups one after the other, sorted within each."""

    ends: tuple[int, ...]
    """Where each group ends."""

    _names: Callable[[NDArray[np.intp]], Sequence[str]]

    def group(self, index: int) -> Keys:
        """
        Give the keys of a group.
        """
        return self.keys[self.ends[index - 1] if index else 0 : self.ends[index]]

    def has(self, group: int, keys: Keys) -> NDArray[np.bool_]:
        """
        Tell of each of some keys whether it is in a group.
        """
        own = self.group(group)
        if len(own) == 0:
            return np.zeros(len(keys), np.bool_)
        found: NDArray[np.bool_] = own.take(own.searchsorted(keys), mode="clip") == keys
        return found

    def names(self, positions: NDArray[np.intp]) -> Sequence[str]:
        """
        Say in words which tokens the keys at some positions stand for.
        """
        return self._names(positions)


def nameless(positions: NDArray[np.intp]) -> Sequence[str]:
    """
    Stand for the names of tokens whose message is not at hand.

    @raise LookupError: always.
    """
    raise LookupError("a token has no name where its message is not at hand")


def tokens_of(reading: Reading) -> Tokens:
    """
    Make the tokens of a message.
    """
    words, pairs = reading.words.hashes, reading.words.pairs()
    border = len(reading.title)
    inside = max(0, border - 1)  # a pair across the border is none
    kinds = (
        (words[border:], WORD),
        (words[:border], WORD),
        (words[:border], _SUBJECT_WORD),
        (pairs[border:], PAIR),
        (pairs[:inside], PAIR),
        (pairs[:inside], _SUBJECT_PAIR),
    )
    of_words = wide_keys(kinds)
    starts = (0, *accumulate(len(hashes) for hashes, _ in kinds))
    of_words[starts[3] :] += _MARKS[1]
    groups = (sender_tokens(reading), header_tokens(reading), link_tokens(reading))
    strings = [string for group in groups for string in group]
    of_strings = [
        mark | key_of(string, salt)
        for mark, salt, key_of, group in zip(_STRING_MARKS, _SALTS, _KEYS_OF, groups, strict=True)
        for string in group
    ]
    # With its group above it, a key is sorted and left once among all of them as in its group.
    made = np.concatenate((of_words, np.array(of_strings, np.uint64)))
    marked = _distinct(made.copy())
    ends: tuple[int, ...] = tuple(marked.searchsorted(_MARKS[1:]).tolist())

    def names(positions: NDArray[np.intp]) -> Sequence[str]:
        keys = marked.take(positions)
        return list(map(name, (made == keys[:, np.newaxis]).argmax(axis=1).tolist()))

    def name(at: int) -> str:
        if at >= starts[6]:
            return strings[at - starts[6]]
        kind = bisect_right(starts, at) - 1
        at -= starts[kind]
        source = reading.body if kind in (0, 3) else reading.title
        text = source.word(at) if kind < 3 else f"{source.word(at)} {source.word(at + 1)}"
        return f"{text} (subject)" if kind in (2, 5) else text

    return Tokens(marked.astype(np.uint32), ends, names)


_MARKS = np.arange(len(GROUPS) + 1, dtype=np.uint64) << np.uint64(32)
_STRING_MARKS: Sequence[int] = _MARKS[2:-1].tolist()
_SALTS = tuple(crc32(name.encode()) for name in ("sender:", "header:", "link:"))


def _key_of(string: str, salt: int) -> int:
    return crc32(string.encode("utf-8", "replace"), salt)


# The tokens of header sections are mostly the same ones; those of others are not.
_KEYS_OF: Sequence[Callable[[str, int], int]] = (_key_of, lru_cache(maxsize=2048)(_key_of), _key_of)


def _distinct(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """
    Sort keys and leave each once; for so few it is faster than L{numpy.unique}.
    """
    keys.sort()
    is_first = np.empty(len(keys), np.bool_)
    is_first[:1] = True
    np.not_equal(keys[1:], keys[:-1], out=is_first[1:])
    return keys[is_first]


# -- the sender ---------------------------------------------------------------------------

_WORDS = re.compile(r"[^\W_]+")
_LETTERS = re.compile(r"[^\W\d_]{2,}")


def sender_tokens(reading: Reading) -> set[str]:
    """
    Give the tokens of the From: words of the name, pieces of the address, domains.
    """
    sender = reading.sender
    tokens = {f"name {word}" for word in _WORDS.findall(sender.name.lower())[:20]}
    tokens.update(f"local {piece}" for piece in _LETTERS.findall(sender.local)[:10])
    if sender.domain:
        tokens.update(
            (
                f"address {sender.address}",
                f"domain {sender.organisation}",
                f"ending {sender.domain.rpartition('.')[2]}",
            )
        )
    return tokens


# -- the shape of the header section ------------------------------------------------------

_ASKED = (
    "mime-version",
    "x-priority",
    "x-msmail-priority",
    "importance",
    "organization",
    "reply-to",
    "content-disposition",
    "x-mimeole",
    "message-id",
    "date",
    "subject",
    "from",
)
_PRESENCE = tuple((name, f"{name} yes", f"{name} no") for name in _ASKED)
_SHAPE = str.maketrans(
    "0123456789abcdefABCDEFghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ",
    "9999999999ffffffffffffzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
)
_RUNS = re.compile(r"(.)\1+")
_MAILER_WORD = re.compile(r"[a-z0-9.]+")
_CHARSET_OF_WORD = re.compile(rb"=\?([!-<>@-~]{1,40})\?[bBqQ]\?")
_BOUNDARY = re.compile(rb"""boundary="?([^";\s]{1,14})""", re.IGNORECASE)
_PARTS = 12


def header_tokens(reading: Reading) -> set[str]:
    """
    Give the tokens of how the message was made: fields, mail program, shape of ids, parts.
    """
    headers = reading.headers
    fields = headers.fields
    tokens = {present if name in fields else absent for name, present, absent in _PRESENCE}
    for field in ("x-mailer", "user-agent"):
        for value in fields.get(field, ())[:1]:
            words = _MAILER_WORD.findall(value[:200].decode("latin-1").lower())
            tokens.update(f"mailer {word}" for word in words[:10])
    identity = next(iter(headers.values("message-id")), b"")[:300].decode("latin-1")
    left, at, right = identity.strip("<> ").rpartition("@")
    shape = _RUNS.sub(r"\1", (left if at else right).translate(_SHAPE))
    tokens.add(f"id {shape[:16]}")
    tokens.add(
        f"id {'of' if reading.is_of_sender(organisation(clean_host(right))) else 'not of'} sender"
    )
    tokens.update(_part_tokens(reading))
    subject = next(iter(headers.values("subject")), b"")
    encoded = _CHARSET_OF_WORD.search(subject[:1000])
    if encoded:
        tokens.add(f"subject in {encoded[1].decode('latin-1').lower()}")
    return tokens


def _part_tokens(reading: Reading) -> set[str]:
    tokens = {f"type {part.type}" for part in reading.parsed.parts[:1]}
    value = next(iter(reading.headers.values("content-type")), b"")
    boundary = _BOUNDARY.search(value[:1000]) if value else None
    if boundary:
        tokens.add(f"boundary {boundary[1].decode('latin-1').translate(_SHAPE)}")
    for part in islice(reading.parsed.parts, _PARTS):
        tokens.add(f"part {part.type}")
        tokens.add(f"encoding {part.encoding}")
        for name in part.names[:1]:
            _, dot, extension = name.rpartition(".")
            if dot:
                tokens.add(f"file {extension.lower()[:10]}")
    tokens.update(f"charset {text.charset.lower()[:40]}" for text in reading.parsed.texts[:_PARTS])
    return tokens


# -- links --------------------------------------------------------------------------------

_PATH_WORD = re.compile(r"[a-z]{3,}", re.IGNORECASE)


def link_tokens(reading: Reading) -> set[str]:
    """
    Give the tokens of where the message leads.
    """
    tokens: set[str] = set()
    hosts: set[str] = set()
    for link in (*reading.links, *reading.sources):
        if link.is_web:
            if link.host not in hosts:
                hosts.add(link.host)
                _add_host(link, tokens)
            _add_rest(link, tokens)
        elif link.scheme == "mailto":
            tokens.add("mailto")
            tokens.add(f"mailto {link.organisation}")
        else:
            tokens.add(f"scheme {link.scheme}")
    return tokens


def _add_host(link: Link, tokens: set[str]) -> None:
    if link.is_address:
        tokens.add("address")
        return
    labels = link.labels
    tokens.update([f"label {label}" for label in labels[:10]])
    tokens.add(f"ending {labels[-1] if labels else ''}")
    tokens.add(f"domain {link.organisation}")
    tokens.add(f"labels {len(labels)}")


def _add_rest(link: Link, tokens: set[str]) -> None:
    if link.port is not None:
        tokens.add(f"port {link.port}")
    path = link.path
    if len(path) > 1:
        tokens.update([f"path {word.lower()}" for word in _PATH_WORD.findall(path[:300])[:6]])
        _, dot, extension = path.rpartition("/")[2].rpartition(".")
        if dot:
            tokens.add(f"extension {extension.lower()[:10]}")
    if link.query:
        tokens.update([f"query {name.lower()}" for name in link.query[:5]])
