"""
Tests for L{mailgate.web.front}: what every page of the site must hold.
"""

from __future__ import annotations

import re
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import eventAsText, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mailgate.web.answer import own_path
from mailgate.web.front import csrf_token
from mailgate.web.headers import attachment
from tests.web.harness import BASE_URL, HOST, World

FORMS = ("/quarantine", "/quarantine/{id}", "/account", "/sign-out", "/appearance")
PAGES = (
    "/",
    "/quarantine",
    "/quarantine?kind=spam",
    "/quarantine/{id}",
    "/quarantine/{id}/raw",
    "/outbox",
    "/trace",
    "/trace/trac-trac-trac",
    "/account",
    "/nowhere",
)


class LogIns(SynchronousTestCase):
    """
    Nobody sees anything without a log-in.
    """

    def setUp(self):
        """
        Hold a message.
        """
        self.world = World(self)
        self.held = self.world.hold()
        self.world.add_account()

    def test_every_page_leads_to_the_sign_in(self):
        """
        Without a log-in every page leads to the sign-in, and from there back.
        """
        for page in PAGES:
            path = page.format(id=self.held)
            for method in ("GET", "HEAD"):
                response = self.world.browser().ask(method, path)
                self.assertEqual((response.code, response.body), (303, b""), path)
                where = response.header("location")
                self.assertTrue(where.startswith("/sign-in?next=%2F"), where)
            browser = self.world.browser()
            field = re.search('name="next" value="([^"]*)"', browser.get(where).text)
            self.assertEqual(field[1], path)

    def test_unknown_log_in(self):
        """
        A cookie that nobody was given is no log-in.
        """
        for value in ("x" * 43, "", "'", "ü", "a" * 10_000):
            browser = self.world.browser()
            response = browser.get("/quarantine", Cookie=f"mailgate_log_in={value}")
            self.assertEqual(response.code, 303)

    def test_forms_without_a_log_in(self):
        """
        Without a log-in no form does anything, with whatever token.
        """
        browser = self.world.browser()
        browser.get("/sign-in")
        before = self.world.everything()
        for path in FORMS:
            fields = {"release": self.held, "do": "release", "id": self.held}
            response = browser.post(path.format(id=self.held), fields, page="/sign-in")
            self.assertEqual(response.code, 303)
            self.assertEqual(response.header("location"), "/sign-in?next=%2F")
        self.assertEqual(self.world.everything(), before)


