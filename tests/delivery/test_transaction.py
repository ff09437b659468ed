"""
Tests of L{mailgate.delivery.transaction}.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.delivery.transaction import Transaction
from mailgate.message.message import MemoryMessage
from mailgate.wire.address import Address
from tests.delivery.client import SENDER, TEXT
from tests.storage import ADA


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
        Addresses that are not ASCII, or have control characters, never go out.
        """
        for address, words in (
            (Address("a\r\nDATA", "x.example"), "553 5.1.3 control characters in an address"),
            (Address("a", "x\n.example"), "553 5.1.3 control characters in an address"),
            (
                Address("\N{GREEK SMALL LETTER ALPHA}", "x.example"),
                "550 5.6.7 an address needs SMTPUTF8",
            ),
        ):
            self.assertEqual(self.prepare(sender=address), words)
            self.assertEqual(self.prepare(recipient=address), words)
