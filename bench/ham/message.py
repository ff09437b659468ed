"""
Messages as they lie in the mailbox: signed, sent, and taken in by the recipient's server.
"""

from __future__ import annotations

import random
from datetime import timedelta
from email.utils import format_datetime

from bench.ham.commercial import commercial
from bench.ham.draft import Draft, Unsigned
from bench.ham.letter import HOME
from bench.ham.person import personal
from bench.ham.sign import SELECTOR, Signer

Dice = random.Random


def message(draft: Draft, page: str, signer: Signer, seed: int) -> bytes:
    """
    Write the message of a draft.

    @param page: as the template engine has made it; it is not looked at where a person writes.
    """
    dice = Dice(f"message {seed} {draft.letter.number}")
    unsigned = personal(draft, dice) if draft.page is None else commercial(draft, page, dice)
    fields, _, body = unsigned.part.partition(b"\r\n\r\n")
    head = unsigned.head + fields + b"\r\n"
    signatures = b"".join(signer.signature(each, head, body) for each in unsigned.signers)
    return b"".join([_taken_in(draft, unsigned, dice), signatures, head, b"\r\n", body])


def _taken_in(draft: Draft, unsigned: Unsigned, dice: Dice) -> bytes:
    """
    Write what the recipient's server sets above a message.
    """
    letter, service = draft.letter, draft.service
    mailer = f"o{dice.randrange(1, 60)}.{service.domain or letter.sender.domain}"
    address = f"{service.network}.{dice.randrange(1, 255)}"
    when = format_datetime(letter.when + timedelta(seconds=dice.randrange(1, 20)))
    signed = "".join(
        f"\tdkim=pass header.d={each} header.s={SELECTOR};\r\n" for each in unsigned.signers
    )
    return (
        f"Return-Path: <{unsigned.envelope}>\r\n"
        f"Received: from {mailer} ({mailer} [{address}])\r\n"
        f"\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\r\n"
        f"\tby mx.{HOME} (Postfix) with ESMTPS id {dice.getrandbits(44):011X}\r\n"
        f"\tfor <{letter.address}>; {when}\r\n"
        f"Authentication-Results: mx.{HOME};\r\n{signed}"
        f"\tspf=pass smtp.mailfrom={unsigned.envelope.rpartition('@')[2]};\r\n"
        f"\tdmarc=pass (p=reject) header.from={unsigned.author_domain}\r\n"
    ).encode("ascii")
