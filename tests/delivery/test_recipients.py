"""
Tests of who may be sent to.
"""

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.delivery import Route
from mailgate.delivery.call_forward import CallForward
from mailgate.delivery.recipients import Recipients
from mailgate.delivery.routes import Routes
from mailgate.interfaces import Admission, Capabilities, Listed
from mailgate.knowledge.recipient_cache import Remembered, Times
from mailgate.knowledge.recipient_presumption import Presumed
from mailgate.knowledge.recipient_table import ListedRecipients
from mailgate.knowledge.recipients import Directory
from mailgate.knowledge.traps import Trap, TrapRule, Traps
from mailgate.reply import Reply
from mailgate.wire.address import NULL_SENDER, Address
from tests.checks.given import settings
from tests.storage import ENVELOPE, SESSION

SENDER = Address("sender", "example.org")
ADA = Address("ada", "example.com")
INFO = Address("info", "example.com")
GOOD = Reply(250, "2.1.5", "ok")
UNKNOWN = Reply(550, "5.1.1", "nobody of this name")
UNREACHABLE = Reply(451, "4.4.1", "destination not reached: refused")


class Upstream:
    """
    An upstream that says of everybody what it was told.
    """

    def __init__(self, name):
        self.name = name
        self.capabilities = Capabilities()
        self.failures = 0
        self.journal = []
        self.reply = GOOD

    def verify(self, sender, recipient):
        """
        Answer, or let the answer wait.
        """
        self.journal.append((str(sender), str(recipient)))
        answer = Deferred()
        if isinstance(self.reply, list):
            self.reply.append(answer)
        else:
            answer.callback(self.reply)
        return answer


class Slow:
    """
    A source whose answers come when a test lets them.
    """

    name, is_upstream = "directory", False

    def __init__(self):
        self.answers = []

    def find(self, address, sender):
        """
        Let the answer wait.
        """
        self.answers.append(Deferred())
        return self.answers[-1]


