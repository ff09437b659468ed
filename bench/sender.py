"""
A lean SMTP sender: many connections over plain sockets and epoll, one thread.

L{converse} is one connection as a generator, without its socket: it yields what to say and
is sent the reply. L{send} gives each such conversation a socket.
"""

from __future__ import annotations

import select
import socket
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

ATTEMPTS = 3
"""How often a message is begun before its end has been sent, until it counts as unsent."""


@dataclass(frozen=True)
class Mail:
    """
    One message and its envelope, ready to be sent.
    """

    name: str
    """What the caller calls it."""

    sender: str
    recipient: str
    wire: bytes
    """What follows 354: dot-stuffed, with the final dot (see L{stuffed})."""


@dataclass(frozen=True)
class Result:
    """
    How one message ended. Every message that was asked for has exactly one.
    """

    mail: Mail
    stage: str
    """Whose reply it is: C{CONNECT}, C{EHLO}, C{MAIL}, C{RCPT}, C{DATA} or C{DOT}."""

    reply: str
    """The reply as one line, C{""} where the connection was lost or timed out instead."""

    seconds: float
    """From MAIL, or from connecting where the message has a new connection, to the reply."""

    @property
    def kind(self) -> str:
        """
        Say what became of it: C{accepted}, C{refused} (5xx), C{deferred} (4xx), C{unknown}
        (all was sent, no reply came) or C{unsent} (the connection could not be used).
        """
        if not self.reply:
            return "unknown" if self.stage == "DOT" else "unsent"
        if self.reply[0] == "2" and self.stage == "DOT":
            return "accepted"
        return "deferred" if self.reply[0] == "4" else "refused"


@dataclass(frozen=True)
class Manner:
    """
    How to send.
    """

    connections: int = 10
    messages_per_connection: int = 0
    """After how many messages a connection is replaced by a new one; 0: never."""

    pipelining: bool = True
    """Whether MAIL, RCPT and DATA go in one write where the server offers PIPELINING."""

    timeout: float = 300
    """Seconds without a sign of the server after which a connection is given up."""

    helo: str = "client.example.net"


class Work:
    """
    The messages still to be sent, and the results.
    """

    def __init__(self, mails: Iterable[Mail]) -> None:
        self._source = iter(mails)
        self._again: deque[tuple[Mail, int]] = deque()
        self.results: deque[Result] = deque()

    def take(self) -> tuple[Mail, int] | None:
        """
        Give the next message and the number of attempts already made, or C{None}: no more.
        """
        if self._again:
            return self._again.popleft()
        mail = next(self._source, None)
        return None if mail is None else (mail, 0)

    def settle(self, result: Result) -> None:
        """
        Note how a message ended.
        """
        self.results.append(result)

    def unsettle(self, result: Result, attempts: int) -> None:
        """
        Keep a message for another attempt, or note C{result} after the last one.
        """
        if attempts + 1 < ATTEMPTS:
            self._again.append((result.mail, attempts + 1))
        else:
            self.results.append(result)


class Lost(Exception):
    """
    The connection is gone, or nothing has been heard for too long.
    """

    def __init__(self, all_was_sent: bool) -> None:
        """
        Keep whether the last thing to be said had gone out as a whole.
        """
        super().__init__()
        self.all_was_sent = all_was_sent


Conversation = Generator[bytes, str, None]


def stuffed(message: bytes) -> bytes:
    """
    Write a message with CRLF line ends as it follows 354 (RFC 5321 section 4.5.2).
    """
    if message.startswith(b"."):
        message = b"." + message
    message = message.replace(b"\r\n.", b"\r\n..")
    return message + (b".\r\n" if message.endswith(b"\r\n") or not message else b"\r\n.\r\n")


