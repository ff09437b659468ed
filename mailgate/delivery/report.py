"""
What a sender is told of copies: delivery status notifications (RFC 3461, 3464, 6522, 6533).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from email.utils import formatdate
from enum import Enum
from textwrap import fill

from attrs import frozen

from mailgate.delivery.answer import is_own
from mailgate.message.writing import (
    Letter,
    Part,
    Written,
    fields_part,
    headers_part,
    in_words,
    message_part,
    text_part,
    typed_address,
    utf8_xtext,
)
from mailgate.store.messages import StoredMessage
from mailgate.wire import xtext
from mailgate.wire.address import Address
from mailgate.wire.parameters import RcptParameters

_REPLY = re.compile(r"(\d{3}) (?:([245]\.\d{1,3}\.\d{1,3})(?: |$))?(.*)", re.DOTALL | re.ASCII)
_WORDS = 400
"""How much of an upstream's reply is shown to people."""


@frozen
class _Words:
    action: str
    """As programs read it (RFC 3464 section 2.3.3)."""

    notify: str
    """What NOTIFY calls it (RFC 3461 section 4.1)."""

    status: str
    """Of which class its codes are, and what stands there where nobody has said any."""

    subject: str
    one: str
    """What is told, of one recipient and of several."""

    many: str


class Told(Enum):
    """
    What a report tells.
    """

    FAILED = _Words(
        "failed",
        "FAILURE",
        "5.0.0",
        "Not delivered",
        "Your message could not be delivered, and nothing more is tried. "
        "This recipient does not get it:",
        "Your message could not be delivered to all, and nothing more is tried. "
        "These recipients do not get it:",
    )
    DELAYED = _Words(
        "delayed",
        "DELAY",
        "4.0.0",
        "Not delivered yet",
        "Your message could not be delivered yet. You need not send it again: it is tried until "
        "{until}, and you are told if all is in vain. It waits for:",
        "Your message could not be delivered yet to all. You need not send it again: it is tried "
        "until {until}, and you are told if all is in vain. It waits for:",
    )
    RELAYED = _Words(
        "relayed",
        "SUCCESS",
        "2.0.0",
        "Handed on",
        "Your message was handed on to the next mail server. It tells nobody what follows, so "
        "there may be no further notice. It was for:",
        "Your message was handed on to the next mail server. It tells nobody what follows, so "
        "there may be no further notice. It was for:",
    )
    DELIVERED = _Words(
        "delivered",
        "SUCCESS",
        "2.0.0",
        "Delivered",
        "Your message was delivered to:",
        "Your message was delivered to:",
    )


@frozen
class Fate:
    """
    What is told of one recipient.
    """

    recipient: Address
    wish: RcptParameters
    said: str
    """The reply that led to it, as a line of words, or C{""}."""


@frozen
class Original:
    """
    The message that a report is about.
    """

    stored: StoredMessage
    header_section: bytes
    whole: bytes | None = None
    """All of it, where the report is to hold it."""


def is_wanted(told: Told, wish: RcptParameters) -> bool:
    """
    Tell whether a sender wants to know that. Where nothing was said, of everything but success.
    """
    if not wish.notify:
        return told.value.notify != "SUCCESS"
    return told.value.notify in wish.notify.split(",")


def write(
    told: Told,
    original: Original,
    fates: Sequence[Fate],
    to: Address,
    *,
    hostname: str,
    postmaster: Address,
    now: float,
    until: float,
    takes_8bit: bool,
) -> Written:
    """
    Write a report.

    @param fates: of recipients of the one message; at least one.
    @param postmaster: whom it is from, for people.
    @param now: in seconds since the epoch.
    @param until: up to when it is tried, likewise.
    @param takes_8bit: whether the way to C{to} has 8BITMIME.
    """
    stored = original.stored
    subject = in_words(stored.subject, 120)
    letter = Letter(
        hostname,
        postmaster,
        to,
        f"{told.value.subject}: {subject}" if subject else told.value.subject,
        now,
        is_answer=True,
        about=stored.message_id,
    )
    groups = [list(_of_message(stored, hostname))]
    groups += [list(_of_recipient(told, fate, now, until)) for fate in fates]
    parts = (
        text_part(_text(told, stored, fates, hostname, until)),
        fields_part("message/delivery-status", groups),
        _returned(original, takes_8bit),
    )
    return letter.write(parts, "delivery-status")


