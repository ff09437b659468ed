"""
Tests of L{mailgate.checks.addressed}.
"""

from base64 import b64encode, urlsafe_b64encode

from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.addressed import Where, addressed
from mailgate.message.links import places_of
from mailgate.message.mime import read

ADA = "ada@example.com"


def found(*addresses, recipients=(ADA,)):
    """
    Give where addresses stand in links.
    """
    html = "".join(f'<a href="{address}">x</a>' for address in addresses)
    data = f"Content-Type: text/html\r\n\r\n{html}\r\n".encode()
    places = places_of(read(data).seen).web
    return [where for where, _ in addressed(places, recipients)]


class AddressedTests(SynchronousTestCase):
    """
    Tests of L{addressed}.
    """

    def test_forms(self):
        """
        An address is found as it is, encoded, in base64 at each place of other bytes, and in
        hexadecimal digits.
        """
        data = ADA.encode()
        for form in (
            ADA,
            "Ada@Example.COM",
            "ada%40example.com",
            b64encode(data).decode(),
            urlsafe_b64encode(data).decode().rstrip("="),
            b64encode(b"x" + data + b"&y").decode(),
            b64encode(b"xy" + data + b"z").decode(),
            b64encode(b"xyz" + data).decode(),
            data.hex(),
        ):
            self.assertEqual(found(f"https://evil.test/{form}"), [Where.LINK], form)
            self.assertEqual(found(f"https://evil.test/?u={form}"), [Where.LINK], form)
            self.assertEqual(found(f"https://evil.test/x#{form}"), [Where.FRAGMENT], form)

    def test_others(self):
        """
        Other addresses, and none, are not found.
        """
        for address in (
            "https://evil.test/",
            "https://evil.test/?u=bob@example.com",
            "https://evil.test/#" + b64encode(b"bob@example.com").decode(),
        ):
            self.assertEqual(found(address), [], address)
        self.assertEqual(found("https://evil.test/a", recipients=("postmaster", "")), [])

    def test_several(self):
        """
        Each link is told where it has the address of one of several recipients.
        """
        self.assertEqual(
            found(
                "https://evil.test/1#bob@example.com",
                "https://evil.test/2?u=ada@example.com",
                recipients=("bob@example.com", ADA),
            ),
            [Where.FRAGMENT, Where.LINK],
        )
