"""
Tests for L{mailgate.delivery.report}.
"""

from email import message_from_bytes

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailgate.delivery.report import Fate, Original, Told, is_wanted, write
from mailgate.message.header import decode
from mailgate.store.messages import StoredMessage
from mailgate.wire.address import Address
from mailgate.wire.parameters import RcptParameters
from tests.storage import ADA, BOB, NOW

SECTION = b"From: Ada <ada@example.com>\r\nSubject: Lunch\r\n\r\n"
STORED = StoredMessage(
    id="00",
    size=100,
    trace="trac-trac-trac",
    session="sess-sess-sess",
    listener="submission",
    role="submission",
    client="192.0.2.7",
    port=40001,
    started=NOW - 1,
    helo="laptop.example.com",
    is_esmtp=True,
    tls="",
    sender=ADA,
    received=NOW,
    declared=None,
    body="7BIT",
    from_header="Ada <ada@example.com>",
    subject="Lunch",
    message_id="<1@laptop>",
    account="ada",
    utf8=False,
    ret="",
    envid="",
)
NEVER = "550 5.1.1 nobody of that name"
LATER = "451 4.4.1 destination not reached: no answer"
NO_WISH = RcptParameters()


def report(told=Told.FAILED, fates=None, stored=STORED, whole=None, to=ADA, takes_8bit=False):
    """
    Write a report, and read it.
    """
    written = write(
        told,
        Original(stored, SECTION, whole),
        fates or [Fate(BOB, NO_WISH, NEVER)],
        to,
        hostname="mail.example.com",
        postmaster=Address("postmaster", "example.com"),
        now=NOW + 60,
        until=NOW + 5 * 86400,
        takes_8bit=takes_8bit,
    )
    message = message_from_bytes(written.content)
    assert not message.defects
    return message


def fields(message):
    """
    Give the groups of fields for programs.
    """
    return [dict(group.items()) for group in message.get_payload(1).get_payload()]