class Forms(SynchronousTestCase):
    """
    Only the forms of these pages act.
    """

    def setUp(self):
        """
        Sign in and hold a message.
        """
        self.world = World(self)
        self.held = self.world.hold()
        self.browser = self.world.signed_in()

    def release(self, headers=(), browser=None, path="/quarantine", **fields):
        """
        Try to release the message; give the code of the answer.
        """
        browser = browser or self.browser
        return browser.post(path, {"release": self.held, **fields}, "/quarantine", headers).code

    def assert_held(self):
        """
        Hold that the message is still held.
        """
        self.assertEqual(self.world.held(self.held).state, "held")

    def test_form_of_ours(self):
        """
        A form with its token, from a page of ours, acts.
        """
        self.assertEqual(self.release(), 303)
        self.assertEqual(self.world.held(self.held).state, "released")

    def test_reading_changes_nothing(self):
        """
        No GET or HEAD changes anything, whatever its query says.
        """
        before = self.world.everything()
        log_ins = len(self.world.rows("log_in"))
        token = self.browser.token("/quarantine")
        fields = {"release": self.held, "delete": self.held, "do": "release", "id": self.held}
        fields |= {"csrf": token, "theme": "dark", "current": "a", "new": "b", "again": "b"}
        for page in (*PAGES, *FORMS, "/sign-in"):
            path = page.format(id=self.held)
            for method in ("GET", "HEAD"):
                url = f"{path}{'&' if '?' in path else '?'}{urlencode(fields)}"
                self.browser.ask(method, url)
        self.assertEqual(self.world.everything(), before)
        self.assertEqual(len(self.world.rows("log_in")), log_ins)

    def test_head_is_like_get(self):
        """
        HEAD gives the headers of GET and no body.
        """
        for page in PAGES:
            path = page.format(id=self.held)
            got, headed = self.browser.get(path), self.browser.ask("HEAD", path)
            self.assertEqual(headed.body, b"")
            self.assertEqual(headed.code, got.code)
            for name in ("content-length", "content-type", "content-security-policy"):
                self.assertEqual(headed.header(name), got.header(name), (path, name))

    def test_token_is_needed(self):
        """
        A form without its token, or with another visitor's, is refused.
        """
        other = self.world.signed_in()
        stranger = self.world.browser()
        tokens = ["", "x", "ü", other.token("/quarantine"), stranger.token("/sign-in")]
        for token in tokens:
            self.assertEqual(self.release(csrf=token), 403, token)
        self.assert_held()

    def test_origin_is_needed(self):
        """
        A form from another site, from none, or from nowhere is refused.
        """
        for headers in (
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Origin": ""},
            {"Origin": None},
            {"Origin": None, "Referer": "http://evil.example/" + BASE_URL},
            {"Origin": "http://evil.example", "Referer": f"{BASE_URL}/quarantine"},
            {"Origin": f"https://{HOST}"},
        ):
            self.assertEqual(self.release(headers), 403, headers)
        self.assert_held()

    def test_referer_in_its_place(self):
        """
        Where a browser sends no Origin the Referer will do.
        """
        headers = {"Origin": None, "Referer": f"{BASE_URL}/quarantine"}
        self.assertEqual(self.release(headers), 303)

    def test_only_forms(self):
        """
        Another type of body is refused, so that no other kind of request gets in.
        """
        for kind in ("text/plain", "application/json", "multipart/form-data; boundary=b", None):
            self.assertEqual(self.release({"Content-Type": kind}), 415, kind)
        self.assert_held()

    def test_too_many_fields(self):
        """
        A form with more fields than any of ours is refused.
        """
        body = ("a=b&" * 2000).encode()
        self.assertEqual(self.browser.ask("POST", "/quarantine", body).code, 400)

    def test_token_is_bound(self):
        """
        A token tells nothing of the log-in that it is derived from.
        """
        secret = self.browser.cookies["mailgate_log_in"]
        token = self.browser.token("/quarantine")
        self.assertEqual(token, csrf_token(secret))
        self.assertNotIn(secret, token)


