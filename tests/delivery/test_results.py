"""
Tests for L{mailgate.delivery.results}: who is told what became of a message.
"""

import errno
from collections import Counter
from email import message_from_bytes

from attrs import evolve
from twisted.internet.defer import fail

from mailgate.delivery.results import LATE_PER_HOUR
from mailgate.interfaces import Capabilities, Outgoing
from mailgate.message.writing import NOTICE, REPORT
from mailgate.reply import Reply
from mailgate.store.database import StoreError
from mailgate.store.threads import immediate_result
from mailgate.verdict import Action, Kind
from mailgate.wire.address import NULL_SENDER, Address
from mailgate.wire.parameters import RcptParameters
from tests.delivery.test_outbox import LATER, NEVER, TAKEN, OutboxCase, ScriptedDelivery
from tests.pipeline.events import events
from tests.storage import ADA, BOB, ENVELOPE, NOW, SESSION, hold, message

EVE = Address("eve", "elsewhere.example")
FAY = Address("fay", "elsewhere.example")
OURS = evolve(
    ENVELOPE,
    session=evolve(SESSION, role="submission", account="ada"),
    sender=ADA,
)


def read_now(chunk):
    """
    Give a chunk of a message, which is there already.
    """
    return chunk if isinstance(chunk, bytes) else immediate_result(chunk)


class ResultsCase(OutboxCase):
    """
    Has an outbox with a smarthost, from which mail goes elsewhere.
    """

    def setUp(self):
        """
        Make the smarthost.
        """
        super().setUp()
        self.smarthost = ScriptedDelivery("smarthost")
        self.routes["*"] = self.smarthost
        self.start()

    def send(self, *recipients, envelope=OURS, notify="", text=None, **wish):
        """
        Queue mail of ours.
        """
        people = recipients or (EVE,)
        if notify or wish:
            said = RcptParameters(notify, **wish)
            envelope = evolve(envelope, wishes={who.owner: said for who in people})
        copies = [Outgoing(who, Action.ACCEPT, 0.0) for who in people]
        kept = message() if text is None else message(text)
        self.successResultOf(self.outbox.enqueue(envelope, kept, copies))

    def told(self):
        """
        Read what is on its way to people of ours, oldest first, and let it arrive.
        """
        found = []
        while self.upstream.asked:
            asked = self.upstream.asked[0]
            chunks = b"".join(read_now(chunk) for chunk in asked.message.chunks())
            found.append((asked.envelope, asked.recipients, message_from_bytes(chunks)))
            self.upstream.answer(TAKEN)
        return found

    def wait(self, hours):
        """
        Let time pass, in which every try fails; give the reports that come.
        """
        found = []
        for _ in range(int(hours * 60)):
            self.clock.advance(60)
            while self.smarthost.asked:
                self.smarthost.answer(LATER)
            found += self.told()
        return found

    def report(self):
        """
        Read the one report that is on its way.
        """
        ((envelope, recipients, report),) = self.told()
        self.assertTrue(envelope.sender.is_null)
        self.assertEqual(envelope.session.role, REPORT)
        self.assertEqual(report.get_content_type(), "multipart/report")
        return recipients, report


def actions(report):
    """
    Give what a report says of whom.
    """
    groups = report.get_payload(1).get_payload()[1:]
    return [(group["Final-Recipient"], group["Action"]) for group in groups]


