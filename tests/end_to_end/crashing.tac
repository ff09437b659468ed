"""
The gateway with a file layer, a database and deliveries that end the process at a named point.

C{MAILGATE_TEST_CONFIG} names the configuration, C{MAILGATE_TEST_POINT} the point, and the crash
comes only once the file C{MAILGATE_TEST_ARMED} exists.
"""

import os
from pathlib import Path

from twisted.application.service import Application
from twisted.internet import reactor

from mailgate.config.load import load
from mailgate.service import make_gateway
from tests.end_to_end.crash import crashing_parts

application = Application("mailgate")
make_gateway(
    load(Path(os.environ["MAILGATE_TEST_CONFIG"])),
    reactor,
    crashing_parts(os.environ["MAILGATE_TEST_POINT"], os.environ["MAILGATE_TEST_ARMED"]),
).setServiceParent(application)
