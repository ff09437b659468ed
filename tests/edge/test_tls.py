"""
Tests of L{mailgate.edge.tls}.
"""

import ctypes
from typing import ClassVar
from unittest import SkipTest

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ExtendedKeyUsageOID
from OpenSSL import SSL
from OpenSSL._util import lib
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.certificate import Chain, Pair
from mailgate.edge import tls
from mailgate.edge.tls import Contexts, Demand, ListenerTls, make_context, why_tls_failed
from tests.certificates import issue
from tests.edge.handshakes import carry, client_context, sent, shake, shown


def pair(issued, *names, chain=()):
    """
    Make the pair that a file would give.
    """
    certificates = [each.certificate for each in (issued, *chain)]
    return Pair(Chain(certificates, names), issued.key)


class Heap(ctypes.Structure):
    """
    What the C library says of its memory.
    """

    _fields_: ClassVar = [
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "used",
            "free",
            "keepcost",
        )
    ]


def heap():
    """
    Give the bytes that are in use outside Python.
    """
    try:
        ask = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        raise SkipTest("the C library does not tell") from None
    ask.restype = Heap
    return ask().used + ask().hblkhd


class TlsTestCase(SynchronousTestCase):
    """
    A test case with two certificates and a default one.
    """

    def setUp(self):
        """
        Make the certificates.
        """
        self.authority = issue("authority", is_authority=True)
        self.pairs = [
            pair(issue(name, issuer=self.authority), *names)
            for name, names in (
                ("default", ["mail.example.com"]),
                ("exact", ["mx.example.net", "special.example.org", "mail.example.com"]),
                ("wildcard", ["*.example.org"]),
            )
        ]

    def tls(self, demand=None):
        """
        Make the TLS of a listener.
        """
        return ListenerTls(Contexts.make(self.pairs, demand))


class ChoiceTests(TlsTestCase):
    """
    Tests of which certificate a client gets.
    """

    def choose(self, name):
        """
        Say which one a client gets that asks for C{name}.
        """
        client, _ = shake(self.tls(), name=name)
        return shown(client)

    def test_name(self):
        """
        A client gets the certificate for the name that it asks for, however it writes it.
        """
        self.assertEqual(self.choose(b"mx.example.net"), "exact")
        self.assertEqual(self.choose(b"MX.Example.Net"), "exact")
        self.assertEqual(self.choose(b"mx.example.net."), "exact")

    def test_wildcard(self):
        """
        A wildcard stands for one label, and an exact name goes before it.
        """
        self.assertEqual(self.choose(b"mx.example.org"), "wildcard")
        self.assertEqual(self.choose(b"special.example.org"), "exact")
        self.assertEqual(self.choose(b"example.org"), "default")
        self.assertEqual(self.choose(b"a.b.example.org"), "default")

    def test_default(self):
        """
        Whoever asks for no name, or for one that none has, gets the first; a name that two of them
        have belongs to the first.
        """
        self.assertEqual(self.choose(None), "default")
        for name in (b"unknown.example", b"\xff\xfe", b"." * 9, b"x" * 255):
            self.assertEqual(self.choose(name), "default", name)
        self.assertEqual(self.choose(b"mail.example.com"), "default")

    def test_both_versions(self):
        """
        So it is with TLS 1.2.
        """
        old = client_context(most=SSL.TLS1_2_VERSION)
        client, _ = shake(self.tls(), old, b"mx.example.org")
        self.assertEqual(client.get_protocol_version_name(), "TLSv1.2")
        self.assertEqual(shown(client), "wildcard")

    def test_chain(self):
        """
        The certificates of the issuers are sent along.
        """
        middle = issue("middle", issuer=self.authority, is_authority=True)
        self.pairs.append(
            pair(issue("deep", issuer=middle), "deep.example.com", chain=[middle, self.authority])
        )
        client, _ = shake(self.tls(), name=b"deep.example.com")
        names = [each.subject.rfc4514_string() for each in sent(client)]
        self.assertEqual(names, ["CN=deep", "CN=middle", "CN=authority"])


