"""
Messages of people, and the mail programs with which they write.
"""

from __future__ import annotations

import random
import uuid
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import format_datetime
from html import escape

from bench.ham.draft import Draft, Unsigned, request_part
from bench.ham.letter import HOME, Letter, plain
from bench.ham.mime import encoded_words, field, mailbox, multipart, text_part

Dice = random.Random

_OUTLOOK = """<html xmlns:v="urn:schemas-microsoft-com:vml"
 xmlns:o="urn:schemas-microsoft-com:office:office"
 xmlns:w="urn:schemas-microsoft-com:office:word"
 xmlns="http://www.w3.org/TR/REC-html40">
<head>
<meta http-equiv="Content-Type" content="text/html; charset=utf-8">
<meta name="Generator" content="Microsoft Word 15 (filtered medium)">
<style><!--
/* Font Definitions */
@font-face {{font-family:Aptos; panose-1:2 11 0 4 2 2 2 2 2 4;}}
p.MsoNormal {{margin:0cm; font-size:11.0pt; font-family:"Aptos",sans-serif;}}
--></style>
<!--[if gte mso 9]><xml><o:shapedefaults v:ext="edit" spidmax="1026" /></xml><![endif]-->
</head>
<body lang="{language}" link="#467886" vlink="#96607D" style="word-wrap:break-word">
<div class="WordSection1">
{paragraphs}
</div>
</body>
</html>
"""

_APPLE = """<html><head><meta http-equiv="content-type" content="text/html; charset=utf-8"></head>
<body style="overflow-wrap: break-word; -webkit-nbsp-mode: space; line-break: after-white-space;">
{paragraphs}</body></html>
"""

_THUNDERBIRD = """<!DOCTYPE html>
<html>
  <head>
    <meta http-equiv="content-type" content="text/html; charset=UTF-8">
  </head>
  <body>
{paragraphs}
  </body>
</html>
"""


@dataclass(frozen=True)
class Program:
    """
    What a program puts into one message.
    """

    message_id: str
    boundary: str
    encodings: tuple[str, str]
    """Of text and page."""

    frame: str
    """The page, with C{language} and C{paragraphs}."""

    paragraph: str
    words: str = "q"
    """The encoding of subject and names, C{q} or C{b}."""

    fields: tuple[tuple[str, str], ...] = ()
    invites: bool = False
    """Whether it may send an entry for the calendar with the letter."""


def _uuid(dice: Dice) -> str:
    return str(uuid.UUID(int=dice.getrandbits(128), version=4))


def _outlook(dice: Dice, domain: str) -> Program:
    host = f"AM9PR{dice.randrange(10, 99)}MB{dice.randrange(1000, 9999)}"
    token = f"{dice.getrandbits(160):040X}"
    return Program(
        f"{host}{token}{host}@{host}.prod.{domain}",
        f"_000_{host}{token}{host}_",
        ("quoted-printable", "quoted-printable"),
        _OUTLOOK,
        '<p class="MsoNormal">{}<o:p></o:p></p>\n<p class="MsoNormal"><o:p>&nbsp;</o:p></p>',
        "b",
        (
            ("Thread-Index", f"AQ{b64encode(dice.randbytes(20)).decode()}"),
            ("Accept-Language", "en-US"),
            ("X-MS-Has-Attach", ""),
            ("X-MS-TNEF-Correlator", ""),
        ),
        invites=True,
    )


def _gmail(dice: Dice, domain: str) -> Program:
    return Program(
        f"CA{urlsafe_b64encode(dice.randbytes(36)).decode()}@mail.{domain}",
        f"000000000000{dice.getrandbits(64):016x}",
        ("quoted-printable", "quoted-printable"),
        '<div dir="ltr">{paragraphs}</div>\n',
        "<div>{}</div><div><br></div>",
        invites=True,
    )


def _apple(dice: Dice, domain: str) -> Program:
    return Program(
        f"{_uuid(dice).upper()}@{domain}",
        f"Apple-Mail=_{_uuid(dice).upper()}",
        ("quoted-printable", "quoted-printable"),
        _APPLE,
        "<div>{}</div><div><br></div>",
        fields=(("X-Mailer", "Apple Mail (2.3826.400.131)"),),
    )


def _thunderbird(dice: Dice, domain: str) -> Program:
    letters = urlsafe_b64encode(dice.randbytes(18)).decode().replace("-", "x").replace("_", "y")
    return Program(
        f"{_uuid(dice)}@{domain}",
        f"------------{letters}",
        ("8bit", "8bit"),
        _THUNDERBIRD,
        "    <p>{}</p>",
        fields=(("User-Agent", "Mozilla Thunderbird"),),
    )


PROGRAMS: Mapping[str, Callable[[Dice, str], Program]] = {
    "apple": _apple,
    "gmail": _gmail,
    "outlook": _outlook,
    "thunderbird": _thunderbird,
}
"""Each makes what it puts into one message of somebody in a domain."""


def personal(draft: Draft, dice: Dice) -> Unsigned:
    """
    Write the message of a draft with one of the programs.
    """
    letter, domain = draft.letter, draft.letter.sender.domain
    program = dice.choice(list(PROGRAMS.values()))(dice, domain)
    address = f"{plain(letter.person).replace(' ', '.')}@{domain}"
    text_encoding, page_encoding = program.encodings
    parts = [
        text_part("text/plain", letter.text(), text_encoding),
        text_part("text/html", _page(letter, program), page_encoding),
    ]
    if program.invites and dice.random() < 0.5:
        parts.append(request_part(letter))
    return Unsigned(
        author_domain=domain,
        signers=[domain],
        envelope=address,
        head=_head(letter, address, program, dice),
        part=multipart("alternative", program.boundary, parts),
    )


def _head(letter: Letter, address: str, program: Program, dice: Dice) -> bytes:
    head = [
        field("From", mailbox(letter.person, address, program.words)),
        field("To", mailbox(letter.recipient, letter.address, program.words)),
        field("Subject", encoded_words(letter.subject, program.words)),
        field("Date", [format_datetime(letter.when)]),
        field("Message-ID", [f"<{program.message_id}>"]),
    ]
    if letter.subject.startswith("Re:"):
        answered = f"<{dice.getrandbits(64):016x}@{HOME}>"
        head += [field("In-Reply-To", [answered]), field("References", [answered])]
    head += [field(name, [value]) for name, value in program.fields]
    return b"".join([*head, b"MIME-Version: 1.0\r\n"])


def _page(letter: Letter, program: Program) -> str:
    site = f'<a href="{letter.site}/">{escape(letter.sender.name)}</a>'
    texts = [
        escape(letter.greeting),
        *(escape(block.text) for block in letter.blocks),
        f"{escape(letter.closing)}<br>{escape(letter.person)}",
        f"{site}<br>{escape(letter.place)}",
    ]
    paragraphs = "\n".join(program.paragraph.format(text) for text in texts)
    return program.frame.format(language=letter.language, paragraphs=paragraphs)
