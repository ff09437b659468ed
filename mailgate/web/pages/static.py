"""
The style sheet and the script.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailgate.web.answer import Answer, Refused, Route, Visit
from mailgate.web.headers import REVALIDATED
from mailgate.web.templates import static_files


class StaticFiles:
    """
    Files that are the same for everyone. A browser asks each time whether they have changed.
    """

    def __init__(self) -> None:
        self._files = static_files()

    def routes(self) -> Sequence[Route]:
        """
        Give the route of the files.
        """
        return (Route("GET", "/static/{name}", self._serve, False),)

    async def _serve(self, visit: Visit) -> Answer:
        file = self._files.get(visit.segments["name"])
        if file is None:
            raise Refused(404)
        headers = (*REVALIDATED, ("ETag", file.tag))
        known = [tag.strip().removeprefix("W/") for tag in visit.validators.split(",")]
        if file.tag in known or known == ["*"]:
            return Answer(304, headers=headers)
        return Answer(body=file.content, kind=file.kind, headers=headers)
