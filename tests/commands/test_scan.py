"""
Tests of L{mailgate.commands.scan}.
"""

import contextlib
import json
import os
import socket
import sys
from email.utils import formatdate
from pathlib import Path

from mailgate.checks import table
from mailgate.checks.headers import HeadersCheck
from mailgate.checks.lists import ListsCheck
from mailgate.checks.spf import SpfCheck
from mailgate.commands import scan, scanning
from mailgate.finding import Finding
from mailgate.message.spool import FileMessage
from tests.commands.case import CONFIG, CommandLineCase, Terminal
from tests.net.zones import Zones
from tests.pipeline.events import events

GOOD = f"From: Ada <ada@example.org>\nDate: {formatdate()}\nMessage-ID: <1@example.org>\n\nHi\n"
FROM = "From x Mon Jan  1 00:00:00 2024\n"
BAD = "Subject: no From, no Date, no Message-ID\n\nHi\n"
RELAYED = "Received: from mail.example.org (unknown [8.8.4.4]) by mx.relay.example.net with ESMTP\n"
ALL_CHECKS = dict(table.CHECKS)
LARGE = GOOD + "x" * 70 + "\n" + ("y" * 70 + "\n") * 5000


class ScanCase(CommandLineCase):
    """
    Has some messages, and three checks that give them a score that is known.
    """

    def setUp(self):
        """
        Write them.
        """
        super().setUp()
        names = ("helo", "headers", "lists")
        self.patch(table, "CHECKS", {name: table.CHECKS[name] for name in names})
        self.patch(ListsCheck, "after", ())
        self.folder = self.config.parent / "mail"
        self.folder.mkdir()
        self.good = self.write("good", GOOD)
        self.bad = self.write("bad", BAD)

    def write(self, name, text):
        """
        Write a message.
        """
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(path)

    def answers(self, *words, status=0):
        """
        Scan, and give the answers.
        """
        ended, out, complaints = self.call("scan", "--json", *words)
        self.assertEqual((ended, complaints), (status, ""))
        return [json.loads(line) for line in out.splitlines()]

    def symbols(self, *words):
        """
        Scan one message, and name what was found.
        """
        (answer,) = self.answers(*words)
        return [finding["symbol"] for finding in answer["findings"]]


