"""
Tests of judging what attachments would do.
"""

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailgate.checks.attachments import AttachmentsCheck
from mailgate.checks.documents import DocumentsCheck
from mailgate.checks.links import LinksCheck
from mailgate.interfaces import (
    ISandbox,
    SandboxDied,
    SandboxTimeout,
    SandboxUnavailable,
)
from mailgate.knowledge.dnslists import DnsLists
from mailgate.sandboxed import Here
from mailgate.verdict import Action, Kind
from tests.checks.given import judge_message, settings
from tests.message.documents import (
    code,
    locked_pdf,
    locked_zip_aes,
    macros,
    page,
    pdf,
    relationship,
    shortcut,
    smuggling,
    word,
)
from tests.message.samples import PROGRAM, attached, message, zipped
from tests.net.zones import Zones

QUIET = {"attachments": {"forbidden_types": [], "forbidden_extensions": []}}
ZIP = zipped(("a.exe", PROGRAM + bytes(range(256)) * 2))


@implementer(ISandbox)
class Broken:
    """
    A sandbox that has no result.
    """

    protections = None
    problem = ""

    def __init__(self, error):
        self.error = error
        self.jobs = 0

    def run(self, job, value, seconds):
        """
        Fail.
        """
        self.jobs += 1
        return fail(self.error)


@implementer(ISandbox)
class Liar(Broken):
    """
    A sandbox that says what nobody says.
    """

    def run(self, job, value, seconds):
        """
        Lie.
        """
        done = Deferred()
        done.callback(self.error)
        return done


def judge(data, sandbox=None, **options):
    """
    Give the verdict on a message, as the gateway makes it with these checks.
    """
    given = settings(**options)
    checks = [
        AttachmentsCheck.from_settings(given),
        DocumentsCheck.from_settings(given),
        LinksCheck.from_settings(given, DnsLists(), Zones()),
    ]
    return judge_message(data, given, checks, sandbox=sandbox or Here())


def found(data, **options):
    """
    Give the findings about a message by their symbols.
    """
    return {each.symbol: each for each in judge(data, **options).findings}


