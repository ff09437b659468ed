"""
The test suite of RFC 7208, 203 cases.
"""

from ipaddress import ip_address

import yaml
from twisted.trial.unittest import SynchronousTestCase

from mailgate.authentication.spf import Peer, check_sender
from mailgate.wire.dns.answer import Trouble
from tests.authentication.given import address, value_of
from tests.authentication.suites import suite
from tests.net.zones import Zones

CASES = 203
TYPES = ("A", "AAAA", "MX", "PTR", "TXT")


def entry_of(written):
    """
    Give what a name has, as L{Zones} takes it: records of type SPF stand for TXT where there are
    none of that, and what is not named times out where something does.
    """
    entry = {}
    is_late = "TIMEOUT" in written
    records = [next(iter(each.items())) for each in written if each != "TIMEOUT"]
    has_text = any(type == "TXT" for type, _ in records)
    for type, value in records:
        if value == "NONE" or (type == "SPF" and has_text):
            continue
        type = "TXT" if type == "SPF" else type
        if value == "TIMEOUT":
            entry[type] = Trouble.TIMEOUT
        elif type == "CNAME":
            entry[type] = value
        else:
            entry.setdefault(type, []).append(READ.get(type, str)(value))
    if is_late:
        entry = {**dict.fromkeys(TYPES, Trouble.TIMEOUT), **entry}
    return entry


READ = {
    "MX": lambda value: (value[0], value[1] or "."),
    "TXT": lambda value: ("".join(value) if isinstance(value, list) else value).encode("latin-1"),
}


def zones_of(written):
    """
    Give the DNS of a scenario.
    """
    return Zones(
        {name.replace(" ", "\\032"): entry_of(records) for name, records in written.items()}
    )


class SuiteTests(SynchronousTestCase):
    """
    The suite as it is published.
    """

    def test_all(self):
        """
        All cases have the result they should, and the explanation where one is named.
        """
        wrong = []
        number = 0
        for scenario in yaml.safe_load_all(suite("spf/rfc7208-tests.yml")):
            zones = zones_of(scenario["zonedata"])
            for name, case in scenario["tests"].items():
                number += 1
                peer = Peer(ip_address(case["host"]), case["helo"])
                spf = value_of(check_sender(zones, peer, address(case["mailfrom"])))
                wanted = case["result"]
                if spf.result not in ([wanted] if isinstance(wanted, str) else wanted):
                    wrong.append((name, case["spec"], wanted, spf))
                explanation = case.get("explanation")
                if explanation is not None and spf.explanation != explanation.replace(
                    "DEFAULT", ""
                ):
                    wrong.append((name, case["spec"], explanation, spf))
        self.assertEqual(wrong, [])
        self.assertEqual(number, CASES)
