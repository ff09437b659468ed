"""
Files that nobody should get by mail: by every name that they have, and by what they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from attrs import frozen
from zope.interface import implementer

from mailgate.checks.cap import capped
from mailgate.checks.words import listed, path_of, quote
from mailgate.config.checks import AttachmentsCheck as Section
from mailgate.config.forbidden import FileType
from mailgate.config.model import Settings
from mailgate.finding import Finding
from mailgate.interfaces import ICheck, Phase, Scope
from mailgate.message.archive import File
from mailgate.message.attachments import Attachments
from mailgate.message.filename import CLASS, extensions, forms, is_turned
from mailgate.verdict import Kind

if TYPE_CHECKING:
    from mailgate.pipeline.extractors import Content
    from mailgate.pipeline.view import View

_WORDS = {
    FileType.WINDOWS_PROGRAM: "a program for Windows",
    FileType.UNIX_PROGRAM: "a program for Unix",
    FileType.MAC_PROGRAM: "a program for macOS",
    FileType.JAVA: "a program in Java",
    FileType.ANDROID_APP: "a program for Android",
    FileType.INSTALLER: "an installer",
    FileType.SHORTCUT: "a shortcut",
    FileType.HELP: "a compiled help file",
    FileType.ONENOTE: "a OneNote notebook",
    FileType.OFFICE_MACROS: "an Office document with macros",
    FileType.HTML_APPLICATION: "an HTML application",
    FileType.WINDOWS_SCRIPT: "a script for Windows",
    FileType.UNIX_SCRIPT: "a script for Unix",
    FileType.DISK_IMAGE: "the image of a disk",
}
"""What those types are that need more words than C{a file of type ...}."""

_SHOWN_EXTENSIONS = """
    pdf doc docx xls xlsx ppt pptx rtf odt ods odp txt text log csv md xml json htm html eml
    jpg jpeg png gif bmp tif tiff webp heic svg ico
    mp3 mp4 wav ogg avi mov mpg mpeg mkv m4a flac
    zip rar 7z gz tar
