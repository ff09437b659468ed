"""
The files that a message brings: each by every name that it gives and by its true type, and what
lies in them.
"""

from __future__ import annotations

from attrs import field, frozen

from mailgate.message.archive import Caps, File, Flaw, Opener, is_read, opened_as
from mailgate.message.inside.inspector import Specimen, way_of
from mailgate.message.inside.signs import Sign
from mailgate.message.mime.readings import Enclosed

_AT_ONCE = 32 * 1024
"""Bytes of all texts that are looked at at once."""


@frozen
class Trouble:
    """
    A file that could not be looked into.
    """

    path: tuple[str, ...]
    """Its name, and before it those of the archives in which it lies."""

    why: str
    is_grave: bool = False
    """Whether whoever looked into it died of that, or came to no end."""


MORE = Trouble((), "there are more than are looked into")
"""What is told where not all are looked into."""


@frozen
class Attachments:
    """
    What a message brings.
    """

    files: tuple[File, ...] = ()
    """Those that are attached, each before what lies in it."""

    flaws: tuple[Flaw, ...] = ()
    signs: tuple[Sign, ...] = ()
    """What they would do."""

    leads: tuple[str, ...] = ()
    """Where they lead, as it is written in them."""

    specimens: tuple[Specimen, ...] = field(default=(), repr=False)
    """Those that are still to be looked into, by others."""

    troubles: tuple[Trouble, ...] = ()
    """Those that the others could not look into."""

    unjudged: str = ""
    """Why the others could not look at this time, or C{""}."""


@frozen(eq=False)
class Examination:
    """
    A look at the attachments of a message. Making it costs little; it never raises.
    """

    enclosed: tuple[Enclosed, ...]
    """Those of all its readings."""

    caps: Caps
    files: tuple[File, ...] = field(init=False)
    """They, as they look from outside, in their order."""

    @files.default
    def _look(self) -> tuple[File, ...]:
        return tuple(
            File(each.part.names, each.type, claimed=each.part.type) for each in self.enclosed
        )

    @property
    def is_done(self) -> bool:
        """
        Tell whether nothing has to be opened, which may take a while.
        """
        left = _AT_ONCE
        for each, file in zip(self.enclosed, self.files, strict=True):
            if self._is_opened(each, file):
                left -= each.part.size if _is_text(file) else left + 1
            if left < 0:
                return False
        return True

    def finish(self) -> Attachments:
        """
        Open what can be opened.
        """
        opener = Opener(self.caps)
        for each, file in zip(self.enclosed, self.files, strict=True):
            if self._is_opened(each, file):
                opener.open(each.decoded(len(each.data)), file)
            else:
                opener.files.append(file)
        return attachments_of(opener)

    @staticmethod
    def _is_opened(each: Enclosed, file: File) -> bool:
        if is_read(each.part):
            return False
        is_archive = opened_as(file) is not None
        return is_archive or way_of(file.names, file.type, file.claimed) is not None


def _is_text(file: File) -> bool:
    """
    Tell whether it is only searched for links.
    """
    return opened_as(file) is None and way_of(file.names, file.type, file.claimed) == "text"


def attachments_of(opener: Opener) -> Attachments:
    """
    Give what was found.
    """
    inspector = opener.inspector
    return Attachments(
        tuple(opener.files),
        tuple(opener.flaws),
        tuple(inspector.look.signs),
        tuple(inspector.look.leads),
        tuple(inspector.specimens),
        (MORE,) if inspector.is_full else (),
    )
