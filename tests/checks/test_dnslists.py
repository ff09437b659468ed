"""
Tests of asking lists in the DNS.
"""

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.dnslists import DnsListsCheck
from mailgate.checks.spf import SpfCheck
from mailgate.finding import Result
from mailgate.interfaces import Phase
from mailgate.knowledge.dnslists import FAILURES, DnsLists, ListTrouble
from mailgate.message.envelope import Envelope
from mailgate.pipeline.view import View
from mailgate.policy.verdict import Policy
from mailgate.wire.address import Address
from mailgate.wire.dns.answer import Trouble
from tests.checks.given import NOW, session, settings
from tests.net.dns.network import ONE, Machine, make_resolver
from tests.net.zones import Zones

CLIENT = "185.1.2.3"
NAME = "3.2.1.185.bl.example"
CLIENT_6 = "2a00:1450::7"
NAME_6 = "7" + ".0" * 23 + ".0.5.4.1.0.0.a.2.bl.example"


def table(zone="bl.example", **more):
    """
    Give the table of a list.
    """
    codes = more.pop("codes", {"127.0.0.2": {"words": "sends spam", "score": 4.0}})
    return {"zone": zone, "codes": codes, **more}


def works(lists):
    """
    Let all lists have passed their tests.
    """
    lists.take_up(evolve(one.state, trouble=None, reason="") for one in lists.lists)


