"""
Tests of finding what may be a password.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.passwords import TRIES, passwords_of
from tests.message.samples import within_a_second


class PasswordTests(SynchronousTestCase):
    """
    Tests of C{passwords_of}.
    """

    def test_named(self):
        """
        The word behind a word for a password is among the first few, in many languages.
        """
        for text in (
            "Password: tulip",
            "The password is tulip.",
            "Please use the password tulip to open it",
            'archive password - "tulip"',
            "PASSWORD=tulip",
            "Das Passwort lautet: tulip",
            "Kennwort für die Datei: tulip",
            "Mot de passe : tulip",
            "La contraseña es tulip",
            "пароль: tulip",
            "Пароль для архива tulip",
            "hasło: tulip",
            "密码\uff1atulip",
            "pw: tulip",
            "Pass code:\r\ntulip\r\n",
            "(password: tulip)",
        ):
            self.assertIn("tulip", passwords_of(f"Dear Ada,\r\n\r\n{text}\r\n\r\nBob")[:6], text)

    def test_alone(self):
        """
        A word alone in a line is tried, and words of letters and digits.
        """
        found = passwords_of("See the file.\r\n\r\nGeheim!\r\n\r\nIt opens with Zx81q, they say.")
        self.assertIn("Geheim!", found)
        self.assertIn("Zx81q", found)

    def test_no_passwords(self):
        """
        Words of mere text, addresses and links are not tried.
        """
        self.assertEqual(passwords_of("Dear Ada, see ada2@example.com or https://a.example/b1"), ())

    def test_limit(self):
        """
        No more than 20 are tried, and a long text takes no time.
        """
        for text in ("password " * 100_000, "a1 bcd2 " * 100_000, "x" * 1_000_000, " " * 1_000_000):
            self.assertLessEqual(len(within_a_second(self, passwords_of, text)), TRIES)
        words = " ".join(f"word{number}x" for number in range(100))
        self.assertEqual(len(passwords_of(words)), TRIES)

    @given(st.text(max_size=200))
    def test_anything(self, text):
        """
        Any text can be read; each word is one that stands in it.
        """
        for word in passwords_of("password: " + text):
            self.assertIn(word, "password: " + text)
