"""
Tests of the order of checks and extractors.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.problem import ConfigurationError
from mailgate.interfaces import Phase, Scope
from mailgate.pipeline.plan import make_plan
from tests.pipeline.harness import ScriptedCheck, ScriptedExtractor


def names(plan, phase=Phase.HEADERS):
    """
    Give the names of a phase's steps in their order.
    """
    return [step.name for step in plan.steps[phase]]


class OrderTests(SynchronousTestCase):
    """
    Tests of plans without a mistake.
    """

    def test_as_given(self):
        """
        Checks that do not ask for an order keep the one in which they are given.
        """
        plan = make_plan([ScriptedCheck("b"), ScriptedCheck("a"), ScriptedCheck("c")], ())
        self.assertEqual(names(plan), ["b", "a", "c"])

    def test_by_phase(self):
        """
        Each check stands in its phase.
        """
        plan = make_plan(
            [
                ScriptedCheck("late", phase=Phase.END),
                ScriptedCheck("early", phase=Phase.HELO, scope=Scope.SESSION),
            ],
            (),
        )
        self.assertEqual(names(plan, Phase.HELO), ["early"])
        self.assertEqual(names(plan, Phase.END), ["late"])
        self.assertEqual(names(plan), [])

    def test_after_and_needs(self):
        """
        A check comes after those that it names.
        """
        plan = make_plan(
            [
                ScriptedCheck("last", after=("middle",)),
                ScriptedCheck("middle", needs=("first",)),
                ScriptedCheck("first"),
            ],
            (),
        )
        self.assertEqual(names(plan), ["first", "middle", "last"])
        before = [step.before for step in plan.steps[Phase.HEADERS]]
        self.assertEqual(before, [set(), {"first"}, {"middle"}])

    @given(st.permutations("abcdef"), st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5))))
    def test_any_order(self, order, pairs):
        """
        Whatever is asked for without a circle is kept to, however the checks are given.
        """
        wishes = {name: [] for name in order}
        for one, other in pairs:
            if one < other:
                wishes["abcdef"[other]].append("abcdef"[one])
        plan = make_plan([ScriptedCheck(name, after=tuple(wishes[name])) for name in order], ())
        places = {name: place for place, name in enumerate(names(plan))}
        self.assertEqual(sorted(places), sorted(order))
        for name, before in wishes.items():
            for each in before:
                self.assertLess(places[each], places[name])

    def test_after_one_that_is_off(self):
        """
        To run after a check that is off is to run without it.
        """
        self.assertEqual(names(make_plan([ScriptedCheck("a", after=("b",))], (), {"b"})), ["a"])

    def test_extractors(self):
        """
        An extractor runs in the phase of the first check that needs it, before it, and after
        the extractors that it needs itself.
        """
        plan = make_plan(
            [
                ScriptedCheck("scan", phase=Phase.BODY, needs=("text",)),
                ScriptedCheck("read", needs=("parts",)),
            ],
            [ScriptedExtractor("text", needs=("parts",)), ScriptedExtractor("parts")],
        )
        self.assertEqual(names(plan), ["parts", "read"])
        self.assertEqual(names(plan, Phase.BODY), ["text", "scan"])

    def test_extractor_nobody_needs(self):
        """
        An extractor that no check needs, not even through another, does not run.
        """
        extractors = [ScriptedExtractor("text", needs=("parts",)), ScriptedExtractor("parts")]
        self.assertEqual(names(make_plan([ScriptedCheck("a")], extractors)), ["a"])

    def test_phases_of_a_message(self):
        """
        The last phase that has steps counts as the end, and the end comes always.
        """
        empty = make_plan([], ())
        self.assertEqual(empty.message, ((Phase.END, Phase.END),))
        plan = make_plan([ScriptedCheck("a"), ScriptedCheck("b", phase=Phase.BODY)], ())
        self.assertEqual(plan.message, ((Phase.HEADERS, Phase.HEADERS), (Phase.BODY, Phase.END)))

    def test_has_each(self):
        """
        It is known of which phases some steps run once for each owner.
        """
        each = ScriptedCheck("a", phase=Phase.BODY, scope=Scope.RECIPIENT)
        whole = ScriptedCheck("b", phase=Phase.HEADERS, scope=Scope.TRANSACTION)
        plan = make_plan([each, whole], ())
        self.assertEqual([phase for phase in Phase if plan.has_each[phase]], [Phase.BODY])


class MistakeTests(SynchronousTestCase):
    """
    Tests of what is a mistake, and how it is told.
    """

    def mistakes(self, *checks, extractors=(), off=()):
        """
        Give the lines in which the mistakes are told.
        """
        error = self.assertRaises(ConfigurationError, make_plan, checks, extractors, off)
        return str(error).split("\n")

    def test_unknown(self):
        """
        A name that nothing has is told, with the one that was perhaps meant.
        """
        self.assertEqual(
            self.mistakes(
                ScriptedCheck("dmarc", needs=("fieldz",), after=("xyzzy",)),
                extractors=[ScriptedExtractor("fields", needs=("parts",))],
            ),
            [
                'configuration: [checks.fields]: needs the extractor "parts", which is not known',
                'configuration: [checks.dmarc]: needs "fieldz", which is not known'
                + '; did you mean "fields"?',
                'configuration: [checks.dmarc]: runs after "xyzzy", which is not known',
            ],
        )

    def test_needs_one_that_is_off(self):
        """
        What reads the result of a check that is off cannot run.
        """
        self.assertEqual(
            self.mistakes(ScriptedCheck("dmarc", needs=("spf",)), off=("spf",)),
            ['configuration: [checks.dmarc]: needs the check "spf", which is off'],
        )

    def test_circle(self):
        """
        Checks that wait for each other are named, each before the one that it waits for.
        """
        (line,) = self.mistakes(
            ScriptedCheck("a", after=("b",)),
            ScriptedCheck("b", needs=("c",)),
            ScriptedCheck("c", after=("a",)),
        )
        circle = line.partition("wait for each other: ")[2]
        self.assertIn(circle, ("a -> b -> c -> a", "b -> c -> a -> b", "c -> a -> b -> c"))

    def test_circle_of_extractors(self):
        """
        Extractors can wait for each other too.
        """
        (line,) = self.mistakes(extractors=[ScriptedExtractor("text", needs=("text",))])
        self.assertIn("text -> text", line)

    def test_one_name_for_two(self):
        """
        A check and an extractor cannot have one name.
        """
        self.assertEqual(
            self.mistakes(ScriptedCheck("a"), extractors=[ScriptedExtractor("a")]),
            ["configuration: [checks.a]: the name stands for two"],
        )

    def test_too_late(self):
        """
        No check can wait for one of a later phase.
        """
        self.assertEqual(
            self.mistakes(ScriptedCheck("a", needs=("b",)), ScriptedCheck("b", phase=Phase.BODY)),
            ['configuration: [checks.a]: cannot wait for "b", which runs later, in phase BODY'],
        )

    def test_too_narrow(self):
        """
        What runs once for the message cannot wait for what runs once for each recipient, unless
        that is done in a phase before.
        """
        self.assertEqual(
            self.mistakes(
                ScriptedCheck("a", after=("b",)), ScriptedCheck("b", scope=Scope.RECIPIENT)
            ),
            ['configuration: [checks.a]: cannot wait for "b", which runs once for each recipient'],
        )
        before = ScriptedCheck("b", phase=Phase.RCPT, scope=Scope.RECIPIENT)
        make_plan([ScriptedCheck("a", after=("b",)), before], [])

    def test_facts_before_the_message(self):
        """
        There are no facts of a message before there is one.
        """
        self.assertEqual(
            self.mistakes(
                ScriptedCheck("a", phase=Phase.MAIL, needs=("text",)),
                extractors=[ScriptedExtractor("text")],
            ),
            ['configuration: [checks.a]: needs "text", but there is no message yet'],
        )

    def test_scope_and_phase(self):
        """
        A check of a session runs before MAIL, one of recipients from RCPT on.
        """
        allowed = {
            (phase, scope)
            for phase in Phase
            for scope in Scope
            if not self.is_refused(phase, scope)
        }
        self.assertEqual(
            allowed,
            {
                (Phase.CONNECT, Scope.SESSION),
                (Phase.HELO, Scope.SESSION),
                (Phase.MAIL, Scope.TRANSACTION),
                (Phase.RCPT, Scope.RECIPIENT),
                (Phase.HEADERS, Scope.TRANSACTION),
                (Phase.HEADERS, Scope.RECIPIENT),
                (Phase.BODY, Scope.TRANSACTION),
                (Phase.BODY, Scope.RECIPIENT),
                (Phase.END, Scope.TRANSACTION),
                (Phase.END, Scope.RECIPIENT),
            },
        )

    def is_refused(self, phase, scope):
        """
        Tell whether a check cannot have this phase and scope.
        """
        try:
            make_plan([ScriptedCheck("a", phase=phase, scope=scope)], ())
        except ConfigurationError:
            return True
        return False
