"""
Tests for L{mailgate.web.pages.message}.
"""

from __future__ import annotations

import re

from twisted.internet.defer import fail
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailgate.finding import SANDBOX, Finding
from mailgate.interfaces import SandboxDied
from mailgate.verdict import Kind
from mailgate.web.pages import message as module
from mailgate.wire.address import NULL_SENDER, Address
from tests.web.harness import NAME, World

GONE = Failure(ConnectionDone())
LETTER = (
    "From: Nordwind Books <orders@nordwind-books.example>\r\n"
    "Subject: Your invoice 2231\r\n"
    "Date: Thu, 12 Mar 2026 09:39:51 +0100\r\n"
    "X-Strange: <b>ünique</b>\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n"
    "\r\n"
    "--b\r\n"
    "Content-Type: text/html; charset=utf-8\r\n"
    "\r\n"
    '<p>Dear Ada &lt;you&gt;, see <a href="https://go.example/x">this</a>.</p>\r\n'
    "--b\r\n"
    'Content-Type: application/pdf; name="Invoice.pdf"\r\n'
    "Content-Transfer-Encoding: base64\r\n"
    'Content-Disposition: attachment; filename="Invoice\u202efdp.exe"\r\n'
    "\r\n" + "QUJD" * 1000 + "\r\n--b--\r\n"
).encode()


