"""
Tests of TLS to upstreams, over real TLS in memory: what is said when, and what never is.
"""

from twisted.internet.ssl import CertificateOptions
from twisted.trial.unittest import SynchronousTestCase

from mailgate.delivery.tls import AVOIDED_SECONDS, key_digest
from mailgate.wire.base64 import b64encode
from tests.certificates import issue
from tests.delivery.kinds import PASSWORD, Kind, MailServer, MailSubject
from tests.delivery.secure import HOST, authority, certificate, self_signed
from tests.pipeline.events import events
from tests.storage import ADA, ENVELOPE, message, temporary_folder

USER = "ada@example.com"
STARTTLS = {"offers_starttls": True}
NEEDED = ("required", "verified", "pinned")


class UpstreamTlsCase(SynchronousTestCase):
    """
    An upstream in memory.
    """

    def make(self, behaviour=None, **settings):
        """
        Make it.
        """
        self.folder = temporary_folder(self)

        self.subject = MailSubject(self.folder, Kind("", settings, behaviour or {}))
        self.behaviour = self.subject.behaviour
        return self.subject

    def deliver(self):
        """
        Deliver a message, and give the reply in words.
        """
        answer = self.subject.delivery.deliver(ENVELOPE, (ADA,), message())
        self.subject.work()
        (reply,) = self.successResultOf(answer)
        return str(reply)

    def verbs(self, is_secure=None):
        """
        Give the commands that the server has heard, all of them or those over TLS or in the clear.
        """
        return [
            line.split(b" ")[0].decode()
            for secure, line in self.behaviour.heard
            if is_secure is None or secure is is_secure
        ]

    def assert_nothing_was_told(self, why):
        """
        See that the message is not taken, and that neither sender nor message were told.
        """
        said = self.deliver()
        self.assertEqual(said, f"451 4.4.1 destination not reached: {why}")
        self.assertEqual({"MAIL", "RCPT", "DATA", "AUTH"} & set(self.verbs()), set())
        self.assertEqual(self.behaviour.arrived, [])
        self.assertEqual(self.subject.network.open, 0)


