"""
The few system calls that a confined process may make, as a program for the kernel's seccomp.

Whoever has taken over a process can do to the machine what the kernel lets the process do. So
all that is not needed to compute, to read files, and to answer through a pipe that is open fails:
C{socket}, C{execve}, C{fork} and threads, C{kill}, C{ptrace}, C{unlink}, and whatever else there is
or will be.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from errno import EPERM
from fcntl import F_GETFD, F_GETFL, F_SETFD

from attrs import frozen

Instruction = tuple[int, int, int, int]
"""Of the kernel's packet filter: code, steps to jump if true, if false, and a constant."""

_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""The number in seccomp's data, and the column of the tables below."""

_NO = -1

_FREE: Mapping[str, tuple[int, int]] = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "stat": (4, _NO),
    "fstat": (5, 80),
    "lstat": (6, _NO),
    "lseek": (8, 62),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "pread64": (17, 67),
    "readv": (19, 65),
    "writev": (20, 66),
    "access": (21, _NO),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "dup": (32, 23),
    "getpid": (39, 172),
    "exit": (60, 93),
    "uname": (63, 160),
    "getcwd": (79, 17),
    "readlink": (89, _NO),
    "gettimeofday": (96, 169),
    "getrusage": (98, 165),
    "sysinfo": (99, 179),
    "getuid": (102, 174),
    "getgid": (104, 176),
    "geteuid": (107, 175),
    "getegid": (108, 177),
    "getppid": (110, 173),
    "sigaltstack": (131, 132),
    "gettid": (186, 178),
    "time": (201, _NO),
    "futex": (202, 98),
    "sched_getaffinity": (204, 123),
    "getdents64": (217, 61),
    "restart_syscall": (219, 128),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "exit_group": (231, 94),
    "newfstatat": (262, 79),
    "readlinkat": (267, 78),
    "faccessat": (269, 48),
    "getrandom": (318, 278),
    "statx": (332, 291),
    "faccessat2": (439, 439),
}
"""What may be called with whatever arguments."""

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_F_DUPFD_CLOEXEC = 1030

_ALLOW, _DENY, _KILL = 0x7FFF0000, 0x00050000 | EPERM, 0x80000000
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16


@frozen
class _Bound:
    """
    A call that may be made with some values of one argument only.
    """

    numbers: tuple[int, int]
    argument: int
    values: tuple[int, ...] = ()
    forbidden_bits: int = 0
    """In the place of C{values}: what must not be set."""

    def test(self) -> Iterator[Instruction]:
        yield _LOAD, 0, 0, _ARGUMENTS + 8 * self.argument
        if self.forbidden_bits:
            yield _ANY_BIT, 1, 0, self.forbidden_bits
            yield _RETURN, 0, 0, _ALLOW
        for value in self.values:
            yield _EQUAL, 0, 1, value
            yield _RETURN, 0, 0, _ALLOW
        yield _RETURN, 0, 0, _DENY


def _bound() -> Sequence[_Bound]:
    return (
        _Bound((2, _NO), 1, forbidden_bits=_WRITING),  # open
        _Bound((257, 56), 2, forbidden_bits=_WRITING),  # openat
        _Bound((72, 25), 1, (F_GETFD, F_SETFD, F_GETFL, _F_DUPFD_CLOEXEC)),  # fcntl
        _Bound((234, 131), 0, (os.getpid(),)),  # tgkill, by which abort() ends the process
    )


def program(machine: str) -> Sequence[Instruction] | None:
    """
    Give the program for a kind of machine, or C{None} where its calls are not known.

    What is not allowed fails with C{EPERM}; a call by the numbers of another kind of machine ends
    the process.
    """
    if machine not in _ARCHITECTURES:
        return None
    architecture, column = _ARCHITECTURES[machine]
    written: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    for bound in _bound():
        if bound.numbers[column] != _NO:
            test = list(bound.test())
            written += [(_EQUAL, 0, len(test), bound.numbers[column]), *test]
    free = [numbers[column] for numbers in _FREE.values() if numbers[column] != _NO]
    written += [(_EQUAL, len(free) - at, 0, number) for at, number in enumerate(free)]
    return [*written, (_RETURN, 0, 0, _DENY), (_RETURN, 0, 0, _ALLOW)]


class _Filter(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort),
        ("jt", ctypes.c_ubyte),
        ("jf", ctypes.c_ubyte),
        ("k", ctypes.c_uint),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.POINTER(_Filter)))


def allow_few(libc: ctypes.CDLL) -> bool:
    """
    Let this process make these calls only from now on; needs C{PR_SET_NO_NEW_PRIVS}.

    @return: whether the kernel has done so.
    """
    written = program(platform.machine())
    if written is None:
        return False
    filters = (_Filter * len(written))(*(_Filter(*each) for each in written))
    loaded = _Program(len(written), filters)
    set_seccomp, filter_mode = 22, 2
    return bool(libc.prctl(set_seccomp, filter_mode, ctypes.byref(loaded), 0, 0) == 0)
