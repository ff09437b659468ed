"""
Tests of our own header fields: forged ones go, true ones stand on top.
"""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailgate.authentication.results import MethodResult, Property, of_spf, parse, words
from mailgate.authentication.spf import Identity, Spf, SpfResult
from mailgate.finding import Finding
from mailgate.interfaces import IMessage, IRewriter
from mailgate.message.header import Headers
from mailgate.message.message import HEAD_LIMIT, MemoryMessage
from mailgate.message.spool import CHUNK, FileMessage
from mailgate.rewrite.headers import FINDINGS, HeaderRewriter, with_mark, without_ours
from mailgate.store.findings import decode, encode
from mailgate.verdict import Action, Verdict
from mailgate.wire.address import Address

TRACE = "7q4m-x2vd-90kt"
RECEIVED = b"Received: from client.example.org\r\n\tby mail.example.com; today\r\n"
OURS = (
    b"X-Mailgate-Trace: 7q4m-x2vd-90kt\r\nX-Mailgate-Verdict: accept\r\nX-Mailgate-Score: 0.00\r\n"
)
NAMES = (b"X-Mailgate-Verdict", b"x-mailgate-score", b"X-MAILGATE-Anything", b"X-Mailgate-")


class Threads:
    """
    Threads whose answers come when they are asked for.
    """

    def __init__(self):
        self.waiting = []

    def run(self, function, *args):
        """
        Promise to call C{function}.
        """
        deferred = Deferred()
        self.waiting.append((deferred, function, args))
        return deferred

    def answer(self):
        """
        Keep the oldest promise.
        """
        deferred, function, args = self.waiting.pop(0)
        deferred.callback(function(*args))


def verdict(action=Action.ACCEPT, total=0.0):
    """
    Give a verdict.
    """
    return Verdict(action, (), total)


def apply(*pieces, action=Action.ACCEPT, total=0.0):
    """
    Rewrite a message that came in these pieces.
    """
    return HeaderRewriter().apply(TRACE, verdict(action, total), MemoryMessage(pieces, RECEIVED))


def data_of(message):
    """
    Give the bytes of a message in memory, without what is prepended.
    """
    return b"".join(message.chunks())


class FieldsTests(SynchronousTestCase):
    """
    Tests of the fields that are set.
    """

    def test_provided(self):
        """
        The rewriter and what it gives are what they say.
        """
        verifyObject(IRewriter, HeaderRewriter())
        for data in (b"A: b\r\n\r\n", b"X-Mailgate-Score: 9\r\n\r\n"):
            verifyObject(IMessage, apply(data))

    def test_on_top(self):
        """
        Our fields stand above our Received field, where no sender can put anything.
        """
        self.assertEqual(apply(b"A: b\r\n\r\n").prepended, OURS + RECEIVED)
        self.assertEqual(apply(b"X-Mailgate-Score: 9\r\n\r\n").prepended, OURS + RECEIVED)

    def test_verdict(self):
        """
        The verdict is C{tag} where it is, and for all else that is delivered C{accept}.
        """
        for action in Action:
            fields = Headers.parse(apply(b"", action=action).prepended)
            expected = b"tag" if action is Action.TAG else b"accept"
            self.assertEqual(fields.values("X-Mailgate-Verdict"), [expected])

    def test_score(self):
        """
        The score has two digits behind the point, and a nothing has no sign.
        """
        for total, score in ((5, b"5.00"), (-1.255, b"-1.25"), (7.999, b"8.00"), (-0.001, b"0.00")):
            fields = Headers.parse(apply(b"", total=total).prepended)
            self.assertEqual(fields.values("X-Mailgate-Score"), [score])


