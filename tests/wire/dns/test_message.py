"""
Tests of L{mailgate.wire.dns.message}; replies are written by twisted.names, which knows nothing of
ours, or by hand.
"""

from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise
from time import process_time

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.names import dns
from twisted.trial.unittest import SynchronousTestCase

from mailgate.wire.dns.answer import (
    AAAA,
    MX,
    NODATA,
    NS,
    NXDOMAIN,
    PTR,
    TXT,
    A,
    MailExchange,
    Records,
)
from mailgate.wire.dns.message import (
    ALIASES_LIMIT,
    Fit,
    Malformed,
    Rcode,
    Reply,
    fit,
    mix_case,
    pack_query,
    pack_question,
    read_reply,
)
from mailgate.wire.dns.name import pack_name
from tests.net.misbehaving import record, reply_to, soa

TYPES = (A, NS, PTR, MX, TXT, AAAA)
NAME = pack_name("www.example.com")
HOSTS = st.from_regex(r"[a-z0-9_-]{1,20}(\.[a-z0-9_-]{1,20}){0,4}", fullmatch=True)
SECONDS = st.integers(0, 2**31 - 1)
VALUES = {
    A: (st.ip_addresses(v=4), lambda value: dns.Record_A(str(value))),
    AAAA: (st.ip_addresses(v=6), lambda value: dns.Record_AAAA(str(value))),
    NS: (HOSTS, dns.Record_NS),
    PTR: (HOSTS, dns.Record_PTR),
    MX: (
        st.builds(MailExchange, st.integers(0, 65535), HOSTS),
        lambda value: dns.Record_MX(value.preference, value.host),
    ),
    TXT: (
        st.lists(st.binary(max_size=255), min_size=1, max_size=300),
        lambda strings: dns.Record_TXT(*strings),
    ),
}


def asked(type=A, name=NAME):
    """
    Give a question, and the query as twisted.names reads it.
    """
    question = pack_question(name, type)
    query = dns.Message()
    query.fromStr(pack_query(b"\x12\x34", question, True))
    return question, query


def usual(type=A):
    """
    Give a question, and a reply to it that has an alias and two records.
    """
    question, query = asked(type)
    payloads = {
        A: [dns.Record_A("192.0.2.1"), dns.Record_A("192.0.2.2")],
        AAAA: [dns.Record_AAAA("2001:db8::1"), dns.Record_AAAA("2001:db8::2")],
        NS: [dns.Record_NS("a.example.com"), dns.Record_NS("b.example.com")],
        PTR: [dns.Record_PTR("a.example.com"), dns.Record_PTR("b.example.com")],
        MX: [dns.Record_MX(1, "a.example.com"), dns.Record_MX(2, "b.example.com")],
        TXT: [dns.Record_TXT(b"v=spf1", b" -all"), dns.Record_TXT(b"")],
    }[type]
    answers = [record("www.example.com", dns.Record_CNAME("example.com"))]
    answers += [record("example.com", each) for each in payloads]
    return question, reply_to(query, answers, [record("example.com", dns.Record_NS("ns.com"))])


def raw(question, body, answers=1, authority=0, flags=b"\x81\x80"):
    """
    Give a reply with a body that was written by hand.
    """
    counts = b"\0\1" + answers.to_bytes(2, "big") + authority.to_bytes(2, "big") + b"\0\0"
    return b"\x12\x34" + flags + counts + question + body


def rr(owner, code, data, seconds=300):
    """
    Give a record as its bytes.
    """
    fixed = code.to_bytes(2, "big") + b"\0\1" + seconds.to_bytes(4, "big")
    return owner + fixed + len(data).to_bytes(2, "big") + data


