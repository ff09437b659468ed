"""
Tests of L{mailgate.checks.greylist}.
"""

from attrs import define, evolve, field
from twisted.internet.defer import fail, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.authentication.spf import Identity, Spf, SpfResult
from mailgate.checks.greylist import GreylistCheck
from mailgate.checks.known import Known
from mailgate.checks.table import CHECKS
from mailgate.finding import RELAY, Finding, Result
from mailgate.interfaces import Attempt, Phase, Reputation, Standing
from mailgate.judging import make_pipeline
from mailgate.knowledge.lists import Lists
from mailgate.knowledge.standing import Standings
from mailgate.message.envelope import Envelope
from mailgate.pipeline.view import View
from mailgate.policy.verdict import Policy
from mailgate.store.database import StoreError
from mailgate.store.threads import ImmediateThreads
from mailgate.verdict import Action
from mailgate.wire.address import NULL_SENDER, Address
from tests.checks.given import NOW, entry, known, session, settings
from tests.storage import WallClock, make_storage

ADA = Address("ada", "example.com")
EVE = Address("eve", "example.org")


@define
class Hub:
    """
    A hub that answers what it was told to.
    """

    answer: object = Standing(False)
    asked: list = field(factory=list)
    known: dict = field(factory=dict)

    def look_up(self, attempts):
        """
        Answer.
        """
        self.asked.extend(attempts)
        if isinstance(self.answer, Exception):
            return fail(self.answer)
        return succeed([self.answer])

    def reputations(self, names):
        """
        Tell what is known of senders.
        """
        return succeed([self.known.get(name, Reputation(name)) for name in names])


def view(score=1.0, sender=EVE, recipient=ADA, relay=False, check="helo", more=(), **options):
    """
    Give what the check sees of somebody of whom C{score} was found.

    @param more: further results.
    """
    client = options.pop("client", "192.0.2.7")
    spf = options.pop("spf", None)
    calls = evolve(session(client=client), **options)
    results = {check: Result(check, (Finding("SEEN", score, "Seen."),))}
    results |= {each.check: each for each in more}
    if spf is not None:
        results["spf"] = Result("spf", (Finding("SPF", 0.0, "SPF.", fact=spf),))
    brought = {RELAY: Result(RELAY, (Finding("RELAYED", 0.0, "Brought."),))} if relay else {}
    envelope = Envelope(calls, "7q4m-x2vd-90kt", sender, NOW)
    return View(calls, NOW, (results, brought), {}, envelope, None, (), recipient)


