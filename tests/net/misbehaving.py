"""
A DNS server that misbehaves: the first label of the name that it is asked for says how, or the
first one behind it that does.

What it says is put together by twisted.names, which knows nothing of ours. As a program,
C{python -m tests.net.misbehaving PORT}, it answers on this machine until it is ended.
"""

import sys

from attrs import frozen
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
from twisted.names import dns

LARGE = 64_000
"""Bytes of the text of C{large}."""

LIST = b".lists.invalid"
"""Where a list is: its answers are in 127/8, also those that come in a wrong way."""

HIJACKER = "203.0.113.80"
SECONDS = 300


@frozen
class Says:
    """
    Something that the server says.
    """

    message: bytes
    after: float = 0.0
    """Seconds."""

    is_from_elsewhere: bool = False


def reply_to(query, answers=(), authority=(), rcode=0, **more):
    """
    Give the reply to a query, as twisted.names writes it.
    """
    message = dns.Message(
        query.id, answer=1, recDes=1, recAv=more.pop("recAv", 1), rCode=rcode, maxSize=0, **more
    )
    message.queries = list(query.queries)
    message.answers = list(answers)
    message.authority = list(authority)
    return message.toStr()


def record(name, payload, seconds=SECONDS):
    """
    Give a record.
    """
    return dns.RRHeader(name, payload.TYPE, dns.IN, seconds, payload)


def soa(name="example", seconds=600, minimum=60):
    """
    Give what says how long there is nothing.
    """
    return record(name, dns.Record_SOA("ns.example", "root.example", 1, 2, 3, 4, minimum), seconds)


