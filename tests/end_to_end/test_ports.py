"""
Tests of the ports for tests.
"""

import socket
import subprocess
import sys
from contextlib import ExitStack

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.gateway import REPOSITORY
from tests.end_to_end.ports import ALL, HOST, SIZE, Block, free_port

OTHER = """
import sys
from tests.end_to_end.ports import free_port
print(*(free_port() for _ in range(300)), flush=True)
sys.stdin.read()
"""


class PortTests(SynchronousTestCase):
    """
    Tests of L{free_port}.
    """

    def test_processes(self):
        """
        Processes that run at the same time are given different ports.
        """
        mine = {free_port() for _ in range(300)}
        self.assertEqual(len(mine), SIZE - 1)
        self.assertLessEqual(mine, set(ALL))
        seen = [mine]
        with ExitStack() as stack:
            for _ in range(3):
                other = subprocess.Popen(
                    [sys.executable, "-c", OTHER],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    cwd=REPOSITORY,
                )
                # Ends its input, then waits for it.
                stack.enter_context(other)
                seen.append({int(word) for word in other.stdout.readline().split()})
        self.assertEqual(len(set().union(*seen)), sum(map(len, seen)))
        self.assertTrue(all(len(ports) > SIZE // 2 for ports in seen))

    def test_in_use(self):
        """
        A port at which something listens is not given.
        """
        block = Block()
        self.addCleanup(block.close)
        first = block.free_port()
        with socket.create_server((HOST, first + 1)):
            self.assertEqual([block.free_port(), block.free_port()], [first + 2, first + 3])

    def test_left(self):
        """
        What one has left others get.
        """
        for _ in ALL[::SIZE]:
            Block().close()
        block = Block()
        self.addCleanup(block.close)
        self.assertIn(block.free_port(), ALL)
