"""
A gateway in memory from the client's command to the bytes that upstreams take: the real edge,
settlement, delivery, quarantine and outbox, between a scripted client and chaos upstreams.
"""

from pathlib import Path

from attrs import define, field
from twisted.internet.task import Clock
from zope.interface import implementer

from mailgate.config.delivery import SmtpUpstream
from mailgate.delivery.dispatch import Dispatcher
from mailgate.delivery.outbox import Outbox
from mailgate.delivery.smtp_delivery import SmtpDelivery
from mailgate.interfaces import Admission, Capabilities, IHub, IRecipients
from mailgate.quarantine.rows import add_undeliverable
from mailgate.reply import Reply
from mailgate.rewrite.headers import HeaderRewriter
from mailgate.store.files import Files
from mailgate.store.outbox import newest
from mailgate.store.threads import ImmediateThreads
from tests.chaos import Chaos
from tests.delivery.chaos_network import ChaosNetwork, pass_time
from tests.delivery.secure import HOST, authority
from tests.edge.harness import Edge
from tests.storage import WallClock, make_storage, sending, temporary_folder

HEAL_SECONDS = 900
"""What is enough for each copy in the outbox to be tried again, and for connections to end."""


@implementer(IRecipients)
class Everybody:
    """
    Every recipient exists.
    """

    def ask(self, envelope, recipient):
        """
        Say so.
        """
        return Admission(Reply(250, "2.1.5", "ok"), recipient)

    def offers(self):
        """
        Offer what every upstream here takes.
        """
        return Capabilities(frozenset({"8BITMIME"}), None)


@implementer(IHub)
@define(eq=False)
class StoredHub:
    """
    The part of the hub that keeps copies.
    """

    quarantine: object
    outbox: Outbox
    records: list = field(factory=list)

    def hold(self, envelope, message, holds, provisional):
        """
        Hold copies.
        """
        return self.quarantine.hold(envelope, message, holds, provisional)

    def confirm(self, ids):
        """
        Make provisional holds ordinary ones.
        """
        return self.quarantine.confirm(ids)

    def withdraw(self, ids):
        """
        Forget provisional holds.
        """
        return self.quarantine.withdraw(ids)

    def enqueue(self, envelope, message, copies):
        """
        Put copies into the outbox.
        """
        return self.outbox.enqueue(envelope, message, copies)

    def record(self, record):
        """
        Keep it.
        """
        self.records.append(record)

    def look_up(self, attempts):
        """
        No delivery asks for it.
        """
        raise AssertionError("a delivery looks up nobody")

    def has_room(self):
        """
        Say that there is room.
        """
        return True


