"""
Tests for L{mailgate.message.attachments}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.forbidden import FileType
from mailgate.message.archive import Caps, File
from mailgate.message.attachments import Examination
from mailgate.message.mime.readings import read_all
from tests.message.samples import (
    PROGRAM,
    attached,
    message,
    within_a_second,
    zipped,
)


def examine(data):
    """
    Look at the attachments of a message.
    """
    return Examination(read_all(data).enclosed, Caps())


def files(data):
    """
    Give all files.
    """
    return examine(data).finish().files


class ExaminationTests(SynchronousTestCase):
    """
    Tests of the files that a message brings.
    """

    def test_none(self):
        """
        A message of text alone brings none.
        """
        self.assertEqual(files(b"Subject: x\r\n\r\nwords"), ())

    def test_outside(self):
        """
        Each attachment has its names, its type and what it claims to be; text is none.
        """
        data = message(
            ("Content-Type: image/jpeg; name=a.jpg", PROGRAM),
            ("Content-Type: text/plain; name=b.txt", b"words"),
            ("Content-Type: text/plain", b"words"),
            ("Content-Type: application/octet-stream", b"ID3\3\0\0"),
        )
        examination = examine(data)
        self.assertEqual(
            examination.files,
            (
                File(("a.jpg",), FileType.WINDOWS_PROGRAM, claimed="image/jpeg"),
                File(("b.txt",), FileType.TEXT, claimed="text/plain"),
                File((), FileType.MEDIA, claimed="application/octet-stream"),
            ),
        )
        self.assertTrue(examination.is_done)
        self.assertEqual(examination.finish().files, examination.files)

    def test_inside(self):
        """
        What has to be opened is not done until it is finished; the order is that of the parts.
        """
        data = message(
            ("Content-Type: a/b; name=a.zip", zipped(("b.exe", PROGRAM))),
            ("Content-Type: a/b; name=c.txt", b"words"),
        )
        self.assertFalse(examine(data).is_done)
        self.assertEqual(
            [(file.within, file.names) for file in files(data)],
            [((), ("a.zip",)), (("a.zip",), ("b.exe",)), ((), ("c.txt",))],
        )

    def test_encodings(self):
        """
        What a file is does not depend on how it is encoded.
        """
        for encoding, raw in (
            (b"quoted-printable", b"=4D=5A=90=00" + b"=00" * 20),
            (b"base64", b"TVqQAAAA"),
            (b"8bit", PROGRAM),
        ):
            head = b"Content-Type: a/b\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n"
            self.assertEqual(files(head + raw)[0].type, FileType.WINDOWS_PROGRAM)

    def test_disk(self):
        """
        The mark of an optical disk is found though it stands far behind.
        """
        data = attached("a.bin", bytes(0x8001) + b"CD001" + bytes(5000))
        self.assertEqual(files(data)[0].type, FileType.DISK_IMAGE)

    def test_attached_message(self):
        """
        The files of an attached message are there once, whether it is encoded or not.
        """
        inner = attached("a.exe", PROGRAM)
        plain = b"Content-Type: message/rfc822\r\n\r\n" + inner
        encoded = message(("Content-Type: message/rfc822", inner))
        for data in (plain, encoded):
            names = [file.names for file in files(data)]
            self.assertEqual(names.count(("a.exe",)), 1)

    def test_a23_many_bombs(self):
        """
        Hundreds of bombs in one message take less than a second together.
        """
        bomb = zipped(("in.zip", zipped(("0", bytes(20_000_000)))))
        data = message(*[("Content-Type: a/b; name=a.zip", bomb)] * 400)
        found = within_a_second(self, lambda: examine(data).finish())
        self.assertTrue(any(flaw.is_bomb for flaw in found.flaws))

    def test_large_file(self):
        """
        A large file that is no archive is not decoded as a whole.
        """
        data = attached("a.mp3", b"ID3\3" + bytes(20_000_000))
        examination = within_a_second(self, examine, data)
        self.assertTrue(examination.is_done)

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(
                    ["Content-Type: a/b; name=a.zip", "Content-Type: message/rfc822", "X: y"]
                ),
                st.one_of(st.binary(max_size=60), st.just(zipped(("a.exe", PROGRAM)))),
            ),
            max_size=4,
        ),
        st.integers(0, 1500),
        st.binary(max_size=8),
    )
    def test_anything(self, parts, at, few):
        """
        Whatever comes, it ends.
        """
        data = message(*parts)
        files(data[:at] + few + data[at + len(few) :])
