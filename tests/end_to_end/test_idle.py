"""
Tests with many clients that only stand there.
"""

from tests.end_to_end.case import Conversation, EndToEndTestCase
from tests.end_to_end.client import make_message, send

IDLE = 200


class IdleTests(EndToEndTestCase):
    """
    Tests of idle connections.
    """

    timeout = 120

    def test_mail_of_others(self):
        """
        200 connections that are idle hinder nobody's mail, and go on when they like.
        """
        gateway = self.gateway().start()
        idle = [Conversation(gateway.smtp_port) for _ in range(IDLE)]
        for client in idle:
            self.addCleanup(client.close)
            self.assertTrue(client.greeting.startswith("220 "), client.greeting)
        self.assertTrue(send(gateway.smtp_port, make_message()[1]))
        self.assertEqual(len(gateway.delivered()), 1)
        for client in idle:
            self.assertTrue(client.ask("NOOP\n").startswith("250 "))
