"""
Whether nearly the same text, the same structure or the same file was learned as spam here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from attrs import frozen
from zope.interface import implementer

from mailgate.checks.cap import capped
from mailgate.checks.words import path_of
from mailgate.classify.alike import Index, Sighting
from mailgate.classify.classifier import AT_ONCE, Classifier
from mailgate.classify.marks import Attached, attached, structure_of
from mailgate.classify.reading import read
from mailgate.classify.shingles import sketch
from mailgate.config.checks import FuzzyCheck as Section
from mailgate.config.model import Settings
from mailgate.finding import Finding
from mailgate.interfaces import ICheck, IThreads, MaybeDeferred, Phase, Scope
from mailgate.message.mime import Parsed
from mailgate.wording import Sentence, say

if TYPE_CHECKING:
    from mailgate.pipeline.view import View

_OUTWEIGHS = 5
"""So many times as often must something be learned as spam than as ham to count at all."""

_HALF = 2
"""After how many times it counts half of what it can."""

_OFTEN = 3
"""So often must a structure be learned as spam: one by itself says little."""

_DAY = 86400


@implementer(ICheck)
@frozen(eq=False)
class FuzzyCheck:
    """
    What of a message is nearly the same as in those that were learned.
    """

    section: Section
    classifier: Classifier
    threads: IThreads | None
    deadline: float

    name = "fuzzy"
    phase = Phase.BODY
    scope = Scope.TRANSACTION
    after = ()
    needs = ("content", "seen")
    symbols = frozenset({"FUZZY_ATTACHMENT", "FUZZY_STRUCTURE", "FUZZY_TEXT"})

    @classmethod
    def from_settings(
        cls, settings: Settings, classifier: Classifier, threads: IThreads | None
    ) -> FuzzyCheck:
        """
        Make the check of a configuration.

        @param classifier: what was learned.
        @param threads: where large messages are looked at; without, at once.
        """
        section = settings.checks.fuzzy
        return cls(section, classifier, threads, section.deadline)

    def check(self, view: View) -> MaybeDeferred[Sequence[Finding]]:
        """
        Give what was learned of its text, of its structure and of each of its files.
        """
        index = self.classifier.alike
        if index.is_empty:
            return ()
        content = view.fact("content")
        files = list(attached(content.parsed, content.data)) if len(index.things) else []
        size = sum([len(text.characters) for text in content.parsed.texts])
        size += sum([each.size for each in files])
        if self.threads is None or size <= AT_ONCE:
            return self._look(index, content.parsed, files)
        return self.threads.run(self._look, index, content.parsed, files)

    def _look(self, index: Index, parsed: Parsed, files: Sequence[Attached]) -> Sequence[Finding]:
        return capped(findings_of(index, self.section, parsed, files), self.section.cap_score)


def findings_of(
    index: Index, section: Section, parsed: Parsed, files: Sequence[Attached]
) -> Iterator[Finding]:
    """
    Give what was learned of a message.

    @param files: those that it brings, as far as they are compared.
    """
    text = sketch(parsed.once(read).body.hashes) if len(index.texts) else None
    if text is not None:
        seen = index.text(text)
        if _is_of_spam(seen):
            yield Finding("FUZZY_TEXT", _grown(section.text_score, seen), _of_text(seen))
    for each in files:
        seen = index.thing(each.mark)
        if _is_of_spam(seen):
            score = _grown(section.attachment_score, seen)
            yield Finding("FUZZY_ATTACHMENT", score, _of_file(seen, each))
            break
    structure = structure_of(parsed) if len(index.things) else 0
    if structure:
        seen = index.thing(structure)
        # Many good senders have one template: a single one of them is enough to say nothing.
        if seen.spam >= _OFTEN and not seen.ham:
            words = say(
                "Messages of the same structure were marked as spam here {number} times, last"
                " on {day}.",
                number=seen.spam,
                day=_day(seen),
            )
            yield Finding("FUZZY_STRUCTURE", section.structure_score, words)


def _is_of_spam(seen: Sighting) -> bool:
    """
    Tell whether it was learned as spam, and not nearly as often as ham.
    """
    return seen.spam > 0 and seen.spam >= _OUTWEIGHS * seen.ham


def _grown(highest: float, seen: Sighting) -> float:
    """
    Give a score that grows with each time it was learned, and nears C{highest}.
    """
    return round(highest * seen.spam / (seen.spam + _HALF), 2)


def _of_text(seen: Sighting) -> Sentence:
    if seen.spam == 1:
        return say("Nearly the same text was marked as spam here once, on {day}.", day=_day(seen))
    return say(
        "Nearly the same text was marked as spam here {number} times, last on {day}.",
        number=seen.spam,
        day=_day(seen),
    )


def _of_file(seen: Sighting, file: Attached) -> Sentence:
    name = path_of((file.part.name,))
    if seen.spam == 1:
        return say(
            "What is attached was marked as spam here once, on {day}: {file}.",
            day=_day(seen),
            file=name,
        )
    return say(
        "What is attached was marked as spam here {number} times, last on {day}: {file}.",
        number=seen.spam,
        day=_day(seen),
        file=name,
    )


def _day(seen: Sighting) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seen.day * _DAY))
