"""
The settings of the checks.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from mailgate.config.forbidden import FORBIDDEN_EXTENSIONS, FORBIDDEN_TYPES, FileType
from mailgate.config.types import (
    CountryCode,
    Days,
    Extension,
    HostName,
    Hours,
    ListCode,
    ListId,
    MailAddress,
    Name,
    Network,
    OptionalReadPath,
    ReadPath,
    Score,
    Section,
    SystemNumber,
    TrapAddress,
)


class CheckMode(StrEnum):
    """
    How far a check may go.
    """

    OFF = "off"
    OBSERVE = "observe"
    SCORE = "score"
    ENFORCE = "enforce"


class EnforcedAction(StrEnum):
    """
    What a check in mode C{enforce} brings about when it finds something against a message.
    """

    TAG = "tag"
    DEFER = "defer"
    QUARANTINE = "quarantine"
    REJECT = "reject"
    DISCARD = "discard"


class OnError(StrEnum):
    """
    What follows when a check fails or overruns its deadline.
    """

    IGNORE = "ignore"
    DEFER = "defer"
    QUARANTINE = "quarantine"


_THIS_MACHINE = ("127.0.0.0/8", "::1/128")
"""Networks of clients that no check need look at."""

_Deadline = Annotated[float, Field(gt=0, le=30, strict=True)]

PlaceScore = Annotated[float, Field(ge=-20, le=20, strict=True)]
"""Below zero it speaks for the client."""


class Check(Section):
    """
    What every C{[checks.NAME]} table has.
    """

    mode: CheckMode = CheckMode.SCORE
    action: EnforcedAction = EnforcedAction.REJECT
    on_error: OnError = OnError.IGNORE
    deadline: _Deadline = 5


class HeloCheck(Check):
    """
    C{[checks.helo]}: what the client calls itself.
    """

    exempt_networks: tuple[Network, ...] = _THIS_MACHINE
    syntax_score: Score = 3
    literal_score: Score = 1
    forged_literal_score: Score = 4
    own_name_score: Score = 6
    unqualified_score: Score = 1


class SpfCheck(Check):
    """
    C{[checks.spf]}: whether the client may send for the domain of the sender.
    """

    deadline: _Deadline = 20
    exempt_networks: tuple[Network, ...] = _THIS_MACHINE
    """Of clients whose mail is not authenticated; for DKIM, ARC and DMARC too."""

    fail_score: Score = 5
    softfail_score: Score = 1.5
    permerror_score: Score = 1
    allows_all_score: Score = 1.5
    helo_fail_score: Score = 2


class DkimCheck(Check):
    """
    C{[checks.dkim]}: whether what has signed the message is right.
    """

    deadline: _Deadline = 20
    fail_score: Score = 0.5
    policy_score: Score = 0.5
    permerror_score: Score = 0.5


class Organizations(StrEnum):
    """
    How the domain is found that stands for all domains of an organization.
    """

    WALK = "walk"
    """By the walk through the DNS (RFC 9989 section 4.10)."""

    LIST = "list"
    """By the list of public suffixes (RFC 7489 section 3.2)."""


class ArcCheck(Check):
    """
    C{[checks.arc]}: what those say who have handed a message on.
    """

    deadline: _Deadline = 20
    trusted_sealers: Annotated[tuple[HostName, ...], Field(max_length=1000)] = ()
    """Domains whose seals count."""

    pass_score: Score = 0
    trusted_score: Annotated[float, Field(ge=-6, le=0, strict=True)] = 0
    fail_score: Score = 0


class DmarcCheck(Check):
    """
    C{[checks.dmarc]}: whether the domain in From stands for the message.
    """

    mode: CheckMode = CheckMode.ENFORCE
    action: EnforcedAction = EnforcedAction.QUARANTINE
    deadline: _Deadline = 20
    organizations: Organizations = Organizations.WALK
    reject_score: Score = 6
    quarantine_score: Score = 5
    none_score: Score = 0.5
    no_author_score: Score = 3
    confirmed_score: Score = 9
    sealed_score: Annotated[float, Field(ge=0, strict=True)] = 0
    mailing_list_score: Annotated[float, Field(ge=0, strict=True)] = 1
    mailing_lists: Annotated[tuple[ListId, ...], Field(max_length=1000)] = ()
    """Those that are known, beside the allowed ones."""

    our_domain_score: Score = 15


class HeadersCheck(Check):
    """
    C{[checks.headers]}: the headers that every message must have.
    """

    missing_from_score: Score = 4
    duplicate_from_score: Score = 4
    missing_date_score: Score = 1.5
    duplicate_date_score: Score = 1
    invalid_date_score: Score = 1
    future_date_score: Score = 2
    missing_message_id_score: Score = 0.5
    duplicate_message_id_score: Score = 1
    future_hours: Hours = 48
    cap_score: Score = 5
    """What the findings of this check add together at most."""


class LinksCheck(Check):
    """
    C{[checks.links]}: where a message leads.
    """

    deadline: _Deadline = 10
    address_score: Score = 1.5
    disguised_score: Score = 2
    mixed_letters_score: Score = 2
    shortener_score: Score = 0.5
    user_score: Score = 2
    foreign_score: Score = 0.5
    many_score: Score = 0.5
    cap_score: Score = 4
    """What the findings of this check add together at most, but those of the lists in the DNS."""

    listed_cap_score: Score = 8
    """What the entries of the hosts on lists in the DNS add together at most."""


class HtmlCheck(Check):
    """
    C{[checks.html]}: what a page hides, and does.
    """

    deadline: _Deadline = 10
    hidden_words: Annotated[int, Field(ge=1, le=1000, strict=True)] = 20
    """How many hidden words that are shown nowhere are a finding."""

    hidden_text_score: Score = 1
    split_words_score: Score = 2
    disguised_words_score: Score = 1.5
    cut_words_score: Score = 1
    password_score: Score = 2
    form_score: Score = 0.5
    script_score: Score = 0.5
    cap_score: Score = 3


RuleSymbol = Annotated[
    str,
    Field(pattern=r"^[A-Z][A-Z0-9_]{1,59}$", description="a rule's name, as in FEE_FUNDS"),
]


class RulesCheck(Check):
    """
    C{[checks.rules]}: what people have written down about mail.
    """

    deadline: _Deadline = 10
    built_in: bool = True
    """Whether the rules that come with mailgate count."""

    files: Annotated[tuple[ReadPath, ...], Field(max_length=100)] = ()
    """Rules of the operator."""

    disable: Annotated[tuple[RuleSymbol, ...], Field(max_length=10_000)] = ()
    """Rules that are left out."""

    scores: Annotated[
        dict[RuleSymbol, Annotated[float, Field(ge=-100, le=100, strict=True)]],
        Field(max_length=10_000),
    ] = {}
    """Other scores than those that stand in the files."""


class ListsCheck(Check):
    """
    C{[checks.lists]}: what people allow and block.
    """

    block_score: Annotated[float, Field(ge=0, strict=True)] = 10
    allow_score: Annotated[float, Field(ge=-100, le=0, strict=True)] = -6


class AttachmentsCheck(Check):
    """
    C{[checks.attachments]}: files that nobody should get by mail.
    """

    mode: CheckMode = CheckMode.ENFORCE
    action: EnforcedAction = EnforcedAction.QUARANTINE
    on_error: OnError = OnError.QUARANTINE
    deadline: _Deadline = 10
    forbidden_extensions: tuple[Extension, ...] = FORBIDDEN_EXTENSIONS
    forbidden_types: tuple[FileType, ...] = FORBIDDEN_TYPES
    forbidden_score: Score = 8
    disguised_score: Score = 4
    encrypted_score: Score = 5
    bomb_score: Score = 8
    unreadable_score: Score = 8
    cap_score: Score = 12
    """What the findings of this check add together at most."""

    depth: Annotated[int, Field(ge=1, le=20, strict=True)] = 4
    """Archives within archives; documents are archives too."""

    files: Annotated[int, Field(ge=1, le=10000, strict=True)] = 10000
    """How many are looked at in all archives of a message."""

    ratio: Annotated[int, Field(ge=10, le=1000, strict=True)] = 200
    """How many times larger than packed a file may be that is larger than 10 MiB."""

    unpacked_bytes: Annotated[int, Field(ge=1024**2, le=256 * 1024**2, strict=True)] = (
        64 * 1024 * 1024
    )


class DocumentsCheck(Check):
    """
    C{[checks.documents]}: what attached documents, pages and pictures would do.
    """

    mode: CheckMode = CheckMode.ENFORCE
    action: EnforcedAction = EnforcedAction.QUARANTINE
    on_error: OnError = OnError.DEFER
    deadline: _Deadline = 10
    macros_score: Score = 4
    dde_score: Score = 6
    remote_score: Score = 6
    embedded_score: Score = 0.5
    pdf_script_score: Score = 2
    pdf_launch_score: Score = 6
    pdf_files_score: Score = 0.5
    smuggling_score: Score = 6
    unpacking_score: Score = 3
    script_score: Score = 0.5
    password_score: Score = 4
    redirect_score: Score = 2
    shortcut_score: Score = 1
    code_score: Score = 1
    opened_score: Score = 3
    unreadable_score: Score = 4
    cap_score: Score = 8
    """What the findings of this check add together at most."""


class MimeCheck(Check):
    """
    C{[checks.mime]}: whether all mail programs read a message as the same.
    """

    mode: CheckMode = CheckMode.ENFORCE
    action: EnforcedAction = EnforcedAction.QUARANTINE
    on_error: OnError = OnError.QUARANTINE
    deadline: _Deadline = 10
    ambiguous_score: Score = 2
    hidden_text_score: Score = 0.5
    elsewhere_score: Score = 0.25


class BayesCheck(Check):
    """
    C{[checks.bayes]}: what the classifier says.
    """

    highest_score: Annotated[float, Field(ge=0, strict=True)] = 10
    lowest_score: Annotated[float, Field(le=0, strict=True)] = -3
    untrained_score: Annotated[float, Field(ge=0, strict=True)] = 5
    """At most so much before enough was learned."""

    lessons_per_teacher: Annotated[int, Field(ge=0, le=1_000_000, strict=True)] = 200
    """How many messages a day one person, or one trap, may teach."""


class FuzzyCheck(Check):
    """
    C{[checks.fuzzy]}: whether nearly the same was learned as spam.
    """

    text_score: Score = 4
    attachment_score: Score = 4
    """Both are neared the more often it was learned."""

    structure_score: Score = 0.5
    cap_score: Score = 5
    """What the findings of this check add together at most."""

    forget_days: Days = 90
    """After how many days what was learned of a message is forgotten."""


class DnsListOf(StrEnum):
    """
    What a list is asked for.
    """

    ADDRESSES = "addresses"
    """The client's address, reversed."""

    DOMAINS = "domains"
    """The name of HELO, the sender's domain, that in From and the hosts of links, as they are."""

    ORGANIZATIONS = "organizations"
    """The same without what stands before the domain of the organization."""


