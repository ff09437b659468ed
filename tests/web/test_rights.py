"""
What each role may see and do through the pages: every verb, every role, every id.
"""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailgate.knowledge.entry import ListName, make_entry
from mailgate.people.rights import Role
from mailgate.verdict import Kind
from mailgate.wire.address import Address
from tests.storage import ADA, BOB
from tests.web.harness import PASSWORD, World

EVE = Address("eve", "elsewhere.example")
INFO = evolve(Address("info", "example.com"), belongs_to=Address("team", "example.com"))
ROLES = {
    "user": (Role.USER, ["ada@example.com", "info@example.com"]),
    "manager": (Role.MANAGER, [], ["example.com"]),
    "blind": (Role.MANAGER, [], ["example.com"], False),
    "auditor": (Role.AUDITOR,),
    "administrator": (),
}


class RightsTests(SynchronousTestCase):
    """
    A table of verbs, roles and ids.
    """

    def setUp(self):
        """
        Let somebody of each role sign in.
        """
        self.world = World(self)
        self.browsers = {
            name: self.world.signed_in(name, PASSWORD, *more) for name, more in ROLES.items()
        }

    def codes(self, ask):
        """
        Ask the same as everybody, each time with what C{ask} prepares, and give the codes.
        """
        return [ask(browser).code for browser in self.browsers.values()]

    def post(self, path, **fields):
        """
        Post a form as somebody who has a token.
        """
        return lambda browser: browser.post(path, fields, page="/account")

    def held(self, recipient, kind=Kind.SPAM):
        """
        Hold a message.
        """
        return self.world.hold(recipient=recipient, kind=kind)

    def do(self, recipient, do, kind=Kind.SPAM):
        """
        Do the same with a new message as everybody.
        """
        return self.codes(
            lambda browser: browser.post(
                f"/quarantine/{self.held(recipient, kind)}", {"do": do}, page="/account"
            )
        )

    def test_w4_show(self):
        """
        A message of somebody else is not there: 404, as for one that never was.
        """
        for recipient, codes in (
            (ADA, [200, 200, 200, 200, 200]),
            (INFO, [200, 200, 200, 200, 200]),
            (BOB, [404, 200, 200, 200, 200]),
            (EVE, [404, 404, 404, 200, 200]),
        ):
            path = f"/quarantine/{self.held(recipient)}"
            self.assertEqual(self.codes(lambda browser, path=path: browser.get(path)), codes)
        hers, nobodys = self.held(EVE), "aaaa-aaaa-aaaa"
        user = self.browsers["user"]
        page = user.get(f"/quarantine/{hers}").text.replace(hers, nobodys)
        self.assertEqual(page, user.get(f"/quarantine/{nobodys}").text)

    def test_w4_download(self):
        """
        Only who may read a message downloads it.
        """
        for recipient, codes in (
            (ADA, [200, 200, 403, 200, 200]),
            (BOB, [404, 200, 403, 200, 200]),
            (EVE, [404, 404, 404, 200, 200]),
        ):
            path = f"/quarantine/{self.held(recipient)}/raw"
            self.assertEqual(self.codes(lambda browser, path=path: browser.get(path)), codes)

    def test_w4_decide(self):
        """
        Everybody decides about what is theirs; an auditor about nothing.
        """
        for do in ("release", "delete", "spam", "release_allow"):
            with self.subTest(do):
                self.assertEqual(self.do(ADA, do), [303, 303, 303, 403, 303])
                self.assertEqual(self.do(BOB, do), [404, 303, 303, 403, 303])
                self.assertEqual(self.do(EVE, do)[:4], [404, 404, 404, 403])

    def test_kinds(self):
        """
        What may be dangerous is not released by its recipient, but can be deleted.
        """
        for kind in (Kind.PHISHING, Kind.SPOOF, Kind.MALWARE, Kind.POLICY):
            with self.subTest(kind):
                self.assertEqual(self.do(ADA, "release", kind), [403, 303, 303, 403, 303])
                self.assertEqual(self.do(ADA, "request", kind), [303, 403, 403, 403, 403])
                self.assertEqual(self.do(ADA, "delete", kind), [303, 303, 303, 403, 303])
                self.assertEqual(self.do(BOB, "request", kind)[0], 404)

    def test_answer(self):
        """
        A request is answered by managers and administrators.
        """
        for do in ("allow", "refuse"):
            self.assertEqual(self.do(ADA, do, Kind.MALWARE), [403, 303, 303, 403, 303])
            self.assertEqual(self.do(EVE, do, Kind.MALWARE), [404, 404, 404, 403, 303])

    def test_w4_many(self):
        """
        What is chosen in the list is done with what is one's own, and with nothing else.
        """
        for do in ("release", "delete", "spam"):
            hers, his, bad = self.held(ADA), self.held(BOB), self.held(ADA, Kind.MALWARE)
            form = [("id", hers), ("id", his), ("id", bad), ("do", do), ("back", "/quarantine")]
            browser = self.browsers["user"]
            self.assertEqual(browser.post("/quarantine", form).code, 303)
            self.assertEqual(self.world.held(his).state, "held")
            gone = self.world.held(hers)
            self.assertTrue(gone is None or gone.state == "released")
            is_kept = self.world.held(bad) is not None
            self.assertEqual(is_kept, do == "release")
            notice = browser.get("/quarantine").text
            self.assertEqual("You may not do that with one message." in notice, is_kept)

    def test_w4_list_and_search(self):
        """
        The list, its counts and the search have only what somebody may see.
        """
        names = {}
        for name, recipient in (("ada", ADA), ("info", INFO), ("bob", BOB), ("eve", EVE)):
            names[name] = self.held(recipient)
        for url in ("/quarantine", "/quarantine?q=caf", "/quarantine?kind=spam&q=example"):
            for role, seen in (
                ("user", {"ada", "info"}),
                ("manager", {"ada", "info", "bob"}),
                ("blind", {"ada", "info", "bob"}),
                ("auditor", set(names)),
                ("administrator", set(names)),
            ):
                page = self.browsers[role].get(url).text
                self.assertEqual({name for name in names if names[name] in page}, seen, (url, role))
        self.assertIn("2 messages are waiting", self.browsers["user"].get("/quarantine").text)

    def test_next_message(self):
        """
        The link to the next message leads to one that is there.
        """
        older, _, newer = self.held(ADA), self.held(BOB), self.held(ADA)
        page = self.browsers["user"].get(f"/quarantine/{newer}").text
        self.assertIn(f'href="/quarantine/{older}" rel="next"', page)

    def test_body(self):
        """
        Who may not read sees that it is held, and nothing of what is in it.
        """
        text = b"From: e@example.org\r\nSubject: s\r\nX-Secret: head\r\n\r\nwonderful body\r\n"
        identity = self.world.hold(text=text, recipient=ADA)
        page = self.browsers["blind"].get(f"/quarantine/{identity}").text
        for secret in ("wonderful body", "X-Secret"):
            self.assertNotIn(secret, page)
            self.assertIn(secret, self.browsers["user"].get(f"/quarantine/{identity}").text)

    def test_whole_gateway(self):
        """
        What is about the whole gateway is not there for users and managers.
        """
        for path in (
            "/overview",
            "/outbox",
            "/trace",
            "/trace?q=is:held",
            "/people",
            "/people/1",
            "/audit",
        ):
            codes = self.codes(lambda browser, path=path: browser.get(path))
            self.assertEqual(codes, [404, 404, 404, 200, 200], path)
        codes = self.codes(lambda browser: browser.get("/requests"))
        self.assertEqual(codes, [404, 200, 200, 404, 200])

    def test_change_whole_gateway(self):
        """
        Only administrators change it.
        """
        for path, fields in (
            ("/outbox", {"do": "retry_all"}),
            ("/people/1", {"role": "user", "addresses": "ada@example.com"}),
            ("/people/1/link", {}),
        ):
            codes = self.codes(self.post(path, **fields))
            self.assertEqual(codes[:4], [404, 404, 404, 403], path)
            self.assertIn(codes[4], (200, 303), path)
        codes = self.codes(self.post("/people", name="zoe@example.com", role="user"))
        self.assertEqual(codes, [404, 404, 404, 403, 303])

    def test_w4_entries(self):
        """
        Everybody sees and removes the entries that are theirs.
        """
        for scope, codes in (
            ("ada@example.com", [303, 303, 303, 403, 303]),
            ("bob@example.com", [404, 303, 303, 403, 303]),
            ("example.com", [404, 303, 303, 403, 303]),
            ("", [404, 404, 404, 403, 303]),
        ):
            found = []
            for browser in self.browsers.values():
                entry = make_entry(ListName.BLOCK, "spam.example", by="x", scope=scope)
                entry = self.test_entry(entry)
                is_seen = "spam.example" in browser.get("/lists").text
                answer = browser.post("/lists/remove", {"remove": entry.id}, page="/account")
                found.append(answer.code)
                self.assertEqual(is_seen, answer.code != 404, scope)
            self.assertEqual(found, codes, scope)

    def test_entry(self, entry=None):
        """
        An entry can be made for one's own mail alone.
        """
        if entry is not None:
            return self.successResultOf(self.world.storage.lists.add(entry))
        for scope, codes in (
            ("ada@example.com", [303, 303, 303, 403, 303]),
            ("bob@example.com", [400, 303, 303, 403, 303]),
            ("", [400, 400, 400, 403, 303]),
        ):
            fields = {"list": "allow", "value": "bob@example.org", "scope": scope}
            self.assertEqual(self.codes(self.post("/lists", **fields)), codes, scope)
        return None

    def test_w4_entries_of_a_message(self):
        """
        Beside a message one allows and blocks for oneself.
        """
        for key, codes in (
            ("recipient", [303, 303, 303, 403, 303]),
            ("domain", [400, 303, 303, 403, 303]),
            ("all", [400, 400, 400, 403, 303]),
        ):
            path = f"/quarantine/{self.held(ADA)}/sender"
            fields = {"list": "block", "thing": "address", "scope": key}
            self.assertEqual(self.codes(self.post(path, **fields)), codes, key)
        path = f"/quarantine/{self.held(BOB)}/sender"
        fields = {"list": "block", "thing": "address", "scope": "recipient"}
        self.assertEqual(self.post(path, **fields)(self.browsers["user"]).code, 404)

    def test_w5_every_form(self):
        """
        No form works without its token, whoever sends it.
        """
        identity = self.held(ADA)
        before = self.world.everything()
        for path in (
            "/quarantine",
            f"/quarantine/{identity}",
            f"/quarantine/{identity}/sender",
            "/lists",
            "/lists/remove",
            "/outbox",
            "/people",
            "/people/1",
            "/people/1/link",
            "/account",
            "/account/log-ins",
            "/account/second-factor",
            "/account/language",
            "/sign-in/link",
        ):
            answer = self.browsers["administrator"].ask("POST", path, b"do=release&csrf=x")
            self.assertEqual(answer.code, 403, path)
        self.assertEqual(self.world.everything(), before)

    def test_role_changes_at_once(self):
        """
        What is taken from somebody counts from their next request on.
        """
        his = f"/quarantine/{self.held(BOB)}"
        manager = self.browsers["manager"]
        self.assertEqual(manager.get(his).code, 200)
        (number,) = [row[0] for row in self.world.rows("account") if row[1] == "manager"]
        fields = {"role": "user", "addresses": "ada@example.com"}
        answer = self.browsers["administrator"].post(f"/people/{number}", fields)
        self.assertEqual(answer.code, 303)
        self.assertEqual(manager.get(his).code, 404)
        fields["is_disabled"] = "1"
        self.browsers["administrator"].post(f"/people/{number}", fields)
        self.assertEqual(manager.get("/account").code, 303)
        self.assertEqual(self.world.browser().sign_in("manager", PASSWORD).code, 403)

    def test_audit(self):
        """
        The owner sees who has looked at a message and decided about it.
        """
        identity = self.held(ADA, Kind.MALWARE)
        path = f"/quarantine/{identity}"
        self.browsers["manager"].get(path)
        self.browsers["administrator"].get(f"{path}/raw")
        user = self.browsers["user"]
        user.post(path, {"do": "request", "why": "I wait for it"})
        page = user.get(path).text
        for words in (
            "<bdi>manager</bdi> has <bdi>looked at the message for ada@example.com</bdi>",
            "<bdi>administrator</bdi> has <bdi>downloaded the message for ada@example.com</bdi>",
            "<bdi>user</bdi> asks for its release",
        ):
            self.assertIn(words, page)
        requests = self.browsers["manager"].get("/requests").text
        self.assertIn("I wait for it", requests)
        self.browsers["manager"].post(path, {"do": "refuse", "back": "/requests"})
        self.assertIn("refused</span> by <bdi>manager</bdi>", user.get(path).text)
        self.assertEqual(self.world.held(identity).state, "held")
        audit = self.browsers["auditor"].get("/audit?by=manager").text
        for words in ("looked at", "answered the request", "signed in"):
            self.assertIn(words, audit)
        self.assertNotIn("I wait", audit)

    def test_allowed_request(self):
        """
        What is allowed is released, once, and the user sees who has done it.
        """
        identity = self.held(ADA, Kind.PHISHING)
        path = f"/quarantine/{identity}"
        self.browsers["user"].post(path, {"do": "request"})
        for browser in ("manager", "administrator"):
            self.browsers[browser].post(path, {"do": "allow"})
        self.assertEqual(self.world.held(identity).state, "released")
        self.assertEqual(len(self.world.rows("outbox")), 1)
        self.assertIn("allowed</span> by <bdi>manager</bdi>", self.browsers["user"].get(path).text)

    def test_allow_without_a_request(self):
        """
        Nothing is released by an answer to what nobody has asked.
        """
        identity = self.held(ADA, Kind.PHISHING)
        self.browsers["manager"].post(f"/quarantine/{identity}", {"do": "allow"})
        self.assertEqual(self.world.held(identity).state, "held")
