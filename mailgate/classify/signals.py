"""
The structural signals: what the make of a message says, whatever its words are.

Each has a weight in logit points that is right before anything was learned; learning moves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from mailgate.classify.body_signals import body_signals
from mailgate.classify.header_signals import header_signals
from mailgate.classify.reading import Reading
from mailgate.classify.tokens import Tokens


@frozen
class Signal:
    """
    One thing that is so of a message or not.
    """

    name: str
    """Stable: learned weights are kept under it."""

    prior: float
    """What it is worth before anything was learned; positive speaks for spam."""

    words: str
    """What was seen, as a part of a sentence."""


SIGNALS: Sequence[Signal] = (
    # -- the sender
    Signal("brand_in_name", 2.5, "the sender bears the name of a company whose domain it is not"),
    Signal("odd_letters_in_header", 2.5, "subject or sender use look-alike letters"),
    Signal("zero_width_in_header", 2.0, "subject or sender hide characters of no width"),
    Signal("reply_to_free_mail", 1.8, "replies go to a free mail address, the sender is none"),
    Signal("from_shared_platform", 1.5, "the sender's domain is lent by a platform"),
    Signal(
        "free_mail_from_elsewhere",
        1.5,
        "the sender has a free mail address, and nothing shows that its provider has sent it",
    ),
    Signal("no_from_domain", 1.5, "the sender has no domain"),
    Signal("foreign_address_in_name", 1.0, "the sender's name is an address of another domain"),
    Signal("cheap_from", 0.7, "the sender's domain has an ending that costs nothing"),
    Signal("raw_from", 0.7, "the sender's name has raw 8-bit characters"),
    Signal("digits_in_from_domain", 0.5, "the sender's domain has digits"),
    Signal("no_name", 0.3, "the sender has no name"),
    Signal("no_name_html", 0.3, "the sender of a page has no name"),
    Signal("reply_to_other", 0.2, "replies go to another organisation"),
    Signal("from_free_mail", 0.0, "the sender has a free mail address"),
    Signal("random_local", 0.0, "the sender's address looks random"),
    Signal("long_local", 0.0, "the sender's address is long"),
    Signal("deep_from_domain", 0.0, "the sender's domain has many labels"),
    Signal("long_from_domain", 0.0, "the sender's domain is long"),
    # -- the subject
    Signal("base64_ascii_subject", 1.5, "the subject is encoded without need"),
    Signal("raw_subject", 1.0, "the subject has raw 8-bit characters"),
    Signal("number_far_off_in_subject", 1.0, "a number stands far off at the end of the subject"),
    Signal("no_subject", 0.7, "there is no subject"),
    Signal("subject_capitals", 0.7, "the subject is in capitals"),
    Signal("base64_subject", 0.5, "the subject is in base64"),
    Signal("brand_in_subject", 0.5, "the subject names a company that is not the sender"),
    Signal("exclamation_in_subject", 0.3, "the subject has an exclamation mark"),
    Signal("emoji_in_subject", 0.0, "the subject has pictures"),
    # -- the other fields
    Signal("forged_mailer", 1.5, "it claims to be from a Microsoft program but lacks its fields"),
    Signal(
        "forged_message_id",
        1.5,
        "the Message-ID is made like one of a Microsoft program, by which it was not written",
    ),
    Signal("bad_message_id", 1.5, "the Message-ID is malformed"),
    Signal("odd_zone", 1.5, "the Date has a time zone that does not exist"),
    Signal("bad_date", 1.0, "the Date is malformed"),
    Signal("random_mailer", 1.0, "the name of the program that wrote it is made of random letters"),
    Signal("high_priority", 0.7, "it is marked as urgent"),
    Signal("to_nobody", 0.0, "it names nobody to whom it goes"),
    Signal("to_sender", 0.3, "it is addressed to its sender"),
    Signal("own_unsubscribe", -0.5, "unsubscribing leads to the sender"),
    Signal("one_click_unsubscribe", -0.5, "unsubscribing takes one click and leads to the sender"),
    Signal("own_message_id", -0.2, "the Message-ID is of the sender's domain"),
    # -- links
    Signal("ip_host", 1.5, "a link leads to a bare IP address"),
    Signal("one_foreign_host", 1.2, "all links lead to one host that is not the sender's"),
    Signal("shortener", 1.0, "a link goes through a shortener"),
    Signal("idn_host", 1.0, "a link leads to a name with letters of other scripts"),
    Signal("no_related_link", 0.7, "no link leads to the sender"),
    Signal("free_hosting", 0.7, "a link leads to free hosting"),
    Signal("url_port", 0.5, "a link names a port"),
    Signal("cheap_link", 0.5, "a link's domain has an ending that costs nothing"),
    Signal("digits_in_host", 0.3, "a link's domain has digits"),
    Signal("most_links_related", -1.0, "most links lead to the sender"),
    Signal("any_link_related", -0.5, "a link leads to the sender"),
    Signal("many_hosts", -0.4, "links lead to four hosts or more"),
    Signal("single_host", 0.0, "all links lead to one host"),
    Signal("no_link", 0.0, "there is no link"),
    Signal("links_none_of_sender", 0.0, "there are links, none to the sender"),
    Signal("one_link", 0.0, "there is one link"),
    Signal("short_with_link", 0.0, "there is a link and hardly any text"),
    # -- what is shown and what is hidden
    Signal("split_by_hidden", 2.0, "hidden elements split words"),
    Signal("zero_width_in_words", 2.0, "characters of no width split words"),
    Signal("zero_font_text", 1.0, "there is text of size zero"),
    Signal("hidden_words", 0.7, "there are hidden words that are shown nowhere"),
    Signal("long_preheader", 0.3, "much text is hidden at the top"),
    Signal("white_text", 0.0, "there is white text"),
    Signal("linked_image_bare", 1.5, "a linked picture stands in place of a text"),
    Signal("image_bare", 0.5, "a picture stands in place of a text"),
    Signal("image_link_tiny", 0.7, "there is a picture, a link, and next to no text"),
    Signal("empty", 0.5, "there is no text"),
    Signal("base64_text_html_only", 1.2, "the page is in base64 without need"),
    Signal("base64_text", 0.4, "the text is in base64 without need"),
    Signal("html_only", 0.5, "there is a page and no plain text"),
    Signal("no_html_tag", 0.3, "the page has no <html>"),
    Signal("two_html_ends", 0.5, "the page ends twice"),
    Signal("many_references", 0.3, "many letters are written as numbers"),
    Signal("eight_bit_in_seven", 0.3, "8-bit characters where 7 bits are promised"),
    Signal("text_matches_html", -0.3, "the plain text says what the page says"),
    Signal("html", 0.0, "there is a page"),
    Signal("form", 0.0, "the page has a form"),
    Signal("script", 0.0, "the page has a script"),
    # -- what is said
    Signal("mixed_script", 1.0, "words mix letters of two scripts"),
    Signal("risky_attachment", 1.0, "a file is attached that would run, or open as a page"),
    Signal("advance_fee", 1.0, "it speaks of money from strangers"),
    Signal("capital_words", 0.7, "many words are in capitals"),
    Signal("gappy_text", 0.5, "letters of words stand apart"),
    Signal("urgency", 0.4, "it presses for time"),
    Signal("money", 0.0, "it names a sum of money"),
    Signal("unsubscribe_words", 0.0, "it says how to unsubscribe"),
    Signal("attachment", 0.0, "something is attached"),
)
"""
All signals. Those that need what other checks say (SPF, DKIM, DMARC, DNS lists) are not among
them yet.
"""

INDEX = {signal.name: index for index, signal in enumerate(SIGNALS)}

PRIORS = np.array([signal.prior for signal in SIGNALS])


def signals_of(reading: Reading, tokens: Tokens) -> frozenset[str]:
    """
    Name the signals that a message shows.
    """
    found: list[str] = []
    header_signals(reading, found)
    body_signals(reading, tokens, found)
    return frozenset(found)


def vector(names: Iterable[str]) -> NDArray[np.float64]:
    """
    Give 1 for each signal that is named, in the order of L{SIGNALS}, else 0.
    """
    values = np.zeros(len(SIGNALS))
    values[[INDEX[name] for name in names]] = 1.0
    return values
