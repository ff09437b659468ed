"""
A mail server that misbehaves in one way and is an ordinary one otherwise, without any I/O.

What drives it brings bytes and takes bytes away: L{tests.delivery.chaos_network} in memory,
L{tests.end_to_end.chaos_upstream} on loopback.
"""

import re
from collections import deque
from enum import StrEnum
from math import inf

from attrs import define, field, frozen

EXTENSIONS = ("PIPELINING", "SIZE 1000000", "8BITMIME", "ENHANCEDSTATUSCODES")
PLAIN_EXTENSIONS = ("SIZE 1000000", "8BITMIME", "ENHANCEDSTATUSCODES")
BLOCK = 1 << 14


class Act(StrEnum):
    """
    What the server does in the place of a reply.
    """

    CLOSE = "close"
    """Close the connection without a word."""

    SILENT = "silent"
    """Say nothing any more, and leave the connection open."""

    ENDLESS_LINES = "endless lines"
    """A reply of more and more lines."""

    ENDLESS_LINE = "endless line"
    """A line of more and more bytes."""


_ENDLESS = {
    Act.ENDLESS_LINES: b"250-" + b"more and more" * 4 + b"\r\n",
    Act.ENDLESS_LINE: b"more and more ",
}


_YES = re.compile(rb"(250-[^\n]{0,2000}\n){0,99}250( [^\n]{0,2000})?\n")
"""What tells a client that its message was taken, unless it is too long."""


@frozen
class Taken:
    """
    A message for which the server has taken the responsibility, whoever knows of it.
    """

    sender: str
    recipients: tuple
    content: bytes
    is_told: bool
    """Whether the reply that says so has gone out to its last byte."""


@define(eq=False)
class Chaos:
    """
    What a server does on each of its connections, and what it has taken.
    """

    script: dict = field(factory=dict)
    """
    What it says instead, by step: C{greeting}, C{hello} (EHLO or LHLO), another verb, C{message}
    (at the first bytes of one) or C{.}; for RCPT also by (verb, address). A value is a reply
    without its line end, raw bytes, an L{Act}, a list of values of which each serves once (C{None}
    for the ordinary reply, which also follows the last), or, at the dot of LMTP, a tuple with one
    for each recipient.
    """

    extensions: tuple = EXTENSIONS
    is_lmtp: bool = False
    close_at: list = field(factory=list)
    """After how many bytes of its replies it closes each of its connections, one after the
    other; those that come later are not closed."""

    piece: int = 0
    """Into pieces of how many bytes its replies are cut, or 0 to leave them whole."""

    pause: float = 0.0
    """Seconds between two pieces."""

    is_reversed: bool = False
    """Whether the replies to commands that came together go out in the wrong order."""

    taken: list = field(factory=list)
    heard: list = field(factory=list)
    """The lines of all its connections, those of messages excepted."""

    conversations: list = field(factory=list)

    def recipients_of(self, content):
        """
        Name those for whom it has taken a message that contains C{content}, each as often as it
        was.
        """
        return [who for each in self.taken if content in each.content for who in each.recipients]


