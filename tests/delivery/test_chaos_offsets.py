"""
Tests of deliveries to upstreams that close after any number of bytes.
"""

from tests.chaos import PLAIN_EXTENSIONS
from tests.delivery.chaos_case import DEFERRED, TAKEN, UNKNOWN, ChaosCase, SecureCase


class OffsetTests(ChaosCase):
    """
    An upstream that closes after any number of bytes.
    """

    behind_dot = (UNKNOWN,)
    """What becomes of a message one after the other when it closes behind the dot."""

    pieces = (0, 1)
    """Into pieces of which sizes replies are cut."""

    def length(self, **behaviour):
        """
        Give the number of bytes that an upstream says to two messages and QUIT.
        """
        self.make(**behaviour)
        for _ in range(2):
            self.assertEqual([reply.code for reply in self.deliver()], [250, 250])
        self.finish()
        (conversation,) = self.chaos.conversations
        return conversation.said

    def sweep(self, **behaviour):
        """
        Close at each offset of a conversation of two messages.
        """
        outcomes = []
        for offset in range(self.length(**behaviour) + 1):
            self.make(close_at=[offset], **behaviour)
            found = []
            for text in (b"first\r\n", b"second\r\n"):
                replies = self.deliver(text=text)
                self.assertAllowed(replies, text)
                found.append(tuple(self.codes(replies)))
            self.finish()
            outcomes.append(tuple(found))
        return [each for n, each in enumerate(outcomes) if outcomes[n - 1 : n] != [each]]

    def test_every_offset(self):
        """
        A 250 is the upstream's own, whatever it closes at; what is not delivered is deferred, and
        only behind the dot it is not known what became of it.
        """
        for piece in self.pieces:
            # On a new connection nothing is repeated, on an old one all that breaks before 354.
            first = [(each, TAKEN) for each in (DEFERRED, *self.behind_dot, TAKEN)]
            second = [(TAKEN, each) for each in (*self.behind_dot, TAKEN)]
            self.assertEqual(self.sweep(piece=piece), first + second)


class PlainOffsetTests(OffsetTests):
    """
    The same without PIPELINING.
    """

    extensions = PLAIN_EXTENSIONS


class LmtpOffsetTests(OffsetTests):
    """
    The same with LMTP: each recipient has a reply of its own.
    """

    kind = "lmtp"
    behind_dot = (UNKNOWN, (TAKEN[0], UNKNOWN[0]))


class PlainLmtpOffsetTests(LmtpOffsetTests):
    """
    The same without PIPELINING.
    """

    extensions = PLAIN_EXTENSIONS


class SecureOffsetTests(SecureCase, OffsetTests):
    """
    An upstream that closes after any number of bytes, the same over TLS.
    """

    pieces = (0,)


class CutOffsetTests(SecureOffsetTests):
    """
    The same where TLS is cut off, so that nobody knows whether more was meant to come.
    """

    cuts = True
