"""
Tests of judging what others have sealed.
"""

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from mailgate.authentication.arc import QUERIES, Arc, ArcResult
from mailgate.checks.arc import ArcCheck, trusted_sealers
from mailgate.checks.known import Known
from mailgate.message.arrival import SLICE
from mailgate.message.message import MemoryMessage
from mailgate.store.threads import ImmediateThreads
from mailgate.wire.dns.answer import Trouble
from tests.authentication import sealing
from tests.authentication.test_arc import LIST, MESSAGE, RELAY, passing, sealed, zones
from tests.checks.given import settings, view_of_message


class ArcCheckTests(SynchronousTestCase):
    """
    Tests of L{ArcCheck}.
    """

    def check(self, message, resolver=None, view=None, spf=None, **options):
        """
        Judge a message.
        """
        self.zones = resolver or zones()
        given = settings(arc=options, spf=spf or {})
        check = ArcCheck.from_settings(given, Known(resolvers=self.zones))
        found = check.check(view or view_of_message(message))
        return self.successResultOf(found) if isinstance(found, Deferred) else found

    def test_none(self):
        """
        A message without a set costs nothing, and neither does one of ours or of a network that
        is exempt.
        """
        self.assertEqual(self.check(MESSAGE), ())
        view = view_of_message(sealed())
        ours = evolve(view, session=evolve(view.session, role="internal"))
        self.assertEqual(self.check(b"", view=ours), ())
        exempt = {"exempt_networks": [f"{view.session.client}/32"]}
        self.assertEqual(self.check(b"", view=view, spf=exempt), ())
        self.assertEqual((self.zones.asked, self.zones.checks), ([], []))

    def test_behind_bare_line_ends(self):
        """
        What stands behind a line end that is none is no set.
        """
        for end in (b"\r", b"\n"):
            self.assertEqual(self.check(b"X: y" + end + b"ARC-Seal: i=1\r\n" + MESSAGE), (), end)

    def test_pass(self):
        """
        A chain of somebody says who has sealed it, and counts for nothing.
        """
        (finding,) = self.check(sealed(MESSAGE, LIST, RELAY))
        self.assertEqual((finding.symbol, finding.score), ("ARC_PASS", 0))
        self.assertEqual(
            finding.detail,
            "The ARC chain is whole, sealed by “relay.example”, “list.example”; its newest sealer"
            " is not trusted.",
        )
        self.assertEqual(self.zones.checks, [("arc", 20.0, QUERIES)])

    def test_trusted(self):
        """
        Of a trusted sealer what he has found is told, and the score is below zero.
        """
        (finding,) = self.check(sealed(), trusted_sealers=["List.Example"])
        self.assertEqual((finding.symbol, finding.score), ("ARC_TRUSTED", 0))
        self.assertEqual(
            finding.detail,
            "The ARC chain is whole, sealed by “list.example”. “list.example”, who is trusted, has"
            " found “spf=fail, dmarc=pass”.",
        )

    def test_trusted_below(self):
        """
        Who is trusted counts for nothing below one who is not.
        """
        (finding,) = self.check(sealed(MESSAGE, LIST, RELAY), trusted_sealers=["list.example"])
        self.assertEqual(finding.symbol, "ARC_PASS")
        (finding,) = self.check(sealed(MESSAGE, LIST, RELAY), trusted_sealers=["relay.example"])
        self.assertEqual(finding.symbol, "ARC_TRUSTED")
        self.assertNotIn("“list.example”, who is trusted", finding.detail)

    def test_author_not_signed(self):
        """
        A trusted seal over no From counts for nothing.
        """
        self.patch(sealing, "names_of", lambda fields: [b"subject"])
        (finding,) = self.check(sealed(), trusted_sealers=["list.example"])
        self.assertEqual(finding.symbol, "ARC_PASS")
        self.assertIn("From is not signed", finding.detail)

    def test_fail(self):
        """
        A broken chain is told with the reason, trusted or not, with the score of the configuration.
        """
        broken = sealed().replace(b"Hello", b"Bye")
        (finding,) = self.check(broken, trusted_sealers=["list.example"])
        self.assertEqual((finding.symbol, finding.score), ("ARC_FAIL", 0))
        self.assertIn("the body has been changed", finding.detail)
        (finding,) = self.check(broken, fail_score=2.5)
        self.assertEqual(finding.score, 2.5)

    def test_unknown_key(self):
        """
        A key that cannot be looked up for now has no score.
        """
        resolver = zones(**{"s1._domainkey.list.example": Trouble.SERVFAIL})
        (finding,) = self.check(sealed(), resolver, fail_score=2.5)
        self.assertEqual((finding.symbol, finding.score), ("ARC_FAIL", 0))

    def test_waiting(self):
        """
        What is not remembered is waited for.
        """
        resolver = zones()
        resolver.is_later = True
        check = ArcCheck.from_settings(settings(), Known(resolvers=resolver))
        found = check.check(view_of_message(sealed()))
        self.assertNoResult(found)
        resolver.go_on()
        (finding,) = self.successResultOf(found)
        self.assertEqual(finding.symbol, "ARC_PASS")

    def test_pieces(self):
        """
        A message is read in whatever pieces it comes, also from a file.
        """
        message = sealed()
        for size in (1, 7, 100, len(message)):
            pieces = tuple(message[at : at + size] for at in range(0, len(message), size))
            view = view_of_message(message)
            cut = MemoryMessage(pieces)
            self.assertEqual(
                [each.symbol for each in self.check(b"", view=evolve(view, message=cut))],
                ["ARC_PASS"],
            )
            late = evolve(view, message=_Late(pieces))
            self.assertEqual([each.symbol for each in self.check(b"", view=late)], ["ARC_PASS"])

    def test_long_body(self):
        """
        A long body is hashed in a thread, and is the same there.
        """
        message = sealed(MESSAGE + b"a  line \r\n" * SLICE)
        threads = _Counting()
        known = Known(resolvers=zones(), threads=threads)
        (finding,) = ArcCheck.from_settings(settings(), known).check(view_of_message(message))
        self.assertEqual((finding.symbol, threads.count), ("ARC_PASS", 1))

    def test_fact(self):
        """
        The finding has what was found as its fact, and as words for Authentication-Results.
        """
        (finding,) = self.check(sealed())
        self.assertIsInstance(finding.fact, Arc)
        self.assertIs(finding.fact.result, ArcResult.PASS)
        self.assertEqual(finding.fact.sealer, "list.example")
        self.assertEqual(finding.authentication, '\tarc=pass reason="sealed by list.example"')
        (finding,) = self.check(sealed().replace(b"Hello", b"Bye"))
        self.assertTrue(finding.authentication.startswith('\tarc=fail reason="'))

    def test_heard(self):
        """
        Other checks hear those who are trusted, but not where this one is off or only watches.
        """
        for mode, heard in (
            ("off", set()),
            ("observe", set()),
            ("score", {"list.example"}),
            ("enforce", {"list.example"}),
        ):
            given = settings(arc={"mode": mode, "trusted_sealers": ["List.example"]})
            self.assertEqual(trusted_sealers(given), heard, mode)

    def test_hostile_words(self):
        """
        What a sealer says comes into the sentence as names only.
        """
        results = passing(server='evil"; <script>\r\nX: y')
        (finding,) = self.check(sealed(results=results), trusted_sealers=["list.example"])
        self.assertNotIn("script", finding.detail)
        self.assertTrue(finding.detail.isprintable())

    def test_configuration(self):
        """
        A trusted sealer is a domain, and its score is no more than 0.
        """
        for wrong in (
            {"trusted_sealers": ["no domain"]},
            {"trusted_sealers": ["müller.example"]},
            {"trusted_score": 1.0},
            {"trusted_score": -7.0},
        ):
            self.assertRaises(ValueError, settings, arc=wrong)


class _Counting(ImmediateThreads):
    """
    Threads that count what they do.
    """

    count = 0

    def run(self, function, *args):
        """
        Do it.
        """
        self.count += 1
        return super().run(function, *args)


class _Late(MemoryMessage):
    """
    A message whose pieces have to be waited for.
    """

    def chunks(self):
        """
        Give them.
        """
        return iter(map(succeed, self.pieces))