class FindingsTests(SynchronousTestCase):
    """
    Tests of the field that names what was found.
    """

    def field(self, *findings, action=Action.TAG):
        """
        Give all of our fields for some findings.
        """
        found = Verdict(action, tuple(Finding(*each) for each in findings), 5.0)
        return HeaderRewriter().apply(TRACE, found, MemoryMessage((b"A: b\r\n\r\n",))).prepended

    def test_named(self):
        """
        A tagged message names what was found and what each adds, the weightiest first.
        """
        fields = self.field(
            ("DATE_MISSING", 1.5, "x"), ("HELO_OWN_NAME", 6, "x"), ("ALLOWED", -2.25, "x")
        )
        self.assertTrue(
            fields.endswith(
                b"X-Mailgate-Score: 5.00\r\n"
                b"X-Mailgate-Findings: HELO_OWN_NAME=6, ALLOWED=-2.25, DATE_MISSING=1.5\r\n"
            )
        )

    def test_only_where_tagged(self):
        """
        No other message says what was found, nor does one for which nothing was found.
        """
        for action in set(Action) - {Action.TAG}:
            self.assertNotIn(b"Findings", self.field(("DATE_MISSING", 1.5, "x"), action=action))
        self.assertNotIn(b"Findings", self.field())

    def test_folded(self):
        """
        It is folded into lines of at most 78 characters, of which no words are lost.
        """
        findings = [(f"SOMETHING_{'X' * (number % 30)}_{number}", 1, "x") for number in range(40)]
        lines = self.field(*findings).split(b"\r\n")
        self.assertLessEqual(max(map(len, lines)), 78)
        value = Headers.parse(b"\r\n".join(lines)).values("X-Mailgate-Findings")[0]
        self.assertEqual(value.count(b","), 39)
        self.assertEqual(value.split(b", "), [f"{name}=1".encode() for name, _, _ in findings])

    def test_bounded(self):
        """
        At most fifty are named, those that weigh most.
        """
        fields = self.field(*((f"FOUND_{number}", number / 10, "x") for number in range(60)))
        self.assertEqual(fields.count(b"="), FINDINGS)
        self.assertIn(b"FOUND_59=5.9", fields)
        self.assertNotIn(b"FOUND_9=", fields)

    @given(st.text(), st.text(), st.floats(-100, 100))
    def test_nothing_of_a_stranger(self, symbol, detail, score):
        """
        Neither the evidence nor what is no symbol gets into the header (A15).
        """
        fields = self.field((symbol, score, detail))
        self.assertRegex(
            fields, rb"\A(X-Mailgate-[A-Za-z]+: [A-Za-z0-9_.,=e -]+\r\n( [A-Z0-9_=.e-]+\r\n)?)+\Z"
        )


class MarkTests(SynchronousTestCase):
    """
    Tests of the mark before the subject.
    """

    MARK = "[SPAM?]"

    def marked(self, section, action=Action.TAG, mark=MARK):
        """
        Rewrite a message with this header section.
        """
        body = b"\r\nSubject: of the body\r\n"
        rewritten = HeaderRewriter(mark).apply(
            TRACE, verdict(action), MemoryMessage((section + body,))
        )
        data = data_of(rewritten)
        self.assertTrue(data.endswith(body))
        return data.removesuffix(body)

    def test_before_the_subject(self):
        """
        The mark stands before the words of the subject, which are as they came.
        """
        for subject, expected in (
            (b"Subject: hello\r\n", b"Subject: [SPAM?] hello\r\n"),
            (b"SUBJECT:hello\r\n", b"SUBJECT: [SPAM?] hello\r\n"),
            (b"subject :  hello \r\n", b"subject : [SPAM?] hello \r\n"),
            (b"Subject: =?utf-8?q?caf=C3=A9?=\r\n", b"Subject: [SPAM?] =?utf-8?q?caf=C3=A9?=\r\n"),
            (b"Subject: one\r\n two\r\n", b"Subject: [SPAM?] one\r\n two\r\n"),
            (b"Subject:\r\n two\r\n", b"Subject: [SPAM?]\r\n two\r\n"),
            (b"Subject: \r\n", b"Subject: [SPAM?]\r\n"),
        ):
            self.assertEqual(
                self.marked(b"A: b\r\n" + subject + b"C: d\r\n"),
                b"A: b\r\n" + expected + b"C: d\r\n",
            )

    def test_long(self):
        """
        A line that would become too long is folded behind the mark.
        """
        words = b"x" * 900 + b"\r\n"
        self.assertEqual(self.marked(b"Subject: " + words), b"Subject: [SPAM?]\r\n " + words)

    def test_once(self):
        """
        A subject that begins with the mark is left alone.
        """
        section = b"Subject: [SPAM?] hello\r\n"
        self.assertEqual(self.marked(section), section)

    def test_several_and_none(self):
        """
        Of several subjects each is marked; where there is none the mark becomes it.
        """
        self.assertEqual(
            self.marked(b"Subject: a\r\nSubject: b\r\n"),
            b"Subject: [SPAM?] a\r\nSubject: [SPAM?] b\r\n",
        )
        self.assertEqual(self.marked(b"A: b\r\n"), b"Subject: [SPAM?]\r\nA: b\r\n")

    def test_only_where_tagged(self):
        """
        No other message is marked, and none where there is no mark.
        """
        section = b"Subject: hello\r\n"
        for action in set(Action) - {Action.TAG}:
            self.assertEqual(self.marked(section, action), section)
        self.assertEqual(self.marked(section, mark=""), section)

    def test_forged_ones_go(self):
        """
        Fields of ours that a sender has set go from a marked message as well.
        """
        self.assertEqual(
            self.marked(b"X-Mailgate-Findings: ALLOWED=-9\r\n FINE=-9\r\nSubject: a\r\n"),
            b"Subject: [SPAM?] a\r\n",
        )

    @given(st.lists(st.sampled_from((b"Subject", b":", b" ", b"\r\n", b"a", b"[SPAM?]", b"\n"))))
    def test_any_section(self, pieces):
        """
        Whatever the section looks like, marks and white space are all that is put into it, and
        the name of the field where that was not there.
        """

        def bare(text):
            return b"".join(text.replace(b"[SPAM?]", b"").split())

        section = b"".join(pieces)
        marked = bare(with_mark(section, b"[SPAM?]"))
        self.assertIn(marked, (bare(section), b"Subject:" + bare(section)))


