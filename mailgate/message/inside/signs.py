"""
What is told of the inside of a file.
"""

from __future__ import annotations

from enum import StrEnum

from attrs import define, field, frozen

DETAIL_LIMIT = 300
"""Characters of the words of a sign."""

LEADS_LIMIT = 200
"""How many links of all files of a message are kept."""

LEAD_LIMIT = 2000
"""Characters of one of them."""

SIGNS_LIMIT = 100
"""How many signs are kept."""


class SignKind(StrEnum):
    """
    What a file does or holds.
    """

    MACROS = "macros"
    DDE = "dde"
    REMOTE = "remote"
    """It loads something from elsewhere when it is opened."""

    EMBEDDED = "embedded"
    PDF_SCRIPT = "pdf-script"
    PDF_LAUNCH = "pdf-launch"
    PDF_FILES = "pdf-files"
    SMUGGLED = "smuggled"
    """A page hands over a file that lies in it."""

    UNPACKING = "unpacking"
    """The script of a page unpacks something in it, and nobody knows what."""

    SCRIPT = "script"
    PASSWORD = "password"
    REDIRECT = "redirect"
    SHORTCUT = "shortcut"
    PICTURE = "picture"
    """A picture holds a link that can be read by a camera."""

    OPENED = "opened"
    """It is encrypted, and the password stands in the message."""


@frozen
class Sign:
    """
    One thing that is seen in a file.
    """

    kind: SignKind
    detail: str
    """In words that follow the name of the file; they may quote a stranger."""

    path: tuple[str, ...] = ()
    """The name of the file, and before it those of the archives in which it lies."""


@define
class Look:
    """
    What is seen in files. It only grows, up to its limits.
    """

    signs: dict[Sign, None] = field(factory=dict)
    leads: dict[str, None] = field(factory=dict)
    """Where the files lead, as it is written there; each once."""

    def see(self, kind: SignKind, detail: str, path: tuple[str, ...] = ()) -> None:
        """
        Add a sign.
        """
        if len(self.signs) < SIGNS_LIMIT:
            self.signs[Sign(kind, detail[:DETAIL_LIMIT], path)] = None

    def lead(self, address: str) -> None:
        """
        Add a place to which a file leads.
        """
        if len(self.leads) <= LEADS_LIMIT:
            self.leads[address[:LEAD_LIMIT]] = None
