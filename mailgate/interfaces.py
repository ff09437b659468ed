"""
The contracts between the parts. Everything that crosses a package goes through one of them.

A method that says "a value, or a Deferred of it" returns the value itself whenever nothing
has to be waited for, since most calls need not wait and a Deferred costs more than they do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, Union

from attrs import frozen
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from mailgate.finding import Finding, Result
from mailgate.reply import Reply
from mailgate.verdict import Action, Kind, Verdict
from mailgate.wire.address import Address
from mailgate.wire.dns.answer import Answer, RecordType

if TYPE_CHECKING:
    from mailgate.classify.evidence import Lore
    from mailgate.message.envelope import Envelope, Session
    from mailgate.message.header import Headers
    from mailgate.message.page import Page
    from mailgate.message.record import Copy, Record
    from mailgate.wire.scram import ScramVerifier

T = TypeVar("T")
MaybeDeferred = Union[T, "Deferred[T]"]


# -- the message ------------------------------------------------------------------------


class IMessage(Interface):
    """
    The bytes of one message, unstuffed, with CRLF line ends; immutable.
    """

    size: int = Attribute("Bytes, without what is prepended.")
    prepended: bytes = Attribute("Header lines of ours to write before the message's own.")
    headers: Headers = Attribute("The header fields, read once: what is prepended is not in them.")
    path: Path | None = Attribute("The spool file that holds the message, or None: in memory.")
    reading: IBodyReader | None = Attribute("What has read its body as it arrived, if anything.")

    def head(limit: int) -> bytes:
        """
        Give the first C{limit} bytes at once; C{limit} is at most 262,144.

        Of a message that is read from a file it may be fewer: no more than the header section
        has to be there.
        """

    def chunks() -> Iterator[MaybeDeferred[bytes]]:
        """
        Give the message from its first byte to its last, without what is prepended.

        A chunk that has to be read from disk comes as a Deferred of its bytes; wait for it
        before asking for the next.
        """

    def prepend(headers: bytes) -> IMessage:
        """
        Give the same message with header lines set before those prepended already.
        """

    def close() -> None:
        """
        Give back the memory or the spool file. Safe to call twice.
        """


class IBodyReader(Interface):
    """
    What reads the body of one message while it arrives.
    """

    def update(data: bytes) -> None:
        """
        Take the next bytes of the body, cut anywhere: in the reactor or, of a message that goes to
        a file, in a thread; never in two places at a time.
        """

    def finish() -> None:
        """
        Know that the body is at its end.
        """


BeginReading = Callable[[bytes], "IBodyReader | None"]
"""
Begins to read the body behind a header section, which includes its empty line; gives C{None} where
nobody asks for anything of it. It is called in the reactor or in a thread.
"""


class IRewriter(Interface):
    """
    What turns a received message into the one that is handed on.
    """

    def apply(trace: str, verdict: Verdict, message: IMessage) -> IMessage:
        """
        Give the message to deliver for C{verdict}; an untouched body is passed on by reference.
        """


# -- judging ----------------------------------------------------------------------------


class Phase(IntEnum):
    """
    The moments of a session at which checks run, in their order.
    """

    CONNECT = 0
    HELO = 1
    MAIL = 2
    RCPT = 3
    HEADERS = 4
    BODY = 5
    END = 6


class Scope(IntEnum):
    """
    Once for each of what a check runs, from the widest to the narrowest.
    """

    SESSION = 0
    TRANSACTION = 1
    RECIPIENT = 2
    """Once for each distinct owner of a policy among the recipients."""


class ICheck(Interface):
    """
    One kind of evidence. It changes nothing and knows no protocol and no action.
    """

    name: str = Attribute("The name of its table in the configuration.")
    phase: Phase = Attribute("When it runs.")
    scope: Scope = Attribute("Once for each of what it runs.")
    after: Sequence[str] = Attribute("Names of checks that run before it if they run at all.")
    needs: Sequence[str] = Attribute("Names of extractors and checks whose result it reads.")
    symbols: frozenset[str] = Attribute("All symbols that its findings can have.")
    deadline: float = Attribute("Seconds it may take.")

    def check(view: Any) -> MaybeDeferred[Sequence[Finding]]:
        """
        Say what was seen in C{view} (a L{mailgate.pipeline.view.View}).
        """


class IExtractor(Interface):
    """
    What turns a message into facts that several checks read.
    """

    name: str = Attribute("The name under which checks ask for the facts.")
    needs: Sequence[str] = Attribute("Names of extractors whose facts it reads.")
    deadline: float = Attribute("Seconds it may take.")

    def extract(view: Any) -> MaybeDeferred[object]:
        """
        Give the facts of the message in C{view} (a L{mailgate.pipeline.view.View}), frozen.
        """


class IPolicy(Interface):
    """
    What alone turns findings into an action.
    """

    def judge(
        phase: Phase,
        results: Sequence[Result],
        trace: str,
        recipient: Address | None,
        may_refuse: bool = True,
    ) -> Verdict:
        """
        Decide by what the checks have said so far.

        Before C{END} only a refusal or a deferral is decided; the rest is still C{accept}.

        @param phase: the phase that has just ended.
        @param trace: the id with which a refusal ends.
        @param recipient: whom it is about, or C{None} before the first RCPT.
        @param may_refuse: whether a refusal reaches who sent it; where not, what would be refused
            is held.
        """


class IPipeline(Interface):
    """
    The ordered checks, and the policy that turns what they find into verdicts.
    """

    def open(session: Session) -> ISessionJudge:
        """
        Begin to judge a connection.
        """


class ISessionJudge(Interface):
    """
    The judge of one connection. What it finds is kept for all its transactions.
    """

    def connected() -> MaybeDeferred[Verdict]:
        """
        Judge the connection before the greeting.
        """

    def greeted(session: Session) -> MaybeDeferred[Verdict]:
        """
        Judge what the client calls itself, anew at each HELO, EHLO and after STARTTLS.
        """

    def begin(envelope: Envelope) -> ITransactionJudge:
        """
        Begin to judge a transaction.
        """

    def close() -> None:
        """
        Cancel what still runs.
        """


class ITransactionJudge(Interface):
    """
    The judge of one transaction; each method is called once its predecessor has answered.
    """

    origin: str = Attribute(
        "The IP address of the stranger from whom a relay of ours has brought the message, once"
        " that is known; else an empty string."
    )

    def mail() -> MaybeDeferred[Verdict]:
        """
        Judge the sender.
        """

    def rcpt(recipient: Address) -> MaybeDeferred[Verdict]:
        """
        Judge whether C{recipient} may be sent to. A refused one takes no further part.
        """

    reading: BeginReading | None = Attribute(
        "Begins to read the body of the message that arrives; None where no check asks for it."
    )

    def message(message: IMessage) -> MaybeDeferred[Sequence[Verdict]]:
        """
        Judge the message: a verdict for each group of recipients accepted before.
        """

    def close() -> None:
        """
        Cancel what still runs.
        """


# -- asking the DNS ---------------------------------------------------------------------


class IResolver(Interface):
    """
    What asks the DNS for one run of a check.
    """

    def look_up(name: str, type: RecordType[T]) -> MaybeDeferred[Answer[T]]:
        """
        Give the records of that type that C{name} has, whatever aliases lead to them.

        What is remembered is given at once, as a value. It never fails: what goes wrong is an
        L{Unknown <mailgate.wire.dns.answer.Unknown>}. Cancelling what it gives stops the waiting
        of this one only.

        @param name: in any case, with or without a dot at its end; in ASCII, as in
            L{mailgate.wire.dns.name}. No suffix is ever tried.
        @param type: C{A}, C{AAAA}, C{MX}, C{NS}, C{PTR} or C{TXT} of
            L{mailgate.wire.dns.answer}.
        """


class Asked(StrEnum):
    """
    What one process counts of its look-ups in the DNS.
    """

    REMEMBERED = "remembered"
    """Look-ups that were answered from memory."""

    SHARED = "shared"
    """Look-ups that waited for an answer that somebody else had asked for."""

    LOOKED_UP = "looked up"
    """Look-ups for which a server was asked."""

    SENT = "sent"
    """Queries over UDP."""

    STREAMED = "streamed"
    """Queries over TCP."""

    LATE = "late"
    """Queries that had no reply in time."""

    WRONG_ID = "wrong id"
    """Replies that were dropped: that nobody had asked for, or not any more."""

    WRONG_QUESTION = "wrong question"
    WRONG_CASE = "wrong case"
    """Replies whose name had not the capital and small letters of the question."""

    WRONG_SOURCE = "wrong source"
    UNREADABLE = "unreadable"
    UNKNOWN_TIMEOUT = "unknown timeout"
    """Look-ups that ended in C{Unknown}, by the trouble."""

    UNKNOWN_SERVFAIL = "unknown servfail"
    UNKNOWN_REFUSED = "unknown refused"
    UNKNOWN_GARBAGE = "unknown garbage"
    UNKNOWN_UNREACHABLE = "unknown unreachable"
    UNKNOWN_BUDGET = "unknown budget"
    UNKNOWN_BUSY = "unknown busy"


class IResolvers(Interface):
    """
    Where each run of a check gets its resolver.
    """

    def for_check(check: str, seconds: float, queries: int | None = None) -> IResolver:
        """
        Give a resolver for one run of a check: a run that asks too much, or for too long, gets
        C{Unknown} with C{Trouble.BUDGET}, and keeps no other check waiting.

        @param check: its name.
        @param seconds: its deadline. What has no answer after nine tenths of it is unknown, so
            that the check can still say so.
        @param queries: how many look-ups may go to a server; as configured where it is C{None}.
            What is remembered costs nothing.
        """


# -- handing on -------------------------------------------------------------------------


@frozen
class Capabilities:
    """
    What an upstream said at its last EHLO that it can take.
    """

    extensions: frozenset[str] = frozenset()
    """EHLO keywords in upper case: C{8BITMIME}, C{SMTPUTF8}; empty when it is not known."""

    size: int | None = None
    """The largest message in bytes (RFC 1870), or C{None} where it names no limit."""


def combined(offered: Sequence[Capabilities]) -> Capabilities:
    """
    Give what each of several upstreams can take.
    """
    extensions = frozenset.intersection(*(each.extensions for each in offered))
    sizes = [each.size for each in offered if each.size is not None]
    return Capabilities(extensions, min(sizes, default=None))


@frozen
class Load:
    """
    How busy the way to an upstream is.
    """

    busy: int = 0
    """Connections with a transaction, and those that are being opened."""

    idle: int = 0
    waiting: int = 0
    """Transactions that wait for a connection."""


class IDelivery(Interface):
    """
    One upstream: a place that takes messages.
    """

    name: str = Attribute("Its name in the configuration.")
    capabilities: Capabilities = Attribute("What it offered when it was last asked.")
    failures: int = Attribute("Failures in a row; 0 is healthy.")
    is_open: bool = Attribute("Whether nothing is sent there now, as it has failed too often.")
    load: Load = Attribute("How busy the way to it is.")

    def probe() -> Deferred[None]:
        """
        Ask what it can take, to refresh C{capabilities}. Never fails; an event tells.
        """

    def verify(sender: Address, recipient: Address) -> Deferred[Reply]:
        """
        Ask whether it would take mail for C{recipient}: its own reply, or 451 4.4.1.
        """

    def deliver(
        envelope: Envelope,
        recipients: Sequence[Address],
        message: IMessage,
        within: float | None = None,
    ) -> Deferred[Sequence[Reply]]:
        """
        Hand the message over.

        @param within: the seconds after which the answer must be there, whatever it is;
            without it only the upstream's own time-outs apply.
        @return: one reply for each of C{recipients}, in their order. A 2xx means that the
            copy is safe there. Trouble on the way is a 451 (C{4.4.1} not reached, C{4.4.2}
            lost before its reply: the outcome is unknown), never a failure of the Deferred.
            An L{Untaken<mailgate.delivery.answer.Untaken>} says that another upstream may be
            asked instead.
            Cancelling works until the first byte of the message has gone out.
        """

    def close() -> Deferred[None]:
        """
        End idle connections and wait for the busy ones.
        """


@frozen
class Listed:
    """
    What a source of recipients says of an address.
    """

    reply: Reply
    """
    250 where it exists; 550 5.1.1, or an upstream's own word, where it does not; a 4xx where nobody
    knows at the moment.
    """

    stands_for: tuple[Address, ...] = ()
    """
    Of one that exists: for a mailbox itself, as the source writes it; for an alias what it leads
    to. A target with an empty local part is the same one in another domain. Empty where it is only
    known to exist.
    """


EXISTS = Reply(250, "2.1.5", "recipient ok")
"""What is said of a recipient that exists."""

NOBODY = Listed(Reply(550, "5.1.1", "no such recipient here"))
"""What a source says of an address that it does not know."""


class IRecipientSource(Interface):
    """
    One place that knows which addresses exist.
    """

    name: str = Attribute("Its name in the configuration, or that of the upstream.")
    is_upstream: bool = Attribute(
        "Whether it is a mail server, which cannot say what an address stands for."
    )

    def find(address: Address, sender: Address) -> MaybeDeferred[Listed]:
        """
        Look an address up. It never fails; trouble is a 4xx.

        @param address: one of our domains; with an empty local part all addresses of its domain
            are meant that nothing else is known of.
        @param sender: who writes to it, for a mail server that is asked.
        """


@frozen
class Admission:
    """
    Whether somebody may be sent to, and who that is.
    """

    reply: Reply
    recipient: Address
    """Where its copy goes, and whom it belongs to; as it was asked where it is not accepted."""


class IRecipients(Interface):
    """
    Who may be sent to.
    """

    def ask(envelope: Envelope, recipient: Address) -> MaybeDeferred[Admission]:
        """
        Say whether a recipient of C{envelope} exists here: 250, 550 5.7.1 (not our domain),
        550 5.1.1 (unknown), 451 4.4.1 (the upstream cannot be asked) or 451 4.4.3 (no other source
        can).
        """

    def offers() -> Capabilities:
        """
        Give what all routes can take: the intersection, and the smallest limit.
        """


@frozen
class Outcome:
    """
    How a message ended.
    """

    reply: Reply
    """The one reply to DATA, by the table of outcomes in docs/architecture.rst."""

    copies: tuple[Copy, ...]
    """One for each recipient, in the order of the verdicts."""

    notes: tuple[str, ...] = ()
    replies: tuple[Reply, ...] = ()
    """One for each of C{copies}, where each recipient was to be settled alone."""


class IDispatcher(Interface):
    """
    What carries verdicts out: it holds, delivers, and answers.
    """

    def dispatch(
        envelope: Envelope,
        message: IMessage,
        verdicts: Sequence[Verdict],
        within: float,
        alone: bool = False,
    ) -> Deferred[Outcome]:
        """
        Settle a message for all its recipients within C{within} seconds.

        @param alone: settle each recipient alone, for a client that takes a reply for each.

        It never fails: whatever goes wrong is a reply. Cancelling it (the client is gone)
        stops what has not begun; a delivery whose first byte has gone out ends by itself,
        and then the Outcome still comes.
        """


# -- who may log in ---------------------------------------------------------------------


@frozen
class Account:
    """
    Somebody of ours who has logged in to send mail.
    """

    name: str
    senders: frozenset[str] = frozenset()
    """
    As whom it may send: addresses, C{@} and a domain for all addresses in it, C{*} for anybody;
    in lower case, the domain in ASCII.
    """

    def may_send_as(self, sender: Address) -> bool:
        """
        Tell whether C{sender} belongs to the account; the null sender is everybody's.
        """
        if sender.is_null:
            return True
        domain = f"@{sender.host}"
        return not self.senders.isdisjoint(("*", domain, sender.local.lower() + domain))


class AccountsUnavailable(Exception):
    """
    It cannot be found out now whether somebody is who it says.
    """


class IAccounts(Interface):
    """
    Who may log in to send mail.
    """

    has_scram: bool = Attribute("Whether SCRAM-SHA-256 is of use to anybody.")

    def verify(name: str, password: str) -> Deferred[Account | None]:
        """
        Give the account of that name if the password is its own, in the same time whatever is
        wrong.

        @raise AccountsUnavailable: nobody knows at the moment.
        """

    def verifier(name: str) -> Deferred[ScramVerifier]:
        """
        Give what SCRAM-SHA-256 needs of the account; where there is none, what no password
        fits, the same each time.

        @raise AccountsUnavailable: nobody knows at the moment.
        """

    def find(name: str) -> Account | None:
        """
        Give the account of that name, as far as it is known without asking.
        """


# -- keeping ----------------------------------------------------------------------------


@frozen
class Hold:
    """
    A copy for one recipient that is to be held.
    """

    recipient: Address
    kind: Kind
    verdict: Verdict
    reason: str = ""
    """The upstream's words where C{kind} is C{undeliverable}, else C{""}."""


