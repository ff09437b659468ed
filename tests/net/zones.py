"""
A DNS in memory: what each name has is a table.

C{{"example.com": {"A": ["192.0.2.1"], "MX": [(10, "mx.example.com")], "TXT": ["v=spf1 -all"]}}}.

Instead of the values there may be a L{Trouble}, for one type or for the whole name. C{"CNAME"} has
the name that an alias stands for. A name that begins with C{*.} stands for those below it that
have no entry. What has no entry, nor any below it, does not exist.
"""

from ipaddress import IPv4Address, IPv6Address

from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailgate.interfaces import IResolver, IResolvers
from mailgate.wire.dns.answer import (
    NODATA,
    NXDOMAIN,
    MailExchange,
    Records,
    Trouble,
    Unknown,
)
from mailgate.wire.dns.name import NoName, pack_name, unpack_name

MAKE = {
    "A": IPv4Address,
    "AAAA": IPv6Address,
    "MX": lambda value: MailExchange(value[0], _name(value[1])),
    "NS": lambda value: _name(value),
    "PTR": lambda value: _name(value),
    "TXT": lambda value: value.encode() if isinstance(value, str) else value,
}
"""What makes the value of a record from what stands in the table."""

ALIASES = 8


def _name(text):
    return unpack_name(pack_name(text))


@implementer(IResolver, IResolvers)
class Zones:
    """
    A resolver that knows a table, and nothing else. It has a budget only where C{queries} is given.
    """

    def __init__(self, table=(), is_later=False):
        """
        @param is_later: answer with Deferreds, which fire when L{go_on} is called.
        """
        self.table = {_name(name): entry for name, entry in dict(table).items()}
        self.is_later = is_later
        self.asked = []
        """Every look-up: the name and the name of the type."""

        self.waiting = []
        """Deferreds that have not fired, each with its answer."""

        self.checks = []
        """What each resolver was asked for: the name of the check, its seconds and queries."""

    def for_check(self, check, seconds, queries=None):
        """
        Give a resolver for one run of a check.
        """
        self.checks.append((check, seconds, queries))
        return self if queries is None else _Bounded(self, queries)

    def look_up(self, name, type):
        """
        Give what the table says.
        """
        self.asked.append((name, type.name))
        answer = self._answer(name, type.name, ALIASES)
        if not self.is_later:
            return answer
        waiting = Deferred(lambda cancelled: self._forget(cancelled))
        self.waiting.append((waiting, answer))
        return waiting

    def go_on(self):
        """
        Answer all that waits, also what is asked meanwhile.
        """
        while self.waiting:
            deferred, answer = self.waiting.pop(0)
            deferred.callback(answer)

    def _forget(self, cancelled):
        self.waiting = [each for each in self.waiting if each[0] is not cancelled]

    def _answer(self, name, type, aliases):
        try:
            name = _name(name)
        except NoName:
            return NXDOMAIN
        entry = self._entry(name)
        if entry is None:
            return NXDOMAIN
        if isinstance(entry, Trouble):
            return Unknown(entry, f"it is a test of {entry}")
        found = entry.get(type)
        if isinstance(found, Trouble):
            return Unknown(found, f"it is a test of {found}")
        if found:
            return Records(tuple(map(MAKE[type], found)))
        if "CNAME" in entry:
            if not aliases:
                return Unknown(Trouble.GARBAGE, "the aliases go round in a circle")
            return self._answer(entry["CNAME"], type, aliases - 1)
        return NODATA

    def _entry(self, name):
        if name in self.table:
            return self.table[name]
        if any(known.endswith("." + name) for known in self.table):
            return {}
        while name:
            name = name.partition(".")[2]
            if f"*.{name}" in self.table:
                return self.table[f"*.{name}"]
        return None


@implementer(IResolver)
class _Bounded:
    """
    A resolver that may ask so many times only.
    """

    def __init__(self, zones, queries):
        self._zones = zones
        self._left = queries

    def look_up(self, name, type):
        """
        Give what the table says, as long as there is something left.
        """
        if not self._left:
            return Unknown(Trouble.BUDGET, "the check has asked too much")
        self._left -= 1
        return self._zones.look_up(name, type)
