"""
Tests for L{mailgate.web.names}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailgate.web.names import Names


class NamesTests(SynchronousTestCase):
    """
    Which names are this site's.
    """

    def setUp(self):
        """
        Make a site on https, with further names.
        """
        self.names = Names("https://Mail.example.com:8443", ("localhost", "127.0.0.1", "[::1]"))

    def test_known_hosts(self):
        """
        The host of the base URL and the further names are known, in any case, with any port.
        """
        for host in (
            "mail.example.com:8443",
            "MAIL.EXAMPLE.COM",
            "mail.example.com:1",
            "localhost:8025",
            "127.0.0.1",
            "[::1]:8025",
        ):
            self.assertTrue(self.names.knows(host), host)

    def test_strange_hosts(self):
        """
        Whatever else stands in a Host header is refused.
        """
        for host in (
            "",
            "evil.example",
            "mail.example.com.evil.example",
            "evil-mail.example.com",
            "mail.example.com:8443@evil.example",
            "mail.example.com/",
            "mail.example.com:",
            "mail.example.com:port",
            "mail.example.com\n",
            "user@mail.example.com",
            "127.0.0.1.evil.example",
            "0.0.0.0",
        ):
            self.assertFalse(self.names.knows(host), host)

    def test_own_origins(self):
        """
        The base URL is an own origin, and a further name is where the request itself names it.
        """
        for origin, host in (
            ("https://mail.example.com:8443", "mail.example.com:8443"),
            ("https://mail.example.com:8443", "localhost:8025"),
            ("https://mail.example.com", "mail.example.com"),
            ("https://mail.example.com:443", "mail.example.com"),
            ("http://localhost:8025", "localhost:8025"),
            ("http://[::1]:8025/some/page?x=y", "[::1]:8025"),
        ):
            self.assertTrue(self.names.is_own(origin, host), (origin, host))

    def test_strange_origins(self):
        """
        Another host, port or scheme is another origin, and so is none.
        """
        for origin, host in (
            ("null", "mail.example.com:8443"),
            ("", "mail.example.com:8443"),
            ("http://mail.example.com:8443", "mail.example.com:8443"),
            ("https://mail.example.com:8444", "mail.example.com:8443"),
            ("https://evil.example", "mail.example.com:8443"),
            ("https://mail.example.com:8443@evil.example", "mail.example.com:8443"),
            ("https://evil.example/https://mail.example.com:8443", "mail.example.com:8443"),
            ("http://localhost:9999", "localhost:8025"),
            ("http://127.0.0.1:8025", "localhost:8025"),
            ("file:///etc", "localhost:8025"),
        ):
            self.assertFalse(self.names.is_own(origin, host), (origin, host))

    def test_cookies(self):
        """
        On https cookies are bound to this very host by their name.
        """
        self.assertEqual(self.names.cookie("a"), "__Host-a")
        self.assertEqual(Names("http://a.example", ()).cookie("a"), "a")
