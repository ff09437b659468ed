"""
What the template engines are told of a letter.
"""

from __future__ import annotations

import random
from typing import Any

from bench.ham.letter import Letter
from bench.ham.service import Service, tracked

Dice = random.Random

_NETWORKS = ("instagarden", "chirper", "bookface", "vidtube")


def engine_for(letter: Letter, dice: Dice) -> str:
    """
    Choose a template engine that has what the letter needs.
    """
    engines = ["mjml", "mjml", "react", "foundation", "oy"]
    if not any(block.kind in ("article", "product") for block in letter.blocks):
        engines += ["mailgen", "mailgen", "react"]
    return dice.choice(engines)


def page_of(letter: Letter, service: Service, unsubscribe: str, dice: Dice) -> dict[str, Any]:
    """
    Say all that an engine needs to make a page, as values for JSON.

    @param letter: with the links as they are to be.
    @param unsubscribe: where one unsubscribes, or nothing.
    """
    pictures = f"https://{dice.choice(('cdn', 'img', 'assets'))}.{letter.sender.domain}"
    if service.domain and dice.random() < 0.5:
        pictures = f"https://cdn.{service.domain}/{letter.sender.label}"

    def link(path: str) -> str:
        return tracked(f"{letter.site}/{letter.language}/{path}", letter, service, dice)

    words, is_news = letter.words, letter.kind == "newsletter"
    links = [(words["view"], link("view")), (words["privacy"], link("privacy"))]
    if unsubscribe:
        links += [(words["preferences"], link("preferences")), (words["unsubscribe"], unsubscribe)]
    networks = dice.sample(_NETWORKS, 3) if is_news and dice.random() < 0.7 else []
    return {
        "number": letter.number,
        "engine": engine_for(letter, dice),
        "language": letter.language,
        "company": letter.sender.name,
        "site": tracked(letter.site, letter, service, dice),
        "view": links[0][1],
        "logo": "cid:logo" if service.shape == "related" else f"{pictures}/logo.png",
        "banner": f"{pictures}/{letter.when:%Y%m}/banner.jpg" if dice.random() < 0.4 else "",
        "pixel": _pixel(letter, service, dice),
        "color": letter.sender.color,
        "year": letter.when.year,
        "words": dict(words),
        "subject": letter.subject,
        "preheader": letter.preheader,
        "title": letter.title,
        "greeting": letter.greeting,
        "closing": letter.closing,
        "reason": letter.reason,
        "place": letter.place,
        "links": [{"text": text, "url": url} for text, url in links],
        "social": [
            {
                "text": network.title(),
                "image": f"{pictures}/social/{network}.png",
                "url": tracked(
                    f"https://www.{network}.example/{letter.sender.label}",
                    letter,
                    service,
                    dice,
                ),
            }
            for network in networks
        ],
        "blocks": [
            {
                "kind": block.kind,
                "text": block.text,
                "detail": block.detail,
                "more": block.more,
                "url": block.url,
                "image": f"{pictures}/{block.image}" if block.image else "",
                "rows": [list(row) for row in block.rows],
            }
            for block in letter.blocks
        ],
    }


def _pixel(letter: Letter, service: Service, dice: Dice) -> str:
    """
    Give the picture by which it is seen that a message was opened, if there is one.
    """
    if not service.click:
        return ""
    host = service.domain or f"links.{letter.sender.domain}"
    return f"https://open.{host}/wf/open?upn={dice.getrandbits(256):x}"
