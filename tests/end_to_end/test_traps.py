"""
Tests of traps in a gateway that runs.
"""

import smtplib

from mailgate.hub.control import ask
from tests.end_to_end.case import EndToEndTestCase

TABLES = """
[checks.traps]
addresses = ["bait@example.com"]
exempt_networks = []
[checks.bayes]
mode = "off"
"""
TEXT = "From: eve@example.org\r\nSubject: Cheap pills\r\n\r\nBuy now\r\n"


class TrapsTests(EndToEndTestCase):
    """
    Tests of what the hub and a worker tell each other of traps.
    """

    timeout = 120

    def test_trap(self):
        """
        What is sent to a trap alone is taken, held and learned; then other mail of the same client
        counts for it. A trap that is made while the gateway runs is one at once.
        """
        gateway = self.gateway(tables=TABLES).start()
        control = gateway.data / "control"

        def send(*recipients):
            with smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=30) as client:
                client.ehlo("client.example.org")
                client.sendmail("sender@example.org", recipients, TEXT)

        send("bait@example.com")
        (held,) = ask(control, "quarantine.list", {})["rows"]
        self.assertEqual((held["recipient"], held["kind"]), ("bait@example.com", "spam"))
        self.eventually(lambda: ask(control, "learn.status", {})["spam"] == 1, "it is not learned")
        send("ada@example.com")

        def seen(recipient):
            path = gateway.data / "transactions.jsonl"
            lines = path.read_text().splitlines() if path.exists() else ()
            return next((line for line in lines if recipient in line), "")

        self.eventually(lambda: "TRAP_SENDER" in seen("ada@example.com"), "it does not count")
        ask(control, "trap.add", {"address": "new@example.com", "by": "ada"})
        send("new@example.com", "bob@example.com")
        found = {row["recipient"]: row for row in ask(control, "quarantine.list", {})["rows"]}
        self.assertIn("new@example.com", found)
        self.assertIn("bob@example.com", found)
        self.eventually(
            lambda: ask(control, "trap.list", {})["rows"][0]["hits"] == 1, "it is not counted"
        )
