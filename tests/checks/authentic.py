"""
Messages that are judged by SPF, DKIM, ARC and DMARC one after the other.
"""

from attrs import evolve

from mailgate.checks.arc import ArcCheck
from mailgate.checks.dkim import DkimCheck
from mailgate.checks.dmarc import DmarcCheck
from mailgate.checks.known import Known
from mailgate.checks.spf import SpfCheck
from mailgate.finding import Finding, Result
from mailgate.knowledge.lists import Lists
from mailgate.message.envelope import Envelope
from mailgate.message.header import Headers
from mailgate.message.message import MemoryMessage
from mailgate.pipeline.view import View
from mailgate.wire.address import Address
from tests.checks.given import NOW, session, settings

ADA = Address("ada", "example.com")


def view_of(data, results=None, sender=Address("eve", "example.org"), **options):
    """
    Give what a check of the message sees; options are those of the session.
    """
    role, recipients = options.pop("role", "mx"), options.pop("recipients", (ADA,))
    envelope = Envelope(evolve(session(**options), role=role), "7q4m-x2vd-90kt", sender, NOW)
    return View(
        envelope.session,
        NOW,
        ({} if results is None else results,),
        {"fields": Headers.parse(data)},
        envelope,
        MemoryMessage((data,)),
        recipients,
        ADA,
    )


def authenticated(data, zones, given=None, failed=(), lists=(), found=(), **options):
    """
    Judge a message; give the view with what was found.

    @param failed: names of checks that break.
    @param lists: entries of the allow and block lists.
    @param found: results of other checks, which come before.
    """
    given = given or settings()
    results = {each.check: each for each in found}
    view = view_of(data, results, **options)
    known = Known(resolvers=zones, lists=Lists(lists))
    for kind in (SpfCheck, DkimCheck, ArcCheck, DmarcCheck):
        check = kind.from_settings(given, zones if kind is SpfCheck else known)
        findings = tuple(each.seen_by(check.name) for each in check.check(view))
        if check.name in failed:
            broken = Finding("CHECK_FAILED", 0.0, "It broke.", check=check.name)
            results[check.name] = Result(check.name, (broken,), has_failed=True)
        elif findings:
            results[check.name] = Result(check.name, findings)
    return view
