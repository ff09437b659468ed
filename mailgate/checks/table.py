"""
The built-in checks by name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from mailgate.checks.arc import ArcCheck
from mailgate.checks.attachments import AttachmentsCheck
from mailgate.checks.author import AuthorCheck
from mailgate.checks.bayes import BayesCheck
from mailgate.checks.correspondents import CorrespondentsCheck
from mailgate.checks.dkim import DkimCheck
from mailgate.checks.dmarc import DmarcCheck
from mailgate.checks.dnslists import DnsListsCheck
from mailgate.checks.documents import DocumentsCheck
from mailgate.checks.fuzzy import FuzzyCheck
from mailgate.checks.geo import GeoCheck
from mailgate.checks.greylist import GreylistCheck
from mailgate.checks.headers import HeadersCheck
from mailgate.checks.helo import HeloCheck
from mailgate.checks.html import HtmlCheck
from mailgate.checks.known import Known
from mailgate.checks.links import LinksCheck
from mailgate.checks.lists import ListsCheck
from mailgate.checks.mime import MimeCheck
from mailgate.checks.names import NamesCheck
from mailgate.checks.penalty import PenaltyCheck
from mailgate.checks.phishing import PhishingCheck
from mailgate.checks.rates import RatesCheck
from mailgate.checks.reputation import ReputationCheck
from mailgate.checks.rules import RulesCheck
from mailgate.checks.spf import SpfCheck
from mailgate.checks.subjects import SubjectsCheck
from mailgate.checks.traps import TrapsCheck
from mailgate.config.checks import CheckMode
from mailgate.config.model import Settings
from mailgate.interfaces import ICheck

CHECKS: Mapping[str, Callable[[Settings, Known], ICheck]] = {
    "helo": lambda settings, known: HeloCheck.from_settings(settings),
    "spf": lambda settings, known: SpfCheck.from_settings(settings, known.resolvers),
    "greylist": lambda settings, known: GreylistCheck.from_settings(settings, known),
    "headers": lambda settings, known: HeadersCheck.from_settings(settings),
    "dkim": lambda settings, known: DkimCheck.from_settings(settings, known),
    "arc": lambda settings, known: ArcCheck.from_settings(settings, known),
    "dmarc": lambda settings, known: DmarcCheck.from_settings(settings, known),
    "reputation": lambda settings, known: ReputationCheck.from_settings(settings, known),
    "correspondents": lambda settings, known: CorrespondentsCheck.from_settings(settings, known),
    "attachments": lambda settings, known: AttachmentsCheck.from_settings(settings),
    "documents": lambda settings, known: DocumentsCheck.from_settings(settings),
    "mime": lambda settings, known: MimeCheck.from_settings(settings),
    "links": lambda settings, known: LinksCheck.from_settings(
        settings, known.dns_lists, known.resolvers
    ),
    "html": lambda settings, known: HtmlCheck.from_settings(settings),
    "phishing": lambda settings, known: PhishingCheck.from_settings(settings),
    "rules": lambda settings, known: RulesCheck.from_settings(settings, known.threads),
    "lists": lambda settings, known: ListsCheck.from_settings(settings, known.lists),
    "bayes": lambda settings, known: BayesCheck.from_settings(settings, known.classifier),
    "fuzzy": lambda settings, known: FuzzyCheck.from_settings(
        settings, known.classifier, known.threads
    ),
    "dnslists": lambda settings, known: DnsListsCheck.from_settings(
        settings, known.dns_lists, known.resolvers
    ),
    "author": lambda settings, known: AuthorCheck.from_settings(
        settings, known.dns_lists, known.resolvers
    ),
    "names": lambda settings, known: NamesCheck.from_settings(settings, known.resolvers),
    "rates": lambda settings, known: RatesCheck.from_settings(settings, known.excesses),
    "subjects": lambda settings, known: SubjectsCheck.from_settings(settings, known.excesses),
    "penalty": lambda settings, known: PenaltyCheck.from_settings(settings, known.penalties),
    "traps": lambda settings, known: TrapsCheck.from_settings(settings, known.trapped),
    "geo": lambda settings, known: GeoCheck.from_settings(settings, known.geo),
}
"""What makes each check, by the name of its table C{[checks.NAME]} in the configuration."""


def make_checks(settings: Settings, known: Known) -> Sequence[ICheck]:
    """
    Make all checks that are not off.
    """
    off = checks_off(settings)
    return [make(settings, known) for name, make in CHECKS.items() if name not in off]


def checks_off(settings: Settings) -> Collection[str]:
    """
    Name the checks that are off.
    """
    return {name for name in CHECKS if getattr(settings.checks, name).mode is CheckMode.OFF}