class OneMessage(SynchronousTestCase):
    """
    The page of one message.
    """

    def setUp(self):
        """
        Sign in.
        """
        self.world = World(self)
        self.browser = self.world.signed_in()

    def page(self, *arguments, **more):
        """
        Hold a message and give its page.
        """
        response = self.browser.get(f"/quarantine/{self.world.hold(*arguments, **more)}")
        self.assertEqual(response.code, 200)
        return response.text

    def test_verdict(self):
        """
        The verdict stands in a sentence, with the two weightiest reasons and on the rail.
        """
        findings = (
            Finding("SMALL", 1, "A small thing."),
            Finding("BIG", 5, "A big thing."),
            Finding("MIDDLE", 3, "A middle thing."),
            Finding("GOOD", -0.5, "A good thing."),
        )
        page = self.page(findings=findings)
        self.assertIn("Held because it looks like spam", page)
        self.assertIn('<p class="lede"><bdi>A big thing. A middle thing.</bdi></p>', page)
        self.assertIn(
            "Score 8.5. From 5 on a message is tagged, from 8 held, from 15 refused.", page
        )
        self.assertIn('<svg x="53.12%"', page)

    def test_findings(self):
        """
        Every finding is there in words, with its symbol, its score and a bar to its side.
        """
        findings = (
            Finding("BIG", 6, "A big thing", check="helo"),
            Finding("GOOD", -1, "Good.", check="lists"),
            Finding("N", 0, "N."),
        )
        page = self.page(findings=findings)
        titles = re.findall("<h4><span>(.*?)</span></h4>", page)
        self.assertEqual(titles, ["Name of the client", "Allowed and blocked", "Other"])
        self.assertIn('<h3><span>Against it</span><span class="n">+6.0</span></h3>', page)
        self.assertIn("<bdi>A big thing.</bdi> <code>BIG</code>", page)
        self.assertIn('<rect x="25.0%" y="3" width="75.0%"', page)
        self.assertIn(
            '<h3><span>In its favour</span><span class="n">\N{MINUS SIGN}1.0</span></h3>', page
        )
        self.assertIn('<rect x="12.5%" y="3.75" width="12.5%"', page)
        self.assertIn('<h3><span>Without weight</span><span class="n">0.0</span></h3>', page)

    def test_groups(self):
        """
        Findings about the same thing stand together, with their sum where there are others.
        """
        findings = (
            Finding("A", 6, "A.", check="helo"),
            Finding("B", 3, "B.", check="headers"),
            Finding("C", 1, "C.", check="headers"),
        )
        page = self.page(findings=findings)
        self.assertIn("<h4><span>Name of the client</span></h4>", page)
        self.assertIn('<h4><span>Headers</span><span class="n">+4.0</span></h4>', page)
        self.assertEqual(re.findall("<code>([ABC])</code></p>", page), ["A", "B", "C"])

    def test_what_had_to_be_different(self):
        """
        The nearest threshold is named, and without which findings less would have been done.
        """
        page = self.page(findings=(Finding("BIG", 6, "A."), Finding("SMALL", 3.2, "B.")))
        self.assertIn(
            "The total is 9.2. The nearest threshold is 8: 1.3 points less and it would have been"
            " delivered with a tag. 5.8 points more and it would have been refused."
            " Each of these alone would have been enough:",
            page,
        )
        minus = "\N{MINUS SIGN}"
        self.assertIn(f"Without <code>BIG</code>: <b>9.2 {minus} 6.0 = 3.2, delivered</b>.", page)
        self.assertIn(
            f"Without <code>SMALL</code>: <b>9.2 {minus} 3.2 = 6.0, delivered with a tag</b>.", page
        )

    def test_total_that_did_not_decide(self):
        """
        Where the total alone would not have held it, that is said.
        """
        page = self.page(findings=(Finding("A", 1, "A."),), kind=Kind.MALWARE)
        self.assertIn("By its total alone it would have been delivered.", page)
        self.assertNotIn("would have been enough", page)

    def test_every_kind(self):
        """
        Each kind has its word and its sentence.
        """
        for kind in Kind:
            page = self.page(kind=kind, reason="550 no" if kind is Kind.UNDELIVERABLE else "")
            self.assertIn("Held because ", page)
            self.assertEqual('class="rail"' in page, kind is not Kind.UNDELIVERABLE)

    def test_text(self):
        """
        The text is plain; a link is words with its target, and can never be clicked.
        """
        page = self.page(LETTER)
        self.assertIn(
            '<pre class="plain">Dear Ada &lt;you&gt;, see this [1 → https://go.example/x].</pre>',
            page,
        )
        self.assertIn("taken from its HTML", page)
        self.assertEqual(
            [link for link in re.findall(r'(?:href|src|action)="([^"]*)"', page) if "//" in link],
            [],
        )

    def test_headers(self):
        """
        All headers are there as they came.
        """
        page = self.page(LETTER)
        self.assertIn("X-Strange: &lt;b&gt;ünique&lt;/b&gt;\nContent-Type: multipart/mixed", page)

    def test_attachments(self):
        """
        An attachment has its name, every other reading of it, its type and its size.
        """
        page = self.page(LETTER)
        self.assertIn("Invoice\N{REPLACEMENT CHARACTER}fdp.exe", page)
        self.assertNotIn("\u202e", page)
        self.assertIn("or, read in another way, <bdi>Invoice.pdf</bdi>", page)
        self.assertIn('<bdi class="mono">application/pdf</bdi>', page)
        self.assertIn('<td class="n" data-label="Size">3.0 kB</td>', page)

    def test_attachments_of_some_programs(self):
        """
        What only some programs show as attached is listed, and said to be so; and what a file is by
        its content, where that is known.
        """
        other = b"\r\n--c\r\nContent-Type: image/png; name=other.png\r\n\r\n%PDF-1.4\r\n--c--\r\n"
        second = b"Content-Type: multipart/mixed; boundary=c\r\nX-Strange"
        page = self.page(LETTER.replace(b"X-Strange", second, 1) + other)
        row = page[page.index("Invoice\N{REPLACEMENT CHARACTER}fdp.exe") :]
        self.assertIn("other.png", page)
        self.assertEqual(page.count("only some programs show it"), 1)
        self.assertIn('<td data-label="Is"><bdi class="mono">pdf</bdi></td>', page)
        self.assertIn('<td data-label="Is"><bdi class="mono">text</bdi></td>', row)

    def test_many_attachments(self):
        """
        Of very many attachments a hundred are listed, and the number of the others.
        """
        parts = b"--b\r\nContent-Type: a/b; name=x\r\n\r\n\r\n" * 120
        page = self.page(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + parts)
        self.assertEqual(page.count(">a/b</bdi>"), 100)
        self.assertIn("And 20 more.", page)

    def test_way(self):
        """
        The way it came tells the client, its name, the encryption and the reference.
        """
        page = self.page(LETTER, helo="mail-out7.example", client="203.0.113.24", tls="")
        for words in (
            "<b>Written</b> <bdi>Thu, 12 Mar 2026 09:39:51 +0100</bdi>",
            '<bdi class="mono">mail-out7.example</bdi>',
            '<bdi class="mono">203.0.113.24</bdi> port 40001',
            "The last step was not encrypted.",
        ):
            self.assertIn(words, page)
        reference = re.search('href="(/trace/[^"]*)"', page)[1]
        self.assertEqual(self.browser.get(reference).code, 200)
        self.assertIn("encrypted: <bdi>TLSv1.3 TLS_AES_256_GCM_SHA384</bdi>", self.page(LETTER))

    def test_long_text(self):
        """
        Of a long text the beginning is shown, and that there is more.
        """
        page = self.page(b"Subject: x\r\n\r\n" + b"word " * 40_000)
        self.assertLess(len(page), 100_000)
        self.assertIn("There is more of it: download it to read all.", page)

    def test_large_message(self):
        """
        Of a large message the beginning is read, and the page says so.
        """
        self.patch(module, "READ_BYTES", 1024 * 1024)
        page = self.page(LETTER + b"x" * 3 * 1024 * 1024)
        self.assertIn("It is 3.2 MB long; the first 1.0 MB were read for this page.", page)

    def test_broken_message(self):
        """
        Bytes that are no message make a page all the same.
        """
        for text in (b"", b"\x00\xff" * 100, b"\r\n", b"Content-Type: multipart/mixed; boundary=b"):
            page = self.page(text)
            self.assertIn("(no subject)", page)

    def test_flaws(self):
        """
        What is wrong with a message is said.
        """
        page = self.page(b"Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\nx\r\n")
        self.assertIn("A part says twice of what type it is.", page)

    def test_it_is_read_in_a_thread(self):
        """
        The message is taken apart in a thread.
        """
        self.page(LETTER)
        self.assertEqual([work.__name__ for work in self.world.threads.done], ["page_of"])

    def test_deadly(self):
        """
        Of a message that kills whoever reads it the page says so, and shows what is known without
        reading it; one that is known for it is read apart, and nobody is asked to teach it.
        """
        asked = []

        def page(data, is_deadly=False):
            asked.append((data, is_deadly))
            return fail(SandboxDied("it was killed by SIGABRT"))

        self.patch(self.world.reader, "page", page)
        shown = self.page(LETTER)
        self.assertIn("could not be read: It was killed by SIGABRT.", shown)
        self.assertIn("Thu, 12 Mar 2026 09:39:51 +0100", shown)
        self.assertIn("X-Strange: &lt;b&gt;ünique&lt;/b&gt;", shown)
        self.assertIn("/raw", shown)
        self.assertNotIn("Dear Ada", shown)
        self.assertNotIn('id="attached"', shown)
        self.assertIn("Delete as spam", shown)
        found = (Finding("CONTENT_UNSCANNABLE", 1.0, "It kills.", check=SANDBOX),)
        shown = self.page(LETTER, Kind.UNSCANNABLE, found)
        self.assertNotIn("Delete as spam", shown)
        self.assertEqual(asked, [(LETTER, False), (LETTER, True)])

    def test_no_name(self):
        """
        An attachment without a name is one.
        """
        shown = self.page(LETTER.replace(b'name="', b'no="'))
        self.assertIn("(no name)", shown)

    def test_next(self):
        """
        A link leads to the next older message.
        """
        older = self.world.hold()
        page = self.page()
        self.assertIn(f'<a href="/quarantine/{older}" rel="next">', page)
        self.assertNotIn('rel="next"', self.browser.get(f"/quarantine/{older}").text)

    def test_release(self):
        """
        The button releases it, once; afterwards the page tells who did it.
        """
        identity = self.world.hold()
        path = f"/quarantine/{identity}"
        token = self.browser.token(path)
        response = self.browser.post(path, {"do": "release", "csrf": token})
        self.assertEqual(response.header("location"), "/quarantine")
        self.assertIn("One message released.", self.browser.get("/quarantine").text)
        page = self.browser.get(path).text
        self.assertIn("It has been released", page)
        self.assertIn(f"By <bdi>{NAME}</bdi>", page)
        self.assertNotIn('value="release"', page)
        self.browser.post(path, {"do": "release", "csrf": token})
        self.assertEqual(len(self.world.rows("outbox")), 1)
        self.assertIn(
            "Nothing was released. One message had been dealt with already.",
            self.browser.get("/quarantine").text,
        )

    def test_delete(self):
        """
        The other button deletes it; then there is no such page.
        """
        path = f"/quarantine/{self.world.hold()}"
        self.browser.post(path, {"do": "delete"})
        self.assertEqual(self.browser.get(path).code, 404)
        self.assertEqual(self.world.rows("messages"), [])

    def test_unknown_action(self):
        """
        A form that asks for anything else is refused.
        """
        path = f"/quarantine/{self.world.hold()}"
        self.assertEqual(self.browser.post(path, {"do": "block"}).code, 400)

    def test_what_is_learned(self):
        """
        Release teaches that it is good, “Delete as spam” that it is spam, “Delete” nothing; the
        page says so.
        """
        for do, learned in (
            ("release", [False]),
            ("release_allow", [False]),
            ("spam", [True]),
            ("delete", []),
        ):
            path = f"/quarantine/{self.world.hold()}"
            self.assertIn("from “Delete as spam” that it was spam", self.browser.get(path).text)
            self.browser.post(path, {"do": do})
            self.assertEqual([each[1] for each in self.world.learner.learned], learned)
            self.world.learner.learned.clear()
        page = self.page(kind=Kind.UNDELIVERABLE, reason="550 no")
        self.assertNotIn("The filter learns", page)

    def test_file_that_cannot_be_read(self):
        """
        Where the file is gone the page says that the store failed.
        """
        identity = self.world.hold()
        blobs = self.world.storage.blobs
        blobs.path(self.world.held(identity).message.id).unlink()
        self.assertEqual(self.browser.get(f"/quarantine/{identity}").code, 503)
        self.assertEqual(self.browser.get(f"/quarantine/{identity}/raw").code, 503)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 2)


