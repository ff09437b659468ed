"""
Recipients in a directory: LDAP, or Active Directory.

An entry that the filter finds is somebody who exists. Whose it is says the first of its attributes
that has an address: C{mail}, or the primary one (C{SMTP:} in capitals) of C{proxyAddresses}. Of
these two the first address counts, as they are a person's; of any other attribute all do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from twisted.internet.defer import Deferred

from mailgate.config.queries import filled
from mailgate.config.recipients import LdapSource
from mailgate.knowledge.recipient_asking import Found, SourceFailed
from mailgate.net.ldap import Directory, DirectoryFailed, Entry
from mailgate.wire.address import Address
from mailgate.wire.virtual import TARGETS, parse_address

_PRIMARY = "SMTP:"
_PERSONS = ("mail", "proxyaddresses")


class LdapRecipients:
    """
    Looks addresses up in a directory.
    """

    def __init__(self, source: LdapSource, directory: Directory) -> None:
        self._source = source
        self._directory = directory

    def look(self, address: Address) -> Deferred[Found]:
        """
        Look an address up.

        @raise SourceFailed: it is not possible.
        """
        return Deferred.fromCoroutine(self._look(address))

    async def _look(self, address: Address) -> Found:
        source = self._source
        text = f"{address.local}@{address.domain}"
        values = {"address": text, "local": address.local, "domain": address.domain}
        try:
            entries = await self._directory.search(
                source.base, filled(source.filter, values), source.attributes, TARGETS
            )
        except DirectoryFailed as error:
            raise SourceFailed(str(error)) from error
        if not entries:
            return None
        found = [each for entry in entries for each in _addresses(entry, source.attributes)]
        return tuple(dict.fromkeys(found))


def _addresses(entry: Entry, attributes: Sequence[str]) -> Sequence[Address]:
    for name in attributes:
        found = list(_values(entry.get(name.lower(), ())))
        if found:
            return found[:1] if name.lower() in _PERSONS else found[:TARGETS]
    return ()


def _values(values: Sequence[bytes]) -> Iterator[Address]:
    """
    Give the addresses among the values of an attribute, without those of other kinds of mail and
    those that are but further ones of the same person.
    """
    for value in values:
        text = value.decode("utf-8", "replace").strip()
        kind, colon, rest = text.partition(":")
        if colon and "@" not in kind:
            if text[: len(_PRIMARY)] != _PRIMARY:
                continue
            text = rest
        try:
            yield parse_address(text)
        except ValueError:
            # Directories hold all sorts of things; the entry exists all the same.
            continue
