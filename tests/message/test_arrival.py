"""
Tests of reading the body of a message while it arrives.
"""

import itertools

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailgate.interfaces import IBodyReader
from mailgate.message.arrival import Arrival
from mailgate.message.message import HEAD_LIMIT
from mailgate.message.section import cut
from mailgate.message.spool import FileMessage
from tests.message.test_spool import LateThreads, SpoolCase

HEADER = b"From: ada@example.com\r\nSubject: a\r\n\r\n"
PIECES = st.sampled_from((b"a", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"From: b", b"\0"))


@implementer(IBodyReader)
class Kept:
    """
    A reader that keeps what it is given.
    """

    def __init__(self, section=b""):
        self.section = section
        self.pieces = []
        self.ends = 0

    def update(self, data):
        """
        Keep bytes of the body.
        """
        self.pieces.append(bytes(data))

    def finish(self):
        """
        Note the end.
        """
        self.ends += 1

    @property
    def body(self):
        """
        Give all that was kept.
        """
        return b"".join(self.pieces)


def broken(step):
    """
    Give what begins to read with a reader that breaks at a step.
    """
    reader = Kept()

    def fail(*_):
        raise ValueError("broken")

    setattr(reader, step, fail)
    return lambda section: reader if step != "begin" else fail()


class ArrivalTests(SynchronousTestCase):
    """
    Tests of L{Arrival}.
    """

    def arrive(self, pieces, begin=Kept):
        """
        Let a message arrive, and give what has read it.
        """
        arrival = Arrival(begin)
        for piece in pieces:
            arrival.feed(piece)
        return arrival.finish()

    @given(st.lists(PIECES, max_size=20).map(b"".join), st.lists(st.integers(0, 60), max_size=9))
    @example(b"\r\nbody", [1])
    @example(HEADER + b"body\r\n", list(range(len(HEADER) + 3)))
    def test_every_split(self, data, cuts):
        """
        However a message is cut, its header section is what everybody else takes for it, and its
        body what follows, told to its end once.
        """
        edges = sorted({0, len(data), *(each for each in cuts if each < len(data))})
        reader = self.arrive(data[a:b] for a, b in itertools.pairwise(edges))
        section = cut(data)
        if not (section == b"\r\n" or section.endswith(b"\r\n\r\n")):
            self.assertIsNone(reader)
            return
        self.assertEqual(
            (reader.section, reader.body, reader.ends), (section, data[len(section) :], 1)
        )

    def test_unwanted(self):
        """
        Where nobody wants it, that is asked once and nothing is kept.
        """
        asked = []
        self.assertIsNone(self.arrive([HEADER, b"a", b"\r\n\r\n"], asked.append))
        self.assertEqual(asked, [HEADER])

    def test_without_end(self):
        """
        A header section without end is given up, and not kept, beyond what is looked at of any.
        """
        arrival = Arrival(Kept)
        arrival.feed(b"a" * HEAD_LIMIT)
        arrival.feed(b"b")
        arrival.feed(HEADER)
        self.assertIsNone(arrival.finish())

    def test_broken(self):
        """
        A reader that breaks costs the message nothing, and is told of.
        """
        for step in ("begin", "update", "finish"):
            self.assertIsNone(self.arrive([HEADER, b"body"], broken(step)), step)
            (_,) = self.flushLoggedErrors(ValueError)


class SpooledTests(SpoolCase):
    """
    Tests of messages in memory and in files that are read as they arrive.
    """

    def spool_in(self, *pieces):
        """
        Give the reader of a message that comes in these pieces, and its message.
        """
        writer = self.spool.begin(Kept)
        for piece in pieces:
            writer.write(piece)
        message = self.finish(writer)
        return message.reading, message

    def test_small(self):
        """
        A message in memory has what has read it, whatever is prepended.
        """
        reader, message = self.spool_in(HEADER[:9], HEADER[9:] + b"Hi", b"!\r\n")
        self.assertEqual((reader.section, reader.body), (HEADER, b"Hi!\r\n"))
        self.assertIs(message.prepend(b"Top: 1\r\n").reading, reader)
        message.close()

    def test_nobody(self):
        """
        Nothing has read a message where nobody asked for it.
        """
        self.assertIsNone(self.write(HEADER, b"Hi").reading)
        self.assertIsNone(self.write(HEADER, b"x" * 300_000).reading)

    def test_large(self):
        """
        A message that goes to a file is read to its end, every byte once, be it there from its
        beginning or not.
        """
        body = b"0123456789abcdef" * 40_000
        for memory in (1 << 20, 1):
            self.spool.memory_limit = memory
            pieces = [body[at : at + 50_000] for at in range(0, len(body), 50_000)]
            reader, message = self.spool_in(HEADER, *pieces)
            self.assertIsInstance(message, FileMessage)
            self.assertEqual((reader.section, reader.body, reader.ends), (HEADER, body, 1))
            self.assertIs(message.prepend(b"Top: 1\r\n").reading, reader)
            message.close()
        self.assertNothingIsLeft()

    def test_turns(self):
        """
        Of a message of 10 MiB no more is read in the reactor than fits into memory, and of that no
        more in a turn than has come in it; the rest is read where the file is written.
        """
        self.spool.threads = disk = LateThreads()
        reader = Kept()
        writer = self.spool.begin(lambda section: reader)
        read = 0
        for size, number in ((60_000, 4), (1 << 20, 10)):
            for _ in range(number):
                writer.write(HEADER + b"x" * size)
                here = len(reader.body) - read
                self.assertLessEqual(here, size + len(HEADER) if size < HEAD_LIMIT else 0)
                disk.work()
                read = len(reader.body)
        finished = writer.finish()
        self.assertIsInstance(finished, Deferred)
        disk.work()
        message = self.successResultOf(finished)
        self.assertEqual(len(message.reading.body), message.size - len(HEADER))
        message.close()
        disk.work()

    def test_full_disk(self):
        """
        What the disk does not take is not read either, and nothing is left.
        """
        reader = Kept()

        def fail(*_):
            raise OSError("no space")

        self.patch(self.spool.files, "write", fail)
        writer = self.spool.begin(lambda section: reader)
        writer.write(HEADER)
        writer.write(b"x" * 300_000)
        self.failureResultOf(writer.finish(), OSError)
        self.assertEqual(reader.body, b"")
        self.assertNothingIsLeft()
