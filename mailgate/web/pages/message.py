"""
One held message: why it is held, what is in it, the way it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredSemaphore

from mailgate.config.model import Policy
from mailgate.finding import Finding
from mailgate.interfaces import IMessage, IThreads
from mailgate.message import mime
from mailgate.quarantine.rows import HeldMessage, State
from mailgate.verdict import Kind
from mailgate.web.answer import Answer, Refused, Route, Visit, redirect, say
from mailgate.web.headers import DOWNLOAD, attachment
from mailgate.web.pages import words
from mailgate.web.pages.quarantine import act
from mailgate.web.pages.times import Times
from mailgate.web.templates import Templates

if TYPE_CHECKING:
    from mailgate.quarantine.held import Quarantine

READ_BYTES = 16 * 1024 * 1024
"""How much of a message is read for its page."""

TEXT_SHOWN = 64 * 1024
"""How many characters of its text are shown, and of its headers."""

ATTACHMENTS_SHOWN = 100

_AT_A_TIME = 2
_DAY = 86400


@frozen
class _Bar:
    """
    One finding, and the bar that shows its weight; the numbers are per cent of the width.
    """

    sentence: str
    symbol: str
    score: str
    left: float
    width: float
    is_against: bool


@frozen
class _Bars:
    """
    The findings of one side.
    """

    title: str
    total: str
    bars: Sequence[_Bar]


@frozen
class _Rail:
    """
    Where the total lies between delivered and refused; the numbers are per cent of the width.
    """

    LABEL: ClassVar[float] = 12.0
    """How wide a part must be to have its label below it."""

    tag: float
    quarantine: float
    reject: float
    total: float
    thresholds: tuple[str, ...]
    words: str
    """The total."""

    @property
    def tag_width(self) -> float:
        """
        Give how wide the part is in which messages are tagged.
        """
        return max(0.0, self.quarantine - self.tag)

    @property
    def quarantine_width(self) -> float:
        """
        Give how wide the part is in which they are held.
        """
        return max(0.0, self.reject - self.quarantine)

    @property
    def reject_width(self) -> float:
        """
        Give how wide the part is in which they are refused.
        """
        return 100 - self.reject

    @property
    def anchor(self) -> str:
        """
        Say how the total stands at its place, so that it stays within the picture.
        """
        if self.total < 3:
            return "start"
        return "end" if self.total > 97 else "middle"


class MessagePage:
    """
    Shows one message, gives its bytes, and releases or deletes it.
    """

    def __init__(
        self,
        quarantine: Quarantine,
        policy: Policy,
        keep_days: int,
        threads: IThreads,
        times: Times,
        templates: Templates,
    ) -> None:
        self._quarantine = quarantine
        self._policy = policy
        self._keep_days = keep_days
        self._threads = threads
        self._times = times
        self._templates = templates
        self._turns = DeferredSemaphore(_AT_A_TIME)

    def routes(self) -> Sequence[Route]:
        """
        Give the routes of a message.
        """
        return (
            Route("GET", "/quarantine/{id}", self._show),
            Route("POST", "/quarantine/{id}", self._act, body_limit=4096),
            Route("GET", "/quarantine/{id}/raw", self._download),
        )

    async def _show(self, visit: Visit) -> Answer:
        held = await self._held(visit)
        message = await self._open(held)
        try:
            parsed, is_whole = await self._turns.run(
                lambda: Deferred.fromCoroutine(self._read(message))
            )
        finally:
            message.close()
        following = await self._quarantine.list(limit=1, before=held.number)
        body = self._templates.render(
            "message.html",
            visit,
            times=self._times,
            held=held,
            is_held=held.state is State.HELD,
            kind=words.KINDS[held.kind],
            certainty=words.certainty(held, self._policy),
            sender=words.person(held.from_header, str(held.sender)),
            reasons=_reasons(held),
            rail=_rail(held, self._policy),
            sides=_sides(held.findings),
            text=parsed.text[:TEXT_SHOWN],
            is_cut=parsed.is_cut or len(parsed.text) > TEXT_SHOWN,
            is_from_html=parsed.is_from_html,
            head=parsed.head.replace("\r\n", "\n").strip("\n")[:TEXT_SHOWN],
            is_head_cut=len(parsed.head) > TEXT_SHOWN,
            date=parsed.headers.text("date"),
            attachments=parsed.attachments[:ATTACHMENTS_SHOWN],
            more_attachments=max(0, len(parsed.attachments) - ATTACHMENTS_SHOWN),
            flaws=parsed.flaws,
            read_bytes=None if is_whole else READ_BYTES,
            removed=held.held + self._keep_days * _DAY,
            following=following[0] if following else None,
            notice=words.notice(visit.notice),
            size=words.size,
        )
        return Answer(body=body)

    async def _act(self, visit: Visit) -> Answer:
        held = await self._held(visit)
        do = visit.value("do")
        if do not in ("release", "delete"):
            raise Refused(400)
        return redirect("/quarantine", say(await act(self._quarantine, do, [held.id], visit)))

    async def _download(self, visit: Visit) -> Answer:
        held = await self._held(visit)
        return Answer(
            kind="message/rfc822",
            headers=(
                *DOWNLOAD,
                ("Content-Disposition", attachment(held.subject or held.id, ".eml")),
            ),
            message=await self._open(held),
        )

    async def _held(self, visit: Visit) -> HeldMessage:
        held = await self._quarantine.get(visit.segments["id"])
        if held is None:
            raise Refused(404)
        return held

    async def _open(self, held: HeldMessage) -> IMessage:
        message = await self._quarantine.open(held.id)
        if message is None:
            raise Refused(404)
        return message

    async def _read(self, message: IMessage) -> tuple[mime.Parsed, bool]:
        """
        Read a message, or as much of it as is read for a page, and say whether that is all.
        """
        pieces: list[bytes] = []
        size = 0
        for chunk in message.chunks():
            data = chunk if isinstance(chunk, bytes) else await chunk
            pieces.append(data)
            size += len(data)
            if size >= READ_BYTES:
                break
        parsed = await self._threads.run(_parse, pieces)
        return parsed, size >= message.size


def _parse(pieces: Sequence[bytes]) -> mime.Parsed:
    return mime.read(b"".join(pieces))


def _reasons(held: HeldMessage) -> str:
    """
    Say what decided: the upstream's words, or the two weightiest findings.
    """
    if held.kind is Kind.UNDELIVERABLE:
        return words.reason(held)
    return " ".join(words.sentence(found.detail) for found in words.against(held.findings)[:2])


def _rail(held: HeldMessage, policy: Policy) -> _Rail | None:
    """
    Draw the total on a scale from 0 to 16, or further where refusing begins beyond 15.
    """
    if held.kind is Kind.UNDELIVERABLE:
        return None
    scale = max(16.0, policy.reject * 16 / 15)

    def place(number: float) -> float:
        return round(min(max(number / scale, 0.0), 1.0) * 100, 2)

    thresholds = (policy.tag, policy.quarantine, policy.reject)
    return _Rail(
        tag=place(policy.tag),
        quarantine=place(policy.quarantine),
        reject=place(policy.reject),
        total=place(held.total),
        thresholds=tuple(f"{number:g}" for number in thresholds),
        words=words.total(held.total),
    )


def _sides(findings: Sequence[Finding]) -> Sequence[_Bars]:
    """
    Draw the findings: against to the right of the zero at 25 per cent, in favour to the left.
    """
    span = max([3.0, *(f.score for f in findings), *(-3 * f.score for f in findings)])

    def bar(finding: Finding) -> _Bar:
        width = abs(finding.score) / span * 75
        is_against = finding.score > 0
        return _Bar(
            words.sentence(finding.detail),
            finding.symbol,
            words.score(finding.score),
            25.0 if is_against else round(25 - width, 2),
            round(width, 2),
            is_against,
        )

    sides = []
    for title, chosen in (
        ("Against it", [f for f in findings if f.score > 0]),
        ("In its favour", [f for f in findings if f.score < 0]),
        ("Without weight", [f for f in findings if f.score == 0]),
    ):
        if chosen:
            chosen.sort(key=lambda finding: -abs(finding.score))
            total = words.score(sum(finding.score for finding in chosen))
            sides.append(_Bars(title, total, [bar(finding) for finding in chosen]))
    return sides