class QueryTests(SynchronousTestCase):
    """
    Tests of what is sent.
    """

    @given(HOSTS, st.sampled_from(TYPES), st.binary(min_size=2, max_size=2), st.booleans())
    def test_second_opinion(self, host, type, id, is_extended):
        """
        Somebody else reads of a query what was asked.
        """
        query = dns.Message()
        query.fromStr(pack_query(id, pack_question(pack_name(host), type), is_extended))
        (question,) = query.queries
        self.assertEqual(question.name.name, host.encode())
        self.assertEqual((question.type, question.cls), (type.code, dns.IN))
        self.assertEqual(query.id, int.from_bytes(id, "big"))
        self.assertEqual((query.answer, query.recDes, query.opCode), (0, 1, 0))
        self.assertEqual(len(query.additional), is_extended)
        if is_extended:
            (option,) = query.additional
            self.assertEqual((option.type, option.cls, option.ttl), (41, 1232, 0))

    @given(HOSTS, st.data())
    def test_case(self, host, data):
        """
        Noise changes the case of letters, and nothing else of a name.
        """
        name = pack_name(host)
        noise = data.draw(st.binary(min_size=len(name), max_size=len(name)))
        mixed = mix_case(name, noise)
        self.assertEqual(mixed.lower(), name)
        self.assertEqual(mix_case(name, bytes(len(name))), name)
        upper = bytes(c - 32 if chr(c).isalpha() else c for c in name)
        self.assertEqual(mix_case(name, b"\xff" * len(name)), upper)


class FitTests(SynchronousTestCase):
    """
    Tests of whether a message is the reply to a question.
    """

    def test_fits(self):
        """
        A reply repeats the question, letter by letter.
        """
        question, reply = usual()
        self.assertIs(fit(reply, question), Fit.SAME)
        self.assertIs(fit(reply.replace(b"\3www", b"\3wWw", 1), question), Fit.OTHER_CASE)

    def test_other(self):
        """
        What has another name, type, class or no question is not the reply; a query is none at all.
        """
        question, reply = usual()
        for old, new in (
            (b"\3www", b"\3wwx"),
            (b"\3com\0\0\1", b"\3com\0\0\x1c"),
            (b"\3com\0\0\1\0\1", b"\3com\0\0\1\0\3"),
            (b"\0\1\0\3", b"\0\2\0\3"),
            (b"\0\1\0\3", b"\0\0\0\3"),
        ):
            self.assertIs(fit(reply.replace(old, new, 1), question), Fit.OTHER)
        query = pack_query(b"\x12\x34", question, False)
        self.assertIs(fit(query, question), Fit.NO_REPLY)
        self.assertIs(fit(reply[:11], question), Fit.NO_REPLY)
        self.assertIs(fit(reply[:2] + b"\xa9" + reply[3:], question), Fit.NO_REPLY)

    def test_no_question(self):
        """
        An error of a server that could not even read the question may leave it out.
        """
        question, _ = asked()
        for rcode in Rcode:
            reply = b"\x12\x34\x81" + bytes((0x80 | rcode & 15,)) + bytes(8)
            is_known = rcode in (Rcode.FORMERR, Rcode.NOTIMP)
            self.assertIs(fit(reply, question), Fit.NO_QUESTION if is_known else Fit.OTHER)

    @given(st.binary(max_size=100), st.sampled_from(TYPES))
    def test_anything(self, data, type):
        """
        Any bytes fit or do not.
        """
        self.assertIsInstance(fit(data, pack_question(NAME, type)), Fit)


