"""
What an Office document loads or starts when it is opened, by the files in it (ECMA-376), and where
its links lead. The same for RTF and for tables of values. Linear, never raising.
"""

from __future__ import annotations

import re
from html import unescape

from mailgate.message.inside.signs import Look, SignKind

_RELATIONSHIP = re.compile(r"<(?:\w{1,20}:)?Relationship\s([^<>]{1,4000})>")
_ATTRIBUTE = re.compile(r"(\w+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_LOADED = {
    "attachedtemplate": "its template",
    "oleobject": "an object",
    "frame": "a frame",
    "subdocument": "a part of itself",
    "control": "a control",
    "package": "an object",
    "customui": "a toolbar",
    "externallinkpath": "",
    "hyperlink": "",
    "image": "",
}
"""What is loaded by the last word of the type of a relationship; C{""}: it is only linked."""

_FIELD = re.compile(r"<w:instrText[^<>]{0,300}>([^<]{0,2000})<|w:instr\s*=\s*\"([^\"]{0,2000})\"")
_DDE_FIELD = re.compile(r"\bDDE(?:AUTO)?\b[^A-Za-z]{0,20}(.{0,100})", re.DOTALL)
_DDE_LINK = re.compile(r"<(?:\w{1,20}:)?ddeLink\b[^<>]{0,500}?ddeService\s*=\s*\"([^\"]{0,100})\"")
_CELL = re.compile(rb"(?:^|[\r\n,;\t\"])[ ]{0,10}[=+@-][ ]{0,10}['\"]?(\w{1,20})\|['\"]")
_TEMPLATE = re.compile(rb"\\\*\\template\s{0,10}([^{}\\]{1,500})")
_HYPERLINK = re.compile(rb"HYPERLINK\s{1,10}\"([^\"\\{}]{4,1000})\"")
_FAR = re.compile(
    r"(?:mhtml:|ms-\w+:)?!?(?:https?:|ftp:|file:[/\\]{2}(?![/\\])|[\\/]{2})", re.IGNORECASE
)


def look_at_member(name: str, data: bytes, look: Look, path: tuple[str, ...]) -> None:
    """
    Look at one of the files of a document.

    @param name: its name in the document, in small letters.
    """
    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "replace")
    if name.endswith(".rels"):
        for match in _RELATIONSHIP.finditer(text):
            _relationship(match[1], look, path)
        return
    if "instr" in text:
        fields = "".join(match[1] or match[2] or "" for match in _FIELD.finditer(text))
        found = _DDE_FIELD.search(unescape(fields))
        if found is not None:
            look.see(SignKind.DDE, f"asks to start a program by DDE ({found[1].strip()})", path)
    for match in _DDE_LINK.finditer(text):
        look.see(SignKind.DDE, f"asks a program by DDE ({unescape(match[1])})", path)


def is_looked_at(name: str) -> bool:
    """
    Tell whether C{look_at_member} finds anything in a file of this name, in small letters.
    """
    if name.endswith(".rels"):
        return True
    if name.startswith("word/"):
        # The text, and what stands above, below and beside it.
        stem = name[5:].rstrip("0123456789.xml")
        return stem in ("document", "header", "footer", "footnotes", "endnotes", "comments")
    return name.startswith("xl/externallinks/") and name.endswith(".xml")


def _relationship(written: str, look: Look, path: tuple[str, ...]) -> None:
    attributes = {
        match[1].lower(): unescape(match[2] or match[3] or "")
        for match in _ATTRIBUTE.finditer(written)
    }
    if attributes.get("targetmode", "").lower() != "external":
        return
    target = attributes.get("target", "").strip()
    kind = attributes.get("type", "").rpartition("/")[2].lower()
    if _FAR.match(target) is None:
        return
    look.lead(target)
    loaded = _LOADED.get(kind, "")
    if target[:6].lower() == "mhtml:":
        loaded = loaded or "a page"
    if loaded:
        look.see(SignKind.REMOTE, f"loads {loaded} from {target[:200]} when it is opened", path)


def look_at_names(names: set[str], look: Look, path: tuple[str, ...]) -> None:
    """
    Look at the names of the files of a document, in small letters.
    """
    if any("/macrosheets/" in name for name in names):
        look.see(SignKind.MACROS, "has macros of Excel 4 (XLM)", path)
    if any(name.startswith("basic/") and not name.endswith("-lc.xml") for name in names):
        look.see(SignKind.MACROS, "has macros of LibreOffice", path)
    objects = [name for name in names if "/embeddings/" in name and name.endswith(".bin")]
    if objects:
        look.see(SignKind.EMBEDDED, "has an object of another program in it (OLE)", path)
    if any("/activex/" in name for name in names):
        look.see(SignKind.EMBEDDED, "has a control in it (ActiveX)", path)


def look_at_rtf(data: bytes, look: Look, path: tuple[str, ...]) -> None:
    """
    Look at a document in Rich Text Format.
    """
    match = _TEMPLATE.search(data)
    if match is not None:
        target = match[1].decode("utf-8", "replace").strip()
        if _FAR.match(target):
            look.lead(target)
            look.see(
                SignKind.REMOTE, f"loads its template from {target[:200]} when it is opened", path
            )
    if b"\\objdata" in data or b"\\objocx" in data:
        when = ", which is loaded when it is opened" if b"\\objupdate" in data else ""
        look.see(SignKind.EMBEDDED, f"has an object of another program in it (OLE){when}", path)
    for link in _HYPERLINK.finditer(data):
        look.lead(link[1].decode("utf-8", "replace"))


def look_at_table(data: bytes, look: Look, path: tuple[str, ...]) -> None:
    """
    Look at a table of values (CSV), whose cells a program may take for formulas.
    """
    match = _CELL.search(data)
    if match is not None:
        service = match[1].decode("ascii", "replace")
        look.see(SignKind.DDE, f"asks to start a program by DDE ({service})", path)
