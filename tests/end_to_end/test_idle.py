"""
Tests with many clients that only stand there.
"""

import resource
import socket
import time
from collections import Counter

from bench.idle import RESERVED, Crowd, raise_file_limit
from bench.processes import resident_bytes
from tests.end_to_end.case import Conversation, EndToEndTestCase
from tests.end_to_end.client import make_message, send
from tests.end_to_end.gateway import lack

IDLE = 200
MANY = 10_000
FLOOD = 1_000
MIB = 1024 * 1024
LIMITS = f"""
[limits.clients]
connections = {2 * MANY}
exempt_networks = ["127.0.0.1", "127.0.0.2"]
"""


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

    def test_f17_many(self):
        """
        With 10,000 idle connections over two workers, or as many as the machine allows, and another
        address that opens 1,000 at once and gets no more than one may have, others are greeted
        within a second; memory is bounded.
        """
        # All clients are in this process, and some others must get in as well.
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = MANY if hard == resource.RLIM_INFINITY else hard - FLOOD - RESERVED - 200
        number = min(MANY, most)
        if number < MANY // 2:
            lack(self, f"{hard} open files are too few (ulimit -Hn)")
        raise_file_limit(number + FLOOD + RESERVED)
        gateway = self.gateway(top="workers = 2", tables=LIMITS).start()
        self.eventually(lambda: "gateway.started" in gateway.said(), "it does not start")
        place = ("127.0.0.1", gateway.smtp_port)
        before = resident_bytes(gateway.process.pid)
        crowd = Crowd()
        self.addCleanup(crowd.leave)
        crowd.grow(place, number, 200)
        self.assertLess(max(crowd.waits), 5)
        grown = resident_bytes(gateway.process.pid) - before
        self.assertLess(grown / MIB / number * 1000, 4)
        flood = [self.connect(place, "127.0.0.77") for _ in range(FLOOD)]
        for number in range(20):
            began = time.monotonic()
            other = self.connect(place, f"127.0.1.{number}")
            self.assertEqual(other.recv(100)[:4], b"220 ")
            self.assertLess(time.monotonic() - began, 1)
        said = Counter(client.recv(100)[:9] for client in flood)
        # Two workers may both let one in at the same moment.
        self.assertLessEqual(FLOOD - said[b"421 4.7.0"], 100, said)
        self.assertEqual(crowd.lost(), 0)
        self.assertTrue(send(gateway.smtp_port, make_message()[1]))

    def connect(self, place, address):
        """
        Connect from an address.
        """
        client = socket.create_connection(place, 30, (address, 0))
        self.addCleanup(client.close)
        return client

    def test_f17_many_with_tls(self):
        """
        A thousand that have begun TLS take as much memory as is told, and no more.
        """
        gateway = self.gateway().start()
        place = ("127.0.0.1", gateway.smtp_port)
        crowd, first = Crowd(), Crowd()
        for each in (crowd, first):
            self.addCleanup(each.leave)
        first.grow(place, 20, 20)
        first.secure()
        before = resident_bytes(gateway.process.pid)
        crowd.grow(place, 300, 50)
        crowd.secure()
        grown = resident_bytes(gateway.process.pid) - before
        self.assertLess(grown / MIB / 300 * 1000, 30)
        self.assertEqual(crowd.lost(), 0)