class StarttlsTests(UpstreamTlsCase):
    """
    Tests of STARTTLS.
    """

    def test_used(self):
        """
        Where it is offered and wanted nothing but EHLO is said before it, and EHLO behind it.
        """
        for mode in ("opportunistic", *NEEDED):
            self.make(STARTTLS, tls=mode)
            self.assertEqual(self.deliver(), "250 2.0.0 taken", mode)
            self.assertEqual(self.verbs(False), ["EHLO", "STARTTLS"])
            self.assertEqual(self.verbs(True), ["EHLO", "MAIL", "RCPT", "DATA"])

    def test_not_used(self):
        """
        With none it is not used, whatever is offered.
        """
        self.make(STARTTLS, tls="none")
        self.assertEqual(self.deliver(), "250 2.0.0 taken")
        self.assertEqual(self.verbs(True), [])

    def test_stripped(self):
        """
        Where it is not offered and needed, nothing more is said.
        """
        for mode in NEEDED:
            self.make(tls=mode)
            self.assert_nothing_was_told("it does not offer STARTTLS")
            self.assertEqual(self.verbs(), ["EHLO"])

    def test_ehlo_refused(self):
        """
        Nor is HELO said, which has no STARTTLS.
        """
        self.make({"replies": {"EHLO": "502 5.5.1 no"}}, tls="required")
        self.assertEqual(self.deliver(), "502 5.5.1 no")
        self.assertEqual(self.verbs(), ["EHLO"])

    def test_refused(self):
        """
        A refused STARTTLS ends it where it is needed; else it is told, and mail goes in the clear.
        """
        refusal = {**STARTTLS, "replies": {"STARTTLS": "454 4.7.0 not now"}}
        for mode in NEEDED:
            self.make(refusal, tls=mode)
            self.assert_nothing_was_told("it answers STARTTLS with 454 4.7.0 not now")
        self.make(refusal, tls="opportunistic")
        with events() as seen:
            self.assertEqual(self.deliver(), "250 2.0.0 taken")
        self.assertEqual([each["event"] for each in seen][:1], ["upstream.tls_failed"])

    def test_closing(self):
        """
        A server that closes instead of beginning TLS is an upstream that does not work.
        """
        self.make({**STARTTLS, "replies": {"STARTTLS": "421 4.3.2 bye"}}, tls="opportunistic")
        self.assert_nothing_was_told("it answers STARTTLS with 421 4.3.2 bye")

    def test_a01b_injected(self):
        """
        Bytes behind the reply to STARTTLS end the connection, and nothing of the message is told
        to whoever has sent them; in any mode.
        """
        for mode in ("opportunistic", *NEEDED):
            for behind in (b"250 ok\r\n", b"250-mail\r\n250 PIPELINING\r\n", b"2", b"220-"):
                for kind in ("smtp", "lmtp"):
                    replies = {"STARTTLS": b"220 go on\r\n" + behind}
                    self.make({**STARTTLS, "replies": replies}, tls=mode, kind=kind)
                    self.assert_nothing_was_told("it speaks out of turn")

    def test_a02_offers_of_the_clear_are_forgotten(self):
        """
        What was offered in the clear is not believed behind STARTTLS: neither extensions nor AUTH.
        """
        self.make(STARTTLS, tls="required")
        self.behaviour.replies["EHLO"] = "250-mail\n250-STARTTLS\n250-SIZE 7\n250 8BITMIME"
        probed = self.subject.delivery.probe()
        server = self.behaviour.servers[0]
        secure = server._secure

        def begin():
            secure()
            self.behaviour.replies["EHLO"] = "250-mail\n250 PIPELINING"

        server._secure = begin
        self.subject.work()
        self.successResultOf(probed)
        offered = self.subject.delivery.capabilities
        self.assertEqual((offered.extensions, offered.size), (frozenset(("PIPELINING",)), None))

    def test_downgrade_is_told(self):
        """
        A server that has offered STARTTLS and does so no more is told of, once until it does again.
        """
        self.make(STARTTLS, tls="opportunistic", transactions=1)
        told = []
        for is_offered in (True, False, False, True, False):
            self.behaviour.offers_starttls = is_offered
            with events() as seen:
                self.assertEqual(self.deliver(), "250 2.0.0 taken")
            told.append("upstream.downgraded" in [each["event"] for each in seen])
        self.assertEqual(told, [False, True, False, False, True])

    def test_downgrade_where_it_is_needed(self):
        """
        The same where it is needed, and there the message is not told.
        """
        self.make(STARTTLS, tls="required", transactions=1)
        self.assertEqual(self.deliver(), "250 2.0.0 taken")
        self.behaviour.offers_starttls = False
        with events() as seen:
            self.assertIn("does not offer STARTTLS", self.deliver())
        self.assertIn("upstream.downgraded", [each["event"] for each in seen])
        self.assertEqual(len(self.behaviour.arrived), 1)


class HandshakeTests(UpstreamTlsCase):
    """
    Tests of handshakes that fail.
    """

    def spoil(self, answer=b"HTTP/1.1 400 what?\r\n\r\n"):
        """
        Let the next handshakes fail: the server answers with what is no TLS, or not at all.
        """

        class Spoilt(MailServer):
            def _secure(self):
                self.dataReceived = lambda data: self.transport.write(answer)

        self.subject.network.make = Spoilt

    def test_needed(self):
        """
        Where it is needed nothing is told.
        """
        for mode in NEEDED:
            self.make(STARTTLS, tls=mode)
            self.spoil()
            said = self.deliver()
            self.assertIn("451 4.4.1", said)
            self.assertEqual(self.verbs(), ["EHLO", "STARTTLS"])
            self.assertEqual(self.subject.network.open, 0)

    def test_opportunistic(self):
        """
        Where it is not, the message goes on another connection, in the clear, and that is told;
        so for ten minutes, and then it is tried again.
        """
        self.make(STARTTLS, tls="opportunistic", transactions=1)
        self.spoil()
        with events() as seen:
            self.assertEqual(self.deliver(), "250 2.0.0 taken")
            self.assertEqual(self.deliver(), "250 2.0.0 taken")
        names = [each["event"] for each in seen]
        self.assertEqual(names.count("upstream.tls_failed"), 1)
        self.assertNotIn("upstream.failed", names)
        self.assertEqual([secure for *_, secure in self.behaviour.arrived], [False, False])
        self.subject.network.make = MailServer
        self.subject.clock.advance(AVOIDED_SECONDS)
        self.assertEqual(self.deliver(), "250 2.0.0 taken")
        self.assertTrue(self.behaviour.arrived[-1][2])

    def test_hangs(self):
        """
        A handshake that never ends is left after its time.
        """
        for mode in ("opportunistic", "required"):
            self.make(STARTTLS, tls=mode, connect_seconds=15.0)
            self.spoil(b"")
            answer = self.subject.delivery.deliver(ENVELOPE, (ADA,), message())
            self.subject.work()
            self.subject.clock.advance(14.9)
            self.assertNoResult(answer)
            self.subject.network.make = MailServer
            self.subject.clock.advance(0.1)
            self.subject.work()
            (reply,) = self.successResultOf(answer)
            expected = "250" if mode == "opportunistic" else "451"
            self.assertEqual(str(reply.code), expected)


