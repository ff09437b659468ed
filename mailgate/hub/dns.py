"""
Which DNS servers the workers ask, for whoever reads the log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mailgate.config.model import Dns
from mailgate.interfaces import IThreads
from mailgate.net.dns.servers import Server, find_servers

SECONDS = 60.0
"""How often it is looked."""


class ServerWatch:
    """
    Tells of the servers at the start and when they change, and of those that are no good for mail.
    """

    log = Logger()

    def __init__(
        self,
        settings: Callable[[], Dns],
        file: Path,
        threads: IThreads,
        found: Callable[[Sequence[Server]], None] = lambda servers: None,
    ) -> None:
        """
        @param settings: gives those that count at the moment.
        @param file: C{resolv.conf}.
        @param threads: where it is read.
        @param found: told which servers there are, each time that it is looked.
        """
        self._found = found
        self._settings = settings
        self._file = file
        self._threads = threads
        self._servers: Sequence[Server] = ()

    def look(self) -> Deferred[None]:
        """
        Find the servers, and tell.
        """
        finding = self._threads.run(find_servers, self._settings().servers, self._file)
        return finding.addCallback(self._tell)

    def _tell(self, servers: Sequence[Server]) -> None:
        self._found(servers)
        if servers == self._servers:
            return
        self._servers = servers
        self.log.info(
            "{event} {servers}", event="dns.servers", servers=", ".join(map(str, servers))
        )
        for server in servers:
            if server.is_public:
                self.log.warn(
                    "{event} {server} serves everybody: DNS lists will not answer it",
                    event="dns.public_server",
                    server=str(server),
                )
