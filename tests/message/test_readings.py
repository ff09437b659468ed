"""
Tests of reading a message as every mail program would.
"""

import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.archive import Caps
from mailgate.message.attachments import Examination
from mailgate.message.mime import Limits, read, readings
from mailgate.message.mime.readings import is_simple, read_all, simple
from tests.message.hostile import FAMILIES
from tests.message.programs import PROGRAMS
from tests.message.samples import within_a_second
from tests.message.tricks import (
    CONTENT,
    ENCODINGS,
    MARK,
    TEXT,
    TRICKS,
    join,
    mixed,
    uuencoded,
    yenc,
)

READINGS = 7
"""How many there are of a message at most."""

HELD_ONLY = {("a line that is no field ends the header section of the file", "base64")}
"""Tricks whose content is not seen in this encoding: the message is held."""


class TrickTests(SynchronousTestCase):
    """
    Tests of what hides a file.
    """

    def test_a21_content(self):
        """
        The content of a hidden file is seen, whatever hides it and encodes it, or readings differ.
        """
        for name, make in TRICKS.items():
            for encoding, payload in ENCODINGS.items():
                every = read_all(make(payload))
                is_seen = any(MARK in each.decoded(len(each.data)) for each in every.enclosed)
                if (name, encoding) in HELD_ONLY:
                    self.assertFalse(is_seen, (name, encoding))
                    self.assertNotEqual(every.differences, (), (name, encoding))
                elif not name.startswith("base64"):
                    files = Examination(every.enclosed, Caps()).finish().files
                    is_seen = is_seen or any(file.type == "windows-program" for file in files)
                    self.assertTrue(is_seen, (name, encoding, every.parsed.doubts))

    def test_simple(self):
        """
        What hides something is never taken for simple; programs write nothing else.
        """
        clear = {"name in the type only", "name in the disposition only"}
        payload = ENCODINGS["base64"]
        simple_ones = {name for name, make in TRICKS.items() if is_simple(read(make(payload)))}
        for name in simple_ones - clear:
            every = read_all(TRICKS[name](payload))
            files = Examination(every.enclosed, Caps()).finish().files
            self.assertIn("windows-program", {file.type for file in files}, name)
        for name, data in PROGRAMS.items():
            parsed = read(data)
            self.assertEqual((parsed.doubts, is_simple(parsed)), ((), True), name)


