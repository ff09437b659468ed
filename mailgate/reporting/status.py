"""
How the gateway is at the moment, as values.
"""

from __future__ import annotations

from attrs import frozen

from mailgate.interfaces import ISandbox, Protection


@frozen
class UpstreamStatus:
    """
    An upstream, as one process knows it.
    """

    name: str
    failures: int
    """In a row; 0 is healthy."""

    busy: int = 0
    """Connections with a transaction, and those that are being opened."""

    idle: int = 0
    waiting: int = 0
    """Transactions that wait for a connection."""

    is_open: bool = False
    """Whether its breaker is open: nothing is sent there now, as it has failed too often."""


@frozen
class DnsServerStatus:
    """
    A DNS server, as one worker knows it.
    """

    server: str
    is_up: bool
    """Whether it answers, as far as is known."""

    is_public: bool
    """Whether it serves everybody, so that DNS lists refuse to answer it."""


@frozen
class DnsListStatus:
    """
    A list in the DNS, as the hub knows it and all workers do. Its zone is not here: a key may be in
    it.
    """

    name: str
    trouble: str = ""
    """
    C{""} where it is asked. Else why it is not: C{untested}, C{self-test} (it has failed its test),
    C{silent} (its breaker is open: it does not answer), C{refused} or C{hijacked}.
    """

    reason: str = ""
    """The same in words."""

    since: float = 0.0
    """Since when it is so, in seconds since the epoch."""

    tested: float | None = None
    """When it was tested last."""


@frozen
class DnsStatus:
    """
    How a worker looks up names.
    """

    servers: tuple[DnsServerStatus, ...] = ()
    answers: int = 0
    """How many are remembered."""

    answer_bytes: int = 0


@frozen
class SandboxStatus:
    """
    A sandbox, as the process knows it that gives it work.
    """

    active: tuple[Protection, ...] | None
    """What holds its processes; C{None} where none has begun yet."""

    missing: tuple[Protection, ...]
    """What does not."""

    problem: str
    """Why the last process that was to begin did not, or C{""}."""

    @classmethod
    def of(cls, sandbox: ISandbox) -> SandboxStatus:
        """
        Ask a sandbox.
        """
        held = sandbox.protections
        if held is None:
            return cls(None, (), sandbox.problem)
        active = tuple(each for each in Protection if each in held)
        missing = tuple(each for each in Protection if each not in held)
        return cls(active, missing, sandbox.problem)


@frozen
class WorkerStatus:
    """
    What a worker tells of itself.
    """

    sessions: int
    """How many are open."""

    possible: int
    """How many can be at the same time."""

    resident_bytes: int
    """What it has in memory."""

    upstreams: tuple[UpstreamStatus, ...]
    sandbox: SandboxStatus | None = None
    """Where messages are judged that have killed a worker; C{None} where there is none."""

    documents: SandboxStatus | None = None
    """Where attachments are looked into; C{None} where they are not."""

    dns: DnsStatus = DnsStatus()


@frozen
class WorkerSeen:
    """
    A worker, as the hub sees it.
    """

    pid: int
    generation: int
    """Rises by one with each reload."""

    is_current: bool
    """Whether it lets clients in, or will once it is ready: not, where a newer one does."""

    is_ready: bool
    """Whether it has begun to work."""

    seconds: float
    """How old it is."""

    status: WorkerStatus | None = None
    """C{None} where it has not answered."""


@frozen
class Stored:
    """
    What lies in the database.
    """

    held: dict[str, int]
    """Held messages by kind."""

    outbox_waiting: int
    """Copies that wait for their next try."""

    outbox_trying: int
    outbox_suspended: int
    """Copies that wait for a person."""

    outbox_stopped: int
    """Those of them that somebody has stopped; the others were restored."""

    outbox_oldest: float | None
    """Since when the oldest of those lies there that wait for no person, in seconds since the
    epoch."""

    messages: int
    message_bytes: int
    entries: dict[str, int]
    """Of the allow and block lists."""

    senders: int = 0
    """Those that were authenticated and of which something is known."""


@frozen
class Learned:
    """
    What the classifier has learned.
    """

    spam: int
    ham: int
    tokens: int
    is_trained: bool


@frozen
class CertificateStatus:
    """
    A certificate, as its file is now.
    """

    file: str
    begins: float | None
    """In seconds since the epoch; C{None} where the file cannot be read."""

    ends: float | None


@frozen
class Machine:
    """
    What the hub's machine says.
    """

    free_bytes: int
    """On the disk of the data folder."""

    disk_bytes: int
    """How large that is."""

    state_bytes: int
    """Of the database, with its log."""

    trace_bytes: int
    certificates: tuple[CertificateStatus, ...]


@frozen
class Reload:
    """
    The last reload.
    """

    at: float
    error: str = ""
    """Why nothing has changed, or C{""}."""


@frozen
class Status:
    """
    All of it together.
    """

    version: str
    hostname: str
    mode: str
    now: float
    """All times are in seconds since the epoch."""

    started: float
    pid: int
    """Of the hub."""

    is_started: bool
    """Whether it has begun to let clients in."""

    workers_wanted: int
    """How many each generation has."""

    workers: tuple[WorkerSeen, ...]
    upstreams: tuple[UpstreamStatus, ...]
    """As the hub itself knows them, who delivers from the outbox."""

    has_room: bool
    """Whether mail is taken, as far as the disk goes."""

    wanted_bytes: int
    """What must be free on the disk for that."""

    outbox_seconds: float
    """How old a copy in the outbox may become until somebody should look."""

    outbox_copies: int
    """How many may wait until somebody should look."""

    database_error: str
    """Why the database does not answer, or C{""}."""

    stored: Stored | None
    learned: Learned | None
    machine: Machine | None
    """C{None}, as the two above, where it could not be found out in time."""

    reload: Reload | None
    sandbox: SandboxStatus
    """Where the hub reads messages."""

    dns_lists: tuple[DnsListStatus, ...] = ()

    @property
    def answering(self) -> tuple[WorkerSeen, ...]:
        """
        Give the workers that let clients in.
        """
        return tuple(
            each
            for each in self.workers
            if each.is_current and each.is_ready and each.status is not None
        )

    @property
    def outbox_is_late(self) -> bool:
        """
        Tell whether mail piles up in the outbox.
        """
        stored = self.stored
        if stored is None:
            return False
        oldest = stored.outbox_oldest
        return stored.outbox_waiting + stored.outbox_trying >= self.outbox_copies or (
            oldest is not None and self.now - oldest >= self.outbox_seconds
        )

    def unreadiness(self) -> tuple[str, ...]:
        """
        Say why no mail should be sent here at the moment, or give nothing.
        """
        reasons = []
        if not self.is_started:
            reasons.append("the gateway is starting")
        elif not self.answering:
            reasons.append("no worker answers")
        if not self.has_room:
            reasons.append("the disk is full")
        if self.database_error:
            reasons.append("the database does not answer")
        return tuple(reasons)
