"""
The table of failures: at each step one of three upstreams fails, and what becomes of a message.

The rules are those of "Recipients" in docs/architecture.rst. Three domains have an upstream each;
the one that fails is asked first, or after another has taken its copies.
"""

from attrs import field, frozen
from twisted.internet.error import ConnectionRefusedError

from tests.chaos import Act

NOTHING = "nothing"
"""Nobody has the message: the client comes again."""

QUEUED = "queued"
HELD = "held"
DELIVERED = "delivered"

DOWN = "451 4.4.1"
UNKNOWN = "451 4.4.2"
TAKEN = "250 2.0.0"


@frozen
class Failure:
    """
    One row.
    """

    name: str
    reply: str
    """What a client hears that is told of the failure."""

    first: str
    """What becomes of the copies for the upstream that fails where it is asked first and the reply
    is for all: C{NOTHING} means for the copies of the others as well."""

    later: str
    """The same where another upstream has taken its copies before."""

    script: dict = field(factory=dict)
    """What the upstream says, by step; C{ONE} is the step of its first recipient."""

    error: Exception | None = None
    is_unreachable: bool = False
    is_lost: bool = False
    """Whether the upstream has taken the message and its reply is lost."""

    only_one: bool = False
    """Whether it fails for its first recipient only, and takes the copies of the others."""


ONE = "one"
LATER = "452 4.3.1 not now"
NEVER = "554 5.6.0 not in this house"


def failure(step, name, act, *more, **options):
    """
    Make a row for an act at a step.
    """
    return Failure(f"{step} {name}", *more, script={step: act}, **options)


FAILURES = (
    Failure("connect refused", DOWN, NOTHING, QUEUED, error=ConnectionRefusedError()),
    Failure("connect times out", DOWN, NOTHING, QUEUED, is_unreachable=True),
    *(
        row
        for step in ("greeting", "hello", "MAIL", "RCPT", "DATA")
        for row in (
            failure(step, "dropped", Act.CLOSE, DOWN, NOTHING, QUEUED),
            failure(step, "silent", Act.SILENT, DOWN, NOTHING, QUEUED),
            failure(step, "nonsense", b"what?\r\n", DOWN, NOTHING, QUEUED),
        )
    ),
    failure("greeting", "refused", "554 5.3.2 not now", DOWN, NOTHING, QUEUED),
    failure("hello", "deferred", LATER, LATER[:9], NOTHING, QUEUED),
    failure("hello", "closing", "421 4.3.2 bye", "451 4.3.2", NOTHING, QUEUED),
    *(
        row
        for step in ("MAIL", "RCPT", "DATA", ".")
        for row in (
            failure(step, "deferred", LATER, LATER[:9], NOTHING, QUEUED),
            failure(step, "refused", NEVER, NEVER[:9], HELD, HELD),
            failure(step, "closing", "421 4.3.2 bye", "451 4.3.2", NOTHING, QUEUED),
        )
    ),
    failure(ONE, "deferred", LATER, LATER[:9], QUEUED, QUEUED, only_one=True),
    failure(ONE, "refused", "550 5.1.1 who", "550 5.1.1", HELD, HELD, only_one=True),
    failure(ONE, "dropped", Act.CLOSE, DOWN, NOTHING, QUEUED),
    failure("message", "dropped", Act.CLOSE, UNKNOWN, NOTHING, QUEUED),
    failure(".", "dropped", Act.CLOSE, UNKNOWN, NOTHING, QUEUED, is_lost=True),
    failure(".", "silent", Act.SILENT, UNKNOWN, NOTHING, QUEUED, is_lost=True),
    failure(".", "nonsense", b"what?\r\n", UNKNOWN, NOTHING, QUEUED, is_lost=True),
)

STARTTLS_FAILURES = (
    failure("STARTTLS", "dropped", Act.CLOSE, DOWN, NOTHING, QUEUED),
    failure("STARTTLS", "silent", Act.SILENT, DOWN, NOTHING, QUEUED),
    failure("STARTTLS", "nonsense", b"what?\r\n", DOWN, NOTHING, QUEUED),
    failure("STARTTLS", "deferred", "454 4.7.0 not now", DOWN, NOTHING, QUEUED),
    failure("STARTTLS", "refused", "502 5.5.1 what", DOWN, NOTHING, QUEUED),
    failure("STARTTLS", "injected", b"220 go\r\n250 ok\r\n", DOWN, NOTHING, QUEUED),
)
"""For upstreams that are reached over TLS only."""
