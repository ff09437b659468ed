"""
Lists in the DNS: what each of them says, and whether it can be believed at the moment.

The hub tests them (L{mailgate.hub.dnslists}) and tells all workers how they are; a worker that
sees that one is not to be believed stops asking it at once, and tells the hub.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address

from attrs import define, evolve, field, frozen

from mailgate.config.checks import CheckMode, DnsList, DnsListOf, DnsListsCheck
from mailgate.config.values import parse_list_code
from mailgate.wire.dns.answer import Answer, Nothing, Trouble, Unknown

IpAddress = IPv4Address | IPv6Address

FAILURES = 5
"""Names without an answer, one after another, after which a list is switched off."""

UNTESTED = "it is not tested yet"

_ERRORS = (127, 255, 255)
_REFUSAL = IPv4Address("127.0.0.1")
_LISTED: IpAddress = ip_address("127.0.0.2")
_NOT_LISTED: IpAddress = ip_address("127.0.0.1")
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
    words: str = ""
    score: float = 0.0
    link_score: float | None = None
    """For the host of a link, where that is another one."""

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


@frozen
class ListState:
    """
    How a list is: what the hub tells the workers of it, and they the hub.
    """

    name: str
    points: tuple[str, ...]
    """What is looked up to test it: by turns what it must have and what it must not have. A list of
    the same name with others is another one."""

    trouble: ListTrouble | None = ListTrouble.UNTESTED
    """Why it is not asked, or C{None} where it is."""

    reason: str = UNTESTED
    """The same in words."""


@define(eq=False)
class ListInDns:
    """
    A list, and how it is.
    """

    name: str
    zone: str
    of: DnsListOf
    has_ipv6: bool
    has_linked_addresses: bool
    page: str
    codes: tuple[Code, ...]
    refusals: tuple[Code, ...]
    state: ListState
    unanswered: set[str] = field(factory=set)
    """The names that it has not answered since it last has."""

    @classmethod
    def of_section(cls, name: str, section: DnsList) -> ListInDns:
        """
        Make the list of a table of the configuration.
        """
        return cls(
            name,
            section.zone.lower(),
            section.of,
            section.ipv6,
            section.linked_addresses,
            section.page,
            tuple(
                Code(pattern, parse_list_code(pattern), code.words, code.score, code.link_score)
                for pattern, code in section.codes.items()
            ),
            tuple(Code(pattern, parse_list_code(pattern)) for pattern in section.refusals),
            ListState(name, _points(section)),
        )

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
            if (
                octets[:3] == _ERRORS
                or value == _REFUSAL
                or any(code.fits(value) for code in self.refusals)
            ):
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
    Give the octets or nibbles of an address as labels, the last one first (RFC 5782 sections 2.1
    and 2.4).
    """
    if address.version == 4:
        return ".".join(map(str, reversed(address.packed)))
    return ".".join(reversed(address.packed.hex()))


@define(eq=False)
class DnsLists:
    """
    All lists, as one worker knows them.
    """

    lists: tuple[ListInDns, ...] = ()
    _failed: Callable[[ListState], None] = field(default=lambda state: None)

    @classmethod
    def of_check(
        cls, section: DnsListsCheck, failed: Callable[[ListState], None] = lambda state: None
    ) -> DnsLists:
        """
        Make those that a check asks: none where it is off.

        @param failed: told of a list that is not to be believed any more.
        """
        return cls.of_sections({} if section.mode is CheckMode.OFF else section.lists, failed)

    @classmethod
    def of_sections(
        cls,
        sections: Mapping[str, DnsList],
        failed: Callable[[ListState], None] = lambda state: None,
    ) -> DnsLists:
        """
        Make the lists of the configuration. None is asked before it is known to work.

        @param failed: told of a list that is not to be believed any more.
        """
        lists = tuple(ListInDns.of_section(name, each) for name, each in sections.items())
        return cls(lists, failed)

    def take_up(self, states: Iterable[ListState]) -> tuple[ListInDns, ...]:
        """
        Take up how the lists are.

        @return: those that work again, of which something wrong may be remembered.
        """
        told = {(state.name, state.points): state for state in states}
        again = []
        for one in self.lists:
            old = one.state
            state = told.get((old.name, old.points), old)
            if state == old:
                continue
            one.state = state
            one.unanswered.clear()
            if state.trouble is None and old.trouble is not ListTrouble.UNTESTED:
                again.append(one)
        return tuple(again)

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
                self._switch_off(one, meaning.trouble, silence(meaning.reason))
        else:
            self._switch_off(one, meaning.trouble, meaning.reason)

    def _switch_off(self, one: ListInDns, trouble: ListTrouble, reason: str) -> None:
        one.unanswered.clear()
        # What was asked before it was switched off may be answered after it.
        if one.state.trouble is None:
            one.state = evolve(one.state, trouble=trouble, reason=reason)
            self._failed(one.state)


def silence(reason: str) -> str:
    """
    Say that a list does not answer.
    """
    return f"it does not answer: {reason}"


def _points(section: DnsList) -> tuple[str, ...]:
    """
    Name what a list must have and what it must not have (RFC 5782 section 5).
    """
    zone = section.zone.lower()
    if section.of is not DnsListOf.ADDRESSES:
        return f"{(section.test_entry or 'test').lower()}.{zone}", f"invalid.{zone}"
    addresses = [_LISTED, _NOT_LISTED]
    if section.ipv6:
        addresses += [_LISTED_6, _NOT_LISTED_6]
    return tuple(f"{reversed_address(each)}.{zone}" for each in addresses)
