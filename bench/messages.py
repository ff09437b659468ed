"""
Messages that look like mail, made from a seed: the same seed gives the same messages.

Each is multipart/alternative with a text and an HTML part, has at least 150 distinct words,
five links, and the headers that mail has on its way in, a DKIM signature (which verifies
nowhere) among them. From 128 KiB on most of it is an attachment. All lines end in CRLF. One
message in five has a line that begins with a dot, as large mail has, since it costs more then.
"""

from __future__ import annotations

import random
from base64 import b64encode
from binascii import b2a_qp, hexlify
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

_WORDS = Path(__file__).with_name("words.txt").read_text(encoding="ascii").split()
_NAMES = ("Ada", "Bruno", "Clara", "Dmitri", "Elena", "Farid", "Greta", "Hugo", "Ines", "Jonas")
_FAMILIES = (
    "Adler",
    "Brandt",
    "Costa",
    "Duval",
    "Eriksen",
    "Fischer",
    "Garcia",
    "Hansen",
    "Ivanov",
)

_LINKS = 5
_DOTTED = 5
_BODIES = 1000
_ATTACHED_FROM = 128 * 1024
_TEXT_BESIDE_ATTACHMENT = 8 * 1024
_LINE = 78
_SINCE = datetime(2026, 1, 5, 8, 0, 0, tzinfo=UTC)


@dataclass(frozen=True)
class _Body:
    """
    The two parts that say the same.
    """

    text: bytes
    html: bytes


