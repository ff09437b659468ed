"""
Tests of L{mailgate.knowledge.rates}.
"""

import gc
import tracemalloc
from zlib import crc32

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.checks import Checks, RateOf
from mailgate.knowledge.excess import Amount
from mailgate.knowledge.rates import KEYS, SUBJECTS, Rates, digest_of, excesses_under
from mailgate.message.record import Copy
from tests.pipeline.events import events
from tests.reporting.records import RECORD
from tests.storage import NOW, SESSION, WallClock

ADDRESS = (RateOf.ADDRESS, "192.0.2.7")
ACCOUNT = (RateOf.ACCOUNT, "ada")
STEP = 600.0
MINE = evolve(SESSION, role="submission", account="ada")


def checks(subjects=None, **options):
    """
    Give the settings of the checks: without any limit but those that are named.
    """
    none = {f"{of}_{what}": 0 for of in RateOf for what in ("messages", "recipients", "distinct")}
    return Checks(
        rates={**none, **options},
        subjects=subjects or {"mode": "off"},
    )


def sent(session=SESSION, to=("ada@example.com",), reply="250 2.0.0 done", **more):
    """
    Give the record of a message that was delivered.
    """
    copies = tuple(Copy(each, "delivered", "250 2.0.0 taken", "inbox") for each in to)
    return evolve(RECORD, session=session, copies=copies, reply=reply, **more)