class Sender(SynchronousTestCase):
    """
    To allow or block the sender, beside a message.
    """

    LIST = (
        b"From: News <News@Shop.example.org>\r\nList-Id: News <news.shop.example.org>\r\n\r\nx\r\n"
    )

    def setUp(self):
        """
        Hold a message of a mailing list.
        """
        self.world = World(self)
        self.browser = self.world.signed_in()
        self.identity = self.world.hold(self.LIST)
        self.path = f"/quarantine/{self.identity}"

    def entries(self):
        """
        Give list, kind, value and scope of all entries.
        """
        return [row[1:5] for row in self.world.rows("list_entry")]

    def choose(self, **fields):
        """
        Send the form.
        """
        return self.browser.post(f"{self.path}/sender", fields, page=self.path)

    def test_choices(self):
        """
        The address, its domain and the mailing list can be chosen; for the recipient, everybody at
        the domain, or all.
        """
        page = self.browser.get(self.path).text
        things = re.findall(r'name="thing" value="([^"]*)"( checked)?><span><bdi[^>]*>(.*?)<', page)
        self.assertEqual(
            things,
            [
                ("address", " checked", "news@shop.example.org"),
                ("domain", "", "shop.example.org"),
                ("list-0", "", "news.shop.example.org"),
            ],
        )
        scopes = re.findall(r'<option value="(recipient|domain|all)">(.*?)</option>', page)
        self.assertEqual(
            scopes,
            [
                ("recipient", "ada@example.com"),
                ("domain", "everybody at example.com"),
                ("all", "everybody"),
            ],
        )

    def test_allow_and_block(self):
        """
        What was chosen is on the list, and the page says so.
        """
        response = self.choose(list="allow", thing="address", scope="recipient")
        self.assertEqual(response.header("location"), self.path)
        self.assertIn("Allowed from now on. It is entry 1", self.browser.get(self.path).text)
        self.choose(list="block", thing="domain", scope="domain")
        self.choose(list="block", thing="list-0", scope="all")
        self.assertEqual(
            self.entries(),
            [
                ("allow", "address", "news@shop.example.org", "ada@example.com"),
                ("block", "domain", "shop.example.org", "example.com"),
                ("block", "list-id", "news.shop.example.org", ""),
            ],
        )
        self.assertEqual(len(self.world.storage.lists.lists), 3)
        self.assertEqual(self.world.held(self.identity).state, "held")

    def test_note_and_end(self):
        """
        A note and an end can be given, and who made the entry stands there.
        """
        self.choose(list="allow", thing="address", scope="all", note="our shop", days="30")
        (row,) = self.world.rows("list_entry")
        self.assertEqual(row[5:7], ("our shop", NAME))
        self.assertEqual(row[8] - row[7], 30 * 86400)

    def test_refused(self):
        """
        What cannot be taken is said on the page, which keeps what was filled in.
        """
        response = self.choose(list="allow", thing="domain", scope="all", note="x" * 300)
        self.assertEqual(response.code, 400)
        self.assertIn("A note has at most 200 characters.", response.text)
        self.assertIn('value="domain" checked', response.text)
        self.assertIn('<option value="all" selected>', response.text)
        self.assertEqual(self.entries(), [])

    def test_unknown(self):
        """
        A form that asks for anything else is refused, and one for a message that is gone.
        """
        good = {"list": "allow", "thing": "address", "scope": "all", "days": ""}
        for field, value in (
            ("list", "grey"),
            ("thing", "network"),
            ("thing", "list-1"),
            ("scope", "bob@example.com"),
            ("days", "31"),
        ):
            self.assertEqual(self.choose(**{**good, field: value}).code, 400, (field, value))
        gone = self.browser.post("/quarantine/gone-gone-gone/sender", good, page=self.path)
        self.assertEqual(gone.code, 404)
        self.assertEqual(self.entries(), [])

    def test_release_and_allow(self):
        """
        One click releases the message and allows its sender for its recipient.
        """
        response = self.browser.post(self.path, {"do": "release_allow"})
        self.assertEqual(response.header("location"), "/quarantine")
        self.assertIn(
            "One message released. It is on its way. The sender is allowed from now on.",
            self.browser.get("/quarantine").text,
        )
        self.assertEqual(self.world.held(self.identity).state, "released")
        self.assertEqual(
            self.entries(), [("allow", "address", "news@shop.example.org", "ada@example.com")]
        )
        self.assertEqual(
            self.world.rows("list_entry")[0][5], f"with the release of {self.identity}"
        )

    def test_release_and_allow_for_a_stranger(self):
        """
        Where the sender cannot be allowed the message is not released either, and that is said.
        """
        identity = self.world.hold(self.LIST, recipient=Address("ada", "elsewhere.example.org"))
        path = f"/quarantine/{identity}"
        response = self.browser.post(path, {"do": "release_allow"})
        self.assertEqual(response.code, 400)
        self.assertIn("is none of your domains", response.text)
        self.assertEqual(self.world.held(identity).state, "held")

    def test_nobody(self):
        """
        A notice without any address cannot be allowed, and the page does not offer it.
        """
        path = f"/quarantine/{self.world.hold(b'Subject: x', sender=NULL_SENDER)}"
        page = self.browser.get(path).text
        self.assertNotIn("Allow this sender", page)
        self.assertNotIn("release_allow", page)
        self.assertEqual(self.browser.post(path, {"do": "release_allow"}).code, 400)

    def test_only_by_post(self):
        """
        A link does nothing.
        """
        before = self.world.everything()
        self.assertEqual(self.browser.get(f"{self.path}/sender?list=block").code, 405)
        self.assertEqual(self.world.everything(), before)
        self.assertEqual(self.entries(), [])


