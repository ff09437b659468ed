"""
Whom a message pretends to be from, and what it is after.

That the text of a link differs from its target, and what a page hides, is no evidence: newsletters
do both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from attrs import frozen
from zope.interface import implementer

from mailgate.authentication.dmarc import Dmarc, DmarcResult
from mailgate.authentication.spf import SpfResult
from mailgate.checks.addressed import Where, addressed
from mailgate.checks.cap import capped
from mailgate.checks.case import HOSTS, Case, Sender
from mailgate.checks.correspondents import contact_of
from mailgate.checks.impersonation import Impersonation
from mailgate.checks.outside import Outside
from mailgate.checks.people import People
from mailgate.checks.vouching import spf_of, vouches_for_author
from mailgate.checks.words import listed, quote
from mailgate.classify.brands import Brands, known_brands
from mailgate.classify.known import FREE_MAIL
from mailgate.classify.lookalikes import LookAlike, LookAlikes
from mailgate.classify.reading import Mailbox
from mailgate.config.checks import PhishingCheck as Section
from mailgate.config.model import Settings
from mailgate.finding import Finding, Kind
from mailgate.interfaces import ICheck, Phase, Scope
from mailgate.message.header import Headers
from mailgate.message.links import Places
from mailgate.message.mailbox import mailboxes
from mailgate.message.urls import organisation
from mailgate.wire.normal import normal_address
from mailgate.wording import say

if TYPE_CHECKING:
    from mailgate.pipeline.view import View

_NAMED = 50
"""How many of those in To and Cc."""

_RECIPIENTS = 5
"""The addresses of how many recipients are looked for in links."""


@implementer(ICheck)
@frozen
class PhishingCheck:
    """
    Borrowed names, domains that look like others, replies that go elsewhere, links for one person.
    """

    section: Section
    impersonation: Impersonation
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
        brands = known_brands()
        look_alikes = LookAlikes(settings.domains, frozenset(section.related_domains), brands)
        people = People.from_settings(section.people)
        return cls(
            section,
            Impersonation(section, people, brands, look_alikes),
            brands,
            look_alikes,
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
            *self.impersonation.findings(case),
            *self._look_alikes(case),
            *self._replies(case),
            *self._lures(case),
        ]
        found += self._first_contact(case, found)
        return capped(found, self.section.cap_score) if found else ()

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
        for host in list(hosts)[:HOSTS]:
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
