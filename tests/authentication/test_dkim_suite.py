"""
The public cases of DKIM, eleven of them.
"""

import json
import re

from twisted.trial.unittest import SynchronousTestCase

from mailgate.authentication.dkim import Verification
from mailgate.wire.dns.answer import Trouble
from tests.authentication.given import value_of
from tests.authentication.signing import hashes_of
from tests.authentication.suites import FOLDER, suite
from tests.net.zones import Zones

CASES = 11
STATES = {"SUCCESS": True, "PERMFAIL": False, "TEMPFAIL": False}


def zones_of(text):
    """
    Give the DNS of a case: names and their TXT records, with lines that go on after a backslash.
    """
    table = {}
    for line in text.replace("\\\n", "").splitlines():
        name, colon, value = line.partition(":")
        value = value.strip()
        if not colon:
            continue
        if value == "TEMPERROR":
            table[name] = Trouble.SERVFAIL
        elif value != "PERMERROR":
            table.setdefault(name, {"TXT": []})["TXT"].append(value)
    return Zones(table)


class SuiteTests(SynchronousTestCase):
    """
    The cases as they are published.
    """

    def test_all(self):
        """
        Each signature has the state it should; one over a part of the body is right, though it does
        not count here.
        """
        suite("dkim/01-rfc8463.msg")
        messages = sorted((FOLDER / "dkim").glob("*.msg"))
        self.assertEqual(len(messages), CASES)
        for path in messages:
            message = path.read_bytes().replace(b"\n", b"\r\n")
            section, end, body = message.partition(b"\r\n\r\n")
            dns = path.with_suffix(".dns")
            zones = zones_of(dns.read_text() if dns.exists() else "")
            verification = Verification(section + end)
            hashes = hashes_of(verification, body)
            found = value_of(verification.results(zones, 1_700_000_000, hashes))
            expected = path.with_suffix(".result")
            if not expected.exists():
                self.assertEqual(found, (), path.name)
                continue
            wanted = json.loads(expected.read_text())
            self.assertEqual(
                [each.is_verified for each in found],
                [STATES[each["State"]] for each in wanted["Results"]],
                (path.name, found),
            )
            for dkim, each in zip(found, wanted["Results"], strict=True):
                if each["State"] == "TEMPFAIL":
                    self.assertEqual(dkim.result, "temperror")
                part = re.search(r"\bl=", each["SignatureHeader"])
                self.assertEqual(dkim.result == "policy", bool(part), dkim)