class DnsListCode(Section):
    """
    What one answer of a list means.
    """

    words: Annotated[
        str, Field(pattern=r"^[ -~]{1,80}$", description="1 to 80 printable ASCII characters")
    ]
    score: Annotated[float, Field(ge=-20, le=20, strict=True)]
    """Below zero the list speaks for the client."""

    link_score: Annotated[float, Field(ge=0, le=20, strict=True)] | None = None
    """For the host of a link, where that is another one."""


def _only_for_addresses(value: bool, info: ValidationInfo) -> bool:
    if value and info.data.get("of") is not DnsListOf.ADDRESSES:
        raise ValueError(f'must be false unless of is "{DnsListOf.ADDRESSES}"')
    return value


def _not_for_domains(codes: dict[str, DnsListCode], info: ValidationInfo) -> dict[str, DnsListCode]:
    # Whoever sends can say any name, so that it is listed as good proves nothing.
    if info.data.get("of") is not DnsListOf.ADDRESSES and any(
        code.score < 0 for code in codes.values()
    ):
        raise ValueError(f'must have no score below zero unless of is "{DnsListOf.ADDRESSES}"')
    return codes


def _only_for_domains(value: str | None, info: ValidationInfo) -> str | None:
    if value is not None and info.data.get("of") is DnsListOf.ADDRESSES:
        raise ValueError(f'must be left out where of is "{DnsListOf.ADDRESSES}"')
    return value


