"""
Whether a certificate and a key can be used together, and for how long.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509 import load_pem_x509_certificates


def examine(certificate: Path, key: Path) -> Iterator[tuple[str, str]]:
    """
    Give what is wrong with a PEM file of certificates and its private key.

    @return: pairs of C{"certificate"} or C{"key"} and the reason in words.
    """
    chain, secret = None, None
    try:
        chain = load_pem_x509_certificates(certificate.read_bytes())
    except OSError as error:
        yield "certificate", f"cannot be read: {error.strerror}"
    except ValueError:
        yield "certificate", "must be a PEM file with the certificate and its chain"
    try:
        secret = load_pem_private_key(key.read_bytes(), password=None)
    except OSError as error:
        yield "key", f"cannot be read: {error.strerror}"
    except TypeError:
        yield "key", "must be without a passphrase"
    except (ValueError, UnsupportedAlgorithm):
        yield "key", "must be a PEM file with the private key"
    if chain and secret:
        spelling = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        held = secret.public_key().public_bytes(*spelling)
        if chain[0].public_key().public_bytes(*spelling) != held:
            yield "key", "must belong to the first certificate of the file; it does not"


def examine_authorities(file: Path) -> Iterator[str]:
    """
    Give what is wrong with a PEM file of authorities to trust, in words.
    """
    try:
        load_pem_x509_certificates(file.read_bytes())
    except OSError as error:
        yield f"cannot be read: {error.strerror}"
    except ValueError:
        yield "must be a PEM file with the certificates of authorities"


def end(certificate: Path) -> datetime | None:
    """
    Tell until when the first certificate of a PEM file holds.

    @return: C{None} where the file cannot be read or holds none.
    """
    try:
        return load_pem_x509_certificates(certificate.read_bytes())[0].not_valid_after_utc
    except (OSError, ValueError):
        return None
