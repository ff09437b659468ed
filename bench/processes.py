"""
Processes that are measured: started on one core, their CPU time read, ended.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import monotonic, sleep

HOST = "127.0.0.1"


class Unavailable(Exception):
    """
    A server cannot be measured here; the text says what is missing.
    """


def installed(package: str) -> str:
    """
    Give the version of a Python package, or C{""} where it is not installed.
    """
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """
    Let what is started meanwhile run on one core only, or, with C{None}, where it likes.
    """
    before = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def keep_apart(load: int, server: int) -> tuple[int, int] | tuple[None, None]:
    """
    Keep this program on the core C{load}, where both are there.

    @return: C{load} and C{server}, or C{None} for each: then nothing is pinned.
    """
    if {load, server} <= os.sched_getaffinity(0):
        os.sched_setaffinity(0, {load})
        return load, server
    print(f"cores {load} and {server} are not both here: nothing is pinned", file=sys.stderr)
    return None, None


def free_port() -> int:
    """
    Find a TCP port of the loopback address on which nothing listens.
    """
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        number: int = probe.getsockname()[1]
        return number


def cpu_seconds(pid: int, proc: Path = Path("/proc")) -> float:
    """
    Give the CPU time, user and system, of a process and all its descendants, in seconds.

    For each living process it is what C{/proc/PID/stat} tells of the process itself and of
    its children that have ended and were waited for (C{utime}, C{stime}, C{cutime},
    C{cstime}; a child's own waited-for children are in its parent's figure when it ends). So
    every process counts once, whether it still lives or not.
    """
    ticks = sum(sum(map(int, fields[11:15])) for fields in _family(pid, proc).values())
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int, proc: Path = Path("/proc")) -> int:
    """
    Give the memory of a process and all its descendants that lies in RAM.

    It is C{Rss} of C{/proc/PID/smaps_rollup}, which is exact; that of C{status} lags behind.
    """
    texts = ((proc / str(member) / "smaps_rollup").read_text() for member in _family(pid, proc))
    kibibytes = (re.search(r"^Rss: *(\d+) kB$", text, re.MULTILINE) for text in texts)
    return sum(int(found[1]) * 1024 for found in kibibytes if found)


def _family(pid: int, proc: Path) -> dict[int, list[str]]:
    """
    Give what C{/proc/PID/stat} tells behind the name, of a process and all its descendants.
    """
    stats: dict[int, list[str]] = {}
    children: dict[int, list[int]] = {}
    for entry in os.listdir(proc):
        if not entry.isdigit():
            continue
        try:
            stat = (proc / entry / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        stats[int(entry)] = fields = stat.rpartition(")")[2].split()
        children.setdefault(int(fields[1]), []).append(int(entry))
    tree = [pid]
    for member in tree:
        tree += children.get(member, [])
    return {member: stats[member] for member in tree}


class Program:
    """
    A process with its descendants, on one core.
    """

    def __init__(
        self,
        command: list[str],
        core: int | None,
        log: Path,
        environment: dict[str, str],
        folder: Path,
    ) -> None:
        """
        Start C{command} in C{folder}; what it says goes to the file C{log}.
        """
        self.log = log
        with log.open("wb") as output, on_core(core):
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=os.environ | environment,
                start_new_session=True,
            )

    def cpu_seconds(self) -> float:
        """
        Give the CPU time of the whole tree.
        """
        return cpu_seconds(self._process.pid)

    def resident_bytes(self) -> int:
        """
        Give the memory of the whole tree that lies in RAM.
        """
        return resident_bytes(self._process.pid)

    def wait_for_greeting(self, port: int, seconds: float = 30) -> None:
        """
        Wait until something says 220 on C{port}.

        @raise Unavailable: nothing did; the process has been ended.
        """
        end = monotonic() + seconds
        while self._process.poll() is None and monotonic() < end:
            try:
                with socket.create_connection((HOST, port), timeout=5) as client:
                    if client.recv(4096).startswith(b"220"):
                        client.sendall(b"QUIT\r\n")
                        client.recv(4096)
                        return
            except OSError:
                sleep(0.1)
        self.stop()
        said = self.log.read_text(errors="replace")[-2000:]
        raise Unavailable(f"{self._process.args!r} did not come up:\n{said}")

    def stop(self) -> None:
        """
        Ask it to end, and make it end after a minute.
        """
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
