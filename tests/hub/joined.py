"""
Two protocols joined in memory: what one writes, the other has at once.
"""

from collections import deque

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure


class Joined:
    """
    One end of the connection.
    """

    def __init__(self, lines):
        self.lines = lines
        self.other = None
        self.protocol = None
        self.is_open = True
        self.written = 0

    def write(self, data):
        """
        Hand on; never while the other end is at something.
        """
        self.written += len(data)
        if self.is_open:
            self.lines.put(lambda: self.other.is_open and self.other.protocol.dataReceived(data))

    def registerProducer(self, producer, streaming):
        """
        Never let it wait: the other end reads at once.
        """

    def unregisterProducer(self):
        """
        Nor did it.
        """

    def loseConnection(self):
        """
        End the connection, once all is handed on.
        """
        self.lines.put(self._lose)

    def _lose(self):
        for end in (self, self.other):
            if end.is_open:
                end.is_open = False
                end.protocol.connectionLost(Failure(ConnectionDone()))


class Lines:
    """
    What is under way, in its order.
    """

    def __init__(self):
        self.waiting = deque()
        self.is_busy = False

    def put(self, step):
        """
        Do a step once those before have been done.
        """
        self.waiting.append(step)
        if self.is_busy:
            return
        self.is_busy = True
        try:
            while self.waiting:
                self.waiting.popleft()()
        finally:
            self.is_busy = False


def join(one, other):
    """
    Join two protocols.
    """
    lines = Lines()
    ends = [Joined(lines), Joined(lines)]
    ends[0].other, ends[1].other = ends[1], ends[0]
    for end, protocol in zip(ends, (one, other), strict=True):
        end.protocol = protocol
    for end in ends:
        end.protocol.makeConnection(end)
