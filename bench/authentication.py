"""
What SPF, DKIM and DMARC cost, in milliseconds of processor time, and how long a large message keeps
everybody else waiting.

Messages with one RSA-2048 signature that is right are spooled as they come from a client and judged
from their connection to their dot, with these checks and without, beside those of the header that
every gateway has, in this process and without sockets; all answers of the DNS are remembered. What
is computed of it (the evaluations and the hash, without what the pipeline does with every finding)
is measured alone as well.

Then messages of 10 MiB are spooled and judged by a running reactor with its threads, with five
signatures that ask for both forms of the body, and it is measured how long the reactor did not get
to anything else. What Python's collection of garbage takes is left out as far as it is about the
modules and messages of this program.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time, thread_time
from typing import Any

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import deferLater, react
from twisted.python.threadpool import ThreadPool

from bench.messages import Mailbag
from mailgate.authentication.author import author_of
from mailgate.authentication.canonical import BodyHasher, Form, fields_of
from mailgate.authentication.dkim import Verification
from mailgate.authentication.dmarc import DmarcResult, Identifier, evaluate
from mailgate.authentication.spf import Peer, check_helo, check_sender
from mailgate.checks.known import Known
from mailgate.checks.table import CHECKS
from mailgate.config.model import Settings
from mailgate.interfaces import Asked, IThreads
from mailgate.judging import make_pipeline
from mailgate.message.envelope import Envelope, Session
from mailgate.message.header import Headers
from mailgate.message.section import cut
from mailgate.message.spool import Spool
from mailgate.net.dns.resolver import Resolver
from mailgate.pipeline.engine import Pipeline
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads, Threads
from mailgate.wire.address import Address
from mailgate.wire.dns.answer import NXDOMAIN, TXT, Records

_AUTHENTICATION = ("spf", "dkim", "dmarc", "arc")
_BESIDE = ("helo", "headers", "lists")
"""Checks that are on too, with and without: they read the header section as every gateway does."""

_CLIENT, _HELO, _DOMAIN = ip_address("185.1.2.3"), "mx.example.org", "example.org"
_NOW = 1_800_000_000.0
_ROUNDS = 9
_SIZES = (4096, 65_536)
_PIECE = 65_536
"""Bytes that come at a time of a small message."""

_LARGE_PIECE = 1024 * 1024
"""Bytes that come at a time of a large one, as the edge reads it."""

_LARGE = 10 * 1024 * 1024
_FROM_LARGE = 256 * 1024
_FORMS = (Form(True), Form(False), Form(True, 1000), Form(False, 1_000_000), Form(True))
_BODIES: dict[str, bytes] = {
    "base64": b64encode(os.urandom(57)) + b"\r\n",
    "text with two spaces everywhere": b"a  b \t c" * 9 + b" \r\n",
    "white space": b" " * 76 + b"\r\n",
    "empty lines": b"\r\n",
    "no line ends": b"\r\t ",
}


def main() -> int:
    """
    Print two tables.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=200, help="messages a round (default: 200)")
    parser.add_argument(
        "--large", type=int, default=3, help="large messages of each kind (default: 3)"
    )
    arguments = parser.parse_args()
    key = generate_private_key(65537, 2048)
    with TemporaryDirectory() as folder:
        _print_costs(key, Path(folder), arguments.number)
        if arguments.large:
            react(_print_turns, (key, Path(folder), arguments.large))  # ends the process
    return 0


def _print_costs(key: RSAPrivateKey, folder: Path, number: int) -> None:
    rows = {name: _make(key, name, ImmediateThreads()) for name in ("off", "score")}
    spool = Spool(folder, Files(), ImmediateThreads(), 1 << 26)
    for size in _SIZES:
        messages = [_signed(key, Mailbag(size).message(each), [Form(True)]) for each in range(50)]
        figures: dict[str, list[float]] = {name: [] for name in rows}
        for _ in range(_ROUNDS):
            for name, (pipeline, _) in rows.items():  # by turns, so that all have the same weather
                began = process_time()
                for at in range(number):
                    _result(_judge(pipeline, spool, messages[at % len(messages)]))
                figures[name].append((process_time() - began) / number * 1e3)
        own = [_alone(rows["score"][1], messages, number) for _ in range(_ROUNDS)]
        with_it, without = figures["score"], figures["off"]
        added = [one - other for one, other in zip(with_it, without, strict=True)]
        print(
            f"{size // 1024:3} KiB: without {median(without):6.3f} ms, with {median(with_it):6.3f}"
            f" ms: adds {median(added):6.3f} ms (least {min(added):6.3f}); alone {median(own):6.3f}"
        )
    counts = rows["score"][1].take_counts()
    if counts.get(Asked.LOOKED_UP, 0):
        raise RuntimeError("some answers were not remembered")