class GreylistTests(SynchronousTestCase):
    """
    Tests of L{GreylistCheck}.
    """

    def setUp(self):
        """
        Make a hub that knows nobody.
        """
        self.hub = Hub()

    def check(self, seen, lists=(), helo="score", **options):
        """
        Give what is found.
        """
        given = settings(greylist=options, helo={"mode": helo})
        standings = None if self.hub is None else Standings(self.hub, Clock().seconds)
        known = Known(Lists(lists), hub=self.hub, standings=standings)
        check = GreylistCheck.from_settings(given, known)
        answer = check.check(seen)
        return answer if isinstance(answer, tuple) else self.successResultOf(answer)

    def waits(self, *arguments, **more):
        """
        Tell whether somebody has to come again.
        """
        return [found.symbol for found in self.check(*arguments, **more)] == ["GREYLIST_WAITS"]

    def test_after(self):
        """
        It comes after every check that runs up to RCPT, so that all they find counts.
        """
        made = {name: make(settings(), known()) for name, make in CHECKS.items()}
        early = {name for name, check in made.items() if check.phase <= Phase.RCPT}
        self.assertEqual({*GreylistCheck.after}, early - {"greylist"})

    def test_first(self):
        """
        Who comes for the first time is told to come again, and when.
        """
        (finding,) = self.check(view())
        self.assertEqual((finding.symbol, finding.score), ("GREYLIST_WAITS", 1))
        self.assertEqual(finding.public, "greylisted, try again in 300 seconds")
        self.assertIn("192.0.2.0/24 has not come with mail from “eve@example.org”", finding.detail)
        self.assertIn("“eve@example.org” to “ada@example.com”", finding.detail)
        attempt = Attempt("192.0.2.0/24", "eve@example.org", "ada@example.com")
        self.assertEqual(self.hub.asked, [attempt])

    def test_too_early(self):
        """
        Who comes again too early is told how much time is left.
        """
        self.hub.answer = Standing(False, 60.5)
        (finding,) = self.check(view())
        self.assertEqual(finding.public, "greylisted, try again in 240 seconds")
        self.assertIn("192.0.2.0/24 has come again too soon", finding.detail)

    def test_again(self):
        """
        That somebody has come again is told, and counts nothing.
        """
        self.hub.answer = Standing(True, 420.0)
        (finding,) = self.check(view())
        self.assertEqual((finding.symbol, finding.score), ("GREYLIST_PASSED", 0))
        self.assertIn("420 seconds later", finding.detail)
        (finding,) = self.check(view(), passed_score=-1.0)
        self.assertEqual(finding.score, -1)
        self.assertRaises(ValueError, settings, greylist={"passed_score": 0.1})

    def test_known(self):
        """
        Of who is known nothing is said.
        """
        self.hub.answer = Standing(True)
        self.assertEqual(self.check(view()), ())

    def test_null_sender(self):
        """
        A notice waits as well.
        """
        self.assertTrue(self.waits(view(sender=NULL_SENDER)))
        self.assertEqual(self.hub.asked[0].sender, "")

    def test_doubt(self):
        """
        Nobody is asked of who is not in doubt; what only was observed is no doubt.
        """
        self.assertFalse(self.waits(view(score=0.9)))
        self.assertFalse(self.waits(view(score=9), helo="observe"))
        self.assertEqual(self.hub.asked, [])
        self.assertTrue(self.waits(view(score=1)))
        self.assertTrue(self.waits(view(score=0), from_total=0.0))

    def test_lists_for_excuse(self):
        """
        A client that a list in the DNS speaks for does not wait, whatever else was found; where
        lists are only observed it does.
        """
        found = Finding("DNSBL_CLIENT", 5.0, "Bad."), Finding("DNSWL_CLIENT", -0.5, "Good.")
        seen = view(more=[Result("dnslists", found)])
        self.assertFalse(self.waits(seen))
        self.assertEqual(self.hub.asked, [])
        for mode in ("observe", "off"):
            given = settings(greylist={}, helo={}, dnslists={"mode": mode})
            check = GreylistCheck.from_settings(given, Known(Lists(()), hub=self.hub))
            (finding,) = check.check(seen)
            self.assertEqual(finding.symbol, "GREYLIST_WAITS")

    def test_exempt(self):
        """
        People and machines of ours, those who have logged in, postmaster and abuse, what a relay
        brings, and configured networks never wait; nor is the hub asked.
        """
        for seen in (
            view(role="internal"),
            view(role="submission"),
            view(role="lmtp"),
            view(account="ada"),
            view(recipient=Address("Postmaster", "")),
            view(recipient=Address("abuse", "example.com")),
            view(relay=True),
            view(client="127.0.0.1"),
            view(client="::ffff:127.0.0.1"),
        ):
            self.assertEqual(self.check(seen), ())
        self.assertEqual(self.check(view(), exempt_networks=["192.0.2.0/24"]), ())
        self.assertEqual(self.hub.asked, [])

    def test_allowed(self):
        """
        What is allowed for the recipient never waits; what is allowed for another one does.
        """
        for value in ("192.0.2.0/24", "eve@example.org"):
            self.assertFalse(self.waits(view(), [entry("allow", value)]))
            other = entry("allow", value, scope="bob@example.com")
            self.assertTrue(self.waits(view(), [other]))
        self.assertTrue(self.waits(view(), [entry("block", "192.0.2.0/24")]))

    def test_a34_passed_before(self):
        """
        Whose mail was taken before, or to whom somebody here has written, never waits where SPF
        says that it is that sender; with a bad name it does, and by a name alone nobody passes.
        """

        def spf(result=SpfResult.PASS, matched=("ip4:192.0.2.7",), identity=Identity.MAIL_FROM):
            return Spf(result, identity, "example.org", "it is so", matched)

        known = self.hub.known
        self.assertTrue(self.waits(view(spf=spf())))
        known["example.org"] = Reputation("example.org", last=NOW)
        self.hub.asked.clear()
        self.assertFalse(self.waits(view(spf=spf())))
        self.assertEqual(self.hub.asked, [])
        for seen in (
            view(),
            view(spf=spf(SpfResult.NEUTRAL)),
            view(spf=spf(SpfResult.FAIL)),
            view(spf=spf(matched=("+all",))),
            view(spf=spf(identity=Identity.HELO), sender=NULL_SENDER),
            view(spf=spf(), sender=Address("eve", "example.net")),
        ):
            self.assertTrue(self.waits(seen))
        known["example.org"] = Reputation("example.org", written=NOW)
        self.assertFalse(self.waits(view(spf=spf())))
        known["example.org"] = Reputation("example.org", bad=2.0, last=NOW)
        self.assertTrue(self.waits(view(spf=spf())))

    def test_shared_domain(self):
        """
        At a domain that many share only the address that has passed before does not wait.
        """
        passes = Spf(SpfResult.PASS, Identity.MAIL_FROM, "gmail.com", "it is so", ("a",))
        self.hub.known["eve@gmail.com"] = Reputation("eve@gmail.com", last=NOW)
        self.assertFalse(self.waits(view(spf=passes, sender=Address("Eve", "gmail.com"))))
        self.assertTrue(self.waits(view(spf=passes, sender=Address("bob", "gmail.com"))))

    def test_stored_mail(self):
        """
        Where there is no hub, as for stored mail, nobody waits.
        """
        self.hub = None
        self.assertEqual(self.check(view()), ())

    def test_failure(self):
        """
        That the hub fails is the failure of the check, for C{on_error} to decide.
        """
        self.hub.answer = StoreError(5, "disk")
        check = GreylistCheck.from_settings(settings(), Known(hub=self.hub))
        self.failureResultOf(maybeDeferred(check.check, view()), StoreError)

    def test_policy(self):
        """
        By default nothing follows; with C{enforce} the recipient is deferred, in words that name
        no mechanism but this one.
        """
        results = [Result("greylist", tuple(self.check(view())))]
        for mode, action in (("observe", Action.ACCEPT), ("enforce", Action.DEFER)):
            policy = Policy.from_settings(settings(greylist={"mode": mode}))
            verdict = policy.judge(Phase.RCPT, results, "7q4m-x2vd-90kt", ADA)
            self.assertEqual(verdict.action, action)
        self.assertEqual(
            str(verdict.reply),
            "451 4.7.1 greylisted, try again in 300 seconds (7q4m-x2vd-90kt)",
        )
        default = settings().checks.greylist
        self.assertEqual((default.mode, default.action), ("observe", "defer"))


