"""
Scripted checks and extractors, and a pipeline that runs them on a clock of its own.
"""

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from mailgate.config.checks import Check, CheckMode
from mailgate.config.model import GatewayMode
from mailgate.config.model import Policy as Thresholds
from mailgate.finding import SANDBOX, Finding
from mailgate.interfaces import ICheck, IExtractor, Phase, Scope
from mailgate.message.envelope import Envelope, Session
from mailgate.message.message import MemoryMessage
from mailgate.pipeline.engine import Pipeline
from mailgate.pipeline.plan import make_plan
from mailgate.policy.verdict import SANDBOX_RULE, Policy
from mailgate.wire.address import Address

NOW = 1_800_000_000.0
SESSION = Session(
    id="0000-0000-0000",
    listener="mx",
    role="mx",
    client="192.0.2.7",
    port=40001,
    started=NOW,
    helo="client.example.org",
    is_esmtp=True,
)
ENVELOPE = Envelope(SESSION, "7q4m-x2vd-90kt", Address("sender", "example.org"), NOW)
MESSAGE = MemoryMessage((b"From: sender@example.org\r\n\r\nHello\r\n",))
ADA = Address("ada", "example.com")
BOB = Address("bob", "example.com")
POSTMASTER = Address("postmaster", "example.com")


def found(score, symbol="SEEN", public=""):
    """
    Give what a check has found that saw one thing.
    """
    return [Finding(symbol, score, f"Something for {score:g} was seen.", public)]


@implementer(ICheck)
@define(eq=False)
class ScriptedCheck:
    """
    A check that answers what it is told to.
    """

    name: str
    answer: object = ()
    """Findings, a Deferred of them, or a function of the view that gives one or raises."""

    phase: Phase = Phase.HEADERS
    scope: Scope = Scope.TRANSACTION
    after: tuple = ()
    needs: tuple = ()
    symbols: frozenset = frozenset({"SEEN"})
    deadline: float = 5.0
    rule: Check = field(factory=Check)
    views: list = field(factory=list)
    """All views it was given."""

    def check(self, view):
        """
        Answer.
        """
        self.views.append(view)
        return self.answer(view) if callable(self.answer) else self.answer


@implementer(IExtractor)
@define(eq=False)
class ScriptedExtractor:
    """
    An extractor that answers what it is told to.
    """

    name: str
    answer: object = None
    needs: tuple = ()
    deadline: float = 5.0
    calls: int = 0

    def extract(self, view):
        """
        Answer.
        """
        self.calls += 1
        return self.answer(view) if callable(self.answer) else self.answer


@define
class Court:
    """
    A pipeline and its clock.
    """

    pipeline: Pipeline
    clock: Clock

    def session(self):
        """
        Open a session that has been greeted.
        """
        judge = self.pipeline.open(SESSION)
        judge.connected()
        judge.greeted(SESSION)
        return judge

    def transaction(self, *recipients):
        """
        Begin a transaction in a new session, with these recipients.
        """
        judge = self.session().begin(ENVELOPE)
        judge.mail()
        for recipient in recipients or (ADA,):
            judge.rcpt(recipient)
        return judge


def court(
    *checks, extractors=(), mode=GatewayMode.ACTIVE, thresholds=None, seconds=30, suspects=None
):
    """
    Make a pipeline of these checks.
    """
    clock = Clock()
    rules = {**{each.name: each.rule for each in checks}, SANDBOX: SANDBOX_RULE}
    policy = Policy(thresholds or Thresholds(), rules, mode)
    plan = make_plan(checks, extractors)
    return Court(Pipeline(plan, policy, clock, lambda: NOW, seconds, suspects=suspects), clock)


def rule(mode=CheckMode.SCORE, **options):
    """
    Make the settings of a check.
    """
    return Check(mode=mode, **options)


def pending():
    """
    Give a Deferred that notes when it is cancelled, in a list that is its attribute C{cancels}.
    """
    cancels = []
    deferred = Deferred(cancels.append)
    deferred.cancels = cancels
    return deferred
