"""
The text of a message as a person is shown it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mailgate.message.text import words_of_html

if TYPE_CHECKING:
    from mailgate.message.mime import TextPart


def shown(texts: Sequence[TextPart], limit: int) -> tuple[str, bool]:
    """
    Join the texts to at most C{limit} characters, leaving out the HTML where its alternative
    says it plainly.

    @return: the text, and whether some of it was taken out of HTML.
    """
    plain = {
        text.alternative
        for text in texts
        if not text.is_html and text.alternative is not None and text.characters.strip()
    }
    pieces = []
    is_from_html = False
    left = limit
    for text in texts:
        words = text.characters
        if text.is_html:
            if text.alternative in plain:
                continue
            words = words_of_html(words, left)
            is_from_html = True
        words = words.replace("\r\n", "\n").strip("\n")[:left]
        left -= len(words)
        if words.strip():
            pieces.append(words)
    return "\n\n".join(pieces), is_from_html
