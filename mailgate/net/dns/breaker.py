"""
Which servers work: those that do not are not asked, and looked at again from time to time.

That replies are missing proves nothing by itself, since whoever sends mail can name domains whose
servers never answer. So a server that is doubted is asked for something that it always knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from mailgate.net.dns.query import Patience, Query
from mailgate.net.dns.remote import Around, Remote
from mailgate.net.dns.servers import Server
from mailgate.wire.dns.answer import NS, Answer
from mailgate.wire.dns.name import ROOT, pack_name

AGAIN_SECONDS = 5.0
"""How long a server that does not answer is left alone."""

_PATIENCE = Patience(1.0, 2)


class Breaker:
    """
    The servers.
    """

    log = Logger()

    def __init__(self, around: Around, has_none: Callable[[], None]) -> None:
        """
        @param has_none: called when no server works any more.
        """
        self._around = around
        self._has_none = has_none
        self._probes: dict[Remote, Query | IDelayedCall] = {}
        self.remotes: tuple[Remote, ...] = ()
        self.up: tuple[Remote, ...] = ()
        """Those that work, as far as is known."""

    def use(self, servers: Sequence[Server]) -> None:
        """
        Ask these from now on. What is known of those that stay is kept.
        """
        known = {remote.server: remote for remote in self.remotes}
        self.remotes = tuple(
            known.pop(server) if server in known else Remote(server, self._around, self._doubt)
            for server in servers
        )
        for gone in known.values():
            self._end(gone)
        self._sort()

    def close(self) -> None:
        """
        Ask nobody any more.
        """
        self.use(())

    def _end(self, remote: Remote) -> None:
        probe = self._probes.pop(remote, None)
        if isinstance(probe, Query):
            probe.stop()
        elif probe is not None:
            probe.cancel()
        remote.close()

    def _sort(self) -> None:
        self.up = tuple(remote for remote in self.remotes if remote.is_up)

    def _doubt(self, remote: Remote) -> None:
        if remote not in self._probes and remote in self.remotes:
            self._probe(remote)

    def _probe(self, remote: Remote) -> None:
        began = self._around.now()

        def done(answer: Answer[Any], seconds: int) -> None:
            self._probes.pop(remote, None)
            if remote.heard_at >= began:
                self._works(remote)
            else:
                self._does_not_work(remote)

        probe = Query(self._around, (remote,), pack_name(ROOT), NS, _PATIENCE, lambda: True, done)
        self._probes[remote] = probe
        probe.start()

    def _works(self, remote: Remote) -> None:
        if not remote.is_up:
            remote.is_up = True
            self._sort()
            self.log.info("{event} {server}", event="dns.server_up", server=str(remote.server))

    def _does_not_work(self, remote: Remote) -> None:
        self._probes[remote] = self._around.reactor.callLater(AGAIN_SECONDS, self._probe, remote)
        if not remote.is_up:
            return
        remote.is_up = False
        self._sort()
        self.log.warn("{event} {server}", event="dns.server_down", server=str(remote.server))
        if not self.up:
            self.log.error(
                "{event} none of {servers} answers",
                event="dns.unreachable",
                servers=", ".join(str(each.server) for each in self.remotes),
            )
            self._has_none()
