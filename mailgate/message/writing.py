"""
Mail that mailgate writes itself: the one place where it is put together.

Much of what a notice tells is a stranger's text: subjects, addresses, what an upstream has said.
Whatever comes in here is text that may hold anything, and is encoded or dropped, so that it can
neither begin a header field, nor a part, nor a line of its own (RFC 5322, 2045, 2047, 3834).
"""

from __future__ import annotations

import re
from base64 import b64encode
from binascii import b2a_qp
from collections.abc import Iterable, Iterator, Sequence
from email.utils import formatdate
from secrets import token_hex

from attrs import field, frozen

from mailgate.message.envelope import Envelope, Session, new_id
from mailgate.wire.address import NULL_SENDER, Address

NOTICE = "notice"
"""The role of a message of ours that nobody need keep where it cannot be delivered."""

REPORT = "report"
"""The role of a delivery status notification: somebody else's message depends on it."""

OURS = frozenset((NOTICE, REPORT))
"""What stands in the place of a listener's role where we have written the message."""

SUBJECT_LIMIT = 200
"""How many characters a subject has at most."""

FIELD_LIMIT = 600
"""How many characters the value of a field of a part has at most."""

LINE_LIMIT = 998
"""How many bytes a line may have without its CRLF (RFC 5322 section 2.1.1)."""

