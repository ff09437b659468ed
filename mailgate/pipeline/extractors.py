"""
What is made of a message for several checks to read.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailgate.config.checks import Checks
from mailgate.interfaces import IExtractor, IMessage, IThreads, MaybeDeferred
from mailgate.message.archive import Caps
from mailgate.message.attachments import Attachments, Examination
from mailgate.message.header import Headers
from mailgate.message.message import HEAD_LIMIT
from mailgate.message.mime import Parsed, read
from mailgate.pipeline.plan import FIELDS
from mailgate.pipeline.view import View


@implementer(IExtractor)
class FieldsExtractor:
    """
    C{fields}: the header fields of the message, as L{Headers}.
    """

    name = FIELDS
    needs = ()
    deadline = 5.0

    def extract(self, view: View) -> Headers:
        """
        Give them, read once.
        """
        return view.message.headers


@frozen(eq=False)
class Content:
    """
    A message and what is in it.
    """

    data: bytes
    """The whole message as it came."""

    parsed: Parsed


@implementer(IExtractor)
@frozen(eq=False)
class ContentExtractor:
    """
    C{content}: the parts and texts of the message, as L{Content}.
    """

    threads: IThreads

    name = "content"
    needs = (FIELDS,)
    deadline = 20.0

    def extract(self, view: View) -> MaybeDeferred[Content]:
        """
        Read the message: a small one at once, a larger one from its file and in a thread.
        """
        message, fields = view.message, view.fact(FIELDS)
        if message.size <= HEAD_LIMIT:
            return _content([message.head(HEAD_LIMIT)], fields)
        return Deferred.fromCoroutine(self._collect(message, fields))

    async def _collect(self, message: IMessage, fields: Headers) -> Content:
        pieces = [chunk if isinstance(chunk, bytes) else await chunk for chunk in message.chunks()]
        return await self.threads.run(_content, pieces, fields)


def _content(pieces: Sequence[bytes], fields: Headers) -> Content:
    data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    return Content(data, read(data, headers=fields))


@implementer(IExtractor)
@frozen(eq=False)
class FilesExtractor:
    """
    C{files}: the files that the message brings, as L{Attachments}.
    """

    threads: IThreads
    caps: Caps

    name = "files"
    needs = ("content",)
    deadline = 20.0

    def extract(self, view: View) -> MaybeDeferred[Attachments]:
        """
        Look at the attachments: at once where none has to be opened, else in a thread.
        """
        content: Content = view.fact("content")
        if not content.parsed.attachments:
            return _NO_ATTACHMENTS
        if len(content.data) > HEAD_LIMIT:
            return self.threads.run(self._look, content)
        examination = Examination(content.parsed, content.data, self.caps)
        if examination.is_done:
            return examination.finish()
        return self.threads.run(examination.finish)

    def _look(self, content: Content) -> Attachments:
        return Examination(content.parsed, content.data, self.caps).finish()


_NO_ATTACHMENTS = Attachments()


def make_extractors(threads: IThreads, checks: Checks | None = None) -> Sequence[IExtractor]:
    """
    Make all extractors; those that no check needs do not run.

    @param threads: where large messages are read.
    @param checks: the settings, for how far archives are opened.
    """
    section = (checks or Checks()).attachments
    caps = Caps(section.depth, section.files, section.ratio, section.unpacked_bytes)
    return (FieldsExtractor(), ContentExtractor(threads), FilesExtractor(threads, caps))
