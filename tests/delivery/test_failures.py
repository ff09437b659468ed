"""
The table of L{tests.delivery.failures}, run against a gateway in memory.
"""

from collections import Counter
from math import inf

from twisted.trial.unittest import SynchronousTestCase

from tests.delivery.composition import Composition
from tests.delivery.failures import (
    DELIVERED,
    DOWN,
    FAILURES,
    HELD,
    NOTHING,
    ONE,
    QUEUED,
    STARTTLS_FAILURES,
    TAKEN,
    UNKNOWN,
)

SIZES = ((1, 1, 1), (20, 20, 10))
"""How many recipients each upstream has."""


def recipients(sizes):
    """
    Name those of each upstream.
    """
    return [[f"r{n}@up{up}.example" for n in range(size)] for up, size in enumerate(sizes)]


class TableCase(SynchronousTestCase):
    """
    Sends a message through a gateway of which one upstream fails.
    """

    role = "mx"
    kind = "smtp"
    is_secure = False
    prdr = False
    rows = FAILURES

    def setUp(self):
        """
        Make the gateway.
        """
        self.gateway = Composition(self, self.role, self.kind, self.is_secure)
        self.number = 0

    def fail_at(self, row, up, first):
        """
        Let an upstream fail.
        """
        network = self.gateway.networks[up]
        network.error = row.error
        network.is_unreachable = row.is_unreachable
        network.chaos.script = {
            ("RCPT", first) if step == ONE else step: act for step, act in row.script.items()
        }

    def send(self, names):
        """
        Send a message to upstreams, the one after the other.
        """
        return self.gateway.send(
            f"m{self.number}", [who for each in names for who in each], self.prdr
        )

    def check_kept(self, places, where):
        """
        Hold that each copy is where C{places} says, and nothing else is kept.
        """
        gateway = self.gateway
        kept = {
            place: sorted(w for w, p in places.items() if p == place) for place in places.values()
        }
        self.assertEqual(gateway.queued(), kept.get(QUEUED, []), where)
        self.assertEqual(
            gateway.held(), [(who, "undeliverable") for who in kept.get(HELD, [])], where
        )

    def check_delivered(self, wanted, lost, where):
        """
        Hold that those who are wanted have the message, once; twice only where a reply was lost.
        """
        times = Counter(self.gateway.delivered(f"m{self.number}"))
        self.assertEqual(sorted(times), sorted(wanted), where)
        for who, count in times.items():
            self.assertLessEqual(count, 2 if who in lost else 1, (where, who))

    def forget_held(self):
        """
        Delete what is held.
        """
        quarantine = self.gateway.hub.quarantine
        for held in self.successResultOf(quarantine.list()):
            self.assertTrue(self.successResultOf(quarantine.delete(held.id, "Ada")))

    def each(self, check):
        """
        Call C{check} with each row, for each number of recipients and each upstream that fails.
        """
        for sizes in SIZES:
            for row in self.rows:
                if row.only_one and sizes[0] == 1:
                    continue
                for up in range(3):
                    self.number += 1
                    names = recipients(sizes)
                    self.fail_at(row, up, names[up][0])
                    check(row, names, up, f"{row.name}, {sizes}, upstream {up} fails")
                    self.forget_held()
                    self.gateway.rest()
        self.gateway.close()


class TogetherTests(TableCase):
    """
    One reply for all recipients.
    """

    def test_table(self):
        """
        Each row ends as the table says, and at last nothing is missing and nothing twice.
        """
        self.each(self.check)

    def check(self, row, names, up, where):
        """
        Send a message, see what has become of it, and let time pass.
        """
        gateway = self.gateway
        # Upstreams are asked in the order of RCPT while all are equally healthy.
        for delivery in gateway.deliveries:
            self.assertEqual(delivery.failures, 0, where)
        everybody = [who for each in names for who in each]
        place = row.later if up else row.first
        said = self.send(names)
        self.assertEqual(said, [row.reply if place == NOTHING else TAKEN], where)
        failed = names[up][:1] if row.only_one else names[up]
        places = dict.fromkeys(everybody, DELIVERED)
        places.update(dict.fromkeys(failed, place))
        if place == NOTHING:
            self.check_kept({}, where)
            self.check_delivered(failed if row.is_lost else [], failed, where)
        else:
            self.check_kept(places, where)
        gateway.heal()
        if place == NOTHING:
            self.assertEqual(self.send(names), [TAKEN], where)
        elif place == QUEUED:
            places.update(dict.fromkeys(failed, DELIVERED))
        else:
            everybody = [who for who in everybody if who not in failed]
        self.check_kept({who: p for who, p in places.items() if p == HELD}, where)
        self.check_delivered(everybody, names[up] if row.reply == UNKNOWN else [], where)


