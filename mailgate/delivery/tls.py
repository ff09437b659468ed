"""
TLS to a mail server: what is asked of it, and what was seen of it.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL.crypto import X509, PKey
from OpenSSL.SSL import Connection
from OpenSSL.SSL import Error as TlsError
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    TLSVersion,
    VerificationError,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mailgate.config.certificate import read_pair
from mailgate.config.delivery import SmtpUpstream, UpstreamTls
from mailgate.config.model import CertificateFiles

AVOIDED_SECONDS = 600.0
"""How long TLS is not tried again where it did not work and is not asked for."""


def verified_tls(
    host: str, authorities: Path | None = None, shown: CertificateFiles | None = None
) -> IOpenSSLClientConnectionCreator:
    """
    Make what begins TLS 1.2 or 1.3, and ends the connection unless the certificate is for C{host}
    and signed by somebody whom we trust. Blocks.

    @param host: a host name or an IP address.
    @param authorities: PEM file of those to trust; without one, those of the system.
    @param shown: the certificate that is shown to the server, if any.
    @raise OSError: the file cannot be read.
    @raise ValueError: it is no such file, or the certificate cannot be shown.
    """
    trusted = None
    if authorities is not None:
        trusted = trustRootFromCertificates(
            [
                Certificate(X509.from_cryptography(each))
                for each in x509.load_pem_x509_certificates(authorities.read_bytes())
            ]
        )
    made: IOpenSSLClientConnectionCreator = optionsForClientTLS(
        host, trustRoot=trusted, extraCertificateOptions=_options(shown)
    )
    return made


@implementer(IOpenSSLClientConnectionCreator)
class UnverifiedTls:
    """
    What begins TLS 1.2 or 1.3 with whoever answers.
    """

    def __init__(self, host: str, shown: CertificateFiles | None = None) -> None:
        """
        Make it. Blocks.

        @param host: a host name or an IP address.
        @param shown: the certificate that is shown to the server, if any.
        @raise ValueError: the certificate cannot be shown.
        """
        is_address = isIPAddress(host) or isIPv6Address(host)
        self._name = b"" if is_address else host.encode("ascii")
        self._context = CertificateOptions(verify=False, **_options(shown)).getContext()

    def clientConnectionForTLS(self, protocol: Any) -> Connection:
        """
        Make the TLS of one connection.
        """
        connection = Connection(self._context, None)
        if self._name:
            connection.set_tlsext_host_name(self._name)
        return connection


def _options(shown: CertificateFiles | None) -> dict[str, Any]:
    options: dict[str, Any] = {"raiseMinimumTo": TLSVersion.TLSv1_2}
    if shown is not None:
        pair = read_pair(shown)
        own, *rest = map(X509.from_cryptography, pair.chain.certificates)
        key = PKey.from_cryptography_key(pair.key)
        options.update(privateKey=key, certificate=own, extraCertChain=rest)
    return options


@frozen
class TlsDemand:
    """
    What is demanded of the way to a mail server.
    """

    mode: UpstreamTls
    tls: IOpenSSLClientConnectionCreator | None = None
    """Begins TLS; C{None} where there shall be none."""

    begins_with_tls: bool = False
    """Whether TLS comes before everything else, and not by STARTTLS."""

    pinned_keys: frozenset[str] = frozenset()
    """The SHA-256 of the keys of which the server must have one, in hexadecimal digits."""

    @classmethod
    def of(cls, settings: SmtpUpstream) -> TlsDemand:
        """
        Make what an upstream is configured to demand. Blocks.

        @raise OSError: a file cannot be read.
        @raise ValueError: it cannot be used.
        """
        mode = settings.usual_tls
        if mode is UpstreamTls.NONE:
            return NO_TLS
        shown = None
        if settings.certificate is not None and settings.key is not None:
            shown = CertificateFiles(certificate=settings.certificate, key=settings.key)
        host = settings.tls_name or settings.host
        tls: IOpenSSLClientConnectionCreator
        if mode is UpstreamTls.VERIFIED:
            tls = verified_tls(host, settings.ca_file, shown)
        else:
            tls = UnverifiedTls(host, shown)
        return cls(mode, tls, settings.kind == "smtps", frozenset(settings.pinned_keys))

    @property
    def is_needed(self) -> bool:
        """
        Tell whether nothing may be said without TLS.
        """
        return self.mode not in (UpstreamTls.NONE, UpstreamTls.OPPORTUNISTIC)

    def objection(self, connection: Connection) -> str:
        """
        Say why a server is not the right one, now that TLS is on, or give C{""}.
        """
        if self.mode is not UpstreamTls.PINNED:
            return ""
        shown = connection.get_peer_certificate(as_cryptography=True)
        if shown is None:
            return "it shows no certificate"
        return "" if key_digest(shown) in self.pinned_keys else "its key is none of pinned_keys"


NO_TLS = TlsDemand(UpstreamTls.NONE)


def key_digest(certificate: x509.Certificate) -> str:
    """
    Give the SHA-256 of a certificate's public key (its SubjectPublicKeyInfo) in hexadecimal digits.
    """
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(key).hexdigest()


@define(eq=False)
class Experience:
    """
    What was seen of one upstream at the beginning of connections, as this process remembers it.
    """

    log = Logger()

    name: str
    """The upstream's, for events."""

    seconds: Callable[[], float]
    """The reactor's clock."""

    _was_offered: bool = field(init=False, default=False)
    _is_missed: bool = field(init=False, default=False)
    _is_untold: bool = field(init=False, default=False)
    _avoided_until: float = field(init=False, default=0.0)

    @property
    def is_avoided(self) -> bool:
        """
        Tell whether TLS has failed lately.
        """
        return self._avoided_until > self.seconds()

    def offered(self, is_offered: bool) -> None:
        """
        Learn whether the server has offered STARTTLS. That it does no more may be its operator's
        will, or that of somebody on the line.
        """
        if is_offered:
            self._was_offered, self._is_missed = True, False
        elif self._was_offered and not self._is_missed:
            self._is_missed = True
            self.log.warn(
                "{event} {upstream} does not offer STARTTLS any more",
                event="upstream.downgraded",
                upstream=self.name,
            )

    def may_tell(self, is_offered: bool, way: str) -> None:
        """
        Learn whether the server wants to be told who the client was, as it is wished.
        """
        if not is_offered and not self._is_untold:
            self.log.warn(
                "{event} {upstream} does not offer {way}",
                event="upstream.client_not_told",
                upstream=self.name,
                way=way.upper(),
            )
        self._is_untold = not is_offered

    def failed(self, why: str) -> None:
        """
        Learn that TLS did not work although it was offered, and that it can be done without.
        """
        self._avoided_until = self.seconds() + AVOIDED_SECONDS
        self.log.warn(
            "{event} {upstream} gets mail without TLS for a while: {why}",
            event="upstream.tls_failed",
            upstream=self.name,
            why=why,
        )


def why_lost(reason: Failure) -> str:
    """
    Say why a connection is gone, as far as TLS has to do with it.
    """
    error = reason.value
    if isinstance(error, VerificationError):
        return "its certificate is for another name"
    if isinstance(error, TlsError):
        errors = error.args[0] if error.args else ()
        told = [each[-1] for each in errors] if isinstance(errors, list) else []
        return f"TLS: {told[-1] if told else 'broken off'}"
    return ""
