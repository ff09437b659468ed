"""
The words of a message that may be the password of a file which it brings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

TRIES = 20
"""How many words are tried."""

_READ = 20_000
"""Characters of the text that are looked at."""

_BEHIND = 100
"""Characters behind a word for a password in which the password stands."""

_NAMED = re.compile(
    r"pass\s?(?:word|code|phrase)|\bpwd?\b|passwor[dt]|kennwort|\bpin\b|\bcode\b|mot de passe"
    r"|\bmdp\b|contrase[nñ]a|\bclave\b|\bsenha\b|wachtwoord|has[lł]o|lösenord|adgangskode|\bparola\b"
    r"|salasana|şifre|парол[ья]|密码|密碼|パスワード|비밀번호",
    re.IGNORECASE,
)
_QUOTES = "\"'“”„«»`()[]<>"
_TOKEN = re.compile(r"[^\s\"“”„«»`<>]{3,64}")
_QUOTED = re.compile(r"[\"'“„«`(\[]([^\s\"'“”„«»`)\]]{3,64})[\"'“”»`)\]]")
_BEHIND_COLON = re.compile(r"[:=\uff1a]\s{0,5}([^\s\"“”„«»`<>]{3,64})")


def passwords_of(text: str) -> tuple[str, ...]:
    """
    Give the words to try, the likeliest first: what stands behind a word for a password, then what
    stands alone in a line, then words of letters and digits. Linear; never raises.
    """
    found: dict[str, None] = {}
    for word in _words(text[:_READ]):
        found[word] = None
        if len(found) == TRIES:
            break
    return tuple(found)


def _words(text: str) -> Iterator[str]:
    for match in _NAMED.finditer(text):
        behind = text[match.end() : match.end() + _BEHIND]
        for pattern in (_BEHIND_COLON, _QUOTED):
            named = pattern.search(behind)
            if named is not None:
                yield from _plain(named[1])
        for token in _TOKEN.findall(behind)[:4]:
            yield from _plain(token)
    for line in map(str.strip, text.splitlines()):
        if 3 <= len(line) <= 32 and " " not in line and "://" not in line:
            yield from _plain(line)
    for token in _TOKEN.findall(text):
        has_both = any(map(str.isdigit, token)) and any(map(str.isalpha, token))
        if has_both and len(token) <= 32 and "@" not in token and "/" not in token:
            yield from _plain(token)


def _plain(word: str) -> Iterator[str]:
    """
    Give a word without the marks around it and, where it ends with one, also with that.
    """
    inner = word.strip(_QUOTES)
    for each in (inner.rstrip(".,;:!?"), inner):
        if len(each) >= 3:
            yield each
