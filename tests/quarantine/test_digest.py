"""
Tests for L{mailgate.quarantine.digest}, as far as letters go through the writer of the pages too.
"""

import re
from email import message_from_bytes, policy

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.model import Digest as Settings
from mailgate.config.model import Policy
from mailgate.finding import Finding
from mailgate.interfaces import Hold
from mailgate.message.writing import NOTICE
from mailgate.quarantine.digest import SHOWN, Digests
from mailgate.quarantine.tokens import Purpose, Token, Tokens
from mailgate.store import outbox
from mailgate.verdict import Action, Kind, Verdict
from mailgate.web.digest import DigestWriter
from mailgate.web.templates import Templates
from mailgate.wire.address import Address
from tests.pipeline.events import events
from tests.storage import ADA, BOB, ENVELOPE, NOW, WallClock, make_storage, message

POSTMASTER = Address("postmaster", "example.com")
BASE = "https://mail.example.com"
HOUR = 3600
DAY = 24 * HOUR
assert NOW % DAY == 8 * HOUR


class DigestsTests(SynchronousTestCase):
    """
    Tests of L{Digests}.
    """

    def setUp(self):
        """
        Make them.
        """
        self.clock = Clock()
        self.storage = make_storage(self, now=WallClock(self.clock))
        self.quarantine = self.storage.quarantine(lambda: None)
        self.tokens = Tokens(self.storage.database)
        self.kicks = []
        self.digests = self.make()

    def make(self, is_on=True, releases=(Kind.SPAM, Kind.BULK), **settings):
        """
        Make the sender of digests.
        """
        digests = Digests(
            self.storage.messages,
            self.tokens,
            self.storage.now,
            "mail.example.com",
            lambda: self.kicks.append(1),
        )
        writer = DigestWriter(Templates(), Policy(), 10.0, "mail.example.com", BASE)
        digests.write = writer.write
        digests.take_up(
            Settings(**{"schedule": "hourly", "zone": "UTC", **settings}),
            is_on,
            POSTMASTER,
            {"example.com"},
            30,
            releases,
        )
        return digests

    def hold(
        self,
        recipient=ADA,
        kind=Kind.SPAM,
        total=7.0,
        text=None,
        detail="It looks odd.",
        is_provisional=False,
    ):
        """
        Hold a message and give its id.
        """
        findings = (Finding("SEEN", total, detail, "seen"),)
        verdict = Verdict(Action.QUARANTINE, findings, total, (recipient,), kind=kind)
        envelope = evolve(ENVELOPE, received=self.storage.now())
        kept = message() if text is None else message(text)
        holding = self.quarantine.hold(
            envelope, kept, [Hold(recipient, kind, verdict)], is_provisional
        )
        (identity,) = self.successResultOf(holding)
        return identity

    def look(self, digests=None):
        """
        Look whether it is time.
        """
        return self.successResultOf((digests or self.digests).look())

    def rows(self):
        """
        Give what is in the outbox, the oldest first.
        """
        return list(reversed(self.successResultOf(self.storage.database.read(outbox.newest))))

    def letters(self):
        """
        Give the digests, and by whom they are read.
        """
        found = []
        for row in self.rows():
            raw = self.storage.blobs.path(row.message.id).read_bytes()
            found.append((str(row.recipient), message_from_bytes(raw, policy=policy.default)))
        return found

    def parts(self):
        """
        Give the text and the page of the one digest.
        """
        ((_, letter),) = self.letters()
        self.assertEqual(letter.get_content_type(), "multipart/alternative")
        text, page = letter.iter_parts()
        self.assertEqual(text.get_content_type(), "text/plain")
        self.assertEqual(page.get_content_type(), "text/html")
        return text.get_content(), page.get_content()

    def choose(self, owner, schedule, zone=""):
        """
        Let somebody choose.
        """
        self.successResultOf(
            self.storage.database.write(
                lambda connection: (
                    connection.execute(
                        "INSERT INTO digest_choice VALUES (?, ?, ?)", (owner, schedule, zone)
                    ).rowcount
                )
            )
        )

    def test_new(self):
        """
        Whoever has something new gets one digest of it, and of the same nothing more.
        """
        self.hold()
        self.hold(BOB)
        self.assertEqual(self.look(), 2)
        self.assertEqual([to for to, _ in self.letters()], ["ada@Example.com", "bob@example.com"])
        self.clock.advance(2 * HOUR)
        self.assertEqual(self.look(), 0)
        self.hold()
        self.assertEqual(self.look(), 1)
        self.assertEqual(len(self.kicks), 3)

    def test_nothing_new(self):
        """
        Where nothing is new, nobody gets anything.
        """
        self.assertEqual(self.look(), 0)
        self.assertEqual(self.rows(), [])

    def test_pause(self):
        """
        What comes within the hour is in the next one; the clock put back holds nobody up.
        """
        self.hold()
        self.look()
        self.hold()
        self.clock.advance(HOUR - 1)
        self.assertEqual(self.look(), 0)
        self.clock.advance(1)
        self.assertEqual(self.look(), 1)
        self.hold()
        self.storage.now.start -= DAY
        self.assertEqual(self.look(), 1)

    def test_daily(self):
        """
        At its time of day what was held before is told, and what was held after it the next day.
        """
        digests = self.make(schedule="daily 08:00")
        self.clock.advance(1)
        self.hold()
        self.assertEqual(self.look(digests), 0)
        self.clock.advance(DAY - 2)
        self.assertEqual(self.look(digests), 0)
        self.clock.advance(1)
        self.assertEqual(self.look(digests), 1)
        self.clock.advance(1)
        self.hold()
        self.assertEqual(self.look(digests), 0)
        self.clock.advance(DAY - 1)
        self.assertEqual(self.look(digests), 1)

    def test_chosen(self):
        """
        A person's own choice comes before the configuration, and who wants none gets none.
        """
        digests = self.make(schedule="daily 08:00")
        self.choose("ada@example.com", "every 15 minutes")
        self.choose("bob@example.com", "never")
        self.hold()
        self.hold(BOB)
        self.assertEqual(self.look(digests), 1)
        self.assertEqual([to for to, _ in self.letters()], ["ada@Example.com"])
        self.clock.advance(2 * DAY)
        self.assertEqual(self.look(digests), 0)

    def test_switched_off(self):
        """
        While none are sent nothing piles up that would be told later.
        """
        self.hold()
        self.assertEqual(self.look(self.make(is_on=False)), 0)
        self.assertEqual(self.look(), 0)

    def test_not_for(self):
        """
        The postmaster, addresses that are left out, and whoever is not of our domains get none.
        """
        digests = self.make(never=("list@example.com",))
        for name in ("postmaster@example.com", "List@example.com", "eve@elsewhere.example"):
            local, _, domain = name.partition("@")
            self.hold(Address(local, domain))
        self.assertEqual(self.look(digests), 0)
        self.assertEqual(self.rows(), [])

    def test_kinds(self):
        """
        Refused and undeliverable copies are not told; nor are provisional ones, until they are
        held.
        """
        self.hold(kind=Kind.REFUSED)
        self.hold(kind=Kind.UNDELIVERABLE)
        identity = self.hold(is_provisional=True)
        self.assertEqual(self.look(), 0)
        later = self.hold()
        self.assertEqual(self.look(), 1)
        self.successResultOf(self.quarantine.confirm([identity]))
        self.clock.advance(HOUR)
        self.assertEqual(self.look(), 1)
        self.assertNotEqual(identity, later)

    def test_released_before(self):
        """
        What was released or deleted before is not told.
        """
        self.successResultOf(self.quarantine.release(self.hold(), "eve"))
        self.successResultOf(self.quarantine.delete(self.hold(), "eve"))
        self.assertEqual(self.look(), 0)

    def test_w8_owner(self):
        """
        Mail for an alias is told to whom it belongs, spelled in whatever case; two people's mail
        never meets in one digest.
        """
        alias = evolve(Address("sales", "example.com"), belongs_to=ADA)
        self.hold(alias, text=b"Subject: for sales\r\n\r\n")
        self.hold(Address("ADA", "example.com"), text=b"Subject: for ada\r\n\r\n")
        self.hold(BOB, text=b"Subject: for bob\r\n\r\n")
        self.look()
        letters = [(to.lower(), each.as_string()) for to, each in self.letters()]
        self.assertEqual(sorted(to for to, _ in letters), ["ada@example.com", "bob@example.com"])
        told = dict(letters)
        self.assertIn("for sales", told["ada@example.com"])
        self.assertIn("for ada", told["ada@example.com"])
        self.assertNotIn("for bob", told["ada@example.com"])
        self.assertNotIn("for ada", told["bob@example.com"])

    def test_order(self):
        """
        The most doubtful is the first, and harmful mail the last; text and page have the same
        order.
        """
        for subject, total, kind in (
            (b"sure", 20.0, Kind.SPAM),
            (b"harm", 1.0, Kind.MALWARE),
            (b"doubt", 6.5, Kind.BULK),
        ):
            self.hold(kind=kind, total=total, text=b"Subject: " + subject + b"\r\n\r\n")
        self.look()
        for part in self.parts():
            found = re.findall(r"(?:>|\d\. )(doubt|sure|harm)\b(?:</bdi>|\s)", part)
            self.assertEqual(found, ["doubt", "sure", "harm"])

    def test_links(self):
        """
        Spam and bulk mail have links, each with a token for this message and one purpose; other
        kinds have none and say where to ask.
        """
        identity = self.hold()
        self.hold(kind=Kind.PHISHING)
        self.look()
        signer = self.successResultOf(self.tokens.signer())
        until = int(NOW + 7 * DAY)
        for part in self.parts():
            found = set(re.findall(rf"{BASE}/(release|delete)/([\w-]+)", part))
            self.assertEqual(
                {(purpose, signer.read(token)) for purpose, token in found},
                {(purpose, Token(purpose, identity, until)) for purpose in Purpose},
            )
            self.assertEqual(part.count("Ask for it in the quarantine."), 1)

    def test_links_end_with_the_message(self):
        """
        No link works for longer than its message is kept.
        """
        identity = self.hold()
        self.clock.advance(28 * DAY)
        self.look()
        text, _ = self.parts()
        token = re.search(rf"{BASE}/delete/([\w-]+)", text)[1]
        signer = self.successResultOf(self.tokens.signer())
        self.assertEqual(signer.read(token), Token(Purpose.DELETE, identity, NOW + 30 * DAY))

    def test_configured_kinds(self):
        """
        A kind that people may not release has no link, and what is harmful never has one, whatever
        is configured.
        """
        self.hold(kind=Kind.BULK)
        self.hold(kind=Kind.MALWARE)
        self.look(self.make(releases=(Kind.SPAM, Kind.MALWARE)))
        for part in self.parts():
            self.assertNotIn("/release/", part)

    def test_many(self):
        """
        However much is new, one digest names so many and counts the rest.
        """
        for _ in range(SHOWN + 2):
            self.hold()
        self.look()
        ((_, letter),) = self.letters()
        self.assertEqual(letter["subject"], f"{SHOWN + 2} new messages are held")
        for part in self.parts():
            self.assertIn(f"2 messages more than these {SHOWN} are in your quarantine", part)
            self.assertEqual(part.count("It looks odd."), SHOWN)
        self.clock.advance(2 * HOUR)
        self.assertEqual(self.look(), 0)

    def test_never_a_body(self):
        """
        Nothing of the text of a message is told.
        """
        self.hold(text=b"Subject: hello\r\n\r\nsecret words\r\n")
        self.look()
        self.assertNotIn("secret", str(self.parts()))

    def test_letter(self):
        """
        It comes from nobody, says that a program wrote it, and can be sorted by its List-Id.
        """
        self.hold()
        with events() as seen:
            self.look()
        ((_, letter),) = self.letters()
        (row,) = self.rows()
        self.assertEqual(str(row.message.sender), "")
        self.assertEqual(row.message.role, NOTICE)
        self.assertEqual(letter["auto-submitted"], "auto-generated")
        self.assertEqual(letter["list-id"], "<digest.mail.example.com>")
        self.assertEqual(letter["from"].addresses[0].addr_spec, "postmaster@example.com")
        self.assertEqual([each["event"] for each in seen], ["digest.sent"])

    def test_a15_hostile(self):
        """
        A stranger's words begin no header, no line of their own in the text, no element of the
        page, and no link; links begin with the configured address alone.
        """
        for vector in (
            b"=?utf-8?q?x=0D=0ABcc:_eve@example.org=0D=0A=0D=0A--?=",
            b"<script>alert(1)</script><a href='https://evil.example/'>x</a>",
            "\u202ehttp://evil.example/\u2028x".encode(),
            b'"><img src=//evil.example/x onerror=alert(1)>',
        ):
            text = b"From: " + vector + b" <eve@evil.example>\r\nSubject: " + vector + b"\r\n\r\n"
            self.hold(text=text, detail=vector.decode())
        self.look()
        ((_, letter),) = self.letters()
        self.assertIsNone(letter["bcc"])
        text, page = self.parts()
        for line in text.splitlines():
            self.assertNotRegex(line, r"^(Bcc|--$)")
        for tag in ("<script", "<img", "<a href='"):
            self.assertNotIn(tag, page)
        for part in (text, page):
            self.assertNotIn("evil.example/", part)
            self.assertNotIn("\u202e", part)
            urls = re.findall(r"https?://[^\s\"'<]+", part)
            self.assertTrue(all(url.startswith(f"{BASE}/") for url in urls), urls)

    def test_send_now(self):
        """
        Asked for, a digest is sent at once, where anything is new and whoever asks is ours.
        """
        digests = self.make(schedule="daily 08:00")
        self.hold()
        self.assertTrue(self.successResultOf(digests.send_now("Ada@example.com")))
        self.assertFalse(self.successResultOf(digests.send_now("ada@example.com")))
        self.hold(Address("eve", "elsewhere.example"))
        self.assertFalse(self.successResultOf(digests.send_now("eve@elsewhere.example")))

    def test_never_held_itself(self):
        """
        A digest goes past all checks: it waits in the outbox as accepted, with no finding.
        """
        self.hold()
        self.look()
        (row,) = self.rows()
        self.assertEqual((row.action, row.findings), (Action.ACCEPT, ()))