class RecipientTests(SynchronousTestCase):
    """
    Tests with two domains and an upstream each.
    """

    def setUp(self):
        """
        Make two upstreams.
        """
        self.clock = Clock()
        self.one, self.two = Upstream("one"), Upstream("two")
        routes = Routes(
            (
                Route(domains=("example.com",), upstream="one"),
                Route(domains=("example.net",), upstream="two"),
            ),
            {"one": self.one, "two": self.two},
            self.clock,
        )
        times = Times(good_seconds=1000, bad_seconds=100, entries=3)
        asked = {
            each: Remembered(CallForward(each), times, self.clock.seconds)
            for each in (self.one, self.two)
        }
        self.routes = routes
        self.recipients = self.asking(lambda address: [asked[routes.route_for(address)]])

    def asking(self, sources, separator="", rewrites=False):
        """
        Make what asks the sources that are given for an address.
        """

        def of_queued(address):
            upstream = self.routes.route_for(address)
            return [Presumed(each, lambda: bool(upstream.failures)) for each in sources(address)]

        return Recipients(
            self.routes,
            Directory(sources, separator),
            Directory(of_queued, separator),
            rewrites,
        )

    def ask(self, recipient=ADA, sender=SENDER, role="mx"):
        """
        Ask, and give the code and enhanced code.
        """
        session = evolve(SESSION, role=role)
        envelope = evolve(ENVELOPE, session=session, sender=sender)
        answer = self.recipients.ask(envelope, recipient)
        if isinstance(answer, Deferred):
            answer = self.successResultOf(answer)
        return answer.reply.code, answer.reply.enhanced

    def test_asked_once(self):
        """
        A good answer is remembered, and then given as a value.
        """
        self.assertEqual(self.ask(), (250, "2.1.5"))
        answer = self.recipients.ask(evolve(ENVELOPE, sender=NULL_SENDER), ADA)
        self.assertIsInstance(answer, Admission)
        self.assertEqual(self.one.journal, [("sender@example.org", "ada@example.com")])
        self.clock.advance(1001)
        self.ask()
        self.assertEqual(len(self.one.journal), 2)

    def test_own_addresses(self):
        """
        An address of the gateway's own is there for people of ours, in any spelling, without a
        question; for strangers it is what its domain says.
        """
        directory = Directory(lambda address: [])
        commands = frozenset(("spam@report.example.com",))
        self.recipients = Recipients(self.routes, directory, directory, commands=commands)
        ours = Address("Spam", "Report.example.COM")
        self.assertEqual(self.ask(ours, role="submission"), (250, "2.1.5"))
        self.assertEqual(self.ask(ours, role="mx"), (550, "5.7.1"))
        session = evolve(SESSION, role="internal")
        admission = self.recipients.ask(evolve(ENVELOPE, session=session), ours)
        self.assertTrue(admission.recipient.is_command)
        self.assertEqual(self.one.journal, [])

    def test_sent_from_here(self):
        """
        Of mail that is queued only a lasting refusal by the server of our own domain counts.
        """
        for role in ("submission", "submissions", "internal"):
            self.one.reply = UNREACHABLE
            self.assertEqual(self.ask(role=role), (250, "2.1.5"))
            self.one.reply = Reply(450, "4.2.1", "greylisted")
            self.assertEqual(self.ask(role=role), (250, "2.1.5"))
        self.assertEqual(self.ask(), (450, "4.2.1"))
        self.one.reply = UNKNOWN
        self.assertEqual(self.ask(role="submission"), (550, "5.1.1"))

    def test_sent_from_here_while_it_fails(self):
        """
        A server that could not be reached keeps nobody waiting whose mail is queued; what it said
        before counts.
        """
        self.one.failures = 1
        self.one.reply = waiting = []
        self.assertEqual(self.ask(role="submission"), (250, "2.1.5"))
        for asked in waiting:
            asked.callback(UNREACHABLE)
        self.one.reply = UNKNOWN
        self.assertEqual(self.ask(), (550, "5.1.1"))
        self.assertEqual(self.ask(role="submission"), (550, "5.1.1"))

    def test_sent_from_here_while_a_server_is_not_asked(self):
        """
        Where a directory knows who exists its word counts, also while the server for the mail
        cannot be reached.
        """
        slow = Slow()
        self.recipients = self.asking(lambda address: [slow])
        self.one.failures = 1
        asked = self.recipients.ask(self.submitted(), ADA)
        slow.answers.pop(0).callback(Listed(UNKNOWN))
        slow.answers.pop(0).callback(Listed(UNKNOWN))
        self.assertEqual(self.successResultOf(asked).reply, UNKNOWN)

    def test_owner_of_what_is_sent_from_here(self):
        """
        Of mail that is queued a copy belongs to whom a directory says, also while the server fails
        that is asked for those whom the directory does not know: it is waited for the one and not
        for the other.
        """
        slow = Slow()
        self.one.failures = 1
        self.one.reply = []
        self.recipients = self.asking(self.both(slow))
        asked = self.recipients.ask(self.submitted(), INFO)
        self.assertNoResult(asked)
        slow.answers.pop(0).callback(Listed(GOOD, (ADA,)))
        self.assertNoResult(asked)
        slow.answers.pop(0).callback(Listed(UNKNOWN))
        admission = self.successResultOf(asked)
        self.assertEqual(admission.reply.code, 250)
        self.assertEqual((admission.recipient, admission.recipient.owner), (INFO, str(ADA)))

    def test_owner_where_nobody_can_be_asked(self):
        """
        Where an alias leads, it leads of mail that is queued, whether or not it can be asked who
        that is; for others the sender has to come again.
        """
        table = ListedRecipients("table", ["info@example.com ada@example.com"])
        self.one.reply = UNREACHABLE
        for address in ("info", "info+news"):
            self.recipients = self.asking(self.both(table), "+")
            asked = self.recipients.ask(self.submitted(), Address(address, "example.com"))
            self.assertEqual(self.successResultOf(asked).recipient.owner, str(ADA), address)
            self.assertEqual(self.ask(INFO), (451, "4.4.1"))
        self.recipients = self.asking(self.both(table), rewrites=True)
        asked = self.recipients.ask(self.submitted(), INFO)
        self.assertEqual(self.successResultOf(asked).recipient, ADA)

    def both(self, source):
        """
        Give a source, and then the upstream.
        """
        times = Times(good_seconds=1000, bad_seconds=100, entries=3)
        upstream = Remembered(CallForward(self.one), times, self.clock.seconds)
        return lambda address: [source, upstream]

    def submitted(self):
        """
        Give an envelope of mail that is queued.
        """
        return evolve(ENVELOPE, session=evolve(SESSION, role="submission"))

    def test_sent_elsewhere(self):
        """
        Nobody is asked whether somebody elsewhere exists.
        """
        elsewhere = Address("eve", "elsewhere.example")
        self.assertEqual(self.ask(elsewhere, role="submission"), (550, "5.7.1"))
        routes = Routes((Route(domains=("*",), upstream="one"),), {"one": self.one}, self.clock)
        self.routes = routes
        self.recipients = self.asking(lambda address: ())
        self.assertEqual(self.ask(elsewhere, role="submission"), (250, "2.1.5"))
        self.assertEqual(self.ask(elsewhere), (550, "5.7.1"))
        self.assertEqual(self.one.journal, [])

    def test_unknown(self):
        """
        A bad answer is remembered for a shorter time.
        """
        self.one.reply = UNKNOWN
        self.assertEqual(self.ask(), (550, "5.1.1"))
        self.one.reply = GOOD
        self.assertEqual(self.ask(), (550, "5.1.1"))
        self.clock.advance(101)
        self.assertEqual(self.ask(), (250, "2.1.5"))

    def test_refused_sender(self):
        """
        A refusal by policy may be about the sender, and is not remembered for the recipient.
        """
        self.one.reply = Reply(550, "5.7.1", "not from you")
        self.assertEqual(self.ask(), (550, "5.7.1"))
        self.one.reply = GOOD
        self.assertEqual(self.ask(), (250, "2.1.5"))

    def test_f05_unreachable(self):
        """
        An upstream that cannot be asked: what it said before counts, however old; else 451.
        """
        self.one.reply = UNREACHABLE
        self.assertEqual(self.ask(), (451, "4.4.1"))
        self.one.reply = GOOD
        self.assertEqual(self.ask(), (250, "2.1.5"))
        self.clock.advance(5000)
        self.one.reply = UNREACHABLE
        self.assertEqual(self.ask(), (250, "2.1.5"))

    def test_transient(self):
        """
        A 4xx of the upstream is passed on and never remembered.
        """
        self.one.reply = Reply(450, "4.2.1", "mailbox busy")
        self.assertEqual(self.ask(), (450, "4.2.1"))
        self.one.reply = GOOD
        self.assertEqual(self.ask(), (250, "2.1.5"))

    def test_shared_question(self):
        """
        All who ask for the same recipient at the same time share one question.
        """
        self.one.reply = []
        first, second = self.recipients.ask(ENVELOPE, ADA), self.recipients.ask(ENVELOPE, ADA)
        self.assertEqual(len(self.one.journal), 1)
        first.addErrback(lambda failure: None)
        first.cancel()
        self.one.reply[0].callback(GOOD)
        self.assertEqual(self.successResultOf(second).reply.code, 250)

    def test_bounded(self):
        """
        Only so many are remembered, the longest unused go first.
        """
        for name in ("a", "b", "c"):
            self.ask(Address(name, "example.com"))
        self.ask(Address("a", "example.com"))
        self.ask(Address("d", "example.com"))
        self.ask(Address("a", "example.com"))
        self.assertEqual(len(self.one.journal), 4)
        self.ask(Address("b", "example.com"))
        self.assertEqual(len(self.one.journal), 5)

    def test_a28_open_relay(self):
        """
        Other domains and addresses within addresses are refused without a question.
        """
        for local, domain in (
            ("x", "other.example"),
            ("x", "example.com.other.example"),
            ("x", "[127.0.0.1]"),
            ("x%other.example", "example.com"),
            ("other.example!x", "example.com"),
            ('"x@other.example"', "example.com"),
        ):
            self.assertEqual(self.ask(Address(local, domain)), (550, "5.7.1"), local)
        self.assertEqual(self.one.journal, [])

    def test_postmaster_and_abuse(self):
        """
        They are always there, without a question, postmaster also without a domain.
        """
        self.one.reply = UNKNOWN
        for local, domain in (
            ("postmaster", ""),
            ("PostMaster", "example.com"),
            ("abuse", "EXAMPLE.net"),
            ('"Abuse"', "example.com"),
        ):
            self.assertEqual(self.ask(Address(local, domain))[0], 250)
        self.assertEqual(self.one.journal, [])

    def test_offers(self):
        """
        What is offered is what all can take, and the smallest limit.
        """
        self.one.capabilities = Capabilities(frozenset({"8BITMIME", "SMTPUTF8"}), 2000)
        self.two.capabilities = Capabilities(frozenset({"8BITMIME"}), 1000)
        self.assertEqual(self.recipients.offers(), Capabilities(frozenset({"8BITMIME"}), 1000))
        self.two.capabilities = Capabilities()
        self.assertEqual(self.recipients.offers(), Capabilities(frozenset(), 2000))

    def test_stale_unknown(self):
        """
        While the upstream cannot be asked an old bad answer counts as well.
        """
        self.one.reply = UNKNOWN
        self.ask()
        self.clock.advance(5000)
        self.one.reply = UNREACHABLE
        self.assertEqual(self.ask(), (550, "5.1.1"))

    def test_owner(self):
        """
        What is known of an address is known whatever the case of its domain; the case of the
        local part is the upstream's business.
        """
        self.ask(Address("ada", "Example.COM"))
        self.ask(Address("ada", "example.com"))
        self.assertEqual(len(self.one.journal), 1)
        self.ask(Address("Ada", "example.com"))
        self.assertEqual(len(self.one.journal), 2)

    def test_question_ends(self):
        """
        After a shared question has been answered the next one is asked anew.
        """
        self.one.reply = []
        waiting = self.recipients.ask(ENVELOPE, ADA)
        self.one.reply[0].callback(Reply(450, "4.2.1", "mailbox busy"))
        self.assertEqual(self.successResultOf(waiting).reply.code, 450)
        self.recipients.ask(ENVELOPE, ADA)
        self.assertEqual(len(self.one.journal), 2)

    def test_broken_delivery(self):
        """
        A delivery that breaks lets nobody wait for ever.
        """
        self.one.reply = []
        waiting = [self.recipients.ask(ENVELOPE, ADA) for _ in range(2)]
        self.one.reply[0].errback(ValueError("broken"))
        for each in waiting:
            self.failureResultOf(each, ValueError)
        self.one.reply = GOOD
        self.assertEqual(self.ask(), (250, "2.1.5"))

    def test_offers_no_limit(self):
        """
        Where no upstream names a limit there is none.
        """
        self.assertIsNone(self.recipients.offers().size)

    def test_transient_after_good(self):
        """
        A 4xx that is the upstream's own word counts more than what it said long ago.
        """
        self.ask()
        self.clock.advance(5000)
        self.one.reply = Reply(450, "4.2.1", "mailbox busy")
        self.assertEqual(self.ask(), (450, "4.2.1"))

    def test_renewed(self):
        """
        An answer that has been renewed is not the longest unused one any more.
        """
        for name in ("a", "b", "c"):
            self.ask(Address(name, "example.com"))
        self.clock.advance(1001)
        self.ask(Address("a", "example.com"))
        self.ask(Address("d", "example.com"))
        asked = len(self.one.journal)
        self.ask(Address("a", "example.com"))
        self.assertEqual(len(self.one.journal), asked)


