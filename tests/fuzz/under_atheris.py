"""
One target under the fuzzer: C{python -m tests.fuzz.under_atheris TARGET OPTION...}, with the
options of libFuzzer. L{tests.fuzz.__main__} runs it.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["mailgate"]):
    from tests.fuzz.targets import targets

if __name__ == "__main__":
    program, name, *options = sys.argv
    with tempfile.TemporaryDirectory() as folder:
        target = targets(Path(folder))[name]
        atheris.Setup([program, *options], target)
        atheris.Fuzz()
