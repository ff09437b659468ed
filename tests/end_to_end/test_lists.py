"""
Tests of the allow and block lists in a gateway that runs.
"""

from mailgate.hub.control import ask
from tests.end_to_end.case import EndToEndTestCase
from tests.end_to_end.client import make_message, send


class ListsTests(EndToEndTestCase):
    """
    Tests of what a change of the lists does to the next message.
    """

    timeout = 120

    def test_next_message(self):
        """
        A sender that is blocked is held from the next message on, also after a restart; once
        allowed, the next one arrives.
        """
        gateway = self.gateway().start()

        def put(list):
            arguments = {"list": list, "value": "sender@example.org", "by": "ada"}
            return ask(gateway.data / "control", "list.add", arguments)["entry"]

        def send_one():
            self.assertTrue(send(gateway.smtp_port, make_message()[1]))
            return len(gateway.delivered()), len(gateway.held())

        self.assertEqual(send_one(), (1, 0))
        blocked = put("block")
        self.assertEqual(send_one(), (1, 1))
        (held,) = gateway.held()
        self.assertEqual(held["kind"], "spam")
        self.assertEqual(
            [(finding["symbol"], finding["score"]) for finding in held["findings"]],
            [("BLOCKED_SENDER", 10)],
        )
        gateway.kill()
        gateway.start()
        self.assertEqual(send_one(), (1, 2))
        self.assertEqual(put("allow")["id"], blocked["id"])
        self.assertEqual(send_one(), (2, 2))
