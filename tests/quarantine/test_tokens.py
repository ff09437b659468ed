"""
Tests for L{mailgate.quarantine.tokens}.
"""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.envelope import new_id
from mailgate.quarantine.tokens import Purpose, Signer, Token, Tokens
from tests.storage import NOW, make_storage

TOKEN = Token(Purpose.RELEASE, "held-held-held", int(NOW))


class SignerTests(SynchronousTestCase):
    """
    Tests of L{Signer}.
    """

    signer = Signer(b"k" * 32)

    def test_read(self):
        """
        What was written is read again, whatever it is for.
        """
        for purpose in Purpose:
            token = Token(purpose, new_id(), 2**39)
            self.assertEqual(self.signer.read(self.signer.write(token)), token)

    def test_fits_into_a_link(self):
        """
        It is short, and of letters that mean nothing in a URL.
        """
        self.assertRegex(self.signer.write(TOKEN), r"\A[A-Za-z0-9_-]{40,60}\Z")

    def test_one_for_each(self):
        """
        Another message, purpose or end is another token altogether.
        """
        others = (
            evolve(TOKEN, purpose=Purpose.DELETE),
            evolve(TOKEN, held="held-held-helf"),
            evolve(TOKEN, until=TOKEN.until + 1),
        )
        written = {self.signer.write(each)[:20] for each in (TOKEN, *others)}
        self.assertEqual(len(written), 4)

    def test_w2_changed(self):
        """
        Changed in any letter, cut short or longer, it is none of ours.
        """
        text = self.signer.write(TOKEN)
        for at in range(len(text)):
            changed = text[:at] + ("A" if text[at] != "A" else "Q") + text[at + 1 :]
            self.assertIsNone(self.signer.read(changed), at)
            self.assertIsNone(self.signer.read(text[:at]), at)
        self.assertIsNone(self.signer.read(text + "AAAA"))

    def test_w2_other_key(self):
        """
        Under another key it is worth nothing.
        """
        self.assertIsNone(Signer(b"l" * 32).read(self.signer.write(TOKEN)))

    def test_garbage(self):
        """
        What is no token at all is none of ours, however odd.
        """
        for text in ("", "=", "a", "é" * 60, "\x00", "A" * 10**6, "../../x", "%", "\udcff"):
            self.assertIsNone(self.signer.read(text))


class TokensTests(SynchronousTestCase):
    """
    Tests of L{Tokens}.
    """

    def test_key_is_kept(self):
        """
        The key is made once and stays; another store has another one.
        """
        storage = make_storage(self)
        first = self.successResultOf(Tokens(storage.database).signer())
        again = self.successResultOf(Tokens(storage.database).signer())
        other = self.successResultOf(Tokens(make_storage(self).database).signer())
        self.assertEqual(len(first.key), 32)
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)
