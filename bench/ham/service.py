"""
Services that send for others, and servers of senders: how each counts clicks and writes messages.
"""

from __future__ import annotations

import random
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from bench.ham.letter import Letter

Dice = random.Random


@dataclass(frozen=True)
class Service:
    """
    A way of sending; C{domain} is empty where senders do it themselves.
    """

    domain: str
    network: str
    """The first three numbers of the addresses that it sends from: those for documentation."""

    click: str
    """Where links lead, with {sender}, {token} and {short}; empty where they are left alone."""

    shape: str
    """C{alternative}, C{related} (with the logo inside) or C{html} alone."""

    encodings: tuple[str, str]
    """Of text and page: C{7bit}, C{8bit}, C{quoted-printable} or C{base64}. What cannot be
    written so is written in quoted-printable."""

    boundary: Callable[[Dice], str]
    message_id: Callable[[Dice, datetime], str]
    """What stands left of the @."""

    fields: tuple[tuple[str, str], ...] = ()
    """Fields of its own."""

    fold: str = "\r\n "
    words: str = "q"
    """The encoding of subject and names, C{q} or C{b}."""


def _hex(digits: int) -> Callable[[Dice], str]:
    return lambda dice: f"{dice.getrandbits(digits * 4):0{digits}x}"


def _letters(dice: Dice, count: int) -> str:
    return urlsafe_b64encode(dice.randbytes(count)).decode()[:count]


def _uuid(dice: Dice) -> str:
    return str(uuid.UUID(int=dice.getrandbits(128), version=4))


SERVICES = (
    Service(
        "posteria.example",
        "192.0.2",
        "https://u{short}.ct.posteria.example/ls/click?upn=u001.{token}",
        "alternative",
        ("quoted-printable", "quoted-printable"),
        _hex(60),
        lambda dice, _: f"{_letters(dice, 22)}@geopod-ismtpd-{dice.randrange(40)}",
        (("X-PM-EID", "{token}"), ("X-Entity-ID", "{short}==")),
    ),
    Service(
        "mailharbor.test",
        "198.51.100",
        "https://{sender}.mailharbor.test/track/click?u={short}&id={short}&e={short}",
        "alternative",
        ("quoted-printable", "quoted-printable"),
        lambda dice: f"_----------=_MHPart_{dice.randrange(10**9)}",
        lambda dice, when: (
            f"{_hex(40)(dice)}.{_hex(10)(dice)}.{when:%Y%m%d%H%M%S}.{_hex(10)(dice)}"
        ),
        (
            ("X-Mailer", "MailHarbor Mailer - **CID{short}**"),
            ("X-Campaign", "mailharbor{short}.{short}"),
            ("X-campaignid", "mailharbor{short}"),
            (
                "X-Report-Abuse",
                "Please report abuse here: https://mailharbor.test/abuse/?u={short}",
            ),
            ("X-Accounttype", "pd"),
        ),
    ),
    Service(
        "cloudpost.invalid",
        "203.0.113",
        "",
        "alternative",
        ("7bit", "quoted-printable"),
        lambda dice: (
            f"----=_Part_{dice.randrange(10**7)}_{dice.randrange(10**9)}.{dice.randrange(10**13)}"
        ),
        lambda dice, _: f"0102019{_hex(9)(dice)}-{_uuid(dice)}-000000",
        (("Feedback-ID", "::1.eu-west-1.{token}:CloudPost"),),
        words="b",
    ),
    Service(
        "relayant.example",
        "198.51.100",
        "https://click.{domain}/e/c/{token}/{short}",
        "alternative",
        ("quoted-printable", "base64"),
        lambda dice: f"--_NmP-{_hex(16)(dice)}-Part_1",
        lambda dice, _: _uuid(dice),
        (("X-Relayant-Message-Id", "{short}"), ("X-Auto-Response-Suppress", "OOF, AutoReply")),
    ),
    Service(
        "",
        "203.0.113",
        "https://links.{domain}/r/?id={short},{short},1&p1={token}",
        "alternative",
        ("8bit", "8bit"),
        lambda dice: f"b1_{_letters(dice, 40).replace('-', 'x').replace('_', 'y')}",
        lambda dice, _: _letters(dice, 40).replace("-", "x").replace("_", "y"),
        (("X-Mailer", "PHPMailer 6.9.1"),),
        fold="\r\n\t",
    ),
    Service(
        "",
        "192.0.2",
        "",
        "html",
        ("base64", "base64"),
        lambda dice: f"--boundary_{dice.randrange(9)}_{_uuid(dice)}",
        lambda dice, _: _hex(32)(dice),
        words="b",
    ),
    Service(
        "",
        "203.0.113",
        "",
        "related",
        ("quoted-printable", "quoted-printable"),
        lambda dice: f"_=_symfony_{dice.randrange(10**9)}_{_hex(32)(dice)}_=_",
        lambda dice, _: _hex(32)(dice),
    ),
    Service(
        "posteria.example",
        "192.0.2",
        "https://url{short}.{domain}/ls/click?upn=u001.{token}",
        "html",
        ("quoted-printable", "quoted-printable"),
        _hex(60),
        lambda dice, _: f"{_letters(dice, 22)}@geopod-ismtpd-{dice.randrange(40)}",
        (("X-PM-EID", "{token}"),),
        words="b",
    ),
)


_SHARES = (20, 15, 15, 12, 12, 4, 10, 12)
"""How many of a hundred messages each sends. Pages in base64 alone are rare (2 % of such mail)."""


def service_for(dice: Dice) -> Service:
    """
    Choose one.
    """
    return dice.choices(SERVICES, _SHARES)[0]


def values(letter: Letter, dice: Dice) -> dict[str, str]:
    """
    Give what stands between braces in a service's links and fields.
    """
    return {
        "sender": letter.sender.label,
        "domain": letter.sender.domain,
        "token": _letters(dice, dice.choice((40, 90, 200))),
        "short": str(dice.randrange(10**6, 10**8)),
    }


def tracked(url: str, letter: Letter, service: Service, dice: Dice) -> str:
    """
    Give the address through which a service leads to C{url}.
    """
    if not service.click:
        source = "newsletter" if letter.kind == "newsletter" else "transactional"
        return f"{url}?utm_source={source}&utm_medium=email&utm_campaign={letter.when:%Y-%m}"
    return service.click.format_map(values(letter, dice))


def with_tracked_links(letter: Letter, service: Service, dice: Dice) -> Letter:
    """
    Give a letter whose links the service counts.
    """
    blocks = [
        replace(block, url=tracked(block.url, letter, service, dice)) if block.url else block
        for block in letter.blocks
    ]
    return replace(letter, blocks=blocks)
