"""
Documents, pages and pictures as attackers make them, made here.
"""

import io
import struct
import zipfile
import zlib
from base64 import b64encode
from hashlib import pbkdf2_hmac
from hmac import digest

import pypdf
import zxingcpp
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from msoffcrypto.method.ecma376_agile import ECMA376Agile
from PIL import Image
from pypdf.generic import DictionaryObject, NameObject, TextStringObject

from tests.message.samples import COMPOUND, central_header, local_header, zip_of, zipped

TYPES = ("[Content_Types].xml", b"<Types/>")
RELATIONSHIPS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MACRO = (
    b'Attribute VB_Name = "A"\r\nSub AutoOpen()\r\n  Shell "calc"\r\nEnd Sub\r\n'
    + b"' words\r\n" * 500
)


def page(body):
    """
    Make a page.
    """
    return b"<!DOCTYPE html><html><body>" + body + b"</body></html>"


def smuggling(content):
    """
    Make a page whose script hands over a file.
    """
    encoded = b64encode(content)
    return page(
        b"<script>var b = new Blob([Uint8Array.from(atob('" + encoded + b"'), c => c)]);"
        b"var a = document.createElement('a'); a.href = URL.createObjectURL(b);"
        b"a.download = 'invoice.zip'; a.click();</script>"
    )


def word(*files):
    """
    Make a document of Word from these files.
    """
    return zipped(TYPES, *(files or (("word/document.xml", b"<w:document/>"),)))


def relationship(kind, target, mode="External"):
    """
    Make the file of relationships of a document, with this one.
    """
    return (
        f'<Relationships><Relationship Id="r" Type="{RELATIONSHIPS}/{kind}" '
        f'Target="{target}" TargetMode="{mode}"/></Relationships>'
    ).encode()


def compressed(data):
    """
    Compress by MS-OVBA 2.4.1, without any copies.
    """
    out = bytearray(b"\x01")
    for begin in range(0, len(data), 3600):
        chunk = data[begin : begin + 3600]
        tokens = b"".join(b"\0" + chunk[at : at + 8] for at in range(0, len(chunk), 8))
        out += struct.pack("<H", 0xB000 | (len(tokens) + 2 - 3)) + tokens
    return bytes(out)