@frozen
class Outgoing:
    """
    A copy for one recipient that is to be delivered later, from the outbox.
    """

    recipient: Address
    action: Action
    """C{accept} or C{tag}, for the header that the rewriting adds."""

    total: float
    reason: str = ""
    """Why it could not be delivered at once, or C{""}."""

    findings: tuple[Finding, ...] = ()
    """What has led to the total, for the header that names them."""


@frozen
class Attempt:
    """
    That somebody wants to write to somebody, as greylisting tells it from others.
    """

    network: str
    """Where the client is: C{192.0.2.0/24}, C{2001:db8::/64}."""

    sender: str
    """The envelope sender without what is new in each message; C{""} is the null sender."""

    recipient: str


@frozen
class Standing:
    """
    Whether somebody is known who wants to write to somebody.
    """

    is_known: bool
    """Whether clients of its network have come again before, or this one has now."""

    waited: float = 0.0
    """
    Seconds since the first attempt; 0 where this is the first, and where the network was known.
    """


class Deed(StrEnum):
    """
    What was seen of somebody.
    """

    SPAM = "spam"
    """A message of it was held as spam, phishing, forged or malware, or refused at its end."""

    REFUSED = "refused"
    """It was refused before."""

    UNKNOWN = "unknown"
    """It wrote to a recipient that does not exist."""

    LOGIN = "login"
    """It has failed to log in."""

    TRAP = "trap"
    """It wrote to an address that nobody uses."""

    GOOD = "good"
    """A message of it was delivered."""


