"""
The layer that ends the process, as a power cut would, at a named point.
"""

import os
import signal
import sqlite3
from pathlib import Path

from zope.interface import implementer
from zope.interface.declarations import directlyProvides, providedBy

from mailgate.interfaces import IFiles
from mailgate.parts import Parts
from mailgate.store.files import Files

FILE_POINTS = [
    f"{moment} {step}"
    for step in ("sync", "rename", "sync_directory")
    for moment in ("before", "after")
]
COMMIT_POINTS = ["before commit", "after commit"]
REPLY_POINTS = ["after delivery"]


class Crash:
    """
    Ends the process at one point, once it is armed.
    """

    def __init__(self, point, armed):
        self.point = point
        self.armed = Path(armed)

    def at(self, point):
        """
        Be at a point.
        """
        if point == self.point and self.armed.exists():
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, step, function):
        """
        Wrap a function in a point before and a point after it.
        """

        def wrapped(*args, **keywords):
            self.at(f"before {step}")
            result = function(*args, **keywords)
            self.at(f"after {step}")
            return result

        return wrapped


@implementer(IFiles)
class CrashingFiles(Files):
    """
    Files that crash.
    """

    def __init__(self, crash):
        for step in ("sync", "rename", "sync_directory"):
            setattr(self, step, crash.around(step, getattr(super(), step)))


def crashing_connect(crash):
    """
    Give a connect function whose connections crash at their COMMIT.
    """

    class Connection(sqlite3.Connection):
        commit = crash.around("commit", sqlite3.Connection.commit)

        def execute(self, sql, *args):
            if sql.strip().upper().startswith("COMMIT"):
                crash.at("before commit")
                result = super().execute(sql, *args)
                crash.at("after commit")
                return result
            return super().execute(sql, *args)

    def connect(*args, **keywords):
        return sqlite3.connect(*args, **{**keywords, "factory": Connection})

    return connect


class CrashingDelivery:
    """
    A delivery that crashes when the upstream has answered.
    """

    def __init__(self, crash, delivery):
        self._crash = crash
        self._delivery = delivery
        directlyProvides(self, providedBy(delivery))

    def __getattr__(self, name):
        return getattr(self._delivery, name)

    def deliver(self, *args):
        """
        Deliver, then crash.
        """

        def answered(replies):
            self._crash.at("after delivery")
            return replies

        return self._delivery.deliver(*args).addCallback(answered)


def crashing_parts(point, armed):
    """
    Give the parts for the composition root.
    """
    crash = Crash(point, armed)
    return Parts(
        files=CrashingFiles(crash),
        connect=crashing_connect(crash),
        delivery=lambda delivery: CrashingDelivery(crash, delivery),
    )
