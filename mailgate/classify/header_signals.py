"""
The signals of the header section: sender, subject, and the fields that programs write.
"""

from __future__ import annotations

import re

from mailgate.classify.brands import known_brands
from mailgate.classify.known import CHEAP_ENDINGS, FREE_MAIL, PROVIDERS
from mailgate.classify.reading import Mailbox, Reading
from mailgate.message.header import Headers
from mailgate.message.host import clean_host
from mailgate.message.links import unsubscribe_links
from mailgate.message.urls import are_related, organisation

_MATHEMATICAL = re.compile("[\U0001d400-\U0001d7ff\uff21-\uff3a\uff41-\uff5a]")
MIXED = re.compile("[A-Za-z][\u0370-\u03bb\u03bd-\u052f]|[\u0370-\u03bb\u03bd-\u052f][A-Za-z]")
"""A Latin letter beside a Greek or Cyrillic one; the Greek mu stands in measures."""

_ZERO_WIDTH = re.compile("[\u200b\u200c\u2060\ufeff]")
_EMOJI = re.compile("[\u2600-\u27bf\U0001f300-\U0001faff]")
_ADDRESS_IN_NAME = re.compile(
    r"[^\s@<>()\"',;:]{1,64}@([a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+)", re.I
)
_ENCODED = re.compile(rb"=\?[^?\s]{1,40}\?([bq])\?", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9]")
_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{6}")
_MESSAGE_ID = re.compile(rb"<[^<>\s@]+@[^<>\s@]+>")
_DATE = re.compile(
    rb"(?:[A-Za-z]{3}\s*,)?\s*[0-9]{1,2}\s+[A-Za-z]{3}\s+[0-9]{2,4}\s+"
    rb"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?\s*(?:([+-])([0-9]{2})([0-9]{2})|[A-Za-z]{1,5})"
    rb"\s*(?:\(.*)?",
    re.DOTALL,
)
_FAR_OFF = re.compile(r"\S\s{5,}\S{1,12}\Z")
_HOPS = 20
_WRITTEN = 4_000
_ADDRESSEES = 2_000
"""Bytes of To and Cc that are looked at."""

_OUTLOOK_ID = re.compile(rb"<[0-9a-f]{12}\$[0-9a-f]{8}\$[0-9a-f]{8}@")
_MICROSOFT = re.compile(rb"outlook|microsoft|exchange")
_RANDOM = re.compile(rb"(?=[a-z0-9]*[0-9])(?=[a-z0-9]*[b-df-hj-np-tv-xz]{3})[a-z0-9]{16,40}")
_URGENT = re.compile(rb"\s*(?:1|2|high|urgent)\b", re.IGNORECASE)


def header_signals(reading: Reading, found: list[str]) -> None:
    """
    Name the signals that the header section of a message shows.
    """
    _sender(reading, found)
    _subject(reading, found)
    _fields(reading, found)
    _addressees(reading, found)


def _first(headers: Headers, name: str) -> bytes:
    values = headers.fields.get(name)
    return values[0].strip(b" \t") if values else b""


# -- the sender ---------------------------------------------------------------------------


def _sender(reading: Reading, found: list[str]) -> None:
    headers, sender = reading.headers, reading.sender
    name = sender.name
    if name and _is_foreign_brand(name, sender, is_whole=True):
        found.append("brand_in_name")
    text = f"{name}\n{reading.subject}"
    if not text.isascii():
        if MIXED.search(text) or _MATHEMATICAL.search(text):
            found.append("odd_letters_in_header")
        if _ZERO_WIDTH.search(text):
            found.append("zero_width_in_header")
    if not _first(headers, "from").isascii():
        found.append("raw_from")
    if not name:
        found.append("no_name")
        if reading.is_html:
            found.append("no_name_html")
    elif "@" in name:
        address = _ADDRESS_IN_NAME.search(name)
        if address and not reading.is_of_sender(organisation(address[1].lower())):
            found.append("foreign_address_in_name")
    _domain(headers, sender, found)
    _reply_to(reading, found)


def _domain(headers: Headers, sender: Mailbox, found: list[str]) -> None:
    domain = sender.domain
    if not domain:
        found.append("no_from_domain")
        return
    if f".{domain}".endswith(known_brands().shared_senders):
        found.append("from_shared_platform")
    if domain.rpartition(".")[2] in CHEAP_ENDINGS:
        found.append("cheap_from")
    if _DIGITS.search(sender.organisation):
        found.append("digits_in_from_domain")
    if sender.organisation in FREE_MAIL:
        found.append("from_free_mail")
        if _is_from_elsewhere(headers, sender.organisation):
            found.append("free_mail_from_elsewhere")
    local = sender.local
    if len(local) >= 25:
        found.append("long_local")
    if len(local) >= 8 and (len(_DIGITS.findall(local)) >= 4 or _CONSONANTS.search(local)):
        found.append("random_local")
    if domain.count(".") >= 3:
        found.append("deep_from_domain")
    if len(domain) >= 30:
        found.append("long_from_domain")