class ProtocolTests(TlsTestCase):
    """
    Tests of what is agreed on.
    """

    def test_versions(self):
        """
        TLS 1.2 and 1.3 are spoken, and nothing older.
        """
        client, _ = shake(self.tls())
        self.assertEqual(client.get_protocol_version_name(), "TLSv1.3")
        old = client_context(most=SSL.TLS1_1_VERSION, least=SSL.TLS1_VERSION)
        error = self.assertRaises(SSL.Error, shake, self.tls(), old)
        self.assertEqual(why_tls_failed(error), "unsupported protocol")

    def test_ciphers(self):
        """
        With TLS 1.2 there are the ciphers of Mozilla's intermediate list with elliptic curves.
        """
        self.pairs = [pair(issue("rsa", key=rsa.generate_private_key(65537, 2048)))]
        taken = []
        for cipher in SSL.Connection(client_context()).get_cipher_list():
            context = client_context(most=SSL.TLS1_2_VERSION)
            try:
                context.set_cipher_list(f"{cipher}:@SECLEVEL=0".encode())
                client, _ = shake(self.tls(), context)
            except SSL.Error:
                continue
            taken.append(client.get_cipher_name())
        self.assertEqual(
            sorted(set(taken)),
            [
                "ECDHE-RSA-AES128-GCM-SHA256",
                "ECDHE-RSA-AES256-GCM-SHA384",
                "ECDHE-RSA-CHACHA20-POLY1305",
            ],
        )

    def test_groups(self):
        """
        The key exchange is one that quantum computers do not break, where both sides know it.
        """
        client, _ = shake(self.tls())
        self.assertIn(client.get_group_name(), ("X25519MLKEM768", "x25519"))

    def test_renegotiation(self):
        """
        Nobody can make the server begin anew within a connection.
        """
        client, server = shake(self.tls(), client_context(most=SSL.TLS1_2_VERSION))
        client.renegotiate()
        self.assertRaises(SSL.WantReadError, client.do_handshake)
        server.bio_write(client.bio_read(1 << 16))
        self.assertRaises(SSL.WantReadError, server.recv, 100)
        client.bio_write(server.bio_read(1 << 16))
        error = self.assertRaises(SSL.Error, client.do_handshake)
        self.assertEqual(why_tls_failed(error), "no renegotiation")

    def test_memory(self):
        """
        Idle connections give their buffers back.
        """
        context = make_context(self.pairs[0])
        self.assertTrue(context.set_mode(0) & SSL.MODE_RELEASE_BUFFERS)

    def test_weak(self):
        """
        A certificate that OpenSSL finds too weak is refused with its words.
        """
        weak = pair(issue("weak", key=ec.generate_private_key(ec.SECP192R1())))
        error = self.assertRaises(ValueError, make_context, weak)
        self.assertIn("too small", str(error))


class TicketTests(TlsTestCase):
    """
    Tests of sessions that are resumed.
    """

    def is_resumed(self, first, second, version=SSL.TLS1_3_VERSION, **options):
        """
        Tell whether a session of one is resumed by another.
        """
        context = client_context(most=version, **options)
        client, _ = shake(first, context, b"mx.example.net")
        resumed, _ = shake(second, context, b"mx.example.net", client.get_session())
        # pyOpenSSL has no call for it.
        return bool(lib.SSL_session_reused(resumed._ssl))

    def test_resumed(self):
        """
        Whoever comes back resumes its session by its ticket, with both versions.
        """
        made = self.tls()
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            self.assertTrue(self.is_resumed(made, made, version), version)

    def test_elsewhere(self):
        """
        A ticket of another process, or of before the keys were changed, leads to a full handshake.
        """
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            self.assertFalse(self.is_resumed(self.tls(), self.tls(), version), version)

    def test_not_where_clients_show_certificates(self):
        """
        Where clients are asked for a certificate each of them is looked at.
        """
        made = self.tls(Demand([self.authority.certificate], False))
        issued = issue("client", issuer=self.authority)
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            self.assertFalse(self.is_resumed(made, made, version, issued=issued), version)


