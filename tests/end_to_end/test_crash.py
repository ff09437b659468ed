"""
Tests F1 to F3: kill -9 at any moment loses nothing.
"""

import os
import random
import threading
from pathlib import Path

from tests.end_to_end.case import EndToEndTestCase
from tests.end_to_end.client import make_message, send
from tests.end_to_end.crash import COMMIT_POINTS, FILE_POINTS, REPLY_POINTS

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

    def crash_at(self, gateway, point):
        """
        Send a message to a gateway that ends at C{point}, then to one that does not.

        @return: the Message-ID.
        """
        identity, content = make_message(point)
        armed = gateway.folder / "armed"
        gateway.start(
            "-y",
            TAC,
            MAILGATE_TEST_CONFIG=str(gateway.config),
            MAILGATE_TEST_POINT=point,
            MAILGATE_TEST_ARMED=str(armed),
        )
        armed.touch()
        self.assertFalse(send(gateway.smtp_port, content), f"250 in spite of a crash {point}")
        self.assertTrue(gateway.process_ended(10), point)
        self.assertEqual(gateway.process.returncode, -9, gateway.said())
        armed.unlink()
        gateway.start()
        self.assertTrue(send(gateway.smtp_port, content), point)
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
