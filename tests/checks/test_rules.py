"""
Tests of judging by what people have written down.
"""

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.rules import FACTS, RulesCheck
from mailgate.config.problem import ConfigurationError
from mailgate.finding import Finding, Result
from mailgate.store.threads import ImmediateThreads
from tests.checks.given import settings, view_of_message
from tests.rules.given import rule, written

HEAD = b'From: "A" <a@example.com>\r\nSubject: unclaimed\r\n'
LETTER = HEAD + b"\r\nThere are unclaimed funds for you.\r\n"
GROUP = '[group.money]\ntitle = "Money"\ncap = 2\n'


class Threads:
    """
    Threads whose work a test does.
    """

    def __init__(self):
        self.waiting = []

    def run(self, work, *args):
        """
        Keep the work.
        """
        self.waiting.append((Deferred(), work, args))
        return self.waiting[-1][0]


class RulesTests(SynchronousTestCase):
    """
    Tests of L{RulesCheck}.
    """

    def make(self, text, threads=None, **options):
        """
        Make the check with a file of rules.
        """
        options = {"built_in": False, "files": [str(written(self, text).absolute())], **options}
        return RulesCheck.from_settings(settings(rules=options), threads)

    def found(self, text, data=LETTER, **options):
        """
        Give symbols and scores of the findings.
        """
        findings = self.make(text, **options).check(view_of_message(data))
        return {finding.symbol: finding.score for finding in findings}

    def test_finding(self):
        """
        A finding is the rule's sentence with what was found.
        """
        (finding,) = self.make(rule("FEE", "unclaimed funds", score=1.5)).check(
            view_of_message(LETTER)
        )
        self.assertEqual(
            (finding.symbol, finding.score, finding.detail),
            ("FEE", 1.5, "It says fee. Found: “There are unclaimed funds for you.”."),
        )

    def test_hostile_quote(self):
        """
        What cannot be seen is spelled out where a stranger is quoted.
        """
        (finding,) = self.make(rule("FEE", "funds")).check(
            view_of_message(HEAD + b"\r\n\x1b[2Jfunds {words}\r\n")
        )
        self.assertEqual(finding.detail, "It says fee. Found: “\\x1b[2Jfunds {words}”.")

    def test_groups(self):
        """
        Of a group the gravest rules count first, up to its cap; what speaks for a message counts
        in any case.
        """
        text = GROUP + "".join(
            rule(f"FEE_{number}", "funds", score=score, group="money")
            for number, score in enumerate((0.5, 1.5, 1, -3))
        )
        self.assertEqual(
            self.found(text), {"FEE_1": 1.5, "FEE_2": 0.5, "FEE_0": 0.0, "FEE_3": -3.0}
        )
        findings = self.make(text).check(view_of_message(LETTER))
        (capped,) = (each.detail for each in findings if each.symbol == "FEE_2")
        self.assertIn("(Counts 0.5 of 1: together, “Money” counts 2 at most.)", capped)

    def test_parts(self):
        """
        A rule without a score is no finding, but a part of conditions.
        """
        text = rule("FEE", "funds", score=0) + rule("FEE_ALONE", when="FEE & no_link")
        check = self.make(text)
        self.assertEqual(check.symbols, {"FEE_ALONE"})
        self.assertEqual(self.found(text), {"FEE_ALONE": 1})

    def test_facts(self):
        """
        Signals are facts, and what other checks have found in this message.
        """
        self.assertLessEqual({"no_link", "spf_fail", "dmarc_pass", "html_form"}, FACTS)
        text = rule("FORM", when="html_form & !html_password")
        form = Result("html", (Finding("HTML_FORM", 0.5, "There is a form."),))
        for results, expected in (({"html": form}, ["FORM"]), ({}, [])):
            view = evolve(view_of_message(LETTER), results=(results,))
            findings = self.make(text).check(view)
            self.assertEqual([finding.symbol for finding in findings], expected)

    def test_operator(self):
        """
        The operator leaves rules out and gives others another score.
        """
        text = rule("FEE", "funds") + rule("OTHER", "unclaimed")
        self.assertEqual(self.found(text, disable=["FEE"], scores={"OTHER": 2.5}), {"OTHER": 2.5})

    def test_mistakes(self):
        """
        Whoever names a file with mistakes is told where they are.
        """
        with self.assertRaises(ConfigurationError) as caught:
            self.make(rule("FEE", "(?=funds)f"))
        self.assertIn("own.toml: [rule.FEE] patterns = ", str(caught.exception))

    def test_long(self):
        """
        The texts of a long message are made ready in a thread; what is found is the same.
        """
        threads = Threads()
        check = self.make(rule("FEE", "funds & more"), threads)
        view = view_of_message(HEAD + b"\r\n" + b"word " * 5000 + b"funds & more\r\n")
        answers = []
        check.check(view).addCallback(answers.append)
        ((waiting, work, args),) = threads.waiting
        self.assertEqual(answers, [])
        waiting.callback(work(*args))
        ((finding,),) = answers
        self.assertEqual(finding.symbol, "FEE")

    def test_flood(self):
        """
        Of hundreds of rules that hold those are told that count most.
        """
        text = "".join(rule(f"FEE_{n}", "funds", score=1 + n / 1000) for n in range(300))
        found = self.found(text)
        self.assertEqual(len(found), 40)
        self.assertIn("FEE_299", found)

    def test_built_in(self):
        """
        The rules that come with mailgate can be used, and a plain letter is none of them.
        """
        check = RulesCheck.from_settings(settings(), ImmediateThreads())
        letter = HEAD.replace(b"unclaimed", b"Lunch") + b"\r\nShall we have lunch on Friday?\r\n"
        self.assertEqual(list(check.check(view_of_message(letter))), [])
