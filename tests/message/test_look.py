"""
Tests of looking at texts in another process.
"""

from attrs import evolve
from msgspec.msgpack import encode
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.html import LINK_LIMIT, TEXT_LIMIT, Anchor, Hidden
from mailgate.message.look import Unbelievable, decode_seen, encode_texts, look
from mailgate.message.mime import read
from mailgate.message.seen import PLAIN_LIMIT, Seen, seen_of
from mailgate.message.style import Way
from tests.message.hostile import FAMILIES

PAGE = (
    b"Content-Type: text/html; charset=utf-8\r\n\r\n<html><p>Gr\xc3\xbc\xc3\x9fe"
    b"<i style=display:none>hidden</i><a href=http://a.example/>x<img src=y></a></html>"
)


class LookTests(SynchronousTestCase):
    """
    Tests of what goes there and comes back.
    """

    def test_same(self):
        """
        What is seen there is what is seen here, whatever the texts are.
        """
        for data in (PAGE, b"\r\nwords", *(make(3000) for make in FAMILIES.values())):
            texts = read(data).texts
            there, here = decode_seen(look(encode_texts(texts))), seen_of(texts)
            self.assertEqual((there.plain, there.pages), (here.plain, here.pages))

    def test_kept(self):
        """
        What was seen elsewhere is not looked for again.
        """
        parsed = read(PAGE)
        seen = Seen("other words", ())
        parsed.keep(seen)
        self.assertIs(parsed.seen, seen)

    def test_unbelievable(self):
        """
        What cannot be seen is not believed.
        """
        (page,) = read(PAGE).seen.pages
        anchor, hidden = Anchor("x", "", False), Hidden("x" * TEXT_LIMIT, Way.HIDDEN, False)
        for seen in (
            Seen("x" * (PLAIN_LIMIT + 1), ()),
            Seen("", (page,) * 11),
            Seen("", (evolve(page, text="x" * (TEXT_LIMIT + 1)),)),
            Seen("", (evolve(page, hidden=(hidden, hidden)),)),
            Seen("", (evolve(page, anchors=(anchor,) * (LINK_LIMIT + 1)),)),
            Seen("", (evolve(page, sources=("x",) * (LINK_LIMIT + 1)),)),
        ):
            self.assertRaises(Unbelievable, decode_seen, encode(seen))
        for data in (b"", b"\xc1", encode([]), encode({"plain": 1, "pages": []})):
            self.assertRaises(Unbelievable, decode_seen, data)
