"""
Tests of L{mailgate.config.certificate} and of what the configuration says of C{[tls]}.
"""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.certificate import Chain, read_chain, read_pair
from mailgate.config.load import check, load
from mailgate.config.model import CertificateFiles
from tests.certificates import Issued, issue
from tests.config.files import WHOLE, FileTestCase

TABLE = '[tls]\ncertificate = "certificate.pem"\nkey = "key.pem"\n'


class CertificateTests(FileTestCase):
    """
    Certificate and key are there, can be read, and belong together.
    """

    def setUp(self) -> None:
        """
        Write a pair that is right.
        """
        super().setUp()
        self.certificate_path = self.folder / "certificate.pem"
        self.key_path = self.folder / "key.pem"
        self.write_pair(issue("mail.example.com", ["mail.example.com"], days=60))

    def write_pair(self, issued: Issued, *issuers: Issued) -> None:
        """
        Write a pair, the key for its owner alone.
        """
        certificate, key = issued.write(self.folder, "written", *issuers)
        certificate.rename(self.certificate_path)
        key.rename(self.key_path)

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
        locked = issue("x").key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
        )
        self.key_path.write_bytes(locked)
        self.assertEqual(
            self.only_mistake(WHOLE + TABLE),
            self.about(self.key_path, "must be without a passphrase"),
        )

    def test_other_key(self) -> None:
        """
        The key of another certificate is a mistake.
        """
        self.key_path.write_bytes(issue("other").key_pem)
        self.assertIn("must belong to the first certificate", self.only_mistake(WHOLE + TABLE))

    def test_public_key_file(self) -> None:
        """
        A key that everybody can read is worth a warning.
        """
        self.key_path.chmod(0o644)
        (warning,) = self.warnings(WHOLE + TABLE)
        self.assertEqual((warning.table, warning.key), ("[tls]", "key"))
        self.assertIn("chmod o-r", str(warning))

    def test_other_keys(self) -> None:
        """
        A key that no client would take is a mistake.
        """
        for key, why in (
            (
                ed25519.Ed25519PrivateKey.generate(),
                "must be an RSA key or one of an elliptic curve",
            ),
            (rsa.generate_private_key(65537, 1024), "must have at least 2048 bits; it has 1024"),
        ):
            self.key_path.write_bytes(Issued(issue("x").certificate, key).key_pem)
            self.assertEqual(self.only_mistake(WHOLE + TABLE), self.about(self.key_path, why))

    def test_old_certificate(self) -> None:
        """
        A certificate that has ended is a mistake, with the day. It does not keep the gateway from
        starting, which would be worse.
        """
        self.write_pair(issue("mail.example.com", days=-3))
        day = datetime.now(UTC) - timedelta(days=3)
        self.assertIn(f"it ended on {day:%Y-%m-%d}; clients", self.only_mistake(WHOLE + TABLE))
        self.assertEqual(load(self.write(WHOLE + TABLE)).tls.key, self.key_path)

    def test_young_certificate(self) -> None:
        """
        So is one that holds only from some day on.
        """
        self.write_pair(issue("mail.example.com", begins=2, days=90))
        day = datetime.now(UTC) + timedelta(days=2)
        self.assertIn(f"it begins on {day:%Y-%m-%d}; clients", self.only_mistake(WHOLE + TABLE))
        self.assertEqual(load(self.write(WHOLE + TABLE)).tls.key, self.key_path)

    def test_end_is_near(self) -> None:
        """
        One that ends within 30 days is worth a warning.
        """
        self.write_pair(issue("mail.example.com", begins=-300, days=29.5))
        (warning,) = self.warnings(WHOLE + TABLE)
        self.assertEqual((warning.table, warning.key), ("[tls]", "certificate"))
        self.assertIn(", in 29 days", warning.why)

    def test_gap(self) -> None:
        """
        So is one whose issuer nobody knows.
        """
        self.write_pair(issue("mail.example.com", issuer=issue("authority"), days=60))
        (warning,) = self.warnings(WHOLE + TABLE)
        self.assertEqual((warning.table, warning.key), ("[tls]", "certificate"))
        self.assertIn("the certificate of its issuer (CN=authority) is neither in it", warning.why)


