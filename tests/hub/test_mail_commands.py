"""
Tests for L{mailgate.hub.mail_commands}.
"""

from email import message_from_bytes, policy

from attrs import evolve
from twisted.internet.defer import fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailgate.config.model import Digest as DigestSettings
from mailgate.config.model import MailCommands as Section
from mailgate.finding import Finding
from mailgate.hub.mail_commands import HOW, NOT_FOR_YOU, TAKEN, TOO_MANY, MailCommands
from mailgate.hub.reading import OwnReader
from mailgate.interfaces import IDelivery, SandboxUnavailable
from mailgate.message.message import MemoryMessage
from mailgate.message.record import Copy, Record
from mailgate.message.writing import NOTICE
from mailgate.quarantine.digest import Digests
from mailgate.quarantine.tokens import Tokens
from mailgate.store import outbox
from mailgate.store.threads import ImmediateThreads
from mailgate.verdict import Action, Verdict
from mailgate.wire.address import NULL_SENDER, Address
from tests.message.test_forwarded import INNER, attached, outer
from tests.pipeline.events import events
from tests.storage import ADA, BOB, ENVELOPE, NOW, SESSION, WallClock, make_storage

POSTMASTER = Address("postmaster", "example.com")
SPAM, HAM, ANALYZE, DIGEST = (
    Address(name, "report.example.com") for name in ("spam", "ham", "analyze", "digest")
)
MARKED = b"X-Mailgate-Trace: trac-trac-trac\r\n" + INNER


class Learner:
    """
    Remembers what it was to learn.
    """

    def __init__(self):
        self.learned = []
        self.answer = succeed(None)

    def learn(self, message, is_spam, by):
        """
        Remember it.
        """
        self.learned.append((message.strip(), is_spam, by))
        return self.answer


