"""
The domain of the author: From, read strictly (RFC 5322 section 3.6.2, RFC 9989 section 5.3.1).

Mail programs differ in how they read what is out of the grammar, or rare in it. A domain is named
only where all of them must come to the same; what else a From holds names no domain, and the
message cannot pass DMARC (RFC 9989 section 11.5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from attrs import field, frozen

from mailgate.authentication.domain import canonical
from mailgate.message.header import Headers, decode
from mailgate.message.mailbox import VALUE_LIMIT, mailboxes
from mailgate.message.text import characters

MAILBOXES = 20
"""How many mailboxes are read; more than that is no From of a person."""

TRIED = 100
"""How many names are tried for a domain where From is unclear; a long one takes 0.1 ms."""

_TOKEN = re.compile(
    r"(?P<space>[ \t]+)"
    r'|(?P<quoted>"(?:[^"\\]|\\.)*")'
    r"|(?P<sign>[<>,:;@()\[\]\\])"
    r'|(?P<atom>[^ \t"<>,:;@()\[\]\\]+)',
    re.DOTALL,
)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_HIGH = re.compile(r"[\x80-\xff]")
_INVISIBLE = re.compile(r"[^!-~]")
_HIDDEN = re.compile(rb"[\r\n]from[ \t]*:", re.IGNORECASE)
_ENCODED_WORD = re.compile(r"=\?[^?]*\?[^?]*\?[^?]*\?=")
_NESTED = re.compile(r"[()<>@\\]")
_BEHIND_AT = re.compile(r"@[ \t]*([^\s<>,;:@()\"\\\[\]]+)")
_MISLEADING = re.compile(r"[\x00-\x1f]|<[^>]*@")
_ADDRESS = rb"[A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+)*@((?:[A-Za-z0-9-]+\.)+[A-Za-z]+)"
_PLAIN = re.compile(
    rb'[ \t]*(?:%b|(?:"[A-Za-z0-9 ]+"[ \t]*|(?:[A-Za-z0-9]+[ \t]+)+)?<%b>)[ \t]*'
    % (_ADDRESS, _ADDRESS)
)
"""What most people write, in which there is nothing that could be read in two ways."""


@frozen
class Author:
    """
    Whom a message is from, as far as it can be told.
    """

    domain: str
    """In ASCII and small letters, or C{""} where there is none or more than one."""

    problem: str = ""
    """Why there is none, in words with nothing of a stranger's."""

    candidates: tuple[str, ...] = field(default=(), eq=False)
    """
    Where there is none, the domains that some mail program could read there, in the form of
    C{domain} and at most L{MAILBOXES}.
    """


class _Unclear(Exception):
    """
    It can be read in more than one way, or in none; the message says why.
    """


_Token = tuple[str, str]


def author_of(headers: Headers) -> Author:
    """
    Give the domain that the one From of a message names. Never raises.
    """
    values = headers.values("From")
    if _INVISIBLE.search("".join(headers.fields)):
        values = [
            value
            for name in headers.fields
            if _INVISIBLE.sub("", name) == "from"
            for value in headers.values(name)
        ]
    if not values:
        return Author("", "there is no From")
    if len(values) > 1:
        return _nobody(f"there are {len(values)} From fields", *values)
    for fields in headers.fields.values():
        for value in fields:
            if (b"\n" in value or b"\r" in value) and (hidden := _HIDDEN.search(value)):
                problem = "there is a second From behind a lone CR or LF"
                return _nobody(problem, values[0], value[hidden.end() :])
    return author(values[0])


def author(value: bytes) -> Author:
    """
    Give the domain that the value of a From names. Never raises.
    """
    try:
        return Author(_domain(value))
    except _Unclear as unclear:
        return _nobody(f"From {unclear}", value)


def _nobody(problem: str, *values: bytes) -> Author:
    """
    Give what is known of an author who cannot be told.
    """
    found: dict[str, None] = {}
    for name in islice(_behind_at(values), TRIED):
        domain = canonical(name)
        if domain is not None:
            found[domain] = None
            if len(found) == MAILBOXES:
                break
    return Author("", problem, tuple(found))


def _behind_at(values: Sequence[bytes]) -> Iterator[str]:
    """
    Give what stands behind an C{@}, as it is written and as it is shown, each once.
    """
    seen: set[str] = set()
    for value in values[:MAILBOXES]:
        shown = value[:VALUE_LIMIT]
        for match in _BEHIND_AT.finditer(f"{characters(shown)} {decode(shown, VALUE_LIMIT)}"):
            if match[1] not in seen:
                seen.add(match[1])
                yield match[1]


def _domain(value: bytes) -> str:
    if len(value) > VALUE_LIMIT:
        raise _Unclear(f"is longer than {VALUE_LIMIT} bytes")
    plain = _PLAIN.fullmatch(value)
    if plain is not None:
        domain = canonical((plain[1] or plain[2]).decode("ascii"))
        if domain is not None:
            return domain
    return _read(value)


