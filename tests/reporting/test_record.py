"""
Tests of L{mailgate.reporting.record}.
"""

import json

from attrs import evolve
from hypothesis import given
from hypothesis.strategies import text
from twisted.trial.unittest import SynchronousTestCase

from mailgate.finding import Finding
from mailgate.reporting.record import TEXT_LIMIT, from_json, to_json
from tests.reporting.records import RECORD, REFUSED
from tests.storage import NOW


class RecordTests(SynchronousTestCase):
    """
    Tests of L{to_json} and L{from_json}.
    """

    def test_all(self):
        """
        All that is known of a transaction is in it.
        """
        read = from_json(to_json(RECORD))
        self.assertEqual(
            read,
            {
                "time": "2027-01-15T08:00:00.250Z",
                "trace": "trac-trac-trac",
                "session": "sess-sess-sess",
                "listener": "mx",
                "client": "192.0.2.7",
                "port": 40001,
                "helo": "client.example.org",
                "protocol": "ESMTPS",
                "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384",
                "account": "",
                "sender": "sender@example.org",
                "size": 4096,
                "message_id": "<1@e>",
                "subject": "Hello",
                "reply": "250 2.0.0 done",
                "copies": [
                    {
                        "recipient": "ada@example.com",
                        "outcome": "delivered",
                        "reply": "250 2.0.0 taken",
                        "reference": "inbox",
                    },
                    {
                        "recipient": "bob@example.com",
                        "outcome": "held",
                        "reply": "",
                        "reference": "held-held-held",
                    },
                ],
                "verdicts": [
                    {
                        "action": "accept",
                        "would": None,
                        "kind": None,
                        "total": 1.0,
                        "reply": None,
                        "recipients": ["ada@Example.com"],
                        "findings": [
                            {
                                "symbol": "SEEN",
                                "score": 1.0,
                                "detail": "Something was seen.",
                                "check": "",
                            }
                        ],
                    },
                    {
                        "action": "quarantine",
                        "would": "reject",
                        "kind": "phishing",
                        "total": 9.0,
                        "reply": None,
                        "recipients": ["bob@example.com"],
                        "findings": [
                            {
                                "symbol": "SEEN",
                                "score": 9.0,
                                "detail": "More was seen.",
                                "check": "helo",
                            }
                        ],
                    },
                ],
                "started": NOW + 0.25,
                "seconds": 0.123457,
                "durations": {"checks": 0.001235, "delivery": 0.1},
                "notes": ["duplicate possible"],
            },
        )

    def test_authentication(self):
        """
        Who was authenticated, and what stands in Authentication-Results, is in the line, unfolded;
        where there is nothing of it, it is left out.
        """
        finding = Finding(
            "A", 0.0, "A.", authentication="\tdkim=pass\r\n\theader.s=x", names=("a.b",)
        )
        verdict = evolve(RECORD.verdicts[0], findings=(finding, Finding("B", 0.0, "B.")))
        record = from_json(to_json(evolve(RECORD, verdicts=(verdict,))))
        first, second = record["verdicts"][0]["findings"]
        self.assertEqual(
            (first["authentication"], first["names"]), ("dkim=pass header.s=x", ["a.b"])
        )
        self.assertEqual(set(second), {"symbol", "score", "detail", "check"})

    def test_session(self):
        """
        A session that was refused before MAIL has neither sender nor size.
        """
        read = from_json(to_json(REFUSED))
        self.assertEqual(
            (read["trace"], read["sender"], read["size"], read["verdicts"][0]["reply"]),
            (read["session"], None, None, "554 5.7.1 not here"),
        )

    @given(text())
    def test_a27_one_line(self, words):
        """
        Whatever a stranger says, the record is one line of ASCII, and says it again.
        """
        session = evolve(RECORD.session, helo=words)
        line = to_json(evolve(RECORD, session=session, subject=words, notes=(words,)))
        self.assertTrue(line.isascii() and line.isprintable())
        read = json.loads(line)
        self.assertEqual((read["helo"], read["subject"], read["notes"]), (words, words, [words]))

    def test_a27_control_characters(self):
        """
        Line ends, escape sequences, NUL and lone surrogates are escaped.
        """
        words = 'a\r\nb\x1b[31m"\\%s\0\udcff\u2028'
        line = to_json(evolve(RECORD, message_id=words))
        self.assertTrue(line.isascii() and line.isprintable())
        self.assertEqual(json.loads(line)["message_id"], words)

    def test_a27_cut(self):
        """
        A megabyte is cut.
        """
        session = evolve(RECORD.session, helo="x" * 1_000_000)
        line = to_json(evolve(RECORD, session=session))
        self.assertEqual(from_json(line)["helo"], "x" * TEXT_LIMIT + "\N{HORIZONTAL ELLIPSIS}")
