"""
Results of authentication that a message brings along and that claim to be ours (RFC 8601
section 5, RFC 8617).
"""

from __future__ import annotations

import re

RESULTS = b"authentication-results"
"""What stands in the name of every field that this is about, in lower case."""

_NAME = re.compile(rb"(arc-)?authentication-results[ \t]*:", re.IGNORECASE)
_ARC = re.compile(rb"arc-(?:seal|message-signature)[ \t]*:", re.IGNORECASE)
_INSTANCE = re.compile(rb"(?:^|;)\s*i\s*=\s*([0-9]{1,3})\s*(?=;|$)")


def without_results(section: bytes, hostname: str) -> bytes:
    """
    Take out of a header section what says that C{hostname} has authenticated something: those
    who read the message believe it.

    A field of which nobody can tell who wrote it goes too. What others say of themselves stays.

    Of ARC the whole set goes: as nothing is sealed here it is forged, whatever its seal is worth.
    The chain was judged before, on what was received. It never passes as more than it is: without
    a newest set that was forged it is what it was before, and where others have sealed above one
    there is a gap, which fails (RFC 8617 section 5.2). They have vouched for a forgery, so nothing
    is kept for them by taking theirs out too.

    @param hostname: what we call ourselves in such fields, in any letters.
    """
    if RESULTS not in section.lower():
        return section
    fields = _fields(section)
    ours = hostname.encode("ascii").lower()
    forged: set[int] = set()
    instances: set[bytes] = set()
    for number, field in enumerate(fields):
        name = _NAME.match(field)
        if name is None:
            continue
        words = _plain(field[name.end() :])
        instance = b""
        if name.group(1):
            first, _, words = words.partition(b";")
            found = _INSTANCE.match(first)
            instance = found.group(1) if found else b""
        who = words.partition(b";")[0].split()
        if not who or who[0].removesuffix(b".") == ours:
            forged.add(number)
            instances.add(instance)
    for number, field in enumerate(fields):
        name = _ARC.match(field) if instances else None
        if name is not None:
            found = _INSTANCE.search(_plain(field[name.end() :]))
            if found is not None and found.group(1) in instances:
                forged.add(number)
    if not forged:
        return section
    return b"".join(field for number, field in enumerate(fields) if number not in forged)


def _fields(section: bytes) -> list[bytes]:
    """
    Cut a header section into its fields, each with its folded lines.
    """
    fields: list[list[bytes]] = []
    for line in section.splitlines(keepends=True):
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1].append(line)
        else:
            fields.append([line])
    return [b"".join(lines) for lines in fields]


def _plain(value: bytes) -> bytes:
    """
    Give a value without its comments and quotes, in lower case (RFC 5322 section 3.2).
    """
    plain = bytearray()
    depth = 0
    is_quoted = is_escaped = False
    for byte in value.lower():
        if is_escaped:
            is_escaped = False
            kept = depth == 0
        elif byte == 0x5C and (depth or is_quoted):
            is_escaped = True
            kept = False
        elif byte == 0x22 and not depth:
            is_quoted = not is_quoted
            kept = False
        elif byte == 0x28 and not is_quoted:
            depth += 1
            kept = False
        elif byte == 0x29 and depth:
            depth -= 1
            kept = False
            if not depth:
                plain += b" "
        else:
            kept = depth == 0
        if kept:
            plain.append(byte)
    return bytes(plain)
