"""
Tests of L{mailgate.knowledge.reputation}.
"""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import fail
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailgate.config.checks import ReputationCheck as Section
from mailgate.finding import Finding
from mailgate.interfaces import IRater, Reputation
from mailgate.knowledge.reputation import Reputations
from mailgate.knowledge.reputation_rows import KEPT, RELEASED, SPAM, WRITTEN
from mailgate.knowledge.senders import Names
from mailgate.message.record import Copy
from mailgate.store.database import StoreError
from mailgate.verdict import Action, Verdict
from tests.pipeline.events import events
from tests.reporting.records import RECORD
from tests.storage import ADA, NOW, SESSION, WallClock, make_storage

DAY = 86400.0
NAMES = Names(frozenset({"mail.example"}))
OURS = evolve(SESSION, role="submission", account="ada")


def came(*names, outcome="delivered", at=NOW, session=SESSION):
    """
    Give the record of a message from senders that were authenticated.
    """
    finding = Finding("REPUTATION_NEW", 0.0, "New.", names=names)
    verdict = Verdict(Action.ACCEPT, (finding,), 0.0, (ADA,))
    copies = (Copy("ada@example.com", outcome),)
    return evolve(RECORD, started=at, copies=copies, verdicts=(verdict,), session=session)


def went(*recipients, sender="ada@example.com", outcome="queued", at=NOW):
    """
    Give the record of a message that somebody of ours has sent.
    """
    copies = tuple(Copy(recipient, outcome) for recipient in recipients)
    return evolve(RECORD, started=at, session=OURS, sender=sender, copies=copies, verdicts=())


class BalanceTests(SynchronousTestCase):
    """
    Tests of how L{Reputation} weighs.
    """

    def test_little(self):
        """
        One release makes a good name and one complaint a bad one, and neither counts much.
        """
        good, bad = Reputation("a", RELEASED), Reputation("a", 0.0, SPAM)
        self.assertTrue(good.is_good and bad.is_bad)
        self.assertTrue(0.2 < good.balance < 0.4 and -0.4 < bad.balance < -0.2)

    def test_nobody(self):
        """
        Of whom nothing is known is neither.
        """
        nobody = Reputation("a")
        self.assertEqual(
            (nobody.balance, nobody.is_good, nobody.is_bad, nobody.has_passed),
            (0.0, False, False, False),
        )

    @given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1e3))
    def test_monotone(self, good, bad, more):
        """
        It lies between -1 and 1, and grows with what is good and shrinks with what is bad.
        """
        balance = Reputation("a", good, bad).balance
        self.assertTrue(-1 < balance < 1)
        self.assertGreaterEqual(Reputation("a", good + more, bad).balance, balance)
        self.assertLessEqual(Reputation("a", good, bad + more).balance, balance)


