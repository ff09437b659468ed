"""
What a new user does: from a digest in a Maildir, in two clicks, to the message in the inbox; and
what people tell the gateway by mail.
"""

import re
import smtplib
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.cookiejar import CookieJar
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

from tests.end_to_end.case import EndToEndTestCase
from tests.end_to_end.client import make_message, send
from tests.end_to_end.gateway import free_port

TABLES = """
[policy]
tag = -3
quarantine = -2
reject = 50
[digest]
enabled = true
schedule = "every 15 minutes"
"""


class DigestFlowTests(EndToEndTestCase):
    """
    Tests of the whole way, with a real gateway and its Maildir.
    """

    timeout = 120

    def letters(self, gateway):
        """
        Give what is in the inbox.
        """
        return [message_from_bytes(raw, policy=policy.default) for raw in gateway.delivered()]

    def digest(self, gateway):
        """
        Wait for the digest and give it.
        """
        self.eventually(lambda: len(gateway.delivered()) == 1, "there is no digest", 90)
        (letter,) = self.letters(gateway)
        self.assertEqual(letter["subject"], "One new message is held")
        return letter

    def test_w1_two_clicks(self):
        """
        A message is held, a digest comes, programs that look at links change nothing, and the
        person's two clicks bring the message, once.
        """
        gateway = self.gateway(tables=TABLES)
        gateway.start()
        self.assertTrue(send(gateway.smtp_port, make_message("An invoice")[1]))
        letter = self.digest(gateway)
        for part in letter.iter_parts():
            self.assertIn("An invoice", part.get_content())
            self.assertNotIn("text of a message", part.get_content())
        page = letter.get_body(("html",)).get_content()
        urls = re.findall(r'href="([^"]+/release/[^"?]+)"', page)
        self.assertEqual(len(urls), 1)
        # A scanner looks first, with other cookies than the person's.
        for method in ("GET", "HEAD"):
            build_opener().open(Request(urls[0], method=method)).close()
        self.assertEqual([row["state"] for row in gateway.held()], ["held"])
        browser = build_opener(HTTPCookieProcessor(CookieJar()))
        asking = browser.open(urls[0]).read().decode()
        self.assertIn("ada@example.com", asking)
        form = urlencode(
            {"csrf": re.search(r'name="csrf" value="([^"]+)"', asking)[1], "do": "release"}
        )
        origin = urls[0].partition("/release/")[0]
        done = browser.open(Request(urls[0], form.encode(), {"Origin": origin})).read().decode()
        self.assertIn("One message released.", done)
        self.eventually(lambda: len(gateway.delivered()) == 2, "the message is not delivered")
        subjects = sorted(letter["subject"] for letter in self.letters(gateway))
        self.assertEqual(subjects, ["An invoice", "One new message is held"])
        # A second click changes nothing, and says so.
        again = browser.open(Request(urls[0], form.encode(), {"Origin": origin})).read().decode()
        self.assertIn("This message was released", again)
        self.assertEqual(len(gateway.delivered()), 2)


class MailCommandTests(EndToEndTestCase):
    """
    Tests of what people say by mail, with a real gateway.
    """

    timeout = 120

    def test_report(self):
        """
        Somebody of ours reports a message as an attachment; it is taken whatever is in it, the
        classifier learns it, and the answer says what became of it.
        """
        port = free_port()
        gateway = self.gateway(
            tables=f"""
[[listener]]
name = "people"
address = "127.0.0.1:{port}"
role = "internal"
networks = ["127.0.0.1"]
[policy]
tag = -3
quarantine = 50
reject = 60
[mail_commands]
domain = "report.example.com"
"""
        )
        gateway.start()
        self.assertTrue(send(gateway.smtp_port, make_message("An invoice")[1]))
        (raw,) = self.eventually(gateway.delivered, "the message does not come")
        report = EmailMessage()
        report["From"] = "ada@example.com"
        report.set_content("This is spam.")
        report.add_attachment(message_from_bytes(raw, policy=policy.default))
        for command in ("spam", "analyze"):
            with smtplib.SMTP("127.0.0.1", port) as client:
                client.sendmail(
                    "ada@example.com", [f"{command}@report.example.com"], report.as_bytes()
                )
        self.eventually(lambda: len(gateway.delivered()) == 3, "there are no answers")
        found = [message_from_bytes(each, policy=policy.default) for each in gateway.delivered()]
        answers = {each["subject"]: each.get_content() for each in found}
        self.assertIn("Thank you.", answers["Your mail to spam@"])
        for subject in ("Your mail to spam@", "Your mail to analyze@"):
            self.assertIn("It was delivered to you.", answers[subject])
        # A stranger cannot say anything.
        with smtplib.SMTP("127.0.0.1", gateway.smtp_port) as client:
            client.ehlo()
            client.mail("ada@example.com")
            code, _ = client.rcpt("spam@report.example.com")
        self.assertEqual(code, 550)
