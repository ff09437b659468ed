"""
Clients that follow TLS to the letter where programs seldom do, or not at all, against the running
gateway (A32): by another implementation than the gateway's own, of which any part can be changed.
"""

import contextlib
import random
import socket

from tlslite.api import HandshakeSettings, TLSConnection
from tlslite.constants import (
    AlertDescription,
    AlertLevel,
    ContentType,
    ExtensionType,
    HandshakeType,
    KeyUpdateMessageType,
)
from tlslite.errors import TLSAlert, TLSError
from tlslite.extensions import TLSExtension
from tlslite.messages import ClientHello, Message

from tests.end_to_end.test_tls import HostileTestCase

NAME = "mail.example.com"
HELLO = b"EHLO client.example.org\r\n"
TLS12, TLS13 = (3, 3), (3, 4)
FUZZED = 60
"""How many ClientHellos are changed at random."""


class Wire:
    """
    A connection of which the first bytes are changed on their way out. All else is the socket's.
    """

    def __init__(self, port, change=lambda data: data):
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        self.change = change
        self.is_first = True

    def send(self, data):
        """
        Send all of it.
        """
        data = bytes(data)
        if self.is_first:
            self.is_first = False
            self.socket.sendall(self.change(data))
        else:
            self.socket.sendall(data)
        return len(data)

    sendall = send

    def __getattr__(self, name):
        return getattr(self.socket, name)


class Client(TLSConnection):
    """
    A client that can send any record, and to whose ClientHello something can be added.
    """

    def __init__(self, port, change=lambda data: data, extensions=()):
        self.wire = Wire(port, change)
        super().__init__(self.wire)
        self._more = extensions

    def begin(self, version=TLS13, **settings):
        """
        Shake hands.
        """
        wanted = HandshakeSettings()
        wanted.minVersion = wanted.maxVersion = version
        for name, value in settings.items():
            setattr(wanted, name, value)
        self.handshakeClientCert(serverName=NAME, settings=wanted)
        return self

    def _sendMsg(self, msg, *arguments, **options):
        if isinstance(msg, ClientHello):
            # Not behind the one that must be the last.
            msg.extensions[:0] = self._more
        return super()._sendMsg(msg, *arguments, **options)

    def record(self, kind, data=b""):
        """
        Send a record, whatever is in it.
        """
        for _ in self._recordLayer.sendRecord(Message(kind, bytearray(data))):
            pass

    def line(self):
        """
        Read a line, C{b""} where the connection has ended.

        @raise TimeoutError: nothing comes.
        """
        said = b""
        with contextlib.suppress(ConnectionError, TLSError):
            while not said.endswith(b"\n"):
                more = bytes(self.read(1, 1))
                if not more:
                    break
                said += more
        return said

    def is_served(self):
        """
        Tell whether EHLO is answered, behind the greeting.

        @raise TimeoutError: nothing comes.
        """
        with contextlib.suppress(ConnectionError, TLSError):
            self.write(HELLO)
            if self.line().startswith(b"220 "):
                return self.line().startswith(b"250")
        return False


