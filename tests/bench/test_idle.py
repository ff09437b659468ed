"""
Tests of the clients that only stand there.
"""

import socket
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from bench import idle
from bench.idle import Crowd, raise_file_limit, times
from bench.processes import Unavailable


class CrowdTests(SynchronousTestCase):
    """
    Tests of L{Crowd} with a real server.
    """

    def serve(self, *greetings):
        """
        Start a server that says each of C{greetings} to one client; give its address, and the
        list of its connections.
        """
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        clients = []

        def greet():
            for greeting in greetings:
                client, _ = listener.accept()
                clients.append(client)
                client.sendall(greeting)

        thread = Thread(target=greet)
        thread.start()
        self.addCleanup(lambda: [client.close() for client in clients])
        self.addCleanup(thread.join)
        return listener.getsockname(), clients

    def crowd(self):
        """
        Make an empty one.
        """
        crowd = Crowd()
        self.addCleanup(crowd.leave)
        return crowd

    def test_grow(self):
        """
        All are greeted and stay, and how long each has waited is known.
        """
        address, clients = self.serve(*[b"220 hello\r\n"] * 10)
        crowd = self.crowd()
        crowd.grow(address, 7, at_once=3)
        crowd.grow(address, 3, at_once=100)
        self.assertEqual([len(crowd.connections), len(crowd.waits), crowd.lost()], [10, 10, 0])
        self.assertTrue(all(0 < wait < 60 for wait in crowd.waits))
        here = {client.getsockname() for client in crowd.connections}
        self.assertEqual(here, {client.getpeername() for client in clients})

    def test_lost(self):
        """
        Those who were sent away, or cut off, are counted.
        """
        address, clients = self.serve(*[b"220 hello\r\n"] * 3)
        crowd = self.crowd()
        crowd.grow(address, 3, at_once=3)
        clients[0].sendall(b"421 too slow\r\n")
        clients[2].close()
        self.assertEqual(crowd.lost(), 2)

    def test_secure(self):
        """
        All of them begin TLS, in place of their connections.
        """
        address, _ = self.serve(*[b"220 hello\r\n"] * 3)
        crowd = self.crowd()
        crowd.grow(address, 3, at_once=3)
        self.patch(idle, "begin_tls", lambda client: f"secure {client.getsockname()[1]}")
        ports = [client.getsockname()[1] for client in crowd.connections]
        connections = list(crowd.connections)
        crowd.secure()
        self.assertEqual(crowd.connections, [f"secure {port}" for port in ports])
        crowd.connections = connections

    def test_refused(self):
        """
        Whoever is not greeted ends it.
        """
        address, _ = self.serve(b"421 too busy\r\n")
        error = self.assertRaises(RuntimeError, self.crowd().grow, address, 1, 1)
        self.assertIn("421 too busy", str(error))


class FigureTests(SynchronousTestCase):
    """
    Tests of what is printed, and of what is asked of the system.
    """

    def test_times(self):
        """
        The median and the worst are told.
        """
        self.assertEqual(times([0.001, 0.0105, 0.002]), "median 2.0 ms, worst 10.5 ms")

    def test_file_limit(self):
        """
        More open files than there can be are refused, with the number.
        """
        error = self.assertRaises(Unavailable, raise_file_limit, 2**40)
        self.assertIn(f"{2**40} open files are needed", str(error))
