"""
The certificates of the edge, which are taken up anew when their files have changed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from attrs import define, field, frozen
from cryptography.x509 import Certificate
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from mailgate.config.certificate import Pair, read_authorities, read_pair
from mailgate.config.model import CertificateFiles, ClientCertificate, Listener, Role
from mailgate.config.stamp import Stamp, stamp_of
from mailgate.edge.tls import Contexts, Demand, ListenerTls, make_context
from mailgate.interfaces import IThreads

T = TypeVar("T")

TICKET_SECONDS = 12 * 3600.0
"""How long the key of session tickets is used: whoever gets it can read what was resumed."""


class Certificates:
    """
    All certificates, and the TLS of the listeners with them.
    """

    log = Logger()

    def __init__(
        self,
        files: Sequence[CertificateFiles],
        listeners: Iterable[Listener],
        clock: IReactorTime,
        threads: IThreads,
    ) -> None:
        """
        Nothing is read yet.

        @param files: of the certificates; the first is for whoever asks for no name, or for one
            that none of them has.
        @param listeners: what they ask of their clients.
        @param threads: where files are read once clients are served.
        """
        self._clock = clock
        self._threads = threads
        self._pairs = [
            _Watched((each.certificate, each.key), partial(_read_pair, each)) for each in files
        ]
        self._kinds = {_Kind.of(listener) for listener in listeners}
        self._authorities = {
            path: _Watched((path,), partial(_read_authorities, path))
            for path in {kind.authorities for kind in self._kinds}
            if path is not None
        }
        self._tls: dict[_Kind, ListenerTls] = {}
        self._until = 0.0

    def load(self) -> None:
        """
        Read everything. Blocks.

        @raise ValueError: a file cannot be used; the message says which and why.
        """
        for watched in self._all():
            watched.load()
        self._tls = {kind: ListenerTls(made) for kind, made in self._make().items()}
        self._until = self._clock.seconds() + TICKET_SECONDS

    def tls_of(self, listener: Listener) -> ListenerTls:
        """
        Give the TLS of a listener, after L{load}.
        """
        return self._tls[_Kind.of(listener)]

    def refresh(self) -> Deferred[None]:
        """
        Take up what has changed, for new connections. What cannot be used is told, and what was
        read before stays.
        """
        is_stale = self._clock.seconds() >= self._until
        return self._threads.run(self._look, is_stale).addCallback(self._take)

    def _look(self, is_stale: bool) -> _Found:
        news = [(watched, watched.look()) for watched in self._all()]
        is_new = is_stale or any(each is not None and each.is_taken for _, each in news)
        return _Found(
            [(str(watched.paths[0]), each) for watched, each in news if each is not None],
            self._make() if is_new else None,
        )

    def _take(self, found: _Found) -> None:
        if found.contexts is not None:
            self._until = self._clock.seconds() + TICKET_SECONDS
            for kind, contexts in found.contexts.items():
                self._tls[kind].contexts = contexts
        for file, news in found.news:
            if news.is_taken:
                self.log.info("{event} {file}", event="tls.renewed", file=file)
            else:
                self.log.error(
                    "{event} {file}: {error}",
                    event="tls.not_renewed",
                    file=file,
                    error=news.trouble,
                )

    def _make(self) -> Mapping[_Kind, Contexts]:
        """
        Make the contexts of what was read.
        """
        pairs = [watched.value for watched in self._pairs]
        return {kind: Contexts.make(pairs, self._demand(kind)) for kind in self._kinds}

    def _demand(self, kind: _Kind) -> Demand | None:
        if kind.authorities is None:
            return None
        return Demand(self._authorities[kind.authorities].value, kind.is_strict)

    def _all(self) -> Sequence[_Watched[Pair] | _Watched[Sequence[Certificate]]]:
        return (*self._pairs, *self._authorities.values())


@frozen
class _Kind:
    """
    What a listener asks of its clients.
    """

    authorities: Path | None
    is_strict: bool

    @classmethod
    def of(cls, listener: Listener) -> _Kind:
        """
        Give the kind of a listener.

        Where TLS comes first, a handshake without a certificate that is required fails. After
        STARTTLS a reply can say why, so it goes on.
        """
        wish = listener.client_certificate
        if wish is ClientCertificate.NONE:
            return cls(None, False)
        is_first = listener.role is Role.SUBMISSIONS
        return cls(listener.client_ca_file, is_first and wish is ClientCertificate.REQUIRE)


@frozen
class _News:
    """
    What was found of files that have changed.
    """

    trouble: str = ""
    """Why they cannot be used."""

    @property
    def is_taken(self) -> bool:
        """
        Tell whether they were taken up.
        """
        return not self.trouble


@frozen
class _Found:
    news: Sequence[tuple[str, _News]]
    contexts: Mapping[_Kind, Contexts] | None
    """New ones, or C{None}."""


_Stamps = tuple[Stamp | None, ...]


@define(eq=False)
class _Watched(Generic[T]):
    """
    What is read from files that belong together. All calls block.
    """

    paths: tuple[Path, ...]
    _read: Callable[[], T]
    value: T = field(init=False)
    _used: _Stamps = field(init=False, default=())
    """That of the files that were read."""

    _refused: _Stamps = field(init=False, default=())
    """That of the files that could not be used."""

    _untold: str = field(init=False, default="")

    def load(self) -> None:
        """
        Read them.

        @raise ValueError: they cannot be used.
        """
        stamp = self._stamp()
        self.value = self._read()
        self._used = stamp

    def look(self) -> _News | None:
        """
        Read them anew if they have changed.

        Two files are never replaced at the same moment, so what cannot be used is told only if it
        is the same at the next look.
        """
        stamp = self._stamp()
        if stamp == self._used:
            self._refused, self._untold = (), ""
            return None
        if stamp == self._refused:
            trouble, self._untold = self._untold, ""
            return _News(trouble) if trouble else None
        try:
            self.value = self._read()
        except ValueError as error:
            self._refused, self._untold = stamp, str(error)
            return None
        self._used, self._refused, self._untold = stamp, (), ""
        return _News()

    def _stamp(self) -> _Stamps:
        return tuple(map(_stamp, self.paths))


def _stamp(path: Path) -> Stamp | None:
    try:
        return stamp_of(os.stat(path))
    except OSError:
        return None


def _read_pair(files: CertificateFiles) -> Pair:
    pair = read_pair(files)
    try:
        make_context(pair)
    except ValueError as error:
        raise ValueError(f"{files.certificate} cannot be used: {error}") from error
    return pair


def _read_authorities(path: Path) -> Sequence[Certificate]:
    try:
        return read_authorities(path)
    except ValueError as error:
        raise ValueError(f"{path} {error}") from error
