"""
What becomes of one message whose client takes a reply for each recipient (LMTP, PRDR).

Nothing of one recipient binds another: each copy is held, delivered, refused or deferred by
itself, and its reply says so. So nothing need be kept that could not be told.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field
from twisted.internet.defer import CancelledError, TimeoutError

from mailgate.delivery.answer import is_unknown, lost
from mailgate.delivery.settlement import Group, Settlement
from mailgate.interfaces import Hold, Outcome
from mailgate.reply import Reply
from mailgate.verdict import Action
from mailgate.wire.address import Address


@define(eq=False)
class SettlementApart(Settlement):
    """
    One message on its way to an outcome for each recipient.
    """

    replies: dict[Address, Reply] = field(init=False, factory=dict)

    async def settle(self) -> Outcome:
        """
        Settle each recipient.

        @raise CancelledError: it was cancelled before a copy was delivered or held.
        """
        try:
            await self._settle_all()
        except CancelledError:
            if not any(reply.is_positive for reply in self.replies.values()):
                raise
            # The client is gone without its replies and will send to all of them again.
            self._note_duplicate()
        except Exception:
            self.log.failure(
                "{event} for {trace}", event="dispatch.failed", trace=self.envelope.trace
            )
        recipients = [r for verdict in self.verdicts for r in verdict.recipients]
        for recipient in recipients:
            if recipient not in self.replies:
                self._answer((recipient,), self._local_error(), "deferred")
        replies = tuple(self.replies[recipient] for recipient in recipients)
        outcome = self._outcome(self._summary(replies))
        return Outcome(outcome.reply, outcome.copies, outcome.notes, replies)

    async def _settle_all(self) -> None:
        for verdict in self.verdicts:
            if verdict.action is Action.QUARANTINE:
                await self._hold_copies(
                    [Hold(r, verdict.kind, verdict) for r in verdict.recipients]
                )
            elif verdict.action is Action.DISCARD:
                self._answer(verdict.recipients, self._accepted(), "discarded")
            elif verdict.reply is not None:
                is_refused = verdict.action is Action.REJECT
                self._answer(
                    verdict.recipients, verdict.reply, "refused" if is_refused else "deferred"
                )
        for group in self.groups():
            await self._hand_over(group)

    async def _hand_over(self, group: Group) -> None:
        try:
            replies = await self._deliver(group)
        except CancelledError:
            raise
        except Exception:
            self.log.failure(
                "{event} for {trace}", event="delivery.failed", trace=self.envelope.trace
            )
            replies = [lost("local error")] * len(group.recipients)
        self._take_apart(group, replies)

    async def _hold_copies(self, holds: Sequence[Hold]) -> None:
        recipients = [hold.recipient for hold in holds]
        try:
            await self._hold(holds, is_provisional=False)
        except (OSError, TimeoutError) as error:
            self._answer(recipients, self._storage_trouble(error), "deferred")
        else:
            for recipient in recipients:
                self.replies[recipient] = self._accepted()

    def _take_apart(self, group: Group, replies: Sequence[Reply]) -> None:
        """
        Note what an upstream said, and tell it.
        """
        for recipient, reply in zip(group.recipients, replies, strict=True):
            if reply.is_positive:
                outcome = "delivered"
                self.replies[recipient] = self._accepted()
            else:
                outcome = "refused" if reply.is_permanent else "deferred"
                if is_unknown(reply):
                    outcome = "unknown"
                    self._note_duplicate()
                self.replies[recipient] = self._told(reply)
            self._note(recipient, outcome, str(reply), reply.upstream or group.delivery.name)

    def _answer(self, recipients: Sequence[Address], reply: Reply, outcome: str) -> None:
        for recipient in recipients:
            self.replies[recipient] = reply
            self._note(recipient, outcome, str(reply))

    def _summary(self, replies: Sequence[Reply]) -> Reply:
        """
        Give 250 where anybody was served, else the first of the worst replies.
        """
        if any(reply.is_positive for reply in replies):
            return self._accepted()
        return next((reply for reply in replies if reply.is_permanent), replies[0])
