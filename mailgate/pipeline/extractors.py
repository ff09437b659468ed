"""
What is made of a message for several checks to read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from mailgate.config.checks import Checks
from mailgate.interfaces import (
    CheckFailed,
    IExtractor,
    IMessage,
    ISandbox,
    IThreads,
    MaybeDeferred,
    SandboxError,
    SandboxUnavailable,
)
from mailgate.message.archive import Caps
from mailgate.message.attachments import Attachments, Examination
from mailgate.message.header import Headers
from mailgate.message.inside.inspector import Parser
from mailgate.message.language import TEXT_LIMIT, languages_of
from mailgate.message.links import Places, places_of
from mailgate.message.look import JOB as LOOK
from mailgate.message.look import Unbelievable, decode_seen, encode_texts
from mailgate.message.message import HEAD_LIMIT
from mailgate.message.mime import Limits, Parsed, read
from mailgate.message.mime.readings import Enclosed, Readings, is_simple, read_all, simple
from mailgate.message.passwords import passwords_of
from mailgate.message.seen import Seen, is_quick
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


_AT_ONCE = 96 * 1024
"""Bytes of a message that is read at once, and not in a thread."""

_LIMITS_AT_ONCE = Limits(parts=200, slow_text=16 * 1024, header_bytes=8 * 1024, lines=2000)
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
class SeenExtractor:
    """
    C{seen}: what the texts of the message show, as L{Seen}.
    """

    threads: IThreads
    sandbox: ISandbox | None
    log = Logger()

    name = "seen"
    needs = ("content",)
    deadline = 20.0

    def extract(self, view: View) -> MaybeDeferred[Seen]:
        """
        Look at them: at once where that is quick, else in a thread, and in another process where
        there is very much.
        """
        parsed: Parsed = view.fact("content").parsed
        if is_quick(parsed.texts):
            return parsed.seen
        if self.sandbox is None or sum([len(t.characters) for t in parsed.texts]) <= _HERE:
            return self.threads.run(lambda: parsed.seen)
        return Deferred.fromCoroutine(self._ask(self.sandbox, parsed, view.envelope.trace))

    async def _ask(self, sandbox: ISandbox, parsed: Parsed, trace: str) -> Seen:
        try:
            value = await self.threads.run(encode_texts, parsed.texts)
            data = await sandbox.run(LOOK, value, _LOOK_SECONDS)
            parsed.keep(await self.threads.run(decode_seen, data))
        except SandboxUnavailable as error:
            self.log.warn(
                "{event} {error} in {trace}", event="text.here", error=str(error), trace=trace
            )
            return await self.threads.run(lambda: parsed.seen)
        except (SandboxError, Unbelievable) as error:
            self.log.warn(
                "{event} {error} in {trace}", event="text.unseen", error=str(error), trace=trace
            )
            raise CheckFailed(f"its text could not be looked at: {error}") from None
        return parsed.seen


_HERE = 256 * 1024
"""Characters of text; where there are more, another process looks at them."""

_LOOK_SECONDS = 16.0
"""How long that may take; a process that has to be started first gets half of it."""


@implementer(IExtractor)
@frozen(eq=False)
class PlacesExtractor:
    """
    C{places}: where the message leads, as L{Places}.
    """

    threads: IThreads

    name = "places"
    needs = ("seen", "files")
    deadline = 20.0

    def extract(self, view: View) -> MaybeDeferred[Places]:
        """
        Look at its pages and texts, and at what the files lead to: at once where they are short,
        else in a thread.
        """
        seen: Seen = view.fact("seen")
        leads = view.fact("files").leads
        if len(seen.plain) + sum([len(page.text) for page in seen.pages]) <= _PLACES_AT_ONCE:
            return places_of(seen, leads)
        return self.threads.run(places_of, seen, leads)


_PLACES_AT_ONCE = 64 * 1024
"""Characters that are shown and searched for links at once."""


@implementer(IExtractor)
class LanguagesExtractor:
    """
    C{languages}: the languages of what is read, as L{languages_of} gives them.
    """

    name = "languages"
    # Where the places are known the text was read, in a thread if it is long.
    needs = ("content", "places")
    deadline = 5.0

    def extract(self, view: View) -> tuple[str, ...]:
        """
        Look at the beginning of the text.
        """
        return languages_of(view.fact("content").parsed.seen.words(TEXT_LIMIT))


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
        if len(content.data) > HEAD_LIMIT or len(enclosed) > _ENCLOSED_AT_ONCE:
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
            subject, parsed = view.message.headers.text("subject"), view.fact("content").parsed
            passwords = await self.threads.run(_passwords, subject, parsed)
        return await self.dissection.complete(found, passwords, view.envelope.trace)

    def _look(self, enclosed: tuple[Enclosed, ...]) -> Attachments:
        return Examination(enclosed, self.caps).finish()


def _passwords(subject: str, parsed: Parsed) -> Sequence[str]:
    return passwords_of(f"{subject}\n{parsed.text}")


_ENCLOSED_AT_ONCE = 20
"""Attachments that are looked at at once; one whose name is made to take long costs 80 us."""

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
        SeenExtractor(threads, sandbox),
        PlacesExtractor(threads),
        LanguagesExtractor(),
    )


def caps_of(checks: Checks) -> Caps:
    """
    Give how far archives are opened.
    """
    section = checks.attachments
    return Caps(section.depth, section.files, section.ratio, section.unpacked_bytes)
