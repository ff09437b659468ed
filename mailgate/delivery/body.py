"""
The message on its way to an upstream: dots added, bare line ends refused, in step with the
transport.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IPullProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mailgate.interfaces import IMessage
from mailgate.message.message import HEAD_LIMIT
from mailgate.wire.data import DotStuffer


class Unclean(Exception):
    """
    The message has a bare CR, a bare LF or a NUL.

    An upstream that reads one of them as the end of the message would take the rest for
    commands. The edge refuses such messages, but what lies in the quarantine may be older than
    the rule.
    """


class LineEnds:
    """
    Tells whether there are only whole CRLF and no NUL, however the bytes are cut.
    """

    def __init__(self) -> None:
        self._is_amid = False

    def feed(self, chunk: bytes) -> None:
        """
        Look at the next bytes.

        @raise Unclean: there is a bare CR, a bare LF or a NUL.
        """
        if not chunk:
            return
        first = chunk[0] == 0x0A
        last = chunk[-1] == 0x0D
        if self._is_amid and not first:
            raise Unclean
        whole = chunk.count(b"\r\n")
        if (
            chunk.count(b"\n") != whole + (self._is_amid and first)
            or chunk.count(b"\r") != whole + last
            or b"\0" in chunk
        ):
            raise Unclean
        self._is_amid = last

    def finish(self) -> None:
        """
        Look at the end.

        @raise Unclean: the message ends between CR and LF.
        """
        if self._is_amid:
            raise Unclean


def encode(message: IMessage) -> list[bytes] | None:
    """
    Give the wire form of a message, its final dot included, or C{None} where it has to be read
    from the disk first.

    @raise Unclean: it must not go out.
    """
    if message.size > HEAD_LIMIT:
        return None
    stuffer = DotStuffer()
    ends = LineEnds()
    wire = []
    for chunk in chain((message.prepended,), message.chunks()):
        if isinstance(chunk, Deferred):
            # It will be read again; so small a message is on the disk only when memory is short.
            chunk.addErrback(_not_needed)
            return None
        ends.feed(chunk)
        wire.append(stuffer.encode(chunk))
    ends.finish()
    wire.append(stuffer.finish())
    return wire


def _not_needed(failure: Failure) -> None:
    """
    Let the second reading tell what is wrong.
    """


@implementer(IPullProducer)
class Body:
    """
    Writes a message from the disk to a transport, a chunk whenever the one before has gone,
    while the next is being read already.
    """

    log = Logger()

    def __init__(
        self,
        message: IMessage,
        consumer: IConsumer,
        progressed: Callable[[], None],
        ended: Callable[[Failure | None], None],
    ) -> None:
        """
        @param progressed: called whenever the transport has taken all that was written.
        @param ended: called once, with C{None} when the final dot has been written, else with
            what went wrong: L{Unclean}, or what reading raised.
        """
        self._chunks = chain((message.prepended,), message.chunks())
        self._consumer = consumer
        self._progressed = progressed
        self._ended = ended
        self._stuffer = DotStuffer()
        self._ends = LineEnds()
        self._next: bytes | None = None
        self._is_wanted = False
        self._is_stopped = False

    def start(self) -> None:
        """
        Begin to write.
        """
        self._read()
        if not self._is_stopped:
            self._consumer.registerProducer(self, False)

    def resumeProducing(self) -> None:
        """
        Write the next chunk, or as soon as it has been read.
        """
        if self._is_stopped:
            return
        self._progressed()
        self._is_wanted = True
        if self._next is not None:
            self._write()

    def stopProducing(self) -> None:
        """
        Write nothing more. C{ended} is not called any more.
        """
        self._is_stopped = True

    def _read(self) -> None:
        chunk = next(self._chunks, None)
        if isinstance(chunk, Deferred):
            chunk.addCallback(self._was_read).addErrback(self._failed)
        elif chunk is not None:
            self._was_read(chunk)
        else:
            self._finish()

    def _was_read(self, chunk: bytes) -> None:
        if self._is_stopped:
            return
        try:
            self._ends.feed(chunk)
        except Unclean:
            self._failed(Failure())
            return
        if not chunk:
            # A transport asks for more only once it has written something.
            self._read()
            return
        self._next = self._stuffer.encode(chunk)
        if self._is_wanted:
            self._write()

    def _write(self) -> None:
        assert self._next is not None
        data, self._next = self._next, None
        self._is_wanted = False
        self._consumer.write(data)
        self._read()

    def _finish(self) -> None:
        try:
            self._ends.finish()
        except Unclean:
            self._failed(Failure())
            return
        self._is_stopped = True
        self._consumer.write(self._stuffer.finish())
        self._consumer.unregisterProducer()
        self._ended(None)

    def _failed(self, failure: Failure) -> None:
        if self._is_stopped:
            # Nobody needs the message any more, so it may well be gone from the disk.
            if not failure.check(OSError):
                self.log.failure("{event}", failure, event="delivery.late_failure")
            return
        self._is_stopped = True
        self._ended(failure)