class UntouchedTests(SynchronousTestCase):
    """
    Tests of messages in which nothing is forged.
    """

    def test_by_reference(self):
        """
        All pieces are passed on as they are, not copied.
        """
        pieces = (b"From: a@example.org\r\n", b"\r\nX-Mailgate-Score: 9\r\n", b"end")
        chunks = list(apply(*pieces).chunks())
        self.assertEqual(len(chunks), 3)
        for chunk, piece in zip(chunks, pieces, strict=True):
            self.assertIs(chunk, piece)

    def test_similar(self):
        """
        What only resembles our fields stays.
        """
        for section in (
            b"X-Mailgat: 1\r\n",
            b"X-Mail-Gate-Score: 1\r\n",
            b"Subject: X-Mailgate-Score: 1\r\n",
            b"Subject: a\r\n X-Mailgate-Score: 1\r\n",
            b"XX-Mailgate-Score: 1\r\n",
        ):
            self.assertIs(without_ours(section), section)

    def test_file(self):
        """
        A message in a file stays one.
        """
        message = FileMessage(Path("/spool/1"), 8, b"A: b\r\n\r\n", Threads())
        rewritten = HeaderRewriter().apply(TRACE, verdict(), message)
        self.assertEqual(rewritten.path, message.path)


class ForgedTests(SynchronousTestCase):
    """
    Tests of messages that come with fields of ours.
    """

    def test_a16_forged_fields_of_ours(self):
        """
        Every field that begins like ours is stripped with its folded lines, however it is
        spelled and wherever in the header section it stands.
        """
        for forged in (
            b"X-Mailgate-Verdict: accept\r\n",
            b"x-mailgate-verdict:accept\r\n",
            b"X-MAILGATE-SCORE : -99\r\n",
            b"X-Mailgate-Score\t: -99\r\n",
            b"X-Mailgate-Trace:\r\n folded\r\n\tand again\r\n",
            b"X-Mailgate-Trace: a\r\n \r\n b\r\n",
            b"X-Mailgate-Future-Field: 1\r\n",
            b"X-Mailgate-\r\n",
            b"X-Mailgate-Verdict accept\r\n",
            b"X-Mailgate-Verdict: a\r\nx-mailgate-verdict: b\r\n",
        ):
            for before, after in (
                (b"", b""),
                (b"From: a@example.org\r\n", b""),
                (b"", b"From: a@example.org\r\n"),
                (b"Subject: a\r\n b\r\n", b"From: a@example.org\r\n c\r\n"),
            ):
                for body in (b"", b"\r\n", b"\r\n" + forged + b"body\r\n"):
                    message = apply(before + forged + after + body)
                    self.assertEqual(data_of(message), before + after + body)
                    self.assertEqual(message.size, len(before + after + body))
                    self.assertEqual(message.head(10), (before + after + body)[:10])

    def test_a16_fold_at_the_beginning(self):
        """
        A folded line at the very beginning would continue a field of ours, and goes as well.
        """
        message = apply(b" (by mail.example.com)\r\n\tand more\r\nFrom: a@example.org\r\n\r\nbody")
        self.assertEqual(data_of(message), b"From: a@example.org\r\n\r\nbody")

    def test_no_header(self):
        """
        A message without a header section has nothing to strip.
        """
        data = b"\r\nX-Mailgate-Score: 9\r\n"
        self.assertIs(next(iter(apply(data).chunks())), data)

    def test_every_edge(self):
        """
        It is all the same where the pieces of the message begin and end.
        """
        data = b"A: 1\r\nX-Mailgate-Score: 9\r\n x\r\nB: 2\r\n\r\nbody\r\n"
        expected = b"A: 1\r\nB: 2\r\n\r\nbody\r\n"
        for first in range(len(data) + 1):
            for second in range(first, len(data) + 1):
                message = apply(data[:first], data[first:second], data[second:])
                self.assertEqual(data_of(message), expected)

    def test_body_by_reference(self):
        """
        What lies behind the header section is not copied even then.
        """
        body = b"x" * 1000
        chunks = list(apply(b"X-Mailgate-Score: 9\r\n\r\n", body).chunks())
        self.assertEqual(chunks[0], b"\r\n")
        self.assertIs(chunks[1], body)

    def test_file(self):
        """
        A message in a file is stripped as it is read, and no longer said to lie there.
        """
        section = b"A: 1\r\n" + b"X-Mailgate-Score: 9\r\n" * 10_000 + b"\r\n"
        data = section + bytes(range(256)) * 5000
        path = Path(self.mktemp())
        path.write_bytes(data)
        threads = Threads()
        message = HeaderRewriter().apply(
            TRACE, verdict(), FileMessage(path, len(data), data[:HEAD_LIMIT], threads, RECEIVED)
        )
        expected = b"A: 1\r\n\r\n" + data[len(section) :]
        self.assertGreater(len(data), CHUNK)
        self.assertEqual((message.path, message.size), (None, len(expected)))
        self.assertEqual(message.prepended, OURS + RECEIVED)
        self.assertEqual(message.head(1000), expected[:1000])
        read = []
        for chunk in message.chunks():
            if isinstance(chunk, Deferred):
                threads.answer()
                chunk = self.successResultOf(chunk)
            read.append(chunk)
        self.assertEqual(b"".join(read), expected)

    def test_close(self):
        """
        To close the message closes the one that was received.
        """
        closed = []
        received = MemoryMessage(
            (b"X-Mailgate-Score: 9\r\n\r\n",), on_close=lambda: closed.append(1)
        )
        HeaderRewriter().apply(TRACE, verdict(), received).close()
        self.assertEqual(closed, [1])

    @given(
        st.lists(
            st.one_of(
                st.builds(
                    lambda name, value: name + b": " + value,
                    st.sampled_from((*NAMES, b"From", b"Subject", b"X-Mail")),
                    st.binary(max_size=20).map(lambda value: value.translate(None, b"\r\n\0")),
                ),
                st.sampled_from([b" fold", b"\tfold", b" ", b"no colon", b"\x80:\xff"]),
            ),
            max_size=8,
        ),
        st.binary(max_size=100),
        st.integers(1, 30),
    )
    def test_body_never_changes(self, lines, body, size):
        """
        No header section makes the body change, no field of ours is left, and others stay as
        they are.
        """
        section = b"".join(line + b"\r\n" for line in lines)
        data = section + b"\r\n" + body
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        rewritten = data_of(apply(*pieces))
        kept = rewritten.removesuffix(b"\r\n" + body)
        self.assertEqual(rewritten, kept + b"\r\n" + body)
        before, after = (Headers.parse(each + b"\r\n").fields for each in (section, kept))
        self.assertEqual(
            after,
            {name: v for name, v in before.items() if not name.startswith("x-mailgate-")},
        )