class ScanTests(ScanCase):
    """
    Tests of C{scan}.
    """

    def test_json(self):
        """
        Each message is an object on a line of its own, with score, action and findings.
        """
        good, bad = self.answers(self.good, self.bad)
        self.assertEqual(
            good, {"path": self.good, "score": 0.0, "action": "accept", "findings": []}
        )
        self.assertEqual(set(bad), set(good))
        self.assertEqual((bad["path"], bad["score"], bad["action"]), (self.bad, 5.0, "tag"))
        self.assertEqual(sum(finding["score"] for finding in bad["findings"]), 5.0)
        self.assertEqual(set(bad["findings"][0]), {"symbol", "score", "detail"})
        self.assertIn("FROM_MISSING", [finding["symbol"] for finding in bad["findings"]])

    def test_table(self):
        """
        Without C{--json} there is a table, and how often there was what.
        """
        lines = self.say("scan", self.good, self.bad, "--offline").splitlines()
        self.assertEqual(lines[0].split(), ["SCORE", "ACTION", "FILE", "FINDINGS"])
        self.assertEqual(lines[1].split(), ["0.0", "accept", self.good])
        self.assertEqual(lines[2].split()[:4], ["5.0", "tag", self.bad, "FROM_MISSING"])
        self.assertEqual(lines[3:], ["2 messages: 1 accept, 1 tag"])

    def test_single(self):
        """
        Of a single message everything that was found is told in sentences.
        """
        text = self.say("scan", self.bad)
        self.assertIn("The message has no From. (FROM_MISSING)", text)
        self.assertIn("The nearest threshold is 5", text)
        self.assertIn("(DATE_MISSING)", text)
        self.assertNotIn("messages:", text)

    def test_folder(self):
        """
        A folder stands for all files in it and below, in order, hidden ones aside.
        """
        inner = self.write("cur/inner", BAD)
        self.write(".hidden", BAD)
        self.write(".git/x", BAD)
        (self.folder / "gone").symlink_to("nowhere")
        os.mkfifo(self.folder / "fifo")
        paths = [answer["path"] for answer in self.answers(str(self.folder), self.good)]
        self.assertEqual(paths, [self.bad, self.good, inner, self.good])

    def test_mbox(self):
        """
        Each message of an mbox has an answer of its own, with its number; a file with one message
        has one, with or without the line that mbox puts before it.
        """
        one = self.write("one", FROM + BAD)
        box = self.write("box", "".join(f"{FROM}{text}\n" for text in (GOOD, BAD, "x\0\n")))
        alone, *all_three = self.answers(one, box, status=1)
        self.assertEqual((alone["action"], "number" in alone), ("tag", False))
        self.assertEqual(
            [(each["path"], each["number"], each.get("action")) for each in all_three],
            [(box, 1, "accept"), (box, 2, "tag"), (box, 3, None)],
        )
        self.assertIn(f"{box} 2", self.call("scan", box)[1])

    def test_line_ends(self):
        """
        A message is judged with the line ends with which it would be sent, the last one too.
        """
        seen = []

        def check(check, view):
            seen.append(view.message.head(1000))
            return ()

        self.patch(HeadersCheck, "check", check)
        self.answers(
            self.write("ends", b"a: b\nc: d\r\n\ne"), self.write("empty", b""), "--jobs", "1"
        )
        self.assertEqual(seen, [b"a: b\r\nc: d\r\n\r\ne\r\n", b"\r\n"])

    def test_nothing(self):
        """
        An empty folder is no mistake.
        """
        empty = self.folder / "empty"
        empty.mkdir()
        self.assertEqual(self.answers(str(empty)), [])
        self.assertIn("0 messages\n", self.say("scan", str(empty)))

    def test_jobs(self):
        """
        However many processes there are, the output is the same.
        """
        for number in range(40):
            self.write(f"{number:02d}", BAD if number % 3 else LARGE)
        alone = self.answers(str(self.folder), "--jobs", "1")
        self.assertEqual(len(alone), 42)
        self.assertEqual(self.answers(str(self.folder), "--jobs", "3"), alone)
        self.assertEqual(self.call("scan", "--jobs", "0", self.good)[0], 2)

    def test_errors(self):
        """
        A file that cannot be judged is an object with C{error}, and the status is 1 at the end;
        the others are judged.
        """
        missing = str(self.folder / "missing")
        first, second = self.answers(missing, self.good, status=1)
        self.assertEqual(first, {"path": missing, "error": "No such file or directory"})
        self.assertEqual(second["action"], "accept")
        status, out, _ = self.call("scan", missing, self.good)
        self.assertEqual(status, 1)
        self.assertIn("2 messages: 1 error, 1 accept", out)
        self.assertIn("No such file or directory", out)
        self.assertEqual(self.call("scan", missing)[0], 1)

    def test_refused_unread(self):
        """
        What the gateway would refuse before any check is told as that.
        """
        self.config.write_text(
            f"{CONFIG}\n[limits]\nmessage_bytes = 400000\nheader_bytes = 410\nheader_fields = 100\n"
        )
        exact = self.write("exact", GOOD.encode() + b"x" * (400000 - len(GOOD) - 5 - 2))
        self.assertEqual(self.answers(exact)[0]["action"], "accept")
        for text, why in (
            (GOOD + "x" * 400000, "larger than 400,000 bytes"),
            (GOOD + "a\rb\n", "a CR without LF"),
            (GOOD + "a\0b\n", "a NUL"),
            ("X: " + "x" * 500 + "\n" + GOOD, "a header larger than 410 bytes"),
            ("a:\n" * 101 + "\n", "more than 100 header fields"),
        ):
            path = self.write("refused", text)
            (answer,) = self.answers(path, status=1)
            self.assertIn(why, answer["error"])
            self.assertEqual(set(answer), {"path", "error"})

    def test_crash_of_a_check(self):
        """
        A check that breaks is a finding, as it is in the gateway.
        """
        self.patch(HeadersCheck, "check", lambda check, view: 1 / 0)
        with events() as told:
            (answer,) = self.answers(self.good)
        self.assertEqual(answer["findings"][0]["symbol"], "CHECK_FAILED")
        self.assertEqual([event["event"] for event in told], ["check.failed"])
        self.flushLoggedErrors(ZeroDivisionError)

    def test_mistake_of_ours(self):
        """
        What breaks the judging itself costs one message, and is told.
        """
        self.patch(scanning, "judge_waiting", lambda *_: 1 / 0)
        with events() as told:
            (answer,) = self.answers(self.good, status=1)
        self.assertEqual(answer["error"], "could not be judged: ZeroDivisionError")
        self.assertEqual([event["event"] for event in told], ["scan.failed"])
        self.flushLoggedErrors(ZeroDivisionError)

    def test_crash_of_a_process(self):
        """
        A message that ends a process costs its own result and no other.
        """

        def check(check, view):
            if b"bomb" in view.message.head(1000):
                os._exit(1)
            return ()

        self.patch(HeadersCheck, "check", check)
        bomb = self.write("c", GOOD + "bomb\n")
        answers = self.answers(self.good, bomb, self.bad, "--jobs", "2", status=1)
        self.assertEqual(
            answers[1], {"path": bomb, "error": "could not be judged: its process crashed"}
        )
        self.assertEqual([answer.get("action") for answer in answers], ["accept", None, "accept"])

    def test_wrong_checks(self):
        """
        Checks that cannot be brought into an order are told before any message is read.
        """
        self.patch(HeadersCheck, "needs", ("nonsense",))
        status, out, complaints = self.call("scan", "--json", self.good, self.bad)
        self.assertEqual((status, out), (2, ""))
        self.assertIn('needs "nonsense"', complaints)

    def test_large(self):
        """
        A large message comes as a file, as in the gateway, whose pieces are read at once; no
        file stays.
        """
        seen = []

        def check(check, view):
            pieces = view.message.chunks()
            seen.append((view.message, next(pieces)))
            return [Finding("LARGE", 1.0, "It is large.")]

        self.patch(HeadersCheck, "check", check)
        self.assertEqual(self.symbols(self.write("large", LARGE)), ["LARGE"])
        ((message, piece),) = seen
        self.assertIsInstance(message, FileMessage)
        self.assertEqual(self.successResultOf(piece), LARGE.replace("\n", "\r\n").encode())
        self.assertFalse(message.path.parent.exists())

    def test_watching(self):
        """
        Where the gateway only watches, nothing is done, and it is said what would be.
        """
        self.config.write_text(CONFIG.replace("[[listener]]", 'mode = "observe"\n[[listener]]'))
        (answer,) = self.answers(self.bad)
        self.assertEqual((answer["action"], answer["would"]), ("accept", "tag"))
        self.assertIn("accept (would be tag)", self.say("scan", self.bad))

    def test_lists(self):
        """
        What people allow and block counts, for the recipient that is named.
        """
        self.say("block", "ada@example.org", "--for", "bob@example.com")
        self.assertEqual(self.symbols(self.good), [])
        self.assertEqual(self.symbols(self.good, "--to", "bob@example.com"), ["BLOCKED_SENDER"])
        self.say("block", "eve@example.net")
        self.assertEqual(self.symbols(self.good, "--from", "<eve@example.net>"), ["BLOCKED_SENDER"])

    def test_nothing_is_kept(self):
        """
        A scan leaves nothing, and does not make the data folder.
        """
        self.answers(str(self.folder))
        self.assertEqual(
            sorted(path.name for path in self.config.parent.iterdir()), ["mail", self.config.name]
        )

    def test_progress(self):
        """
        At a terminal a bar shows how far it is; it does not stand in the way of the answers.
        """
        complaints = Terminal(is_terminal=True)
        self.patch(sys, "stdout", Terminal(is_terminal=True))
        self.patch(sys, "stderr", complaints)
        self.assertEqual(
            scan.scan(arguments_of(self.config, [self.good, self.bad], as_json=True)), 0
        )
        self.assertIn("0/2", complaints.text())
        self.assertTrue(complaints.text().endswith("\r\x1b[K"))
        self.assertEqual(sys.stdout.text().count("\n"), 2)


