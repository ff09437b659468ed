"""
Tests of the greylist in a gateway that runs.
"""

import smtplib

from mailgate.hub.control import ask
from tests.end_to_end.case import EndToEndTestCase

TABLES = """
[checks.greylist]
mode = "enforce"
from_total = 0.0
wait_seconds = {seconds}
exempt_networks = []
"""


class GreylistTests(EndToEndTestCase):
    """
    Tests of what a worker hears of the hub about those who come.
    """

    timeout = 120

    def test_come_again(self):
        """
        Who is not known has to come again, also after the gateway was killed; postmaster is taken
        at once, and what was remembered can be seen and forgotten.
        """
        gateway = self.gateway(tables=TABLES.format(seconds=86400.0)).start()

        def replies(*recipients):
            with smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=30) as client:
                client.ehlo("client.example.org")
                client.mail("sender@example.org")
                return [client.rcpt(recipient) for recipient in recipients]

        waits, taken = replies("ada@example.com", "postmaster@example.com")
        self.assertEqual((waits[0], taken[0]), (451, 250))
        self.assertTrue(waits[1].startswith(b"4.7.1 greylisted, try again in 86400 seconds ("))
        gateway.kill()
        gateway.start()
        (later,) = replies("ada@example.com")
        self.assertEqual(later[0], 451)
        control = gateway.data / "control"
        listing = ask(control, "greylist.list", {})
        self.assertEqual(
            [(row["network"], row["sender"], row["recipient"]) for row in listing["rows"]],
            [("127.0.0.0/24", "sender@example.org", "ada@example.com")],
        )
        self.assertEqual(ask(control, "greylist.clear", {"by": "ada"}), {"cleared": 1})
