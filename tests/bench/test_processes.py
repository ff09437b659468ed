"""
Tests of the reading of CPU times.
"""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.processes import cpu_seconds, resident_bytes


class ProcTestCase(SynchronousTestCase):
    """
    A test case with a folder in place of /proc.
    """

    def setUp(self):
        """
        Make the folder.
        """
        self.proc = Path(self.mktemp())
        (self.proc / "self").mkdir(parents=True)

    def add(self, pid, parent, user=0, system=0, gone_user=0, gone_system=0, name="x"):
        """
        Add a process; times are in ticks.
        """
        (self.proc / str(pid)).mkdir()
        times = f"{user} {system} {gone_user} {gone_system}"
        (self.proc / str(pid) / "stat").write_text(
            f"{pid} ({name}) S {parent} 1 1 0 -1 4194304 9 9 9 9 {times} 20 0 1 0 99 9 9\n"
        )


class CpuSecondsTests(ProcTestCase):
    """
    A process counts with all its descendants, each once.
    """

    def ticks(self, pid):
        """
        Read the time of a tree in ticks.
        """
        return round(cpu_seconds(pid, self.proc) * os.sysconf("SC_CLK_TCK"))

    def test_tree(self):
        """
        The process, its living descendants and those it has waited for are added, others not.
        """
        self.add(1, 0, user=5000)
        self.add(10, 1, user=1, system=20, gone_user=300, gone_system=4000)
        self.add(9, 10, user=10_000)
        self.add(12, 9, system=50_000)
        self.add(11, 1, user=600_000)
        self.assertEqual(self.ticks(10), 64_321)

    def test_name(self):
        """
        A name with spaces and parentheses does not confuse the reading.
        """
        self.add(10, 1, user=7, name="a) S 1 (b")
        self.assertEqual(self.ticks(10), 7)

    def test_real(self):
        """
        The real C{/proc} agrees with what the kernel tells of this process.
        """
        times = os.times()
        self.assertAlmostEqual(cpu_seconds(os.getpid()), sum(times[:4]), places=0)


class ResidentBytesTests(ProcTestCase):
    """
    The memory of a process counts with that of all its descendants.
    """

    def test_tree(self):
        """
        The process and its living descendants are added, others not.
        """
        for pid, parent, size in ((1, 0, 9000), (10, 1, 100), (11, 1, 9000), (12, 10, 20)):
            self.add(pid, parent)
            (self.proc / str(pid) / "smaps_rollup").write_text(
                f"5500-7fff ---p 00000000 00:00 0    [rollup]\nRss:   {size} kB\nPss:   7 kB\n"
            )
        self.assertEqual(resident_bytes(10, self.proc), 120 * 1024)

    def test_real(self):
        """
        The real C{/proc} tells that this process grows with what it holds.
        """
        before = resident_bytes(os.getpid())
        held = b"x" * 50_000_000
        self.assertGreater(resident_bytes(os.getpid()) - before, len(held) * 0.9)
