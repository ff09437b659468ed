"""
The time zone of the machine.
"""

import os
import time


def central_european_time(test):
    """
    Let a test run where clocks are put forward in March and back in October.
    """
    before = os.environ.get("TZ")

    def restore():
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()

    test.addCleanup(restore)
    os.environ["TZ"] = "CET-1CEST,M3.5.0,M10.5.0/3"
    time.tzset()
