"""
Files that hold one secret, such as a password.
"""

from __future__ import annotations

from pathlib import Path

LONGEST = 1000
"""Characters of a secret."""


def read_secret(file: Path) -> str:
    """
    Read a secret: the one line of a file. Blocks.

    @raise ValueError: it cannot be used; the message says why, and nothing of the secret.
    """
    try:
        text = file.read_text("utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        text = ""
    if not text or len(text) > LONGEST or any(each in text for each in "\r\n\0"):
        raise ValueError(f"must hold one line of UTF-8 text, of at most {LONGEST} characters")
    return text
