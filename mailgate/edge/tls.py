"""
The certificate that the edge shows, and the one it makes for itself where it has none.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from OpenSSL.crypto import X509, PKey
from twisted.internet.ssl import CertificateOptions, TLSVersion

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


def server_context(certificate: Path, key: Path) -> CertificateOptions:
    """
    Make the TLS context of the edge: TLS 1.2 and 1.3, sessions resumed.

    @param certificate: PEM, the server's own certificate first, then its chain.
    @param key: PEM, without a passphrase.
    @raise OSError: a file cannot be read.
    @raise ValueError: a file is not what it should be.
    """
    chain = x509.load_pem_x509_certificates(certificate.read_bytes())
    options = CertificateOptions(
        privateKey=PKey.from_cryptography_key(_load_key(key)),
        certificate=X509.from_cryptography(chain[0]),
        extraCertChain=[X509.from_cryptography(link) for link in chain[1:]],
        raiseMinimumTo=TLSVersion.TLSv1_2,
        enableSessions=True,
        enableSessionTickets=True,
    )
    try:
        options.getContext().set_mode(SSL.MODE_RELEASE_BUFFERS)
    except SSL.Error as error:
        raise ValueError(f"{key} is not the key of {certificate}") from error
    return options


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
        raise ValueError(f"{path} holds a key that is neither RSA nor of an elliptic curve")
    return key
