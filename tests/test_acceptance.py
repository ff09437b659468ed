"""
Every fault that the gateway as a whole must withstand has tests of its name, wherever they are.
"""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

FAULTS = (*range(4, 11), *range(13, 19))
LISTS = (
    "breaker",
    "cached",
    "codes",
    "enforce",
    "hijack",
    "nibbles",
    "own_refusal",
    "private",
    "refusal",
    "self_test",
    "self_test_domains",
    "self_test_fails",
    "self_test_ipv6",
    "self_test_real",
    "switched_off_for_all",
)
"""The rules for lists in the DNS."""

TLS = (
    "change_cipher_spec",
    "early_data",
    "fuzzed_hello",
    "half_open",
    "huge_hello",
    "long_chain",
    "names",
    "renegotiation",
    "tiny_records",
)
"""What A32 consists of."""


def named(pattern):
    """
    Give what is found in the names of all tests.
    """
    found = set()
    for path in Path(__file__).parent.rglob("test_*.py"):
        found |= set(re.findall(rf"def test_{pattern}", path.read_text("utf-8")))
    return found


def named_in(text):
    """
    Give the names of the tests in a file.
    """
    return re.findall(r"def test_([a-z0-9_]+)", text)


class AcceptanceTests(SynchronousTestCase):
    """
    Tests of what is tested.
    """

    def test_faults(self):
        """
        A full disk (F4), upstreams that fail (F5 to F9), a DNS that fails or lies (F10), a clock
        that jumps (F13), a reload (F14), the end under load (F15), no descriptors or processes
        (F16), many connections (F17) and a log that takes nothing (F18).
        """
        found = {int(row) for row in named(r"f([0-9]+)(?:_|\()")}
        self.assertEqual([row for row in FAULTS if row not in found], [])

    def test_lists(self):
        """
        All that is asked of lists in the DNS.
        """
        found = named(r"lists_([a-z_0-9]+)\(")
        self.assertEqual([each for each in LISTS if each not in found], [])

    def test_authentication(self):
        """
        Forged results (A16), results that are injected (A17), a From that can be read in several
        ways (A18), signatures that must not count (A19), records of SPF without end (A20): each
        against the running gateway.
        """
        text = (Path(__file__).parent / "end_to_end" / "test_authentication.py").read_text("utf-8")
        found = {int(row) for row in re.findall(r"a([0-9]{2})_", " ".join(named_in(text)))}
        self.assertEqual([row for row in range(16, 21) if row not in found], [])

    def test_tls(self):
        """
        All that hostile clients do with TLS (A32).
        """
        found = named(r"a32_([a-z_]+)\(")
        self.assertEqual([each for each in TLS if each not in found], [])