FURTHER = """
    [[tls.certificates]]
    certificate = "further.pem"
    key = "further.key"
    [[tls.certificates]]
    certificate = "third.pem"
    key = "third.key"
    """


class FurtherTests(FileTestCase):
    """
    Tests of the certificates for further names.
    """

    def setUp(self) -> None:
        """
        Write two pairs.
        """
        super().setUp()
        issue("a", ["a.example.com", "b.example.com"], days=60).write(self.folder, "further")
        issue("c", ["c.example.com"], days=60).write(self.folder, "third")

    def test_right(self) -> None:
        """
        They are right with a first one and without.
        """
        self.assertEqual(self.warnings(WHOLE + FURTHER), [])
        settings = load(self.write(WHOLE + FURTHER))
        folder = settings.data / "tls"
        self.assertEqual(
            [each.certificate for each in settings.certificates],
            [folder / "certificate.pem", self.folder / "further.pem", self.folder / "third.pem"],
        )

    def test_mistakes(self) -> None:
        """
        What is wrong is told with the number of the table.
        """
        (self.folder / "third.key").write_bytes(issue("other").key_pem)
        issue("a", days=-3).write(self.folder, "further")
        self.assertEqual(
            [(each.table, each.key) for each in self.mistakes(WHOLE + FURTHER)],
            [
                ("[[tls.certificates]] number 2", "key"),
                ("[[tls.certificates]] number 1", "certificate"),
            ],
        )

    def test_never_chosen(self) -> None:
        """
        A certificate that no client gets is worth a warning.
        """
        issue("c", ["b.example.com", "a.example.com"], days=60).write(self.folder, "third")
        (warning,) = self.warnings(WHOLE + FURTHER)
        self.assertEqual(warning.table, "[[tls.certificates]] number 2")
        self.assertIn("no client gets it", warning.why)

    def test_spelling(self) -> None:
        """
        A key that is missing is named with its table.
        """
        self.assertEqual(
            self.only_mistake(WHOLE + '[[tls.certificates]]\ncertificate = "further.pem"\n'),
            "[[tls.certificates]] number 1 key: is missing; it must be a path in quotes, or "
            "credential: and a name",
        )


class ClientCertificateTests(FileTestCase):
    """
    Tests of listeners that ask for certificates.
    """

    def listener(self, *lines: str) -> str:
        """
        Give a file whose listener has these lines too.
        """
        own = 'address = "127.0.0.1:2525"'
        return WHOLE.replace(own, "\n    ".join((own, *lines)))

    def test_authorities(self) -> None:
        """
        They need a file of authorities, which must be one.
        """
        ask, file = 'client_certificate = "request"', 'client_ca_file = "ca.pem"'
        self.assertIn(
            "client_ca_file: is missing; client_cert", self.only_mistake(self.listener(ask))
        )
        self.assertIn("No such file", self.only_mistake(self.listener(ask, file)))
        (self.folder / "ca.pem").write_text("nothing of the kind")
        self.assertIn("must be a PEM file", self.only_mistake(self.listener(ask, file)))
        (self.folder / "ca.pem").write_bytes(issue("authority").pem)
        self.assertEqual(check(self.write(self.listener(ask, file))), ([], []))
        self.assertIn("is of no use without", self.only_mistake(self.listener(file)))


