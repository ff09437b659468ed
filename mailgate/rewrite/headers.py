"""
The header fields of ours: forged ones are stripped, the true ones set on top.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from attrs import evolve, field, frozen
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailgate.interfaces import IMessage, IRewriter, MaybeDeferred
from mailgate.message.message import HEAD_LIMIT
from mailgate.message.section import header_section
from mailgate.verdict import Action, Verdict

OURS = b"x-mailgate-"
"""How the names of our fields begin, in lower case."""


@implementer(IRewriter)
@frozen
class HeaderRewriter:
    """
    Strips C{X-Mailgate-*} from a received message and says what we think of it.
    """

    def apply(self, trace: str, verdict: Verdict, message: IMessage) -> IMessage:
        """
        Give the message to deliver for C{verdict}.

        Our fields stand above the Received field of ours: a sender can put nothing there, and
        like all that a message gathers on its way the newest stands on top. The body, and the
        header section too where there is nothing to strip, is passed on by reference.
        """
        section = header_section(message)
        kept = without_ours(section)
        if kept is not section:
            message = StrippedMessage(message, kept, len(section))
        return message.prepend(_our_fields(trace, verdict))


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

    @size.default
    def _size(self) -> int:
        return self.original.size - self.replaced + len(self.beginning)

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


def _our_fields(trace: str, verdict: Verdict) -> bytes:
    action = Action.TAG if verdict.action is Action.TAG else Action.ACCEPT
    score = round(verdict.total, 2) + 0.0  # never "-0.00"
    return (
        f"X-Mailgate-Trace: {trace}\r\n"
        f"X-Mailgate-Verdict: {action.value}\r\n"
        f"X-Mailgate-Score: {score:.2f}\r\n"
    ).encode("ascii")
