"""
The connection between the hub and one worker: calls, answers, and what nobody answers.

Each frame is its length, four bytes, and a MessagePack array of what it is, a number, a name and
a value. Both ends say beforehand of what type each value is: what fits no type ends the
connection, so that a worker that a message has taken over can say to the hub nothing but what a
worker may say.

While the other end does not read, what is said waits here, in its order. Of what can be done
without, such as the traces of mail, only so much waits; the rest is dropped, counted and told.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from enum import IntEnum
from struct import Struct
from types import MappingProxyType
from typing import Any

from attrs import frozen
from msgspec import MsgspecError, Raw
from msgspec.msgpack import Decoder, Encoder
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

FRAME_LIMIT = 64 * 1024 * 1024
"""Bytes of the longest frame; the longest there is holds all entries of the lists."""

BACKLOG = 32 * 1024 * 1024
"""Bytes of what can be done without that may wait until the other end reads: some 30,000 traces."""

_LENGTH = Struct(">I")


class LinkLost(Exception):
    """
    The other end is gone, and with it the answer.
    """


class CallFailed(Exception):
    """
    The other end could not do it; the message says why. An L{OSError} stays one.
    """


class _What(IntEnum):
    TELL, CALL, ANSWER, ERROR = range(4)


@frozen(eq=False)
class Method:
    """
    What one end may ask of the other.
    """

    name: str
    takes: Any
    """The type of the value that goes along."""

    gives: Any = None
    """The type of the answer."""

    is_expendable: bool = False
    """Whether it may be dropped where the other end does not read for long."""


@frozen
class _Error:
    words: str
    errno: int | None = None


def _plain(value: Any) -> Any:
    """
    Write what MessagePack has no word for.
    """
    if isinstance(value, MappingProxyType):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot cross the border")


@implementer(IPushProducer)
class Link(Protocol):
    """
    One end of the connection.
    """

    log = Logger()

    def __init__(
        self, methods: Mapping[Method, Callable[[Any], Any]], backlog: int = BACKLOG
    ) -> None:
        """
        @param methods: what the other end may ask for, and who does it. It is called with the
            value, and gives the answer or a Deferred of it.
        @param backlog: how many bytes may wait of what can be done without.
        """
        self._backlog = backlog
        self._waiting: deque[tuple[bytes, bool]] = deque()
        self._expendable = 0
        self._dropped: Counter[str] = Counter()
        self._is_paused = False
        self._methods = {
            method.name: (handle, Decoder(method.takes)) for method, handle in methods.items()
        }
        self._encoder = Encoder(enc_hook=_plain)
        self._frames: Decoder[tuple[int, int, str, Raw]] = Decoder(tuple[int, int, str, Raw])
        self._errors: Decoder[_Error] = Decoder(_Error)
        self._gives: dict[Method, Decoder[Any]] = {}
        self._asked: dict[int, tuple[Deferred[Any], Decoder[Any]]] = {}
        self._number = 0
        self._buffer = bytearray()
        self._is_lost = False
        self.lost: Deferred[None] = Deferred()
        """Fires when the connection has ended, whoever has ended it."""

    def call(self, method: Method, value: Any = None) -> Deferred[Any]:
        """
        Ask the other end to do something.

        @return: its answer. It fails with L{OSError} or L{CallFailed} if that could not be done,
            with L{LinkLost} if nobody knows.
        """
        answer: Deferred[Any] = Deferred()
        if self._is_lost:
            answer.errback(LinkLost(method.name))
            return answer
        decoder = self._gives.get(method)
        if decoder is None:
            decoder = self._gives[method] = Decoder(method.gives)
        self._number += 1
        self._asked[self._number] = answer, decoder
        self._send(_What.CALL, self._number, method.name, value)
        return answer

    def tell(self, method: Method, value: Any = None) -> None:
        """
        Say something to the other end that it does not answer. Lost where the connection is.
        """
        if not self._is_lost:
            self._send(_What.TELL, 0, method.name, value, method.is_expendable)

    def lose(self) -> None:
        """
        End the connection once all is written.
        """
        transport: Any = self.transport
        if transport is not None:
            self.resumeProducing()
            while self._waiting:
                self._write_next()
            transport.unregisterProducer()
            transport.loseConnection()

    def _send(
        self, what: _What, number: int, name: str, value: Any, is_expendable: bool = False
    ) -> None:
        assert self.transport is not None
        encoded = self._encoder.encode((what, number, name, value))
        frame = _LENGTH.pack(len(encoded)) + encoded
        if not self._is_paused:
            self.transport.write(frame)
        elif is_expendable and self._expendable + len(frame) > self._backlog:
            self._dropped[name] += 1
        else:
            self._waiting.append((frame, is_expendable))
            self._expendable += len(frame) * is_expendable

    # -- what waits ---------------------------------------------------------------------

    def connectionMade(self) -> None:
        """
        Let the connection say when the other end does not read.
        """
        transport: Any = self.transport
        transport.registerProducer(self, True)

    def pauseProducing(self) -> None:
        """
        Let what is said wait here.
        """
        self._is_paused = True

    def resumeProducing(self) -> None:
        """
        Say what waits, as long as the other end reads it.
        """
        self._is_paused = False
        while self._waiting and not self._is_paused:
            self._write_next()
        if not self._is_paused:
            dropped, self._dropped = self._dropped, Counter()
            for name, number in dropped.items():
                self.log.error(
                    "{event} {number} of {name}", event="link.dropped", number=number, name=name
                )

    def stopProducing(self) -> None:
        """
        Do nothing: that the connection is lost is told otherwise as well.
        """

    def _write_next(self) -> None:
        assert self.transport is not None
        frame, is_expendable = self._waiting.popleft()
        self._expendable -= len(frame) * is_expendable
        self.transport.write(frame)

    # -- what comes ---------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """
        Take the frames that are whole.
        """
        buffer = self._buffer
        buffer += data
        at = 0
        while len(buffer) - at >= 4 and not self._is_lost:
            (length,) = _LENGTH.unpack_from(buffer, at)
            if length > FRAME_LIMIT:
                self._break(ValueError(f"a frame of {length} bytes"))
                return
            if len(buffer) - at - 4 < length:
                break
            frame = bytes(memoryview(buffer)[at + 4 : at + 4 + length])
            at += 4 + length
            try:
                self._take(*self._frames.decode(frame))
            except (MsgspecError, ValueError, KeyError, RecursionError) as error:
                self._break(error)
                return
        del buffer[:at]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Fail what has not been answered.
        """
        self._is_lost = True
        self._waiting.clear()
        asked, self._asked = self._asked, {}
        for answer, _ in asked.values():
            answer.errback(LinkLost())
        self.lost.callback(None)

    def _break(self, error: Exception) -> None:
        """
        End a connection on which something came that nobody may say.
        """
        self.log.error("{event} {error}", event="link.broken", error=str(error))
        self._is_lost = True
        self.lose()

    def _take(self, what: int, number: int, name: str, value: Raw) -> None:
        if what in (_What.ANSWER, _What.ERROR):
            answer, decoder = self._asked.pop(number)
            if what == _What.ANSWER:
                answer.callback(decoder.decode(value))
            else:
                answer.errback(_exception(self._errors.decode(value)))
            return
        handle, decoder = self._methods[name]
        doing = maybeDeferred(handle, decoder.decode(value))
        if what == _What.CALL:
            doing.addCallback(self._answer, number)
            doing.addErrback(self._failed, number, name)
        doing.addErrback(self._not_done, name)

    def _answer(self, value: Any, number: int) -> None:
        if not self._is_lost:
            self._send(_What.ANSWER, number, "", value)

    def _failed(self, failure: Failure, number: int, name: str) -> None:
        error = failure.value
        if isinstance(error, OSError):
            told = _Error(error.strerror or str(error), error.errno)
        else:
            told = _Error(f"{name}: {error!r}")
            self._not_done(failure, name)
        if not self._is_lost:
            self._send(_What.ERROR, number, "", told)

    def _not_done(self, failure: Failure, name: str) -> None:
        self.log.failure("{event} {name}", failure, event="link.failed", name=name)


def _exception(error: _Error) -> Exception:
    return CallFailed(error.words) if error.errno is None else OSError(error.errno, error.words)
