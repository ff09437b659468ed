"""
The header fields of ours: forged ones are stripped, the true ones set on top.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from attrs import evolve, field, frozen
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailgate.authentication.results import write_words
from mailgate.finding import Finding
from mailgate.interfaces import IMessage, IRewriter, MaybeDeferred
from mailgate.message.header import Headers
from mailgate.message.message import HEAD_LIMIT
from mailgate.message.section import header_section
from mailgate.rewrite.forged import without_results
from mailgate.verdict import Action, Verdict

OURS = b"x-mailgate-"
"""How the names of our fields begin, in lower case."""

FINDINGS = 50
"""How many findings are named at most, those that weigh most."""

_LINE = 78
_SYMBOL = re.compile(r"[A-Z][A-Z0-9_]{0,59}", re.ASCII)
_SUBJECT = re.compile(rb"subject[ \t]*:[ \t]*", re.IGNORECASE)


@implementer(IRewriter)
@frozen
class HeaderRewriter:
    """
    Strips C{X-Mailgate-*} and results of ours from a received message and says what we think of
    it, and whom it is really from.
    """

    subject_mark: str = ""
    """What is put before the subject of a tagged message; C{""} leaves all subjects alone."""

    hostname: str = ""
    """What we call ourselves."""

    def apply(self, trace: str, verdict: Verdict, message: IMessage) -> IMessage:
        """
        Give the message to deliver for C{verdict}.

        Our fields stand above the Received field of ours: a sender can put nothing there, and
        like all that a message gathers on its way the newest stands on top. The body, and the
        header section too where there is nothing to strip, is passed on by reference.
        """
        section = header_section(message)
        kept = without_results(without_ours(section), self.hostname)
        if self.subject_mark and verdict.action is Action.TAG:
            kept = with_mark(kept, self.subject_mark.encode("ascii"))
        if kept is not section:
            message = StrippedMessage(message, kept, len(section))
        return message.prepend(
            _our_fields(trace, verdict) + _results_field(self.hostname, verdict.findings)
        )


@implementer(IMessage)
@frozen
class StrippedMessage:
    """
    A message whose beginning is another.
    """

    original: IMessage
    beginning: bytes
    """What stands in the place of the first C{replaced} bytes of the original."""

    replaced: int
    size: int = field(init=False)
    path: Path | None = field(init=False, default=None)
    reading: None = field(init=False, default=None)
    """What was read belongs to the beginning that the message had."""

    @size.default
    def _size(self) -> int:
        return self.original.size - self.replaced + len(self.beginning)

    @cached_property
    def headers(self) -> Headers:
        """
        Give the header fields.
        """
        return Headers.parse(header_section(self))

    @property
    def prepended(self) -> bytes:
        """
        Give what is prepended to the original.
        """
        return self.original.prepended

    def head(self, limit: int) -> bytes:
        """
        Give the first C{limit} bytes; near the greatest limit fewer, by what was stripped.
        """
        rest = self.original.head(min(limit + self.replaced, HEAD_LIMIT))[self.replaced :]
        return (self.beginning + rest)[:limit]

    def chunks(self) -> Iterator[MaybeDeferred[bytes]]:
        """
        Give the new beginning, then the chunks of the original from where it is unchanged.
        """
        yield self.beginning
        skip = self.replaced

        def rest(chunk: bytes) -> bytes:
            nonlocal skip
            skipped = min(skip, len(chunk))
            skip -= skipped
            return chunk[skipped:]

        for chunk in self.original.chunks():
            if isinstance(chunk, Deferred):
                yield chunk.addCallback(rest)
            elif unchanged := rest(chunk):
                yield unchanged

    def prepend(self, headers: bytes) -> StrippedMessage:
        """
        Give the same message with header lines set before those prepended already.
        """
        return evolve(self, original=self.original.prepend(headers))

    def close(self) -> None:
        """
        Give back what the original holds.
        """
        self.original.close()


def without_ours(section: bytes) -> bytes:
    """
    Take our fields out of a header section, each with its folded lines.

    Whatever begins like one of them is taken for one, a colon or not. Folded lines at the very
    beginning go as well, for they would continue the last field that is set above them.
    """
    if section[:1] not in (b" ", b"\t") and b"\n" + OURS not in b"\n" + section.lower():
        return section
    kept = []
    is_kept = False
    for line in section.splitlines(keepends=True):
        if line[:1] not in (b" ", b"\t"):
            is_kept = line[: len(OURS)].lower() != OURS
        if is_kept:
            kept.append(line)
    return b"".join(kept)


def with_mark(section: bytes, mark: bytes) -> bytes:
    """
    Put a mark before the subject in a header section; what stands there is not touched, and one
    that is marked already is left alone. A message without a subject gets the mark as its subject;
    of several each is marked, since nobody knows which one a reader is shown.
    """
    lines = section.splitlines(keepends=True)
    is_there = False
    for at, line in enumerate(lines):
        if line in (b"\r\n", b"\n"):
            break
        found = _SUBJECT.match(line)
        if found is None:
            continue
        is_there = True
        name, words = line[: found.end()], line[found.end() :]
        if not words.startswith(mark):
            lines[at] = _marked(name.rstrip(), mark, words)
    if not is_there:
        lines.insert(0, _marked(b"Subject:", mark, b"\r\n"))
    return b"".join(lines)


def _marked(name: bytes, mark: bytes, words: bytes) -> bytes:
    line = b" ".join((name, mark, words)) if words.strip() else b" ".join((name, mark)) + words
    if len(line) <= _LINE or not words.strip():
        return line
    return b" ".join((name, mark)) + b"\r\n " + words


def _results_field(hostname: str, findings: Sequence[Finding]) -> bytes:
    """
    Give Authentication-Results of what was found, or nothing where nobody has asked.
    """
    results = [finding.authentication for finding in findings if finding.authentication]
    return write_words(hostname, results) if results else b""


def _our_fields(trace: str, verdict: Verdict) -> bytes:
    action = Action.TAG if verdict.action is Action.TAG else Action.ACCEPT
    fields = (
        f"X-Mailgate-Trace: {trace}\r\n"
        f"X-Mailgate-Verdict: {action.value}\r\n"
        f"X-Mailgate-Score: {_number(verdict.total):.2f}\r\n"
    )
    if action is Action.TAG:
        fields += _findings_field(verdict.findings)
    return fields.encode("ascii")


def _findings_field(findings: Sequence[Finding]) -> str:
    """
    Name the findings and what each adds: symbols and numbers, nothing of a stranger's.
    """
    heaviest = sorted(findings, key=lambda finding: -abs(finding.score))
    known = [
        f"{finding.symbol}={_number(finding.score):g}"
        for finding in heaviest
        if _SYMBOL.fullmatch(finding.symbol)
    ][:FINDINGS]
    if not known:
        return ""
    lines = ["X-Mailgate-Findings:"]
    for number, word in enumerate(known, 1):
        word = f" {word}," if number < len(known) else f" {word}"
        if len(lines[-1]) + len(word) > _LINE:
            lines.append("")
        lines[-1] += word
    return "".join(f"{line}\r\n" for line in lines)


def _number(score: float) -> float:
    """
    Give a score with two digits behind the point, and never C{-0.0}.
    """
    return round(score, 2) + 0.0
