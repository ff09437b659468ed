"""
No DNS: for judging where there is no network, or where none shall be asked.
"""

from __future__ import annotations

from typing import TypeVar

from attrs import frozen
from zope.interface import implementer

from mailgate.interfaces import IResolver, IResolvers
from mailgate.wire.dns.answer import Answer, RecordType, Trouble, Unknown

T = TypeVar("T")

_NOBODY = Unknown(Trouble.UNREACHABLE, "the DNS is not asked here")


@implementer(IResolver, IResolvers)
@frozen
class Nowhere:
    """
    A resolver that knows nothing, and says so at once.
    """

    def for_check(self, check: str, seconds: float, queries: int | None = None) -> Nowhere:
        """
        Give itself.
        """
        return self

    def look_up(self, name: str, type: RecordType[T]) -> Answer[T]:
        """
        Say that it is not known.
        """
        return _NOBODY
