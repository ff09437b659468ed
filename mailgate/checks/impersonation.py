"""
Whom the name of a sender names, though the address is not theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from attrs import frozen

from mailgate.checks.case import HOSTS, Case, Sender
from mailgate.checks.people import People
from mailgate.checks.words import quote
from mailgate.classify.brands import Brand, Brands, Claim
from mailgate.classify.known import FREE_MAIL
from mailgate.classify.lookalikes import LookAlikes
from mailgate.config.checks import PhishingCheck as Section
from mailgate.finding import Finding, Kind
from mailgate.message.host import clean_host
from mailgate.message.urls import organisation
from mailgate.wording import say

_ADDRESS = re.compile(r"[^\s@<>()\"',;:]{1,64}@([a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+)", re.I)
_DOMAIN = re.compile(r"(?<![\w.@-])[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,8}(?![\w@-])", re.I)


@frozen
class Impersonation:
    """
    Companies, people of ours, addresses and our domains in the names of others.
    """

    section: Section
    people: People
    brands: Brands
    look_alikes: LookAlikes

    def findings(self, case: Case) -> Iterator[Finding]:
        """
        Give what the name of the sender says that is not so.
        """
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
        if not name or all(map(self._is_service, sender.domains)):
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
            claim.is_true_of(place.link.host) for place in case.places[:HOSTS]
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


def _is_own_name(name: str, sender: Sender) -> bool:
    """
    Tell whether an address at a provider begins with the sender's name, as that of a person does.
    """
    word = name.strip().lower()
    return sender.mailbox.organisation in FREE_MAIL and sender.mailbox.local.startswith(word)
