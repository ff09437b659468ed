"""
The signals of what a message shows, hides, says, and where it leads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from string import ascii_uppercase

import numpy as np

from mailgate.classify.header_signals import MIXED, unsubscribes_at_sender
from mailgate.classify.known import (
    ADVANCE_FEE,
    CHEAP_ENDINGS,
    FREE_HOSTING,
    RISKY_EXTENSIONS,
    SHORTENERS,
    UNSUBSCRIBE,
    URGENCY,
)
from mailgate.classify.reading import Reading
from mailgate.classify.tokens import PAIR, WORD, Tokens
from mailgate.classify.words import Keys, Words, keys_of, normalise, split
from mailgate.message.confusable import cut_words
from mailgate.message.html import Hidden
from mailgate.message.style import Way
from mailgate.message.urls import Link

_LETTERS = re.compile(r"[A-Za-z]{3,}")
_WORD = re.compile(r"\w+")
_CAPITALS = bytes(ord("A") if chr(c) in ascii_uppercase else c for c in range(256))
_GREEK_OR_CYRILLIC = bytes(range(0xCD, 0xD5))
_USUAL_PORTS = {None, 80, 443}
_CURRENCIES = "$\u20ac\u00a3"
_MONEY = re.compile(rf"[{_CURRENCIES}]\s?[0-9]")
_GAPPY = 5
_MIXED_SAMPLE = 8000
_WORDS_COMPARED = 300
_SAMPLE = 2000
"""Characters in which the share of capitals is counted."""


def body_signals(reading: Reading, tokens: Tokens, found: list[str]) -> None:
    """
    Name the signals that the body of a message shows.
    """
    _links(reading, found)
    _hidden(reading, found)
    _make(reading, found)
    _pictures(reading, found)
    _words(reading, found)
    _phrases(tokens, found)


# -- links --------------------------------------------------------------------------------


def _links(reading: Reading, found: list[str]) -> None:
    links = reading.web
    if not links:
        found.append("no_link")
        return
    hosts = {link.host: link for link in links}
    organisations = [link.organisation for link in links]
    related = sum(map(organisations.count, filter(reading.is_of_sender, set(organisations))))
    for link in hosts.values():
        _target(link, found)
    if not {link.port for link in links} <= _USUAL_PORTS:
        found.append("url_port")
    if len(links) == 1:
        found.append("one_link")
    if len(hosts) == 1:
        found.append("single_host")
    elif len(hosts) >= 4:
        found.append("many_hosts")
    if related:
        found.append("any_link_related")
        if related * 2 > len(links):
            found.append("most_links_related")
        return
    found.append("links_none_of_sender")
    if reading.is_html and not unsubscribes_at_sender(reading):
        found.append("no_related_link")
        if len(hosts) == 1:
            found.append("one_foreign_host")


def _target(link: Link, found: list[str]) -> None:
    """
    Name what kind of host a link leads to.
    """
    if link.is_address:
        found.append("ip_host")
        return
    host = link.host
    if link.organisation in SHORTENERS or host in SHORTENERS:
        found.append("shortener")
    if f".{host}".endswith(FREE_HOSTING):
        found.append("free_hosting")
    if host.rpartition(".")[2] in CHEAP_ENDINGS:
        found.append("cheap_link")
    if any(map(str.isdigit, link.organisation)):
        found.append("digits_in_host")
    if "xn--" in host or not host.isascii():
        found.append("idn_host")


# -- what is hidden -----------------------------------------------------------------------


def _hidden(reading: Reading, found: list[str]) -> None:
    page = reading.page
    if page.splits >= 2:
        found.append("split_by_hidden")
    if page.has_white_text:
        found.append("white_text")
    if page.hidden:
        _hidden_text(page.hidden, reading.body, found)
    if not (reading.plain.isascii() and reading.shown.isascii()):
        text = f"{reading.plain}\n{reading.shown}"
        if sum(1 for _ in _up_to(2, cut_words(text))) >= 2:
            found.append("zero_width_in_words")
        if _is_greek_or_cyrillic(reading.body):
            if sum(1 for _ in _up_to(3, MIXED.finditer(text[:_MIXED_SAMPLE]))) >= 3:
                found.append("mixed_script")


def _hidden_text(hidden: Sequence[Hidden], body: Words, found: list[str]) -> None:
    later = [each for each in hidden if not each.is_first]
    if any(each.way is Way.ZERO_FONT and sum(map(str.isalpha, each.text)) >= 3 for each in later):
        found.append("zero_font_text")
    # Programs fill it up with spaces and characters of no width, which are no text.
    if sum(len(_WORD.findall(each.text)) for each in hidden if each.is_first) > 60:
        found.append("long_preheader")
    if later:
        words = split(normalise("\n".join(each.text for each in later)))
        novel = np.isin(words.hashes, body.hashes, invert=True)
        if np.count_nonzero(novel) >= 20:
            found.append("hidden_words")


def _is_greek_or_cyrillic(body: Words) -> bool:
    """
    Tell whether there is any letter of these scripts, by the first bytes that they have in UTF-8.
    """
    return len(body.data.translate(None, _GREEK_OR_CYRILLIC)) < len(body.data)


def _up_to(count: int, matches: Iterable[object]) -> Iterator[object]:
    return (match for match, _ in zip(matches, range(count), strict=False))


# -- how it is made -----------------------------------------------------------------------


def _make(reading: Reading, found: list[str]) -> None:
    parsed = reading.parsed
    if reading.is_html:
        found.append("html")
        if not reading.is_plain:
            found.append("html_only")
        page = reading.page
        if not page.has_root:
            found.append("no_html_tag")
        if page.ends >= 2:
            found.append("two_html_ends")
        if page.references > 60:
            found.append("many_references")
        if page.forms:
            found.append("form")
        if page.scripts:
            found.append("script")
        if reading.is_plain and _says_the_same(reading):
            found.append("text_matches_html")
    for text in parsed.texts:
        characters = text.characters
        if text.encoding == "base64" and len(characters) >= 20 and _is_ascii(characters):
            found.append("base64_text" if reading.is_plain else "base64_text_html_only")
            break
    if any(text.encoding == "7bit" and not text.characters.isascii() for text in parsed.texts):
        # Some charsets, ISO-2022-JP for one, write with 7 bits what is not ASCII.
        if not any(text.charset.lower().startswith(("iso-2022", "utf-7")) for text in parsed.texts):
            found.append("eight_bit_in_seven")
    attachments = parsed.attachments
    if attachments:
        found.append("attachment")
    for part in attachments:
        if any(name.rpartition(".")[2].lower().strip() in RISKY_EXTENSIONS for name in part.names):
            found.append("risky_attachment")
            break


def _is_ascii(text: str) -> bool:
    if text.isascii():
        return True
    return len(text.encode("ascii", "ignore")) >= 0.98 * len(text)


def _says_the_same(reading: Reading) -> bool:
    """
    Tell whether 60 % of the words of the HTML stand in the plain text as well, by some of them.
    """
    hashes = reading.body.hashes
    plain, shown = hashes[: reading.plain_words], hashes[reading.plain_words :]
    if len(shown) == 0 or len(plain) == 0:
        return False
    # Both sorted, as what is looked for in its order is found faster: 20 us instead of 27.
    some = np.sort(shown[:: 1 + len(shown) // _WORDS_COMPARED])
    plain = np.sort(plain)
    found = plain.take(plain.searchsorted(some), mode="clip") == some
    return bool(np.count_nonzero(found) >= 0.6 * len(some))


# -- pictures and little text -------------------------------------------------------------


def _pictures(reading: Reading, found: list[str]) -> None:
    shown = len(reading.plain.strip()) + len(reading.shown.strip())
    if shown < 10 and not reading.parsed.attachments:
        found.append("empty")
    if reading.web and shown < 300:
        found.append("short_with_link")
    if not reading.page.images:
        return
    if reading.web and shown < 50:
        found.append("image_link_tiny")
    if (
        shown >= 200
        or reading.is_plain
        or unsubscribes_at_sender(reading)
        or any(reading.is_of_sender(link.organisation) for link in reading.web)
    ):
        return
    found.append("image_bare")
    if any(anchor.has_image for anchor in reading.page.anchors):
        found.append("linked_image_bare")


# -- what is said -------------------------------------------------------------------------


def _words(reading: Reading, found: list[str]) -> None:
    text = reading.plain if reading.is_plain else reading.shown
    sample = text[:_SAMPLE]
    # Few messages have any, and to look for words costs more than to look for letters.
    shape = sample.encode("utf-8", "replace").translate(_CAPITALS)
    if shape.count(b"AAA") > 5:
        words = _LETTERS.findall(sample)
        if len(words) >= 20 and sum(map(str.isupper, words)) > 0.25 * len(words):
            found.append("capital_words")
    if any(sign in sample for sign in _CURRENCIES) and _MONEY.search(sample):
        found.append("money")
    if _is_gappy(reading.body):
        found.append("gappy_text")


class _Phrases:
    """
    Words and pairs of words of several kinds that are looked for in a message.
    """

    def __init__(self, *kinds: Iterable[str]) -> None:
        split_phrases = [
            (kind, split(phrase)) for kind, phrases in enumerate(kinds) for phrase in phrases
        ]
        single = [(kind, words) for kind, words in split_phrases if len(words) == 1]
        pairs = [(kind, words) for kind, words in split_phrases if len(words) == 2]
        self._single, of_single = _in_order((kind, words.keys(WORD)) for kind, words in single)
        self._pairs, of_pairs = _in_order(
            (kind, keys_of(words.pairs(), PAIR)) for kind, words in pairs
        )
        self._kinds = [*of_single, *of_pairs]
        self._number = len(kinds)

    def count(self, tokens: Tokens) -> Sequence[int]:
        """
        Count how many phrases of each kind there are.
        """
        found = np.concatenate((tokens.has(0, self._single), tokens.has(1, self._pairs)))
        kinds = [self._kinds[at] for at in found.nonzero()[0].tolist()]
        return [kinds.count(kind) for kind in range(self._number)]


def _in_order(phrases: Iterable[tuple[int, Keys]]) -> tuple[Keys, list[int]]:
    """
    Sort the keys of phrases, each with its kind: what is looked for in its order is found faster.
    """
    pairs = sorted((key, kind) for kind, keys in phrases for key in keys.tolist())
    return np.array([key for key, _ in pairs], np.uint32), [kind for _, kind in pairs]


_PHRASES = _Phrases(ADVANCE_FEE, URGENCY, UNSUBSCRIBE)


def _phrases(tokens: Tokens, found: list[str]) -> None:
    advance_fee, urgency, unsubscribe = _PHRASES.count(tokens)
    if advance_fee >= 3:
        found.append("advance_fee")
    if urgency >= 2:
        found.append("urgency")
    if unsubscribe:
        found.append("unsubscribe_words")


def _is_gappy(body: Words) -> bool:
    """
    Tell whether five letters stand each for itself, one character apart.
    """
    # Their starts are two apart; of most texts it is plain that no five are.
    if not np.count_nonzero(
        body.starts[_GAPPY - 1 :] - body.starts[: -(_GAPPY - 1)] == 2 * (_GAPPY - 1)
    ):
        return False
    alone = (body.ends - body.starts == 1).astype(np.int32)
    close = np.zeros(len(body), np.int32)
    close[1:] = (np.diff(body.starts) == 2) & (alone[1:] == 1) & (alone[:-1] == 1)
    sums = np.concatenate(([0], np.cumsum(close)))
    runs = np.flatnonzero(sums[_GAPPY - 1 :] - sums[: -(_GAPPY - 1)] == _GAPPY - 1)
    letters = (body.data[body.starts[at - 1] : body.ends[at + _GAPPY - 2]] for at in runs[:50])
    return any(not any(c in b"0123456789!?" for c in each) for each in letters)
