"""
Who an address is: whether it exists, by which source, and to whom it leads.

The sources of its domain are asked in their order, first for the address itself, then without what
stands behind the separator, then for all other addresses of the domain. An alias is followed as
long as it leads to one address of ours that exists; the last one is the owner. Where an alias
stands for several addresses, or for one that is not ours, the alias itself is: it is a group, or
has no person behind it here. A chain that comes back or is too long is not followed at all.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mailgate.interfaces import EXISTS, NOBODY, IRecipientSource, Listed, MaybeDeferred
from mailgate.reply import Reply
from mailgate.wire.address import NULL_SENDER, Address
from mailgate.wire.normal import normal_address

T = TypeVar("T")
Steps = Generator["Deferred[Listed]", Listed, T]

CHAIN = 10
"""How many aliases may lead from one to the next."""

UNAVAILABLE = Reply(451, "4.4.3", "the recipient cannot be looked up now, try again later")

ABOUT_RECIPIENT = frozenset(("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"))
"""Enhanced codes that say that there is no such recipient, whoever asks (RFC 3463)."""

NOT_KNOWN_NOW = Listed(UNAVAILABLE)


@frozen
class Step:
    """
    What was found of one address.
    """

    address: Address
    """That under which it was found; with an empty local part all others of the domain."""

    listed: Listed
    source: str = ""
    """The name of the source that knows it, or C{""} where none does."""

    extension: str = ""
    """What stood behind the address, with the separator, and was not looked for."""


@frozen
class Resolution:
    """
    Who an address is.
    """

    reply: Reply
    """250; or why it may not be sent to."""

    owner: Address
    """Whom it belongs to: itself where nothing else is known."""

    target: Address
    """Where all aliases on the way lead: the address that is delivered to, if that is asked for."""

    steps: tuple[Step, ...] = ()
    """What was found, from the address itself on."""

    is_led: bool = False
    """Whether an alias leads from the address to the L{target}."""

    is_plain: bool = False
    """Whether it is L{AS_IT_IS}."""

    end: str = ""
    """Why the last step leads no further, in words, or C{""} where it is the owner's own."""


AS_IT_IS = Resolution(EXISTS, NULL_SENDER, NULL_SENDER, is_plain=True)
"""It exists, belongs to itself, and leads nowhere else."""


