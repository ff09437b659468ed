"""
Stored messages to learn from: files, folders, Maildirs and mbox files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

MESSAGE_LIMIT = 4 * 1024 * 1024
"""How many bytes of a message are read; its text lies before that."""

_BATCH_MESSAGES = 100
_BATCH_BYTES = 16 * 1024 * 1024
_LF_ALONE = re.compile(rb"(?<!\r)\n")
_SEPARATOR = re.compile(rb"From \S.*[0-9]{4}\s*$")
"""It ends with a year or a time zone; C{From} at the beginning of a sentence does not."""

_QUOTED_FROM = re.compile(rb">+From ")


def files_in(paths: Iterable[Path]) -> Iterator[Path]:
    """
    Name the files: each of C{paths}, and of a folder all in it and in the folders in it, in the
    order of their names; of a Maildir only what is delivered. Hidden ones are left out.

    @raise OSError: a path is not there, or a folder cannot be read.
    """
    for path in paths:
        if not path.is_dir():
            path.stat()
            yield path
            continue
        for place, folders, names in os.walk(path, onerror=_fail):
            if {"cur", "new", "tmp"} <= set(folders):
                folders.remove("tmp")
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                inside = Path(place, name)
                if not name.startswith(".") and inside.is_file():
                    yield inside


def _fail(error: OSError) -> None:
    raise error


def messages_in(path: Path, limit: int = MESSAGE_LIMIT) -> Iterator[bytes]:
    """
    Give the messages of a file with CRLF line ends: the one that it is, or all of an mbox.

    @param limit: about how many bytes of each are read.
    @raise OSError: it cannot be read.
    """
    with path.open("rb") as file:
        if file.read(5) != b"From ":
            file.seek(0)
            yield _as_sent(file.read(limit))
            return
        file.seek(0)
        lines = iter(lambda: file.readline(64 * 1024), b"")
        yield from map(_as_sent, _split_mbox(lines, limit))


def _split_mbox(lines: Iterator[bytes], limit: int) -> Iterator[bytes]:
    """
    Give the messages of an mbox (RFC 4155, mboxrd): each begins with a line C{From ...} behind
    an empty one.
    """
    message: list[bytes] = []
    size, is_begun, was_empty = 0, False, True
    for line in lines:
        if was_empty and (_SEPARATOR.match(line) or not is_begun):
            if is_begun:
                yield b"".join(message[:-1])
            message, size, is_begun, was_empty = [], 0, True, False
            continue
        was_empty = line in (b"\n", b"\r\n")
        if size < limit:
            message.append(line[1:] if _QUOTED_FROM.match(line) else line)
            size += len(line)
    yield b"".join(message[:-1] if was_empty else message)


def _as_sent(data: bytes) -> bytes:
    return _LF_ALONE.sub(b"\r\n", data)


def in_batches(messages: Iterable[bytes]) -> Iterator[Sequence[bytes]]:
    """
    Group messages into lessons for L{mailgate.classify.learning.Learner.learn_many}.
    """
    batch: list[bytes] = []
    size = 0
    for message in messages:
        batch.append(message)
        size += len(message)
        if len(batch) >= _BATCH_MESSAGES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
