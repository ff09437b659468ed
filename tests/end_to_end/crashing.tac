"""
The gateway with a file layer, a database and deliveries that end the process at a named point.

C{MAILGATE_TEST_CONFIG} names the configuration, C{MAILGATE_TEST_POINT} the point, and the crash
comes only once the file C{MAILGATE_TEST_ARMED} exists. Everything is in one process, so that every
point is in the one that ends.
"""

import os
from pathlib import Path

from twisted.application.service import Application
from twisted.internet import reactor

from mailgate.config.load import load
from mailgate.service import make_gateway
from tests.end_to_end.crash import crashing_parts

application = Application("mailgate")
settings = load(Path(os.environ["MAILGATE_TEST_CONFIG"]))
make_gateway(
    settings.model_copy(update={"workers": 0}),
    reactor,
    crashing_parts(os.environ["MAILGATE_TEST_POINT"], os.environ["MAILGATE_TEST_ARMED"]),
).setServiceParent(application)