class Requests(SynchronousTestCase):
    """
    What is no request for a page.
    """

    def setUp(self):
        """
        Sign in.
        """
        self.world = World(self)
        self.browser = self.world.signed_in()

    def test_strange_host(self):
        """
        A request for another host is refused everywhere, also where nobody need be signed in.
        """
        link = self.world.first.new_link()
        setup = link[len(BASE_URL) :]
        for path in ("/", "/sign-in", setup, "/static/mailgate.css", "/quarantine"):
            for host in ("evil.example", "mail.example.com.evil.example", None, "", f"{HOST}, x"):
                response = self.browser.get(path, Host=host)
                self.assertEqual(response.code, 400, (path, host))
                self.assertNotIn(b"evil", response.body)

    def test_two_hosts(self):
        """
        A request that names two hosts is refused.
        """
        channel, transport = self.world.connect()
        channel.dataReceived(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nHost: {HOST}\r\n\r\n".encode())
        self.assertTrue(transport.value().startswith(b"HTTP/1.1 400 "))
        channel.connectionLost(None)

    def test_url_of_another_site(self):
        """
        A whole URL in the place of a path, as for a proxy, is refused.
        """
        for url in ("http://evil.example/", f"{BASE_URL}/quarantine", "*", "//evil.example/"):
            self.assertIn(self.browser.get(url).code, (400, 404), url)

    def test_unknown_page(self):
        """
        An unknown page or id is a page that says so, in the look of the others.
        """
        for path in (
            "/nowhere",
            "/quarantine/none-none-none",
            "/quarantine/none-none-none/raw",
            "/quarantine/..%2f..%2fetc%2fpasswd",
            "/quarantine/%00",
            "/quarantine?kind=nothing",
            "/quarantine?before=x",
            "/outbox?before=-1",
            "/trace/none-none-none",
            "/trace/" + "x" * 5000,
            "/static/../front.py",
            "/static/%2e%2e%2ffront.py",
            "/static/nothing.css",
        ):
            response = self.browser.get(path)
            self.assertEqual(response.code, 404, path)
            self.assertIn(b"/static/mailgate.css", response.body)

    def test_unknown_method(self):
        """
        A method that a page has not is refused, with those that it has.
        """
        for method, path, allowed in (
            ("PUT", "/quarantine", "GET, HEAD, POST"),
            ("DELETE", "/trace", "GET, HEAD"),
            ("POST", "/trace", "GET, HEAD"),
            ("GET", "/sign-out", "POST"),
            ("TRACE", "/", "GET, HEAD"),
            ("OPTIONS", "/nowhere", "GET, HEAD"),
        ):
            response = self.browser.ask(method, path)
            self.assertEqual(response.code, 405, (method, path))
            self.assertEqual(response.header("allow"), allowed)

    def test_failing_page(self):
        """
        A page that fails says so without telling what it was; the log tells.
        """

        def fail(*arguments, **more):
            raise ZeroDivisionError("the secret of the page")

        self.patch(self.world.quarantine, "list", fail)
        response = self.browser.get("/quarantine")
        self.assertEqual(response.code, 500)
        self.assertNotIn(b"secret", response.body)
        self.assertNotIn(b"Traceback", response.body)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_failing_store(self):
        """
        Where the store cannot be read the page says that, and the log why.
        """

        def fail(*arguments, **more):
            raise OSError(5, "secret disk")

        self.patch(self.world.quarantine, "count", fail)
        response = self.browser.get("/quarantine")
        self.assertEqual(response.code, 503)
        self.assertNotIn(b"secret", response.body)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_token_of_a_link_is_not_logged(self):
        """
        No event holds more of a path than its first segment.
        """
        events = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        token = self.world.first.new_link().rpartition("/")[2]
        self.patch(self.world.accounts, "count", lambda: 1 / 0)
        self.world.browser().get(f"/setup/{token}")
        self.flushLoggedErrors(ZeroDivisionError)
        self.assertEqual([event["path"] for event in events if "path" in event], ["/setup"])
        for event in events:
            self.assertNotIn(token, eventAsText(event, includeTraceback=True))


class Headers(SynchronousTestCase):
    """
    The headers of all answers.
    """

    def answers(self, world):
        """
        Give answers of all kinds.
        """
        browser = world.signed_in()
        identity = world.hold()
        paths = [*PAGES, *FORMS, "/sign-in", "/static/mailgate.css", "/static/mailgate.js"]
        for path in paths:
            for visitor in (browser, world.browser(host=browser.host, scheme="https")):
                for method in ("GET", "HEAD", "PUT"):
                    yield visitor.ask(method, path.format(id=identity))
        yield browser.get("/", Host="evil.example")
        yield browser.ask("POST", "/quarantine", b"x")

    def test_every_answer(self):
        """
        Every answer has them, of whatever kind it is.
        """
        for response in self.answers(World(self)):
            policy = response.header("content-security-policy")
            self.assertIn("default-src 'none'", policy)
            self.assertNotIn("unsafe", policy)
            self.assertEqual(response.header("x-content-type-options"), "nosniff")
            self.assertEqual(response.header("referrer-policy"), "same-origin")
            self.assertEqual(response.header("server"), "mailgate")
            self.assertIn(response.header("cache-control"), ("no-store", "no-cache"))
            self.assertIsNone(response.header("strict-transport-security"))
            self.assertIsNotNone(response.header("date"))

    def test_policy(self):
        """
        Pages allow nothing but our own style, script and pictures, and no frame around them.
        """
        policy = World(self).browser().get("/sign-in").header("content-security-policy")
        self.assertEqual(
            policy,
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:;"
            " form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        )

    def test_https(self):
        """
        On https every answer asks for https from then on.
        """
        world = World(self, base_url="https://mail.example.com")
        world.add_account()
        browser = world.browser(host="mail.example.com", scheme="https")
        response = browser.sign_in()
        self.assertEqual(response.header("strict-transport-security"), "max-age=31536000")
        (cookie,) = [c for c in response.headers["set-cookie"] if "log_in" in c]
        self.assertTrue(cookie.startswith("__Host-mailgate_log_in="))
        self.assertIn("; Secure;", cookie)
        self.assertEqual(browser.get("/quarantine").code, 200)

    def test_cookies(self):
        """
        No script can read a cookie, and no other site's form brings one along.
        """
        world = World(self)
        world.add_account()
        browser = world.browser()
        cookies = browser.get("/sign-in").headers["set-cookie"]
        cookies += browser.sign_in().headers["set-cookie"]
        cookies += browser.post("/appearance", page="/quarantine", theme="dark").headers[
            "set-cookie"
        ]
        self.assertEqual(len(cookies), 3)
        for cookie in cookies:
            self.assertIn("HttpOnly", cookie)
            self.assertIn("SameSite=lax", cookie)
            self.assertIn("Path=/", cookie)

    def test_no_inline_script_or_style(self):
        """
        No page needs what the policy forbids.
        """
        for response in self.answers(World(self)):
            if (response.header("content-type") or "").startswith("text/html"):
                self.assertNotRegex(response.text, r"<style|style=|<script>|javascript:|\son\w+=")

    def test_static_files(self):
        """
        A browser that has a file already is told that it is the same.
        """
        browser = World(self).browser()
        first = browser.get("/static/mailgate.css")
        tag = first.header("etag")
        self.assertEqual((first.code, first.header("cache-control")), (200, "no-cache"))
        for known in (tag, f'"x", {tag}', f"W/{tag}", "*"):
            again = browser.get("/static/mailgate.css", **{"If-None-Match": known})
            self.assertEqual((again.code, again.body), (304, b""), known)
        self.assertEqual(browser.get("/static/mailgate.css", **{"If-None-Match": '"x"'}).code, 200)


class OwnPaths(SynchronousTestCase):
    """
    Where somebody is sent on to.
    """

    def test_own(self):
        """
        Paths of this site are kept.
        """
        for path in ("/", "/quarantine", "/quarantine?kind=spam&before=3", "/trace/a-b-c"):
            self.assertEqual(own_path(path), path)

    def test_strange(self):
        """
        Whatever a browser might take for another site is not.
        """
        for path in (
            "",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "http://evil.example",
            "https:evil.example",
            "javascript:alert(1)",
            "/\tevil",
            "/\r\nLocation: http://evil.example",
            "/ /evil",
            "evil",
            "/ü",
            "/" + "a" * 3000,
        ):
            self.assertEqual(own_path(path), "/", path)


class FileNames(SynchronousTestCase):
    """
    What a downloaded message is called (RFC 6266).
    """

    def test_plain(self):
        """
        A plain name is kept.
        """
        self.assertEqual(
            attachment("Your invoice", ".eml"),
            "attachment; filename=\"Your invoice.eml\"; filename*=UTF-8''Your%20invoice.eml",
        )

    def test_other_characters(self):
        """
        Characters beyond ASCII are encoded, beside a plain name for old browsers.
        """
        self.assertEqual(
            attachment("Grüße", ".eml"),
            "attachment; filename=\"Gr__e.eml\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.eml",
        )

    def test_names_that_mean_something(self):
        """
        What means something to a file system is taken out.
        """
        for name, expected in (
            ("../../etc/passwd", "_.._etc_passwd.eml"),
            ("C:\\x", "C__x.eml"),
            ("con", "message-con.eml"),
            ("", "message.eml"),
            ("...", "message.eml"),
            ("a" * 500, "a" * 80 + ".eml"),
        ):
            self.assertIn(f'filename="{expected}"', attachment(name, ".eml"))

    @given(st.text())
    def test_any(self, name):
        """
        No name can end its quotes or its line, or reverse the direction of writing.
        """
        value = attachment(name, ".eml")
        self.assertRegex(
            value,
            r"""\Aattachment; filename="[ !#-.0-9;=@-\[\]-{}~]+"; filename\*=UTF-8''[\w.%~-]+\Z""",
        )
