"""
A storage in a temporary folder in which everything is done at once, and mail to put into it.
"""

import shutil
import tempfile
from pathlib import Path

from attrs import evolve
from twisted.internet.task import Clock

from mailgate.config.delivery import MaildirUpstream
from mailgate.config.model import Settings
from mailgate.delivery.telling import Sending
from mailgate.finding import Finding
from mailgate.hub.storage import Storage
from mailgate.interfaces import Hold
from mailgate.message.envelope import Envelope, Session
from mailgate.message.message import MemoryMessage
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads
from mailgate.verdict import Action, Kind, Verdict
from mailgate.wire.address import Address

NOW = 1_800_000_000.0
SESSION = Session(
    id="sess-sess-sess",
    listener="mx",
    role="mx",
    client="192.0.2.7",
    port=40001,
    started=NOW - 1,
    helo="client.example.org",
    is_esmtp=True,
    tls="TLSv1.3 TLS_AES_256_GCM_SHA384",
)
ENVELOPE = Envelope(
    SESSION, "trac-trac-trac", Address("sender", "Example.ORG"), NOW, 500, "8BITMIME"
)
ADA = Address("ada", "Example.com")
BOB = Address("bob", "example.com")
TEXT = (
    b"From: Eve <eve@example.org>\r\n"
    b"Subject: =?utf-8?q?caf=C3=A9?=\r\n"
    b"Message-ID: <1@e>\r\n"
    b"\r\n"
    b"Hi\r\n"
)
FINDINGS = (Finding("SEEN", 9.0, "Something was seen.", "seen"), Finding("FINE", -0.5, "Fine."))


def message(text=TEXT):
    """
    Give a message in memory.
    """
    return MemoryMessage((text,))


def envelope(trace):
    """
    Give the envelope of another transaction.
    """
    return evolve(ENVELOPE, trace=trace)


def hold(recipient=ADA, kind=Kind.SPAM):
    """
    Ask for a copy to be held.
    """
    return Hold(recipient, kind, Verdict(Action.QUARANTINE, FINDINGS, 8.5, (recipient,), kind=kind))


def temporary_folder(test):
    """
    Make a folder with a short path, which goes with the test.
    """
    folder = Path(tempfile.mkdtemp(prefix="mg-"))
    test.addCleanup(shutil.rmtree, folder)
    return folder


def make_settings(data, **tables):
    """
    Give settings for a data folder.
    """
    return Settings(
        hostname="mail.example.com",
        data=data,
        listener=({"address": "127.0.0.1:2525"},),
        route=({"domains": ["example.com"], "upstream": "inbox"},),
        upstream={"inbox": MaildirUpstream(kind="maildir", path=data / "inbox")},
        **tables,
    )


class WallClock:
    """
    The time in seconds since the epoch, moving with a reactor's clock.
    """

    def __init__(self, clock=None):
        self.clock = clock or Clock()
        self.start = NOW

    def __call__(self):
        """
        Tell the time.
        """
        return self.start + self.clock.seconds()


def make_storage(test, data=None, files=None, now=None, **more):
    """
    Make and open a storage, which is closed with the test.
    """
    data = data or temporary_folder(test)
    threads = ImmediateThreads()
    storage = Storage(
        make_settings(data),
        threads,
        threads,
        files or Files(),
        now or WallClock(),
        company=0,
        **more,
    )
    test.successResultOf(storage.open())
    test.addCleanup(lambda: test.successResultOf(storage.close()))
    return storage


def content(test, kept):
    """
    Read all of a message.
    """
    return b"".join(
        chunk if isinstance(chunk, bytes) else test.successResultOf(chunk)
        for chunk in kept.chunks()
    )


def sending(route_for, postmaster=Address("postmaster", "example.com"), **more):
    """
    Give what the outbox needs to tell somebody something.
    """
    return Sending("mail.example.com", postmaster, route_for, **more)
