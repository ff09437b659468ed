"""
What is told to the service manager that started the process: systemd, by its notification socket.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, MutableMapping
from socket import AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, socket
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from mailgate.hub.jobs import Job, Jobs

SEND_SECONDS = 1.0
"""How long a word to the service manager may block the process."""


class Supervisor:
    """
    Tells the service manager how the process is. Without one it tells nobody.
    """

    log = Logger()

    def __init__(self, address: str = "", watchdog_seconds: float = 0.0) -> None:
        """
        @param address: the path of its socket, or C{@} and an abstract name.
        @param watchdog_seconds: after how long without a sign of life it ends the process, or 0.
        """
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog_seconds = watchdog_seconds

    @classmethod
    def take(cls, environ: MutableMapping[str, str], pid: int) -> Supervisor:
        """
        Read the environment what it says of the service manager, and take it out, so that no
        process that this one starts speaks for it.
        """
        address = environ.pop("NOTIFY_SOCKET", "")
        period = environ.pop("WATCHDOG_USEC", "")
        watched = environ.pop("WATCHDOG_PID", str(pid))
        is_watched = period.isdecimal() and watched == str(pid)
        return cls(address, int(period) / 1e6 if is_watched else 0.0)

    def ready(self, status: str) -> None:
        """
        Tell that the gateway works, after its start or a reload, and how it is, in words.
        """
        self._tell("READY=1", _status(status))

    def reloading(self) -> None:
        """
        Tell that it takes up its configuration anew.
        """
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._tell("RELOADING=1", f"MONOTONIC_USEC={now}", _status("takes up the configuration"))

    def stopping(self, seconds: float) -> None:
        """
        Tell that it ends, and after how long it will have ended at the latest.
        """
        extension = f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}"
        self._tell("STOPPING=1", extension, _status("lets messages under way end"))

    def alive(self) -> None:
        """
        Give a sign of life.
        """
        self._tell("WATCHDOG=1")

    def _tell(self, *words: str) -> None:
        if not self._address:
            return
        try:
            with socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC) as connection:
                connection.settimeout(SEND_SECONDS)
                connection.sendto("\n".join(words).encode("utf-8"), self._address)
        except OSError as error:
            self.log.warn(
                "{event} {words}: {error}",
                event="supervisor.not_told",
                words=words[0],
                error=str(error),
            )


class Watchdog:
    """
    Gives signs of life as long as everything answers that the gateway cannot do without, twice in
    the time that is allowed.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        supervisor: Supervisor,
        asked: Mapping[str, Callable[[], Deferred[bool]]],
    ) -> None:
        """
        @param asked: what must answer, by its name. That it fails is no answer, nor is C{False}.
        """
        self._clock = clock
        self._supervisor = supervisor
        self._asked = asked
        period = supervisor.watchdog_seconds / 2
        self._patience = period / 2
        self._jobs = Jobs(clock, (Job("watchdog", period, self._look),) if period else ())

    def start(self) -> None:
        """
        Begin, at once.
        """
        self._jobs.start()

    def ask_nobody(self) -> None:
        """
        Let it be enough from now on that the reactor turns: what answers is being ended.
        """
        self._asked = {}

    def stop(self) -> Deferred[Any]:
        """
        Give no sign any more.
        """
        return self._jobs.stop()

    def _look(self) -> Deferred[Any]:
        return Deferred.fromCoroutine(self._feed())

    async def _feed(self) -> None:
        asked = self._asked
        looking = DeferredList([self._answers(ask) for ask in asked.values()])
        answers = [is_there for _, is_there in await looking]
        silent = [what for what, is_there in zip(asked, answers, strict=True) if not is_there]
        if silent:
            self.log.error(
                "{event} no answer from {silent}; if it stays so, the process will be ended",
                event="watchdog.starved",
                silent=silent,
            )
        else:
            self._supervisor.alive()

    def _answers(self, ask: Callable[[], Deferred[bool]]) -> Deferred[bool]:
        answer = ask().addTimeout(self._patience, self._clock)
        # That there is none in time is what is told.
        return answer.addErrback(lambda _: False)


def _status(words: str) -> str:
    return f"STATUS={' '.join(words.split())}"
