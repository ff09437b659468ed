"""
Tests of L{mailgate.delivery.transaction}.
"""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailgate.delivery.transaction import Transaction
from mailgate.message.message import MemoryMessage
from mailgate.wire.address import Address
from mailgate.wire.parameters import RcptParameters
from tests.delivery.client import SENDER, TEXT
from tests.storage import ADA, ENVELOPE


class PrepareTests(SynchronousTestCase):
    """
    What goes to no upstream at all.
    """

    def prepare(self, sender=SENDER, recipient=ADA, text=TEXT):
        """
        Give the refusal as words.
        """
        refusal = Transaction(sender, (recipient,), MemoryMessage((text,))).prepare()
        return "" if refusal is None else str(refusal)

    def test_clean(self):
        """
        An ordinary message is not refused.
        """
        self.assertEqual(self.prepare(), "")

    def test_a03_bare_line_ends(self):
        """
        Whatever could end a message for a lenient upstream never goes out (A3).
        """
        for end in (
            b"\n.\n",
            b"\n.\r\n",
            b"\r.\r",
            b"\r.\r\n",
            b"\r.\n",
            b"\r\n.\r",
            b"\r\n.\n",
            b"\n\n.\r\n",
            b"\r\r\n.\r\r\n",
            b"\r\n\0.\r\n",
            b"\r\n.\0\r\n",
        ):
            words = self.prepare(text=b"a" + end + b"MAIL FROM:<x@y>\r\n")
            self.assertEqual(words, "550 5.6.0 bare CR, bare LF or NUL in the message", end)

    def test_addresses(self):
        """
        Addresses that have control characters never go out.
        """
        for address, words in (
            (Address("a\r\nDATA", "x.example"), "553 5.1.3 control characters in an address"),
            (Address("a", "x\n.example"), "553 5.1.3 control characters in an address"),
        ):
            self.assertEqual(self.prepare(sender=address), words)
            self.assertEqual(self.prepare(recipient=address), words)


class CommandTests(SynchronousTestCase):
    """
    What is said before the message.
    """

    def commands(self, *extensions, sender=SENDER, recipient=ADA, **more):
        """
        Give the commands and, instead of them, what the upstream lacks.
        """
        envelope = evolve(ENVELOPE, body="7BIT", size=None, **more)
        transaction = Transaction(sender, (recipient,), MemoryMessage((TEXT,)), envelope)
        lacking = transaction.lacking(frozenset(extensions))
        return lacking or transaction.commands(frozenset(extensions))

    def test_dsn(self):
        """
        What was said of notices is carried on to an upstream that takes it, and else left out.
        """
        wishes = {ADA.owner: RcptParameters("FAILURE,DELAY", "rfc822;ada@example.com")}
        more = {"ret": "HDRS", "envid": "QQ314159", "wishes": wishes}
        mail, rcpt, _ = self.commands("DSN", **more)
        self.assertEqual(mail, f"MAIL FROM:<{SENDER}> RET=HDRS ENVID=QQ314159\r\n")
        self.assertEqual(
            rcpt, f"RCPT TO:<{ADA}> NOTIFY=FAILURE,DELAY ORCPT=rfc822;ada@example.com\r\n"
        )
        mail, rcpt, _ = self.commands(**more)
        self.assertEqual((mail, rcpt), (f"MAIL FROM:<{SENDER}>\r\n", f"RCPT TO:<{ADA}>\r\n"))

    def test_utf8(self):
        """
        What may be UTF-8 goes only to an upstream with SMTPUTF8, and is called so there.
        """
        address = Address("\N{GREEK SMALL LETTER ALPHA}", "x.example")
        for more in ({"sender": address}, {"recipient": address}, {"utf8": True}):
            self.assertEqual(str(self.commands(**more))[:9], "550 5.6.7")
            self.assertTrue(self.commands("SMTPUTF8", **more)[0].endswith(" SMTPUTF8\r\n"))