class DnsList(Section):
    """
    C{[checks.dnslists.lists.NAME]}: one list in the DNS.
    """

    zone: HostName
    of: DnsListOf = DnsListOf.ADDRESSES
    ipv6: Annotated[bool, AfterValidator(_only_for_addresses)] = False
    """Whether a list of addresses is asked for IPv6 addresses too."""

    linked_addresses: Annotated[bool, Field(strict=True)] = False
    """Whether it is asked for addresses that links lead to, reversed."""

    test_entry: Annotated[HostName | None, AfterValidator(_only_for_domains)] = None
    """The domain that a list of domains always has; without it C{test} (RFC 5782 section 5)."""

    page: Annotated[
        str,
        Field(
            pattern=r"^(https?://[!-z|~]+(\{\}[!-z|~]*)?)?$",
            max_length=120,
            description="an address of the web with {} for what is listed, or nothing",
        ),
    ] = ""
    codes: Annotated[
        dict[ListCode, DnsListCode],
        Field(min_length=1, max_length=64),
        AfterValidator(_not_for_domains),
    ]
    refusals: Annotated[tuple[ListCode, ...], Field(max_length=8)] = ()
    """Answers that refuse a query, beside those that do so for every list."""


class DnsListsCheck(Check):
    """
    C{[checks.dnslists]}: lists in the DNS, for and against.
    """

    exempt_networks: tuple[Network, ...] = _THIS_MACHINE
    test_hours: Annotated[float, Field(ge=0.1, le=24, strict=True)] = 4
    """How often a list that works is tested (RFC 5782 section 5)."""

    lists: Annotated[dict[Name, DnsList], Field(max_length=40)] = {}


