"""
A DNS server on loopback that says what a table says, as L{tests.net.zones.Zones} has them; what it
sends is put together by twisted.names.
"""

import socket
import struct
import threading
from collections import Counter

from twisted.names import dns

from tests.end_to_end.ports import free_port

DROPPED, BROKEN = "dropped", "broken"
"""What may stand for an entry: no answer at all, and SERVFAIL."""

_TYPES = {dns.A: "A", dns.AAAA: "AAAA", dns.MX: "MX", dns.PTR: "PTR", dns.TXT: "TXT"}
_MAKE = {
    "A": dns.Record_A,
    "AAAA": dns.Record_AAAA,
    "MX": lambda value: dns.Record_MX(*value),
    "PTR": dns.Record_PTR,
    "TXT": lambda value: dns.Record_TXT(*_strings(value)),
}
_UDP_BYTES = 1232
_NXDOMAIN, _SERVFAIL = 3, 2


def _strings(text):
    raw = text.encode() if isinstance(text, str) else text
    return [raw[at : at + 255] for at in range(0, len(raw), 255)] or [b""]


class ZoneServer:
    """
    Answers over UDP and TCP, in threads, until it is closed.
    """

    def __init__(self, table):
        """
        @param table: by name in small letters; one that begins with C{*.} is for those below it.
        """
        self.table = table
        self.asked = Counter()
        """How often each name was asked for."""

        self._is_closed = False
        self.port = free_port()
        self._datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._datagrams.bind(("127.0.0.1", self.port))
        self._streams = socket.create_server(("127.0.0.1", self.port))
        self._threads = [
            threading.Thread(target=serve, daemon=True)
            for serve in (self._serve_datagrams, self._serve_streams)
        ]
        for thread in self._threads:
            thread.start()

    def close(self):
        """
        Answer no more, and leave the port.
        """
        self._is_closed = True
        # A port is left only once nobody waits at it any more.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        socket.create_connection(("127.0.0.1", self.port)).close()
        for thread in self._threads:
            thread.join()
        for each in (self._datagrams, self._streams):
            each.close()

    def _serve_datagrams(self):
        while True:
            query, client = self._datagrams.recvfrom(4096)
            if self._is_closed:
                return
            reply = self._reply(query, _UDP_BYTES)
            if reply is not None:
                self._datagrams.sendto(reply, client)

    def _serve_streams(self):
        while True:
            stream, _ = self._streams.accept()
            if self._is_closed:
                stream.close()
                return
            threading.Thread(target=self._serve_stream, args=(stream,), daemon=True).start()

    def _serve_stream(self, stream):
        with stream, stream.makefile("rb") as reader:
            while len(size := reader.read(2)) == 2:
                query = reader.read(struct.unpack(">H", size)[0])
                reply = self._reply(query, 65_535)
                if reply is None:
                    return
                stream.sendall(struct.pack(">H", len(reply)) + reply)

    def _reply(self, data, limit):
        query = dns.Message()
        query.fromStr(data)
        question = query.queries[0]
        name = question.name.name.decode("latin-1").lower()
        self.asked[name] += 1
        entry = self._entry(name)
        if entry == DROPPED:
            return None
        reply = dns.Message(query.id, answer=1, recDes=1, recAv=1, maxSize=0)
        reply.queries = list(query.queries)
        if entry is None or entry == BROKEN:
            reply.rCode = _NXDOMAIN if entry is None else _SERVFAIL
            return reply.toStr()
        type = _TYPES.get(question.type, "")
        for value in entry.get(type, ()):
            payload = _MAKE[type](value)
            reply.answers.append(
                dns.RRHeader(question.name.name, payload.TYPE, dns.IN, 300, payload)
            )
        whole = reply.toStr()
        if len(whole) <= limit:
            return whole
        reply.answers, reply.trunc = [], 1
        return reply.toStr()

    def _entry(self, name):
        if name in self.table:
            return self.table[name]
        if any(known.endswith(f".{name}") for known in self.table):
            return {}
        labels = name.split(".")
        for at in range(1, len(labels)):
            wild = ".".join(("*", *labels[at:]))
            if wild in self.table:
                return self.table[wild]
        return None
