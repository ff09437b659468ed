"""
Tests of the hashes of bodies that checks ask for: while a message arrives, and afterwards.
"""

import itertools
from pathlib import Path
from unittest.mock import patch

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailgate.authentication.canonical import BLOCK, BodyHasher, Form
from mailgate.checks.arc import ArcCheck
from mailgate.checks.dkim import DkimCheck
from mailgate.checks.known import Known
from mailgate.checks.reading import Reading, Readings, reading_of, signatures_of
from mailgate.interfaces import IBodyReader
from mailgate.message.arrival import SLICE, Arrival
from mailgate.message.message import MemoryMessage
from mailgate.message.section import header_section
from mailgate.message.spool import FileMessage
from tests.authentication.given import value_of
from tests.authentication.signing import HEADER, published, rsa_key, signed
from tests.authentication.test_arc import sealed
from tests.authentication.test_arc import zones as zones_of_sealers
from tests.checks.authentic import view_of
from tests.checks.given import session, settings
from tests.net.zones import Zones

KEYS = {"s1._domainkey.example.com": {"TXT": [published(rsa_key())]}}
BODIES = st.lists(
    st.sampled_from((b"a", b" ", b"\t", b"\r\n", b"\r", b"\n", b"\r\n\r\n", b"  ", b".")),
    max_size=30,
).map(b"".join)


class CountingThreads:
    """
    Threads that work at once, and know how much was read at a time.
    """

    def __init__(self):
        self.sizes = []

    def run(self, function, *args):
        """
        Call it.
        """
        result = function(*args)
        self.sizes.append(len(args[-1]) if result is None else len(result))
        return succeed(result)


def arrived(data, cuts=(), given=None, is_relay=False, **options):
    """
    Let a message arrive in pieces; give what has read it, or C{None}.
    """
    readings = Readings.from_settings(given or settings())
    stranger = session(**options)
    arrival = Arrival(lambda section: readings.begin(stranger, is_relay, section))
    edges = sorted({0, len(data), *(each for each in cuts if each < len(data))})
    for start, end in itertools.pairwise(edges):
        arrival.feed(data[start:end])
    return arrival.finish()


class ReadingsTests(SynchronousTestCase):
    """
    Tests of whose bodies are read.
    """

    def test_contract(self):
        """
        It is a reader of bodies.
        """
        verifyObject(IBodyReader, Reading({}))

    def test_only_what_is_asked_for(self):
        """
        Only those forms are made that the five signatures ask for which are tried, those of the
        author's domain first.
        """
        data = signed(c="simple/relaxed")
        reading = arrived(data)
        self.assertEqual(set(reading.hashes), {Form(True)})
        line, end, rest = data.partition(b"\r\n")
        others = [
            line.replace(b"d=example.com", b"d=other.example").replace(
                b"c=simple/relaxed", b"l=%d; c=simple/simple" % length
            )
            for length in range(9)
        ]
        reading = arrived(end.join((*others, line, rest)))
        wanted = {Form(True), *(Form(False, length) for length in range(4))}
        self.assertEqual(set(reading.hashes), wanted)

    def test_arc(self):
        """
        What seals are made over is made as well, each form once for all who ask for it.
        """
        for forms, wanted in (
            ("relaxed/relaxed", {Form(True)}),
            ("simple/simple", {Form(True), Form(False)}),
        ):
            data = sealed(signed(c=forms))
            reading = arrived(data)
            self.assertEqual((set(reading.signed), set(reading.hashes)), ({"dkim", "arc"}, wanted))
        self.assertEqual(set(arrived(sealed()).signed), {"arc"})
        message = MemoryMessage((data,), reading=reading)
        known = Known(resolvers=zones_of_sealers())
        check = ArcCheck.from_settings(settings(), known)
        with patch.object(BodyHasher, "update", None):
            (finding,) = check.check(evolve(view_of(data), message=message))
        self.assertEqual(finding.symbol, "ARC_PASS")

    def test_nothing(self):
        """
        Nothing is read of a message without a signature that can be used, of mail of ours and of
        exempt networks, or where the check is off.
        """
        plain = b"\r\n".join((*HEADER, b"", b"Hi\r\n"))
        self.assertIsNone(arrived(plain))
        self.assertIsNone(arrived(b"DKIM-Signature: x\r\n" + plain))
        self.assertIsNone(arrived(signed(), client="127.0.0.1"))
        self.assertIsNotNone(arrived(signed(), client="127.0.0.1", is_relay=True))
        self.assertIsNone(arrived(b"X: y\r\n" * 1000 + signed()))  # it is refused at its end
        off = settings(**{name: {"mode": "off"} for name in ("dkim", "arc", "dmarc")})
        self.assertIsNone(Readings.from_settings(off))

    @given(
        BODIES,
        st.lists(st.integers(0, 900), max_size=9),
        st.sampled_from(("simple/simple", "relaxed/relaxed")),
        st.sampled_from(({}, {"l": "3"})),
    )
    def test_every_split(self, body, cuts, forms, length):
        """
        However the bytes come, the hashes are those of the message that is handed in whole.
        """
        data = signed(body=body, c=forms, **length)
        whole = value_of(reading_of(MemoryMessage((data,)), "dkim", None))
        self.assertEqual(len(whole.hashes), 1)
        self.assertEqual(arrived(data, cuts).hashes, whole.hashes)


