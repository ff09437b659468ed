"""
Whether a certificate and a key can be used together, for which names, and for how long.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from attrs import frozen
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509 import (
    Certificate,
    DNSName,
    ExtensionNotFound,
    NameOID,
    SubjectAlternativeName,
    load_pem_x509_certificates,
)
from OpenSSL.crypto import X509, X509Store, X509StoreContext, X509StoreContextError

from mailgate.config.model import CertificateFiles

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

AHEAD = timedelta(days=30)
"""How long before its end a certificate is worth a warning."""

LAST_PART = 3
"""
A certificate that lives shorter is worth it only in the last third of its life: it is renewed then,
and each day before would be a false alarm.
"""

RSA_BITS = 2048
"""The shortest RSA key that OpenSSL uses."""

_LACKS_ISSUER = (2, 20, 21)
"""What OpenSSL calls it when an issuer's certificate is not to be found."""


@frozen
class Chain:
    """
    The certificates of a file: the server's own first, then those of its issuers.
    """

    certificates: Sequence[Certificate]
    names: Sequence[str]
    """The host names that it is for, in lower case; C{*.} stands for one label."""

    @property
    def begin(self) -> datetime:
        """
        Tell from when on it holds.
        """
        return max(each.not_valid_before_utc for each in self._needed)

    @property
    def end(self) -> datetime:
        """
        Tell until when it holds: the server's own certificate and those of its issuers.
        """
        return min(each.not_valid_after_utc for each in self._needed)

    @property
    def _needed(self) -> Sequence[Certificate]:
        """
        Give what a client must be sent: not the root, which it has or does not trust.
        """
        own, *rest = self.certificates
        return [own, *(each for each in rest if each.issuer != each.subject)]

    def lapse(self, now: datetime) -> str:
        """
        Say that it does not hold at the moment, or give C{""}.
        """
        if self.end < now:
            return f"ended on {self.end:%Y-%m-%d}; clients that look at it will not send"
        if self.begin > now:
            return f"begins on {self.begin:%Y-%m-%d}; clients that look at it will not send before"
        return ""

    def approaching_end(self, now: datetime) -> str:
        """
        Say that it holds still but not for long, or give C{""}.
        """
        left = self.end - now
        ahead = min(AHEAD, (self.end - self.begin) / LAST_PART)
        if timedelta() <= left < ahead:
            return f"ends on {self.end:%Y-%m-%d}, in {left.days} days"
        return ""

    def gap(self) -> str:
        """
        Say what a client may lack to come from the certificate to an authority that it trusts, as
        far as that can be told here, or give C{""}. Blocks.
        """
        for number, (lower, upper) in enumerate(pairwise(self.certificates), 1):
            try:
                lower.verify_directly_issued_by(upper)
            except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
                return (
                    f"certificate number {number + 1} in it has not signed number {number}; the "
                    "server's own must come first, then that of its issuer, and so on"
                )
        return _missing_issuer(self.certificates)


@frozen
class Pair:
    """
    A chain and the private key of its first certificate.
    """

    chain: Chain
    key: PrivateKey


def read_pair(files: CertificateFiles) -> Pair:
    """
    Read a PEM file of certificates and its private key.

    @raise ValueError: they cannot be used together; the message says why.
    """
    pair, problems = _read(files)
    if pair is None:
        raise ValueError("; ".join(f"{getattr(files, which)} {why}" for which, why in problems))
    return pair


def examine(files: CertificateFiles) -> Iterator[tuple[str, str]]:
    """
    Give what is wrong with a PEM file of certificates and its private key.

    @return: pairs of C{"certificate"} or C{"key"} and the reason in words.
    """
    _, problems = _read(files)
    yield from problems


def read_authorities(file: Path) -> Sequence[Certificate]:
    """
    Read a PEM file of authorities to trust.

    @raise ValueError: it cannot be used; the message says why.
    """
    try:
        return load_pem_x509_certificates(file.read_bytes())
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError("must be a PEM file with the certificates of authorities") from error


def read_chain(file: Path) -> Chain:
    """
    Read a PEM file of certificates.

    @raise ValueError: it cannot be used; the message says why.
    """
    try:
        certificates = load_pem_x509_certificates(file.read_bytes())
        return Chain(certificates, _names(certificates[0]))
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError("must be a PEM file with the certificate and its chain") from error


def _names(certificate: Certificate) -> Sequence[str]:
    """
    Give the host names that a certificate is for.

    @raise ValueError: it is malformed.
    """
    try:
        found = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    except ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return [str(each.value).lower() for each in common]
    return [name.lower() for name in found.get_values_for_type(DNSName)]


def _read(files: CertificateFiles) -> tuple[Pair | None, list[tuple[str, str]]]:
    chain, key, problems = None, None, []
    try:
        chain = read_chain(files.certificate)
    except ValueError as error:
        problems.append(("certificate", str(error)))
    try:
        key = _read_key(files.key)
    except ValueError as error:
        problems.append(("key", str(error)))
    if chain is None or key is None:
        return None, problems
    spelling = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    held = key.public_key().public_bytes(*spelling)
    if chain.certificates[0].public_key().public_bytes(*spelling) != held:
        problems.append(("key", "must belong to the first certificate of the file; it does not"))
        return None, problems
    return Pair(chain, key), problems


def _read_key(path: Path) -> PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    except TypeError as error:
        raise ValueError("must be without a passphrase") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("must be a PEM file with the private key") from error
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < RSA_BITS:
        raise ValueError(f"must have at least {RSA_BITS} bits; it has {key.key_size}")
    if not isinstance(key, PrivateKey):
        raise ValueError("must be an RSA key or one of an elliptic curve")
    return key


def _missing_issuer(certificates: Sequence[Certificate]) -> str:
    """
    Say whose certificate is neither in the chain nor known to this machine, or give C{""}: also
    where this machine knows no authorities at all.
    """
    paths = ssl.get_default_verify_paths()
    if paths.cafile is None and paths.capath is None:
        return ""
    store = X509Store()
    store.load_locations(paths.cafile, paths.capath)
    own, *others = map(X509.from_cryptography, certificates)
    try:
        X509StoreContext(store, own, others).verify_certificate()
    except X509StoreContextError as error:
        if error.errors[0] in _LACKS_ISSUER:
            issuer = error.certificate.to_cryptography().issuer.rfc4514_string()
            return (
                f"the certificate of its issuer ({issuer}) is neither in it nor known to this "
                "machine; clients may not trust it"
            )
    return ""
