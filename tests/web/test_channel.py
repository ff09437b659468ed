"""
Tests for L{mailgate.web.channel}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.message import MemoryMessage
from mailgate.web.channel import ANSWER_SECONDS, LINGER_BYTES, LINGER_SECONDS, REQUEST_SECONDS
from mailgate.web.site import CONNECTIONS
from tests.web.harness import HOST, World, parse


def head(method="POST", path="/sign-in", *lines):
    """
    Make the beginning of a request.
    """
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {HOST}", *lines, "", ""]).encode()


class Limits(SynchronousTestCase):
    """
    What a request may cost before any page sees it (W7 of the list of attacks).
    """

    def setUp(self):
        """
        Open a connection.
        """
        self.world = World(self)
        self.channel, self.transport = self.world.connect()
        self.addCleanup(self.channel.connectionLost, Failure(ConnectionDone()))

    def send(self, *pieces):
        """
        Send bytes and give the response, or C{None}.
        """
        for piece in pieces:
            self.channel.dataReceived(piece)
        value = self.transport.value()
        return parse(value) if value else None

    def assert_refused(self, response, code):
        """
        Hold that a response is a whole error page which ends the connection.
        """
        self.assertEqual(response.code, code)
        self.assertEqual(int(response.header("content-length")), len(response.body))
        self.assertEqual(response.header("connection"), "close")
        self.assertEqual(response.header("server"), "mailgate")
        self.assertIn("default-src 'none'", response.header("content-security-policy"))
        self.assertIn(b"<!doctype html>", response.body)

    def test_announced_body(self):
        """
        A body that is announced too large is refused before a byte of it is read.
        """
        response = self.send(head("POST", "/sign-in", "Content-Length: 1000000000"))
        self.assert_refused(response, 413)

    def test_limit_of_the_route(self):
        """
        Each route has a limit of its own; where none is stated it is 64 KiB.
        """
        for path, limit in (("/quarantine", 65536), ("/sign-in", 8192), ("/nowhere", 65536)):
            for size, expected in ((limit, None), (limit + 1, 413)):
                channel, transport = self.world.connect()
                channel.dataReceived(head("POST", path, f"Content-Length: {size}"))
                value = transport.value()
                self.assertEqual(parse(value).code if value else None, expected, (path, size))
                channel.connectionLost(None)

    def test_chunked_body(self):
        """
        A body in chunks is refused as soon as there is more of it than the route takes.
        """
        self.send(head("POST", "/sign-in", "Transfer-Encoding: chunked"))
        chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
        self.assertIsNone(self.send(chunk, chunk))
        self.assert_refused(self.send(chunk), 413)
        self.assertLessEqual(len(self.channel.requests[0].body()), 8192)

    def test_chunked_body_at_once(self):
        """
        A chunked body that comes whole with its request is no way around the limit.
        """
        chunks = b"1000\r\n" + b"x" * 4096 + b"\r\n"
        data = head("POST", "/sign-in", "Transfer-Encoding: chunked") + chunks * 4 + b"0\r\n\r\n"
        response = self.send(data)
        self.assert_refused(response, 413)
        self.assertEqual(self.transport.value().count(b"HTTP/1.1 "), 1)

    def test_no_invitation(self):
        """
        A client that asks whether it may send too much is not told to go on.
        """
        self.send(head("POST", "/sign-in", "Content-Length: 99999", "Expect: 100-continue"))
        self.assertNotIn(b"100 Continue", self.transport.value())
        self.assertEqual(self.transport.value().count(b"HTTP/1.1 "), 1)

    def test_refused_client_may_read_the_answer(self):
        """
        What a refused client goes on sending is thrown away, for two seconds or a mebibyte.
        """
        self.send(head("POST", "/sign-in", "Content-Length: 99999999"))
        self.send(b"x" * 65536)
        self.assertFalse(self.transport.disconnecting)
        self.world.clock.advance(LINGER_SECONDS)
        self.assertTrue(self.transport.disconnecting)

    def test_refused_client_that_never_ends(self):
        """
        A refused client that sends more than a mebibyte is not listened to any longer.
        """
        self.send(head("POST", "/sign-in", "Content-Length: 99999999"))
        self.send(*[b"x" * 65536] * (LINGER_BYTES // 65536 + 1))
        self.assertTrue(self.transport.disconnecting)

    def test_length_that_is_no_number(self):
        """
        A length of thousands of digits is refused without being made a number.
        """
        self.assert_refused(self.send(head("POST", "/", "Content-Length: " + "9" * 5000)), 413)

    def test_two_lengths(self):
        """
        A request whose length can be read in two ways is refused, so none hides in another.
        """
        for lines in (
            ("Content-Length: 5", "Content-Length: 6"),
            ("Content-Length: 5", "Transfer-Encoding: chunked"),
            ("Transfer-Encoding: chunked, identity",),
            ("Content-Length: +5",),
        ):
            channel, transport = self.world.connect()
            channel.dataReceived(head("POST", "/sign-in", *lines))
            self.assertEqual(parse(transport.value()).code, 400, lines)
            self.assertTrue(transport.disconnecting)
            channel.connectionLost(None)

    def test_ten_thousand_headers(self):
        """
        A request with 10,000 headers is refused.
        """
        response = self.send(head("GET", "/", *["X: y"] * 10_000))
        self.assertEqual(response.code, 400)
        self.assertTrue(self.transport.disconnecting)

    def test_huge_url(self):
        """
        A URL of a mebibyte is refused while it comes in.
        """
        sent = 0
        while not self.transport.value() and sent < 64:
            self.channel.dataReceived((b"GET /" if not sent else b"") + b"a" * 16384)
            sent += 1
        self.assert_refused(parse(self.transport.value()), 431)
        self.assertLess(sent, 4)

    def test_slow_request(self):
        """
        A request that trickles in is refused after 30 seconds, however regularly bytes come.
        """
        data = head("POST", "/sign-in", "Content-Length: 5000") + b"x" * 4000
        for second in range(int(REQUEST_SECONDS)):
            self.assertEqual(self.transport.value(), b"", second)
            self.channel.dataReceived(data[second * 10 : second * 10 + 10])
            self.world.clock.advance(1)
        self.assert_refused(parse(self.transport.value()), 408)

    def test_idle_connection(self):
        """
        A connection without a request is closed after a minute.
        """
        self.world.clock.pump([1] * 59)
        self.assertFalse(self.transport.disconnecting)
        self.world.clock.advance(2)
        self.assertTrue(self.transport.disconnecting)

    def test_several_requests(self):
        """
        Requests on one connection are answered in their order, each with a time of its own.
        """
        request = head("GET", "/static/mailgate.js")
        self.send(request)
        self.world.clock.advance(REQUEST_SECONDS - 1)
        self.send(request)
        self.world.clock.advance(REQUEST_SECONDS - 1)
        self.send(request + request)
        self.assertEqual(self.transport.value().count(b"HTTP/1.1 200 OK"), 4)
        self.assertFalse(self.transport.disconnecting)

    def test_connections(self):
        """
        There are no more than 500 connections; one that ends makes room.
        """
        channels = [self.world.connect()[0] for _ in range(CONNECTIONS - 1)]
        self.assertNotIn(None, channels)
        self.assertIsNone(self.world.connect()[0])
        channels.pop().connectionLost(None)
        channels.append(self.world.connect()[0])
        self.assertNotIn(None, channels)
        for channel in channels:
            channel.connectionLost(None)

    def test_visitor_who_leaves(self):
        """
        A visitor who leaves before the answer is made leaves nothing behind.
        """
        browser = self.world.signed_in()
        answer = Deferred()
        self.patch(self.world.quarantine, "open", lambda identity: answer)
        cookie = f"Cookie: mailgate_log_in={browser.cookies['mailgate_log_in']}"
        channel, transport = self.world.connect()
        channel.dataReceived(head("GET", f"/quarantine/{self.world.hold()}/raw", cookie))
        channel.connectionLost(Failure(ConnectionDone()))
        closed = []
        answer.callback(MemoryMessage((b"x",), on_close=lambda: closed.append(True)))
        self.assertEqual(closed, [True])
        self.assertEqual(transport.value(), b"")

    def test_endless_answer(self):
        """
        A visitor who does not take the answer is cut off after a quarter of an hour.
        """
        self.patch(self.world.log_ins, "find", lambda token: Deferred())
        self.send(head("GET", "/", "Cookie: mailgate_log_in=" + "x" * 43))
        self.world.clock.advance(ANSWER_SECONDS - 1)
        self.assertFalse(self.transport.disconnected)
        self.world.clock.advance(1)
        self.assertTrue(self.transport.disconnected)

    def test_no_twisted_sessions(self):
        """
        Nothing can use Twisted's own sessions.
        """
        self.channel.dataReceived(b"GET / HTTP/1.1\r\n")
        self.assertRaises(RuntimeError, self.channel.requests[0].getSession)