Mark = Callable[[str, str], None]
"""Marks a client as bad: takes its IP address, and why, in words."""


@frozen
class Reputation:
    """
    What is known of a sender that was authenticated.
    """

    name: str
    """As L{mailgate.knowledge.senders.Names} names it."""

    good: float = 0.0
    bad: float = 0.0
    """What speaks for and against it now; it grows less with time."""

    first: float = 0.0
    last: float = 0.0
    """When mail of it was first and last delivered, in seconds since the epoch; 0: never."""

    written: float = 0.0
    """When somebody here last wrote to it; 0: never."""

    @property
    def balance(self) -> float:
        """
        Weigh good against bad: from -1 to 1, and near 0 as long as there is little of either.
        """
        return (self.good - self.bad) / (self.good + self.bad + DOUBT)

    @property
    def is_bad(self) -> bool:
        """
        Tell whether more speaks against it than for it.
        """
        return self.balance <= -CLEAR

    @property
    def is_good(self) -> bool:
        """
        Tell whether more speaks for it than against it.
        """
        return self.balance >= CLEAR

    @property
    def has_passed(self) -> bool:
        """
        Tell whether mail of it was taken before, or somebody here has written to it.
        """
        return bool(self.last or self.written or self.good)


@frozen
class Question:
    """
    What is asked of correspondents.
    """

    theirs: str
    """The author's address, as L{mailgate.wire.normal.normal_address} gives it."""

    ours: tuple[str, ...]
    """Those of the recipients, in the same form."""