class DocumentsTests(SynchronousTestCase):
    """
    Tests of what is found.
    """

    def test_kinds(self):
        """
        Each kind of evidence has its finding, with the name of the file.
        """
        far = relationship("attachedTemplate", "https://example.net/a.dotm")
        start = b"<</Type /Catalog /OpenAction 2 0 R>>"
        for symbol, name, content in (
            ("OFFICE_MACROS", "a.docm", macros()),
            ("OFFICE_REMOTE_TEMPLATE", "a.docx", word(("word/_rels/settings.xml.rels", far))),
            ("OFFICE_DDE", "a.csv", b"=cmd|'/c calc'!A0"),
            ("OFFICE_EMBEDDED", "a.rtf", b"{\\rtf1 {\\object{\\*\\objdata 0105}}}"),
            ("PDF_SCRIPT", "a.pdf", pdf(start, b"<</S /JavaScript>>")),
            ("PDF_LAUNCH", "a.pdf", pdf(start, b"<</S /Launch /F (cmd.exe)>>")),
            ("PDF_FILES", "a.pdf", pdf(start, b"<</Type /EmbeddedFile>>")),
            ("ATTACHMENT_SMUGGLING", "a.html", smuggling(ZIP)),
            ("ATTACHMENT_UNPACKING", "a.html", page(b"<script>eval(atob('" + b"A" * 1200 + b"'))")),
            ("ATTACHMENT_SCRIPT", "a.svg", b"<svg><script>alert(1)</script></svg>"),
            ("ATTACHMENT_PASSWORD", "a.htm", page(b"<form><input type=password></form>")),
            (
                "ATTACHMENT_REDIRECT",
                "a.html",
                page(b"<meta http-equiv=refresh content='0;url=https://example.net/'>"),
            ),
            ("ATTACHMENT_SHORTCUT", "a.lnk", shortcut("cmd.exe", "/c calc")),
            ("ATTACHMENT_CODE", "a.png", code("https://example.net/")),
        ):
            findings = found(attached(name, content), **QUIET)
            self.assertIn(symbol, findings, (symbol, findings))
            self.assertIn(f"“{name}”", findings[symbol].detail)
            self.assertTrue(findings[symbol].detail.endswith("."))

    def test_harmless(self):
        """
        Usual attachments are no finding.
        """
        for name, content in (
            ("a.docx", word()),
            ("a.pdf", pdf(b"<</Type /Catalog>>", b"<</URI (https://example.net/)>>")),
            ("a.html", page(b"<p>Words</p>")),
            ("a.txt", b"words"),
            ("a.png", code("no link")),
            ("a.csv", b"a;b\r\n1;=SUM(A1)\r\n"),
        ):
            self.assertEqual(found(attached(name, content)), {}, name)

    def test_inside(self):
        """
        What is in an archive is looked into, and named with the archive.
        """
        data = attached("a.zip", zipped(("b.html", smuggling(ZIP))))
        finding = found(data)["ATTACHMENT_SMUGGLING"]
        self.assertIn("“b.html” in “a.zip” hands over a file", finding.detail)

    def test_deep(self):
        """
        A page in the innermost archive that is opened is looked into; what lies in it is not, and
        that is told.
        """
        data = attached("a.zip", zipped(("b.html", smuggling(ZIP))))
        findings = found(data, attachments={"depth": 1})
        self.assertEqual(set(findings), {"ATTACHMENT_SMUGGLING", "ATTACHMENT_UNREADABLE"})
        self.assertIn("more than 1 deep", findings["ATTACHMENT_UNREADABLE"].detail)

    def test_a21_smuggled_program(self):
        """
        A program in an archive in a page is forbidden like any other.
        """
        finding = found(attached("a.html", smuggling(ZIP)))["ATTACHMENT_FORBIDDEN"]
        self.assertIn("a.exe", finding.detail)

    def test_held(self):
        """
        For what is an attack a message is held at once, as malware; other evidence only counts.
        """
        data = attached("a.csv", b"=cmd|'/c calc'!A0")
        verdict = judge(data)
        self.assertEqual((verdict.action, verdict.kind), (Action.QUARANTINE, Kind.MALWARE))
        for name, content in (
            ("a.pdf", pdf(b"<</S /JavaScript>>")),
            ("a.html", page(b"<form><input type=password></form>")),
            ("a.png", code("https://example.net/")),
        ):
            self.assertEqual(judge(attached(name, content)).action, Action.ACCEPT)

    def test_shown(self):
        """
        What a stranger wrote is told so that it can be shown.
        """
        data = attached("a.pdf", pdf(b"<</S /Launch /F (a\x1b[31m\nb)>>"))
        finding = found(data)["PDF_LAUNCH"]
        self.assertTrue(finding.detail.isprintable())
        self.assertIn("\\x1b", finding.detail)


class PasswordTests(SynchronousTestCase):
    """
    Tests of encrypted files.
    """

    def test_a23_encrypted(self):
        """
        What a password of the message opens is judged like anything else; what none opens is
        tagged and not held.
        """
        locked = attached("a.zip", locked_zip_aes(b"tulip", b"a.exe", PROGRAM))
        for text, expected, action in (
            (
                b"The password: tulip",
                {"ATTACHMENT_OPENED", "ATTACHMENT_FORBIDDEN"},
                Action.QUARANTINE,
            ),
            (
                b"The password: rose",
                {"ATTACHMENT_FORBIDDEN", "ATTACHMENT_ENCRYPTED"},
                Action.QUARANTINE,
            ),
        ):
            verdict = judge(locked.replace(b"See attached.", text))
            self.assertEqual({each.symbol for each in verdict.findings}, expected)
            self.assertEqual(verdict.action, action)
        harmless = attached("a.zip", locked_zip_aes(b"tulip", b"a.txt", b"words"))
        verdict = judge(harmless)
        self.assertEqual([each.symbol for each in verdict.findings], ["ATTACHMENT_ENCRYPTED"])
        self.assertEqual(verdict.action, Action.TAG)

    def test_pdf(self):
        """
        A PDF that needs a password is encrypted; one that needs none is not.
        """
        for password, expected in (("rose", {"ATTACHMENT_ENCRYPTED"}), ("", set())):
            data = attached("a.pdf", locked_pdf(password, "https://example.net/"))
            self.assertEqual(set(found(data)), expected)


