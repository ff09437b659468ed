"""
What the checks are given: settings, and views of a session or a message; and what is made of it.
"""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailgate.checks.known import Known
from mailgate.config.model import Settings
from mailgate.knowledge.entry import ListName, make_entry
from mailgate.knowledge.lists import Lists
from mailgate.message.attachments import Attachments
from mailgate.message.envelope import Envelope, Session
from mailgate.message.header import Headers
from mailgate.message.links import places_of
from mailgate.message.message import MemoryMessage
from mailgate.message.mime import read
from mailgate.pipeline.engine import Pipeline
from mailgate.pipeline.extractors import Content, make_extractors
from mailgate.pipeline.plan import make_plan
from mailgate.pipeline.view import View
from mailgate.policy.verdict import Policy
from mailgate.store.threads import ImmediateThreads
from mailgate.wire.address import Address
from tests.pipeline.harness import ADA, ENVELOPE

NOW = 1_800_000_000.0
"""2027-01-15 08:00 UTC."""


def entry(list, value, **more):
    """
    Make an entry of a list.
    """
    return make_entry(ListName(list), value, by="ada", **more)


def known(*entries):
    """
    Give what is known, with these entries on the lists.
    """
    return Known(Lists(entries))


def settings(**checks):
    """
    Give the settings of C{mail.example.com}, with these tables for its checks.
    """
    return Settings(
        hostname="mail.example.com",
        data="/srv/mailgate",
        listener=[{"address": "127.0.0.1:2525"}],
        route=[{"domains": ["example.com"], "upstream": "inbox"}],
        upstream={"inbox": {"kind": "maildir", "path": "/srv/inbox"}},
        checks=checks,
    )


def session(helo="client.example.org", client="192.0.2.7", local="198.51.100.25"):
    """
    Give a session.
    """
    return Session(
        id="0000-0000-0000",
        listener="mx",
        role="mx",
        client=client,
        port=40001,
        started=NOW,
        helo=helo,
        is_esmtp=True,
        local=local,
    )


def view_of_session(**options):
    """
    Give what a check of the session sees.
    """
    return View(session(**options), NOW, ({}, {}), {})


def view_of_message(data, said=(), **options):
    """
    Give what a check of the message sees.

    @param said: results of checks before it.
    @param options: what is said of the session.
    """
    recipient = Address("ada", "example.com")
    content = Content(data, read(data))
    calls = session(**options)
    envelope = Envelope(calls, "7q4m-x2vd-90kt", Address("sender", "example.org"), NOW)
    return View(
        envelope.session,
        NOW,
        ({}, {}, {result.check: result for result in said}),
        {
            "fields": Headers.parse(data),
            "content": content,
            "places": places_of(content.parsed.seen),
            "files": Attachments(),
        },
        envelope,
        MemoryMessage((data,)),
        (recipient,),
        recipient,
    )


def judge_message(data, given, checks, others=(), sandbox=None):
    """
    Give the verdict on a message for ada, as the gateway makes it with these checks.

    @param given: their settings.
    @param others: scripted checks, which bring their rules.
    """
    rules = {check.name: getattr(given.checks, check.name) for check in checks}
    rules |= {check.name: check.rule for check in others}
    extractors = make_extractors(ImmediateThreads(), given.checks, sandbox)
    names = {check.name for check in (*checks, *others)}
    off = {"spf", "dkim", "dmarc"} - names
    plan = make_plan([*checks, *others], extractors, off)
    pipeline = Pipeline(plan, Policy(given.policy, rules), Clock(), lambda: NOW, 30)
    transaction = pipeline.open(session()).begin(ENVELOPE)
    transaction.mail()
    transaction.rcpt(ADA)
    verdicts = transaction.message(MemoryMessage((data,)))
    if isinstance(verdicts, Deferred):
        answers = []
        verdicts.addCallback(answers.append)
        (verdicts,) = answers
    (verdict,) = verdicts
    return verdict
