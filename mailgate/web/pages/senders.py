"""
What can be allowed or blocked of a message, and for whom.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import frozen

from mailgate.knowledge.entry import (
    EntryKind,
    EntryRefused,
    ListName,
    make_entry,
)
from mailgate.message.header import Headers
from mailgate.message.mailbox import list_id, mailboxes
from mailgate.wire.address import Address
from mailgate.wire.normal import normal_address, normal_domain

_LIST_IDS = 3


@frozen
class Choice:
    """
    One thing to choose, as the form calls it and as people read it.
    """

    key: str
    word: str
    """What it is, for people; a stranger's words stand in C{value} alone."""

    value: str
    kind: EntryKind | None = None


def things(headers: Headers, sender: Address) -> Sequence[Choice]:
    """
    Give what of a message can be allowed or blocked, the address first.

    It is the address in From where that names one alone, for only then an allow entry counts; else
    the envelope sender. What no entry can name is left out.
    """
    authors = {
        normal_address(address)
        for value in headers.values("From")
        for address in mailboxes(value, 2)
    }
    address = authors.pop() if len(authors) == 1 else normal_address(sender)
    found = []
    if address:
        domain = address.rpartition("@")[2]
        found = [
            Choice("address", "the address", address, EntryKind.ADDRESS),
            Choice("domain", "everybody at this domain", domain, EntryKind.DOMAIN),
        ]
    found += [
        Choice(f"list-{number}", "the mailing list", name, EntryKind.LIST_ID)
        for number, name in enumerate(map(list_id, headers.values("List-Id")[:_LIST_IDS]))
    ]
    return [choice for choice in found if _can_be_named(choice.value, choice.kind)]


def scopes(recipient: Address) -> Sequence[Choice]:
    """
    Give for whose mail it can be, the narrowest first.
    """
    person = recipient.person
    return (
        Choice("recipient", "", normal_address(person)),
        Choice("domain", "everybody at ", normal_domain(person.host)),
        Choice("all", "everybody", ""),
    )


def chosen(choices: Iterable[Choice], key: str) -> Choice | None:
    """
    Give the choice of that key.
    """
    return next((choice for choice in choices if choice.key == key), None)


def _can_be_named(value: str, kind: EntryKind | None) -> bool:
    try:
        make_entry(ListName.ALLOW, value, by="", kind=kind)
    except EntryRefused:
        return False
    return True