class DnsListsCheckTests(SynchronousTestCase):
    """
    Tests of L{DnsListsCheck}.
    """

    def make(self, zones, options=None, **lists):
        """
        Make a check of lists that have passed their tests.
        """
        given = settings(dnslists={"lists": lists, **(options or {})})
        self.failed = []
        self.lists = DnsLists.of_sections(given.checks.dnslists.lists, self.failed.append)
        works(self.lists)
        self.zones = zones if isinstance(zones, Zones) else Zones(zones)
        return DnsListsCheck.from_settings(given, self.lists, self.zones)

    def view(self, sender="ada@example.org", **more):
        """
        Give what the check sees of a stranger.
        """
        given = session(**{"client": CLIENT, "local": "198.51.100.25", **more})
        local, _, domain = sender.partition("@")
        envelope = Envelope(given, "7q4m-x2vd-90kt", Address(local, domain), NOW)
        return View(given, NOW, ({},), {}, envelope)

    def found(self, check, **more):
        """
        Give symbols and scores.
        """
        return [(each.symbol, each.score) for each in check.check(self.view(**more))]

    def test_listed(self):
        """
        An address is asked for with its octets reversed; what is listed is told with its words,
        and to the client with the list and its look-up page.
        """
        check = self.make({NAME: {"A": ["127.0.0.2"]}}, psbl=table(page="https://p.example/{}"))
        (finding,) = check.check(self.view())
        self.assertEqual(self.zones.asked, [(NAME, "A")])
        self.assertEqual((finding.symbol, finding.score), ("DNSBL_CLIENT", 4))
        self.assertEqual(
            finding.detail,
            "The client's address, 185.1.2.3, is on the list psbl: sends spam (127.0.0.2).",
        )
        self.assertEqual(
            finding.public, "185.1.2.3 is listed by psbl, see https://p.example/185.1.2.3"
        )

    def test_not_listed(self):
        """
        What is not listed has no finding.
        """
        self.assertEqual(self.found(self.make({}, psbl=table())), [])

    def test_lists_nibbles(self):
        """
        An IPv6 address is asked for by its nibbles, where the list has such.
        """
        check = self.make({NAME_6: {"A": ["127.0.0.2"]}}, psbl=table(ipv6=True))
        self.assertEqual(self.found(check, client=CLIENT_6), [("DNSBL_CLIENT", 4)])
        check = self.make({}, psbl=table())
        self.assertEqual(self.found(check, client=CLIENT_6), [])
        self.assertEqual(self.zones.asked, [])

    def test_mapped(self):
        """
        An IPv4 address that is spelled as an IPv6 one is asked for as what it is.
        """
        check = self.make({NAME: {"A": ["127.0.0.2"]}}, psbl=table())
        self.assertEqual(self.found(check, client=f"::ffff:{CLIENT}"), [("DNSBL_CLIENT", 4)])

    def test_lists_codes(self):
        """
        Only answers with a code of the list count: numbers, ranges, any, and bits.
        """
        codes = {
            "127.0.0.4-7": {"words": "a", "score": 1.0},
            "127.0.*.9": {"words": "b", "score": 2.0},
            "127.0.1.&8": {"words": "c", "score": 4.0},
        }
        for answer, total in (
            ("127.0.0.4", 1),
            ("127.0.0.7", 1),
            ("127.0.0.3", 0),
            ("127.0.0.8", 0),
            ("127.0.5.9", 2),
            ("127.0.1.24", 4),
            ("127.0.1.9", 6),
            ("127.0.1.16", 0),
        ):
            check = self.make({NAME: {"A": [answer]}}, psbl=table(codes=codes))
            self.assertEqual(sum(score for _, score in self.found(check)), total, answer)

    def test_lists_domains(self):
        """
        A list of domains is asked for the name in HELO and the sender's domain, once each.
        """
        zones = {"bad.example.dbl.example": {"A": ["127.0.0.2"]}}
        check = self.make(zones, dbl=table("dbl.example", of="domains"))
        self.assertEqual(self.found(check, helo="Bad.Example."), [("DNSBL_HELO", 4)])
        self.assertEqual(self.found(check, sender="x@bad.example"), [("DNSBL_SENDER", 4)])
        found = self.found(check, helo="bad.example", sender="x@BAD.example")
        self.assertEqual(found, [("DNSBL_HELO", 4)])

    def test_lists_organizations(self):
        """
        Some lists of domains are asked for the organization's domain, once each.
        """
        zones = {"bad.example.o.example": {"A": ["127.0.0.2"]}}
        check = self.make(zones, o=table("o.example", of="organizations"))
        found = self.found(check, helo="mx1.bad.example", sender="x@news.bad.example")
        self.assertEqual(found, [("DNSBL_HELO", 4)])
        self.assertEqual(self.zones.asked, [("bad.example.o.example", "A")])

    def test_lists_own_domains(self):
        """
        Our own domains, and what is below them, are never asked for.
        """
        both = {"d": table("d.example", of="domains"), "o": table("o.example", of="organizations")}
        check = self.make({}, **both)
        for ours in ("example.com", "mail.example.com", "www.Example.com", "a.b.example.com"):
            self.found(check, helo=ours, sender=f"x@{ours}")
        self.assertEqual(self.zones.asked, [])

    def test_lists_for(self):
        """
        A score below zero speaks for the client, and then nothing is refused by this check.
        """
        wl = table("wl.example", codes={"127.0.*.3": {"words": "trusted", "score": -3.0}})
        zones = {NAME: {"A": ["127.0.0.2"]}, "3.2.1.185.wl.example": {"A": ["127.0.9.3"]}}
        findings = self.make(zones, psbl=table(), dnswl=wl).check(self.view())
        self.assertEqual(
            [(each.symbol, each.score, each.is_enforced) for each in findings],
            [("DNSBL_CLIENT", 4, False), ("DNSWL_CLIENT", -3, False)],
        )
        self.assertEqual(findings[1].public, "")

    def test_lists_enforce(self):
        """
        With C{enforce} the client is refused at RCPT, with the list and its look-up page.
        """
        check = self.make({NAME: {"A": ["127.0.0.2"]}}, psbl=table(page="https://p.example/{}"))
        self.assertEqual(check.phase, Phase.RCPT)
        given = settings(dnslists={"mode": "enforce"})
        policy = Policy.from_settings(given)
        result = Result("dnslists", tuple(check.check(self.view())))
        ada, postmaster = Address("ada", "example.com"), Address("postmaster", "example.com")
        reply = policy.judge(Phase.RCPT, [result], "7q4m", ada).reply
        self.assertEqual(reply.code, 550)
        self.assertIn("185.1.2.3 is listed by psbl, see https://p.example/185.1.2.3", str(reply))
        self.assertIsNone(policy.judge(Phase.RCPT, [result], "7q4m", postmaster).reply)

    def test_lists_private(self):
        """
        Private, own and exempt addresses, own names, and who has logged in are never asked for.
        """
        check = self.make(
            {},
            {"exempt_networks": ["185.9.0.0/16"]},
            psbl=table(ipv6=True),
            dbl=table("dbl.example", of="domains"),
        )
        quiet = {"helo": "mail.example.com", "sender": "ada@example.com"}
        for client in ("10.1.2.3", "192.168.1.1", "127.0.0.1", "169.254.1.1", "100.64.0.1"):
            self.assertEqual(self.found(check, client=client, **quiet), [])
        for client in ("fd00::1", "fe80::1", "::1", "::ffff:10.0.0.1", "185.9.1.1"):
            self.assertEqual(self.found(check, client=client, **quiet), [])
        self.found(check, local=CLIENT, **quiet)
        self.assertEqual(self.zones.asked, [])

    def test_lists_refusal(self):
        """
        127.255.255.0/24 and 127.0.0.1 are refused queries: a score of 0, and the list is
        switched off.
        """
        for answer in ("127.255.255.252", "127.255.255.254", "127.255.255.2", "127.0.0.1"):
            check = self.make({NAME: {"A": [answer]}}, psbl=table())
            self.assertEqual(self.found(check), [("DNSLIST_REFUSED", 0)])
            self.assertEqual(self.lists.lists[0].state.trouble, ListTrouble.REFUSED)
            self.assertEqual(self.failed, [self.lists.lists[0].state])
            self.zones.asked.clear()
            self.assertEqual(self.found(check), [("DNSLIST_UNKNOWN", 0)])
            self.assertEqual(self.zones.asked, [])

    def test_lists_own_refusal(self):
        """
        So are the answers by which a list itself refuses, whatever else they could mean.
        """
        codes = {"127.0.*.*": {"words": "trusted", "score": -3.0}}
        check = self.make(
            {NAME: {"A": ["127.0.0.255"]}}, wl=table(codes=codes, refusals=["127.0.*.255"])
        )
        self.assertEqual(self.found(check), [("DNSLIST_REFUSED", 0)])
        self.assertEqual(self.lists.lists[0].state.trouble, ListTrouble.REFUSED)

    def test_lists_late_answers(self):
        """
        What was asked before a list was switched off, and is answered after it, is told once.
        """
        names = {f"{each}.2.1.185.bl.example": {"A": ["127.255.255.254"]} for each in (1, 2)}
        zones = Zones(names, is_later=True)
        check = self.make(zones, psbl=table())
        asking = [check.check(self.view(client=f"185.1.2.{each}")) for each in (1, 2)]
        zones.go_on()
        for each in asking:
            self.assertEqual(self.successResultOf(each)[0].symbol, "DNSLIST_REFUSED")
        self.assertEqual(len(self.failed), 1)

    def test_lists_hijack(self):
        """
        An answer outside 127/8 is a hijacked resolver, also beside a right one.
        """
        for answers in (["203.0.113.80"], ["127.0.0.2", "203.0.113.80"]):
            check = self.make({NAME: {"A": answers}}, psbl=table())
            self.assertEqual(self.found(check), [("DNSLIST_HIJACKED", 0)])
            self.assertEqual(self.lists.lists[0].state.trouble, ListTrouble.HIJACKED)

    def test_lists_breaker(self):
        """
        A time-out or SERVFAIL is unknown, and five of them for different addresses, one after
        another, switch that list off and no other.
        """
        for trouble in (Trouble.TIMEOUT, Trouble.SERVFAIL):
            names = {f"{each}.2.1.185.bl.example": trouble for each in range(1, 6)}
            check = self.make(names, psbl=table(), other=table("other.example"))
            for each in range(1, 6):
                self.assertIsNone(self.lists.lists[0].state.trouble)
                for _ in range(7):  # the same address again says nothing more
                    found = self.found(check, client=f"185.1.2.{each}")
                    self.assertEqual(found, [("DNSLIST_UNKNOWN", 0)])
            self.assertEqual(self.lists.lists[0].state.trouble, ListTrouble.SILENT)
            self.assertIsNone(self.lists.lists[1].state.trouble)

            self.assertEqual(self.failed, [self.lists.lists[0].state])

    def test_a35_random_clients(self):
        """
        Whatever strangers come and whatever they call themselves, what is remembered of a list that
        does not answer stays small.
        """
        names = {f"n{each}.example.dbl.example": Trouble.TIMEOUT for each in range(2000)}
        check = self.make(names, dbl=table("dbl.example", of="domains"))
        (one,) = self.lists.lists
        for each in range(2000):
            self.found(check, helo=f"n{each}.example", sender="")
            self.assertLess(len(one.unanswered), FAILURES)
        self.assertEqual(len(self.failed), 1)

    def test_not_asked(self):
        """
        That no server could be asked says nothing of a list.
        """
        for trouble in (Trouble.UNREACHABLE, Trouble.BUDGET, Trouble.BUSY):
            names = {f"{each}.2.1.185.bl.example": trouble for each in range(20)}
            check = self.make(names, psbl=table())
            for each in range(20):
                found = self.found(check, client=f"185.1.2.{each}")
                self.assertEqual(found, [("DNSLIST_UNKNOWN", 0)])
            self.assertIsNone(self.lists.lists[0].state.trouble)

    def test_later(self):
        """
        Lists that are asked at the same time are waited for; cancelled, all of it ends.
        """
        zones = Zones({NAME: {"A": ["127.0.0.2"]}}, is_later=True)
        check = self.make(zones, psbl=table(), other=table("other.example"))
        asking = check.check(self.view())
        self.assertEqual(len(zones.waiting), 2)
        zones.go_on()
        (finding,) = self.successResultOf(asking)
        self.assertEqual(finding.symbol, "DNSBL_CLIENT")
        asking = check.check(self.view())
        self.assertIsInstance(asking, Deferred)
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.assertEqual(zones.waiting, [])

    def test_hostile_names(self):
        """
        What a client calls itself is asked for only where it is a plain name.
        """
        check = self.make({}, dbl=table("dbl.example", of="domains"))
        for helo in ("a b.example", "x\\.y.example", "[192.0.2.1]", "192.0.2.1", "a" * 300, "ü.de"):
            self.found(check, helo=helo, sender="")
        self.assertEqual(self.zones.asked, [])


