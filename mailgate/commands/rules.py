"""
C{mailgate rules}: what people have written down about mail, tried on a message, and taken over
from elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mailgate.checks.known import Known
from mailgate.checks.rules import FACTS, FOLDER, load_rules
from mailgate.checks.words import quote
from mailgate.classify.classifier import signals_of
from mailgate.classify.mailboxes import messages_in
from mailgate.classify.reading import sender_of
from mailgate.commands.asking import FAILED, config_path
from mailgate.commands.parsers import Arguments, Parsers, add_json
from mailgate.commands.scanning import Scanner, Situation
from mailgate.config.load import load
from mailgate.config.model import Settings
from mailgate.hub.commands import CommandError
from mailgate.message.attachments import Examination
from mailgate.message.language import TEXT_LIMIT, languages_of
from mailgate.message.links import places_of
from mailgate.message.mime import read
from mailgate.message.mime.readings import read_all
from mailgate.pipeline.extractors import caps_of
from mailgate.reporting.terminal import complain, say, say_all, say_array, table, terminal_width
from mailgate.rules.format import Rule, RuleSet
from mailgate.rules.matching import Matcher
from mailgate.rules.spamassassin import Reader
from mailgate.rules.texts import texts_of

_FROM_NOBODY = Arguments(client=None, trust=[], helo=None, sender=None, to=None)
"""As C{mailgate scan} takes a message where nothing is said of its way."""

_HEADS = ("SCORE", "RULE", "GROUP", "LANGUAGES", "WORDS")


def add_to(parsers: Parsers) -> None:
    """
    Add the commands.
    """
    family = parsers.family("rules", "see, try and take over rules", "rules list")
    add_json(family.command("list", list_, "rules list"))
    made = family.command("test", test, "rules test message.eml")
    add_json(made)
    made.add_argument("file", metavar="FILE", help="a message")
    importing = family.command(
        "import", import_, "rules import spamassassin /usr/share/spamassassin"
    )
    importing.add_argument("source", choices=("spamassassin",), help="whose rules they are")
    importing.add_argument("path", metavar="PATH", nargs="+", type=Path, help="a file, or a folder")


def list_(arguments: Arguments) -> int:
    """
    List all rules that count, with their groups.
    """
    rules = load_rules(load(config_path(arguments)).checks.rules)
    if arguments.json:
        say_array(_fields(rule) for rule in rules.rules.values())
        return 0
    rows = [
        (
            f"{rule.score:+g}",
            rule.symbol,
            rule.group,
            " ".join(sorted(rule.languages)),
            rule.words,
        )
        for rule in sorted(rules.rules.values(), key=lambda rule: (rule.group, rule.symbol))
    ]
    say_all(table(_HEADS, rows, terminal_width()))
    say_all(_groups(rules))
    return 0


def test(arguments: Arguments) -> int:
    """
    Say which rules hold of a message, and which facts.
    """
    settings = load(config_path(arguments))
    matcher = Matcher(load_rules(settings.checks.rules), settings.data / FOLDER)
    data = next(iter(messages_in(Path(arguments.file), settings.limits.message_bytes + 1)), b"")
    parsed = read(data)
    facts = signals_of(parsed) | _seen(settings, arguments.file)
    files = Examination(read_all(data, parsed).enclosed, caps_of(settings.checks)).finish().files
    hits = matcher.match(
        texts_of(
            matcher.places,
            parsed,
            sender_of(parsed.headers).name,
            (place.address for place in places_of(parsed.seen).places),
            (name for file in files for name in file.names),
        ),
        facts.__contains__,
        lambda: languages_of(parsed.seen.words(TEXT_LIMIT)),
    )
    known = sorted(FACTS & facts)
    if arguments.json:
        rows = [{**_fields(hit.rule), "quote": hit.quote} for hit in hits]
        say(json.dumps({"rules": rows, "facts": known}))
        return 0
    say_all(
        " ".join(
            filter(
                None,
                (
                    f"{hit.rule.score:+5g}",
                    f"{hit.rule.symbol}:",
                    hit.rule.words,
                    hit.quote and quote(hit.quote),
                ),
            )
        )
        for hit in hits
    )
    say(f"facts: {' '.join(known)}")
    return 0


def _seen(settings: Settings, path: str) -> frozenset[str]:
    """
    Give the symbols that the gateway would find, without asking the DNS, in lower case.

    @raise CommandError: it would not take the message.
    """
    situation = Situation.of(_FROM_NOBODY, settings)
    with TemporaryDirectory(prefix="mailgate-rules-") as folder:
        ((answer, *_),) = Scanner(settings, Known(), situation, Path(folder))([path])
    if "error" in answer:
        raise CommandError(f"{path}: {answer['error']}")
    return frozenset(finding["symbol"].lower() for finding in answer["findings"])


def import_(arguments: Arguments) -> int:
    """
    Write rules of another filter as ours, and say what was left out and why.
    """
    reader = Reader()
    for path in _files(arguments.path):
        reader.read(path.read_text("utf-8", "replace").splitlines())
    imported = reader.finish()
    say_all(imported.toml())
    complain(f"{len(imported.rules):,} rules were taken over; {len(imported.left_out):,} left out:")
    for why, number in imported.reasons():
        complain(f"{number:7,}  {why}")
    return 0 if imported.rules else FAILED


def _fields(rule: Rule) -> dict[str, Any]:
    return {
        "symbol": rule.symbol,
        "score": rule.score,
        "words": rule.words,
        "group": rule.group,
        "languages": sorted(rule.languages),
        "file": str(rule.file),
    }


def _groups(rules: RuleSet) -> Iterator[str]:
    for group in rules.groups.values():
        yield f"{group.name}: {group.title} (together {group.cap:g} at most)"


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(path.rglob("*.cf"))
        else:
            yield path
