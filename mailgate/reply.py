"""
An SMTP reply: what is said to a client, or what an upstream said.
"""

from __future__ import annotations

from attrs import evolve, field, frozen


@frozen
class Reply:
    """
    A reply of RFC 5321 section 4.2, with the enhanced code of RFC 3463 where it has one.
    """

    code: int
    """Three digits, 200 to 599."""

    enhanced: str
    """C{"2.0.0"} and the like, or C{""} for the replies that carry none (greeting, EHLO, 354)."""

    text: str
    """ASCII words; a line feed separates the lines of a reply of several lines."""

    upstream: str = field(default="", eq=False, repr=False)
    """Which of several upstreams has said it, or C{""}."""

    @property
    def is_positive(self) -> bool:
        """
        Tell whether the command was carried out (2xx).
        """
        return 200 <= self.code < 300

    @property
    def is_transient(self) -> bool:
        """
        Tell whether the client shall try again later (4xx).
        """
        return 400 <= self.code < 500

    @property
    def is_permanent(self) -> bool:
        """
        Tell whether the client shall not try again (5xx).
        """
        return self.code >= 500

    def referring(self, trace: str) -> Reply:
        """
        Give the same reply with the id under which the trace tells more, unless it is there.
        """
        return self if trace in self.text else evolve(self, text=f"{self.text} ({trace})")

    def encode(self) -> bytes:
        """
        Give the bytes for the wire, each line ended by CRLF.

        What is not printable ASCII becomes C{?}, so that a stranger's words in C{text} can
        neither end the line nor start another reply.
        """
        prefix = f"{self.enhanced} " if self.enhanced else ""
        lines = [_printable(line) for line in self.text.split("\n")]
        wire = [f"{self.code}-{prefix}{line}\r\n" for line in lines[:-1]]
        wire.append(f"{self.code} {prefix}{lines[-1]}\r\n")
        return "".join(wire).encode("ascii")

    def __str__(self) -> str:
        """
        Give the reply as one line of words, for traces and events.
        """
        return " ".join(
            filter(None, (str(self.code), self.enhanced, self.text.replace("\n", " / ")))
        )


def _printable(line: str) -> str:
    if line.isascii() and line.isprintable():
        return line
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in line)
