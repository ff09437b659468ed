"""
What is made of a message for several checks to read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import frozen
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailgate.config.checks import Checks
from mailgate.interfaces import IExtractor, IMessage, ISandbox, IThreads, MaybeDeferred
from mailgate.message.archive import Caps
from mailgate.message.attachments import Attachments, Examination
from mailgate.message.header import Headers
from mailgate.message.inside.inspector import Parser
from mailgate.message.links import Places, places_of
from mailgate.message.message import HEAD_LIMIT
from mailgate.message.mime import Limits, Parsed, read
from mailgate.message.mime.readings import Enclosed, Readings, is_simple, read_all, simple
from mailgate.message.passwords import passwords_of
from mailgate.pipeline.dissection import Dissection
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
        if message.size <= _AT_ONCE:
            data = message.head(HEAD_LIMIT)
            parsed = read(data, _LIMITS_AT_ONCE, fields)
            if not parsed.unread:
                return Content(data, parsed)
            return self.threads.run(_content, [data], fields)
        return Deferred.fromCoroutine(self._collect(message, fields))

    async def _collect(self, message: IMessage, fields: Headers) -> Content:
        pieces = [chunk if isinstance(chunk, bytes) else await chunk for chunk in message.chunks()]
        return await self.threads.run(_content, pieces, fields)


_AT_ONCE = 128 * 1024
"""Bytes of a message that is read at once, and not in a thread."""

_LIMITS_AT_ONCE = Limits(parts=200, header_bytes=64 * 1024, lines=5000)
"""One that needs more was made to take long, and is read in a thread."""


def _content(pieces: Sequence[bytes], fields: Headers) -> Content:
    data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    return Content(data, read(data, headers=fields))


@implementer(IExtractor)
@frozen(eq=False)
class ReadingsExtractor:
    """
    C{readings}: the message as each mail program may read it, as L{Readings}.
    """

    threads: IThreads

    name = "readings"
    needs = ("content",)
    deadline = 20.0

    def extract(self, view: View) -> MaybeDeferred[Readings]:
        """
        Read it again where it is not strictly regular: in a thread, as it may have been made to
        take long.
        """
        content: Content = view.fact("content")
        if is_simple(content.parsed):
            return simple(content.parsed, content.data)
        return self.threads.run(read_all, content.data, content.parsed)


@implementer(IExtractor)
@frozen(eq=False)
class PlacesExtractor:
    """
    C{places}: where the message leads, as L{Places}; and its pages are read.
    """

    threads: IThreads

    name = "places"
    needs = ("content", "files")
    deadline = 20.0

    def extract(self, view: View) -> MaybeDeferred[Places]:
        """
        Look at its pages and texts, and at what the files lead to: at once where they are short,
        else in a thread.
        """
        parsed, leads = view.fact("content").parsed, view.fact("files").leads
        if sum([len(text.characters) for text in parsed.texts]) <= _SEEN_AT_ONCE:
            return places_of(parsed.seen, leads)
        return self.threads.run(lambda: places_of(parsed.seen, leads))


_SEEN_AT_ONCE = 96 * 1024
"""Characters of text that are looked at at once, which takes about 2 ms."""


@implementer(IExtractor)
@frozen(eq=False)
class FilesExtractor:
    """
    C{files}: the files that the message brings, as L{Attachments}.
    """

    threads: IThreads
    caps: Caps
    dissection: Dissection

    name = "files"
    needs = ("content", "readings")
    deadline = 20.0

    def extract(self, view: View) -> MaybeDeferred[Attachments]:
        """
        Look at the attachments: at once where none has to be opened, else in a thread; and in the
        sandbox where that takes a parser of somebody else.
        """
        content: Content = view.fact("content")
        enclosed = view.fact("readings").enclosed
        if not enclosed:
            return _NO_ATTACHMENTS
        if len(content.data) > HEAD_LIMIT:
            return Deferred.fromCoroutine(self._finish(lambda: self._look(enclosed), view))
        examination = Examination(enclosed, self.caps)
        if examination.is_done:
            return examination.finish()
        return Deferred.fromCoroutine(self._finish(examination.finish, view))

    async def _finish(self, look: Callable[[], Attachments], view: View) -> Attachments:
        found = await self.threads.run(look)
        if not found.specimens:
            return found
        passwords: Sequence[str] = ()
        if any(specimen.parser is not Parser.PICTURE for specimen in found.specimens):
            text = view.fact("content").parsed.text
            passwords = passwords_of(f"{view.message.headers.text('subject')}\n{text}")
        return await self.dissection.complete(found, passwords, view.envelope.trace)

    def _look(self, enclosed: tuple[Enclosed, ...]) -> Attachments:
        return Examination(enclosed, self.caps).finish()


_NO_ATTACHMENTS = Attachments()


def make_extractors(
    threads: IThreads, checks: Checks | None = None, sandbox: ISandbox | None = None
) -> Sequence[IExtractor]:
    """
    Make all extractors; those that no check needs do not run.

    @param threads: where large messages are read.
    @param checks: the settings, for how far archives are opened.
    @param sandbox: where parsers of others look into files.
    """
    caps = caps_of(checks or Checks())
    return (
        FieldsExtractor(),
        ContentExtractor(threads),
        FilesExtractor(threads, caps, Dissection(sandbox, caps, threads)),
        ReadingsExtractor(threads),
        PlacesExtractor(threads),
    )


def caps_of(checks: Checks) -> Caps:
    """
    Give how far archives are opened.
    """
    section = checks.attachments
    return Caps(section.depth, section.files, section.ratio, section.unpacked_bytes)
