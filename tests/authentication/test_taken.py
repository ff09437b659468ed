"""
Tests of L{mailgate.authentication.taken}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.authentication.dkim import DkimResult
from mailgate.authentication.dmarc import DmarcResult
from mailgate.authentication.dmarc_record import Policy
from mailgate.authentication.spf import Identity, SpfResult
from mailgate.authentication.taken import (
    FIELDS,
    read_trusted,
    take_dkim,
    take_dmarc,
    take_spf,
)

EXCHANGE = (
    b"spf=softfail (sender IP is 192.0.2.1)\r\n smtp.mailfrom=example.org; dkim=none (message not"
    b" signed)\r\n header.d=none;dmarc=fail action=none header.from=Example.org;compauth=fail"
    b" reason=001"
)


def read(value, *ids):
    """
    Read one field of C{mx.example.net}, or of the servers that are given.
    """
    believed = ids or ("mx.example.net",)
    return read_trusted([value], lambda server: server.lower() in believed)


class TrustedTests(SynchronousTestCase):
    """
    Tests of L{read_trusted}.
    """

    def test_server(self):
        """
        What another server says, or nobody, is nothing, unless that is believed.
        """
        self.assertIsNone(read(b"mx.example.com; spf=pass smtp.mailfrom=example.org"))
        self.assertIsNone(read(EXCHANGE))
        self.assertEqual(read(EXCHANGE, "").server, "")
        self.assertEqual(len(read(b"MX.example.net; spf=pass; dkim=none").results), 2)

    def test_garbage(self):
        """
        What is out of the grammar is nothing, whatever it holds.
        """
        for value in (b"", b"mx.example.net", b"mx.example.net; spf", b'mx.example.net; "spf=pass'):
            found = read(value)
            self.assertFalse(found is not None and found.results, value)

    @given(st.binary(max_size=200))
    def test_any_bytes(self, value):
        """
        Whatever the bytes are, it does not raise, and nobody else is taken for the server.
        """
        found = read(b"mx.example.com; " + value)
        self.assertIsNone(found)

    def test_first_server(self):
        """
        Of several servers that are believed the first counts, which is the lowest, with all its
        fields; the others saw our own servers.
        """
        found = read_trusted(
            [
                b"inner.example.net; spf=fail smtp.mailfrom=example.org",
                b"mx.example.net; dkim=pass header.d=example.org",
                b"mx.example.com; spf=fail smtp.mailfrom=example.org",
                b"mx.example.net; spf=pass smtp.mailfrom=example.org",
            ],
            lambda server: server.endswith(".example.net"),
        )
        self.assertEqual([each.method for each in found.results], ["spf", "dkim"])
        self.assertIs(take_spf(found).result, SpfResult.PASS)

    def test_many(self):
        """
        So many fields are read that no mail makes it slow.
        """
        asked = []
        values = [b"mx%d.example.net; spf=pass" % number for number in range(1000)]
        read_trusted(values, lambda server: asked.append(server) or False)
        self.assertEqual(len(asked), FIELDS)


class TakenTests(SynchronousTestCase):
    """
    Tests of what becomes of single results.
    """

    def test_exchange(self):
        """
        What Exchange Online writes is understood.
        """
        taken = read(EXCHANGE, "")
        spf = take_spf(taken)
        self.assertEqual(
            (spf.result, spf.identity, spf.domain),
            (SpfResult.SOFTFAIL, Identity.MAIL_FROM, "example.org"),
        )
        self.assertEqual(take_dkim(taken), [])
        dmarc, is_known = take_dmarc(taken, "example.org")
        self.assertIs(dmarc.result, DmarcResult.FAIL)
        self.assertFalse(is_known)

    def test_spf(self):
        """
        A result without a domain, or in words that nobody knows, is none.
        """
        for value, result in (
            (b"spf=pass smtp.mailfrom=ada@example.org", SpfResult.PASS),
            (b"spf=hardfail smtp.mailfrom=example.org", SpfResult.FAIL),
            (b"spf=pass smtp.helo=mail.example.org", SpfResult.PASS),
            (b"spf=pass", None),
            (b'spf=pass smtp.mailfrom="a b"', None),
            (b"spf=perhaps smtp.mailfrom=example.org", None),
            (b"spf/2=pass smtp.mailfrom=example.org", None),
            (b"sender-id=pass smtp.mailfrom=example.org", None),
        ):
            found = take_spf(read(b"mx.example.net; " + value))
            self.assertEqual(found and found.result, result, value)
        helo = take_spf(read(b"mx.example.net; spf=pass smtp.helo=mail.example.org"))
        self.assertIs(helo.identity, Identity.HELO)

    def test_dkim(self):
        """
        Each signature is one; a pass of nobody is none; that nobody has looked is something else.
        """
        taken = read(
            b"mx.example.net; dkim=pass header.i=@example.org header.s=a header.b=AbC;"
            b" dkim=fail header.d=example.com; dkim=pass; dkim=neutral header.d=example.net"
        )
        found = take_dkim(taken)
        self.assertEqual(
            [(each.result, each.domain, each.selector) for each in found],
            [(DkimResult.PASS, "example.org", "a"), (DkimResult.FAIL, "example.com", "")],
        )
        self.assertTrue(found[0].is_verified)
        self.assertIsNone(take_dkim(read(b"mx.example.net; spf=pass")))

    def test_dmarc(self):
        """
        It counts for the domain in From alone, and the policy where it is named.
        """
        for value, expected in (
            (b"dmarc=pass header.from=example.org", (DmarcResult.PASS, Policy.NONE, True)),
            (b"dmarc=none header.from=example.org", (DmarcResult.NONE, Policy.NONE, True)),
            (
                b"dmarc=fail polrec.p=reject header.from=example.org",
                (DmarcResult.FAIL, Policy.REJECT, True),
            ),
            (
                b"dmarc=fail policy.dmarc=quarantine header.from=example.org",
                (DmarcResult.FAIL, Policy.QUARANTINE, True),
            ),
            (
                b"dmarc=fail header.from=example.org",
                (DmarcResult.FAIL, Policy.NONE, False),
            ),
            (b"dmarc=pass header.from=example.com", None),
            (b"dmarc=pass", None),
            (b"dmarc=temperror header.from=example.org", None),
        ):
            found = take_dmarc(read(b"mx.example.net; " + value), "example.org")
            seen = None if found is None else (found[0].result, found[0].policy, found[1])
            self.assertEqual(seen, expected, value)
        self.assertIsNone(take_dmarc(read(b"mx.example.net; dmarc=pass header.from="), ""))