class CertificateTests(UpstreamTlsCase):
    """
    Whoever cannot prove who it is sees neither MAIL FROM nor the message.
    """

    def refuse(self, issued, why, **settings):
        """
        See that a certificate is refused, whichever way TLS begins.
        """
        for behaviour, kind in ((STARTTLS, "smtp"), (STARTTLS, "lmtp"), ({}, "smtps")):
            given = {"kind": "submissions"} if kind == "smtps" else behaviour
            self.make({**given, "issued": issued}, kind=kind, **settings)
            self.assert_nothing_was_told(why)

    def test_verified(self):
        """
        With verified: one for another name, one that nobody has signed, and one that has ended.
        """
        why = "TLS: certificate verify failed"
        for issued, words in (
            (certificate("other.example.com"), "its certificate is for another name"),
            (self_signed(), why),
            (certificate(days=-1), why),
        ):
            self.refuse(issued, words, tls="verified")

    def test_name(self):
        """
        The name that counts can be another one than the host's.
        """
        settings = {"tls": "verified", "host": "192.0.2.7", "tls_name": HOST}
        self.make(STARTTLS, **settings)
        self.assertEqual(self.deliver(), "250 2.0.0 taken")
        self.make({**STARTTLS, "issued": certificate("192.0.2.7")}, **settings)
        self.assert_nothing_was_told("its certificate is for another name")

    def test_pinned(self):
        """
        With pinned: any other key, also in a certificate that is right.
        """
        pins = ("00" * 32, key_digest(self_signed().certificate))
        self.refuse(certificate(), "its key is none of pinned_keys", tls="pinned", pinned_keys=pins)

    def test_pinned_key_in_another_certificate(self):
        """
        The key alone counts: whoever has it may show what certificate it wants, also an old one.
        """
        renewed = issue("other.example.com", days=-1, key=certificate().key)
        self.make({**STARTTLS, "issued": renewed}, tls="pinned")
        self.assertEqual(self.deliver(), "250 2.0.0 taken")

    def test_required(self):
        """
        With required any certificate will do.
        """
        self.make({**STARTTLS, "issued": self_signed()}, tls="required")
        self.assertEqual(self.deliver(), "250 2.0.0 taken")

    def test_client_certificate(self):
        """
        A server that asks for a certificate is shown the one that is configured.
        """
        folder = temporary_folder(self)
        shown = issue("gateway", issuer=authority())
        path, key = shown.write(folder, "client")
        issued = certificate()
        for mode in ("required", "verified"):
            self.make(STARTTLS, tls=mode, certificate=path, key=key)
            seen = []

            class Asking:
                context = CertificateOptions(
                    privateKey=issued.context.privateKey,
                    certificate=issued.context.certificate,
                    verify=True,
                    caCerts=[authority().context.certificate],
                )

            self.behaviour.issued = Asking
            self.assertEqual(self.deliver(), "250 2.0.0 taken", mode)
            connection = self.behaviour.servers[0].transport.getHandle()
            seen.append(connection.get_peer_certificate(as_cryptography=True))
            self.assertEqual(seen, [shown.certificate])


