"""
Records of transactions.
"""

from attrs import evolve

from mailgate.finding import Finding
from mailgate.message.record import Copy, Record
from mailgate.reply import Reply
from mailgate.verdict import Action, Kind, Verdict
from tests.storage import ADA, BOB, NOW, SESSION

RECORD = Record(
    trace="trac-trac-trac",
    session=SESSION,
    started=NOW + 0.25,
    seconds=0.123456789,
    reply="250 2.0.0 done",
    sender="sender@example.org",
    size=4096,
    message_id="<1@e>",
    subject="Hello",
    copies=(
        Copy("ada@example.com", "delivered", "250 2.0.0 taken", "inbox"),
        Copy("bob@example.com", "held", "", "held-held-held"),
    ),
    verdicts=(
        Verdict(Action.ACCEPT, (Finding("SEEN", 1.0, "Something was seen."),), 1.0, (ADA,)),
        Verdict(
            Action.QUARANTINE,
            (Finding("SEEN", 9.0, "More was seen.", "public words", check="helo"),),
            9.0,
            (BOB,),
            kind=Kind.PHISHING,
            would=Action.REJECT,
        ),
    ),
    durations={"checks": 0.0012345678, "delivery": 0.1},
    notes=("duplicate possible",),
)
"""A message to two recipients."""

REFUSED = Record(
    trace=SESSION.id,
    session=evolve(SESSION, helo="", is_esmtp=False, tls=""),
    started=NOW,
    seconds=0.5,
    reply="554 5.7.1 not here",
    verdicts=(Verdict(Action.REJECT, (), 20.0, reply=Reply(554, "5.7.1", "not here")),),
)
"""A session that was refused before MAIL."""


def record(trace):
    """
    Give the record of another transaction.
    """
    return evolve(RECORD, trace=trace)
