"""
What a page hides from its reader, and what it would do besides being read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from attrs import frozen
from zope.interface import implementer

from mailgate.checks.cap import capped
from mailgate.checks.words import quote, times
from mailgate.config.checks import HtmlCheck as Section
from mailgate.config.model import Settings
from mailgate.finding import Finding, Kind
from mailgate.interfaces import ICheck, Phase, Scope
from mailgate.message.html import Hidden, Page

if TYPE_CHECKING:
    from mailgate.pipeline.extractors import Content
    from mailgate.pipeline.view import View

_SPLITS = 2
"""How many words must be split by what is hidden; once may be a mistake of a template."""


@implementer(ICheck)
@frozen
class HtmlCheck:
    """
    Hidden text, words split by it, forms and scripts.
    """

    section: Section
    deadline: float

    name = "html"
    phase = Phase.BODY
    scope = Scope.TRANSACTION
    after = ()
    needs = ("content", "seen", "places")
    symbols = frozenset(
        {
            "HTML_FORM",
            "HTML_HIDDEN_TEXT",
            "HTML_PASSWORD",
            "HTML_SCRIPT",
            "HTML_SPLIT_WORDS",
        }
    )

    @classmethod
    def from_settings(cls, settings: Settings) -> HtmlCheck:
        """
        Make the check of a configuration.
        """
        section = settings.checks.html
        return cls(section, section.deadline)

    def check(self, view: View) -> Sequence[Finding]:
        """
        Give one finding of each kind, with the evidence.
        """
        content: Content = view.fact("content")
        seen = content.parsed.seen
        if not seen.pages:
            return ()
        return capped(self._judge(seen.page, seen.plain), self.section.cap_score)

    def _judge(self, page: Page, plain: str) -> Iterator[Finding]:
        section = self.section
        if page.splits >= _SPLITS:
            yield Finding(
                "HTML_SPLIT_WORDS",
                section.split_words_score,
                f"Words of the page are split by what is hidden in them, {times(page.splits)}.",
            )
        secret = [hidden for hidden in page.hidden if not hidden.is_first]
        novel = _novel(secret, page.text, plain)
        if len(novel) >= section.hidden_words:
            yield Finding(
                "HTML_HIDDEN_TEXT",
                section.hidden_text_score,
                f"The page hides {len(novel)} words that it shows nowhere: "
                f"{quote(' '.join(islice(novel, 12)))}.",
            )
        if page.passwords:
            yield Finding(
                "HTML_PASSWORD",
                section.password_score,
                "The message itself asks for a password, in a form.",
                kind=Kind.PHISHING,
            )
        elif page.forms:
            yield Finding("HTML_FORM", section.form_score, "The message has a form to fill in.")
        if page.scripts:
            yield Finding(
                "HTML_SCRIPT",
                section.script_score,
                "The page has a script, which no mail program runs.",
            )


def _novel(hidden: Sequence[Hidden], *shown: str) -> dict[str, None]:
    """
    Give the hidden words that are shown nowhere, each once, in their order.
    """
    if not hidden:
        return {}
    words = dict.fromkeys(word for each in hidden for word in each.text.lower().split())
    for text in shown:
        for word in text.lower().split():
            words.pop(word, None)
    return {word: None for word in words if any(map(str.isalpha, word))}
