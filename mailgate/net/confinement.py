"""
What a process takes from itself before it reads what a stranger has made.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress

from attrs import frozen

from mailgate.interfaces import Protection
from mailgate.net.system_calls import allow_few

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_CLONE_NEWIPC, _CLONE_NEWUTS = 0x08000000, 0x04000000
_SET_PDEATHSIG, _SET_DUMPABLE, _SET_NO_NEW_PRIVS = 1, 4, 38
_CAPABILITY_VERSION = 0x20080522
_AMBIENT, _CLEAR_ALL = 47, 4

_FILES = 32
"""Open files: what Python reads later, the encodings of text above all."""

_MAPPED = 4 * 1024**3
"""Bytes of address space beside the memory, for files that are mapped to be read."""


@frozen
class Limits:
    """
    What a confined process may use.
    """

    memory_bytes: int = 1024 * 1024 * 1024
    cpu_seconds: int = 30
    """For each job; the process has twice as much, and ends once it has used half of that."""


def confine(
    limits: Limits, wanted: Collection[Protection] = tuple(Protection)
) -> frozenset[Protection]:
    """
    Take from this process all it does not need to compute, to read files and to answer. It must
    have one thread only. There is no way back.

    Whoever confines itself dies with its parent, counts less than other processes, and is in no
    folder of ours.

    @param wanted: which protections; tests try them one by one.
    @return: those that are active now. What the kernel does not allow here is left out.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    os.chdir("/")
    # It is manners and no protection: where a filter forbids it (systemd's @resources), do without.
    with suppress(PermissionError):
        os.nice(10)
    active = set()
    # In the order of the enumeration: what takes away system calls is the last.
    for protection in Protection:
        if protection in wanted and _PROTECT[protection](libc, limits):
            active.add(protection)
    return frozenset(active)


def bequeath_nothing() -> None:
    """
    Keep the rights of this process from the programs that it starts: those that it was given to
    hand on, as systemd gives them (ambient capabilities). It has them still.
    """
    # A kernel without them (before 4.3) has none to take away.
    ctypes.CDLL(None).prctl(_AMBIENT, _CLEAR_ALL, 0, 0, 0)


def _limit(libc: ctypes.CDLL, limits: Limits) -> bool:
    wanted = {
        resource.RLIMIT_DATA: limits.memory_bytes,
        resource.RLIMIT_AS: limits.memory_bytes + _MAPPED,
        resource.RLIMIT_CPU: 2 * limits.cpu_seconds,
        resource.RLIMIT_NOFILE: _FILES,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
    }
    for what, value in wanted.items():
        hard = resource.getrlimit(what)[1]
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        resource.setrlimit(what, (value, value))
    return True


def _leave_network(libc: ctypes.CDLL, limits: Limits) -> bool:
    """
    Move into a network of its own, in which there is nobody.
    """
    apart = _CLONE_NEWNET | _CLONE_NEWIPC | _CLONE_NEWUTS
    # Root may do it without a user namespace, where these are forbidden.
    return any(libc.unshare(flags) == 0 for flags in (_CLONE_NEWUSER | apart, apart))


def _drop_capabilities(libc: ctypes.CDLL, limits: Limits) -> bool:
    """
    Give up the rights of root, those within its own namespaces too.
    """
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    none = (ctypes.c_uint32 * 6)()
    if libc.capset(header, none) == 0:
        return True
    # Where a filter forbids it (systemd's @privileged), there may be none to give up.
    own = (ctypes.c_uint32 * 6)()
    return bool(libc.capget(header, own) == 0) and not any(own)


def _keep_privileges(libc: ctypes.CDLL, limits: Limits) -> bool:
    """
    Gain no privileges by running a program, be read by no other process, die with the parent.
    """
    # Not before the namespaces: whoever enters one loses the last two of these.
    return all(
        libc.prctl(option, value, 0, 0, 0) == 0
        for option, value in (
            (_SET_NO_NEW_PRIVS, 1),
            (_SET_DUMPABLE, 0),
            (_SET_PDEATHSIG, signal.SIGKILL),
        )
    )


def _few_calls(libc: ctypes.CDLL, limits: Limits) -> bool:
    return allow_few(libc)


_PROTECT: Mapping[Protection, Callable[[ctypes.CDLL, Limits], bool]] = {
    Protection.LIMITS: _limit,
    Protection.NETWORK: _leave_network,
    Protection.CAPABILITIES: _drop_capabilities,
    Protection.PRIVILEGES: _keep_privileges,
    Protection.CALLS: _few_calls,
}
