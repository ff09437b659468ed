"""
What comes with a message: invoices, entries for calendars, pictures.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import timedelta
from struct import pack
from textwrap import wrap

from bench.ham.letter import Letter

_CALENDAR_LINE = 60
"""Letters; 75 bytes are allowed (RFC 5545, section 3.1)."""


def invoice(lines: Sequence[str]) -> bytes:
    """
    Print lines on a page of PDF.
    """
    shown = [line.encode("cp1252", "replace") for line in lines]
    shown = [
        line.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)") for line in shown
    ]
    text = (
        b"BT /F1 11 Tf 60 780 Td 16 TL "
        + b" ".join(b"(%s) Tj T*" % line for line in shown)
        + b" ET"
    )
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    page, places = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, body in enumerate(bodies, 1):
        places.append(len(page))
        page += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(bodies) + 1
    end = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(page))
    return page + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + end


def picture(color: str, width: int = 120, height: int = 40) -> bytes:
    """
    Paint a PNG of one color.

    @param color: as in C{#0b6e4f}.
    """
    row = b"\0" + bytes.fromhex(color[1:]) * width

    def chunk(kind: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))

    head = pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", head),
            chunk(b"IDAT", zlib.compress(row * height, 9)),
            chunk(b"IEND", b""),
        ]
    )


def calendar(letter: Letter, method: str = "") -> str:
    """
    Write an entry for calendars (RFC 5545), of an hour.

    @param method: C{REQUEST} where it is to be answered (RFC 5546), or nothing.
    """
    if letter.meeting is None:
        raise ValueError(f"letter {letter.number} invites to nothing")
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:-//{letter.sender.domain}//events//{letter.language.upper()}",
        *([f"METHOD:{method}"] if method else []),
        "BEGIN:VEVENT",
        f"UID:{letter.number}-{letter.when:%Y%m%d}@{letter.sender.domain}",
        f"DTSTAMP:{letter.when:%Y%m%dT%H%M%SZ}",
        f"DTSTART:{letter.meeting:%Y%m%dT%H%M%SZ}",
        f"DTEND:{letter.meeting + timedelta(hours=1):%Y%m%dT%H%M%SZ}",
        f"SUMMARY:{letter.title or letter.words['meeting']}",
        f"LOCATION:{letter.place.replace(',', chr(92) + ',')}",
        f"ORGANIZER;CN={letter.sender.name}:mailto:events@{letter.sender.domain}",
        f"ATTENDEE;RSVP=TRUE:mailto:{letter.address}",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    folded = ("\r\n ".join(wrap(line, _CALENDAR_LINE, drop_whitespace=False)) for line in lines)
    return "\r\n".join([*folded, ""])
