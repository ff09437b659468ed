"""
Tests of L{mailgate.hub.link}.
"""

import errno
from types import MappingProxyType

from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailgate.hub.link import FRAME_LIMIT, CallFailed, Link, LinkLost, Method
from tests.hub.joined import join


@frozen
class Order:
    """
    A value that crosses.
    """

    words: str
    number: int = 0


ADD = Method("add", tuple[int, int], int)
NOTE = Method("note", Order)
FAIL = Method("fail", str, None)


class LinkTests(SynchronousTestCase):
    """
    Tests of what one end asks of the other.
    """

    def setUp(self):
        """
        Join two ends.
        """
        self.noted = []
        self.waiting = Deferred()
        self.near = Link({})
        self.far = Link({ADD: sum, NOTE: self.noted.append, FAIL: self.fail_as})
        join(self.near, self.far)

    def fail_as(self, how):
        """
        Fail, or wait.
        """
        if how == "wait":
            return self.waiting
        raise OSError(errno.ENOSPC, "no room") if how == "disk" else RuntimeError("a mistake")

    def test_call(self):
        """
        A call is answered.
        """
        self.assertEqual(self.successResultOf(self.near.call(ADD, (2, 3))), 5)

    def test_tell(self):
        """
        What is told arrives as the type that it was, and is not answered.
        """
        self.assertIsNone(self.near.tell(NOTE, Order("hello", 7)))
        self.assertEqual(self.noted, [Order("hello", 7)])

    def test_answers_find_their_calls(self):
        """
        Answers may come in another order than the calls.
        """
        first = self.near.call(FAIL, "wait")
        second = self.near.call(ADD, (1, 1))
        self.assertEqual(self.successResultOf(second), 2)
        self.assertNoResult(first)
        self.waiting.callback(None)
        self.assertIsNone(self.successResultOf(first))

    def test_errors(self):
        """
        An error of the disk stays one; anything else is told in words, and is an event there.
        """
        error = self.failureResultOf(self.near.call(FAIL, "disk"), OSError).value
        self.assertEqual((error.errno, error.strerror), (errno.ENOSPC, "no room"))
        failure = self.failureResultOf(self.near.call(FAIL, "mistake"), CallFailed)
        self.assertIn("a mistake", str(failure.value))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_lost(self):
        """
        Who waits for an answer is told that the other end is gone, and so is who asks later.
        """
        asked = self.near.call(FAIL, "wait")
        self.far.lose()
        self.failureResultOf(asked, LinkLost)
        self.failureResultOf(self.near.call(ADD, (1, 1)), LinkLost)
        self.near.tell(NOTE, Order("nobody"))
        self.assertEqual(self.noted, [])
        self.successResultOf(self.near.lost)
        self.waiting.callback(None)

    def test_wrong_type(self):
        """
        A value of another type than was written down ends the connection.
        """
        for method, value in ((ADD, ("2", 3)), (NOTE, {"number": 1}), (Method("rm", str), "/")):
            self.setUp()
            self.near.tell(method, value)
            self.successResultOf(self.near.lost)
            self.assertEqual(self.noted, [])

    def test_answer_to_nothing(self):
        """
        So does an answer that nobody asked for.
        """
        self.near.dataReceived(self.frame((2, 9, "", None)))
        self.successResultOf(self.far.lost)

    def test_too_long(self):
        """
        So does a frame that is too long, before it has come.
        """
        self.near.dataReceived((FRAME_LIMIT + 1).to_bytes(4, "big"))
        self.successResultOf(self.far.lost)

    def test_mapping(self):
        """
        A mapping that nobody can change crosses as a mapping.
        """
        methods = {Method("map", dict[str, int]): self.noted.append}
        far = Link(methods)
        join(near := Link({}), far)
        near.tell(next(iter(methods)), MappingProxyType({"a": 1}))
        self.assertEqual(self.noted, [{"a": 1}])

    def frame(self, value):
        """
        Give the bytes of a frame.
        """
        encoded = self.near._encoder.encode(value)
        return len(encoded).to_bytes(4, "big") + encoded

    @given(st.lists(st.text(max_size=30), max_size=6), st.data())
    def test_any_split(self, words, data):
        """
        However the bytes are cut, the same values arrive.
        """
        heard = []
        link = Link({NOTE: heard.append})
        join(link, Link({}))
        wire = b"".join(self.frame((0, 0, "note", Order(each))) for each in words)
        cuts = sorted(data.draw(st.sets(st.integers(0, len(wire)), max_size=8)))
        for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
            link.dataReceived(wire[start:end])
        self.assertEqual(heard, [Order(each) for each in words])

    @given(st.binary(min_size=1, max_size=60))
    def test_any_bytes(self, content):
        """
        Whatever comes, nothing worse happens than the end of the connection.
        """
        link = Link({NOTE: self.noted.append})
        join(link, Link({}))
        link.dataReceived(len(content).to_bytes(4, "big") + content)
        self.assertEqual(self.noted, [])
