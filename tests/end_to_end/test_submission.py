"""
Mail of people and machines of ours, with real gateways: taken at once, delivered when it can be.
"""

import smtplib
import socket
from email import message_from_bytes

from tests.end_to_end.case import EndToEndTestCase
from tests.end_to_end.client import make_message, send
from tests.end_to_end.gateway import free_port

SENDER = "ada@example.com"


class SubmissionTests(EndToEndTestCase):
    """
    Tests of C{internal}, with a smarthost that is there or not.
    """

    timeout = 120

    def sending_gateway(self, smarthost_port, more=""):
        """
        Make a gateway whose mail for us goes to a Maildir and all other mail to a smarthost.
        """
        self.port = free_port()
        return self.gateway(
            tables=f"""
[[listener]]
name = "machines"
address = "127.0.0.1:{self.port}"
role = "internal"
networks = ["127.0.0.1"]
[[route]]
domains = ["*"]
upstream = "smarthost"
[upstream.smarthost]
kind = "smtp"
host = "127.0.0.1"
port = {smarthost_port}
connect_seconds = 2
{more}
"""
        )

    def reports(self, gateway):
        """
        Give the delivery status notifications in the Maildir.
        """
        found = [message_from_bytes(content) for content in gateway.delivered()]
        return [each for each in found if each.get_content_type() == "multipart/report"]

    def test_smarthost_down(self):
        """
        With the smarthost down a message is taken at once all the same, and goes out by itself once
        it is back: that of the first message lets all others go.
        """
        port = free_port()
        more = "breaker_failures = 1000\n[outbox]\nretry_seconds = [3, 6000]\n"
        gateway = self.sending_gateway(port, more).start()
        sent = [make_message(f"message {number}") for number in range(5)]
        for _, content in sent:
            self.assertTrue(send(self.port, content, ["eve@elsewhere.example"], SENDER))
        self.eventually(
            lambda: all(row["tries"] for row in gateway.outbox()), "not everything was tried"
        )
        (said,) = {row["reason"] for row in gateway.outbox()}
        self.assertIn("destination not reached", said)
        self.assertEqual({row["upstream"] for row in gateway.outbox()}, {"smarthost"})
        upstream = self.upstream(port=port)
        # Where it was too late for the try after three seconds, it is looked for within a minute.
        self.eventually(lambda: not gateway.outbox(), "it stays in the outbox", 100)
        self.assertEqual(sorted(upstream.message_ids()), sorted(identity for identity, _ in sent))

    def test_refused(self):
        """
        What the smarthost refuses comes back to the sender as a report, and is not held.
        """
        upstream = self.upstream()
        upstream.replies["RCPT"] = "550 5.1.1 no such person"
        gateway = self.sending_gateway(upstream.port).start()
        identity, content = make_message("Lunch")
        with smtplib.SMTP("127.0.0.1", self.port, "c", timeout=60) as client:
            client.ehlo()
            self.assertIn("dsn", client.esmtp_features)
            client.sendmail(
                SENDER,
                ["eve@elsewhere.example"],
                content,
                mail_options=["RET=FULL", "ENVID=abc"],
                rcpt_options=["NOTIFY=FAILURE", "ORCPT=rfc822;Eve@elsewhere.example"],
            )
        (report,) = self.eventually(lambda: self.reports(gateway), "no report comes")
        self.assertEqual(report["To"], f"<{SENDER}>")
        self.assertEqual(report["In-Reply-To"], identity)
        about, recipient = report.get_payload(1).get_payload()
        self.assertEqual(about["Original-Envelope-Id"], "abc")
        self.assertEqual(recipient["Original-Recipient"], "rfc822; Eve@elsewhere.example")
        self.assertEqual((recipient["Action"], recipient["Status"]), ("failed", "5.1.1"))
        whole = report.get_payload(2)
        self.assertEqual(whole.get_content_type(), "message/rfc822")
        self.assertEqual(whole.get_payload(0)["Message-ID"], identity)
        self.assertEqual((gateway.outbox(), gateway.held()), ([], []))

    def test_success(self):
        """
        Who asks for it is told of the success: by the smarthost where it can, else by us.
        """
        for extensions, number in (((), 1), (("DSN",), 0)):
            upstream = self.upstream(extensions=extensions)
            gateway = self.sending_gateway(upstream.port).start()
            with smtplib.SMTP("127.0.0.1", self.port, "c", timeout=60) as client:
                client.ehlo()
                client.sendmail(
                    SENDER,
                    ["eve@elsewhere.example"],
                    make_message("Lunch")[1],
                    rcpt_options=["NOTIFY=SUCCESS"],
                )
            self.eventually(lambda u=upstream: u.messages, "it does not go out")
            self.eventually(lambda g=gateway: not g.outbox(), "it stays in the outbox")
            self.assertEqual(len(self.reports(gateway)), number)
            rcpt = [argument for verb, argument in upstream.commands if verb == "RCPT"]
            self.assertEqual("NOTIFY=SUCCESS" in rcpt[-1], not number)
            gateway.stop()

    def test_stopped(self):
        """
        What is stopped stays stopped over a restart, until somebody lets it go.
        """
        port = free_port()
        gateway = self.sending_gateway(port, "[outbox]\nretry_seconds = [1]\n").start()
        self.assertTrue(send(self.port, make_message("x")[1], ["eve@elsewhere.example"], SENDER))

        def hold():
            (row,) = gateway.outbox()
            return gateway.run("outbox", "hold", row["id"]).returncode == 0

        self.eventually(hold, "it cannot be stopped")
        upstream = self.upstream(port=port)
        gateway.stop()
        gateway.start()
        (row,) = gateway.outbox()
        self.assertTrue(row["is_suspended"] and row["suspended_by"])
        self.assertIn("was stopped by", gateway.run("outbox", "show", row["id"]).stdout)
        self.assertEqual(upstream.messages, [])
        self.assertEqual(gateway.run("outbox", "retry", row["id"]).returncode, 0)
        self.eventually(lambda: upstream.messages, "it does not go out")

    def test_reload(self):
        """
        How often mail is tried, when and whom somebody is told, is taken up by a reload, for what
        waits already too; what is not taken up is named.
        """
        outbox = "[outbox]\nretry_seconds = [6000]\n[quarantine]\nkeep_days = 30\n"
        gateway = self.sending_gateway(free_port(), outbox).start()
        self.assertTrue(send(self.port, make_message("x")[1], ["eve@elsewhere.example"], SENDER))
        self.eventually(lambda: gateway.outbox()[0]["tries"] == 1, "it is not tried")
        self.assertNotIn("WRONG  outbox", gateway.run("status").stdout)
        text = gateway.config.read_text("utf-8")
        text = text.replace("[6000]", "[1]\nalert_copies = 1").replace(
            "keep_days = 30", "keep_days = 9"
        )
        text += '[notices]\npostmaster = "ops@example.com"\n'
        gateway.config.write_text(text, "utf-8")
        done = gateway.run("reload")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("A restart is needed for what has changed in quarantine.", done.stdout)
        self.eventually(lambda: gateway.outbox()[0]["tries"] > 2, "it is not tried again")
        self.assertIn("WRONG  outbox", gateway.run("status").stdout)

    def test_silent_smarthost(self):
        """
        A smarthost that takes connections and says nothing keeps nobody waiting: not who sends
        there, nor mail that goes elsewhere.
        """
        with socket.create_server(("127.0.0.1", 0)) as silent:
            gateway = self.sending_gateway(silent.getsockname()[1]).start()
            for number in range(3):
                sent = make_message(f"message {number}")[1]
                self.assertTrue(send(self.port, sent, ["eve@elsewhere.example"], SENDER))
            self.assertTrue(send(self.port, make_message("for us")[1], ["bob@example.com"], SENDER))
            self.eventually(gateway.delivered, "it does not arrive")
            self.assertEqual(len(gateway.outbox()), 3)
