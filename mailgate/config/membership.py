"""
Files with the addresses of a group.
"""

from __future__ import annotations

from pathlib import Path

from mailgate.config.values import check_address


def read_members(file: Path) -> tuple[str, ...]:
    """
    Read addresses, one a line; an empty line and what stands behind C{#} says nothing. Blocks.

    @return: them in the form in which they are compared.
    @raise ValueError: it cannot be used; the message says why.
    """
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        before = error.object.count(b"\n", 0, error.start)
        raise ValueError(f"line {before + 1} is not UTF-8 text") from error
    members = []
    for number, line in enumerate(text.split("\n"), 1):
        address = line.partition("#")[0].strip()
        if not address:
            continue
        try:
            members.append(check_address(address))
        except ValueError as error:
            raise ValueError(f"line {number} {error}") from error
    return tuple(members)
