"""
Ports of loopback for the tests of this process, and of no other that runs tests.
"""

import socket
from functools import cache
from itertools import cycle, islice

HOST = "127.0.0.1"
ALL = range(20000, 32000)
"""
Below those that the kernel gives to clients, so that a port is still free when a gateway is
started anew.
"""

SIZE = 200
"""How many a process has, the one included by which it holds the others."""


class Block:
    """
    Some ports that are ours for as long as this process lives, however it ends: their first one
    is bound, which nobody else can do then.
    """

    def __init__(self):
        for first in ALL[::SIZE]:
            self._first = socket.socket()
            try:
                self._first.bind((HOST, first))
            except OSError:
                self._first.close()
            else:
                self._ports = cycle(range(first + 1, first + SIZE))
                return
        raise RuntimeError("too many processes run tests")

    def free_port(self):
        """
        Give one that nothing uses, the one that was given the longest time ago.
        """
        for port in islice(self._ports, SIZE):
            try:
                socket.create_server((HOST, port)).close()
            except OSError:
                continue
            return port
        raise RuntimeError("all ports of this process are in use")

    def close(self):
        """
        Leave them to others.
        """
        self._first.close()


@cache
def _own():
    return Block()


def free_port():
    """
    Give a port of loopback that nobody uses, and no other process of tests is given.
    """
    return _own().free_port()
