"""
Tests of C{mailgate check-domain} with a DNS server.
"""

import json
import os
import shutil
import sys
from tempfile import mkdtemp

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue
from twisted.names import dns
from twisted.trial.unittest import TestCase

from tests.authentication.signing import published, rsa_key
from tests.end_to_end.dns_server import serve_zone, text
from tests.end_to_end.gateway import REPOSITORY, Gateway
from tests.end_to_end.ports import free_port

KEY = published(rsa_key())
ZONE = {
    b"example.test": [
        text("v=spf1 mx ", "include:_spf.example.test -all"),
        dns.Record_MX(10, b"mx.example.test", ttl=300),
    ],
    b"_spf.example.test": [text("v=spf1 ip4:192.0.2.0/24 -all")],
    b"mx.example.test": [dns.Record_A("192.0.2.1", ttl=300)],
    b"2027a._domainkey.example.test": [text(KEY[:200], KEY[200:])],
    b"_dmarc.example.test": [text("v=DMARC1; p=reject; rua=mailto:dmarc@example.test")],
    b"bad.example.test": [text("v=spf1 +all"), text("v=spf1 -all")],
}


class CheckDomainTests(TestCase):
    """
    Tests of the command as it is called.
    """

    timeout = 120

    def setUp(self):
        """
        Let a DNS server know a domain.
        """
        port = serve_zone(self, reactor, b"example.test", ZONE)
        folder = mkdtemp(prefix="mailgate-")
        self.addCleanup(shutil.rmtree, folder)
        self.write(folder, port)

    def write(self, folder, port):
        """
        Write the configuration.
        """
        self.config = Gateway(
            folder, tables=f'[dns]\nservers = ["127.0.0.1:{port}"]\nreply_seconds = 0.5\n'
        ).config

    async def call(self, *words):
        """
        Call the command, and give its status and what it says.
        """
        out, errors, status = await getProcessOutputAndValue(
            sys.executable,
            ["-m", "mailgate", "check-domain", *words, "--config", str(self.config)],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            path=str(REPOSITORY),
        )
        self.assertEqual(errors, b"")
        return status, out.decode()

    async def test_fine(self):
        """
        A domain is fine whose records are, whether they come in one string or in several.
        """
        status, said = await self.call("example.test", "--selector", "2027a", "--json")
        found = json.loads(said)
        mistakes = [
            remark
            for part in found["parts"].values()
            for remark in part["remarks"]
            if remark["weight"] in ("mistake", "unknown")
        ]
        self.assertEqual((status, found["outcome"], mistakes), (0, "fine", []))
        self.assertEqual(
            found["parts"]["SPF"]["records"][0]["text"],
            "v=spf1 mx include:_spf.example.test -all",
        )

    async def test_mistakes(self):
        """
        Mistakes are told in words.
        """
        status, said = await self.call("bad.example.test")
        self.assertEqual(status, 1)
        self.assertIn("There are 2 SPF records", said)
        self.assertIn("_dmarc.example.test applies", said)

    async def test_nobody(self):
        """
        Where no DNS server answers that is told, soon, and is no mistake.
        """
        self.write(self.config.parent, free_port())
        status, said = await self.call("example.test")
        self.assertEqual(status, 2)
        self.assertIn("NOT KNOWN", said)
        self.assertIn("could not be asked.", said)
