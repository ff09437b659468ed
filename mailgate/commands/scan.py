"""
C{mailgate scan}: stored messages, judged as the gateway would judge them now.

Nothing of a file says how it would come, but for what relays that are trusted have written into
it: with these its client is taken from its Received fields. Without, it is this machine that sends
it, by no name that could be judged, from the null sender, to an address that nobody has in the
first domain of the first route: so no check of the session finds anything.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import Logger

from mailgate.checks.known import Known
from mailgate.classify.classifier import Classifier
from mailgate.classify.mailboxes import files_in, messages_in
from mailgate.classify.store import Unusable, file_of
from mailgate.classify.store import load as load_learned
from mailgate.commands.asking import FAILED, config_path
from mailgate.commands.lists import load_lists
from mailgate.commands.parsers import Arguments, Parsers, add_json, positive
from mailgate.commands.processes import Processes
from mailgate.config.load import load
from mailgate.config.model import Policy, Settings
from mailgate.config.types import RELAY_NAME
from mailgate.config.values import parse_network
from mailgate.hub.commands import CommandError
from mailgate.hub.learning import FOLDER
from mailgate.interfaces import IMessage
from mailgate.judging import make_pipeline
from mailgate.message.envelope import Envelope, Session, new_id
from mailgate.message.hops import Trust, origin_of
from mailgate.message.section import header_section
from mailgate.message.spool import Spool
from mailgate.pipeline.offline import judge
from mailgate.pipeline.relays import as_client
from mailgate.reporting import story
from mailgate.reporting.terminal import Progress, say, say_all, table, terminal_width
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads, immediate_result
from mailgate.verdict import Verdict
from mailgate.wire.address import Address
from mailgate.wire.smtp import Refused, parse_greeting, parse_mail, parse_rcpt

THIS_MACHINE = "127.0.0.1"
NOBODY = "mailgate-scan"
"""The local part of the recipient where none is named."""

_HEADS = ("SCORE", "ACTION", "FILE", "FINDINGS")

_RELAY_NAME = re.compile(RELAY_NAME)
_NUMERIC = re.compile(r"[0-9.]+")

Answer = Mapping[str, Any]
"""What is known of a file."""


def add_to(parsers: Parsers) -> None:
    """
    Add the command.
    """
    made = parsers.command("scan", scan, "scan --json ~/Maildir/cur")
    add_json(made)
    made.add_argument("path", metavar="PATH", nargs="+", help="a message, or a folder of them")
    made.add_argument(
        "--offline",
        action="store_true",
        help="ask nothing of the network (no check asks anything of it yet)",
    )
    made.add_argument(
        "--jobs", type=positive, metavar="N", help="processes (default: one for each processor)"
    )
    made.add_argument(
        "--client", metavar="IP", help=f"who sends it (default: {THIS_MACHINE}, this machine)"
    )
    made.add_argument("--helo", metavar="NAME", help="what it calls itself (default: not known)")
    made.add_argument(
        "--trust",
        metavar="NETWORK|NAME",
        action="append",
        default=[],
        help="a relay whose Received is believed, beside those of [relays]: its network, or its "
        "name, as in mx.example.net or *.example.net; the client is then who it took the message "
        "from",
    )
    made.add_argument(
        "--from", dest="sender", metavar="ADDRESS", help="the envelope sender (default: <>)"
    )
    made.add_argument(
        "--to", metavar="ADDRESS", help="the recipient (default: nobody, in your first domain)"
    )


def scan(arguments: Arguments) -> int:
    """
    Judge stored messages as the gateway would; nothing is delivered, held or learned.
    """
    settings = load(config_path(arguments))
    situation = Situation.of(arguments, settings)
    known = Known(load_lists(arguments, settings), _load_classifier(settings))
    paths = list(files_of(arguments.path))
    with TemporaryDirectory(prefix="mailgate-scan-") as folder, Progress(len(paths)) as progress:
        scanner = Scanner(settings, known, situation, Path(folder))
        answers = _flat(_judge_all(paths, scanner, arguments.jobs), progress)
        if arguments.json:
            return _print(answers, progress)
        shown = list(answers)
    return _show(shown, settings.policy)


def files_of(paths: Iterable[str]) -> Iterator[str]:
    """
    Name the files: each of C{paths}, be it there or not, and for a folder all that L{files_in}
    gives.
    """
    for path in paths:
        if os.path.isdir(path):
            yield from map(str, files_in([Path(path)]))
        else:
            yield path


@frozen
class Situation:
    """
    Who sends the message to whom.
    """

    session: Session
    sender: Address
    recipient: Address
    trust: Trust
    """Whose word on the client is believed; nobody's where the client was named."""

    @classmethod
    def of(cls, arguments: Arguments, settings: Settings) -> Situation:
        """
        Read it from the command line.

        @raise CommandError: an address is none.
        """
        if arguments.client and arguments.trust:
            raise CommandError("--client and --trust both say who the client is: give one")
        listener = settings.listener[0]
        nobody = f"{NOBODY}@{settings.first_domain}"
        sender = (arguments.sender or "").removeprefix("<").removesuffix(">")
        try:
            client = str(ip_address(arguments.client or THIS_MACHINE))
            session = Session(
                id=new_id(),
                listener=listener.name,
                role=listener.role,
                client=client,
                port=0,
                started=0.0,
                helo=parse_greeting(arguments.helo) if arguments.helo else "",
                is_esmtp=True,
                local="" if arguments.client else client,
            )
            return cls(
                session,
                parse_mail(f"FROM:<{sender}>").address,
                parse_rcpt(f"TO:<{arguments.to or nobody}>").address,
                Trust() if arguments.client else _trust(arguments.trust, settings),
            )
        except ValueError:
            raise CommandError(f"{arguments.client} is no IP address") from None
        except Refused as error:
            raise CommandError(f"the gateway would refuse this: {error.reply}") from None


