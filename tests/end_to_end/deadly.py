"""
A gateway in which reading some messages ends the process, or never ends: in the hub, in the workers
and in the sandbox.

It is begun by C{sitecustomize}, since nothing else comes before what imports the reader.
"""

import os

from mailgate.message import mime

DEADLY, ENDLESS = "kill whoever reads me", "keep whoever reads me"

BEGIN = """
import sys
if any("mailgate.child" in each or "twistd" in each for each in sys.orig_argv):
    import tests.end_to_end.deadly
    from mailgate import sandboxed
    from mailgate.hub import reading
    sandboxed.PROGRAM = "tests.end_to_end.deadly"
    reading.SECONDS = 6.0
"""
"""What the Python of hub and workers runs at its start."""

_read = mime.read


def read(data, *arguments, **keywords):
    """
    Read a message, and do as it says.
    """
    if DEADLY.encode() in data:
        os.abort()
    while ENDLESS.encode() in data:
        pass
    return _read(data, *arguments, **keywords)


mime.read = read


def main(arguments):
    """
    Be a process of the sandbox.
    """
    from mailgate import sandboxed

    sandboxed.main(arguments)
