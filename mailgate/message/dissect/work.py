"""
The job of the sandbox in which files are looked into.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from attrs import define, evolve, field

from mailgate.message.archive import File, Opener
from mailgate.message.attachments import MORE, Trouble
from mailgate.message.dissect.archives import NotOpened, look_at_archive
from mailgate.message.dissect.locked import look_at_locked_zip
from mailgate.message.dissect.macros import look_at_office
from mailgate.message.dissect.pictures import look_at_picture
from mailgate.message.dissect.portable import look_at_pdf_objects
from mailgate.message.dissect.question import (
    FILES_LIMIT,
    Answer,
    decode_question,
    encode_answer,
)
from mailgate.message.filetype import HEAD, file_type
from mailgate.message.inside.inspector import Parser, Specimen
from mailgate.message.inside.signs import LEADS_LIMIT, SIGNS_LIMIT, Look, Sign, SignKind

_ROUNDS = 3
"""How often what was found in encrypted files is looked into in its turn."""


@define(eq=False)
class Bench:
    """
    Where the files of one message are looked into.
    """

    passwords: tuple[str, ...]
    opener: Opener
    opened: set[int] = field(factory=set)
    locked: set[int] = field(factory=set)

    @property
    def look(self) -> Look:
        """
        Give what is seen.
        """
        return self.opener.inspector.look

    def take(self, content: bytes, names: tuple[str, ...], within: tuple[str, ...]) -> None:
        """
        Take up a file that was found.
        """
        if len(self.opener.files) < FILES_LIMIT:
            self.opener.open(content, File(names, file_type(content[:HEAD]), within))

    def unlocked(self, specimen: Specimen) -> None:
        """
        Note that a file is encrypted, and that its password was found; which, is nobody's business.
        """
        self.opened.add(specimen.place)
        words = "is encrypted, and its password stands in the message"
        self.look.see(SignKind.OPENED, words, specimen.path)


_PARSERS: Mapping[Parser, Callable[[Specimen, Bench], None]] = {
    Parser.OFFICE: look_at_office,
    Parser.LOCKED_ZIP: look_at_locked_zip,
    Parser.PDF: look_at_pdf_objects,
    Parser.PICTURE: look_at_picture,
    Parser.ARCHIVE: look_at_archive,
}


def dissect(value: bytes) -> bytes:
    """
    Look into files.

    @param value: a L{Question<mailgate.message.dissect.question.Question>}.
    @return: an L{Answer}.
    """
    # What the parsers have to say is told by the answer, and not a second time in the log.
    logging.disable()
    question = decode_question(value)
    caps = evolve(question.caps, files=min(question.caps.files, FILES_LIMIT))
    bench = Bench(question.passwords, Opener(caps))
    troubles: list[Trouble] = []
    waiting = list(question.specimens)
    for _ in range(_ROUNDS):
        for specimen in waiting:
            try:
                _PARSERS[specimen.parser](specimen, bench)
            except NotOpened:
                troubles.append(Trouble(specimen.path, "nobody here opens this kind of archive"))
            except Exception as error:
                # Whatever a parser of somebody else raises: it is told, and the next one's turn.
                troubles.append(Trouble(specimen.path, type(error).__name__[:100]))
        found = bench.opener.inspector.specimens
        waiting = [evolve(each, place=-1) for each in found]
        found.clear()
        if not waiting:
            break
    # A picture more is no gap.
    if bench.opener.inspector.is_full or any(each.parser is not Parser.PICTURE for each in waiting):
        troubles.append(MORE)
    return encode_answer(_answer(bench, troubles))


def _answer(bench: Bench, troubles: list[Trouble]) -> Answer:
    opener, look = bench.opener, bench.look
    signs: list[Sign] = list(look.signs)[:SIGNS_LIMIT]
    return Answer(
        tuple(opener.files)[:FILES_LIMIT],
        tuple(opener.flaws)[:FILES_LIMIT],
        tuple(signs),
        tuple(look.leads)[: LEADS_LIMIT + 1],
        frozenset(bench.opened - bench.locked - {-1}),
        frozenset(bench.locked - {-1}),
        tuple(troubles),
    )
