"""
Messages that hide an attachment by broken structure, one trick each.

A trick takes a L{Payload} and gives a message that some mail program shows with the file attached.
"""

from base64 import b64encode
from binascii import b2a_qp, b2a_uu

from attrs import frozen

from tests.message.samples import PROGRAM

MARK = b"THE-MARKED-PAYLOAD-OF-THE-TRICK"
NAME = "payload.exe"
CONTENT = PROGRAM[:64] + MARK * 20 + b"\n"
"""What is hidden: it begins like a program for Windows."""

TYPE = "Content-Type: application/octet-stream; name=payload.exe"
PLACE = "Content-Disposition: attachment; filename=payload.exe"


@frozen
class Payload:
    """
    The hidden file, encoded.
    """

    encoding: str
    """As the header field names it."""

    body: bytes
    content: bytes = CONTENT

    @property
    def field(self):
        """
        Give the header field.
        """
        return f"Content-Transfer-Encoding: {self.encoding}"


def _lines(content):
    return b"\r\n".join(content[at : at + 76] for at in range(0, len(content), 76))


ENCODINGS = {
    "base64": Payload("base64", _lines(b64encode(CONTENT))),
    "quoted-printable": Payload(
        "quoted-printable", b2a_qp(CONTENT, istext=False).replace(b"=\n", b"=\r\n")
    ),
    "8bit": Payload(
        "8bit",
        CONTENT.replace(b"\0", b"\x01").replace(b"\r", b"\2").replace(b"\n", b"\3"),
        CONTENT.replace(b"\0", b"\x01").replace(b"\r", b"\2").replace(b"\n", b"\3"),
    ),
}
"""The payload in three encodings; without one it has no bytes that cannot be sent."""

TOP = "From: a@example.org\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
TEXT = "Content-Type: text/plain\r\n\r\nwords\r\n"


def raw(text):
    """
    Encode what was written as text, bytes as they are.
    """
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def join(*pieces):
    """
    Join pieces of a message.
    """
    return b"".join(map(raw, pieces))


def file_of(payload, *fields):
    """
    Give the part with the file, with these fields or the usual ones.
    """
    fields = fields or (TYPE, PLACE, payload.field)
    return join(*(join(field, "\r\n") for field in fields), "\r\n", payload.body, "\r\n")


def mixed(
    payload,
    field="Content-Type: multipart/mixed; boundary=frontier",
    line="frontier",
    part=None,
    last="--frontier--\r\n",
    before="",
    after="",
):
    """
    Give the usual message of a text and the file, of which something may be different.
    """
    part = file_of(payload) if part is None else part
    return join(
        TOP,
        field,
        "\r\n\r\n",
        before,
        "--",
        line,
        "\r\n",
        TEXT,
        "--",
        line,
        "\r\n",
        part,
        last,
        after,
    )


TRICKS = {}


def trick(name):
    """
    Put a trick into the table.
    """

    def put(function):
        assert name not in TRICKS, name
        TRICKS[name] = function
        return function

    return put


def _field(name, field, line="frontier", last=None):
    last = f"--{line}--\r\n" if last is None else last
    trick(name)(lambda p: mixed(p, field=field, line=line, last=last))


def _part(name, *fields):
    def make(p):
        return mixed(p, part=file_of(p, *(p.field if f is None else f for f in fields)))

    trick(name)(make)


# -- fields that say twice of what type the message is

_field(
    "two types, the first is text",
    "Content-Type: text/plain\r\nContent-Type: multipart/mixed; boundary=frontier",
)
_field(
    "two types, the last is text",
    "Content-Type: multipart/mixed; boundary=frontier\r\nContent-Type: text/plain",
)
_field(
    "two boundaries in two fields, the first is right",
    "Content-Type: multipart/mixed; boundary=frontier\r\n"
    "Content-Type: multipart/mixed; boundary=other",
)
_field(
    "two boundaries in two fields, the last is right",
    "Content-Type: multipart/mixed; boundary=other\r\n"
    "Content-Type: multipart/mixed; boundary=frontier",
)
_field(
    "two boundaries in one field, the first is right",
    "Content-Type: multipart/mixed; boundary=frontier; boundary=other",
)
_field(
    "two boundaries in one field, the last is right",
    "Content-Type: multipart/mixed; boundary=other; boundary=frontier",
)
_field(
    "three types, that in the middle is right",
    "Content-Type: text/plain\r\nContent-Type: multipart/mixed; boundary=frontier\r\n"
    "Content-Type: text/html",
)

# -- odd boundaries