class Conversation:
    """
    The server's side of one connection.
    """

    def __init__(self, chaos, write, close, later, start_tls=None):
        """
        @param write: called with bytes to send.
        @param close: called to close the connection once they have gone.
        @param later: called with seconds and what to call then.
        @param start_tls: called behind the reply to STARTTLS; without it there is none.
        """
        self.said = 0
        """How many bytes it has said."""

        self.is_closed = False
        self._chaos = chaos
        self._write = write
        self._close = close
        self._later = later
        self._start_tls = start_tls
        self._close_at = inf
        if len(chaos.conversations) < len(chaos.close_at):
            self._close_at = chaos.close_at[len(chaos.conversations)]
        chaos.conversations.append(self)
        self._out = deque()
        self._is_writing = False
        self._is_silent = False
        self._is_secure = False
        self._rest = b""
        self._replies = []
        self._sender = None
        self._recipients = []
        self._content = None
        """The lines of the message that is coming, or C{None}."""

    def begin(self):
        """
        Greet.
        """
        self._answer("greeting", "220 chaos.example.com ESMTP")
        self._speak()

    def hear(self, data):
        """
        Take what has come.
        """
        lines = (self._rest + data).split(b"\r\n")
        self._rest = lines.pop()
        for line in lines:
            if self.is_closed or self._is_silent:
                return
            if self._content is not None:
                self._hear_content(line)
            else:
                self._chaos.heard.append(line.decode("utf-8"))
                verb, _, argument = line.decode("utf-8").partition(" ")
                getattr(self, f"_on_{verb.lower()}", self._on_unknown)(argument)
        self._speak()

    def lost(self):
        """
        The client is gone.
        """
        self.is_closed = True
        self._out.clear()

    # -- commands -----------------------------------------------------------------------

    def _on_ehlo(self, argument, is_lmtp=False):
        if is_lmtp is not self._chaos.is_lmtp:
            self._on_unknown(argument)
            return
        self._forget()
        offers = [*self._chaos.extensions]
        if self._start_tls is not None and not self._is_secure:
            offers.append("STARTTLS")
        said = [f"250-{line}" for line in ("chaos.example.com", *offers)] + ["250 HELP"]
        self._answer("hello", "\r\n".join(said))

    def _on_lhlo(self, argument):
        self._on_ehlo(argument, is_lmtp=True)

    def _on_helo(self, argument):
        self._forget()
        self._answer("HELO", "250 chaos.example.com")

    def _on_starttls(self, argument):
        if self._start_tls is None or self._is_secure:
            self._on_unknown(argument)
        elif self._answer("STARTTLS", "220 2.0.0 go on")[:1] == b"2":
            self._speak()
            self._is_secure = True
            self._forget()
            self._start_tls()

    def _on_mail(self, argument):
        if self._sender is not None:
            self._reply(b"503 5.5.1 one at a time\r\n")
        elif self._answer("MAIL", "250 2.1.0 ok")[:1] == b"2":
            self._sender = _path(argument)

    def _on_rcpt(self, argument):
        address = _path(argument)
        if self._sender is None:
            self._reply(b"503 5.5.1 MAIL first\r\n")
            return
        step = ("RCPT", address)
        if step not in self._chaos.script:
            step = "RCPT"
        if self._answer(step, "250 2.1.5 ok")[:1] == b"2":
            self._recipients.append(address)

    def _on_data(self, argument):
        if not self._recipients:
            self._reply(b"554 5.5.1 no valid recipients\r\n")
        elif self._answer("DATA", "354 go on")[:3] == b"354":
            self._content = []

    def _on_rset(self, argument):
        if self._answer("RSET", "250 2.0.0 ok")[:1] == b"2":
            self._forget()

    def _on_noop(self, argument):
        self._answer("NOOP", "250 2.0.0 ok")

    def _on_quit(self, argument):
        self._answer("QUIT", "221 2.0.0 bye")
        self._speak()
        if not self._is_silent:
            self._hang_up()

    def _on_unknown(self, argument):
        self._reply(b"500 5.5.2 what\r\n")

    def _hear_content(self, line):
        if not self._content:
            self._answer("message", "")
        if line != b".":
            self._content.append(line[1:] if line[:1] == b"." else line)
            return
        content = b"".join(each + b"\r\n" for each in self._content)
        sender, recipients = self._sender, self._recipients
        self._forget()
        self._speak()
        instead = self._instead(".")
        if not self._chaos.is_lmtp or isinstance(instead, Act):
            self._end_message(sender, recipients, content, instead)
            return
        values = instead if isinstance(instead, tuple) else [instead] * len(recipients)
        for recipient, value in zip(recipients, values, strict=True):
            self._end_message(sender, [recipient], content, value)

    def _end_message(self, sender, recipients, content, instead):
        """
        Take the message, unless the reply says that it was not; whoever gives no reply, or none
        that makes sense, may have taken it.
        """
        if self.is_closed or self._is_silent:
            return
        reply = self._do(".", "250 2.0.0 taken" if instead is None else instead)
        if reply[:1] in (b"4", b"5"):
            return
        end = self.said + sum(map(len, self._replies))
        is_told = bool(_YES.match(reply)) and end <= self._close_at
        self._chaos.taken.append(Taken(sender, tuple(recipients), content, is_told))

    def _forget(self):
        self._sender, self._recipients, self._content = None, [], None

    # -- replies ------------------------------------------------------------------------

    def _answer(self, step, ordinary):
        """
        Do what the script says at a step, and give the reply that was made, or C{b""}.
        """
        instead = self._instead(step)
        return self._do(step, ordinary if instead is None else instead)

    def _instead(self, step):
        instead = self._chaos.script.get(step)
        if isinstance(instead, list):
            return instead.pop(0) if instead else None
        return instead

    def _do(self, step, what):
        if self.is_closed or self._is_silent:
            return b""
        if what is Act.CLOSE:
            self._speak()
            self._hang_up()
        elif what is Act.SILENT:
            self._speak()
            self._is_silent = True
        elif isinstance(what, Act):
            self._speak()
            self._is_silent = True
            self._say_endlessly(_ENDLESS[what])
        elif what:
            reply = what if isinstance(what, bytes) else what.encode() + b"\r\n"
            self._reply(reply)
            return reply
        return b""

    def _say_endlessly(self, what):
        if not self.is_closed:
            self._say(what * (BLOCK // len(what)))
            self._later(1.0, lambda: self._say_endlessly(what))

    def _reply(self, reply):
        self._replies.append(reply)

    def _speak(self):
        """
        Send the replies to what came together.
        """
        replies, self._replies = self._replies, []
        if self._chaos.is_reversed:
            replies.reverse()
        for reply in replies:
            self._say(reply)

    def _say(self, data):
        if self.is_closed:
            return
        size = self._chaos.piece or len(data)
        self._out.extend(data[at : at + size] for at in range(0, len(data), size))
        if not self._is_writing:
            self._write_on()

    def _write_on(self):
        self._is_writing = False
        while self._out and not self.is_closed:
            piece = self._out.popleft()[: self._close_at - self.said if self._closes else None]
            self.said += len(piece)
            if piece:
                self._write(piece)
            if self.said >= self._close_at:
                self._hang_up()
            elif self._chaos.pause and self._out:
                self._is_writing = True
                self._later(self._chaos.pause, self._write_on)
                return

    @property
    def _closes(self):
        return self._close_at < inf

    def _hang_up(self):
        if not self.is_closed:
            self.is_closed = True
            self._out.clear()
            self._close()


def _path(argument):
    return re.search(r"<(.*?)>", argument).group(1)
