"""
Tests of L{mailgate.reporting.metrics}.
"""

import re

from attrs import evolve
from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from mailgate.interfaces import Deed, Protection
from mailgate.reporting.measures import Measured, Stopwatch, Sums
from mailgate.reporting.metrics import expose
from mailgate.reporting.status import (
    DnsListStatus,
    DnsServerStatus,
    DnsStatus,
    Reload,
    SandboxStatus,
    UpstreamStatus,
)
from tests.reporting.records import RECORD, REFUSED
from tests.reporting.statuses import CERTIFICATE, DAY, HELD, MACHINE, STATUS, STORED, worker
from tests.storage import NOW

LABELS = {
    "action",
    "amount",
    "answer",
    "check",
    "class",
    "database",
    "deed",
    "extractor",
    "kind",
    "le",
    "list",
    "mode",
    "of",
    "outcome",
    "part",
    "process",
    "protection",
    "protocol",
    "reply",
    "role",
    "state",
    "trouble",
    "upstream",
    "version",
    "why",
}
"""The labels there are; none takes what a stranger says."""


class ExposeTests(SynchronousTestCase):
    """
    Tests of L{expose}.
    """

    def setUp(self):
        """
        Count something.
        """
        self.sums = Sums()
        watch = Stopwatch()
        watch("helo", False, 0.002)
        watch("files", True, 0.02)
        dns = {"remembered": 40, "sent": 7, "wrong id": 2, "unknown servfail": 3}
        self.sums.add(Measured(watch.take(), 5, 1, dns))
        self.sums.count(RECORD)
        self.sums.count(REFUSED)
        self.sums.exceeded("account", "messages")
        self.sums.done(Deed.TRAP, 2)

    def families(self, status=STATUS):
        """
        Give the metrics as Prometheus reads them.
        """
        text = expose(status, self.sums).decode()
        return {each.name: each for each in text_string_to_metric_families(text)}

    def values(self, status=STATUS):
        """
        Give all samples by name and values of the labels.
        """
        return {
            (sample.name, *(v for k, v in sorted(sample.labels.items()))): sample.value
            for family in self.families(status).values()
            for sample in family.samples
        }

    def test_counted(self):
        """
        What was counted is there.
        """
        values = self.values()
        for key, number in {
            ("mailgate_sessions_total",): 5,
            ("mailgate_connections_turned_away_total",): 1,
            ("mailgate_messages_total", "quarantine", "phishing"): 1,
            ("mailgate_transactions_total", "5xx", "mx"): 1,
            ("mailgate_copies_total", "held"): 1,
            ("mailgate_rates_exceeded_total", "messages", "account"): 1,
            ("mailgate_penalty_deeds_total", "trap"): 2,
            ("mailgate_penalty_deeds_total", "login"): 0,
            ("mailgate_copies_total", "discarded"): 0,
            ("mailgate_check_seconds_count", "helo"): 1,
            ("mailgate_check_seconds_bucket", "helo", "0.001"): 0,
            ("mailgate_check_seconds_bucket", "helo", "0.003"): 1,
            ("mailgate_check_seconds_bucket", "helo", "+Inf"): 1,
            ("mailgate_check_seconds_sum", "helo"): 0.002,
            ("mailgate_extractor_seconds_count", "files"): 1,
            ("mailgate_dns_look_ups_total", "memory"): 40,
            ("mailgate_dns_look_ups_total", "server"): 0,
            ("mailgate_dns_queries_total", "udp"): 7,
            ("mailgate_dns_dropped_total", "id"): 2,
            ("mailgate_dns_unknown_total", "servfail"): 3,
            ("mailgate_dns_unknown_total", "budget"): 0,
        }.items():
            self.assertEqual(values[key], number, key)

    def test_now(self):
        """
        So is how the gateway is.
        """
        gone = worker(13, is_current=False, status=None)
        asking = worker(14, sessions=0)
        server = DnsServerStatus("192.0.2.53", False, False)
        lists = (
            DnsListStatus("a", since=NOW - 9),
            DnsListStatus("b", "refused", "it refuses", NOW - 5),
        )
        dns = DnsStatus((server,), 7, 900)
        asking = evolve(asking, status=evolve(asking.status, dns=dns))
        status = evolve(
            STATUS,
            workers=(*STATUS.workers, asking, gone),
            upstreams=(UpstreamStatus("inbox", 7, is_open=True),),
            stored=evolve(STORED, outbox_waiting=2, outbox_oldest=NOW - 90),
            reload=Reload(NOW - 5, "a mistake"),
            dns_lists=lists,
        )
        values = self.values(status)
        for key, number in {
            ("mailgate_ready",): 1,
            ("mailgate_workers", "ready"): 3,
            ("mailgate_workers", "retiring"): 1,
            ("mailgate_open_sessions",): 6,
            ("mailgate_upstream_breaker_open", "inbox"): 1,
            ("mailgate_upstream_connections", "idle", "inbox"): 6,
            ("mailgate_dns_servers_down",): 1,
            ("mailgate_dns_lists_off", "refused"): 1,
            ("mailgate_dns_lists_off", "hijacked"): 0,
            ("mailgate_dns_list_works", "a"): 1,
            ("mailgate_dns_list_works", "b"): 0,
            ("mailgate_dns_list_since_timestamp_seconds", "b"): NOW - 5,
            ("mailgate_dns_remembered_answers",): 7,
            ("mailgate_dns_remembered_bytes",): 900,
            ("mailgate_outbox_copies", "waiting"): 2,
            ("mailgate_outbox_oldest_seconds",): 90,
            ("mailgate_held_messages", "spam"): 2,
            ("mailgate_held_messages", "malware"): 0,
            ("mailgate_certificate_end_timestamp_seconds",): NOW + 60 * DAY,
            ("mailgate_last_reload_success",): 0,
            ("mailgate_sandbox_protection", "hub", "network"): 1,
        }.items():
            self.assertEqual(values[key], number, key)

    def test_unknown(self):
        """
        What could not be found out is left out, and is no zero.
        """
        status = evolve(STATUS, database_error="locked", stored=None, learned=None, machine=None)
        values = self.values(status)
        self.assertEqual(values["mailgate_database_up",], 0)
        self.assertEqual(values["mailgate_ready",], 0)
        self.assertFalse([key for key in values if "outbox" in key[0] or "disk" in key[0]])
        unknown = SandboxStatus(None, (), "")
        values = self.values(evolve(STATUS, workers=(worker(documents=HELD),)))
        self.assertEqual(values["mailgate_sandbox_protection", "documents", "network"], 1)
        values = self.values(evolve(STATUS, sandbox=unknown, workers=(worker(sandbox=HELD),)))
        known = [key for key in values if "sandbox" in key[0]]
        self.assertEqual([key for key in known if "workers" not in key], [])
        self.assertEqual(len(known), len(Protection))

    def test_certificate(self):
        """
        The certificate that ends first counts, and one that cannot be read is over.
        """
        soon = evolve(CERTIFICATE, ends=NOW + DAY)
        for certificates, end in (
            ((CERTIFICATE, soon), NOW + DAY),
            ((CERTIFICATE, evolve(soon, ends=None)), 0),
        ):
            values = self.values(evolve(STATUS, machine=evolve(MACHINE, certificates=certificates)))
            self.assertEqual(values["mailgate_certificate_end_timestamp_seconds",], end)

    def test_conventions(self):
        """
        Names and units are as Prometheus wants them, each metric says what it is, and no label is
        another than those that are known.
        """
        for name, family in self.families().items():
            self.assertTrue(family.documentation, name)
            if not name.startswith("mailgate_"):
                self.assertRegex(name, "^process_")
                continue
            self.assertRegex(name, r"^[a-z_]+$")
            for sample in family.samples:
                is_total = sample.name.endswith("_total")
                self.assertEqual(is_total, family.type == "counter", sample.name)
                self.assertLessEqual(set(sample.labels), LABELS)
            if family.type == "histogram":
                self.assertRegex(name, "_seconds$")

    def test_no_strangers(self):
        """
        Neither a domain nor an address is in it.
        """
        text = expose(STATUS, self.sums).decode()
        self.assertFalse(re.findall(r"example|192\.0\.2|fullchain", text))
