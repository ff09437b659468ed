"""
HTTP with limits: what a request may cost before any page sees it.

Twisted reads a request's body whole, however large it is and however long that takes.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any, Protocol

from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

REQUEST_SECONDS = 30.0
"""How long a whole request may take to come in, from its first byte."""

ANSWER_SECONDS = 15 * 60.0
"""How long an answer may take to be made and taken, at most."""

LINGER_SECONDS = 2.0
"""How long a client that was refused may go on sending, so that it sees the answer."""

LINGER_BYTES = 1024 * 1024

IDLE_SECONDS = 60
"""How long a connection is kept open without a request."""


class IsSite(Protocol):
    """
    What the channel asks of its site.
    """

    def body_limit(self, path: bytes) -> int:
        """
        Give the bytes that the body of a request for C{path} may have.
        """

    def refusal(self, code: int) -> bytes:
        """
        Give a whole response that ends the connection.
        """

    def left(self) -> None:
        """
        Take note that a connection has ended.
        """

    def answer(self, request: LimitedRequest) -> None:
        """
        Answer a request that is complete.
        """


class LimitedChannel(HTTPChannel):
    """
    One connection. It speaks HTTP/1 alone.
    """

    site: IsSite

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._is_refused = False
        self._discarded = 0
        self._limit: IDelayedCall | None = None

    def dataReceived(self, data: bytes) -> None:
        """
        Read on, if the request is in time; of a refused one, only throw away.
        """
        if self._is_refused:
            self._discarded += len(data)
            if self._discarded > LINGER_BYTES:
                self.loseConnection()  # type: ignore[no-untyped-call]
            return
        if self._limit is None:
            self._allow(REQUEST_SECONDS, lambda: self.refuse(408))
        super().dataReceived(data)  # type: ignore[no-untyped-call]

    def lineReceived(self, line: bytes) -> None:
        """
        Read a line; the first one tells the request what its body may have.
        """
        if self._is_refused:
            return
        known = len(self.requests)
        super().lineReceived(line)  # type: ignore[no-untyped-call]
        if len(self.requests) > known:
            words = line.split(b" ")
            path = words[1].partition(b"?")[0] if len(words) > 1 else b""
            self.requests[-1].room = self.site.body_limit(path)

    def headerReceived(self, line: bytes) -> bool:
        """
        Read a header; a length of thousands of digits is refused before it is a number.
        """
        if line[:15].lower() == b"content-length:" and len(line) > 40:
            self.refuse(413)
            return False
        return bool(super().headerReceived(line))  # type: ignore[no-untyped-call]

    def lineLengthExceeded(self, line: bytes) -> None:
        """
        Refuse a line that is longer than all headers may be.
        """
        self.refuse(431)

    def rawDataReceived(self, data: bytes) -> None:
        """
        Read a piece of a body.
        """
        if not self._is_refused:
            super().rawDataReceived(data)

    def allContentReceived(self) -> None:
        """
        Have a complete request answered.
        """
        if self._is_refused:
            return
        self._allow(ANSWER_SECONDS, self.forceAbortClient)
        super().allContentReceived()  # type: ignore[no-untyped-call]

    def requestDone(self, request: Request) -> None:
        """
        Go on to the next request.
        """
        self._cancel_limit()
        super().requestDone(request)  # type: ignore[no-untyped-call]

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """
        Forget the connection.
        """
        self._cancel_limit()
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        self.site.left()

    def refuse(self, code: int) -> None:
        """
        Answer with an error, take nothing more, and close the connection a little later.
        """
        if self._is_refused:
            return
        self._is_refused = True
        self.setTimeout(None)  # type: ignore[no-untyped-call]
        assert self.transport is not None
        self.transport.write(self.site.refusal(code))
        self._allow(LINGER_SECONDS, self.loseConnection)

    def _allow(self, seconds: float, otherwise: Callable[[], object]) -> None:
        self._cancel_limit()

        def passed() -> None:
            self._limit = None
            otherwise()

        self._limit = self.callLater(seconds, passed)  # type: ignore[no-untyped-call]

    def _cancel_limit(self) -> None:
        limit, self._limit = self._limit, None
        if limit is not None:
            limit.cancel()


class LimitedRequest(Request):
    """
    One request. Its body is kept in memory, and refused as soon as it is known to be too large.
    """

    channel: LimitedChannel
    room: int = 0
    """Bytes that the body may still have."""

    def gotLength(self, length: int | None) -> None:
        """
        Refuse a body that is announced too large; C{None} is one whose length is not announced.
        """
        self.content = self._body = BytesIO()
        if length is not None and length > self.room:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        """
        Take a piece of the body.
        """
        self.room -= len(data)
        if self.room < 0:
            self._refuse()
        else:
            self._body.write(data)

    def body(self) -> bytes:
        """
        Give the whole body.
        """
        return self._body.getvalue()

    def process(self) -> None:
        """
        Have the site answer; it looks for no resource, as Twisted's does.
        """
        self.channel.site.answer(self)

    def _refuse(self) -> None:
        # So that no "100 Continue" follows.
        self.requestHeaders.removeHeader(b"Expect")
        self.channel.refuse(413)

    def getSession(self, *args: Any, **kwargs: Any) -> Any:
        """
        Refuse: log-ins are rows of our own.
        """
        raise RuntimeError("there are no Twisted sessions here")


class LimitedSite(Site):
    """
    An HTTP server with these limits, that takes so many connections and no more. It writes no
    access log.
    """

    events = Logger()
    noisy = False
    protocol = LimitedChannel  # type: ignore[assignment]

    def __init__(self, reactor: IReactorTime, most: int) -> None:
        """
        @param most: how many connections there may be at the same time.
        """
        super().__init__(  # type: ignore[no-untyped-call]
            Resource(),
            requestFactory=LimitedRequest,
            timeout=IDLE_SECONDS,
            reactor=reactor,
            parsePOSTFormSubmission=False,
        )
        self._most = most
        self._connections = 0

    def buildProtocol(self, addr: IAddress | None) -> LimitedChannel | None:  # type: ignore[override]
        """
        Take a connection, unless there are too many.
        """
        if self._connections >= self._most:
            self.too_many(str(addr))
            return None
        self._connections += 1
        channel: LimitedChannel = super().buildProtocol(addr)  # type: ignore[no-untyped-call]
        return channel

    def too_many(self, client: str) -> None:
        """
        Tell that a connection was turned away.
        """
        raise NotImplementedError

    def log(self, request: Request) -> None:  # type: ignore[override]
        """
        Write no access log: its lines would hold what links give away, and whoever watches comes
        every few seconds.
        """

    def left(self) -> None:
        """
        Take note that a connection has ended.
        """
        self._connections -= 1
