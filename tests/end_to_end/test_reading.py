"""
What a held message can do to the hub when people open it, decide about it, or teach it: nothing.
"""

import json
import os
import re
import smtplib
import sys
import urllib.request
from email.message import EmailMessage
from html import unescape
from http.cookiejar import CookieJar
from urllib.parse import urlencode

from mailgate.config.load import load
from mailgate.hub.storage import open_for_command
from mailgate.store.files import Files
from mailgate.store.threads import immediate_result
from tests.end_to_end.case import EndToEndTestCase
from tests.end_to_end.deadly import BEGIN, DEADLY, ENDLESS

NAME, PASSWORD = "Ada Lind", "correct horse battery"
HOLDS = "[policy]\ntag = -9\nquarantine = -8\nreject = 90\n"
"""Whatever comes is held."""


def message(words):
    """
    Make a message.
    """
    made = EmailMessage()
    made["From"] = "Eve <eve@example.org>"
    made["Message-ID"] = f"<{words.split()[0]}@example.org>"
    made["Subject"] = "about the meeting"
    made.set_content(f"{words}\n")
    return made


class Pages:
    """
    Somebody who is signed in.
    """

    def __init__(self, gateway):
        self._base = f"http://127.0.0.1:{gateway.web_port}"
        cookies = urllib.request.HTTPCookieProcessor(CookieJar())
        self._opener = urllib.request.build_opener(cookies)
        self.post("/sign-in", "/sign-in", name=NAME, password=PASSWORD, next="/")

    def get(self, path):
        """
        Give a page.
        """
        with self._opener.open(self._base + path, timeout=60) as answer:
            return answer.read().decode()

    def post(self, page, path, **fields):
        """
        Send a form that stands on a page, and give the page that follows.
        """
        fields["csrf"] = unescape(re.search(r'name="csrf" value="([^"]*)"', self.get(page))[1])
        request = urllib.request.Request(
            self._base + path, urlencode(fields).encode(), {"Origin": self._base}
        )
        with self._opener.open(request, timeout=60) as answer:
            return answer.read().decode()


class ReadingTests(EndToEndTestCase):
    """
    Tests with messages that end or keep whatever process reads them.
    """

    timeout = 240

    def setUp(self):
        """
        Start a gateway that holds everything, with an account.
        """
        self.gateway = gateway = EndToEndTestCase.gateway(self, top="workers = 1", tables=HOLDS)
        storage = open_for_command(load(gateway.config), Files())
        immediate_result(storage.accounts.add(NAME, PASSWORD))
        immediate_result(storage.close())
        (gateway.folder / "sitecustomize.py").write_text(BEGIN)
        gateway.start(PYTHONPATH=os.pathsep.join([str(gateway.folder), *sys.path]))
        self.eventually(lambda: "gateway.started" in gateway.said(), "it does not start")

    def send(self, words):
        """
        Send a message to three recipients.
        """
        with smtplib.SMTP("127.0.0.1", self.gateway.smtp_port, timeout=60) as client:
            recipients = [f"{name}@example.com" for name in ("ada", "bob", "eve")]
            try:
                client.send_message(message(words), "eve@example.org", recipients)
            except (OSError, smtplib.SMTPException):
                client.close()
                raise

    def learn(self, words):
        """
        Let the command learn a message, and give what it says.
        """
        path = self.gateway.folder / "message.eml"
        path.write_bytes(message(words).as_bytes())
        done = self.gateway.run("learn", "spam", str(path))
        return done.stdout + done.stderr

    def well(self):
        """
        Hold that the hub lives, and still reads what does no harm.
        """
        self.assertIsNone(self.gateway.process.poll(), self.gateway.said())
        self.assertIn("1 learned", self.learn("harmless words"))
        self.assertEqual(json.loads(self.gateway.run("status", "--json").stdout)["problems"], [])

    def test_deadly(self):
        """
        A message that kills whoever reads it costs one worker at its reception, and is held; then
        people can open it, release it, delete it as spam, and let the filter learn it.
        """
        self.assertRaises((OSError, smtplib.SMTPException), self.send, DEADLY)
        self.eventually(lambda: "worker.suspects" in self.gateway.said(), "nobody learned of it")
        self.send(DEADLY)
        held = self.gateway.held()
        self.assertEqual([each["kind"] for each in held], ["unscannable"] * 3)
        pages = Pages(self.gateway)
        paths = [f"/quarantine/{each['id']}" for each in held]
        for path in paths:
            page = pages.get(path)
            self.assertIn("could not be read: It was killed by SIGABRT.", page)
            self.assertIn("about the meeting", page)
            self.assertIn(DEADLY, pages.get(f"{path}/raw"))
        self.assertIn("One message released.", pages.post(paths[0], paths[0], do="release"))
        self.assertIn("deleted as spam", pages.post(paths[1], paths[1], do="spam"))
        shown = self.gateway.run("quarantine", "show", held[2]["id"])
        self.assertIn("about the meeting", shown.stdout)
        deleted = self.gateway.run("quarantine", "delete", "--spam", held[2]["id"])
        self.assertEqual(deleted.returncode, 0, deleted.stderr)
        self.assertIn("1 messages: 1 unreadable", self.learn(DEADLY))
        self.eventually(self.gateway.delivered, "what was released did not come")
        self.assertEqual(self.gateway.said().count("worker.died"), 1)
        self.assertNotIn("quarantine.not_learned", self.gateway.said())
        self.well()

    def test_endless(self):
        """
        A message that has harmed nobody at its reception, and keeps whoever reads it later, costs
        its reader the time of one page.
        """
        harmless = "x" * len(ENDLESS)
        self.send(harmless)
        held = self.gateway.held()[0]
        (file,) = (self.gateway.data / "blobs").glob("*/*")
        file.write_bytes(file.read_bytes().replace(harmless.encode(), ENDLESS.encode()))
        page = Pages(self.gateway).get(f"/quarantine/{held['id']}")
        self.assertIn("could not be read: It took too long.", page)
        self.assertEqual(self.gateway.run("quarantine", "release", held["id"]).returncode, 0)
        self.assertIn("1 messages: 1 unreadable", self.learn(ENDLESS))
        self.well()
