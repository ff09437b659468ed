"""
The addresses of the gateway's own: people of ours report mail there, ask why it was judged as it
was, and ask for their digest. For the outbox they are one more upstream.

Only what came through a listener for people or machines of ours is read; who asks is the account,
or the sender where there is none. Each answer goes to that person alone, from the null sender, and
what a program has written by itself is never answered, so nothing can go in circles.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from textwrap import fill
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from mailgate.config.model import MailCommands as Section
from mailgate.config.values import parse_mailbox
from mailgate.interfaces import (
    Capabilities,
    IDelivery,
    ILearner,
    IMessage,
    IReader,
    Load,
    SandboxError,
    SandboxUnavailable,
)
from mailgate.message.envelope import Envelope, new_id
from mailgate.message.header import Headers
from mailgate.message.message import HEAD_LIMIT, MemoryMessage
from mailgate.message.writing import NOTICE, Letter, in_words, text_part
from mailgate.quarantine.digest import Digests
from mailgate.reply import Reply
from mailgate.reporting.trace import Traces
from mailgate.reporting.why import read_finding
from mailgate.store import outbox
from mailgate.store.database import Database
from mailgate.store.messages import Messages
from mailgate.web.sign_in import Tries
from mailgate.wire.address import Address
from mailgate.wire.normal import normal_address, normal_domain

READ_BYTES = 16 * 1024 * 1024
"""How much of a message is read."""

TAKEN = Reply(250, "2.0.0", "taken")
NOT_FOR_YOU = Reply(550, "5.7.1", "only people who send mail from here can tell me something")
TOO_MANY = Reply(550, "5.7.1", "that were too many reports within an hour; try again later")
LATER = Reply(451, "4.3.0", "it cannot be done at the moment")

HOW = (
    "There was no message attached to yours, so I have done nothing. Please forward the mail again"
    " as an attachment: in Outlook choose More, Forward as attachment; in Thunderbird choose"
    " Message, Forward as, Attachment; in most other programs drag it from the list into a new"
    " mail. A mail that is forwarded within the text has lost what it could be judged by."
)
_UNKNOWN = (
    "I know no more of it: it has not come to you through this gateway, or too long ago, or its"
    " header lines were lost on the way to me."
)
_OUTCOMES = {
    "delivered": "It was delivered to you.",
    "queued": "It is on its way to you.",
    "held": "It is held for you in the quarantine.",
    "refused": "It was refused.",
    "deferred": "Its sender was asked to come again later.",
    "discarded": "It was thrown away.",
}
_HOUR = 3600
_WIDTH = 72
_REASONS = 8
_TRACE = re.compile(r"[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}", re.ASCII)


@frozen
class _Asked:
    """
    A message to one of the addresses.
    """

    person: Address
    headers: Headers
    attached: Sequence[bytes]


@implementer(IDelivery)
class MailCommands:
    """
    Does what people ask for, and answers.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        messages: Messages,
        now: Callable[[], float],
        reader: IReader,
        learner: ILearner,
        traces: Traces,
        digests: Digests,
        hostname: str,
        queued: Callable[[], None],
    ) -> None:
        """
        @param clock: counts what somebody asks for.
        @param now: the time in seconds since the epoch.
        @param reader: takes messages apart.
        @param hostname: what we call ourselves.
        @param queued: called when the outbox has something new.
        """
        self.name = "mail commands"
        self.capabilities = Capabilities(frozenset(("8BITMIME", "SMTPUTF8")))
        self.failures = 0
        self.is_open = False
        self.load = Load()
        self._clock = clock
        self._messages = messages
        self._database: Database = messages.database
        self._now = now
        self._reader = reader
        self._learner = learner
        self._traces = traces
        self._digests = digests
        self._hostname = hostname
        self._queued = queued
        self._do: Mapping[str, Callable[[_Asked], Awaitable[Sequence[str]]]] = {
            "spam": lambda asked: self._learn(asked, True),
            "ham": lambda asked: self._learn(asked, False),
            "analyze": self._analyze,
            "digest": self._digest,
        }

    def take_up(
        self, section: Section, postmaster: Address, domains: Collection[str], suffix: str
    ) -> None:
        """
        Take up the configuration.

        @param postmaster: whom answers are from.
        @param domains: of the routes; nobody else is answered.
        @param suffix: what is put behind the name of an account that is no address.
        """
        self._addresses = section.addresses
        self._postmaster = postmaster
        self._domains = domains
        self._suffix = suffix
        self._tries = Tries(self._clock, section.per_hour, _HOUR)

    def is_for(self, recipient: Address) -> bool:
        """
        Tell whether that is one of the addresses.
        """
        return recipient.key.lower() in self._addresses

    # -- IDelivery --------------------------------------------------------------------

    def probe(self) -> Deferred[None]:
        """
        It is always there.
        """
        return succeed(None)

    def verify(self, sender: Address, recipient: Address) -> Deferred[Reply]:
        """
        Each of the addresses exists.
        """
        return succeed(TAKEN if self.is_for(recipient) else NOT_FOR_YOU)

    def deliver(
        self,
        envelope: Envelope,
        recipients: Sequence[Address],
        message: IMessage,
        within: float | None = None,
    ) -> Deferred[Sequence[Reply]]:
        """
        Do what a message asks for at each of its addresses.
        """
        return Deferred.fromCoroutine(self._deliver(envelope, recipients, message))

    def close(self) -> Deferred[None]:
        """
        Nothing is open.
        """
        return succeed(None)

    # ---------------------------------------------------------------------------------

    async def _deliver(
        self, envelope: Envelope, recipients: Sequence[Address], message: IMessage
    ) -> Sequence[Reply]:
        number = len(recipients)
        person = self._person(envelope)
        headers = Headers.parse(message.head(HEAD_LIMIT))
        if envelope.sender.is_null or _is_automatic(headers):
            self.log.info("{event} from a program", event="command.ignored", trace=envelope.trace)
            return [TAKEN] * number
        if person is None:
            return [NOT_FOR_YOU] * number
        key = normal_address(person)
        if self._tries.wait(key):
            self.log.warn("{event} by {by}", event="command.limited", by=key, trace=envelope.trace)
            return [TOO_MANY] * number
        self._tries.add(key)
        try:
            attached = await self._reader.forwarded(await _bytes_of(message))
        except SandboxUnavailable:
            return [LATER] * number
        except SandboxError:
            # What went wrong there is told in the log by whoever has seen it.
            attached = ()
        asked = _Asked(person, headers, attached)
        return [await self._answer(asked, each, envelope.trace) for each in recipients]

    async def _answer(self, asked: _Asked, recipient: Address, trace: str) -> Reply:
        command = recipient.local.lower()
        try:
            paragraphs = await self._do[command](asked)
            if paragraphs:
                await self._send(asked, f"Your mail to {command}@", paragraphs)
        except Exception:
            # Whatever it is, the message stays in the outbox and is tried again.
            self.log.failure("{event} {command}", event="command.failed", command=command)
            return LATER
        self.log.info(
            "{event} {command} by {by}",
            event="command.done",
            command=command,
            by=str(asked.person),
            number=len(asked.attached),
            trace=trace,
        )
        return TAKEN

    def _person(self, envelope: Envelope) -> Address | None:
        """
        Give who asks, or C{None} where that is nobody of ours.
        """
        if not envelope.session.is_trusted:
            return None
        account = envelope.session.account
        person = envelope.sender
        if account:
            try:
                person = parse_mailbox(account if "@" in account else f"{account}{self._suffix}")
            except ValueError:
                person = envelope.sender
        return person if normal_domain(person.host) in self._domains else None

    # -- what can be asked for --------------------------------------------------------

    async def _learn(self, asked: _Asked, is_spam: bool) -> Sequence[str]:
        if not asked.attached:
            return [HOW]
        paragraphs = []
        for each in asked.attached:
            await self._learner.learn(each, is_spam, str(asked.person))
            what = "spam" if is_spam else "mail that is wanted"
            paragraphs += [f"{_titled(each)}\nThank you. The filter learns it as {what}."]
            paragraphs += await self._told_of(each, asked.person)
        return paragraphs

    async def _analyze(self, asked: _Asked) -> Sequence[str]:
        if not asked.attached:
            return [HOW]
        paragraphs = []
        for each in asked.attached:
            paragraphs += [_titled(each), *await self._told_of(each, asked.person)]
        return paragraphs

    async def _digest(self, asked: _Asked) -> Sequence[str]:
        is_sent = await self._digests.send_now(asked.person.key)
        return () if is_sent else ["Nothing is held for you that you were not told of."]

    async def _told_of(self, message: bytes, person: Address) -> Sequence[str]:
        """
        Tell what was found in a message and what became of it, if it came to this person.
        """
        own = await self._database.read(lambda connection: _own(connection, person))
        for trace in Headers.parse(message[:HEAD_LIMIT]).values("X-Mailgate-Trace")[:2]:
            identity = trace.decode("latin-1").strip()
            if _TRACE.fullmatch(identity):
                for record in await self._traces.find(identity):
                    told = _told(record, own)
                    if told:
                        return told
        return [_UNKNOWN]

    async def _send(self, asked: _Asked, subject: str, paragraphs: Sequence[str]) -> None:
        now = self._now()
        about = asked.headers.text("message-id")
        letter = Letter(self._hostname, self._postmaster, asked.person, subject, now, True, about)
        foot = f"This was written by mailgate at {self._hostname}."
        text = "\n\n".join(_filled(each) for each in (*paragraphs, foot))
        written = letter.write((text_part(text),))

        def work(connection: sqlite3.Connection, stored: str) -> None:
            outbox.add_own(connection, letter.identity, stored, asked.person, now)

        envelope = written.envelope(self._hostname, NOTICE, new_id(), now)
        await self._messages.keep(envelope, MemoryMessage((written.content,)), work)
        self._queued()