class AuthorCheck(Check):
    """
    C{[checks.author]}: what the lists of domains in C{[checks.dnslists]} say of the domain in From.
    """


class NamesCheck(Check):
    """
    C{[checks.names]}: whether the names of client and sender are in the DNS.
    """

    exempt_networks: tuple[Network, ...] = _THIS_MACHINE
    no_name_score: Score = 1
    unconfirmed_score: Score = 1
    helo_score: Score = 1
    sender_score: Score = 4
    null_mx_score: Score = 5


class GreylistCheck(Check):
    """
    C{[checks.greylist]}: who comes again.
    """

    mode: CheckMode = CheckMode.OBSERVE
    action: EnforcedAction = EnforcedAction.DEFER
    from_total: Annotated[float, Field(ge=0, strict=True)] = 1
    """What must have been found before; 0: whoever is not known waits."""

    wait_seconds: Annotated[float, Field(ge=1, le=86400, strict=True)] = 300
    known_days: Days = 36
    exempt_networks: tuple[Network, ...] = _THIS_MACHINE
    waits_score: Score = 1
    passed_score: Annotated[float, Field(le=0, strict=True)] = 0


class RateOf(StrEnum):
    """
    Of what it is counted how much it sends.
    """

    ADDRESS = "address"
    NETWORK = "network"
    DOMAIN = "domain"
    """That of the envelope sender."""

    ACCOUNT = "account"


Most = Annotated[int, Field(ge=0, strict=True)]
Points = Annotated[float, Field(ge=1, strict=True)]
Given = Annotated[float, Field(ge=0, le=100, strict=True)]
Distinct = Annotated[int, Field(ge=0, le=10_000, strict=True)]
Minutes = Annotated[int, Field(ge=1, le=1440, strict=True)]


class RatesCheck(Check):
    """
    C{[checks.rates]}: who sends more than is usual.
    """

    mode: CheckMode = CheckMode.ENFORCE
    action: EnforcedAction = EnforcedAction.DEFER
    enforce_for: tuple[RateOf, ...] = (RateOf.ACCOUNT,)
    """Whose excess is reason enough for the action; that of the others only counts."""

    exempt_networks: tuple[Network, ...] = _THIS_MACHINE
    exempt_accounts: tuple[str, ...] = ()
    address_score: Score = 0.5
    network_score: Score = 0.5
    domain_score: Score = 0.5
    account_score: Score = 3
    window_minutes: Minutes = 60
    address_messages: Most = 1000
    """How much is too much within the window; 0 is never."""

    address_recipients: Most = 0
    address_distinct: Distinct = 0
    """Of different recipients."""

    address_bytes: Most = 0
    network_messages: Most = 3000
    network_recipients: Most = 0
    network_distinct: Distinct = 0
    network_bytes: Most = 0
    domain_messages: Most = 0
    domain_recipients: Most = 0
    domain_distinct: Distinct = 0
    domain_bytes: Most = 0
    account_messages: Most = 500
    account_recipients: Most = 2000
    account_distinct: Distinct = 1000
    account_bytes: Most = 0