_field("boundary in single quotes", "Content-Type: multipart/mixed; boundary='frontier'")
_field(
    "boundary with a quote that is not closed", 'Content-Type: multipart/mixed; boundary="frontier'
)
_field("boundary with a quote at its end only", 'Content-Type: multipart/mixed; boundary=frontier"')
_field("boundary behind a comment", "Content-Type: multipart/mixed; boundary=(x)frontier")
_field("boundary before a comment", "Content-Type: multipart/mixed; boundary=frontier(x)")
_field("comment before the boundary", "Content-Type: multipart/mixed; (x)boundary=frontier")
_field(
    "comment behind the name of the parameter",
    "Content-Type: multipart/mixed; boundary(x)=frontier",
)
_field("comment within the type", "Content-Type: multipart(x)/mixed; boundary=frontier")
_field("space around the slash", "Content-Type: multipart / mixed; boundary=frontier")
_field("no semicolon before the boundary", "Content-Type: multipart/mixed boundary=frontier")
_field("comma before the boundary", "Content-Type: multipart/mixed, boundary=frontier")
_field("two semicolons before the boundary", "Content-Type: multipart/mixed;; boundary=frontier")
_field("spaces around the equals sign", "Content-Type: multipart/mixed; boundary = frontier")
_field(
    "boundary as RFC 2231 encodes it",
    "Content-Type: multipart/mixed; boundary*=us-ascii''%66rontier",
)
_field("boundary in two pieces", "Content-Type: multipart/mixed; boundary*0=fron; boundary*1=tier")
_field(
    "plain boundary against one in pieces",
    "Content-Type: multipart/mixed; boundary=other; boundary*0=fron; boundary*1=tier",
)
_field(
    "boundary as an encoded word",
    "Content-Type: multipart/mixed; boundary==?us-ascii?q?fron=74ier?=",
)
_field(
    "boundary as an encoded word in quotes",
    'Content-Type: multipart/mixed; boundary="=?us-ascii?b?ZnJvbnRpZXI=?="',
)
_field("boundary with a backslash in it", 'Content-Type: multipart/mixed; boundary="fron\\tier"')
_field("boundary in other letters", "Content-Type: multipart/mixed; boundary=FRONTIER")
_field(
    "boundary of 80 characters, of which 70 count",
    f"Content-Type: multipart/mixed; boundary={'f' * 80}",
    "f" * 70,
)
_field(
    "boundary of 300 characters", f"Content-Type: multipart/mixed; boundary={'f' * 300}", "f" * 300
)
_field("boundary that is folded", 'Content-Type: multipart/mixed; boundary="fron\r\n tier"')
_field(
    "boundary with a space in it",
    'Content-Type: multipart/mixed; boundary="fron tier"',
    "fron tier",
)
_field("boundary with a space at its end", 'Content-Type: multipart/mixed; boundary="frontier "')
_field("empty boundary", 'Content-Type: multipart/mixed; boundary=""', "")
_field("no boundary at all", "Content-Type: multipart/mixed")
_field(
    "boundary with 8-bit letters",
    "Content-Type: multipart/mixed; boundary=fr\xf6ntier",
    "fr\xf6ntier",
)
_field("type of the container is misspelled", "Content-Type: multipart/; boundary=frontier")
_field(
    "separator is longer than the boundary",
    "Content-Type: multipart/mixed; boundary=front",
    "frontier",
    "--frontier--\r\n",
)
_field("last boundary is missing", "Content-Type: multipart/mixed; boundary=frontier", last="")
_field(
    "last boundary has one hyphen",
    "Content-Type: multipart/mixed; boundary=frontier",
    last="--frontier-\r\n",
)
_field("boundary with a tab before it", "Content-Type: multipart/mixed;\tboundary=\tfrontier")


@trick("boundaries of which one begins like the other")
def _(p):
    inner = join(
        "Content-Type: multipart/mixed; boundary=frontier1\r\n\r\n--frontier1\r\n",
        file_of(p),
        "--frontier1--\r\n",
    )
    return mixed(p, part=inner)


@trick("the same boundary within and without")
def _(p):
    inner = join(
        "Content-Type: multipart/mixed; boundary=frontier\r\n\r\n--frontier\r\n",
        file_of(p),
        "--frontier--\r\n",
    )
    return mixed(p, part=inner)


@trick("white space behind the separators")
def _(p):
    return mixed(p, line="frontier \t ", last="--frontier-- \r\n")


@trick("white space before the separators")
def _(p):
    return mixed(p).replace(b"\r\n--frontier", b"\r\n --frontier")


@trick("text behind the separator")
def _(p):
    return mixed(p, line="frontier x")


