"""
Tests of L{mailgate.reporting.overview}.
"""

from attrs import evolve, frozen
from twisted.trial.unittest import SynchronousTestCase

from mailgate.interfaces import Protection
from mailgate.reporting.overview import NEEDED, Row, headline, overview, problems, size, span
from mailgate.reporting.status import (
    DnsListStatus,
    DnsServerStatus,
    DnsStatus,
    Reload,
    SandboxStatus,
    UpstreamStatus,
)
from mailgate.reporting.terminal import moment
from tests.reporting.statuses import CERTIFICATE, DAY, GIB, HELD, MACHINE, STATUS, STORED, worker
from tests.storage import NOW


@frozen
class Weak:
    """
    A sandbox that says so of itself.
    """

    protections: frozenset | None
    problem: str = ""


class OverviewTests(SynchronousTestCase):
    """
    Tests of L{overview}.
    """

    def test_well(self):
        """
        Where all is well nothing is wrong, and each part says so in a few words.
        """
        self.assertEqual(problems(STATUS), [])
        words = {row.part: row.words for row in overview(STATUS)}
        self.assertEqual(
            words,
            {
                "worker 11": "generation 1, up 90 s, 3 sessions, 80 MiB",
                "worker 12": "generation 1, up 90 s, 3 sessions, 80 MiB",
                "upstream inbox": "works, 6 connections",
                "outbox": "empty",
                "held": "3 messages: 1 phishing, 2 spam",
                "stored": "messages 4.0 KiB, database 4.0 KiB, traces 2.0 KiB",
                "lists": "2 allow, 1 block",
                "learned": "100 spam, 200 ham",
                "disk": "9.0 GiB free of 20 GiB",
                "certificate": f"mail/fullchain.pem ends on {_day(60)}, in 60 days",
                "sandbox of hub": "held by limits, network, capabilities, privileges, system calls",
            },
        )
        self.assertIn("on mail.example.com, process 10, up 3 days", headline(STATUS))

    def wrong(self, words, **changes):
        """
        See that a state is wrong in one way, and that this comes first.
        """
        status = evolve(STATUS, **changes)
        self.assertEqual(problems(status), [words])
        self.assertTrue(overview(status)[0].is_wrong)

    def test_workers(self):
        """
        A worker that does not answer is wrong, and so is one that is missing.
        """
        silent = worker(12, status=None)
        self.assertEqual(
            problems(evolve(STATUS, workers=(worker(11), silent))),
            ["worker 12: generation 1, up 90 s, does not answer", "workers: 1 of 2 answer"],
        )
        self.wrong("workers: 1 of 2 answer", workers=(worker(11),))
        starting = worker(12, is_ready=False, status=None)
        self.wrong("workers: 1 of 2 answer", workers=(worker(11), starting))

    def test_retiring(self):
        """
        One of an old generation may be silent: it is ending.
        """
        old = worker(9, is_current=False)
        status = evolve(STATUS, workers=(*STATUS.workers, old, evolve(old, pid=8, status=None)))
        self.assertEqual(problems(status), [])
        words = {row.part: row.words for row in overview(status)}
        self.assertIn("lets nobody in", words["worker 9"])

    def test_sandbox(self):
        """
        A sandbox tells what holds it and what does not. It is wrong where its filter of system
        calls is missing, or where none starts; of the workers the weakest counts.
        """
        weak = SandboxStatus.of(Weak(frozenset({Protection.CALLS, *NEEDED})))
        words = {row.part: row for row in overview(evolve(STATUS, sandbox=weak))}
        self.assertEqual(
            words["sandbox of hub"],
            Row(
                False,
                "sandbox of hub",
                "held by limits, privileges, system calls; not by network, capabilities",
            ),
        )
        for missing in NEEDED:
            active = frozenset(Protection) - {missing}
            self.wrong(
                "sandbox of hub: held by "
                + ", ".join(each for each in Protection if each in active)
                + f"; not by {missing}",
                sandbox=SandboxStatus.of(Weak(active)),
            )
        self.wrong(
            "sandbox of hub: does not start: it was killed",
            sandbox=SandboxStatus.of(Weak(None, "it was killed")),
        )
        unknown = SandboxStatus.of(Weak(None))
        for one, other, said in (
            (unknown, unknown, "not needed yet"),
            (unknown, HELD, "held by limits, network, capabilities, privileges, system calls"),
            (weak, HELD, "held by limits, privileges, system calls; not by network, capabilities"),
        ):
            for sandboxes in ((one, other), (other, one)):
                for field, part in (("sandbox", "workers"), ("documents", "documents")):
                    seen = [worker(pid, **{field: each}) for pid, each in enumerate(sandboxes, 11)]
                    shown = overview(evolve(STATUS, workers=(*seen,)))
                    rows = {row.part: row.words for row in shown}
                    self.assertEqual(rows[f"sandbox of {part}"], said)

    def test_upstreams(self):
        """
        An upstream is wrong as soon as one process sees it fail.
        """
        failing = (UpstreamStatus("inbox", 3, 0, 0, 2),)
        self.wrong(
            "upstream inbox: has failed 3 times in a row, 3 connections, 2 messages wait",
            workers=(worker(11), worker(12, upstreams=failing)),
        )
        self.wrong(
            "upstream inbox: has failed once, 6 connections",
            upstreams=(UpstreamStatus("inbox", 1),),
        )

    def test_upstream_that_is_not_asked(self):
        """
        It is told that a process sends nothing there any more.
        """
        failing = (UpstreamStatus("inbox", 7, is_open=True),)
        self.wrong(
            "upstream inbox: has failed 7 times in a row, 3 connections; nothing is sent there "
            "until it answers",
            workers=(worker(11), worker(12, upstreams=failing)),
        )

    def test_dns(self):
        """
        A DNS server is wrong as soon as one worker has no answer from it; of a public one it is
        said.
        """

        def asks(pid, *servers):
            seen = worker(pid)
            return evolve(seen, status=evolve(seen.status, dns=DnsStatus(servers)))

        good = DnsServerStatus("192.0.2.53", True, False)
        down = DnsServerStatus("192.0.2.53", False, False)
        public = DnsServerStatus("8.8.8.8", True, True)
        status = evolve(STATUS, workers=(asks(11, good, public), asks(12, good)))
        self.assertEqual(problems(status), [])
        words = {row.part: row.words for row in overview(status)}
        self.assertEqual(words["DNS server 192.0.2.53"], "works")
        self.assertIn("a public one", words["DNS server 8.8.8.8"])
        for workers in (asks(11, good), asks(12, down)), (asks(11, down), asks(12, good)):
            self.wrong("DNS server 192.0.2.53: does not answer", workers=workers)

    def test_dns_lists(self):
        """
        A DNS list that is switched off is wrong, with the reason and since when; one that is not
        tested yet is not.
        """
        good = DnsListStatus("psbl", since=NOW - DAY, tested=NOW)
        new = DnsListStatus("new", "untested", "it is not tested yet", NOW)
        status = evolve(STATUS, dns_lists=(good, new))
        self.assertEqual(problems(status), [])
        words = {row.part: row.words for row in overview(status)}
        self.assertEqual(words["DNS list psbl"], f"works, passed its test at {moment(NOW)}")
        self.assertEqual(words["DNS list new"], "is not asked yet: it is not tested yet")
        reason = "it refuses to answer: 127.255.255.254"
        off = DnsListStatus("psbl", "refused", reason, NOW - DAY, NOW)
        since = moment(NOW - DAY)
        self.wrong(f"DNS list psbl: switched off since {since}: {reason}", dns_lists=(new, off))

    def test_outbox(self):
        """
        A copy that waits for an hour is wrong, and one that waits for a person.
        """
        stored = evolve(STORED, outbox_waiting=1, outbox_trying=1, outbox_oldest=NOW - 3599)
        self.assertEqual(problems(evolve(STATUS, stored=stored)), [])
        self.wrong(
            "outbox: 2 copies, the oldest waits for 60 min",
            stored=evolve(stored, outbox_oldest=NOW - 3600),
        )
        self.wrong(
            "outbox: 4 restored copies to be retried or deleted by you (mailgate outbox list)",
            stored=evolve(STORED, outbox_suspended=4),
        )

    def test_outbox_is_full(self):
        """
        Many copies are wrong however young they are; what somebody has stopped is told, and is not.
        """
        stored = evolve(STORED, outbox_waiting=999, outbox_oldest=NOW)
        self.assertEqual(problems(evolve(STATUS, stored=stored)), [])
        self.wrong(
            "outbox: 1,000 copies, the oldest waits for 0 s",
            stored=evolve(stored, outbox_trying=1),
        )
        stopped = evolve(STATUS, stored=evolve(STORED, outbox_suspended=2, outbox_stopped=2))
        self.assertEqual(problems(stopped), [])
        (words,) = [row.words for row in overview(stopped) if row.part == "outbox"]
        self.assertEqual(words, "2 stopped by somebody")

    def test_disk(self):
        """
        A disk that is too full is wrong, and one that does not answer.
        """
        self.wrong(
            "disk: 512 MiB free of 20 GiB; below 1.0 GiB no mail is taken",
            machine=evolve(MACHINE, free_bytes=GIB // 2),
        )
        wrong = problems(evolve(STATUS, machine=None))
        self.assertEqual(wrong, ["disk: does not answer"])

    def test_database(self):
        """
        So is a database that does not answer.
        """
        self.wrong("database: locked", database_error="locked", stored=None, learned=None)

    def test_certificates(self):
        """
        A certificate is wrong when it has ended, cannot be read, or ends within 30 days; one that
        lives for less than 90 days, within the last third of its life.
        """
        for changes, words in (
            ({"ends": NOW - DAY}, f"ended on {_day(-1)}"),
            ({"ends": None}, "cannot be read"),
            (
                {"begins": NOW - 300 * DAY, "ends": NOW + 29 * DAY},
                f"ends on {_day(29)}, in 29 days",
            ),
            ({"begins": NOW - 5 * DAY, "ends": NOW + 2 * DAY}, f"ends on {_day(2)}, in 2 days"),
        ):
            certificate = evolve(CERTIFICATE, **changes)
            self.wrong(
                f"certificate: mail/fullchain.pem {words}",
                machine=evolve(MACHINE, certificates=(certificate,)),
            )
        short = evolve(CERTIFICATE, begins=NOW - DAY, ends=NOW + 5 * DAY)
        status = evolve(STATUS, machine=evolve(MACHINE, certificates=(short,)))
        self.assertEqual(problems(status), [])

    def test_reload(self):
        """
        So is a reload that has changed nothing, until one succeeds.
        """
        (wrong,) = problems(evolve(STATUS, reload=Reload(NOW, "[limits] x: no such key")))
        self.assertRegex(wrong, r"^reload: failed at 2027-.*: \[limits\] x: no such key$")
        self.assertEqual(problems(evolve(STATUS, reload=Reload(NOW))), [])

    def test_unreadiness(self):
        """
        Why no mail should be sent here is said in words.
        """
        self.assertEqual(STATUS.unreadiness(), ())
        old = worker(9, is_current=False)
        for changes, reasons in (
            ({"is_started": False, "workers": ()}, ("the gateway is starting",)),
            ({"workers": (old, worker(11, status=None))}, ("no worker answers",)),
            ({"has_room": False}, ("the disk is full",)),
            ({"database_error": "/path: locked"}, ("the database does not answer",)),
        ):
            self.assertEqual(evolve(STATUS, **changes).unreadiness(), reasons)

    def test_one_worker_is_enough(self):
        """
        The gateway is ready as long as one worker answers.
        """
        status = evolve(STATUS, workers=(worker(11), worker(12, status=None)))
        self.assertEqual(status.unreadiness(), ())

    def test_words(self):
        """
        Times and sizes are told roughly.
        """
        self.assertEqual(
            [span(s) for s in (-1, 119, 120, 7200, 2 * DAY)],
            ["0 s", "119 s", "2 min", "2 h", "2 days"],
        )
        self.assertEqual(
            [size(n) for n in (0, 1023, 1024, 10 * 1024**2, 1024**6)],
            ["0 bytes", "1023 bytes", "1.0 KiB", "10 MiB", "1024 PiB"],
        )


def _day(days):
    return moment(NOW + days * DAY)[:10]
