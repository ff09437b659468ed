"""
What is made of a message for several checks to read.
"""

from __future__ import annotations

from zope.interface import implementer

from mailgate.interfaces import IExtractor
from mailgate.message.header import Headers
from mailgate.message.section import header_section
from mailgate.pipeline.view import View


@implementer(IExtractor)
class FieldsExtractor:
    """
    C{fields}: the header fields of the message, as L{Headers}.
    """

    name = "fields"
    needs = ()
    deadline = 5.0

    def extract(self, view: View) -> Headers:
        """
        Read the header section.
        """
        return Headers.parse(header_section(view.message))


EXTRACTORS = (FieldsExtractor(),)
"""All extractors; those that no check needs do not run."""