def _returned(original: Original, takes_8bit: bool) -> Part:
    if original.whole is not None:
        part = message_part(original.whole, takes_8bit)
        if part is not None:
            return part
    return headers_part(original.header_section, original.stored.utf8)


def _of_message(stored: StoredMessage, hostname: str) -> Iterator[tuple[str, str]]:
    if stored.envid:
        yield "Original-Envelope-Id", _decoded(stored.envid)
    yield "Reporting-MTA", f"dns; {hostname}"
    if stored.helo:
        yield "Received-From-MTA", f"dns; {stored.helo} ([{stored.client}])"
    yield "Arrival-Date", formatdate(stored.received, localtime=True)


def _of_recipient(told: Told, fate: Fate, now: float, until: float) -> Iterator[tuple[str, str]]:
    if fate.wish.orcpt:
        yield "Original-Recipient", _original_recipient(fate.wish.orcpt)
    yield "Final-Recipient", typed_address(fate.recipient)
    yield "Action", told.value.action
    yield "Status", _status(told, fate.said)
    if fate.said:
        yield "Diagnostic-Code", f"{'x-mailgate' if is_own(fate.said) else 'smtp'}; {fate.said}"
    if told is Told.DELAYED:
        yield "Will-Retry-Until", formatdate(until, localtime=True)
    else:
        yield "Last-Attempt-Date", formatdate(now, localtime=True)


def _status(told: Told, said: str) -> str:
    """
    Give the enhanced code of a reply. One that was given up for its age keeps its 4.x.x: RFC 3464
    section 2.3.4 has it that the last reply counts.
    """
    match = _REPLY.match(said)
    if match is None:
        return told.value.status
    return match[2] or (f"{match[1][0]}.0.0" if match[1][0] in "245" else told.value.status)


def _original_recipient(orcpt: str) -> str:
    kind, _, value = orcpt.partition(";")
    if kind.lower() == "utf-8":
        # What is ASCII is encoded already, or needs no encoding.
        return f"{kind}; {value if value.isascii() else utf8_xtext(value)}"
    return f"{kind}; {_decoded(value)}"


def _decoded(value: str) -> str:
    try:
        return xtext.decode(value)
    except ValueError:
        return value


def _text(
    told: Told, stored: StoredMessage, fates: Sequence[Fate], hostname: str, until: float
) -> str:
    words = told.value.one if len(fates) == 1 else told.value.many
    paragraphs = [fill(words.format(until=formatdate(until, localtime=True)), 72)]
    for fate in fates:
        lines = [f"  {in_words(str(fate.recipient), 320)}"]
        if fate.said and told is not Told.DELIVERED:
            lines.append(
                fill(
                    f"It was said: {in_words(fate.said, _WORDS)}",
                    72,
                    initial_indent="    ",
                    subsequent_indent="    ",
                    break_long_words=False,
                    break_on_hyphens=False,
                )
            )
        paragraphs.append("\n".join(lines))
    about = [
        f"Subject: {in_words(stored.subject, 200) or '(none)'}",
        f"Sent: {formatdate(stored.received, localtime=True)}",
    ]
    if stored.message_id:
        about.append(f"Message-ID: {in_words(stored.message_id, 200)}")
    paragraphs += [
        "\n".join(about),
        fill(f"Whoever runs {hostname} finds it under {stored.trace}.", 72),
    ]
    return "\n\n".join(paragraphs)
