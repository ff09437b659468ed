"""
Judging stored messages: who has sent them, as far as it is known, and what the checks say of them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from attrs import evolve, frozen
from twisted.internet.defer import Deferred, DeferredList, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.logger import Logger

from mailgate.checks.known import Known
from mailgate.classify.mailboxes import messages_in
from mailgate.commands.parsers import Arguments
from mailgate.commands.turning import Turning
from mailgate.config.model import Settings
from mailgate.config.types import RELAY_NAME
from mailgate.config.values import parse_network
from mailgate.hub.commands import CommandError
from mailgate.hub.dnslists import TEST_QUERIES, TEST_SECONDS, ListWatch
from mailgate.interfaces import IMessage
from mailgate.judging import make_pipeline
from mailgate.knowledge.dnslists import DnsLists
from mailgate.message.envelope import Envelope, Session, new_id
from mailgate.message.hops import Origin, Trust, origin_of
from mailgate.message.section import cut, has_more_fields, header_section
from mailgate.message.spool import Spool
from mailgate.net.dns.resolver import Resolver
from mailgate.net.dns.servers import find_servers
from mailgate.net.waiting import WaitingSandbox
from mailgate.parts import Parts
from mailgate.pipeline.engine import Pipeline
from mailgate.pipeline.offline import judge, judge_waiting
from mailgate.pipeline.relays import Relays
from mailgate.sandboxed import PROGRAM
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads, immediate_result
from mailgate.verdict import Verdict
from mailgate.wire.address import NULL_SENDER, Address
from mailgate.wire.smtp import Refused, parse_greeting, parse_mail, parse_rcpt

THIS_MACHINE = "127.0.0.1"
NOBODY = "mailgate-scan"
"""The local part of the recipient where none is named."""

TOGETHER = 16
"""How many messages of a process wait for the DNS at the same time."""

NAMELESS = ""
"""Believed of a relay that is named too: Exchange Online does not name itself in its results."""

_RELAY_NAME = re.compile(RELAY_NAME)
_NUMERIC = re.compile(r"[0-9.]+")

Answer = Mapping[str, Any]
"""What is known of a message."""

MakePipeline = Callable[[Known, IReactorTime], Pipeline]
JudgeFile = Callable[[Pipeline, str], Coroutine[Any, Any, Sequence[Answer]]]
"""Judges all messages of a file."""


@frozen
class Situation:
    """
    Who sends the message to whom.
    """

    session: Session
    sender: Address | None
    """C{None} where nobody has named one: then it is whom a relay has written down, or nobody."""

    recipient: Address
    trust: Trust
    """Whose word on the client is believed; nobody's where the client was named."""

    authserv_ids: tuple[str, ...] = ()
    """Whose results are believed."""

    @classmethod
    def of(cls, arguments: Arguments, settings: Settings) -> Situation:
        """
        Read it from the command line.

        @raise CommandError: an address is none.
        """
        if arguments.client and arguments.trust:
            raise CommandError("--client and --trust both say who the client is: give one")
        listener = settings.listener[0]
        nobody = f"{NOBODY}@{settings.first_domain}"
        try:
            client = str(ip_address(arguments.client or THIS_MACHINE))
            session = Session(
                id=new_id(),
                listener=listener.name,
                role=listener.role,
                client=client,
                port=0,
                started=0.0,
                helo=parse_greeting(arguments.helo) if arguments.helo else "",
                is_esmtp=True,
                local="" if arguments.client else client,
            )
            sender = None if arguments.sender is None else _path(arguments.sender)
            recipient = parse_rcpt(f"TO:<{arguments.to or nobody}>").address
        except ValueError:
            raise CommandError(f"{arguments.client} is no IP address") from None
        except Refused as error:
            raise CommandError(f"the gateway would refuse this: {error.reply}") from None
        if arguments.client:
            return cls(session, sender, recipient, Trust())
        return cls(session, sender, recipient, *_trust(arguments.trust, settings))

    def sender_of(self, message: IMessage) -> Address:
        """
        Give the envelope sender: who was named, or whom a relay has written down.
        """
        if self.sender is not None:
            return self.sender
        origin = origin_of(header_section(message), self.trust, None) if self.trust else None
        return NULL_SENDER if origin is None else _sender_in(origin)


