"""
Tests of L{mailgate.config.certificate} and of what the configuration says of C{[tls]}.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from mailgate.config.certificate import end
from tests.config.files import WHOLE, FileTestCase

TABLE = '[tls]\ncertificate = "certificate.pem"\nkey = "key.pem"\n'


def make_certificate(key: ec.EllipticCurvePrivateKey, until: datetime) -> bytes:
    """
    Make a certificate in PEM.
    """
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.example.com")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(until - timedelta(days=90))
        .not_valid_after(until)
        .sign(key, SHA256())
        .public_bytes(Encoding.PEM)
    )


class CertificateTests(FileTestCase):
    """
    Certificate and key are there, can be read, and belong together.
    """

    def setUp(self) -> None:
        """
        Write a pair that is right.
        """
        super().setUp()
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
        self.certificate_path = self.folder / "certificate.pem"
        self.key_path = self.folder / "key.pem"
        self.certificate_path.write_bytes(make_certificate(self.key, self.until))
        self.write_key(NoEncryption())

    def write_key(self, encryption: KeySerializationEncryption) -> None:
        """
        Write the key, for its owner alone.
        """
        self.key_path.write_bytes(
            self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
        )
        self.key_path.chmod(0o600)

    def about(self, path: Path, why: str) -> str:
        """
        Give the line that says C{why} of a path.
        """
        key = "certificate" if path == self.certificate_path else "key"
        shown = str(path)
        if len(shown) > 78:
            shown = f'"{shown[:76]}...'
        else:
            shown = f'"{shown}"'
        return f"[tls] {key} = {shown}: {why}"

    def test_right_pair(self) -> None:
        """
        A right pair gives neither mistakes nor warnings.
        """
        self.assertEqual(self.warnings(WHOLE + TABLE), [])

    def test_one_without_the_other(self) -> None:
        """
        One of the two alone is a mistake.
        """
        self.assertEqual(
            self.only_mistake(WHOLE + '[tls]\nkey = "key.pem"\n'),
            "[tls] certificate: is missing; certificate and key belong together",
        )
        self.assertEqual(
            self.only_mistake(WHOLE + '[tls]\ncertificate = "certificate.pem"\n'),
            "[tls] key: is missing; certificate and key belong together",
        )

    def test_missing_files(self) -> None:
        """
        Files that are not there are both told.
        """
        self.certificate_path.unlink()
        self.key_path.unlink()
        self.assertEqual(
            [(each.key, each.why) for each in self.mistakes(WHOLE + TABLE)],
            [
                ("certificate", "cannot be read: No such file or directory"),
                ("key", "cannot be read: No such file or directory"),
            ],
        )

    def test_other_content(self) -> None:
        """
        What is no PEM is told so.
        """
        self.certificate_path.write_text("a certificate")
        self.key_path.write_text("a key")
        self.assertEqual(
            [each.why for each in self.mistakes(WHOLE + TABLE)],
            [
                "must be a PEM file with the certificate and its chain",
                "must be a PEM file with the private key",
            ],
        )

    def test_passphrase(self) -> None:
        """
        A key with a passphrase cannot be used: nobody is there to say it.
        """
        self.write_key(BestAvailableEncryption(b"secret"))
        self.assertEqual(
            self.only_mistake(WHOLE + TABLE),
            self.about(self.key_path, "must be without a passphrase"),
        )

    def test_other_key(self) -> None:
        """
        The key of another certificate is a mistake.
        """
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.write_key(NoEncryption())
        self.assertIn("must belong to the first certificate", self.only_mistake(WHOLE + TABLE))

    def test_public_key_file(self) -> None:
        """
        A key that everybody can read is worth a warning.
        """
        self.key_path.chmod(0o644)
        (warning,) = self.warnings(WHOLE + TABLE)
        self.assertEqual((warning.table, warning.key), ("[tls]", "key"))
        self.assertIn("chmod o-r", str(warning))

    def test_old_certificate(self) -> None:
        """
        A certificate that has ended is worth a warning, with the day.
        """
        self.until -= timedelta(days=60)
        self.certificate_path.write_bytes(make_certificate(self.key, self.until))
        (warning,) = self.warnings(WHOLE + TABLE)
        self.assertEqual((warning.table, warning.key), ("[tls]", "certificate"))
        self.assertIn(f"it ended on {self.until:%Y-%m-%d}", str(warning))

    def test_end(self) -> None:
        """
        The end of a certificate is known, and that of what is none is not.
        """
        self.assertEqual(end(self.certificate_path), self.until)
        self.assertIsNone(end(self.key_path))
        self.assertIsNone(end(self.folder / "none.pem"))
