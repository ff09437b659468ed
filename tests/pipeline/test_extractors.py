"""
Tests of what is made of a message.
"""

from pathlib import Path

from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailgate.config.checks import Checks
from mailgate.interfaces import IExtractor, SandboxDied, SandboxUnavailable
from mailgate.message import mime
from mailgate.message.archive import Caps
from mailgate.message.look import JOB as LOOK
from mailgate.message.message import HEAD_LIMIT, MemoryMessage
from mailgate.message.spool import FileMessage
from mailgate.pipeline.extractors import make_extractors
from mailgate.pipeline.round import FAILED
from mailgate.sandboxed import JOBS
from mailgate.store.threads import ImmediateThreads
from tests.message.samples import attached, zipped
from tests.pipeline.events import events
from tests.pipeline.harness import ScriptedCheck, court


class SlowThreads:
    """
    Threads that do their work when they are told to.
    """

    def __init__(self):
        self.waiting = []

    def run(self, function, *args):
        """
        Remember the work.
        """
        done = Deferred()
        self.waiting.append(lambda: done.callback(function(*args)))
        return done

    def work(self):
        """
        Do what waits.
        """
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            each()


class ExtractorTests(SynchronousTestCase):
    """
    Tests of the built-in extractors.
    """

    def fact(self, name, message, threads=None):
        """
        Let a check ask for a fact.

        @return: the list that has the fact as soon as there is one.
        """
        seen = []

        def read(view):
            seen.append(view.fact(name))
            return ()

        extractors = make_extractors(threads or ImmediateThreads())
        here = court(ScriptedCheck("a", read, needs=(name,)), extractors=extractors)
        self.verdicts = here.transaction().message(message)
        return seen

    def test_provided(self):
        """
        Each is an extractor with a name of its own.
        """
        extractors = make_extractors(ImmediateThreads())
        for extractor in extractors:
            verifyObject(IExtractor, extractor)
        self.assertEqual(len({each.name for each in extractors}), len(extractors))

    def test_fields(self):
        """
        C{fields} are those of the header section, not of the body, wherever it ends.
        """
        for padding in (b"", b"X: " + b"x" * 20_000 + b"\r\n"):
            message = MemoryMessage((padding, b"Subject: yes\r\n\r\nSubject: no\r\n"))
            (fields,) = self.fact("fields", message)
            self.assertEqual(fields.values("Subject"), [b"yes"])

    def test_content(self):
        """
        C{content} is the whole message, and what is in it, at once where it lies in memory.
        """
        threads = SlowThreads()
        message = MemoryMessage((b"Subject: yes\r\n", b"\r\nSome words\r\n"))
        (content,) = self.fact("content", message, threads)
        self.assertEqual(content.data, b"Subject: yes\r\n\r\nSome words\r\n")
        self.assertEqual(content.parsed.text, "Some words")
        self.assertEqual(content.parsed.headers.text("subject"), "yes")
        self.assertEqual(threads.waiting, [])

    def test_headers_are_read_once(self):
        """
        The header fields in C{content} are those of C{fields}.
        """
        seen = []

        def read(view):
            seen.append(view.fact("content").parsed.headers is view.fact("fields"))
            return ()

        for data in (b"Subject: a\r\n\r\nb", b"\r\nb", b"Subject: a", b""):
            check = ScriptedCheck("a", read, needs=("content", "fields"))
            here = court(check, extractors=make_extractors(ImmediateThreads()))
            here.transaction().message(MemoryMessage((data,)))
        self.assertEqual(seen, [True] * 4)

    def test_large_message(self):
        """
        A large message is collected from its file and read in a thread; the verdict waits.
        """
        data = b"Subject: large\r\n\r\n" + b"words\r\n" * 200_000
        path = Path(self.mktemp())
        path.write_bytes(data)
        threads = SlowThreads()
        message = FileMessage(path, len(data), data[:HEAD_LIMIT], threads)
        seen = self.fact("content", message, threads)
        rounds = 0
        while threads.waiting:
            self.assertEqual(seen, [])
            self.assertNoResult(self.verdicts)
            threads.work()
            rounds += 1
        self.assertEqual(rounds, 3)
        self.assertEqual(seen[0].data, data)
        self.assertTrue(seen[0].parsed.is_cut)
        self.assertEqual(len(self.successResultOf(self.verdicts)), 1)

    def test_content_that_takes_long(self):
        """
        A small message with more parts than usual is read in a thread, to its end.
        """
        threads = SlowThreads()
        parts = b"--b\r\n\r\nx\r\n" * 300
        data = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + parts + b"--b--\r\n"
        seen = self.fact("content", MemoryMessage((data,)), threads)
        self.assertEqual((seen, len(threads.waiting)), ([], 1))
        threads.work()
        self.assertEqual(len(seen[0].parsed.parts), 301)
        self.assertEqual(seen[0].parsed.unread, ())

    def test_readings(self):
        """
        C{readings} are there at once for a message that is strictly regular. Any other, and one
        whose text may hold files, is read in a thread.
        """
        threads = SlowThreads()
        data = attached("a.txt", b"words")
        (readings,) = self.fact("readings", MemoryMessage((data,)), threads)
        self.assertEqual(len(readings.all), 1)
        self.assertEqual(threads.waiting, [])
        odd = b"X : y\r\n" + data
        text = b"Subject: x\r\n\r\nbegin 644 a.txt\r\n#0V%T\r\n`\r\nend\r\n"
        for data, is_odd in ((odd, True), (text, False)):
            seen = self.fact("readings", MemoryMessage((data,)), threads)
            self.assertEqual((seen, len(threads.waiting)), ([], 1))
            threads.work()
            self.assertEqual(len(seen[0].all) > 1, is_odd)
            self.assertEqual([each.part.name for each in seen[0].enclosed], ["a.txt"])
            self.assertEqual(len(self.successResultOf(self.verdicts)), 1)

    def test_files(self):
        """
        C{files} are what a message brings, at once where nothing has to be opened.
        """
        threads = SlowThreads()
        for data, names in (
            (b"Subject: x\r\n\r\nwords", []),
            (attached("a.txt", b"words"), [("a.txt",)]),
        ):
            (files,) = self.fact("files", MemoryMessage((data,)), threads)
            self.assertEqual([file.names for file in files.files], names)
        self.assertEqual(threads.waiting, [])

    def test_files_in_a_thread(self):
        """
        Archives are opened in a thread; the verdict waits.
        """
        threads = SlowThreads()
        message = MemoryMessage((attached("a.zip", zipped(("b.txt", b"words"))),))
        seen = self.fact("files", message, threads)
        self.assertEqual((seen, len(threads.waiting)), ([], 1))
        threads.work()
        self.assertEqual([file.names for file in seen[0].files], [("a.zip",), ("b.txt",)])
        self.assertEqual(len(self.successResultOf(self.verdicts)), 1)

    def test_files_of_a_large_message(self):
        """
        So are all attachments of a large message.
        """
        data = attached("a.txt", b"words " * 100_000)
        path = Path(self.mktemp())
        path.write_bytes(data)
        threads = SlowThreads()
        message = FileMessage(path, len(data), data[:HEAD_LIMIT], ImmediateThreads())
        seen = self.fact("files", message, threads)
        for _ in ("content", "files"):
            self.assertEqual((seen, len(threads.waiting)), ([], 1))
            threads.work()
        self.assertEqual([file.names for file in seen[0].files], [("a.txt",)])

    def test_caps(self):
        """
        How far archives are opened is up to the settings.
        """
        checks = Checks.model_validate({"attachments": {"depth": 2, "files": 7}})
        extractor = make_extractors(ImmediateThreads(), checks)[2]
        self.assertEqual(extractor.caps, Caps(depth=2, files=7))
        section = Checks().attachments
        self.assertEqual(make_extractors(ImmediateThreads())[2].caps, Caps())
        self.assertEqual(section.unpacked_bytes, Caps().unpacked_bytes)

    def test_languages(self):
        """
        C{languages} are those of the first page that shows text, else of the plain text; of a text
        that says nothing there is none.
        """
        german = b"Wir haben den Termin verschoben, bitte sagen Sie uns, ob das so ist."
        english = b"We have moved the meeting, please tell us if that is all right with you."
        plain = b"Content-Type: text/plain\r\n\r\n%s\r\n"
        page = b"Content-Type: text/html\r\n\r\n<p>%s</p>\r\n"
        both = (
            b"Content-Type: multipart/alternative; boundary=b\r\n\r\n"
            b"--b\r\n" + plain % english + b"--b\r\n" + page % german + b"--b--\r\n"
        )
        for data, expected in (
            (plain % english, ("en",)),
            (page % german, ("de",)),
            (both, ("de",)),
            (both.replace(german, b" "), ("en",)),
            (plain % b"12345", ()),
        ):
            self.assertEqual(self.fact("languages", MemoryMessage((data,))), [expected])


