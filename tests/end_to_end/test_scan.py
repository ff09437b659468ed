"""
Tests that a message is judged on the command line as the gateway has judged it.
"""

import json
from base64 import encodebytes

from tests.end_to_end.case import EndToEndTestCase
from tests.end_to_end.client import make_message, send
from tests.storage import TEXT

ENVELOPE = ("--from", "sender@example.org", "--to", "ada@example.com")
CLIENT = ("--client", "127.0.0.1", "--helo", "client.example.org")
TABLES = """
[checks.helo]
exempt_networks = []
"""


class ScanTests(EndToEndTestCase):
    """
    Tests of C{mailgate scan} beside a gateway that runs.
    """

    timeout = 120

    def test_same(self):
        """
        The score, the action and the findings are those in the trace, whether the message is
        large or small and whether the gateway runs or not.
        """
        gateway = self.gateway(tables=TABLES, top='mode = "observe"').start()
        gateway.run("block", "eve@example.org", "--for", "ada@example.com")
        program = encodebytes(b"MZ" + b"\0" * 300_000).replace(b"\n", b"\r\n")
        messages = [
            make_message()[1],
            TEXT,
            b"Subject: nothing else\r\n\r\nHi\r\n",
            b"From: eve@example.org\r\nFrom: bob@example.org\r\nDate: never\r\n\r\n"
            + b"Buy now! http://192.0.2.1/\r\n" * 20_000,
            b"From: eve@example.org\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n"
            b'Content-Type: application/x-msdownload; name="a.exe"\r\n\r\n' + program,
        ]
        paths = []
        for number, message in enumerate(messages):
            self.assertTrue(send(gateway.smtp_port, message))
            paths.append(gateway.folder / f"{number}.eml")
            paths[-1].write_bytes(message.replace(b"\r\n", b"\n"))

        def records():
            log = gateway.data / "transactions.jsonl"
            lines = log.read_text().splitlines() if log.exists() else ()
            return [json.loads(line) for line in lines] if len(lines) == len(messages) else None

        traced = self.eventually(records, "not all messages are in the log")
        expected = []
        for record, path in zip(traced, paths, strict=True):
            (verdict,) = record["verdicts"]
            expected.append(
                {
                    "path": str(path),
                    "score": verdict["total"],
                    "action": verdict["action"],
                    "findings": [
                        {name: finding[name] for name in ("symbol", "score", "detail")}
                        for finding in verdict["findings"]
                    ],
                    **({"would": verdict["would"]} if verdict["would"] else {}),
                }
            )
        self.assertGreater(len({each["score"] for each in expected}), 2)

        def scanned(*words):
            done = gateway.run("scan", "--json", *CLIENT, *ENVELOPE, *words, *map(str, paths))
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            return [json.loads(line) for line in done.stdout.splitlines()]

        self.assertEqual(scanned(), expected)
        self.assertEqual(scanned("--jobs", "1"), expected)
        gateway.stop()
        self.assertEqual(scanned(), expected)
