"""
Questions to a directory by LDAP (RFC 4511): several servers, one connection that is made anew when
it is gone.

Nothing secret is said before TLS has begun, and the server has proven its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import frozen
from ldaptor import ldapfilter
from ldaptor.protocols import pureldap
from ldaptor.protocols.ldap import ldaperrors
from ldaptor.protocols.ldap.ldapclient import LDAPClient
from OpenSSL.SSL import Error as TlsError
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.endpoints import wrapClientTLS
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    DNSLookupError,
)
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.ssl import VerificationError
from twisted.logger import Logger

from mailgate.net.connecting import connect_protocol

ASIDE_SECONDS = 30.0
"""How long a server that has failed is only asked when the others fail as well."""

BUFFER = 1024 * 1024
"""Bytes of an answer that is not complete; a directory has no reason to send more at a time."""

SIZE_LIMIT_EXCEEDED = 4
INVALID_CREDENTIALS = 49
OF_THE_QUESTION = frozenset((16, 17, 18, 21, 32, 34, 50))
"""
Result codes (RFC 4511 appendix A) that are about what was asked or by whom: another server, or
another connection, would say the same.
"""

_LATE = "no answer in time"
_NO_CONNECTION = (ConnectError, ConnectionClosed, DNSLookupError, TlsError, VerificationError)

Entry = Mapping[str, Sequence[bytes]]
"""Values by the names of their attributes in lower case."""


class DirectoryFailed(Exception):
    """
    No server has given an answer; the message says why.
    """


@frozen
class Server:
    """
    A server, and how to reach it.
    """

    name: str
    """For people."""

    endpoint: IStreamClientEndpoint
    tls: IOpenSSLClientConnectionCreator | None
    """Verifies it; C{None}: it is asked in the clear."""

    begins_with_tls: bool = False


class Client(LDAPClient):  # type: ignore[misc]
    """
    A connection.
    """

    log = Logger()

    def dataReceived(self, data: bytes) -> None:
        """
        Take what the server sends. What makes no sense ends the connection.
        """
        try:
            super().dataReceived(data)
        except Exception as error:
            # Whatever ldaptor raises for bytes that are no LDAP, or for an answer to no question.
            self.log.warn("{event} {error}", event="ldap.garbage", error=repr(error)[:200])
            self.end()
        if len(self.buffer) > BUFFER:
            self.log.warn("{event} {error}", event="ldap.garbage", error="an answer without an end")
            self.end()

    def end(self) -> None:
        """
        Cut the connection.
        """
        self.buffer = b""
        self.transport.abortConnection()


class _ServerFailed(Exception):
    """
    One server cannot be asked, or refuses; another may not.
    """

    def __init__(self, why: str, code: int = 0) -> None:
        super().__init__(why)
        self.code = code
        """The result code of a refusal, or 0."""


class Directory:
    """
    The servers of a directory.
    """

    log = Logger()

    def __init__(
        self,
        servers: Sequence[Server],
        bind_dn: str,
        password: Callable[[], str],
        clock: IReactorTime,
        seconds: float,
    ) -> None:
        """
        @param servers: in the order in which they are asked.
        @param bind_dn: as whom; C{""}: as nobody.
        @param password: gives the password; asked at each connection, so that it may change.
        @param seconds: how long one step of one server may take.
        """
        self._servers = servers
        self._bind_dn = bind_dn
        self._password = password
        self._clock = clock
        self._seconds = seconds
        self._aside: dict[str, float] = {}
        self._client: Client | None = None
        self._server: Server | None = None
        self._waiting: list[Deferred[None]] | None = None
        # The password that was refused, until when it is not tried again, and the words.
        self._refused = ("", 0.0, "")
        self._is_closed = False

    async def search(
        self, base: str, filter_: str, attributes: Sequence[str], limit: int
    ) -> Sequence[Entry]:
        """
        Give the entries below C{base} that a filter fits, at most C{limit} of them.

        @raise DirectoryFailed: it is not possible.
        """
        request = pureldap.LDAPSearchRequest(
            baseObject=base,
            scope=pureldap.LDAP_SCOPE_wholeSubtree,
            derefAliases=pureldap.LDAP_DEREF_neverDerefAliases,
            sizeLimit=limit,
            timeLimit=max(1, int(self._seconds)),
            filter=ldapfilter.parseFilter(filter_),
            attributes=list(attributes),
        )
        why = ""
        # Once more than there are servers: the connection that is there may just have ended.
        for _ in range(len(self._servers) + 1):
            client = await self._connected()
            try:
                return await self._ask(client, request)
            except _ServerFailed as error:
                why = str(error)
                if error.code in OF_THE_QUESTION:
                    break
                self._lose(client, why)
        raise DirectoryFailed(why)

    def close(self) -> None:
        """
        Cut the connection, and make no other.
        """
        self._is_closed = True
        if self._client is not None:
            self._client.end()
            self._client = None

    # -- the connection ----------------------------------------------------------------

    async def _connected(self) -> Client:
        """
        Give the connection; all who wait for one wait for the same.

        @raise DirectoryFailed: there is none.
        """
        while self._client is None or not self._client.connected:
            if self._is_closed:
                raise DirectoryFailed("it is being closed")
            if self._waiting is not None:
                waiting: Deferred[None] = Deferred()
                self._waiting.append(waiting)
                await waiting
                if self._client is None:
                    raise DirectoryFailed("no server can be reached")
                continue
            self._waiting = []
            try:
                await self._connect()
            finally:
                waiters, self._waiting = self._waiting, None
                for each in waiters:
                    each.callback(None)
        return self._client

    async def _connect(self) -> None:
        self._client, reasons = None, []
        now = self._clock.seconds()
        in_order = sorted(self._servers, key=lambda each: self._aside.get(each.name, 0.0) > now)
        for server in in_order:
            try:
                client = await self._open(server)
            except _ServerFailed as error:
                reasons.append(f"{server.name}: {error}")
                if error.code == INVALID_CREDENTIALS:
                    break  # more tries, here or elsewhere, would lock the account
                self._aside[server.name] = now + ASIDE_SECONDS
                continue
            if self._is_closed:
                client.end()
                raise DirectoryFailed("it is being closed")
            self._aside.pop(server.name, None)
            self._client, self._server = client, server
            return
        raise DirectoryFailed("; ".join(reasons))

    async def _open(self, server: Server) -> Client:
        endpoint = server.endpoint
        if server.tls is not None and server.begins_with_tls:
            endpoint = wrapClientTLS(server.tls, endpoint)
        client = Client()
        await self._step(connect_protocol(endpoint, client))
        try:
            if server.tls is not None and not server.begins_with_tls:
                await self._start_tls(client, server.tls)
            if self._bind_dn:
                try:
                    password = self._password()
                except (OSError, ValueError) as error:
                    raise _ServerFailed(f"the file of the password: {error}") from error
                await self._bind(client, password)
        except BaseException:
            client.end()
            raise
        return client

    async def _bind(self, client: Client, password: str) -> None:
        """
        Say who we are. A password that was refused is not tried again for a while.
        """
        now = self._clock.seconds()
        refused, until, why = self._refused
        if password == refused and now < until:
            raise _ServerFailed(why, INVALID_CREDENTIALS)
        try:
            await self._step(client.bind(self._bind_dn, password))
        except _ServerFailed as error:
            if error.code == INVALID_CREDENTIALS:
                self._refused = password, now + ASIDE_SECONDS, str(error)
            raise

    async def _start_tls(self, client: Client, tls: IOpenSSLClientConnectionCreator) -> None:
        """
        Begin TLS (RFC 4511 section 4.14); what is said from here on is not sent before the server
        has proven its name. What ldaptor has for it takes answers that came before TLS began.
        """
        response = await self._step(client.send(pureldap.LDAPStartTLSRequest()))
        if response.resultCode != 0:
            raise _ServerFailed(f"refused: {_words(_refusal(response))}")
        if client.buffer:
            # Said before TLS began, by whomever.
            raise _ServerFailed("bytes behind STARTTLS")
        client.transport.startTLS(tls)

    def _lose(self, client: Client, why: str) -> None:
        """
        Let go of a connection that does not answer as it should.
        """
        client.end()
        if client is self._client:
            self._client = None
            if self._server is not None and why == _LATE:
                self._aside[self._server.name] = self._clock.seconds() + ASIDE_SECONDS

    # -- steps -------------------------------------------------------------------------

    async def _ask(self, client: Client, request: Any) -> Sequence[Entry]:
        done: Deferred[Sequence[Entry]] = Deferred()
        entries: list[Entry] = []

        def answered(response: Any) -> bool:
            if isinstance(response, pureldap.LDAPSearchResultEntry):
                entries.append(_entry(response))
                return False
            if not isinstance(response, pureldap.LDAPSearchResultDone):
                return False  # a reference to another directory, which is not followed
            if not done.called:
                if response.resultCode in (0, SIZE_LIMIT_EXCEEDED):
                    done.callback(entries)
                else:
                    done.errback(_refusal(response))
            return True

        try:
            sent = client.send_multiResponse(request, answered)
        except Exception as error:
            raise _ServerFailed(f"the connection is gone: {error!r}") from error
        sent.addErrback(lambda failure: None if done.called else done.errback(failure))
        found: Sequence[Entry] = await self._step(done)
        return found

    async def _step(self, waiting: Deferred[Any]) -> Any:
        """
        Wait for a step of a server.

        @raise _ServerFailed: it did not come about.
        """
        waiting.addTimeout(self._seconds, self._clock)
        try:
            return await waiting
        except CancelledError:
            raise
        except (TimeoutError, ConnectingCancelledError):
            raise _ServerFailed(_LATE) from None
        except _NO_CONNECTION as error:
            raise _ServerFailed(_words(error)) from error
        except ldaperrors.LDAPException as error:
            raise _ServerFailed(f"refused: {_words(error)}", error.resultCode) from error


def _entry(response: Any) -> Entry:
    return {
        _text(name).lower(): [each if isinstance(each, bytes) else each.encode() for each in its]
        for name, its in response.attributes
    }


def _refusal(response: Any) -> Exception:
    error: Exception = ldaperrors.get(response.resultCode, response.errorMessage)
    return error


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
