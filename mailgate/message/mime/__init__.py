"""
What is inside a message (RFC 2045, 2046, 2183): its parts, its text, its attachments by name, as
every mail program would read them.

C{read} reads a message as most programs do, in one pass, and tells what in it is not strictly
regular (L{mailgate.message.mime.regular} says what that means). Where nothing is, this is all that
there is to see. Otherwise L{mailgate.message.mime.readings} reads it again in other ways.
"""

from mailgate.message.mime.parts import Limits, Parsed, Part, TextPart, decoded
from mailgate.message.mime.reader import read

__all__ = ["Limits", "Parsed", "Part", "TextPart", "decoded", "read"]
