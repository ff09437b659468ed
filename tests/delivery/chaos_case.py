"""
A delivery to an upstream that misbehaves, and what is allowed to become of it.
"""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.delivery import SmtpUpstream
from mailgate.delivery.smtp_delivery import SmtpDelivery
from tests.chaos import EXTENSIONS, Chaos
from tests.delivery.chaos_network import ChaosNetwork, pass_time
from tests.delivery.secure import HOST, authority
from tests.storage import ADA, BOB, ENVELOPE, message, temporary_folder

NOT_REACHED = "4.4.1"
LOST = "4.4.2"
BOUND = 15 + 15 + 15 + 150 + 150 + 5
"""Seconds that a delivery may take at most: connecting, greeting, EHLO, the commands, the reply to
the dot."""

TAKEN = ((250, "2.0.0"),) * 2
UNKNOWN = ((451, LOST),) * 2
DEFERRED = ((451, NOT_REACHED),) * 2


class ChaosCase(SynchronousTestCase):
    """
    Delivers to a chaos upstream.
    """

    kind = "smtp"
    extensions = EXTENSIONS

    def make(self, connections=20, **behaviour):
        """
        Make an upstream, and the way to it.
        """
        self.clock = Clock()
        is_lmtp = self.kind == "lmtp"
        self.chaos = Chaos(extensions=self.extensions, is_lmtp=is_lmtp, **behaviour)
        self.network = ChaosNetwork(self.chaos, self.clock)
        settings = SmtpUpstream(
            kind=self.kind, host="127.0.0.1", connections=connections, **self.options()
        )
        self.delivery = SmtpDelivery(
            "inner", settings, "mail.example.com", self.clock, self.network
        )

    def options(self):
        """
        Give further settings of the upstream, and prepare the network for them.
        """
        return {}

    def begin(self, *recipients, text=b"Subject: x\r\n\r\n.dot\r\n", kept=None):
        """
        Begin to deliver a message.
        """
        return self.delivery.deliver(ENVELOPE, recipients or (ADA, BOB), kept or message(text))

    def wait(self, answer, step=1.0):
        """
        Wait for the replies.

        @param step: in steps of how many seconds the time passes.
        """
        until = self.clock.seconds() + BOUND
        self.network.flush()
        while not answer.called and self.clock.seconds() < until:
            pass_time(self.clock, [self.network], step, step)
        return self.successResultOf(answer)

    def deliver(self, *recipients, step=1.0, **message):
        """
        Deliver a message, and give the replies.
        """
        return self.wait(self.begin(*recipients, **message), step)

    def codes(self, replies):
        """
        Give the codes of replies.
        """
        return [(reply.code, reply.enhanced) for reply in replies]

    def finish(self):
        """
        Close the way to the upstream, and hold that nothing is left of it.
        """
        closed = self.delivery.close()
        pass_time(self.clock, [self.network], 10)
        self.successResultOf(closed)
        self.assertEqual(self.network.open, 0)
        self.assertEqual(
            (self.delivery.load.busy, self.delivery.load.idle, self.delivery.load.waiting),
            (0, 0, 0),
        )
        for conversation in self.chaos.conversations:
            self.assertTrue(conversation.is_closed)
        # A paused server may still have something to say to nobody.
        self.clock.advance(2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def assertAllowed(self, replies, text=b""):
        """
        Hold that the replies are allowed ones for what the upstream has taken.
        """
        told = [
            who
            for taken in self.chaos.taken
            if taken.is_told and text in taken.content
            for who in taken.recipients
        ]
        for recipient, reply in zip((ADA, BOB), replies, strict=True):
            times = self.chaos.recipients_of(text).count(str(recipient))
            self.assertLessEqual(times, 1, replies)
            if reply.is_positive:
                self.assertIn(str(recipient), told)
            elif reply.enhanced == LOST:
                self.assertNotIn(str(recipient), told)
            else:
                self.assertEqual(times, 0, replies)


class SecureCase(ChaosCase):
    """
    Delivers over TLS, with the server that it was configured for and no other.
    """

    cuts = False

    def options(self):
        """
        Ask for TLS.
        """
        self.network.has_tls = True
        self.network.cuts = self.cuts
        authorities = temporary_folder(self) / "ca.pem"
        authorities.write_bytes(authority().pem)
        return {"tls": "verified", "tls_name": HOST, "ca_file": authorities}