@trick("the file stands before the first boundary")
def _(p):
    return mixed(p, before=file_of(p), part=TEXT)


@trick("the file stands behind the last boundary")
def _(p):
    return mixed(p, part=TEXT, after=join("\r\n", file_of(p)))


@trick("the file stands behind the last boundary and another separator")
def _(p):
    return mixed(p, part=TEXT, after=join("--frontier\r\n", file_of(p), "--frontier--\r\n"))


@trick("the last boundary stands before the file by itself")
def _(p):
    return join(
        TOP,
        "Content-Type: multipart/mixed; boundary=frontier\r\n\r\n--frontier--\r\n",
        "--frontier\r\n",
        file_of(p),
        "--frontier--\r\n",
    )


@trick("the separators are those of another boundary")
def _(p):
    return mixed(p, field="Content-Type: multipart/mixed; boundary=other")


@trick("the outer container ends before the inner one")
def _(p):
    inner = join(
        "Content-Type: multipart/mixed; boundary=within\r\n\r\n--within\r\n",
        TEXT,
        "--frontier--\r\n--within\r\n",
        file_of(p),
        "--within--\r\n",
    )
    return mixed(p, part=inner)


# -- header sections


@trick("space before the colon of the top field")
def _(p):
    return mixed(p, field="Content-Type : multipart/mixed; boundary=frontier")


@trick("NUL in the name of the top field")
def _(p):
    return mixed(p, field="Content-\0Type: multipart/mixed; boundary=frontier")


@trick("NUL in the boundary")
def _(p):
    return mixed(p, field="Content-Type: multipart/mixed; boundary=fron\0tier")


@trick("NUL in the separators")
def _(p):
    return mixed(p, line="fron\0tier")


@trick("a line of white space ends the header section")
def _(p):
    part = join(TYPE, "\r\n", PLACE, "\r\n", p.field, "\r\n \r\n", p.body, "\r\n")
    return mixed(p, part=part)


@trick("a line of white space stands before the type")
def _(p):
    return mixed(p, field=" \r\nContent-Type: multipart/mixed; boundary=frontier")


@trick("a line that is no field stands before the type")
def _(p):
    return mixed(p, field="no field\r\nContent-Type: multipart/mixed; boundary=frontier")


@trick("a line that is no field ends the header section of the file")
def _(p):
    return mixed(p, part=join(TYPE, "\r\n", p.field, "\r\nno field\r\n", p.body, "\r\n"))


@trick("the header section of the file goes on behind an empty line")
def _(p):
    return mixed(p, part=join("Content-Type: text/plain\r\n\r\n", file_of(p)))


@trick("the message begins with an empty line")
def _(p):
    return join("\r\n", mixed(p))


@trick("the message begins with white space")
def _(p):
    return join(" ", mixed(p, field="X: y")[len(TOP) :], mixed(p))


@trick("bare LF in the header section")
def _(p):
    return mixed(p, field="X: y\nContent-Type: multipart/mixed; boundary=frontier")


@trick("bare CR in the header section")
def _(p):
    return mixed(p, field="X: y\rContent-Type: multipart/mixed; boundary=frontier")


@trick("bare LF around the separators")
def _(p):
    return mixed(p).replace(b"\r\n--frontier\r\n", b"\n--frontier\n")


@trick("bare CR around the separators")
def _(p):
    return mixed(p).replace(b"\r\n--frontier\r\n", b"\r--frontier\r")


@trick("bare LF ends the header section of the file")
def _(p):
    part = join(TYPE, "\n", PLACE, "\n", p.field, "\n\n", p.body, "\r\n")
    return mixed(p, part=part)


@trick("the name of the type field has 8-bit letters")
def _(p):
    return mixed(p, field=b"\xef\xbb\xbfContent-Type: multipart/mixed; boundary=frontier")


@trick("the type is folded in its middle")
def _(p):
    return mixed(p, field="Content-Type: multipart/\r\n mixed; boundary=frontier")


@trick("the type field is folded at once")
def _(p):
    return mixed(p, field="Content-Type:\r\n\tmultipart/mixed;\r\n\tboundary=frontier")


@trick("no empty line behind the fields of the file")
def _(p):
    return mixed(p, part=join(TYPE, "\r\n", PLACE, "\r\n", p.field, "\r\n", p.body, "\r\n"))


# -- encodings

_part("two encodings, the first is right", TYPE, PLACE, None, "Content-Transfer-Encoding: 7bit")
_part("two encodings, the last is right", TYPE, PLACE, "Content-Transfer-Encoding: 7bit", None)


def _encoded(name, change):
    trick(name)(lambda p: mixed(p, part=file_of(p, TYPE, PLACE, join(change(p.field)))))