class TrapTests(RecipientTests):
    """
    Tests of recipients that are traps; everything else is as without them.
    """

    def setUp(self):
        """
        Have two traps: one that somebody has made, and one that was guessed.
        """
        super().setUp()
        self.made = Traps()
        self.made.take(
            (
                Trap(1, "old@example.com", False, 0.0, "ada"),
                Trap(2, "eve@example.com", True, 0.0, "mailgate"),
            )
        )
        self.trap("enforce")

    def trap(self, mode):
        """
        Have them in a mode of the check.
        """
        rule = TrapRule.from_settings(settings(traps={"mode": mode}), self.made)
        given = self.recipients
        self.recipients = Recipients(given._routes, given._directory, given._of_queued, traps=rule)

    def admit(self, local, role="mx"):
        """
        Give the code, and whether it is a trap.
        """
        session = evolve(SESSION, role=role)
        answer = self.recipients.ask(
            evolve(ENVELOPE, session=session), Address(local, "example.com")
        )
        if isinstance(answer, Deferred):
            answer = self.successResultOf(answer)
        return answer.reply.code, answer.recipient.is_trap

    def test_sure(self):
        """
        What somebody has made a trap is taken, and nobody is asked whether it exists.
        """
        self.one.reply = UNKNOWN
        self.assertEqual(self.admit("Old"), (250, True))
        self.assertEqual(self.one.journal, [])
        self.assertEqual(self.admit("other"), (550, False))

    def test_guessed(self):
        """
        What was guessed is a trap as long as nobody has that address; while that is not known, it
        is as for others.
        """
        self.one.reply = UNKNOWN
        self.assertEqual(self.admit("eve"), (250, True))
        self.clock.advance(101)
        self.one.reply = UNREACHABLE
        self.assertEqual(self.admit("eve")[0], 250)  # by what was said before
        self.clock.advance(101)
        self.one.reply = GOOD
        self.assertEqual(self.admit("eve"), (250, False))

    def test_of_ours(self):
        """
        For people and machines of ours there is no trap.
        """
        self.one.reply = UNKNOWN
        for role in ("submission", "internal"):
            self.assertEqual(self.admit("old", role), (550, False))

    def test_not_enforced(self):
        """
        Where traps only count, those are taken that exist.
        """
        for mode in ("score", "observe"):
            self.trap(mode)
            self.one.reply = UNKNOWN
            self.assertEqual(self.admit("old")[0], 550)
            self.assertEqual(self.admit("eve")[0], 550)
            self.clock.advance(101)
            self.one.reply = GOOD
            self.assertEqual(self.admit("old"), (250, True))
            self.clock.advance(1001)
