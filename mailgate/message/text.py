"""
Characters out of a stranger's bytes, and words out of a stranger's HTML. Linear, never raising.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF16_BE, BOM_UTF32_BE, charmap_decode, getincrementaldecoder
from functools import lru_cache
from html import unescape
from importlib import import_module

_CHARSETS = """
    utf_8 utf_7 utf_16 utf_16_be utf_16_le utf_32 utf_32_be utf_32_le
    iso8859_2 iso8859_3 iso8859_4 iso8859_5 iso8859_6 iso8859_7 iso8859_8 iso8859_9 iso8859_10
    iso8859_11 iso8859_13 iso8859_14 iso8859_15 iso8859_16
    cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258
    cp437 cp737 cp775 cp850 cp852 cp855 cp857 cp858 cp860 cp861 cp862 cp863 cp865 cp866 cp869 cp874
    koi8_r koi8_u koi8_t mac_roman mac_cyrillic mac_greek mac_latin2 tis_620 ptcp154
    gb2312 gbk gb18030 hz big5 big5hkscs cp932 cp949 cp950 euc_kr euc_jp johab
    shift_jis shift_jisx0213 iso2022_jp iso2022_jp_1 iso2022_jp_2 iso2022_jp_3 iso2022_jp_ext
    iso2022_kr
"""
CHARSETS = frozenset(_CHARSETS.split())
"""
The character sets that are read, as Python names them.

What Python knows beyond them (C{punycode}, C{idna}, C{unicode_escape}) is no character set of
mail, and some of it takes quadratic time.
"""

_ALIASES = {
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8",
    "gb_2312_80": "gb2312",
    "x_gbk": "gbk",
    "cp_1252": "cp1252",
    "x_sjis": "cp932",
    "shift_jis": "cp932",
    "windows_31j": "cp932",
    "ks_c_5601_1987": "cp949",
    "unicode_1_1_utf_7": "utf_7",
    "x_unicode_2_0_utf_7": "utf_7",
    "windows_874": "cp874",
    "macintosh": "mac_roman",
    "utf8": "utf_8",
    "utf_16le": "utf_16_le",
    "utf_16be": "utf_16_be",
    "utf_32le": "utf_32_le",
    "utf_32be": "utf_32_be",
}
_ORDERS = {
    "utf_16": (BOM_UTF16_BE, "utf_16_be", "utf_16_le"),
    "utf_32": (BOM_UTF32_BE, "utf_32_be", "utf_32_le"),
}
_SURROGATE = re.compile("[\ud800-\udfff]")
_SLICE = 16 * 1024
"""Bytes that are decoded in one go: where each is wrong, they take 2 ms."""

_ISO_8859 = re.compile(r"iso_?8859_(\d+)")
_WINDOWS = re.compile(r"(?:x_)?windows_(\d+)")


def characters(raw: bytes, charset: str = "") -> str:
    """
    Decode C{raw}; what does not belong to C{charset} becomes U+FFFD.

    Without a charset, with an unknown one, and with US-ASCII or Latin-1 (which say nothing,
    since everybody writes them on everything) it is UTF-8 if it can be, else Windows-1252. The
    result never holds a lone surrogate, so it can always be encoded.
    """
    name = _known(charset[:80]) if charset else None
    if name is None:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            name = "cp1252"
    table = _table(name)
    if table is not None:
        return charmap_decode(raw, "strict", table)[0]
    if len(raw) <= _SLICE or not name.startswith("utf_"):
        text = raw.decode(name, "replace")
    else:
        text = _in_slices(raw, name)
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text) if name == "utf_7" else text


def is_slow(charset: str) -> bool:
    """
    Tell whether a character set takes long where what is written in it is none of it: 0.1 us a
    byte.
    """
    name = _known(charset[:80]) if charset else None
    return name is not None and name != "utf_8" and name.startswith("utf_")


@lru_cache(maxsize=256)
def _table(name: str) -> str | None:
    """
    Give the characters of all bytes, of a set in which each is one.

    Those that it does not have are U+FFFD there, as Python takes 0.3 us for each that is not.
    """
    table = getattr(import_module(f"encodings.{name}"), "decoding_table", None)
    return None if table is None else bytes(range(256)).decode(name, "replace")


def _in_slices(raw: bytes, name: str) -> str:
    """
    Decode some bytes at a time, so that other threads get their turn.
    """
    order = _ORDERS.get(name)
    if order is not None:
        # An incremental decoder takes nothing without a mark of the order of bytes.
        mark, turned, straight = order
        name = turned if raw.startswith(mark) else straight
        if raw.startswith((mark, mark[::-1])):
            raw = raw[len(mark) :]
    decoder = getincrementaldecoder(name)("replace")
    pieces = [decoder.decode(raw[at : at + _SLICE]) for at in range(0, len(raw), _SLICE)]
    return "".join((*pieces, decoder.decode(b"", final=True)))


def blocks(text: str) -> bytes:
    """
    Give for each character the number of its block of 256: C{4} for Cyrillic. No pattern finds out
    as fast which scripts a text has. A character beyond U+FFFF has two numbers from 0xD8 to 0xDF.
    """
    return text.encode("utf-16-le", "replace")[1::2]


@lru_cache(maxsize=256)
def _known(charset: str) -> str | None:
    name = charset.strip().lower().replace("-", "_").replace(" ", "_")[:40]
    name = _ALIASES.get(name, name)
    for pattern, known in ((_ISO_8859, "iso8859_{}"), (_WINDOWS, "cp{}")):
        match = pattern.fullmatch(name)
        if match:
            name = known.format(match[1])
    name = name.replace("iso_2022", "iso2022")
    return name if name in CHARSETS else None


_BREAK_NAMES = """
    address article aside blockquote body br center dd div dl dt fieldset figure footer form h1 h2
    h3 h4 h5 h6 header hr html li main nav ol option p pre section table tbody td tfoot th thead
    tr ul
