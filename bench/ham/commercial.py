"""
Messages of companies and clubs: a page from a template, sent by a service or their own server.
"""

from __future__ import annotations

import random
from email.utils import format_datetime

from bench.ham.draft import Draft, Unsigned, request_part
from bench.ham.letter import Letter, plain
from bench.ham.mime import encoded_words, field, file_part, mailbox, multipart, text_part
from bench.ham.papers import calendar, invoice, picture
from bench.ham.service import values

Dice = random.Random

_LOCAL_PARTS = {
    "newsletter": ("news", "newsletter", "hello", "info"),
    "receipt": ("orders", "billing", "no-reply", "shop"),
    "reset": ("no-reply", "noreply", "accounts", "support"),
    "shipping": ("shipping", "orders", "no-reply"),
    "invitation": ("events", "hello", "invitations"),
    "notification": ("notifications", "alerts", "no-reply"),
}


def commercial(draft: Draft, page: str, dice: Dice) -> Unsigned:
    """
    Write the message of a draft.

    @param page: as the template engine has made it.
    """
    sender, service = draft.letter.sender.domain, draft.service
    author = f"{dice.choice(('', '', 'mail.', 'em.', 'news.'))}{sender}"
    bounces = f"em.{sender}"
    if service.domain and dice.random() < 0.4:
        bounces = f"bounce.{service.domain}"
    token = f"{dice.randrange(10**7)}-{dice.getrandbits(32):08x}"
    return Unsigned(
        author_domain=author,
        signers=[sender, service.domain] if service.domain else [sender],
        envelope=f"bounces+{token}-{draft.letter.address.replace('@', '=')}@{bounces}",
        head=_head(draft, author, dice),
        part=_part(draft, page, dice),
    )


def _head(draft: Draft, author: str, dice: Dice) -> bytes:
    letter, service = draft.letter, draft.service
    fold, way = service.fold, service.words
    host = service.domain or letter.sender.domain
    message_id = service.message_id(dice, letter.when)
    if "@" not in message_id:
        message_id += f"@{host}"
    company = letter.sender.name
    name = dice.choice([company, company, company, f"{letter.person.split()[0]} ({company})"])
    local_part = dice.choice(_LOCAL_PARTS[letter.kind])
    recipient = [letter.address]
    if dice.random() < 0.5:
        recipient = mailbox(letter.recipient, letter.address, way)
    head = [
        field("Date", [format_datetime(letter.when)], fold),
        field("From", mailbox(name, f"{local_part}@{author}", way), fold),
        field("To", recipient, fold),
        field("Message-ID", [f"<{message_id}>"]),
        field("Subject", encoded_words(letter.subject, way), fold),
    ]
    if letter.kind != "reset" and dice.random() < 0.3:
        answers = f"{dice.choice(('support', 'service'))}@{letter.sender.domain}"
        head.append(field("Reply-To", [answers], fold))
    if draft.unsubscribe:
        head += _list_fields(draft, host, dice)
    made_up = values(letter, dice)
    head += [field(name, [value.format_map(made_up)], fold) for name, value in service.fields]
    return b"".join([*head, b"MIME-Version: 1.0\r\n"])


def _list_fields(draft: Draft, host: str, dice: Dice) -> list[bytes]:
    """
    Say how to unsubscribe (RFC 2369), mostly with one click (RFC 8058).
    """
    ways = [f"<{draft.unsubscribe}>"]
    if dice.random() < 0.7:
        token = draft.unsubscribe.rpartition("/")[2][:20]
        ways.insert(dice.randrange(2), f"<mailto:unsub-{token}@{host}?subject=unsubscribe>")
    head = [field("List-Unsubscribe", [", ".join(ways)])]
    if dice.random() < 0.9:
        head.append(field("List-Unsubscribe-Post", ["List-Unsubscribe=One-Click"]))
    if draft.letter.kind == "newsletter" and dice.random() < 0.5:
        head.append(field("List-Id", [f"<{dice.randrange(10**6)}.{host}>"]))
    if dice.random() < 0.2:
        head.append(field("Precedence", ["bulk"]))
    return head


def _part(draft: Draft, page: str, dice: Dice) -> bytes:
    """
    Write the top part: what is read, and beside it an invoice or an entry for the calendar.
    """
    letter = draft.letter
    inner = _shown(draft, page, dice)
    if letter.kind == "receipt" and dice.random() < 0.6:
        name = f"{plain(letter.words['invoice'])}-{letter.order}.pdf"
        file = file_part("application/pdf", name, _invoice(letter))
    elif letter.kind == "invitation" and dice.random() < 0.7:
        file = file_part("application/ics", "invite.ics", calendar(letter).encode("utf-8"))
    else:
        return inner
    return multipart("mixed", draft.service.boundary(dice), [inner, file])


def _shown(draft: Draft, page: str, dice: Dice) -> bytes:
    letter, service = draft.letter, draft.service
    text_encoding, page_encoding = service.encodings
    html = text_part("text/html", page, page_encoding)
    if service.shape == "html":
        return html
    parts = [text_part("text/plain", letter.text(), text_encoding), html]
    if letter.kind == "invitation" and dice.random() < 0.4:
        parts.append(request_part(letter))
    inner = multipart("alternative", service.boundary(dice), parts)
    if service.shape == "alternative":
        return inner
    logo = file_part("image/png", "logo.png", picture(letter.sender.color), "logo")
    kind = 'related; type="multipart/alternative"'
    return multipart(kind, service.boundary(dice), [inner, logo])


def _invoice(letter: Letter) -> bytes:
    rows = [" ".join(row) for block in letter.blocks for row in block.rows]
    return invoice([letter.sender.name, letter.place, letter.order, "", *rows])