class Scanner:
    """
    Judges files.
    """

    log = Logger()

    def __init__(
        self,
        settings: Settings,
        known: Known,
        situation: Situation,
        folder: Path,
        asks_dns: bool = False,
    ) -> None:
        """
        @param folder: for the spool files of large messages.
        @param asks_dns: whether the DNS is asked; without, no query is made.
        @raise ConfigurationError: the checks cannot be brought into an order.
        """
        relays = settings.relays.model_copy(update={"authserv_ids": situation.authserv_ids})
        self._settings = settings.model_copy(update={"relays": relays})
        self._known = known
        self._situation = situation
        self._asks_dns = asks_dns
        self._threads = threads = ImmediateThreads()
        self._spool = Spool(folder, Files(), threads, settings.limits.memory_bytes)
        self._clock = Clock()
        self._pipeline = self._make_pipeline(known, self._clock)
        self._online: Online | None = None

    def __call__(self, paths: Sequence[str]) -> Sequence[Sequence[Answer]]:
        """
        Judge the message in each file, or all of an mbox.

        @return: for each message C{path}, C{score}, C{action} and C{findings}, and where the
            gateway only watches C{would}; or C{path} and C{error}. Those of an mbox have C{number}
            as well.
        """
        if not self._asks_dns:
            return [self._file(path) for path in paths]
        if self._online is None:
            # Here, since sockets are of no use to processes that are forked afterwards.
            self._online = Online(self._settings, self._known, self._make_pipeline)
        return self._online.judge_all(self._file_online, paths)

    def _file(self, path: str) -> Sequence[Answer]:
        try:
            texts = messages_in(Path(path), self._settings.limits.message_bytes + 1)
            answers = [self._answer(path, text) for text in texts]
        except OSError as error:
            return [error_of(path, error.strerror or str(error))]
        return _numbered(answers)

    async def _file_online(self, pipeline: Pipeline, path: str) -> Sequence[Answer]:
        try:
            texts = messages_in(Path(path), self._settings.limits.message_bytes + 1)
            answers = [await self._answer_online(pipeline, path, text) for text in texts]
        except OSError as error:
            return [error_of(path, error.strerror or str(error))]
        return _numbered(answers)

    def _answer(self, path: str, text: bytes) -> Answer:
        try:
            message = self._message(text)
        except CommandError as error:
            return error_of(path, str(error))
        try:
            envelope, recipient = self._envelope(message), self._situation.recipient
            verdict = judge(self._pipeline, self._clock, envelope, recipient, message)
            return _answer(path, verdict)
        except Exception as error:
            return self._broken(path, error)
        finally:
            message.close()

    async def _answer_online(self, pipeline: Pipeline, path: str, text: bytes) -> Answer:
        try:
            message = self._message(text)
        except CommandError as error:
            return error_of(path, str(error))
        try:
            envelope, recipient = self._envelope(message), self._situation.recipient
            return _answer(path, await judge_waiting(pipeline, envelope, recipient, message))
        except Exception as error:
            return self._broken(path, error)
        finally:
            message.close()

    def _broken(self, path: str, error: Exception) -> Answer:
        """
        Tell of a mistake of ours, the exception that is being handled.
        """
        self.log.failure("{event} {path}", event="scan.failed", path=path)
        return error_of(path, f"could not be judged: {type(error).__name__}")

    def _make_pipeline(self, known: Known, clock: IReactorTime) -> Pipeline:
        relays = Relays(self._situation.trust, may_refuse=True, are_stored=True)
        return make_pipeline(
            self._settings,
            known,
            self._threads,
            clock,
            time.time,
            relays=relays,
            sandbox=WaitingSandbox(PROGRAM),
        )

    def _envelope(self, message: IMessage) -> Envelope:
        situation, now = self._situation, time.time()
        session = evolve(situation.session, id=new_id(), started=now)
        sender = situation.sender_of(message)
        return Envelope(session, new_id(), sender, now, message.size, body="8BITMIME")

    def _message(self, text: bytes) -> IMessage:
        """
        Receive a message.

        @raise CommandError: the gateway would refuse it before any check.
        """
        data = text if text.endswith(b"\r\n") else text + b"\r\n"
        limits = self._settings.limits
        limit = limits.message_bytes
        if len(data) > limit:
            raise CommandError(f"the gateway refuses it: larger than {limit:,} bytes")
        if data.count(b"\r") != data.count(b"\r\n"):
            raise CommandError("the gateway refuses it: it contains a CR without LF")
        if b"\0" in data:
            raise CommandError("the gateway refuses it: it contains a NUL")
        limit = limits.header_bytes
        if len(data) > limit and b"\r\n\r\n" not in data[:limit]:
            raise CommandError(f"the gateway refuses it: a header larger than {limit:,} bytes")
        if has_more_fields(cut(data[:limit]), limits.header_fields):
            raise CommandError(
                f"the gateway refuses it: more than {limits.header_fields:,} header fields"
            )
        writer = self._spool.begin()
        writer.write(data)
        message = writer.finish()
        return immediate_result(message) if isinstance(message, Deferred) else message