def arguments_of(config, paths, as_json):
    """
    Give arguments without options.
    """
    return scan.Arguments(
        config=config,
        path=paths,
        json=as_json,
        offline=True,
        jobs=1,
        client=None,
        helo=None,
        trust=[],
        sender=None,
        to=None,
    )


class SituationTests(ScanCase):
    """
    Tests of who sends what to whom.
    """

    def views(self, *words):
        """
        Give the session, the sender and the recipients that the checks see.
        """
        seen = []
        self.patch(HeadersCheck, "check", lambda check, view: seen.append(view) or ())
        self.answers(self.good, *words)
        (view,) = seen
        return view.session, str(view.envelope.sender), [str(each) for each in view.recipients]

    def test_default(self):
        """
        By default this machine sends it, from the null sender to nobody in the first domain.
        """
        session, sender, recipients = self.views()
        self.assertEqual((session.client, session.local, session.helo), ("127.0.0.1",) * 2 + ("",))
        self.assertEqual((sender, recipients), ("", ["mailgate-scan@example.com"]))

    def test_given(self):
        """
        Everything can be given, and is judged.
        """
        session, sender, recipients = self.views(
            "--client",
            "192.0.2.1",
            "--helo",
            "SERVER7",
            "--from",
            "eve@example.net",
            "--to",
            "ada@example.com",
        )
        self.assertEqual((session.client, session.local), ("192.0.2.1", ""))
        self.assertEqual((sender, recipients), ("eve@example.net", ["ada@example.com"]))
        self.assertIn(
            "HELO_UNQUALIFIED", self.symbols(self.bad, "--client", "192.0.2.1", "--helo", "SERVER7")
        )
        self.assertEqual(self.symbols(self.good, "--client", "192.0.2.1"), [])

    def test_relay(self):
        """
        A relay that is trusted says who the client was, be it named by its network, by its name,
        or in the configuration; of others nothing is believed.
        """
        path = Path(self.good)
        content = path.read_bytes()
        path.write_bytes(
            b"Received: from SERVER7 (unknown [8.8.4.4]) by mx.relay.example.net with ESMTP\r\n"
            b"Received: from elsewhere (unknown [1.1.1.1]) by mx.relay.example.net with ESMTP\r\n"
            + content
        )
        self.addCleanup(path.write_bytes, content)
        for words in (
            ("--trust", "mx.relay.example.net"),
            ("--trust", "*.example.net", "--trust", "192.0.2.0/24"),
        ):
            session, _, _ = self.views(*words)
            self.assertEqual((session.client, session.helo), ("8.8.4.4", "SERVER7"), words)
            self.assertIn("HELO_UNQUALIFIED", self.symbols(self.good, *words))
        for words in ((), ("--trust", "relay.example.net"), ("--trust", "192.0.2.0/24")):
            self.assertEqual(self.views(*words)[0].client, "127.0.0.1", words)
        with open(self.config, "a", encoding="utf-8") as file:
            file.write('\n[relays]\nnames = ["mx.relay.example.net"]\n')
        self.assertEqual(self.views()[0].client, "8.8.4.4")

    def test_wrong(self):
        """
        What could not be an envelope is told in a sentence.
        """
        for words in (
            ("--client", "example.org"),
            ("--helo", "a b"),
            ("--trust", "a b"),
            ("--trust", "192.0.2.1/24"),
            ("--trust", "192.0.2.1", "--client", "192.0.2.2"),
            ("--from", "nobody"),
            ("--to", "x> SIZE=3"),
        ):
            status, out, complaints = self.call("scan", self.good, *words)
            self.assertEqual((status, out, complaints.count("\n")), (1, "", 1), words)


