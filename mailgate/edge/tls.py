"""
The TLS of the edge: which certificate is shown, what is asked of clients, and the certificate that
is made where there is none.
"""

from __future__ import annotations

import os
import string
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from attrs import define, frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from OpenSSL._util import ffi, lib
from OpenSSL.crypto import X509
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

from mailgate.config.certificate import Pair

CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    b"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    b"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
"""Of TLS 1.2; which of them is the client's choice."""

SUITES = b"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
"""Of TLS 1.3."""

GROUPS = (b"X25519MLKEM768:X25519:P-256:P-384", b"X25519:P-256:P-384")
"""Of the key exchange; the second ones where OpenSSL does not know the first (before 3.5)."""

_PLAIN = frozenset(string.ascii_letters + string.digits + " !#$%&'*+,-./:;=?@_{|}~")
_SUBJECT_LENGTH = 200
_VALID_DAYS = 3650


def make_self_signed(folder: Path, hostname: str, now: datetime) -> tuple[Path, Path, bool]:
    """
    Give the self-signed certificate and key in C{folder}; make them where they are not there.

    They keep nobody from listening in who can change what is sent, but everybody else, as
    STARTTLS on port 25 is used without asking for a name. Blocks.

    @return: the paths of the certificate and of the key, both PEM, and whether they are new.
    @raise OSError: they cannot be written.
    """
    certificate_path, key_path = folder / "certificate.pem", folder / "key.pem"
    if certificate_path.exists() and key_path.exists():
        return certificate_path, key_path, False
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(hostname)]), critical=False)
        .sign(key, SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write(key_path, secret, 0o600)
    _write(certificate_path, certificate.public_bytes(Encoding.PEM), 0o644)
    return certificate_path, key_path, True


def _write(path: Path, content: bytes, mode: int) -> None:
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


@frozen
class Demand:
    """
    What is asked of clients.
    """

    authorities: Sequence[x509.Certificate]
    """Who may have signed a client's certificate."""

    is_strict: bool
    """
    Whether the handshake fails without such a certificate; else the session goes on, and it is told
    afterwards.
    """


class ServerConnection(SSL.Connection):
    """
    The TLS of one connection.
    """

    def __init__(self, contexts: Contexts) -> None:
        super().__init__(contexts.first)
        # OpenSSL may call back to the first one until the handshake is over.
        self._contexts = contexts
        self.is_trusted = True
        """Whether nothing is wrong with the certificate of the client."""

    def release_buffers(self) -> None:
        """
        Give back, after the handshake, the memory through which it went. OpenSSL would keep it as
        large as it was, for hybrid key shares some 5 KiB, for as long as the connection lasts.
        """
        fresh = _copy(self._into_ssl), _copy(self._from_ssl)
        # This frees the old ones.
        lib.SSL_set_bio(self._ssl, *fresh)
        self._into_ssl, self._from_ssl = fresh


def _copy(buffer: Any) -> Any:
    """
    Make a buffer with what waits in another one.

    @raise MemoryError: there is no room.
    """
    copy = lib.BIO_new(lib.BIO_s_mem())
    start = ffi.new("char **")
    size = lib.BIO_get_mem_data(buffer, start)
    if copy == ffi.NULL or (size and lib.BIO_write(copy, start[0], size) != size):
        raise MemoryError("no room for the buffers of TLS")
    return copy


def make_context(pair: Pair, demand: Demand | None = None) -> SSL.Context:
    """
    Make the TLS context of a certificate: TLS 1.2 and 1.3, as Mozilla's "intermediate" has it.

    Sessions are resumed by tickets alone, whose keys live as long as the context: OpenSSL keeps
    nothing of a session here, so that nobody can fill the memory with them. Another process, and
    another context, takes a ticket for none of its own and makes a full handshake. Where clients
    are asked for a certificate nothing is resumed, so that each is looked at.

    There are no ciphers with finite-field Diffie-Hellman, since they let a client make the server
    work hard; no compression; no renegotiation; no early data; no ALPN; no stapled OCSP, which mail
    servers do not look at and the largest authorities do not answer any more.

    @raise ValueError: OpenSSL does not take the certificate or the key.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    # An idle connection then costs half the memory.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_cipher_list(CIPHERS)
    context.set_tls13_ciphersuites(SUITES)
    _set_groups(context)
    own, *others = pair.chain.certificates
    try:
        context.use_certificate(own)
        context.use_privatekey(pair.key)
        for other in others:
            context.add_extra_chain_cert(other)
    except SSL.Error as error:
        raise ValueError(why_tls_failed(error)) from error
    if demand is not None:
        _ask(context, demand)
    return context


def _set_groups(context: SSL.Context) -> None:
    """
    Choose the groups of the key exchange. What OpenSSL takes by itself has others too, which are
    slow and which Mozilla does not name.
    """
    for groups in GROUPS:
        # pyOpenSSL has a call for a single group only.
        if lib.SSL_CTX_set1_curves_list(context._context, groups) == 1:
            return
        lib.ERR_clear_error()
    raise ValueError("OpenSSL knows none of the groups for the key exchange")


def _ask(context: SSL.Context, demand: Demand) -> None:
    context.set_options(SSL.OP_NO_TICKET)
    context.set_session_id(b"mailgate")
    store = context.get_cert_store()
    for authority in demand.authorities:
        if store is not None:
            store.add_cert(X509.from_cryptography(authority))
        context.add_client_ca(authority)
    if demand.is_strict:
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
    else:
        context.set_verify(SSL.VERIFY_PEER, _take_anyway)


def _take_anyway(
    connection: SSL.Connection, certificate: X509, error: int, depth: int, is_trusted: int
) -> bool:
    """
    Go on with a certificate that cannot be trusted, but remember it.
    """
    if not is_trusted:
        assert isinstance(connection, ServerConnection)
        connection.is_trusted = False
    return True


@frozen
class Contexts:
    """
    The contexts of one kind of listener, one for each certificate.
    """

    first: SSL.Context
    """For whoever asks for no name, or for one that no certificate has."""

    @classmethod
    def make(cls, pairs: Sequence[Pair], demand: Demand | None) -> Contexts:
        """
        Make them.
        """
        contexts = [make_context(pair, demand) for pair in pairs]
        first, by_name = contexts[0], dict[str, SSL.Context]()
        for pair, context in zip(pairs, contexts, strict=True):
            for name in pair.chain.names:
                by_name.setdefault(name, context)

        def choose(connection: SSL.Connection) -> None:
            name = connection.get_servername()
            if name is not None:
                wanted = name.decode("ascii", "replace").lower().removesuffix(".")
                _, _, parent = wanted.partition(".")
                chosen = by_name.get(wanted) or by_name.get(f"*.{parent}")
                if chosen is not None and chosen is not first:
                    connection.set_context(chosen)

        first.set_tlsext_servername_callback(choose)
        return cls(first)


@implementer(IOpenSSLServerConnectionCreator)
@define(eq=False)
class ListenerTls:
    """
    The TLS of the listeners that ask the same of their clients.
    """

    contexts: Contexts
    """What new connections get."""

    def serverConnectionForTLS(self, protocol: object) -> ServerConnection:
        """
        Begin a connection.
        """
        return ServerConnection(self.contexts)

    def subject(self, connection: ServerConnection) -> str:
        """
        Name whom a client's certificate is for, once the handshake is over, or give C{""}: it has
        shown none, or none that can be trusted.

        It is printable ASCII without what has a meaning in a header's comment.
        """
        certificate = connection.get_peer_certificate(as_cryptography=True)
        if certificate is None or not connection.is_trusted:
            return ""
        name = certificate.subject.rfc4514_string() or "without a name"
        return "".join(each if each in _PLAIN else "?" for each in name[:_SUBJECT_LENGTH])


def why_tls_failed(error: BaseException) -> str:
    """
    Say in words why TLS has failed.
    """
    if isinstance(error, SSL.Error) and error.args and isinstance(error.args[0], list):
        return "; ".join(words for _, _, words in error.args[0])
    return str(error) or type(error).__name__
