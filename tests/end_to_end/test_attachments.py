"""
Tests of attacks by attachments, against the running gateway.
"""

import time

from tests.end_to_end.case import EndToEndTestCase
from tests.end_to_end.client import send
from tests.message.documents import code, locked_zip_aes, macros
from tests.message.samples import (
    PROGRAM,
    attached,
    central_header,
    local_header,
    message,
    overlapping,
    zip_of,
    zipped,
)

RATED = b"Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n"


class AttachmentTests(EndToEndTestCase):
    """
    One gateway before a Maildir.
    """

    timeout = 120

    def outcomes(self, *messages):
        """
        Send messages, each of which is taken within two seconds, and give as what each is held;
        C{None} for one that is not.
        """
        # Some have so much against them that they would be refused.
        gateway = self.gateway(tables="[policy]\nreject = 50\n").start()
        kinds = []
        for content in messages:
            before = {held["id"] for held in gateway.held()}
            began = time.monotonic()
            self.assertTrue(send(gateway.smtp_port, RATED + content))
            # A second for the message; the rest is for the client and the machine.
            self.assertLess(time.monotonic() - began, 2)
            kinds.append([each["kind"] for each in gateway.held() if each["id"] not in before])
        return [kind[0] if kind else None for kind in kinds], gateway

    def test_a22_names(self):
        """
        A program is held by whichever of its names says so, and what has another name for other
        mail programs as what nobody can be sure of; its name harms nothing.
        """
        disposition = "Content-Type: a/b\r\nContent-Disposition: attachment"
        lines = (
            f"{disposition}; filename*0=a.e;\r\n filename*1=xe",
            f'{disposition}; filename="../../../../tmp/a.exe"',
            f'{disposition}; filename="a\u202efdp.exe"',
            f'{disposition}; filename="{"x" * 4000}.exe. "',
            f"{disposition}; filename=a.txt; filename*=utf-8''a%2Eexe",
        )
        kinds, gateway = self.outcomes(*(message((each, b"words")) for each in lines))
        self.assertEqual(kinds, [*["policy"] * 4, "unscannable"])
        self.assertEqual(gateway.delivered(), [])

    def test_a23_archives(self):
        """
        Bombs and broken archives are held as what cannot be looked at, encrypted ones delivered.
        """
        quine = zipped(("0", bytes(20_000_000)))
        for _ in range(6):
            quine = zipped(*((f"{number}.zip", quine) for number in range(16)))
        hidden = zip_of(local_header(b"a.txt") + local_header(b"b.txt"), central_header(b"a.txt"))
        encrypted = zip_of(local_header(b"a", flags=1), central_header(b"a", flags=1))
        kinds, gateway = self.outcomes(
            *(
                attached("a.zip", data)
                for data in (
                    zipped(("0", bytes(50_000_000))),
                    overlapping(100_000),
                    quine,
                    hidden,
                    zipped(("in.zip", zipped(("a.exe", PROGRAM)))),
                    encrypted,
                    zipped(("a.txt", b"words")),
                )
            )
        )
        self.assertEqual(kinds, ["unscannable"] * 4 + ["policy", None, None])
        self.assertEqual(len(gateway.delivered()), 2)

    def test_a24_documents(self):
        """
        What needs parsers of others is looked into in the sandbox of a worker: macros, encrypted
        files, and codes in pictures, whose links count.
        """
        gateway = self.gateway().start()
        contents = (
            attached("a.docm", macros()),
            attached("a.zip", locked_zip_aes(b"tulip", b"a.exe", PROGRAM)).replace(
                b"See attached.", b"The password: tulip"
            ),
            attached("a.png", code("https://192.0.2.1/")),
        )
        for content in contents:
            self.assertTrue(send(gateway.smtp_port, RATED + content))
        path = gateway.data / "transactions.jsonl"
        self.eventually(
            lambda: path.exists() and path.read_text("utf-8").count("\n") == 3, "no records"
        )
        lines = path.read_text("utf-8").splitlines()
        for line, expected in zip(
            lines,
            (
                {"ATTACHMENT_FORBIDDEN", "OFFICE_MACROS"},
                {"ATTACHMENT_FORBIDDEN", "ATTACHMENT_OPENED"},
                {"ATTACHMENT_CODE", "LINK_ADDRESS"},
            ),
            strict=True,
        ):
            for symbol in expected:
                self.assertIn(symbol, line)

    def test_a10_parts(self):
        """
        A message of too many or too deep parts is held as such.
        """
        head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        nested = b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (depth, depth)
            for depth in range(1000)
        )
        kinds, _ = self.outcomes(
            b"From: a@example.org\r\n" + nested,
            b"From: a@example.org\r\n" + head + b"--b\r\n\r\nx\r\n" * 100_000,
            b"From: a@example.org\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 1000,
        )
        self.assertEqual(kinds, ["unscannable"] * 3)
