"""
Messages that are made to hurt a reader, or those who look at what it reads: families that can be
made of any size. The first are A8 to A11, A21 and A22 of the list of attacks.
"""

from base64 import b64encode

from tests.message.tricks import join

_TOP = b"From: a@example.org\r\nMIME-Version: 1.0\r\n"
_MIXED = _TOP + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
_ODD = _TOP + b"Content-Type : multipart/mixed; boundary=b\r\n\r\n"
_PAGE = _TOP + b"Content-Type: text/html; charset=utf-8\r\n\r\n"
_PLAIN = _TOP + b"Content-Type: text/plain; charset=utf-8\r\n\r\n"
_NAMED = b"--b\r\nContent-Disposition: attachment; filename=a.exe\r\n\r\nx\r\n"
_LETTERS = b64encode(bytes(range(256)))


def _repeated(head, piece, tail=b""):
    """
    Give a family that repeats a piece.
    """
    head, piece, tail = join(head), join(piece), join(tail)
    return lambda size: head + piece * max(1, (size - len(head) - len(tail)) // len(piece)) + tail


def _numbered(head, piece, tail=b""):
    """
    Give a family of pieces, each with a number of its own in the place of C{%d}.
    """

    def make(size):
        count = max(1, (size - len(head)) // (len(piece) + 3))
        return head + b"".join(piece.replace(b"%d", b"%d" % at) for at in range(count)) + tail

    return make


FAMILIES = {
    # A8, A9: lines and header sections
    "one line without an end": _repeated(b"", b"a"),
    "a body of one line": _repeated(_TOP + b"\r\n", b"a"),
    "a header line without an end": _repeated(b"X: ", b"a"),
    "very many header lines": _repeated(b"", b"X: y\r\n"),
    "very many different header lines": _numbered(b"", b"X%d: y\r\n"),
    "a header field that is folded without end": _repeated(b"X:", b" y\r\n"),
    "header lines of white space": _repeated(b"X: y\r\n", b" \r\n"),
    "header lines that are no fields": _repeated(b"X: y\r\n", b"no field\r\n"),
    "very many types": _repeated(_TOP, b"Content-Type: text/plain\r\n", b"\r\nx"),
    "very many encodings": _repeated(_TOP, b"Content-Transfer-Encoding: base64\r\n", b"\r\nx"),
    "very many names": _repeated(_TOP, b"Content-Disposition: x; filename=a.exe\r\n", b"\r\nx"),
    "a type of semicolons": _repeated(_TOP + b"Content-Type: a/b", b";", b"\r\n\r\nx"),
    "a type of quotes": _repeated(_TOP + b"Content-Type: a/b; x=", b'"', b"\r\n\r\nx"),
    "a type of backslashes": _repeated(_TOP + b'Content-Type: a/b; x="', b"\\", b"\r\n\r\nx"),
    "a type of comments": _repeated(_TOP + b"Content-Type: ", b"(x)", b"\r\n\r\nx"),
    "a type of open comments": _repeated(_TOP + b"Content-Type: a/b ", b"(", b"\r\n\r\nx"),
    "a type of slashes": _repeated(_TOP + b"Content-Type: ", b"a/", b"\r\n\r\nx"),
    "very many parameters": _numbered(_TOP + b"Content-Type: a/b", b"; x%d=y", b"\r\n\r\nx"),
    "very many pieces of a name": _numbered(
        _TOP + b"Content-Disposition: a", b"; filename*%d*=%41", b"\r\n\r\nx"
    ),
    "very many boundaries": _numbered(
        _TOP + b"Content-Type: multipart/mixed", b"; boundary=b%d", b"\r\n\r\n--b1\r\n\r\nx"
    ),
    "encoded words without end": _repeated(b"Subject: ", b"=?utf-8?q?a?= ", b"\r\n\r\nx"),
    "a name of encoded words": _repeated(
        _TOP + b'Content-Type: a/b; name="', b"=?utf-8?b?YQ==?= ", b'"\r\n\r\nx'
    ),
    # A10: parts
    "very many parts": _repeated(_MIXED, b"--b\r\n\r\nx\r\n"),
    "very many attachments": _repeated(_MIXED, _NAMED),
    "very many attachments in an irregular message": _repeated(_ODD, _NAMED),
    "very many parts without a header section": _repeated(_MIXED, b"--b\r\n"),
    "parts that are header sections": _repeated(_MIXED, b"--b\r\n" + b"X: y\r\n" * 50),
    "very many last boundaries": _repeated(_MIXED, b"--b--\r\n"),
    "lines that are nearly boundaries": _repeated(_MIXED, b"--bx\r\n"),
    "lines of two hyphens": _repeated(_MIXED, b"--\r\n"),
    "containers within each other": _numbered(
        _TOP, b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n"
    ),
    "containers with one boundary within each other": _repeated(
        _TOP, b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    ),
    "containers beside each other": _repeated(
        _MIXED, b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n"
    ),
    "boundaries of which each begins like the next": lambda size: (
        _TOP
        + b"".join(
            b"Content-Type: multipart/mixed; boundary=%s\r\n\r\n--%s\r\n" % (b"b" * at, b"b" * at)
            for at in range(1, min(200, 2 + int((size / 60) ** 0.5)))
        )
        + b"--bbb\r\n" * (size // 10)
    ),
    "messages within each other": _repeated(_TOP, b"Content-Type: message/rfc822\r\n\r\n"),
    "digests within each other": _repeated(
        _TOP, b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n"
    ),
    "pieces of messages": _repeated(_MIXED, b"--b\r\nContent-Type: message/partial\r\n\r\nx\r\n"),
    "external bodies": _repeated(
        _MIXED, b"--b\r\nContent-Type: message/external-body; name=a.exe\r\n\r\nX: y\r\n"
    ),
    "what looks like a header section, again and again": _repeated(
        _ODD, b"Content-Type: a/b; name=a.exe\r\n\r\n"
    ),
    "header fields of parts without a body": _repeated(_ODD, b"Content-Type: a/b\r\n"),
    # A11: bytes
    "NUL without end": _repeated(_TOP + b"\r\n", b"\0"),
    "NUL in the header section": _repeated(b"X: ", b"\0", b"\r\n\r\nx"),
    "bare CR without end": _repeated(_ODD, b"\r"),
    "bare LF without end": _repeated(_ODD, b"\n"),
    "empty lines without end": _repeated(_ODD, b"\r\n"),
    "UTF-7 without end": _repeated(
        _TOP + b"Content-Type: text/plain; charset=utf-7\r\n\r\n", b"+2AA-"
    ),
    "lone surrogates in UTF-16": _repeated(
        _TOP + b"Content-Type: text/plain; charset=utf-16\r\n\r\n", b"\0\xd8"
    ),
    "bad UTF-8": _repeated(_TOP + b"Content-Type: text/plain; charset=utf-8\r\n\r\n", b"\xc3"),
    # A21: encodings
    "base64 of padding": _repeated(
        _TOP + b"Content-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\n", b"="
    ),
    "base64 of pieces": _repeated(
        _TOP + b"Content-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\n", b"QQ=="
    ),
    "base64 of rubbish": _repeated(
        _TOP + b"Content-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\n", b"!?*\x80"
    ),
    "base64 lines without base64": _repeated(_ODD, _LETTERS[:76] + b"\r\n"),
    "quoted-printable of equals signs": _repeated(
        _TOP + b"Content-Type: a/b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", b"="
    ),
    "files in a text that begin and do not end": _repeated(
        _TOP + b"\r\n", b"begin 644 a.exe\r\n#0V%T\r\n"
    ),
    "files in a text without content": _repeated(_TOP + b"\r\n", b"begin 644 a.exe\r\n"),
    "files in yEnc that begin and do not end": _repeated(
        _TOP + b"\r\n", b"=ybegin line=128 size=3 name=a.exe\r\nxxx\r\n"
    ),
    "uuencoded lines of wrong length": _repeated(
        _TOP + b"\r\nbegin 644 a.exe\r\n", b"M" + b"#" * 7 + b"\r\n"
    ),
    "ends of uuencoded files": _repeated(_TOP + b"\r\nbegin 644 a\r\n#0V%T\r\n", b"end\r\n"),
    "an attached message that is encoded, of parts": lambda size: (
        _TOP
        + b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + b64encode(_repeated(_ODD, _NAMED)(size * 3 // 4))
    ),
    # A22: names
    "a name without end": _repeated(
        _TOP + b"Content-Disposition: attachment; filename=", b"../", b"\r\n\r\nx"
    ),
    "names that are all different": _numbered(_ODD, _NAMED.replace(b"a.exe", b"a%d.exe")),
    "extensions that are all different": _numbered(_ODD, _NAMED.replace(b"a.exe", b"a.e%d")),
    "names with very many dots": _repeated(
        _TOP + b"Content-Disposition: attachment; filename=", b".a", b"\r\n\r\nx"
    ),
    "winmail.dat of attributes": lambda size: (
        _TOP
        + b"Content-Type: application/ms-tnef\r\n\r\n\x78\x9f\x3e\x22\1\0"
        + b"\2\x02\x90\6\0\0\0\0\0\0\0" * (size // 11)
    ),
    # what is shown: pages
    "a page of tags": _repeated(_PAGE, b"<a>"),
    "a page of brackets": _repeated(_PAGE, b"<"),
    "a page of brackets and spaces": _repeated(_PAGE, b"< "),
    "elements within each other": _repeated(_PAGE, b"<div>"),
    "line breaks": _repeated(_PAGE, b"<br>"),
    "elements that hide": _repeated(_PAGE, b"<p style=font-size:0>a"),
    "hidden elements within each other": _repeated(_PAGE, b'<div style="display:none">a b '),
    "styles that are all different": _numbered(_PAGE, b"<p style=font-size:%dpx>a"),
    "attributes that are all different": _numbered(_PAGE, b"<p a%d=b>"),
    "elements that are all different": _numbered(_PAGE, b"<x%d>"),
    "a style without end": _repeated(_PAGE + b'<p style="', b"color:red;"),
    "tables within cells": _repeated(_PAGE, b"<table><tr><td style=font-size:0>x"),
    "ends of what was never opened": _repeated(_PAGE, b"<b style=font-size:0></i>"),
    "white letters": _repeated(_PAGE, b"<font color=white>a</font>"),
    "images": _repeated(_PAGE, b"<img src=x>"),
    "comments": _repeated(_PAGE, b"<!---->"),
    "comments that do not end": _repeated(_PAGE, b"<!--"),
    "scripts that do not end": _repeated(_PAGE, b"<script></"),
    "quotes that do not end": _repeated(_PAGE, b'<a ="'),
    "references": _repeated(_PAGE, b"&lt;"),
    "references without semicolons": _repeated(_PAGE, b"&a"),
    "references by number": _repeated(_PAGE, b"&#x41;"),
    # links
    "links of a page": _numbered(_PAGE, b"<a href=http://a%d.example/>x</a>"),
    "international links": _numbered(_PAGE, "<a href=http://ä%d.example/>".encode()),
    "areas": _repeated(_PAGE, b"<area href=a>"),
    "links of a text": _numbered(_PLAIN, b"http://a%d.example/ "),
    "names of web servers": _repeated(_PLAIN, b"www."),
    "colons and slashes": _repeated(_PLAIN, b"://"),
    "links within links": _repeated(_PLAIN, b"http://a.example/?u=http%3A%2F%2F"),
    # words
    "rules of lists": _repeated(_PLAIN, b"-- \r\n"),
    "footers of lists": _repeated(_PLAIN, b"-----\r\nunsubscribe\r\n"),
    "exclamation marks": _repeated(_PLAIN, b"!"),
    "words that are all different": _numbered(_PLAIN, b"a%d "),
    "numbers": _repeated(_PLAIN, b"1 "),
    "prices": _repeated(_PLAIN, b"$1 "),
    "mail addresses": _numbered(_PLAIN, b"a%d@b.example "),
    "a character that becomes eighteen": _repeated(_PLAIN, "\ufdfa".encode()),
    "characters of no width": _repeated(_PLAIN, "a\u200b".encode()),
    "accents": _repeated(_PLAIN, "a\u0301".encode()),
    "accents upon each other": _repeated(_PLAIN, "\u0301\u0316".encode()),
    "ideographs": _repeated(_PLAIN, "漢".encode()),
    "letters for mathematics": _repeated(_PLAIN, "\U0001d400".encode()),
    "passwords": _repeated(_PLAIN, b"password: a "),
}
"""By their names, each a function of the size in bytes."""