def converse(
    work: Work, mail: Mail, attempts: int, manner: Manner, clock: Callable[[], float] = monotonic
) -> Conversation:
    """
    Talk to a server, beginning with C{mail}, until there is no more to send.

    It yields what to send, C{b""} for nothing, and expects one whole reply each time; L{Lost}
    is thrown in when there will be none.
    """
    started, sent, stage = clock(), 0, "CONNECT"

    def result(stage: str, reply: str) -> Result:
        return Result(mail, stage, reply, clock() - started)

    try:
        reply = ""
        for stage, line in (("CONNECT", b""), ("EHLO", b"EHLO %s\r\n" % manner.helo.encode())):
            reply = yield line
            if not reply.startswith("2"):
                work.unsettle(result(stage, reply), attempts)
                return
        pipelining = manner.pipelining and "PIPELINING" in reply.upper()
        while True:
            commands = [
                ("MAIL", b"MAIL FROM:<%s>\r\n" % mail.sender.encode()),
                ("RCPT", b"RCPT TO:<%s>\r\n" % mail.recipient.encode()),
                ("DATA", b"DATA\r\n"),
            ]
            if pipelining:
                together = b"".join(line for _, line in commands)
                commands = [("MAIL", together), ("RCPT", b""), ("DATA", b"")]
            rest = iter(commands)
            for stage, line in rest:
                reply = yield line
                if reply.startswith("421"):
                    work.unsettle(result(stage, reply), attempts)
                    return
                if reply[:1] not in ("2", "3"):
                    break
            if reply.startswith("354"):
                stage = "DOT"
                reply = yield mail.wire
                work.settle(result(stage, reply))
                if reply.startswith("421"):
                    return
            else:
                work.settle(result(stage, reply))
                stage = "RSET"
                for _ in rest if pipelining else ():
                    reply = yield b""
                if reply.startswith("354"):
                    yield b".\r\n"
                yield b"RSET\r\n"
            sent += 1
            stage = "QUIT"
            if sent == manner.messages_per_connection:
                break
            following = work.take()
            if following is None:
                break
            mail, attempts = following
            started = clock()
        yield b"QUIT\r\n"
    except Lost as lost:
        if stage == "DOT" and lost.all_was_sent:
            work.settle(result("DOT", ""))
        elif stage not in ("RSET", "QUIT"):
            work.unsettle(result("DATA" if stage == "DOT" else stage, ""), attempts)


class _Connection:
    """
    A socket that carries a conversation.
    """

    def __init__(self, address: tuple[str, int], conversation: Conversation) -> None:
        self._conversation = conversation
        self._received = b""
        self._reply: list[str] = []
        self._unsent = memoryview(next(conversation))
        self._is_broken = False
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.active = monotonic()
        try:
            self.socket.connect(address)
        except BlockingIOError:
            pass
        except OSError:
            pass  # epoll reports it, and then it counts as a lost connection

    @property
    def wants_to_write(self) -> bool:
        """
        Tell whether the socket has taken less than all that is to be said.
        """
        return bool(self._unsent)

    def readable(self) -> bool:
        """
        Read, and answer each complete reply; tell whether the conversation goes on.
        """
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        if not data:
            return self.lost()
        self.active = monotonic()
        *lines, self._received = (self._received + data).split(b"\r\n")
        for line in lines:
            self._reply.append(line.decode("ascii", "replace"))
            if line[3:4] == b"-":
                continue
            reply = "\n".join(self._reply)
            self._reply = []
            try:
                saying = self._conversation.send(reply)
            except StopIteration:
                return False
            if saying:
                self._unsent = memoryview(bytes(self._unsent) + saying if self._unsent else saying)
                self.writable()
        return True

    def writable(self) -> None:
        """
        Send as much as the socket takes.
        """
        try:
            while self._unsent:
                self._unsent = self._unsent[self.socket.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            # What the server said before it went may still be there to be read.
            self._is_broken, self._unsent = True, memoryview(b"")
        self.active = monotonic()

    def lost(self) -> bool:
        """
        End the conversation for want of a connection; it never goes on.
        """
        with suppress(StopIteration):
            self._conversation.throw(Lost(not self._unsent and not self._is_broken))
        return False


def send(address: tuple[str, int], mails: Iterable[Mail], manner: Manner) -> Iterator[Result]:
    """
    Send every one of C{mails} to a server, and give the results as they come.

    C{mails} is read as connections need them, so it may be long. A message whose connection
    breaks before its final dot is begun again on another one, L{ATTEMPTS} times in all; after
    the dot never.
    """
    work = Work(mails)
    poll = select.epoll()
    connections: dict[int, _Connection] = {}
    interest: dict[int, int] = {}
    more = True
    looked = monotonic()
    try:
        while True:
            while more and len(connections) < manner.connections:
                taken = work.take()
                if taken is None:
                    more = False
                    break
                connection = _Connection(address, converse(work, *taken, manner))
                number = connection.socket.fileno()
                connections[number] = connection
                interest[number] = select.EPOLLIN
                poll.register(number, select.EPOLLIN)
            if not connections:
                break
            ended = []
            for number, event in poll.poll(1):
                connection = connections[number]
                if event & select.EPOLLOUT:
                    connection.writable()
                if event & ~select.EPOLLOUT and not connection.readable():
                    ended.append(number)
                    continue
                wanted = select.EPOLLIN | (select.EPOLLOUT if connection.wants_to_write else 0)
                if wanted != interest[number]:
                    interest[number] = wanted
                    poll.modify(number, wanted)
            now = monotonic()
            if now - looked > 1:
                looked = now
                for number, connection in connections.items():
                    if now - connection.active > manner.timeout and number not in ended:
                        connection.lost()
                        ended.append(number)
            for number in ended:
                poll.unregister(number)
                del interest[number]
                connections.pop(number).socket.close()
                more = True
            while work.results:
                yield work.results.popleft()
    finally:
        for connection in connections.values():
            connection.socket.close()
        poll.close()
    yield from work.results
