"""
Tests of L{mailgate.classify.mailboxes}.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.classify.mailboxes import MESSAGE_LIMIT, files_in, in_batches, messages_in
from tests.storage import temporary_folder


class MailboxTests(SynchronousTestCase):
    """
    Tests of finding messages.
    """

    def setUp(self):
        """
        Make a folder.
        """
        self.folder = temporary_folder(self)

    def write(self, name, data=b"Subject: x\r\n\r\ny\r\n"):
        """
        Write a file.
        """
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def test_files(self):
        """
        A folder gives its files and those of its folders, a Maildir what is delivered.
        """
        for name in (
            "b/2",
            "b/1",
            "a",
            ".hidden",
            "box/cur/3:2,S",
            "box/new/4",
            "box/tmp/5",
            ".d/6",
        ):
            self.write(name)
        found = [path.relative_to(self.folder).as_posix() for path in files_in([self.folder])]
        self.assertEqual(found, ["a", "b/1", "b/2", "box/cur/3:2,S", "box/new/4"])
        self.assertEqual(list(files_in([self.folder / ".hidden"])), [self.folder / ".hidden"])
        self.assertRaises(FileNotFoundError, list, files_in([self.folder / "none"]))

    def test_message(self):
        """
        A file is one message, with CRLF line ends.
        """
        path = self.write("a", b"Subject: x\n\nFrom y\r\nz\n")
        self.assertEqual(list(messages_in(path)), [b"Subject: x\r\n\r\nFrom y\r\nz\r\n"])

    def test_mbox(self):
        """
        An mbox is as many messages as have a line "From " behind an empty one.
        """
        path = self.write(
            "box",
            b"From a@b Thu Jan  1 00:00:00 1970\nSubject: 1\n\nFrom here\n>From there\n>>From x\n\n"
            b"From c@d Thu Jan  1 00:00:00 1970 +0100\nSubject: 2\n\n\n"
            b"From e Thu Jan  1 1970\nSubject: 3\n\nend\n\n",
        )
        self.assertEqual(
            list(messages_in(path)),
            [
                b"Subject: 1\r\n\r\nFrom here\r\nFrom there\r\n>From x\r\n",
                b"Subject: 2\r\n\r\n",
                b"Subject: 3\r\n\r\nend\r\n",
            ],
        )

    def test_large(self):
        """
        Of a large message only the beginning is read.
        """
        data = b"Subject: x\r\n\r\n" + b"a" * (MESSAGE_LIMIT * 2)
        (alone,) = messages_in(self.write("a", data))
        self.assertEqual(len(alone), MESSAGE_LIMIT)
        box = self.write("box", b"From a\n" + data + b"\n\nFrom b 1970\nSubject: y\n\n\n")
        first, second = messages_in(box)
        self.assertLessEqual(len(first), MESSAGE_LIMIT + 64 * 1024)
        self.assertEqual(second, b"Subject: y\r\n\r\n")

    def test_batches(self):
        """
        Batches hold all messages, in their order, none too many at once.
        """
        messages = [b"%d" % number for number in range(250)]
        batches = list(in_batches(messages))
        self.assertEqual([len(batch) for batch in batches], [100, 100, 50])
        self.assertEqual([each for batch in batches for each in batch], messages)
        self.assertEqual([len(batch) for batch in in_batches([b"a" * 10**7] * 3)], [2, 1])
        self.assertEqual(list(in_batches([])), [])