class ChainTests(SynchronousTestCase):
    """
    Tests of what a file of certificates says.
    """

    def setUp(self) -> None:
        """
        Make an authority, and one between it and the server.
        """
        self.now = datetime.now(UTC)
        self.root = issue("root", is_authority=True, days=3650)
        self.middle = issue("middle", issuer=self.root, is_authority=True, days=1000)
        self.own = issue("own", ["own.example.com"], self.middle, days=90)

    def chain(self, *issued: Issued) -> Chain:
        """
        Write and read a file.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        certificate, _ = issued[0].write(folder, "chain", *issued[1:])
        return read_chain(certificate)

    def test_names(self) -> None:
        """
        The names are those of the first certificate, in lower case; only where it has no list of
        them is it the common name.
        """
        self.assertEqual(self.chain(self.own, self.middle).names, ["own.example.com"])
        mixed = issue("x", ["Mail.Example.COM", "*.example.net", "192.0.2.1"])
        self.assertEqual(self.chain(mixed).names, ["mail.example.com", "*.example.net"])
        self.assertEqual(self.chain(issue("Old.Example.com")).names, ["old.example.com"])

    def test_complete(self) -> None:
        """
        A chain to a root in the file is complete, and so is a certificate that signs itself.
        """
        self.assertEqual(self.chain(self.own, self.middle, self.root).gap(), "")
        self.assertEqual(self.chain(self.root).gap(), "")

    def test_known_root(self) -> None:
        """
        The root may be one that this machine knows.
        """
        bundle = Path(self.mktemp()).absolute()
        bundle.write_bytes(self.root.pem)
        paths = ssl.get_default_verify_paths()._replace(cafile=str(bundle), capath=None)
        self.patch(ssl, "get_default_verify_paths", lambda: paths)
        self.assertEqual(self.chain(self.own, self.middle).gap(), "")
        self.assertIn("its issuer (CN=middle) is neither in it", self.chain(self.own).gap())
        paths = paths._replace(cafile=None)
        self.assertEqual(self.chain(self.own).gap(), "", "where none is known nothing can be told")

    def test_missing_issuer(self) -> None:
        """
        The certificate that a client lacks is named, also where all of them have ended.
        """
        self.assertIn("its issuer (CN=root) is neither", self.chain(self.own, self.middle).gap())
        old = issue("old", issuer=self.middle, days=-1)
        self.assertIn("its issuer (CN=middle) is neither", self.chain(old).gap())

    def test_order(self) -> None:
        """
        Each certificate must be followed by that of its issuer.
        """
        self.assertIn(
            "number 2 in it has not signed number 1",
            self.chain(self.own, self.root, self.middle).gap(),
        )
        namesake = issue("root", is_authority=True)
        self.assertIn(
            "number 3 in it has not signed number 2",
            self.chain(self.own, self.middle, namesake).gap(),
        )

    def test_times(self) -> None:
        """
        What holds shortest counts, also between the server and the root; not the root itself.
        """
        short = issue("middle", issuer=self.root, is_authority=True, days=5, key=self.middle.key)
        chain = self.chain(self.own, short, issue("root", days=-1))
        self.assertEqual(chain.end, short.certificate.not_valid_after_utc)
        self.assertEqual(chain.lapse(self.now), "")
        self.assertIn("in 4 days", chain.approaching_end(self.now))
        later = self.now + timedelta(days=6)
        self.assertIn("ended on", chain.lapse(later))
        self.assertEqual(chain.approaching_end(later), "")

    def test_short_lives(self) -> None:
        """
        A warning comes 30 days ahead, or in the last third of a shorter life.
        """
        for life, ahead in ((366, 30), (90, 30), (45, 15), (6, 2)):
            chain = self.chain(issue("x", begins=0, days=life))
            for days, is_told in ((ahead + 0.1, False), (ahead - 0.1, True)):
                moment = chain.end - timedelta(days=days)
                self.assertEqual(bool(chain.approaching_end(moment)), is_told, (life, days))

    def test_pair(self) -> None:
        """
        Everything that is wrong with a pair is said in one sentence.
        """
        files = CertificateFiles(certificate=Path("/none.pem"), key=Path("/none.key"))
        error = self.assertRaises(ValueError, read_pair, files)
        why = "cannot be read: No such file or directory"
        self.assertEqual(str(error), f"/none.pem {why}; /none.key {why}")