@frozen
class Contact:
    """
    What is known of somebody as a correspondent.
    """

    theirs: str
    heard: float = 0.0
    """When authenticated mail of theirs was last delivered here, in seconds since the epoch."""

    written: float = 0.0
    """When somebody of ours last wrote to them; 0: never, as above."""

    is_own: bool = False
    """Whether one of the recipients has."""

    alike: tuple[str, ...] = ()
    """
    Domains to which ours have written whose names look the same; none where they have written to
    this one.
    """

    @property
    def is_first(self) -> bool:
        """
        Tell whether this is the first that is heard of them.
        """
        return not self.heard and not self.written


@frozen
class Marks:
    """
    By what a message is known again; nothing of it can be read out of these.
    """

    sketch: bytes = b""
    """That of its text, as the file has it; empty where the text is too short."""

    structure: int = 0
    """The number for its structure; 0 where there is too little of it."""

    files: tuple[int, ...] = ()
    """The numbers for the files that it brings."""


@frozen
class Remembered:
    """
    What was learned of one message.
    """

    is_spam: bool
    day: int
    """When, in days since the epoch."""

    marks: Marks


DOUBT = 5.0
"""How much must be known of a sender before it counts half of what it could."""

CLEAR = 0.2
"""From which balance on a sender is good or bad, and not somewhere between."""


