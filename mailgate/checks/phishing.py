"""
Whom a message pretends to be from, and what it is after.

That the text of a link differs from its target, and what a page hides, is no evidence: newsletters
do both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from attrs import define, frozen
from zope.interface import implementer

from mailgate.authentication.author import author_of
from mailgate.authentication.dmarc import Dmarc, DmarcResult
from mailgate.authentication.spf import SpfResult
from mailgate.checks.addressed import Where, addressed
from mailgate.checks.cap import capped
from mailgate.checks.correspondents import contact_of
from mailgate.checks.outside import Outside
from mailgate.checks.people import People
from mailgate.checks.vouching import spf_of, vouches_for_author
from mailgate.checks.words import listed, quote
from mailgate.classify.brands import Brand, Brands, Claim, known_brands
from mailgate.classify.known import FREE_MAIL
from mailgate.classify.lookalikes import LookAlike, LookAlikes
from mailgate.classify.reading import Mailbox
from mailgate.config.checks import PhishingCheck as Section
from mailgate.config.model import Settings
from mailgate.finding import Finding, Kind
from mailgate.interfaces import ICheck, Phase, Scope
from mailgate.message.header import Headers
from mailgate.message.host import clean_host
from mailgate.message.links import Place, Places
from mailgate.message.mailbox import mailboxes
from mailgate.message.urls import are_related, organisation
from mailgate.wire.normal import normal_address
from mailgate.wording import say

if TYPE_CHECKING:
    from mailgate.pipeline.view import View

_ADDRESS = re.compile(r"[^\s@<>()\"',;:]{1,64}@([a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+)", re.I)
_DOMAIN = re.compile(r"(?<![\w.@-])[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,8}(?![\w@-])", re.I)
_HOSTS = 64
"""How many hosts of links are looked at."""

_NAMED = 50
"""How many of those in To and Cc."""

_RECIPIENTS = 5
"""The addresses of how many recipients are looked for in links."""


@frozen
class Sender:
    """
    Whom From names.
    """

    mailbox: Mailbox
    domains: tuple[str, ...]
    """Its domain or, where From is unclear, all that some mail program may read there."""

    @classmethod
    def of(cls, headers: Headers) -> Sender:
        """
        Read it, leniently.
        """
        author = headers.once(author_of)
        mailbox = Mailbox.parse(next(iter(headers.values("From")), b""))
        known = (author.domain,) if author.domain else author.candidates
        return cls(mailbox, known or ((mailbox.domain,) if mailbox.domain else ()))

    def is_related(self, domain: str) -> bool:
        """
        Tell whether a domain is likely to be of the same organisation.
        """
        other = organisation(domain)
        return any(are_related(other, organisation(each)) for each in self.domains)


@define
class Case:
    """
    What is looked at of one message.
    """

    view: View
    sender: Sender
    places: Sequence[Place]

    @property
    def headers(self) -> Headers:
        """
        Give the header fields.
        """
        headers: Headers = self.view.fact("fields")
        return headers

    @cached_property
    def subject(self) -> str:
        """
        Give the subject as a person reads it.
        """
        return self.headers.text("subject")

    @cached_property
    def leads_to_sender(self) -> bool:
        """
        Tell whether any link leads to the sender.
        """
        return any(self.sender.is_related(each.organisation) for p in self.places for each in p.all)


@implementer(ICheck)
@frozen
class PhishingCheck:
    """
    Borrowed names, domains that look like others, replies that go elsewhere, links for one person.
    """

    section: Section
    people: People
    brands: Brands
    look_alikes: LookAlikes
    outside: Outside
    deadline: float

    name = "phishing"
    phase = Phase.BODY
    scope = Scope.TRANSACTION
    after = ("spf", "dkim", "dmarc", "correspondents")
    needs = ("fields", "places")
    symbols = frozenset(
        {
            "PHISH_BRAND",
            "PHISH_BRAND_MENTIONED",
            "PHISH_FIRST_CONTACT",
            "PHISH_LOOKALIKE_LINK",
            "PHISH_LOOKALIKE_SENDER",
            "PHISH_NAME_ADDRESS",
            "PHISH_NAME_OUR_ADDRESS",
            "PHISH_NEAR",
            "PHISH_OUR_NAME",
            "PHISH_OUR_REPLY_TO",
            "PHISH_PERSON",
            "PHISH_PRESSING",
            "PHISH_RECIPIENT_FRAGMENT",
            "PHISH_RECIPIENT_LINK",
            "PHISH_REPLY_TO",
            "PHISH_REPLY_TO_FREE",
            "PHISH_SHARED_SENDER",
        }
    )

    @classmethod
    def from_settings(cls, settings: Settings) -> PhishingCheck:
        """
        Make the check of a configuration.
        """
        section = settings.checks.phishing
        related = frozenset(section.related_domains)
        brands = known_brands()
        return cls(
            section,
            People.from_settings(section.people),
            brands,
            LookAlikes(settings.domains, related, brands),
            Outside.from_settings(settings),
            section.deadline,
        )

    def check(self, view: View) -> Sequence[Finding]:
        """
        Give one finding of each kind, with the evidence.
        """
        places: Places = view.fact("places")
        case = Case(view, Sender.of(view.fact("fields")), places.web)
        found = [
            *self._names(case),
            *self._look_alikes(case),
            *self._replies(case),
            *self._lures(case),
        ]
        found += self._first_contact(case, found)
        return capped(found, self.section.cap_score) if found else ()

    # -- the name -------------------------------------------------------------------------

    def _names(self, case: Case) -> Iterator[Finding]:
        section, sender = self.section, case.sender
        name = sender.mailbox.name
        if not sender.domains:
            return
        domain = sender.domains[0]
        if all(map(self.look_alikes.is_ours, sender.domains)):
            return
        claim = self.brands.claim(_ADDRESS.sub(" ", name) if "@" in name else name)
        if claim is not None:
            yield from self._brand(claim, name, sender)
        else:
            yield from self._subject(case)
        if not name or self._is_service(domain):
            return
        known = self.people.named(name)
        if known is not None and sender.mailbox.address not in known.addresses:
            yield Finding(
                "PHISH_PERSON",
                section.person_score,
                say(
                    "The sender's name {name} is that of {person}, the address {address} is not.",
                    name=quote(name),
                    person=quote(known.name),
                    address=quote(sender.mailbox.address),
                ),
                kind=Kind.PHISHING,
            )
        if "@" in name:
            yield from self._address_in_name(name, sender)
        elif "." in name:
            for match in _DOMAIN.finditer(name[:200]):
                if self.look_alikes.is_ours(match[0].lower()):
                    yield Finding(
                        "PHISH_OUR_NAME",
                        section.our_name_score,
                        say(
                            "The sender's name {name} has our domain {ours} in it, and the address"
                            " is of {domain}.",
                            name=quote(name),
                            ours=quote(match[0]),
                            domain=quote(domain),
                        ),
                    )
                    break

    def _brand(self, claim: Claim, name: str, sender: Sender) -> Iterator[Finding]:
        foreign = [domain for domain in sender.domains if not claim.is_true_of(domain)]
        if not foreign:
            # At a provider of mail everybody has an address of its domain.
            if not claim.is_whole or not self._is_served(claim.brands, sender):
                return
            foreign = [sender.mailbox.domain]
            is_clear = False
        else:
            is_clear = claim.is_whole
            label = organisation(foreign[0]).partition(".")[0]
            if any(brand.is_named_in(label) for brand in claim.brands):
                # A shop, a newsletter, a fan; what is worse shows in the domain itself.
                is_clear = False
        if not claim.is_sure and (not is_clear or _is_own_name(name, sender)):
            return
        values = {
            "name": quote(name),
            "brand": quote(claim.brands[0].name),
            "domain": quote(foreign[0]),
        }
        if is_clear:
            yield Finding(
                "PHISH_BRAND",
                self.section.brand_score,
                say(
                    "The sender's name {name} is that of {brand}, and its domain {domain} is not.",
                    **values,
                ),
                kind=Kind.PHISHING,
            )
        else:
            yield Finding(
                "PHISH_BRAND_MENTIONED",
                self.section.mention_score,
                say(
                    "The sender's name {name} speaks of {brand}, and {domain} is not its domain.",
                    **values,
                ),
            )

    def _subject(self, case: Case) -> Iterator[Finding]:
        # People speak of many things.
        if not any(place.is_in_page for place in case.places) or case.leads_to_sender:
            return
        claim = self.brands.claim(case.subject)
        if claim is None or any(map(claim.is_true_of, case.sender.domains)):
            return
        if not claim.is_sure or any(
            claim.is_true_of(place.link.host) for place in case.places[:_HOSTS]
        ):
            return
        yield Finding(
            "PHISH_BRAND_MENTIONED",
            self.section.mention_score,
            say(
                "The subject speaks of {brand}; neither the sender {domain} nor a link is of it.",
                brand=quote(claim.brands[0].name),
                domain=quote(case.sender.domains[0]),
            ),
        )

    def _address_in_name(self, name: str, sender: Sender) -> Iterator[Finding]:
        match = _ADDRESS.search(name[:300])
        if match is None:
            return
        domain = clean_host(match[1])
        if sender.is_related(domain):
            return
        is_passed_on = " via " in name.lower()
        is_ours = self.look_alikes.is_ours(domain)
        if is_passed_on and not is_ours:
            return  # So do lists and help desks name whom they speak for.
        words = say(
            "The sender's name {name} is an address, and the real one is of {domain}.",
            name=quote(name),
            domain=quote(sender.domains[0]),
        )
        if is_ours and not is_passed_on:
            score = self.section.our_address_score
            yield Finding("PHISH_NAME_OUR_ADDRESS", score, words, kind=Kind.PHISHING)
        else:
            yield Finding("PHISH_NAME_ADDRESS", self.section.name_address_score, words)

    def _is_service(self, domain: str) -> bool:
        """
        Tell whether a domain is of a company that is known: services write in the name of people.
        """
        return self.brands.owner(domain) is not None and organisation(domain) not in FREE_MAIL

    def _is_served(self, brands: Sequence[Brand], sender: Sender) -> bool:
        return any(brand.serves(domain) for brand in brands for domain in sender.domains)

    # -- what looks like another ----------------------------------------------------------

    def _look_alikes(self, case: Case) -> Iterator[Finding]:
        section, near = self.section, None
        for domain in case.sender.domains:
            like = self.look_alikes.of(domain)
            ending = self.look_alikes.other_ending(domain)
            if like is not None and like.is_clear:
                yield Finding(
                    "PHISH_LOOKALIKE_SENDER",
                    section.lookalike_sender_score,
                    say(
                        "The sender's domain {host} is made to look like {name}: it {way}.",
                        host=quote(domain),
                        name=quote(like.name),
                        way=like.way,
                    ),
                    kind=Kind.PHISHING,
                )
                break
            if like is None and ending:
                way = say("has its name under another ending")
                like = LookAlike(ending, way, is_clear=False, is_ours=True)
            if like is not None and near is None:
                near = domain, like
        hosts = dict.fromkeys(each.host for place in case.places for each in place.all if each.host)
        clear = None
        for host in list(hosts)[:_HOSTS]:
            like = self.look_alikes.of(host)
            if like is None or case.sender.is_related(host):
                continue
            if like.is_clear and clear is None:
                clear = host, like
            elif not like.is_clear and near is None:
                near = host, like
        if clear is not None:
            host, like = clear
            yield Finding(
                "PHISH_LOOKALIKE_LINK",
                section.lookalike_link_score,
                say(
                    "A link leads to {host}, made to look like {name}: it {way}.",
                    host=quote(host),
                    name=quote(like.name),
                    way=like.way,
                ),
                kind=Kind.PHISHING,
            )
        if near is not None:
            domain, like = near
            yield Finding(
                "PHISH_NEAR",
                section.near_score,
                say(
                    "{host} is near to {name}: it {way}.",
                    host=quote(domain),
                    name=quote(like.name),
                    way=like.way,
                ),
            )

    # -- where replies go, and who has sent it --------------------------------------------

    def _replies(self, case: Case) -> Iterator[Finding]:
        section, sender = self.section, case.sender
        if not sender.domains:
            return
        domain = sender.domains[0]
        if f".{domain}".endswith(self.brands.shared_senders):
            yield Finding(
                "PHISH_SHARED_SENDER",
                section.shared_sender_score,
                say(
                    "The sender's domain {domain} is lent by a platform to everybody.",
                    domain=quote(domain),
                ),
            )
        values = case.headers.values("Reply-To")
        reply_to = Mailbox.parse(values[0]) if values else None
        if reply_to is None or not reply_to.domain or sender.is_related(reply_to.domain):
            return
        if self.look_alikes.is_ours(reply_to.domain):
            return
        said = {"address": quote(reply_to.address), "domain": quote(domain)}
        if self.look_alikes.is_ours(domain) and self._has_failed(case.view, domain):
            yield Finding(
                "PHISH_OUR_REPLY_TO",
                section.our_reply_to_score,
                say(
                    "It claims to be from our domain {domain}, which is not authenticated, and"
                    " replies go to {address}.",
                    **said,
                ),
                kind=Kind.PHISHING,
            )
        elif reply_to.organisation in FREE_MAIL and organisation(domain) not in FREE_MAIL:
            yield Finding(
                "PHISH_REPLY_TO_FREE",
                section.free_reply_to_score,
                say(
                    "Replies go to the free mail address {address}, and the sender's domain is"
                    " {domain}.",
                    **said,
                ),
            )
        elif not self._is_named(case.headers, reply_to):
            yield Finding(
                "PHISH_REPLY_TO",
                section.reply_to_score,
                say("Replies go to {address}, and the sender's domain is {domain}.", **said),
            )

    def _is_named(self, headers: Headers, mailbox: Mailbox) -> bool:
        """
        Tell whether somebody is among those to whom a message goes, as a list is whose mail is
        answered to the list.
        """
        return any(
            normal_address(each) == mailbox.address
            for name in ("To", "Cc")
            for value in headers.values(name)[:1]
            for each in mailboxes(value, _NAMED)
        )

    def _has_failed(self, view: View, domain: str) -> bool:
        if not self.outside.has(view.session) or vouches_for_author(view, domain):
            return False
        spf = spf_of(view)
        if spf is not None and spf.result in (SpfResult.FAIL, SpfResult.SOFTFAIL):
            return True
        return any(
            isinstance(finding.fact, Dmarc) and finding.fact.result is DmarcResult.FAIL
            for finding in view.findings_of("dmarc")
        )

    # -- what it is after -----------------------------------------------------------------

    def _lures(self, case: Case) -> Iterator[Finding]:
        section = self.section
        if not case.places:
            return
        recipients = [normal_address(each) for each in case.view.recipients[:_RECIPIENTS]]
        found: dict[Where, list[str]] = {}
        for where, place in addressed(case.places, recipients):
            if not case.sender.is_related(place.link.organisation):
                found.setdefault(where, []).append(place.address)
        if Where.FRAGMENT in found:
            yield Finding(
                "PHISH_RECIPIENT_FRAGMENT",
                section.recipient_fragment_score,
                say(
                    "A link hands the recipient's address to the page that it opens, where no"
                    " server sees it: {links}.",
                    links=listed(map(quote, found[Where.FRAGMENT])),
                ),
                kind=Kind.PHISHING,
            )
        elif Where.LINK in found and "list-unsubscribe" not in case.headers.fields:
            yield Finding(
                "PHISH_RECIPIENT_LINK",
                section.recipient_link_score,
                say(
                    "A link that is not the sender's has the recipient's address in it: {links}.",
                    links=listed(map(quote, found[Where.LINK])),
                ),
            )
        phrase = self.brands.pressing.find(case.subject)
        if phrase and not case.leads_to_sender:
            yield Finding(
                "PHISH_PRESSING",
                section.pressing_score,
                say(
                    "The subject presses for something ({phrase}); no link leads to the sender.",
                    phrase=quote(phrase),
                ),
            )

    # -- who has never written before -----------------------------------------------------

    def _first_contact(self, case: Case, found: Sequence[Finding]) -> Sequence[Finding]:
        contact = contact_of(case.view)
        if contact is None or not contact.is_first:
            return ()
        about_money = self.brands.payment.find(case.subject)
        if not about_money and not any(finding.symbol in _WITH_FIRST for finding in found):
            return ()
        words = say(
            "There was no mail with {author} before, and there is another reason for doubt.",
            author=quote(contact.theirs),
        )
        if about_money:
            words = say(
                "There was no mail with {author} before, and the subject is about money: {phrase}.",
                author=quote(contact.theirs),
                phrase=quote(about_money),
            )
        return (Finding("PHISH_FIRST_CONTACT", self.section.first_contact_score, words),)


_WITH_FIRST = frozenset(
    {
        "PHISH_BRAND",
        "PHISH_LOOKALIKE_LINK",
        "PHISH_LOOKALIKE_SENDER",
        "PHISH_NAME_OUR_ADDRESS",
        "PHISH_NEAR",
        "PHISH_PERSON",
        "PHISH_PRESSING",
    }
)
"""Beside what it counts that there was no mail with the author before."""


def _is_own_name(name: str, sender: Sender) -> bool:
    """
    Tell whether an address at a provider begins with the sender's name, as that of a person does.
    """
    word = name.strip().lower()
    return sender.mailbox.organisation in FREE_MAIL and sender.mailbox.local.startswith(word)