_FOLDED = 76
_WORD_BYTES = 36
"""Of a text in one encoded word: C{Subject: } and the word fit into a line of 76."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,40}")
_ATOMS = re.compile(r"[^\s()<>@,;:\\\".\[\]]+(\.[^\s()<>@,;:\\\".\[\]]+)*")
_QUOTED = re.compile(r'"([^"\\]|\\.)*"')
_DOMAIN = re.compile(r"[\w-]+(\.[\w-]+)*|\[[0-9A-Za-z:.]+\]")
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,120}@[!-;=?-~]{1,120}>", re.ASCII)
_PLAIN = re.compile(r"[\t -~]*")
_UTF8_XCHAR = re.compile(r"[^!-*,-<>-\[\]-~]")


@frozen
class Part:
    """
    A part of a message, or all that is behind its header section.
    """

    kind: str
    """Its Content-Type."""

    content: bytes
    """As it is sent; each line is ended by CRLF."""

    encoding: str = "7bit"
    """Its Content-Transfer-Encoding."""


@frozen
class Written:
    """
    A message of ours.
    """

    content: bytes
    recipient: Address
    is_8bit: bool
    """Whether it can only go to an upstream with 8BITMIME."""

    def envelope(self, hostname: str, role: str, trace: str, now: float) -> Envelope:
        """
        Give the envelope under which it is sent: from the null sender, so that nothing ever comes
        of it (RFC 5321 section 6.1).

        @param role: L{NOTICE} or L{REPORT}.
        @param trace: of the message that it is about, or a new one.
        @param now: in seconds since the epoch.
        """
        session = Session(new_id(), role, role, "127.0.0.1", 0, now, hostname, True)
        body = "8BITMIME" if self.is_8bit else "7BIT"
        is_utf8 = not self.recipient.is_ascii
        return Envelope(session, trace, NULL_SENDER, now, len(self.content), body, is_utf8)


@frozen
class Letter:
    """
    What stands above a message of ours.
    """

    hostname: str
    sender: Address
    """Whose address is given as the one to answer to."""

    recipient: Address
    subject: str
    now: float
    """In seconds since the epoch."""

    is_answer: bool = False
    """Whether a message of the recipient has led to it (RFC 3834 section 5)."""

    about: str = ""
    """The Message-ID of the message that it is about, or C{""}."""

    list_id: str = ""
    """The name by which programs sort it (RFC 2919), a domain name of ours, or C{""}."""

    identity: str = field(factory=new_id)

    def write(self, parts: Sequence[Part], report: str = "", alternative: bool = False) -> Written:
        """
        Put the message together.

        @param parts: one, or several.
        @param report: the C{report-type} of a multipart/report (RFC 6522), or C{""}.
        @param alternative: whether all parts say the same, the plainest first.
        """
        is_8bit = any(part.encoding == "8bit" for part in parts) or not self.recipient.is_ascii
        fields = "".join(self._fields()).encode()
        if len(parts) == 1 and not report:
            content = fields + _part(parts[0])
        else:
            kind = f"report; report-type={report}" if report else "mixed"
            content = fields + _multipart(parts, "alternative" if alternative else kind)
        return Written(content, self.recipient, is_8bit)

    def _fields(self) -> Iterator[str]:
        automatic = "auto-replied" if self.is_answer else "auto-generated"
        yield _structured("From", f"mailgate <{_mailbox(self.sender) or 'postmaster'}>")
        to = _mailbox(self.recipient)
        yield _structured("To", "undisclosed-recipients:;" if to is None else f"<{to}>")
        yield f"Subject: {encoded(self.subject, SUBJECT_LIMIT)}\r\n"
        yield f"Date: {formatdate(self.now, localtime=True)}\r\n"
        yield f"Message-ID: <{self.identity}@{self.hostname}>\r\n"
        about = self.about.strip()
        if _MESSAGE_ID.fullmatch(about):
            yield _structured("In-Reply-To", about)
            yield _structured("References", about)
        if self.list_id:
            yield _structured("List-Id", f"<{self.list_id}>")
        yield f"Auto-Submitted: {automatic}\r\n"
        yield "Precedence: bulk\r\n"
        yield "X-Auto-Response-Suppress: All\r\n"
        yield "MIME-Version: 1.0\r\n"


# -- parts ------------------------------------------------------------------------------


def text_part(text: str) -> Part:
    """
    Give a text for people. Its lines are ended by line feeds; nothing else in it is believed.
    """
    lines = [_clean(line) for line in text.split("\n")]
    if all(line.isascii() and len(line) <= _FOLDED for line in lines):
        return Part("text/plain; charset=us-ascii", _lines(line.encode() for line in lines))
    content = _quoted_printable(line.encode() for line in lines)
    return Part("text/plain; charset=utf-8", content, "quoted-printable")


def html_part(html: str) -> Part:
    """
    Give a page for people; whoever wrote it has escaped what strangers have said.
    """
    lines = html.encode("utf-8", "replace").split(b"\n")
    return Part("text/html; charset=utf-8", _quoted_printable(lines), "quoted-printable")


def fields_part(kind: str, groups: Sequence[Sequence[tuple[str, str]]]) -> Part:
    """
    Give groups of fields for programs, with an empty line between two groups, as those of
    message/delivery-status (RFC 3464 section 2.1). They are ASCII: what is not becomes C{?}.

    @raise ValueError: a name of a field is none.
    """
    written = ["".join(_field(name, value) for name, value in group) for group in groups]
    return Part(kind, "\r\n".join(written).encode("ascii"))


def headers_part(section: bytes, is_utf8: bool) -> Part:
    """
    Give the header section of a stranger's message (RFC 6522 section 4, RFC 6533 section 4).

    @param section: with the empty line at its end, or without.
    @param is_utf8: whether the message was allowed to have UTF-8 there.
    """
    lines = section.removesuffix(b"\r\n\r\n").removesuffix(b"\r\n").split(b"\r\n")
    if all(map(_is_plain, lines)):
        return Part("text/rfc822-headers", _lines(lines))
    is_global = is_utf8 and not section.isascii()
    kind = "message/global-headers" if is_global else "text/rfc822-headers; charset=utf-8"
    return Part(kind, _quoted_printable(lines), "quoted-printable")


def message_part(message: bytes, takes_8bit: bool) -> Part | None:
    """
    Give a stranger's whole message, or C{None} where it cannot be carried as it is: nothing may be
    encoded around a message (RFC 2046 section 5.2.1).

    @param takes_8bit: whether lines with 8-bit bytes can be sent.
    """
    lines = message.split(b"\r\n")
    if any(len(line) > LINE_LIMIT or b"\r" in line or b"\n" in line for line in lines):
        return None
    if b"\0" in message or not (message.isascii() or takes_8bit):
        return None
    encoding = "7bit" if message.isascii() else "8bit"
    return Part("message/rfc822", message.removesuffix(b"\r\n") + b"\r\n", encoding)


# -- addresses and texts ----------------------------------------------------------------


def typed_address(address: Address) -> str:
    """
    Give an address as a report names it, in ASCII (RFC 3464 section 2.3.2, RFC 6533 section 3).
    """
    text = str(address)
    if address.is_ascii:
        return f"rfc822; {text}"
    return f"utf-8; {utf8_xtext(text)}"


def utf8_xtext(text: str) -> str:
    r"""
    Write an address of UTF-8 in ASCII: C{\x{F6}} and the like (RFC 6533 section 3).
    """
    return _UTF8_XCHAR.sub(lambda match: f"\\x{{{ord(match[0]):02X}}}", text)


def in_words(text: str, limit: int) -> str:
    """
    Give a stranger's text on one line, of at most C{limit} characters.
    """
    words = " ".join(_clean(text[: 4 * limit]).split())
    return words if len(words) <= limit else f"{words[: limit - 1]}\N{HORIZONTAL ELLIPSIS}"


def encoded(text: str, limit: int) -> str:
    """
    Give a stranger's text as the value of a header field, folded: as it is where it is short
    plain words, else in encoded words (RFC 2047).
    """
    words = in_words(text, limit)
    if words.isascii() and "=?" not in words and all(len(w) <= 60 for w in words.split()):
        return _fold(words, _FOLDED - 10)
    pieces, piece = [], ""
    for character in words:
        if len((piece + character).encode()) > _WORD_BYTES:
            pieces.append(piece)
            piece = ""
        piece += character
    pieces.append(piece)
    return "\r\n ".join(
        f"=?utf-8?b?{b64encode(each.encode()).decode('ascii')}?=" for each in pieces
    )


# -- inside -----------------------------------------------------------------------------


def _clean(text: str) -> str:
    """
    Replace what cannot be printed: control characters, ends of lines of every kind, what turns
    the direction of writing, and lone surrogates.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else " " if each.isspace() else "\N{REPLACEMENT CHARACTER}"
        for each in text
    )


