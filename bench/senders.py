"""
What it adds to a message to look at who sends it, in milliseconds of processor time. The DNS, where
all answers are remembered: sixteen look-ups in lists, and the names of client and sender. Rates and
the penalty box, where many others are known: the checks, and what the hub counts of the message.

A message of 4 KiB is judged from its connection to its dot with these checks and without, in this
process, without sockets; nobody is asked anything.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any, TypeVar

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from bench.messages import Mailbag
from mailgate.checks.known import Known
from mailgate.config.checks import RateOf
from mailgate.config.model import Settings
from mailgate.interfaces import Deed
from mailgate.judging import make_pipeline
from mailgate.knowledge.dnslists import DnsLists, reversed_address
from mailgate.knowledge.excess import Amount, Excess
from mailgate.knowledge.penalty_box import PenaltyBox
from mailgate.knowledge.rates import Rates
from mailgate.message.envelope import Envelope, Session
from mailgate.message.message import MemoryMessage
from mailgate.message.record import Copy, Record
from mailgate.net.dns.flight import Flight
from mailgate.net.dns.resolver import Resolver
from mailgate.pipeline.engine import Pipeline
from mailgate.store.database import Database
from mailgate.store.threads import ImmediateThreads
from mailgate.verdict import Action, Verdict
from mailgate.wire.address import Address
from mailgate.wire.dns.answer import MX, NXDOMAIN, PTR, A, Answer, MailExchange, Records, RecordType
from mailgate.wire.dns.name import normal_text

T = TypeVar("T")

_CLIENT = ip_address("185.1.2.3")
_HELO, _DOMAIN = "mx.example.org", "example.org"
_ADDRESSES, _DOMAINS = 10, 2
_ROUNDS = 9
_NOW = 1_800_000_000.0

_COUNTING = ("rates", "subjects", "penalty")
_OTHERS = 10_000
"""How many have sent too much, and are in the penalty box."""

_SESSION = Session(
    id="0000-0000-0000",
    listener="mx",
    role="mx",
    client=str(_CLIENT),
    port=40001,
    started=_NOW,
    helo=_HELO,
    is_esmtp=True,
    local="198.51.100.25",
)
_RECORD = Record(
    trace="7q4m-x2vd-90kt",
    session=_SESSION,
    started=_NOW,
    seconds=0.1,
    reply="250 2.0.0 done",
    sender=f"ada@{_DOMAIN}",
    size=4096,
    subject="About the meeting of Thursday the 14th",
    copies=(Copy("user@example.com", "delivered", "250 2.0.0 taken", "inbox"),),
    verdicts=(Verdict(Action.ACCEPT, (), 0.0),),
)


def main() -> int:
    """
    Print a table.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=500, help="messages a round (default: 500)")
    number = parser.parse_args().number
    message = Mailbag(4096).message(1)
    rows = {
        "without": _make(lists=False, names=False, rates=False),
        "with lists": _make(lists=True, names=False, rates=False),
        "with lists and names": _make(lists=True, names=True, rates=False),
        "with rates and box": _make(lists=False, names=False, rates=True),
        "with all": _make(lists=True, names=True, rates=True),
    }
    figures: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(_ROUNDS):
        for name, (
            pipeline,
            _,
            tally,
        ) in rows.items():  # by turns, so that all have the same weather
            began = process_time()
            for _ in range(number):
                _judge(pipeline, message)
                tally(_RECORD)
            figures[name].append((process_time() - began) / number * 1e3)
    without = figures["without"]
    for name, (_, resolver, _) in rows.items():
        added = median(one - other for one, other in zip(figures[name], without, strict=True))
        look_ups = resolver.remembered / (number * _ROUNDS)
        print(
            f"{name:24} {median(figures[name]):7.3f} ms  adds {added:6.3f} ms"
            f"  {look_ups:4.1f} look-ups"
        )
    return 0