def _is_from_elsewhere(headers: Headers, organisation: str) -> bool:
    """
    Tell whether mail of a provider shows no trace of it: neither its hosts in Received nor its name
    in the Message-ID.
    """
    trace = PROVIDERS.get(organisation)
    if trace is None:
        return False
    hops = headers.fields.get("received", ())[:_HOPS]
    written = b"\n".join((*hops, _first(headers, "message-id")))
    return re.search(trace, written[:_WRITTEN], re.IGNORECASE) is None


def _reply_to(reading: Reading, found: list[str]) -> None:
    value = _first(reading.headers, "reply-to")
    if not value:
        return
    reply_to = Mailbox.parse(value)
    if not reply_to.domain or reading.is_of_sender(reply_to.organisation):
        return
    found.append("reply_to_other")
    if reply_to.organisation in FREE_MAIL and reading.sender.organisation not in FREE_MAIL:
        found.append("reply_to_free_mail")


def _is_foreign_brand(text: str, sender: Mailbox, is_whole: bool) -> bool:
    """
    Tell whether a text names a company, and the sender's domain is none of that company's.

    @param is_whole: whether the text must be the name of the company and no more.
    """
    claim = known_brands().claim(text) if sender.domain else None
    if claim is None or claim.is_true_of(sender.domain):
        return False
    return claim.is_whole or not is_whole


# -- the subject --------------------------------------------------------------------------


def _subject(reading: Reading, found: list[str]) -> None:
    raw, subject = _first(reading.headers, "subject")[:1000], reading.subject
    if not subject.strip():
        found.append("no_subject")
        return
    if not raw.isascii():
        found.append("raw_subject")
    encoded = _ENCODED.search(raw)
    if encoded and encoded[1] in b"bB":
        found.append("base64_subject")
        if subject.isascii():
            found.append("base64_ascii_subject")
    letters = [c for c in subject if c.isalpha()] if subject.isupper() else []
    if len(letters) >= 8:
        found.append("subject_capitals")
    if "brand_in_name" not in found and _is_foreign_brand(subject, reading.sender, is_whole=False):
        found.append("brand_in_subject")
    if _FAR_OFF.search(subject):
        found.append("number_far_off_in_subject")
    if "!" in subject:
        found.append("exclamation_in_subject")
    if not subject.isascii() and _EMOJI.search(subject):
        found.append("emoji_in_subject")


# -- what programs write ------------------------------------------------------------------


def _fields(reading: Reading, found: list[str]) -> None:
    headers = reading.headers
    fields = headers.fields
    mailer = _first(headers, "x-mailer")[:100].lower()
    if mailer.startswith(b"microsoft outlook") and not (
        "x-mimeole" in fields or "x-originalarrivaltime" in fields or "thread-index" in fields
    ):
        found.append("forged_mailer")
    elif _RANDOM.fullmatch(mailer):
        found.append("random_mailer")
    identity = _first(headers, "message-id")[:1000]
    if identity and not _MESSAGE_ID.fullmatch(identity):
        found.append("bad_message_id")
    if _OUTLOOK_ID.match(identity) and not (
        _MICROSOFT.search(mailer) or "x-mimeole" in fields or "x-originalarrivaltime" in fields
    ):
        found.append("forged_message_id")
    domain = identity.rpartition(b"@")[2].rstrip(b"> ").decode("latin-1")
    if domain and reading.is_of_sender(organisation(clean_host(domain))):
        found.append("own_message_id")
    date = _first(headers, "date")[:200]
    match = _DATE.fullmatch(date)
    if date and match is None:
        found.append("bad_date")
    elif match is not None and match[1] is not None:
        hours, minutes = int(match[2]), int(match[3])
        if minutes not in (0, 15, 30, 45) or hours > (12 if match[1] == b"-" else 14):
            found.append("odd_zone")
    if any(
        _URGENT.match(_first(headers, name))
        for name in ("x-priority", "importance", "x-msmail-priority", "priority")
        if name in fields
    ):
        found.append("high_priority")
    if unsubscribes_at_sender(reading):
        found.append("own_unsubscribe")
        if "list-unsubscribe-post" in fields:
            found.append("one_click_unsubscribe")


def _addressees(reading: Reading, found: list[str]) -> None:
    addressees = b",".join(_first(reading.headers, name) for name in ("to", "cc"))[:_ADDRESSEES]
    if b"@" not in addressees:
        found.append("to_nobody")
    sender = reading.sender
    if sender.domain and f"{sender.local}@{sender.domain}".encode() in addressees.lower():
        found.append("to_sender")


def unsubscribes_at_sender(reading: Reading) -> bool:
    """
    Tell whether List-Unsubscribe (RFC 2369) leads to the sender's organisation.
    """
    sender = reading.sender
    return bool(sender.domain) and any(
        are_related(link.organisation, sender.organisation)
        for link in unsubscribe_links(reading.headers)
    )
