"""
What a page hides from its reader, and what it would do besides being read; and words that are not
written as they look, in pages and texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING

from attrs import frozen
from zope.interface import implementer

from mailgate.checks.cap import capped
from mailgate.checks.words import listed, quote, times
from mailgate.config.checks import HtmlCheck as Section
from mailgate.config.model import Settings
from mailgate.finding import Finding, Kind
from mailgate.interfaces import ICheck, Phase, Scope
from mailgate.message.html import Hidden, Page
from mailgate.message.seen import Seen
from mailgate.wording import say

if TYPE_CHECKING:
    from mailgate.pipeline.extractors import Content
    from mailgate.pipeline.view import View

_DISGUISED = 2
_CUTS = 2
_SPLITS = 2
"""How many words must be split by what is hidden; once may be a mistake of a template."""


@implementer(ICheck)
@frozen
class HtmlCheck:
    """
    Hidden text, words split by it, words in disguise, forms and scripts.
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
            "TEXT_CUT_WORDS",
            "TEXT_DISGUISED_WORDS",
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
        found: Iterator[Finding] = self._judge_words(seen)
        if seen.pages:
            found = chain(self._judge(seen.page, seen.plain), found)
        return capped(found, self.section.cap_score)

    def _judge_words(self, seen: Seen) -> Iterator[Finding]:
        section = self.section
        if len(seen.disguised_words) >= _DISGUISED:
            yield Finding(
                "TEXT_DISGUISED_WORDS",
                section.disguised_words_score,
                say(
                    "Words have letters of another alphabet that look like Latin ones: {words}.",
                    words=listed(map(quote, seen.disguised_words)),
                ),
            )
        if len(seen.cut_words) >= _CUTS:
            yield Finding(
                "TEXT_CUT_WORDS",
                section.cut_words_score,
                say(
                    "Words are cut by characters of no width, as in {words}.",
                    words=listed(map(quote, seen.cut_words)),
                ),
            )

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