class ReplyTests(SynchronousTestCase):
    """
    Tests of what a reply says.
    """

    @given(st.sampled_from(TYPES), st.data())
    def test_second_opinion(self, type, data):
        """
        What somebody else writes, we read, with the least of the lifetimes.
        """
        values, payload = VALUES[type]
        given = data.draw(st.lists(st.tuples(values, SECONDS), min_size=1, max_size=8))
        question, query = asked(type)
        reply = reply_to(
            query, [record("www.example.com", payload(value), ttl) for value, ttl in given]
        )
        expected = tuple(
            b"".join(value) if isinstance(value, list) else value for value, _ in given
        )
        self.assertEqual(
            read_reply(reply, question, type),
            Reply(0, False, Records(expected), min(ttl for _, ttl in given)),
        )

    def test_case(self):
        """
        Names are in small letters, and belong together in any case.
        """
        question, query = asked(MX)
        reply = reply_to(query, [record("WWW.Example.COM", dns.Record_MX(5, "MX.Example.ORG"))])
        answer = read_reply(reply, question, MX).answer
        self.assertEqual(answer, Records((MailExchange(5, "mx.example.org"),)))

    def test_null_mx(self):
        """
        A domain that takes no mail names the root.
        """
        question, query = asked(MX)
        reply = reply_to(query, [record("www.example.com", dns.Record_MX(0, ""))])
        self.assertEqual(read_reply(reply, question, MX).answer, Records((MailExchange(0, "."),)))

    def test_others(self):
        """
        Records of other names, types and classes are no answer.
        """
        question, query = asked()
        reply = reply_to(
            query,
            [
                record("example.com", dns.Record_A("192.0.2.9")),
                record("www.example.com", dns.Record_TXT(b"x")),
                dns.RRHeader("www.example.com", dns.A, 3, 1, dns.Record_A("192.0.2.8")),
                record("www.example.com", dns.Record_A("192.0.2.1")),
            ],
        )
        self.assertEqual(
            read_reply(reply, question, A).answer, Records((IPv4Address("192.0.2.1"),))
        )

    def test_aliases(self):
        """
        Aliases are followed in whatever order they stand, as far as they go.
        """
        question, query = asked()
        chain = ["www.example.com", "a.example", "b.example", "c.example"]
        aliases = [
            record(name, dns.Record_CNAME(target), 100 + number)
            for number, (name, target) in enumerate(pairwise(chain))
        ]
        found = record("c.example", dns.Record_A("192.0.2.1"))
        for answers in ([*aliases, found], [found, *reversed(aliases)]):
            reply = read_reply(reply_to(query, answers), question, A)
            self.assertEqual(reply.answer, Records((IPv4Address("192.0.2.1"),)))
            self.assertEqual(reply.seconds, 100)
        reply = read_reply(reply_to(query, aliases), question, A)
        self.assertEqual((reply.answer, reply.alias), (None, pack_name("c.example")))
        reply = read_reply(reply_to(query, aliases, [soa()]), question, A)
        self.assertEqual((reply.answer, reply.seconds), (NODATA, 60))
        reply = read_reply(reply_to(query, aliases, [soa()], 3), question, A)
        self.assertEqual(reply.answer, NXDOMAIN)

    def test_alias_to_itself(self):
        """
        Aliases that go round in a circle, or are too many, are no answer.
        """
        question, query = asked()
        for names in (
            ["www.example.com", "www.example.com"],
            ["www.example.com", "a.b", "www.example.com"],
            ["www.example.com", *(f"{n}.b" for n in range(ALIASES_LIMIT + 1))],
        ):
            pairs = pairwise(names)
            aliases = [record(name, dns.Record_CNAME(target)) for name, target in pairs]
            reply = reply_to(query, aliases)
            self.assertRaises(Malformed, read_reply, reply, question, A)

    def test_nothing(self):
        """
        That there is nothing holds as long as the SOA record or its minimum say, whichever is less.
        """
        question, query = asked()
        for authority, seconds in (([soa("example", 600, 60)], 60), ([soa("com", 30, 60)], 30)):
            for rcode, answer in ((0, NODATA), (3, NXDOMAIN)):
                reply = read_reply(reply_to(query, (), authority, rcode), question, A)
                self.assertEqual(reply, Reply(rcode, False, answer, seconds))
        self.assertEqual(read_reply(reply_to(query), question, A), Reply(0, False, NODATA, 0))
        message = dns.Message()
        message.fromStr(reply_to(query, (), [record("com", dns.Record_NS("ns.com"))]))
        message.additional = [soa()]
        self.assertEqual(read_reply(message.toStr(), question, A).seconds, 0)

    def test_lame(self):
        """
        A server that only names others, and asks none, has no answer; one that is the authority
        has.
        """
        question, query = asked()
        reply = reply_to(query, (), [record("com", dns.Record_NS("ns.com"))], recAv=0)
        self.assertTrue(read_reply(reply, question, A).is_lame)
        reply = reply_to(query, recAv=0, auth=1)
        self.assertEqual(read_reply(reply, question, A).answer, NODATA)

    def test_both(self):
        """
        A name that does not exist has no records.
        """
        question, query = asked()
        found = [record("www.example.com", dns.Record_A("192.0.2.1"))]
        reply = reply_to(query, found, rcode=3)
        self.assertRaises(Malformed, read_reply, reply, question, A)

    def test_rcodes(self):
        """
        Any other code is no answer; nor is a longer one, of which the rest stands in the options.
        """
        question, query = asked()
        for rcode in (1, 2, 4, 5, 9, 15):
            reply = read_reply(reply_to(query, rcode=rcode), question, A)
            self.assertEqual(reply, Reply(rcode, False))
        options = b"\0\0\x29\x04\xd0\x01\0\0\0\0\0"
        reply = raw(question, options, 0)[:10] + b"\0\1" + question + options
        self.assertEqual(read_reply(reply, question, A), Reply(Rcode.BADVERS, False))

    def test_truncated(self):
        """
        Of a reply that is cut off nothing is believed.
        """
        question, reply = usual()
        cut = bytearray(reply)
        cut[2] |= 2
        self.assertEqual(read_reply(bytes(cut), question, A), Reply(0, True))


