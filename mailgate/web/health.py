"""
C{/healthz}, C{/readyz} and C{/metrics}: for programs that watch the gateway, without a log-in.

They have a port of their own. On that of the review pages whoever is led there by a web server on
this machine would come from this machine too, and nothing would tell it from those who may ask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.utils import formatdate
from http import HTTPStatus

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from mailgate.config.values import parse_network
from mailgate.reporting.measures import Sums
from mailgate.reporting.metrics import CONTENT_TYPE, expose
from mailgate.reporting.status import Status
from mailgate.web.channel import LimitedRequest, LimitedSite
from mailgate.web.headers import security_headers
from mailgate.wire.network import address_of, is_within

CONNECTIONS = 100
"""How many there may be at the same time."""

_TEXT = "text/plain; charset=utf-8"


@frozen
class _Said:
    code: int
    body: bytes
    kind: str = _TEXT


def _words(code: int, *lines: str) -> _Said:
    return _Said(code, "".join(f"{line}\n" for line in lines).encode())


class HealthSite(LimitedSite):
    """
    The HTTP server of the three.
    """

    def __init__(
        self,
        networks: tuple[str, ...],
        is_alive: Callable[[], Deferred[str]],
        status: Callable[[], Deferred[Status]],
        sums: Sums,
        reactor: IReactorTime,
    ) -> None:
        """
        @param networks: who may ask, beside this machine.
        @param is_alive: says why the database does not answer, or C{""}.
        @param status: finds out how the gateway is.
        @param sums: what was counted since the start.
        """
        super().__init__(reactor, CONNECTIONS)
        self._networks = tuple(map(parse_network, networks))
        self._is_alive = is_alive
        self._status = status
        self._sums = sums
        self._pages: Mapping[bytes, Callable[[], Deferred[_Said]]] = {
            b"/healthz": lambda: Deferred.fromCoroutine(self._healthz()),
            b"/readyz": lambda: Deferred.fromCoroutine(self._readyz()),
            b"/metrics": lambda: Deferred.fromCoroutine(self._metrics()),
        }

    def too_many(self, client: str) -> None:
        """
        Tell that a connection was turned away.
        """
        self.events.warn("{event} {client}", event="health.connections", client=client)

    # -- for the channel --------------------------------------------------------------

    def body_limit(self, path: bytes) -> int:
        """
        Give the bytes that the body of a request may have: there is nothing to say.
        """
        return 0

    def refusal(self, code: int) -> bytes:
        """
        Give a whole response that ends the connection.
        """
        said = _words(code, HTTPStatus(code).phrase)
        head = [
            f"HTTP/1.1 {code} {HTTPStatus(code).phrase}",
            *(f"{name}: {value}" for name, value in _headers(said).items()),
            "Connection: close",
        ]
        return "\r\n".join([*head, "", ""]).encode("latin-1") + said.body

    def answer(self, request: LimitedRequest) -> None:
        """
        Answer a request that is complete.
        """
        gone: list[Failure] = []
        request.notifyFinish().addErrback(gone.append)

        def write(said: _Said) -> None:
            if gone:
                return
            request.setResponseCode(said.code)
            for name, value in _headers(said).items():
                request.setHeader(name, value)  # type: ignore[no-untyped-call]
            request.write(said.body)  # type: ignore[no-untyped-call]
            request.finish()  # type: ignore[no-untyped-call]

        answering = self._answer(request).addErrback(self._failed)
        answering.addCallback(write).addErrback(self._failed)

    # -- the answers ------------------------------------------------------------------

    def _answer(self, request: LimitedRequest) -> Deferred[_Said]:
        said: Deferred[_Said] = Deferred()
        page = self._pages.get(request.uri.partition(b"?")[0])
        if not self._may_ask(getattr(request.client, "host", "")):
            said.callback(_words(403, "not for this address: see [health] networks"))
        elif page is None:
            said.callback(_words(404, "there are /healthz, /readyz and /metrics"))
        elif request.method not in (b"GET", b"HEAD"):
            said.callback(_words(405, "only GET and HEAD"))
        else:
            return page()
        return said

    def _may_ask(self, client: str) -> bool:
        address = address_of(client)
        return address is not None and (address.is_loopback or is_within(address, self._networks))

    async def _healthz(self) -> _Said:
        why = await self._is_alive()
        # What the database says names files, which is nobody's business here.
        return _words(503, "the database does not answer") if why else _words(200, "ok")

    async def _readyz(self) -> _Said:
        reasons = (await self._status()).unreadiness()
        return _words(503, *reasons) if reasons else _words(200, "ok")

    async def _metrics(self) -> _Said:
        return _Said(200, expose(await self._status(), self._sums), CONTENT_TYPE)

    def _failed(self, failure: Failure) -> _Said:
        self.events.failure("{event}", failure, event="health.failed")
        return _words(500, "something went wrong; the log says what")


def _headers(said: _Said) -> Mapping[str, str]:
    headers = security_headers(is_secure=False)
    headers["Date"] = formatdate(usegmt=True)
    headers["Content-Type"] = said.kind
    headers["Content-Length"] = str(len(said.body))
    if said.code == 405:
        headers["Allow"] = "GET, HEAD"
    return headers
