"""
The review pages over a real store, asked through a real HTTP channel, all in memory.
"""

from __future__ import annotations

import re
from datetime import UTC
from html import unescape
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from argon2 import PasswordHasher
from attrs import evolve, frozen
from twisted.internet.address import IPv4Address
from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from zope.interface import implementer

from mailgate.config.model import Outbox as OutboxSettings
from mailgate.config.model import Policy, Web
from mailgate.delivery.outbox import Outbox
from mailgate.delivery.queue import Queue
from mailgate.hub.reading import OwnReader
from mailgate.interfaces import Hold, ILearner
from mailgate.message.envelope import new_id
from mailgate.message.message import MemoryMessage
from mailgate.people.rights import USERS_RELEASE
from mailgate.quarantine.rows import add_undeliverable
from mailgate.rewrite.headers import HeaderRewriter
from mailgate.store.threads import ImmediateThreads
from mailgate.verdict import Action, Kind, Verdict
from mailgate.web.accounts import Accounts
from mailgate.web.sign_in import FirstAdministrator, LogIns
from mailgate.web.site import make_site
from tests.reporting.statuses import STATUS
from tests.storage import ADA, ENVELOPE, FINDINGS, TEXT, WallClock, make_storage, sending

NAME = "Ada Lind"
PASSWORD = "correct horse battery"
BASE_URL = "http://mail.example.com:8025"
HOST = "mail.example.com:8025"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Hashes passwords badly and fast."""


class RecordingThreads(ImmediateThreads):
    """
    Does the work at once, and remembers what it was.
    """

    def __init__(self):
        self.done = []

    def run(self, function, *arguments):
        """
        Do the work.
        """
        self.done.append(function)
        return super().run(function, *arguments)


@implementer(ILearner)
class RecordingLearner:
    """
    Remembers what it was to learn, and what of it had happened by then.
    """

    def __init__(self, world):
        self.world = world
        self.learned = []
        self.states = []
        self.answers = []

    def learn(self, message, is_spam, by):
        """
        Remember it, and give the next answer.
        """
        text = message if isinstance(message, bytes) else message.read_bytes()
        self.learned.append((text, is_spam, by))
        self.states.append([row[3] for row in self.world.rows("held")])
        return self.answers.pop(0) if self.answers else succeed(None)


class World:
    """
    A store, its pages and a clock.
    """

    def __init__(self, test, teaches=True, releases=USERS_RELEASE, **web):
        """
        @param teaches: whether anything is learned from what is decided.
        @param releases: the kinds that people release themselves.
        @param web: settings of the pages.
        """
        self.learner = RecordingLearner(self) if teaches else None
        self.test = test
        self.clock = Clock()
        self.now = WallClock(self.clock)
        self.settings = Web(**{"base_url": BASE_URL, "hosts": ("localhost", "127.0.0.1"), **web})
        self.storage = make_storage(test, now=self.now)
        database = self.storage.database
        self.kicked = 0
        self.sent = []
        self.quarantine = self.storage.quarantine(self._kick)
        self.threads = threads = RecordingThreads()
        self.outbox = Outbox(
            self.clock,
            self.now,
            self.storage.messages,
            threads,
            OutboxSettings(),
            sending(lambda recipient: None),
            HeaderRewriter(),
            add_undeliverable,
        )
        self.queue = Queue(self.storage.messages, self.now, self.outbox.kick)
        self.reader = OwnReader(threads)
        self.accounts = Accounts(database, ImmediateThreads(), self.now, QUICK)
        self.log_ins = LogIns(
            database, self.now, self.settings.idle_seconds, self.settings.session_seconds
        )
        self.first = FirstAdministrator(self.clock, self.accounts, self.settings.base_url)
        self.site = make_site(
            web=self.settings,
            policy=Policy(),
            outbox=OutboxSettings(alert_seconds=600.0, alert_copies=50),
            certain=10.0,
            keep_days=30,
            hostname="mail.example.com",
            quarantine=self.quarantine,
            queue=self.queue,
            traces=self.storage.traces,
            statistics=self.storage.statistics,
            lists=self.storage.lists,
            database=database,
            audit=self.storage.audit,
            accounts=self.accounts,
            log_ins=self.log_ins,
            first_administrator=self.first,
            mail=self.mail,
            reader=self.reader,
            reactor=self.clock,
            now=self.now,
            learner=self.learner,
            status=lambda: succeed(STATUS),
            zone=UTC,
            releases=releases,
            is_shared={"gmail.com"}.__contains__,
        )

    async def mail(self, to, subject, paragraphs):
        """
        Take note of what is sent.
        """
        self.sent.append((str(to), subject, paragraphs))

    def _kick(self):
        self.kicked += 1

    def add_account(self, name=NAME, password=PASSWORD, *more):
        """
        Make an account.

        @param more: its role, addresses, domains and whether it reads bodies.
        """
        return self.test.successResultOf(self.accounts.add(name, password, *more))

    def hold(
        self,
        text=TEXT,
        kind=Kind.SPAM,
        findings=FINDINGS,
        reason="",
        recipient=ADA,
        sender=ENVELOPE.sender,
        **session,
    ):
        """
        Hold a message and give its id.
        """
        envelope = evolve(
            ENVELOPE,
            trace=new_id(),
            received=self.now(),
            sender=sender,
            session=evolve(ENVELOPE.session, **session),
        )
        total = sum(finding.score for finding in findings)
        verdict = Verdict(Action.QUARANTINE, findings, total, (recipient,), kind=kind)
        hold = Hold(recipient, kind, verdict, reason)
        holding = self.quarantine.hold(envelope, MemoryMessage((text,)), [hold], False)
        (identity,) = self.test.successResultOf(holding)
        return identity

    def held(self, identity):
        """
        Give a held message, or C{None}.
        """
        return self.test.successResultOf(self.quarantine.get(identity))

    def rows(self, table):
        """
        Give all rows of a table.
        """
        return self.test.successResultOf(
            self.storage.database.read(
                lambda connection: connection.execute(f"SELECT * FROM {table}").fetchall()
            )
        )

    def everything(self):
        """
        Give all rows of all tables that a page could change.
        """
        return [
            self.rows(name)
            for name in ("held", "messages", "outbox", "history", "account", "list_entry")
        ]

    def connect(self, client="192.0.2.99"):
        """
        Open a connection: the channel and its transport.
        """
        channel = self.site.buildProtocol(IPv4Address("TCP", client, 40000))
        transport = StringTransport(peerAddress=IPv4Address("TCP", client, 40000))
        if channel is not None:
            channel.makeConnection(transport)
        return channel, transport

    def browser(self, **more):
        """
        Give a visitor without a log-in.
        """
        return Browser(self, **more)

    def signed_in(self, name=NAME, password=PASSWORD, *more):
        """
        Give a visitor with an account and a log-in.
        """
        if not any(row[1] == name for row in self.rows("account")):
            self.add_account(name, password, *more)
        browser = self.browser()
        browser.sign_in(name, password)
        return browser


@frozen
class Response:
    """
    What came back.
    """

    code: int
    headers: dict
    """Lists of values by name in lower case."""

    body: bytes

    @property
    def text(self):
        """
        Give the body as characters.
        """
        return self.body.decode()

    def header(self, name):
        """
        Give a header that must be there once at most, or C{None}.
        """
        values = self.headers.get(name.lower(), [])
        assert len(values) < 2, values
        return values[0] if values else None


def parse(data):
    """
    Read one response.
    """
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(": ")
        headers.setdefault(name.lower(), []).append(value)
    return Response(int(status.split(" ")[1]), headers, body)


class Browser:
    """
    Keeps cookies, and sends forms as browsers do.
    """

    def __init__(self, world, host=HOST, client="192.0.2.99", scheme="http"):
        self.world = world
        self.host = host
        self.client = client
        self.origin = f"{scheme}://{host}"
        self.cookies = {}

    def ask(self, method, path, body=b"", headers=()):
        """
        Send a request on a connection of its own.

        @param headers: further ones, or others in place of the usual ones; C{None} leaves out.
        """
        sent = {
            "Host": self.host,
            "Connection": "close",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()) or None,
        }
        if method == "POST":
            sent["Origin"] = self.origin
            sent["Content-Type"] = "application/x-www-form-urlencoded"
            sent["Content-Length"] = str(len(body))
        sent.update(headers)
        lines = [f"{name}: {value}" for name, value in sent.items() if value is not None]
        request = "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""])
        channel, transport = self.world.connect(self.client)
        channel.dataReceived(request.encode("latin-1") + body)
        response = parse(transport.value())
        channel.connectionLost(None)
        for line in response.headers.get("set-cookie", ()):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return response

    def get(self, path, **headers):
        """
        Ask for a page.
        """
        return self.ask("GET", path, headers=headers)

    def post(self, path, fields=(), page=None, headers=(), **more):
        """
        Send a form with the token that the page C{page} gave, or the one at C{path}.
        """
        form = [*dict(fields).items()] if isinstance(fields, dict) else [*fields]
        form += more.items()
        token = self.token(page or path)
        if token is not None and not any(name == "csrf" for name, _ in form):
            form.append(("csrf", token))
        return self.ask("POST", path, urlencode(form).encode(), headers)

    def token(self, path):
        """
        Read the token of the forms on a page, or give C{None}.
        """
        found = re.search(r'name="csrf" value="([^"]*)"', self.get(path).text)
        return unescape(found[1]) if found else None

    def sign_in(self, name=NAME, password=PASSWORD, onward="/"):
        """
        Sign in by the form.
        """
        return self.post("/sign-in", {"name": name, "password": password, "next": onward})
