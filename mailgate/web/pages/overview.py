"""
How much came and what became of it, over today, 7, 30 or 90 days, and how the gateway is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from math import ceil, log10

from attrs import frozen
from markupsafe import Markup

from mailgate.reporting.overview import Row, overview
from mailgate.reporting.statistics import EARLY, PHASES, Figures, Statistics, day_of
from mailgate.reporting.status import Status
from mailgate.web.answer import Answer, Route, Visit
from mailgate.web.pages import words
from mailgate.web.pages.times import Times
from mailgate.web.templates import Templates

PERIODS = {1: "Today", 7: "7 days", 30: "30 days", 90: "90 days"}
_FEWEST_BARS = 7
_MOST = 8
"""Names that a list of the most frequent shows."""

_TOP, _BASE = 17.0, 228.0
"""Where the scale of the chart ends and where it begins, in pixels from above."""

_LINES = 3
_SHARE = 0.7
"""How much of its place a bar fills."""


@frozen
class Verdict:
    """
    How a verdict is told and drawn.
    """

    name: str
    word: str
    fill: Markup
    """The attributes of a shape, ours alone."""

    is_drawn: bool = True


VERDICTS = (
    Verdict("accept", "accept", Markup('class="f-accent"')),
    Verdict("tag", "tag", Markup('fill="url(#p-tag)"')),
    Verdict("quarantine", "quarantine (held)", Markup('fill="url(#p-held)"')),
    Verdict("reject", "reject, after DATA", Markup('fill="url(#p-rej)"')),
    Verdict(EARLY, "reject, before DATA", Markup('class="f-strong s-edge"')),
    Verdict("defer", "defer (asked to come again)", Markup('class="f-sheet s-edge"'), False),
    Verdict("discard", "discard", Markup('class="f-sheet s-edge"'), False),
)


@frozen
class Piece:
    """
    A part of a bar, in pixels.
    """

    y: float
    height: float
    fill: Markup


@frozen
class Bar:
    """
    A day.
    """

    left: float
    """In per cent of the chart, as C{width}."""

    width: float
    title: str
    label: str
    """Below it, or C{""}."""

    pieces: Sequence[Piece]


@frozen
class Chart:
    """
    Bars and their scale.
    """

    bars: Sequence[Bar]
    lines: Sequence[tuple[float, str]]
    """Where a line is, in pixels, and what it stands for."""


@frozen
class Line:
    """
    A name, how often it was, and the length of its bar in per cent.
    """

    name: str
    number: int
    length: float
    saved: str = ""


class OverviewPage:
    """
    Shows the figures of some days.
    """

    def __init__(
        self,
        statistics: Statistics,
        status: Callable[[], Awaitable[Status]] | None,
        hostname: str,
        times: Times,
        templates: Templates,
    ) -> None:
        """
        @param status: tells how the gateway is; C{None} where nobody can.
        """
        self._statistics = statistics
        self._status = status
        self._hostname = hostname
        self._times = times
        self._templates = templates

    def routes(self) -> Sequence[Route]:
        """
        Give the route.
        """
        return (Route("GET", "/overview", self._show, sees=lambda rights: rights.sees_traces),)

    async def _show(self, visit: Visit) -> Answer:
        asked = visit.query.get("days", "")
        days = int(asked) if asked.isdecimal() and int(asked) in PERIODS else 30
        today = self._statistics.today()
        figures = await self._statistics.figures(today - days + 1, today)
        before = await self._statistics.figures(today - 2 * days + 1, today - days)
        drawn = await self._statistics.figures(today - max(days, _FEWEST_BARS) + 1, today)
        health = [] if self._status is None else overview(await self._status())
        body = self._templates.render(
            "overview.html",
            visit,
            hostname=self._hostname,
            days=days,
            periods=PERIODS,
            title=self._period(today - days + 1, today),
            figures=figures,
            before=before,
            verdicts=VERDICTS,
            total=sum(figures.counts.get("verdict", {}).values()),
            unwanted=_unwanted(figures),
            unwanted_before=_unwanted(before),
            chart=self._chart(drawn, today, max(days, _FEWEST_BARS)),
            day_names=[
                (self._times.date(day_of(day)), drawn.by_day.get(day, {}))
                for day in range(today - max(days, _FEWEST_BARS) + 1, today + 1)
            ],
            phases=_phases(figures),
            mean=_mean(figures),
            reasons=_lines(figures, "reason"),
            senders=_lines(figures, "sender"),
            recipients=_lines(figures, "recipient"),
            typical=figures.seconds(0.5),
            slowest=figures.seconds(0.95),
            health=health,
            wrong=sum(row.is_wrong for row in health),
            halves=_halves(health),
            size=words.size,
        )
        return Answer(body=body)

    def _period(self, first: int, last: int) -> str:
        if first == last:
            return f"today, {self._times.date(day_of(last))}"
        return f"{self._times.date(day_of(first))} to {self._times.date(day_of(last))}"

    def _chart(self, figures: Figures, today: int, days: int) -> Chart:
        drawn = [verdict for verdict in VERDICTS if verdict.is_drawn]
        numbers = {
            day: [figures.by_day.get(day, {}).get(verdict.name, 0) for verdict in drawn]
            for day in range(today - days + 1, today + 1)
        }
        step = _step(max(sum(counts) for counts in numbers.values()))
        pixels = (_BASE - _TOP) / (_LINES * step)
        place = 100 / days
        every = ceil(days / 5)
        bars = []
        for at, (day, counts) in enumerate(numbers.items()):
            name = self._times.date(day_of(day))
            told = ", ".join(
                f"{count:,} {verdict.word}" for verdict, count in zip(drawn, counts, strict=True)
            )
            bars.append(
                Bar(
                    round(at * place, 2),
                    round(place * _SHARE, 2),
                    f"{name}: {told}",
                    name if at % every == 0 else "",
                    _pieces(counts, pixels),
                )
            )
        lines = [(_BASE - at * step * pixels, f"{at * step:,}") for at in range(_LINES + 1)]
        return Chart(bars, lines)


def _pieces(counts: Sequence[int], pixels: float) -> Sequence[Piece]:
    """
    Stack the parts of a bar, with a gap of a pixel where there is room for it.
    """
    pieces, y = [], _BASE
    for verdict, count in zip(VERDICTS, counts, strict=False):
        height = count * pixels
        if height:
            y -= height
            pieces.append(Piece(round(y, 1), round(max(0.5, height - 1), 1), verdict.fill))
    return pieces


def _step(highest: int) -> int:
    """
    Give the round number of which three are at least C{highest}.
    """
    wanted = max(1, highest) / _LINES
    power = 10 ** int(log10(wanted)) if wanted >= 1 else 1
    return next(ceil(power * step) for step in (1, 2, 2.5, 5, 10) if power * step >= wanted)


def _unwanted(figures: Figures) -> float | None:
    """
    Give the share of unwanted mail, in per cent; C{None} where there was none at all.
    """
    unwanted = figures.number("verdict", "quarantine", "reject", "discard", EARLY)
    wanted = figures.number("verdict", "accept", "tag")
    return 100 * unwanted / (unwanted + wanted) if unwanted + wanted else None


def _mean(figures: Figures) -> int:
    number = figures.number("messages", "unwanted")
    return round(figures.number("bytes", "unwanted") / number) if number else 0


def _phases(figures: Figures) -> Sequence[Line]:
    numbers = {phase: figures.number("phase", phase) for phase in PHASES}
    highest, mean = max(numbers.values()), _mean(figures)
    return [
        Line(
            "after DATA" if phase == "DATA" else phase,
            number,
            _length(number, highest),
            "nothing" if phase == "DATA" or not mean else words.size(number * mean),
        )
        for phase, number in numbers.items()
    ]


def _lines(figures: Figures, kind: str) -> Sequence[Line]:
    most = figures.most(kind, _MOST)
    return [Line(name, number, _length(number, most[0][1])) for name, number in most]


def _length(number: int, highest: int) -> float:
    return round(100 * number / highest, 1) if highest else 0.0


def _halves(rows: Sequence[Row]) -> Sequence[Sequence[Row]]:
    half = ceil(len(rows) / 2)
    return [part for part in (rows[:half], rows[half:]) if part]
