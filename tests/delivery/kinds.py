"""
A mail server in memory that takes mail by SMTP or LMTP, in the clear or over real TLS, and the
delivery to it: each kind of upstream.
"""

from base64 import b64decode
from os import urandom

from attrs import define, field
from twisted.internet.task import Clock

from mailgate.config.delivery import SmtpUpstream
from mailgate.delivery.alternatives import Alternative, Alternatives
from mailgate.delivery.smtp_delivery import SmtpDelivery
from mailgate.delivery.tls import key_digest
from mailgate.wire import scram
from mailgate.wire.base64 import b64encode
from tests.delivery.secure import (
    HOST,
    Behaviour,
    SecureNetwork,
    Server,
    authority,
    certificate,
    self_signed,
)

PASSWORD = "correct horse battery"
EXTENSIONS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 50000000")


@define(eq=False)
class MailBehaviour(Behaviour):
    """
    How the server behaves.
    """

    kind: str = "plain"
    """C{submissions} where TLS comes first."""

    offers_starttls: bool = False
    mechanisms: str = ""
    """What it offers for AUTH, and only over TLS."""

    offers_auth_in_clear: bool = False
    extensions: tuple = EXTENSIONS
    is_hanging: bool = False
    """Whether it takes no more than the message."""

    is_broken: bool = False
    """Whether it ends each connection at once."""

    arrived: list = field(factory=list)
    """(recipient, bytes, whether over TLS) of each copy."""

    servers: list = field(factory=list)

    def go_on(self):
        """
        Answer what has been left.
        """
        self.is_hanging = False
        for server in self.servers:
            server.take_message()

    def drop(self):
        """
        End all connections.
        """
        for server in self.servers:
            server.transport.loseConnection()