def _own(connection: sqlite3.Connection, person: Address) -> frozenset[str]:
    """
    Give the addresses of a person: the one they write from, and those of their account.
    """
    address = normal_address(person)
    found = connection.execute(
        "SELECT scope FROM account_scope WHERE instr(scope, '@') AND account IN"
        " (SELECT account FROM account_scope WHERE scope = ?)",
        (address,),
    )
    return frozenset({address, *(scope for (scope,) in found)})


def _told(record: Mapping[str, Any], own: Collection[str]) -> Sequence[str]:
    copies = [copy for copy in record["copies"] if _normal(copy["recipient"]) in own]
    if not copies:
        return ()
    paragraphs = list(
        dict.fromkeys(_OUTCOMES[c["outcome"]] for c in copies if c["outcome"] in _OUTCOMES)
    )
    for verdict in record["verdicts"]:
        if not any(_normal(each) in own for each in verdict["recipients"]):
            continue
        findings = sorted(map(read_finding, verdict["findings"]), key=lambda f: -abs(f.score))
        for title, found in (
            ("What speaks against it:", [f for f in findings if f.score > 0]),
            ("What speaks for it:", [f for f in findings if f.score < 0]),
        ):
            reasons = dict.fromkeys(in_words(f.detail, 300) for f in found[:_REASONS])
            if reasons:
                paragraphs.append("\n".join((title, *(f"- {each}" for each in reasons))))
        if not any(finding.score for finding in findings):
            paragraphs.append("Nothing was found that speaks for it or against it.")
    return paragraphs


def _normal(text: str) -> str:
    local, _, domain = text.rpartition("@")
    return normal_address(Address(local, domain))


def _is_automatic(headers: Headers) -> bool:
    """
    Tell whether a program has written a message by itself (RFC 3834 section 5), or a list.
    """
    said = headers.text("auto-submitted").strip().lower()
    return said not in ("", "no") or bool(headers.values("List-Id"))


def _titled(message: bytes) -> str:
    headers = Headers.parse(message[:HEAD_LIMIT])
    subject = in_words(headers.text("subject"), 150) or "(no subject)"
    return f"About “{subject}” from {in_words(headers.text('from'), 150) or 'nobody'}:"


def _filled(paragraph: str) -> str:
    return "\n".join(
        fill(
            line,
            _WIDTH,
            subsequent_indent="  " if line.startswith("- ") else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in paragraph.split("\n")
    )


async def _bytes_of(message: IMessage) -> bytes:
    pieces: list[bytes] = []
    size = 0
    for chunk in message.chunks():
        data = chunk if isinstance(chunk, bytes) else await chunk
        pieces.append(data)
        size += len(data)
        if size >= READ_BYTES:
            break
    return b"".join(pieces)[:READ_BYTES]
