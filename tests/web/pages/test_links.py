"""
Tests for L{mailgate.web.pages.links}: what the links of a digest open.
"""

import re

from twisted.trial.unittest import SynchronousTestCase

from mailgate.quarantine.tokens import Purpose, Signer, Token, Tokens
from mailgate.verdict import Kind
from mailgate.wire.address import Address
from tests.storage import ADA, BOB, NOW, TEXT
from tests.web.harness import World

DAY = 86400
RELEASE, DELETE = Purpose.RELEASE, Purpose.DELETE


class LinkTests(SynchronousTestCase):
    """
    Tests of L{mailgate.web.pages.links.LinkPages}.
    """

    def setUp(self):
        """
        Make the pages and a visitor who is not signed in.
        """
        self.make()

    def make(self, **more):
        """
        Make them.
        """
        self.world = World(self, **more)
        self.browser = self.world.browser()
        self.signer = self.successResultOf(Tokens(self.world.storage.database).signer())

    def link(self, held, purpose=RELEASE, until=NOW + DAY, signer=None):
        """
        Give the path of a link.
        """
        token = (signer or self.signer).write(Token(purpose, held, int(until)))
        return f"/{purpose}/{token}"

    def entries(self):
        """
        Give what is allowed and blocked: list, kind, value, scope.
        """
        return [row[1:5] for row in self.world.rows("list_entry")]

    def test_page(self):
        """
        The link opens a page without a log-in, which names the message, its reason, the address it
        acts for, and until when.
        """
        response = self.browser.get(self.link(self.world.hold()))
        self.assertEqual(response.code, 200)
        for words in (
            "Release this message",
            "café",
            "eve@example.org",
            "ada@example.com",
            "Something was seen.",
            "opening this page changes nothing",
            "16 January",
        ):
            self.assertIn(words, response.text)

    def test_w1_only_post_acts(self):
        """
        Whatever opens the link, and however often, nothing changes.
        """
        held = self.world.hold()
        before = self.world.everything()
        for purpose in Purpose:
            for method in ("GET", "HEAD"):
                for more in ("", "?allow=address", "?do=release&csrf=1"):
                    response = self.browser.ask(method, self.link(held, purpose) + more)
                    self.assertEqual(response.code, 200)
        for method in ("PUT", "DELETE", "OPTIONS"):
            self.assertEqual(self.browser.ask(method, self.link(held)).code, 405)
        self.assertEqual(self.world.everything(), before)

    def test_release(self):
        """
        The form releases the message into the outbox, teaches, and says so; the history and the
        audit name the link.
        """
        held = self.world.hold()
        response = self.browser.post(self.link(held), do="release")
        self.assertEqual(response.code, 303)
        after = self.browser.get(response.header("location"))
        self.assertIn("One message released. It is on its way.", after.text)
        self.assertEqual(len(self.world.rows("outbox")), 1)
        self.assertEqual(self.world.learner.learned, [(TEXT, False, "ada@example.com (by a link)")])
        self.assertEqual(self.world.held(held).acted_by, "ada@example.com (by a link)")
        acts = [row[2:5] for row in self.world.rows("audit")]
        self.assertEqual([act[0] for act in acts], ["ada@example.com (by a link)"])
        self.assertEqual(self.entries(), [])

    def test_w2_second_use(self):
        """
        A second use changes nothing more and says that it is done; not even an entry is made.
        """
        held = self.world.hold()
        path = self.link(held)
        token = self.browser.token(path)
        self.browser.post(path, do="release", csrf=token)
        before = self.world.everything()
        again = self.browser.post(path, do="release", sender="address", csrf=token)
        self.assertEqual(again.code, 303)
        self.browser.get(path)
        self.assertIn("This message was released", self.browser.get(path).text)
        self.assertEqual(self.world.everything(), before)

    def test_w2_deleted(self):
        """
        Of a message that was deleted each of its links says that there is nothing left to do.
        """
        held = self.world.hold()
        first = self.browser.post(self.link(held, DELETE), do="delete")
        after = self.browser.get(first.header("location"))
        self.assertIn("One message deleted.", after.text)
        before = self.world.everything()
        for purpose in Purpose:
            response = self.browser.get(self.link(held, purpose))
            self.assertEqual(response.code, 410)
            self.assertIn("nothing left to do", response.text)
        self.assertEqual(self.world.everything(), before)

    def test_w2_one_purpose(self):
        """
        A link to release deletes nothing, one to delete releases nothing, and neither token works
        under the path of the other.
        """
        held = self.world.hold()
        before = self.world.everything()
        release, delete = self.link(held), self.link(held, DELETE)
        for do in ("delete", "spam", "block", ""):
            self.assertEqual(self.browser.post(release, do=do).code, 400)
        for do in ("release", "allow", ""):
            self.assertEqual(self.browser.post(delete, do=do).code, 400)
        crossed = "/delete/" + release.rpartition("/")[2]
        self.assertEqual(self.browser.get(crossed).code, 404)
        self.assertEqual(self.browser.post(crossed, page=release, do="delete").code, 404)
        self.assertEqual(self.world.everything(), before)

    def test_w2_expired(self):
        """
        A link whose time is over says how to go on.
        """
        held = self.world.hold()
        path = self.link(held, until=NOW + 60)
        token = self.browser.token(path)
        self.world.clock.advance(60)
        for response in (self.browser.get(path), self.browser.post(path, do="release", csrf=token)):
            self.assertEqual(response.code, 410)
            self.assertIn("Sign in", response.text)
        self.assertEqual(self.world.rows("outbox"), [])

    def test_w2_wrong(self):
        """
        What we have not signed, or signed with a key that is gone, opens nothing.
        """
        held = self.world.hold()
        for path in (
            "/release/x",
            self.link(held)[:-3],
            self.link(held, signer=Signer(b"other" * 8)),
            f"/release/{held}",
        ):
            response = self.browser.get(path)
            self.assertEqual(response.code, 404)
            self.assertIn("Sign in", response.text)
        self.assertNotIn("Something was seen", response.text)

    def test_w2_other_copy(self):
        """
        Each recipient's copy is their own: one's link leaves the other's where it is.
        """
        ada, bob = self.world.hold(), self.world.hold(recipient=BOB)
        self.browser.post(self.link(ada, DELETE), do="spam")
        self.assertIsNone(self.world.held(ada))
        self.assertEqual(self.world.held(bob).state, "held")

    def test_kinds(self):
        """
        What is not spam and bulk mail is not released by a link, whatever is configured, even if a
        token for it were there.
        """
        self.make(releases=(Kind.SPAM, Kind.PHISHING))
        for kind in (Kind.BULK, Kind.PHISHING, Kind.MALWARE):
            held = self.world.hold(kind=kind)
            response = self.browser.get(self.link(held))
            self.assertEqual(response.code, 403)
            self.assertNotIn("café", response.text)
            self.assertEqual(self.world.held(held).state, "held")

    def test_allow(self):
        """
        With the release the sender, the domain or the list can be allowed, for this address alone.
        """
        text = TEXT.replace(b"Message-ID", b"List-Id: <news.example.org>\r\nMessage-ID")
        for key, kind, value in (
            ("address", "address", "eve@example.org"),
            ("domain", "domain", "example.org"),
            ("list-0", "list-id", "news.example.org"),
        ):
            held = self.world.hold(text)
            response = self.browser.post(self.link(held), do="release", sender=key)
            self.assertIn("allowed from now on", self.browser.get(response.header("location")).text)
            self.assertIn(("allow", kind, value, "ada@example.com"), self.entries())

    def test_block(self):
        """
        With the deletion the sender can be blocked.
        """
        held = self.world.hold()
        self.browser.post(self.link(held, DELETE), do="spam", sender="address")
        self.assertEqual(
            self.entries(), [("block", "address", "eve@example.org", "ada@example.com")]
        )
        self.assertEqual(self.world.learner.learned[0][1], True)

    def test_no_domain_of_everybody(self):
        """
        A domain where everybody may have an address is not offered, and not taken.
        """
        held = self.world.hold(b"From: eve@gmail.com\r\n\r\n")
        path = self.link(held)
        self.assertNotIn('value="domain"', self.browser.get(path).text)
        self.assertEqual(self.browser.post(path, do="release", sender="domain").code, 400)
        self.assertEqual(self.world.held(held).state, "held")

    def test_allow_is_chosen(self):
        """
        The link that says allow opens the same page with that chosen.
        """
        text = self.browser.get(self.link(self.world.hold()) + "?allow=address").text
        self.assertRegex(text, r'value="address" checked')

    def test_alias(self):
        """
        For an alias the page acts for whom it belongs to.
        """
        alias = Address("sales", "example.com", belongs_to=ADA)
        held = self.world.hold(recipient=alias)
        path = self.link(held)
        self.assertIn("ada@example.com", self.browser.get(path).text)
        self.browser.post(path, do="release", sender="address")
        self.assertEqual(self.entries()[0][3], "ada@example.com")
        self.assertEqual(len(self.world.rows("outbox")), 1)

    def test_w5_origin(self):
        """
        A form from elsewhere does nothing.
        """
        held = self.world.hold()
        path = self.link(held)
        for origin in ("https://evil.example", "null"):
            response = self.browser.post(path, do="release", headers={"Origin": origin})
            self.assertEqual(response.code, 403)
        self.assertEqual(self.world.held(held).state, "held")

    def test_token_is_not_told(self):
        """
        The page loads nothing from elsewhere, and no other site learns its address.
        """
        response = self.browser.get(self.link(self.world.hold()))
        self.assertEqual(response.header("referrer-policy"), "same-origin")
        self.assertEqual(response.header("cache-control"), "no-store")
        self.assertEqual(re.findall(r'(?:src|href)="(?!/|#|data:)', response.text), [])

    def test_w3_hostile(self):
        """
        A stranger's words are words.
        """
        vector = b"<script>alert(1)</script>"
        held = self.world.hold(b"From: " + vector + b" <e@e.e>\r\nSubject: " + vector + b"\r\n\r\n")
        text = self.browser.get(self.link(held)).text
        self.assertNotIn("<script>", text)
        self.assertIn("&lt;script&gt;", text)

    def test_not_learned(self):
        """
        Where nothing learns, the page does not say that it does.
        """
        self.make(teaches=False)
        self.assertNotIn(
            "spam</button>", self.browser.get(self.link(self.world.hold(), DELETE)).text
        )
