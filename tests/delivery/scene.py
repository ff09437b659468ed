"""
A message to settle, with everything around it.
"""

from attrs import define, field
from twisted.internet.task import Clock

from mailgate.delivery.dispatch import Dispatcher
from mailgate.message.envelope import Envelope
from mailgate.reply import Reply
from mailgate.verdict import Action, Kind, Verdict
from mailgate.wire.address import Address
from tests.delivery.given import FakeHub, MarkingRewriter, ScriptedDelivery
from tests.storage import ENVELOPE, message

REFUSED = Reply(550, "5.7.1", "refused by policy")
DEFERRED = Reply(451, "4.7.1", "come again")
WITHIN = 100.0


@define(eq=False)
class Scene:
    """
    A dispatcher with one upstream for each group, the group's number being its domain's.
    """

    groups: list
    """For each group an action's name, or the replies of the upstream to an accepted one."""

    size: int = 1
    """How many recipients a group has."""

    hub: FakeHub = field(factory=FakeHub)
    clock: Clock = field(factory=Clock)
    envelope: Envelope = ENVELOPE
    upstreams: list = field(init=False)
    verdicts: list = field(init=False)
    dispatcher: Dispatcher = field(init=False)

    def __attrs_post_init__(self):
        self.upstreams = [ScriptedDelivery(f"up{n}", steps=self.hub.steps) for n in range(9)]
        self.verdicts = []
        for number, group in enumerate(self.groups):
            recipients = tuple(
                Address(f"r{n}", f"G{number}.example") for n in range(self._size_of(group))
            )
            if isinstance(group, str):
                action = Action(group)
            else:
                action = Action.TAG if number % 2 else Action.ACCEPT
                self.upstreams[number].replies = list(group)
            reply = {Action.DEFER: DEFERRED, Action.REJECT: REFUSED}.get(action)
            verdict = Verdict(action, (), 7.5, recipients, reply, kind=Kind.PHISHING)
            self.verdicts.append(verdict)
        self.dispatcher = Dispatcher(self.hub, MarkingRewriter(), self.route_for, self.clock)

    def _size_of(self, group):
        return self.size if isinstance(group, str) else len(group)

    def route_for(self, recipient):
        """
        Give the upstream of a group.
        """
        return self.upstreams[int(recipient.host[1])]

    def dispatch(self, alone=False):
        """
        Begin to settle the message.
        """
        return self.dispatcher.dispatch(self.envelope, message(), self.verdicts, WITHIN, alone)

    def steps(self):
        """
        Give the names of what was done, in its order.
        """
        return [step[0] for step in self.hub.steps]

    def held(self):
        """
        Give the recipient, the kind and whether it is provisional of what is held.
        """
        return [(str(h.recipient), h.kind, p) for h, p in self.hub.holds.values()]

    def queued(self):
        """
        Give the recipients in the outbox.
        """
        return [str(copy.recipient) for copy in self.hub.outbox.values()]