class Download(SynchronousTestCase):
    """
    A message as it was sent.
    """

    def setUp(self):
        """
        Sign in.
        """
        self.world = World(self)
        self.browser = self.world.signed_in()

    def get(self, text):
        """
        Download a message.
        """
        return self.browser.get(f"/quarantine/{self.world.hold(text)}/raw")

    def test_bytes(self):
        """
        Every byte is as it was received, of small messages and of large ones.
        """
        for text in (LETTER, LETTER + bytes(range(256)) * 20_000):
            response = self.get(text)
            self.assertEqual(response.code, 200)
            self.assertEqual(response.body, text)
            self.assertEqual(response.header("content-length"), str(len(text)))

    def test_never_rendered(self):
        """
        No browser shows it: its type, its disposition and its policy say so.
        """
        response = self.get(LETTER)
        self.assertEqual(response.header("content-type"), "message/rfc822")
        self.assertEqual(response.header("x-content-type-options"), "nosniff")
        self.assertEqual(response.header("content-security-policy"), "default-src 'none'; sandbox")
        self.assertTrue(response.header("content-disposition").startswith("attachment; filename="))

    def test_name(self):
        """
        It is called by its subject, of which nothing can get into another header (W6).
        """
        for subject, name in (
            ("Your invoice 2231", "Your%20invoice%202231.eml"),
            ("=?utf-8?q?a=22=0D=0AX-Evil:_1?=", "a___X-Evil_%201.eml"),
            ("=?utf-8?q?=2E=2E/=2E=2E/x?=", "_.._x.eml"),
        ):
            response = self.get(f"Subject: {subject}\r\n\r\nx\r\n".encode())
            self.assertIn(f"filename*=UTF-8''{name}", response.header("content-disposition"))
            self.assertIsNone(response.header("x-evil"))

    def test_slow_browser(self):
        """
        No more is read from the disk than the browser takes.
        """
        text = b"Subject: x\r\n\r\n" + b"x" * 3 * 1024 * 1024
        identity = self.world.hold(text)
        channel, transport = self.world.connect()
        cookie = f"mailgate_log_in={self.browser.cookies['mailgate_log_in']}"
        written = []

        def write(data):
            written.append(data)
            channel.pauseProducing()

        transport.write = write
        channel.dataReceived(
            f"GET /quarantine/{identity}/raw HTTP/1.1\r\nHost: {self.browser.host}\r\n"
            f"Cookie: {cookie}\r\n\r\n".encode()
        )
        self.assertEqual(sum(map(len, written)), 1024 * 1024)
        for _ in range(4):
            channel.resumeProducing()
        self.assertEqual(b"".join(written), text)

    def test_browser_that_leaves(self):
        """
        A browser that leaves in the middle leaves nothing behind.
        """
        identity = self.world.hold(b"Subject: x\r\n\r\n" + b"x" * 3 * 1024 * 1024)
        channel, transport = self.world.connect()
        written = []

        def write(data):
            written.append(data)
            channel.pauseProducing()

        transport.write = write
        channel.dataReceived(
            f"GET /quarantine/{identity}/raw HTTP/1.1\r\nHost: {self.browser.host}\r\n"
            f"Cookie: mailgate_log_in={self.browser.cookies['mailgate_log_in']}\r\n\r\n".encode()
        )
        channel.stopProducing()
        channel.connectionLost(GONE)
        self.assertEqual(len(written), 1)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_disk_that_fails_in_the_middle(self):
        """
        Where the disk fails in the middle the connection breaks, so that nobody takes a part
        for the whole.
        """
        identity = self.world.hold(b"Subject: x\r\n\r\n" + b"x" * 3 * 1024 * 1024)
        path = self.world.storage.blobs.path(self.world.held(identity).message.id)
        with path.open("r+b") as file:
            file.truncate(2 * 1024 * 1024)
        channel, transport = self.world.connect()
        channel.dataReceived(
            f"GET /quarantine/{identity}/raw HTTP/1.1\r\nHost: {self.browser.host}\r\n"
            f"Cookie: mailgate_log_in={self.browser.cookies['mailgate_log_in']}\r\n\r\n".encode()
        )
        head, _, body = transport.value().partition(b"\r\n\r\n")
        self.assertIn(b"Content-Length: 3145742", head)
        self.assertEqual(len(body), 2 * 1024 * 1024)
        self.assertTrue(transport.disconnecting)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        channel.connectionLost(GONE)