class ConversationTests(SynchronousTestCase):
    """
    Tests of the check within the pipeline, with a real greylist.
    """

    def setUp(self):
        """
        Let the check enforce.
        """
        self.now = WallClock()
        storage = make_storage(self, now=self.now)
        self.pipeline = make_pipeline(
            settings(greylist={"mode": "enforce"}),
            Known(hub=storage.greylist),
            ImmediateThreads(),
            Clock(),
            self.now,
        )

    def replies(self, *recipients, helo="SERVER7", **options):
        """
        Give the codes of the replies to some recipients; 250 where there is none.
        """
        calls = session(helo=helo, **options)
        judge = self.pipeline.open(calls)
        judge.connected()
        judge.greeted(calls)
        transaction = judge.begin(Envelope(calls, "7q4m-x2vd-90kt", EVE, self.now()))
        transaction.mail()
        found = []
        for recipient in recipients:
            verdict = transaction.rcpt(recipient)
            if not hasattr(verdict, "reply"):
                verdict = self.successResultOf(verdict)
            found.append(250 if verdict.reply is None else verdict.reply.code)
        return found

    def test_come_again(self):
        """
        Each recipient of somebody in doubt waits alone, postmaster never; five minutes later, from
        another address of the network, all are taken.
        """
        bob, postmaster = Address("bob", "example.com"), Address("postmaster", "example.com")
        self.assertEqual(self.replies(ADA, postmaster), [451, 250])
        self.now.start += 200
        self.assertEqual(self.replies(ADA, bob), [451, 451])
        self.now.start += 100
        self.assertEqual(self.replies(bob, ADA, bob, client="192.0.2.99"), [451, 250, 451])
        self.assertEqual(self.replies(bob), [250])

    def test_no_doubt(self):
        """
        Who is not in doubt is taken at once.
        """
        self.assertEqual(self.replies(ADA, helo="client.example.org"), [250])
