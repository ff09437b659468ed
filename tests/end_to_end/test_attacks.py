"""
Tests of attacks on the edge, against the running gateway.
"""

import subprocess

from tests.end_to_end.case import Conversation, EndToEndTestCase
from tests.end_to_end.client import make_message, send
from tests.end_to_end.gateway import needs
from tests.wire.test_data import FALSE_ENDS


class AttackTests(EndToEndTestCase):
    """
    One gateway with a mail server behind it, or a Maildir.
    """

    timeout = 120

    def talk(self, gateway):
        """
        Connect a client.
        """
        client = Conversation(gateway.smtp_port)
        self.addCleanup(client.close)
        return client

    def test_a01_starttls_injection(self):
        """
        Commands behind STARTTLS in the same piece end the connection and are not executed.
        """
        gateway = self.gateway().start()
        client = self.talk(gateway)
        client.ask("EHLO client.example.org\n")
        self.assertTrue(client.ask("STARTTLS\nNOOP\n").startswith("554"))
        self.assertEqual(client.reply(), "")

    def test_a02_state_across_starttls(self):
        """
        Under TLS nothing of before is left: no greeting, no sender, no recipients.
        """
        gateway = self.gateway().start()
        client = self.talk(gateway)
        client.ask("EHLO client.example.org\n")
        client.ask("MAIL FROM:<sender@example.org>\n")
        client.ask("RCPT TO:<ada@example.com>\n")
        self.assertTrue(client.start_tls().startswith("220"))
        self.assertTrue(client.ask("DATA\n").startswith("503"))
        self.assertTrue(client.ask("MAIL FROM:<sender@example.org>\n").startswith("503"))
        said = client.ask("EHLO client.example.org\n")
        self.assertNotIn("STARTTLS", said)
        self.assertNotIn("AUTH", said)

    def test_a03_smuggling_in(self):
        """
        Of each false end the upstream sees nothing, and the next message is one message.
        """
        upstream = self.upstream()
        gateway = self.gateway(upstream.port).start()
        for number, false_end in enumerate(FALSE_ENDS):
            client = self.talk(gateway)
            client.envelope()
            client.say(
                b"Subject: outer\r\n\r\ntext" + false_end + b"MAIL FROM:<evil@example.org>\r\n"
                b"RCPT TO:<bob@example.com>\r\nDATA\r\nSubject: inner\r\n\r\ntext\r\n.\r\n"
            )
            self.assertTrue(client.reply().startswith("550 5.5.2"), false_end)
            # What stood behind the real end, if anything did, is no transaction.
            self.assertTrue(client.ask("NOOP\n").startswith("250"), false_end)
            identity, content = make_message(f"after {number}")
            self.assertTrue(send(gateway.smtp_port, content))
            self.assertEqual(upstream.message_ids()[number:], [identity], false_end)

    def test_a03_smuggling_out(self):
        """
        What the gateway hands on ends for the upstream only at its real end.
        """
        upstream = self.upstream()
        gateway = self.gateway(upstream.port).start()
        body = b"Subject: dots\r\n\r\n.\r\n..\r\nMAIL FROM:<evil@example.org>\r\n.x\r\n"
        client = self.talk(gateway)
        client.envelope()
        client.say(body.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        self.assertTrue(client.reply().startswith("250"))
        (message,) = upstream.messages
        self.assertTrue(message[2].endswith(body))

    def test_a04_dot_stuffing(self):
        """
        Messages of exactly 2^n +- 2 bytes up to 1 MiB, full of dotted lines, arrive byte for
        byte, by DATA and by BDAT.
        """
        upstream = self.upstream()
        gateway = self.gateway(upstream.port).start()
        client = self.talk(gateway)
        client.ask("EHLO client.example.org\n")
        pattern = b"Subject: s\r\n\r\n" + b".\r\n..\r\nx\r\n.y\r\n" * 80_000
        for size in (
            2**power + difference for power in range(5, 21) for difference in range(-2, 3)
        ):
            whole = pattern[: size - 2]
            if whole.endswith(b"\r"):
                whole = whole[:-1] + b"x"
            whole += b"\r\n"
            self.assertEqual(len(whole), size)
            for send_message in (self.by_data, self.by_bdat):
                client.ask("MAIL FROM:<sender@example.org>\n")
                client.ask("RCPT TO:<ada@example.com>\n")
                self.assertTrue(send_message(client, whole).startswith("250 2.0.0 "), size)
                self.assertTrue(upstream.messages.pop()[2].endswith(b"\r\n" + whole), size)

    def by_data(self, client, content):
        """
        Send a message by DATA, and give the reply to it.
        """
        client.ask("DATA\n")
        return client.ask(content.replace(b"\r\n.", b"\r\n..") + b".\r\n")

    def by_bdat(self, client, content):
        """
        Send a message in two chunks of about the same size, and give the reply to the last.
        """
        half = len(content) // 2
        client.say(b"BDAT %d\r\n%b" % (half, content[:half]))
        client.say(b"BDAT %d LAST\r\n%b" % (len(content) - half, content[half:]))
        client.reply()
        return client.reply()

    def test_a14_envelope_injection(self):
        """
        What the grammar forbids gets 501; what it allows is handed on byte for byte.
        """
        upstream = self.upstream()
        gateway = self.gateway(upstream.port).start()
        client = self.talk(gateway)
        self.assertTrue(client.ask("EHLO a;b\n").startswith("501"))
        self.assertTrue(client.ask("EHLO a b\n").startswith("501"))
        client.ask("EHLO client.example.org\n")
        for address in ("a b@example.com", "a;b@example.com", "a(b@example.com", "<a@example.com"):
            reply = client.ask(f"MAIL FROM:<{address}>\n")
            self.assertTrue(reply.startswith("501"), (address, reply))
        for raw in (b"a\0b", b"a\rb", b"a\x1bb"):
            reply = client.ask(b"MAIL FROM:<" + raw + b"@example.com>\r\n")
            self.assertTrue(reply.startswith("500"), (raw, reply))
        local = '"; rm -rf / \'--"+$(id)`id`|x'.replace('"', "").replace(" ", "").replace(";", "")
        local = local.replace("(", "{").replace(")", "}").replace("/", "/")
        quoted = '"\'; DROP TABLE held --"'
        client = self.talk(gateway)
        client.ask("EHLO client.example.org\n")
        client.ask(f"MAIL FROM:<{local}@example.org>\n")
        self.assertTrue(client.ask(f"RCPT TO:<{quoted}@example.com>\n").startswith("250"))
        client.ask("DATA\n")
        fields = "From: Ada <ada@example.org>\nTo: Bob <bob@example.com>\nSubject: x\n"
        self.assertTrue(client.ask(f"{fields}\ntext\n.\n").startswith("250"))
        sender, recipients, _ = upstream.messages[0]
        self.assertEqual(sender, f"{local}@example.org")
        self.assertEqual(recipients, [f"{quoted}@example.com"])

    def test_a16_forged_headers(self):
        """
        X-Mailgate headers of a stranger are gone before ours are added, and so are results of
        authentication and ARC sets with our name.
        """
        gateway = self.gateway().start()
        _, content = make_message()
        forged = b"X-Mailgate-Verdict: accept\r\nX-MAILGATE-Score : -99\r\n\tfolded\r\n"
        theirs = b"Authentication-Results: mx.example.org; spf=fail smtp.helo=mail.example.com\r\n"
        forged += (
            b"Authentication-Results: mail.example.com; forged=pass\r\n"
            b"AUTHENTICATION-Results :\r\n (;) Mail.EXAMPLE.com 1; forged=pass\r\n"
            b"ARC-Authentication-Results: i=1; mail.example.com; forged=pass\r\n"
            b"ARC-Seal: i=1; cv=none; forged=pass\r\n"
        )
        self.assertTrue(send(gateway.smtp_port, forged + theirs + content))
        (delivered,) = gateway.delivered()
        self.assertNotIn(b"-99", delivered)
        self.assertNotIn(b"folded", delivered)
        self.assertNotIn(b"forged", delivered)
        self.assertIn(theirs.replace(b"\r\n", b"\n"), delivered)
        for name in (b"X-Mailgate-Verdict: ", b"X-Mailgate-Score: ", b"X-Mailgate-Trace: "):
            self.assertEqual(delivered.count(b"\n" + name), 1, name)
        self.assertTrue(delivered.startswith(b"Return-Path: <sender@example.org>\n"))

    def test_a28_open_relay(self):
        """
        Nothing is taken for another domain, whatever the address looks like.
        """
        gateway = self.gateway().start()
        relays = [
            "victim@other.example",
            "victim%other.example@example.com",
            "other.example!victim@example.com",
            "@example.com:victim@other.example",
            '"victim@other.example"@example.com',
            '"victim%other.example"@example.com',
            "victim@other.example@example.com",
            "victim@[127.0.0.1]",
            "victim@[203.0.113.5]",
            "victim@[IPv6:::1]",
            "victim@localhost",
            "victim@mail.example.com",
            "victim@",
            "victim",
            "@",
            "victim@example.com.other.example",
            "victim@sub.example.com",
            "victim@xn--exmple-cua.com",
            '"victim other.example"@other.example',
            "example.com!victim@other.example",
        ]
        for relay in relays:
            client = self.talk(gateway)
            client.ask("EHLO client.example.org\n")
            client.ask("MAIL FROM:<sender@example.com>\n")
            reply = client.ask(f"RCPT TO:<{relay}>\n")
            self.assertTrue(reply.startswith("5"), (relay, reply))
            client.close()
        for ours in ("ada@EXAMPLE.com", "ada@example.net", "postmaster", "Abuse@example.com"):
            client = self.talk(gateway)
            client.ask("EHLO client.example.org\n")
            client.ask("MAIL FROM:<sender@example.org>\n")
            self.assertTrue(client.ask(f"RCPT TO:<{ours}>\n").startswith("250"), ours)
            client.close()

    def test_a28_nmap(self):
        """
        Nmap's list of relay tricks finds no open relay.
        """
        (nmap,) = needs(self, "nmap")
        # It tries them all on one connection, which would be ended after ten refusals.
        gateway = self.gateway(tables="[limits]\nerrors = 1000\n").start()
        port = str(gateway.smtp_port)
        script = ["--script=+smtp-open-relay", "--script-args=smtp-open-relay.domain=other.example"]
        done = subprocess.run(
            [nmap, "-Pn", "-n", "-p", port, *script, "127.0.0.1"],
            capture_output=True,
            text=True,
            timeout=100,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Server doesn't seem to be an open relay, all tests failed", done.stdout)