class IHub(Interface):
    """
    The half that owns the databases. The other half, which talks SMTP, knows only this.
    """

    def hold(
        envelope: Envelope, message: IMessage, holds: Sequence[Hold], provisional: bool
    ) -> Deferred[Sequence[str]]:
        """
        Store a message and a row for each hold, all synced when the Deferred fires.

        A provisional hold is shown to nobody until it is confirmed; found at the next start
        it becomes an ordinary one.

        @return: the ids of the held messages, in the order of C{holds}.
        @raise OSError: no room, or the disk failed; nothing has been stored.
        """

    def confirm(ids: Sequence[str]) -> Deferred[None]:
        """
        Turn provisional holds into ordinary ones.
        """

    def withdraw(ids: Sequence[str]) -> Deferred[None]:
        """
        Forget provisional holds.
        """

    def enqueue(
        envelope: Envelope, message: IMessage, copies: Sequence[Outgoing]
    ) -> Deferred[Sequence[str]]:
        """
        Put copies into the outbox, synced when the Deferred fires.

        @return: the ids of the outbox rows, in the order of C{copies}.
        @raise OSError: no room, or the disk failed; nothing has been stored.
        """

    def record(record: Record) -> None:
        """
        Note how a transaction ended. Returns at once; the trace may lag a second.
        """

    def look_up(attempts: Sequence[Attempt]) -> Deferred[Sequence[Standing]]:
        """
        Tell whether those are known who attempt this, and remember that they have. All questions of
        a phase go in one call.

        @return: the answers, in the order of C{attempts}.
        @raise OSError: the disk failed; nothing is remembered.
        """

    def reputations(names: Sequence[str]) -> Deferred[Sequence[Reputation]]:
        """
        Tell what is known of senders, in the order of C{names}. What was noted in the last seconds
        may not be in it.

        @raise OSError: the disk failed.
        """

    def contact(question: Question) -> Deferred[Contact]:
        """
        Tell what is known of an author as a correspondent. What was noted in the last seconds may
        not be in it.

        @raise OSError: the disk failed.
        """

    def has_room() -> bool:
        """
        Tell whether the disk has room for another message (asked at MAIL; 452 4.3.1 if not).
        """


