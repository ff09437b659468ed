"""
The log of events: lines of text, or of JSON for those who read a log by programs.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any

from twisted.logger import (
    ILogObserver,
    Logger,
    LogLevel,
    formatEvent,
    formatEventAsClassicLogText,
)
from zope.interface import implementer

from mailgate.config.model import LogFormat
from mailgate.reporting.log import LineLog

Plain = str | int | float | bool | None
Field = Plain | list[Plain]
"""What a field of an event is where it is written down."""

FIELDS = 32
"""How many fields of an event are kept, and how many entries of one of them."""

FIELD_LIMIT = 1000
"""How many characters of a field are kept; what is cut ends with an ellipsis."""

TEXT_LIMIT = 4000
TRACEBACK_LIMIT = 8000
"""How many characters of a traceback are kept: the last ones, which say what went wrong."""

LINE_LIMIT = 40_000
"""Characters of the longest line of JSON; journald cuts a line at 48 KiB."""

END_SECONDS = 5.0
"""How long the end waits for a log that does not take what waits."""

PRIORITIES = {
    LogLevel.debug: 7,
    LogLevel.info: 6,
    LogLevel.warn: 4,
    LogLevel.error: 3,
    LogLevel.critical: 2,
}
"""What journald calls the levels."""

_DISPENSABLE = ("fields", "traceback", "text", "namespace", "event")
_OURS = frozenset({"event", "worker"})
_LEGACY = frozenset({"message", "time", "system", "format", "isError", "printed", "failure", "why"})
_LARGEST = 2**63 - 1
_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


@implementer(ILogObserver)
class EventLog:
    """
    Writes each event on a line of its own.

    While the reactor runs the writing is done in a thread, so that a log that does not take
    anything stops nobody. Before and afterwards it is done at once, as there the process may fork
    or end at any moment.
    """

    log = Logger()

    def __init__(
        self, form: LogFormat, target: Path | int, has_priorities: bool = False, limit: int = 20_000
    ) -> None:
        """
        @param target: the file, or a descriptor.
        @param has_priorities: whether journald reads it, and takes C{<3>} before a line for its
            priority.
        @param limit: how many lines may wait for a log that does not take them.
        """
        self._form = _FORMS[form]
        self._log = LineLog(target, limit)
        self._has_priorities = has_priorities
        self._runs = False
        self._is_telling = False

    def __call__(self, event: Mapping[str, Any]) -> None:
        """
        Write an event.
        """
        self._write(event.get("log_level", LogLevel.info), self._form(event))
        if self._log.is_full or self._is_telling:
            # It would be lost as well.
            return
        lost = self._log.take_lost()
        if lost:
            self._is_telling = True
            self.log.error("{event} {number} lines", event="log.lost", number=lost)
            self._is_telling = False

    def say(self, line: str) -> None:
        """
        Write a line for whoever starts the gateway, who looks at this log.
        """
        moment = {"log_time": time.time(), "log_format": "{line}", "line": line}
        self._write(LogLevel.info, self._form(moment))

    def start(self) -> None:
        """
        Write in a thread from now on.
        """
        self._log.start()
        self._runs = True

    def stop(self) -> None:
        """
        Write what waits, and from now on at once. Blocks, but not for long.
        """
        # Else it is written by nobody: the thread is still at something that does not end.
        self._runs = self._runs and not self._log.stop(END_SECONDS)

    def _write(self, level: Any, text: str) -> None:
        lines = text.rstrip("\n").split("\n") if text else []
        if self._has_priorities:
            lines = [f"<{PRIORITIES[level]}>{line}" for line in lines]
        if self._runs:
            self._log.write(lines)
        else:
            self._log.append(lines)


def is_journal(descriptor: int, environ: Mapping[str, str]) -> bool:
    """
    Tell whether what is written to a descriptor goes to journald.
    """
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def to_json(event: Mapping[str, Any]) -> str:
    """
    Give an event as one line of ASCII without its line feed.
    """
    moment = datetime.fromtimestamp(event.get("log_time", 0.0), UTC)
    shown: dict[str, Any] = {
        "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": event.get("log_level", LogLevel.info).name,
        "namespace": str(event.get("log_namespace", "")),
        "event": str(event.get("event", "")),
        "text": text_of(event),
    }
    worker = event.get("worker")
    if isinstance(worker, int):
        shown["worker"] = worker
    shown["fields"] = fields_of(event)
    traceback = traceback_of(event)
    if traceback:
        shown["traceback"] = traceback
    line = _encode(shown)
    while len(line) > LINE_LIMIT:
        # What is in no alphabet of Europe takes six characters or twelve; the words stay longest.
        key = next(name for name in _DISPENSABLE if shown.get(name))
        shown[key] = {} if key == "fields" else ""
        line = _encode(shown)
    return line


def text_of(event: Mapping[str, Any]) -> str:
    """
    Give an event in words, cut where they are long, and without its traceback.
    """
    text = event.get("log_text")
    return _cut(text if isinstance(text, str) else formatEvent(dict(event)), TEXT_LIMIT)


def traceback_of(event: Mapping[str, Any]) -> str:
    """
    Give the traceback of an event, its end where it is long, or C{""}.
    """
    failure = event.get("log_failure")
    text = event.get("log_traceback", "") if failure is None else failure.getTraceback()
    return _utf8(str(text)[-TRACEBACK_LIMIT:])


def fields_of(event: Mapping[str, Any]) -> Mapping[str, Field]:
    """
    Give what an event is about, by the names of the fields; not what every event has.
    """
    # An observer of the old kind leaves its own names in the event that the others get.
    others = _OURS | _LEGACY if "log_legacy" in event else _OURS
    named = (
        (name, value)
        for name, value in event.items()
        if not name.startswith("log_") and name not in others
    )
    return {name[:FIELD_LIMIT]: _field(value) for name, value in islice(named, FIELDS)}


def _field(value: Any) -> Field:
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(each) for each in islice(value, FIELDS)]
    return _plain(value)


def _plain(value: Any) -> Plain:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) <= _LARGEST:
        return int(value)
    if isinstance(value, float) and isfinite(value):
        return float(value)
    if isinstance(value, bytes):
        value = value[:FIELD_LIMIT].decode("utf-8", "backslashreplace")
    return _cut(str(value), FIELD_LIMIT)


def _cut(text: str, limit: int) -> str:
    return _utf8(text if len(text) <= limit else f"{text[:limit]}\N{HORIZONTAL ELLIPSIS}")


def _utf8(text: str) -> str:
    """
    Give a text that can cross the border, as half a surrogate cannot.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _to_text(event: Mapping[str, Any]) -> str:
    return formatEventAsClassicLogText(dict(event)) or ""


_FORMS: Mapping[LogFormat, Callable[[Mapping[str, Any]], str]] = {
    LogFormat.TEXT: _to_text,
    LogFormat.JSON: to_json,
}
