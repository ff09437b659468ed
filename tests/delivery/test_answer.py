"""
Tests of L{mailgate.delivery.answer}.
"""

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailgate.delivery.answer import (
    Answer,
    is_unknown,
    is_unreached,
    kept,
    lost,
    not_reached,
    passed_on,
)
from mailgate.reply import Reply


class AnswerTests(SynchronousTestCase):
    """
    Tests of the Deferreds that cannot be cancelled.
    """

    def test_cancel(self):
        """
        Before C{keep} an answer is cancelled like any Deferred.
        """
        cancelled = []
        answer = Answer(cancelled.append)
        answer.cancel()
        self.assertEqual(cancelled, [answer])
        self.failureResultOf(answer, CancelledError)

    def test_keep(self):
        """
        After it the answer comes, however often it is cancelled.
        """
        cancelled = []
        answer = Answer(cancelled.append)
        answer.keep()
        answer.cancel()
        answer.cancel()
        answer.callback("done")
        self.assertEqual(self.successResultOf(answer), "done")
        self.assertEqual(cancelled, [])

    def test_kept(self):
        """
        What is kept goes on, and its result or failure comes.
        """
        for end, value in ((Deferred.callback, "done"), (Deferred.errback, ValueError("broken"))):
            working = Deferred()
            answer = kept(working)
            answer.cancel()
            self.assertNoResult(answer)
            end(working, value)
            if isinstance(value, str):
                self.assertEqual(self.successResultOf(answer), value)
            else:
                self.assertIs(self.failureResultOf(answer, ValueError).value, value)


class ReplyTests(SynchronousTestCase):
    """
    Tests of the replies.
    """

    def test_own(self):
        """
        Only a message that was lost before its reply is unknown.
        """
        self.assertTrue(is_unknown(lost("x")))
        self.assertFalse(is_unknown(not_reached("x")))
        self.assertFalse(is_unknown(Reply(250, "4.4.2", "x")))

    def test_words_of_an_upstream(self):
        """
        What an upstream says with the codes of one of ours is not ours.
        """
        self.assertTrue(is_unreached(not_reached("x")))
        self.assertFalse(is_unreached(Reply(451, "4.4.1", "no answer from mx.example.org")))
        self.assertFalse(is_unknown(passed_on(Reply(421, "4.4.2", "timeout exceeded"))))

    def test_passed_on(self):
        """
        An upstream's reply is passed on as it is, as far as our client can take it.
        """
        for reply, expected in (
            (Reply(550, "5.1.1", "no"), Reply(550, "5.1.1", "no")),
            (Reply(550, "", "no"), Reply(550, "5.0.0", "no")),
            (Reply(250, "", "ok"), Reply(250, "2.0.0", "ok")),
            (Reply(421, "4.3.2", "bye"), Reply(451, "4.3.2", "bye")),
            (Reply(421, "", "bye"), Reply(451, "4.0.0", "bye")),
            (Reply(550, "5.1.1", "a\nb"), Reply(550, "5.1.1", "a\nb")),
            (Reply(550, "5.1.1", "x" * 2000), Reply(550, "5.1.1", "x" * 400)),
            (Reply(550, "", "\n".join("x" * 99)), Reply(550, "5.0.0", "\n".join("x" * 10))),
        ):
            self.assertEqual(passed_on(reply), expected)

    def test_line_length(self):
        """
        Whatever an upstream says, a line to the client is at most 512 bytes long.
        """
        for text in ("x" * 2000, "\n".join(["x" * 2000] * 100), "x" * 400 + "\n" + "y" * 500):
            for line in passed_on(Reply(550, "5.1.1", text)).encode().split(b"\r\n"):
                self.assertLessEqual(len(line) + 2, 512)
