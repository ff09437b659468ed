"""
Tests of L{mailgate.net.system_calls}, and of what the other protections do beside it.
"""

import os
import subprocess
import sys
from errno import EPERM

from twisted.trial.unittest import SynchronousTestCase

from mailgate.interfaces import Protection
from mailgate.net.system_calls import program

X86, ARM = 0xC000003E, 0xC00000B7
ALLOWED, DENIED, KILLED = 0x7FFF0000, 0x00050000 | EPERM, 0x80000000


def answer(machine, architecture, number, *arguments):
    """
    Do as the kernel does: run the program for a call, and give what it returns.
    """
    words = {0: number, 4: architecture}
    words.update({16 + 8 * at: value for at, value in enumerate(arguments)})
    written = program(machine)
    at = held = 0
    while True:
        code, if_true, if_false, constant = written[at]
        at += 1
        if code == 0x06:
            return constant
        if code == 0x20:
            held = words[constant]
        elif code == 0x15:
            at += if_true if held == constant else if_false
        elif code == 0x45:
            at += if_true if held & constant else if_false
        else:
            raise AssertionError(f"no instruction of this program: {code}")


def on_x86(number, *arguments):
    """
    Give the answer to a call of x86-64.
    """
    return answer("x86_64", X86, number, *arguments)


def on_arm(number, *arguments):
    """
    Give the answer to a call of 64-bit ARM.
    """
    return answer("aarch64", ARM, number, *arguments)


class ProgramTests(SynchronousTestCase):
    """
    Tests of L{program}.
    """

    def test_computing(self):
        """
        What a process needs to compute and to answer is allowed: read, write, mmap, futex,
        exit_group.
        """
        for number in (0, 1, 9, 202, 231):
            self.assertEqual(on_x86(number), ALLOWED, number)
        for number in (63, 64, 222, 98, 94):
            self.assertEqual(on_arm(number), ALLOWED, number)

    def test_all_else(self):
        """
        All else fails: socket, connect, clone, fork, execve, kill, ptrace, unlink, prctl, prlimit64
        and numbers that nobody knows.
        """
        for number in (41, 42, 56, 57, 59, 62, 101, 87, 157, 302, 425, 435, 9999, 0x40000001):
            self.assertEqual(on_x86(number, 0), DENIED, number)
        for number in (198, 203, 220, 221, 129, 117, 35, 167, 261, 425, 435, 9999):
            self.assertEqual(on_arm(number, 0), DENIED, number)

    def test_opening(self):
        """
        A file can be opened to be read, and in no other way.
        """
        reading = os.O_RDONLY | os.O_CLOEXEC
        openers = (
            lambda flags: on_x86(2, 0, flags),
            lambda flags: on_x86(257, 0, 0, flags),
            lambda flags: on_arm(56, 0, 0, flags),
        )
        for opened in openers:
            self.assertEqual(opened(reading), ALLOWED)
            for writing in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC):
                self.assertEqual(opened(reading | writing), DENIED, writing)

    def test_signals(self):
        """
        A process can send signals to itself alone.
        """
        for here, number in ((on_x86, 234), (on_arm, 131)):
            self.assertEqual(here(number, os.getpid()), ALLOWED)
            self.assertEqual(here(number, os.getppid()), DENIED)

    def test_descriptors(self):
        """
        A descriptor can be copied and asked for its flags; nobody can have signals sent by it.
        """
        for command, expected in ((1, ALLOWED), (2, ALLOWED), (3, ALLOWED), (1030, ALLOWED)):
            self.assertEqual(on_x86(72, 0, command), expected)
            self.assertEqual(on_arm(25, 0, command), expected)
        for command in (0, 4, 8, 10, 15):
            self.assertEqual(on_x86(72, 0, command), DENIED, command)
            self.assertEqual(on_arm(25, 0, command), DENIED, command)

    def test_other_numbers(self):
        """
        A call by the numbers of another kind of machine, under which it would be another one, ends
        the process.
        """
        self.assertEqual(answer("x86_64", 0x40000003, 0), KILLED)
        self.assertEqual(answer("aarch64", X86, 63), KILLED)

    def test_other_machine(self):
        """
        For a machine whose numbers are not known there is no program.
        """
        self.assertIs(program("riscv64"), None)


class MannersTests(SynchronousTestCase):
    """
    Tests of L{mailgate.net.confinement.confine} where the service manager has a filter of its own.
    """

    def test_no_priority(self):
        """
        A process that may not count less than others is confined all the same.
        """
        program = (
            "import os\n"
            "def nice(number): raise PermissionError(1, 'Operation not permitted')\n"
            "os.nice = nice\n"
            "from mailgate.net.confinement import Limits, confine\n"
            "print(*confine(Limits()))\n"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn(Protection.LIMITS, done.stdout.split())
        self.assertIn(Protection.PRIVILEGES, done.stdout.split())
