"""
Tests of messages that mail programs read in different ways.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.attachments import AttachmentsCheck
from mailgate.checks.mime import MimeCheck
from mailgate.verdict import Action, Kind
from tests.checks.given import judge_message, settings
from tests.message.programs import PROGRAMS
from tests.message.tricks import CONTENT, ENCODINGS, TEXT, TOP, TRICKS, join, mixed

AMBIGUOUS = "MIME_AMBIGUOUS"
HIDDEN_TEXT = "MIME_HIDDEN_TEXT"
ELSEWHERE = "MIME_ELSEWHERE"
FORBIDDEN = "ATTACHMENT_FORBIDDEN"


def judge(data, **options):
    """
    Give the verdict on a message, of this check and that of attachments, as the gateway makes it.
    """
    given = settings(mime=options)
    checks = [AttachmentsCheck.from_settings(given), MimeCheck.from_settings(given)]
    return judge_message(data, given, checks)


def found(data, **options):
    """
    Give the findings about a message by their symbols.
    """
    return {each.symbol: each for each in judge(data, **options).findings}


class TrickTests(SynchronousTestCase):
    """
    Tests of A21: whatever hides a file, it is found, or the message is held as ambiguous. The
    tests of each trick are made below.
    """

    def test_number(self):
        """
        There are at least 60 tricks and three encodings.
        """
        self.assertGreaterEqual(len(TRICKS), 60)
        self.assertEqual(len(ENCODINGS), 3)

    def test_nothing_hidden(self):
        """
        The same message without a trick is no ambiguous one; without the file it has no finding.
        """
        for payload in ENCODINGS.values():
            self.assertEqual(set(found(mixed(payload))), {FORBIDDEN})
            self.assertEqual(found(mixed(payload, part=TEXT)), {})


def _trick_test(name, make):
    def test(self):
        for encoding, payload in ENCODINGS.items():
            verdict = judge(make(payload))
            symbols = {finding.symbol for finding in verdict.findings}
            self.assertTrue(symbols & {FORBIDDEN, AMBIGUOUS}, (name, encoding, symbols))
            self.assertIs(verdict.action, Action.QUARANTINE, (name, encoding))

    test.__doc__ = f"A file is found or the message is held: {name}."
    return test


for _name, _make in TRICKS.items():
    _called = "".join(letter if letter.isalnum() else "_" for letter in _name)
    setattr(TrickTests, f"test_a21_{_called}", _trick_test(_name, _make))


class MimeTests(SynchronousTestCase):
    """
    Tests of what the check says.
    """

    def test_programs(self):
        """
        What real mail programs write has no finding.
        """
        for name, data in PROGRAMS.items():
            self.assertEqual(found(data), {}, name)

    def test_ambiguous(self):
        """
        A message of which programs see different attachments is held; the finding names the file,
        who sees it, and what is wrong.
        """
        data = join(
            TOP,
            "Content-Type: text/plain\r\nContent-Type: multipart/mixed; boundary=frontier\r\n\r\n",
            "--frontier\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\n%PDF-1.7\r\n",
            "--frontier--\r\n",
        )
        verdict = judge(data)
        (finding,) = verdict.findings
        self.assertEqual(
            (finding.symbol, finding.score, finding.kind), (AMBIGUOUS, 2, Kind.UNSCANNABLE)
        )
        self.assertIn("“a.pdf” (pdf) is there for one that takes the last", finding.detail)
        self.assertIn("because there are 2 fields content-type.", finding.detail)
        self.assertIs(verdict.action, Action.QUARANTINE)
        self.assertIs(judge(data, mode="score").action, Action.ACCEPT)
        self.assertIs(judge(data, ambiguous_score=0).action, Action.ACCEPT)

    def test_names(self):
        """
        A file whose names have different extensions is ambiguous, one whose names differ before
        them is not.
        """
        part = (
            "Content-Type: application/pdf; name=a.{}\r\n"
            "Content-Disposition: attachment; filename={}\r\n\r\n%PDF-1.7\r\n"
        )
        payload = ENCODINGS["8bit"]
        self.assertEqual(found(mixed(payload, part=part.format("pdf", "b.pdf"))), {})
        finding = found(mixed(payload, part=part.format("txt", "a.pdf")))[AMBIGUOUS]
        self.assertIn("“a.pdf” (pdf) has names with different extensions", finding.detail)

    def test_hidden_text(self):
        """
        A text that only some programs show counts, and the message is not held for it.
        """
        data = join(
            TOP,
            "Content-Type: text/html\r\nContent-Type: multipart/mixed; boundary=frontier\r\n\r\n",
            "--frontier\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n",
            "SGVsbG8=\r\n--frontier--\r\n",
        )
        verdict = judge(data)
        (finding,) = verdict.findings
        self.assertEqual((finding.symbol, finding.score), (HIDDEN_TEXT, 0.5))
        self.assertIn("such as “Hello”", finding.detail)
        self.assertIs(verdict.action, Action.ACCEPT)

    def test_elsewhere(self):
        """
        A part that is to be fetched only counts.
        """
        part = (
            "Content-Type: message/external-body; access-type=anon-ftp; site=example.org;"
            " name=a.txt\r\n\r\nContent-Type: text/plain\r\n\r\n"
        )
        verdict = judge(mixed(ENCODINGS["8bit"], part=part))
        self.assertEqual({each.symbol for each in verdict.findings}, {ELSEWHERE})
        self.assertIs(verdict.action, Action.ACCEPT)

    def test_irregular_but_clear(self):
        """
        A message that is not regular has no finding where all programs see the same.
        """
        for data in (
            mixed(ENCODINGS["8bit"], part=TEXT, last=""),
            mixed(ENCODINGS["8bit"], part=TEXT, before="Content-Nothing\r\n" * 100),
            mixed(
                ENCODINGS["8bit"],
                part=TEXT,
                field="Content-Type: multipart/mixed; boundary = frontier",
            ),
        ):
            self.assertEqual(found(data), {}, data)

    def test_content_of_all(self):
        """
        What is found in another reading than the usual one is opened and looked at.
        """
        payload = ENCODINGS["base64"]
        data = mixed(
            payload,
            part=join("Content-Type: text/plain\r\n\r\n"),
            after=join(
                "\r\nContent-Type: application/octet-stream\r\n",
                payload.field,
                "\r\n\r\n",
                payload.body,
            ),
        )
        self.assertIn(b"MZ", CONTENT)
        self.assertIn("is a program for Windows", found(data)[FORBIDDEN].detail)