class Counted(StrEnum):
    """
    What one worker counts of its clients and the others have to count too.
    """

    ADMITTED = "admitted"
    """A connection."""

    RELEASED = "released"
    UNKNOWN = "unknown"
    """A recipient that does not exist."""

    JUNK = "junk"
    """A command that brings nothing forward."""

    LOGGING_IN = "logging in"
    LOGIN_UNDECIDED = "login undecided"
    LOGGED_IN = "logged in"


Share = Callable[[Counted, str, str], None]
"""Tells the other workers of it: what, of which client, and to which account for log-ins."""


def share_with_nobody(what: Counted, client: str, name: str) -> None:
    """
    Be the only one who counts.
    """


class ILearner(Interface):
    """
    What learns from people which mail is wanted.
    """

    def learn(message: Path | bytes, is_spam: bool, by: str) -> Deferred[Any]:
        """
        Learn one message.

        @param message: the message as it was received, or the file that holds it; of a long one
            the beginning is enough.
        @param by: who says what it is, in words.
        """


class IRater(Interface):
    """
    What learns from people whose mail is wanted.
    """

    def rate(names: Sequence[str], is_spam: bool, trace: str) -> Deferred[Any]:
        """
        Take note of what somebody has said of a message. Of each message it counts once.

        @param names: who was authenticated as its sender.
        @param trace: the id of its transaction.
        @raise OSError: the disk failed.
        """


# -- the machine underneath -------------------------------------------------------------


class IThreads(Interface):
    """
    Where work is done that would block the reactor.
    """

    def run(function: Callable[..., T], *args: Any) -> Deferred[T]:
        """
        Call C{function} in a thread.
        """


class Protection(StrEnum):
    """
    What a process in the sandbox has taken from itself, in the order in which it does so.
    """

    LIMITS = "limits"
    """Of memory, processor time, files, processes, and what it writes."""

    NETWORK = "network"
    """It is in a network of its own, in which there is nobody."""

    CAPABILITIES = "capabilities"
    """It has none of the rights of root."""

    PRIVILEGES = "privileges"
    """It gains no rights by running a program, and no other process can look into it."""

    CALLS = "system calls"
    """It can only compute, read files and answer."""


