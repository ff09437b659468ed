"""
Tests of judging the files that a message brings.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.attachments import AttachmentsCheck
from mailgate.finding import Finding
from mailgate.interfaces import Phase
from mailgate.message.message import MemoryMessage
from mailgate.pipeline.engine import Pipeline
from mailgate.pipeline.extractors import make_extractors
from mailgate.pipeline.plan import make_plan
from mailgate.policy.verdict import Policy
from mailgate.store.threads import ImmediateThreads
from mailgate.verdict import Action, Kind
from tests.checks.given import NOW, judge_message, session, settings
from tests.message.samples import (
    PROGRAM,
    attached,
    central_header,
    compound,
    local_header,
    message,
    overlapping,
    within_a_second,
    zip_of,
    zipped,
)
from tests.pipeline.harness import ADA, ENVELOPE, ScriptedCheck

FORBIDDEN = "ATTACHMENT_FORBIDDEN"
DISGUISED = "ATTACHMENT_DISGUISED"
ENCRYPTED = "ATTACHMENT_ENCRYPTED"
BOMB = "ATTACHMENT_BOMB"
UNREADABLE = "ATTACHMENT_UNREADABLE"


def judge(data, *others, **options):
    """
    Give the verdict on a message, of this check and others, as the gateway makes it.
    """
    given = settings(attachments=options)
    return judge_message(data, given, [AttachmentsCheck.from_settings(given)], others)


def found(data, **options):
    """
    Give the findings about a message by their symbols.
    """
    return {each.symbol: each for each in judge(data, **options).findings}


def named(*lines, content=b"words", kind="application/octet-stream"):
    """
    Give the findings about a message with one attachment that is named by these lines.
    """
    return found(message(("\r\n".join([f"Content-Type: {kind}", *lines]), content)))


class ForbiddenTests(SynchronousTestCase):
    """
    Tests of what nobody should get.
    """

    def test_nothing(self):
        """
        Messages without files, and with usual ones, have no finding.
        """
        for data in (
            b"Subject: x\r\n\r\nwords",
            b"",
            attached("a.pdf", b"%PDF-1.7", "application/pdf"),
            attached("patch.sh", b"#!/bin/sh\n"),
            attached("notes.txt", b"Try CreateObject(x) and WScript.Echo"),
            attached("a.docx", zipped(("[Content_Types].xml", b"x"), ("word/a.xml", b"x"))),
            attached("a.doc", compound("WordDocument")),
            attached("a.zip", zipped(("a.py", b"x"), ("b/", b""))),
            attached("chart.js.zip", zipped(("chart.js/", b""), ("chart.js/a.css", b"x"))),
        ):
            self.assertEqual(found(data), {})

    def test_by_name(self):
        """
        A file is forbidden by its extension, in any letters.
        """
        for name in ("a.exe", "A.SCR", "b.js", "c.lnk", "d.iso", "e.docm", "f.hta", "g.library-ms"):
            finding = found(attached(name, b"words"))[FORBIDDEN]
            self.assertEqual((finding.score, finding.kind), (8, Kind.POLICY))
            extension = name.lower().partition(".")[2]
            self.assertEqual(
                finding.detail,
                f"Nobody should get this by mail: “{name}” has the extension {extension}.",
            )
            self.assertEqual(finding.public, "")

    def test_by_type(self):
        """
        A file is forbidden by what it is, whatever it is called or not at all.
        """
        for name, content, words in (
            ("a.dat", PROGRAM, "“a.dat” is a program for Windows"),
            ("a.doc", compound("_VBA_PROJECT"), "“a.doc” is an Office document with macros"),
            ("a.bin", b"\x7fELF\2\1\1\0", "“a.bin” is a program for Unix"),
        ):
            self.assertEqual(
                found(attached(name, content))[FORBIDDEN].detail,
                f"Nobody should get this by mail: {words}.",
            )
        finding = named(content=PROGRAM)[FORBIDDEN]
        self.assertIn(": a file without a name is a program for Windows.", finding.detail)

    def test_a22_every_name(self):
        """
        Every reading of every name counts (CVE-2024-39929 was one that did not).
        """
        disposition = "Content-Disposition: attachment"
        for lines in (
            [f"{disposition}; filename*0=a.e;\r\n filename*1=xe"],
            [f"{disposition}; filename*0*=utf-8''a%2E;\r\n filename*1*=%65xe"],
            [f"{disposition}; filename*=utf-8''a%2Eexe; filename=a.txt"],
            [f"{disposition}; filename=a.txt; filename*=utf-8''a%2Eexe"],
            [f"{disposition}; filename=a.txt; filename=a.exe"],
            [f'{disposition}; filename="=?utf-8?q?a=2Eexe?="'],
            [f"{disposition}; filename=a.txt", f"{disposition}; filename=a.exe"],
            [f"{disposition}; filename=a.txt", "Content-Type: a/b; name=a.exe"],
            [f"{disposition};\r\n filename=\r\n a.exe"],
            [f'{disposition}; filename="a.exe'],
            [f"{disposition}; filename=(x)a.exe"],
            [f"{disposition}; filename=a.\udcc3\udcbc.exe"],
        ):
            self.assertIn(FORBIDDEN, named(*lines), lines)
        finding = named(kind='text/plain; name="b.scr"')[FORBIDDEN]
        self.assertIn("“b.scr”", finding.detail)

    def test_a22_shapes(self):
        """
        So it does in every shape that a computer brings back to an extension.
        """
        for name in (
            "a.exe.",
            "a.exe ",
            "../../a.exe",
            "C:\\a.exe",
            "a.exe::$DATA",
            "a.\u200bexe",
            "a.\uff45\uff58\uff45",
            "con.exe",
            "x" * 4000 + ".exe",
            "=?utf-8?q?" + "x" * 30 + "?= " * 90 + "=?utf-8?q?=2Eexe?=",
            "a.{00021401-0000-0000-C000-000000000046}",
        ):
            self.assertIn(FORBIDDEN, found(attached(name, b"words")), name)

    def test_subject_as_a_name(self):
        """
        An attached message may be called like a site; any other file so called is a program.
        """
        inner = b"From: a@b.c\r\nSubject: News of example.com\r\nDate: x\r\n\r\nwords"
        head = b'Content-Type: message/rfc822; name="News of example.com"\r\n\r\n'
        self.assertEqual(found(head + inner), {})
        self.assertIn(FORBIDDEN, found(attached("example.com", b"words")))

    def test_inside(self):
        """
        What lies in archives is judged like what is attached, and it is said where it lies.
        """
        data = attached("out.zip", zipped(("in.zip", zipped(("a.exe", PROGRAM)))))
        self.assertIn("“a.exe” in “in.zip” in “out.zip” has the", found(data)[FORBIDDEN].detail)

    def test_many(self):
        """
        Three files are named, the others are counted.
        """
        data = attached("a.zip", zipped(*((f"{number}.exe", b"") for number in range(2000))))
        detail = found(data)[FORBIDDEN].detail
        self.assertEqual(detail.count("extension"), 3)
        self.assertTrue(detail.endswith("; and 1,997 more."))

    def test_lists_can_be_replaced(self):
        """
        The lists of the configuration take the place of the default ones.
        """
        options = {"forbidden_extensions": ["pdf"], "forbidden_types": ["rar"]}
        self.assertEqual(found(attached("a.exe", PROGRAM), **options), {})
        self.assertIn(FORBIDDEN, found(attached("a.pdf", b"x"), **options))
        self.assertIn(FORBIDDEN, found(attached("a.x", b"Rar!\x1a\x07\0"), **options))

    def test_caps(self):
        """
        So do the limits of archives.
        """
        data = attached("a.zip", zipped(("b.zip", zipped(("a.txt", b"x")))))
        self.assertEqual(found(data), {})
        self.assertEqual(set(found(data, depth=1)), {UNREADABLE})
        self.assertEqual(set(found(data, files=1)), {UNREADABLE})


class DisguiseTests(SynchronousTestCase):
    """
    Tests of files that are made to look like others.
    """

    def words(self, data):
        """
        Give what is said of the disguise.
        """
        finding = found(data)[DISGUISED]
        self.assertEqual((finding.score, finding.kind), (4, Kind.POLICY))
        return finding.detail.partition(": ")[2]

    def test_two_extensions(self):
        """
        A harmless extension before a forbidden one is a disguise, however far before.
        """
        for name in ("a.pdf.exe", "a.pdf" + " " * 40 + ".exe"):
            self.assertIn("looks like pdf and is exe.", self.words(attached(name, b"x")))
        self.assertNotIn(DISGUISED, found(attached("setup.1.2.exe", b"x")))

    def test_type(self):
        """
        So is a harmless extension, or a harmless media type, on a program.
        """
        self.assertEqual(
            self.words(attached("a.jpg", PROGRAM)),
            "“a.jpg” looks like jpg and is a program for Windows.",
        )
        self.assertEqual(
            self.words(message(("Content-Type: image/png", PROGRAM))),
            "a file without a name claims to be “image/png” and is a program for Windows.",
        )
        macros = zipped(("[Content_Types].xml", b"x"), ("word/vbaProject.bin", b"x"))
        self.assertIn("looks like docx and is an Office", self.words(attached("a.docx", macros)))

    def test_honest(self):
        """
        A program that is called one, and an old document with macros, are no disguise.
        """
        for name, content in (
            ("a.exe", PROGRAM),
            ("a.dat", PROGRAM),
            ("a.xls", compound("_VBA_PROJECT_CUR")),
        ):
            self.assertEqual(set(found(attached(name, content))), {FORBIDDEN})

    def test_a22_turned(self):
        """
        A name whose letters are turned round is a disguise, and shown with the mark spelled out.
        """
        data = attached("invoice\u202efdp.exe", b"x")
        self.assertEqual(
            self.words(data), "the letters of “invoice\\u202efdp.exe” are turned round."
        )
        self.assertEqual(set(found(attached("a\u202egnp.txt", b"x"))), {DISGUISED})

    def test_a21_differing_names(self):
        """
        A file that is harmless by one name and forbidden by another is a disguise.
        """
        lines = "Content-Type: a/b; name=a.exe\r\nContent-Disposition: attachment; filename=a.txt"
        self.assertEqual(self.words(message((lines, b"x"))), "“a.exe” looks like txt and is exe.")


class UnseenTests(SynchronousTestCase):
    """
    Tests of what nobody can look at.
    """

    def test_a23_encrypted(self):
        """
        An encrypted archive is tagged, not held; a forbidden name in it is.
        """
        data = attached(
            "a.zip", zip_of(local_header(b"a.txt", flags=1), central_header(b"a.txt", flags=1))
        )
        verdict = judge(data)
        self.assertEqual(verdict.action, Action.TAG)
        (finding,) = verdict.findings
        self.assertEqual((finding.symbol, finding.score), (ENCRYPTED, 5))
        self.assertEqual(
            finding.detail, "What is inside cannot be looked at: “a.zip” needs a password."
        )
        data = attached(
            "a.zip", zip_of(local_header(b"a.exe", flags=1), central_header(b"a.exe", flags=1))
        )
        self.assertEqual(set(found(data)), {FORBIDDEN, ENCRYPTED})

    def test_a23_bomb(self):
        """
        A bomb is held as what cannot be looked at.
        """
        verdict = judge(attached("a.zip", overlapping(3)))
        self.assertEqual((verdict.action, verdict.kind), (Action.QUARANTINE, Kind.UNSCANNABLE))
        finding = verdict.findings[0]
        self.assertEqual((finding.symbol, finding.score), (BOMB, 8))
        self.assertIn("in “a.zip”: files in it share their bytes", finding.detail)

    def test_a23_broken(self):
        """
        So is an archive that is broken, or in which something is hidden.
        """
        hidden = zip_of(local_header(b"a.txt") + local_header(b"b.txt"), central_header(b"a.txt"))
        for data in (hidden, zipped(("a.txt", b"words"))[:-30]):
            verdict = judge(attached("a.zip", data))
            self.assertEqual((verdict.action, verdict.kind), (Action.QUARANTINE, Kind.UNSCANNABLE))
            self.assertEqual([each.symbol for each in verdict.findings], [UNREADABLE])

    def test_a10_message(self):
        """
        So is a message with more or deeper parts than are read, in less than a second.
        """
        head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        nested = b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (depth, depth)
            for depth in range(1000)
        )
        for data in (
            head + b"--b\r\n\r\nx\r\n" * 30_000,
            nested,
            b"Content-Type: message/rfc822\r\n\r\n" * 1000,
            head + b"--bx\r\n" * 60_000,
        ):
            verdict = within_a_second(self, judge, data)
            self.assertEqual((verdict.action, verdict.kind), (Action.QUARANTINE, Kind.UNSCANNABLE))
            self.assertEqual([each.symbol for each in verdict.findings], [UNREADABLE])

    def test_a10_partial(self):
        """
        So is a piece of a message, which nobody can look at without the others.
        """
        data = b'Content-Type: message/partial; id="a"; number=1; total=2\r\n\r\nwords'
        self.assertEqual(set(found(data)), {UNREADABLE})

    def test_a22_too_long(self):
        """
        A name that is longer than is read is not passed over.
        """
        self.assertEqual(set(found(attached("x" * 9000 + ".exe", b"words"))), {UNREADABLE})
        lines = "\r\n".join(f"Content-Type: a/b; name={number}" for number in range(60))
        self.assertEqual(set(found(message((lines, b"words")))), {UNREADABLE})

    def test_two_types(self):
        """
        A message that is only odd is not held here.
        """
        self.assertEqual(found(b"Content-Type: a/b\r\nContent-Type: c/d\r\n\r\nx"), {})


class PolicyTests(SynchronousTestCase):
    """
    Tests of what follows.
    """

    def test_held_whatever_speaks_for_it(self):
        """
        By default no score below zero lets a forbidden file pass.
        """
        allowed = ScriptedCheck("lists", [Finding("ALLOWED_SENDER", -100, "Allowed.")])
        verdict = judge(attached("a.exe", PROGRAM), allowed)
        self.assertEqual((verdict.action, verdict.kind), (Action.QUARANTINE, Kind.POLICY))
        self.assertEqual(verdict.total, -92)

    def test_score(self):
        """
        In mode score it counts, is held for its own score, and passes where enough speaks for it.
        """
        allowed = ScriptedCheck("lists", [Finding("ALLOWED_SENDER", -6, "Allowed.")])
        data = attached("a.exe", PROGRAM)
        verdict = judge(data, mode="score")
        self.assertEqual((verdict.action, verdict.kind), (Action.QUARANTINE, Kind.POLICY))
        self.assertEqual(judge(data, allowed, mode="score").action, Action.ACCEPT)

    def test_cap(self):
        """
        All findings together hold, and do not refuse.
        """
        packed = zip_of(local_header(b"a.pdf.exe", flags=1), central_header(b"b.js", flags=1))
        verdict = judge(attached("a.zip", packed))
        self.assertEqual(
            {each.symbol for each in verdict.findings},
            {FORBIDDEN, DISGUISED, ENCRYPTED, UNREADABLE},
        )
        self.assertEqual((verdict.action, verdict.total), (Action.QUARANTINE, 12))

    def test_encrypted_and_something_else(self):
        """
        An encrypted archive adds to what else was found.
        """
        other = ScriptedCheck("bayes", [Finding("BAYES_SPAM", 3, "Likely.")])
        packed = zip_of(local_header(b"a", flags=1), central_header(b"a", flags=1))
        self.assertEqual(judge(attached("a.zip", packed), other).action, Action.QUARANTINE)

    def test_broken_check(self):
        """
        What cannot be looked at in time is held as such.
        """
        extractor = make_extractors(ImmediateThreads())[2]
        self.assertEqual(extractor.name, "files")
        check = AttachmentsCheck.from_settings(settings())
        self.assertEqual((check.phase, check.needs), (Phase.BODY, ("content", "files")))
        rule = settings().checks.attachments
        policy = Policy(settings().policy, {"attachments": rule})

        class Broken:
            """
            An extractor that breaks.
            """

            name = "files"
            needs = ()
            deadline = 1.0

            def extract(self, view):
                """
                Break.
                """
                raise ValueError("broken")

        extractors = [*make_extractors(ImmediateThreads())[:2], Broken()]
        pipeline = Pipeline(make_plan([check], extractors), policy, Clock(), lambda: NOW, 30)
        transaction = pipeline.open(session()).begin(ENVELOPE)
        transaction.mail()
        transaction.rcpt(ADA)
        (verdict,) = transaction.message(MemoryMessage((b"x",)))
        self.flushLoggedErrors(ValueError)
        self.assertEqual((verdict.action, verdict.kind), (Action.QUARANTINE, Kind.UNSCANNABLE))

    @given(st.text(max_size=40), st.binary(max_size=60), st.booleans())
    def test_words(self, name, content, is_packed):
        """
        Whatever it is called, what is said of it can be shown.
        """
        name = "".join(c for c in f"{name}.exe" if c not in '\r\n\0"\\').encode("utf-8", "replace")
        name = name.decode()
        data = attached(name, zipped((name or "x", content)) if is_packed else content)
        for finding in found(data).values():
            self.assertTrue(finding.detail.isprintable())
            self.assertRegex(finding.detail, r"\A[A-Z].*[.)]\Z")
            self.assertLess(len(finding.detail), 1200)
