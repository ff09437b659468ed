"""
Writing parts and fields, as bytes with CRLF, in the ways of several programs.
"""

from __future__ import annotations

from base64 import b64encode
from binascii import b2a_qp
from collections.abc import Sequence

_WORD = 52
"""How long the text of an encoded word may be: with its frame and the name of its field before it,
it fits into a line of 76 (RFC 2047, section 2)."""

_LINE = 76
_LONGEST = 998


def encode(text: str, encoding: str) -> tuple[str, bytes]:
    """
    Encode the text of a part.

    @param encoding: as it is wanted. Where 7bit and 8bit cannot hold the text, it is
        quoted-printable.
    @return: the encoding and the lines, which end in CRLF.
    """
    data = "\r\n".join(text.splitlines()).encode("utf-8") + b"\r\n"
    if encoding == "base64":
        return encoding, folded_base64(data)
    if encoding != "quoted-printable":
        is_short = all(len(line) <= _LONGEST for line in data.split(b"\r\n"))
        if is_short and (encoding == "8bit" or data.isascii()):
            return encoding, data
    lines = b2a_qp(data.replace(b"\r\n", b"\n"), istext=True).replace(b"\n", b"\r\n")
    return "quoted-printable", lines


def folded_base64(data: bytes) -> bytes:
    """
    Write bytes in base64, in lines of 76 that end in CRLF.
    """
    content = b64encode(data)
    return b"".join(
        content[start : start + _LINE] + b"\r\n" for start in range(0, len(content), _LINE)
    )


def text_part(kind: str, text: str, encoding: str, more: str = "") -> bytes:
    """
    Write a part of text in UTF-8.

    @param kind: as in C{text/html}.
    @param more: further parameters of the type, each after a semicolon.
    """
    encoding, data = encode(text, encoding)
    head = (
        f"Content-Type: {kind}; charset=utf-8{more}\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return head.encode("ascii") + data


def file_part(kind: str, name: str, data: bytes, content_id: str = "") -> bytes:
    """
    Write a part with a file: attached, or shown within the page by its Content-ID.
    """
    fields = [
        f'Content-Type: {kind}; name="{name}"',
        "Content-Transfer-Encoding: base64",
        f'Content-Disposition: {"inline" if content_id else "attachment"}; filename="{name}"',
    ]
    if content_id:
        fields.append(f"Content-ID: <{content_id}>")
    return "\r\n".join([*fields, "", ""]).encode("ascii") + folded_base64(data)


def multipart(kind: str, boundary: str, parts: Sequence[bytes], preamble: bytes = b"") -> bytes:
    """
    Join parts to one.

    @param kind: C{alternative}, C{mixed}, or C{related} with further parameters.
    """
    line = boundary.encode("ascii")
    head = f'Content-Type: multipart/{kind};\r\n boundary="{boundary}"\r\n\r\n'.encode("ascii")
    inside = b"".join(b"--%s\r\n%s\r\n" % (line, part) for part in parts)
    return head + preamble + inside + b"--%s--\r\n" % line


def encoded_words(text: str, way: str) -> list[str]:
    """
    Write text for a field: as it is, or in encoded words (RFC 2047), one an item.

    @param way: C{q} or C{b}.
    """
    if text.isascii():
        return text.split(" ")
    words, run = [], ""
    for letter in text:
        if run and len(_coded(run + letter, way)) > _WORD:
            words.append(run)
            run = ""
        run += letter
    return [f"=?UTF-8?{way.upper()}?{_coded(word, way)}?=" for word in [*words, run]]


def _coded(text: str, way: str) -> str:
    data = text.encode("utf-8")
    if way == "b":
        return b64encode(data).decode()
    return "".join(
        "_" if byte == 0x20 else chr(byte) if chr(byte).isalnum() and byte < 128 else f"={byte:02X}"
        for byte in data
    )


def field(name: str, words: Sequence[str], fold: str = "\r\n ") -> bytes:
    """
    Write a field, folded before it grows longer than 78.
    """
    line, lines = f"{name}:", []
    for word in words:
        if len(line) + 1 + len(word) > 78 and not line.endswith(":"):
            lines.append(line)
            line = fold[2:] + word
        else:
            line += f" {word}"
    return "\r\n".join([*lines, line, ""]).encode("utf-8")


def mailbox(name: str, address: str, way: str) -> list[str]:
    """
    Write a mailbox for a field, as words between which it may be folded.

    @param way: C{q} or C{b}, for names that need it.
    """
    if name.isascii():
        is_atoms = name.replace(" ", "").isalnum()
        return [name if is_atoms else f'"{name}"', f"<{address}>"]
    return [*encoded_words(name, way), f"<{address}>"]