class RecordTests(HostileTestCase):
    """
    Tests of records.
    """

    def client(self, version=TLS13, change=lambda data: data, extensions=(), **settings):
        """
        Begin TLS from the first byte.
        """
        client = Client(self.people_port, change, extensions)
        self.addCleanup(client.wire.socket.close)
        return client.begin(version, **settings)

    def refused(self, **options):
        """
        Begin with something wrong; give what the alert says.
        """
        error = self.assertRaises(TLSError, self.client, **options)
        return error.description if isinstance(error, TLSAlert) else None

    def is_ended(self, client):
        """
        Tell whether the connection ends, whatever is still said before.
        """
        return any(not client.line() for _ in range(100))

    def read_all(self, client):
        """
        Read to the end.

        @raise TLSAlert: there is an alert.
        """
        while client.read(1, 1):
            pass

    def test_a32_versions(self):
        """
        What is older than TLS 1.2 is refused with an alert, and what is newer is served.
        """
        for version in ((3, 1), (3, 2)):
            said = self.refused(version=version)
            self.assertEqual(said, AlertDescription.protocol_version, version)
        for version in (TLS12, TLS13):
            self.assertTrue(self.client(version).is_served(), version)

    def test_a32_sizes(self):
        """
        Records of a byte, and those that are padded to the largest size, are served.
        """
        for version in (TLS12, TLS13):
            client = self.client(version)
            client.recordSize = 1
            self.assertTrue(client.is_served(), version)
        padded = self.client(padding_cb=lambda length, kind, most: most)
        self.assertTrue(padded.is_served())

    def test_a32_too_large(self):
        """
        A record beyond the largest size ends the connection.
        """
        for version in (TLS12, TLS13):
            client = self.client(version)
            with contextlib.suppress(ConnectionError):
                client.wire.socket.sendall(b"\x17\x03\x03\xff\xff" + b"\0" * 0xFFFF)
            self.assertTrue(self.is_ended(client), version)

    def test_a32_empty(self):
        """
        A few empty records are nothing, and a flood of them ends the connection.
        """
        for version in (TLS12, TLS13):
            client = self.client(version)
            for _ in range(10):
                client.record(ContentType.application_data)
            self.assertTrue(client.is_served(), version)
            with contextlib.suppress(ConnectionError):
                for _ in range(1000):
                    client.record(ContentType.application_data)
            self.assertTrue(self.is_ended(client), version)

    def test_a32_alerts(self):
        """
        A flood of warnings ends the connection.
        """
        warning = bytes([AlertLevel.warning, AlertDescription.user_canceled])
        for version in (TLS12, TLS13):
            client = self.client(version)
            with contextlib.suppress(ConnectionError):
                for _ in range(1000):
                    client.record(ContentType.alert, warning)
            self.assertTrue(self.is_ended(client), version)

    def test_a32_garbled(self):
        """
        A record that was changed on the way ends the connection, and none of it is run.
        """
        for version in (TLS12, TLS13):
            client = self.client(version)
            client.wire.change = lambda data: data[:-1] + bytes([data[-1] ^ 1])
            client.wire.is_first = True
            client.write(HELLO)
            self.assertTrue(client.line().startswith(b"220 "))
            self.assertEqual(client.line(), b"")

    def test_a32_renegotiation(self):
        """
        A client that wants to shake hands again is told no, or its connection ends.
        """
        hello = ClientHello().create(TLS12, bytearray(32), bytearray(), [0xC02F, 0xC02B])
        client = self.client(TLS12)
        self.assertTrue(client.is_served())
        client.record(ContentType.handshake, hello.write())
        error = self.assertRaises(TLSAlert, self.read_all, client)
        self.assertEqual(error.description, AlertDescription.no_renegotiation)
        client = self.client(TLS13)
        client.record(ContentType.handshake, hello.write())
        self.assertTrue(self.is_ended(client))

    def test_a32_late_handshake(self):
        """
        Messages of the handshake that nobody has asked for end the connection.
        """
        for kind in (
            HandshakeType.certificate,
            HandshakeType.finished,
            HandshakeType.new_session_ticket,
            HandshakeType.server_hello,
            HandshakeType.client_key_exchange,
            77,
        ):
            for version in (TLS12, TLS13):
                client = self.client(version)
                client.record(ContentType.handshake, bytes([kind, 0, 0, 1, 0]))
                self.assertTrue(self.is_ended(client), (kind, version))

    def test_a32_other_kinds(self):
        """
        A heartbeat that asks for more than it brings, and kinds of records that there are not, end
        the connection.
        """
        for kind in (ContentType.heartbeat, 0, 99):
            for version in (TLS12, TLS13):
                client = self.client(version)
                client.record(kind, b"\x01\x40\x00")
                self.assertTrue(self.is_ended(client), (kind, version))

    def test_a32_new_keys(self):
        """
        A client may change its keys, and ask for others of ours; one that does nothing else costs
        no more than its own connection.
        """
        client = self.client()
        for kind in (
            KeyUpdateMessageType.update_not_requested,
            KeyUpdateMessageType.update_requested,
        ):
            for _ in client.send_keyupdate_request(kind):
                pass
        self.assertTrue(client.is_served())
        flood = self.client()
        with contextlib.suppress(ConnectionError, TLSError):
            for _ in range(500):
                for _ in flood.send_keyupdate_request(KeyUpdateMessageType.update_not_requested):
                    pass
        flood.is_served()
        self.assertTrue(self.client().is_served())

    def test_a32_early_data(self):
        """
        Data before the end of the handshake is never read: a little of it is thrown away, and more
        ends the connection.
        """
        early = TLSExtension(extType=ExtensionType.early_data).create(bytearray())
        record = b"\x17\x03\x03\x01\x00" + b"\xa5" * 256
        for number, is_served in ((0, True), (4, True), (500, False)):
            try:
                client = self.client(
                    change=lambda data, number=number: data + record * number, extensions=[early]
                )
            except (ConnectionError, TLSError):
                self.assertFalse(is_served, number)
            else:
                self.assertEqual(client.is_served(), is_served, number)

    def test_a32_other_share(self):
        """
        A client whose key shares do not fit is asked for another one, once.
        """
        self.assertTrue(self.client(keyShares=[]).is_served())
        self.assertTrue(self.client(keyShares=["secp384r1"]).is_served())
        said = self.refused(
            keyShares=[], eccCurves=["secp521r1"], dhGroups=[], defaultCurve="secp521r1"
        )
        self.assertEqual(said, AlertDescription.handshake_failure)

    def test_a32_large_hello(self):
        """
        A ClientHello over several records, filled with what nobody knows, is served.
        """
        for number in (1, 3):
            filler = [
                TLSExtension(extType=0xFA00 + each).create(bytearray(16_000))
                for each in range(number)
            ]
            self.assertTrue(self.client(extensions=filler).is_served(), number)

    def test_a32_fuzzed_hello(self):
        """
        Whatever is wrong with a ClientHello, it comes to a handshake, or the connection ends.
        """
        chance = random.Random(32)

        def change(data):
            changed = bytearray(data)
            for _ in range(chance.choice((1, 1, 2, 8))):
                at = chance.randrange(5, len(changed))
                how = chance.randrange(4)
                if how == 0:
                    changed[at] ^= 1 << chance.randrange(8)
                elif how == 1:
                    changed[at] = chance.choice((0, 1, 127, 128, 255))
                elif how == 2:
                    del changed[at : at + chance.randrange(1, 20)]
                else:
                    changed[at:at] = chance.randbytes(chance.randrange(1, 20))
            changed[3:5] = (len(changed) - 5).to_bytes(2, "big")
            return bytes(changed)

        outcomes = set()
        for number in range(FUZZED):
            client = Client(self.people_port, change)
            client.wire.socket.settimeout(0.3)
            try:
                client.begin(chance.choice((TLS12, TLS13)))
            except TimeoutError:
                # It waits for the rest of what was announced to be longer than it is.
                outcomes.add("waits")
            except (ConnectionError, TLSError):
                outcomes.add("ends")
            else:
                client.wire.socket.settimeout(30)
                self.assertTrue(client.is_served(), number)
                outcomes.add("served")
            finally:
                client.wire.socket.close()
            if number % 20 == 0:
                self.assertTrue(self.client().is_served(), number)
        self.assertLessEqual({"ends", "served"}, outcomes)