def ole(*streams):
    """
    Make a compound file (MS-CFB) of streams: pairs of name and content, all in the root.
    """
    sectors, fat, entries = [], [], []
    root = ("Root Entry", 5, 0xFFFFFFFE, 0)
    for name, content in streams:
        content = content.ljust(4096, b"\0")  # What is smaller lies in a stream of small ones.
        count = -(-len(content) // 512)
        begin = len(sectors)
        sectors += [content[at * 512 : at * 512 + 512].ljust(512, b"\0") for at in range(count)]
        fat += [*range(begin + 1, begin + count), 0xFFFFFFFE]
        entries.append((name, 2, begin, len(content)))
    directory = b""
    for number, (name, kind, begin, size) in enumerate([root, *entries]):
        raw = (name + "\0").encode("utf-16-le")
        following = number + 1 if 0 < number < len(entries) else 0xFFFFFFFF
        child = 1 if number == 0 and entries else 0xFFFFFFFF
        directory += raw.ljust(64, b"\0") + struct.pack(
            "<HBB3L36xLQ", len(raw), kind, 1, 0xFFFFFFFF, following, child, begin, size
        )
    directory = directory.ljust(-(-len(directory) // 512) * 512, b"\0")
    first = len(sectors)
    count = len(directory) // 512
    sectors += [directory[at * 512 : at * 512 + 512] for at in range(count)]
    fat += [*range(first + 1, first + count), 0xFFFFFFFE]
    place = len(sectors)
    fat += [0xFFFFFFFD]
    table = b"".join(struct.pack("<L", each) for each in fat).ljust(512, b"\xff")
    assert len(table) == 512
    head = COMPOUND + bytes(16) + struct.pack("<5H6x", 0x3E, 3, 0xFFFE, 9, 6)
    head += struct.pack("<9L", 0, 1, first, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    head += struct.pack("<L", place)
    return head.ljust(512, b"\xff") + b"".join(sectors) + table


def macros():
    """
    Make a document of Word with a macro that runs by itself.
    """
    return word(
        ("word/document.xml", b"<w:document/>"),
        ("word/vbaProject.bin", ole(("_VBA_PROJECT", b""), ("Module", compressed(MACRO)))),
    )


def pdf(*objects):
    """
    Make a PDF of objects.
    """
    body = b"%PDF-1.7\n"
    offsets = []
    for number, each in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    table += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    tail = b"trailer\n<</Size %d /Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n"
    return body + table + tail % (len(objects) + 1, len(body))


def packed(*objects):
    """
    Make an object stream, as an object.
    """
    data = zlib.compress(b"1 0 " + b" ".join(objects))
    head = b"<</Type /ObjStm /N 1 /First 4 /Filter /FlateDecode /Length %d>>" % len(data)
    return head + b"\nstream\n" + data + b"\nendstream"


def locked_pdf(password, uri):
    """
    Make a PDF that is encrypted, with a link.
    """
    writer = pypdf.PdfWriter()
    writer.add_blank_page(100, 100)
    writer.root_object[NameObject("/OpenAction")] = DictionaryObject(
        {NameObject("/S"): NameObject("/URI"), NameObject("/URI"): TextStringObject(uri)}
    )
    writer.encrypt(password, "owner", algorithm="AES-256")
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


def locked_office(password, data):
    """
    Encrypt a document, which gets a file of 6,000 bytes more: what is shorter than 4,096 the
    library writes wrongly.
    """
    target = io.BytesIO(data)
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("filler", bytes(range(250)) * 24)
    data = target.getvalue()
    return ECMA376Agile.encrypt(password, io.BytesIO(data))


def _crc(value, byte):
    return zlib.crc32(bytes([byte]), value ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def locked_zip(password, name, content):
    """
    Make a zip file that is encrypted in the old way (APPNOTE 6.1).
    """
    keys = [0x12345678, 0x23456789, 0x34567890]

    def take(byte):
        keys[0] = _crc(keys[0], byte)
        keys[1] = ((keys[1] + (keys[0] & 255)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = _crc(keys[2], keys[1] >> 24)

    for byte in password:
        take(byte)
    crc = zlib.crc32(content)
    out = bytearray()
    for byte in bytes(11) + bytes([crc >> 24]) + content:
        mask = (keys[2] | 2) & 0xFFFF
        out.append(byte ^ ((mask * (mask ^ 1)) >> 8) & 255)
        take(byte)
    return _zip_with_crc(name, bytes(out), len(content), crc)


def locked_zip_aes(password, name, content):
    """
    Make a zip file that is encrypted with AES-256 (AE-2).
    """
    salt = bytes(range(16))
    keys = pbkdf2_hmac("sha1", password, salt, 1000, 66)
    cipher = Cipher(AES(keys[:32]), ECB()).encryptor()
    stream = b"".join(
        cipher.update(number.to_bytes(16, "little")) for number in range(1, len(content) // 16 + 2)
    )
    hidden = bytes(a ^ b for a, b in zip(content, stream, strict=False))
    mac = digest(keys[32:64], hidden, "sha1")[:10]
    extra = struct.pack("<2HH2sBH", 0x9901, 7, 2, b"AE", 3, 0)
    data = salt + keys[64:66] + hidden + mac
    numbers = {"packed": len(data), "size": len(content), "flags": 1, "method": 99}
    before = local_header(name, **numbers) + data
    return zip_of(before, central_header(name, extra=extra, **numbers))


def _zip_with_crc(name, data, size, crc):
    numbers = {"packed": len(data), "size": size, "flags": 1}
    before = bytearray(local_header(name, **numbers))
    before[14:18] = struct.pack("<L", crc)
    directory = bytearray(central_header(name, **numbers))
    directory[16:20] = struct.pack("<L", crc)
    return zip_of(bytes(before) + data, bytes(directory))


def code(text, format="PNG", mode="L"):
    """
    Make a picture with a code for a camera.
    """
    made = zxingcpp.write_barcode_to_image(
        zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode), scale=6
    )
    target = io.BytesIO()
    Image.fromarray(made).convert(mode).save(target, format)
    return target.getvalue()


def shortcut(path, arguments):
    """
    Make a shortcut of Windows (MS-SHLLINK).
    """
    head = b"\x4c\0\0\0" + bytes.fromhex("0114020000000000c000000000000046")
    head += struct.pack("<L", 8 | 32 | 128)
    text = b"".join(
        struct.pack("<H", len(each)) + each.encode("utf-16-le") for each in (path, arguments)
    )
    return head.ljust(76, b"\0") + text
