"""
How the gateway is, for Prometheus.

No label has a domain, an address or anything else that a stranger can choose: each takes its values
from a list that is known, so the number of series is bounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from mailgate.interfaces import Asked, Deed, Protection
from mailgate.reporting.measures import BOUNDS, Durations, Sums
from mailgate.reporting.overview import sandboxes, upstreams
from mailgate.reporting.status import Status
from mailgate.verdict import Kind
from mailgate.wire.dns.answer import Trouble

CONTENT_TYPE = CONTENT_TYPE_LATEST

Samples = Mapping[tuple[str, ...], float]


def expose(status: Status, sums: Sums) -> bytes:
    """
    Write the metrics in the text format of Prometheus.

    @param status: how the gateway is now.
    @param sums: what was counted since its start.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Metrics(status, sums))
    # CPU, memory and files of the hub, under the names that every program has.
    ProcessCollector(registry=registry)
    return generate_latest(registry)


@frozen(eq=False)
class _Metrics(Collector):
    """
    All metrics of ours.
    """

    status: Status
    sums: Sums

    def collect(self) -> Iterator[Metric]:
        """
        Give them.
        """
        yield from _counted(self.sums)
        yield from _processes(self.status)
        yield from _upstreams(self.status)
        yield from _dns(self.status, self.sums)
        yield from _storage(self.status)
        yield from _reloads(self.status, self.sums)


def _counted(sums: Sums) -> Iterator[Metric]:
    yield _counter(
        "mailgate_sessions",
        "Sessions that were let in.",
        {(): sums.admitted},
    )
    yield _counter(
        "mailgate_connections_turned_away",
        "Connections that met a limit for clients.",
        {(): sums.turned_away},
    )
    yield _counter(
        "mailgate_transactions",
        "Transactions, and sessions turned away without one, by the class of the last reply.",
        dict(sums.replies),
        ("role", "reply"),
    )
    yield _counter(
        "mailgate_messages",
        "Messages by verdict, once for each group of recipients that have the same one.",
        dict(sums.verdicts),
        ("action", "kind"),
    )
    yield _counter(
        "mailgate_copies",
        "Copies for single recipients, by what became of them.",
        {(outcome,): number for outcome, number in sums.copies.items()},
        ("outcome",),
    )
    yield _counter(
        "mailgate_rates_exceeded",
        "How often a limit of [checks.rates] or [checks.subjects] was reached.",
        dict(sums.excesses),
        ("of", "amount"),
    )
    yield _counter(
        "mailgate_penalty_deeds",
        "What was counted for the penalty box.",
        {(deed.value,): sums.deeds[deed] for deed in Deed},
        ("deed",),
    )
    yield _counter(
        "mailgate_trapped",
        "Messages to traps whose sender was marked.",
        {(): sums.trapped},
    )
    yield _counter("mailgate_received_bytes", "Bytes of messages.", {(): sums.bytes})
    yield _counter(
        "mailgate_rated_messages",
        "Messages that people have called wanted or spam, by which a sender gets its name.",
        {("spam" if is_spam else "wanted",): number for is_spam, number in sums.rated.items()},
        ("class",),
    )
    yield _histogram(
        "mailgate_transaction_part_seconds",
        "How long the parts of a transaction took.",
        sums.parts,
        "part",
    )
    for is_extractor, what in ((False, "check"), (True, "extractor")):
        yield _histogram(
            f"mailgate_{what}_seconds",
            f"How long each {what} took.",
            {name: each for (name, kind), each in sums.steps.items() if kind is is_extractor},
            what,
        )


