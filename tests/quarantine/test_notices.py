"""
Tests for L{mailgate.quarantine.notices}.
"""

from email import message_from_bytes

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.model import Notices as Settings
from mailgate.interfaces import Hold
from mailgate.message.writing import NOTICE, REPORT
from mailgate.quarantine.notices import SHOWN, Notices
from mailgate.store import outbox
from mailgate.store.threads import immediate_result
from mailgate.verdict import Action, Kind, Verdict
from mailgate.wire.address import Address
from tests.pipeline.events import events
from tests.storage import ADA, BOB, ENVELOPE, SESSION, WallClock, make_storage, message

POSTMASTER = Address("postmaster", "example.com")
FULL = "552 5.2.2 mailbox full"
HOUR = 3600


class NoticesTests(SynchronousTestCase):
    """
    Tests of L{Notices}.
    """

    def setUp(self):
        """
        Make them.
        """
        self.clock = Clock()
        self.storage = make_storage(self, now=WallClock(self.clock))
        self.quarantine = self.storage.quarantine(lambda: None)
        self.kicks = []
        self.notices = self.make()

    def make(self, **settings):
        """
        Make the sender of notices, as after a restart.
        """
        return Notices(
            self.storage.messages,
            self.storage.now,
            Settings(**settings),
            "mail.example.com",
            POSTMASTER,
            "https://mail.example.com",
            lambda: self.kicks.append(1),
        )

    def hold(
        self,
        recipient=ADA,
        reason=FULL,
        kind=Kind.UNDELIVERABLE,
        role="mx",
        is_provisional=False,
        text=None,
    ):
        """
        Hold a copy that could not be delivered.
        """
        verdict = Verdict(Action.ACCEPT, (), 0.0, (recipient,))
        envelope = evolve(ENVELOPE, session=evolve(SESSION, role=role))
        kept = message() if text is None else message(text)
        holds = [Hold(recipient, kind, verdict, reason)]
        (identity,) = self.successResultOf(
            self.quarantine.hold(envelope, kept, holds, is_provisional)
        )
        return identity

    def sent(self):
        """
        Look, give what was queued, by recipient, and let it be delivered.
        """
        self.successResultOf(self.notices.look())
        return self.queued()

    def queued(self):
        """
        Give what is queued, by recipient, and let it be delivered.
        """
        rows = self.successResultOf(self.storage.database.read(outbox.newest))
        found = {}
        for row in rows:
            path = self.storage.blobs.path(row.message.id)
            self.assertNotIn(str(row.recipient), found)
            found[str(row.recipient)] = message_from_bytes(path.read_bytes())
            self.assertTrue(row.message.sender.is_null)
            self.assertEqual(row.message.role, NOTICE)
        self.successResultOf(
            self.storage.database.write(
                lambda connection: [outbox.remove(connection, row.id) for row in rows]
            )
        )
        return found

    def test_both_are_told(self):
        """
        The recipient and the postmaster are told of what could not be delivered, once.
        """
        identity = self.hold()
        sent = self.sent()
        self.assertEqual(set(sent), {"ada@Example.com", "postmaster@example.com"})
        for notice in sent.values():
            text = notice.get_payload(decode=True).decode()
            for words in (identity, "<eve@example.org>", "café", FULL):
                self.assertIn(words, text)
            self.assertEqual(notice["Auto-Submitted"], "auto-generated")
        self.assertEqual(
            sent["ada@Example.com"]["Subject"], "One message for you could not be delivered"
        )
        self.assertTrue(self.kicks)
        self.clock.advance(2 * HOUR)
        self.assertEqual(self.sent(), {})

    def test_few(self):
        """
        A thousand failures are one notice for each person in an hour, which counts them all and
        names the newest.
        """
        self.hold()
        self.sent()
        ids = [self.hold(who) for _ in range(50) for who in (ADA, BOB)]
        sent = self.sent()
        self.assertEqual(set(sent), {"bob@example.com"})
        for _ in range(58):
            self.clock.advance(60)
            self.assertEqual(self.sent(), {})
        self.clock.advance(120)
        sent = self.sent()
        self.assertEqual(set(sent), {"ada@Example.com", "postmaster@example.com"})
        notice = sent["postmaster@example.com"]
        self.assertEqual(notice["Subject"], "100 copies could not be delivered")
        text = notice.get_payload(decode=True).decode()
        self.assertEqual([identity for identity in ids if identity in text], ids[-SHOWN:])
        self.assertIn("70 others", text)

    def test_per_hour(self):
        """
        A broken upstream does not have thousands told at once: so many in an hour, the others
        later, and those who wait longest first.
        """
        self.notices = self.make(per_hour=10)
        people = [f"p{number}@example.com" for number in range(25)]
        for name in people:
            self.hold(Address(name.partition("@")[0], "example.com"))
        told = []
        for minute in range(200):
            sent = set(self.sent()) - {str(POSTMASTER)}
            if sent:
                told.append((minute // 60, sorted(sent, key=people.index)))
            self.clock.advance(60)
        self.assertEqual([who for _, some in told for who in some], people)
        self.assertLessEqual(max(len(some) for _, some in told), 10)
        self.assertEqual({hour for hour, _ in told}, {0, 1, 2})

    def test_restart(self):
        """
        A restart makes nobody be told twice or too often.
        """
        self.hold()
        self.sent()
        self.notices = self.make()
        self.assertEqual(self.sent(), {})
        self.hold()
        self.assertEqual(self.sent(), {})

    def test_only_of_failures(self):
        """
        What is held for what it is, and what is provisional, is told to nobody.
        """
        self.hold(kind=Kind.SPAM)
        self.hold(is_provisional=True)
        self.assertEqual(self.sent(), {})

    def test_provisional(self):
        """
        A hold is told once it is confirmed.
        """
        identity = self.hold(is_provisional=True)
        self.successResultOf(self.quarantine.confirm([identity]))
        self.assertEqual(len(self.sent()), 2)

    def test_dealt_with(self):
        """
        What somebody has released or deleted meanwhile is told to nobody.
        """
        first, second = self.hold(), self.hold()
        self.successResultOf(self.quarantine.release(first, "Ada"))
        self.successResultOf(self.quarantine.delete(second, "Ada"))
        self.successResultOf(self.notices.look())
        rows = self.successResultOf(self.storage.database.read(outbox.newest))
        self.assertEqual([row.released_from for row in rows], [first])

    def test_nobody_there(self):
        """
        A recipient who does not exist is not written to, nor is one of mail that was sent from
        here, or of a report of ours; the postmaster is told.
        """
        self.hold(reason="550 5.1.1 no such user")
        self.hold(reason="550 5.2.1 disabled")
        for role in ("submission", "submissions", "internal", REPORT):
            self.hold(role=role)
        self.assertEqual(set(self.sent()), {"postmaster@example.com"})

    def test_alias(self):
        """
        Who is known by several addresses is told at their own, whichever of them failed last.
        """
        self.hold(recipient=BOB)
        alias = Address("info", "example.com", BOB)
        self.hold(recipient=alias, reason="550 5.7.1 not for this list")
        self.assertEqual(set(self.sent()), {str(BOB), "postmaster@example.com"})

    def test_off(self):
        """
        Where recipients are not to be told, only the postmaster is; also not later.
        """
        self.notices = self.make(tell_recipients=False)
        self.hold()
        self.assertEqual(set(self.sent()), {"postmaster@example.com"})
        self.notices = self.make()
        self.assertEqual(self.sent(), {})

    def test_a15_hostile(self):
        """
        Whatever strangers have written, a notice has the header fields and the lines that it should
        have.
        """
        self.hold(
            reason="552 5.2.2 full\r\nBcc: eve@example.org\r\n\r\nbody\x00",
            text=b"From: =?utf-8?q?x=0D=0ABcc:_eve@e?= <a@b>\r\nSubject: =?utf-8?q?=0D=0A=0D=0Ax?="
            b"\r\nMessage-ID: <1@e>\r\n\r\nHi\r\n",
        )
        for notice in self.sent().values():
            self.assertNotIn("Bcc", notice)
            self.assertEqual(notice.defects, [])
            text = notice.get_payload(decode=True).decode()
            self.assertNotRegex(text, "(?m)^(Bcc|body)")
            self.assertNotIn("\x00", text)

    def test_f13_clock_put_back(self):
        """
        A clock that is put back by a day keeps nobody from being told.
        """
        self.hold()
        self.sent()
        self.storage.now.start -= 86400
        self.hold()
        self.assertEqual(len(self.sent()), 2)

    def test_tell_postmaster(self):
        """
        What else the postmaster is to know is told once in a while, whatever else is told.
        """
        self.hold()
        self.sent()

        def tell():
            return self.successResultOf(
                self.notices.tell_postmaster("It burns", "Really.\nCome.", "fire", 86400)
            )

        with events() as said:
            self.assertTrue(tell())
        self.assertEqual([event["event"] for event in said], ["notice.sent"])
        notice = self.queued()["postmaster@example.com"]
        self.assertEqual(notice["Subject"], "It burns")
        self.assertTrue(notice.get_payload().startswith("Really.\r\nCome.\r\n"))
        self.assertFalse(tell())
        self.clock.advance(86401)
        self.assertTrue(tell())

    def test_asked_for(self):
        """
        What somebody has asked for is sent at once, and to nobody else.
        """
        to = Address("leo", "example.com")
        self.successResultOf(self.notices.send(to, "Your link", ["Here:", "http://x.example/1"]))
        notices = self.queued()
        self.assertEqual(list(notices), ["leo@example.com"])
        self.assertEqual(notices["leo@example.com"]["Subject"], "Your link")
        self.assertIn("\r\nhttp://x.example/1\r\n", notices["leo@example.com"].get_payload())

    def test_history(self):
        """
        The history of a message says that its recipient was told.
        """
        identity = self.hold()
        self.sent()
        held = self.successResultOf(self.quarantine.get(identity))
        notes = immediate_result(
            self.storage.database.read(
                lambda connection: connection.execute(
                    "SELECT event FROM history WHERE trace = ?", (held.message.trace,)
                ).fetchall()
            )
        )
        self.assertEqual(notes, [("notice.sent",)])