"""
_BREAKS = frozenset(_BREAK_NAMES.split())
_PARAGRAPHS = frozenset(
    ("blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "table", "ul")
)
_UNSEEN = {
    name: re.compile(f"</{name}", re.IGNORECASE | re.ASCII)
    for name in ("iframe", "noembed", "noframes", "script", "style", "template", "title")
}
_MARKUP = re.compile(r"<(?=/?[a-z]|[!?])", re.IGNORECASE | re.ASCII)
_TAG = re.compile(r"</?([a-z][a-z0-9]*)", re.IGNORECASE | re.ASCII)
_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_SPACE = re.compile(r"[ \t\r\n\f]+")
_QUOTED_FROM = re.compile(r"""=\s*(["'])|>""")
_ENDLESS_REFERENCE = re.compile(r"&#(?:[0-9]{20,}|[xX][0-9a-fA-F]{20,});?")
_TAG_LIMIT = 4096
_LINK_LIMIT = 200
_LINKS = 1000


def words_of_html(html: str, limit: int) -> str:
    """
    Give the text that a reader of C{html} would see, at most C{limit} characters of it.

    Nothing in it is a tag any more; a link's target stands behind its words as C{[1 -> target]},
    with the arrow. Styles are not looked at, so what they hide is shown. The time it takes is
    linear in the size of C{html}, whatever is in it.
    """
    return _HtmlText(html, limit).read()


class _HtmlText:
    """
    One walk over the tags, from left to right, without a tree.

    A parser that builds one was measured on hostile pages: half a megabyte of attributes or of
    nested C{<div>} cost it more than five seconds.
    """

    def __init__(self, html: str, limit: int) -> None:
        self._html = html
        self._limit = limit
        self._pieces: list[str] = []
        self._length = 0
        self._links = 0
        self._target = ""
        self._without: set[str] = set()

    def read(self) -> str:
        at = 0
        while self._length < self._limit:
            markup = _MARKUP.search(self._html, at)
            if markup is None:
                self._say(self._html[at:])
                break
            self._say(self._html[at : markup.start()])
            at = self._markup(markup.start())
        text = "".join(self._pieces)[: self._limit]
        lines = [line.strip() for line in text.split("\n")]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")

    def _say(self, text: str) -> None:
        if "&" in text:
            text = unescape(_ENDLESS_REFERENCE.sub("\N{REPLACEMENT CHARACTER}", text))
        text = _SPACE.sub(" ", text)
        if text == " " and self._pieces and self._pieces[-1].endswith((" ", "\n")):
            return
        if text:
            self._add(text)

    def _add(self, text: str) -> None:
        self._pieces.append(text)
        self._length += len(text)

    def _find(self, needle: str, start: int) -> int:
        """
        Find C{needle}, and look for none to the end twice.
        """
        if needle in self._without:
            return -1
        at = self._html.find(needle, start)
        if at < 0:
            self._without.add(needle)
        return at

    def _markup(self, less: int) -> int:
        html = self._html
        if html.startswith("<!--", less):
            end = self._find("-->", less + 4)
            if end < 0:
                end = self._find(">", less + 4)
                return len(html) if end < 0 else end + 1
            return end + 3
        tag = _TAG.match(html, less, less + 40)
        if tag is None:
            end = self._find(">", less + 2)
            return len(html) if end < 0 else end + 1
        end = self._tag_end(tag.end())
        if end < 0:
            return len(html)
        name = tag[1].lower()
        is_end = html[less + 1] == "/"
        if name in _UNSEEN:
            return end if is_end else self._skip(name, end)
        if name == "a":
            self._link(None if is_end else html[tag.end() : min(end, tag.end() + _TAG_LIMIT)])
        if name in _BREAKS:
            self._add("\n\n" if name in _PARAGRAPHS else "\n")
        return end

    def _tag_end(self, at: int) -> int:
        """
        Give the offset behind the C{>} of a tag, passing over quoted values, or -1.
        """
        while True:
            match = _QUOTED_FROM.search(self._html, at, at + _TAG_LIMIT)
            if match is None:
                end = self._find(">", at)
                return -1 if end < 0 else end + 1
            if match[1] is None:
                return match.end()
            close = self._find(match[1], match.end())
            if close < 0:
                end = self._find(">", match.end())
                return -1 if end < 0 else end + 1
            at = close + 1

    def _skip(self, name: str, at: int) -> int:
        """
        Give the offset of the end tag of an element that nobody sees.
        """
        end = _UNSEEN[name].search(self._html, at)
        return len(self._html) if end is None else end.start()

    def _link(self, attributes: str | None) -> None:
        if attributes is None:
            if self._target and self._links < _LINKS:
                self._links += 1
                self._add(f" [{self._links} → {self._target}]")
            self._target = ""
            return
        href = _HREF.search(attributes)
        written = (href[1] or href[2] or href[3] or "") if href else ""
        written = unescape(_ENDLESS_REFERENCE.sub("", written))
        target = _SPACE.sub(" ", written).strip()
        if target.startswith("#"):
            target = ""
        self._target = target if len(target) <= _LINK_LIMIT else target[:_LINK_LIMIT] + "…"
