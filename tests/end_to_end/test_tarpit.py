"""
A test of the tarpit in a gateway that runs.
"""

import json

from tests.end_to_end.case import Conversation, EndToEndTestCase
from tests.end_to_end.gateway import free_port

TABLES = """
[[listener]]
name = "balanced"
address = "127.0.0.1:{port}"
proxy_networks = ["127.0.0.1"]
[limits]
tarpit = 0.2
[checks.helo]
unqualified_score = 8.0
exempt_networks = []
"""


class TarpitTests(EndToEndTestCase):
    """
    Three points above the threshold, a fifth of a second for each.
    """

    timeout = 120

    def waited(self, *addresses, top=""):
        """
        Let clients speak to a gateway from some addresses, each with the same score.

        @return: how long each has waited, by its address, as the traces tell.
        """
        port = free_port()
        gateway = self.gateway(tables=TABLES.format(port=port), top=top).start()
        for address in addresses:
            client = Conversation(port, f"PROXY TCP4 {address} 127.0.0.1 5000 25\n")
            self.assertTrue(client.greeting.startswith("220"))
            client.ask("EHLO SERVER7\n")
            client.ask("MAIL FROM:<sender@example.org>\n")
            self.assertTrue(client.ask("RCPT TO:<ada@example.com>\n").startswith("250"))
            client.ask("QUIT\n")
            client.close()
        gateway.stop()
        lines = (gateway.data / "transactions.jsonl").read_text("utf-8").splitlines()
        return {
            record["client"]: record["durations"].get("tarpit", 0)
            for record in map(json.loads, lines)
            if record["sender"]
        }

    def test_strangers(self):
        """
        A stranger is held up, and the trace says for how long; a client of this machine is not.
        """
        waited = self.waited("198.51.100.9", "127.0.0.9")
        self.assertGreater(waited.pop("198.51.100.9"), 0.5)
        self.assertEqual(waited, {"127.0.0.9": 0})

    def test_watching(self):
        """
        A gateway that only watches holds nobody up.
        """
        waited = self.waited("198.51.100.9", top='mode = "observe"\n')
        self.assertEqual(waited, {"198.51.100.9": 0})
