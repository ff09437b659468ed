"""
States of a gateway.
"""

from attrs import evolve

from mailgate.interfaces import Protection
from mailgate.reporting.status import (
    CertificateStatus,
    Learned,
    Machine,
    SandboxStatus,
    Status,
    Stored,
    UpstreamStatus,
    WorkerSeen,
    WorkerStatus,
)
from tests.storage import NOW

DAY = 86400.0
GIB = 1024**3

CERTIFICATE = CertificateStatus("/etc/mail/fullchain.pem", NOW - 30 * DAY, NOW + 60 * DAY)
STORED = Stored({"spam": 2, "phishing": 1}, 0, 0, 0, 0, None, 3, 4096, {"allow": 2, "block": 1})
MACHINE = Machine(9 * GIB, 20 * GIB, 4096, 2048, (CERTIFICATE,))
HELD = SandboxStatus(tuple(Protection), (), "")


def worker(pid=11, **more):
    """
    Give a worker that works.
    """
    upstreams = more.pop("upstreams", (UpstreamStatus("inbox", 0, 1, 2, 0),))
    sandbox = more.pop("sandbox", None)
    documents = more.pop("documents", None)
    sessions = more.pop("sessions", 3)
    own = WorkerStatus(sessions, 1000, 80 * 1024**2, upstreams, sandbox, documents)
    return evolve(WorkerSeen(pid, 1, True, True, 90.0, own), **more)


STATUS = Status(
    version="1.2",
    hostname="mail.example.com",
    mode="active",
    now=NOW,
    started=NOW - 3 * DAY,
    pid=10,
    is_started=True,
    workers_wanted=2,
    workers=(worker(11), worker(12)),
    upstreams=(UpstreamStatus("inbox", 0),),
    has_room=True,
    wanted_bytes=GIB,
    outbox_seconds=3600.0,
    outbox_copies=1000,
    database_error="",
    stored=STORED,
    learned=Learned(100, 200, 5000, True),
    machine=MACHINE,
    reload=None,
    sandbox=HELD,
)
"""All is well."""
