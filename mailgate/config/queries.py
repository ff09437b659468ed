"""
Questions to databases and directories that the operator writes, with places for the address.
"""

from __future__ import annotations

import re

NAMES = ("address", "local", "domain")
"""What a question may ask with: the whole address in lower case, and its two parts."""

QUERY = "a SELECT with :address, or with :local and :domain"
FILTER = "a filter of RFC 4515 with {address}, or with {local} and {domain}"

# What is no parameter: text, quoted names, comments, casts, and text in dollars.
_PIECES = re.compile(
    r"""
    '(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/ | ::
    | (?P<tag>\$\w*\$).*?(?P=tag)
    | (?P<percent>%)
    | (?<!\w):(?P<name>[A-Za-z_]\w*)
    """,
    re.VERBOSE | re.DOTALL,
)
_PLACE = re.compile(r"\{(\w*)\}")
_SPECIAL = re.compile(r"(?![\w@.+-])[\x00-\x7f]")


def check_query(text: str) -> str:
    """
    Give back a query that names an address by its parameters, and nothing else by them.

    @raise ValueError: it does not.
    """
    if not re.match(r"\s*(?:SELECT|WITH|VALUES)\b", text, re.IGNORECASE):
        raise ValueError(f"must be {QUERY}")
    _check_names([match["name"] for match in _PIECES.finditer(text) if match["name"]], ":{}", QUERY)
    return text


def check_filter(text: str) -> str:
    """
    Give a filter that names an address by its places, on one line.

    @raise ValueError: it does not, or its parentheses do not match.
    """
    text = re.sub(r"\s*\n\s*", "", text)
    depth = 0
    for each in text:
        depth += (each == "(") - (each == ")")
        if depth < 0:
            break
    if depth or not (text.startswith("(") and text.endswith(")")):
        raise ValueError(f"must be {FILTER}, in parentheses that match")
    _check_names(_PLACE.findall(text), "{{{}}}", FILTER)
    return text


def for_psycopg(query: str) -> str:
    """
    Give a query with its parameters as psycopg writes them: C{%(address)s}.
    """

    def written(match: re.Match[str]) -> str:
        if match["name"]:
            return f"%({match['name']})s"
        return match[0].replace("%", "%%")

    return _PIECES.sub(written, query)


def filled(filter_: str, values: dict[str, str]) -> str:
    """
    Give a filter for an address. All of ASCII that is not plain is written as bytes (RFC 4515
    section 3), so that no address can be more than a value.
    """

    def escaped(match: re.Match[str]) -> str:
        return f"\\{ord(match[0]):02x}"

    return _PLACE.sub(lambda match: _SPECIAL.sub(escaped, values[match[1]]), filter_)


def _check_names(names: list[str], spelling: str, allowed: str) -> None:
    for name in names:
        if name not in NAMES:
            raise ValueError(f"must be {allowed}; there is no {spelling.format(name)}")
    if "address" not in names and not {"local", "domain"} <= set(names):
        raise ValueError(f"must be {allowed}")
