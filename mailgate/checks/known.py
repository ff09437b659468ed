"""
What the checks are given that is known here and no setting.
"""

from __future__ import annotations

from attrs import field, frozen

from mailgate.classify.classifier import Classifier
from mailgate.interfaces import IHub, IResolvers, IThreads
from mailgate.knowledge.contacts import Contacts
from mailgate.knowledge.dnslists import DnsLists
from mailgate.knowledge.excess import Excesses
from mailgate.knowledge.geo import Geo
from mailgate.knowledge.lists import Lists
from mailgate.knowledge.penalty import Penalties
from mailgate.knowledge.standing import Standings
from mailgate.knowledge.traps import TrappedClients, Traps
from mailgate.net.dns.nowhere import Nowhere


@frozen(eq=False)
class Known:
    """
    What is known; by default nothing is.
    """

    lists: Lists = field(factory=Lists)
    """What people allow and block."""

    classifier: Classifier = field(factory=Classifier)
    """What was learned of spam and ham."""

    resolvers: IResolvers = field(factory=Nowhere)
    """Where each run of a check gets what it asks the DNS with."""

    threads: IThreads | None = None
    """Where long work is done; where there are none it is done at once."""

    dns_lists: DnsLists = field(factory=DnsLists)
    """The lists in the DNS, and how they are."""

    excesses: Excesses = field(factory=Excesses)
    """Who has sent too much."""

    penalties: Penalties = field(factory=Penalties)
    """Who is in the penalty box."""
    traps: Traps = field(factory=Traps)
    """The addresses that were made traps."""

    geo: Geo = field(factory=Geo)
    """Where addresses are."""

    trapped: TrappedClients = field(factory=TrappedClients)
    """Who has written to a trap lately."""

    hub: IHub | None = None
    """Who remembers those that have come before; C{None} where nobody does, as for stored mail."""

    contacts: Contacts | None = None
    """What is known of correspondents; C{None} as above."""

    standings: Standings | None = None
    """What is known of senders; C{None} as above."""
