"""
C{mailgate scan}: stored messages, judged as the gateway would judge them now.

Nothing of a file says how it would come, but for what relays that are trusted have written into
it: with these its client is taken from its Received fields, and the DNS is asked of it. Without,
it is this machine that sends it, by no name that could be judged, from the null sender, to an
address that nobody has in the first domain of the first route: so no check of the session finds
anything.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from mailgate.checks.known import Known
from mailgate.classify.alike import alike_file_of, load_index
from mailgate.classify.classifier import Classifier
from mailgate.classify.mailboxes import files_in
from mailgate.classify.store import Unusable, file_of
from mailgate.classify.store import load as load_learned
from mailgate.commands.asking import FAILED, config_path
from mailgate.commands.lists import load_lists
from mailgate.commands.parsers import Arguments, Parsers, add_json, positive
from mailgate.commands.processes import Processes, portions
from mailgate.commands.scanning import THIS_MACHINE, Answer, Scanner, Situation, error_of
from mailgate.config.load import load
from mailgate.config.model import Policy, Settings
from mailgate.hub.commands import CommandError
from mailgate.hub.learning import FOLDER
from mailgate.knowledge.geo import Geo
from mailgate.reporting import story
from mailgate.reporting.terminal import Progress, say, say_all, table, terminal_width
from mailgate.store.files import Files

_HEADS = ("SCORE", "ACTION", "FILE", "FINDINGS")


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
        help="ask nothing of the network: what the DNS says is not known then",
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
        metavar="NETWORK|AUTHSERV_ID",
        action="append",
        default=[],
        help="a relay that is believed, beside those of [relays]: its network, or its name, as in "
        "mx.example.net or *.example.net; the client is then who it took the message from, and of "
        "one that is named it counts what it has found by SPF, DKIM and DMARC",
    )
    made.add_argument(
        "--from",
        dest="sender",
        metavar="ADDRESS",
        help="the envelope sender (default: whom a relay that is believed names, or <>)",
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
    geo = Geo.of_check(settings.checks.geo)
    geo.load()
    known = Known(load_lists(arguments, settings), _load_classifier(settings), geo=geo)
    paths = list(files_of(arguments.path))
    with TemporaryDirectory(prefix="mailgate-scan-") as folder, Progress(len(paths)) as progress:
        scanner = Scanner(settings, known, situation, Path(folder), not arguments.offline)
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


def _load_classifier(settings: Settings) -> Classifier:
    """
    Give the classifier with what counts now.

    @raise CommandError: what was learned cannot be read.
    """
    classifier, folder = Classifier(), settings.data / FOLDER
    # Where a file is missing nothing was learned yet.
    try:
        with suppress(FileNotFoundError):
            classifier.learned = load_learned(file_of(folder), Files())
        with suppress(FileNotFoundError):
            classifier.alike = load_index(alike_file_of(folder), Files())
    except Unusable as error:
        raise CommandError(f"what was learned cannot be read: {error}") from None
    return classifier


def _judge_all(
    paths: Sequence[str], scanner: Scanner, jobs: int | None
) -> Iterator[Sequence[Answer]]:
    number = min(jobs or len(os.sched_getaffinity(0)), len(paths))
    if number > 1:
        return Processes(scanner, number, _crashed).run(paths)
    return chain.from_iterable(map(scanner, portions(paths)))


def _crashed(path: str) -> Sequence[Answer]:
    return [error_of(path, "could not be judged: its process crashed")]


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