@define(eq=False)
class Composition:
    """
    A gateway whose upstreams are those of the domains C{up0.example}, C{up1.example} and so on.
    """

    test: object
    role: str = "mx"
    kind: str = "smtp"
    """That of the upstreams."""

    is_secure: bool = False
    """Whether they are reached over TLS only."""

    count: int = 3
    clock: Clock = field(factory=Clock)
    networks: list = field(init=False)
    deliveries: list = field(init=False)
    storage: object = field(init=False)
    outbox: Outbox = field(init=False)
    hub: StoredHub = field(init=False)
    edge: Edge = field(init=False)

    def __attrs_post_init__(self):
        self.networks = [
            ChaosNetwork(Chaos(is_lmtp=self.kind == "lmtp"), self.clock, has_tls=self.is_secure)
            for _ in range(self.count)
        ]
        tls = {}
        if self.is_secure:
            authorities = temporary_folder(self.test) / "ca.pem"
            authorities.write_bytes(authority().pem)
            tls = {"tls": "verified", "tls_name": HOST, "ca_file": authorities}
        settings = SmtpUpstream(kind=self.kind, host="127.0.0.1", **tls)
        self.deliveries = [
            SmtpDelivery(f"up{n}", settings, "mail.example.com", self.clock, network)
            for n, network in enumerate(self.networks)
        ]
        self.storage = storage = make_storage(self.test, now=WallClock(self.clock))
        rewriter = HeaderRewriter()
        self.outbox = Outbox(
            self.clock,
            storage.now,
            storage.messages,
            storage.threads,
            storage.settings.outbox,
            sending(self.route_for),
            rewriter,
            add_undeliverable,
        )
        self.hub = StoredHub(storage.quarantine(self.outbox.kick), self.outbox)
        self.test.successResultOf(self.outbox.start())
        directory = Path(self.test.mktemp())
        directory.mkdir()
        self.edge = Edge(
            Files(),
            ImmediateThreads(),
            directory,
            clock=self.clock,
            recipients=Everybody(),
            dispatcher=Dispatcher(self.hub, rewriter, self.route_for, self.clock),
            hub=self.hub,
            listener={
                "role": self.role,
                "networks": ("192.0.2.0/24",) if self.role == "internal" else (),
            },
        )
        self.edge.connect()

    def route_for(self, recipient):
        """
        Give the upstream of a domain; the last one is that of all others.
        """
        is_known = recipient.host.startswith("up")
        return self.deliveries[int(recipient.host[2]) if is_known else -1]

    # -- the client ---------------------------------------------------------------------

    def say(self, text):
        """
        Say something to the gateway, and wait for what it says to it.
        """
        said = self.edge.say(text)
        until = self.clock.seconds() + self.edge.limits.reply_seconds + 1
        while not said and self.clock.seconds() < until:
            pass_time(self.clock, self.networks, 1)
            said = self.edge.said()
        return said

    def send(self, identity, recipients, prdr=False):
        """
        Send a message on a new connection.

        @param identity: what is in its Message-ID.
        @return: the replies to its dot, each without its words.
        """
        edge = self.edge
        edge.join("192.0.2.7")
        self.say("LHLO client\n" if self.role == "lmtp" else "EHLO client.example.org\n")
        self.say(f"MAIL FROM:<sender@example.org>{' PRDR' if prdr else ''}\n")
        for recipient in recipients:
            self.test.assertEqual(self.say(f"RCPT TO:<{recipient}>\n")[:3], "250")
        self.test.assertEqual(self.say("DATA\n")[:3], "354")
        said = self.say(f"Message-ID: <{identity}@x>\nSubject: x\n\n.dots\n..\n.\n")
        edge.lose()
        return [line[:9] for line in said.split("\r\n")[:-1]]

    # -- what is left -------------------------------------------------------------------

    def delivered(self, identity):
        """
        Name the recipients of the copies that upstreams have taken, each as often as it was.
        """
        return sorted(
            who
            for network in self.networks
            for taken in network.chaos.taken
            if taken.sender and f"<{identity}@x>".encode() in taken.content
            for who in taken.recipients
        )

    def held(self):
        """
        Name those for whom a copy is held, with its kind.
        """
        rows = self.test.successResultOf(self.hub.quarantine.list())
        return sorted((str(row.recipient), str(row.kind)) for row in rows)

    def queued(self):
        """
        Name those for whom a copy lies in the outbox.
        """
        rows = self.test.successResultOf(self.storage.database.read(newest))
        return sorted(str(row.recipient) for row in rows)

    def heal(self):
        """
        Let all upstreams be ordinary ones, and wait until the outbox has had its time.
        """
        for network in self.networks:
            network.error = None
            network.is_unreachable = False
            network.chaos.script = {}
            network.chaos.close_at = []
        self.rest()

    def rest(self, seconds=HEAL_SECONDS):
        """
        Let time pass.
        """
        pass_time(self.clock, self.networks, seconds, 15)

    def close(self):
        """
        End everything, and hold that nothing is left of it.
        """
        test = self.test
        stopping = self.outbox.stop(0)
        closing = [delivery.close() for delivery in self.deliveries]
        pass_time(self.clock, self.networks, 10)
        test.successResultOf(stopping)
        for closed in closing:
            test.successResultOf(closed)
        test.assertEqual([network.open for network in self.networks], [0] * self.count)
        self.edge.factory.finish(0)
        pass_time(self.clock, self.networks, 10)
        test.assertEqual(self.clock.getDelayedCalls(), [])
