"""
C{mailgate recipient check}: who an address is, by the configuration as it is now.

The sources are asked anew, not the gateway that runs: so it can be tried before a reload.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface import provider

from mailgate.addressing import Addressing
from mailgate.commands.asking import FAILED, config_path
from mailgate.commands.parsers import Arguments, Parsers, add_json
from mailgate.commands.running import until_done
from mailgate.config.load import load_to_run
from mailgate.config.model import Settings
from mailgate.delivery.routes import make_deliveries, make_routes
from mailgate.hub.commands import CommandError
from mailgate.interfaces import Admission, IDelivery
from mailgate.knowledge.recipients import Resolution, Step
from mailgate.message.envelope import Envelope, Session, new_id
from mailgate.reporting.terminal import complain, say_all, say_array
from mailgate.store.files import Files
from mailgate.store.threads import Threads
from mailgate.wire.address import Address
from mailgate.wire.smtp import Refused, parse_mail, parse_rcpt

TROUBLE = frozenset(
    f"recipients.{what}" for what in ("not_asked", "not_read", "broken", "alias_loop")
)
"""Events that say what no reply does."""


def add_to(parsers: Parsers) -> None:
    """
    Add the commands.
    """
    family = parsers.family("recipient", "who may be sent to", "recipient check ada@example.com")
    made = family.command("check", check, "recipient check ada@example.com")
    add_json(made)
    made.add_argument("address", metavar="ADDRESS")
    made.add_argument(
        "--from",
        dest="sender",
        default="",
        metavar="ADDRESS",
        help="who writes to it, where a mail server is asked (default: <>)",
    )


def check(arguments: Arguments) -> int:
    """
    Say who an address is: whether it exists, by which source, and to whom it leads.
    """
    settings = load_to_run(config_path(arguments))
    try:
        address = parse_rcpt(f"TO:<{arguments.address}>").address
        sender = parse_mail(f"FROM:<{arguments.sender}>").address
    except Refused as error:
        raise CommandError(f"the gateway would refuse this: {error.reply}") from None
    globalLogPublisher.addObserver(_tell_trouble)
    try:
        found = until_done(lambda reactor: explain(settings, reactor, address, sender))
    finally:
        globalLogPublisher.removeObserver(_tell_trouble)
    if arguments.json:
        say_array([found.as_json()])
    else:
        say_all(found.words())
    return 0 if found.admission.reply.is_positive else FAILED


@frozen
class Explanation:
    """
    What is known of an address.
    """

    address: Address
    admission: Admission
    resolution: Resolution | None
    """How it was found out, or C{None} where no mail is taken for its domain."""

    upstream: str
    """Which would get the copy, or C{""}."""

    def words(self) -> Iterator[str]:
        """
        Tell it to a person.
        """
        reply = self.admission.reply
        if reply.is_positive:
            yield f"{self.address} exists."
        elif reply.is_transient:
            yield f"Nobody knows {self.address} at the moment: {reply}"
        else:
            yield f"{self.address} is refused: {reply}"
        if self.resolution is not None:
            for step in self.resolution.steps:
                yield f"  {_of_step(step)}"
            if self.resolution.end:
                yield f"  It leads no further: {self.resolution.end}."
        if reply.is_positive:
            recipient = self.admission.recipient
            if recipient.is_trap:
                yield "  It is a trap: nobody gets what is sent there."
                return
            yield f"  Held copies belong to {recipient.owner}."
            yield f"  The upstream {self.upstream} gets it for {recipient}."

    def as_json(self) -> Mapping[str, Any]:
        """
        Tell it to a program.
        """
        reply, recipient = self.admission.reply, self.admission.recipient
        steps = () if self.resolution is None else self.resolution.steps
        return {
            "address": str(self.address),
            "exists": True if reply.is_positive else (None if reply.is_transient else False),
            "reply": str(reply),
            "owner": recipient.owner if reply.is_positive else None,
            "recipient": str(recipient) if reply.is_positive else None,
            "upstream": self.upstream or None,
            "steps": [
                {
                    "address": str(each.address),
                    "source": each.source or None,
                    "stands_for": [str(target) for target in each.listed.stands_for],
                    "reply": str(each.listed.reply),
                }
                for each in steps
            ],
        }


def explain(
    settings: Settings, reactor: Any, address: Address, sender: Address
) -> Deferred[Explanation]:
    """
    Find out who an address is.

    @raise SystemExit: a file of authorities cannot be used.
    """
    threads = Threads(reactor, reactor.getThreadPool())
    deliveries = make_deliveries(settings, reactor, Files(), threads, time.time)
    return Deferred.fromCoroutine(_explain(settings, reactor, threads, deliveries, address, sender))


async def _explain(
    settings: Settings,
    reactor: Any,
    threads: Threads,
    deliveries: Mapping[str, IDelivery],
    address: Address,
    sender: Address,
) -> Explanation:
    routes = make_routes(settings, deliveries, reactor, threads)
    addressing = Addressing(settings, routes, reactor, threads)
    addressing.start()
    try:
        session = Session(new_id(), "", "mx", "127.0.0.1", 0, time.time(), is_esmtp=True)
        envelope = Envelope(session, new_id(), sender, time.time(), utf8=not address.is_ascii)
        asked = addressing.recipients.ask(envelope, address)
        admission = (await asked) if isinstance(asked, Deferred) else asked
        resolution = None
        delivery = routes.route_for(admission.recipient)
        if delivery is not None:
            resolution = await addressing.recipients.explain(address, sender)
        name = "" if delivery is None else delivery.name
        return Explanation(address, admission, resolution, name)
    finally:
        addressing.stop()
        for each in deliveries.values():
            await each.close()


def _of_step(step: Step) -> str:
    reply, address = step.listed.reply, str(step.address)
    what = address if step.address.local else f"Any other address at {step.address.domain}"
    if step.extension:
        what = f"{what}, without {step.extension},"
    if not reply.is_positive:
        return f"{step.source} says of {address}: {reply}" if step.source else "No source knows it."
    targets = [str(each) for each in step.listed.stands_for]
    if not targets or [each.lower() for each in targets] == [address.lower()]:
        return f"{what} is there, says {step.source}."
    return f"{what} stands for {', '.join(targets)}, says {step.source}."


@provider(ILogObserver)
def _tell_trouble(event: LogEvent) -> None:
    """
    Show why a source could not be asked, which no reply tells.
    """
    if event.get("event") in TROUBLE:
        complain(formatEvent(event))
