"""
Where a message leads, and what is done so that people do not see it.

That the text of a link differs from its target is no finding: every newsletter counts its clicks.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING

from attrs import frozen
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailgate.authentication.author import author_of
from mailgate.checks.cap import capped
from mailgate.checks.listed import ASKED_BEFORE, LINK, Listed
from mailgate.checks.vouching import vouched_domains, vouches_for_author
from mailgate.checks.words import listed, quote
from mailgate.classify.known import SHORTENERS
from mailgate.config.checks import LinksCheck as Section
from mailgate.config.model import Settings
from mailgate.finding import Finding
from mailgate.interfaces import ICheck, IResolvers, MaybeDeferred, Phase, Scope
from mailgate.knowledge.dnslists import DnsLists
from mailgate.message.host import clean_host, decoded_label, is_address
from mailgate.message.links import LIMIT, Place, Places, unsubscribe_links
from mailgate.message.urls import Link, are_related, organisation
from mailgate.wire.network import address_of

if TYPE_CHECKING:
    from mailgate.pipeline.view import View

HOSTS = 20
"""For how many hosts of a message the lists are asked."""

_AUTHORITY = re.compile(r"[^/\\?#:]*:?[/\\]*(?:([^/\\?#]*)@)?([^/\\?#]*)", re.DOTALL)
_PORT = re.compile(r":[0-9]*$")
_UNSEEN = re.compile(r"[\x00-\x20\x7f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\\]")
_LATIN = re.compile("[a-z\u00df-\u024f]", re.IGNORECASE)
_GREEK_OR_CYRILLIC = re.compile("[\u0370-\u052f]")


@implementer(ICheck)
@frozen
class LinksCheck:
    """
    Links to bare addresses, through shorteners, in disguise, and to one foreign host alone.
    """

    section: Section
    deadline: float

    listed: Listed
    resolvers: IResolvers

    name = "links"
    phase = Phase.BODY
    scope = Scope.TRANSACTION
    after = ("spf", "dkim", "dmarc")
    needs = ("fields", "places")
    symbols = frozenset(
        {
            "DNSBL_LINK",
            "DNSLIST_REFUSED",
            "DNSLIST_HIJACKED",
            "DNSLIST_UNKNOWN",
            "LINK_ADDRESS",
            "LINK_DISGUISED",
            "LINK_FOREIGN",
            "LINK_MANY",
            "LINK_MIXED_LETTERS",
            "LINK_SHORTENER",
            "LINK_USER",
        }
    )

    @classmethod
    def from_settings(
        cls, settings: Settings, lists: DnsLists, resolvers: IResolvers
    ) -> LinksCheck:
        """
        Make the check of a configuration.
        """
        section = settings.checks.links
        listed = Listed.from_settings(settings, lists)
        return cls(section, section.deadline, listed, resolvers)

    def check(self, view: View) -> MaybeDeferred[Sequence[Finding]]:
        """
        Give one finding of each kind, with the evidence.
        """
        places: Places = view.fact("places")
        if not places.places:
            return ()
        author = view.fact("fields").once(author_of).domain
        found = capped(self._judge(places, author, view), self.section.cap_score)
        listed = self._ask(places, author, view)
        if isinstance(listed, Deferred):
            return listed.addCallback(lambda entries: self._together(found, entries))
        return self._together(found, listed)

    def _ask(self, places: Places, author: str, view: View) -> MaybeDeferred[Sequence[Finding]]:
        """
        Ask the lists in the DNS for the hosts.
        """
        session = view.session
        if self.listed.client_of(session) is None:
            return ()
        hosts = hosts_of(places, author)
        names = [(LINK, host) for host in hosts if not is_address(host)]
        addresses = [each for host in hosts if (each := address_of(host.strip("[]"))) is not None]
        asked_before = (session.helo, view.envelope.sender.host, author)
        return self.listed.ask(
            self.resolvers.for_check(self.name, self.deadline),
            [*((ASKED_BEFORE, name) for name in asked_before), *names],
            linked=[each for each in addresses if each.is_global],
        )

    def _together(self, found: Sequence[Finding], entries: Sequence[Finding]) -> Sequence[Finding]:
        return (*found, *capped(entries, self.section.listed_cap_score)) if entries else found

    def _judge(self, places: Places, author: str, view: View) -> Iterator[Finding]:
        section, web = self.section, places.web
        for symbol, score, words, is_so in (
            ("LINK_ADDRESS", section.address_score, "leads to a bare IP address", _is_address),
            ("LINK_DISGUISED", section.disguised_score, "hides where it leads", is_disguised),
            (
                "LINK_MIXED_LETTERS",
                section.mixed_letters_score,
                "leads to a name with letters of two alphabets",
                _is_mixed,
            ),
            ("LINK_SHORTENER", section.shortener_score, "goes through a shortener", _is_short),
            ("LINK_USER", section.user_score, "has a name before its host", has_user),
        ):
            found = [place for place in web if is_so(place)]
            if found:
                yield Finding(
                    symbol,
                    score,
                    f"A link {words}: {listed(quote(place.address) for place in found)}.",
                )
        if author and _lead_to_stranger(web, author, view):
            yield Finding(
                "LINK_FOREIGN",
                section.foreign_score,
                "All links of the page lead to one host, and it is not the sender's "
                f"({quote(author)}): {quote(web[0].address)}.",
            )
        if places.is_cut:
            yield Finding(
                "LINK_MANY",
                section.many_score,
                f"There are more than {LIMIT} links; the others were not looked at.",
            )


# -- one link -----------------------------------------------------------------------------


def _is_address(place: Place) -> bool:
    return any(link.is_address for link in place.all)


def _is_short(place: Place) -> bool:
    return any(link.organisation in SHORTENERS or link.host in SHORTENERS for link in place.all)


def _is_mixed(place: Place) -> bool:
    return any(map(has_mixed_letters, place.link.labels))


def _lead_to_stranger(web: Sequence[Place], author: str, view: View) -> bool:
    """
    Tell whether all links of a page lead to one host that is not the author's, nor of those who
    send for a proven author: who signs is one of them, and where such a one unsubscribes people
    the link is not judged.
    """
    if len({place.link.host for place in web}) != 1 or not web[0].is_in_page:
        return False
    if _lead_to(web[0].all, {organisation(author)}):
        return False
    if not vouches_for_author(view, author):
        return True
    own = {organisation(domain) for domain in (author, *vouched_domains(view))}
    return not (_lead_to(web[0].all, own) or _lead_to(unsubscribe_links(view.fact("fields")), own))


def _lead_to(links: Iterable[Link], organisations: Collection[str]) -> bool:
    return any(are_related(link.organisation, one) for link in links for one in organisations)


def hosts_of(places: Places, author: str) -> Sequence[str]:
    """
    Choose the hosts to ask lists for: at most L{HOSTS}, the first host of each organisation before
    a second one of any, those of strangers to the author first.
    """
    organisations: dict[str, dict[str, None]] = {}
    for place in places.web:
        for link in place.all:
            if link.is_web and link.host:
                organisations.setdefault(link.organisation, {})[link.host] = None
    own = organisation(author)
    ordered = sorted(organisations, key=lambda name: are_related(name, own))
    rounds = zip_longest(*(organisations[name] for name in ordered))
    return list(islice(filter(None, chain.from_iterable(rounds)), HOSTS))


def has_mixed_letters(label: str) -> bool:
    """
    Tell whether a label of a name has Latin letters and such of Greek or Cyrillic beside them.
    """
    letters = decoded_label(label)
    return bool(_LATIN.search(letters) and _GREEK_OR_CYRILLIC.search(letters))


def is_disguised(place: Place) -> bool:
    """
    Tell whether an address is written so that nobody sees where it leads: with encoded letters in
    the name, an IP address as a number, backslashes, characters that are not seen.
    """
    address = place.address.strip()
    authority = _AUTHORITY.match(address)
    if authority is None:
        return False
    if _UNSEEN.search(address, 0, authority.end()):
        return True
    name = _PORT.sub("", authority[2]).lower().strip(".")
    if name == place.link.host:
        return False
    # Names with other letters are written as such, and written out.
    return "%" in name or (place.link.is_address and not name.startswith("["))


def has_user(place: Place) -> bool:
    """
    Tell whether before the host stands what looks like another one: C{http://bank.example@...}.
    """
    authority = _AUTHORITY.match(place.address.strip())
    return authority is not None and "." in clean_host(authority[1] or "")