def _read(value: bytes) -> str:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        # Old programs write names so. No domain is taken from such characters.
        text = _HIGH.sub("\ufffd", value.decode("latin-1"))
    if _CONTROL.search(text):
        raise _Unclear("has a control character")
    domains = set()
    for tokens in _mailboxes(_tokens(text)):
        domain = _of_mailbox(tokens)
        if domain is not None:
            domains.add(domain)
    if not domains:
        raise _Unclear("names no domain")
    if len(domains) > 1:
        raise _Unclear("names more than one domain")
    (domain,) = domains
    if {canonical(each.domain) for each in mailboxes(value, MAILBOXES)} != {domain}:
        raise _Unclear("can be read in more than one way")
    return domain


def _tokens(text: str) -> list[_Token]:
    """
    Cut a value into its tokens, without comments.
    """
    tokens: list[_Token] = []
    at = depth = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _Unclear("has a quote that is never closed")
        at = match.end()
        kind, token = match.lastgroup or "", match[0]
        if token == "(":
            depth += 1
        elif token == ")":
            depth -= 1
            if depth < 0:
                raise _Unclear("has a comment that was never opened")
            if not depth:
                tokens.append(("comment", ""))
        elif depth:
            if token in "<>@\\" or (kind == "quoted" and _NESTED.search(token)):
                raise _Unclear("has a comment with an address, or a quoted pair")
        elif token in "\\:;":
            raise _Unclear("is a group, or has a route or a quoted pair")
        else:
            tokens.append((kind, token))
    if depth:
        raise _Unclear("has a comment that is never closed")
    return tokens


def _mailboxes(tokens: Sequence[_Token]) -> list[list[_Token]]:
    """
    Cut at the commas.
    """
    mailboxes: list[list[_Token]] = [[]]
    for token in tokens:
        if token[1] == ",":
            mailboxes.append([])
        else:
            mailboxes[-1].append(token)
    if len(mailboxes) > MAILBOXES:
        raise _Unclear(f"has more than {MAILBOXES} mailboxes")
    return mailboxes


def _of_mailbox(tokens: list[_Token]) -> str | None:
    """
    Give the domain of one mailbox, or C{None} where there are only words (a name with a comma that
    should be quoted).
    """
    texts = [text for _, text in tokens]
    if "<" not in texts and ">" not in texts:
        if "@" not in texts:
            _check_words(tokens, "")
            return None
        return _of_address(tokens, ("space", "comment"))
    if texts.count("<") != 1 or texts.count(">") != 1:
        raise _Unclear("has more than one address in brackets, or half of one")
    less, greater = texts.index("<"), texts.index(">")
    if any(kind not in ("space", "comment") for kind, _ in tokens[greater + 1 :]):
        raise _Unclear("has something behind the address")
    domain = _of_address(tokens[less + 1 : greater], ("space",))
    _check_words(tokens[:less], domain)
    return domain


def _of_address(tokens: Sequence[_Token], around: Sequence[str]) -> str:
    """
    Give the domain of an C{addr-spec}.

    @param around: the kinds of tokens that may stand before and behind it.
    """
    first, last = 0, len(tokens)
    while first < last and tokens[first][0] in around:
        first += 1
    while first < last and tokens[last - 1][0] in around:
        last -= 1
    address = tokens[first:last]
    if any(kind == "comment" for kind, _ in (*tokens[:first][-1:], *tokens[last:][:1])):
        raise _Unclear("has a comment that touches the address")
    if len(address) != 3 or address[1][1] != "@" or address[2][0] != "atom":
        raise _Unclear("has an address that is not of the form local@domain")
    kind, local = address[0]
    if kind == "quoted":
        inside = local[1:-1]
        if not inside or not inside.isprintable() or re.search(r'[\\"@<>,:;()]', inside):
            raise _Unclear("has a local part that is read in different ways")
    elif kind != "atom" or not local.isprintable() or "=?" in local:
        raise _Unclear("has a local part that is read in different ways")
    domain = canonical(address[2][1])
    if domain is None:
        raise _Unclear("has an address whose domain is no domain name")
    return domain


def _check_words(tokens: Sequence[_Token], domain: str) -> None:
    """
    Make sure that no address can be read in the words before the address, but one of the same
    domain, which many programs write there without quotes.
    """
    for at, (kind, text) in enumerate(tokens):
        if text == "@":
            following = tokens[at + 1][1] if at + 1 < len(tokens) else ""
            if not domain or canonical(following) != domain:
                raise _Unclear("has another address in the name")
        elif kind == "quoted" and "\\" in text and re.search("[@<>]", text):
            raise _Unclear("has an address behind a quoted pair in the name")
        elif _ENCODED_WORD.search(text) and _MISLEADING.search(decode(text.encode("utf-8"))):
            raise _Unclear("has an address in an encoded word in the name")
