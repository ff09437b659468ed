"""
The words of the review pages: what a neighbour understands, in the present, with the evidence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from attrs import frozen

from mailgate.config.model import Policy
from mailgate.finding import Finding
from mailgate.quarantine.rows import HeldMessage
from mailgate.reporting.overview import span
from mailgate.verdict import Kind


@frozen
class KindWords:
    """
    How a kind is named and shown.
    """

    word: str
    icon: str
    style: str
    """The class that gives its colour."""

    held: str
    """Why a message of this kind is held: a sentence without its full stop."""

    by_score: bool = False
    """Whether its total says how sure we are."""


KINDS = {
    Kind.SPAM: KindWords("Spam", "spam", "spam", "Held because it looks like spam", True),
    Kind.PHISHING: KindWords(
        "Phishing",
        "phishing",
        "phishing",
        "Held because it seems to be after passwords or money",
        True,
    ),
    Kind.SPOOF: KindWords(
        "Spoof",
        "user",
        "phishing",
        "Held because its sender does not seem to be who it says",
        True,
    ),
    Kind.BULK: KindWords(
        "Bulk", "bulk", "bulkmail", "Held because it was sent to very many people", True
    ),
    Kind.MALWARE: KindWords(
        "Malware", "malware", "malware", "Held because something harmful is in it"
    ),
    Kind.POLICY: KindWords("Policy", "policy", "policy", "Held because a rule set here says so"),
    Kind.UNSCANNABLE: KindWords(
        "Unscannable", "lock", "policy", "Held because it could not be looked into"
    ),
    Kind.UNDELIVERABLE: KindWords(
        "Undeliverable", "mail", "policy", "Held because it could not be delivered"
    ),
    Kind.REFUSED: KindWords(
        "Refused",
        "block",
        "malware",
        "Held because this copy was refused while another one was taken",
    ),
}


_QUOTE, _UNQUOTE = "\N{LEFT DOUBLE QUOTATION MARK}", "\N{RIGHT DOUBLE QUOTATION MARK}"
_END_OF_SENTENCE = re.compile(f"{_QUOTE}[^{_UNQUOTE}]*|[.!?](?= [A-Z])")


def sentence(text: str) -> str:
    """
    Make a sentence of words that may lack their capital or their full stop.
    """
    text = text.strip()
    if not text:
        return ""
    ending = "" if text[-1] in ".!?…" else "."
    return text[0].upper() + text[1:] + ending


def first_sentence(text: str) -> str:
    """
    Give the first of several sentences; what is quoted in it stays whole.
    """
    for found in _END_OF_SENTENCE.finditer(text):
        if not found[0].startswith(_QUOTE):
            return sentence(text[: found.end()])
    return sentence(text)


def against(findings: Sequence[Finding]) -> list[Finding]:
    """
    Give what speaks against a message, the weightiest first.
    """
    found = [finding for finding in findings if finding.score > 0]
    return sorted(found, key=lambda finding: -finding.score)


def reason(held: HeldMessage) -> str:
    """
    Say in one sentence why a message is held.
    """
    if held.kind is Kind.UNDELIVERABLE and held.reason:
        return f"The server that it is for did not take it: {sentence(held.reason)}"
    found = against(held.findings)
    if found:
        return first_sentence(found[0].detail)
    return sentence(KINDS[held.kind].held)


@frozen
class Certainty:
    """
    How sure we are of a kind.
    """

    word: str
    bars: int
    """How many of three bars are filled."""


def certainty(held: HeldMessage, policy: Policy, certain: float) -> Certainty | None:
    """
    Say how sure we are: from the score of certain spam on sure, below it likely in the upper half
    of what is held, else doubtful.

    Thirds between hold and refuse would be wrong: statistics alone are not let come near refusing,
    however sure they are, so that all that they hold would be doubtful for ever, and whoever looks
    for mistakes would have to look at all of it.

    @param certain: what the statistics give to what is certainly spam. Where that alone holds
        nothing, or refuses, it is two thirds of the way from hold to refuse.
    @return: C{None} where the kind does not come from a total.
    """
    if not KINDS[held.kind].by_score:
        return None
    if not policy.quarantine < certain < policy.reject:
        certain = policy.quarantine + (policy.reject - policy.quarantine) * 2 / 3
    if held.total >= certain:
        return Certainty("sure", 3)
    if held.total >= (policy.quarantine + certain) / 2:
        return Certainty("likely", 2)
    return Certainty("doubtful", 1)


@frozen
class Person:
    """
    Whom a From header names, for a list.
    """

    name: str
    address: str
    """C{""} where the name is all there is."""


def person(from_header: str, sender: str) -> Person:
    """
    Split a From header, or take the envelope sender where there is none.

    What is shown is what was written, also where it is no address.
    """
    text = from_header.strip()
    if not text:
        return Person(sender or "nobody (the empty sender of notices)", "")
    name, bracket, rest = text.rpartition("<")
    address = rest.partition(">")[0].strip()
    name = name.strip().strip('"').strip()
    if bracket and address and name:
        return Person(name, address)
    return Person(address if bracket and address else text, "")


def size(number: int) -> str:
    """
    Give bytes in a unit that is easy to read.
    """
    if number < 1000:
        return f"{number} bytes" if number != 1 else "1 byte"
    for unit, bytes_of_it in (("kB", 1000), ("MB", 1000**2), ("GB", 1000**3)):
        value = number / bytes_of_it
        if value < 9.95:
            return f"{value:.1f} {unit}"
        if value < 999.5:
            return f"{value:.0f} {unit}"
    return f"{number / 1000**4:.1f} TB"


def score(number: float) -> str:
    """
    Give what a finding adds, with its sign.
    """
    text = f"{abs(number):.1f}"
    if text == "0.0":
        return "0.0"
    return f"+{text}" if number > 0 else f"\N{MINUS SIGN}{text}"


def total(number: float) -> str:
    """
    Give a total.
    """
    return f"{number:.1f}".replace("-", "\N{MINUS SIGN}")


def messages(number: int) -> str:
    """
    Count messages.
    """
    return "one message" if number == 1 else f"{number:,} messages"


@frozen
class Notice:
    """
    What a page says about what was just done.
    """

    style: str
    icon: str
    text: str


def backlog(number: int, age: float, by_destination: Sequence[tuple[str, int]]) -> Notice:
    """
    Say that mail piles up.

    @param age: seconds for which the oldest copy has waited.
    @param by_destination: how many wait for which upstream.
    """
    copies = "One copy waits, for" if number == 1 else f"{number:,} copies wait, the oldest for"
    named = [
        f"{count:,} for {f'the upstream {name}' if name else 'no known upstream'}"
        for name, count in by_destination
    ]
    text = f"Mail piles up. {copies} {span(age)}: {', '.join(named)}."
    return Notice("warn", "warn", text)


_BROWSERS = ("Edg", "OPR", "Firefox", "Chrome", "Safari")
_BROWSER_NAMES = {"Edg": "Edge", "OPR": "Opera"}
_SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")


def browser(program: str) -> str:
    """
    Name a browser and its system by what it calls itself, or give the beginning of that.
    """
    name = next((word for word in _BROWSERS if f"{word}/" in program), None)
    system = next((word for word in _SYSTEMS if word in program), None)
    if name is None or system is None:
        return program[:40] or "an unknown browser"
    return f"{_BROWSER_NAMES.get(name, name)} on {system}"


def notice(code: str) -> Notice | None:
    """
    Put into words what L{mailgate.web.answer.say} was given.
    """
    what, *rest = code.split(".")
    numbers = [int(number) for number in rest]
    if what in _DONE and len(numbers) in (2, 3):
        return _done(what, *numbers)
    if what in _LISTED and len(numbers) == 1:
        text = f"{_LISTED[what]} It is entry {numbers[0]} of the lists."
        return Notice("ok", "ok", text)
    found = _NOTICES.get(what)
    return Notice(*found) if found else None


def _done(what: str, done: int, missed: int, refused: int = 0) -> Notice:
    participle, one, many = _DONE[what]
    text = f"{messages(done).capitalize()} {participle}." if done else f"Nothing was {participle}."
    if done:
        text += one if done == 1 else many
    if missed and what in _OF_OUTBOX:
        text += " The copy is being delivered at the moment, or is not in the outbox any more."
    elif missed:
        text += f" {messages(missed).capitalize()} had been dealt with already."
    if refused:
        text += f" You may not do that with {messages(refused)}."
    if what == "allow_release":
        text += " The sender is allowed from now on."
    return Notice("ok" if done else "warn", "ok" if done else "warn", text)


_ON_ITS_WAY = " It is on its way."
_ON_THEIR_WAY = " They are on their way."
_DONE = {
    "release": ("released", _ON_ITS_WAY, _ON_THEIR_WAY),
    "allow_release": ("released", _ON_ITS_WAY, _ON_THEIR_WAY),
    "spam": (
        "deleted as spam",
        " The filter learns from it.",
        " The filter learns from them.",
    ),
    "delete": ("deleted", "", ""),
    "retry": ("let go", _ON_ITS_WAY, _ON_THEIR_WAY),
    "hold": ("stopped", " It is tried no more until you let it go.", ""),
    "remove": ("deleted from the outbox", " Its recipient does not get it.", ""),
}
"""What was done, and what follows from it for one message and for several."""

_OF_OUTBOX = frozenset(("retry", "hold", "remove"))

_LISTED = {
    "allow": "Allowed from now on.",
    "block": "Blocked from now on.",
}

_NOTICES = {
    "none_chosen": ("warn", "warn", "Nothing was done, since no message was chosen."),
    "entry_removed": ("ok", "ok", "The entry is removed, and does not count any more."),
    "entry_gone": ("warn", "warn", "The entry had been removed already, or its time was over."),
    "asked": (
        "ok",
        "ok",
        "You have asked. The answer will stand on the page of the message.",
    ),
    "asked_before": ("warn", "warn", "Somebody has asked for it already."),
    "allowed": ("ok", "ok", "The request is allowed, and the message is on its way."),
    "refused": ("ok", "ok", "The request is refused. The message stays held."),
    "answered_before": ("warn", "warn", "Somebody had answered already."),
    "signed_out_there": ("ok", "ok", "That log-in has ended."),
    "signed_out_others": ("ok", "ok", "Your other log-ins have ended."),
    "factor_off": ("warn", "warn", "The second factor is off."),
    "link_asked": (
        "ok",
        "ok",
        "If this address signs in by links, one is on its way. It works for 15 minutes.",
    ),
    "digest": ("ok", "ok", "It is kept when you get digests."),
    "language": ("ok", "ok", "The language is kept."),
    "person": ("ok", "ok", "The person is changed."),
    "person_added": ("ok", "ok", "The person is added."),
    "password": ("ok", "ok", "The password is changed. Other log-ins of yours have ended."),
    "signed_out": ("ok", "ok", "You are signed out."),
    "welcome": ("ok", "ok", "The account is made, and you are signed in."),
}
