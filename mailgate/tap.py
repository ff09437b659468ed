"""
What `twistd mailgate` understands on its command line, and the service that it starts.
"""

from __future__ import annotations

import gc
from pathlib import Path

from twisted.application.service import IService
from twisted.python.usage import Options as BaseOptions
from twisted.python.usage import UsageError

from mailgate.config.load import INSTALLED, QUICKSTART, default_path, load
from mailgate.config.problem import ConfigurationError
from mailgate.service import make_gateway

YOUNG = 20_000
"""
Objects that are made before the garbage collector looks at them: those of some fifty messages.
With the 700 that Python begins with, it looks twice at each message while it is worked on.
"""


class Options(BaseOptions):
    """
    The options of C{twistd mailgate}.
    """

    synopsis = "[options]"
    longdesc = (
        "Starts the mail gateway: it takes mail in by SMTP, judges it, hands it on or holds it."
    )
    optParameters = [
        (
            "config",
            "c",
            None,
            f"The configuration file (default: ./{QUICKSTART} if it exists, else {INSTALLED}).",
        ),
    ]

    def postOptions(self) -> None:
        """
        Read the configuration.

        @raise UsageError: it is wrong; all its mistakes are named.
        """
        try:
            named = self["config"]
            path = default_path() if named is None else Path(named)
            self["path"] = path.absolute()
            self["settings"] = load(path)
        except ConfigurationError as error:
            raise UsageError(f"the configuration is wrong\n{error}") from error


def makeService(options: Options) -> IService:
    """
    Make the gateway.

    @raise SystemExit: the checks cannot be brought into an order.
    """
    from twisted.internet import reactor

    try:
        path = options["path"]
        gateway = make_gateway(options["settings"], reactor, read=lambda: load(path))
    except ConfigurationError as error:
        raise SystemExit(f"mailgate: the configuration is wrong\n{error}") from error
    # All that is there now stays: the collector never has to look at it again.
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
    return gateway