class CheckFailed(Exception):
    """
    A check could not be made, or not to its end, for a reason that is known and no mistake of ours:
    its C{on_error} decides.
    """

    def __init__(self, why: str, findings: Sequence[Finding] = ()) -> None:
        """
        @param why: in words, without a full stop.
        @param findings: what was seen nevertheless.
        """
        super().__init__(why)
        self.findings = tuple(findings)


class SandboxError(Exception):
    """
    A job in the sandbox has no result; the message says why.
    """


class SandboxDied(SandboxError):
    """
    The job has killed its process.
    """


class SandboxTimeout(SandboxError):
    """
    The job took too long, so its process was killed.
    """


class SandboxFailed(SandboxError):
    """
    The job broke, and its process has said so.
    """


class SandboxUnavailable(SandboxError):
    """
    The job has not begun: there was no process for it in time. It says nothing of the value.
    """


class ISandbox(Interface):
    """
    Processes that are trusted with nothing, for work on what strangers have made.
    """

    protections: frozenset[Protection] | None = Attribute(
        "What holds its processes, or None before the first of them has begun."
    )
    problem: str = Attribute("Why the last process that was to begin did not, or an empty string.")

    def run(job: str, value: bytes, seconds: float) -> Deferred[bytes]:
        """
        Do a job. Cancelling it kills its process.

        @param job: the name of one of the jobs that the processes know.
        @param value: what it works on.
        @param seconds: how long it may take. It waits for a process for half of them at most.
        @return: its result, which is not to be trusted.
        @raise SandboxError: there is none.
        """


class IReader(Interface):
    """
    Looks into messages that are kept, so that what they do to whoever reads them harms nobody else.
    """

    def page(data: bytes, is_deadly: bool = False) -> Deferred[Page]:
        """
        Read what a person is shown of a message.

        @param data: the message, or its beginning.
        @param is_deadly: whether it is known to have killed a process. Then it gets one of its own,
            before which there was no other message, and after which there will be none.
        @raise SandboxError: whatever reads it dies, or does not come to an end.
        """

    def lore(data: bytes) -> Deferred[Lore]:
        """
        Read what can be learned of a message.

        @raise SandboxError: as above.
        @raise SandboxUnavailable: that has nothing to do with the message.
        """

    def forwarded(data: bytes) -> Deferred[Sequence[bytes]]:
        """
        Give the messages attached to one.

        @raise SandboxError: as above.
        """


class INotes(Interface):
    """
    Where a process notes what it is at, so that others know when it has died of it.
    """

    def add(digest: bytes) -> int | None:
        """
        Note that something begins; it is there before the next step is done.

        @param digest: 32 bytes.
        @return: what C{remove} takes, or C{None} where there is no place for it.
        """

    def remove(note: int) -> None:
        """
        Note that it has ended.
        """

    def leave(note: int) -> None:
        """
        Note that nobody waits for its end any more, though it may still go on in a thread: the note
        stays until its place is needed.
        """


class IFiles(Interface):
    """
    The file system as far as durability needs it; every call blocks.

    Tests put a recording or a crashing one in its place.
    """

    def create(path: Path) -> BinaryIO:
        """
        Create and open a new file for writing and reading, mode 0600.

        @raise FileExistsError: it is there already.
        """

    def open(path: Path) -> BinaryIO:
        """
        Open a file that is there for reading.
        """

    def write(file: BinaryIO, data: bytes) -> None:
        """
        Append C{data}.
        """

    def sync(file: BinaryIO) -> None:
        """
        Flush and fsync an open file.
        """

    def link(source: Path, target: Path) -> None:
        """
        Give a file a second name within one file system.

        @raise OSError: not possible there, or C{target} is there already.
        """

    def rename(source: Path, target: Path) -> None:
        """
        Move a file within one file system, in one step.
        """

    def sync_directory(path: Path) -> None:
        """
        Fsync a directory, so that what was created or renamed in it stays.
        """

    def remove(path: Path) -> None:
        """
        Remove a file; one that is not there is fine.
        """