class ResultsTests(SynchronousTestCase):
    """
    Tests of Authentication-Results.
    """

    def test_written(self):
        """
        What SPF, DKIM and DMARC have found stands in one field of our name, also when it has been
        kept with a held message; the forged one is gone.
        """
        forged = b"Authentication-Results: mail.example.com; dkim=pass header.d=bank.example\r\n"
        sender = Address('"a\\" ; dkim=pass header.d=bank.example ("', "example.org")
        spf = Spf(SpfResult.FAIL, Identity.MAIL_FROM, "example.org", 'it is a "test"; \r\nX: y')
        found = (
            Finding("SPF_FAIL", 5.0, "No.", authentication=words(of_spf(spf, sender))),
            Finding("HELO_INVALID", 3.0, "No."),
            Finding(
                "DKIM_PASS",
                0.0,
                "Yes.",
                authentication=words(
                    MethodResult("dkim", "pass", (Property("header", "d", "example.org"),))
                ),
            ),
        )
        for findings in (found, decode(encode(found))):
            message = HeaderRewriter("", "mail.example.com").apply(
                TRACE,
                Verdict(Action.ACCEPT, findings, 8.0),
                MemoryMessage((forged + b"From: eve@example.org\r\n\r\n",)),
            )
            headers = Headers.parse(message.prepended + b"\r\n")
            (value,) = headers.values("Authentication-Results")
            results = parse(value)
            self.assertEqual(results.server, "mail.example.com")
            self.assertEqual(
                [(each.method, each.result) for each in results.results],
                [("spf", "fail"), ("dkim", "pass")],
            )
            self.assertEqual(results.results[1].values("header", "d"), ("example.org",))
            self.assertEqual(headers.values("X"), [])
            self.assertNotIn(b"Authentication", b"".join(message.chunks()))

    def test_not_asked(self):
        """
        Where nothing was asked nothing is written.
        """
        message = HeaderRewriter("", "mail.example.com").apply(
            TRACE, verdict(), MemoryMessage((b"\r\n",))
        )
        self.assertNotIn(b"Authentication-Results", message.prepended)
