"""
C{mailgate check-domain}: what a domain says of its mail in the DNS, and what is wrong with it.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from mailgate.authentication.domain import canonical
from mailgate.authentication.survey import Part, Weight, count
from mailgate.authentication.survey_domain import (
    QUERIES,
    SECONDS,
    Outcome,
    Survey,
    survey_domain,
)
from mailgate.commands.asking import config_path, gateway
from mailgate.commands.parsers import Arguments, Parsers, add_json
from mailgate.commands.running import until_done
from mailgate.config.load import load
from mailgate.config.model import Dns, Settings
from mailgate.hub.commands import CommandError
from mailgate.net.dns.resolver import Resolver
from mailgate.net.dns.servers import find_servers
from mailgate.parts import Parts
from mailgate.reporting.terminal import complain, say, say_all, terminal_width

STATUS = {Outcome.FINE: 0, Outcome.MISTAKES: 1, Outcome.UNKNOWN: 2}
"""The exit status."""

WRONG_USE = 2
"""That of a domain or selector that is none: nothing was asked either."""

_WIDEST = 100
_USUAL_WIDTH = 80
_SIGNS = {
    Weight.FINE: "ok",
    Weight.NOTE: "note",
    Weight.MISTAKE: "MISTAKE",
    Weight.UNKNOWN: "NOT KNOWN",
}
_INDENT = 2 + max(map(len, _SIGNS.values())) + 2


def add_to(parsers: Parsers) -> None:
    """
    Add the command.
    """
    made = parsers.command(
        "check-domain", check_domain, "check-domain example.org --selector 2027a"
    )
    add_json(made)
    made.add_argument("domain", metavar="DOMAIN")
    made.add_argument(
        "--selector",
        action="append",
        default=[],
        metavar="S",
        help="a selector of DKIM that must have a key; may be given several times",
    )


def check_domain(arguments: Arguments) -> int:
    """
    Say what SPF, DKIM, DMARC and MX of a domain say, and what is wrong with them.
    """
    settings = load(config_path(arguments))
    domain = canonical(arguments.domain)
    if domain is None or "." not in domain:
        complain(f"{arguments.domain} is no domain, as in example.org")
        return WRONG_USE
    named = []
    for each in arguments.selector:
        selector = canonical(each)
        if selector is None:
            complain(f"{each} is no selector, as in 2027a")
            return WRONG_USE
        named.append(selector)
    seen = _selectors_seen(arguments, settings, domain)
    file = Parts().resolv_conf
    found = until_done(lambda reactor: look(settings.dns, reactor, domain, named, seen, file))
    if arguments.json:
        say(json.dumps(as_json(found)))
    else:
        say_all(in_words(found, terminal_width()))
    return STATUS[found.outcome]


def look(
    settings: Dns,
    reactor: Any,
    domain: str,
    named: Sequence[str],
    seen: Sequence[str],
    resolv_conf: Path,
) -> Deferred[Survey]:
    """
    Ask the DNS servers of the configuration.

    @param resolv_conf: names them where the configuration does not.
    """
    resolver = Resolver(settings, reactor)
    resolver.use(find_servers(settings.servers, resolv_conf))
    asking = Deferred.fromCoroutine(
        survey_domain(resolver.for_check("check-domain", SECONDS, QUERIES), domain, named, seen)
    )

    def close(result: Any) -> Any:
        resolver.close()
        return result

    return asking.addBoth(close)


def as_json(found: Survey) -> Mapping[str, Any]:
    """
    Tell it to a program.
    """
    return {
        "domain": found.domain,
        "outcome": found.outcome.value,
        "parts": {
            part.title: {
                "records": [
                    {"name": each.name, "type": each.type, "text": each.text}
                    for each in part.records
                ],
                "remarks": [
                    {"weight": each.weight.value, "words": each.words} for each in part.remarks
                ],
            }
            for part in found.parts
        },
    }


def in_words(found: Survey, width: int | None) -> Iterator[str]:
    """
    Tell it to a person.

    @param width: how many columns the terminal has, or C{None}: it is none.
    """
    columns = min(width or _USUAL_WIDTH, _WIDEST)
    for part in found.parts:
        yield from _of_part(part, columns)
        yield ""
    number = found.number(Weight.MISTAKE)
    unknown = found.number(Weight.UNKNOWN)
    words = f"{found.domain}: {count(number, 'mistake', 'mistakes')}" if number else ""
    if unknown:
        could = f"{count(unknown, 'thing', 'things')} could not be asked"
        words = f"{words}, and {could}" if words else f"{found.domain}: {could}"
    yield f"{words or f'{found.domain}: no mistakes'}."


def _of_part(part: Part, columns: int) -> Iterator[str]:
    yield part.title
    for record in part.records:
        yield from _wrapped(f"  {record.name} {record.type}  ", record.text, 6, columns)
    for remark in part.remarks:
        start = f"  {_SIGNS[remark.weight]}".ljust(_INDENT)
        yield from _wrapped(start, remark.words, _INDENT, columns)


def _wrapped(start: str, words: str, indent: int, columns: int) -> Sequence[str]:
    return textwrap.wrap(
        f"{start}{words}",
        columns,
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
        replace_whitespace=False,
        drop_whitespace=True,
    )


def _selectors_seen(arguments: Arguments, settings: Settings, domain: str) -> Sequence[str]:
    """
    Ask the traces; where nothing was ever received there are none.
    """
    if not (settings.data / "state.db").exists():
        return ()
    try:
        with gateway(arguments) as ask:
            seen: Sequence[str] = ask("domain.selectors", {"domain": domain})["selectors"]
    except (CommandError, OSError) as error:
        complain(f"the traces cannot be asked which selectors were seen: {error}")
        return ()
    return [each for each in seen if canonical(each) is not None]