class Directory:
    """
    Finds out who addresses are.
    """

    log = Logger()

    def __init__(
        self,
        sources: Callable[[Address], Sequence[IRecipientSource]],
        separator: str = "",
        is_ours: Callable[[Address], bool] = lambda _: True,
    ) -> None:
        """
        @param sources: gives those that are asked for an address, in their order.
        @param separator: what stands between an address and an extension that says nothing of who
            it is, as in C{ada+news}; C{""}: there is no such thing.
        @param is_ours: tells whether there is a route for an address.
        """
        self._sources = sources
        self._separator = separator
        self._is_ours = is_ours

    def resolve(
        self, address: Address, sender: Address, in_full: bool = False
    ) -> MaybeDeferred[Resolution]:
        """
        Find out who an address is; L{AS_IT_IS} where it is a mailbox that is written as its source
        does, as most are.

        @param in_full: let all be told that was found, of such a one too.
        """
        sources = self._sources(address)
        if in_full or not sources:
            return _run(self._resolve(address, sender))
        # Without a generator and what it makes, which costs more than all the rest.
        first = sources[0].find(address, sender)
        if isinstance(first, Listed) and self._is_plain(address, first):
            return AS_IT_IS
        return _run(self._resolve(address, sender, first))

    def resolve_always(self, address: Address, sender: Address) -> MaybeDeferred[Resolution]:
        """
        Find out who an address is that exists in any case, whatever the sources say of it. No mail
        server is asked whether it does.
        """
        return _run(self._resolve_always(address, sender))

    def _is_plain(self, address: Address, listed: Listed) -> bool:
        if not listed.reply.is_positive or (self._separator and self._separator in address.local):
            return False
        stands_for = listed.stands_for
        if not stands_for:
            return True
        return len(stands_for) == 1 and stands_for[0] == address and address.domain == address.host

    # -- one address after the other ---------------------------------------------------

    def _resolve(
        self, address: Address, sender: Address, first: MaybeDeferred[Listed] | None = None
    ) -> Steps[Resolution]:
        step = yield from self._find(address, sender, first)
        return (yield from self._follow(address, sender, step))

    def _resolve_always(self, address: Address, sender: Address) -> Steps[Resolution]:
        own = [each for each in self._sources(address) if not each.is_upstream]
        step = yield from self._ask(address, sender, own)
        if step.listed.reply.is_positive:
            found = yield from self._follow(address, sender, step)
            if found.reply.is_positive:
                return found
        listed = Listed(EXISTS)
        return Resolution(EXISTS, address, address, (Step(address, listed, "always there"),))

    def _follow(self, address: Address, sender: Address, step: Step) -> Steps[Resolution]:
        """
        Go where an address leads.
        """
        steps = [step]
        if not step.listed.reply.is_positive:
            return Resolution(step.listed.reply, address, address, tuple(steps))
        seen = {normal_address(address), normal_address(_named(step, address))}
        # Of which address that step tells, and where a copy for it would go.
        current, target = _named(step, address), address
        extension = step.extension
        end = ""
        while True:
            itself, further = _lead(step, current)
            if further is None:
                current = itself
                end = _end(step)
                break
            if not self._is_ours(further):
                end = f"{further} is not ours"
                break
            key = normal_address(further)
            if key in seen or len(steps) > CHAIN:
                self.log.warn(
                    "{event} from {address}", event="recipients.alias_loop", address=str(address)
                )
                end = f"its aliases go round, or there are more than {CHAIN}"
                return Resolution(EXISTS, address, address, tuple(steps), end=end)
            seen.add(key)
            found = yield from self._find(further, sender)
            if found.listed.reply.is_transient:
                return Resolution(found.listed.reply, address, address, (*steps, found))
            if not found.listed.reply.is_positive:
                end = f"nobody knows {further}"
                break
            steps.append(found)
            step, current = found, _named(found, further)
            target = _extended(further, extension)
        return Resolution(
            EXISTS, _lower_domain(current), target, tuple(steps), len(steps) > 1, end=end
        )

    # -- one address -------------------------------------------------------------------

    def _find(
        self, address: Address, sender: Address, first: MaybeDeferred[Listed] | None = None
    ) -> Steps[Step]:
        """
        @param first: what the first source says of the address itself, if it was asked already.
        """
        sources = self._sources(address)
        found = yield from self._ask(address, sender, sources, first)
        base, extension = self._split(address)
        if found.listed.reply.is_positive:
            if base is not None and not found.listed.stands_for:
                # A mail server takes it, and does not say whose it is.
                of_base = yield from self._ask(base, sender, sources)
                if of_base.listed.reply.is_positive:
                    return evolve(of_base, extension=extension)
            return found
        if not _may_go_on(found):
            return found
        if base is not None:
            of_base = yield from self._ask(base, sender, sources)
            if of_base.listed.reply.is_positive:
                return evolve(of_base, extension=extension)
            if not _may_go_on(of_base):
                return of_base
        others = yield from self._ask(Address("", address.domain), sender, sources)
        return found if others.listed.reply.enhanced in ABOUT_RECIPIENT else others

    def _ask(
        self,
        address: Address,
        sender: Address,
        sources: Sequence[IRecipientSource],
        first: MaybeDeferred[Listed] | None = None,
    ) -> Steps[Step]:
        """
        Ask one source after the other, until one knows the address or cannot tell.
        """
        listed = NOBODY
        for source in sources:
            answer = source.find(address, sender) if first is None else first
            first = None
            listed = (yield answer) if isinstance(answer, Deferred) else answer
            if listed.reply.enhanced not in ABOUT_RECIPIENT:
                return Step(address, listed, source.name)
        return Step(address, listed)

    def _split(self, address: Address) -> tuple[Address | None, str]:
        """
        Give an address without its extension, and that; C{None} where it has none.
        """
        local, separator = address.local, self._separator
        if not separator or local.startswith('"'):
            return None, ""
        name, between, extension = local.partition(separator)
        if not (name and between):
            return None, ""
        return Address(name, address.domain), between + extension


def _run(steps: Steps[T]) -> MaybeDeferred[T]:
    """
    Take the steps at once as far as nothing has to be waited for: most often that is all.
    """
    try:
        waiting = next(steps)
    except StopIteration as end:
        result: T = end.value
        return result
    return Deferred.fromCoroutine(_go_on(steps, waiting))


async def _go_on(steps: Steps[T], waiting: Deferred[Listed]) -> T:
    try:
        while True:
            waiting = steps.send(await waiting)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        steps.close()


def _may_go_on(step: Step) -> bool:
    """
    Tell whether nobody knows an address, for which only then something else may be looked for: not
    while a source cannot be asked, nor where a mail server refuses for other reasons.
    """
    return step.listed.reply.enhanced in ABOUT_RECIPIENT


def _named(step: Step, asked: Address) -> Address:
    """
    Give the address that a step tells of.
    """
    return step.address if step.address.local else asked


def _lead(step: Step, current: Address) -> tuple[Address, Address | None]:
    """
    Give the address as its source writes it, and the one that it leads to, or C{None} where it
    leads to no single other one.
    """
    listed = [
        each if each.local else Address(current.local, each.domain)
        for each in step.listed.stands_for
    ]
    key = normal_address(current)
    for each in listed:
        if normal_address(each) == key:
            return each, None
    return current, listed[0] if len(listed) == 1 else None


def _end(step: Step) -> str:
    number = len(step.listed.stands_for)
    return f"it stands for {number} addresses" if number > 1 else ""


def _extended(address: Address, extension: str) -> Address:
    if not extension or address.local.startswith('"'):
        return address
    return Address(address.local + extension, address.domain)


def _lower_domain(address: Address) -> Address:
    return Address(address.local, address.host)
