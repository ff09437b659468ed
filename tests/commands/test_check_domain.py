"""
Tests of L{mailgate.commands.check_domain}.
"""

import json

from attrs import evolve
from twisted.internet.defer import Deferred

from mailgate.authentication.dkim import Dkim, DkimResult
from mailgate.authentication.results import of_dkim, words
from mailgate.authentication.survey_domain import survey_domain
from mailgate.commands import check_domain
from mailgate.finding import Finding
from mailgate.message.envelope import new_id
from mailgate.store.threads import immediate_result
from mailgate.verdict import Action, Verdict
from mailgate.wire.dns.answer import Trouble
from tests.authentication.test_survey_domain import GOOD
from tests.commands.case import CommandLineCase, Terminal
from tests.net.zones import Zones
from tests.reporting.records import RECORD
from tests.storage import ADA


class CheckDomainTests(CommandLineCase):
    """
    Tests of C{mailgate check-domain}, with a DNS in memory.
    """

    def setUp(self):
        """
        Let the DNS be a table.
        """
        super().setUp()
        self.zones = dict(GOOD)
        self.asked = []

        def until_done(work):
            return self.successResultOf(work(None))

        def look(settings, reactor, domain, named, seen, resolv_conf):
            self.asked.append((domain, tuple(named), tuple(seen)))
            return Deferred.fromCoroutine(survey_domain(Zones(self.zones), domain, named, seen))

        self.patch(check_domain, "until_done", until_done)
        self.patch(check_domain, "look", look)

    def test_fine(self):
        """
        What was found is told part by part, with its records; the status is 0.
        """
        text = self.say("check-domain", "example.org")
        lines = text.splitlines()
        self.assertEqual(lines[:2], ["SPF", "  example.org TXT  v=spf1 mx -all"])
        self.assertIn("  ok         1 term asks the DNS, and 10 may.", lines)
        self.assertEqual(lines[-1], "example.org: no mistakes.")
        self.assertEqual(
            [line for line in lines if line.isupper()], ["SPF", "DKIM", "DMARC", "MX", "TLS"]
        )

    def test_mistakes(self):
        """
        Mistakes stand out, are counted, and are the status 1.
        """
        status, text, complaints = self.call(
            "check-domain", "example.org", "--selector", "a", "--selector", "B"
        )
        self.assertEqual((status, complaints), (1, ""))
        self.assertIn("  MISTAKE    There is no key at a._domainkey.example.org.\n", text)
        self.assertTrue(text.endswith("\nexample.org: 2 mistakes.\n"))
        self.assertEqual(self.asked, [("example.org", ("a", "b"), ())])

    def test_unknown(self):
        """
        What could not be asked is told, and is the status 2 where nothing is wrong.
        """
        self.zones["mx.example.org"] = Trouble.TIMEOUT
        status, text, _ = self.call("check-domain", "example.org")
        self.assertEqual(status, 2)
        self.assertIn("  NOT KNOWN  A of mx.example.org is not known: it is a test of", text)
        self.assertTrue(text.endswith("example.org: 2 things could not be asked.\n"), text)
        status, text, _ = self.call("check-domain", "example.org", "--selector", "a")
        self.assertEqual(status, 1)
        self.assertTrue(text.endswith("1 mistake, and 2 things could not be asked.\n"), text)

    def test_json(self):
        """
        A program is told the same.
        """
        status, text, _ = self.call("check-domain", "--json", "example.org", "--selector", "a")
        self.assertEqual(status, 1)
        found = json.loads(text)
        self.assertEqual((found["domain"], found["outcome"]), ("example.org", "mistakes"))
        self.assertEqual(list(found["parts"]), ["SPF", "DKIM", "DMARC", "MX", "TLS"])
        self.assertIn(
            {"weight": "mistake", "words": "There is no key at a._domainkey.example.org."},
            found["parts"]["DKIM"]["remarks"],
        )
        self.assertEqual(
            found["parts"]["SPF"]["records"],
            [{"name": "example.org", "type": "TXT", "text": "v=spf1 mx -all"}],
        )

    def test_names(self):
        """
        A domain may be written as people write it; what is none is refused.
        """
        self.zones["xn--bcher-kva.example"] = {"TXT": ["v=spf1 -all"]}
        self.call("check-domain", "Bücher.EXAMPLE.")
        self.assertEqual(self.asked[0][0], "xn--bcher-kva.example")
        for wrong in ("org", "a..b", "ada@example.org", "192.0.2.1/24", ""):
            status, out, complaints = self.call("check-domain", wrong)
            self.assertEqual((status, out), (2, ""), wrong)
            self.assertIn("is no domain, as in example.org", complaints)
        status, _, complaints = self.call("check-domain", "example.org", "--selector", "a b")
        self.assertEqual(status, 2)
        self.assertIn("a b is no selector", complaints)

    def test_hostile(self):
        """
        What stands in records cannot do anything to the terminal, and no line is too long.
        """
        self.zones["example.org"] = {"TXT": [b"v=spf1 \x1b[2J\n" + b"x" * 3000]}
        _, text, _ = self.call("check-domain", "example.org", out=Terminal(is_terminal=True))
        self.assertNotIn("\x1b", text)
        for line in text.splitlines():
            self.assertLessEqual(len(line), 110, line)

    def test_seen(self):
        """
        The selectors that the traces have are asked for; where they cannot be read that is told.
        """
        dkim = Dkim(
            DkimResult.PASS, "example.org", "a", "it is so", algorithm="rsa-sha256", value="abc="
        )
        finding = Finding("DKIM_PASS", 0.0, "x", authentication=words(of_dkim(dkim)))
        verdict = Verdict(Action.ACCEPT, (finding,), 0.0, (ADA,))

        def deliver(storage):
            storage.traces.record(evolve(RECORD, trace=new_id(), verdicts=(verdict,)))
            immediate_result(storage.traces.stop())

        self.stored(deliver)
        self.call("check-domain", "example.org")
        self.assertEqual(self.asked[-1][2], ("a",))

        def refuse(arguments):
            raise check_domain.CommandError("no")

        self.patch(check_domain, "gateway", refuse)
        status, _, complaints = self.call("check-domain", "example.org")
        self.assertEqual(status, 0)
        self.assertIn("the traces cannot be asked which selectors were seen: no", complaints)

    def test_no_folder(self):
        """
        Where the gateway has never run nothing is made for it.
        """
        self.say("check-domain", "example.org")
        self.assertFalse((self.config.parent / "data").exists())