class SeenTests(SynchronousTestCase):
    """
    Tests of C{seen}.
    """

    head = b"Content-Type: text/html\r\n\r\n"

    def seen(self, body, answer=None, threads=None):
        """
        Let a check ask for what a page shows.

        @param answer: what the sandbox gives; by default what it would give.
        @return: the list that has it as soon as it is there.
        """
        seen = []
        asked = self.asked = []

        def read(view):
            seen.append(view.fact("seen"))
            return ()

        class Sandbox:
            def run(self, job, value, seconds):
                asked.append(job)
                return maybeDeferred(JOBS[job], value) if answer is None else answer

        threads = threads or ImmediateThreads()
        extractors = make_extractors(threads, sandbox=Sandbox())
        here = court(ScriptedCheck("a", read, needs=("seen",)), extractors=extractors)
        judged = here.transaction().message(MemoryMessage((self.head + body,)))
        self.verdicts = self.successResultOf(judged) if isinstance(judged, Deferred) else judged
        return seen

    def test_at_once(self):
        """
        A page of some hundred tags is looked at at once.
        """
        (seen,) = self.seen(b"<p>words " * 500, threads=SlowThreads())
        self.assertEqual(seen.page.text.count("words"), 500)
        self.assertEqual(self.asked, [])

    def test_thread(self):
        """
        A page of many tags or references is looked at in a thread, however short it is.
        """
        for body in (b"<a>" * 3000, b"&a" * 12_000, b"words " * 20_000):
            threads = Threads()
            self.assertEqual(len(self.seen(body, threads=threads)), 1)
            self.assertTrue(threads.ran)
            self.assertEqual(self.asked, [])

    def test_same_elsewhere(self):
        """
        Above 256 KiB another process looks, and what it sees is what is seen here.
        """
        for body in (b"<p>words " * 40_000, b"<a href=http://a.example/>x</a>" * 10_000):
            (seen,) = self.seen(body)
            self.assertEqual(self.asked, [LOOK])
            here = mime.read(self.head + body).seen
            self.assertEqual((seen.plain, seen.pages), (here.plain, here.pages))

    def test_nobody_there(self):
        """
        Where there is no process, it is looked at here, and an event tells it.
        """
        with events() as told:
            (seen,) = self.seen(b"words " * 50_000, fail(SandboxUnavailable("20 jobs wait")))
        self.assertTrue(seen.page.text.startswith("words"))
        self.assertEqual([each["event"] for each in told], ["text.here"])

    def test_dies(self):
        """
        Where the process dies, or says what cannot be, the checks that need it have failed.
        """
        for answer in (fail(SandboxDied("killed")), succeed(b"nonsense")):
            with events() as told:
                self.assertEqual(self.seen(b"words " * 50_000, answer), [])
            self.assertEqual([each["event"] for each in told], ["text.unseen"])
            (finding,) = self.verdicts[0].findings
            self.assertEqual(finding.symbol, FAILED)


class Threads:
    """
    Threads that do their work at once, and remember that there was some.
    """

    ran = False

    def run(self, function, *args):
        """
        Do it.
        """
        self.ran = True
        return succeed(function(*args))