class ReputationsTests(SynchronousTestCase):
    """
    Tests of L{Reputations}.
    """

    def setUp(self):
        """
        Know nobody.
        """
        self.now = WallClock()
        self.storage = make_storage(self, now=self.now)
        self.make()

    def make(self, **more):
        """
        Begin anew with what is on the disk.
        """
        section = Section(**more.pop("section", {}))
        self.reputations = Reputations(
            self.storage.database, self.now, section, NAMES, {"example.com"}, **more
        )

    def note(self, *records):
        """
        Note what has happened, and write it.
        """
        for record in records:
            self.reputations.record(record)
        return self.successResultOf(self.reputations.flush())

    def rate(self, *names, is_spam=False, trace="trac-trac-0001"):
        """
        Say something of a message.
        """
        return self.successResultOf(self.reputations.rate(names, is_spam, trace))

    def of(self, name):
        """
        Give what is known of a sender.
        """
        (found,) = self.successResultOf(self.reputations.look_up([name]))
        return found

    def later(self, days):
        """
        Let time pass, and the hourly work be done.
        """
        self.now.start += days * DAY
        return self.successResultOf(self.reputations.purge())

    def test_interface(self):
        """
        It is one that learns of senders.
        """
        verifyObject(IRater, self.reputations)

    def test_unknown(self):
        """
        Of whom nothing is known, that is said.
        """
        self.assertEqual(self.of("example.org"), Reputation("example.org"))

    def test_delivered(self):
        """
        It is known when mail of a sender was first and last delivered; that it came counts nothing.
        """
        self.assertEqual(self.note(came("example.org")), 1)
        self.now.start += DAY
        self.note(came("example.org", at=NOW + DAY))
        self.assertEqual(self.of("example.org"), Reputation("example.org", 0, 0, NOW, NOW + DAY))
        self.assertTrue(self.of("example.org").has_passed)

    def test_not_delivered(self):
        """
        What was refused, held or deferred says nothing for its sender, nor does what nobody was
        authenticated for.
        """
        outcomes = ("refused", "deferred", "held", "discarded", "unknown")
        self.assertEqual(self.note(*(came("example.org", outcome=each) for each in outcomes)), 0)
        self.assertEqual(self.note(came()), 0)

    def test_tagged(self):
        """
        What was delivered with a tag, or would not have been delivered, says nothing for anybody.
        """
        record = came("example.org")
        (verdict,) = record.verdicts
        for change in ({"action": Action.TAG}, {"would": Action.REJECT}):
            changed = evolve(record, verdicts=(evolve(verdict, **change),))
            self.assertEqual(self.note(changed), 0)

    def test_order(self):
        """
        Answers come in the order of the questions.
        """
        self.note(came("b.example"))
        found = self.successResultOf(self.reputations.look_up(["a.example", "b.example"]))
        self.assertEqual(
            [(each.name, bool(each.last)) for each in found],
            [("a.example", False), ("b.example", True)],
        )

    def test_kept(self):
        """
        A day on which mail came counts a little when nobody has complained for seven days; how much
        came that day does not matter.
        """
        self.note(*(came("example.org", at=NOW + minute) for minute in range(100)))
        self.later(6)
        self.assertEqual(self.of("example.org").good, 0)
        self.later(1)
        self.assertEqual(self.of("example.org").good, KEPT)
        self.later(0)
        self.assertEqual(self.of("example.org").good, KEPT)

    def test_complained(self):
        """
        Where somebody has complained the days before count nothing.
        """
        self.note(came("example.org"), came("example.net"))
        self.assertTrue(self.rate("example.org", is_spam=True))
        self.later(7)
        self.assertEqual(self.of("example.org").good, 0)
        self.assertEqual(self.of("example.net").good, KEPT)

    def test_rated(self):
        """
        What people say of a message counts once, whoever says it how often.
        """
        self.assertTrue(self.rate("example.org"))
        self.assertFalse(self.rate("example.org"))
        self.assertEqual((self.of("example.org").good, self.of("example.org").bad), (RELEASED, 0))
        self.rate("example.org", is_spam=True, trace="trac-trac-0002")
        self.assertEqual(
            (self.of("example.org").good, self.of("example.org").bad), (RELEASED, SPAM)
        )
        self.assertEqual(self.reputations.rated, {False: 1, True: 1})

    def test_changed_mind(self):
        """
        The last word on a message counts, and takes the first one back.
        """
        self.rate("example.org")
        self.rate("example.org", is_spam=True)
        self.assertEqual((self.of("example.org").good, self.of("example.org").bad), (0, SPAM))
        self.rate("example.org")
        self.assertEqual((self.of("example.org").good, self.of("example.org").bad), (RELEASED, 0))

    def test_nobody_rated(self):
        """
        Where nobody was authenticated nobody's name suffers, nor is it remembered.
        """
        self.assertFalse(self.rate(is_spam=True))
        self.assertTrue(self.rate("example.org", is_spam=True))

    def test_rated_event(self):
        """
        The log tells whose name has changed.
        """
        with events() as found:
            self.rate("example.org", "a.example", is_spam=True)
        (told,) = [each for each in found if each["event"] == "reputation.rated"]
        self.assertEqual(
            (told["names"], told["trace"], told["verdict"]),
            ("example.org, a.example", "trac-trac-0001", "spam"),
        )

    def test_correspondents(self):
        """
        To whom somebody of ours has written is known, once a day; by the address where many share
        the domain.
        """
        self.note(went("Eve@Example.ORG", "bob@mail.example"), went("eve@example.org"))
        for name in ("example.org", "bob@mail.example"):
            known = self.of(name)
            self.assertEqual((known.good, known.written), (WRITTEN, NOW))
            self.assertTrue(known.has_passed)
        self.assertFalse(self.of("mail.example").has_passed)
        self.now.start += DAY
        self.note(went("eve@example.org", at=NOW + DAY))
        self.assertGreater(self.of("example.org").good, 1.9 * WRITTEN)

    def test_no_correspondents(self):
        """
        Notices and automatic answers make nobody known, nor does what was refused, mail among
        ourselves, and mail from outside.
        """
        self.assertEqual(
            self.note(
                went("eve@example.org", sender=""),
                went("eve@example.org", outcome="refused"),
                went("bob@example.com"),
                went("postmaster"),
                evolve(went("eve@example.org"), session=SESSION),
            ),
            0,
        )

    def test_our_findings(self):
        """
        Mail of ours makes nobody known by what was found of it.
        """
        self.assertEqual(self.note(came("example.org", session=OURS)), 0)

    def test_decay(self):
        """
        What is known counts half after thirty days; where the clock is put back nothing grows.
        """
        self.rate("example.org")
        self.now.start += 30 * DAY
        self.assertAlmostEqual(self.of("example.org").good, RELEASED / 2)
        self.now.start -= 60 * DAY
        self.assertEqual(self.of("example.org").good, RELEASED)

    def test_forgotten(self):
        """
        Of whom nothing was heard for half a year nothing is known any more.
        """
        self.note(came("example.org"), went("eve@example.net"))
        self.assertEqual(self.later(179), 0)
        self.note(came("example.org", at=self.now()))
        self.assertEqual(self.later(1), 1)
        self.assertTrue(self.of("example.org").has_passed)
        self.assertFalse(self.of("example.net").has_passed)

    def test_kept_is_not_heard(self):
        """
        That a day counts does not make a sender younger.
        """
        self.note(came("example.org"))
        self.later(100)
        self.assertEqual(self.later(80), 1)

    def test_bounded(self):
        """
        Whoever makes up domains pushes out such domains, and none that has a name.
        """
        self.make(most=10, slack=0)
        self.rate("good.example")
        self.note(went("eve@written.example"))
        for number in range(30):
            self.now.start += 1
            self.note(came(f"d{number}.example"))
        self.assertEqual(self.successResultOf(self.reputations.count()), 10)
        self.assertTrue(self.of("good.example").has_passed)
        self.assertTrue(self.of("written.example").has_passed)
        self.assertTrue(self.of("d29.example").has_passed)
        self.assertFalse(self.of("d21.example").has_passed)
        days = self.successResultOf(
            self.storage.database.read(
                lambda connection: connection.execute(
                    "SELECT count(*) FROM reputation_day"
                ).fetchone()[0]
            )
        )
        self.assertEqual(days, 8)

    def test_waiting_is_bounded(self):
        """
        Of more senders than can wait to be written nothing is noted, and that is told.
        """
        self.make(most_waiting=2)
        records = [came(f"d{number}.example") for number in range(5)]
        with events() as found:
            self.assertEqual(self.note(*records), 2)
        (lost,) = [each for each in found if each["event"] == "reputation.lost"]
        self.assertEqual(lost["number"], 3)
        self.assertEqual(self.note(records[4]), 1)

    def test_disk(self):
        """
        What could not be written is written later.
        """
        write = self.storage.database.write
        self.patch(self.storage.database, "write", lambda work: fail(StoreError(5, "disk")))
        self.reputations.record(came("example.org"))
        self.failureResultOf(self.reputations.flush(), StoreError)
        self.patch(self.storage.database, "write", write)
        self.assertEqual(self.note(), 1)
        self.assertEqual(self.of("example.org").last, NOW)

    def test_restart(self):
        """
        What was written outlasts a restart.
        """
        self.note(came("example.org"))
        self.make()
        self.assertTrue(self.of("example.org").has_passed)

    def test_listing(self):
        """
        The newest is first, page by page.
        """
        self.note(came("a.example"), came("b.example"), came("c.example"))
        rows = self.successResultOf(self.reputations.newest(2))
        self.assertEqual([row.reputation.name for row in rows], ["c.example", "b.example"])
        rows = self.successResultOf(self.reputations.newest(2, rows[-1].number))
        self.assertEqual([row.reputation.name for row in rows], ["a.example"])

    def test_show(self):
        """
        A person may name a sender by an address, whether it is known by that or by its domain.
        """
        self.note(came("example.org", "bob@mail.example"))
        for name, known_as in (
            ("example.org", "example.org"),
            ("Eve@Example.ORG", "example.org"),
            ("BOB@mail.example", "bob@mail.example"),
        ):
            found = self.successResultOf(self.reputations.show(name))
            self.assertEqual(found.name, known_as)
        self.assertIsNone(self.successResultOf(self.reputations.show("mail.example")))

    def test_clear(self):
        """
        One sender is forgotten, or all of them, also what is not written yet and the days that
        would count.
        """
        self.note(came("a.example"), came("b.example"))
        self.reputations.record(came("a.example"))

        def clearing(*what):
            return self.successResultOf(self.reputations.clear("Ada", *what))

        self.assertEqual(clearing("eve@A.example"), 1)
        self.note()
        self.later(7)
        self.assertFalse(self.of("a.example").has_passed)
        self.rate("b.example")
        self.assertEqual(clearing(), 1)
        self.assertTrue(self.rate("b.example"))
        self.assertEqual(self.of("b.example").good, RELEASED)
