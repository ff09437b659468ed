"""
The public test suites, which are not part of the project: C{MAILGATE_SUITES} names their folder.
"""

import os
from pathlib import Path
from unittest import SkipTest

FOLDER = Path(
    os.environ.get("MAILGATE_SUITES")
    or Path(__file__).parent.parent.parent.parent / "shared" / "suites"
)


def suite(name):
    """
    Give the text of a file of a suite, or skip the test.
    """
    path = FOLDER / name
    if not path.exists():
        raise SkipTest(f"{path} is not there; MAILGATE_SUITES names the folder of the suites")
    return path.read_text("utf-8")
