"""
An answer on its way to the browser.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from zope.interface import implementer

from mailgate.interfaces import IMessage
from mailgate.web.answer import Answer
from mailgate.web.channel import LimitedRequest

_log = Logger()


async def send(request: LimitedRequest, answer: Answer, is_secure: bool) -> None:
    """
    Write an answer whose headers are complete, and end the request.

    @param is_secure: whether cookies are for https only.
    """
    request.setResponseCode(answer.code)
    for name, value in answer.headers:
        request.setHeader(name, value)  # type: ignore[no-untyped-call]
    for cookie in answer.cookies:
        request.addCookie(  # type: ignore[no-untyped-call]
            cookie.name,
            cookie.value,
            max_age=None if cookie.seconds is None else str(cookie.seconds),
            path="/",
            secure=is_secure,
            httpOnly=True,
            sameSite="lax",
        )
    if answer.message is not None:
        await _send_message(request, answer.message)
        return
    if answer.code not in (204, 304):
        _set_length(request, len(answer.body))
    request.write(answer.body)  # type: ignore[no-untyped-call]
    request.finish()  # type: ignore[no-untyped-call]


def _set_length(request: LimitedRequest, length: int) -> None:
    request.setHeader("Content-Length", str(length))  # type: ignore[no-untyped-call]


async def _send_message(request: LimitedRequest, message: IMessage) -> None:
    try:
        _set_length(request, message.size)
        if request.method == b"HEAD":
            request.write(b"")  # type: ignore[no-untyped-call]
            request.finish()  # type: ignore[no-untyped-call]
            return
        stream = _Stream()
        request.registerProducer(stream, True)  # type: ignore[no-untyped-call]
        try:
            for chunk in message.chunks():
                data = chunk if isinstance(chunk, bytes) else await chunk
                await stream.ready()
                request.write(data)  # type: ignore[no-untyped-call]
        except CancelledError:
            return
        except OSError:
            # The beginning is sent already: only a broken connection can say that more is missing.
            _log.failure("{event} a message could not be read to its end", event="web.not_read")
            request.unregisterProducer()  # type: ignore[no-untyped-call]
            request.loseConnection()  # type: ignore[no-untyped-call]
            return
        request.unregisterProducer()  # type: ignore[no-untyped-call]
        request.finish()  # type: ignore[no-untyped-call]
    finally:
        message.close()


@implementer(IPushProducer)
class _Stream:
    """
    Waits while the browser is slower than the disk.
    """

    def __init__(self) -> None:
        self._is_paused = False
        self._is_stopped = False
        self._waiting: Deferred[None] | None = None

    async def ready(self) -> None:
        """
        Wait until more may be written.

        @raise CancelledError: nobody reads any more.
        """
        if self._is_stopped:
            raise CancelledError
        if self._is_paused:
            self._waiting = Deferred()
            await self._waiting

    def pauseProducing(self) -> None:
        """
        Write no more for now.
        """
        self._is_paused = True

    def resumeProducing(self) -> None:
        """
        Go on.
        """
        self._is_paused = False
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def stopProducing(self) -> None:
        """
        Give up: the browser is gone.
        """
        self._is_stopped = True
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()