class LinkTests(SynchronousTestCase):
    """
    Tests of links in attachments.
    """

    def test_links(self):
        """
        A link in any attachment is a link of the message.
        """
        link = "https://192.0.2.1/x"
        for name, content in (
            ("a.png", code(link)),
            ("a.pdf", pdf(b"<</URI (" + link.encode() + b")>>")),
            ("b.pdf", locked_pdf("", link)),
            ("a.docx", word(("word/_rels/document.xml.rels", relationship("hyperlink", link)))),
            ("b.docx", word(("word/media/image1.png", code(link)))),
            ("a.html", page(b"<a href='" + link.encode() + b"'>x</a>")),
            ("a.ics", b"BEGIN:VCALENDAR\r\nURL:https://192.0.\r\n 2.1/x\r\n"),
            ("a.url", b"[InternetShortcut]\r\nURL=" + link.encode() + b"\r\n"),
            ("a.zip", zipped(("b.txt", link.encode()))),
        ):
            findings = found(attached(name, content), **QUIET)
            self.assertIn("LINK_ADDRESS", findings, name)
            self.assertIn("192.0.2.1", findings["LINK_ADDRESS"].detail)


class SandboxTests(SynchronousTestCase):
    """
    Tests of what follows when the sandbox has no result.
    """

    MESSAGE = attached("a.docm", macros())

    def test_a24_death(self):
        """
        A file that kills its process, or comes to no end, or makes it lie, is told, and the message
        is held as unscannable.
        """
        for sandbox in (
            Broken(SandboxDied("it was killed by SIGSEGV")),
            Broken(SandboxTimeout("it took too long")),
            Liar(b"nonsense"),
        ):
            verdict = judge(self.MESSAGE, sandbox, **QUIET)
            (finding,) = verdict.findings
            self.assertEqual(finding.symbol, "DOCUMENT_UNREADABLE")
            self.assertIn("“a.docm”", finding.detail)
            self.assertEqual((verdict.action, verdict.kind), (Action.QUARANTINE, Kind.UNSCANNABLE))

    def test_a24_unavailable(self):
        """
        Without a process nothing passes silently: on_error decides, and the finding says why.
        """
        for on_error, action in (
            ("defer", Action.DEFER),
            ("quarantine", Action.QUARANTINE),
            ("ignore", Action.ACCEPT),
        ):
            sandbox = Broken(SandboxUnavailable("no process was free in time"))
            verdict = judge(self.MESSAGE, sandbox, documents={"on_error": on_error}, **QUIET)
            (finding,) = verdict.findings
            self.assertEqual((finding.symbol, verdict.action), ("CHECK_FAILED", action))
            self.assertIn("no process was free in time", finding.detail)

    def test_seen_without(self):
        """
        What is seen without the sandbox counts in any case.
        """
        data = message(
            ("Content-Type: a/b; name=a.html", smuggling(ZIP)),
            ("Content-Type: a/b; name=b.png", code("https://example.net/")),
        )
        sandbox = Broken(SandboxUnavailable("no process was free in time"))
        verdict = judge(data, sandbox, documents={"on_error": "ignore"}, **QUIET)
        symbols = {each.symbol for each in verdict.findings}
        self.assertEqual(symbols, {"ATTACHMENT_SMUGGLING", "CHECK_FAILED"})

    def test_not_asked(self):
        """
        It is asked only where a parser of somebody else is needed.
        """
        sandbox = Broken(SandboxUnavailable("x"))
        for data in (
            b"Subject: x\r\n\r\nwords",
            attached("a.txt", b"words"),
            attached("a.pdf", pdf(b"<</Type /Catalog>>")),
            attached("a.docx", word()),
            attached("a.html", page(b"x")),
        ):
            self.assertEqual(judge(data, sandbox).findings, ())
        self.assertEqual(sandbox.jobs, 0)