class Misbehaving:
    """
    What the server says. Names that it has no behaviour for do not exist.
    """

    def __init__(self):
        self.asked = []
        """Every question: the name, the code of the type, whether over TCP, whether with EDNS."""

        self.behaviours = {
            name.removeprefix("do_"): getattr(self, name)
            for name in dir(self)
            if name.startswith("do_")
        }

    def replies(self, data, is_stream=False):
        """
        Give what is said to a query, in order.
        """
        query = dns.Message()
        query.fromStr(data)
        name = query.queries[0].name.name
        self.asked.append(
            (name.lower().decode(), query.queries[0].type, is_stream, bool(query.additional))
        )
        labels = name.lower().decode().split(".")
        known = [self.behaviours[label] for label in labels if label in self.behaviours]
        behave = known[0] if known else self.do_nxdomain
        said = behave(query, is_stream)
        if isinstance(said, bytes):
            said = [Says(said)]
        return said

    def _address(self, query, *, address="", **more):
        name = query.queries[0].name.name
        address = address or ("127.0.0.9" if name.lower().endswith(LIST) else "192.0.2.1")
        return reply_to(query, [record(name, dns.Record_A(address))], **more)

    def do_good(self, query, is_stream):
        name, type = query.queries[0].name.name, query.queries[0].type
        payload = {
            dns.A: dns.Record_A("192.0.2.1"),
            dns.AAAA: dns.Record_AAAA("2001:db8::1"),
            dns.MX: dns.Record_MX(10, "mx.Example"),
            dns.NS: dns.Record_NS("ns.example"),
            dns.PTR: dns.Record_PTR("host.example"),
            dns.TXT: dns.Record_TXT(b"v=spf1 ", b"-all"),
        }[type]
        return reply_to(query, [record(name, payload)])

    def do_timeout(self, query, is_stream):
        return []

    def do_slow(self, query, is_stream):
        return [Says(self._address(query), after=2.0)]

    def do_nxdomain(self, query, is_stream):
        return reply_to(query, authority=[soa()], rcode=3)

    def do_nodata(self, query, is_stream):
        return reply_to(query, authority=[soa()])

    def do_servfail(self, query, is_stream):
        return reply_to(query, rcode=2)

    def do_refused(self, query, is_stream):
        return reply_to(query, rcode=5)

    def do_lame(self, query, is_stream):
        return reply_to(query, authority=[record("example", dns.Record_NS("a.ns"))], recAv=0)

    def do_wildcard(self, query, is_stream):
        return self._address(query, address="127.0.0.2")

    def do_hijack(self, query, is_stream):
        return self._address(query, address=HIJACKER)

    def do_spf(self, query, is_stream):
        if query.queries[0].type != dns.TXT:
            return self.do_nodata(query, is_stream)
        name = query.queries[0].name.name
        number = name.split(b".")[-2]
        terms = [b"a:timeout.%d.%s.example" % (each, number) for each in range(10)]
        text = dns.Record_TXT(b" ".join((b"v=spf1", *terms))[:255])
        return reply_to(query, [record(name, text)])

    def do_test(self, query, is_stream):
        return self._address(query, address="127.0.0.2")

    def do_listed(self, query, is_stream):
        return self._address(query, address="127.0.1.2")

    def do_truncated(self, query, is_stream):
        if is_stream:
            return self._address(query)
        return reply_to(query, trunc=1)

    def do_truncated_always(self, query, is_stream):
        return reply_to(query, trunc=1)

    def do_large(self, query, is_stream):
        if query.queries[0].type == dns.MX:
            return self.do_good(query, is_stream)
        if query.queries[0].type != dns.TXT:
            return self.do_nodata(query, is_stream)
        if not is_stream:
            return reply_to(query, trunc=1)
        strings = [b"x" * 250] * (LARGE // 250)
        return reply_to(query, [record(query.queries[0].name.name, dns.Record_TXT(*strings))])

    def do_garbage(self, query, is_stream):
        good = self._address(query)
        return good[: good.index(b"\0\1\0\1", 12) + 4] + b"\xff" * 40

    def do_short(self, query, is_stream):
        return self._address(query)[:7]

    def do_wrong_id(self, query, is_stream):
        good = self._address(query)
        bad = bytes((good[0] ^ 1, good[1])) + self._address(query, address=HIJACKER)[2:]
        return [Says(bad), Says(good, after=0.1)]

    def do_wrong_question(self, query, is_stream):
        good = self._address(query)
        if is_stream:
            return good
        other = good.replace(query.queries[0].name.name.split(b".")[0], b"right_question")
        return [Says(other), Says(good, after=0.1)]

    def do_wrong_source(self, query, is_stream):
        bad = self._address(query, address=HIJACKER)
        return [Says(bad, is_from_elsewhere=True), Says(self._address(query), after=0.1)]

    def do_folding(self, query, is_stream):
        query.queries[0].name.name = query.queries[0].name.name.lower()
        return self._address(query)

    def do_case_forged(self, query, is_stream):
        good = self._address(query)
        if is_stream:
            return good
        query.queries[0].name.name = query.queries[0].name.name.swapcase()
        return [Says(self._address(query, address=HIJACKER)), Says(good, after=0.1)]

    def do_no_edns(self, query, is_stream):
        if query.additional:
            return query_header(query, rcode=1)
        return self._address(query)

    def do_never(self, query, is_stream):
        return query_header(query, rcode=1)

    def do_alias(self, query, is_stream):
        name = query.queries[0].name.name
        return reply_to(
            query,
            [
                record(name, dns.Record_CNAME("middle.example"), 900),
                record("middle.example", dns.Record_CNAME("good.example"), 20),
                record("good.example", dns.Record_A("192.0.2.1"), 400),
            ],
        )

    def do_alias_only(self, query, is_stream):
        return reply_to(
            query, [record(query.queries[0].name.name, dns.Record_CNAME("good.example"))]
        )

    def do_loop(self, query, is_stream):
        name = query.queries[0].name.name
        return reply_to(
            query,
            [
                record(name, dns.Record_CNAME("other.example")),
                record("other.example", dns.Record_CNAME(name)),
            ],
        )

    def do_endless(self, query, is_stream):
        name = query.queries[0].name.name
        return reply_to(query, [record(name, dns.Record_CNAME(b"endless.x" + name[8:]))])


def query_header(query, rcode):
    """
    Give a reply that does not repeat the question.
    """
    message = dns.Message(query.id, answer=1, rCode=rcode)
    return message.toStr()


# -- on real sockets ---------------------------------------------------------------------


class MisbehavingDatagrams(DatagramProtocol):
    """
    The server over UDP.
    """

    noisy = False

    def __init__(self, reactor, server):
        self._reactor = reactor
        self._server = server
        self._other = None
        self._later = []

    def startProtocol(self):
        """
        Open a second socket, from which nobody expects anything.
        """
        self._other = self._reactor.listenUDP(0, DatagramProtocol(), "127.0.0.1")

    def stopProtocol(self):
        """
        Close it.
        """
        self._other.stopListening()
        for call in self._later:
            if call.active():
                call.cancel()

    def datagramReceived(self, datagram, address):
        """
        Answer.
        """
        for said in self._server.replies(datagram):
            out = self._other if said.is_from_elsewhere else self.transport
            if said.after:
                self._later.append(
                    self._reactor.callLater(said.after, out.write, said.message, address)
                )
            else:
                out.write(said.message, address)


class _Connection(Protocol):
    def __init__(self, server):
        self._server = server
        self._buffer = b""

    def dataReceived(self, data):
        """
        Answer.
        """
        self._buffer += data
        length = int.from_bytes(self._buffer[:2], "big")
        if len(self._buffer) < 2 + length:
            return
        for said in self._server.replies(self._buffer[2:], is_stream=True):
            self.transport.write(len(said.message).to_bytes(2, "big") + said.message)


def serve(test, reactor, server, port):
    """
    Let a server answer on this machine until the test is over.
    """
    udp = reactor.listenUDP(port, MisbehavingDatagrams(reactor, server), "127.0.0.1")
    test.addCleanup(udp.stopListening)
    factory = Factory.forProtocol(lambda: _Connection(server))
    factory.noisy = False
    tcp = reactor.listenTCP(port, factory, interface="127.0.0.1")
    test.addCleanup(tcp.stopListening)
    return port


def main():
    """
    Misbehave.
    """
    from twisted.internet import reactor

    port, server = int(sys.argv[1]), Misbehaving()
    reactor.listenUDP(port, MisbehavingDatagrams(reactor, server), "127.0.0.1")
    factory = Factory.forProtocol(lambda: _Connection(server))
    reactor.listenTCP(port, factory, interface="127.0.0.1")
    print("ready", flush=True)
    reactor.run()


if __name__ == "__main__":
    main()