class SubjectsCheck(Check):
    """
    C{[checks.subjects]}: who sends the same subject again and again.
    """

    mode: CheckMode = CheckMode.OBSERVE
    action: EnforcedAction = EnforcedAction.QUARANTINE
    window_minutes: Minutes = 60
    address: Most = 100
    """From how many messages with one subject on it is too often; 0 is never."""

    network: Most = 200
    domain: Most = 0
    account: Most = 100
    stranger_score: Score = 0.5
    account_score: Score = 3


class PenaltyCheck(Check):
    """
    C{[checks.penalty]}: who has sent bad mail lately, and who good one.
    """

    exempt_networks: tuple[Network, ...] = _THIS_MACHINE
    half_life_hours: Annotated[float, Field(ge=0.1, le=8760, strict=True)] = 24
    from_points: Points = 4
    """From how many bad points on somebody is in the box."""

    from_share: Annotated[float, Field(gt=0, le=1, strict=True)] = 0.5
    """Which part of all points must be bad."""

    enforce_points: Points = 20
    export_points: Points = 50
    address_score: Annotated[float, Field(ge=0, strict=True)] = 3
    network_score: Annotated[float, Field(ge=0, strict=True)] = 1
    spam_points: Given = 1
    refused_points: Given = 1
    unknown_points: Given = 0.5
    login_points: Given = 0.5
    trap_points: Given = 5
    good_points: Given = 1


class GeoCheck(Check):
    """
    C{[checks.geo]}: where the client is.
    """

    exempt_networks: tuple[Network, ...] = _THIS_MACHINE
    countries: Annotated[dict[CountryCode, PlaceScore], Field(max_length=300)] = {}
    """What some of them count."""

    systems: Annotated[dict[SystemNumber, PlaceScore], Field(max_length=10_000)] = {}
    """What some autonomous systems count, by their number."""

    country_file: OptionalReadPath = ""
    """In MaxMind's format; of cities does as well."""

    system_file: OptionalReadPath = ""

    @property
    def is_used(self) -> bool:
        """
        Tell whether the files are of any use.
        """
        return self.mode is not CheckMode.OFF


def _is_kept_back(action: EnforcedAction) -> EnforcedAction:
    if action not in (EnforcedAction.QUARANTINE, EnforcedAction.DISCARD):
        raise ValueError('must be "quarantine" or "discard": mail to a trap is never refused')
    return action


class TrapsCheck(Check):
    """
    C{[checks.traps]}: addresses that nobody uses.
    """

    mode: CheckMode = CheckMode.ENFORCE
    action: Annotated[EnforcedAction, AfterValidator(_is_kept_back)] = EnforcedAction.QUARANTINE
    addresses: Annotated[tuple[TrapAddress, ...], Field(max_length=10_000)] = ()
    """Beside those of C{mailgate trap add}."""

    learn_after_guesses: Annotated[int, Field(ge=0, le=1000, strict=True)] = 0
    """From how many networks somebody unknown is written to before it becomes a trap; 0: never."""

    guess_days: Days = 14
    """Within how many days."""

    lessons_per_day: Annotated[int, Field(ge=0, le=10_000, strict=True)] = 100
    """How many messages are learned as spam in a day."""

    lessons_per_network: Annotated[int, Field(ge=0, le=1000, strict=True)] = 3
    """How many of them come from one network."""

    sender_hours: Annotated[float, Field(gt=0, le=168, strict=True)] = 6
    """How long who has written to a trap is remembered."""

    exempt_networks: tuple[Network, ...] = _THIS_MACHINE
    recipient_score: Annotated[float, Field(gt=0, strict=True)] = 10
    among_score: Score = 8
    sender_score: Score = 3
    network_score: Score = 1


