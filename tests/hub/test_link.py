"""
Tests of L{mailgate.hub.link}.
"""

import errno
from types import MappingProxyType

import msgspec
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from mailgate.hub.link import FRAME_LIMIT, CallFailed, Link, LinkLost, Method
from mailgate.wording import Sentence
from tests.hub.joined import join
from tests.pipeline.events import events


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
TRACE = Method("trace", int, is_expendable=True)
COUNT = Method("count", int)


def _frame(method, value):
    """
    Give what is written when something is told.
    """
    transport = StringTransport()
    link = Link({})
    link.makeConnection(transport)
    link.tell(method, value)
    return transport.value()


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

    def unread(self, backlog=1000):
        """
        Make an end whose other end does not read, and a way to what it has written.
        """
        link = Link({}, backlog)
        transport = StringTransport()
        link.makeConnection(transport)
        transport.producer.pauseProducing()

        def written():
            link.tell(Method("end", None))
            numbers, rest = [], transport.value()
            while rest:
                end = 4 + int.from_bytes(rest[:4], "big")
                numbers.append(msgspec.msgpack.decode(rest[4:end])[3])
                rest = rest[end:]
            self.assertIsNone(numbers.pop())
            return numbers

        return link, transport, written

    def test_unread(self):
        """
        While the other end does not read, what is said waits in its order: of what can be done
        without so much only, and all of the rest. What was dropped is counted and told.
        """
        link, transport, written = self.unread(backlog=10 * len(_frame(TRACE, 10)))
        for number in range(10, 20):
            link.tell(TRACE, number)
            link.tell(COUNT, number)
        for number in range(20, 50):
            link.tell(TRACE, number)
        link.call(COUNT, 50)
        self.assertEqual(transport.value(), b"")
        with events() as told:
            transport.producer.resumeProducing()
        self.assertEqual(written(), [n for n in range(10, 20) for _ in range(2)] + [50])
        (event,) = told
        self.assertEqual(
            (event["event"], event["number"], event["name"]), ("link.dropped", 30, "trace")
        )
        transport.producer.pauseProducing()
        link.tell(TRACE, 60)
        transport.producer.resumeProducing()
        self.assertEqual(written()[-1], 60)

    def test_read_in_part(self):
        """
        Where it reads a little, a little is said: what waits is not put into another queue, that
        nobody bounds.
        """
        link, transport, _ = self.unread()
        for number in range(3):
            link.tell(TRACE, number)
        write = transport.write

        def write_once(data):
            write(data)
            transport.producer.pauseProducing()

        self.patch(transport, "write", write_once)
        with events() as told:
            transport.producer.resumeProducing()
            self.assertEqual(transport.value(), _frame(TRACE, 0))
            transport.producer.resumeProducing()
        self.assertEqual(transport.value(), _frame(TRACE, 0) + _frame(TRACE, 1))
        self.assertEqual(told, [])

    def test_ended_unread(self):
        """
        When one end ends the connection, what waits is written before.
        """
        link, transport, _ = self.unread()
        link.tell(TRACE, 1)
        link.lose()
        self.assertTrue(transport.disconnecting)
        self.assertIsNone(transport.producer)
        self.assertEqual(transport.value(), _frame(TRACE, 1))

    def test_wrong_type(self):
        """
        A value of another type than was written down ends the connection.
        """
        for method, value in ((ADD, ("2", 3)), (NOTE, {"number": 1}), (Method("rm", str), "/")):
            self.setUp()
            self.near.tell(method, value)
            self.successResultOf(self.near.lost)
            self.assertEqual(self.noted, [])

    def test_nested_for_ever(self):
        """
        Sentences that stand in each other for ever end the connection, and nothing else.
        """
        deep = b"\x82\xa8template\xa1a\xa6values\x81\xa1a" * 5_000 + b"\xa1a"
        frame = b"\x94\x00\x00" + b"\xa4tell" + deep
        link = Link({Method("tell", Sentence): self.noted.append})
        transport = StringTransport()
        link.makeConnection(transport)
        link.dataReceived(len(frame).to_bytes(4, "big") + frame)
        self.assertEqual((transport.disconnecting or transport.aborting, self.noted), (True, []))

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
