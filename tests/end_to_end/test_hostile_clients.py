"""
Tests of clients that keep no rule, against the running gateway: rows of attacks that
test_attacks.py has not.
"""

import contextlib
import json
import os
import re
import socket
import ssl
from base64 import b64encode
from pathlib import Path

from tests.end_to_end.case import Conversation, EndToEndTestCase
from tests.end_to_end.client import make_message, send
from tests.end_to_end.gateway import free_port

PASSWORD = "correct horse battery"
STRANGERS = "[limits.clients]\nexempt_networks = []\n"
"""A table by which loopback is counted like everybody."""


def second_listener(port, settings):
    """
    Give the table of another listener.
    """
    return f'[[listener]]\nname = "second"\naddress = "127.0.0.1:{port}"\n{settings}\n'


def costs(process):
    """
    Give the CPU seconds and the resident MiB of a process.
    """
    fields = Path(f"/proc/{process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds, int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 2**20


class HostileClientTests(EndToEndTestCase):
    """
    One gateway with a mail server behind it, or a Maildir.
    """

    timeout = 120

    def talk(self, port):
        """
        Connect a client.
        """
        client = Conversation(port)
        self.addCleanup(client.close)
        return client

    def secure(self, client):
        """
        Change to TLS, and say EHLO.
        """
        client.ask("EHLO client.example.org\n")
        self.assertTrue(client.start_tls().startswith("220"))
        return client.ask("EHLO client.example.org\n")

    def all_said(self, port, data):
        """
        Send bytes, and give all that is said until the connection ends.
        """
        with socket.create_connection(("127.0.0.1", port), 30) as client:
            client.sendall(data)
            said = b""
            # It may be ended with bytes of ours unread.
            with contextlib.suppress(ConnectionResetError):
                while more := client.recv(65536):
                    said += more
            return said.decode("ascii").splitlines()

    def test_a05_chunks(self):
        """
        Whatever is done with chunks, what is in them is never run as commands, and a message in
        chunks arrives byte for byte.
        """
        upstream = self.upstream()
        client = self.talk(self.gateway(upstream.port).start().smtp_port)
        client.ask("EHLO client.example.org\n")
        envelope = "MAIL FROM:<sender@example.org>\nRCPT TO:<ada@example.com>\n"
        evil = (
            b"RSET\r\nMAIL FROM:<evil@example.org>\r\nRCPT TO:<bob@example.com>\r\nBDAT 0 LAST\r\n"
        )

        def chunk(content, last=""):
            client.say(b"BDAT %d%s\r\n" % (len(content), last.encode()) + content)

        client.say(envelope)
        self.assertEqual([client.reply()[:3] for _ in range(2)], ["250", "250"])
        chunk(b"a\n" + evil)
        chunk(evil)
        chunk(evil, " LAST")
        self.assertEqual([client.reply()[:3] for _ in range(3)], ["550", "503", "503"])

        client.say(envelope)
        self.assertEqual([client.reply()[:3] for _ in range(2)], ["250", "250"])
        chunk(b"Subject: x\r\n\r\n")
        self.assertTrue(client.reply().startswith("250"))
        for command in ("DATA\n", "STARTTLS\n", "RCPT TO:<bob@example.com>\n"):
            self.assertTrue(client.ask(command).startswith("503"), command)
        chunk(b".\r\n" + evil)
        self.assertTrue(client.reply().startswith("250"))
        chunk(b"", " LAST")
        self.assertTrue(client.reply().startswith("250"))
        ((sender, recipients, content),) = upstream.messages
        self.assertEqual((sender, recipients), ("sender@example.org", ["ada@example.com"]))
        self.assertTrue(content.endswith(b"Subject: x\r\n\r\n.\r\n" + evil))

        client.say(envelope)
        self.assertEqual([client.reply()[:3] for _ in range(2)], ["250", "250"])
        self.assertTrue(client.ask(b"BDAT -1 LAST\r\nRSET\r\n").startswith("501"))
        self.assertEqual(client.reply(), "")

    def test_a06_out_of_turn(self):
        """
        Who talks before the greeting, behind EHLO or before the 354 is sent away, and nothing of
        it is run.
        """
        upstream = self.upstream()
        port = free_port()
        waiting = 'greet_wait = 1.0\ngreet_wait_networks = ["127.0.0.0/8"]\n'
        gateway = self.gateway(upstream.port, second_listener(port, waiting)).start()
        (said,) = self.all_said(port, b"EHLO client.example.org\r\n")
        self.assertTrue(said.startswith("554 5.5.0"), said)
        client = self.talk(port)
        self.assertTrue(client.greeting.startswith("220"))
        client = self.talk(gateway.smtp_port)
        said = client.ask("EHLO client.example.org\nMAIL FROM:<sender@example.org>\n")
        self.assertTrue(said.startswith("554 5.5.0"), said)
        self.assertEqual(client.reply(), "")
        client = self.talk(gateway.smtp_port)
        client.ask("EHLO client.example.org\n")
        client.ask("MAIL FROM:<sender@example.org>\n")
        client.ask("RCPT TO:<ada@example.com>\n")
        said = client.ask("DATA\nSubject: x\n\n.\nMAIL FROM:<evil@example.org>\n")
        self.assertTrue(said.startswith("554 5.5.0"), said)
        self.assertEqual(client.reply(), "")
        self.assertEqual(upstream.messages, [])

    def test_a07_other_protocols(self):
        """
        Whoever speaks another protocol gets one reply, and nothing behind it is run.
        """
        gateway = self.gateway().start()
        commands = b"EHLO c\r\nMAIL FROM:<evil@example.org>\r\n"
        hello = ssl.MemoryBIO()
        tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="x")
        self.assertRaises(ssl.SSLWantReadError, tls.do_handshake)
        for data in (
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + commands,
            b"POST / HTTP/1.1\r\nContent-Length: 40\r\n\r\n" + commands,
            b"CONNECT mail.example.com:25 HTTP/1.1\r\n\r\n" + commands,
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + commands,
            b"SSH-2.0-OpenSSH_9.2\r\n" + commands,
            b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00"
            + commands,
            hello.read(),
        ):
            said = self.all_said(gateway.smtp_port, data)
            # The greeting may have been on its way already.
            said = [line for line in said if not line.startswith("220 ")]
            self.assertLessEqual(len(said), 1, data)
            self.assertTrue(all(line.startswith("554 ") for line in said), (data, said))

    def test_a08_long_lines(self):
        """
        A command of 100 MB costs no memory and gets 500; a line of 1 MB in a body is never split.
        """
        upstream = self.upstream()
        gateway = self.gateway(upstream.port).start()
        client = self.talk(gateway.smtp_port)
        _, before = costs(gateway.process)
        client.say(b"EHLO ")
        for _ in range(100):
            client.say(b"x" * 10**6)
        _, after = costs(gateway.process)
        self.assertLess(after - before, 20)
        self.assertTrue(client.ask(b"\r\n").startswith("500 5.5.6"))
        self.assertTrue(client.ask("NOOP\n").startswith("250"))
        for size in (999, 100_000, 10**6):
            client.envelope()
            line = b"x" * size + b"\r\n"
            client.say(b"Subject: x\r\n\r\n" + line + b".\r\n")
            self.assertTrue(client.reply().startswith("250"), size)
            self.assertTrue(upstream.messages.pop()[2].endswith(b"\r\n\r\n" + line), size)

    def test_a09_headers(self):
        """
        A header section that is too large is refused, one that is only just not is judged, and
        neither costs a second.
        """
        upstream = self.upstream()
        gateway = self.gateway(upstream.port).start()
        client = self.talk(gateway.smtp_port)
        for header, codes in (
            (b"X: " + b"y" * 10**7 + b"\r\n", ["552"]),
            (b"X: y\r\n" * 100_000, ["552"]),
            (b"X: y\r\n" + b" y\r\n" * 200_000, ["552"]),
            (b"X: y" + b"\r\n y" * 60_000 + b"\r\n", ["552"]),
            (b"X: y" + b"\r\n y" * 9_000 + b"\r\n", ["250"]),
            (b"a:\r\n" * 60_000, ["552"]),
            (b"a:\r\n" * 990, ["250"]),
            (b"Received:\r\n" * 900, ["554"]),
        ):
            before, _ = costs(gateway.process)
            client.envelope()
            client.say(header + b"\r\ntext\r\n.\r\n")
            said = client.reply()
            after, _ = costs(gateway.process)
            self.assertIn(said[:3], codes, (header[:20], said))
            self.assertLess(after - before, 1.0, header[:20])

    def test_a11_hostile_bytes(self):
        """
        NUL and what is no UTF-8 are refused in the envelope; in a header odd bytes are handed on
        as they came, and the log has them in one line of plain JSON.
        """
        upstream = self.upstream()
        gateway = self.gateway(upstream.port).start()
        client = self.talk(gateway.smtp_port)
        client.ask("EHLO client.example.org\n")
        for raw in (b"\0", b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xe2\x80\xae"):
            reply = client.ask(b"MAIL FROM:<a" + raw + b"@example.org>\r\n")
            self.assertTrue(reply.startswith("500"), (raw, reply))
        header = (
            b"Subject: \xff\xc0\xaf\xed\xa0\x80\x1b[2J\x07 +ADw-script+AD4- \xe2\x80\xae\r\n"
            b"From: =?utf-7?Q?+ADw-?= =?utf-8?B?//79?= <\x80@example.org>\r\n"
            b"\xe9t\xe9: x\r\n\r\n\xff\xfe\x80\r\n"
        )
        client.envelope()
        client.say(header + b".\r\n")
        self.assertTrue(client.reply().startswith("250"))
        self.assertTrue(upstream.messages[0][2].endswith(b"\r\n" + header))
        path = gateway.data / "transactions.jsonl"
        self.eventually(path.exists, "there is no log")
        lines = self.eventually(
            lambda: [line for line in path.read_bytes().splitlines() if b"ADw-script" in line],
            "it is not in the log",
        )
        self.assertEqual(len(lines), 1)
        self.assertIn("ADw-script", json.loads(lines[0])["subject"])
        self.assertNotRegex(lines[0], rb"[\0-\x1f\x7f]")
        self.assertNotIn("\N{RIGHT-TO-LEFT OVERRIDE}".encode(), lines[0])

    def test_a12_floods(self):
        """
        Of 100,000 recipients 100 are taken; commands without mail, errors and guesses come to an
        end; memory stays bounded.
        """
        upstream = self.upstream()
        unknown = "550 5.1.1 no such user"
        for number in range(40):
            upstream.replies["RCPT", f"TO:<r{number}@example.com>"] = unknown
        gateway = self.gateway(upstream.port, STRANGERS).start()
        client = self.talk(gateway.smtp_port)
        client.ask("EHLO client.example.org\n")
        client.ask("MAIL FROM:<sender@example.org>\n")
        _, before = costs(gateway.process)
        codes = {}
        for start in range(0, 100_000, 1000):
            names = range(start, start + 1000)
            client.say("".join("RCPT TO:<ada@example.com>\n" for _ in names))
            for _ in names:
                code = client.reply()[:9]
                codes[code] = codes.get(code, 0) + 1
        self.assertEqual(codes, {"250 2.1.5": 100, "452 4.5.3": 99_900})
        _, after = costs(gateway.process)
        self.assertLess(after - before, 20)

        client = self.talk(gateway.smtp_port)
        said = [client.ask("RSET\n")[:3] for _ in range(101)]
        self.assertEqual(said, ["250"] * 100 + ["421"])
        client = self.talk(gateway.smtp_port)
        said = [client.ask("NONSENSE\n")[:3] for _ in range(10)] + [client.reply()[:3]]
        self.assertEqual(said, ["500"] * 10 + ["421"])
        asked = 0
        while True:
            client = self.talk(gateway.smtp_port)
            client.ask("EHLO client.example.org\n")
            client.ask("MAIL FROM:<>\n")
            said = [client.ask(f"RCPT TO:<r{asked + n}@example.com>\n")[:3] for n in range(6)]
            asked += 6
            self.assertEqual(said, ["550"] * 6)
            if asked == 30:
                break
        self.assertTrue(client.reply().startswith("421 4.7.0 too many unknown recipients"))

    def test_a13_slow_clients(self):
        """
        Whoever is slow with a command, a session or a handshake is sent away, while others are
        served.
        """
        port = free_port()
        tables = second_listener(port, 'role = "submissions"')
        limits = "[limits]\ncommand_seconds = 2\nsession_seconds = 4\nhandshake_seconds = 1\n"
        gateway = self.gateway(tables=limits + tables).start()
        silent = self.talk(gateway.smtp_port)
        slow = self.talk(gateway.smtp_port)
        slow.say(b"EHL")
        busy = self.talk(gateway.smtp_port)
        half = socket.create_connection(("127.0.0.1", port), 30)
        self.addCleanup(half.close)
        half.sendall(b"\x16\x03\x01\x02\x00\x01")
        _, content = make_message()
        self.assertTrue(send(gateway.smtp_port, content))
        for client in (silent, slow):
            self.assertTrue(client.reply().startswith("421 4.4.2"))
            self.assertEqual(client.reply(), "")
        # Cut without a word: what could be said would not be TLS.
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(half.recv(100), b"")
        said = "250"
        while said.startswith("250"):
            said = busy.ask("NOOP\n")
        self.assertTrue(said.startswith("421"), said)

    def test_a29_speaking_for_others(self):
        """
        XCLIENT, XFORWARD and the PROXY protocol count from configured networks and from nobody
        else.
        """
        port = free_port()
        settings = 'proxy_networks = ["127.0.0.0/8"]\n'
        gateway = self.gateway(tables=second_listener(port, settings)).start()
        client = self.talk(gateway.smtp_port)
        said = client.ask("EHLO client.example.org\n")
        self.assertNotIn("XCLIENT", said)
        self.assertNotIn("XFORWARD", said)
        for command in ("XCLIENT ADDR=198.51.100.9\n", "XFORWARD ADDR=198.51.100.9\n"):
            self.assertTrue(client.ask(command).startswith("500"), command)
        header = b"PROXY TCP4 198.51.100.9 192.0.2.1 5000 25\r\n"
        client = self.talk(gateway.smtp_port)
        self.assertTrue(client.ask(header).startswith("500"))
        _, content = make_message()
        client.envelope()
        client.say(content + b".\r\n")
        self.assertTrue(client.reply().startswith("250"))

        with socket.create_connection(("127.0.0.1", port), 30) as told:
            told.sendall(header)
            with told.makefile("rb") as lines:
                self.assertTrue(lines.readline().startswith(b"220"))
                for command in (
                    b"HELO x",
                    b"MAIL FROM:<a@example.org>",
                    b"RCPT TO:<ada@example.com>",
                ):
                    told.sendall(command + b"\r\n")
                    self.assertTrue(lines.readline().startswith(b"250"), command)
                told.sendall(b"DATA\r\n")
                self.assertTrue(lines.readline().startswith(b"354"))
                told.sendall(content + b".\r\n")
                self.assertTrue(lines.readline().startswith(b"250"))
        clients = sorted(
            re.search(rb"Received: from \S+ \(\[([0-9.]+)\]\)", message).group(1)
            for message in gateway.delivered()
        )
        self.assertEqual(clients, [b"127.0.0.1", b"198.51.100.9"])
        self.assertEqual(self.all_said(port, b"EHLO client.example.org\r\n"), [])

    def test_a30_guessing(self):
        """
        After ten wrong passwords of an address even the right one is not looked at, whatever is
        no log-in is refused, and what was tried as a password stands nowhere.
        """
        port = free_port()
        tables = "[limits]\nerrors = 1000\n" + STRANGERS
        tables += second_listener(port, 'role = "submission"')
        gateway = self.gateway(tables=tables)
        made = gateway.run("account", "set", "ada", "--password-stdin", input=PASSWORD + "\n")
        self.assertEqual(made.returncode, 0, made.stderr)
        gateway.start()

        def plain(name, password):
            return b64encode(f"\0{name}\0{password}".encode()).decode()

        client = self.talk(port)
        right = plain("ada", PASSWORD)
        self.assertTrue(client.ask(f"AUTH PLAIN {right}\n").startswith("538"))
        self.assertIn("AUTH SCRAM-SHA-256 PLAIN LOGIN", self.secure(client))
        for word in ("A", "====", "*", right[:-3]):
            self.assertTrue(client.ask(f"AUTH PLAIN {word}\n").startswith("501"), word)
        self.assertTrue(client.ask("AUTH LOGIN\n").startswith("334"))
        self.assertTrue(client.ask(b"A" * 2**20 + b"\r\n").startswith("500"))
        self.assertTrue(client.ask("NOOP\n").startswith("250"))
        guesses = [
            (name, f"guess-{number}-of-it") for number in range(5) for name in ("ada", "bob")
        ]
        for name, guess in guesses:
            said = client.ask(f"AUTH PLAIN {plain(name, guess)}\n")
            self.assertTrue(said.startswith("535 5.7.8"), said)
        self.assertTrue(client.ask(f"AUTH PLAIN {right}\n").startswith("454 4.7.0"))
        self.assertTrue(client.ask("MAIL FROM:<ada@example.com>\n").startswith("530"))
        client.close()
        gateway.stop()
        written = gateway.said().encode()
        for path in gateway.folder.rglob("*"):
            if path.is_file():
                written += path.read_bytes()
        self.assertIn(b"login.refused", written)
        self.assertNotIn(PASSWORD.encode(), written)
        self.assertNotIn(right.encode(), written)
        self.assertNotRegex(written, rb"guess-\d-of-it")

    def test_a31_loops_and_backscatter(self):
        """
        What goes round in a circle, and what the mail server does not want, is refused while its
        sender is there; nothing is sent back, held or kept for later.
        """
        upstream = self.upstream()
        upstream.replies["."] = "550 5.7.1 not wanted"
        gateway = self.gateway(upstream.port).start()
        client = self.talk(gateway.smtp_port)
        client.ask("EHLO client.example.org\n")
        for sender in ("", "victim@example.net"):
            for header, code in ((b"Received: x\r\n" * 100, "554 5.4.6"), (b"", "550 5.7.1")):
                client.ask(f"MAIL FROM:<{sender}>\n")
                client.ask("RCPT TO:<ada@example.com>\n")
                client.ask("DATA\n")
                client.say(header + b"Subject: x\r\n\r\n.\r\n")
                self.assertTrue(client.reply().startswith(code), code)
        self.assertEqual(upstream.messages, [])
        self.assertEqual(gateway.held(), [])
        self.assertEqual(gateway.outbox(), [])

    def test_a31_null_sender_flood(self):
        """
        The null sender opens no door: its connections and guesses are counted like all others.
        """
        tables = "[limits.clients]\nexempt_networks = []\nrate_per_address = 5\n"
        gateway = self.gateway(tables=tables).start()
        refused = 0
        for _ in range(10):
            client = self.talk(gateway.smtp_port)
            if client.greeting.startswith("421 4.7.0"):
                refused += 1
                continue
            client.ask("EHLO client.example.org\n")
            self.assertTrue(client.ask("MAIL FROM:<>\n").startswith("250"))
        # The first connection of the five was that by which the gateway was seen to run.
        self.assertEqual(refused, 6)
