"""
Tests for L{mailgate.message.forwarded}.
"""

from base64 import encodebytes

from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.forwarded import MOST, decode_forwarded, encode_forwarded, forwarded

INNER = b"From: eve@example.org\r\nSubject: inner\r\n\r\nHi\r\n"


def outer(*parts, head=b"From: ada@example.com\r\n"):
    """
    Make a message of several parts.
    """
    joined = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts)
    return head + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + joined + b"--b--\r\n"


def attached(message, kind=b"message/rfc822", more=b""):
    """
    Make a part of a message.
    """
    return b"Content-Type: " + kind + b"\r\n" + more + b"\r\n" + message


class ForwardedTests(SynchronousTestCase):
    """
    Tests of L{forwarded}.
    """

    def test_attached(self):
        """
        An attached message is given as it was, and several are.
        """
        other = INNER.replace(b"inner", b"other")
        data = outer(b"\r\nSee below.", attached(INNER), attached(other))
        self.assertEqual([each.strip() for each in forwarded(data)], [INNER.strip(), other.strip()])

    def test_file(self):
        """
        A file that ends in .eml is one, in base64 and with LF line ends too.
        """
        more = (
            b"Content-Transfer-Encoding: base64\r\n"
            b'Content-Disposition: attachment; filename="Mail.EML"\r\n'
        )
        encoded = encodebytes(INNER.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
        data = outer(b"\r\nSee below.", attached(encoded, b"application/octet-stream", more))
        self.assertEqual(forwarded(data), [INNER])

    def test_nothing(self):
        """
        A message that is forwarded within the text is none, and the message itself is none either.
        """
        self.assertEqual(forwarded(b"Subject: Fwd: x\r\n\r\n> From: eve\r\n"), [])
        self.assertEqual(forwarded(b""), [])

    def test_not_inside(self):
        """
        What is attached to an attached message is not taken by itself.
        """
        data = outer(attached(outer(attached(INNER)).replace(b"--b", b"--c").replace(b"=b", b"=c")))
        self.assertEqual(len(forwarded(data)), 1)

    def test_many(self):
        """
        Only so many are taken.
        """
        self.assertEqual(len(forwarded(outer(*[attached(INNER)] * (MOST + 5)))), MOST)

    def test_other_process(self):
        """
        What another process has written is believed only where it is a list of messages.
        """
        self.assertEqual(decode_forwarded(encode_forwarded([INNER])), [INNER])
        for data in (b"", b"\xc1", encode_forwarded([INNER])[:-1], b"\xa1x"):
            self.assertRaises(ValueError, decode_forwarded, data)
