"""
What a check or an extractor may see.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from mailgate.finding import Finding, Result
from mailgate.interfaces import IMessage
from mailgate.message.envelope import Envelope, Session
from mailgate.wire.address import Address


@frozen(eq=False)
class View:
    """
    A session, transaction or recipient at one phase. Asking for what the phase does not have
    yet is a mistake of the check and raises L{LookupError}.
    """

    session: Session
    now: float
    """Wall time in seconds since the epoch."""

    _results: tuple[Mapping[str, Result], ...]
    _facts: Mapping[str, Any]
    _envelope: Envelope | None = None
    _message: IMessage | None = None
    recipients: tuple[Address, ...] = ()
    """Those accepted so far, in RCPT order."""

    _recipient: Address | None = None

    @property
    def envelope(self) -> Envelope:
        """
        Give the envelope.

        @raise LookupError: there is none before MAIL.
        """
        if self._envelope is None:
            raise LookupError("there is no envelope before MAIL")
        return self._envelope

    @property
    def message(self) -> IMessage:
        """
        Give the message.

        @raise LookupError: there is none before its dot.
        """
        if self._message is None:
            raise LookupError("there is no message before its dot")
        return self._message

    @property
    def recipient(self) -> Address:
        """
        Give the recipient whom the check runs for: where several recipients have one owner,
        the first of them.

        @raise LookupError: the check does not run once for each owner.
        """
        if self._recipient is None:
            raise LookupError("only checks of scope RECIPIENT have a recipient")
        return self._recipient

    def of(self, recipient: Address, results: tuple[Mapping[str, Result], ...]) -> View:
        """
        Give the view of a check that runs for one recipient.
        """
        # Not evolve(), which costs several times as much, for each owner of each message.
        return View(
            self.session,
            self.now,
            results,
            self._facts,
            self._envelope,
            self._message,
            self.recipients,
            recipient,
        )

    def fact(self, name: str) -> Any:
        """
        Give what an extractor has made of the message; it must be declared in C{needs}.

        @raise LookupError: it is not.
        """
        return self._facts[name]

    def findings_of(self, check: str) -> tuple[Finding, ...]:
        """
        Give what another check has found; it must be declared in C{needs}, or in C{after} where
        it may be off. A check that does not run for one recipient is given what the other has
        found for the first of them.

        Where that check broke or was late, C{CHECK_FAILED} is the last of them, behind what it has
        seen nevertheless.
        """
        for results in self._results:
            if check in results:
                return results[check].findings
        return ()