def _dns(status: Status, sums: Sums) -> Iterator[Metric]:
    counted = sums.dns
    yield _counter(
        "mailgate_dns_look_ups",
        "Look-ups in the DNS, by where the answer came from.",
        {
            ("memory",): counted[Asked.REMEMBERED],
            ("another",): counted[Asked.SHARED],
            ("server",): counted[Asked.LOOKED_UP],
        },
        ("answer",),
    )
    yield _counter(
        "mailgate_dns_unknown",
        "Look-ups that had no answer, by the trouble.",
        {(trouble.value,): counted[Asked(f"unknown {trouble.value}")] for trouble in Trouble},
        ("trouble",),
    )
    yield _counter(
        "mailgate_dns_queries",
        "What was sent to DNS servers.",
        {("udp",): counted[Asked.SENT], ("tcp",): counted[Asked.STREAMED]},
        ("protocol",),
    )
    yield _counter(
        "mailgate_dns_late", "Queries that had no reply in time.", {(): counted[Asked.LATE]}
    )
    yield _counter(
        "mailgate_dns_dropped",
        "Replies that did not fit what was asked, or could not be read.",
        {
            ("id",): counted[Asked.WRONG_ID],
            ("question",): counted[Asked.WRONG_QUESTION],
            ("case",): counted[Asked.WRONG_CASE],
            ("source",): counted[Asked.WRONG_SOURCE],
            ("unreadable",): counted[Asked.UNREADABLE],
        },
        ("why",),
    )
    known = [seen.status.dns for seen in status.answering if seen.status is not None]
    yield _gauge(
        "mailgate_dns_servers_down",
        "DNS servers that do not answer, as the worker with the most sees it.",
        {(): max((sum(not one.is_up for one in each.servers) for each in known), default=0)},
    )
    yield _gauge(
        "mailgate_dns_lists_off",
        "DNS lists that are not asked, by the reason.",
        {
            (why,): sum(one.trouble == why for one in status.dns_lists)
            for why in ("untested", "silent", "refused", "hijacked", "self-test")
        },
        ("why",),
    )
    yield _gauge(
        "mailgate_dns_list_works",
        "Whether a DNS list is asked, by its name in the configuration.",
        {(one.name,): not one.trouble for one in status.dns_lists},
        ("list",),
    )
    yield _gauge(
        "mailgate_dns_list_since_timestamp_seconds",
        "Since when that is so.",
        {(one.name,): one.since for one in status.dns_lists},
        ("list",),
    )
    yield _gauge(
        "mailgate_dns_remembered_answers",
        "Answers in the memory of all workers.",
        {(): sum(each.answers for each in known)},
    )
    yield _gauge(
        "mailgate_dns_remembered_bytes",
        "What they take.",
        {(): sum(each.answer_bytes for each in known)},
    )


def _processes(status: Status) -> Iterator[Metric]:
    yield _gauge(
        "mailgate_info",
        "The version that runs; always 1.",
        {(status.version, status.mode): 1},
        ("version", "mode"),
    )
    yield _gauge("mailgate_start_time_seconds", "When the hub began.", {(): status.started})
    yield _gauge("mailgate_ready", "Whether /readyz says yes.", {(): not status.unreadiness()})
    states: Counter[tuple[str, ...]] = Counter(
        {(state,): 0 for state in ("ready", "starting", "silent", "retiring")}
    )
    sessions = possible = resident = 0
    for seen in status.workers:
        states[(_state(seen.is_ready, seen.status is not None, seen.is_current),)] += 1
        if seen.status is not None:
            sessions += seen.status.sessions
            resident += seen.status.resident_bytes
            possible += seen.status.possible if seen.is_current else 0
    yield _gauge(
        "mailgate_workers",
        "Workers; those that are silent do not answer.",
        dict(states),
        ("state",),
    )
    yield _gauge("mailgate_workers_wanted", "As configured.", {(): status.workers_wanted})
    yield _gauge("mailgate_open_sessions", "Sessions of all workers.", {(): sessions})
    yield _gauge("mailgate_possible_sessions", "As the system allows them.", {(): possible})
    yield _gauge("mailgate_workers_resident_memory_bytes", "Memory of all workers.", {(): resident})
    yield _gauge(
        "mailgate_sandbox_protection",
        "What holds a kind of sandbox, once a process of it has begun.",
        {
            (kind, protection.value): protection in sandbox.active
            for kind, sandbox in sandboxes(status).items()
            if sandbox.active is not None
            for protection in Protection
        },
        ("process", "protection"),
    )


def _state(is_ready: bool, answers: bool, is_current: bool) -> str:
    if not is_current:
        return "retiring"
    if not is_ready:
        return "starting"
    return "ready" if answers else "silent"


def _upstreams(status: Status) -> Iterator[Metric]:
    known = upstreams(status)
    names = ("upstream",)
    yield _gauge(
        "mailgate_upstream_failures",
        "Failures in a row, as the process with the most sees it.",
        {(each.name,): each.failures for each in known},
        names,
    )
    yield _gauge(
        "mailgate_upstream_breaker_open",
        "Whether a process sends nothing there now, as it has failed too often.",
        {(each.name,): each.is_open for each in known},
        names,
    )
    yield _gauge(
        "mailgate_upstream_connections",
        "Connections to an upstream.",
        {
            (each.name, state): number
            for each in known
            for state, number in (("busy", each.busy), ("idle", each.idle))
        },
        ("upstream", "state"),
    )
    yield _gauge(
        "mailgate_upstream_waiting",
        "Transactions that wait for a connection.",
        {(each.name,): each.waiting for each in known},
        names,
    )