class HostileTests(SynchronousTestCase):
    """
    Tests of replies that want to do harm.
    """

    def read(self, message, question, type):
        """
        Read what may be anything.
        """
        try:
            reply = read_reply(message, question, type)
        except Malformed as error:
            self.assertTrue(str(error))
            return None
        self.assertIsInstance(reply, Reply)
        self.assertIsInstance(hash(reply), int)
        if isinstance(reply.answer, Records):
            self.assertTrue(reply.answer.values)
            kinds = {A: IPv4Address, AAAA: IPv6Address, MX: MailExchange, TXT: bytes}
            for value in reply.answer.values:
                self.assertIsInstance(value, kinds.get(type, str))
        return reply

    def test_cut(self):
        """
        A reply that ends anywhere ends in an error, and never in fewer records.
        """
        for type in TYPES:
            question, whole = usual(type)
            answers_end = whole.rindex(b"\0\2\0\1") if type is not NS else len(whole)
            for end in range(12 + len(question), len(whole)):
                reply = self.read(whole[:end], question, type)
                if end < answers_end - 20:
                    self.assertIsNone(reply)

    def test_flipped(self):
        """
        A reply in which any byte is any other byte is read, or not.
        """
        for type in TYPES:
            question, whole = usual(type)
            for at in range(2, len(whole)):
                for value in range(256):
                    changed = whole[:at] + bytes((value,)) + whole[at + 1 :]
                    if fit(changed, question) is Fit.SAME:
                        self.read(changed, question, type)

    @given(
        st.sampled_from(TYPES),
        st.integers(0, 2**16 - 1),
        st.integers(0, 2**16 - 1),
        st.sampled_from([b"\x81\x80", b"\x81\x83", b"\x80\0", b"\x83\x80"]),
        st.binary(max_size=600),
    )
    @example(A, 1, 0, b"\x81\x80", b"\xc0\x0c")
    def test_anything(self, type, answers, authority, flags, body):
        """
        Whatever stands behind the question is read, or not.
        """
        question = pack_question(NAME, type)
        self.read(raw(question, body, answers, authority, flags), question, type)

    @given(
        st.sampled_from(TYPES),
        st.lists(
            st.builds(
                rr,
                st.sampled_from([b"\xc0\x0c", b"\xc0\x10", b"\0", b"\1a\xc0\x0c", b"\xc0\x40"]),
                st.sampled_from([1, 2, 5, 6, 12, 15, 16, 28, 41]),
                st.one_of(
                    st.binary(max_size=30),
                    st.sampled_from([b"\xc0\x0c", b"\0\1\xc0\x0c", b"\1b\xc0\x0c", bytes(4)]),
                ),
            ),
            max_size=10,
        ),
        st.booleans(),
    )
    def test_records(self, type, records, is_nothing):
        """
        Any records in any order are read, or not.
        """
        question = pack_question(NAME, type)
        counts = (0, len(records)) if is_nothing else (len(records), 0)
        self.read(raw(question, b"".join(records), *counts), question, type)

    def test_pointers(self):
        """
        Pointers to themselves, forward, round in a circle or one after the other end in an error.
        """
        question, _ = asked(NS)
        at = 12 + len(question)
        for body in (
            (0xC000 | at).to_bytes(2, "big"),
            (0xC000 | at + 2).to_bytes(2, "big") + b"\0\0",
            b"\1a" + (0xC000 | at).to_bytes(2, "big"),
            b"\x40\0",
            b"\x80\0",
            b"\xc0",
            b"\xc0\x00",
        ):
            message = raw(question, body + bytes(10))
            self.assertRaises(Malformed, read_reply, message, question, NS)
        # Each points to the one before it.
        steps = [b"\xc0\x0c"]
        for number in range(100):
            where = at + 12 + 2 * number
            steps.append((0xC000 | where).to_bytes(2, "big"))
        chain = b"".join(steps)
        last = (0xC000 | at + 12 + len(chain) - 2).to_bytes(2, "big")
        body = rr(b"\xc0\x0c", 99, chain) + rr(last, 2, b"\0")
        self.assertRaises(Malformed, read_reply, raw(question, body, 2), question, NS)

    def test_lengths(self):
        """
        Data that are shorter or longer than they should be end in an error.
        """
        wrong = {
            A: [b"", b"\1\2\3", b"\1\2\3\4\5"],
            AAAA: [bytes(15), bytes(17), bytes(4)],
            MX: [b"", b"\0", b"\0\1", b"\0\1\1a", b"\0\1\0\0"],
            NS: [b"", b"\1a", b"\0\0", b"\xc0\x0c\0"],
            PTR: [b"", b"\1a\0\0", b"\x3f"],
            TXT: [b"", b"\5a", b"\1ab\2"],
        }
        for type, all_data in wrong.items():
            question, _ = asked(type)
            for data in all_data:
                message = raw(question, rr(b"\xc0\x0c", type.code, data))
                self.assertRaises(Malformed, read_reply, message, question, type)
        question, _ = asked()
        message = raw(question, rr(b"\xc0\x0c", 5, b"\1a\0\0"))
        self.assertRaises(Malformed, read_reply, message, question, A)
        message = raw(question, rr(b"\0", 6, bytes(10)), 0, 1)
        self.assertRaises(Malformed, read_reply, message, question, A)

    def test_long_names(self):
        """
        A name that has more than 255 bytes once its pointers are followed ends in an error.
        """
        question, _ = asked(NS)
        label = b"\x3f" + b"x" * 63
        first = label * 2 + b"\0"
        where = 0xC000 | 12 + len(question) + 12
        longer = label * 2 + where.to_bytes(2, "big")
        body = rr(b"\xc0\x0c", 99, first) + rr(b"\xc0\x0c", 2, longer)
        self.assertRaises(Malformed, read_reply, raw(question, body, 2), question, NS)
        self.assertRaises(
            Malformed,
            read_reply,
            raw(question, rr(b"\xc0\x0c", 2, label * 4 + b"\0")),
            question,
            NS,
        )

    def test_largest_text(self):
        """
        A text may be as long as a message can hold.
        """
        question, _ = asked(TXT)
        data = (b"\xff" + b"x" * 255) * 255
        message = raw(question, rr(b"\xc0\x0c", 16, data))
        (text,) = read_reply(message, question, TXT).answer.values
        self.assertEqual(text, b"x" * 255 * 255)

    def test_time(self):
        """
        The worst that 64 KB can hold is read in a moment: many records, each with a name of many
        pieces.
        """
        question, _ = asked(NS)
        at = 12 + len(question)
        name = b"\1a" * 120 + b"\0"
        records = [rr(b"\xc0\x0c", 99, name)]
        where = at + 12
        for number in range(1000 - 1):
            start = where + 2 * (number % 100)
            records.append(rr((0xC000 | start).to_bytes(2, "big"), 2, b"\1b" * 8 + b"\xc0\x0c"))
        message = raw(question, b"".join(records), 1000)
        began = process_time()
        self.assertEqual(read_reply(message, question, NS).answer, NODATA)
        self.assertLess(process_time() - began, 0.25)
        message = raw(question, b"".join([*records, records[-1]]), 1001)
        self.assertRaises(Malformed, read_reply, message, question, NS)