_encoded("encoding with a comment", lambda field: field + " (x)")
_encoded("encoding in quotes", lambda field: field.replace(": ", ': "') + '"')
_encoded("encoding with a parameter", lambda field: field + "; x=y")
_encoded("encoding in capitals", lambda field: field.upper())
_encoded("encoding with an x before it", lambda field: field.replace(": ", ": x-"))
_encoded("space before the colon of the encoding", lambda field: field.replace(":", " :"))
_encoded("encoding that is folded", lambda field: field.replace(": ", ":\r\n "))
_encoded("encoding behind a NUL", lambda field: field.replace(": ", ": \0"))


@trick("encoding of the whole message")
def _(p):
    return mixed(p, field=f"{p.field}\r\nContent-Type: multipart/mixed; boundary=frontier")


def _body(name, change):
    def make(p):
        body = change(p.body) if p.encoding == "base64" else p.body
        return mixed(p, part=file_of(Payload(p.encoding, body)))

    trick(name)(make)


_body("base64 with other characters in it", lambda body: body.replace(b"A", b"*A!"))
_body("base64 with padding before it", lambda body: b"====\r\n" + body)
_body(
    "base64 in pieces with padding",
    lambda body: b"\r\n".join(b64encode(CONTENT[at : at + 40]) for at in range(0, 800, 40)),
)
_body("base64 that goes on behind its padding", lambda body: b64encode(CONTENT) + b"=\r\nQUFB")
_body("base64 with padding and rubbish", lambda body: b64encode(CONTENT) + b"==\r\n!!!!")
_body("base64 with an empty line in it", lambda body: body.replace(b"\r\n", b"\r\n\r\n", 2))
_body("base64 with a hyphen before each line", lambda body: body.replace(b"\r\n", b"\r\n>"))
_body("base64 with spaces", lambda body: body.replace(b"V", b" V\t"))
_body("base64 without its last letters", lambda body: body[:-3])


# -- names


def _named(name, *fields):
    _part(name, *fields, None)


OCTETS = "Content-Type: application/octet-stream"
PLACED = "Content-Disposition: attachment"
_named("name in the type only", TYPE)
_named("name in the disposition only", PLACE)
_named("names that differ", "Content-Type: text/plain; name=a.txt", PLACE)
_named("names that differ the other way", TYPE, f"{PLACED}; filename=a.txt")
_named("two names in one field", OCTETS, f"{PLACED}; filename=a.txt; filename=payload.exe")
_named("two dispositions", OCTETS, f"{PLACED}; filename=a.txt", PLACE)
_named(
    "plain name against an extended one",
    OCTETS,
    f"{PLACED}; filename=a.txt; filename*=utf-8''payload%2Eexe",
)
_named(
    "extended name against a plain one",
    OCTETS,
    f"{PLACED}; filename*=utf-8''a.txt; filename=payload.exe",
)
_named("name in pieces", OCTETS, f"{PLACED}; filename*0=pay; filename*1=load.exe")
_named("name in pieces in another order", OCTETS, f"{PLACED}; filename*1=load.exe; filename*0=pay")
_named("name in pieces from 1 on", OCTETS, f"{PLACED}; filename*1=pay; filename*2=load.exe")
_named("name in pieces with a gap", OCTETS, f"{PLACED}; filename*0=payload.; filename*2=exe")
_named(
    "name in pieces with leading zeros", OCTETS, f"{PLACED}; filename*00=pay; filename*01=load.exe"
)
_named(
    "name in pieces against a plain one",
    OCTETS,
    f"{PLACED}; filename=a.txt; filename*0=payload; filename*1=.exe",
)
_named("name with a charset nobody knows", OCTETS, f"{PLACED}; filename*=x-none''payload%2Eexe")
_named("extended name without a charset", OCTETS, f"{PLACED}; filename*=payload%2Eexe")
_named("name as an encoded word", OCTETS, f'{PLACED}; filename="=?utf-8?q?payload=2Eexe?="')
_named(
    "name as two encoded words",
    OCTETS,
    f'{PLACED}; filename="=?utf-8?q?pay?= =?utf-8?q?load=2Eexe?="',
)
_named(
    "name as an encoded word in UTF-7", OCTETS, f'{PLACED}; filename="=?utf-7?q?payload+AC4-exe?="'
)
_named("name without quotes, with a space", OCTETS, f"{PLACED}; filename=payload.exe .txt")
_named("name with a comment", OCTETS, f"{PLACED}; filename=(x)payload.exe")
_named(
    "name behind a comment with a semicolon",
    OCTETS,
    f"{PLACED} (; filename=a.txt); filename=payload.exe",
)
_named("name with a quote that is not closed", OCTETS, f'{PLACED}; filename="payload.exe')
_named("name without a semicolon before it", OCTETS, f"{PLACED} filename=payload.exe")
_named("name with spaces around the equals sign", OCTETS, f"{PLACED}; filename = payload.exe")
_named("name with a NUL", OCTETS, f"{PLACED}; filename=payload.exe\0.txt")
_named("name in capitals", OCTETS, f"{PLACED}; FILENAME=PAYLOAD.EXE")
_named("name that is folded", OCTETS, f'{PLACED};\r\n filename="payload.e\r\n xe"')
_named("space before the colon of the disposition", OCTETS, PLACE.replace(":", " :"))
_named("disposition that is none", OCTETS, "Content-Disposition: ; filename=payload.exe")
_named(
    "inline and a text",
    "Content-Type: text/plain",
    "Content-Disposition: inline; filename=payload.exe",
)