class MailCommandsTests(SynchronousTestCase):
    """
    Tests of L{MailCommands}.
    """

    def setUp(self):
        """
        Make it.
        """
        self.clock = Clock()
        self.storage = make_storage(self, now=WallClock(self.clock))
        self.learner = Learner()
        self.kicks = []
        self.digests = Digests(
            self.storage.messages,
            Tokens(self.storage.database),
            self.storage.now,
            "mail.example.com",
            lambda: None,
        )
        self.digests.take_up(DigestSettings(), True, POSTMASTER, {"example.com"}, 30, ())
        self.commands = MailCommands(
            self.clock,
            self.storage.messages,
            self.storage.now,
            OwnReader(ImmediateThreads()),
            self.learner,
            self.storage.traces,
            self.digests,
            "mail.example.com",
            lambda: self.kicks.append(1),
        )
        section = Section(domain="report.example.com", per_hour=3)
        self.commands.take_up(section, POSTMASTER, {"example.com"}, "@example.com")

    def send(
        self, *recipients, message=None, sender=ADA, role="submission", account="ada@example.com"
    ):
        """
        Bring a message, and give the replies.
        """
        session = evolve(SESSION, role=role, account=account)
        envelope = evolve(ENVELOPE, session=session, sender=sender)
        data = outer(b"\r\nthis is spam", attached(INNER)) if message is None else message
        return self.successResultOf(
            self.commands.deliver(envelope, recipients, MemoryMessage((data,)))
        )

    def answers(self):
        """
        Give what was answered: to whom, and the letter.
        """
        rows = self.successResultOf(self.storage.database.read(outbox.newest))
        found = []
        for row in reversed(rows):
            self.assertEqual((str(row.message.sender), row.message.role), ("", NOTICE))
            raw = self.storage.blobs.path(row.message.id).read_bytes()
            found.append((str(row.recipient), message_from_bytes(raw, policy=policy.default)))
        return found

    def text(self):
        """
        Give the words of the one answer, on one line.
        """
        ((to, letter),) = self.answers()
        self.assertEqual(to.lower(), "ada@example.com")
        return " ".join(letter.get_content().split())

    def record(self, recipient=ADA, outcome="held"):
        """
        Let the trace know the reported message.
        """
        findings = (
            Finding("LINK", 4.0, "A link hides where it leads."),
            Finding("KNOWN", -1.0, "Its sender is known."),
        )
        self.storage.traces.record(
            Record(
                "trac-trac-trac",
                SESSION,
                NOW,
                1.0,
                "250",
                sender="eve@example.org",
                copies=(Copy(str(recipient), outcome),),
                verdicts=(Verdict(Action.QUARANTINE, findings, 3.0, (recipient,)),),
            )
        )
        self.successResultOf(self.storage.traces.flush())

    def test_interface(self):
        """
        For the outbox it is an upstream.
        """
        verifyObject(IDelivery, self.commands)
        self.assertTrue(self.commands.is_for(Address("SPAM", "Report.example.com")))
        self.assertFalse(self.commands.is_for(ADA))

    def test_spam_and_ham(self):
        """
        What is attached is learned as what was said, by whom who said it, who is thanked.
        """
        for address, is_spam in ((SPAM, True), (HAM, False)):
            self.assertEqual(self.send(address), [TAKEN])
            self.assertEqual(
                self.learner.learned.pop(), (INNER.strip(), is_spam, "ada@Example.com".lower())
            )
        for to, letter in self.answers():
            self.assertEqual(to, "ada@example.com")
            self.assertIn("Thank you.", letter.get_content())
            self.assertEqual(letter["auto-submitted"], "auto-replied")
        self.assertEqual(len(self.kicks), 2)

    def test_what_was_found(self):
        """
        The answer to a report, and to the question why, says what was found and what became of it,
        without a score.
        """
        self.record()
        for address in (SPAM, ANALYZE):
            self.send(address, message=outer(attached(MARKED)))
        for _, letter in self.answers():
            text = " ".join(letter.get_content().split())
            for words in (
                "About “inner” from eve@example.org:",
                "It is held for you in the quarantine.",
                "What speaks against it: - A link hides where it leads.",
                "What speaks for it: - Its sender is known.",
            ):
                self.assertIn(words, text)
            self.assertNotIn("4.0", text)

    def test_not_of_others(self):
        """
        Whoever sets the mark of another person's mail learns nothing of it.
        """
        self.record(BOB)
        self.send(ANALYZE, message=outer(attached(MARKED)))
        self.assertIn("I know no more of it", self.text())

    def test_own_aliases(self):
        """
        What came to another address of the same account is told.
        """
        self.record(Address("sales", "example.com"))
        accounts = self.storage.accounts
        self.successResultOf(
            accounts.add(
                "Ada",
                "correct horse battery",
                "user",
                ("ada@example.com", "sales@example.com"),
            )
        )
        self.send(ANALYZE, message=outer(attached(MARKED)))
        self.assertIn("A link hides where it leads.", self.text())

    def test_within_the_text(self):
        """
        Where nothing is attached, nothing is learned, and it is said how to do it.
        """
        self.send(SPAM, message=b"Subject: Fwd: prize\r\n\r\n> You have won\r\n")
        self.assertEqual(self.learner.learned, [])
        self.assertIn(HOW, self.text())

    def test_digest(self):
        """
        Asked for a digest, it says so where nothing is new.
        """
        self.send(DIGEST, message=b"\r\n")
        self.assertIn("Nothing is held for you", self.text())

    def test_a34_strangers(self):
        """
        Nobody else teaches or is answered: not who came from outside, and no sender of a domain
        that is not ours.
        """
        for more in (
            {"role": "mx", "account": ""},
            {"role": "internal", "account": "", "sender": Address("eve", "example.org")},
        ):
            self.assertEqual(self.send(SPAM, **more), [NOT_FOR_YOU])
        self.assertEqual((self.learner.learned, self.answers()), ([], []))

    def test_account(self):
        """
        The account is who asks, whatever it sends as, also where its name is no address.
        """
        for account in ("ada@example.com", "ada"):
            self.send(SPAM, sender=BOB, account=account)
        self.assertEqual({to for to, _ in self.answers()}, {"ada@example.com"})
        self.send(SPAM, sender=BOB, role="internal", account="")
        self.assertEqual(self.answers()[-1][0], "bob@example.com")

    def test_a31_no_circles(self):
        """
        What a program has written, or nobody, is taken and neither learned nor answered.
        """
        inner = attached(INNER)
        for more in (
            {"sender": NULL_SENDER},
            {"message": outer(inner, head=b"Auto-Submitted: auto-replied\r\n")},
            {"message": outer(inner, head=b"List-Id: <x.example.com>\r\n")},
        ):
            self.assertEqual(self.send(SPAM, **more), [TAKEN])
        self.assertEqual((self.learner.learned, self.answers()), ([], []))

    def test_limit(self):
        """
        One person is heard so often in an hour, others meanwhile as well.
        """
        for _ in range(3):
            self.assertEqual(self.send(SPAM), [TAKEN])
        with events() as seen:
            self.assertEqual(self.send(SPAM), [TOO_MANY])
        self.assertEqual([each["event"] for each in seen], ["command.limited"])
        self.assertEqual(self.send(SPAM, account="bob@example.com"), [TAKEN])
        self.clock.advance(3600)
        self.assertEqual(self.send(SPAM), [TAKEN])

    def test_failure(self):
        """
        Where it cannot be done now, the message is tried again.
        """
        for error in (OSError("disk"), SandboxUnavailable("busy")):
            self.learner.answer = fail(error)
            (reply,) = self.send(SPAM)
            self.assertTrue(reply.is_transient)
            self.flushLoggedErrors(type(error))

    def test_a15_hostile(self):
        """
        The words of the attached message begin no header and no line of their own.
        """
        inner = b"Subject: =?utf-8?q?x=0D=0ABcc:_e@e.e?=\r\n\r\nHi\r\n"
        self.send(SPAM, message=outer(attached(inner)))
        ((_, letter),) = self.answers()
        self.assertIsNone(letter["bcc"])
        self.assertNotRegex(letter.get_content(), r"(?m)^Bcc")
