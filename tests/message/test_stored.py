"""
Tests of L{mailgate.message.stored}.
"""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.stored import envelope_of, session_of
from mailgate.wire.parameters import RcptParameters
from tests.storage import ADA, BOB, ENVELOPE, SESSION, hold, make_storage, message


class StoredTests(SynchronousTestCase):
    """
    What comes back from the store.
    """

    def test_as_it_was(self):
        """
        The envelope of a stored copy is that of its transaction, with the wish of its recipient
        alone; so is the session.
        """
        session = evolve(SESSION, account="ada")
        wish = RcptParameters("FAILURE", "rfc822;ada@example.com")
        said = evolve(ENVELOPE, session=session, utf8=True, ret="FULL", envid="1")
        everybody = evolve(said, wishes={ADA.owner: wish, BOB.owner: RcptParameters("NEVER")})
        quarantine = make_storage(self).quarantine(lambda: None)
        (identity,) = self.successResultOf(
            quarantine.hold(everybody, message(), [hold(ADA)], False)
        )
        held = self.successResultOf(quarantine.get(identity))
        self.assertEqual(session_of(held.message), session)
        self.assertEqual(
            envelope_of(held.message, held.recipient, held.wish),
            evolve(said, wishes={ADA.owner: wish}),
        )
