"""
What every request passes, whatever page it is for.

This is the one place that checks the Host header, the log-in, the origin of a form and its
token, and that answers what cannot be answered otherwise.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from urllib.parse import parse_qs, quote, unquote

from attrs import evolve, frozen
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from mailgate.web.answer import (
    BODY_LIMIT,
    NOTICE,
    Answer,
    Cookie,
    Refused,
    Route,
    Theme,
    Visit,
    redirect,
)
from mailgate.web.headers import security_headers
from mailgate.web.names import Names
from mailgate.web.sign_in import LogIn, LogIns
from mailgate.web.templates import Templates

LOG_IN = "mailgate_log_in"
VISITOR = "mailgate_visitor"
THEME = "mailgate_theme"
KEYS = "mailgate_keys"

NOT_FOR_YOU = "Your account may look at this, but not change it."

_FIELDS = 1000
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_NOTICE = re.compile(r"[a-z_]{1,20}(?:\.[0-9]{1,9}){0,3}", re.ASCII)
_REFUSALS = {
    400: ("Not understood", "The request is none that can be answered."),
    403: (
        "Not accepted",
        "This form is no longer valid. Load its page again and repeat what you did.",
    ),
    404: ("Not found", "There is no such page, or what it showed is gone."),
    405: ("Not possible", "This page cannot be used in that way."),
    408: ("Too slow", "The request took too long to arrive."),
    413: ("Too large", "The request is larger than is accepted here."),
    415: ("Not accepted", "Only the forms of these pages are accepted here."),
    429: ("Too many tries", "Wait a quarter of an hour before you try again."),
    431: ("Too large", "The request has longer headers than are accepted here."),
    500: ("Something went wrong", "What it was stands in the gateway's log."),
    503: (
        "The store failed",
        "What is stored could not be read or written. The gateway's log says why.",
    ),
}


@frozen
class Asked:
    """
    A request as it came.
    """

    method: str
    url: str
    body: bytes
    headers: Mapping[str, Sequence[str]]
    """All values by name in lower case."""

    cookies: Mapping[str, str]
    client: str

    def header(self, name: str) -> str | None:
        """
        Give a header that occurs once, else C{None}.
        """
        values = self.headers.get(name, ())
        return values[0] if len(values) == 1 else None


class Front:
    """
    Lets visitors in, or says why not.
    """

    log = Logger()

    def __init__(
        self, names: Names, routes: Sequence[Route], templates: Templates, log_ins: LogIns
    ) -> None:
        self._names = names
        self._templates = templates
        self._log_ins = log_ins
        self._routes = [(route, _pattern(route.path)) for route in routes]

    def body_limit(self, path: str) -> int:
        """
        Give the bytes that a body may have under C{path}.
        """
        for route, pattern in self._routes:
            if route.method == "POST" and pattern.fullmatch(path):
                return route.body_limit
        return BODY_LIMIT

    async def answer(self, asked: Asked) -> Answer:
        """
        Answer a request; whatever goes wrong is an answer as well.
        """
        visit: Visit | None = None
        try:
            visit, route, cookies = await self._let_in(asked)
            answer = await self._visit(asked, visit, route)
            answer = evolve(answer, cookies=(*cookies, *answer.cookies))
        except CancelledError:
            raise
        except Refused as refused:
            answer = self._refusal(refused, visit)
        except OSError:
            self.log.failure("{event} {path}", event="web.storage_failed", path=_path(asked.url))
            answer = self._refusal(Refused(503), visit)
        except Exception:
            # A page that fails must not leave its visitor waiting.
            self.log.failure("{event} {path}", event="web.failed", path=_path(asked.url))
            answer = self._refusal(Refused(500), visit)
        return self.complete(answer)

    def refuse(self, code: int) -> Answer:
        """
        Give the answer to a request that is not read to its end.
        """
        return self.complete(self._refusal(Refused(code), None))

    def complete(self, answer: Answer) -> Answer:
        """
        Add the headers that every answer has.
        """
        headers = security_headers(self._names.is_secure)
        headers["Date"] = formatdate(usegmt=True)
        headers["Content-Type"] = answer.kind
        headers.update(answer.headers)
        return evolve(answer, headers=tuple(headers.items()))

    # -- letting in -------------------------------------------------------------------

    async def _let_in(self, asked: Asked) -> tuple[Visit, Route | None, tuple[Cookie, ...]]:
        host = asked.header("host")
        if host is None or not self._names.knows(host) or not asked.url.startswith("/"):
            raise Refused(400)
        path, _, query = asked.url.partition("?")
        path = unquote(path, "utf-8", "replace")
        log_in, secret = await self._log_in(asked)
        cookies: tuple[Cookie, ...] = ()
        if not secret:
            secret = asked.cookies.get(self._names.cookie(VISITOR), "")
            if not _TOKEN.fullmatch(secret):
                secret = secrets.token_urlsafe(32)
                cookies = (Cookie(self._names.cookie(VISITOR), secret),)
        notice = asked.cookies.get(NOTICE, "")
        visit = Visit(
            method="GET" if asked.method == "HEAD" else asked.method,
            path=path,
            url=asked.url,
            client=asked.client,
            csrf=csrf_token(secret),
            validators=asked.header("if-none-match") or "",
            query={name: values[-1] for name, values in _fields(query).items()},
            log_in=log_in,
            program=asked.header("user-agent") or "",
            theme=_theme(asked.cookies.get(THEME, "")),
            has_keys=asked.cookies.get(KEYS) != "off",
            notice=notice if _NOTICE.fullmatch(notice) else "",
        )
        route, segments = self._route(visit.method, path)
        return evolve(visit, segments=segments), route, cookies

    async def _log_in(self, asked: Asked) -> tuple[LogIn | None, str]:
        token = asked.cookies.get(self._names.cookie(LOG_IN), "")
        if not _TOKEN.fullmatch(token):
            return None, ""
        log_in = await self._log_ins.find(token)
        return log_in, token if log_in is not None else ""

    def _route(self, method: str, path: str) -> tuple[Route | None, dict[str, str]]:
        """
        Find the route for a request; C{None} is one that is unknown.

        @raise Refused: the path is known, but not with that method.
        """
        found = [
            (route, match)
            for route, pattern in self._routes
            if (match := pattern.fullmatch(path)) is not None
        ]
        for route, match in found:
            if route.method == method:
                return route, match.groupdict()
        methods = {route.method for route, _ in found}
        if not methods and method in ("GET", "POST"):
            return None, {}
        allowed = ["GET", "HEAD"] if "GET" in methods or not methods else []
        if "POST" in methods:
            allowed.append("POST")
        raise Refused(405, headers=(("Allow", ", ".join(allowed)),))

    async def _visit(self, asked: Asked, visit: Visit, route: Route | None) -> Answer:
        if visit.log_in is None and (route is None or route.needs_log_in):
            here = visit.url if visit.method == "GET" else "/"
            return redirect(f"/sign-in?next={quote(here, safe='')}")
        if route is None:
            raise Refused(404)
        if route.sees is not None and not route.sees(visit.rights):
            raise Refused(404)
        if visit.method == "POST":
            visit = evolve(visit, form=self._form(asked, visit))
        if route.may is not None and not route.may(visit.rights):
            raise Refused(403, NOT_FOR_YOU)
        answer = await route.handler(visit)
        if visit.notice and visit.method == "GET" and answer.kind.startswith("text/html"):
            answer = evolve(answer, cookies=(Cookie(NOTICE, "", 0), *answer.cookies))
        return answer

    def _form(self, asked: Asked, visit: Visit) -> Mapping[str, Sequence[str]]:
        """
        Read a form that comes from a page of ours.

        @raise Refused: it does not, or is none.
        """
        kind = (asked.header("content-type") or "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise Refused(415)
        host = asked.header("host") or ""
        origin = asked.header("origin") if "origin" in asked.headers else asked.header("referer")
        form = _fields(asked.body.decode("utf-8", "replace"))
        token = form.get("csrf", [""])[-1]
        is_own = origin is not None and self._names.is_own(origin, host)
        if not is_own or not hmac.compare_digest(token.encode(), visit.csrf.encode()):
            self.log.warn("{event} from {client}", event="web.form_refused", client=asked.client)
            raise Refused(403)
        return form

    # -- refusing ---------------------------------------------------------------------

    def _refusal(self, refused: Refused, visit: Visit | None) -> Answer:
        title, sentence = _REFUSALS[refused.code]
        sentence = refused.sentence or sentence
        body = self._templates.render("error.html", visit, title=title, sentence=sentence)
        return Answer(refused.code, body, headers=refused.headers)


def csrf_token(secret: str) -> str:
    """
    Derive what a visitor's forms carry from what only the visitor's browser holds.
    """
    return hmac.new(secret.encode(), b"csrf", hashlib.sha256).hexdigest()


def _pattern(path: str) -> re.Pattern[str]:
    pieces = re.split(r"\{(\w+)\}", path)
    return re.compile(
        "".join(
            f"(?P<{piece}>[^/]+)" if index % 2 else re.escape(piece)
            for index, piece in enumerate(pieces)
        )
    )


def _fields(text: str) -> dict[str, list[str]]:
    """
    Read a query or a form.

    @raise Refused: it has more fields than any form of ours.
    """
    try:
        return parse_qs(text, keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:
        raise Refused(400) from None


def _theme(value: str) -> Theme:
    return Theme(value) if value in Theme.__members__.values() else Theme.SYSTEM


def _path(url: str) -> str:
    """
    Give the part of a URL that may stand in a log: not the token of a link.
    """
    return "/".join(url.partition("?")[0].split("/")[:2])
