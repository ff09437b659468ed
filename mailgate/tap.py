"""
What `twistd mailgate` understands on its command line, and the service that it starts.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.application.service import IService, MultiService
from twisted.logger import ILogObserver
from twisted.python.usage import Options as BaseOptions
from twisted.python.usage import UsageError

from mailgate.config.load import INSTALLED, QUICKSTART, default_path, load_to_run
from mailgate.config.model import LogFormat
from mailgate.config.problem import ConfigurationError
from mailgate.edge.binding import NOBODY, Owner
from mailgate.edge.handed import HandedSockets, first_environment
from mailgate.hub.supervisor import Supervisor
from mailgate.parts import Parts, keep_steady, share_time, spare_collector
from mailgate.reporting.events import EventLog, is_journal
from mailgate.service import make_gateway

STDOUT = 1

LOG = "twistd.log"
"""Where a daemon logs that was not told where."""


class Options(BaseOptions):
    """
    The options of C{twistd mailgate}.
    """

    synopsis = "[options]"
    longdesc = (
        "Starts the mail gateway: it takes mail in by SMTP, judges it, hands it on or holds it."
    )
    optParameters = [
        (
            "config",
            "c",
            None,
            f"The configuration file (default: ./{QUICKSTART} if it exists, else {INSTALLED}).",
        ),
    ]

    def postOptions(self) -> None:
        """
        Read the configuration.

        @raise UsageError: it is wrong; all its mistakes are named.
        """
        try:
            named = self["config"]
            path = default_path() if named is None else Path(named)
            self["path"] = path.absolute()
            self["settings"] = load_to_run(path)
        except ConfigurationError as error:
            raise UsageError(f"the configuration is wrong\n{error}") from error
        twistd: dict[str, Any] = self.parent or {}
        self["owner"] = _owner(twistd.get("uid"), twistd.get("gid"))
        self["log"] = _log(twistd)


class Application(MultiService):
    """
    The gateway as a program of twistd. It logs its events itself, in the form that the
    configuration asks for: what twistd would do waits for a log that takes nothing, and cannot be
    rotated by others.
    """

    def __init__(self, gateway: IService, events: EventLog) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        gateway.setServiceParent(self)
        self._events = events

    def setServiceParent(self, parent: Any) -> None:
        """
        Become part of what twistd runs, which looks there for who takes its events.
        """
        parent.setComponent(ILogObserver, self._events)
        super().setServiceParent(parent)  # type: ignore[no-untyped-call]


def makeService(options: Options) -> IService:
    """
    Make the gateway.

    @raise SystemExit: the checks cannot be brought into an order, what systemd has handed over
        cannot be used, or the log cannot be written.
    """
    from twisted.internet import reactor

    keep_steady(reactor)
    share_time()
    path, settings, owner = options["path"], options["settings"], options["owner"]
    parts = Parts(
        handed=HandedSockets.take(first_environment(), os.getpid(), owner),
        supervisor=Supervisor.take(os.environ, os.getpid()),
    )
    # No process that this one starts was meant.
    os.environ.pop("LISTEN_FDNAMES", None)
    events = _event_log(options["log"], settings.log.format, owner)
    if events is not None:
        reactor.callWhenRunning(events.start)
        reactor.addSystemEventTrigger("after", "shutdown", events.stop)
        if settings.log.format is LogFormat.JSON and options["log"] == STDOUT:
            parts = evolve(parts, say=events.say)
    try:
        gateway = make_gateway(settings, reactor, parts, lambda: load_to_run(path))
    except ConfigurationError as error:
        raise SystemExit(f"mailgate: the configuration is wrong\n{error}") from error
    spare_collector()
    return gateway if events is None else Application(gateway, events)


def _log(twistd: Mapping[str, Any]) -> Path | int | None:
    """
    Give where events are logged, from the options of twistd: a file, or a descriptor; or C{None},
    where somebody else is to do it.

    @raise UsageError: it is not possible.
    """
    if "nodaemon" not in twistd or twistd["logger"] or twistd["syslog"]:
        return None
    name = twistd["logfile"]
    stays = twistd["nodaemon"] or twistd["debug"]
    if name == "-" and not stays:
        raise UsageError("a daemon cannot log to standard output")
    return STDOUT if name == "-" or (stays and not name) else Path(name or LOG).absolute()


def _event_log(to: Path | int | None, form: LogFormat, owner: Owner) -> EventLog | None:
    if to is None:
        return None
    if isinstance(to, Path):
        _make_log(to, owner)
    return EventLog(form, to, to == STDOUT and is_journal(STDOUT, os.environ))


def _owner(user: int | None, group: int | None) -> Owner:
    """
    Give as whom twistd goes on after the addresses have been bound.
    """
    if os.geteuid() != 0 or (user is None and group is None):
        return NOBODY
    if user is None or group is not None:
        return -1 if user is None else user, -1 if group is None else group
    try:
        return user, pwd.getpwuid(user).pw_gid
    except KeyError:
        raise UsageError(f"there is no user {user}, so --gid is needed as well") from None


def _make_log(path: Path, owner: Owner) -> None:
    """
    Make the log, or see that it can be written, while it belongs to whom it will be written by.

    @raise SystemExit: it cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            if owner != NOBODY:
                os.fchown(descriptor, *owner)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SystemExit(f"mailgate: {path} cannot be written: {error.strerror}") from error
