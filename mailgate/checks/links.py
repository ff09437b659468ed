"""
Where a message leads, and what is done so that people do not see it.

That the text of a link differs from its target is no finding: every newsletter counts its clicks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from attrs import frozen
from zope.interface import implementer

from mailgate.authentication.author import author_of
from mailgate.checks.cap import capped
from mailgate.checks.words import listed, quote
from mailgate.classify.known import SHORTENERS
from mailgate.config.checks import LinksCheck as Section
from mailgate.config.model import Settings
from mailgate.finding import Finding
from mailgate.interfaces import ICheck, Phase, Scope
from mailgate.message.host import clean_host, decoded_label
from mailgate.message.links import LIMIT, Place, Places
from mailgate.message.urls import Link, are_related, organisation

if TYPE_CHECKING:
    from mailgate.pipeline.view import View

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

    name = "links"
    phase = Phase.BODY
    scope = Scope.TRANSACTION
    after = ()
    needs = ("fields", "places")
    symbols = frozenset(
        {
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
    def from_settings(cls, settings: Settings) -> LinksCheck:
        """
        Make the check of a configuration.
        """
        section = settings.checks.links
        return cls(section, section.deadline)

    def check(self, view: View) -> Sequence[Finding]:
        """
        Give one finding of each kind, with the evidence.
        """
        places: Places = view.fact("places")
        if not places.places:
            return ()
        author = view.fact("fields").once(author_of).domain
        return capped(self._judge(places, author), self.section.cap_score)

    def _judge(self, places: Places, author: str) -> Iterator[Finding]:
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
        hosts = {place.link.host for place in web}
        if author and len(hosts) == 1 and web[0].is_in_page and not _leads_to(web[0].all, author):
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


def _leads_to(links: Iterable[Link], author: str) -> bool:
    return any(are_related(link.organisation, organisation(author)) for link in links)


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
