"""
Who has sent too much, as the checks know it: a few names out of all that the hub counts.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from attrs import frozen

from mailgate.config.checks import RateOf
from mailgate.wire.network import client_names
from mailgate.wire.normal import normal_domain

if TYPE_CHECKING:
    from mailgate.message.envelope import Session

MOST = 20_000
"""How many are remembered: whoever was found first is forgotten first."""

MINUTE = 60.0
_KINDS = (RateOf.ADDRESS, RateOf.NETWORK)


class Amount(StrEnum):
    """
    What is counted.
    """

    MESSAGES = "messages"
    RECIPIENTS = "recipients"
    DISTINCT = "distinct recipients"
    BYTES = "bytes"
    SUBJECT = "messages with the same subject"


Key = tuple[RateOf, str]
"""Of whom it is counted."""


def keys_of(session: Session, client: str, domain: str) -> Sequence[Key]:
    """
    Name by what a message is counted: by the account of who has logged in, else, where strangers
    are let in, by client and sender.

    The address of an IPv6 client is all of its /64 network, since whoever has one there has all.

    @param client: the IP address of who sends it.
    @param domain: that of the envelope sender, or C{""}.
    """
    if session.account:
        return ((RateOf.ACCOUNT, session.account),)
    if not session.is_stranger:
        return ()
    names = client_names(client)
    keys = list(zip(_KINDS, names, strict=False))
    if domain:
        keys.append((RateOf.DOMAIN, normal_domain(domain)))
    return keys


@frozen
class Excess:
    """
    That somebody has sent as much as may be.
    """

    of: RateOf
    key: str
    amount: Amount
    number: int
    """How much it was when it was found."""

    limit: int
    minutes: int
    until: float
    """When it is less again if nothing more is sent, in seconds since the epoch."""

    subject: str = ""
    """That of which there are too many, as L{mailgate.knowledge.rates.digest_of} gives it."""

    def holds(self, now: float) -> bool:
        """
        Tell whether it still counts. It lasts no longer than the window, also where the clock was
        put back.
        """
        return 0 < self.until - now <= self.minutes * MINUTE


class Excesses:
    """
    Those that are known, by whom they are of.
    """

    def __init__(self, excesses: Iterable[Excess] = (), most: int = MOST) -> None:
        self._most = most
        self._known: OrderedDict[tuple[RateOf, str, str], dict[Amount, Excess]] = OrderedDict()
        self._subjects: Counter[Key] = Counter()
        for excess in excesses:
            self.add(excess)

    def __iter__(self) -> Iterator[Excess]:
        """
        Give all of them.
        """
        return (excess for each in self._known.values() for excess in each.values())

    def __len__(self) -> int:
        """
        Count those who have sent too much of anything.
        """
        return len(self._known)

    def add(self, excess: Excess) -> None:
        """
        Take note of one; it takes the place of what was known before.
        """
        key = excess.of, excess.key, excess.subject
        if key not in self._known:
            self._known[key] = {}
            if excess.subject:
                self._subjects[key[:2]] += 1
        self._known[key][excess.amount] = excess
        self._known.move_to_end(key)
        if len(self._known) > self._most:
            self._forget(next(iter(self._known)))

    def find(self, key: Key, now: float, subject: str = "") -> Sequence[Excess]:
        """
        Give what somebody has sent too much of.
        """
        known = self._known.get((*key, subject))
        if known is None:
            return ()
        found = [excess for excess in known.values() if excess.holds(now)]
        if not found:
            self._forget((*key, subject))
        return found

    def has_subject(self, key: Key) -> bool:
        """
        Tell whether somebody has sent any subject too often.
        """
        return key in self._subjects

    def keep(self, kept: Iterable[Excess]) -> None:
        """
        Forget all but these.
        """
        kept = list(kept)
        self._known.clear()
        self._subjects.clear()
        for excess in kept:
            self.add(excess)

    def _forget(self, key: tuple[RateOf, str, str]) -> None:
        del self._known[key]
        of, name, subject = key
        if subject:
            self._subjects[of, name] -= 1
            if not self._subjects[of, name]:
                del self._subjects[of, name]
