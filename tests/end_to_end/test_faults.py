"""
Tests of upstreams that fail, and of clients that go away, with the running gateway.
"""

import json
import smtplib
import socket
import struct
import threading

from tests.end_to_end.case import Conversation, EndToEndTestCase
from tests.end_to_end.client import make_message, send
from tests.end_to_end.ports import free_port


class UpstreamTests(EndToEndTestCase):
    """
    Tests of what a client hears when the upstream fails.
    """

    timeout = 120

    def refusal(self, gateway, **keywords):
        """
        Send a message that is not taken, and give the reply.
        """
        try:
            taken = send(gateway.smtp_port, make_message()[1], **keywords)
        except smtplib.SMTPRecipientsRefused as refused:
            return next(iter(refused.recipients.values()))
        except smtplib.SMTPResponseException as refused:
            return refused.smtp_code, refused.smtp_error
        raise self.failureException(f"it was taken over: {taken}")

    def test_f05_upstream_down(self):
        """
        Without its upstream a recipient gets 451 4.4.1, and nothing is kept or sent back.
        """
        gateway = self.gateway(free_port()).start()
        code, text = self.refusal(gateway)
        self.assertEqual((code, text[:5]), (451, b"4.4.1"))
        self.assertEqual((gateway.held(), gateway.outbox()), ([], []))

    def test_f05_upstream_goes_down(self):
        """
        The same when it goes down between RCPT and the message; then it comes back.
        """
        upstream = self.upstream()
        gateway = self.gateway(upstream.port).start()
        self.assertTrue(send(gateway.smtp_port, make_message()[1]))
        upstream.close()
        code, text = self.refusal(gateway)
        self.assertEqual((code, text[:5]), (451, b"4.4.1"))
        self.assertEqual((gateway.held(), gateway.outbox()), ([], []))

    def test_f08_dropped_after_the_dot(self):
        """
        An upstream that is gone after the dot: 451, and the trace says that it is not known.
        """
        upstream = self.upstream()
        gateway = self.gateway(upstream.port).start()
        upstream.replies["."] = None
        code, text = self.refusal(gateway)
        self.assertEqual((code, text[:5]), (451, b"4.4.2"))
        gateway.stop()
        log = (gateway.data / "transactions.jsonl").read_text("utf-8").splitlines()
        record = json.loads(log[-1])
        self.assertEqual([copy["outcome"] for copy in record["copies"]], ["unknown"])
        self.assertTrue(any("duplicate" in note for note in record["notes"]), record)

    def test_refused_by_the_upstream(self):
        """
        What the upstream refuses is refused, in its words.
        """
        upstream = self.upstream()
        gateway = self.gateway(upstream.port).start()
        upstream.replies["."] = "554 5.6.0 not in this house"
        code, words = self.refusal(gateway)
        self.assertEqual(code, 554)
        self.assertRegex(words, rb"^5\.6\.0 not in this house \([0-9a-z-]{14}\)$")
        del upstream.replies["."]
        upstream.replies["RCPT"] = "550 5.1.1 nobody of this name"
        code, text = self.refusal(gateway, recipients=["eve@example.com"])
        self.assertEqual((code, text[:5]), (550, b"5.1.1"))


class DisconnectTests(EndToEndTestCase):
    """
    Tests of clients that are gone while the upstream takes its time.
    """

    timeout = 120

    def setUp(self):
        """
        Start a gateway whose upstream waits at the dot until it is told to go on.
        """
        self.server = self.upstream()
        self.gate = self.gateway(self.server.port).start()
        self.reached, self.go_on = threading.Event(), threading.Event()
        self.addCleanup(self.go_on.set)

        def wait(argument):
            self.reached.set()
            self.go_on.wait(60)
            return "250 2.0.0 taken"

        self.server.replies["."] = wait

    def leave_during_delivery(self, leave):
        """
        Send a message, leave while it is being delivered, and give the record.
        """
        client = Conversation(self.gate.smtp_port)
        client.envelope()
        identity, content = make_message()
        client.say(content + b".\r\n")
        self.assertTrue(self.reached.wait(30))
        leave(client)
        # Once a later client has its answer, the gateway has seen that the first one is gone.
        later = Conversation(self.gate.smtp_port)
        later.ask("NOOP\n")
        later.close()
        self.go_on.set()
        log = self.gate.data / "transactions.jsonl"

        def recorded():
            lines = log.read_text("utf-8").splitlines() if log.exists() else []
            return [r for r in map(json.loads, lines) if r["message_id"] == identity]

        (record,) = self.eventually(recorded, "no record was written")
        self.assertEqual(self.server.message_ids(), [identity])
        self.assertEqual([copy["outcome"] for copy in record["copies"]], ["delivered"])
        return record

    def test_rst_during_delivery(self):
        """
        A reset: the delivery ends by itself, and the trace says so.
        """

        def reset(client):
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()

        record = self.leave_during_delivery(reset)
        self.assertTrue(any("client gone" in note for note in record["notes"]), record)

    def test_fin_during_delivery(self):
        """
        A client that only closes: the same.
        """
        record = self.leave_during_delivery(lambda client: client.close())
        self.assertTrue(any("client gone" in note for note in record["notes"]), record)

    def test_quit_and_fin_during_delivery(self):
        """
        A client that has sent QUIT before it closed its side still gets both replies.
        """
        client = None

        def leave(left):
            nonlocal client
            client = left
            left.say("QUIT\n")
            left.socket.shutdown(socket.SHUT_WR)

        self.leave_during_delivery(leave)
        self.assertTrue(client.reply().startswith("250"))
        self.assertTrue(client.reply().startswith("221"))
        client.close()