class Scanner:
    """
    Judges one file after the other.
    """

    log = Logger()

    def __init__(
        self, settings: Settings, known: Known, situation: Situation, folder: Path
    ) -> None:
        """
        @param folder: for the spool files of large messages.
        """
        threads = ImmediateThreads()
        self._limits = settings.limits
        self._situation = situation
        self._clock = Clock()
        self._pipeline = make_pipeline(settings, known, threads, self._clock, time.time)
        self._spool = Spool(folder, Files(), threads, settings.limits.memory_bytes)

    def __call__(self, path: str) -> Sequence[Answer]:
        """
        Judge the message in a file, or all of an mbox.

        @return: for each C{path}, C{score}, C{action} and C{findings}, and where the gateway only
            watches C{would}; or C{path} and C{error}. Those of an mbox have C{number} as well.
        """
        try:
            texts = messages_in(Path(path), self._limits.message_bytes + 1)
            answers = [self._answer(path, text) for text in texts]
        except OSError as error:
            return [_error(path, error.strerror or str(error))]
        if len(answers) == 1:
            return answers
        return [{**answer, "number": number} for number, answer in enumerate(answers, 1)]

    def _answer(self, path: str, text: bytes) -> Answer:
        try:
            message = self._message(text)
        except CommandError as error:
            return _error(path, str(error))
        try:
            return _answer(path, self._judge(message))
        except Exception as error:
            self.log.failure("{event} {path}", event="scan.failed", path=path)
            return _error(path, f"could not be judged: {type(error).__name__}")
        finally:
            message.close()

    def _judge(self, message: IMessage) -> Verdict:
        situation, now = self._situation, time.time()
        session = evolve(situation.session, id=new_id(), started=now)
        if situation.trust:
            session = _as_it_came(session, message, situation.trust)
        envelope = Envelope(session, new_id(), situation.sender, now, message.size, body="8BITMIME")
        return judge(self._pipeline, self._clock, envelope, situation.recipient, message)

    def _message(self, text: bytes) -> IMessage:
        """
        Receive a message.

        @raise CommandError: the gateway would refuse it before any check.
        """
        data = text if text.endswith(b"\r\n") else text + b"\r\n"
        limit = self._limits.message_bytes
        if len(data) > limit:
            raise CommandError(f"the gateway refuses it: larger than {limit:,} bytes")
        if data.count(b"\r") != data.count(b"\r\n"):
            raise CommandError("the gateway refuses it: it contains a CR without LF")
        if b"\0" in data:
            raise CommandError("the gateway refuses it: it contains a NUL")
        limit = self._limits.header_bytes
        if len(data) > limit and b"\r\n\r\n" not in data[:limit]:
            raise CommandError(f"the gateway refuses it: a header larger than {limit:,} bytes")
        writer = self._spool.begin()
        writer.write(data)
        message = writer.finish()
        return immediate_result(message) if isinstance(message, Deferred) else message


