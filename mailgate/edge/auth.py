"""
AUTH (RFC 4954): one log-in, from the command to who it is.

The mechanisms are in L{mailgate.edge.sasl}. Whoever has failed too often gets the same answer to
whatever it says.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mailgate.edge.attempts import Attempts
from mailgate.edge.sasl import (
    MECHANISMS,
    Challenge,
    Credentials,
    Lookup,
    Mechanism,
    Scram,
    Settled,
    Step,
)
from mailgate.interfaces import Account, AccountsUnavailable, IAccounts, MaybeDeferred
from mailgate.reply import Reply
from mailgate.wire import scram
from mailgate.wire.smtp import Refused

LOGGED_IN = Reply(235, "2.7.0", "logged in")
DENIED = Reply(535, "5.7.8", "name or password is wrong")
UNKNOWN_MECHANISM = Reply(504, "5.5.4", "no such mechanism")
UNAVAILABLE = Reply(454, "4.7.0", "log-ins are not possible at the moment")
WRONG_USE = Reply(501, "5.5.4", "say AUTH with a mechanism, then perhaps the first answer")

Progress = Challenge | Account | Reply
"""What comes of a step: more to ask, who it is, or why it is nobody."""


class Authentication:
    """
    Lets clients log in.
    """

    def __init__(self, accounts: IAccounts, attempts: Attempts) -> None:
        self._accounts = accounts
        self._attempts = attempts

    def mechanisms(self) -> Sequence[str]:
        """
        Name what can be used, the best one first.
        """
        return [name for name in MECHANISMS if name != scram.NAME or self._accounts.has_scram]

    def begin(self, client: str, session: str) -> LogIn:
        """
        Begin a log-in.

        @param client: the client's IP address.
        @param session: the id of its session, for events.
        """
        return LogIn(self._accounts, self._attempts, client, session, self.mechanisms())


class LogIn:
    """
    One log-in. It is over when a step gives an L{Account} or a L{Reply}.
    """

    log = Logger()

    def __init__(
        self,
        accounts: IAccounts,
        attempts: Attempts,
        client: str,
        session: str,
        offered: Sequence[str],
    ) -> None:
        self._accounts = accounts
        self._attempts = attempts
        self._client = client
        self._session = session
        self._offered = offered
        self._mechanism: Mechanism
        self._name: str | None = None

    @property
    def account(self) -> str:
        """
        Name who it wants to be, or C{""} where it has not come so far.

        A name that nobody has may be a password in the wrong place: it is not written down.
        """
        if self._name is None:
            return ""
        known = self._accounts.find(self._name)
        return "nobody of ours" if known is None else known.name

    def start(self, argument: str) -> MaybeDeferred[Progress]:
        """
        Take the argument of AUTH.
        """
        name, space, initial = argument.partition(" ")
        if not name or " " in initial:
            return WRONG_USE
        if name.upper() not in self._offered:
            return UNKNOWN_MECHANISM
        refusal = self._attempts.refusal(self._client)
        if refusal is not None:
            return refusal
        self._mechanism = MECHANISMS[name.upper()]()
        try:
            step = self._mechanism.start(initial.encode("utf-8") if space else None)
        except Refused as refused:
            return refused.reply
        return self._follow(step)

    def respond(self, line: bytes) -> MaybeDeferred[Progress]:
        """
        Take the answer to a challenge: one line, its line end included.
        """
        try:
            step = self._mechanism.respond(line)
        except Refused as refused:
            return refused.reply
        return self._follow(step)

    def _follow(self, step: Step) -> MaybeDeferred[Progress]:
        if isinstance(step, Challenge):
            return step
        self._name = step.name
        if isinstance(step, Lookup):
            return Deferred.fromCoroutine(self._look_up(step))
        refusal = self._attempts.begin(self._client, step.name)
        if refusal is not None:
            return refusal
        if isinstance(step, Credentials):
            return Deferred.fromCoroutine(self._verify(step))
        return self._conclude(step)

    async def _look_up(self, step: Lookup) -> Progress:
        refusal = self._attempts.refusal(self._client, step.name)
        if refusal is not None:
            return refusal
        try:
            verifier = await self._accounts.verifier(step.name)
        except AccountsUnavailable:
            return UNAVAILABLE
        assert isinstance(self._mechanism, Scram)
        return self._mechanism.found(verifier)

    async def _verify(self, step: Credentials) -> Progress:
        try:
            account = await self._accounts.verify(step.name, step.password)
        except AccountsUnavailable:
            self._attempts.take_back(self._client, step.name)
            return UNAVAILABLE
        return self._outcome(step.name, account)

    def _conclude(self, step: Settled) -> Progress:
        account = self._accounts.find(step.name) if step.is_right else None
        return self._outcome(step.name, account)

    def _outcome(self, name: str, account: Account | None) -> Progress:
        if account is not None:
            self._attempts.succeeded(self._client, name)
            return account
        self.log.info(
            "{event} {client} as {account}",
            event="login.refused",
            client=self._client,
            account=self.account,
            session=self._session,
        )
        return DENIED
