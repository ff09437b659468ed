"""
From values to HTML.
"""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files
from typing import Any

from attrs import frozen
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mailgate.web.answer import Theme, Visit

_ICONS = {
    "block": '<circle cx="8" cy="8" r="6.3"/><path d="m3.7 3.7 8.6 8.6"/>',
    "bulk": '<path d="M1.8 5.2 8 2l6.2 3.2L8 8.4zM1.8 8.3 8 11.5l6.2-3.2M1.8 11.2 8 14.4l6.2-3.2"/>',
    "clock": '<circle cx="8" cy="8" r="6.3"/><path d="M8 4.3V8l2.5 1.6"/>',
    "delete": ('<path d="M2.5 4.2h11M6 4V2.2h4V4m-6.3.3.6 9.5h7.4l.6-9.5M6.6 7v4.2M9.4 7v4.2"/>'),
    "down": '<path d="m4 6.2 4 4 4-4"/>',
    "fail": '<circle cx="8" cy="8" r="6.3"/><path d="m5.8 5.8 4.4 4.4m0-4.4-4.4 4.4"/>',
    "gate": '<path d="M3 17.5V9.2a7 7 0 0 1 14 0v8.3z"/><path d="M3.2 9.4 10 14l6.8-4.6"/>',
    "hold": (
        '<path d="M2 6.5 3.2 2.6h9.6L14 6.5V13a.7.7 0 0 1-.7.7H2.7A.7.7 0 0 1 2 13zM6.3 8.5v2.7m3.4'
        '-2.7v2.7M2.2 6.5h11.6"/>'
    ),
    "lock": (
        '<rect x="3" y="7" width="10" height="7" rx="1.2"/><path d="M5.2 7V4.8a2.8 2.8 0 0 1 5.6 0V'
        '7"/>'
    ),
    "mail": '<path d="M1.8 3.2h12.4v9.6H1.8zM2 3.7l6 4.8 6-4.8"/>',
    "malware": (
        '<path d="M5 6.2a3 3 0 0 1 6 0V10a3 3 0 0 1-6 0zM5 8.3H1.8m12.4 0H11M5.2 5.4 2.6 3.6m8.2 1.'
        '8 2.6-1.8M5.2 11l-2.6 2m8.2-2 2.6 2"/>'
    ),
    "ok": '<circle cx="8" cy="8" r="6.3"/><path d="m5.2 8.2 2 2 3.7-4.2"/>',
    "phishing": (
        '<circle cx="10.5" cy="2.8" r="1.3"/><path d="M10.5 4.1v6.3a3.7 3.7 0 0 1-7.4 0V7.6l2.5 2.2'
        '"/>'
    ),
    "policy": '<path d="M8 1.6 13.4 4v4c0 3.2-2.3 5.4-5.4 6.5C4.9 13.4 2.6 11.2 2.6 8V4z"/>',
    "release": '<path d="M2 9.5V13a1 1 0 0 0 1 1h10a1 1 0 0 0 1-1V9.5M8 10V1.8m-3 3 3-3 3 3"/>',
    "search": '<circle cx="7" cy="7" r="4.7"/><path d="m10.5 10.5 3.7 3.7"/>',
    "spam": (
        '<path d="M5.2 1.8h5.6l3.4 3.4v5.6l-3.4 3.4H5.2l-3.4-3.4V5.2z"/><path d="M8 4.8v3.7m0 2.6v.'
        '1"/>'
    ),
    "tag": '<path d="M2 2.5h5.5l6.3 6.3-5 5L2.5 7.5z"/><path d="M5 5.4v.1"/>',
    "user": (
        '<circle cx="8" cy="5.2" r="3"/><path d="M2.3 14.2c.5-3 2.8-4.5 5.7-4.5s5.2 1.5 5.7 4.5"/>'
    ),
    "warn": '<path d="M8 2 14.6 13.6H1.4zM8 6.4v3.3m0 2v.1"/>',
}
_SIZES = {"gate": 20}


class _Sprite:
    """
    The symbols that a page uses, collected while it is written.
    """

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def icon(self, name: str) -> Markup:
        """
        Show a symbol.
        """
        if name not in _ICONS:
            raise LookupError(f"no icon is called {name!r}")
        self._names[name] = None
        return Markup(f'<svg class="icon" aria-hidden="true"><use href="#i-{name}"/></svg>')

    def symbols(self) -> Markup:
        """
        Give the definitions of those that were shown.
        """
        return Markup(
            "".join(
                '<symbol id="i-{0}" viewBox="0 0 {1} {1}">{2}</symbol>'.format(
                    name, _SIZES.get(name, 16), _ICONS[name]
                )
                for name in sorted(self._names)
            )
        )


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
            for name in self._environment.list_templates()
        }

    def render(self, template: str, visit: Visit | None, /, **values: Any) -> bytes:
        """
        Write a page.

        @param visit: what is answered, or C{None} where nobody knows who asks.
        """
        sprite = _Sprite()
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
