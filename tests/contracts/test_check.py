"""
What every check must keep to, whatever it looks at.
"""

from ipaddress import ip_network
from pathlib import Path

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailgate.checks.table import CHECKS
from mailgate.classify.alike import Index
from mailgate.classify.classifier import Classifier
from mailgate.classify.marks import SKETCH_BYTES
from mailgate.config.checks import Check, RateOf
from mailgate.config.model import Policy as Thresholds
from mailgate.interfaces import ICheck, Marks, Phase, Remembered, Scope
from mailgate.knowledge.excess import Amount, Excess, Excesses
from mailgate.knowledge.penalty import Penalties, Penalty
from mailgate.knowledge.rates import digest_of
from mailgate.message.envelope import Envelope
from mailgate.message.message import MemoryMessage
from mailgate.pipeline.engine import Pipeline
from mailgate.pipeline.extractors import make_extractors
from mailgate.pipeline.plan import make_plan
from mailgate.pipeline.round import FAILED
from mailgate.policy.verdict import Policy
from mailgate.store.threads import ImmediateThreads
from mailgate.wire.address import Address
from tests.checks.given import NOW, entry, known, session, settings

PAGES = Path(__file__).parents[2] / "docs" / "checks"
WRITTEN = CHECKS["rules"](settings(), known()).symbols
"""What people write down in files, and no page lists."""

GREETINGS = st.one_of(
    st.text(max_size=60),
    st.ip_addresses().map(str),
    st.ip_addresses().map("[{}]".format),
    st.sampled_from(["mail.example.com", "localhost", "client.example.org", "x" * 2048]),
)
LINES = st.one_of(
    st.binary(max_size=40),
    st.builds(
        lambda name, value: name + b": " + value,
        st.sampled_from([b"From", b"Date", b"Message-ID", b"Subject", b"Content-Type"]),
        st.binary(max_size=40),
    ),
)
MESSAGES = st.lists(LINES, max_size=10).map(b"\r\n".join)
CLASSIFIER = Classifier()
CLASSIFIER.alike = Index.of([Remembered(True, 20_000, Marks(b"s" * SKETCH_BYTES, 7, (8,)))])
KNOWN = evolve(
    known(
        entry("block", "128.0.0.0/1"),
        entry("allow", ".org", scope="postmaster@example.com", note="x\N{SNOWMAN}" * 100),
        entry("block", "a@b"),
    ),
    classifier=CLASSIFIER,
    excesses=Excesses(
        Excess(RateOf.DOMAIN, "example.org", amount, 10**12, 10**12, 60, NOW + 60, subject)
        for amount in Amount
        for subject in ("", *map(digest_of, ("0", "a", "x" * 40)))
    ),
    penalties=Penalties(
        Penalty(str(network), 1e9, 1e9, NOW)
        for network in ip_network("0.0.0.0/8").subnets(new_prefix=24)
    ),
)


def with_needs(name):
    """
    Make a check, and before it those whose facts it needs.
    """
    check = CHECKS[name](settings(), KNOWN)
    needed = [each for need in check.needs if need in CHECKS for each in with_needs(need)]
    return (*needed, check)


def found_by(checks, greeting, client, data):
    """
    Let some checks alone judge a session with one message, as the pipeline does it.
    """
    names = {check.name for check in checks}
    policy = Policy(Thresholds(), dict.fromkeys(names, Check()))
    pipeline = Pipeline(
        make_plan(checks, make_extractors(ImmediateThreads()), CHECKS.keys() - names),
        policy,
        Clock(),
        lambda: NOW,
        30,
    )
    here = session(helo=greeting, client=client)
    envelope = Envelope(here, "7q4m-x2vd-90kt", Address("sender", "example.org"), NOW)
    of_session = pipeline.open(here)
    of_session.connected()
    of_session.greeted(here)
    judge = of_session.begin(envelope)
    judge.mail()
    judge.rcpt(Address("postmaster", "example.com"))
    verdicts = judge.message(MemoryMessage((data,)))
    if isinstance(verdicts, Deferred):
        answers = []
        verdicts.addCallback(answers.append)
        (verdicts,) = answers
    (verdict,) = verdicts
    return verdict.findings


class CheckTests(SynchronousTestCase):
    """
    Tests of every check in the table.
    """

    def test_provided(self):
        """
        It is what it says.
        """
        for make in CHECKS.values():
            check = make(settings(), known())
            verifyObject(ICheck, check)
            self.assertIsInstance(check.phase, Phase)
            self.assertIsInstance(check.scope, Scope)

    def test_deadline(self):
        """
        Its deadline is that of its settings.
        """
        for name, make in CHECKS.items():
            self.assertEqual(make(settings(**{name: {"deadline": 7}}), known()).deadline, 7)

    @given(st.sampled_from(sorted(CHECKS)), GREETINGS, st.ip_addresses().map(str), MESSAGES)
    def test_whatever_comes(self, name, greeting, client, data):
        """
        It never fails, reads nothing that it has not declared, answers twice the same, and what
        it finds stands on its page and can be shown to anybody.
        """
        checks = with_needs(name)
        findings = found_by(checks, greeting, client, data)
        self.assertEqual(findings, found_by(with_needs(name), greeting, client, data))
        pages = {
            symbol: (PAGES / f"{check.name}.rst").read_text()
            for check in checks
            for symbol in check.symbols
        }
        for finding in findings:
            self.assertNotEqual(finding.symbol, FAILED)
            page = pages[finding.symbol]
            self.assertRegex(finding.symbol, r"\A[A-Z][A-Z0-9_]+\Z")
            if finding.symbol not in WRITTEN:
                self.assertRegex(page, rf"(?m)^{finding.symbol} ")
            self.assertRegex(finding.detail, r"\A[A-Z].*[.)]\Z")
            self.assertTrue(finding.detail.isprintable())
            self.assertLess(len(finding.detail), 1200)
            self.assertTrue(finding.public.isascii() and finding.public.isprintable())
            self.assertLess(len(finding.public), 100)
