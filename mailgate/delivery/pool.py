"""
The open connections to one upstream, and who waits for one.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailgate.config.delivery import ClientTold, SmtpUpstream
from mailgate.delivery.answer import not_reached
from mailgate.delivery.breaker import Breaker
from mailgate.delivery.deadline import Deadline
from mailgate.delivery.endpoint import FORESEEN, why_not_connected
from mailgate.delivery.opening import Opening
from mailgate.delivery.smtp import SmtpClient
from mailgate.delivery.transaction import Transaction
from mailgate.interfaces import Capabilities, Load
from mailgate.net.connecting import connect_protocol
from mailgate.reply import Reply
from mailgate.wire.xclient import ClientAttributes

OPEN = not_reached("it has failed too often, and is tried again soon")
CLOSED = Reply(451, "4.3.2", "the gateway is being stopped")


class Pool:
    """
    Runs transactions on up to C{connections} connections; who came first is served first.

    A connection is opened when somebody waits, and ended after C{transactions} transactions or
    C{idle_seconds} without one. Who finds a connection broken before the upstream's 354 gets a
    new one, once; after it never, since the upstream may have the message.
    """

    log = Logger()

    def __init__(
        self,
        name: str,
        endpoint: IStreamClientEndpoint,
        clock: IReactorTime,
        opening: Opening,
        settings: SmtpUpstream,
    ) -> None:
        """
        @param name: the upstream's, for events.
        @param opening: how connections begin.
        """
        self.capabilities = Capabilities()
        """What the upstream said at its last EHLO."""
        self.failures = 0
        """How many attempts to connect or to get an answer have failed since the last answer."""
        self._name = name
        self._endpoint = endpoint
        self._clock = clock
        self._opening = opening
        self._settings = settings
        self._is_by_client = settings.tell_client is ClientTold.XCLIENT
        """Whether a connection is used for one client only, once it was told of it."""
        self.breaker = Breaker(
            name, clock, settings.breaker_failures, settings.breaker_seconds, self._attempt
        )
        self._idle: list[SmtpClient] = []
        self._total = 0
        self._connecting: dict[SmtpClient, Deferred[Any]] = {}
        """Those that are not ready yet, with the attempt to connect."""
        self._waiting: deque[Transaction] = deque()
        self._repeated: deque[Transaction] = deque()
        self._probes: list[Deferred[None]] = []
        self._is_growing = False
        self._is_closing = False
        self._closed: list[Deferred[None]] = []
        self._timer = Deadline(clock, self._look_around)

    @property
    def load(self) -> Load:
        """
        Tell how busy the connections are.
        """
        idle = len(self._idle)
        return Load(self._total - idle, idle, len(self._waiting) + len(self._repeated))

    def run(self, transaction: Transaction) -> None:
        """
        Run C{transaction}, at once or as soon as there is a connection for it.
        """
        if self._is_closing:
            transaction.refuse(CLOSED)
            return
        if self.breaker.is_open:
            transaction.refuse(OPEN)
            return
        self.breaker.admit()
        if self._idle and (not self._is_by_client or self._bring_up(transaction)):
            client = self._idle.pop()
            if not client.begin(transaction):
                self._idle.append(client)
        else:
            transaction.holder = self
            self._waiting.append(transaction)
            self._timer.advance(transaction.wait_until)
            self._grow()

    def drop(self, transaction: Transaction) -> None:
        """
        Forget a transaction that waits.
        """
        for queue in (self._waiting, self._repeated):
            if transaction in queue:
                queue.remove(transaction)

    def probe(self) -> Deferred[None]:
        """
        Wait until it is known what the upstream can take, or that it cannot be reached.
        """
        if self._is_closing or self._total > len(self._connecting):
            return succeed(None)
        probed: Deferred[None] = Deferred()
        self._probes.append(probed)
        self._grow()
        return probed

    def close(self) -> Deferred[None]:
        """
        End idle connections and those that are not ready yet, refuse who waits, and wait for
        the busy ones.
        """
        self._is_closing = True
        self.breaker.stop()
        idle, self._idle = self._idle, []
        for client in idle:
            client.quit()
        for queue in (self._waiting, self._repeated):
            while queue:
                queue.popleft().refuse(CLOSED)
        for client, connecting in list(self._connecting.items()):
            if client.connected:
                client.give_up()
            else:
                connecting.cancel()
        closed: Deferred[None] = Deferred()
        self._closed.append(closed)
        self._look_for_end()
        return closed

    # -- what clients tell --------------------------------------------------------------

    def client_ready(self, client: SmtpClient) -> None:
        """
        Give a connection to who waits, keep it, or end it after its last transaction.
        """
        is_new = client in self._connecting
        if not is_new:
            self.breaker.answered()
        if self.failures:
            self.failures = 0
            self.log.info("{event} {upstream}", event="upstream.recovered", upstream=self._name)
        if is_new:
            del self._connecting[client]
            self._learn(client.capabilities)
            self.breaker.connected()
        elif client.transactions >= self._settings.transactions:
            client.quit()
            return
        while transaction := self._next(is_new, client):
            if client.begin(transaction):
                return
        if self._is_closing:
            client.quit()
            return
        client.idle_since = self._clock.seconds()
        self._idle.append(client)
        self._timer.advance(client.idle_since + self._settings.idle_seconds)
        if self._waiting:
            # They are for other clients; a connection for them may have to take its place.
            self._grow()

    def client_closed(
        self, client: SmtpClient, reply: Reply, transaction: Transaction | None, repeat: bool
    ) -> None:
        """
        Answer who has lost the connection, or let them have a new one.
        """
        if client in self._idle:
            self._idle.remove(client)
        if client in self._connecting:
            if repeat and not self._is_closing:
                self._total -= 1
                del self._connecting[client]
                self._grow()
            else:
                self._failed(client, reply)
            return
        self._total -= 1
        if transaction is not None:
            if repeat and not (transaction.is_repeat or self._is_closing):
                transaction.is_repeat = True
                transaction.holder = self
                self._repeated.append(transaction)
                self._timer.advance(transaction.wait_until)
            else:
                self._note_failure(reply)
                if client.is_late:
                    self.breaker.hung(str(reply))
                transaction.refuse(reply)
        self._grow()
        self._look_for_end()

    # -- connections --------------------------------------------------------------------

    def _grow(self) -> None:
        """
        Open a connection for each who waits, as far as that is allowed.
        """
        if self._is_growing:
            return
        self._is_growing = True
        while self._total < self._settings.connections and len(self._connecting) < self._wanted():
            self._connect()
        self._is_growing = False
        if self._is_by_client and self._waiting and self._idle and self._is_full():
            self._idle.pop(0).quit()

    def _is_full(self) -> bool:
        return self._total >= self._settings.connections

    def _wanted(self) -> int:
        return len(self._waiting) + len(self._repeated) + bool(self._probes)

    def _connect(self) -> None:
        settings = self._settings
        self._total += 1
        client = SmtpClient(
            self,
            self._clock,
            self._opening,
            settings.connect_seconds,
            settings.reply_seconds,
            settings.tell_client,
        )
        connecting = connect_protocol(self._endpoint, client)
        self._connecting[client] = connecting
        connecting.addTimeout(settings.connect_seconds, self._clock)
        connecting.addErrback(self._not_connected, client)

    def _not_connected(self, failure: Failure, client: SmtpClient) -> None:
        if not isinstance(failure.value, FORESEEN):
            self.log.failure("{event}", failure, event="upstream.not_connected")
        self._failed(client, not_reached(why_not_connected(failure.value)))

    def _failed(self, client: SmtpClient, reply: Reply) -> None:
        """
        Let the first who waits go with a connection that could not be used, or all of them if
        there is no other one that works: nobody shall wait for what is not there.
        """
        self._total -= 1
        del self._connecting[client]
        if not self._is_closing:
            self._note_failure(reply)
            if self._total == len(self._connecting):
                # While others work, the upstream only wants no more of them.
                self.breaker.failed(str(reply))
        refused = []
        while transaction := self._next(True):
            refused.append(transaction)
            if self._total > len(self._connecting):
                break
        for transaction in refused:
            transaction.refuse(reply)
        self._end_probes()
        self._grow()
        self._look_for_end()

    def _note_failure(self, reply: Reply) -> None:
        self.failures += 1
        self.log.warn(
            "{event} {upstream}: {reply}",
            event="upstream.failed",
            upstream=self._name,
            reply=str(reply),
            failures=self.failures,
        )

    def _learn(self, capabilities: Capabilities) -> None:
        if capabilities != self.capabilities:
            self.capabilities = capabilities
            self.log.info(
                "{event} of {upstream}: {extensions}, SIZE {size}",
                event="upstream.capabilities",
                upstream=self._name,
                extensions=" ".join(sorted(capabilities.extensions)),
                size=capabilities.size,
            )
        self._end_probes()

    def _end_probes(self) -> None:
        probes, self._probes = self._probes, []
        for probe in probes:
            probe.callback(None)

    # -- who waits ----------------------------------------------------------------------

    def _next(self, is_new: bool, client: SmtpClient | None = None) -> Transaction | None:
        """
        Take the next who waits. Who has lost an old connection gets only a new one, since the
        other old ones are likely to be dead as well.

        @param client: the connection that is free, where there is one.
        """
        if is_new and self._repeated:
            return self._repeated.popleft()
        if self._is_by_client and client is not None and client.client is not None:
            return self._next_of(client.client)
        return self._waiting.popleft() if self._waiting else None

    def _next_of(self, told: ClientAttributes) -> Transaction | None:
        """
        Take the next who waits for a connection of this client.
        """
        for transaction in self._waiting:
            if transaction.client == told:
                self._waiting.remove(transaction)
                return transaction
        return None

    def _bring_up(self, transaction: Transaction) -> bool:
        """
        Put a connection that is fit for a transaction where the next one is taken from: one on
        which its client was told, else one on which none was.

        @return: whether there is one.
        """
        idle = self._idle
        fit = next((each for each in idle if each.client == transaction.client), None)
        fit = fit or next((each for each in idle if each.client is None), None)
        if fit is None:
            return False
        idle.remove(fit)
        idle.append(fit)
        return True

    def _attempt(self) -> None:
        """
        See whether the upstream works again.
        """
        if not self._is_closing:
            self._probes.append(Deferred())
            self._grow()

    def _look_around(self) -> None:
        """
        End what has been idle for too long and answer who has waited for too long.
        """
        now = self._clock.seconds()
        settings = self._settings
        while self._idle and self._idle[0].idle_since + settings.idle_seconds <= now:
            self._idle.pop(0).quit()
        for queue in (self._waiting, self._repeated):
            for transaction in [t for t in queue if t.wait_until <= now]:
                queue.remove(transaction)
                transaction.refuse(not_reached("no connection in time"))
        at = self._idle[0].idle_since + settings.idle_seconds if self._idle else inf
        for transaction in (*self._waiting, *self._repeated):
            at = min(at, transaction.wait_until)
        if at < inf:
            self._timer.set(at)
        self._look_for_end()

    def _look_for_end(self) -> None:
        if self._closed and not (self._total or self._waiting or self._repeated):
            self._timer.stop()
            closed, self._closed = self._closed, []
            for deferred in closed:
                deferred.callback(None)