class ReportTests(SynchronousTestCase):
    """
    Tests of L{write}.
    """

    def test_failed(self):
        """
        A failure is a multipart/report with a text, the fields of RFC 3464, and the header section.
        """
        message = report()
        self.assertEqual(message.get_content_type(), "multipart/report")
        self.assertEqual(message.get_param("report-type"), "delivery-status")
        self.assertEqual(
            [part.get_content_type() for part in message.get_payload()],
            ["text/plain", "message/delivery-status", "text/rfc822-headers"],
        )
        self.assertEqual(message["Subject"], "Not delivered: Lunch")
        self.assertEqual(message["In-Reply-To"], "<1@laptop>")
        self.assertEqual(message["Auto-Submitted"], "auto-replied")
        of_message, of_bob = fields(message)
        self.assertEqual(
            (of_message["Reporting-MTA"], of_message["Received-From-MTA"]),
            ("dns; mail.example.com", "dns; laptop.example.com ([192.0.2.7])"),
        )
        self.assertIn("Arrival-Date", of_message)
        self.assertNotIn("Original-Envelope-Id", of_message)
        self.assertEqual(
            (of_bob["Final-Recipient"], of_bob["Action"], of_bob["Status"]),
            ("rfc822; bob@example.com", "failed", "5.1.1"),
        )
        self.assertEqual(of_bob["Diagnostic-Code"], f"smtp; {NEVER}")
        self.assertIn("Last-Attempt-Date", of_bob)
        self.assertNotIn("Original-Recipient", of_bob)
        text = message.get_payload(0).get_payload()
        for words in ("could not be delivered", "bob@example.com", NEVER, "trac-trac-trac"):
            self.assertIn(words, text)
        self.assertIn("Subject: Lunch", message.get_payload(2).get_payload())

    def test_several(self):
        """
        Several recipients share one report, each with fields of its own.
        """
        groups = fields(report(fates=[Fate(BOB, NO_WISH, NEVER), Fate(ADA, NO_WISH, "552 full")]))
        self.assertEqual(
            [(group["Final-Recipient"], group["Status"]) for group in groups[1:]],
            [("rfc822; bob@example.com", "5.1.1"), ("rfc822; ada@Example.com", "5.0.0")],
        )

    def test_given_up(self):
        """
        What is given up for its age has the code of its last reply; one of ours is no diagnostic
        code of SMTP.
        """
        (_, of_bob) = fields(report(fates=[Fate(BOB, NO_WISH, LATER)]))
        self.assertEqual((of_bob["Action"], of_bob["Status"]), ("failed", "4.4.1"))
        self.assertEqual(of_bob["Diagnostic-Code"], f"x-mailgate; {LATER}")

    def test_delayed(self):
        """
        A delay says until when it is tried, and not that anything has failed.
        """
        message = report(Told.DELAYED, [Fate(BOB, NO_WISH, LATER)])
        (_, of_bob) = fields(message)
        self.assertEqual((of_bob["Action"], of_bob["Status"]), ("delayed", "4.4.1"))
        self.assertTrue(of_bob["Will-Retry-Until"].startswith("Wed, 20 Jan 2027 "))
        self.assertNotIn("Last-Attempt-Date", of_bob)
        self.assertEqual(message["Subject"], "Not delivered yet: Lunch")

    def test_success(self):
        """
        What was handed on to a server that tells nothing was relayed; what lies in a mailbox was
        delivered.
        """
        for told, action in ((Told.RELAYED, "relayed"), (Told.DELIVERED, "delivered")):
            (_, of_bob) = fields(report(told, [Fate(BOB, NO_WISH, "250 2.0.0 ok")]))
            self.assertEqual((of_bob["Action"], of_bob["Status"]), (action, "2.0.0"))

    def test_carried(self):
        """
        ENVID and ORCPT come back as they were meant; what they hide stays in its field.
        """
        stored = evolve(STORED, envid="QQ+2B1+0D+0AX:+20y")
        wish = RcptParameters("", "rfc822;Bob+2Bx@elsewhere.example")
        of_message, of_bob = fields(report(fates=[Fate(BOB, wish, NEVER)], stored=stored))
        self.assertEqual(of_message["Original-Envelope-Id"], "QQ+1 X: y")
        self.assertEqual(of_bob["Original-Recipient"], "rfc822; Bob+x@elsewhere.example")

    def test_utf8(self):
        """
        Addresses in UTF-8 are spelled in ASCII where programs read (RFC 6533).
        """
        jos = Address("jös", "example.com")
        wish = RcptParameters("", "utf-8;jös@example.com")
        message = report(fates=[Fate(jos, wish, NEVER)], to=jos)
        (_, of_jos) = fields(message)
        self.assertEqual(of_jos["Final-Recipient"], r"utf-8; j\x{F6}s@example.com")
        self.assertEqual(of_jos["Original-Recipient"], r"utf-8; j\x{F6}s@example.com")
        self.assertIn("jös@example.com", message.get_payload(0).get_payload(decode=True).decode())

    def test_subject(self):
        """
        The subject of the message is quoted, encoded where need be.
        """
        message = report(stored=evolve(STORED, subject="Käse\r\nBcc: eve@example.org"))
        self.assertEqual(
            decode(message["Subject"].replace("\r\n", "").encode()),
            "Not delivered: Käse Bcc: eve@example.org",
        )
        self.assertNotIn("Bcc", message)
        self.assertEqual(report(stored=evolve(STORED, subject=""))["Subject"], "Not delivered")

    def test_whole(self):
        """
        The whole message comes back where it was given and can be carried; else its header section.
        """
        kinds = {
            "message/rfc822": (SECTION + b"text\r\n", False),
            "text/rfc822-headers": (SECTION + "ö\r\n".encode(), False),
        }
        for kind, (whole, takes) in kinds.items():
            part = report(whole=whole, takes_8bit=takes).get_payload(2)
            self.assertEqual(part.get_content_type(), kind)
        part = report(whole=SECTION + "ö\r\n".encode(), takes_8bit=True).get_payload(2)
        self.assertEqual(part.get_content_type(), "message/rfc822")


class WantedTests(SynchronousTestCase):
    """
    Tests of L{is_wanted}.
    """

    def test_notify(self):
        """
        Where NOTIFY says nothing, failures and delays are told; else what it names.
        """
        for notify, wanted in (
            ("", {"FAILED", "DELAYED"}),
            ("NEVER", set()),
            ("FAILURE", {"FAILED"}),
            ("DELAY", {"DELAYED"}),
            ("SUCCESS", {"RELAYED", "DELIVERED"}),
            ("SUCCESS,FAILURE,DELAY", set(Told.__members__)),
        ):
            wish = RcptParameters(notify)
            self.assertEqual({told.name for told in Told if is_wanted(told, wish)}, wanted)