# -- text, containers, envelopes


def uuencoded(content, name=NAME):
    """
    Give a uuencoded file.
    """
    lines = [b2a_uu(content[at : at + 45]) for at in range(0, len(content), 45)]
    return join(f"begin 644 {name}\r\n", b"".join(lines).replace(b"\n", b"\r\n"), "`\r\nend\r\n")


def yenc(content, name=NAME):
    """
    Give a file in yEnc.
    """
    body = bytearray()
    for byte in content:
        letter = (byte + 42) % 256
        if letter in b"\0\r\n=":
            body += bytes((0x3D, (letter + 64) % 256))
        else:
            body.append(letter)
    return join(
        f"=ybegin line=128 size={len(content)} name={name}\r\n",
        bytes(body),
        f"\r\n=yend size={len(content)}\r\n",
    )


def _said(p, content):
    if p.encoding == "base64":
        return b64encode(content)
    if p.encoding == "quoted-printable":
        return b2a_qp(content, istext=False).replace(b"=\n", b"=\r\n")
    return content


@trick("uuencoded in the text")
def _(p):
    return join(TOP, p.field, "\r\n\r\n", _said(p, join("words\r\n", uuencoded(CONTENT))))


@trick("uuencoded in a part of text")
def _(p):
    text = _said(p, join("words\r\n", uuencoded(CONTENT), "words\r\n"))
    return mixed(p, part=join("Content-Type: text/plain\r\n", p.field, "\r\n\r\n", text, "\r\n"))


@trick("uuencoded before the first boundary")
def _(p):
    return mixed(p, before=uuencoded(CONTENT), part=TEXT)


@trick("yEnc in the text")
def _(p):
    return join(TOP, p.field, "\r\n\r\n", _said(p, yenc(CONTENT)))


@trick("uuencoded, and said so")
def _(p):
    field = "Content-Transfer-Encoding: x-uuencode"
    return mixed(p, part=join(TYPE, "\r\n", field, "\r\n\r\n", uuencoded(CONTENT)))


@trick("in an attached message")
def _(p):
    return mixed(
        p,
        part=join("Content-Type: message/rfc822\r\n\r\n", mixed(p).replace(b"frontier", b"within")),
    )


@trick("in an attached message that begins with an empty line")
def _(p):
    inner = mixed(p).replace(b"frontier", b"within")
    return mixed(p, part=join("Content-Type: message/rfc822\r\n\r\n\r\n", inner))


@trick("in an attached message that is encoded")
def _(p):
    inner = mixed(p).replace(b"frontier", b"within")
    encoded = (
        Payload(p.encoding, _said(p, inner)) if p.encoding != "8bit" else Payload("8bit", inner)
    )
    return mixed(p, part=file_of(encoded, "Content-Type: message/rfc822", encoded.field))


@trick("in a digest that does not name the type")
def _(p):
    return mixed(
        p,
        field="Content-Type: multipart/digest; boundary=frontier",
        part=join("\r\n", mixed(p).replace(b"frontier", b"within")),
    )


@trick("in an external body")
def _(p):
    return mixed(
        p, part=join("Content-Type: message/external-body; access-type=x\r\n\r\n", file_of(p))
    )


@trick("a text that is a program")
def _(p):
    return mixed(p, part=file_of(p, "Content-Type: text/plain", p.field))


@trick("an alternative that is a program")
def _(p):
    return mixed(p, field="Content-Type: multipart/alternative; boundary=frontier")


@trick("a page with a program beside it")
def _(p):
    return mixed(p, field="Content-Type: multipart/related; boundary=frontier; type=text/html")