class LogInTests(UpstreamTlsCase):
    """
    Tests of logging in to a smarthost.
    """

    def make(self, mechanisms="PLAIN", tls="verified", **more):
        """
        Make a server that knows ada.
        """
        behaviour = {"mechanisms": mechanisms, **STARTTLS, **more}
        return super().make(behaviour, tls=tls, user=USER, password=PASSWORD)

    def said(self):
        """
        Give what was said from AUTH on.
        """
        lines = self.behaviour.lines
        return lines[next(n for n, line in enumerate(lines) if line.startswith(b"AUTH")) :]

    def test_plain(self):
        """
        By PLAIN, once for each connection and not for each message.
        """
        self.make()
        self.assertEqual([self.deliver(), self.deliver()], ["250 2.0.0 taken"] * 2)
        plain = b"AUTH PLAIN " + b64encode(f"\0{USER}\0{PASSWORD}".encode())
        self.assertEqual(self.said()[0], plain)
        self.assertEqual(self.verbs().count("AUTH"), 1)
        self.assertNotIn("AUTH", self.verbs(False))

    def test_login(self):
        """
        By LOGIN, where nothing else is offered.
        """
        self.make("GSSAPI LOGIN")
        self.assertEqual(self.deliver(), "250 2.0.0 taken")
        self.assertEqual(
            self.said()[:3], [b"AUTH LOGIN", b64encode(USER.encode()), b64encode(PASSWORD.encode())]
        )

    def test_scram(self):
        """
        By SCRAM, where it is offered; then the password is not told at all.
        """
        self.make("PLAIN LOGIN SCRAM-SHA-256")
        self.assertEqual(self.deliver(), "250 2.0.0 taken")
        said = b"\n".join(self.said())
        self.assertTrue(said.startswith(b"AUTH SCRAM-SHA-256 "))
        self.assertNotIn(b64encode(PASSWORD.encode()), said)

    def test_scram_without_proof(self):
        """
        A server that does not prove that it knows the password itself is told nothing more.
        """
        for reply, why in (
            ("334 dj1iYWQ=", "it does not know the password itself"),
            ("235 2.7.0 welcome", "it answers AUTH with 535 5.7.8"),
        ):
            self.make("SCRAM-SHA-256")
            self.behaviour.replies["proof"] = reply
            said = self.deliver()
            self.assertEqual(said, f"451 4.4.1 destination not reached: {why}")
            self.assertNotIn("MAIL", self.verbs())

    def test_scram_challenge(self):
        """
        A challenge that is none, or that is not for us, is not answered.
        """
        for challenge in ("334 ", "334 cj14", "334 !", "334 " + "cj14LHM9QUE9PSxpPTQwOTY="):
            self.make("SCRAM-SHA-256")
            self.behaviour.replies["challenge"] = challenge
            self.assertIn("its challenge is", self.deliver())
            self.assertEqual(len(self.said()), 1)

    def test_refused(self):
        """
        A refused log-in is told by its code alone, as the words may hold the password.
        """
        for mechanism in ("PLAIN", "LOGIN", "SCRAM-SHA-256"):
            self.make(mechanism)
            self.behaviour.replies["AUTH"] = f"535 5.7.8 not {PASSWORD}"
            with events() as seen:
                said = self.deliver()
            self.assertEqual(
                said, "451 4.4.1 destination not reached: it answers AUTH with 535 5.7.8"
            )
            self.assertNotIn(PASSWORD, repr(seen))
            self.assertNotIn("MAIL", self.verbs())

    def test_a02_never_in_the_clear(self):
        """
        AUTH that is offered in the clear is never used there, nor where it is offered only there.
        """
        self.make(offers_auth_in_clear=True, offers_starttls=False)
        self.assertIn("does not offer STARTTLS", self.deliver())
        self.assertNotIn("AUTH", self.verbs())
        self.make("GSSAPI", offers_auth_in_clear=True)
        self.assertIn("it offers none of AUTH", self.deliver())
        self.assertNotIn("AUTH", self.verbs())
