"""
Tests of L{mailgate.knowledge.correspondents}.
"""

from attrs import evolve
from twisted.internet.defer import fail
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.checks import CorrespondentsCheck as Section
from mailgate.finding import Finding
from mailgate.interfaces import Contact, Question
from mailgate.knowledge.correspondents import Correspondents
from mailgate.message.record import Copy
from mailgate.store.database import StoreError
from mailgate.verdict import Action, Verdict
from tests.pipeline.events import events
from tests.reporting.records import RECORD
from tests.storage import ADA, NOW, SESSION, WallClock, make_storage

DAY = 86400.0
OURS = evolve(SESSION, role="submission", account="ada")


def look(domain):
    """
    Give organisation and look; at mail.example anybody can have an address.
    """
    name = ".".join(domain.split(".")[-2:])
    return ("", "") if name == "mail.example" else (name, name.partition(".")[0].replace("0", "o"))


def came(author="eve@example.org", outcome="delivered", at=NOW, **more):
    """
    Give the record of a message from an author who was authenticated.
    """
    finding = Finding("CORRESPONDENT_NEW", 0.0, "New.", check="correspondents")
    verdict = Verdict(Action.ACCEPT, (finding,), 0.0, (ADA,))
    fields = {
        "author": author,
        "started": at,
        "copies": (Copy("ada@example.com", outcome),),
        "verdicts": (verdict,),
    }
    return evolve(RECORD, **{**fields, **more})


def went(*recipients, sender="ada@example.com", outcome="queued", at=NOW):
    """
    Give the record of a message that somebody of ours has sent.
    """
    copies = tuple(Copy(recipient, outcome) for recipient in recipients)
    return evolve(RECORD, started=at, session=OURS, sender=sender, copies=copies, verdicts=())


class CorrespondentsTests(SynchronousTestCase):
    """
    Tests of L{Correspondents}.
    """

    def setUp(self):
        """
        Know nobody.
        """
        self.clock = WallClock()
        self.storage = make_storage(self, now=self.clock)
        self.known = self.make()

    def make(self, **more):
        """
        Make them, with some limits.
        """
        return Correspondents(
            self.storage.database, self.clock, Section(), {"example.com"}, look, **more
        )

    def note(self, *records):
        """
        Note what has happened, and write it.
        """
        for each in records:
            self.known.record(each)
        return self.successResultOf(self.known.flush())

    def ask(self, theirs="eve@example.org", ours=("ada@example.com",)):
        """
        Give what is known.
        """
        return self.successResultOf(self.known.ask(Question(theirs, ours)))

    def test_nobody(self):
        """
        Of whom nothing is known that is the first.
        """
        self.assertEqual(self.ask(), Contact("eve@example.org"))
        self.assertTrue(self.ask().is_first)

    def test_heard(self):
        """
        Whose mail was delivered is known, by all of ours.
        """
        self.note(came(author="Eve@Example.org"), came(at=NOW + 5))
        self.assertEqual(self.ask(), Contact("eve@example.org", NOW + 5))
        self.assertEqual(self.ask(ours=("bob@example.com",)).heard, NOW + 5)
        self.assertFalse(self.ask().is_first)

    def test_not_heard(self):
        """
        What was not delivered, not accepted, not from an authenticated author, from nobody, or from
        one of ours is not heard.
        """
        bare = Verdict(Action.ACCEPT, (), 0.0, (ADA,))
        tagged = evolve(came().verdicts[0], action=Action.TAG)
        watched = evolve(came().verdicts[0], would=Action.REJECT)
        ours = "bob@example.com"
        self.note(
            came(outcome="held"),
            came(verdicts=(bare,)),
            came(verdicts=(tagged,)),
            came(verdicts=(watched,)),
            came(author=""),
            came(author=ours),
        )
        self.assertTrue(self.ask().is_first)
        self.assertTrue(self.ask(ours).is_first)

    def test_written(self):
        """
        To whom ours have written is known, and who of them has.
        """
        self.note(went("Eve@Example.ORG", "carol@example.com", "x", at=NOW + 1))
        self.assertEqual(self.ask(), Contact("eve@example.org", 0.0, NOW + 1, True))
        self.assertFalse(self.ask(ours=("bob@example.com",)).is_own)
        self.assertTrue(self.ask("carol@example.com").is_first)

    def test_not_written(self):
        """
        Notices, mail of others through us, and what did not get away are no correspondence.
        """
        self.note(
            went("eve@example.org", sender=""),
            went("eve@example.org", sender="x@elsewhere.example"),
            went("eve@example.org", outcome="refused"),
        )
        self.assertTrue(self.ask().is_first)

    def test_alike(self):
        """
        A domain that looks like one to which ours have written is told, until they write to it.
        """
        self.note(went("bob@acmecorp.example"))
        self.assertEqual(self.ask("eve@acmec0rp.example").alike, ("acmecorp.example",))
        self.assertEqual(self.ask("eve@acmecorp.test").alike, ("acmecorp.example",))
        self.assertEqual(self.ask("eve@acmecorp.example").alike, ())
        self.note(went("carol@acmec0rp.example"))
        self.assertEqual(self.ask("eve@acmec0rp.example").alike, ())

    def test_not_alike(self):
        """
        Who was only heard, and providers, look like nobody.
        """
        self.note(came("eve@acmecorp.example"), went("bob@mail.example"))
        self.assertEqual(self.ask("eve@acmec0rp.example").alike, ())
        self.assertEqual(self.ask("eve@mail.example").alike, ())

    def test_forgotten(self):
        """
        After a year without mail a pair is forgotten, and before it is purged it counts no more.
        """
        self.note(came(), went("bob@acmecorp.example"))
        self.clock.clock.advance(365 * DAY + 1)
        self.assertTrue(self.ask().is_first)
        self.assertEqual(self.ask("eve@acmec0rp.example").alike, ())
        self.assertEqual(self.successResultOf(self.known.count()), 2)
        self.assertEqual(self.successResultOf(self.known.purge()), 2)
        self.assertEqual(self.successResultOf(self.known.count()), 0)

    def test_order(self):
        """
        What is noted late takes nothing back.
        """
        self.note(came(at=NOW + 9))
        self.note(came(at=NOW))
        self.assertEqual(self.ask().heard, NOW + 9)

    def test_too_many(self):
        """
        Those go first to whom nobody has written, and the oldest of them.
        """
        self.known = self.make(most=2, slack=0)
        self.note(went("a@example.org"), came("b@example.org"), came("c@example.org", at=NOW + 1))
        found = [self.ask(f"{name}@example.org").is_first for name in "abc"]
        self.assertEqual(found, [False, True, False])

    def test_waiting(self):
        """
        Only so many wait to be written; that others are lost is told.
        """
        self.known = self.make(most_waiting=1)
        with events() as told:
            self.note(came("a@example.org"), came("b@example.org"))
        self.assertTrue(self.ask("b@example.org").is_first)
        self.assertEqual(
            [(each["event"], each["number"]) for each in told], [("correspondents.lost", 1)]
        )

    def test_failure(self):
        """
        What could not be written is written the next time.
        """
        write = self.storage.database.write
        self.known.record(came())
        self.patch(self.storage.database, "write", lambda work: fail(StoreError(5, "disk")))
        self.failureResultOf(self.known.flush(), StoreError)
        self.patch(self.storage.database, "write", write)
        self.note()
        self.assertFalse(self.ask().is_first)
