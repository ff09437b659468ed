"""
How much everybody sends: what the hub counts of the transactions that end.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

from attrs import define, field, frozen
from twisted.logger import Logger

from mailgate.config.checks import CheckMode, Checks, RateOf, RatesCheck
from mailgate.config.values import parse_network
from mailgate.knowledge.excess import Amount, Excess, Excesses, Key, keys_of
from mailgate.knowledge.sums import BITS, Window, end_of, step_of
from mailgate.wire.network import has_client

if TYPE_CHECKING:
    from mailgate.message.record import Record

KEYS = 10_000
"""How many of each kind are remembered; whoever has sent nothing for longest is forgotten first.
Addresses, networks, domains and accounts do not push out each other."""

SUBJECTS = 8
"""How many subjects of each are remembered, so that nobody pushes out those of others."""

_ANSWER = re.compile(
    r"\s*(?:\[[^\]]{1,40}\]\s*|(?:re|aw|fwd?|wg|sv|antw|tr|rv|r|i)(?:\[\d+\])?:)", re.I
)
_DIGIT = re.compile(r"\d")
_SUBJECT_LIMIT = 500
_OPTIONS = {
    Amount.MESSAGES: "messages",
    Amount.RECIPIENTS: "recipients",
    Amount.DISTINCT: "distinct",
    Amount.BYTES: "bytes",
}
"""How the option of a limit ends."""


def digest_of(subject: str) -> str:
    """
    Give what two subjects share that differ only in what is new in each message: in words with a
    digit, in what stands before answers, in capitals and spaces. C{""} where nothing is left.
    """
    text = subject[:_SUBJECT_LIMIT]
    while (prefix := _ANSWER.match(text)) is not None:
        text = text[prefix.end() :]
    words = text.casefold().split()
    text = " ".join(
        [word if word.isalpha() or _DIGIT.search(word) is None else "#" for word in words]
    )
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest() if text else ""


@define
class _Known:
    """
    What is remembered of one.
    """

    window: Window = field(factory=Window)
    subjects: OrderedDict[str, Window] | None = None


@frozen
class _Kind:
    """
    What is counted of one kind, and where.
    """

    known: OrderedDict[str, _Known]
    limits: tuple[tuple[Amount, int], ...]
    tells_apart: bool
    """Whether different recipients are counted."""

    subjects: int
    """From how many messages with one subject on it is too often; 0 is never."""


class Rates:
    """
    Counts, and tells of whoever has reached a limit.
    """

    log = Logger()

    def __init__(
        self,
        now: Callable[[], float],
        checks: Checks,
        relays: Sequence[str] = (),
        exceeded: Callable[[RateOf, Amount], None] = lambda of, amount: None,
        keys: int = KEYS,
        place: Callable[[str], int] = hash,
    ) -> None:
        """
        @param now: the time in seconds since the epoch. It may jump: nobody is held up longer for
            it than by a window.
        @param relays: the networks of our relays: what they bring is not theirs.
        @param exceeded: called when somebody reaches a limit.
        @param keys: how many of each kind are remembered.
        @param place: gives numbers that nobody can foresee, the same one for the same text.
        """
        self._place = place
        self._now = now
        self._exceeded = exceeded
        self._keys = keys
        self._known: dict[RateOf, OrderedDict[str, _Known]] = {of: OrderedDict() for of in RateOf}
        self.excesses = Excesses()
        """What counts, for the checks."""

        self.changed: Callable[[Excess], None] = lambda excess: None
        """Called with each new one."""

        self._set(checks, relays)

    def __len__(self) -> int:
        """
        Count those of whom something is remembered.
        """
        return sum(map(len, self._known.values()))

    def take_up(self, checks: Checks, relays: Sequence[str]) -> None:
        """
        Take up other limits; what was counted stays, unless it was by another window.
        """
        before = self._checks
        self._set(checks, relays)
        for known in self._known.values():
            if checks.rates.window_minutes != before.rates.window_minutes:
                known.clear()
            elif checks.subjects.window_minutes != before.subjects.window_minutes:
                for each in known.values():
                    each.subjects = None
        self.excesses.keep(excesses_under(self.excesses, checks))

    def count(self, record: Record) -> None:
        """
        Count a message that has come to its end, unless its sender is to come again with it; and
        of its recipients those who were not refused.
        """
        if record.size is None or not self._kinds:
            return
        recipients = [copy.recipient for copy in record.copies if not copy.was_kept_out]
        if not recipients and record.reply[:1] != "5":
            return
        keys = [key for key in self._keys_of(record) if key[0] in self._kinds]
        if not keys:
            return
        now, rates, subjects = self._now(), self._checks.rates, self._checks.subjects
        step = step_of(now, rates.window_minutes)
        subject = digest_of(record.subject) if subjects.mode is not CheckMode.OFF else ""
        for key in keys:
            kind = self._kinds[key[0]]
            known = self._touch(kind.known, key[1])
            if kind.limits:
                window = known.window
                latest = window.add(step, len(recipients), record.size)
                if kind.tells_apart:
                    for recipient in recipients:
                        latest.places |= 1 << self._place(recipient.lower()) % BITS
                for amount, limit in kind.limits:
                    self._compare(key, window, amount, limit, rates.window_minutes, now)
            if subject and kind.subjects:
                minutes = subjects.window_minutes
                window = _of_subject(known, subject)
                window.add(step_of(now, minutes), 0, 0)
                self._compare(key, window, Amount.SUBJECT, kind.subjects, minutes, now, subject)

    # -- inside -----------------------------------------------------------------------

    def _set(self, checks: Checks, relays: Sequence[str]) -> None:
        rates, subjects = checks.rates, checks.subjects
        self._checks = checks
        self._kinds: dict[RateOf, _Kind] = {}
        for of in RateOf:
            limits = {} if rates.mode is CheckMode.OFF else _limits(rates, of)
            most = 0 if subjects.mode is CheckMode.OFF else getattr(subjects, of)
            if limits or most:
                self._kinds[of] = _Kind(
                    self._known[of], tuple(limits.items()), Amount.DISTINCT in limits, most
                )
        self._exempt_accounts = frozenset(rates.exempt_accounts)
        self._is_exempt = has_client(tuple(map(parse_network, rates.exempt_networks)))
        self._is_relay = has_client(tuple(map(parse_network, relays)))

    def _keys_of(self, record: Record) -> Sequence[Key]:
        session, client = record.session, record.origin or record.session.client
        if session.account:
            if session.account in self._exempt_accounts:
                return ()
        elif self._is_exempt(client) or (not record.origin and self._is_relay(client)):
            # Of what a relay brings without a name for the stranger nobody knows whose it is.
            return ()
        domain = (record.sender or "").rpartition("@")[2]
        return keys_of(session, client, domain)

    def _touch(self, table: OrderedDict[str, _Known], name: str) -> _Known:
        known = table.get(name)
        if known is None:
            known = table[name] = _Known()
            if len(table) > self._keys:
                table.popitem(last=False)
        else:
            table.move_to_end(name)
        return known

    def _compare(
        self,
        key: Key,
        window: Window,
        amount: Amount,
        limit: int,
        minutes: int,
        now: float,
        subject: str = "",
    ) -> None:
        """
        Tell of somebody who has reached a limit.
        """
        number = window.number(amount)
        if number >= limit:
            until = end_of(window.last(amount, limit), minutes)
            self._tell(Excess(*key, amount, number, limit, minutes, until, subject), now)

    def _tell(self, excess: Excess, now: float) -> None:
        before = {
            known.amount: known
            for known in self.excesses.find((excess.of, excess.key), now, excess.subject)
        }.get(excess.amount)
        if before is not None and before.until >= excess.until:
            return
        self.excesses.add(excess)
        self.changed(excess)
        if before is not None:
            return
        self._exceeded(excess.of, excess.amount)
        is_alarming = excess.of is RateOf.ACCOUNT and not excess.subject
        emit = self.log.warn if is_alarming else self.log.info
        emit(
            "{event} {of} {key}: {number} {amount} within {minutes} minutes, {limit} are the limit",
            event="rates.exceeded",
            of=excess.of.value,
            key=excess.key,
            amount=excess.amount.value,
            number=excess.number,
            limit=excess.limit,
            minutes=excess.minutes,
        )


def excesses_under(excesses: Excesses, checks: Checks) -> Sequence[Excess]:
    """
    Give those that are still some by other settings.
    """
    rates, subjects = checks.rates, checks.subjects
    is_exempt = has_client(tuple(map(parse_network, rates.exempt_networks)))

    def is_one(excess: Excess) -> bool:
        if excess.of is RateOf.ACCOUNT and excess.key in rates.exempt_accounts:
            return False
        if excess.of in (RateOf.ADDRESS, RateOf.NETWORK):
            if is_exempt(excess.key.partition("/")[0]):
                return False
        if excess.amount is Amount.SUBJECT:
            minutes, limit = subjects.window_minutes, getattr(subjects, excess.of)
        else:
            minutes = rates.window_minutes
            limit = _limits(rates, excess.of).get(excess.amount, 0)
        return minutes == excess.minutes and 0 < limit <= excess.number

    return [excess for excess in excesses if is_one(excess)]


def _limits(section: RatesCheck, of: RateOf) -> Mapping[Amount, int]:
    """
    Give the limits that there are for one kind.
    """
    return {
        amount: limit
        for amount, name in _OPTIONS.items()
        if (limit := getattr(section, f"{of.value}_{name}"))
    }


def _of_subject(known: _Known, subject: str) -> Window:
    if known.subjects is None:
        known.subjects = OrderedDict()
    subjects = known.subjects
    window = subjects.get(subject)
    if window is None:
        window = subjects[subject] = Window()
        if len(subjects) > SUBJECTS:
            subjects.popitem(last=False)
    else:
        subjects.move_to_end(subject)
    return window
