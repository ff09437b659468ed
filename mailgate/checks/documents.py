"""
What attached documents, pages and pictures would do when somebody opens them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from attrs import frozen
from zope.interface import implementer

from mailgate.checks.cap import capped
from mailgate.checks.words import listed, path_of, visible
from mailgate.config.checks import DocumentsCheck as Section
from mailgate.config.model import Settings
from mailgate.finding import Finding
from mailgate.interfaces import CheckFailed, ICheck, Phase, Scope
from mailgate.message.attachments import Attachments
from mailgate.message.inside.signs import Sign, SignKind
from mailgate.verdict import Kind

if TYPE_CHECKING:
    from mailgate.pipeline.view import View


@frozen
class _Evidence:
    """
    What a sign is a finding of.
    """

    symbol: str
    option: str
    kind: Kind | None = None
    """Why a message is held for it alone; C{None}: it is not."""


_EVIDENCE: Mapping[SignKind, _Evidence] = {
    SignKind.MACROS: _Evidence("OFFICE_MACROS", "macros_score"),
    SignKind.DDE: _Evidence("OFFICE_DDE", "dde_score", Kind.MALWARE),
    SignKind.REMOTE: _Evidence("OFFICE_REMOTE_TEMPLATE", "remote_score", Kind.MALWARE),
    SignKind.EMBEDDED: _Evidence("OFFICE_EMBEDDED", "embedded_score"),
    SignKind.PDF_SCRIPT: _Evidence("PDF_SCRIPT", "pdf_script_score"),
    SignKind.PDF_LAUNCH: _Evidence("PDF_LAUNCH", "pdf_launch_score", Kind.MALWARE),
    SignKind.PDF_FILES: _Evidence("PDF_FILES", "pdf_files_score"),
    SignKind.SMUGGLED: _Evidence("ATTACHMENT_SMUGGLING", "smuggling_score", Kind.MALWARE),
    SignKind.UNPACKING: _Evidence("ATTACHMENT_UNPACKING", "unpacking_score"),
    SignKind.SCRIPT: _Evidence("ATTACHMENT_SCRIPT", "script_score"),
    SignKind.PASSWORD: _Evidence("ATTACHMENT_PASSWORD", "password_score"),
    SignKind.REDIRECT: _Evidence("ATTACHMENT_REDIRECT", "redirect_score"),
    SignKind.SHORTCUT: _Evidence("ATTACHMENT_SHORTCUT", "shortcut_score"),
    SignKind.PICTURE: _Evidence("ATTACHMENT_CODE", "code_score"),
    SignKind.OPENED: _Evidence("ATTACHMENT_OPENED", "opened_score"),
}


@implementer(ICheck)
@frozen
class DocumentsCheck:
    """
    Macros, DDE, remote templates; actions of PDF; pages that smuggle files; codes in pictures.
    """

    section: Section
    deadline: float

    name = "documents"
    phase = Phase.BODY
    scope = Scope.TRANSACTION
    after = ()
    needs = ("files",)
    symbols = frozenset({*(each.symbol for each in _EVIDENCE.values()), "DOCUMENT_UNREADABLE"})

    @classmethod
    def from_settings(cls, settings: Settings) -> DocumentsCheck:
        """
        Make the check of a configuration.
        """
        section = settings.checks.documents
        return cls(section, section.deadline)

    def check(self, view: View) -> Sequence[Finding]:
        """
        Give one finding of each kind, with the evidence.

        @raise CheckFailed: the sandbox had no process for it.
        """
        attachments: Attachments = view.fact("files")
        if not attachments.files:
            return ()
        findings = capped(self._judge(attachments), self.section.cap_score)
        if attachments.unjudged:
            raise CheckFailed(
                f"nobody could look into some of the attachments ({attachments.unjudged})", findings
            )
        return findings

    def _judge(self, attachments: Attachments) -> Iterator[Finding]:
        signs: dict[SignKind, list[Sign]] = {}
        for sign in attachments.signs:
            signs.setdefault(sign.kind, []).append(sign)
        for kind, evidence in _EVIDENCE.items():
            if kind in signs:
                told = listed(
                    [f"{_called(each.path)} {visible(each.detail)}" for each in signs[kind]]
                )
                yield Finding(
                    evidence.symbol,
                    getattr(self.section, evidence.option),
                    f"{told[:1].upper()}{told[1:]}.",
                    kind=evidence.kind,
                    is_enforced=evidence.kind is not None,
                )
        if attachments.troubles:
            grave = any(trouble.is_grave for trouble in attachments.troubles)
            told = listed(
                [f"{_called(each.path)} ({visible(each.why)})" for each in attachments.troubles]
            )
            yield Finding(
                "DOCUMENT_UNREADABLE",
                self.section.unreadable_score,
                f"It could not be scanned what is in {told}.",
                kind=Kind.UNSCANNABLE if grave else None,
                is_enforced=grave,
            )


def _called(path: Sequence[str]) -> str:
    return path_of(path) or "the message"
