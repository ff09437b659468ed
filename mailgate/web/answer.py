"""
What a page is asked and what it answers, as values.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum

from attrs import Factory, field, frozen

from mailgate.interfaces import IMessage
from mailgate.people.audit import Actor
from mailgate.people.rights import Rights
from mailgate.web.sign_in import LogIn

BODY_LIMIT = 64 * 1024
"""Bytes that the body of a request may have where its route names no other limit."""

FormData = Mapping[str, Sequence[str]]


@frozen
class Cookie:
    """
    A cookie to set; C{HttpOnly}, C{SameSite=Lax}, and C{Secure} on https.
    """

    name: str
    value: str
    seconds: int | None = None
    """How long it lasts: C{None} until the browser is closed, 0 to remove it."""


@frozen
class Answer:
    """
    What goes back to the browser.
    """

    code: int = 200
    body: bytes = b""
    kind: str = "text/html; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    cookies: tuple[Cookie, ...] = ()
    message: IMessage | None = None
    """A message to send in place of C{body}, piece by piece; it is closed afterwards."""


class Refused(Exception):
    """
    Raised by a page that cannot do what it is asked; answered by an error page.
    """

    def __init__(
        self, code: int, sentence: str = "", headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(code, sentence)
        self.code = code
        self.sentence = sentence
        self.headers = headers


class Theme(StrEnum):
    """
    How the pages look.
    """

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


@frozen
class Visit:
    """
    One request, after it has been let in.
    """

    method: str
    """C{GET} (for HEAD too) or C{POST}."""

    path: str
    url: str
    """The path with its query."""

    client: str
    """The address of the client, or C{""}."""

    csrf: str
    """What the forms of this visitor carry as their C{csrf} field."""

    segments: Mapping[str, str] = field(default=Factory(dict))
    """The parts of the path that its route names."""

    validators: str = ""
    """The header If-None-Match."""

    query: Mapping[str, str] = field(default=Factory(dict))
    form: FormData = field(default=Factory(dict))
    log_in: LogIn | None = None
    program: str = ""
    """What the browser calls itself."""

    theme: Theme = Theme.SYSTEM
    has_keys: bool = True
    """Whether single keys do something."""

    notice: str = ""
    """What the page before this one had to say, as its code."""

    def value(self, name: str) -> str:
        """
        Give the field C{name} of the form, or C{""}.
        """
        values = self.form.get(name)
        return values[-1] if values else ""

    @property
    def visitor(self) -> LogIn:
        """
        Give the log-in of a visit that cannot be without one.
        """
        assert self.log_in is not None
        return self.log_in

    @property
    def rights(self) -> Rights:
        """
        Give what the visitor may see and do.
        """
        return self.visitor.rights

    @property
    def actor(self) -> Actor:
        """
        Give the visitor as the audit names them.
        """
        return Actor(self.visitor.account.name, self.client)


Asking = Callable[[Rights], bool]
Handler = Callable[[Visit], Awaitable[Answer]]


@frozen
class Route:
    """
    What is served under a path.
    """

    method: str
    """C{GET} or C{POST}."""

    path: str
    """Such as C{/quarantine/{id}}; a name in braces stands for one segment."""

    handler: Handler
    needs_log_in: bool = True
    body_limit: int = BODY_LIMIT
    sees: Asking | None = None
    """Who sees that there is such a page; for all others there is none (404)."""

    may: Asking | None = None
    """Who may use it; all others who see it are told that they may not (403)."""


def redirect(path: str, *cookies: Cookie) -> Answer:
    """
    Send the browser to another page of ours, by GET.
    """
    return Answer(303, headers=(("Location", path),), cookies=cookies)


NOTICE = "mailgate_notice"


def say(code: str) -> Cookie:
    """
    Make the next page say something; see L{mailgate.web.pages.words.notice}.
    """
    return Cookie(NOTICE, code, 60)


_OWN_PATH = re.compile(r"/(?:[!-.0-\[\]-~][!-\[\]-~]*)?", re.ASCII)


def own_path(url: str, otherwise: str = "/") -> str:
    """
    Give C{url} if it is a path on this site and nothing else, so that nobody is led astray.
    """
    return url if len(url) <= 2000 and _OWN_PATH.fullmatch(url) else otherwise
