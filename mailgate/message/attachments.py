"""
The files that a message brings: each by every name that it gives and by its true type, and what
lies in them.
"""

from __future__ import annotations

from attrs import field, frozen

from mailgate.config.forbidden import FileType
from mailgate.message.archive import Caps, File, Flaw, Opener, is_read, opened_as
from mailgate.message.filetype import DEEP, HEAD, file_type
from mailgate.message.mime import Parsed, Part, decoded


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

    parsed: Parsed
    data: bytes
    caps: Caps
    files: tuple[File, ...] = field(init=False)
    """Those that are attached, as they look from outside, in the order of the parts."""

    @files.default
    def _look(self) -> tuple[File, ...]:
        return tuple(
            File(part.names, self._type(part), claimed=part.type)
            for part in self.parsed.attachments
        )

    @property
    def is_done(self) -> bool:
        """
        Tell whether nothing has to be opened, which may take a while.
        """
        return not any(map(self._is_opened, self.parsed.attachments, self.files))

    def finish(self) -> Attachments:
        """
        Open what can be opened.
        """
        opener = Opener(self.caps)
        for part, file in zip(self.parsed.attachments, self.files, strict=True):
            is_opened = self._is_opened(part, file)
            if is_opened:
                opener.open(decoded(part, self.data, len(self.data)), file)
            else:
                opener.files.append(file)
        return Attachments(tuple(opener.files), tuple(opener.flaws))

    def _type(self, part: Part) -> FileType:
        kind = file_type(decoded(part, self.data, HEAD))
        if kind is FileType.UNKNOWN and part.size > HEAD:
            kind = file_type(decoded(part, self.data, DEEP))
        return kind

    @staticmethod
    def _is_opened(part: Part, file: File) -> bool:
        return opened_as(file) is not None and not is_read(part)
