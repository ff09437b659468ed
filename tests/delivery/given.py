"""
Upstreams and a hub that do what a test tells them, and mail for them.
"""

import errno

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from zope.interface import implementer

from mailgate.interfaces import Capabilities, IDelivery, IHub, IRewriter, Load
from mailgate.reply import Reply

TAKEN = Reply(250, "2.0.0", "taken")
LATER = Reply(452, "4.2.2", "mailbox full")
NEVER = Reply(550, "5.1.1", "nobody of that name")
UNREACHED = Reply(451, "4.4.1", "destination not reached: connection refused")
LOST = Reply(451, "4.4.2", "destination lost before its reply: connection lost")


@implementer(IDelivery)
@define(eq=False)
class ScriptedDelivery:
    """
    An upstream that gives the replies it was told to, each step written down.
    """

    name: str
    replies: list = field(factory=list)
    """One for each recipient, or what is raised."""

    steps: list = field(factory=list)
    failures: int = 0
    is_open: bool = False
    load: Load = field(factory=Load)
    capabilities: Capabilities = field(factory=Capabilities)
    is_waiting: bool = False
    """Whether it answers only when L{answer} is called."""

    has_begun: bool = False
    """Whether it takes no notice of being cancelled any more."""

    within: float | None = None
    messages: list = field(factory=list)
    envelopes: list = field(factory=list)
    answers: list = field(factory=list)

    def deliver(self, envelope, recipients, message, within=None):
        """
        Take a message.
        """
        self.steps.append(("deliver", self.name, tuple(map(str, recipients))))
        self.within = within
        self.messages.append(message)
        self.envelopes.append(envelope)
        if self.is_waiting:
            return Deferred.fromCoroutine(self._wait())
        if isinstance(self.replies, BaseException):
            return fail(self.replies)
        return succeed(self.replies)

    async def _wait(self):
        while True:
            answer = Deferred()
            self.answers.append(answer)
            try:
                return await answer
            except CancelledError:
                self.answers.remove(answer)
                if not self.has_begun:
                    raise

    def answer(self, replies=None):
        """
        Let a waiting delivery answer.
        """
        self.answers.pop(0).callback(self.replies if replies is None else replies)

    def verify(self, sender, recipient):
        """
        Say that every recipient exists.
        """
        return succeed(TAKEN)

    def probe(self):
        """
        Do nothing: what it can take is known.
        """
        return succeed(None)

    def close(self):
        """
        Nothing is open.
        """
        return succeed(None)


@implementer(IRewriter)
class MarkingRewriter:
    """
    Puts the action on top of the message.
    """

    def apply(self, trace, verdict, message):
        """
        Give the message to deliver.
        """
        return message.prepend(f"Action: {verdict.action}\r\n".encode())


@implementer(IHub)
@define(eq=False)
class FakeHub:
    """
    A hub that keeps everything in lists.
    """

    steps: list = field(factory=list)
    holds: dict = field(factory=dict)
    """What is held, by its id: the hold, and whether it is provisional."""

    outbox: dict = field(factory=dict)
    fails_at: str = ""
    """The name of the method that fails, if any."""

    error: BaseException = field(factory=lambda: OSError(errno.EIO, "disk"))
    waits_at: str = ""
    """The name of the method that answers only when L{proceed} is called, if any."""

    waiting: list = field(factory=list)

    def _do(self, name, work):
        self.steps.append((name,))
        if self.fails_at == name:
            return fail(self.error)
        if self.waits_at == name:
            waiting = Deferred()
            self.waiting.append(waiting)
            return waiting.addCallback(lambda _: work())
        return succeed(work())

    def proceed(self):
        """
        Let what waits be done.
        """
        self.waiting.pop(0).callback(None)

    def hold(self, envelope, message, holds, provisional):
        """
        Keep copies.
        """

        def work():
            ids = [f"hold-{len(self.holds) + n}" for n in range(len(holds))]
            self.holds.update(
                (identity, (hold, provisional)) for identity, hold in zip(ids, holds, strict=True)
            )
            return ids

        return self._do("hold", work)

    def confirm(self, ids):
        """
        Make provisional holds ordinary ones.
        """

        def work():
            for identity in ids:
                self.holds[identity] = (self.holds[identity][0], False)

        return self._do("confirm", work)

    def withdraw(self, ids):
        """
        Forget provisional holds.
        """

        def work():
            for identity in ids:
                hold, is_provisional = self.holds.pop(identity)
                assert is_provisional, hold

        return self._do("withdraw", work)

    def enqueue(self, envelope, message, copies):
        """
        Put copies into the outbox.
        """

        def work():
            ids = [f"out-{len(self.outbox) + n}" for n in range(len(copies))]
            self.outbox.update(zip(ids, copies, strict=True))
            return ids

        return self._do("enqueue", work)

    def record(self, record):
        """
        Not asked here.
        """

    def look_up(self, attempts):
        """
        No delivery asks for it.
        """
        raise AssertionError("a delivery looks up nobody")

    def has_room(self):
        """
        Say that there is room.
        """
        return True
