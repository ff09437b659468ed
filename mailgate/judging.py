"""
How messages are judged by a configuration: the same for the gateway and for the commands.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve
from twisted.internet.interfaces import IReactorTime

from mailgate.checks.known import Known
from mailgate.checks.reading import Readings
from mailgate.checks.table import checks_off, make_checks
from mailgate.config.model import Settings
from mailgate.interfaces import ISandbox, IThreads
from mailgate.pipeline.engine import Pipeline
from mailgate.pipeline.extractors import make_extractors
from mailgate.pipeline.plan import make_plan
from mailgate.pipeline.relays import Relays
from mailgate.pipeline.round import Measure
from mailgate.pipeline.suspects import Suspects
from mailgate.policy.verdict import Policy


def make_pipeline(
    settings: Settings,
    known: Known,
    threads: IThreads,
    clock: IReactorTime,
    now: Callable[[], float],
    measure: Measure | None = None,
    suspects: Suspects | None = None,
    relays: Relays | None = None,
    sandbox: ISandbox | None = None,
) -> Pipeline:
    """
    Join the checks that are on, what they need, and the policy.

    @param known: what the checks know beside the settings.
    @param threads: where large messages are read.
    @param clock: drives the deadlines.
    @param now: the time in seconds since the epoch.
    @param measure: told how long each check and extractor took.
    @param suspects: the messages that have killed a process; without, the content of every message
        is judged here.
    @param relays: servers of ours that bring the mail of strangers; without, those of C{settings}.
    @param sandbox: where parsers of others look into attachments; without, nobody does, and the
        checks that ask for it fail.
    @raise ConfigurationError: the checks cannot be brought into an order.
    """
    plan = make_plan(
        make_checks(settings, evolve(known, threads=threads)),
        make_extractors(threads, settings.checks, sandbox),
        checks_off(settings),
    )
    readings = Readings.from_settings(settings)
    policy = Policy.from_settings(settings)
    return Pipeline(
        plan,
        policy,
        clock,
        now,
        settings.limits.check_seconds,
        measure,
        suspects,
        relays or Relays.from_settings(settings),
        None if readings is None else readings.begin,
    )