class FailureTests(ResultsCase):
    """
    Tests of final failures.
    """

    def test_told_to_the_sender(self):
        """
        Mail of ours that is refused for good makes a report to its sender, in one commit with its
        end in the outbox; it is not held, and an event and its history say so.
        """
        self.send()
        self.journal.clear()
        with events() as said:
            self.smarthost.answer(NEVER)
        self.assertEqual(self.journal.names().count("commit"), 2)  # and the begin of its delivery
        recipients, report = self.report()
        self.assertEqual(recipients, [ADA])
        self.assertEqual(actions(report), [("rfc822; eve@elsewhere.example", "failed")])
        self.assertEqual((self.rows(), self.held(), self.files()), ([], [], []))
        self.assertEqual([event["event"] for event in said], ["outbox.returned"])
        self.assertEqual(said[0]["to"], "ada@Example.com")
        self.assertEqual(
            [name for name, _ in self.past()], ["outbox.failed", "outbox.told", "outbox.delivered"]
        )

    def test_together(self):
        """
        Recipients that fail together share one report; those that do not have no part in it.
        """
        self.send(EVE, FAY, Address("gus", "elsewhere.example"))
        self.smarthost.answer([NEVER, LATER, Reply(552, "5.2.2", "full")])
        _, report = self.report()
        self.assertEqual(
            [who.split("@")[0] for who, _ in actions(report)], ["rfc822; eve", "rfc822; gus"]
        )
        self.assertEqual([row.recipient for row in self.rows()], [FAY])

    def test_given_up(self):
        """
        After five days of 4xx the report comes.
        """
        self.send()
        reports = []
        for _ in range(5 * 24 * 6 + 2):
            if self.smarthost.asked:
                self.smarthost.answer(LATER)
            reports += [report for _, _, report in self.told()]
            self.clock.advance(600)
        self.assertEqual([actions(each)[0][1] for each in reports], ["delayed", "failed"])
        self.assertEqual((self.rows(), self.held()), ([], []))

    def test_never_for_others(self):
        """
        Mail that came from elsewhere never makes a report, whatever it asks for: it is held.
        """
        for role in ("mx", "lmtp"):
            session = evolve(SESSION, role=role)
            self.send(envelope=evolve(ENVELOPE, session=session), notify="SUCCESS,FAILURE,DELAY")
            self.smarthost.answer(NEVER)
            self.send(envelope=evolve(ENVELOPE, session=session), notify="SUCCESS")
            self.smarthost.answer(TAKEN)
        self.assertEqual(self.told(), [])
        self.assertEqual([held.kind for held in self.held()], [Kind.UNDELIVERABLE] * 2)

    def test_null_sender(self):
        """
        What was sent from the null sender makes no report: it is held.
        """
        self.send(envelope=evolve(OURS, sender=NULL_SENDER))
        self.smarthost.answer(NEVER)
        self.assertEqual(self.told(), [])
        self.assertEqual(len(self.held()), 1)

    def test_not_wanted(self):
        """
        Who wants no report gets none, and the copy is held.
        """
        for notify in ("NEVER", "SUCCESS", "DELAY"):
            self.send(notify=notify)
            self.smarthost.answer(NEVER)
        self.assertEqual(self.told(), [])
        self.assertEqual(len(self.held()), 3)

    def test_report_fails(self):
        """
        A report that cannot be delivered makes no other: it is held for the postmaster.
        """
        self.send()
        self.smarthost.answer(NEVER)
        self.upstream.answer(NEVER)
        self.assertEqual((self.rows(), self.told()), ([], []))
        (held,) = self.held()
        self.assertEqual((held.kind, held.recipient), (Kind.UNDELIVERABLE, ADA))
        self.assertEqual(held.message.role, REPORT)

    def test_notice_fails(self):
        """
        A notice that cannot be delivered leaves nothing but an event.
        """
        session = evolve(SESSION, role=NOTICE)
        self.send(envelope=evolve(ENVELOPE, session=session, sender=NULL_SENDER))
        with events() as said:
            self.smarthost.answer(NEVER)
        self.assertEqual([event["event"] for event in said], ["notice.failed"])
        self.assertEqual((self.rows(), self.held(), self.files()), ([], [], []))

    def test_return_full(self):
        """
        The whole message comes back where that was asked for and it is not too large, else its
        header section.
        """
        for ret, size, kind in (
            ("FULL", 100, "message/rfc822"),
            ("FULL", 1024 * 1024, "text/rfc822-headers"),
            ("HDRS", 100, "text/rfc822-headers"),
            ("", 100, "text/rfc822-headers"),
        ):
            text = b"Subject: Lunch\r\n\r\n" + b"x\r\n" * (size // 3)
            self.send(envelope=evolve(OURS, ret=ret), text=text)
            self.smarthost.answer(NEVER)
            _, report = self.report()
            self.assertEqual(report.get_payload(2).get_content_type(), kind, (ret, size))

    def test_return_8bit(self):
        """
        A message with 8-bit text comes back whole only where the way takes it.
        """
        text = "Subject: Lunch\r\n\r\nKäse\r\n".encode()
        for extensions, kind in (((), "text/rfc822-headers"), (("8BITMIME",), "message/rfc822")):
            self.upstream.capabilities = Capabilities(frozenset(extensions))
            self.send(envelope=evolve(OURS, ret="FULL"), text=text)
            self.smarthost.answer(NEVER)
            ((envelope, _, report),) = self.told()
            self.assertEqual(report.get_payload(2).get_content_type(), kind)
            self.assertEqual(envelope.body, "8BITMIME" if extensions else "7BIT")

    def test_file_gone(self):
        """
        A message that can be read no more is told of without its header section.
        """
        self.send()
        for file in self.files():
            file.unlink()
        self.smarthost.answer(NEVER)
        _, report = self.report()
        self.assertEqual(report.get_payload(2).get_payload().strip(), "")
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_f4(self):
        """
        Where the report cannot be stored, the copy stays as it is until it can, and there is one
        report then.
        """
        self.send()
        database = self.storage.database
        write = database.write
        database.write = lambda function: fail(StoreError(errno.ENOSPC, "full"))
        self.smarthost.answer(NEVER)
        self.assertEqual(len(self.rows()), 1)
        self.clock.advance(60)
        database.write = write
        self.clock.advance(60)
        self.report()
        self.assertEqual((self.rows(), self.files()), ([], []))
        self.flushLoggedErrors(StoreError)

    def test_released(self):
        """
        A held message of ours that was released and refused is told to its sender.
        """
        (identity,) = self.successResultOf(
            self.quarantine.hold(OURS, message(), (hold(EVE),), False)
        )
        self.successResultOf(self.quarantine.release(identity, "Bob"))
        self.smarthost.answer(NEVER)
        self.assertEqual(self.report()[0], [ADA])


class ReturnAddressTests(ResultsCase):
    """
    Tests of who is told.
    """

    def to_whom(self, sender, account="", role="submission"):
        """
        Let mail fail, and give who is told.
        """
        session = evolve(SESSION, role=role, account=account)
        self.send(envelope=evolve(OURS, session=session, sender=sender))
        self.smarthost.answer(NEVER)
        (row,) = self.rows()
        way = self.upstream if row.recipient.host == "example.com" else self.smarthost
        way.answer(TAKEN)
        return str(row.recipient)

    def test_own_address(self):
        """
        Who has logged in and sends as itself is told at the address that it has given.
        """
        plus = Address("ada+invoice=7", "example.com")
        for sender, account in (
            (ADA, "ada@example.com"),
            (ADA, "ADA@EXAMPLE.COM"),
            (plus, "ada@example.com"),
        ):
            self.assertEqual(self.to_whom(sender, account), str(sender))

    def test_as_somebody_else(self):
        """
        An account that sends as somebody else is told itself, be that a colleague or a stranger:
        neither has sent anything.
        """
        for sender in (BOB, FAY, Address("adam", "example.com"), Address("ada", "example.org")):
            self.assertEqual(self.to_whom(sender, "ada@example.com"), "ada@example.com")
            self.assertEqual(self.to_whom(sender, "x@elsewhere.example"), "x@elsewhere.example")

    def test_name_without_a_domain(self):
        """
        An account whose name is no address has the one that a mail server gives it; in a file it
        has none, and there is nobody to be told but the sender that it may use.
        """
        for name in ("ada", "ada@@example.com", "", "ada lovelace@example.com"):
            self.assertEqual(self.to_whom(FAY, name), str(FAY), name)
        known = self.sending(suffix="@example.com")
        self.successResultOf(self.outbox.take_up(self.settings, known, self.outbox.rewriter))
        self.assertEqual(self.to_whom(FAY, "ada"), "ada@example.com")

    def test_machines(self):
        """
        Machines do not log in: of theirs the envelope sender is told.
        """
        for sender in (BOB, FAY):
            self.assertEqual(self.to_whom(sender, "", "internal"), str(sender))


class SuccessTests(ResultsCase):
    """
    Tests of what was delivered.
    """

    def test_relayed(self):
        """
        Who wants to know of success is told that the message was handed on, where the upstream
        cannot tell more.
        """
        self.send(notify="SUCCESS")
        self.smarthost.answer(TAKEN)
        _, report = self.report()
        self.assertEqual(actions(report), [("rfc822; eve@elsewhere.example", "relayed")])

    def test_upstream_tells(self):
        """
        An upstream with DSN tells it itself.
        """
        self.smarthost.capabilities = Capabilities(frozenset(("DSN",)))
        self.send(notify="SUCCESS")
        self.smarthost.answer(TAKEN)
        self.assertEqual(self.told(), [])

    def test_mailbox(self):
        """
        What was put into a mailbox was delivered.
        """
        self.routes["*"] = mailbox = ScriptedDelivery("mailbox")
        self.send(notify="SUCCESS,FAILURE")
        mailbox.answer(TAKEN)
        _, report = self.report()
        self.assertEqual(actions(report), [("rfc822; eve@elsewhere.example", "delivered")])

    def test_not_asked_for(self):
        """
        Who has not asked is not told.
        """
        for notify in ("", "FAILURE,DELAY", "NEVER"):
            self.send(notify=notify)
            self.smarthost.answer(TAKEN)
        self.assertEqual(self.told(), [])


class DelayTests(ResultsCase):
    """
    Tests of what is late.
    """

    def test_once(self):
        """
        After four hours the sender is told once; a restart does not change that.
        """
        self.send(EVE, FAY)
        self.smarthost.answer(LATER)
        self.assertEqual(self.wait(3.9), [])
        ((_, recipients, report),) = self.wait(0.3)
        self.assertEqual(recipients, [ADA])
        self.assertEqual([action for _, action in actions(report)], ["delayed"] * 2)
        self.assertEqual(self.wait(10), [])
        self.successResultOf(self.outbox.stop(0))
        self.outbox = self.make()
        self.start()
        self.assertEqual(self.wait(10), [])

    def test_not_wanted(self):
        """
        Who wants no such notice gets none, nor does the null sender, nor anybody elsewhere.
        """
        self.send(notify="FAILURE")
        self.send(notify="NEVER")
        self.send(envelope=evolve(OURS, sender=NULL_SENDER))
        self.send(envelope=ENVELOPE)
        self.assertEqual(self.wait(6), [])

    def test_in_time(self):
        """
        What arrives within the four hours makes no notice.
        """
        self.send()
        self.smarthost.answer(LATER)
        self.clock.pump([60] * 5)
        self.smarthost.answer(TAKEN)
        self.assertEqual(self.wait(5), [])

    def test_after_a_long_stop(self):
        """
        After a gateway has not run for a day, what is due is tried before anybody is told.
        """
        self.send()
        self.smarthost.answer(LATER)
        self.successResultOf(self.outbox.stop(0))
        self.storage.now.start += 86400
        self.outbox = self.make()
        self.start()
        self.assertEqual(len(self.smarthost.asked), 1)
        self.smarthost.answer(TAKEN)
        self.clock.advance(120)
        self.assertEqual(self.told(), [])


class ManyDelaysTests(ResultsCase):
    """
    Tests of a machine whose mail is late in great numbers.
    """

    def test_few(self):
        """
        One sender gets only so many notices of delays in an hour, another one the first of its own;
        nothing is told later.
        """
        for _ in range(LATE_PER_HOUR + 30):
            self.send()
        self.send(envelope=evolve(OURS, sender=BOB))
        while self.smarthost.asked:
            self.smarthost.answer(LATER)
        told = self.wait(5)
        self.assertEqual(
            Counter(str(who) for _, (who,), _ in told),
            {"ada@Example.com": LATE_PER_HOUR, "bob@example.com": 1},
        )


class NoDelayTests(ResultsCase):
    """
    Tests of a gateway that tells of no delays.
    """

    settings = OutboxCase.settings.model_copy(update={"delay_notice_seconds": 0})

    def test_never(self):
        """
        Nobody is told that anything is late.
        """
        self.send()
        for _ in range(8 * 60):
            self.clock.advance(60)
            while self.smarthost.asked:
                self.smarthost.answer(LATER)
        self.assertEqual(self.told(), [])
        self.assertEqual(self.rows()[0].queued, NOW)
