"""
From values to HTML.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from attrs import frozen
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mailgate.web.answer import Theme, Visit

_SYMBOL = re.compile(r'<symbol id="i-([a-z]+)".*?</symbol>')


class _Sprite:
    """
    The symbols that a page uses, collected while it is written.
    """

    def __init__(self, icons: Mapping[str, str]) -> None:
        self._icons = icons
        self._names: set[str] = set()

    def icon(self, name: str) -> Markup:
        """
        Show a symbol.
        """
        if name not in self._icons:
            raise LookupError(f"no icon is called {name!r}")
        self._names.add(name)
        return Markup(f'<svg class="icon" aria-hidden="true"><use href="#i-{name}"/></svg>')

    def symbols(self) -> Markup:
        """
        Give the definitions of those that were shown.
        """
        return Markup("".join(self._icons[name] for name in sorted(self._names)))


@frozen
class Static:
    """
    A file that is served as it is.
    """

    content: bytes
    kind: str
    tag: str
    """Its validator (RFC 9110 section 8.8.3)."""


_KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


def static_files() -> dict[str, Static]:
    """
    Read the style sheet and the script.
    """
    found = {}
    for entry in (files("mailgate.web") / "static").iterdir():
        kind = _KINDS.get(entry.name[entry.name.rfind(".") :])
        if kind is not None:
            content = entry.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'
            found[entry.name] = Static(content, kind, tag)
    return found


class Templates:
    """
    The pages' templates, read once at the start.
    """

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("mailgate.web"),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["seen"] = seen
        self._templates = {
            name: self._environment.get_template(name)
            for name in self._environment.list_templates(extensions=("html",))
        }
        drawn = (files("mailgate.web") / "templates" / "icons.svg").read_text("utf-8")
        self.icons = {symbol[1]: symbol[0] for symbol in _SYMBOL.finditer(drawn)}

    def render(self, template: str, visit: Visit | None, /, **values: Any) -> bytes:
        """
        Write a page.

        @param visit: what is answered, or C{None} where nobody knows who asks.
        """
        sprite = _Sprite(self.icons)
        text = self._templates[template].render(
            values,
            visit=visit,
            theme=visit.theme if visit else Theme.SYSTEM,
            icon=sprite.icon,
            symbols=sprite.symbols,
        )
        return text.encode("utf-8", "replace")


_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")


def seen(text: str) -> str:
    """
    Make visible what a stranger's words hide: control characters, and marks that turn around
    the direction of writing, become U+FFFD. Line feeds and tabs stay.
    """
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text)
