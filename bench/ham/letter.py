"""
Letters: who writes to whom, in what language, about what, before any mail program has had them.

Letter N of a seed is always the same. Its texts are picked from C{texts/}, a file a language.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unicodedata import normalize

LANGUAGES = ("de", "en", "es", "fr", "it", "pl")
KINDS = ("newsletter", "receipt", "reset", "shipping", "invitation", "notification", "note")

HOME = "nordhof.example"
"""Where all recipients are."""

_TEXTS = Path(__file__).with_name("texts")
_SINCE = datetime(2026, 1, 5, 6, 30, tzinfo=UTC)
_DAYS = 300

_COLORS = ("#0b6e4f", "#1f4e79", "#b5452c", "#5b2a86", "#222222", "#d97706")
_SHARES = (28, 16, 11, 11, 12, 15, 7)
"""How many of a hundred letters are of each kind."""


@dataclass(frozen=True)
class Sender:
    """
    A company or club; its links, and most of its addresses, are in its domain.
    """

    name: str
    domain: str
    trade: str

    @property
    def label(self) -> str:
        """
        The first label of the domain, by which services and networks know the sender.
        """
        return self.domain.partition(".")[0]

    @property
    def color(self) -> str:
        """
        The color of its buttons.
        """
        return _COLORS[sum(self.domain.encode("ascii")) % len(_COLORS)]


@dataclass(frozen=True)
class Block:
    """
    A piece of a page: C{text}, C{button}, C{article}, C{product}, or rows of C{items} or C{facts}.
    """

    kind: str
    text: str = ""
    detail: str = ""
    """What an article says, or what a product costs now."""

    more: str = ""
    """What stands on a link or button, or what a product cost before."""

    url: str = ""
    image: str = ""
    """A name; which host it lies on is the service's affair."""

    rows: Sequence[Sequence[str]] = ()


@dataclass(frozen=True)
class Letter:
    """
    All that is said, and where links lead before a service counts their clicks.
    """

    number: int
    language: str
    kind: str
    sender: Sender
    person: str
    """Who signs, of the sender."""

    recipient: str
    address: str
    when: datetime
    subject: str
    preheader: str
    title: str
    greeting: str
    blocks: Sequence[Block]
    closing: str
    reason: str
    """Why the recipient gets it, for the foot of the page."""

    place: str
    words: Mapping[str, str]
    """The names of what every page has, in its language."""

    order: str
    meeting: datetime | None = None
    """When what it invites to begins."""

    @property
    def site(self) -> str:
        """
        The web site of the sender.
        """
        return f"https://www.{self.sender.domain}"

    def text(self) -> str:
        """
        Say the same as plain text.
        """
        lines = [self.title, "=" * len(self.title), ""] if self.title else []
        lines += [self.greeting, ""]
        for block in self.blocks:
            lines += [line for line in (block.text, block.detail) if line]
            lines += ["  ".join(cell for cell in row if cell) for row in block.rows]
            if block.url:
                lines.append(f"{block.more}: {block.url}" if block.more else block.url)
            lines.append("")
        lines += [f"{self.closing},", self.person if self.kind == "note" else self.sender.name, ""]
        if self.reason:
            lines += ["-- ", self.reason, self.place]
        return "\n".join(lines) + "\n"


