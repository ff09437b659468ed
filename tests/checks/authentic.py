"""
Messages that are judged by SPF, DKIM and DMARC one after the other.
"""

from attrs import evolve

from mailgate.checks.dkim import DkimCheck
from mailgate.checks.dmarc import DmarcCheck
from mailgate.checks.known import Known
from mailgate.checks.spf import SpfCheck
from mailgate.finding import Finding, Result
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
    role = options.pop("role", "mx")
    envelope = Envelope(evolve(session(**options), role=role), "7q4m-x2vd-90kt", sender, NOW)
    return View(
        envelope.session,
        NOW,
        ({} if results is None else results,),
        {"fields": Headers.parse(data)},
        envelope,
        MemoryMessage((data,)),
        (ADA,),
        ADA,
    )


def authenticated(data, zones, given=None, failed=(), **options):
    """
    Judge a message; give the view with what was found.

    @param failed: names of checks that break.
    """
    given = given or settings()
    results = {}
    view = view_of(data, results, **options)
    for kind in (SpfCheck, DkimCheck, DmarcCheck):
        check = kind.from_settings(given, Known(resolvers=zones) if kind is DkimCheck else zones)
        findings = tuple(each.seen_by(check.name) for each in check.check(view))
        if check.name in failed:
            broken = Finding("CHECK_FAILED", 0.0, "It broke.", check=check.name)
            results[check.name] = Result(check.name, (broken,), has_failed=True)
        elif findings:
            results[check.name] = Result(check.name, findings)
    return view