class BudgetTests(SynchronousTestCase):
    """
    Tests with another check that asks the same resolver.
    """

    def test_lists_do_not_starve(self):
        """
        However many senders have SPF records that lead to names which never answer, lists are asked
        and answered at once; of SPF it is unknown when its time is over.
        """
        lists = {"dbl": table("lists.invalid", of="domains")}
        given = settings(dnslists={"lists": lists}, spf={})
        machine = Machine(ONE)
        resolver = make_resolver(machine, ONE)
        self.addCleanup(resolver.close)
        known = DnsLists.of_sections(given.checks.dnslists.lists)
        works(known)
        spf = SpfCheck.from_settings(given, resolver)
        check = DnsListsCheck.from_settings(given, known, resolver)
        views = [_view(f"spf.{number}.example") for number in range(300)]
        asking = [spf.check(view) for view in views]
        machine.pass_time(0.5)
        waiting = {name for name, *_ in machine.servers[ONE.host, ONE.port].asked}
        self.assertGreater(sum(name.startswith("timeout.") for name in waiting), 100)
        for number in range(10):
            found = check.check(_view(f"test.{number}.example"))
            machine.pass_time(0.05)
            self.assertEqual(
                [each.symbol for each in self.successResultOf(found)], ["DNSBL_SENDER"]
            )
        for each in asking:
            self.assertNoResult(each)
        machine.pass_time(given.checks.spf.deadline)
        for each in asking:
            self.assertEqual(self.successResultOf(each)[0].symbol, "SPF_TEMPERROR")


def _view(sender):
    """
    Give what checks see of a sender.
    """
    given = session(client=CLIENT)
    envelope = Envelope(given, "7q4m-x2vd-90kt", Address("ada", sender), NOW)
    return View(given, NOW, ({},), {}, envelope)