class RatesTests(SynchronousTestCase):
    """
    Tests of L{Rates}.
    """

    def make(self, **options):
        """
        Make one whose time begins with a step of a window of an hour.
        """
        self.now = WallClock()
        self.assertEqual(NOW % 3600, 0)
        self.exceeded = []
        self.rates = Rates(
            self.now,
            checks(**options),
            options.pop("relays", ()),
            lambda *what: self.exceeded.append(what),
            place=lambda text: crc32(text.encode()),
        )
        self.told = []
        self.rates.changed = self.told.append
        return self.rates

    def found(self, key=ADDRESS, subject=""):
        """
        Give what somebody has sent too much of.
        """
        return [each.amount for each in self.rates.excesses.find(key, self.now(), subject)]

    def count(self, number=1, *arguments, **more):
        """
        Count some messages.
        """
        for _ in range(number):
            self.rates.count(sent(*arguments, **more))

    def test_messages(self):
        """
        As many as may be are not too many; then there is no room for another.
        """
        self.make(address_messages=3)
        self.count(2)
        self.assertEqual(self.found(), [])
        self.count()
        self.assertEqual(self.found(), [Amount.MESSAGES])
        (excess,) = self.told
        self.assertEqual((excess.number, excess.limit, excess.minutes), (3, 3, 60))
        self.assertEqual(self.exceeded, [(RateOf.ADDRESS, Amount.MESSAGES)])

    def test_each_by_itself(self):
        """
        Address, network and domain have limits of their own, and an account too.
        """
        self.make(network_messages=2, domain_messages=3, account_messages=2)
        self.count()
        self.count(1, evolve(SESSION, client="192.0.2.8"))
        self.count(1, evolve(SESSION, client="198.51.100.1"))
        self.count(2, MINE)
        self.assertEqual(self.found(), [])
        for key in (
            (RateOf.NETWORK, "192.0.2.0/24"),
            (RateOf.DOMAIN, "example.org"),
            ACCOUNT,
        ):
            self.assertEqual(self.found(key), [Amount.MESSAGES])

    def test_recipients(self):
        """
        Recipients and bytes are added up; those who were refused are no recipients.
        """
        self.make(address_recipients=4, address_bytes=3 * 4096)
        to = ("ada@example.com", "bob@example.com")
        self.count(1, to=to)
        record = sent(to=("ada@example.com",))
        refused = Copy("eve@example.com", "refused", "550 5.1.1 no such recipient here")
        self.rates.count(evolve(record, copies=(refused, *record.copies)))
        self.assertEqual(self.found(), [])
        self.count(1, to=to)
        self.assertEqual(self.found(), [Amount.RECIPIENTS, Amount.BYTES])

    def test_distinct(self):
        """
        The same recipient counts once, however the address is written, over all the window.
        """
        self.make(address_distinct=3)
        for at in range(4):
            self.now.start = NOW + at * STEP
            self.count(5, to=("ada@example.com", "Ada@Example.com", "bob@example.com"))
        self.assertEqual(self.found(), [])
        self.count(1, to=("eve@example.com",))
        self.assertEqual(self.found(), [Amount.DISTINCT])

    def test_thousand(self):
        """
        An account that sends 1,000 messages in an hour is found with the settings as they are, and
        an alarm tells of it once.
        """
        self.now, self.exceeded = WallClock(), []
        self.rates = Rates(self.now, Checks())
        with events() as told:
            for at in range(1000):
                self.now.start = NOW + at * 3.6
                self.count(1, MINE, to=(f"victim{at}@example.net",))
        self.assertIn(Amount.MESSAGES, self.found(ACCOUNT))
        first = next(event for event in told if event["amount"] == "messages")
        self.assertEqual((first["event"], first["log_level"].name), ("rates.exceeded", "warn"))
        self.assertEqual(
            {name: first[name] for name in ("of", "key", "amount", "number", "limit", "minutes")},
            {
                "of": "account",
                "key": "ada",
                "amount": "messages",
                "number": 500,
                "limit": 500,
                "minutes": 60,
            },
        )
        self.assertEqual([event["amount"] for event in told].count("messages"), 1)

    def test_slide(self):
        """
        What was sent an hour ago counts no more; until then it does.
        """
        self.make(address_messages=2)
        self.count()
        self.now.start = NOW + 3 * STEP
        self.count()
        self.assertEqual(self.found(), [Amount.MESSAGES])
        self.now.start = NOW + 6 * STEP - 1
        self.assertEqual(self.found(), [Amount.MESSAGES])
        self.now.start = NOW + 6 * STEP
        self.assertEqual(self.found(), [])
        self.count()
        self.assertEqual(self.found(), [Amount.MESSAGES])

    def test_later(self):
        """
        Who goes on is told anew only when it lasts longer, and counted once.
        """
        self.make(address_messages=2)
        self.count(2)
        self.count(10)
        self.assertEqual([each.until for each in self.told], [NOW + 3600])
        self.now.start = NOW + STEP
        self.count(2)
        self.assertEqual([each.until for each in self.told], [NOW + 3600, NOW + 3600 + STEP])
        self.assertEqual(len(self.exceeded), 1)

    def test_not_sent(self):
        """
        What is to come again does not count, nor what never came to its end; what was refused at
        its end does.
        """
        self.make(address_messages=1)
        deferred = (Copy("ada@example.com", "deferred", "451 4.7.1 later"),)
        refused = (Copy("ada@example.com", "refused", "550 5.7.1 no"),)
        for record in (
            evolve(RECORD, copies=deferred, reply="451 4.7.1 later"),
            evolve(RECORD, copies=refused, reply="550 5.1.1 no", size=None),
            evolve(RECORD, copies=(), reply="", sender=None, size=None),
        ):
            self.rates.count(record)
        self.assertEqual(self.found(), [])
        self.rates.count(evolve(RECORD, copies=refused, reply="550 5.7.1 no"))
        self.assertEqual(self.found(), [Amount.MESSAGES])

    def test_gone(self):
        """
        A client that is gone before the reply has sent what was delivered.
        """
        self.make(address_messages=1)
        self.count(1, reply="")
        self.assertEqual(self.found(), [Amount.MESSAGES])

    def test_exempt(self):
        """
        Networks and accounts can be left out.
        """
        self.make(
            address_messages=1,
            account_messages=1,
            exempt_networks=("192.0.2.0/24",),
            exempt_accounts=("ada",),
        )
        self.count()
        self.count(1, MINE)
        self.assertEqual(len(self.rates), 0)
        self.count(1, evolve(MINE, account="bob"))
        self.assertEqual(self.found((RateOf.ACCOUNT, "bob")), [Amount.MESSAGES])

    def test_relay(self):
        """
        What a relay brings counts for the stranger from whom it came, and for nobody where there is
        none.
        """
        self.make(address_messages=1)
        self.rates.take_up(checks(address_messages=1), ("192.0.2.0/24",))
        self.count()
        self.assertEqual(len(self.rates), 0)
        self.count(1, origin="203.0.113.9")
        self.assertEqual(self.found(), [])
        self.assertEqual(self.found((RateOf.ADDRESS, "203.0.113.9")), [Amount.MESSAGES])

    def test_off(self):
        """
        Where both checks are off nothing is remembered; nor is that for which there is no limit.
        """
        self.make(mode="off", address_messages=1)
        self.count()
        self.assertEqual(len(self.rates), 0)
        self.make(domain_messages=1)
        self.count()
        self.assertEqual(len(self.rates), 1)

    def test_clock(self):
        """
        Whatever the clock does, counting goes on; put back by more than a window, it begins anew.
        """
        self.make(address_messages=3)
        self.count(2)
        self.now.start = NOW - STEP
        self.count()
        self.assertEqual([each.number for each in self.told], [3])
        self.now.start = NOW - 86400
        self.count(2)
        self.assertEqual(self.found(), [])
        self.count()
        self.assertEqual(self.found(), [Amount.MESSAGES])
        self.now.start = NOW + 10 * 86400
        self.assertEqual(self.found(), [])

    def test_reload(self):
        """
        Other limits count at once: who is below a higher one is free, and what was counted stays.
        """
        self.make(address_messages=3)
        self.count(3)
        higher = checks(address_messages=5)
        self.assertEqual(excesses_under(self.rates.excesses, higher), [])
        self.rates.take_up(higher, ())
        self.assertEqual(self.found(), [])
        self.count()
        self.assertEqual(self.found(), [])
        self.count()
        self.assertEqual(self.found(), [Amount.MESSAGES])
        self.rates.take_up(checks(address_messages=4), ())
        self.assertEqual(self.found(), [Amount.MESSAGES])
        for free in (
            checks(address_messages=5, exempt_networks=("192.0.2.7/32",)),
            checks(address_messages=5, window_minutes=120),
        ):
            self.assertEqual(excesses_under(self.rates.excesses, free), [])

    def test_reload_of_account(self):
        """
        An account that is left out now is free.
        """
        self.make(account_messages=1)
        self.count(1, MINE)
        self.rates.take_up(checks(account_messages=1, exempt_accounts=("ada",)), ())
        self.assertEqual(self.found(ACCOUNT), [])

    def test_reload_of_window(self):
        """
        With another window counting begins anew.
        """
        self.make(address_messages=2)
        self.count()
        self.rates.take_up(checks(address_messages=2, window_minutes=120), ())
        self.count()
        self.assertEqual(self.found(), [])

    def test_a35_random_keys(self):
        """
        Random addresses and domains fill no more than their tables, push no account out of its own,
        and take bounded memory.
        """
        self.make(address_messages=10, network_messages=10, domain_messages=10, account_messages=2)
        self.count(1, MINE)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for at in range(2 * KEYS + 50):
            client = evolve(SESSION, client=f"{1 + at // 65536}.{at // 256 % 256}.{at % 256}.7")
            self.count(1, client, sender=f"x@d{at}.example", to=(f"{at}@example.com",))
        size, _ = tracemalloc.get_traced_memory()
        self.assertEqual(len(self.rates), 3 * KEYS + 1)
        self.assertLess(size, 40e6)
        self.count(1, MINE)
        self.assertEqual(self.found(ACCOUNT), [Amount.MESSAGES])

    def test_a35_one_key(self):
        """
        However much one sends, of ever new subjects to ever new recipients, it takes the same few
        kilobytes.
        """
        self.make(
            address_distinct=10_000,
            address_messages=10**9,
            subjects={"mode": "score"},
        )
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for at in range(5000):
            self.now.start = NOW + at
            words = f"{'abcdefghij'[at % 10]}{'abcdefghij'[at // 10 % 10]}"
            self.count(1, to=(f"{at}@example.com",), subject=f"About {words}")
        gc.collect()  # the records of the test
        size, _ = tracemalloc.get_traced_memory()
        self.assertLess(size, 30e3)

    # -- subjects ---------------------------------------------------------------------

    def test_subject(self):
        """
        One subject that comes too often is found, and another one of the same sender is not.
        """
        self.make(subjects={"mode": "score", "address": 3})
        self.count(1, subject="Invoice 4711")
        self.count(1, subject="Re: invoice  4712")
        self.assertEqual(self.found(ADDRESS, digest_of("Invoice 1")), [])
        self.count(1, subject="Fwd: Invoice X99")
        self.assertEqual(self.found(ADDRESS, digest_of("Invoice 1")), [Amount.SUBJECT])
        self.assertEqual(self.found(ADDRESS, digest_of("Lunch")), [])
        self.assertEqual(self.found(), [])
        self.now.start = NOW + 3600
        self.assertEqual(self.found(ADDRESS, digest_of("Invoice 1")), [])

    def test_subject_slides(self):
        """
        A subject counts within the window only.
        """
        self.make(subjects={"mode": "score", "address": 2})
        self.count(1, subject="Lunch")
        self.now.start = NOW + 3600
        self.count(1, subject="Lunch")
        self.assertEqual(self.found(ADDRESS, digest_of("Lunch")), [])
        self.count(1, subject="Lunch")
        self.assertEqual(self.found(ADDRESS, digest_of("Lunch")), [Amount.SUBJECT])

    def test_no_subject(self):
        """
        Without a subject nothing is the same.
        """
        self.make(subjects={"mode": "score", "address": 1})
        for subject in ("", "Re:", " [list] "):
            self.count(1, subject=subject)
        self.assertEqual(self.told, [])

    def test_many_subjects(self):
        """
        Of each only the latest subjects are remembered, and those of others are not touched.
        """
        self.make(subjects={"mode": "score", "address": 2, "network": 0, "domain": 0})
        other = evolve(SESSION, client="203.0.113.9")
        self.count(1, other, subject="Lunch")
        letters = "abcdefghijklmnopqrstuvwxyz"
        for round_ in range(2):
            for letter in letters[: SUBJECTS + 1]:
                self.count(1, subject=f"About {letter}")
            self.assertEqual(self.told, [], round_)
        self.count(1, other, subject="Lunch")
        self.assertEqual([excess.key for excess in self.told], ["203.0.113.9"])

    def test_reload_of_subjects(self):
        """
        Other limits of subjects count at once as well.
        """
        self.make(subjects={"mode": "score", "address": 1})
        self.count(1, subject="Lunch")
        for minutes, most, is_one in ((60, 1, True), (60, 2, False), (60, 0, False), (9, 1, False)):
            given = checks({"mode": "score", "address": most, "window_minutes": minutes})
            self.assertEqual(bool(excesses_under(self.rates.excesses, given)), is_one)
        self.rates.take_up(checks({"mode": "score", "address": 2, "window_minutes": 9}), ())
        self.count(1, subject="Lunch")
        self.assertEqual(self.found(ADDRESS, digest_of("Lunch")), [])


class DigestTests(SynchronousTestCase):
    """
    Tests of what makes two subjects the same.
    """

    def test_same(self):
        """
        Numbers, capitals, spaces and what stands before answers make no difference.
        """
        one = digest_of("Your order 12 has shipped")
        for subject in (
            "your ORDER 999 has   shipped",
            "Re: Your order 12 has shipped",
            "AW: Fwd: RE[2]: Your order 7a has shipped",
            "[shop] Your order 12 has shipped ",
        ):
            self.assertEqual(digest_of(subject), one, subject)
        self.assertNotEqual(digest_of("Your order 12 has not shipped"), one)

    @given(st.text(max_size=2000))
    def test_whatever(self, subject):
        """
        Whatever a subject is, it has one digest of 16 letters, or none.
        """
        digest = digest_of(subject)
        self.assertIn(len(digest), (0, 16))
        self.assertEqual(digest_of(subject), digest)

    def test_hostile(self):
        """
        A subject of nothing but marks of answers is read in no time.
        """
        self.assertEqual(digest_of("Re: " * 100_000), "")