class MailServer(Server):
    """
    The server's side of one connection.
    """

    def __init__(self, behaviour):
        super().__init__(behaviour)
        self.recipients = []
        self._is_lmtp = False
        self._content = None
        """What has come of a message, or C{None} outside of one."""
        behaviour.servers.append(self)

    def connectionMade(self):
        """
        Greet, or end the connection.
        """
        if self.behaviour.is_broken:
            self.dataReceived = lambda data: None
            self.transport.loseConnection()
        else:
            super().connectionMade()

    def dataReceived(self, data):
        """
        Take lines, or a message.
        """
        self._rest += data
        while self._content is None and b"\r\n" in self._rest:
            line, self._rest = self._rest.split(b"\r\n", 1)
            self.take_line(line)
        if self._content is not None:
            self._content, self._rest = self._content + self._rest, b""
            self.take_message()

    def take_message(self):
        """
        Take a message that is there.
        """
        content, behaviour = self._content, self.behaviour
        is_whole = content is not None and (b"\r\n" + content).endswith(b"\r\n.\r\n")
        if not is_whole or behaviour.is_hanging:
            return
        self._content = None
        text = (b"\r\n" + content[:-3]).replace(b"\r\n.", b"\r\n")[2:]
        said = behaviour.replies.get(".", "250 2.0.0 taken")
        if not self._is_lmtp:
            if _is_yes(said):
                behaviour.arrived += [(name, text, self.is_secure) for name in self.recipients]
            self._say(".", said)
            return
        for name in self.recipients:
            each = behaviour.replies.get(f". {name}", said)
            if _is_yes(each):
                behaviour.arrived.append((name, text, self.is_secure))
            self._say(f". {name}", each)

    # -- commands -----------------------------------------------------------------------

    def _ehlo(self, argument):
        behaviour = self.behaviour
        lines = ["mail.example.com", *behaviour.extensions]
        if behaviour.mechanisms and (self.is_secure or behaviour.offers_auth_in_clear):
            lines.append(f"AUTH {behaviour.mechanisms}")
        if behaviour.offers_starttls and not self.is_secure:
            lines.append("STARTTLS")
        said = [f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"]
        self._say("EHLO", "\n".join(said))

    def _helo(self, argument):
        self._say("HELO", "250 mail.example.com")

    def _lhlo(self, argument):
        self._is_lmtp = True
        self._ehlo(argument)

    def _starttls(self, argument):
        said = self.behaviour.replies.get("STARTTLS", "220 go on")
        self._say("STARTTLS", said)
        if said[:3] in ("220", b"220"):
            self._secure()

    def _mail(self, argument):
        self.recipients = []
        self._say("MAIL", "250 2.1.0 ok")

    def _rcpt(self, argument):
        name = argument.decode()[4:].split(">")[0]
        replies = self.behaviour.replies
        said = replies.get(f"RCPT {name}", replies.get("RCPT", "250 2.1.5 ok"))
        if _is_yes(said):
            self.recipients.append(name)
        self._say(f"RCPT {name}", said)

    def _data(self, argument):
        said = self.behaviour.replies.get("DATA", "354 go")
        if not self.recipients:
            said = "503 5.5.1 no recipients"
        elif said is not None and said.startswith("354"):
            self._content = b""
        self._say("", said)

    def _rset(self, argument):
        self.recipients = []
        self._say("RSET", "250 2.0.0 ok")

    def _xforward(self, argument):
        self._say("XFORWARD", "250 2.0.0 ok")

    def _xclient(self, argument):
        self._say("XCLIENT", "220 mail.example.com ESMTP")

    def _quit(self, argument):
        self.transport.write(b"221 2.0.0 bye\r\n")
        self.transport.loseConnection()

    # -- SCRAM --------------------------------------------------------------------------

    def _auth(self, argument):
        mechanism, _, word = argument.partition(b" ")
        if mechanism != b"SCRAM-SHA-256":
            super()._auth(argument)
            return
        first = scram.ClientFirst.parse(b64decode(word))
        password = self.behaviour.passwords[first.name]
        verifier = scram.make_verifier(password, urandom(16), 4096)
        nonce = first.nonce + "server"
        said = scram.server_first(verifier, nonce)

        def judge(message):
            final = scram.ClientFinal.parse(message)
            signed = f"{first.bare},{said},{final.bare}".encode()
            if not scram.is_proven(verifier, signed, final.proof):
                self._say("AUTH", "535 5.7.8 no")
                return
            proof = scram.server_final(verifier, signed)
            self._challenge = lambda _: self._say("AUTH", "235 2.7.0 yes")
            self._say("proof", f"334 {b64encode(proof).decode()}")

        self._challenge = judge
        self._say("challenge", f"334 {b64encode(said.encode()).decode()}")


def _is_yes(said):
    return said is not None and said[:1] in ("2", b"2")


@define(eq=False)
class Kind:
    """
    One kind of upstream: what is configured, and how its server is.
    """

    name: str
    settings: dict = field(factory=dict)
    behaviour: dict = field(factory=dict)
    is_secure: bool = False
    """Whether mail must come over TLS."""


KINDS = (
    Kind("smtp"),
    Kind(
        "smtp, required",
        {"tls": "required"},
        {"offers_starttls": True, "issued": self_signed()},
        True,
    ),
    Kind("smtp, verified", {"tls": "verified"}, {"offers_starttls": True}, True),
    Kind("smtp, pinned", {"tls": "pinned"}, {"offers_starttls": True}, True),
    Kind("smtps", {"kind": "smtps"}, {"kind": "submissions"}, True),
    Kind("lmtp", {"kind": "lmtp"}),
    Kind("lmtp, verified", {"kind": "lmtp", "tls": "verified"}, {"offers_starttls": True}, True),
)


def make_settings(folder, **more):
    """
    Give the settings of an upstream that trusts the test's authority.
    """
    given = {"kind": "smtp", "host": HOST, "tls": None, **more}
    if given["tls"] is None and given["kind"] != "smtps":
        given["tls"] = "none"
    if given["tls"] == "pinned":
        given.setdefault("pinned_keys", (key_digest(certificate().certificate),))
    if given["tls"] == "verified" or given["kind"] == "smtps":
        path = folder / "authority.pem"
        path.write_bytes(authority().pem)
        given.setdefault("ca_file", path)
    if "password" in given:
        path = folder / "password"
        path.write_text(given.pop("password") + "\n")
        given["password_file"] = path
    return SmtpUpstream(**given)


class MailSubject:
    """
    A mail server in memory, and the delivery to it.
    """

    def __init__(self, folder, kind=KINDS[0], name="inner", clock=None, **settings):
        self.clock = clock or Clock()
        self.behaviour = MailBehaviour(**kind.behaviour)
        self.network = SecureNetwork(self.behaviour, MailServer)
        made = make_settings(folder, **{**kind.settings, **settings})
        self.delivery = SmtpDelivery(name, made, "gw.example.com", self.clock, self.network)

    def work(self):
        """
        Carry all bytes over.
        """
        for _ in range(3):
            self.network.flush()

    def stored(self):
        """
        Give what has arrived for whom.
        """
        return sorted((recipient, text) for recipient, text, _ in self.behaviour.arrived)

    def be_broken(self, is_broken):
        """
        End each connection at once, or take them again.
        """
        self.behaviour.is_broken = is_broken
        self.behaviour.drop()
        self.work()

    def hang(self):
        """
        Take no more than the message.
        """
        self.behaviour.is_hanging = True

    def go_on(self):
        """
        Answer what has been left.
        """
        self.behaviour.go_on()
        self.work()


class AlternativesSubject:
    """
    Two mail servers in memory for one route, of which each is asked in turn, and one of its own for
    when they do not work.
    """

    def __init__(self, folder):
        self.clock = Clock()
        self.subjects = [
            MailSubject(folder, kind, name, self.clock)
            for kind, name in zip(KINDS[:3], ("one", "two", "last"), strict=True)
        ]
        one, two, last = (each.delivery for each in self.subjects)
        self.delivery = Alternatives(
            [Alternative(one, 1, 2), Alternative(last, 2, 1), Alternative(two, 1, 1)], self.clock
        )

    def __getattr__(self, name):
        def all_of_them(*args):
            for subject in self.subjects:
                getattr(subject, name)(*args)

        return all_of_them

    def work(self):
        """
        Carry all bytes over.
        """
        for _ in range(3):
            for subject in self.subjects:
                subject.work()

    def stored(self):
        """
        Give what has arrived for whom, wherever.
        """
        return sorted(copy for subject in self.subjects for copy in subject.stored())
