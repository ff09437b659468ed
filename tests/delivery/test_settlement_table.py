"""
Every combination of verdicts and of upstreams' replies, settled and compared with the rules.
"""

from collections import Counter
from itertools import product

from attrs import define, field
from twisted.trial.unittest import SynchronousTestCase

from mailgate.verdict import Action, Kind
from tests.delivery.given import LATER, LOST, NEVER, TAKEN, UNREACHED
from tests.delivery.scene import DEFERRED, REFUSED, Scene

NOT_DELIVERED = ("defer", "quarantine", "reject", "discard")


@define
class Expected:
    """
    What the rules say becomes of a message.
    """

    code: int
    places: dict
    """For each recipient the outcome of its copy."""

    held: dict = field(factory=dict)
    """The kind of each hold that is left."""

    queued: set = field(factory=set)
    attempted: list = field(factory=list)
    """The upstreams that were given the message, in their order."""


def oracle(groups, size):
    """
    Say what shall become of a message, by the section "Recipients" of the design.
    """
    names = []
    for number, group in enumerate(groups):
        count = size if isinstance(group, str) else len(group)
        names.append([f"r{n}@G{number}.example" for n in range(count)])
    everybody = [name for group in names for name in group]

    # If any verdict is defer nothing is delivered and all get 4xx.
    if "defer" in groups:
        return Expected(DEFERRED.code, dict.fromkeys(everybody, "deferred"))

    # Only refused: the first 5xx.
    if all(group == "reject" for group in groups):
        return Expected(REFUSED.code, dict.fromkeys(everybody, "refused"))

    # Deliveries, group by group; the first 2xx is the point of no return.
    said = {}
    attempted = []
    is_delivered = False
    for number, group in enumerate(groups):
        if isinstance(group, str):
            continue
        attempted.append(f"up{number}")
        said.update(zip(names[number], group, strict=True))
        is_delivered = is_delivered or TAKEN in group
        first_later = next((r for r in group if r.is_transient), None)
        if first_later is not None and not is_delivered:
            # At least one deferred, nothing delivered: 4xx and no hold is left.
            places = dict.fromkeys(everybody, "deferred")
            places.update((name, "unknown") for name, reply in said.items() if reply == LOST)
            return Expected(first_later.code, places, attempted=attempted)

    # Nothing delivered, held or discarded: only refused.
    if not (is_delivered or "quarantine" in groups or "discard" in groups):
        fives = [REFUSED.code if group == "reject" else NEVER.code for group in groups]
        return Expected(fives[0], dict.fromkeys(everybody, "refused"), attempted=attempted)

    # Otherwise 250, and every copy is somewhere.
    expected = Expected(250, {}, attempted=attempted)
    for number, group in enumerate(groups):
        for name in names[number]:
            if group == "discard":
                expected.places[name] = "discarded"
            elif group == "quarantine":
                expected.places[name] = "held"
                expected.held[name] = Kind.PHISHING
            elif group == "reject":
                expected.places[name] = "held"
                expected.held[name] = Kind.REFUSED
            elif said[name].is_positive:
                expected.places[name] = "delivered"
            elif said[name].is_permanent:
                expected.places[name] = "held"
                expected.held[name] = Kind.UNDELIVERABLE
            else:
                expected.places[name] = "queued"
                expected.queued.add(name)
    return expected


class TableTests(SynchronousTestCase):
    """
    Every combination of verdicts and of what the upstreams say.
    """

    def check(self, groups, size=1):
        """
        Settle a message, and compare all that is left with what the rules say.
        """
        scene = Scene(list(groups), size)
        expected = oracle(groups, size)
        outcome = self.successResultOf(scene.dispatch())
        where = f"{groups}: {outcome}"
        self.assertEqual(outcome.reply.code, expected.code, where)
        self.assertEqual(
            [(copy.recipient, copy.outcome) for copy in outcome.copies],
            list(expected.places.items()),
            where,
        )
        held = [(name, kind) for name, kind, is_provisional in scene.held()]
        self.assertEqual(dict(held), expected.held, where)
        self.assertFalse(any(provisional for _, _, provisional in scene.held()), where)
        self.assertEqual(sorted(scene.queued()), sorted(expected.queued), where)
        attempted = [step[1] for step in scene.hub.steps if step[0] == "deliver"]
        self.assertEqual(attempted, expected.attempted, where)
        self.check_conservation(scene, outcome, where)
        self.check_order(scene, where)
        self.flushLoggedErrors()

    def check_conservation(self, scene, outcome, where):
        """
        After a 250 each copy is in exactly one place; after any other reply it is in none.
        """
        places = Counter(scene.queued())
        places.update(name for name, _, _ in scene.held())
        places.update(copy.recipient for copy in outcome.copies if copy.outcome == "discarded")
        for verdict, group in zip(scene.verdicts, scene.groups, strict=True):
            if not isinstance(group, str) and self.was_attempted(scene, verdict):
                taken = zip(verdict.recipients, group, strict=True)
                places.update(str(r) for r, reply in taken if reply == TAKEN)
        everybody = [str(r) for verdict in scene.verdicts for r in verdict.recipients]
        self.assertEqual(places, Counter(everybody if outcome.reply.is_positive else ()), where)

    def was_attempted(self, scene, verdict):
        """
        Tell whether the upstream of a group was given the message.
        """
        names = tuple(map(str, verdict.recipients))
        return any(step[0] == "deliver" and step[2] == names for step in scene.hub.steps)

    def check_order(self, scene, where):
        """
        Holds come before deliveries, and what deliveries leave over comes after them.
        """
        steps = scene.steps()
        deliveries = [n for n, step in enumerate(steps) if step == "deliver"]
        if deliveries:
            if any(
                verdict.action in (Action.QUARANTINE, Action.REJECT) for verdict in scene.verdicts
            ):
                self.assertEqual(steps[0], "hold", where)
            for late in ("enqueue", "confirm", "withdraw"):
                if late in steps:
                    self.assertGreater(steps.index(late), deliveries[-1], where)

    def test_one_group(self):
        """
        One group of one, two or three recipients ends as the rules say.
        """
        for size in (1, 2, 3):
            for action in NOT_DELIVERED:
                self.check((action,), size)
            for replies in product((TAKEN, LATER, NEVER, LOST, UNREACHED), repeat=size):
                self.check((replies,))

    def test_two_groups(self):
        """
        Two groups of one or two recipients end as the rules say.
        """
        for size in (1, 2):
            options = [*NOT_DELIVERED, *product((TAKEN, LATER, NEVER, LOST), repeat=size)]
            for groups in product(options, repeat=2):
                self.check(groups, size)

    def test_three_groups(self):
        """
        Three groups end as the rules say.
        """
        options = [*NOT_DELIVERED, *product((TAKEN, LATER, NEVER, LOST))]
        for groups in product(options, repeat=3):
            self.check(groups)