def _alone(resolver: Resolver, messages: Sequence[bytes], number: int) -> float:
    """
    Give what the evaluations take without a pipeline around them, of messages whose header fields
    were read for others too.
    """
    peer = Peer(_CLIENT, _HELO, "mail.example.com", lambda: _NOW)
    read = [(message, cut(message), Headers.parse(cut(message))) for message in messages]
    began = process_time()
    for at in range(number):
        _result(_evaluate(resolver, peer, *read[at % len(read)]))
    return (process_time() - began) / number * 1e3


async def _evaluate(
    resolver: Resolver, peer: Peer, message: bytes, section: bytes, headers: Headers
) -> None:
    asked = resolver.for_check("bench", 20.0, 100)
    spf = await check_sender(asked, peer, Address("ada", _DOMAIN))
    await check_helo(asked, peer)
    verification = Verification(section, "")
    hasher = BodyHasher(verification.forms)
    hasher.update(message[len(section) :])
    signatures = await verification.results(asked, _NOW, hasher.finish())
    identifiers = [Identifier.of_spf(spf), *map(Identifier.of_dkim, signatures)]
    author = author_of(headers)
    if (await evaluate(asked, author, identifiers)).result is not DmarcResult.PASS:
        raise RuntimeError("it is not authenticated")


async def _print_turns(clock: Any, key: RSAPrivateKey, folder: Path, number: int) -> None:
    pool = ThreadPool(0, 4)
    pool.start()
    threads = Threads(clock, pool)
    spool = Spool(folder, Files(), threads, 1 << 26)
    try:
        for words, line in _BODIES.items():
            body = line * (_LARGE // len(line)) + b"end\r\n"
            data = _signed(key, Mailbag(4096).message(1), _FORMS, body)
            for name in ("off", "score"):
                pipeline, _ = _make(key, name, threads)
                gc.collect()
                gc.freeze()
                longest = [await _longest(clock, pipeline, spool, data) for _ in range(number)]
                print(
                    f"10 MiB, {words:32} {'without' if name == 'off' else 'with':8}"
                    f" longest turn {max(each[0] for each in longest):6.2f} ms of work,"
                    f" {max(each[1] for each in longest):6.2f} ms by the clock"
                )
    finally:
        pool.stop()


async def _longest(
    clock: Any, pipeline: Pipeline, spool: Spool, data: bytes
) -> tuple[float, float]:
    """
    Give how long the reactor worked on one thing at most, by the time of its own thread and by
    that of the wall, in milliseconds.
    """
    turns: list[tuple[float, float]] = []
    is_over = False

    def tick(worked: float, at: float) -> None:
        now, here = perf_counter(), thread_time()
        turns.append((here - worked, now - at))
        if not is_over:
            clock.callLater(0, tick, thread_time(), perf_counter())

    tick(thread_time(), perf_counter())
    turns.clear()
    await _judge(pipeline, spool, data, lambda: deferLater(clock, 0))
    is_over = True
    return max(each[0] for each in turns) * 1e3, max(each[1] for each in turns) * 1e3


async def _judge(
    pipeline: Pipeline,
    spool: Spool,
    data: bytes,
    breathe: Callable[[], Deferred[None]] | None = None,
) -> None:
    """
    Judge a message from its connection to its dot, spooled as the edge does.

    @param breathe: let others do something between two pieces.
    """
    session = Session(
        id="0000-0000-0000",
        listener="mx",
        role="mx",
        client=str(_CLIENT),
        port=40001,
        started=_NOW,
        helo=_HELO,
        is_esmtp=True,
        local="198.51.100.25",
    )
    judge = pipeline.open(session)
    await maybeDeferred(judge.connected)
    await maybeDeferred(judge.greeted, session)
    transaction = judge.begin(Envelope(session, "7q4m-x2vd-90kt", Address("ada", _DOMAIN), _NOW))
    await maybeDeferred(transaction.mail)
    await maybeDeferred(transaction.rcpt, Address("user", "example.com"))
    writer = spool.begin(transaction.reading)
    for piece in _pieces(data):
        writer.write(piece)
        if breathe is not None:
            await (writer.when_written() if writer.must_pause else breathe())
    finished = writer.finish()
    message = await finished if isinstance(finished, Deferred) else finished
    judged = transaction.message(message)
    (verdict,) = await judged if isinstance(judged, Deferred) else judged
    found = {each.symbol for each in verdict.findings}
    if transaction.reading is not None and not {"SPF_PASS", "DKIM_PASS", "DMARC_PASS"} <= found:
        raise RuntimeError(f"it is not authenticated: {verdict.findings}")
    message.close()
    transaction.close()
    judge.close()


def _pieces(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        size = _PIECE if at < _FROM_LARGE else _LARGE_PIECE
        yield data[at : at + size]
        at += size


def _make(key: RSAPrivateKey, mode: str, threads: IThreads) -> tuple[Pipeline, Resolver]:
    """
    Make a pipeline with these checks only, and a resolver that remembers all that is asked.
    """
    settings = Settings.model_validate(
        {
            "hostname": "mail.example.com",
            "data": "/srv/mailgate",
            "listener": [{"address": "127.0.0.1:2525"}],
            "route": [{"domains": ["example.com"], "upstream": "inbox"}],
            "upstream": {"inbox": {"kind": "maildir", "path": "/srv/inbox"}},
            "checks": {
                name: {"mode": mode if name in _AUTHENTICATION else "off"}
                for name in CHECKS
                if name not in _BESIDE
            },
        }
    )
    raw = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    texts = {
        _DOMAIN: b"v=spf1 ip4:192.0.2.0/24 ip4:185.1.2.0/24 -all",
        _HELO: b"v=spf1 ip4:185.1.2.3 -all",
        f"_dmarc.{_DOMAIN}": b"v=DMARC1; p=reject; rua=mailto:reports@example.org",
        f"s1._domainkey.{_DOMAIN}": b"v=DKIM1; k=rsa; p=" + b64encode(raw),
    }
    resolver = Resolver(settings.dns, reactor)
    for name, text in texts.items():
        resolver.cache.put((name, TXT.code), Records((text,)), float("inf"))
    resolver.cache.put(("_dmarc.org", TXT.code), NXDOMAIN, float("inf"))
    known = Known(resolvers=resolver)
    return make_pipeline(settings, known, threads, reactor, lambda: _NOW), resolver


def _signed(
    key: RSAPrivateKey, message: bytes, forms: Sequence[Form], body: bytes | None = None
) -> bytes:
    """
    Give a message with signatures that are right in the place of that which it has, from our
    sender.

    @param body: another body.
    """
    section, _, own = message.partition(b"\r\n\r\n")
    whole = own if body is None else body
    fields = [each for each in fields_of(section) if each.name not in (b"dkim-signature", b"from")]
    header = [each.raw for each in fields] + [b"From: Ada Adler <ada@%b>" % _DOMAIN.encode()]
    hasher = BodyHasher(forms)
    hasher.update(whole)
    hashes = hasher.finish()
    kept = list(header)
    for form in forms:
        part = b"" if form.length is None else b" l=%d;" % form.length
        unsigned = (
            b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/%b; d=%b; s=s1;%b\r\n"
            b"\th=from:to:subject:date:message-id:mime-version;\r\n\tbh=%b;\r\n\tb="
        ) % (
            b"relaxed" if form.is_relaxed else b"simple",
            _DOMAIN.encode(),
            part,
            b64encode(hashes[form].digest),
        )
        by_name = {each.name: each for each in fields_of(b"\r\n".join(header))}
        names = (b"from", b"to", b"subject", b"date", b"message-id", b"mime-version")
        signed = b"".join(by_name[name].canonical(True) + b"\r\n" for name in names)
        (own_field,) = fields_of(unsigned)
        signature = key.sign(signed + own_field.canonical(True), PKCS1v15(), SHA256())
        kept.insert(0, unsigned + b64encode(signature))
    return b"\r\n".join((*kept, b"", whole))


def _result(judging: Any) -> None:
    """
    Do what waits for nothing.
    """
    done: list[Any] = []
    Deferred.fromCoroutine(judging).addCallbacks(done.append, done.append)
    (found,) = done
    if found is not None:
        found.raiseException()


if __name__ == "__main__":
    sys.exit(main())
