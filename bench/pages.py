"""
Measure how fast the review pages answer where much is held and much is traced.

A data folder is filled with made-up mail (--held copies, --traces transactions over --days days),
unless it is there already; the gateway is started on it, somebody signs in, and asks for pages of
eight kinds in turns, over HTTP on loopback. Printed are the median and the 95th percentile of the
seconds until a page was there, for each kind and for all, and how large the largest page was.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from urllib.parse import quote_plus, urlencode

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from bench.processes import HOST, free_port
from bench.relay import machine
from mailgate.config.load import load
from mailgate.finding import Finding
from mailgate.hub.storage import open_for_command
from mailgate.interfaces import Hold
from mailgate.message.envelope import Envelope, Session, new_id
from mailgate.message.message import MemoryMessage
from mailgate.message.record import Copy, Record
from mailgate.reporting.log import TransactionLog
from mailgate.reporting.trace import Traces
from mailgate.reporting.trace_index import fill
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads, immediate_result
from mailgate.verdict import Action, Kind, Verdict
from mailgate.wire.address import Address
from mailgate.wording import say

EXAMPLES = """
examples:
  bench/pages.py /tmp/many
      100,000 held copies and 1,000,000 traces; the folder takes some 3 GB
  bench/pages.py /tmp/few --held 1000 --traces 10000 --queries 80