def _storage(status: Status) -> Iterator[Metric]:
    yield _gauge(
        "mailgate_database_up",
        "Whether the database answers.",
        {(): not status.database_error},
    )
    stored = status.stored
    if stored is not None:
        yield _gauge(
            "mailgate_outbox_copies",
            "Copies in the outbox; those that are suspended wait for a person.",
            {
                ("waiting",): stored.outbox_waiting,
                ("trying",): stored.outbox_trying,
                ("suspended",): stored.outbox_suspended,
            },
            ("state",),
        )
        oldest = stored.outbox_oldest
        yield _gauge(
            "mailgate_outbox_oldest_seconds",
            "How long the oldest copy has waited that waits for no person; 0 where none does.",
            {(): 0 if oldest is None else max(0.0, status.now - oldest)},
        )
        yield _gauge(
            "mailgate_outbox_late",
            "1 where mail piles up in the outbox, by age or number ([outbox] alert_...).",
            {(): int(status.outbox_is_late)},
        )
        yield _gauge(
            "mailgate_held_messages",
            "Held messages by kind.",
            {(kind.value,): stored.held.get(kind.value, 0) for kind in Kind},
            ("kind",),
        )
        yield _gauge("mailgate_stored_messages", "Held or queued.", {(): stored.messages})
        yield _gauge(
            "mailgate_stored_messages_bytes", "What they take.", {(): stored.message_bytes}
        )
        yield _gauge(
            "mailgate_list_entries",
            "Entries of the allow and block lists.",
            {(name,): number for name, number in stored.entries.items()},
            ("list",),
        )
        yield _gauge(
            "mailgate_known_senders",
            "Senders that were authenticated and of which something is known.",
            {(): stored.senders},
        )
    learned = status.learned
    if learned is not None:
        yield _gauge(
            "mailgate_learned_messages",
            "What the classifier has learned.",
            {("spam",): learned.spam, ("ham",): learned.ham},
            ("class",),
        )
        yield _gauge("mailgate_learned_tokens", "What it knows.", {(): learned.tokens})
    machine = status.machine
    if machine is not None:
        yield _gauge("mailgate_disk_free_bytes", "On the data disk.", {(): machine.free_bytes})
        yield _gauge("mailgate_disk_size_bytes", "Of the data disk.", {(): machine.disk_bytes})
        yield _gauge(
            "mailgate_disk_wanted_bytes",
            "What must be free for mail to be taken.",
            {(): status.wanted_bytes},
        )
        yield _gauge(
            "mailgate_database_bytes",
            "Files of the databases.",
            {("state",): machine.state_bytes, ("trace",): machine.trace_bytes},
            ("database",),
        )
        ends = [each.ends for each in machine.certificates]
        # One that cannot be read is as good as over.
        yield _gauge(
            "mailgate_certificate_end_timestamp_seconds",
            "When the first of the certificates ends; 0 where one cannot be read.",
            {(): min((end or 0 for end in ends), default=0)},
        )


def _reloads(status: Status, sums: Sums) -> Iterator[Metric]:
    yield _counter("mailgate_workers_died", "Workers that have died.", {(): sums.died})
    yield _counter(
        "mailgate_reloads",
        "Reloads by whether the new configuration works.",
        {("done",): sums.reloads[True], ("failed",): sums.reloads[False]},
        ("outcome",),
    )
    if status.reload is not None:
        yield _gauge(
            "mailgate_last_reload_timestamp_seconds", "When it was.", {(): status.reload.at}
        )
        yield _gauge(
            "mailgate_last_reload_success",
            "Whether it works.",
            {(): not status.reload.error},
        )


def _counter(
    name: str, words: str, samples: Samples, labels: Sequence[str] = ()
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, words, labels=labels)
    for values, number in sorted(samples.items()):
        family.add_metric(values, number)
    return family


def _gauge(
    name: str, words: str, samples: Samples, labels: Sequence[str] = ()
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, words, labels=labels)
    for values, number in sorted(samples.items()):
        family.add_metric(values, float(number))
    return family


def _histogram(
    name: str, words: str, samples: Mapping[str, Durations], label: str
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, words, labels=(label,))
    for value, durations in sorted(samples.items()):
        buckets, total = [], 0
        for bound, number in zip((*map(str, BOUNDS), "+Inf"), durations.counts, strict=True):
            total += number
            buckets.append((bound, float(total)))
        family.add_metric((value,), buckets, durations.seconds)
    return family
