"""
Certificates of a test's own.
"""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from OpenSSL.crypto import X509, PKey
from twisted.internet.ssl import CertificateOptions


@frozen
class Issued:
    """
    A certificate and its key.
    """

    certificate: x509.Certificate
    key: object

    @property
    def pem(self):
        """
        Give the certificate in PEM.
        """
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self):
        """
        Give the key in PEM.
        """
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def context(self):
        """
        Give the TLS of a server that shows it.
        """
        return CertificateOptions(
            privateKey=PKey.from_cryptography_key(self.key),
            certificate=X509.from_cryptography(self.certificate),
        )

    def write(self, folder, name, *issuers):
        """
        Write it, with certificates of its issuers behind it, as C{NAME.pem} and C{NAME.key}, and
        give both paths.
        """
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_bytes(b"".join(each.pem for each in (self, *issuers)))
        key.write_bytes(self.key_pem)
        key.chmod(0o600)
        return certificate, key


def issue(
    common_name, names=(), issuer=None, days=1, is_authority=False, begins=-10, key=None, usage=()
):
    """
    Make a certificate.

    @param names: host names and IP addresses.
    @param issuer: who signs it, or C{None}: itself.
    @param days: until when it holds.
    @param begins: from which day on it holds.
    @param key: that of another one, to be used again.
    @param usage: what it is for, as OIDs.
    """
    key = ec.generate_private_key(ec.SECP256R1()) if key is None else key
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=begins))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(_key_usage(is_authority), critical=True)
    )
    if issuer is not None:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
        builder = builder.add_extension(identifier, critical=False)
    if names:
        alternatives = x509.SubjectAlternativeName(list(map(_general_name, names)))
        builder = builder.add_extension(alternatives, critical=False)
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(usage)), critical=False)
    return Issued(builder.sign(key if issuer is None else issuer.key, SHA256()), key)


def _key_usage(is_authority):
    rest = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        **rest,
    )


def _general_name(name):
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
