"""
Names and passwords in the form in which they are compared: SASLprep (RFC 4013).
"""

from __future__ import annotations

import stringprep
import unicodedata

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str) -> str:
    """
    Prepare a name or a password. What looks the same becomes the same.

    A character that Unicode did not know when the tables were made stays as it is, since
    passwords may be made of any.

    @raise ValueError: it holds what may not be part of one (control characters, private use),
        mixes directions, or nothing is left.
    """
    if text.isascii() and text.isprintable() and text:
        return text
    mapped = "".join(
        " " if stringprep.in_table_c12(each) else each
        for each in text
        if not stringprep.in_table_b1(each)
    )
    prepared = unicodedata.normalize("NFKC", mapped)
    if not prepared:
        raise ValueError("nothing is left of it")
    if any(is_in(each) for each in prepared for is_in in _PROHIBITED):
        raise ValueError("a character in it cannot be used")
    if any(map(stringprep.in_table_d1, prepared)) and (
        any(map(stringprep.in_table_d2, prepared))
        or not (stringprep.in_table_d1(prepared[0]) and stringprep.in_table_d1(prepared[-1]))
    ):
        raise ValueError("it mixes directions of writing")
    return prepared


def name_key(name: str) -> str:
    """
    Give a name as it is compared: prepared, and without regard to case.

    One that cannot be prepared is nobody's, and stays as it is.
    """
    try:
        return saslprep(name).casefold()
    except ValueError:
        return name
