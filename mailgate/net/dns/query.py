"""
The way to one answer: which server is asked when, and what its reply is worth.

The servers are asked in their order, and once all have been asked, again, with more patience. A
server that was slow is still listened to while the next one is asked. What does not fit the
question is dropped, since it may come from anybody who has guessed the id and the port; where that
happens, the server is asked over TCP, where nobody else can answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen
from twisted.internet.interfaces import IDelayedCall

from mailgate.interfaces import Asked
from mailgate.net.dns import stream
from mailgate.net.dns.remote import Around, Attempt, Remote
from mailgate.wire.dns.answer import Answer, RecordType, Trouble, Unknown
from mailgate.wire.dns.message import (
    Fit,
    Malformed,
    Rcode,
    fit,
    mix_case,
    pack_question,
    read_reply,
)

ALIASES_LIMIT = 8
"""How often another name is asked for, where a server does not follow aliases itself."""

STREAM_SECONDS = 3.0
"""How long a reply over TCP may take."""

Done = Callable[[Answer[Any], int], None]
"""Takes the answer, and for how many seconds it holds."""


@frozen
class Patience:
    """
    How long servers may take.
    """

    seconds: float
    """For the first reply; twice as long each further time."""

    rounds: int
    """How often each server is asked."""


class Query:
    """
    One look-up at the servers.
    """

    __slots__ = (
        "_around",
        "_current",
        "_done",
        "_is_wanted",
        "_left_aliases",
        "_mistrusted",
        "_name",
        "_needs_plain",
        "_open",
        "_patience",
        "_remotes",
        "_step",
        "_timer",
        "_trouble",
        "_type",
        "_useless",
    )

    def __init__(
        self,
        around: Around,
        remotes: Sequence[Remote],
        name: bytes,
        type: RecordType[Any],
        patience: Patience,
        is_wanted: Callable[[], bool],
        done: Done,
    ) -> None:
        """
        @param remotes: the servers, in the order in which they are asked; at least one.
        @param name: as L{mailgate.wire.dns.name.pack_name} gives it.
        @param is_wanted: tells whether anybody waits for the answer; without, nothing more is sent.
        @param done: called once, at the end.
        """
        self._around = around
        self._remotes = remotes
        self._name = name
        self._type = type
        self._patience = patience
        self._is_wanted = is_wanted
        self._done = done
        self._left_aliases = ALIASES_LIMIT
        self._timer: IDelayedCall | None = None
        self._begin()

    def _begin(self) -> None:
        self._step = 0
        self._open: list[Attempt] = []
        self._current: Attempt | None = None  # that which has the timer
        self._useless: set[Remote] = set()
        self._needs_plain: set[Remote] = set()
        self._mistrusted: set[Remote] = set()  # those whom somebody else answers for
        self._trouble: Unknown | None = None

    def start(self) -> None:
        """
        Ask the first server.
        """
        self._go_on()

    def stop(self) -> None:
        """
        Wait for nothing any more; C{done} is not called.
        """
        self._stop_timer()
        self._withdraw_all()

    # -- what comes ----------------------------------------------------------------------

    def received(self, attempt: Attempt, message: bytes) -> None:
        """
        Take a message that has the id of one of ours, and came from its server.
        """
        found = fit(message, attempt.question)
        remote, counts = attempt.remote, self._around.counts
        if found is Fit.SAME or (
            found is Fit.OTHER_CASE and (attempt.is_stream or not remote.keeps_case)
        ):
            self._close(attempt)
            remote.has_replied(attempt, found is Fit.SAME)
            self._read(attempt, message)
        elif found is Fit.OTHER_CASE:
            counts[Asked.WRONG_CASE] += 1
            self._ask_by_stream(attempt, True)
        elif found is Fit.NO_QUESTION and attempt.is_extended:
            self._ask_plainly(attempt)
        elif attempt.is_stream:
            counts[Asked.WRONG_QUESTION] += 1
            self._is_useless(remote, Trouble.GARBAGE, "the reply over TCP is to another question")
        else:
            counts[Asked.WRONG_QUESTION] += 1
            # Once, however often somebody says something wrong.
            if remote not in self._mistrusted:
                self._mistrusted.add(remote)
                self._ask_by_stream(attempt, False)

    def failed(self, attempt: Attempt, why: str) -> None:
        """
        Be told that there will be no reply.
        """
        self._close(attempt)
        remote = attempt.remote
        if attempt.is_for_case:
            remote.has_missed_case()
            why = f"a reply over UDP had not kept the case of the name, and {why}"
        elif not attempt.is_stream:
            remote.has_missed(attempt.sent)
        elif any(each.remote is remote for each in self._open):
            # Somebody else's reply has led to TCP; the server's own may still come over UDP.
            self._stop_timer()
            self._set_timer(self._patience.seconds)
            return
        self._is_useless(remote, Trouble.TIMEOUT, why)

    def _read(self, attempt: Attempt, message: bytes) -> None:
        remote = attempt.remote
        try:
            reply = read_reply(message, attempt.question, self._type)
        except Malformed as error:
            self._around.counts[Asked.UNREADABLE] += 1
            self._is_useless(remote, Trouble.GARBAGE, str(error))
            return
        if not attempt.is_extended and remote in self._needs_plain:
            remote.has_needed_plain()
        if reply.answer is not None:
            self._end(reply.answer, reply.seconds)
        elif reply.is_truncated and not attempt.is_stream:
            self._ask_by_stream(attempt, False)
        elif reply.is_truncated:
            self._is_useless(remote, Trouble.GARBAGE, "the reply over TCP is cut off")
        elif reply.alias:
            self._follow(reply.alias)
        elif reply.is_lame:
            self._is_useless(remote, Trouble.REFUSED, "the server finds out nothing for others")
        elif reply.rcode == Rcode.SERVFAIL:
            self._is_useless(remote, Trouble.SERVFAIL, "the server could not find out (SERVFAIL)")
        elif attempt.is_extended and reply.rcode in (Rcode.FORMERR, Rcode.NOTIMP, Rcode.BADVERS):
            self._ask_plainly(attempt)
        else:
            self._is_useless(remote, Trouble.REFUSED, f"the server refused (code {reply.rcode})")

    def _is_useless(self, remote: Remote, trouble: Trouble, why: str) -> None:
        """
        Take note that a server will not help, and ask the next one.
        """
        self._useless.add(remote)
        self._trouble = Unknown(trouble, why)
        for attempt in [each for each in self._open if each.remote is remote]:
            self._close(attempt)
        is_awaited = self._current is not None and self._current.remote is remote
        if not self._open or (is_awaited and self._step < self._steps):
            self._go_on()

    def _follow(self, alias: bytes) -> None:
        """
        Ask for what an alias stands for.
        """
        self._withdraw_all()
        if not self._left_aliases:
            self._end(Unknown(Trouble.GARBAGE, "the aliases are too many, or go in a circle"), 0)
            return
        self._left_aliases -= 1
        self._name = alias
        self._begin()
        self._go_on()

    # -- what is sent --------------------------------------------------------------------

    def _go_on(self) -> None:
        """
        Ask the next server, or end.
        """
        self._stop_timer()
        remotes, patience = self._remotes, self._patience
        while self._step < self._steps and self._may_send():
            turn, index = divmod(self._step, len(remotes))
            self._step += 1
            remote = remotes[index]
            if remote not in self._useless and self._send(remote, remote.speaks_edns):
                self._set_timer(patience.seconds * 2**turn)
                return
        self._end(
            self._trouble or Unknown(Trouble.TIMEOUT, "no DNS server has answered in time"), 0
        )

    @property
    def _steps(self) -> int:
        return len(self._remotes) * self._patience.rounds

    def _may_send(self) -> bool:
        return self._step == 0 or self._is_wanted()

    def _send(self, remote: Remote, is_extended: bool) -> bool:
        attempt = Attempt(self, remote, self._question(remote), is_extended)
        try:
            remote.send(attempt)
        except OSError as error:
            remote.has_missed(self._around.now())
            self._useless.add(remote)
            why = f"the server cannot be reached ({error.strerror or error})"
            self._trouble = Unknown(Trouble.TIMEOUT, why)
            return False
        self._around.counts[Asked.SENT] += 1
        self._open.append(attempt)
        self._current = attempt
        return True

    def _ask_plainly(self, attempt: Attempt) -> None:
        """
        Ask a server again, without EDNS.
        """
        remote = attempt.remote
        self._close(attempt)
        self._needs_plain.add(remote)
        if not self._send(remote, False):
            self._go_on()

    def _ask_by_stream(self, attempt: Attempt, is_for_case: bool) -> None:
        """
        Ask a server again, over TCP, unless that is being done. Where a stranger may have answered
        over UDP, the server may still do so.
        """
        remote = attempt.remote
        if any(each.is_stream and each.remote is remote for each in self._open):
            return
        if is_for_case:
            self._close(attempt)
        again = Attempt(self, remote, self._question(remote), attempt.is_extended, is_stream=True)
        again.is_for_case = is_for_case
        self._around.counts[Asked.STREAMED] += 1
        self._open.append(again)
        self._current = again
        self._stop_timer()
        self._set_timer(STREAM_SECONDS)
        stream.send(again, self._around, STREAM_SECONDS)

    def _question(self, remote: Remote) -> bytes:
        name = self._name
        if remote.keeps_case:
            name = mix_case(name, self._around.noise.take(len(name)))
        return pack_question(name, self._type)

    # -- time ----------------------------------------------------------------------------

    def _set_timer(self, seconds: float) -> None:
        self._timer = self._around.reactor.callLater(seconds, self._late)

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _late(self) -> None:
        self._timer = None
        self._around.counts[Asked.LATE] += 1
        current = self._current
        if current is None or current not in self._open:
            self._go_on()
        elif current.is_stream:
            self.failed(current, "the reply over TCP took too long")
        else:
            current.remote.has_missed(current.sent)
            self._go_on()

    # -- the end -------------------------------------------------------------------------

    def _end(self, answer: Answer[Any], seconds: int) -> None:
        self.stop()
        self._done(answer, seconds)

    def _close(self, attempt: Attempt) -> None:
        attempt.withdraw()
        if attempt in self._open:
            self._open.remove(attempt)

    def _withdraw_all(self) -> None:
        attempts, self._open = self._open, []
        for attempt in attempts:
            attempt.withdraw()