class WholeTests(SynchronousTestCase):
    """
    Tests of L{reading_of}.
    """

    def test_known(self):
        """
        What was read as the message arrived is not read once more.
        """
        data = signed()
        reading = arrived(data)
        message = MemoryMessage((data,), reading=reading)
        self.assertIs(value_of(reading_of(message, "dkim", None)), reading)
        self.patch(BodyHasher, "update", None)
        check = DkimCheck.from_settings(settings(), Known(resolvers=Zones(KEYS)))
        view = evolve(view_of(data), message=message)
        self.assertEqual([each.symbol for each in check.check(view)], ["DKIM_PASS"])

    def test_of_others(self):
        """
        What was read for another check only is of no use.
        """
        data = signed()
        reading = Reading({"other": signatures_of(header_section(MemoryMessage((data,))))})
        message = MemoryMessage((data,), reading=reading)
        self.assertIsNot(value_of(reading_of(message, "dkim", None)), reading)

    def test_large(self):
        """
        A message in a file is read a mebibyte at a time and hashed in a thread, in slices that
        nobody waits for long.
        """
        body = b"0123456789abcde\r\n" * 200_000
        data = signed(body=body)
        path = Path(self.mktemp())
        path.write_bytes(data)
        threads = CountingThreads()
        message = FileMessage(path, len(data), header_section(MemoryMessage((data,))), threads)
        slices = []
        feed = "mailgate.authentication.canonical._Relaxed.feed"
        with patch(feed, lambda reader, piece, sums: slices.append(len(piece))):
            value_of(reading_of(message, "dkim", threads))
        self.assertEqual(max(threads.sizes), 1024 * 1024)
        self.assertEqual(sum(threads.sizes), len(data) + len(body))
        self.assertEqual((max(slices), sum(slices)), (BLOCK, len(body)))
        check = DkimCheck.from_settings(settings(), Known(resolvers=Zones(KEYS), threads=threads))
        view = evolve(view_of(data), message=message)
        self.assertEqual([each.symbol for each in check.check(view)], ["DKIM_PASS"])

    def test_pieces_in_memory(self):
        """
        Pieces of a message in memory are read at once, longer ones in a thread.
        """
        data = signed(body=b"x" * 9 * SLICE)
        threads = CountingThreads()
        pieces = tuple(data[at : at + SLICE] for at in range(0, len(data), SLICE))
        found = value_of(reading_of(MemoryMessage(pieces), "dkim", threads))
        self.assertEqual(threads.sizes, [])
        one = value_of(reading_of(MemoryMessage((data,)), "dkim", threads))
        self.assertEqual(len(threads.sizes), 1)
        self.assertEqual(found.hashes, one.hashes)