class _NothingElse(Resolver):
    """
    Remembers of whatever it is asked for that there is nothing.
    """

    def ask(self, check: str, name: str, type: RecordType[T]) -> Answer[T] | Flight:
        """
        Remember it.
        """
        self.cache.put((normal_text(name), type.code), NXDOMAIN, float("inf"))
        return NXDOMAIN


def _make(
    lists: bool, names: bool, rates: bool
) -> tuple[Pipeline, Resolver, Callable[[Record], None]]:
    """
    Make a pipeline, a resolver that remembers all that is asked, and what counts a message.
    """
    codes = {"127.0.0.2": {"words": "sends spam", "score": 4.0}}
    tables: dict[str, Any] = {
        f"a{each}": {"zone": f"a{each}.bl.example", "codes": codes} for each in range(_ADDRESSES)
    }
    for each in range(_DOMAINS):
        tables[f"d{each}"] = {"zone": f"d{each}.bl.example", "of": "domains", "codes": codes}
    settings = Settings.model_validate(
        {
            "hostname": "mail.example.com",
            "data": "/srv/mailgate",
            "listener": [{"address": "127.0.0.1:2525"}],
            "route": [{"domains": ["example.com"], "upstream": "inbox"}],
            "upstream": {"inbox": {"kind": "maildir", "path": "/srv/inbox"}},
            "checks": {
                "dnslists": {"mode": "score" if lists else "off", "lists": tables},
                "author": {"mode": "score" if lists else "off"},
                "names": {"mode": "score" if names else "off"},
                **({} if rates else {name: {"mode": "off"} for name in _COUNTING}),
            },
        }
    )
    threads = ImmediateThreads()
    resolver = _NothingElse(settings.dns, reactor)
    until = float("inf")
    pointer = f"{reversed_address(_CLIENT)}.in-addr.arpa"
    resolver.cache.put((pointer, PTR.code), Records((_HELO,)), until)
    resolver.cache.put((_HELO, A.code), Records((_CLIENT,)), until)
    resolver.cache.put((_DOMAIN, MX.code), Records((MailExchange(10, _HELO),)), until)
    known = DnsLists.of_sections(settings.checks.dnslists.lists)
    known.take_up(evolve(one.state, trouble=None, reason="") for one in known.lists)
    times = count(_NOW, 60.0)
    counted = Rates(lambda: next(times), settings.checks)
    box = PenaltyBox(
        Database(Path("/nowhere"), threads, threads), lambda: _NOW, settings.checks.penalty
    )
    for each in range(_OTHERS):
        client = f"10.{each // 256}.{each % 256}.1"
        counted.excesses.add(
            Excess(RateOf.ADDRESS, client, Amount.MESSAGES, 1000, 1000, 60, _NOW + 600)
        )
        box.mark(client, Deed.TRAP)
    box.tell()

    def tally(record: Record) -> None:
        if rates:
            counted.count(record)
            box.count(record)

    pipeline = make_pipeline(
        settings,
        Known(
            resolvers=resolver,
            dns_lists=known,
            excesses=counted.excesses,
            penalties=box.penalties,
        ),
        threads,
        reactor,
        lambda: _NOW,
    )
    return pipeline, resolver, tally


def _judge(pipeline: Pipeline, data: bytes) -> None:
    """
    Judge a message from its connection to its dot.
    """
    judge = pipeline.open(_SESSION)
    _result(judge.connected())
    _result(judge.greeted(_SESSION))
    transaction = judge.begin(Envelope(_SESSION, "7q4m-x2vd-90kt", Address("ada", _DOMAIN), _NOW))
    _result(transaction.mail())
    _result(transaction.rcpt(Address("user", "example.com")))
    _result(transaction.message(MemoryMessage((data,))))
    transaction.close()
    judge.close()


def _result(verdict: Any) -> Any:
    """
    Give what is there already.
    """
    if not isinstance(verdict, Deferred):
        return verdict
    found: list[Any] = []
    verdict.addCallback(found.append)
    return found[0]


if __name__ == "__main__":
    sys.exit(main())