class Writer:
    """
    Writes as many letters as are asked for.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._texts = {name: texts_of(name) for name in LANGUAGES}

    def letter(self, number: int) -> Letter:
        """
        Write letter C{number} (0 or more). The languages take turns.
        """
        dice = random.Random(f"letter {self._seed} {number}")
        language = LANGUAGES[number % len(LANGUAGES)]
        kind = dice.choices(KINDS, _SHARES)[0]
        return _Desk(self._texts[language], language, number, dice).write(kind)


def texts_of(language: str) -> dict[str, Any]:
    """
    Read the texts of a language.
    """
    return tomllib.loads((_TEXTS / f"{language}.toml").read_text("utf-8"))


class _Desk:
    """
    Where one letter is written.
    """

    def __init__(
        self, texts: Mapping[str, Any], language: str, number: int, dice: random.Random
    ) -> None:
        self._texts, self._language, self._number, self._dice = texts, language, number, dice
        self._when = _SINCE + timedelta(
            days=dice.randrange(_DAYS), seconds=dice.randrange(14 * 3600)
        )

    def write(self, kind: str) -> Letter:
        texts, dice = self._texts, self._dice
        chosen = dice.choice(
            texts["notes"] if kind == "note" else [x for x in texts["letters"] if x["kind"] == kind]
        )
        trades = chosen.get("trades")
        senders = [x for x in texts["senders"] if trades is None or x["trade"] in trades]
        sender = Sender(**dice.choice(senders))
        names = [f"{dice.choice(texts['first'])} {dice.choice(texts['last'])}" for _ in range(2)]
        person, recipient = names
        address = f"{plain(recipient).replace(' ', '.')}@{HOME}"
        meeting = self._when + timedelta(days=dice.randrange(3, 40))
        meeting = meeting.replace(hour=dice.randrange(9, 19), minute=0, second=0)
        self._values = self._made_up(sender, person, recipient, address, meeting)
        blocks = tuple(self._blocks(chosen, sender))
        return Letter(
            number=self._number,
            language=self._language,
            kind=kind,
            sender=sender,
            person=person,
            recipient=recipient,
            address=address,
            when=self._when,
            subject=self._one(chosen["subjects"]),
            preheader=self._one(chosen.get("preheaders", [""])),
            title=self._one(chosen.get("titles", [""])),
            greeting=self._one(texts["greetings"]),
            blocks=blocks,
            closing=self._one(texts["closings"]),
            reason="" if kind == "note" else self._one(texts["reasons"]),
            place=dice.choice(texts["places"]),
            words={key: value for key, value in texts.items() if isinstance(value, str)},
            order=self._values["order"],
            meeting=meeting if kind in ("invitation", "note") else None,
        )

    def _made_up(
        self, sender: Sender, person: str, recipient: str, address: str, meeting: datetime
    ) -> dict[str, str]:
        """
        Give what stands between braces in the texts.
        """
        texts, dice = self._texts, self._dice
        return {
            "company": sender.name,
            "site": f"www.{sender.domain}",
            "person": person,
            "name": recipient,
            "first": recipient.split()[0],
            "to": address,
            "order": f"{dice.choice(('', 'A-', 'R', '2026-'))}{dice.randrange(10**5, 10**8)}",
            "code": f"{dice.randrange(10**6):06}",
            "percent": str(dice.choice((10, 15, 20, 25, 30, 50))),
            "total": self._money(dice.randrange(900, 24_000) / 100),
            "date": texts["date"].format(
                day=meeting.day, month=texts["months"][meeting.month - 1], year=meeting.year
            ),
            "time": f"{meeting.hour}:00",
            "month": texts["months"][self._when.month - 1],
            "place": dice.choice(texts["places"]),
            "carrier": dice.choice(texts["carriers"]),
            "tracking": f"{dice.choice('ABCD')}{dice.randrange(10**11, 10**12)}",
            "device": dice.choice(texts["devices"]),
            "product": dice.choice(texts["products"])[0],
            "article": dice.choice(texts["articles"])[0],
        }

    def _blocks(self, chosen: Mapping[str, Any], sender: Sender) -> list[Block]:
        blocks = [Block("text", self._one(choice)) for choice in chosen["before"]]
        if "facts" in chosen:
            rows = [(label, self._filled(value)) for label, value in chosen["facts"]]
            blocks.append(Block("facts", rows=rows))
        if "middle" in chosen:
            middles = {"articles": self._articles, "products": self._products, "items": self._items}
            blocks += middles[chosen["middle"]](sender)
        if "buttons" in chosen:
            url = self._address(sender, "account")
            blocks.append(Block("button", more=self._one(chosen["buttons"]), url=url))
        blocks += [Block("text", self._one(choice)) for choice in chosen.get("after", ())]
        return blocks

    def _articles(self, sender: Sender) -> list[Block]:
        picked = self._with("article", self._dice.randrange(3, 6))
        return [
            Block(
                "article",
                title,
                text,
                more,
                self._address(sender, "news"),
                self._picture(),
            )
            for title, text, more in picked
        ]

    def _products(self, sender: Sender) -> list[Block]:
        picked = self._with("product", self._dice.choice((3, 4, 6)))
        share = 1 - int(self._values["percent"]) / 100
        return [
            Block(
                "product",
                name,
                self._money(price * share),
                self._money(price),
                self._address(sender, "shop"),
                self._picture(),
            )
            for name, price in picked
        ]

    def _with(self, name: str, count: int) -> list[list[Any]]:
        """
        Pick articles or products, first the one that the subject may name.
        """
        named = self._values[name]
        choices = self._texts[f"{name}s"]
        others = [each for each in choices if each[0] != named]
        first = [each for each in choices if each[0] == named]
        return first + self._dice.sample(others, count - 1)

    def _items(self, _: Sender) -> list[Block]:
        rows, sum_of_all = [], 0.0
        for name, price in self._dice.sample(self._texts["products"], self._dice.randrange(1, 5)):
            count = self._dice.choice((1, 1, 1, 2, 3))
            sum_of_all += price * count
            rows.append((name, f"{count} x", self._money(price * count)))
        rows.append((self._texts["shipping"], "", self._money(4.9)))
        self._values["total"] = self._money(sum_of_all + 4.9)
        rows.append((self._texts["total"], "", self._values["total"]))
        return [Block("items", rows=rows)]

    def _address(self, sender: Sender, folder: str) -> str:
        """
        Give where something is on the sender's site.
        """
        host = self._dice.choice(("www", "www", "shop", "my"))
        token = f"{self._dice.getrandbits(48):012x}"
        return f"https://{host}.{sender.domain}/{self._language}/{folder}/{token}"

    def _picture(self) -> str:
        return f"{self._dice.getrandbits(64):016x}.{self._dice.choice(('jpg', 'png', 'webp'))}"

    def _money(self, amount: float) -> str:
        digits = f"{amount:.2f}".replace(".", self._texts["decimal"])
        return str(self._texts["money"]).format(digits)

    def _one(self, choices: Sequence[str]) -> str:
        return self._filled(self._dice.choice(choices))

    def _filled(self, text: str) -> str:
        return text.format_map(self._values)


_UNDIVIDED = str.maketrans("łßı", "lsi")
"""Letters that Unicode does not take for another one with a mark."""


def plain(name: str) -> str:
    """
    Write a name as it stands in an address: in small ASCII letters.
    """
    letters = normalize("NFKD", name.lower().translate(_UNDIVIDED)).replace("'", "")
    return letters.encode("ascii", "ignore").decode()
