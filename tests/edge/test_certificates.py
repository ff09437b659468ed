"""
Tests of L{mailgate.edge.certificates}.
"""

import os
from pathlib import Path

from OpenSSL import SSL
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.model import CertificateFiles, Listener
from mailgate.edge.certificates import TICKET_SECONDS, Certificates
from mailgate.store.threads import ImmediateThreads
from tests.certificates import issue
from tests.edge.handshakes import client_context, shake, shown

MX = Listener(address="127.0.0.1:25")


class CertificatesTests(SynchronousTestCase):
    """
    Tests of what is read, and read anew.
    """

    def setUp(self):
        """
        Write two certificates.
        """
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.clock = Clock()
        self.writes = 0
        self.files = [self.write("default"), self.write("further", "mx.example.net")]

    def write(self, file, *names, title=None, **options):
        """
        Write a certificate in the place of another.
        """
        issued = issue(title or file, names, **options)
        paths = issued.write(self.folder, file)
        for path in paths:
            self.touch(path)
        return CertificateFiles(certificate=paths[0], key=paths[1])

    def touch(self, path):
        """
        Let a file have changed, however coarse the times of the file system are.
        """
        self.writes += 1
        os.utime(path, ns=(self.writes, self.writes))

    def make(self, *listeners):
        """
        Read them.
        """
        made = Certificates(self.files, listeners or [MX], self.clock, ImmediateThreads())
        made.load()
        return made

    def look(self, made):
        """
        Let it look whether something has changed, and give its events.
        """
        with capturedLogs() as events:
            self.successResultOf(made.refresh())
        return [(event["event"], event["file"], event.get("error", "")) for event in events]

    def shown(self, made, name=None):
        """
        Say which certificate a client gets now.
        """
        return shown(shake(made.tls_of(MX), name=name)[0])

    def test_choice(self):
        """
        Clients get the certificate that they ask for, and the first one else.
        """
        made = self.make()
        self.assertEqual(self.shown(made, b"mx.example.net"), "further")
        self.assertEqual(self.shown(made), "default")

    def test_unusable_at_the_start(self):
        """
        What cannot be used at the start is named.
        """
        self.files[1].key.write_text("nothing of the kind")
        error = self.assertRaises(ValueError, self.make)
        self.assertEqual(str(error), f"{self.files[1].key} must be a PEM file with the private key")

    def test_renewed(self):
        """
        Renewed certificates are taken up for new connections, with the names that they have now;
        connections that are open go on.
        """
        made = self.make()
        client, server = shake(made.tls_of(MX))
        self.write("default", title="newer")
        self.write("further", "mx.example.com", title="other")
        self.assertEqual(
            self.look(made),
            [
                ("tls.renewed", str(self.files[0].certificate), ""),
                ("tls.renewed", str(self.files[1].certificate), ""),
            ],
        )
        self.assertEqual(self.shown(made), "newer")
        self.assertEqual(self.shown(made, b"mx.example.com"), "other")
        self.assertEqual(self.shown(made, b"mx.example.net"), "newer")
        server.send(b"still here")
        client.bio_write(server.bio_read(100))
        self.assertEqual(client.recv(100), b"still here")
        self.assertEqual(self.look(made), [])

    def test_unchanged(self):
        """
        What has not changed is not read: a look costs next to nothing.
        """
        made = self.make()
        before = made.tls_of(MX).contexts
        self.assertEqual(self.look(made), [])
        self.assertIs(made.tls_of(MX).contexts, before)

    def test_half_renewed(self):
        """
        The two files of a pair need not be replaced in the same moment.
        """
        made = self.make()
        newer = issue("newer")
        self.files[0].certificate.write_bytes(newer.pem)
        self.touch(self.files[0].certificate)
        self.assertEqual(self.look(made), [])
        self.assertEqual(self.shown(made), "default")
        self.files[0].key.write_bytes(newer.key_pem)
        self.touch(self.files[0].key)
        self.assertEqual([event for event, *_ in self.look(made)], ["tls.renewed"])
        self.assertEqual(self.shown(made), "newer")

    def test_unusable(self):
        """
        A renewed pair that does not match or is damaged, and one that is gone, are told once, and
        the old one stays; so do the others.
        """
        files = self.files[0]
        made = self.make()
        for damage, why in (
            (
                lambda: files.certificate.write_bytes(issue("newer").pem),
                f"{files.key} must belong to the first certificate of the file; it does not",
            ),
            (
                lambda: files.certificate.write_bytes(b"-----BEGIN CERT"),
                f"{files.certificate} must be a PEM file with the certificate and its chain",
            ),
            (
                lambda: files.certificate.unlink(),
                f"{files.certificate} cannot be read: No such file or directory",
            ),
        ):
            damage()
            if files.certificate.exists():
                self.touch(files.certificate)
            self.write("further", "mx.example.net", title=f"further {self.writes}")
            self.assertEqual([event for event, *_ in self.look(made)], ["tls.renewed"])
            self.assertEqual(self.look(made), [("tls.not_renewed", str(files.certificate), why)])
            self.assertEqual(self.look(made), [])
            self.assertEqual(self.shown(made), "default")
            self.assertTrue(self.shown(made, b"mx.example.net").startswith("further "))
        self.write("default", title="mended")
        self.assertEqual([event for event, *_ in self.look(made)], ["tls.renewed"])
        self.assertEqual(self.shown(made), "mended")

    def test_ticket_keys(self):
        """
        The keys of tickets are changed twice a day, without anything being told.
        """
        made = self.make()
        context = client_context()
        client, _ = shake(made.tls_of(MX), context)
        before = made.tls_of(MX).contexts
        self.clock.advance(TICKET_SECONDS - 1)
        self.look(made)
        self.assertIs(made.tls_of(MX).contexts, before)
        self.clock.advance(1)
        self.assertEqual(self.look(made), [])
        self.assertIsNot(made.tls_of(MX).contexts, before)
        self.clock.advance(1)
        after = made.tls_of(MX).contexts
        self.look(made)
        self.assertIs(made.tls_of(MX).contexts, after)
        self.assertEqual(
            shown(shake(made.tls_of(MX), context, None, client.get_session())[0]), "default"
        )


