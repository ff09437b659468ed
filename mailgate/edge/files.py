"""
How many files and connections the process may have open.
"""

from __future__ import annotations

import resource

WANTED = 65536
"""
Enough for 30,000 sessions. Not all that is allowed: some programs close every number up to the
limit one by one.
"""

RESERVED = 512
"""For databases, upstreams, the pages, and what comes out of the outbox."""

EACH = 2
"""A session needs its connection, and at times a spool file or a connection to an upstream."""


def raise_file_limit() -> int:
    """
    Let the process have as many open files as it may have, up to C{WANTED}.

    @return: how many sessions are possible then, at least one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft == resource.RLIM_INFINITY:
        soft = WANTED
    elif soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    return max(1, (soft - RESERVED) // EACH)
