"""
The beginning of a connection to a mail server: from its greeting until it can be sent mail, with
TLS and a log-in on the way where they are wished.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from attrs import field, frozen
from twisted.internet.defer import Deferred

from mailgate.config.delivery import UpstreamTls
from mailgate.delivery.answer import passed_on
from mailgate.delivery.sasl import LogIn, NotLoggedIn, log_in
from mailgate.delivery.tls import NO_TLS, Experience, TlsDemand
from mailgate.interfaces import Capabilities
from mailgate.reply import Reply
from mailgate.wire.replies import read_ehlo


class NotOpened(Exception):
    """
    The server cannot be sent mail. The message says why, in words that are fit for the log.
    """

    def __init__(self, why: str, reply: Reply | None = None) -> None:
        """
        @param reply: the server's own, where the words of it are for whoever has a message.
        """
        super().__init__(why)
        self.reply = reply


class TlsFailed(NotOpened):
    """
    TLS did not come about, or not with the right server.
    """


class Line(Protocol):
    """
    A connection, as it is opened.
    """

    def say(self, command: bytes) -> Deferred[Reply]:
        """
        Say a command, without its line end, and wait for the reply.

        @raise NotOpened: there is none.
        """

    def listen(self) -> Deferred[Reply]:
        """
        Wait for a reply.

        @raise NotOpened: there is none.
        """

    def secure(self, demand: TlsDemand) -> Deferred[None]:
        """
        Begin TLS. What came before it is forgotten.

        @raise TlsFailed: it did not come about.
        """


@frozen
class Opened:
    """
    A connection that is open.
    """

    capabilities: Capabilities = field(factory=Capabilities)
    parameters: Mapping[str, str] = field(factory=dict)
    """What stands behind the keywords of EHLO, by keyword in upper case."""

    @classmethod
    def read(cls, reply: Reply) -> Opened:
        """
        Read the reply to EHLO.
        """
        words = (line.partition(" ") for line in reply.text.split("\n")[1:])
        parameters = {keyword.upper(): rest for keyword, _, rest in words}
        return cls(read_ehlo(reply), parameters)

    def has(self, extension: str) -> bool:
        """
        Tell whether the server has an extension.
        """
        return extension in self.capabilities.extensions


@frozen
class Opening:
    """
    How connections to one server begin.
    """

    hostname: str
    """What we call ourselves."""

    demand: TlsDemand = NO_TLS
    log_in: LogIn | None = None
    is_lmtp: bool = False
    experience: Experience | None = None

    async def run(self, line: Line) -> Opened:
        """
        Go as far as the server can be sent mail.

        Whoever sits on the line can take STARTTLS out of what is offered, so nothing more is said
        without it where it is needed; and what the server has said before TLS is not believed
        behind it (RFC 3207 section 4.2).

        @raise NotOpened: it did not come so far.
        """
        demand = self.demand
        if demand.begins_with_tls:
            await line.secure(demand)
        greeting = await line.listen()
        if greeting.code != 220:
            raise NotOpened(f"it greets with {passed_on(greeting)}")
        opened = await self.greet(line)
        if demand.tls is not None and not demand.begins_with_tls:
            opened = await self._start_tls(line, opened)
        if self.log_in is not None:
            try:
                await log_in(line, opened.parameters.get("AUTH", ""), self.log_in)
            except NotLoggedIn as error:
                raise NotOpened(str(error)) from error
        return opened

    async def greet(self, line: Line) -> Opened:
        """
        Say who we are, and learn what the server can do.

        @raise NotOpened: it does not want to hear it.
        """
        verb = "LHLO" if self.is_lmtp else "EHLO"
        reply = await line.say(f"{verb} {self.hostname}".encode("ascii"))
        if reply.is_positive:
            return Opened.read(reply)
        if reply.is_permanent and not (self.is_lmtp or self.demand.is_needed):
            verb = "HELO"
            reply = await line.say(f"HELO {self.hostname}".encode("ascii"))
            if reply.is_positive:
                return Opened()
        if reply.code < 400:
            raise NotOpened("it answered EHLO with nonsense")
        words = passed_on(reply)
        raise NotOpened(f"it answers {verb} with {words}", words)

    async def _start_tls(self, line: Line, opened: Opened) -> Opened:
        """
        Begin TLS where it is offered; where it need not be, go on without it.
        """
        experience, is_needed = self.experience, self.demand.is_needed
        is_offered = opened.has("STARTTLS")
        if experience is not None:
            experience.offered(is_offered)
            if experience.is_avoided and not is_needed:
                return opened
        if not is_offered:
            if is_needed:
                raise NotOpened("it does not offer STARTTLS")
            return opened
        reply = await line.say(b"STARTTLS")
        if reply.code != 220:
            if is_needed or reply.code == 421:
                raise NotOpened(f"it answers STARTTLS with {reply}")
            if experience is not None:
                experience.failed(f"it answers STARTTLS with {reply}")
            return opened
        try:
            await line.secure(self.demand)
        except TlsFailed as error:
            if self.demand.mode is UpstreamTls.OPPORTUNISTIC and experience is not None:
                experience.failed(str(error))
            raise
        return await self.greet(line)
