"""
How the gateway is, in words: a row for each of its parts, and whether anything is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath

from attrs import evolve, frozen

from mailgate.interfaces import Protection
from mailgate.reporting.status import (
    CertificateStatus,
    DnsListStatus,
    DnsServerStatus,
    SandboxStatus,
    Status,
    UpstreamStatus,
    WorkerSeen,
)
from mailgate.reporting.terminal import moment

CERTIFICATE_SECONDS = 30 * 86400.0
"""How long before its end a certificate should be renewed, at most: one that lives shorter than
three times as long is renewed in the last third of its life."""

NEEDED = frozenset({Protection.LIMITS, Protection.PRIVILEGES, Protection.CALLS})
"""
What a sandbox must have, or a person should look: the filter of system calls keeps it from the
network by itself, whatever else is there.
"""

_UNTESTED = "untested"
_MINUTE = 60
_HOUR = 3600
_DAY = 86400
_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")


@frozen
class Row:
    """
    One part of the gateway.
    """

    is_wrong: bool
    part: str
    words: str


def overview(status: Status) -> Sequence[Row]:
    """
    Tell how all parts are, those first with which something is wrong.
    """
    return sorted(_rows(status), key=lambda row: not row.is_wrong)


def problems(status: Status) -> Sequence[str]:
    """
    Name what is wrong.
    """
    return [f"{row.part}: {row.words}" for row in overview(status) if row.is_wrong]


def headline(status: Status) -> str:
    """
    Say in a line what it is about.
    """
    watching = ", only watches" if status.mode == "observe" else ""
    since = span(status.now - status.started)
    return (
        f"mailgate {status.version} on {status.hostname}, "
        f"process {status.pid}, up {since}{watching}"
    )


def span(seconds: float) -> str:
    """
    Give a time roughly, in its largest unit.
    """
    seconds = max(0, int(seconds))
    if seconds < 2 * _MINUTE:
        return f"{seconds} s"
    if seconds < 2 * _HOUR:
        return f"{seconds // _MINUTE} min"
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR} h"
    return f"{seconds // _DAY} days"


def size(number: float) -> str:
    """
    Give a number of bytes roughly.
    """
    if number < 1024:
        return f"{number:.0f} bytes"
    for unit in _UNITS:
        number /= 1024
        if number < 1024 or unit == _UNITS[-1]:
            break
    return f"{number:.{0 if number >= 10 else 1}f} {unit}"


def _rows(status: Status) -> Iterator[Row]:
    yield from _workers(status)
    yield from _upstreams(status)
    yield from _dns(status)
    yield from map(_dns_list, status.dns_lists)
    if status.database_error:
        yield Row(True, "database", status.database_error)
    else:
        yield _outbox(status)
        yield from _stored(status)
        yield _learned(status)
    yield _disk(status)
    yield from _certificates(status)
    yield from map(_sandbox, sandboxes(status).items())
    if status.reload is not None:
        at = moment(status.reload.at)
        words = f"failed at {at}: {status.reload.error}" if status.reload.error else f"at {at}"
        yield Row(bool(status.reload.error), "reload", words)


def _workers(status: Status) -> Iterator[Row]:
    answering = status.answering
    wanted = status.workers_wanted
    for seen in status.workers:
        yield _worker(seen)
    if len(answering) < wanted:
        yield Row(True, "workers", f"{len(answering)} of {wanted} answer")


def _worker(seen: WorkerSeen) -> Row:
    part = f"worker {seen.pid}"
    words = f"generation {seen.generation}, up {span(seen.seconds)}, "
    if not seen.is_ready:
        return Row(False, part, f"{words}is starting")
    if seen.status is None:
        # One that is ending has hung up before it is gone.
        return Row(seen.is_current, part, f"{words}does not answer")
    if not seen.is_current:
        words += "lets nobody in, "
    sessions = _many(seen.status.sessions, "session", "sessions")
    return Row(False, part, f"{words}{sessions}, {size(seen.status.resident_bytes)}")


def upstreams(status: Status) -> Sequence[UpstreamStatus]:
    """
    Give each upstream, put together from what all processes know of it.
    """
    known: dict[str, UpstreamStatus] = {}
    for each in _all_upstreams(status):
        so_far = known.get(each.name)
        known[each.name] = each if so_far is None else _both(so_far, each)
    return list(known.values())


def _all_upstreams(status: Status) -> Iterator[UpstreamStatus]:
    # Workers of an old configuration may know others by the same names.
    for seen in status.answering:
        assert seen.status is not None
        yield from seen.status.upstreams
    yield from status.upstreams


def _both(one: UpstreamStatus, other: UpstreamStatus) -> UpstreamStatus:
    return UpstreamStatus(
        one.name,
        max(one.failures, other.failures),
        one.busy + other.busy,
        one.idle + other.idle,
        one.waiting + other.waiting,
        one.is_open or other.is_open,
    )


def _upstreams(status: Status) -> Iterator[Row]:
    for each in upstreams(status):
        part = f"upstream {each.name}"
        if each.failures:
            times = "once" if each.failures == 1 else f"{each.failures:,} times in a row"
            paused = "; nothing is sent there until it answers" if each.is_open else ""
            yield Row(True, part, f"has failed {times}{_load(each)}{paused}")
        else:
            yield Row(False, part, f"works{_load(each)}")


def _dns(status: Status) -> Iterator[Row]:
    """
    Tell of each DNS server that a worker asks; the worker that sees it worst counts.
    """
    known: dict[str, DnsServerStatus] = {}
    for seen in status.answering:
        assert seen.status is not None
        for each in seen.status.dns.servers:
            if each.server not in known or not each.is_up:
                known[each.server] = each
    for each in known.values():
        words = "works" if each.is_up else "does not answer"
        words += "; a public one, which DNS lists refuse" if each.is_public else ""
        yield Row(not each.is_up, f"DNS server {each.server}", words)


def _dns_list(one: DnsListStatus) -> Row:
    part = f"DNS list {one.name}"
    if one.trouble == _UNTESTED:
        # So it is at the start. Where it lasts no DNS server answers, and that is a row of its own.
        return Row(False, part, f"is not asked yet: {one.reason}")
    if one.trouble:
        return Row(True, part, f"switched off since {moment(one.since)}: {one.reason}")
    tested = "" if one.tested is None else f", passed its test at {moment(one.tested)}"
    return Row(False, part, f"works{tested}")


def _load(upstream: UpstreamStatus) -> str:
    connections = upstream.busy + upstream.idle
    words = f", {_many(connections, 'connection', 'connections')}" if connections else ""
    if upstream.waiting:
        words += f", {_many(upstream.waiting, 'message waits', 'messages wait')}"
    return words


def sandboxes(status: Status) -> Mapping[str, SandboxStatus]:
    """
    Give the sandbox of the hub, of the workers, and theirs for documents: what all those of a kind
    have that know it.
    """
    found = {"hub": status.sandbox}
    for seen in status.answering:
        assert seen.status is not None
        for name, sandbox in (
            ("workers", seen.status.sandbox),
            ("documents", seen.status.documents),
        ):
            if sandbox is not None:
                known = found.get(name)
                found[name] = sandbox if known is None else _weaker(known, sandbox)
    return found


def _weaker(one: SandboxStatus, other: SandboxStatus) -> SandboxStatus:
    problem = one.problem or other.problem
    if one.active is None or other.active is None:
        return evolve(other if one.active is None else one, problem=problem)
    active = tuple(each for each in one.active if each in other.active)
    missing = tuple(each for each in Protection if each not in active)
    return SandboxStatus(active, missing, problem)


def _sandbox(known: tuple[str, SandboxStatus]) -> Row:
    part, sandbox = f"sandbox of {known[0]}", known[1]
    if sandbox.problem:
        return Row(True, part, f"does not start: {sandbox.problem}")
    if sandbox.active is None:
        return Row(False, part, "not needed yet")
    active, missing = ", ".join(sandbox.active) or "nothing", ", ".join(sandbox.missing)
    words = f"held by {active}" + (f"; not by {missing}" if missing else "")
    return Row(not {*sandbox.active} >= NEEDED, part, words)


def _outbox(status: Status) -> Row:
    stored = status.stored
    assert stored is not None
    number = stored.outbox_waiting + stored.outbox_trying
    parts = []
    if stored.outbox_oldest is not None:
        age = span(status.now - stored.outbox_oldest)
        parts.append(f"{_many(number, 'copy', 'copies')}, the oldest waits for {age}")
    restored = stored.outbox_suspended - stored.outbox_stopped
    if restored:
        words = _many(restored, "restored copy", "restored copies")
        parts.append(f"{words} to be retried or deleted by you (mailgate outbox list)")
    if stored.outbox_stopped:
        parts.append(f"{stored.outbox_stopped:,} stopped by somebody")
    return Row(status.outbox_is_late or restored > 0, "outbox", "; ".join(parts) or "empty")


def _stored(status: Status) -> Iterator[Row]:
    stored, machine = status.stored, status.machine
    assert stored is not None
    total = sum(stored.held.values())
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted(stored.held.items()))
    words = f"{_many(total, 'message', 'messages')}: {kinds}" if total else "nothing"
    yield Row(False, "held", words)
    files = "" if machine is None else f", database {size(machine.state_bytes)}"
    files += "" if machine is None else f", traces {size(machine.trace_bytes)}"
    yield Row(False, "stored", f"messages {size(stored.message_bytes)}{files}")
    entries = ", ".join(f"{number:,} {name}" for name, number in stored.entries.items())
    yield Row(False, "lists", entries)


def _disk(status: Status) -> Row:
    machine = status.machine
    if machine is None:
        return Row(True, "disk", "does not answer")
    free = f"{size(machine.free_bytes)} free of {size(machine.disk_bytes)}"
    if not status.has_room or machine.free_bytes < status.wanted_bytes:
        return Row(True, "disk", f"{free}; below {size(status.wanted_bytes)} no mail is taken")
    return Row(False, "disk", free)


def _certificates(status: Status) -> Iterable[Row]:
    certificates = () if status.machine is None else status.machine.certificates
    return [_certificate(each, status.now) for each in certificates]


def _certificate(certificate: CertificateStatus, now: float) -> Row:
    # The end of a path tells one from another, and fits.
    name = "/".join(PurePath(certificate.file).parts[-2:])
    if certificate.begins is None or certificate.ends is None:
        return Row(True, "certificate", f"{name} cannot be read")
    left = certificate.ends - now
    day = moment(certificate.ends)[:10]
    if left < 0:
        return Row(True, "certificate", f"{name} ended on {day}")
    ahead = min(CERTIFICATE_SECONDS, (certificate.ends - certificate.begins) / 3)
    is_near = left < ahead
    return Row(is_near, "certificate", f"{name} ends on {day}, in {span(left)}")


def _learned(status: Status) -> Row:
    learned = status.learned
    if learned is None:
        return Row(True, "learned", "what was learned cannot be read")
    words = f"{learned.spam:,} spam, {learned.ham:,} ham"
    return Row(False, "learned", words if learned.is_trained else f"{words}: not enough yet")


def _many(number: int, one: str, more: str) -> str:
    return f"{number:,} {one if number == 1 else more}"
