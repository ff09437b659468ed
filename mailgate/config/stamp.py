"""
By what it is seen that a file is another one than before, or has changed.
"""

from __future__ import annotations

import os

Stamp = tuple[int, int, int]


def stamp_of(found: os.stat_result) -> Stamp:
    """
    Give what changes with each change: when it was, how large the file is, and which file.
    """
    return found.st_mtime_ns, found.st_size, found.st_ino
