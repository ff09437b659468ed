"""
Tests of looking into attached pages.
"""

from base64 import b64encode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.inside.page import look_at_page
from mailgate.message.inside.signs import Look, SignKind
from tests.message.documents import page, smuggling
from tests.message.samples import PROGRAM, within_a_second, zipped

ZIP = zipped(("a.exe", PROGRAM + bytes(range(256)) * 4))


def seen(data):
    """
    Give the kinds of signs in a page, where it leads, and the files that lie in it.
    """
    look = Look()
    files = list(look_at_page(data, look, ("a.html",), 1024 * 1024))
    return [sign.kind for sign in look.signs], list(look.leads), files


class PageTests(SynchronousTestCase):
    """
    Tests of C{look_at_page}.
    """

    def test_harmless(self):
        """
        A page without scripts is no sign, with pictures in base64 too; it leads where its links do.
        """
        picture = b64encode(b"\x89PNG\r\n\x1a\n" + bytes(2000))
        data = page(
            b"<p>Words</p><a href='https://example.net/a'>b</a>"
            b"<img src='data:image/png;base64," + picture + b"'>"
        )
        self.assertEqual(seen(data), ([], ["https://example.net/a"], []))

    def test_smuggling(self):
        """
        A page that hands over a file which lies in it is told, and the file is given.
        """
        self.assertEqual(seen(smuggling(ZIP)), ([SignKind.SMUGGLED], [], [ZIP]))

    def test_smuggling_ways(self):
        """
        It is, whichever way the page does it.
        """
        encoded = b64encode(ZIP)
        for body in (
            b"<a download=x.zip href='data:application/zip;base64," + encoded + b"'>x</a>",
            b"<script>navigator.msSaveOrOpenBlob(f('" + encoded + b"'), 'a.zip')</script>",
            b"<svg onload=\"go(atob('" + encoded + b"'))\"></svg>",
            b"<script>document.write(atob('" + b64encode(page(b"x" * 600)) + b"'))</script>",
            b"<iframe src='data:text/html;base64," + b64encode(page(b"x" * 600)) + b"'></iframe>",
        ):
            kinds, _, files = seen(page(body))
            self.assertEqual((kinds, len(files)), ([SignKind.SMUGGLED], 1), body[:40])

    def test_utf_16(self):
        """
        It is in a page in UTF-16 as well.
        """
        for bom, charset in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
            data = bom + smuggling(ZIP).decode("ascii").encode(charset)
            self.assertEqual(seen(data)[0], [SignKind.SMUGGLED])

    def test_limit(self):
        """
        No more of the files in it is given than is allowed.
        """
        files = list(look_at_page(smuggling(ZIP), Look(), (), 100))
        self.assertEqual([len(file) for file in files], [100])

    def test_unpacking(self):
        """
        A script that unpacks what nobody knows, and hands it over or makes a page of it, is told.
        """
        unknown = b64encode(bytes((at * 7919) % 251 for at in range(2000)))
        for end in (b"x.download = 'a'", b"document.write(x)", b"eval(x)"):
            body = b"<script>var x = atob('" + unknown + b"');" + end + b"</script>"
            self.assertEqual(seen(page(body))[0], [SignKind.UNPACKING])

    def test_script(self):
        """
        Another script is told as that.
        """
        for body in (
            b"<script>alert(1)</script>",
            b"<img src=x onerror=alert(1)>",
            b"<a href='javascript:alert(1)'>x</a>",
        ):
            self.assertEqual(seen(page(body))[0], [SignKind.SCRIPT])

    def test_password(self):
        """
        A form that asks for a password is told.
        """
        body = b"<form action='https://example.net/'><input type=password></form>"
        self.assertEqual(seen(page(body))[0], [SignKind.PASSWORD])

    def test_redirect(self):
        """
        A page that leads on by itself is told, and where to.
        """
        for body, script in (
            (b"<meta http-equiv='refresh' content='0; url=https://Example.net/?a=1&amp;b'>", []),
            (b'<script>window.location.href = "https://Example.net/?a=1&b"</script>', ["script"]),
            (b"<script>location.replace('https://Example.net/?a=1&b')</script>", ["script"]),
        ):
            kinds, leads, _ = seen(page(body))
            self.assertEqual(kinds, [*map(SignKind, script), SignKind.REDIRECT])
            self.assertEqual(leads[0], "https://Example.net/?a=1&b")

    def test_links_in_scripts(self):
        """
        Addresses in a script count as links, names of vocabularies do not; whatever else is there.
        """
        body = b"<script>f('https://example.net/x'); g('http://www.w3.org/2000/svg')</script>"
        for letter in ("", "\u0130"):
            found = seen(page(body + letter.encode()))[1]
            self.assertEqual(found, ["https://example.net/x"])

    def test_a26_large(self):
        """
        Whatever a large page repeats, it takes less than a second.
        """
        for piece in (
            b"<meta http-equiv=refresh ",
            b"<script>atob(",
            b"A" * 399 + b" ",
            b"location = '",
            b"<a href=",
            b"A" * 500 + b"\n",
            b"on",
            b"\0",
        ):
            data = page(piece * (2 * 1024 * 1024 // len(piece)))
            within_a_second(self, seen, data)

    @given(st.binary(max_size=300), st.sampled_from([b"", b"\xff\xfe", b"<script>atob(", ZIP]))
    def test_anything(self, data, before):
        """
        Any bytes can be looked at.
        """
        seen(before + data)
