"""
Tests F1 to F3: kill -9 at any moment loses nothing.
"""

import os
import random
import re
import threading
from pathlib import Path

from tests.end_to_end.case import EndToEndTestCase
from tests.end_to_end.client import make_message, send
from tests.end_to_end.crash import COMMIT_POINTS, FILE_POINTS, REPLY_POINTS
from tests.end_to_end.gateway import free_port

SOAK = bool(os.environ.get("MAILGATE_SOAK"))
"""Whether this is C{make soak}: each point 20 times, and 100 crashes at random."""

ROUNDS = 20 if SOAK else 1
CRASHES = 100 if SOAK else 5
TAC = str(Path(__file__).parent / "crashing.tac")
HOLD_ALL = "[policy]\ntag = -3\nquarantine = -2\nreject = 50\n"


class CrashTests(EndToEndTestCase):
    """
    Tests with a gateway that ends at a named point, or by our hand.
    """

    timeout = 7200 if SOAK else 240

    def start_armed(self, gateway, point):
        """
        Start a gateway that ends at C{point}, and give the file whose removal disarms it.
        """
        armed = gateway.folder / "armed"
        gateway.start(
            "-y",
            TAC,
            MAILGATE_TEST_CONFIG=str(gateway.config),
            MAILGATE_TEST_POINT=point,
            MAILGATE_TEST_ARMED=str(armed),
        )
        armed.touch()
        return armed

    def crash_at(self, gateway, point, port=None):
        """
        Send a message to a gateway that ends at C{point}, then to one that does not.

        @return: the Message-ID.
        """
        identity, content = make_message(point)
        armed = self.start_armed(gateway, point)
        port = port or gateway.smtp_port
        self.assertFalse(send(port, content), f"250 in spite of a crash {point}")
        self.assertTrue(gateway.process_ended(10), point)
        self.assertEqual(gateway.process.returncode, -9, gateway.said())
        armed.unlink()
        gateway.start()
        self.assertTrue(send(port, content), point)
        return identity, content

    def test_f01_in_storing(self):
        """
        A crash before or after any step of holding a message: the client gets no 250 and
        retries, nothing is lost, nothing is half, and there are two at the most.
        """
        for point in (FILE_POINTS + COMMIT_POINTS) * ROUNDS:
            gateway = self.gateway(tables=HOLD_ALL)
            identity, content = self.crash_at(gateway, point)
            held = gateway.held()
            self.assertIn(len(held), (1, 2), point)
            for row in held:
                self.assertEqual(row["message_id"], identity, point)
                self.assertEqual(row["size"], len(content), point)
            gateway.stop()

    def test_f01_in_the_maildir(self):
        """
        The same for the delivery into a Maildir, where nothing half is ever seen.
        """
        for point in FILE_POINTS * ROUNDS:
            gateway = self.gateway()
            identity, _ = self.crash_at(gateway, point)
            delivered = gateway.delivered()
            self.assertIn(len(delivered), (1, 2), point)
            for content in delivered:
                self.assertIn(identity.encode("ascii"), content, point)
                self.assertTrue(content.endswith(b"text of a message\n"), point)
            gateway.stop()

    def test_f01_at_the_upstream(self):
        """
        A crash before and after the upstream's dot and before its reply.
        """
        for moment in ("RCPT", "DATA", ".") * ROUNDS:
            upstream = self.upstream()
            gateway = self.gateway(upstream.port).start()
            send(gateway.smtp_port, make_message("so that the recipient is known")[1])
            identity, content = make_message(moment)

            def crash(argument, gateway=gateway):
                gateway.kill()

            upstream.replies[moment] = crash
            self.assertFalse(send(gateway.smtp_port, content), moment)
            del upstream.replies[moment]
            gateway.start()
            self.assertTrue(send(gateway.smtp_port, content), moment)
            self.assertEqual(upstream.message_ids().count(identity), 1, moment)
            gateway.stop()

    def test_f03_between_the_replies(self):
        """
        A crash between the upstream's 250 and ours: a duplicate of the same Message-ID, and no
        loss.
        """
        upstream = self.upstream()
        gateway = self.gateway(upstream.port)
        for point in REPLY_POINTS:
            identity, _ = self.crash_at(gateway, point)
            self.assertEqual(upstream.message_ids(), [identity, identity])

    def sending_gateway(self, upstream):
        """
        Make a gateway for machines of ours; give it and the port where they send.
        """
        port = free_port()
        tables = (
            f'[[listener]]\nname = "machines"\naddress = "127.0.0.1:{port}"\n'
            'role = "internal"\nnetworks = ["127.0.0.1"]\n'
        )
        return self.gateway(upstream.port, tables=tables), port

    def test_f01_in_queueing(self):
        """
        A crash before or after any step of queueing mail of ours: the client gets no 250 and
        retries; then it goes out, and twice at the most.
        """
        for point in (FILE_POINTS + COMMIT_POINTS) * ROUNDS:
            upstream = self.upstream()
            gateway, port = self.sending_gateway(upstream)
            identity, _ = self.crash_at(gateway, point, port)
            self.eventually(lambda gateway=gateway: not gateway.outbox(), "it stays in the outbox")
            self.assertIn(upstream.message_ids(), ([identity], [identity] * 2), point)
            self.assertEqual(gateway.held(), [], point)
            gateway.stop()

    def test_f01_in_the_outbox(self):
        """
        A crash after the 250 and before the upstream has taken the message: it goes out once, by
        itself.
        """
        for moment in ("MAIL", "DATA", ".") * ROUNDS:
            upstream = self.upstream()
            gateway, port = self.sending_gateway(upstream)
            gateway.start()
            # The recipient is asked for before the crash is prepared.
            self.assertTrue(send(port, make_message("first")[1]))
            self.eventually(lambda gateway=gateway: not gateway.outbox(), "it stays in the outbox")
            reached = threading.Event()

            def wait(argument, gateway=gateway, reached=reached):
                reached.set()
                gateway.process_ended(30)

            upstream.replies[moment] = wait
            identity, content = make_message(moment)
            self.assertTrue(send(port, content), moment)
            self.assertTrue(reached.wait(30), moment)
            gateway.kill()
            del upstream.replies[moment]
            gateway.start()
            self.eventually(lambda gateway=gateway: not gateway.outbox(), "it stays in the outbox")
            self.assertEqual(upstream.message_ids().count(identity), 1, moment)
            gateway.stop()

    def test_f03_in_the_outbox(self):
        """
        A crash between the upstream's 250 and its being written down: a duplicate, no loss, and the
        history says so.
        """
        for point in REPLY_POINTS * ROUNDS:
            upstream = self.upstream()
            gateway, port = self.sending_gateway(upstream)
            armed = self.start_armed(gateway, point)
            identity, content = make_message(point)
            self.assertTrue(send(port, content), point)
            self.assertTrue(gateway.process_ended(10), point)
            armed.unlink()
            gateway.start()
            self.eventually(lambda gateway=gateway: not gateway.outbox(), "it stays in the outbox")
            self.assertEqual(upstream.message_ids(), [identity, identity], point)
            trace = gateway.run("trace", _trace_of(upstream.messages[0][2])).stdout
            self.assertIn("was interrupted; duplicate possible", trace)
            gateway.stop()

    def test_f02_after_the_250(self):
        """
        Of 1,000 messages none that got its 250 is missing, however often the gateway is killed.
        """
        gateway = self.gateway(tables="[policy]\ntag = 0.1\nquarantine = 0.4\nreject = 50\n")
        gateway.start()
        stopped = threading.Event()
        taken = [[] for _ in range(4)]

        def client(number):
            rest = 50 * CRASHES
            while rest and not stopped.wait(0):
                subject = f"message {number} {rest}."
                _, content = make_message(subject)
                if rest % 2:
                    # Without a Message-ID it is doubtful, and held.
                    content = content.replace(b"Message-ID:", b"X-Message-ID:")
                while not stopped.wait(0):
                    if send(gateway.smtp_port, content):
                        taken[number].append(subject)
                        break
                    stopped.wait(0.05)
                rest -= 1

        clients = [threading.Thread(target=client, args=(number,)) for number in range(4)]
        for thread in clients:
            thread.start()
        chance = random.Random(7)
        try:
            for _ in range(CRASHES):
                goal = sum(map(len, taken)) + chance.randrange(80, 150)
                while sum(map(len, taken)) < goal and any(t.is_alive() for t in clients):
                    # A client that has ended would not be waited for at all.
                    stopped.wait(0.01)
                gateway.kill()
                gateway.start()
            for thread in clients:
                thread.join(600)
        finally:
            stopped.set()
        self.assertEqual(sum(map(len, taken)), 200 * CRASHES)
        kept = b"".join(gateway.delivered()).decode("ascii")
        kept += "".join(f"Subject: {row['subject']}\n" for row in gateway.held())
        missing = [
            subject for sent in taken for subject in sent if f"Subject: {subject}\n" not in kept
        ]
        self.assertEqual(missing, [])


def _trace_of(content):
    """
    Give the trace that stands in a delivered message.
    """
    return re.search(rb"(?m)^X-Mailgate-Trace: (\S+)", content)[1].decode("ascii")
