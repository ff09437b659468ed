"""
The gateway's checks with one among them that some messages kill: in a process that judges as a
worker does, and in the sandbox.
"""

import os
import sys
from pathlib import Path

from attrs import frozen
from twisted.internet.task import Clock
from zope.interface import implementer

from mailgate import sandboxed
from mailgate.checks import table
from mailgate.checks.known import Known
from mailgate.finding import Finding
from mailgate.interfaces import ICheck, Phase, Scope
from mailgate.judging import make_pipeline
from mailgate.message.envelope import Envelope
from mailgate.message.message import MemoryMessage
from mailgate.pipeline.offline import judge
from mailgate.pipeline.suspects import Suspects
from mailgate.store.notes import Notes
from mailgate.store.threads import ImmediateThreads
from mailgate.wire.address import Address
from tests.checks.given import NOW, session, settings

ADA = Address("ada", "example.com")
ENVELOPE = Envelope(session(), "7q4m-x2vd-90kt", Address("sender", "example.org"), NOW)


@implementer(ICheck)
@frozen
class DeadlyCheck:
    """
    A check that ends the process, or never ends, where the text tells it to.
    """

    name = "bayes"
    phase = Phase.BODY
    scope = Scope.TRANSACTION
    after = ()
    needs = ("content",)
    symbols = frozenset({"BAYES_SPAM"})
    deadline = 5.0

    def check(self, view):
        """
        Do as the message says.
        """
        data = view.fact("content").data
        if b"kill me" in data:
            os.abort()
        while b"for ever" in data:
            pass
        return [Finding("BAYES_SPAM", 2.5, "The message is harmless.")]


QUICK = {"rules": {"built_in": False}, "phishing": {"mode": "off"}}
"""
What is left out: patterns take longer to make ready than these processes may work, and who writes
here is at example.org, which looks like example.com.
"""

CHECKS = {**table.CHECKS, "bayes": lambda settings, known: DeadlyCheck()}
"""The table of the checks, with that one in the place of another."""


def message(words, fields=b""):
    """
    Give a message.
    """
    head = b"From: sender@example.org\r\nDate: Fri, 15 Jan 2027 08:00:00 +0000\r\n"
    head += b"Message-ID: <1@example.org>\r\n" + fields + b"\r\n"
    return MemoryMessage((head + words + b"\r\n",))


def work(path, words):
    """
    Judge a message as a worker does.
    """
    table.CHECKS = CHECKS
    clock = Clock()
    suspects = Suspects(None, "", Notes(Path(path)))
    pipeline = make_pipeline(
        settings(**QUICK),
        Known(),
        ImmediateThreads(),
        clock,
        lambda: NOW,
        suspects=suspects,
    )
    print(judge(pipeline, clock, ENVELOPE, ADA, message(words.encode())).total)


def main(arguments):
    """
    Be a process of the sandbox.
    """
    table.CHECKS = CHECKS
    sandboxed.main(arguments)


if __name__ == "__main__":
    work(*sys.argv[1:])