class BufferTests(TlsTestCase):
    """
    Tests of what a connection keeps of its handshake.
    """

    def test_nothing_is_lost(self):
        """
        What waits on its way, in both directions, is there after the buffers were given back.
        """
        client, server = shake(self.tls())
        client.send(b"EHLO client\r\n")
        carry(client, server)
        server.send(b"250 hello\r\n")
        server.release_buffers()
        self.assertEqual(server.recv(100), b"EHLO client\r\n")
        carry(server, client)
        self.assertEqual(client.recv(100), b"250 hello\r\n")
        client.send(b"QUIT\r\n")
        carry(client, server)
        self.assertEqual(server.recv(100), b"QUIT\r\n")

    def test_memory(self):
        """
        The buffers of the handshake are given back: with a hello of 40 KB, as much for each.
        """
        tls = self.tls()

        def begin():
            context = client_context()
            context.set_alpn_protos([b"x" * 255] * 150)
            _, server = shake(tls, context)
            return server

        kept = [begin() for _ in range(20)]
        before = heap()
        for server in kept:
            server.release_buffers()
        self.assertGreater(before - heap(), 20 * 38_000)


class ClientCertificateTests(TlsTestCase):
    """
    Tests of clients that are asked for a certificate.
    """

    def subject(self, issued, is_strict=False, name=None, version=SSL.TLS1_3_VERSION):
        """
        Say who a client is that shows a certificate.
        """
        made = self.tls(Demand([self.authority.certificate], is_strict))
        _, server = shake(made, client_context(issued, most=version), name)
        return made.subject(server)

    def test_trusted(self):
        """
        Whom a certificate of the authority is for is known, whichever certificate of ours the
        client asks for.
        """
        issued = issue("gw.example.org", issuer=self.authority)
        for is_strict in (False, True):
            for name in (None, b"mx.example.net"):
                for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
                    who = self.subject(issued, is_strict, name, version)
                    self.assertEqual(who, "CN=gw.example.org")

    def test_not_trusted(self):
        """
        Whoever shows none, or one of somebody else, one that has ended or that is for something
        else, may go on and is nobody.
        """
        other = issue("authority", is_authority=True)
        server_auth = [ExtendedKeyUsageOID.SERVER_AUTH]
        for issued in (
            None,
            issue("self"),
            issue("other", issuer=other),
            issue("old", issuer=self.authority, days=-1),
            issue("server", issuer=self.authority, usage=server_auth),
        ):
            for name in (None, b"mx.example.net"):
                self.assertEqual(self.subject(issued, name=name), "")

    def test_strict(self):
        """
        Where it is required the handshake fails.
        """
        for issued, why in (
            (None, "peer did not return a certificate"),
            (issue("self"), "certificate verify failed"),
        ):
            for name in (None, b"mx.example.net"):
                error = self.assertRaises(SSL.Error, self.subject, issued, True, name)
                self.assertEqual(why_tls_failed(error), why)

    def test_not_asked(self):
        """
        Where nobody asks, nobody is known.
        """
        made = self.tls()
        _, server = shake(made, client_context(issue("gw", issuer=self.authority)))
        self.assertEqual(made.subject(server), "")

    def test_strange_names(self):
        """
        What a name holds cannot end a comment in a header, or the header, and is not endless.
        """
        for name, said in (
            ("a)(b", "CN=a??b"),
            ("x\r\nTo: y", "CN=x??To: y"),
            ("gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n", "CN=gr?n"),
        ):
            self.assertEqual(self.subject(issue(name, issuer=self.authority)), said)
        long = issue("x" * 60, issuer=self.authority)
        self.patch(tls, "_SUBJECT_LENGTH", 20)
        self.assertEqual(self.subject(long), f"CN={'x' * 17}")