def _trust(named: Sequence[str], settings: Settings) -> Trust:
    """
    Join those of the configuration and those that are named.

    @raise CommandError: one is neither a network nor a name.
    """
    networks, names = list(settings.relays.networks), list(settings.relays.names)
    for each in named:
        if _RELAY_NAME.fullmatch(each.lower()) and not _NUMERIC.fullmatch(each):
            names.append(each.lower())
            continue
        try:
            parse_network(each)
        except ValueError as error:
            raise CommandError(f"--trust {each}: {error}") from None
        networks.append(each)
    return Trust(tuple(map(parse_network, networks)), tuple(names))


def _as_it_came(session: Session, message: IMessage, trust: Trust) -> Session:
    """
    Give the session in which the message came to a relay, as far as the relay has written it down.
    """
    origin = origin_of(header_section(message), trust, None)
    return session if origin is None else as_client(session, origin.hop)


def _load_classifier(settings: Settings) -> Classifier:
    """
    Give the classifier with what counts now.

    @raise CommandError: what was learned cannot be read.
    """
    classifier = Classifier()
    try:
        classifier.learned = load_learned(file_of(settings.data / FOLDER), Files())
    except FileNotFoundError:
        # Nothing was learned yet.
        pass
    except Unusable as error:
        raise CommandError(f"what was learned cannot be read: {error}") from None
    return classifier


def _judge_all(
    paths: Sequence[str], scanner: Scanner, jobs: int | None
) -> Iterator[Sequence[Answer]]:
    number = min(jobs or len(os.sched_getaffinity(0)), len(paths))
    if number > 1:
        return Processes(scanner, number, _crashed).run(paths)
    return map(scanner, paths)


def _answer(path: str, verdict: Verdict) -> Answer:
    answer = {
        "path": path,
        "score": verdict.total,
        "action": verdict.action.value,
        "findings": [
            {
                "symbol": each.symbol,
                "score": each.score,
                "detail": each.detail,
                "check": each.check,
            }
            for each in verdict.findings
        ],
    }
    return answer if verdict.would is None else {**answer, "would": verdict.would.value}


def _error(path: str, why: str) -> Answer:
    return {"path": path, "error": why}


def _crashed(path: str) -> Sequence[Answer]:
    return [_error(path, "could not be judged: its process crashed")]


def _flat(files: Iterator[Sequence[Answer]], progress: Progress) -> Iterator[Answer]:
    for answers in files:
        progress.advance()
        yield from answers


def _print(answers: Iterable[Answer], progress: Progress) -> int:
    """
    Print each answer as JSON as soon as it is there.
    """
    status = 0
    for answer in answers:
        if sys.stdout.isatty():
            progress.wipe()
        say(json.dumps(_as_json(answer)))
        if "error" in answer:
            status = FAILED
    return status


def _as_json(answer: Answer) -> Answer:
    """
    Give what is printed of an answer.
    """
    if "error" in answer:
        return answer
    names = ("symbol", "score", "detail")
    findings = [{name: each[name] for name in names} for each in answer["findings"]]
    return {**answer, "findings": findings}


def _show(answers: Sequence[Answer], thresholds: Policy) -> int:
    """
    Print a table and how often there was what; of a single message, all that was found.
    """
    say_all(table(_HEADS, [_row(answer) for answer in answers], terminal_width()))
    if len(answers) == 1 and "error" not in answers[0]:
        answer = answers[0]
        say_all(story.tell_why({**answer, "total": answer["score"]}, thresholds))
    elif len(answers) != 1:
        actions = Counter(_action(answer) for answer in answers)
        parts = [f"{number:,} {action}" for action, number in actions.most_common()]
        say(": ".join(filter(None, (f"{len(answers):,} messages", ", ".join(parts)))))
    return FAILED if any("error" in answer for answer in answers) else 0


def _action(answer: Answer) -> str:
    if "error" in answer:
        return "error"
    if "would" in answer:
        return f"{answer['action']} (would be {answer['would']})"
    return str(answer["action"])


def _row(answer: Answer) -> Sequence[str]:
    where = f"{answer['path']} {answer['number']}" if "number" in answer else answer["path"]
    if "error" in answer:
        return ("", "error", where, answer["error"])
    found = sorted(answer["findings"], key=lambda finding: -abs(finding["score"]))
    symbols = ", ".join(f"{each['symbol']} {each['score']:+.1f}" for each in found)
    return (f"{answer['score']:5.1f}", _action(answer), where, symbols)
