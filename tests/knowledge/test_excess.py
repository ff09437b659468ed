"""
Tests of L{mailgate.knowledge.excess}.
"""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.checks import RateOf
from mailgate.knowledge.excess import Amount, Excess, Excesses, keys_of
from tests.storage import NOW, SESSION

EXCESS = Excess(RateOf.ACCOUNT, "ada", Amount.MESSAGES, 500, 500, 60, NOW + 600)
KEY = (RateOf.ACCOUNT, "ada")


class KeysTests(SynchronousTestCase):
    """
    Tests of by what a message is counted.
    """

    def test_stranger(self):
        """
        A stranger counts by the address, its network and the domain, as each is compared.
        """
        for client in ("192.0.2.7", "::ffff:192.0.2.7"):
            self.assertEqual(
                list(keys_of(SESSION, client, "Example.ORG.")),
                [
                    (RateOf.ADDRESS, "192.0.2.7"),
                    (RateOf.NETWORK, "192.0.2.0/24"),
                    (RateOf.DOMAIN, "example.org"),
                ],
            )

    def test_ipv6(self):
        """
        All of a /64 network is one client; the null sender has no domain.
        """
        for client in ("2001:db8::1", "2001:db8::ffff:2:3:4"):
            self.assertEqual(keys_of(SESSION, client, ""), [(RateOf.ADDRESS, "2001:db8::/64")])

    def test_account(self):
        """
        Who has logged in counts by the account alone, wherever that was.
        """
        for role in ("mx", "submission", "internal"):
            session = evolve(SESSION, role=role, account="ada")
            self.assertEqual(keys_of(session, "192.0.2.7", "example.org"), (KEY,))

    def test_ours(self):
        """
        Machines of ours that do not log in are not counted, nor is who cannot be told by an
        address.
        """
        for role in ("internal", "submission", "lmtp"):
            self.assertEqual(keys_of(evolve(SESSION, role=role), "192.0.2.7", "example.org"), ())
        self.assertEqual(list(keys_of(SESSION, "nobody", "")), [])


class ExcessesTests(SynchronousTestCase):
    """
    Tests of L{Excesses}.
    """

    def test_time(self):
        """
        One counts until its end, and is forgotten then.
        """
        excesses = Excesses([EXCESS])
        self.assertEqual(excesses.find(KEY, NOW + 599), [EXCESS])
        self.assertEqual(excesses.find(KEY, NOW + 600), [])
        self.assertEqual(len(excesses), 0)

    def test_put_back(self):
        """
        Where the clock was put back nobody is held up for longer than the window.
        """
        self.assertEqual(Excesses([EXCESS]).find(KEY, NOW - 3600), [])

    def test_other(self):
        """
        It is of one alone, and of one subject alone.
        """
        subject = evolve(EXCESS, amount=Amount.SUBJECT, subject="0123")
        excesses = Excesses([EXCESS, subject])
        self.assertEqual(excesses.find(KEY, NOW), [EXCESS])
        self.assertEqual(excesses.find(KEY, NOW, "0123"), [subject])
        self.assertEqual(excesses.find(KEY, NOW, "4567"), ())
        self.assertEqual(excesses.find((RateOf.DOMAIN, "ada"), NOW), ())

    def test_has_subject(self):
        """
        It is known who has sent any subject too often, as long as one of them is remembered.
        """
        subjects = [evolve(EXCESS, amount=Amount.SUBJECT, subject=str(at)) for at in range(2)]
        excesses = Excesses([EXCESS])
        self.assertFalse(excesses.has_subject(KEY))
        for subject in (*subjects, subjects[0]):
            excesses.add(subject)
        self.assertTrue(excesses.has_subject(KEY))
        excesses.find(KEY, NOW + 600, "0")
        self.assertTrue(excesses.has_subject(KEY))
        excesses.find(KEY, NOW + 600, "1")
        self.assertFalse(excesses.has_subject(KEY))
        excesses.add(subjects[0])
        excesses.keep([EXCESS])
        self.assertFalse(excesses.has_subject(KEY))

    def test_later(self):
        """
        A later one takes the place of the one before, and one of another amount does not.
        """
        later = evolve(EXCESS, until=NOW + 1200)
        many = evolve(EXCESS, amount=Amount.RECIPIENTS)
        excesses = Excesses([EXCESS, later, many])
        self.assertEqual(excesses.find(KEY, NOW), [later, many])
        self.assertEqual(list(excesses), [later, many])

    def test_most(self):
        """
        Only so many are remembered; the first one goes first.
        """
        excesses = Excesses((evolve(EXCESS, key=str(at)) for at in range(5)), most=3)
        self.assertEqual([excess.key for excess in excesses], ["2", "3", "4"])

    def test_keep(self):
        """
        What is not kept is forgotten.
        """
        bob = evolve(EXCESS, key="bob")
        excesses = Excesses([EXCESS, bob])
        excesses.keep(each for each in excesses if each.key == "bob")
        self.assertEqual(list(excesses), [bob])