class ClientAuthorityTests(CertificatesTests):
    """
    The same with listeners that ask for certificates, and what is asked.
    """

    def setUp(self):
        """
        Write an authority too.
        """
        super().setUp()
        self.authority = issue("authority", is_authority=True)
        self.path = self.folder / "clients.pem"
        self.path.write_bytes(self.authority.pem)
        self.touch(self.path)

    def listener(self, wish, role="mx"):
        """
        Give a listener that asks for certificates.
        """
        return Listener(
            address="127.0.0.1:25", client_certificate=wish, client_ca_file=self.path, role=role
        )

    def make(self, *listeners):
        """
        Read them, with two listeners more.
        """
        return super().make(
            MX, self.listener("request"), self.listener("require", "submissions"), *listeners
        )

    def subject(self, made, listener, issued):
        """
        Say who a client is.
        """
        tls = made.tls_of(listener)
        return tls.subject(shake(tls, client_context(issued))[1])

    def test_asked(self):
        """
        Each listener asks as it is configured. Before STARTTLS can be answered nobody is refused.
        """
        stranger, issued = issue("stranger"), issue("gw", issuer=self.authority)
        made = self.make(self.listener("require"))
        for listener in (self.listener("request"), self.listener("require")):
            self.assertEqual(self.subject(made, listener, issued), "CN=gw")
            self.assertEqual(self.subject(made, listener, stranger), "")
        strict = self.listener("require", "submissions")
        self.assertEqual(self.subject(made, strict, issued), "CN=gw")
        self.assertRaises(SSL.Error, self.subject, made, strict, stranger)
        self.assertEqual(self.subject(made, MX, issued), "")

    def test_renewed_authorities(self):
        """
        A file of authorities that has changed is taken up as well.
        """
        made, asked = self.make(), self.listener("request")
        other = issue("other", is_authority=True)
        issued = issue("gw", issuer=other)
        self.assertEqual(self.subject(made, asked, issued), "")
        self.path.write_bytes(self.authority.pem + other.pem)
        self.touch(self.path)
        self.assertEqual(self.look(made), [("tls.renewed", str(self.path), "")])
        self.assertEqual(self.subject(made, asked, issued), "CN=gw")
        self.path.write_text("nothing of the kind")
        self.touch(self.path)
        self.assertEqual(self.look(made), [])
        ((event, file, why),) = self.look(made)
        self.assertEqual((event, file), ("tls.not_renewed", str(self.path)))
        self.assertIn("must be a PEM file with the certificates of authorities", why)
        self.assertEqual(self.subject(made, asked, issued), "CN=gw")
