"""
What a delivery answers: the Deferred of its replies, and the replies that are our own.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred

from mailgate.reply import Reply

T = TypeVar("T")

QUESTION_SECONDS = 30.0
"""How long the answer to a question about a recipient may take: a client waits at RCPT."""

_LINE_LIMIT = 400
_LINES_LIMIT = 10


class Answer(Deferred[T]):
    """
    A Deferred that can be cancelled only until L{keep} is called.

    An ordinary one fails with C{CancelledError} in any case, and the outcome of a delivery
    that nobody can stop any more would be lost.
    """

    def __init__(self, canceller: Callable[[Deferred[T]], None] | None = None) -> None:
        super().__init__(canceller)
        self._is_kept = False

    def keep(self) -> None:
        """
        Let the answer come whatever happens.
        """
        self._is_kept = True

    def cancel(self) -> None:
        """
        Stop what has not begun; do nothing otherwise.
        """
        if not self._is_kept:
            super().cancel()


class Untaken(list[Reply]):
    """
    The replies of an upstream that was not asked to take the message, or that closed the
    connection before it said 354: whoever has another upstream may go there.
    """


def kept(working: Deferred[T]) -> Deferred[T]:
    """
    Give the result of C{working} in a Deferred that nobody can cancel.
    """
    answer: Answer[T] = Answer()
    answer.keep()
    working.addCallbacks(answer.callback, answer.errback)
    return answer


_NOT_REACHED = "destination not reached: "
_LOST = "destination lost before its reply: "


def not_reached(reason: str) -> Reply:
    """
    Say that the upstream has certainly not taken the message.
    """
    return Reply(451, "4.4.1", f"{_NOT_REACHED}{reason}")


def lost(reason: str) -> Reply:
    """
    Say that the upstream has had the whole message and its reply is not known.
    """
    return Reply(451, "4.4.2", f"{_LOST}{reason}")


NO_ANSWER = not_reached("no answer in time")
NO_TIME = not_reached("no time is left")
"""What C{deliver} answers at once where C{within} is over already; nothing is begun then."""

NO_ROUTE = Reply(451, "4.4.4", "no route to this domain is configured")
NOT_READ = Reply(451, "4.3.0", "the stored message could not be read")

_OWN = tuple(str(each).rstrip() for each in (not_reached(""), lost(""), NO_ROUTE, NOT_READ))


def is_full(error: Exception) -> bool:
    """
    Tell whether an error says that a disk is full.
    """
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def is_own(said: str) -> bool:
    """
    Tell whether a reply, as a line of words, is one of ours: no upstream has said anything.
    """
    return said.startswith(_OWN)


def is_unreached(reply: Reply) -> bool:
    """
    Tell whether this is the reply of L{not_reached}: it says nothing of the message. An upstream
    that uses its codes speaks of a server behind it.
    """
    return (reply.code, reply.enhanced) == (451, "4.4.1") and reply.text.startswith(_NOT_REACHED)


def is_unknown(reply: Reply) -> bool:
    """
    Tell whether this is the reply of L{lost}: the copy may have been delivered or not. An upstream
    that uses its codes has not taken it.
    """
    return (reply.code, reply.enhanced) == (451, "4.4.2") and reply.text.startswith(_LOST)


def passed_on(reply: Reply) -> Reply:
    """
    Make an upstream's reply one that our own client can be given.

    One without an enhanced code gets the general one of its class, as we offer
    ENHANCEDSTATUSCODES; its 421 becomes 451, since it is not us who close the connection; and
    too many or too long words are cut to what RFC 5321 section 4.5.3.1.5 allows in a line.
    """
    if reply.enhanced and reply.code != 421 and len(reply.text) <= _LINE_LIMIT:
        return reply
    code = 451 if reply.code == 421 else reply.code
    lines = [line[:_LINE_LIMIT] for line in reply.text.split("\n")[:_LINES_LIMIT]]
    return Reply(code, reply.enhanced or f"{code // 100}.0.0", "\n".join(lines))