class ReadingsTests(SynchronousTestCase):
    """
    Tests of the readings and what they differ in.
    """

    def test_regular(self):
        """
        A regular message has one reading, with its attachments.
        """
        data = mixed(ENCODINGS["base64"])
        parsed = read(data)
        for every in (simple(parsed, data), read_all(data, parsed)):
            self.assertIs(every.parsed, parsed)
            self.assertEqual(len(every.all), 1)
            self.assertEqual([each.decoded(10_000) for each in every.enclosed], [CONTENT])
            self.assertEqual((every.differences, every.hidden_texts, every.files), ((), (), ()))

    def test_once(self):
        """
        A file that all readings find is there once, with the names of all of them.
        """
        payload = ENCODINGS["base64"]
        fields = (
            "Content-Type: a/b; name=a.txt\r\nContent-Disposition: attachment; filename=b c.txt"
        )
        part = join(fields, "\r\n", payload.field, "\r\n\r\n", payload.body, "\r\n")
        every = read_all(mixed(payload, part=part))
        (only,) = every.enclosed
        self.assertEqual(only.part.names[:2], ("b c.txt", "a.txt"))
        self.assertIn("b", only.part.names)
        self.assertGreater(len(every.all), 4)

    def test_two_that_are_the_same(self):
        """
        Two attachments with the same content are two.
        """
        payload = ENCODINGS["base64"]
        every = read_all(
            mixed(payload).replace(
                join(TEXT),
                join(
                    "Content-Type: a/b; name=payload.exe\r\n",
                    payload.field,
                    "\r\n\r\n",
                    payload.body,
                    "\r\n",
                ),
            )
        )
        self.assertEqual([each.part.name for each in every.enclosed], ["payload.exe"] * 2)

    def test_differences(self):
        """
        A file that one reading has and another has not is told with who sees it.
        """
        data = TRICKS["two types, the first is text"](ENCODINGS["base64"])
        (difference,) = read_all(data).differences
        self.assertEqual(difference.enclosed.part.name, "payload.exe")
        self.assertTrue(
            difference.words.startswith("is there for one that takes the last of several fields")
        )
        data = TRICKS["two types, the last is text"](ENCODINGS["base64"])
        (difference,) = read_all(data).differences
        self.assertTrue(
            difference.words.startswith("is not there for one that takes the last of several")
        )

    def test_files_in_text(self):
        """
        Files within a text are given beside the attachments, and make no difference.
        """
        for text in (uuencoded(CONTENT), yenc(CONTENT)):
            every = read_all(join("From: a\r\n\r\nwords\r\n", text))
            (file,) = every.enclosed
            self.assertEqual(file.part.name, "payload.exe")
            self.assertEqual(file.decoded(10_000), CONTENT)
            self.assertEqual((len(every.all), every.differences), (1, ()))

    def test_begin(self):
        """
        A text that only has the word in it is simple.
        """
        for text in ("to begin with", "begin here\r\n", "begin 12 minutes earlier", "=ybegin"):
            self.assertTrue(is_simple(read(join("From: a\r\n\r\nx\r\n", text))), text)

    def test_failure(self):
        """
        A parser that fails is told.
        """

        def fail(data, limits):
            raise RecursionError

        self.patch(readings, "read_stdlib", fail)
        every = read_all(mixed(ENCODINGS["base64"], last=""))
        self.assertEqual(every.failures, ("Python's own parser fails (RecursionError)",))

    def test_more_than_is_read(self):
        """
        Where another reading, or a text, has more than is read, that is told.
        """
        odd = b"X : y\r\n" + mixed(ENCODINGS["base64"])
        many = odd + b"\r\n" + b"Content-Type: a/b; name=a.txt\r\n\r\nx\r\n" * 600
        (failure,) = read_all(many).failures
        self.assertEqual(
            failure, "one that looks for files and believes no boundary finds more than is read"
        )
        hidden = TRICKS["two types, the first is text"](ENCODINGS["base64"])
        failures = read_all(
            hidden.replace(b"--frontier\r\n", b"--frontier\r\n\r\n" * 600, 1)
        ).failures
        self.assertIn(
            "one that takes the last of several fields reads no more:"
            " it has more than 500 parts; the rest is not read",
            failures,
        )
        text = join("From: a\r\n\r\n", *[uuencoded(b"words")] * 60)
        self.assertEqual(
            read_all(text).failures, ("there are more files within the text than are read",)
        )


class HostileTests(SynchronousTestCase):
    """
    Tests of what is made to hurt (A8 to A11, A21, A22).
    """

    def test_number(self):
        """
        There are at least 40 families.
        """
        self.assertGreaterEqual(len(FAMILIES), 40)

    def test_a10_families(self):
        """
        Of each family a message is read in all ways within a second, in a bounded number of
        readings, parts and names.
        """
        for name, make in FAMILIES.items():
            data = make(96 * 1024)
            every = within_a_second(self, read_all, data)
            limits = Limits()
            self.assertLessEqual(len(every.all), READINGS, name)
            for reading in every.all:
                self.assertLessEqual(len(reading.enclosed), limits.parts + 1, name)
            for each in every.enclosed:
                self.assertLessEqual(len(each.part.names), READINGS * limits.names, name)
                self.assertLessEqual(len(each.decoded(100)), 100, name)
            within_a_second(self, Examination(every.enclosed, Caps()).finish)

    def test_a9_memory(self):
        """
        Reading takes a bounded multiple of the memory of the message.
        """
        size = 32 * 1024
        for name, make in FAMILIES.items():
            data = make(size)
            tracemalloc.start()
            every = read_all(data)
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            self.assertLess(most, 16 * 1024 * 1024, name)
            del every

    @settings(max_examples=150)
    @given(
        st.lists(
            st.one_of(
                st.binary(max_size=20),
                st.sampled_from(
                    TRICKS["in an attached message"](ENCODINGS["base64"]).split(b"\r\n")
                ),
                st.sampled_from(
                    [b"Content-Type: message/rfc822", b"--frontier", b"--frontier--", b""]
                ),
            ),
            max_size=60,
        ),
        st.sampled_from([b"\r\n", b"\n", b"\r"]),
    )
    def test_a11_anything(self, lines, end):
        """
        Whatever the lines are, reading ends; all that is found can be decoded and named.
        """
        every = read_all(end.join(lines))
        for each in every.enclosed:
            self.assertLessEqual(len(each.decoded(10)), 10)
            "".join(each.part.names).encode()
        "".join(every.hidden_texts).encode()
