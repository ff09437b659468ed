"""
What people have written down about mail: patterns in its texts, and conditions over these and
over what other checks have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from attrs import frozen
from zope.interface import implementer

from mailgate.checks.arc import ArcCheck
from mailgate.checks.attachments import AttachmentsCheck
from mailgate.checks.dkim import DkimCheck
from mailgate.checks.dmarc import DmarcCheck
from mailgate.checks.documents import DocumentsCheck
from mailgate.checks.headers import HeadersCheck
from mailgate.checks.html import HtmlCheck
from mailgate.checks.links import LinksCheck
from mailgate.checks.mime import MimeCheck
from mailgate.checks.spf import SpfCheck
from mailgate.checks.words import quote
from mailgate.classify.classifier import signals_of
from mailgate.classify.reading import sender_of
from mailgate.classify.signals import INDEX as SIGNALS
from mailgate.config.checks import RulesCheck as Section
from mailgate.config.model import Settings
from mailgate.finding import Finding
from mailgate.interfaces import ICheck, IThreads, MaybeDeferred, Phase, Scope
from mailgate.message.language import TEXT_LIMIT, languages_of
from mailgate.rules.format import Group, RuleSet, built_in, load
from mailgate.rules.matching import Hit, Matcher
from mailgate.rules.texts import texts_of
from mailgate.wording import Sentence, say

if TYPE_CHECKING:
    from mailgate.pipeline.view import View

_OTHERS = (
    SpfCheck,
    DkimCheck,
    ArcCheck,
    DmarcCheck,
    HeadersCheck,
    AttachmentsCheck,
    DocumentsCheck,
    MimeCheck,
    LinksCheck,
    HtmlCheck,
)
_SEEN_BY = {symbol.lower(): (check.name, symbol) for check in _OTHERS for symbol in check.symbols}
"""The facts that are findings of other checks."""

FACTS = frozenset((*_SEEN_BY, *SIGNALS))
"""All facts that conditions may speak of."""

FOLDER = "rules"
"""Below the data folder: where it is kept what was made of patterns."""

_AT_ONCE = 16 * 1024
"""Characters of text of a message that is judged without a thread."""

_FINDINGS = 40
"""How many rules are told of a message: those that count most."""


@implementer(ICheck)
@frozen(eq=False)
class RulesCheck:
    """
    Which rules hold of a message.
    """

    matcher: Matcher
    threads: IThreads | None
    symbols: frozenset[str]
    deadline: float

    name = "rules"
    phase = Phase.BODY
    scope = Scope.TRANSACTION
    after = tuple(check.name for check in _OTHERS)
    needs = ("content", "seen", "places", "files")

    @classmethod
    def from_settings(cls, settings: Settings, threads: IThreads | None) -> RulesCheck:
        """
        Make the check of a configuration.

        @param threads: where messages with much text are made ready; without, at once.
        @raise ConfigurationError: rules cannot be used.
        """
        section = settings.checks.rules
        matcher = Matcher(load_rules(section), settings.data / FOLDER)
        symbols = frozenset(s for s, rule in matcher.rules.rules.items() if rule.score)
        return cls(matcher, threads, symbols, section.deadline)

    def check(self, view: View) -> MaybeDeferred[Sequence[Finding]]:
        """
        Give a finding for each rule that holds and counts.
        """
        texts = view.fact("content").parsed.texts
        if self.threads is None or sum([len(text.characters) for text in texts]) <= _AT_ONCE:
            return self._look(view, self._texts(view))
        return self.threads.run(self._prepare, view).addCallback(
            lambda made: self._look(view, made)
        )

    def _prepare(self, view: View) -> Sequence[tuple[str, bytes]]:
        """
        Do what takes long with much text: all but to look for the patterns.
        """
        if not self.matcher.rules.facts.isdisjoint(SIGNALS):
            signals_of(view.fact("content").parsed)
        return list(self._texts(view))

    def _texts(self, view: View) -> Iterator[tuple[str, bytes]]:
        parsed = view.fact("content").parsed
        return texts_of(
            self.matcher.places,
            parsed,
            sender_of(parsed.headers).name,
            (place.address for place in view.fact("places").places),
            (name for file in view.fact("files").files for name in file.names),
        )

    def _look(self, view: View, texts: Iterable[tuple[str, bytes]]) -> Sequence[Finding]:
        hits = self.matcher.match(texts, _facts_of(view), partial(_languages_of, view))
        if not hits:
            return ()
        findings = _counted(hits, self.matcher.rules)
        return sorted(findings, key=lambda finding: -abs(finding.score))[:_FINDINGS]


def load_rules(section: Section) -> RuleSet:
    """
    Read the rules that a configuration names.

    @raise ConfigurationError: there are mistakes in them.
    """
    files = [*(built_in() if section.built_in else ()), *section.files]
    return load(files, FACTS, section.disable, section.scores)


def _languages_of(view: View) -> Sequence[str]:
    return languages_of(view.fact("content").parsed.seen.words(TEXT_LIMIT))


def _facts_of(view: View) -> Callable[[str], bool]:
    parsed = view.fact("content").parsed

    def has_fact(name: str) -> bool:
        seen = _SEEN_BY.get(name)
        if seen is None:
            return name in signals_of(parsed)
        check, symbol = seen
        return any(finding.symbol == symbol for finding in view.findings_of(check))

    return has_fact


def _counted(hits: Sequence[Hit], rules: RuleSet) -> Iterator[Finding]:
    """
    Put hits into words. Of each group the gravest count first, until its cap is reached.
    """
    left = {name: group.cap for name, group in rules.groups.items()}
    for hit in sorted(hits, key=lambda hit: -hit.rule.score):
        rule = hit.rule
        if not rule.score:
            continue
        score, words = rule.score, _told(hit)
        if score > 0 and rule.group:
            score = min(score, left[rule.group])
            left[rule.group] -= score
            if score != rule.score:
                words = _less(words, score, rule.score, rules.groups[rule.group])
        yield Finding(rule.symbol, round(score, 2), words)


def _told(hit: Hit) -> Sentence:
    words = say(hit.rule.words)
    if not hit.quote:
        return words
    return say("{words} Found: {evidence}.", words=words, evidence=quote(hit.quote))


def _less(words: Sentence, counts: float, score: float, group: Group) -> Sentence:
    return say(
        "{words} (Counts {counts} of {score}: together, “{group}” counts {cap} at most.)",
        words=words,
        counts=round(counts, 2),
        score=score,
        group=say(group.title),
        cap=group.cap,
    )