"""
_HARMLESS = frozenset(_SHOWN_EXTENSIONS.split())
"""The extensions of files that people open without a second thought."""

_HARMLESS_CLAIMS = ("image/", "audio/", "video/", "text/", "application/pdf")

_OLD_OFFICE = "doc dot xls xlt xla ppt pps pot ppa"
_HONEST = {
    FileType.OFFICE_MACROS: frozenset(_OLD_OFFICE.split()),
    FileType.JAVA: frozenset({"zip"}),
    FileType.ANDROID_APP: frozenset({"zip"}),
}
"""Harmless extensions that such files rightly have."""


@implementer(ICheck)
@frozen
class AttachmentsCheck:
    """
    Programs, scripts, shortcuts, disk images, macros; disguised, encrypted and unreadable files.
    """

    section: Section
    deadline: float
    forbidden: frozenset[str]
    types: frozenset[FileType]

    name = "attachments"
    phase = Phase.BODY
    scope = Scope.TRANSACTION
    after = ()
    needs = ("content", "files")
    symbols = frozenset(
        {
            "ATTACHMENT_FORBIDDEN",
            "ATTACHMENT_DISGUISED",
            "ATTACHMENT_ENCRYPTED",
            "ATTACHMENT_BOMB",
            "ATTACHMENT_UNREADABLE",
        }
    )

    @classmethod
    def from_settings(cls, settings: Settings) -> AttachmentsCheck:
        """
        Make the check of a configuration.
        """
        section = settings.checks.attachments
        extensions = frozenset({*section.forbidden_extensions, CLASS})
        return cls(section, section.deadline, extensions, frozenset(section.forbidden_types))

    def check(self, view: View) -> Sequence[Finding]:
        """
        Give what is wrong with the attachments: one finding of each kind, with the evidence.
        """
        content: Content = view.fact("content")
        attachments: Attachments = view.fact("files")
        if not attachments.files and not content.parsed.unread:
            return ()
        findings = [*self._of_files(attachments), *self._unseen(attachments, content)]
        return capped(findings, self.section.cap_score) if findings else ()

    def _of_files(self, attachments: Attachments) -> Iterator[Finding]:
        section = self.section
        forbidden: list[str] = []
        disguised: list[str] = []
        for file in attachments.files:
            forbidden.extend(self._forbidden(file))
            disguised.extend(self._disguised(file))
        # Of what lies in an encrypted archive even the type cannot be seen; the archive is enough.
        encrypted = [
            f"{_called(file)} needs a password"
            for file in attachments.files
            if file.is_encrypted and file.type is not FileType.UNKNOWN
        ]
        if forbidden:
            yield Finding(
                "ATTACHMENT_FORBIDDEN",
                section.forbidden_score,
                f"Nobody should get this by mail: {listed(forbidden)}.",
                kind=Kind.POLICY,
            )
        if disguised:
            yield Finding(
                "ATTACHMENT_DISGUISED",
                section.disguised_score,
                f"A file is made to look like another kind of file: {listed(disguised)}.",
                kind=Kind.POLICY,
            )
        if encrypted:
            yield Finding(
                "ATTACHMENT_ENCRYPTED",
                section.encrypted_score,
                f"What is inside cannot be looked at: {listed(encrypted)}.",
                kind=Kind.POLICY,
                is_enforced=False,
            )

    def _forbidden(self, file: File) -> Iterator[str]:
        """
        Say why a file is forbidden, if it is.
        """
        for name in file.names:
            for pieces in _pieces(name):
                if self._is_run(file, pieces):
                    what = (
                        "ends like an id of Windows"
                        if pieces[-1] == CLASS
                        else f"has the extension {pieces[-1]}"
                    )
                    yield f"{_called(file, name)} {what}"
                    return
        if file.type in self.types:
            yield f"{_called(file)} is {_words(file.type)}"

    def _is_run(self, file: File, pieces: Sequence[str]) -> bool:
        """
        Tell whether a name with these extensions makes a file one that is forbidden.
        """
        if pieces[-1] == "com" and file.type is FileType.MESSAGE:
            return False  # An attached message is called by a subject: "News of example.com".
        return pieces[-1] in self.forbidden

    def _disguised(self, file: File) -> Iterator[str]:
        """
        Say what a file is made to look like, if it is.
        """
        turned = [name for name in file.names if is_turned(name)]
        if turned:
            yield f"the letters of {_called(file, turned[0])} are turned round"
            return
        shown: set[str] = set()
        run: dict[str, str] = {}
        for name in file.names:
            for pieces in _pieces(name):
                if self._is_run(file, pieces):
                    run.setdefault(name, pieces[-1])
                    shown.update(_HARMLESS.intersection(pieces[-2:-1]))
                else:
                    shown.update(_HARMLESS.intersection(pieces[-1:]))
        if run and shown:
            name, extension = next(iter(run.items()))
            yield f"{_called(file, name)} looks like {min(shown)} and is {extension}"
        elif file.type in self.types and not run:
            shown -= _HONEST.get(file.type, frozenset())
            if shown:
                yield f"{_called(file)} looks like {min(shown)} and is {_words(file.type)}"
            elif file.claimed.startswith(_HARMLESS_CLAIMS) and not _has_extension(file):
                claimed = quote(file.claimed)
                yield f"{_called(file)} claims to be {claimed} and is {_words(file.type)}"

    def _unseen(self, attachments: Attachments, content: Content) -> Iterator[Finding]:
        """
        Tell of what is made to become huge, and of what cannot be read.
        """
        bombs = [
            f"in {path_of(flaw.within)}: {_phrase(flaw.sentence)}"
            for flaw in attachments.flaws
            if flaw.is_bomb
        ]
        flaws = [
            f"in {path_of(flaw.within)}: {_phrase(flaw.sentence)}"
            for flaw in attachments.flaws
            if not flaw.is_bomb
        ]
        unread = [f"in the message: {_phrase(sentence)}" for sentence in content.parsed.unread]
        if any(part.type == "message/partial" for part in content.parsed.parts):
            unread.append("it is a piece of a message of which the others come by themselves")
        if bombs:
            yield Finding(
                "ATTACHMENT_BOMB",
                self.section.bomb_score,
                f"An archive is made to become huge when it is unpacked: {listed(bombs)}.",
                kind=Kind.UNSCANNABLE,
            )
        if flaws or unread:
            yield Finding(
                "ATTACHMENT_UNREADABLE",
                self.section.unreadable_score,
                f"Not everything can be looked at: {listed([*unread, *flaws])}.",
                kind=Kind.UNSCANNABLE,
            )


def _pieces(name: str) -> Iterator[tuple[str, ...]]:
    return filter(None, map(extensions, forms(name)))


def _has_extension(file: File) -> bool:
    return any(True for name in file.names for _ in _pieces(name))


def _words(kind: FileType) -> str:
    return _WORDS.get(kind, f"a file of type {kind}")


def _called(file: File, name: str = "") -> str:
    name = name or (file.names[0] if file.names else "")
    called = quote(name) if name else "a file without a name"
    return f"{called} in {path_of(file.within)}" if file.within else called


def _phrase(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].removesuffix(".")
