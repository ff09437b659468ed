"""
A whole conversation with the edge, in memory, with what must hold whatever a client says.

The first byte of an input chooses the listener (L{make_edge}), the second how the bytes are cut;
what follows is what the client says. C{0xFF} stands for waiting until everything was answered.
"""

import re

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, globalLogPublisher

from mailgate.config.model import ClientLimits, Limits
from mailgate.edge.attempts import Attempts
from mailgate.edge.auth import Authentication
from mailgate.interfaces import Capabilities
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads
from mailgate.wire.smtp import parse_mail, parse_rcpt
from tests.edge.harness import ACCEPT, Edge, ScriptedRecipients
from tests.edge.relay import RelayingDispatcher
from tests.edge.test_auth import ScriptedAccounts
from tests.fuzz.oracle import check, choice_of, pieces
from tests.wire import test_replies
from tests.wire.test_data import plain_reading, strays

ROLES = ("mx", "internal", "submission", "lmtp")
OFFERED = Capabilities(frozenset(("8BITMIME", "SMTPUTF8", "DSN")), 4096)
LIMITS = Limits(command_bytes=512, header_bytes=4096, hops=10, recipients=100)
WAIT = b"\xff"
SPOOLED, SLOW, BEHIND_PROXY, TRUSTED, OTHER_LINE_ENDS = 4, 8, 16, 32, 64
"""Bits of the first byte; the two lowest are the role."""

OUT_OF_TURN = re.compile(
    r"^554 (?:5\.5\.0 .* must wait for |5\.5\.1 nothing may follow STARTTLS)", re.MULTILINE
)
"""Who does not wait as it must is treated by when its bytes arrive."""


class Mishaps:
    """
    Collects events that tell of a mistake of ours.
    """

    def __init__(self):
        self.found = []

    def __call__(self, event):
        """
        Look at an event.
        """
        if "log_failure" in event or event["log_level"] >= LogLevel.error:
            self.found.append((event.get("event"), event.get("log_failure")))


def make_edge(folder, flags):
    """
    Make the edge that a client talks to.
    """
    role = ROLES[flags & 3]
    listener = {"role": role, "networks": ("192.0.2.0/24",) if role == "internal" else ()}
    if flags & BEHIND_PROXY and role != "submission":
        # There TLS, which is not tried here, has to be on from the start.
        listener["proxy_networks"] = ("192.0.2.0/24",)
    if flags & TRUSTED:
        listener["xclient_networks"] = ("192.0.2.0/24",)
    if flags & OTHER_LINE_ENDS:
        # The other than the one that the role has by itself.
        listener["bare_newline"] = "reject" if role in ("internal", "submission") else "normalize"
    edge = Edge(
        Files(),
        ImmediateThreads(),
        folder,
        limits=LIMITS,
        memory_limit=0 if flags & SPOOLED else 1 << 28,
        dispatcher=RelayingDispatcher(),
        recipients=ScriptedRecipients(capabilities=OFFERED),
        tls=object(),
        listener=listener,
    )
    accounts = ScriptedAccounts()
    # Its replies hold what nobody can foresee, so that no two runs would be equal.
    accounts.has_scram = False
    edge.authentication = Authentication(accounts, Attempts(ClientLimits(), edge.clock))
    return edge


class Talk:
    """
    One client and what it is told.
    """

    def __init__(self, edge, flags):
        self.edge = edge
        self.waiting = []
        if flags & SLOW:
            for step in ("connected", "greeted", "mail", "rcpt"):
                edge.pipeline.answers[step] = self._later
        self.said = edge.connect() + self._settled()
        if flags & 3 == ROLES.index("submission"):
            # The handshake is not what is tried here.
            edge.protocol._conversation.secured("TLSv1.3 X")

    def _later(self):
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def _settled(self):
        """
        Let all checks answer, and give what is said then.
        """
        while self.waiting:
            self.waiting.pop(0).callback(ACCEPT)
        return self.edge.said()

    def hear(self, turn):
        """
        Let the client send pieces of bytes, each answered by checks only when it has come.
        """
        for piece in turn:
            self.said += self.edge.say(piece) + self._settled()

    def outcome(self):
        """
        Give all that must not depend on how the bytes were cut.
        """
        messages = [
            (str(envelope.sender), envelope.body, envelope.ret, envelope.wishes, names, content)
            for envelope, names, _, content in self.edge.dispatcher.messages
        ]
        transport = self.edge.transport
        return self.said, messages, transport.disconnecting, transport.tls_context is not None


class Conversations:
    """
    The target.
    """

    def __init__(self, folder):
        self._folder = folder

    def __call__(self, data):
        """
        Have the conversation in one piece a turn, then cut, and see what must hold.

        No mistake of ours is told to the log; replies are well-formed; whatever is handed on is
        clean and is read by the upstream as one message; nothing is left in the end; and both
        times the same comes of it.
        """
        flags, data = choice_of(data)
        choice, script = choice_of(data)
        turns = script.split(WAIT)
        whole = self._hold(flags, [[turn] for turn in turns])
        cut = self._hold(flags, [pieces(turn, choice) for turn in turns])
        check(OUT_OF_TURN.search(whole[0]) or whole == cut, whole, cut)

    def _hold(self, flags, turns):
        mishaps = Mishaps()
        globalLogPublisher.addObserver(mishaps)
        try:
            edge = make_edge(self._folder, flags)
            talk = Talk(edge, flags)
            for turn in turns:
                talk.hear(turn)
            outcome = talk.outcome()
            edge.lose()
        finally:
            globalLogPublisher.removeObserver(mishaps)
        check(not mishaps.found, mishaps.found)
        _look_at_replies(outcome[0], edge.transport)
        check(len(edge.dispatcher.messages) == len(edge.dispatcher.sent), "a message was not sent")
        for message, sent in zip(edge.dispatcher.messages, edge.dispatcher.sent, strict=True):
            _look_at_message(message, sent)
        check(not edge.clock.getDelayedCalls(), "a timer is left")
        check(not any(self._folder.iterdir()), "a spool file is left")
        check(len(edge.hub.records) >= len(edge.dispatcher.messages), "a record is missing")
        return outcome


def _look_at_replies(said, transport):
    wire = said.encode("ascii")
    check(all(len(line) <= 512 for line in wire.splitlines(keepends=True)), "a line is too long")
    check(wire.count(b"\n") == wire.count(b"\r\n") == wire.count(b"\r"), wire)
    # 334 ends in base64; its text is all that a client's parser need not understand.
    replies, error, is_amid = test_replies.parse(wire)
    check(not (error or is_amid), error, wire)
    check(all(200 <= reply.code < 600 for reply in replies), wire)


def _look_at_message(message, sent):
    envelope, recipients, prepended, content = message
    commands, wire = sent
    check(strays(prepended + content) == (0, 0, 0), prepended, content)
    check(prepended.endswith(b"\r\n") and b"\r\n\r\n" not in prepended, prepended)
    whole = prepended + content
    read = whole if whole.endswith(b"\r\n") else whole + b"\r\n"
    check(plain_reading(wire) == (read, b""), wire)
    mail, *rcpts, data, end = commands.decode("utf-8").split("\r\n")
    check((data, end, len(rcpts)) == ("DATA", "", len(recipients)), commands)
    check(parse_mail(mail.removeprefix("MAIL ")).address == envelope.sender, commands)
    for rcpt, recipient in zip(rcpts, recipients, strict=True):
        check(parse_rcpt(rcpt.removeprefix("RCPT ")).address == recipient, commands)
