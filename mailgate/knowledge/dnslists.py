"""
Lists in the DNS: what each of them says, and whether it can be believed at the moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mailgate.config.checks import DnsList, DnsListOf
from mailgate.config.values import parse_list_code
from mailgate.interfaces import IResolver
from mailgate.wire.dns.answer import A, Answer, Nothing, Records, Trouble, Unknown

IpAddress = IPv4Address | IPv6Address

FAILURES = 5
"""Names without an answer, one after another, after which a list is switched off."""

AGAIN_SECONDS = 300.0
"""How long a list that fails is left alone before it is tested again."""

UNTESTED = "it is not tested yet"

_HOUR = 3600.0
_ERRORS = (127, 255, 255)
_REFUSAL = IPv4Address("127.0.0.1")
_LISTED = ip_address("127.0.0.2")
_NOT_LISTED = ip_address("127.0.0.1")
_LISTED_6 = ip_address("::ffff:7f00:2")
_NOT_LISTED_6 = ip_address("::ffff:7f00:1")
# That there is no answer says something of the list only where it was asked.
_OF_LIST = frozenset({Trouble.TIMEOUT, Trouble.SERVFAIL, Trouble.REFUSED, Trouble.GARBAGE})


class ListTrouble(StrEnum):
    """
    Why a list is not believed.
    """

    UNTESTED = "untested"
    SILENT = "silent"
    """It does not answer."""

    REFUSED = "refused"
    """It says that it does not want to answer us."""

    HIJACKED = "hijacked"
    """Somebody else answers in its place."""

    SELF_TEST = "self-test"
    """It lists what no list has, or does not list what each has (RFC 5782 section 5)."""


@frozen
class Code:
    """
    What one answer of a list means.
    """

    pattern: str
    octets: tuple[frozenset[int], ...]
    words: str
    score: float

    def fits(self, answer: IPv4Address) -> bool:
        """
        Tell whether an answer is this one.
        """
        return all(map(frozenset.__contains__, self.octets, answer.packed))


@frozen
class Meaning:
    """
    What the answer to one look-up means.
    """

    codes: tuple[tuple[Code, IPv4Address], ...] = ()
    """Those of the configuration that it has, each once."""

    trouble: ListTrouble | None = None
    reason: str = ""
    """What is wrong, in words."""


NOT_LISTED = Meaning()


@define(eq=False)
class ListInDns:
    """
    A list, and how it is.
    """

    name: str
    zone: str
    of: DnsListOf
    has_ipv6: bool
    page: str
    codes: tuple[Code, ...]
    trouble: ListTrouble | None = ListTrouble.UNTESTED
    """Why it is switched off, or C{None} where it is asked."""

    reason: str = UNTESTED
    unanswered: set[str] = field(factory=set)
    """The names that it has not answered since it last has."""

    due: float = 0.0
    """When it is tested next, by the clock."""

    @classmethod
    def of_section(cls, name: str, section: DnsList) -> ListInDns:
        """
        Make the list of a table of the configuration.
        """
        codes = tuple(
            Code(pattern, parse_list_code(pattern), code.words, code.score)
            for pattern, code in section.codes.items()
        )
        return cls(name, section.zone, section.of, section.ipv6, section.page, codes)

    def name_of(self, address: IpAddress) -> str:
        """
        Give the name that is looked up for an address (RFC 5782 sections 2.1 and 2.4).
        """
        return f"{reversed_address(address)}.{self.zone}"

    def read(self, answer: Answer[IPv4Address]) -> Meaning:
        """
        Say what an answer means.
        """
        if isinstance(answer, Nothing):
            return NOT_LISTED
        if isinstance(answer, Unknown):
            trouble = ListTrouble.SILENT if answer.trouble in _OF_LIST else None
            return Meaning((), trouble, answer.reason)
        for value in answer.values:
            octets = tuple(value.packed)
            if octets[0] != 127:
                return Meaning((), ListTrouble.HIJACKED, f"{value} is not an answer of a list")
            if octets[:3] == _ERRORS or value == _REFUSAL:
                return Meaning((), ListTrouble.REFUSED, f"it refuses to answer: {value}")
        return Meaning(
            tuple(
                (code, value)
                for code in self.codes
                for value in sorted(answer.values)
                if code.fits(value)
            )
        )


def reversed_address(address: IpAddress) -> str:
    """
    Give the octets or nibbles of an address as labels, the last one first.
    """
    if address.version == 4:
        return ".".join(map(str, reversed(address.packed)))
    return ".".join(reversed(address.packed.hex()))


@define(eq=False)
class DnsLists:
    """
    All lists, of one process.
    """

    log = Logger()

    lists: tuple[ListInDns, ...] = ()
    _test_hours: float = 4.0
    _clock: Callable[[], float] = field(default=lambda: 0.0)

    @classmethod
    def of_sections(
        cls, sections: Mapping[str, DnsList], test_hours: float, clock: Callable[[], float]
    ) -> DnsLists:
        """
        Make the lists of the configuration. None is asked before it has passed its test.

        @param clock: gives seconds that only rise.
        """
        lists = tuple(ListInDns.of_section(name, each) for name, each in sections.items())
        return cls(lists, test_hours, clock)

    def note(self, one: ListInDns, name: str, meaning: Meaning) -> None:
        """
        Take in what the answer to a look-up says of the list itself: one that refuses, or in whose
        place somebody else answers, is switched off at once, a silent one after five names without
        an answer.
        """
        if meaning.trouble is None:
            if not meaning.reason:
                one.unanswered.clear()
        elif meaning.trouble is ListTrouble.SILENT:
            one.unanswered.add(name)
            if len(one.unanswered) >= FAILURES:
                self._switch_off(one, meaning.trouble, f"it does not answer: {meaning.reason}")
        else:
            self._switch_off(one, meaning.trouble, meaning.reason)

    async def test(self, resolver: IResolver) -> None:
        """
        Test each list whose time it is (RFC 5782 section 5), all at the same time.
        """
        now = self._clock()
        due = [one for one in self.lists if one.due <= now]
        asked = [[resolver.look_up(name, A) for name in _points(one)] for one in due]
        for one, points in zip(due, asked, strict=True):
            answers = [await each if isinstance(each, Deferred) else each for each in points]
            self._judge(one, answers)

    def _judge(self, one: ListInDns, answers: Sequence[Answer[IPv4Address]]) -> None:
        for number, answer in enumerate(answers):
            meaning = one.read(answer)
            if isinstance(answer, Unknown) and meaning.trouble is None:
                # Nobody was asked, so nothing is known of the list.
                one.due = self._clock() + AGAIN_SECONDS / 5
                return
            if meaning.trouble is not None:
                self._switch_off(one, meaning.trouble, meaning.reason)
                return
            is_listed = isinstance(answer, Records)
            if is_listed == bool(number % 2):
                point = _points(one)[number].removesuffix(f".{one.zone}")
                words = "lists everything" if is_listed else "does not list its test entry"
                self._switch_off(one, ListTrouble.SELF_TEST, f"it {words}: {point}")
                return
        one.unanswered.clear()
        one.due = self._clock() + self._test_hours * _HOUR
        if one.trouble not in (None, ListTrouble.UNTESTED):
            self.log.info("{event} {list} works again", event="dnslist.on", list=one.name)
        one.trouble, one.reason = None, ""

    def _switch_off(self, one: ListInDns, trouble: ListTrouble, reason: str) -> None:
        one.due = self._clock() + AGAIN_SECONDS
        if one.trouble is not trouble:
            self.log.error(
                "{event} {list} is not asked any more: {reason}",
                event="dnslist.off",
                list=one.name,
                trouble=trouble.value,
                reason=reason,
            )
        one.trouble, one.reason = trouble, reason
        one.unanswered.clear()


def _points(one: ListInDns) -> tuple[str, ...]:
    """
    Name what a list must have and what it must not have, by turns.
    """
    if one.of is DnsListOf.DOMAINS:
        return f"test.{one.zone}", f"invalid.{one.zone}"
    points = [one.name_of(_LISTED), one.name_of(_NOT_LISTED)]
    if one.has_ipv6:
        points += [one.name_of(_LISTED_6), one.name_of(_NOT_LISTED_6)]
    return tuple(points)