class Online:
    """
    Judges with the DNS: some messages at a time, as most of their time is waiting.
    """

    def __init__(self, settings: Settings, known: Known, make: MakePipeline) -> None:
        """
        Find the DNS servers and test the lists.

        @param make: makes the pipeline of what is known and a clock.
        """
        self._turning = Turning()
        reactor = self._turning.reactor
        resolver = Resolver(settings.dns, reactor)
        resolver.use(find_servers(settings.dns.servers, Parts().resolv_conf))
        section = settings.checks.dnslists
        lists = DnsLists.of_check(section)
        watch = ListWatch(section, reactor.seconds, time.time)
        watch.changed = lists.take_up
        tests = resolver.for_check("test of the DNS lists", TEST_SECONDS, TEST_QUERIES)
        self._turning.wait(Deferred.fromCoroutine(watch.test(tests)))
        self._pipeline = make(evolve(known, resolvers=resolver, dns_lists=lists), reactor)

    def judge_all(self, one: JudgeFile, paths: Sequence[str]) -> Sequence[Sequence[Answer]]:
        """
        Judge files.

        @param one: judges one with a pipeline, as a coroutine that does not fail.
        """
        turns = DeferredSemaphore(TOGETHER)

        def begin(path: str) -> Deferred[Sequence[Answer]]:
            return Deferred.fromCoroutine(one(self._pipeline, path))

        working = [turns.run(begin, path) for path in paths]
        results = self._turning.wait(DeferredList(working, fireOnOneErrback=True))
        return [answers for _, answers in results]


def error_of(path: str, why: str) -> Answer:
    """
    Say why there is no answer.
    """
    return {"path": path, "error": why}


def _numbered(answers: Sequence[Answer]) -> Sequence[Answer]:
    if len(answers) == 1:
        return answers
    return [{**answer, "number": number} for number, answer in enumerate(answers, 1)]


def _answer(path: str, verdict: Verdict) -> Answer:
    answer = {
        "path": path,
        "score": verdict.total,
        "action": verdict.action.value,
        "findings": [
            {
                "symbol": each.symbol,
                "score": each.score,
                "detail": each.detail,
                "check": each.check,
            }
            for each in verdict.findings
        ],
    }
    return answer if verdict.would is None else {**answer, "would": verdict.would.value}


def _path(text: str) -> Address:
    return parse_mail(f"FROM:<{text.removeprefix('<').removesuffix('>')}>").address


def _sender_in(origin: Origin) -> Address:
    """
    Give whom a relay of ours has written down as the envelope sender (RFC 5321 section 4.4).
    """
    for value in origin.added("return-path"):
        try:
            return _path(value.decode("utf-8"))
        except (Refused, UnicodeDecodeError):
            continue
    return NULL_SENDER


def _trust(named: Sequence[str], settings: Settings) -> tuple[Trust, tuple[str, ...]]:
    """
    Join those of the configuration and those that are named, which are believed in what they say
    of the client and in what they have found.

    @raise CommandError: one is neither a network nor a name.
    """
    relays = settings.relays
    networks, names = list(relays.networks), []
    for each in named:
        if _RELAY_NAME.fullmatch(each.lower()) and not _NUMERIC.fullmatch(each):
            names.append(each.lower())
            continue
        try:
            parse_network(each)
        except ValueError as error:
            raise CommandError(f"--trust {each}: {error}") from None
        networks.append(each)
    trust = Trust(tuple(map(parse_network, networks)), (*relays.names, *names))
    believed = (*names, NAMELESS) if names else ()
    return trust, (*relays.authserv_ids, *believed)
