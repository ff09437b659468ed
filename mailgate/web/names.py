"""
The names under which the pages may be asked for, and the origins from which forms may come.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?", re.ASCII)


class Names:
    """
    The configured names; whatever else stands in a request is a stranger's.
    """

    def __init__(self, base_url: str, hosts: Sequence[str]) -> None:
        """
        @param base_url: where the pages are, as the configuration says: scheme and host.
        @param hosts: further names, without a port.
        """
        parts = urlsplit(base_url.lower())
        self._scheme = parts.scheme
        self._base = _origin(f"{parts.scheme}://{parts.netloc}")
        base_name = _HOST.fullmatch(parts.netloc)
        self._base_name = base_name[1] if base_name else ""
        self._hosts = frozenset(host.lower() for host in hosts)

    @property
    def is_secure(self) -> bool:
        """
        Tell whether the pages are asked for by https.
        """
        return self._scheme == "https"

    def cookie(self, name: str) -> str:
        """
        Give the full name of a cookie that proves something.

        On https it has the prefix with which browsers take it from this very host alone.
        """
        return f"__Host-{name}" if self.is_secure else name

    def knows(self, host: str) -> bool:
        """
        Tell whether a Host header names this site. Any port will do: a proxy may use another.
        """
        match = _HOST.fullmatch(host.lower())
        return match is not None and (match[1] == self._base_name or match[1] in self._hosts)

    def is_own(self, origin: str, host: str) -> bool:
        """
        Tell whether an Origin (or the beginning of a Referer) is this site itself.

        @param host: the Host header of the same request, which L{knows}.
        """
        claimed = _origin(origin.lower())
        if claimed is None:
            return False
        if claimed == self._base:
            return True
        if claimed == _origin(f"{self._scheme}://{host.lower()}"):
            return True
        match = _HOST.fullmatch(host.lower())
        is_further = match is not None and match[1] in self._hosts
        return is_further and claimed == _origin(f"{claimed[0]}://{host.lower()}")


def _origin(url: str) -> tuple[str, str, str] | None:
    """
    Split C{scheme://host:port} and whatever path follows into what makes an origin.
    """
    match = re.match(r"(https?)://([^/?#]*)", url)
    host = _HOST.fullmatch(match[2]) if match else None
    if match is None or host is None:
        return None
    return match[1], host[1], host[2] or ("443" if match[1] == "https" else "80")
