"""
Files that attackers send, made here, and messages that bring them.
"""

import io
import struct
import sys
import tarfile
import time
import zipfile
import zlib
from base64 import encodebytes

SECOND = 1.0 if sys.gettrace() is None else 10.0
"""How long anything hostile may take; coverage makes every line several times as slow."""

PROGRAM = b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0" + b"\0" * 200
COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def within_a_second(case, function, *arguments):
    """
    Call a function and see that it takes less than a second of this thread's own time.
    """
    began = time.thread_time()
    result = function(*arguments)
    case.assertLess(time.thread_time() - began, SECOND)
    return result


def zipped(*files, method=zipfile.ZIP_DEFLATED):
    """
    Make a zip file of pairs of name and content.
    """
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return target.getvalue()


def tarred(*files, **options):
    """
    Make a tar file of pairs of name and content.
    """
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", **options) as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


def local_header(name, packed=0, size=0, flags=0, method=0):
    """
    Make what stands before a file in a zip file.
    """
    return (
        struct.pack("<4s5H3L2H", b"PK\3\4", 20, flags, method, 0, 0, 0, packed, size, len(name), 0)
        + name
    )


def central_header(name, offset=0, packed=0, size=0, flags=0, method=0, extra=b""):
    """
    Make an entry of the directory of a zip file.
    """
    lengths = (len(name), len(extra), 0)
    head = (b"PK\1\2", 20, 20, flags, method, 0, 0, 0, packed, size, *lengths, 0, 0, 0, offset)
    return struct.pack("<4s6H3L5H2L", *head) + name + extra


def end_of_directory(count, size, offset, comment=b""):
    """
    Make the end of a zip file.
    """
    count %= 65536
    head = (b"PK\5\6", 0, 0, count, count, size, offset, len(comment))
    return struct.pack("<4s4H2LH", *head) + comment


def zip_of(before, directory, count=1):
    """
    Join what lies in a zip file, its directory and its end.
    """
    return before + directory + end_of_directory(count, len(directory), len(before))


def overlapping(count, size=20_000_000):
    """
    Make a bomb of C{count} files that are all the same bytes.
    """
    machine = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = machine.compress(bytes(size)) + machine.flush()
    numbers = {"packed": len(packed), "size": size, "method": 8}
    before = local_header(b"a", **numbers) + packed
    names = (b"%06d" % number for number in range(count))
    return zip_of(before, b"".join(central_header(name, **numbers) for name in names), count)


def compound(*names, root_class=bytes(16)):
    """
    Make a compound file (OLE2) whose directory has these entries.
    """
    entries = []
    for name in ("Root Entry", *names):
        raw = (name + "\0").encode("utf-16-le")
        entries.append(raw.ljust(64, b"\0") + struct.pack("<H", len(raw)) + bytes(62))
    entries[0] = entries[0][:80] + root_class + entries[0][96:]
    return COMPOUND.ljust(512, b"\0") + b"".join(entries)


def message(*parts):
    """
    Make a message whose parts are these header lines, each with its content in base64.
    """
    made = [
        b"From: ada@example.org\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n",
        b"--b\r\n\r\nSee attached.\r\n",
    ]
    for lines, content in parts:
        made.append(b"--b\r\nContent-Transfer-Encoding: base64\r\n")
        made.append(lines.encode("utf-8", "surrogateescape") + b"\r\n\r\n")
        made.append(encodebytes(content).replace(b"\n", b"\r\n"))
    return b"".join([*made, b"--b--\r\n"])


def attached(name, content, kind="application/octet-stream"):
    """
    Make a message with one attachment.
    """
    lines = f'Content-Type: {kind}\r\nContent-Disposition: attachment; filename="{name}"'
    return message((lines, content))
