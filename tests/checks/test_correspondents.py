"""
Tests of L{mailgate.checks.correspondents}.
"""

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.correspondents import CorrespondentsCheck, contact_of
from mailgate.checks.known import Known
from mailgate.finding import Result
from mailgate.interfaces import Contact, Question
from mailgate.knowledge.contacts import Contacts
from mailgate.verdict import Kind
from mailgate.wire.address import Address
from tests.checks.authentic import authenticated
from tests.checks.given import NOW, settings
from tests.net.zones import Zones

ZONES = {"example.org": {"TXT": ["v=spf1 ip4:192.0.2.7 -all"]}}
MESSAGE = b"From: Eve <Eve@Example.org>\r\nSubject: x\r\n\r\nHi\r\n"


@define
class Hub:
    """
    A hub that knows somebody.
    """

    known: Contact | None = None
    asked: list = field(factory=list)
    answer: object = None

    def contact(self, question):
        """
        Answer.
        """
        self.asked.append(question)
        return self.answer or succeed(self.known or Contact(question.theirs))


class CorrespondentsCheckTests(SynchronousTestCase):
    """
    Tests of L{CorrespondentsCheck}.
    """

    def setUp(self):
        """
        Know nobody.
        """
        self.hub = Hub()

    def check(self, data=MESSAGE, has_hub=True, **options):
        """
        Give the findings about a message.
        """
        given = settings()
        self.view = authenticated(data, Zones(ZONES), given, **options)
        contacts = Contacts(self.hub, Clock().seconds) if has_hub else None
        check = CorrespondentsCheck.from_settings(given, Known(contacts=contacts))
        return check.check(self.view)

    def found(self, **known):
        """
        Give symbols and scores where so much is known.
        """
        self.hub.known = Contact("eve@example.org", **known)
        found = self.check()
        return {finding.symbol: finding.score for finding in found}

    def test_symbols(self):
        """
        What is known of the author has one symbol.
        """
        self.assertEqual(self.found(), {"CORRESPONDENT_NEW": 0.0})
        self.assertEqual(self.found(heard=NOW), {"CORRESPONDENT_HEARD": 0.0})
        self.assertEqual(self.found(written=NOW), {"CORRESPONDENT_WRITTEN": -0.5})
        self.assertEqual(self.found(written=NOW, is_own=True), {"CORRESPONDENT_OF_RECIPIENT": -1.0})

    def test_alike(self):
        """
        Whom the author looks like is told, and the message is held as phishing.
        """
        self.hub.known = Contact("eve@example.org", alike=("examp1e.org", "exarnple.org"))
        _, alike = self.check()
        self.assertEqual((alike.symbol, alike.score), ("CORRESPONDENT_LOOKALIKE", 2.0))
        self.assertIs(alike.kind, Kind.PHISHING)
        self.assertEqual(
            alike.detail,
            "The author “eve@example.org” looks like somebody to whom people here write:"
            " “examp1e.org”; “exarnple.org”.",
        )

    def test_asked(self):
        """
        It is asked for the author and all recipients, by their addresses and whose they are.
        """
        sales = Address.owned("sales", "example.com", "ada@example.com")
        self.check(recipients=(Address("Bob", "Example.com"), sales))
        ours = ("bob@example.com", "ada@example.com", "sales@example.com")
        self.assertEqual(self.hub.asked, [Question("eve@example.org", ours)])

    def test_forged(self):
        """
        Nobody is asked for whom nothing vouches, nor where there are several authors or none, nor
        for people and machines of ours, nor where nobody knows anything.
        """
        for options in (
            {"client": "203.0.113.9"},
            {"role": "submission"},
            {"data": b"Subject: x\r\n\r\nHi\r\n"},
            {"data": b"From: eve@example.org, bob@example.org\r\n\r\nHi\r\n"},
            {"has_hub": False},
        ):
            self.assertEqual(self.check(**options), (), options)
        self.assertEqual(self.hub.asked, [])

    def test_waiting(self):
        """
        What has to be waited for is waited for.
        """
        self.hub.answer = Deferred()
        found = self.check()
        self.assertNoResult(found)
        self.hub.answer.callback(Contact("eve@example.org"))
        (finding,) = self.successResultOf(found)
        self.assertEqual(finding.symbol, "CORRESPONDENT_NEW")

    def test_words(self):
        """
        The sentences name the author and the day.
        """
        for known, words in (
            ({}, "There was no mail with the author “eve@example.org” before, as far as is known."),
            (
                {"heard": NOW},
                "Mail of the author “eve@example.org” was delivered here before, last on"
                " 2027-01-15.",
            ),
            (
                {"written": NOW},
                "Somebody here has written to the author “eve@example.org”, last on 2027-01-15.",
            ),
            (
                {"written": NOW, "is_own": True},
                "The recipient has written to the author “eve@example.org”; the last mail was of"
                " 2027-01-15.",
            ),
        ):
            self.hub.known = Contact("eve@example.org", **known)
            (finding,) = self.check()
            self.assertEqual(finding.detail, words)

    def test_fact(self):
        """
        Checks that come later are given what is known.
        """
        self.hub.known = Contact("eve@example.org", heard=NOW)
        found = self.check()
        self.assertIsNone(contact_of(self.view))
        self.view._results[-1]["correspondents"] = Result("correspondents", tuple(found))
        self.assertEqual(contact_of(self.view), self.hub.known)
