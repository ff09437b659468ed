"""
What becomes of one message of people and machines of ours after the dot: it is queued before the
250, and delivered afterwards, as they do not come again by themselves.

It is judged as any other: what is refused is refused in the session, and what is held is held.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define
from twisted.internet.defer import CancelledError, TimeoutError

from mailgate.delivery.apart import SettlementApart
from mailgate.delivery.settlement import Group, Settlement
from mailgate.interfaces import Outgoing
from mailgate.reply import Reply


def outgoing(groups: Sequence[Group]) -> list[Outgoing]:
    """
    Give the copies to be queued; none has been tried yet.
    """
    return [
        Outgoing(who, group.verdict.action, group.verdict.total, "", group.verdict.findings)
        for group in groups
        for who in group.recipients
    ]


@define(eq=False)
class QueuedSettlement(Settlement):
    """
    One message on its way into the outbox. What has been queued is as good as delivered: nothing
    can be taken back.
    """

    async def _deliver_all(self, groups: Sequence[Group]) -> Reply | None:
        """
        Leave everything to be queued.
        """
        self.unsent = outgoing(groups)
        return None


@define(eq=False)
class QueuedApart(SettlementApart):
    """
    The same, with a reply for each recipient.
    """

    async def _hand_over(self, group: Group) -> None:
        copies = outgoing((group,))
        try:
            ids = await self._in_time(self.hub.enqueue(self.envelope, self.message, copies))
        except CancelledError:
            raise
        except (OSError, TimeoutError) as error:
            self._answer(group.recipients, self._storage_trouble(error), "deferred")
            return
        for recipient, identity in zip(group.recipients, ids, strict=True):
            self.replies[recipient] = self._accepted()
            self._note(recipient, "queued", "", identity)
