"""
The public cases of ARC: 171 of validating, 17 of sealing.
"""

import yaml
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from twisted.trial.unittest import SynchronousTestCase

from mailgate.authentication.arc import ChainVerification, read_chain
from mailgate.authentication.canonical import BodyHasher, Form, fields_of
from mailgate.authentication.results import AuthenticationResults
from tests.authentication.given import value_of
from tests.authentication.sealing import Sealer, newest_of, seal, seal_set
from tests.authentication.suites import suite
from tests.net.zones import Zones

VALIDATIONS = 171
SEALINGS = 17
FAILED = {"cv_fail_i1_as_cv_fail", "cv_fail_i2_as2_fail", "cv_fail_i2_as1_fail"}
"""Cases without a result: the newest seal, or an older one, says C{cv=fail} (sections 4.4, 5.2)."""


def scenarios(name):
    """
    Give the documents of a file.
    """
    return list(yaml.safe_load_all(suite(f"arc/arc-draft-{name}-tests.yml")))


def zones_of(scenario):
    """
    Give the DNS of a document; line ends in a record stand for nothing.
    """
    records = scenario.get("txt-records") or {}
    return Zones({name: {"TXT": [text.replace("\n", "")]} for name, text in records.items()})


def parts_of(message):
    """
    Give header section and body as they are on the wire.
    """
    data = message.encode().replace(b"\n", b"\r\n")
    if data.startswith(b"\r\n"):
        return b"\r\n", data[2:]
    section, end, body = data.partition(b"\r\n\r\n")
    return section + end, body


def chain_of(message, zones):
    """
    Give what ARC says of a message of the suite.
    """
    section, body = parts_of(message)
    verification = ChainVerification(section)
    hasher = BodyHasher(verification.forms)
    hasher.update(body)
    return value_of(verification.result(zones, 1_700_000_000, hasher.finish()))


class ValidationTests(SynchronousTestCase):
    """
    The cases of validating as they are published.
    """

    def test_all(self):
        """
        Each chain has the state it should.
        """
        ran = 0
        for scenario in scenarios("validation"):
            zones = zones_of(scenario)
            for name, case in scenario["tests"].items():
                arc = chain_of(case["message"], zones)
                expected = str(case["cv"] or ("fail" if name in FAILED else "")).lower()
                self.assertEqual(arc.result, expected, (name, arc))
                ran += 1
        self.assertEqual(ran, VALIDATIONS)


class SealingTests(SynchronousTestCase):
    """
    The cases of sealing as they are published.
    """

    def test_all(self):
        """
        Each set is the expected one, with the signature of the message; where the chain had failed
        before there is none.

        The signatures of the new seals are not those that are published, which are not understood:
        another program does not make them from these messages either. The seals that the messages
        bring along are right, and the same bytes are made here.
        """
        ran = 0
        made, brought = {}, {}
        for scenario in scenarios("sign"):
            key = load_pem_private_key(scenario["privatekey"].encode(), None)
            sealer = Sealer(scenario["domain"], scenario["sel"], key)
            zones = zones_of(scenario)
            for name, case in scenario["tests"].items():
                arc = chain_of(case["message"], zones)
                for field in fields_of(parts_of(case["message"])[0]):
                    if field.name == b"arc-seal" and arc.result == "pass":
                        tags = tags_of(field.value.decode())
                        brought[tags["i"]] = tags["b"]
                expected = [tags_of(case[each]) for each in ("AS", "AMS")]
                found = sealed(case, arc, sealer)
                value = found[0].pop("b", None)
                expected[0].pop("b", None)
                self.assertEqual(found, (*expected, plain(case["AAR"])), name)
                if value and found[0]["cv"] != "fail":
                    self.assertEqual(made.setdefault(found[0]["i"], value), value)
                ran += 1
        self.assertEqual(ran, SEALINGS)
        self.assertEqual(set(brought), {"1", "2"})
        self.assertEqual({each: made[each] for each in brought}, brought)


def sealed(case, arc, sealer):
    """
    Give the tags of seal and signature, and the results, that are made for a case.
    """
    section, body = parts_of(case["message"])
    fields = fields_of(section)
    newest, has_failed = newest_of(fields)
    if has_failed:
        self_made = seal(section, bytes(32), arc, AuthenticationResults("a"), sealer, 0)
        return tags_of(self_made.decode()), {}, ""
    hasher = BodyHasher([Form(True)])
    hasher.update(body)
    said = [plain(each.value.decode()) for each in fields if each.name == b"authentication-results"]
    own = f"{case['srv-id']};"
    words = "; ".join(each.removeprefix(own).strip(" ;") for each in said if each.startswith(own))
    made = seal_set(
        fields,
        read_chain(fields) if arc.result == "pass" else (),
        newest + 1,
        hasher.finish()[Form(True)].digest,
        arc.result,
        f"ARC-Authentication-Results: i={newest + 1}; {own} {words}".encode(),
        case["sig-headers"].encode().split(b":"),
        sealer,
        int(case["t"]),
    )
    values = [each.value.decode() for each in fields_of(made)]
    return tags_of(values[0]), tags_of(values[1]), plain(values[2])


def plain(text):
    """
    Give a text with one space for white space.
    """
    return " ".join(text.split())


def tags_of(text):
    """
    Give the tags of a field, without white space in them.
    """
    pairs = (each.partition("=") for each in text.split(";") if each.strip())
    return {name.strip(): "".join(value.split()) for name, _, value in pairs}