def _mailbox(address: Address) -> str | None:
    """
    Give an address as the grammar has it (RFC 5322 section 3.4.1), or C{None} where it does not.
    """
    text = str(address)
    is_local = _ATOMS.fullmatch(address.local) or _QUOTED.fullmatch(address.local)
    if not (is_local and text.isprintable() and len(text.encode()) <= 800):
        return None
    if address.domain and not _DOMAIN.fullmatch(address.domain):
        return None
    return text


def _structured(name: str, value: str) -> str:
    line = f"{name}: {value}"
    return f"{line}\r\n" if len(line) <= _FOLDED else f"{name}:\r\n {value}\r\n"


def _field(name: str, value: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name} is no name of a field")
    words = in_words(value, FIELD_LIMIT).encode("ascii", "replace").decode("ascii")
    return f"{name}: {_fold(words, _FOLDED - len(name) - 2)}\r\n"


def _fold(words: str, first: int) -> str:
    """
    Break a line at its spaces where it is too long; a word never is.

    @param first: the room in the first line.
    """
    lines, line, room = [], "", first
    for word in words.split(" "):
        if line and len(line) + 1 + len(word) > room:
            lines.append(line)
            line, room = word, _FOLDED - 1
        else:
            line = f"{line} {word}" if line else word
    return "\r\n ".join((*lines, line))


def _is_plain(line: bytes) -> bool:
    return len(line) <= LINE_LIMIT and _PLAIN.fullmatch(line.decode("latin-1")) is not None


def _lines(lines: Iterable[bytes]) -> bytes:
    return b"".join(line + b"\r\n" for line in lines)


def _quoted_printable(lines: Iterable[bytes]) -> bytes:
    # Taken for no text, CR and LF within a line are written as any other byte.
    return _lines(b2a_qp(line, istext=False).replace(b"=\n", b"=\r\n") for line in lines)


def _part(part: Part) -> bytes:
    head = f"Content-Type: {part.kind}\r\nContent-Transfer-Encoding: {part.encoding}\r\n\r\n"
    return head.encode("ascii") + part.content


def _multipart(parts: Sequence[Part], kind: str) -> bytes:
    boundary = token_hex(16)
    encoding = "8bit" if any(part.encoding == "8bit" for part in parts) else "7bit"
    head = (
        f'Content-Type: multipart/{kind};\r\n boundary="{boundary}"\r\n'
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    body = "".join((head, "This is a message in several parts (MIME).\r\n")).encode("ascii")
    for part in parts:
        body += f"\r\n--{boundary}\r\n".encode("ascii") + _part(part)
    return body + f"\r\n--{boundary}--\r\n".encode("ascii")