"""

NAME, PASSWORD = "bench", "a password of the bench"
_DAY = 86_400
_COPIES = 20
"""Copies of a held message: newsletters go to many."""

CONFIG = """
hostname = "mail.example.com"
data = "data"
[[listener]]
address = "{host}:{smtp}"
[[route]]
domains = ["example.com"]
upstream = "inbox"
[upstream.inbox]
kind = "maildir"
path = "inbox"
[web]
address = "{host}:{web}"
base_url = "http://{host}:{web}"
"""


class NoSync(Files):
    """
    Files that are not synced: what is made up may be lost.
    """

    def sync(self, file: object) -> None:
        """
        Leave it to the system.
        """

    def sync_directory(self, path: Path) -> None:
        """
        Leave it to the system.
        """


def main() -> int:
    """
    Fill the folder, ask for the pages, print how long they took.
    """
    arguments = _arguments()
    folder: Path = arguments.folder
    web = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "mailgate.toml"
    config.write_text(CONFIG.format(host=HOST, smtp=free_port(), web=web))
    mail = Mail(random.Random(arguments.seed))
    if not (folder / "data").exists():
        _fill(config, mail, arguments)
    with Started(config, web):
        browser = Browser(web)
        browser.sign_in()
        figures = _ask(browser, mail, arguments.queries)
    print(f"{arguments.held:,} held, {arguments.traces:,} traces; {machine()}")
    _tell(figures, browser.largest)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--held", type=int, default=100_000, metavar="N")
    parser.add_argument("--traces", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--days", type=int, default=30, metavar="N")
    parser.add_argument("--queries", type=int, default=400, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    return parser.parse_args()


# -- what there is ------------------------------------------------------------------------


class Mail:
    """
    Makes up who writes to whom of what.
    """

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        words = (Path(__file__).parent / "words.txt").read_text("utf-8").split()
        self._words = words

    def word(self) -> str:
        """
        Give a word; some are much more frequent than others.
        """
        return self._words[int(len(self._words) * self.chance.random() ** 2)]

    def subject(self) -> str:
        """
        Give a subject.
        """
        return " ".join(self.word() for _ in range(self.chance.randint(2, 8))).capitalize()

    def sender(self) -> str:
        """
        Give one of many senders.
        """
        number = int(50_000 * self.chance.random() ** 2)
        return f"sender{number}@domain{number % 7_000}.example"

    def person(self) -> str:
        """
        Give one of ours.
        """
        return f"person{self.chance.randrange(400)}@example.com"

    def client(self) -> str:
        """
        Give an address.
        """
        number = int(200_000 * self.chance.random() ** 2)
        return f"198.{18 + number % 2}.{number // 512 % 256}.{number % 256}"

    def findings(self) -> tuple[Finding, ...]:
        """
        Give what was found.
        """
        found = [
            Finding(
                f"SYMBOL_{number}",
                round(self.chance.uniform(-1, 3), 2),
                say("The link {where} leads to a page of {word}.", where=self.word(), word="it"),
                check="links",
            )
            for number in self.chance.sample(range(40), 8)
        ]
        return tuple(found)

    def session(self, started: float) -> Session:
        """
        Give a session.
        """
        client = self.client()
        return Session(
            id=new_id(),
            listener="mx",
            role="mx",
            client=client,
            port=40_000,
            started=started,
            helo=f"mail.{self.word()}.example".lower(),
            is_esmtp=True,
            tls="TLSv1.3 TLS_AES_256_GCM_SHA384",
            local=HOST,
        )

    def record(self, started: float) -> Record:
        """
        Give a transaction as it may have been.
        """
        action = self.chance.choices(list(_OUTCOMES), [60, 8, 12, 15, 5])[0]
        recipients = [self.person() for _ in range(self.chance.choice((1, 1, 1, 1, 2, 5)))]
        reply = f"{_OUTCOMES[action][1]} {new_id()}"
        return Record(
            trace=new_id(),
            session=self.session(started),
            started=started,
            seconds=self.chance.random(),
            reply=reply,
            sender=self.sender(),
            size=self.chance.randrange(1_000, 200_000),
            message_id=f"<{new_id()}@{self.word()}.example>".lower(),
            subject=self.subject(),
            copies=tuple(Copy(each, _OUTCOMES[action][0], reply) for each in recipients),
            verdicts=(Verdict(action, self.findings(), 4.2, tuple(map(_address, recipients))),),
            durations={"checks": 0.01, "delivery": 0.1, "data": 0.2},
        )


_OUTCOMES = {
    Action.ACCEPT: ("delivered", "250 2.0.0 Ok: queued as"),
    Action.TAG: ("delivered", "250 2.0.0 Ok: queued as"),
    Action.QUARANTINE: ("held", "250 2.0.0 Ok:"),
    Action.REJECT: ("refused", "554 5.7.1 Refused:"),
    Action.DEFER: ("deferred", "451 4.7.1 Come again later:"),
}


def _address(text: str) -> Address:
    local, _, domain = text.rpartition("@")
    return Address(local, domain)


def _fill(config: Path, mail: Mail, arguments: argparse.Namespace) -> None:
    settings = load(config)
    began = time.monotonic()
    storage = open_for_command(settings, NoSync())
    immediate_result(storage.accounts.add(NAME, PASSWORD))
    quarantine = storage.quarantine(lambda: None)
    now = time.time()
    for _ in range(arguments.held // _COPIES):
        started = now - mail.chance.random() * arguments.days * _DAY
        subject, sender = mail.subject(), mail.sender()
        text = f"From: {sender}\r\nSubject: {subject}\r\n\r\n{subject}\r\n"
        message = MemoryMessage((text.encode(),))
        envelope = Envelope(
            mail.session(started), new_id(), _address(sender), started, len(text), body=""
        )
        kind = mail.chance.choice((Kind.SPAM, Kind.SPAM, Kind.BULK, Kind.PHISHING))
        findings = mail.findings()
        people = dict.fromkeys(mail.person() for _ in range(_COPIES))
        holds = [
            Hold(each, kind, Verdict(Action.QUARANTINE, findings, 9.5, (each,)))
            for each in map(_address, people)
        ]
        immediate_result(quarantine.hold(envelope, message, holds, False))
    immediate_result(storage.close())
    for day in range(arguments.days):
        _fill_day(settings.data, mail, now - day * _DAY, arguments.traces // arguments.days)
    print(f"filled in {time.monotonic() - began:.0f} s", file=sys.stderr)


def _fill_day(data: Path, mail: Mail, end: float, number: int) -> None:
    traces = Traces(
        data,
        lambda: end,
        ImmediateThreads(),
        TransactionLog(Path(os.devnull)),
        90,
        lambda identity: NotImplemented,
    )
    for at in range(number):
        traces.record(mail.record(end - (number - at) / number * (end % _DAY)))
        if at % 5_000 == 0:
            immediate_result(traces.flush())
    immediate_result(traces.flush())
    immediate_result(traces.stop())
    for path in data.glob("trace-*.db"):
        connection = sqlite3.connect(path, isolation_level=None)
        fill(connection, number)
        connection.close()


# -- asking -------------------------------------------------------------------------------


class Browser:
    """
    Somebody who is signed in.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._cookie = ""
        self.largest = ("", 0)

    def ask(
        self, path: str, form: dict[str, str] | None = None
    ) -> tuple[http.client.HTTPResponse, str]:
        """
        Ask for a page.
        """
        connection = http.client.HTTPConnection(HOST, self._port, timeout=60)
        headers = {"Cookie": self._cookie, "Origin": f"http://{HOST}:{self._port}"}
        body = None
        if form is not None:
            body = urlencode(form)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request("GET" if form is None else "POST", path, body, headers)
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
        connection.close()
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                pair = value.partition(";")[0]
                kept = [c for c in self._cookie.split("; ") if c and c[:5] != pair[:5]]
                self._cookie = "; ".join([*kept, pair])
        if len(text) > self.largest[1]:
            self.largest = (path, len(text))
        return response, text

    def sign_in(self) -> None:
        """
        Sign in.
        """
        _, page = self.ask("/sign-in")
        token = re.search('name="csrf" value="([^"]+)"', page)
        form = {"csrf": token[1] if token else "", "name": NAME, "password": PASSWORD}
        response, _ = self.ask("/sign-in", form)
        if response.status != 303:
            raise SystemExit(f"nobody could sign in: {response.status}")