class QueuedTests(TableCase):
    """
    Mail of machines of ours: it is queued first, and its sender is told what is refused.
    """

    role = "internal"

    def setUp(self):
        """
        Make the gateway, and the upstream at which its sender is.
        """
        self.gateway = Composition(self, self.role, self.kind, self.is_secure, count=4)
        self.number = 0
        self.told = 0

    def test_table(self):
        """
        The client hears 250 in any case. What an upstream defers stays in the outbox, what it
        refuses goes back once, and at last nothing is missing and nothing twice.
        """
        self.each(self.check)

    def check(self, row, names, up, where):
        """
        Send a message, see what has become of it, and let time pass.
        """
        gateway = self.gateway
        everybody = [who for each in names for who in each]
        failed = names[up][:1] if row.only_one else names[up]
        self.assertEqual(self.send(names), [TAKEN], where)
        gateway.rest(200)
        is_refused = row.reply[0] == "5"
        self.check_kept(dict.fromkeys([] if is_refused else failed, QUEUED), where)
        gateway.heal()
        if is_refused:
            everybody = [who for who in everybody if who not in failed]
        self.check_kept({}, where)
        self.check_delivered(everybody, names[up] if row.reply == UNKNOWN else [], where)
        notices = gateway.networks[3].chaos.taken[self.told :]
        self.told += len(notices)
        self.assertEqual(len(notices), is_refused, where)
        for notice in notices:
            self.assertEqual((notice.sender, notice.recipients), ("", ("sender@example.org",)))
            for who in failed:
                self.assertIn(f"Final-Recipient: rfc822; {who}".encode(), notice.content, where)


class LmtpUpstreamTests(TogetherTests):
    """
    The same with upstreams that are reached by LMTP.
    """

    kind = "lmtp"


class SecureUpstreamTests(TogetherTests):
    """
    The same with upstreams that are reached over TLS only, at the step before which there is none.
    """

    is_secure = True
    rows = STARTTLS_FAILURES


class ApartTests(TableCase):
    """
    A reply for each recipient: nothing is kept, and who was not served is sent to again.
    """

    role = "lmtp"

    def test_table(self):
        """
        Each recipient is told what its own upstream says.
        """
        self.each(self.check)

    def check(self, row, names, up, where):
        """
        Send a message, see what has become of it, and send again to whom a 4xx was for.
        """
        failed = names[up][:1] if row.only_one else names[up]
        wanted = dict.fromkeys((who for each in names for who in each), TAKEN)
        wanted.update(dict.fromkeys(failed, row.reply))
        self.assertEqual(self.send(names), self.told(list(wanted.values())), where)
        self.check_kept({}, where)
        self.gateway.heal()
        again = [who for who, reply in wanted.items() if reply[0] == "4"]
        if again:
            self.assertEqual(self.send([again]), self.told([TAKEN] * len(again)), where)
        everybody = [who for who, reply in wanted.items() if reply[0] != "5"]
        self.check_kept({}, where)
        self.check_delivered(everybody, failed if row.reply == UNKNOWN else [], where)

    def told(self, replies):
        """
        Give what a client hears that is told these replies.
        """
        return replies


class PrdrTests(ApartTests):
    """
    The same for clients of the Internet that take a reply for each recipient.
    """

    role = "mx"
    prdr = True

    def told(self, replies):
        """
        Give one reply where they are the same, else all of them between a first and a last.
        """
        if len(set(replies)) == 1:
            return replies[:1]
        last = TAKEN if TAKEN in replies else replies[0]
        return ["353 a rep", *replies, last]


class OffsetTests(TableCase):
    """
    One of three upstreams closes after any number of bytes.
    """

    def sweep(self, up, piece=0):
        """
        Close at each offset of an upstream's side of the conversation.
        """
        gateway = self.gateway
        chaos = gateway.networks[up].chaos
        names = recipients((1, 2, 1))
        everybody = [who for each in names for who in each]
        offset = 0
        seen = set()
        while True:
            self.number += 1
            chaos.piece = piece
            chaos.close_at = [inf] * len(chaos.conversations) + [offset]
            said = self.send(names)
            where = f"upstream {up} closes at {offset}: {said}"
            seen.update(said)
            unknown = [c.recipient for c in gateway.hub.records[-1].copies if UNKNOWN in c.reply]
            gateway.heal()
            again = [who for who, reply in self.replies(said, everybody) if reply != TAKEN]
            if again:
                self.assertEqual(set(self.send([again])), {TAKEN}, where)
            self.check_kept({}, where)
            self.check_delivered(everybody, unknown, where)
            gateway.rest()
            if offset > chaos.conversations[-1].said:
                break
            offset += 1
        return seen

    def replies(self, said, everybody):
        """
        Give the reply for each recipient.
        """
        return [(who, said[0]) for who in everybody]

    def test_first(self):
        """
        A 250 is the upstream's own word, anything else is a 451, and when the client has come
        again nothing is missing, and nothing is twice unless the trace says that it was not known.
        """
        for piece in (0, 1):
            self.assertEqual(self.sweep(0, piece), {TAKEN, DOWN, UNKNOWN})
        self.gateway.close()

    def test_later(self):
        """
        Where another upstream has taken its copy it is a 250 in any case, and what was not taken
        comes from the outbox.
        """
        for up in (1, 2):
            self.assertEqual(self.sweep(up), {TAKEN})
        self.gateway.close()


class ApartOffsetTests(OffsetTests):
    """
    The same with a reply for each recipient.
    """

    role = "lmtp"

    def replies(self, said, everybody):
        """
        Give the reply for each recipient.
        """
        return zip(everybody, said, strict=True)

    def test_later(self):
        """
        It makes no difference which upstream it is.
        """
        for up in (1, 2):
            self.assertEqual(self.sweep(up), {TAKEN, DOWN, UNKNOWN})
        self.gateway.close()
