"""
A digest put into words: a text and a page, in the same order and the same words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import fill

from attrs import frozen

from mailgate.config.model import Policy
from mailgate.message.writing import Part, html_part, in_words, text_part
from mailgate.quarantine.digest import SHOWN, Digest, subject
from mailgate.quarantine.rows import HeldMessage
from mailgate.quarantine.tokens import Purpose
from mailgate.verdict import Kind
from mailgate.web.pages import words
from mailgate.web.pages.times import Times
from mailgate.web.templates import Templates

_WIDTH = 72
_SUBJECT = 150
_NAME = 80
_ADDRESS = 120
_REASON = 300
_LOOKS_LIKE_A_NAME = re.compile(r"(?<=\w)\.(?=[^\W\d_]{2})")

COLOURS = {
    "spam": "#7b5100",
    "phishing": "#8a2433",
    "bulkmail": "#29587f",
    "malware": "#7a2060",
    "policy": "#4c5651",
}
"""Of kinds, on white; the word stands beside."""


@frozen
class Link:
    """
    One thing that can be done.
    """

    word: str
    url: str
    is_first: bool = False


@frozen
class Item:
    """
    One message.
    """

    number: int
    subject: str
    name: str
    address: str
    kind: str
    colour: str
    when: str
    reason: str
    links: Sequence[Link]
    """Empty where a release is to be asked for."""


@frozen
class Group:
    """
    Messages of which we are about as sure.
    """

    title: str
    items: Sequence[Item]


class DigestWriter:
    """
    Puts digests into words.
    """

    def __init__(
        self, templates: Templates, policy: Policy, certain: float, hostname: str, base_url: str
    ) -> None:
        """
        @param certain: the score of what is certainly spam by the statistics.
        @param base_url: where the pages are, as the configuration says; links begin with it.
        """
        self._templates = templates
        self._policy = policy
        self._certain = certain
        self._hostname = hostname
        self._base_url = base_url

    def write(self, digest: Digest) -> Sequence[Part]:
        """
        Give the parts of a digest: the text, then the page.
        """
        times = Times(lambda: digest.now, digest.zone)
        groups = self._groups(digest, times)
        more = digest.number - len(digest.shown)
        values = {
            "title": f"{subject(digest.number)} for you",
            "since": f"Since {times.when(digest.since)}." if digest.since is not None else "",
            "to": str(digest.to),
            "doubt": _doubt(groups, len(digest.shown)),
            "more": f"{words.messages(more).capitalize()} more than these {SHOWN} "
            f"{'is' if more == 1 else 'are'} in your quarantine:"
            if more
            else "Everything that is held for you is in your quarantine:",
            "quarantine": f"{self._base_url}/quarantine",
            "asks": "Each link opens a page that asks; nothing happens before you say so there. "
            "No sign-in is needed."
            if digest.links
            else "",
            "ask": "Ask for it in the quarantine.",
            "until": f"The links work until {times.date(times.day(digest.until))} at the latest, "
            "for this mailbox alone: do not forward this mail."
            if digest.links
            else "",
            "change": "Change when it comes:",
            "settings": f"{self._base_url}/account/digest",
            "told": f"You get it {digest.schedule.in_words}, when something is new. "
            f"This was written by mailgate at {self._hostname}.",
        }
        page = self._templates.render(
            "digest.html", None, groups=groups, times=times, **values
        ).decode()
        return text_part(_text(groups, values)), html_part(page)

    def _groups(self, digest: Digest, times: Times) -> Sequence[Group]:
        doubtful: list[HeldMessage] = []
        rest: list[HeldMessage] = []
        for held in digest.shown:
            sure = words.certainty(held, self._policy, self._certain)
            is_doubtful = held.kind is not Kind.MALWARE if sure is None else sure.bars == 1
            (doubtful if is_doubtful else rest).append(held)
        named = (("Worth a look", doubtful), ("The rest", rest))
        groups, number = [], 0
        for title, held_messages in named:
            if held_messages:
                items = [
                    self._item(held, number + at, digest, times)
                    for at, held in enumerate(held_messages, 1)
                ]
                groups.append(Group(title, items))
                number += len(items)
        return groups

    def _item(self, held: HeldMessage, number: int, digest: Digest, times: Times) -> Item:
        message, kind = held.message, words.KINDS[held.kind]
        sender = words.person(message.from_header, str(message.sender))
        sure = words.certainty(held, self._policy, self._certain)
        tokens = digest.links.get(held.id, {})
        links = []
        if tokens:
            release = f"{self._base_url}/release/{tokens[Purpose.RELEASE]}"
            links = [
                Link("Release", release, True),
                Link("Release and allow", f"{release}?allow=address"),
                Link("Delete", f"{self._base_url}/delete/{tokens[Purpose.DELETE]}"),
            ]
        return Item(
            number=number,
            subject=defused(in_words(message.subject, _SUBJECT)) or "(no subject)",
            name=defused(in_words(sender.name, _NAME)) if sender.address else "",
            address=in_words(sender.address or sender.name, _ADDRESS),
            kind=f"{kind.word}, {sure.word}" if sure else kind.word,
            colour=COLOURS[kind.style],
            when=times.when(held.held),
            reason=defused(in_words(words.reason(held), _REASON)),
            links=links,
        )


def defused(text: str) -> str:
    """
    Give a stranger's words so that no reader's program makes a link of them.
    """
    return _LOOKS_LIKE_A_NAME.sub("[.]", text.replace("://", "[:]//"))


def _doubt(groups: Sequence[Group], number: int) -> str:
    worth = next((len(group.items) for group in groups if group.title == "Worth a look"), 0)
    if not worth or worth == number:
        return ""
    return "One is worth a look." if worth == 1 else f"{worth} are worth a look."


def _text(groups: Sequence[Group], values: dict[str, str]) -> str:
    def filled(text: str, indent: str = "") -> str:
        return fill(
            text,
            _WIDTH,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )

    about = " ".join(filter(None, (values["since"], f"For {values['to']}.", values["doubt"])))
    blocks = [values["title"], filled(about), f"{values['more']}\n{values['quarantine']}"]
    if values["asks"]:
        blocks.append(filled(values["asks"]))
    for group in groups:
        blocks.append(f"\n{group.title.upper()}")
        for item in group.items:
            sender = f"{item.name} <{item.address}>" if item.name else item.address
            indent = "   "
            lines = [
                filled(f"{item.number}. {item.subject}").replace("\n", f"\n{indent}"),
                filled(sender, indent),
                filled(f"{item.kind}, {item.when}", indent),
                filled(item.reason, indent),
            ]
            lines += [f"{indent}{link.word}:\n{indent}{link.url}" for link in item.links]
            if not item.links:
                lines.append(filled(values["ask"], indent))
            blocks.append("\n".join(lines))
    foot = filled(" ".join(filter(None, (values["until"], values["told"]))))
    blocks.append(f"-- \n{foot}\n{values['change']} {values['settings']}")
    return "\n\n".join(blocks)
