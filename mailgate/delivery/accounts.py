"""
The accounts that may log in to send mail, as a mail server knows them.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from typing import Any

from twisted.internet.defer import (
    CancelledError,
    Deferred,
    DeferredSemaphore,
    TimeoutError,
    fail,
)
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.logger import Logger
from zope.interface import implementer

from mailgate.config.model import AccountUpstream, AccountUpstreamKind
from mailgate.config.values import check_sender
from mailgate.delivery.endpoint import FORESEEN, make_endpoint, why_not_connected
from mailgate.delivery.log_in import LogInClient, NotAsked
from mailgate.interfaces import Account, AccountsUnavailable, IAccounts
from mailgate.net.connecting import connect_protocol
from mailgate.wire.saslprep import name_key
from mailgate.wire.scram import ScramVerifier

QUEUE = 50
"""Log-ins that wait for a connection; above it people have to come again."""

PASSWORD_LIMIT = 1000
"""Characters of a password; a longer one is never right."""

KNOWN = 10_000
"""Accounts that are known because somebody has logged in to them."""


@implementer(IAccounts)
class UpstreamAccounts:
    """
    Asks a mail server whether a password is right, over a connection of its own for each log-in.

    What it said is not remembered, so that a password that was changed, or an account that was
    closed there, counts at once; mail programs log in seldom, and no password is kept in memory.
    Anything but a clear yes or no is no answer.
    """

    log = Logger()
    has_scram = False
    """SCRAM cannot be handed on: whoever is asked must be told the password."""

    def __init__(
        self,
        settings: AccountUpstream,
        hostname: str,
        reactor: Any,
        tls: IOpenSSLClientConnectionCreator,
        endpoint: IStreamClientEndpoint | None = None,
    ) -> None:
        """
        @param hostname: what we call ourselves there.
        @param reactor: connects and keeps time.
        @param tls: begins TLS, and verifies the server.
        @param endpoint: where to connect to, if not to what the settings name.
        """
        self._settings = settings
        self._hostname = hostname
        self._clock: IReactorTime = reactor
        self._tls = tls
        port = settings.usual_port
        self._name = f"{settings.host}, port {port}"
        self._endpoint = endpoint or make_endpoint(
            reactor, settings.host, port, settings.answer_seconds
        )
        self._turns = DeferredSemaphore(settings.connections)
        self._senders = {
            name_key(name): frozenset(senders) for name, senders in settings.senders.items()
        }
        self._known: OrderedDict[str, Account] = OrderedDict()
        self._open: set[LogInClient] = set()
        self._asking: set[Deferred[bool]] = set()
        self._trouble = ""

    def load(self) -> Deferred[None]:
        """
        See whether the server can be asked. It never fails: an event tells.
        """
        return Deferred.fromCoroutine(self._look())

    async def _look(self) -> None:
        # Whoever waits for it at the start no longer does when the gateway stops.
        with suppress(AccountsUnavailable, CancelledError):
            await self._ask(None)

    def verify(self, name: str, password: str) -> Deferred[Account | None]:
        """
        Give the account of that name if the server says that the password is its own.

        @raise AccountsUnavailable: the server said neither yes nor no, or too many others wait.
        """
        return Deferred.fromCoroutine(self._verify(name, password))

    def verifier(self, name: str) -> Deferred[ScramVerifier]:
        """
        There are no verifiers.

        @raise AccountsUnavailable: always.
        """
        return fail(AccountsUnavailable("there are no verifiers"))

    def find(self, name: str) -> Account | None:
        """
        Give the account of that name, if somebody has logged in to it before.
        """
        return self._known.get(name_key(name))

    def close(self) -> None:
        """
        Break off what is still asked, and cut all connections.
        """
        for asking in list(self._asking):
            asking.cancel()
        for client in list(self._open):
            client.abort()

    # -- the question -------------------------------------------------------------------

    async def _verify(self, name: str, password: str) -> Account | None:
        if not _can_be_right(name, password):
            return None
        if len(self._turns.waiting) >= QUEUE:
            raise AccountsUnavailable("too many log-ins at the same time")
        if not await self._ask((name, password)):
            return None
        key = name_key(name)
        account = Account(name, self._own_address(name) | self._senders.get(key, frozenset()))
        self._known[key] = account
        self._known.move_to_end(key)
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)
        return account

    def _own_address(self, name: str) -> frozenset[str]:
        """
        Give the address of an account, if it is known: its name, with the domain behind it where
        it has none.
        """
        local, at, _ = name.rpartition("@")
        if at and not local:
            return frozenset()
        address = name if at else f"{name}@{self._settings.domain or ''}"
        try:
            return frozenset((check_sender(address),))
        except ValueError:
            return frozenset()

    async def _ask(self, credentials: tuple[str, str] | None) -> bool:
        """
        Ask, or find out whether it is possible.

        @raise AccountsUnavailable: it is not; an event tells, once for the same trouble.
        """
        asking = Deferred.fromCoroutine(self._in_turn(credentials))
        asking.addTimeout(self._settings.answer_seconds, self._clock)
        self._asking.add(asking)
        try:
            is_right = await asking
        except CancelledError:
            raise
        except TimeoutError:
            why = "no answer in time"
        except NotAsked as error:
            why = str(error)
        else:
            if self._trouble:
                self._trouble = ""
                self.log.info("{event} {upstream}", event="accounts.asked", upstream=self._name)
            return is_right
        finally:
            self._asking.discard(asking)
        if why != self._trouble:
            self._trouble = why
            self.log.error(
                "{event} {upstream}: {why}",
                event="accounts.not_asked",
                upstream=self._name,
                why=why,
            )
        raise AccountsUnavailable(why)

    async def _in_turn(self, credentials: tuple[str, str] | None) -> bool:
        await self._turns.acquire()
        begins_with_tls = self._settings.kind is AccountUpstreamKind.SUBMISSIONS
        client = LogInClient(self._hostname, self._tls, begins_with_tls, self._clock)
        try:
            await connect_protocol(self._endpoint, client)
        except BaseException as error:
            self._turns.release()
            if isinstance(error, ConnectingCancelledError):
                raise CancelledError from None
            if isinstance(error, FORESEEN) and not isinstance(error, CancelledError):
                raise NotAsked(why_not_connected(error)) from None
            raise
        self._open.add(client)
        client.closed.addCallback(self._closed, client)
        return await client.ask(credentials)

    def _closed(self, _: None, client: LogInClient) -> None:
        self._open.discard(client)
        self._turns.release()


def _can_be_right(name: str, password: str) -> bool:
    """
    Tell whether it is worth to ask.

    Without a password some servers let everybody in, and what stands behind a NUL would be
    another part of the message that asks. A name must be fit to be written into a log.
    """
    return (
        name != ""
        and name.isprintable()
        and name == name.strip()
        and 0 < len(password) <= PASSWORD_LIMIT
        and "\0" not in password
    )
