"""
Tests of L{mailgate.message.host}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.host import clean_host, decoded_label, is_address
from tests.message.samples import within_a_second

DISGUISES = {
    "EVIL.Test": "evil.test",
    "evil.test.": "evil.test",
    " evil.test ": "evil.test",
    "%65vil.test": "evil.test",
    "%EF%BD%85vil.test": "evil.test",
    "\uff45\uff56\uff49\uff4c.test": "evil.test",
    "evil\u3002test": "evil.test",
    "ev\u00adil.test": "evil.test",
    "ev\u200bil.test": "evil.test",
    "b\u00fccher.example": "xn--bcher-kva.example",
    "B\u00dcCHER.example": "xn--bcher-kva.example",
    "stra\u00dfe.example": "xn--strae-oqa.example",
    "\u0430pple.example": "xn--pple-43d.example",
    "a_b.example": "a_b.example",
    "\u24d4vil.test": "evil.test",
}
"""What is written, and where a browser goes."""

ADDRESSES = {
    "192.0.2.7": "192.0.2.7",
    "3221225991": "192.0.2.7",
    "0xC0000207": "192.0.2.7",
    "0300.0.02.07": "192.0.2.7",
    "192.0.519": "192.0.2.7",
    "192.519": "192.0.2.7",
    "192.0.2.7.": "192.0.2.7",
    "0xc0.0.0x2.0x7": "192.0.2.7",
    "0x7f.1": "127.0.0.1",
    "\uff11\uff19\uff12.0.2.7": "192.0.2.7",
    "[2001:DB8:0:0::1]": "[2001:db8::1]",
    "[::ffff:192.0.2.7]": "[::ffff:c000:207]",
}
"""What is written, and which address it is."""

NO_ADDRESSES = ("256.0.0.1", "1.2.3.4.5", "08.0.0.1", "4294967296", "a.1", "[::g]", "1..2")
"""What no browser opens, though it ends like an address."""


class HostTests(SynchronousTestCase):
    """
    Tests of L{clean_host} and L{is_address}.
    """

    def test_disguised(self):
        """
        A name is the one for which a browser asks.
        """
        for written, meant in DISGUISES.items():
            self.assertEqual(clean_host(written), meant, written)
            self.assertFalse(is_address(clean_host(written)), written)

    def test_addresses(self):
        """
        An address is one in every way of writing it.
        """
        for written, meant in ADDRESSES.items():
            self.assertEqual(clean_host(written), meant, written)
            self.assertTrue(is_address(clean_host(written)), written)

    def test_no_addresses(self):
        """
        What would be an address and is none stays as it is.
        """
        for written in NO_ADDRESSES:
            self.assertEqual(clean_host(written), written)
            self.assertTrue(is_address(written), written)

    def test_too_long(self):
        """
        A label of 63 letters is written out, also where they are many of its own kind; a name with
        a longer one is opened by no browser, and is not made for it.
        """
        longest = "\u00fc" * 40
        (label, end) = clean_host(f"{longest}.test").split(".")
        self.assertEqual((label[4:].encode().decode("punycode"), end), (longest, "test"))
        for name in ("\u00fc" * 63, "".join(map(chr, range(0x4E00, 0x5200, 20)))):
            host = clean_host(f"{name}.\u00fc.test")
            self.assertTrue(host.endswith(".%c3%bc.test"), host)

    def test_time(self):
        """
        Names of many letters of all kinds take a millisecond or two each.
        """
        names = [
            "".join(chr(0x4E00 + (start + at * 7) % 20_000) for at in range(250))
            for start in range(0, 20_000, 100)
        ]
        within_a_second(self, lambda: [clean_host(f"{name}.test") for name in names])

    @given(st.text())
    def test_is_ascii(self, name):
        """
        Whatever the name is, what comes back is in ASCII where a list could know it.
        """
        self.assertTrue(clean_host(name).isascii())

    @given(st.text())
    def test_never_raises(self, name):
        """
        Whatever the name is, what comes back can be compared: it is in lower case.
        """
        host = clean_host(name)
        self.assertEqual(host, host.lower())

    @given(st.ip_addresses(v=4), st.sampled_from(["{:d}", "{:#x}", "0{:o}"]))
    def test_whole_numbers(self, address, form):
        """
        One number stands for any address of IPv4.
        """
        self.assertEqual(clean_host(form.format(int(address))), str(address))


class LabelTests(SynchronousTestCase):
    """
    Tests of L{decoded_label}.
    """

    def test_decoded(self):
        """
        A label is given with its letters; one that stands for none as it is.
        """
        for label, letters in {
            "example": "example",
            "xn--bcher-kva": "b\u00fccher",
            "xn--a-\u00fc": "xn--a-\u00fc",
            "xn--999999999b": "xn--999999999b",
            "": "",
        }.items():
            self.assertEqual(decoded_label(label), letters, label)
