"""
The files that a message brings: each by every name that it gives and by its true type, and what
lies in them.
"""

from __future__ import annotations

from attrs import field, frozen

from mailgate.message.archive import Caps, File, Flaw, Opener, is_read, opened_as
from mailgate.message.mime.readings import Enclosed


@frozen
class Attachments:
    """
    What a message brings.
    """

    files: tuple[File, ...] = ()
    """Those that are attached, each before what lies in it."""

    flaws: tuple[Flaw, ...] = ()


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
        return not any(map(self._is_opened, self.enclosed, self.files))

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
        return Attachments(tuple(opener.files), tuple(opener.flaws))

    @staticmethod
    def _is_opened(each: Enclosed, file: File) -> bool:
        return opened_as(file) is not None and not is_read(each.part)
