"""
TLS to a mail server that must prove who it is.
"""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from OpenSSL.crypto import X509
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    TLSVersion,
    optionsForClientTLS,
    trustRootFromCertificates,
)


def verified_tls(host: str, authorities: Path | None = None) -> IOpenSSLClientConnectionCreator:
    """
    Make what begins TLS 1.2 or 1.3, and ends the connection unless the certificate is for C{host}
    and signed by somebody whom we trust. Blocks.

    @param host: a host name or an IP address.
    @param authorities: PEM file of those to trust; without one, those of the system.
    @raise OSError: the file cannot be read.
    @raise ValueError: it is no such file.
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
        host,
        trustRoot=trusted,
        extraCertificateOptions={"raiseMinimumTo": TLSVersion.TLSv1_2},
    )
    return made