class Mailbag:
    """
    As many different messages of about one size as are asked for.

    What costs time is made once for each of 1,000 bodies and kept; headers, and with them
    the Message-ID, are new in every message.
    """

    def __init__(self, size: int, seed: int = 1, recipient: str = "user@example.com") -> None:
        """
        Prepare messages of C{size} bytes, at least 4,096; they come out within 5 % of it.
        """
        if size < 4096:
            raise ValueError(
                f"{size} bytes have no room for a message like mail: 4096 is the least"
            )
        self.size = size
        self._seed = seed
        self._recipient = recipient
        self._bodies: dict[int, _Body] = {}
        dice = random.Random(f"bag {seed} {size}")
        self._sentences = [self._sentence(dice.sample(_WORDS, 10)) for _ in range(1000)]
        self._attachment = b""
        if size >= _ATTACHED_FROM:
            lines = (size - _TEXT_BESIDE_ATTACHMENT) // _LINE
            content = b64encode(dice.randbytes(lines * 57))
            self._attachment = b"".join(
                content[start : start + 76] + b"\r\n" for start in range(0, len(content), 76)
            )

    def message(self, number: int) -> bytes:
        """
        Make message C{number} (0 or more): the same bytes whenever it is asked for.
        """
        dice = random.Random(f"message {self._seed} {self.size} {number}")
        parts = self._alternative(number, dice)
        if not self._attachment:
            return self._headers(number, dice) + parts
        boundary = b"mixed-" + hexlify(dice.randbytes(12))
        return b"".join(
            [
                self._headers(number, dice),
                b'Content-Type: multipart/mixed; boundary="%s"\r\n\r\n--%s\r\n'
                % (boundary, boundary),
                parts,
                b"\r\n--%s\r\n" % boundary,
                b'Content-Type: application/pdf; name="report-%d.pdf"\r\n' % number,
                b'Content-Disposition: attachment; filename="report-%d.pdf"\r\n' % number,
                b"Content-Transfer-Encoding: base64\r\n\r\n",
                self._attached(number),
                b"--%s--\r\n" % boundary,
            ]
        )

    def _headers(self, number: int, dice: random.Random) -> bytes:
        """
        Write what the sender and two servers on the way put above a message.
        """
        name, family = dice.choice(_NAMES), dice.choice(_FAMILIES)
        domain = f"{family.lower()}-{dice.choice(_WORDS)}.example.net"
        when = format_datetime(_SINCE + timedelta(seconds=number))
        token = hexlify(dice.randbytes(8)).decode()
        body_hash = b64encode(dice.randbytes(32)).decode()
        signature = b64encode(dice.randbytes(128)).decode()
        folded = "\r\n\t".join(
            signature[start : start + 70] for start in range(0, len(signature), 70)
        )
        return (
            f"Received: from out{number % 9}.{domain} ([192.0.2.{number % 250 + 1}])\r\n"
            f"\tby relay.example.org with ESMTPS id {token[:12]}; {when}\r\n"
            f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s=m1;\r\n"
            f"\th=from:to:subject:date:message-id:mime-version;\r\n"
            f"\tbh={body_hash};\r\n\tb={folded}\r\n"
            f"From: {name} {family} <{name.lower()}@{domain}>\r\n"
            f"To: <{self._recipient}>\r\n"
            f"Subject: {' '.join(dice.sample(_WORDS, 5)).capitalize()}\r\n"
            f"Date: {when}\r\n"
            f"Message-ID: <{number}.{token}@{domain}>\r\n"
            "MIME-Version: 1.0\r\n"
        ).encode("ascii")

    def _alternative(self, number: int, dice: random.Random) -> bytes:
        """
        Wrap the text and the HTML part of a message in a multipart of their own.
        """
        variant = number % _BODIES
        if variant not in self._bodies:
            room = _TEXT_BESIDE_ATTACHMENT if self._attachment else self.size
            self._bodies[variant] = self._body(variant, room - 1100)
        body = self._bodies[variant]
        boundary = b"alternative-" + hexlify(dice.randbytes(12))
        return b"".join(
            [
                b'Content-Type: multipart/alternative; boundary="%s"\r\n' % boundary,
                b"\r\n--%s\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n" % boundary,
                body.text,
                b"\r\n--%s\r\nContent-Type: text/html; charset=utf-8\r\n" % boundary,
                b"Content-Transfer-Encoding: quoted-printable\r\n\r\n",
                body.html,
                b"\r\n--%s--\r\n" % boundary,
            ]
        )

    def _body(self, variant: int, room: int) -> _Body:
        """
        Write text and HTML that together take about C{room} bytes.

        The HTML says all there is, with its links; the text as much as there is room for.
        """
        dice = random.Random(f"body {self._seed} {self.size} {variant}")
        words = dice.sample(_WORDS, 160)
        sentences = [self._sentence(words[start : start + 10]) for start in range(0, 160, 10)]
        links = [
            f"https://www.example.org/{dice.choice(_WORDS)}/{hexlify(dice.randbytes(4)).decode()}"
            for _ in range(_LINKS)
        ]
        html = self._html(sentences, links)
        while len(html) < room * 0.6:
            missing = int((room * 0.6 - len(html)) / 90) + 1
            sentences += dice.choices(self._sentences, k=missing)
            html = self._html(sentences, links)
        text: list[str] = []
        left = room - len(html)
        for sentence in sentences:
            left -= len(sentence) + 2
            if left < 0:
                break
            text.append(sentence)
        if variant % _DOTTED == 0:
            text[-1] = f".{text[-1]}"
        return _Body("\r\n".join([*text, ""]).encode("ascii"), html)

    def _html(self, sentences: list[str], links: list[str]) -> bytes:
        """
        Set sentences in paragraphs, a link after each of the first ones.
        """
        marked = [
            f'<p>{sentence} <a href="{links[at]}">More</a></p>'
            if at < len(links)
            else f"<p>{sentence}</p>"
            for at, sentence in enumerate(sentences)
        ]
        page = "\n".join(
            ["<html><body>", *marked, "<p>Caf\u00e9 \u2013 Example</p>", "</body></html>", ""]
        )
        return b2a_qp(page.encode("utf-8"), istext=True).replace(b"\n", b"\r\n")

    def _sentence(self, words: list[str]) -> str:
        """
        Make words into a line that begins and ends like a sentence.
        """
        return f"{' '.join(words).capitalize()}."

    def _attached(self, number: int) -> bytes:
        """
        Turn the attachment so that it begins elsewhere in every message, under a PDF's first line.
        """
        turn = number * 7919 % (len(self._attachment) // _LINE) * _LINE
        first = b64encode(b"%%PDF-1.7\n%% %-45d\n" % number)
        return b"".join([first, b"\r\n", self._attachment[turn:], self._attachment[:turn]])