class ReputationCheck(Check):
    """
    C{[checks.reputation]}: what senders that were authenticated have sent before.
    """

    good_score: Annotated[float, Field(ge=-20, le=0, strict=True)] = -1.5
    bad_score: Annotated[float, Field(ge=0, strict=True)] = 2
    new_score: Annotated[float, Field(ge=0, strict=True)] = 0
    kept_days: Annotated[int, Field(ge=1, le=60, strict=True)] = 7
    """After how many days without a complaint mail that was delivered counts."""

    half_life_days: Days = 30
    """After how many days what is known counts half."""

    forget_days: Days = 180
    """After how many days a sender is forgotten of whom nothing was heard."""

    shared_domains: Annotated[tuple[HostName, ...], Field(max_length=1000)] = ()
    """Domains at which each address is a sender of its own, beside those that are known."""


class CorrespondentsCheck(Check):
    """
    C{[checks.correspondents]}: with whom there was mail before.
    """

    written_score: Annotated[float, Field(ge=-20, le=0, strict=True)] = -0.5
    own_score: Annotated[float, Field(ge=-20, le=0, strict=True)] = -1
    lookalike_score: Score = 2
    forget_days: Days = 365
    """After how many days without mail a pair is forgotten."""


class Person(Section):
    """
    Somebody whose name others like to borrow.
    """

    name: Annotated[str, Field(min_length=2, max_length=100, pattern=r"[^\W\d_]")]
    addresses: Annotated[tuple[MailAddress, ...], Field(max_length=20)] = ()
    """Those outside of our domains from which they write."""


class PhishingCheck(Check):
    """
    C{[checks.phishing]}: whom a message pretends to be from, and what it is after.
    """

    deadline: _Deadline = 10
    people: Annotated[tuple[Person, ...], Field(max_length=1000)] = ()
    related_domains: Annotated[tuple[HostName, ...], Field(max_length=1000)] = ()
    """Domains that are no imitation, though they look like one."""

    brand_score: Score = 2
    mention_score: Score = 0.5
    person_score: Score = 2.5
    our_name_score: Score = 1
    name_address_score: Score = 1
    our_address_score: Score = 2
    lookalike_sender_score: Score = 2.5
    lookalike_link_score: Score = 2
    near_score: Score = 1
    reply_to_score: Score = 0.2
    free_reply_to_score: Score = 1
    our_reply_to_score: Score = 3
    shared_sender_score: Score = 0.7
    recipient_fragment_score: Score = 1.5
    recipient_link_score: Score = 0.3
    pressing_score: Score = 0.3
    first_contact_score: Score = 0.5
    cap_score: Score = 5
    """What the findings of this check add together at most."""


class Checks(Section):
    """
    C{[checks]}: one table for each check.
    """

    helo: HeloCheck = HeloCheck()
    spf: SpfCheck = SpfCheck()
    greylist: GreylistCheck = GreylistCheck()
    headers: HeadersCheck = HeadersCheck()
    dkim: DkimCheck = DkimCheck()
    arc: ArcCheck = ArcCheck()
    dmarc: DmarcCheck = DmarcCheck()
    reputation: ReputationCheck = ReputationCheck()
    correspondents: CorrespondentsCheck = CorrespondentsCheck()
    attachments: AttachmentsCheck = AttachmentsCheck()
    documents: DocumentsCheck = DocumentsCheck()
    mime: MimeCheck = MimeCheck()
    links: LinksCheck = LinksCheck()
    html: HtmlCheck = HtmlCheck()
    phishing: PhishingCheck = PhishingCheck()
    rules: RulesCheck = RulesCheck()
    lists: ListsCheck = ListsCheck()
    bayes: BayesCheck = BayesCheck()
    fuzzy: FuzzyCheck = FuzzyCheck()
    dnslists: DnsListsCheck = DnsListsCheck()
    author: AuthorCheck = AuthorCheck()
    names: NamesCheck = NamesCheck()
    rates: RatesCheck = RatesCheck()
    subjects: SubjectsCheck = SubjectsCheck()
    penalty: PenaltyCheck = PenaltyCheck()
    traps: TrapsCheck = TrapsCheck()
    geo: GeoCheck = GeoCheck()
