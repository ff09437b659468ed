"""
The parameters of MAIL and RCPT: SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), DSN
(RFC 3461), AUTH (RFC 4954) and PRDR (draft-hall-prdr).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from attrs import frozen

from mailgate.wire.smtp import Refused

_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+")
_ORCPT = re.compile(r"([A-Za-z0-9-]{1,20});((?:[!-*,-<>-~]|\+[0-9A-F]{2})+)")
_UTF8_ORCPT = re.compile(r"utf-8;[^\x00- \x7f]+", re.IGNORECASE)
_ENVID_LIMIT = 100
_ORCPT_LIMIT = 500
_NOTIFY = frozenset({"SUCCESS", "FAILURE", "DELAY"})

MAIL_KEYWORDS: Mapping[str, str] = {
    "SIZE": "SIZE",
    "BODY": "8BITMIME",
    "SMTPUTF8": "SMTPUTF8",
    "RET": "DSN",
    "ENVID": "DSN",
    "AUTH": "AUTH",
    "PRDR": "PRDR",
}
"""The extension that each parameter of MAIL belongs to."""

RCPT_KEYWORDS: Mapping[str, str] = {"NOTIFY": "DSN", "ORCPT": "DSN"}
"""The extension that each parameter of RCPT belongs to."""


@frozen
class MailParameters:
    """
    What MAIL said beside the sender.
    """

    size: int | None = None
    """What the client declared, in bytes."""

    body: str = "7BIT"
    """C{7BIT} or C{8BITMIME}."""

    utf8: bool = False
    """Whether addresses and header fields may be UTF-8."""

    prdr: bool = False
    """Whether each recipient shall have a reply of its own after the message."""

    ret: str = ""
    """How much of the message a notice shall hold: C{FULL}, C{HDRS} or C{""} (not said)."""

    envid: str = ""
    """The sender's own name for the transaction, as xtext, or C{""}."""


@frozen
class RcptParameters:
    """
    What RCPT said beside the recipient.
    """

    notify: str = ""
    """C{NEVER}, or some of C{SUCCESS,FAILURE,DELAY}, or C{""} (not said)."""

    orcpt: str = ""
    """The recipient as it was first named: a type, a semicolon and xtext; or C{""}."""

    def __bool__(self) -> bool:
        """
        Tell whether anything was said.
        """
        return bool(self.notify or self.orcpt)


def mail_parameters(values: Mapping[str, str], offered: Collection[str]) -> MailParameters:
    """
    Read the parameters of MAIL.

    AUTH is read and not believed: who speaks here has logged in as somebody, or as nobody.

    @param values: as L{mailgate.wire.smtp.Path} holds them.
    @param offered: the keywords of the extensions that the last EHLO was answered with.
    @raise Refused: 555 for one that was not offered, 501 for a value that is none.
    """
    _check(values, MAIL_KEYWORDS, offered)
    size = values.get("SIZE")
    if size is not None and (not (size.isascii() and size.isdigit()) or len(size) > 20):
        raise Refused(501, "5.5.4", "SIZE takes a number of bytes")
    body = values.get("BODY", "7BIT").upper()
    if body not in ("7BIT", "8BITMIME"):
        raise Refused(501, "5.5.4", "BODY is 7BIT or 8BITMIME")
    ret = values.get("RET", "").upper()
    if "RET" in values and ret not in ("FULL", "HDRS"):
        raise Refused(501, "5.5.4", "RET is FULL or HDRS")
    envid = values.get("ENVID", "")
    if "ENVID" in values and not (_XTEXT.fullmatch(envid) and len(envid) <= _ENVID_LIMIT):
        raise Refused(501, "5.5.4", "ENVID takes xtext of at most 100 characters")
    auth = values.get("AUTH", "<>")
    if auth != "<>" and not _XTEXT.fullmatch(auth):
        raise Refused(501, "5.5.4", "AUTH takes <> or xtext")
    for keyword in ("SMTPUTF8", "PRDR"):
        if values.get(keyword):
            raise Refused(501, "5.5.4", f"{keyword} takes no value")
    return MailParameters(
        size=None if size is None else int(size),
        body=body,
        utf8="SMTPUTF8" in values,
        prdr="PRDR" in values,
        ret=ret,
        envid=envid,
    )


def rcpt_parameters(values: Mapping[str, str], offered: Collection[str]) -> RcptParameters:
    """
    Read the parameters of RCPT.

    @raise Refused: 555 for one that was not offered, 501 for a value that is none.
    """
    if not values:
        return _NOTHING
    _check(values, RCPT_KEYWORDS, offered)
    notify = values.get("NOTIFY", "").upper()
    wishes = notify.split(",")
    if "NOTIFY" in values and notify != "NEVER":
        if not _NOTIFY.issuperset(wishes) or len(set(wishes)) < len(wishes):
            raise Refused(501, "5.5.4", "NOTIFY is NEVER, or some of SUCCESS,FAILURE,DELAY")
    orcpt = values.get("ORCPT", "")
    if "ORCPT" in values:
        grammar = _ORCPT if orcpt.isascii() else _UTF8_ORCPT
        if not grammar.fullmatch(orcpt) or len(orcpt) > _ORCPT_LIMIT:
            raise Refused(501, "5.5.4", "ORCPT takes a type, a semicolon and xtext")
    return RcptParameters(notify, orcpt)


_NOTHING = RcptParameters()


def _check(
    values: Mapping[str, str], extensions: Mapping[str, str], offered: Collection[str]
) -> None:
    for keyword in values:
        if extensions.get(keyword) not in offered:
            raise Refused(555, "5.5.4", f"parameter {keyword} is not recognised")
