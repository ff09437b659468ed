"""
Sums of what was sent, over a sliding window.

A window moves on by a sixth of its length at a time, and of each sixth only sums are kept. So what
is remembered has the same size however much was sent. L{mailgate.edge.windows}, which keeps the
time of each event, is for the small numbers of what connections may do.

Different recipients are counted in a row of bits in which each has its place (linear counting:
Whang, Vander-Zanden and Taylor, 1990), which is right to within some hundredths.
"""

from __future__ import annotations

from itertools import accumulate
from math import log

from attrs import define, field

from mailgate.knowledge.excess import MINUTE, Amount

STEPS = 6
"""In how many steps a window moves on by its own length."""

BITS = 4096
"""Places for different recipients. Up to 10,000 are told to within 0.05."""

FIELDS = {
    Amount.MESSAGES: "messages",
    Amount.RECIPIENTS: "recipients",
    Amount.BYTES: "bytes",
    Amount.SUBJECT: "messages",
}
"""What has the sum of an amount."""


def step_of(now: float, minutes: int) -> int:
    """
    Number the step of a window of so many minutes in which a time lies.
    """
    return int(now * STEPS / (minutes * MINUTE))


def end_of(step: int, minutes: int) -> float:
    """
    Tell when a step is no part of the window any more, in seconds since the epoch.
    """
    return (step + STEPS) * minutes * MINUTE / STEPS


def distinct(places: int) -> int:
    """
    Tell how many different ones have about as many places.
    """
    free = BITS - places.bit_count()
    return round(BITS * log(BITS / max(free, 0.5)))


@define
class Sent:
    """
    What was sent in one step of a window.
    """

    step: int
    messages: int = 0
    recipients: int = 0
    bytes: int = 0
    places: int = 0
    """The bits of the recipients."""


@define
class Window:
    """
    What was sent in the steps of a window, and together.
    """

    sent: list[Sent] = field(factory=list)
    messages: int = 0
    recipients: int = 0
    bytes: int = 0

    def add(self, step: int, recipients: int, size: int) -> Sent:
        """
        Add a message, and give all that was sent in its step.

        @param step: as L{step_of} gives it.
        @param recipients: how many it has.
        @param size: in bytes.
        """
        if not self.sent or self.sent[-1].step != step:
            self._move(step)
        latest = self.sent[-1]
        latest.messages += 1
        latest.recipients += recipients
        latest.bytes += size
        self.messages += 1
        self.recipients += recipients
        self.bytes += size
        return latest

    def number(self, amount: Amount) -> int:
        """
        Tell how much it is of something.
        """
        if amount is Amount.DISTINCT:
            places = 0
            for each in self.sent:
                places |= each.places
            return distinct(places)
        number: int = getattr(self, FIELDS[amount])
        return number

    def last(self, amount: Amount, limit: int) -> int:
        """
        Give the step without which, and without all before it, a limit would not be reached.
        """
        sent = self.sent
        if amount is Amount.DISTINCT:
            rows = accumulate((each.places for each in reversed(sent)), int.__or__)
            since = [distinct(row) for row in rows]
        else:
            since = list(accumulate(getattr(each, FIELDS[amount]) for each in reversed(sent)))
        # From the latest step back, how much there is from each step on.
        steps = zip(reversed(sent), since, strict=True)
        return next((each.step for each, number in steps if number >= limit), sent[0].step)

    def _move(self, step: int) -> None:
        """
        Begin a step. Where the clock was put back the latest one goes on, unless that was by more
        than a window.
        """
        sent = self.sent
        if sent and sent[-1].step > step + STEPS:
            sent.clear()
        if not sent or sent[-1].step < step:
            sent[:] = [*(each for each in sent if each.step > step - STEPS), Sent(step)]
            self.messages = sum(each.messages for each in sent)
            self.recipients = sum(each.recipients for each in sent)
            self.bytes = sum(each.bytes for each in sent)