class Started:
    """
    The gateway while it runs.
    """

    def __init__(self, config: Path, web: int) -> None:
        self._config, self._web = config, web

    def __enter__(self) -> None:
        twistd = Path(sys.executable).with_name("twistd")
        self._process = subprocess.Popen(
            [twistd, "-n", "--pidfile=", "mailgate", "--config", self._config.name],
            cwd=self._config.parent,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(600):
            try:
                connection = http.client.HTTPConnection(HOST, self._web, timeout=1)
                connection.request("GET", "/sign-in")
                connection.getresponse().read()
                return
            except OSError:
                time.sleep(0.1)
        self.__exit__()
        raise SystemExit("the gateway does not answer")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(60)


def _ask(browser: Browser, mail: Mail, number: int) -> dict[str, list[float]]:
    _, first = browser.ask("/quarantine")
    messages = re.findall(r'href="(/quarantine/[0-9a-z-]{14})"', first) or ["/quarantine"]
    _, list_of_traces = browser.ask("/trace")
    traces = re.findall(r'href="(/trace/[0-9a-z-]{14})"', list_of_traces) or ["/trace"]
    kinds: dict[str, Callable[[], str]] = {
        "quarantine": lambda: "/quarantine",
        "words in the quarantine": lambda: f"/quarantine?q={quote_plus(mail.word())}",
        "a held message": lambda: mail.chance.choice(messages),
        "the newest traces": lambda: "/trace",
        "traces by sender": lambda: f"/trace?q=from:{mail.sender()}",
        "traces by recipient and outcome": lambda: f"/trace?q=to:{mail.person()}+is:held",
        "traces by words": lambda: f"/trace?q={quote_plus(mail.word())}+{quote_plus(mail.word())}",
        "one trace": lambda: mail.chance.choice(traces),
    }
    figures: dict[str, list[float]] = {kind: [] for kind in kinds}
    for kind, path in _turns(kinds, number):
        began = time.perf_counter()
        response, _ = browser.ask(path())
        figures[kind].append(time.perf_counter() - began)
        if response.status != 200:
            raise SystemExit(f"{kind}: {response.status}")
    return figures


def _turns(
    kinds: dict[str, Callable[[], str]], number: int
) -> Iterator[tuple[str, Callable[[], str]]]:
    names = list(kinds)
    for at in range(number):
        yield names[at % len(names)], kinds[names[at % len(names)]]


def _tell(figures: dict[str, list[float]], largest: tuple[str, int]) -> None:
    everything = [each for seconds in figures.values() for each in seconds]
    for kind, seconds in {**figures, "all": everything}.items():
        print(f"  {kind:32} {len(seconds):4}: ", end="")
        print(f"median {median(seconds) * 1000:6.1f} ms, p95 {_p95(seconds) * 1000:6.1f} ms")
    print(f"  the largest page was {largest[0]} with {largest[1] / 1000:.1f} kB")


def _p95(seconds: list[float]) -> float:
    return sorted(seconds)[int(0.95 * (len(seconds) - 1))]


if __name__ == "__main__":
    sys.exit(main())
