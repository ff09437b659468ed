"""
What the checks are given: settings, and views of a session or a message.
"""

from mailgate.checks.known import Known
from mailgate.config.model import Settings
from mailgate.knowledge.entry import ListName, make_entry
from mailgate.knowledge.lists import Lists
from mailgate.message.envelope import Envelope, Session
from mailgate.message.header import Headers
from mailgate.message.links import places_of
from mailgate.message.message import MemoryMessage
from mailgate.message.mime import read
from mailgate.pipeline.extractors import Content
from mailgate.pipeline.view import View
from mailgate.wire.address import Address

NOW = 1_800_000_000.0
"""2027-01-15 08:00 UTC."""


def entry(list, value, **more):
    """
    Make an entry of a list.
    """
    return make_entry(ListName(list), value, by="ada", **more)


def known(*entries):
    """
    Give what is known, with these entries on the lists.
    """
    return Known(Lists(entries))


def settings(**checks):
    """
    Give the settings of C{mail.example.com}, with these tables for its checks.
    """
    return Settings(
        hostname="mail.example.com",
        data="/srv/mailgate",
        listener=[{"address": "127.0.0.1:2525"}],
        route=[{"domains": ["example.com"], "upstream": "inbox"}],
        upstream={"inbox": {"kind": "maildir", "path": "/srv/inbox"}},
        checks=checks,
    )


def session(helo="client.example.org", client="192.0.2.7", local="198.51.100.25"):
    """
    Give a session.
    """
    return Session(
        id="0000-0000-0000",
        listener="mx",
        role="mx",
        client=client,
        port=40001,
        started=NOW,
        helo=helo,
        is_esmtp=True,
        local=local,
    )


def view_of_session(**options):
    """
    Give what a check of the session sees.
    """
    return View(session(**options), NOW, ({}, {}), {})


def view_of_message(data):
    """
    Give what a check of the message sees.
    """
    recipient = Address("ada", "example.com")
    content = Content(data, read(data))
    envelope = Envelope(session(), "7q4m-x2vd-90kt", Address("sender", "example.org"), NOW)
    return View(
        envelope.session,
        NOW,
        ({}, {}, {}),
        {
            "fields": Headers.parse(data),
            "content": content,
            "places": places_of(content.parsed.seen),
        },
        envelope,
        MemoryMessage((data,)),
        (recipient,),
        recipient,
    )