class DnsTests(ScanCase):
    """
    Tests of what is asked of the DNS.
    """

    CHECKS = ("spf", "dkim", "arc", "dmarc", "dnslists", "names")

    def setUp(self):
        """
        Have the checks that ask, a DNS server that is silent, and a message with a relay in it.
        """
        super().setUp()
        self.patch(table, "CHECKS", {name: ALL_CHECKS[name] for name in self.CHECKS})
        self.server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.server.close)
        self.server.bind(("127.0.0.1", 0))
        self.server.setblocking(False)
        port = self.server.getsockname()[1]
        with open(self.config, "a", encoding="utf-8") as file:
            file.write(
                f'\n[dns]\nservers = ["127.0.0.1:{port}"]\nreply_seconds = 0.1\ntries = 1\n'
                '[checks.dnslists.lists.one]\nzone = "list.example"\n'
                '[checks.dnslists.lists.one.codes]\n"127.0.0.2" = { words = "x", score = 5.0 }\n'
            )
        self.brought = self.write("brought", RELAYED + GOOD)
        self.trust = ("--trust", "mx.relay.example.net")

    def queries(self):
        """
        Count the queries that the server has got.
        """
        number = 0
        with contextlib.suppress(BlockingIOError):
            while self.server.recv(4096):
                number += 1
        return number

    def test_offline(self):
        """
        With C{--offline} no query is made, and what would be asked for is not known.
        """
        found = self.symbols(self.brought, "--offline", *self.trust, "--from", "eve@example.org")
        self.assertIn("SPF_TEMPERROR", found)
        self.assertEqual(self.queries(), 0)

    def test_online(self):
        """
        Without it the server is asked; its silence is told as that, for all in the same time.
        """
        paths = [self.write(f"b{number}", RELAYED + GOOD) for number in range(40)]
        answers = self.answers(*paths, *self.trust, "--from", "eve@example.org")
        for answer in answers:
            self.assertIn("SPF_TEMPERROR", [each["symbol"] for each in answer["findings"]])
        self.assertGreater(self.queries(), 2)

    def test_as_the_gateway(self):
        """
        What the DNS says is judged as in the gateway that runs: SPF, DMARC, lists and names.
        """
        zones = Zones(
            {
                "example.org": {"TXT": ["v=spf1 -all"], "A": ["192.0.2.1"]},
                "_dmarc.example.org": {"TXT": ["v=DMARC1; p=reject"]},
                "2.0.0.127.list.example": {"A": ["127.0.0.2"]},
                "4.4.8.8.list.example": {"A": ["127.0.0.2"]},
                "list.example": {"A": ["192.0.2.1"]},
            }
        )
        zones.use = lambda servers: None
        self.patch(scanning, "Resolver", lambda settings, reactor: zones)
        found = self.symbols(self.brought, "--jobs", "1", *self.trust, "--from", "eve@example.org")
        for symbol in ("RELAYED", "SPF_FAIL", "DMARC_REJECT", "DNSBL_CLIENT", "CLIENT_NO_NAME"):
            self.assertIn(symbol, found)

    def test_results(self):
        """
        What a relay that is named has found counts; what it has not written does not.
        """
        results = (
            "Authentication-Results: {}spf=pass smtp.mailfrom=example.org;"
            " dmarc=pass header.from=example.org\n"
        )
        for name, is_taken in (
            ("mx.relay.example.net; ", True),
            ("", True),
            ("x.example; ", False),
        ):
            path = self.write("a", results.format(name) + RELAYED + GOOD)
            found = self.symbols(path, "--offline", *self.trust)
            self.assertEqual("SPF_PASS" in found, is_taken, name)
        below = self.write("b", RELAYED + results.format("mx.relay.example.net; ") + GOOD)
        self.assertNotIn("SPF_PASS", self.symbols(below, "--offline", *self.trust))
        above = self.write("c", results.format("mx.relay.example.net; ") + RELAYED + GOOD)
        self.assertNotIn("SPF_PASS", self.symbols(above, "--offline"))

    def test_sender(self):
        """
        Whom a relay that is believed has written down as the sender is the sender, and nobody else.
        """
        seen = []
        self.patch(SpfCheck, "check", lambda check, view: seen.append(view.envelope.sender) or ())
        path = "Return-Path: <eve@example.org>\n"
        for text in (path + RELAYED + GOOD, RELAYED + path + GOOD):
            self.symbols(self.write("a", text), "--offline", *self.trust)
        self.assertEqual([str(each) for each in seen], ["eve@example.org", ""])
